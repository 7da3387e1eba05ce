"""Machine-learned interatomic potentials as ASE calculators, in pure Python and Numba."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .ace import ACE
    from .loading import load
    from .mtp import MTP
    from .nep import NEP
    from .overlay import Overlay
    from .pod import POD
    from .snap import SNAP

    __version__: str

__all__ = ["ACE", "MTP", "NEP", "POD", "SNAP", "Overlay", "__version__", "load"]

_SOURCES = Path(__file__).parents[1]
if not Path(__file__).with_name("analysis").exists() and (_SOURCES / "analysis" / "__init__.py").exists():
    __path__.append(str(_SOURCES))  # run from a checkout, where `ase_mlips.analysis` lies beside this folder

_FAMILIES = {  # a potential is a folder and a line here
    "ACE": ".ace",
    "MTP": ".mtp",
    "NEP": ".nep",
    "POD": ".pod",
    "SNAP": ".snap",
    "Overlay": ".overlay",
}


def __getattr__(name: str) -> Any:
    """Import on first use, so that ``ase-mlips --help`` does not wait for Numba."""
    if name in _FAMILIES:
        return getattr(import_module(_FAMILIES[name], __name__), name)
    if name == "load":
        for module in _FAMILIES.values():
            import_module(module, __name__)
        return import_module(".loading", __name__).load
    if name == "__version__":
        return import_module("importlib.metadata").version("ase-mlips")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

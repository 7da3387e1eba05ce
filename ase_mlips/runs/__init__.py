"""Runs as functions: settings in, a result out that draws and saves itself and says where it comes from."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .jobs import KINDS, Job, Kind, read_job
    from .md import MDFiles, run_md
    from .provenance import provenance_of
    from .relaxation import relax
    from .results import MDResult, RelaxResult
    from .settings import MDRun, RelaxRun, Settings
    from .trajectory import read_description

__all__ = [
    "KINDS",
    "Job",
    "Kind",
    "MDFiles",
    "MDResult",
    "MDRun",
    "RelaxResult",
    "RelaxRun",
    "Settings",
    "provenance_of",
    "read_description",
    "read_job",
    "relax",
    "run_md",
]

_MODULES = {
    "jobs": ("KINDS", "Job", "Kind", "read_job"),
    "md": ("MDFiles", "run_md"),
    "provenance": ("provenance_of",),
    "relaxation": ("relax",),
    "results": ("MDResult", "RelaxResult"),
    "settings": ("MDRun", "RelaxRun", "Settings"),
    "trajectory": ("read_description",),
}


def __getattr__(name: str) -> Any:
    """Import on first use, since phonons need only the relaxation, and some runs need phonons."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

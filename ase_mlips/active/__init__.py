"""Active learning: a potential asks for the labels that it needs, and says when it needs no more.

>>> from ase_mlips.active import ActiveLearning, ActiveRun, CalculatorLabeller, MtpLearner, explorers
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .exploring import Cells, Dynamics, Explorer, Relaxation, explorers, final_explorers
    from .labelling import CalculatorLabeller, FileLabeller, Labeller
    from .learning import Learner, MtpLearner
    from .loop import ActiveLearning
    from .results import ActiveResult
    from .settings import ActiveRun

__all__ = [
    "ActiveLearning", "ActiveResult", "ActiveRun", "CalculatorLabeller", "Cells", "Dynamics", "Explorer",
    "FileLabeller", "Labeller", "Learner", "MtpLearner", "Relaxation", "explorers", "final_explorers",
]  # fmt: skip

_MODULES = {
    "exploring": ("Cells", "Dynamics", "Explorer", "Relaxation", "explorers", "final_explorers"),
    "labelling": ("CalculatorLabeller", "FileLabeller", "Labeller"),
    "learning": ("Learner", "MtpLearner"),
    "loop": ("ActiveLearning",),
    "results": ("ActiveResult",),
    "settings": ("ActiveRun",),
}


def __getattr__(name: str) -> Any:
    """Import on first use: settings are read without any family of potentials."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

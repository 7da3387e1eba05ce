"""Active learning: a potential asks for the labels that it needs, and says when it needs no more.

Uncertainty of any family, selection of what to label, and the loop that explores, selects, labels and trains.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ase_mlips.extrapolation import ExtrapolationError, ExtrapolationObserver
    from ase_mlips.grades.grade import Grade

    from .cutting import cut_cell, cut_cluster
    from .exploring import Cells, Dynamics, Explorer, Relaxation, explorers, final_explorers
    from .labelling import CalculatorLabeller, FileLabeller, Labeller
    from .learning import CommitteeLearner, Learner, MtpLearner, NepLearner, SnapLearner
    from .loop import ActiveLearning
    from .protocols import Graded, Uncertain
    from .results import ActiveResult
    from .selection import Selection, distinct, fingerprints, select_add, select_by_leverage, select_farthest
    from .settings import ActiveRun

__all__ = [
    "ActiveLearning", "ActiveResult", "ActiveRun", "CalculatorLabeller", "Cells", "CommitteeLearner", "Dynamics",
    "Explorer", "ExtrapolationError", "ExtrapolationObserver", "FileLabeller", "Grade", "Graded", "Labeller",
    "Learner", "MtpLearner", "NepLearner", "Relaxation", "Selection", "SnapLearner", "Uncertain", "cut_cell",
    "cut_cluster", "distinct", "explorers", "final_explorers", "fingerprints", "select_add", "select_by_leverage",
    "select_farthest",
]  # fmt: skip

_MODULES = {
    "ase_mlips.extrapolation": ("ExtrapolationError", "ExtrapolationObserver"),
    "ase_mlips.grades.grade": ("Grade",),
    ".cutting": ("cut_cell", "cut_cluster"),
    ".exploring": ("Cells", "Dynamics", "Explorer", "Relaxation", "explorers", "final_explorers"),
    ".labelling": ("CalculatorLabeller", "FileLabeller", "Labeller"),
    ".learning": ("CommitteeLearner", "Learner", "MtpLearner", "NepLearner", "SnapLearner"),
    ".loop": ("ActiveLearning",),
    ".protocols": ("Graded", "Uncertain"),
    ".results": ("ActiveResult",),
    ".selection": ("Selection", "distinct", "fingerprints", "select_add", "select_by_leverage", "select_farthest"),
    ".settings": ("ActiveRun",),
}


def __getattr__(name: str) -> Any:
    """Import on first use: settings are read without any family of potentials."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(module, __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

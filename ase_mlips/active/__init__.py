"""Active learning: uncertainty of any family, selection of what to label."""

from ase_mlips.extrapolation import ExtrapolationError, ExtrapolationObserver
from ase_mlips.grades.grade import Grade

from .cutting import cut_cell, cut_cluster
from .protocols import Graded, Uncertain
from .selection import Selection, distinct, fingerprints, select_add, select_by_leverage, select_farthest

__all__ = [
    "ExtrapolationError",
    "ExtrapolationObserver",
    "Grade",
    "Graded",
    "Selection",
    "Uncertain",
    "cut_cell",
    "cut_cluster",
    "distinct",
    "fingerprints",
    "select_add",
    "select_by_leverage",
    "select_farthest",
]

"""Fitting potentials to labelled configurations by linear least squares.

>>> from ase_mlips.fit import Loss, fit_snap, read_frames, snap_template, split_frames
>>> train, test = split_frames(read_frames("data.extxyz"))  # doctest: +SKIP
>>> template = snap_template(["Si"], radii=[0.5], twojmax=8, rcutfac=4.9)  # doctest: +SKIP
>>> fit = fit_snap(template, train, test=test, loss=Loss(energy=100.0))  # doctest: +SKIP
>>> fit.save("Si.snapcoeff")  # doctest: +SKIP
"""

from .dataset import Frame, read_frames, split_frames
from .design import SnapDesign, snap_template
from .report import Report, compare
from .snap import Loss, SnapEquations, SnapFit, fit_snap
from .sweep import Sweep, weight_sweep

__all__ = [
    "Frame", "Loss", "Report", "SnapDesign", "SnapEquations", "SnapFit", "Sweep",
    "compare", "fit_snap", "read_frames", "snap_template", "split_frames", "weight_sweep",
]  # fmt: skip

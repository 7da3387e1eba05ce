"""Fitting potentials to labelled configurations: linear least squares, and neural networks by gradients.

>>> from ase_mlips.fit import Loss, fit_snap, read_frames, snap_template, split_frames
>>> template = snap_template(["Si"], radii=[0.5], twojmax=8, rcutfac=4.9)
>>> train, test = split_frames(read_frames("data.extxyz"))  # doctest: +SKIP
>>> fit = fit_snap(template, train, test=test, loss=Loss(energy=100.0))  # doctest: +SKIP
>>> fit.save("Si.snapcoeff")  # doctest: +SKIP

The lines with a file of your own are tried out, on other frames, in the example of `fit_snap`.
"""

from .committee import Committee, fit_committee
from .dataset import Frame, read_frames, split_frames
from .design import SnapDesign, snap_template
from .network import NetworkFit, fit_network
from .offsets import EnergyOffsets, energy_offsets
from .report import Report, compare
from .snap import Loss, SnapEquations, SnapFit, fit_snap
from .sweep import Sweep, weight_sweep
from .training import Training

__all__ = [
    "Committee", "EnergyOffsets", "Frame", "Loss", "NetworkFit", "Report", "SnapDesign", "SnapEquations", "SnapFit",
    "Sweep", "Training", "compare", "energy_offsets", "fit_committee", "fit_network", "fit_snap", "read_frames",
    "snap_template", "split_frames", "weight_sweep",
]  # fmt: skip

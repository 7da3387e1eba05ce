"""Fitting potentials to labelled configurations: SNAP, ACE and POD by least squares or with networks, MTP and NEP.

>>> from ase_mlips.fit import Loss, fit_snap, read_frames, snap_template, split_frames
>>> template = snap_template(["Si"], radii=[0.5], twojmax=8, rcutfac=4.9)
>>> train, test = split_frames(read_frames("data.extxyz"))  # doctest: +SKIP
>>> fit = fit_snap(template, train, test=test, loss=Loss(energy=100.0))  # doctest: +SKIP
>>> fit.save("Si.snapcoeff")  # doctest: +SKIP

The lines with a file of your own are tried out, on other frames, in the example of `fit_snap`.  A NEP potential is
trained as a whole, from the hyperparameters of a nep.in file or from another potential:

>>> from ase_mlips.fit import fit_nep
>>> fit_nep("nep.in", train, test=test).save("nep.txt")  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .balanced import RmseLoss
from .cells import warn_of_cells
from .committee import Committee
from .dataset import LabelledFrame, read_frames, split_frames
from .frame_file import FrameFile
from .full_batch import FullBatch
from .loss import Loss
from .offsets import EnergyOffsets, energy_offsets
from .report import Report, compare
from .sweep import Sweep
from .tradeoff import TradeOff, trade_off
from .training import Training

if TYPE_CHECKING:
    from ..ace.fitting import AceFit, AceNetworkFit, fit_ace, fit_ace_network
    from ..ace.template import ace_template
    from ..mtp.fitting import MlipLoss, MtpFit, fit_mtp, fit_mtp_committee, grown
    from ..nep.fitting import NepFit, NepSettings, NepTraining, fit_nep, fit_nep_committee, read_nep_in
    from ..overlay.fitting import OverlayDesign, OverlayFit, fit_overlay
    from ..pod.fitting import PodDesign, PodFit, PodNetworkFit, fit_pod, fit_pod_network
    from ..snap.fitting import (
        NetworkFit,
        SnapDesign,
        SnapEquations,
        SnapFit,
        fit_committee,
        fit_network,
        fit_snap,
        weight_sweep,
    )
    from ..snap.template import snap_template

__all__ = [
    "AceFit", "AceNetworkFit", "Committee", "EnergyOffsets", "FrameFile", "FullBatch", "LabelledFrame", "Loss",
    "MlipLoss", "MtpFit", "NepFit", "NepSettings", "NepTraining", "NetworkFit", "OverlayDesign", "OverlayFit",
    "PodDesign", "PodFit", "PodNetworkFit", "Report", "RmseLoss", "SnapDesign", "SnapEquations", "SnapFit", "Sweep",
    "TradeOff", "Training", "ace_template", "compare", "energy_offsets", "fit_ace", "fit_ace_network", "fit_committee",
    "fit_mtp", "fit_mtp_committee", "fit_nep", "fit_nep_committee", "fit_network", "fit_overlay", "fit_pod",
    "fit_pod_network", "fit_snap", "grown", "read_frames", "read_nep_in", "snap_template", "split_frames", "trade_off",
    "warn_of_cells", "weight_sweep",
]  # fmt: skip

# the families import this package for its protocols, and their names are looked up when they are asked for
_FAMILIES = {
    "..ace.fitting": ("AceFit", "AceNetworkFit", "fit_ace", "fit_ace_network"),
    "..ace.template": ("ace_template",),
    "..mtp.fitting": ("MlipLoss", "MtpFit", "fit_mtp", "fit_mtp_committee", "grown"),
    "..nep.fitting": ("NepFit", "NepSettings", "NepTraining", "fit_nep", "fit_nep_committee", "read_nep_in"),
    "..overlay.fitting": ("OverlayDesign", "OverlayFit", "fit_overlay"),
    "..pod.fitting": ("PodDesign", "PodFit", "PodNetworkFit", "fit_pod", "fit_pod_network"),
    "..snap.fitting": (
        "NetworkFit", "SnapDesign", "SnapEquations", "SnapFit", "fit_committee", "fit_network", "fit_snap",
        "weight_sweep",
    ),
    "..snap.template": ("snap_template",),
}  # fmt: skip
_PLACES = {name: module for module, names in _FAMILIES.items() for name in names}


def __getattr__(name: str) -> Any:
    """What a family gives under this name."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_PLACES[name], __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

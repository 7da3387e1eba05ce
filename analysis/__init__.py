"""Analysis of trajectories: from frames to properties."""

from .correlation import correlation
from .diffusion.arrhenius import Arrhenius, arrhenius
from .diffusion.conductivity import Conductivity, ionic_conductivity
from .diffusion.density import IonDensity, ion_density
from .diffusion.diffusion import Diffusion, average, einstein_diffusion
from .diffusion.msd import MSD, mean_squared_displacement
from .diffusion.van_hove import VanHove, van_hove
from .diffusion.velocities import green_kubo_diffusion
from .heat.cepstral import Cepstral, cepstral
from .heat.green_kubo import green_kubo
from .heat.green_kubo_result import GreenKubo
from .heat.hnemd import HNEMD, HNEMDResult
from .heat.muller_plathe import LengthExtrapolation, MullerPlathe, MullerPlatheResult, extrapolate_length
from .heat.recorder import HeatFluxRecorder, read_heat_flux
from .heat.replay import Replay, plot_energies, replay
from .heat.series import HeatFluxSeries
from .results import Interrupted
from .structure.angles import ADF, adf
from .structure.rdf import RDF, rdf
from .trajectories.trajectory import Trajectory, as_trajectory
from .vibrations.thermodynamics import Thermodynamics, thermodynamics
from .vibrations.vacf import VACF, vacf
from .vibrations.vdos import VDOS, vdos

__all__ = [
    "ADF", "HNEMD", "MSD", "RDF", "VACF", "VDOS", "Arrhenius", "Cepstral", "Conductivity", "Diffusion", "GreenKubo",
    "HNEMDResult", "HeatFluxRecorder", "HeatFluxSeries", "Interrupted", "IonDensity", "LengthExtrapolation",
    "MullerPlathe", "MullerPlatheResult", "Replay", "Thermodynamics", "Trajectory", "VanHove",
    "adf", "arrhenius", "as_trajectory", "average", "cepstral", "correlation", "einstein_diffusion",
    "extrapolate_length", "green_kubo", "green_kubo_diffusion", "ion_density", "ionic_conductivity",
    "mean_squared_displacement", "plot_energies", "rdf", "read_heat_flux", "replay", "thermodynamics", "vacf",
    "van_hove", "vdos",
]  # fmt: skip

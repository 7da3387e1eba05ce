"""Analysis of trajectories: from frames to properties."""

from .angles import ADF, adf
from .arrhenius import Arrhenius, arrhenius
from .cepstral import Cepstral, cepstral
from .conductivity import Conductivity, ionic_conductivity
from .correlation import correlation
from .density import IonDensity, ion_density
from .diffusion import Diffusion, average, einstein_diffusion, green_kubo_diffusion
from .green_kubo import GreenKubo, green_kubo
from .heat_recorder import HeatFluxRecorder, read_heat_flux
from .heat_series import HeatFluxSeries
from .msd import MSD, mean_squared_displacement
from .rdf import RDF, rdf
from .replay import Replay, heat_flux_of_trajectory, plot_energies, replay
from .results import Interrupted
from .thermodynamics import Thermodynamics, thermodynamics
from .trajectory import Trajectory, as_trajectory
from .vacf import VACF, vacf
from .van_hove import VanHove, van_hove
from .vdos import VDOS, vdos

__all__ = [
    "ADF", "MSD", "RDF", "VACF", "VDOS", "Arrhenius", "Cepstral", "Conductivity", "Diffusion", "GreenKubo",
    "HeatFluxRecorder", "HeatFluxSeries", "Interrupted", "IonDensity", "Replay", "Thermodynamics", "Trajectory",
    "VanHove",
    "adf", "arrhenius", "as_trajectory", "average", "cepstral", "correlation", "einstein_diffusion", "green_kubo",
    "green_kubo_diffusion", "heat_flux_of_trajectory", "ion_density", "ionic_conductivity", "mean_squared_displacement",
    "plot_energies", "rdf", "read_heat_flux", "replay", "thermodynamics", "vacf", "van_hove", "vdos",
]  # fmt: skip

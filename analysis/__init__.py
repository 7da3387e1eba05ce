"""Analysis of trajectories: from frames to properties."""

from .angles import ADF, adf
from .arrhenius import Arrhenius, arrhenius
from .conductivity import Conductivity, ionic_conductivity
from .correlation import correlation
from .density import IonDensity, ion_density
from .diffusion import Diffusion, average, einstein_diffusion, green_kubo_diffusion
from .msd import MSD, mean_squared_displacement
from .rdf import RDF, rdf
from .results import Interrupted
from .thermodynamics import Thermodynamics, thermodynamics
from .trajectory import Trajectory, as_trajectory
from .vacf import VACF, vacf
from .van_hove import VanHove, van_hove
from .vdos import VDOS, vdos

__all__ = [
    "ADF", "MSD", "RDF", "VACF", "VDOS", "Arrhenius", "Conductivity", "Diffusion", "Interrupted", "IonDensity",
    "Thermodynamics", "Trajectory", "VanHove",
    "adf", "arrhenius", "as_trajectory", "average", "correlation", "einstein_diffusion", "green_kubo_diffusion",
    "ion_density", "ionic_conductivity", "mean_squared_displacement", "rdf", "thermodynamics", "vacf", "van_hove",
    "vdos",
]  # fmt: skip

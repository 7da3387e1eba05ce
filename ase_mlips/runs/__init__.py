"""What is run with a potential, each by one function: settings in, result out."""

from .defects import Vacancy, VacancyRun, vacancy
from .elastic import ElasticRun, elastic_constants
from .elastic_result import ElasticConstants, Moduli
from .eos import EOSRun, EquationOfState, equation_of_state, fit_birch_murnaghan
from .neb import NEBRun, neb
from .neb_result import MinimumEnergyPath
from .surfaces import SurfaceEnergy, SurfaceRun, surface_energy

__all__ = [
    "EOSRun", "ElasticConstants", "ElasticRun", "EquationOfState", "MinimumEnergyPath", "Moduli", "NEBRun",
    "SurfaceEnergy", "SurfaceRun", "Vacancy", "VacancyRun",
    "elastic_constants", "equation_of_state", "fit_birch_murnaghan", "neb", "surface_energy", "vacancy",
]  # fmt: skip

"""Runs as functions: settings in, a result out that draws and saves itself."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .defects import Vacancy, VacancyRun, vacancy
    from .elastic import ElasticRun, elastic_constants
    from .elastic_result import ElasticConstants, Moduli
    from .eos import EOSRun, EquationOfState, equation_of_state, fit_birch_murnaghan
    from .neb import NEBRun, minimum_energy_path
    from .neb_result import MinimumEnergyPath
    from .surfaces import SurfaceEnergy, SurfaceRun, surface_energy

__all__ = [
    "EOSRun",
    "ElasticConstants",
    "ElasticRun",
    "EquationOfState",
    "MinimumEnergyPath",
    "Moduli",
    "NEBRun",
    "SurfaceEnergy",
    "SurfaceRun",
    "Vacancy",
    "VacancyRun",
    "elastic_constants",
    "equation_of_state",
    "fit_birch_murnaghan",
    "minimum_energy_path",
    "surface_energy",
    "vacancy",
]

_MODULES = {
    "defects": ("Vacancy", "VacancyRun", "vacancy"),
    "elastic": ("ElasticRun", "elastic_constants"),
    "elastic_result": ("ElasticConstants", "Moduli"),
    "eos": ("EOSRun", "EquationOfState", "equation_of_state", "fit_birch_murnaghan"),
    "neb": ("NEBRun", "minimum_energy_path"),
    "neb_result": ("MinimumEnergyPath",),
    "surfaces": ("SurfaceEnergy", "SurfaceRun", "surface_energy"),
}


def __getattr__(name: str) -> Any:
    """Import on first use, as most runs do not need the modules of the others."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

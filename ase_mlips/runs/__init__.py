"""Runs as functions: settings in, a result out that draws and saves itself and says where it comes from."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .defects import Vacancy, VacancyRun, vacancy
    from .elastic import ElasticRun, elastic_constants
    from .elastic_result import ElasticConstants, Moduli
    from .ensemble_result import EnsembleMember, EnsembleResult
    from .eos import EOSRun, EquationOfState, equation_of_state, fit_birch_murnaghan
    from .executors import evaluate_all, on_executor
    from .jobs import KINDS, Job, Kind, read_job
    from .many import EnsembleRun, run_ensemble
    from .md import run_md
    from .neb import NEBRun, minimum_energy_path
    from .neb_result import MinimumEnergyPath
    from .provenance import provenance_of
    from .relaxation import relax
    from .results import MDResult, RelaxResult
    from .settings import MDRun, RelaxRun, Settings
    from .surfaces import SurfaceEnergy, SurfaceRun, surface_energy
    from .trajectory import MDFiles, read_description

__all__ = [
    "KINDS",
    "EOSRun",
    "ElasticConstants",
    "ElasticRun",
    "EnsembleMember",
    "EnsembleResult",
    "EnsembleRun",
    "EquationOfState",
    "Job",
    "Kind",
    "MDFiles",
    "MDResult",
    "MDRun",
    "MinimumEnergyPath",
    "Moduli",
    "NEBRun",
    "RelaxResult",
    "RelaxRun",
    "Settings",
    "SurfaceEnergy",
    "SurfaceRun",
    "Vacancy",
    "VacancyRun",
    "elastic_constants",
    "equation_of_state",
    "evaluate_all",
    "fit_birch_murnaghan",
    "minimum_energy_path",
    "on_executor",
    "provenance_of",
    "read_description",
    "read_job",
    "relax",
    "run_ensemble",
    "run_md",
    "surface_energy",
    "vacancy",
]

_MODULES = {
    "defects": ("Vacancy", "VacancyRun", "vacancy"),
    "elastic": ("ElasticRun", "elastic_constants"),
    "elastic_result": ("ElasticConstants", "Moduli"),
    "ensemble_result": ("EnsembleMember", "EnsembleResult"),
    "eos": ("EOSRun", "EquationOfState", "equation_of_state", "fit_birch_murnaghan"),
    "executors": ("evaluate_all", "on_executor"),
    "jobs": ("KINDS", "Job", "Kind", "read_job"),
    "many": ("EnsembleRun", "run_ensemble"),
    "md": ("run_md",),
    "neb": ("NEBRun", "minimum_energy_path"),
    "neb_result": ("MinimumEnergyPath",),
    "provenance": ("provenance_of",),
    "relaxation": ("relax",),
    "results": ("MDResult", "RelaxResult"),
    "settings": ("MDRun", "RelaxRun", "Settings"),
    "surfaces": ("SurfaceEnergy", "SurfaceRun", "surface_energy"),
    "trajectory": ("MDFiles", "read_description"),
}


def __getattr__(name: str) -> Any:
    """Import on first use, since phonons need only the relaxation, and some runs need phonons."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

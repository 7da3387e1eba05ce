"""What is run with a potential, each by one function: settings in, result out."""

from .elastic import ElasticRun, elastic_constants
from .elastic_result import ElasticConstants, Moduli
from .eos import EOSRun, EquationOfState, equation_of_state, fit_birch_murnaghan

__all__ = [
    "EOSRun", "ElasticConstants", "ElasticRun", "EquationOfState", "Moduli",
    "elastic_constants", "equation_of_state", "fit_birch_murnaghan",
]  # fmt: skip

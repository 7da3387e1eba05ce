"""What is run with a potential, each by one function: settings in, result out."""

from .eos import EOSRun, EquationOfState, equation_of_state, fit_birch_murnaghan

__all__ = ["EOSRun", "EquationOfState", "equation_of_state", "fit_birch_murnaghan"]

"""Machine-learned interatomic potentials as ASE calculators, in pure Python and Numba."""

from importlib.metadata import version

from .calculator import load
from .snap import SNAP

__version__ = version("ase-mlips")

__all__ = ["SNAP", "__version__", "load"]

"""Phonons of any ASE calculator by phonopy and phono3py, and how much those of two models differ."""

from .bands import Bands
from .comparison import PhononComparison, compare_phonons
from .conductivity import conduct, thermal_conductivity, third_order
from .gruneisen import Gruneisen, gruneisen
from .harmonic import phonons
from .kappa import CumulativeConductivity, ThermalConductivity
from .mlp import CalculatorMLP
from .properties import ImaginaryMode, PhononDOS, ThermalProperties
from .quasi_harmonic import QuasiHarmonic, quasi_harmonic
from .relaxation import Relaxation, relax
from .result import Phonons

__all__ = [
    "Bands",
    "CalculatorMLP",
    "CumulativeConductivity",
    "Gruneisen",
    "ImaginaryMode",
    "PhononComparison",
    "PhononDOS",
    "Phonons",
    "QuasiHarmonic",
    "Relaxation",
    "ThermalConductivity",
    "ThermalProperties",
    "compare_phonons",
    "conduct",
    "gruneisen",
    "phonons",
    "quasi_harmonic",
    "relax",
    "thermal_conductivity",
    "third_order",
]

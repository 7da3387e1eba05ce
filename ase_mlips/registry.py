"""The families that `load` and ASE know."""

from __future__ import annotations

from typing import Any

from ase.calculators.calculator import external_calculators, names, register_calculator_class

families: list[type[Any]] = []


def register_family(calculator: type[Any]) -> None:
    """Let `load` try the class, a `PotentialCalculator` with the class method `recognizes`, and ASE find its name."""
    families.append(calculator)
    register_name(calculator)


def register_name(calculator: type[Any]) -> None:
    """Let ASE find the class by its name, unless another one has it, as ACE-Molecule has ``ace``."""
    if calculator.__name__.lower() not in names:
        register_calculator_class(calculator.__name__.lower(), calculator)


def is_named(calculator: type[Any]) -> bool:
    """Whether ASE finds the class by its name."""
    return external_calculators.get(calculator.__name__.lower()) is calculator

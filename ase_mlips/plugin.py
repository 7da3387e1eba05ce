"""What ASE finds behind the entry point group ``ase.plugins``: the families as plugins of its version 4.

ASE's classic lookup by name, `ase.calculators.calculator.get_calculator_class`, needs no entry point: every
family enters itself there when it is imported.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from . import load  # noqa: F401  registers every family
from .registry import families, is_named


@cache
def _plugins(plugin: Any) -> frozenset[Any]:
    return frozenset(
        plugin(family.__name__.lower(), citation="", implementation=f"{family.__module__}.{family.__qualname__}")
        for family in families
        if is_named(family)
    )


def __getattr__(name: str) -> frozenset[Any]:
    # Not a plain attribute: importing ase._4.plugins loads this very module and would find it half made.
    if name != "__ase_plugins__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from ase._4.plugins.plugin import CalculatorPlugin
    except ImportError:  # this ASE has no plugins, or keeps them elsewhere by now
        return frozenset()
    return _plugins(CalculatorPlugin)

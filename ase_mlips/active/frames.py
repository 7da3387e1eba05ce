"""Labelled frames of a learning: those that it begins with, and what a model misses of any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.geometry import find_mic

from ase_mlips.fit import LabelledFrame
from ase_mlips.fit.dataset import frame_of

_DIGITS = 1e-6  # A


def errors(calc: Any, frames: Sequence[LabelledFrame]) -> dict[str, float] | None:
    """Root mean squares of what a model misses: energy in meV/atom and force components in eV/A; None of no frames."""
    if not frames:
        return None
    energies, forces = [], []
    for frame in frames:
        atoms = frame.atoms.copy()
        if frame.energy is not None:
            energies.append((calc.get_property("energy", atoms) - frame.energy) / len(atoms))
        if frame.forces is not None:
            forces.append((calc.get_property("forces", atoms) - frame.forces).ravel())
    by_name = {"energy": 1e3 * np.array(energies), "force": np.concatenate(forces) if forces else np.empty(0)}
    return {name: float(np.sqrt(np.mean(values**2))) for name, values in by_name.items() if len(values)}


def first_frame(atoms: Atoms, source: str) -> Atoms:
    """A frame of the beginning with its labels, if it has some, and no others."""
    frame = frame_of(atoms, source)
    copy = frame.atoms.copy()
    copy.wrap()
    copy.info = {"round": 0} | ({} if frame.group == "all" else {"config_type": frame.group})
    copy.info |= {name: value for name in ("weight", "energy_weight") if (value := getattr(frame, name)) != 1.0}
    named = {"energy": frame.energy, "forces": frame.forces, "stress": frame.stress}
    if given := {name: value for name, value in named.items() if value is not None}:
        copy.calc = SinglePointCalculator(copy, **given)
    return copy


def alike(frames: Sequence[Atoms], others: Sequence[Atoms]) -> bool:
    """Whether two lists hold the same structures, to the digits of files."""
    return len(frames) == len(others) and all(
        np.array_equal(one.numbers, two.numbers)
        and np.allclose(one.cell.array, two.cell.array, rtol=0.0, atol=_DIGITS)
        and np.allclose(find_mic(one.positions - two.positions, one.cell, one.pbc)[0], 0.0, atol=_DIGITS)
        for one, two in zip(frames, others, strict=True)
    )


def in_words(found: dict[str, float]) -> str:
    """Errors with their units."""
    formats = {"energy": "{:.2f} meV/atom", "force": "{:.4f} eV/A"}
    return ", ".join(formats[name].format(value) for name, value in found.items())

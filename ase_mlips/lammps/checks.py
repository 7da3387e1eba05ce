"""What LAMMPS must be set to before a potential is attached, and must not be set to afterwards."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from ase.calculators.calculator import CalculatorSetupError
from ase.data import atomic_masses, atomic_numbers

from ..arrays import IntArray
from ..calculator import PotentialCalculator
from ..engine.neighbors import NeighborList
from ..potential import Potential
from .kernels import COLUMNS, SUMS, add, fold, pack, summarise
from .memory import atom_array

NO_ELEMENT = "NULL"  # LAMMPS's word for a type that a potential has no element for
FIX = "mlip"  # f_mlip[1] .. f_mlip[6] in an input
_SAME_MASS = 0.5  # amu
_FIX = re.compile(r"Fix\[ *\d+\]: +(\S+?), +style = (\S+?),")
# Fixes that set or constrain forces, and so must come after what computes them.
_LAST_WORD = ("setforce", "aveforce", "freeze", "lineforce", "planeforce", "enforce2d", "rigid", "shake", "rattle")


def require_calculator(calc: Any) -> Potential:
    """The potential of a calculator; ValueError where it is none that gives energies atom by atom."""
    if not isinstance(calc, PotentialCalculator):
        raise ValueError(f"expected a calculator of ase_mlips such as NEP, MTP or SNAP, got {type(calc).__name__}")
    if "energy" not in calc.implemented_properties:
        raise ValueError(f"{calc!r} gives no energy and no forces, and so cannot run in LAMMPS")
    return calc.potential


def compile_exchange() -> None:
    """Call the kernels of the exchange for no atoms."""
    nothing, rows, table = np.empty(0, np.int64), np.empty((0, COLUMNS)), np.empty((0, 6))
    forces, virials, kinds, sums = np.empty((0, 3)), np.empty((0, 3, 3)), np.empty(0, np.int32), np.empty(SUMS)
    fold(nothing, nothing, forces, virials)
    pack(nothing, forces, virials, rows)
    add(nothing, rows, forces, virials)
    summarise(np.empty(0), forces, virials, (forces, forces, kinds, np.empty(1), np.empty(1)), forces, table, sums)


def compile_kernels(calc: PotentialCalculator) -> None:
    """Evaluate few and many atoms; ValueError for a model that cannot be evaluated domain by domain."""
    compile_exchange()
    potential = calc.potential
    for edge in (1, 7):
        positions = 0.7 * potential.cutoff * np.stack(np.meshgrid(*[np.arange(edge + 1.0)] * 3), -1).reshape(-1, 3)
        species: IntArray = np.arange(len(positions), dtype=np.int32) % np.int32(len(potential.elements))
        neighbors = NeighborList(potential.cutoff)
        neighbors.update(positions, np.zeros((3, 3)), np.zeros(3, bool), centers=len(positions) - 1)
        try:
            potential.evaluate(neighbors, species)
        except ValueError as error:
            raise ValueError(
                f"{calc!r} cannot run in LAMMPS, where each rank sees a part of the atoms: {error}"
            ) from None


def require_suitable(lmp: Any) -> None:
    """ValueError where LAMMPS has no box yet, a model already, other units, or masses of atoms instead of types."""
    if not lmp.extract_setting("box_exist"):
        raise ValueError("the model needs a simulation box: attach it after read_data, read_restart or create_box")
    if lmp.has_id("fix", FIX):
        raise ValueError("a model is attached already: detach it first")
    if (units := lmp.extract_global("units")) != "metal":
        raise ValueError(f"the model is in eV and A: expected units metal, got {units}")
    if lmp.extract_setting("rmass_flag"):
        style = lmp.extract_global("atom_style")
        raise ValueError(f"expected an atom style with one mass for each type, such as atomic, got {style}")


def require_ids(lmp: Any) -> None:
    """ValueError where the atoms of this rank have no IDs."""
    tags = atom_array(lmp, "id", lmp.extract_setting("nlocal"))
    if tags is None or (tags <= 0).any():
        raise ValueError("the model needs atom IDs: expected atom_modify id yes")


def species_of_types(potential: Potential, elements: Sequence[str], types: int) -> IntArray:
    """Species of each type from 1 on, -1 where there is no element; CalculatorSetupError for one that has none."""
    if len(elements) != types:
        raise ValueError(f"expected one element for each of LAMMPS's {types} atom types, got {' '.join(elements)}")
    unknown = [symbol for symbol in elements if symbol not in (*potential.elements, NO_ELEMENT)]
    if unknown:
        covered = ", ".join(potential.elements)
        raise CalculatorSetupError(f"the model covers only {covered}, not {', '.join(unknown)}")
    known = {symbol: species for species, symbol in enumerate(potential.elements)} | {NO_ELEMENT: -1}
    return np.array([-1, *(known[symbol] for symbol in elements)], np.int32)


def require_masses(lmp: Any, elements: Sequence[str]) -> None:
    """ValueError where a type has the mass of another one's element: the elements are in another order."""
    masses = atom_array(lmp, "mass", len(elements) + 1)
    known = {symbol: atomic_masses[atomic_numbers[symbol]] for symbol in elements if symbol != NO_ELEMENT}
    for kind, symbol in enumerate(elements, 1):
        mass = 0.0 if masses is None else float(masses[kind])
        likely = min(known, key=lambda other: abs(known[other] - mass), default=symbol)
        if mass > 0.0 and symbol in known and abs(known[likely] - mass) < _SAME_MASS < abs(known[symbol] - mass):
            raise ValueError(
                f"expected elements in the order of LAMMPS's atom types: type {kind} has the mass {mass:g} of {likely},"
                f" not that of {symbol}"
            )


def require_order(lmp: Any, comm: Any) -> None:
    """ValueError where a fix that sets forces is there already: fixes act in the order of their definition."""
    early = [f"{name} ({style})" for name, style in fixes(lmp, comm) if style.startswith(_LAST_WORD)]
    if early:
        raise ValueError(f"fix {early[0]} would act before the model has added its forces: define it after the model")


def fixes(lmp: Any, comm: Any) -> list[tuple[str, str]]:
    """Names and styles of LAMMPS's fixes, the first one first; collective."""
    with tempfile.TemporaryDirectory() as folder:
        path = comm.bcast(os.path.join(folder, "fixes"))
        lmp.command(f'info fixes out overwrite "{path}"')
        text = ""
        if comm.rank == 0:
            with open(path, encoding="utf-8", errors="replace") as file:
                text = file.read()
        return _FIX.findall(comm.bcast(text))


def require_harmless(commands: Iterator[str] | Sequence[str]) -> None:
    """ValueError for a command that would undo the distance up to which the model needs ghosts."""
    for line in commands:
        words = line.split()
        undone = words[:1] == ["neighbor"] or (words[:1] == ["comm_modify"] and {"cutoff", "mode"} & set(words))
        if undone:
            raise ValueError(
                f"{line.strip()!r}: the model has set the skin and the distance of ghosts already; choose its skin"
                " where it is attached instead"
            )

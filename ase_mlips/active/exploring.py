"""Where a model is looked at: dynamics, relaxations, and strained, defective and displaced cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Protocol

import numpy as np
import spglib
from ase import Atoms
from ase.calculators.calculator import CalculationFailed
from ase.utils import OldSpglibError, spglib_new_errorhandling

from ase_mlips.engine.neighbors import NeighborList
from ase_mlips.runs.md import prepared_md
from ase_mlips.runs.relaxation import relax_in_place
from ase_mlips.runs.settings import MDRun, RelaxRun

from .protocols import Uncertain
from .settings import ActiveRun

GRADE = "extrapolation_grade"  # key of info, as of the observer
_STRAIN = 0.04
_DISPLACEMENT = 0.05  # A
_RELAXATION = RelaxRun(fmax=0.02, steps=200)


class LimitError(RuntimeError):
    """The model must not be trusted where a run has come to."""


class Watch:
    """Grades structures, and keeps those which the model has to extrapolate for.

    Parameters
    ----------
    calc : Uncertain
    limits : (select, stop)
        Structures of a grade above the first are kept.
    closest : float
        In A; structures with nearer atoms are not kept, since no calculation of them is of use.

    Attributes
    ----------
    kept : list of Atoms
    largest : float
        Grade of all that was seen.
    seen : int
    """

    def __init__(self, calc: Uncertain, limits: tuple[float, float], closest: float) -> None:
        self._calc, (self._select, self._stop) = calc, limits
        self._closest = closest
        self._neighbors = NeighborList(closest, skin=0.0) if closest > 0.0 else None
        self.kept: list[Atoms] = []
        self.largest, self.seen = 0.0, 0

    def __call__(self, atoms: Atoms, **where: float) -> None:
        """Look at a structure of a run.

        Parameters
        ----------
        atoms : Atoms
        **where
            What its info shall say of where it comes from.

        Raises
        ------
        LimitError
            Its grade is above the second limit, or no number, or atoms are too close; the sentence says so.
        """
        grade = float(self._calc.get_extrapolation_grade(atoms).configuration)
        self.seen += 1
        self.largest = max(self.largest, grade) if np.isfinite(grade) else self.largest
        if grade <= self._select:
            return
        if (distance := self._too_close(atoms)) < self._closest or not np.isfinite(grade):
            raise LimitError(f"two atoms came {distance:.3g} A close, and {self._closest:.3g} A is the limit")
        self.kept.append(_bare(atoms, **where, **{GRADE: grade}))
        if grade > self._stop:
            raise LimitError(f"the grade {grade:.3g} is above {self._stop:g}")

    def _too_close(self, atoms: Atoms) -> float:
        """The smallest distance in A, if it is below the limit; else that limit."""
        return self._closest if self._neighbors is None else min(self._closest, shortest(atoms, self._neighbors))


def shortest(atoms: Atoms, neighbors: NeighborList) -> float:
    """The smallest distance in A between atoms within the cutoff of a list; infinite without any."""
    neighbors.update(atoms.positions, atoms.cell.array, atoms.pbc)
    vectors = neighbors.pairs()[3]
    return float(np.linalg.norm(vectors, axis=1).min(initial=np.inf))


def _bare(atoms: Atoms, **info: float) -> Atoms:
    """The structure alone, with all atoms in the cell."""
    copy = Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc, info=info)
    copy.wrap()
    return copy


class Explorer(Protocol):
    """A way to structures on which a model is to be relied."""

    @property
    def name(self) -> str:
        """What it is, in a few words."""

    def run(self, calc: Uncertain, watch: Watch, seed: int) -> None:
        """Show structures to `watch`; its LimitError ends the run, and so does a CalculationFailed."""


@dataclass(frozen=True, eq=False)
class Dynamics:
    """Molecular dynamics from a structure; velocities are drawn anew.

    Attributes
    ----------
    atoms : Atoms
    settings : MDRun
        With the interval of the grades; its seed is of no account.
    """

    atoms: Atoms
    settings: MDRun

    @property
    def name(self) -> str:
        """Formula, ensemble, temperature and pressure."""
        own = self.settings
        pressure = f", {own.pressure or 0.0:g} GPa" if own.has_pressure else ""
        return f"{own.ensemble} of {self.atoms.get_chemical_formula()}, {own.temperature:g} K{pressure}"

    def run(self, calc: Uncertain, watch: Watch, seed: int) -> None:
        """Look at every `interval`-th step."""
        own = replace(self.settings, seed=seed)
        where = {"temperature_K": own.temperature} | ({"pressure_GPa": own.pressure or 0.0} if own.has_pressure else {})
        with prepared_md(_bare(self.atoms), calc, own, origin={"model": self.name}) as simulation:
            dynamics = simulation.dynamics
            show = _Shown(watch, simulation.atoms, own, dynamics, where)
            dynamics.attach(show, own.interval)
            if simulation.advance().interrupted:
                raise KeyboardInterrupt


class _Shown:
    """Observer of dynamics that shows its atoms to a watch."""

    def __init__(self, watch: Watch, atoms: Atoms, settings: MDRun, dynamics: Any, where: dict[str, float]) -> None:
        self._watch, self._atoms, self._settings, self._dynamics = watch, atoms, settings, dynamics
        self._where = where

    def __call__(self) -> None:
        time = self._dynamics.nsteps * self._settings.timestep
        try:
            self._watch(self._atoms, **self._where, time_fs=time)
        except LimitError as error:
            raise LimitError(f"{error}, after {1e-3 * time:g} of {1e-3 * self._total:g} ps") from None

    @property
    def _total(self) -> float:
        return self._settings.steps * self._settings.timestep


@dataclass(frozen=True, eq=False)
class Relaxation:
    """A relaxation, each of whose steps is looked at.

    Attributes
    ----------
    atoms : Atoms
    settings : RelaxRun
    """

    atoms: Atoms
    settings: RelaxRun

    @property
    def name(self) -> str:
        """Formula and pressure."""
        pressure = f", {self.settings.pressure:g} GPa" if self.settings.cell else ""
        return f"relaxation of {self.atoms.get_chemical_formula()}{pressure}"

    def run(self, calc: Uncertain, watch: Watch, seed: int) -> None:
        """Look at every step."""
        atoms = _bare(self.atoms)
        atoms.calc = calc
        result = relax_in_place(
            atoms, self.settings, observe=lambda step, moved: watch(moved, step=step), origin={"model": self.name}
        )
        if result.interrupted:
            raise KeyboardInterrupt


@dataclass(frozen=True, eq=False)
class Cells:
    """Structures as they are, which are all looked at.

    Attributes
    ----------
    name : str
    cells : tuple of Atoms
    """

    name: str
    cells: tuple[Atoms, ...]

    def run(self, calc: Uncertain, watch: Watch, seed: int) -> None:
        """Look at each; the limit that ends a run leaves the others."""
        for number, atoms in enumerate(self.cells):
            try:
                watch(atoms, cell=number)
            except LimitError:
                continue


def strained(atoms: Atoms, largest: float = _STRAIN) -> Iterator[Atoms]:
    """The crystal under each of six strains and a change of all lengths, of either sign."""
    voigt = [np.eye(3)] + [np.zeros((3, 3)) for _ in range(6)]
    for strain, (a, b) in zip(voigt[1:], ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)), strict=True):
        strain[a, b] = strain[b, a] = 1.0 if a == b else 0.5
    for strain in voigt:
        for sign in (largest, -largest):
            copy = _bare(atoms)
            copy.set_cell(atoms.cell.array @ (np.eye(3) + sign * strain), scale_atoms=True)
            yield copy


def defective(atoms: Atoms) -> Iterator[Atoms]:
    """A vacancy on each site, and two atoms exchanged of each pair of elements; equivalent sites count once."""
    sites = inequivalent(atoms)
    for site in sites if len(atoms) > 1 else ():
        copy = _bare(atoms)
        del copy[site]
        yield copy
    for one, other in combinations(sorted(set(atoms.numbers)), 2):
        copy = _bare(atoms)
        i, j = (int(np.flatnonzero(atoms.numbers == number)[0]) for number in (one, other))
        copy.numbers[[i, j]] = copy.numbers[[j, i]]
        yield copy


def displaced(atoms: Atoms, distance: float = _DISPLACEMENT) -> Iterator[Atoms]:
    """One atom of each kind of site moved along x, y and z, to both sides, as for phonons; in A."""
    for site in inequivalent(atoms):
        for axis in range(3):
            for sign in (distance, -distance):
                copy = _bare(atoms)
                copy.positions[site, axis] += sign
                yield copy


def inequivalent(atoms: Atoms) -> list[int]:
    """One atom of each set that the space group makes equal; all atoms without a lattice."""
    if not atoms.pbc.all() or atoms.cell.rank < 3:
        return list(range(len(atoms)))
    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    try:
        found = spglib_new_errorhandling(spglib.get_symmetry_dataset)(cell)
    except (spglib.error.SpglibError, OldSpglibError):  # of coincident atoms, for example
        return list(range(len(atoms)))
    return sorted({int(site) for site in found.equivalent_atoms})


def explorers(settings: ActiveRun, structures: Sequence[Atoms]) -> list[Explorer]:
    """All that `settings.explore` asks for, of each structure."""
    found: list[Explorer] = []
    for atoms in structures:
        formula = atoms.get_chemical_formula()
        for kind in settings.explore:
            if kind == "md":
                found += [Dynamics(atoms, run) for run in dynamics(settings)]
            elif kind == "relax":
                found += [Relaxation(atoms, run) for run in _relaxations(settings, atoms)]
            elif kind == "strain":
                found += [Cells(f"strained {formula}", tuple(strained(atoms)))]
            elif kind == "displacements":
                found += [Cells(f"displaced atoms of {formula}", tuple(displaced(atoms)))]
            else:
                found += [Relaxation(cell, _RELAXATION) for cell in defective(atoms)]
    return found


def final_explorers(settings: ActiveRun, structures: Sequence[Atoms]) -> list[Explorer]:
    """The long runs at the highest temperature that end it all; none where no `final_time` is given."""
    if settings.final_time is None:
        return []
    hottest = max(settings.temperatures)
    runs = [run for run in dynamics(settings, settings.final_time) if run.temperature == hottest]
    return [Dynamics(atoms, run) for atoms in structures for run in runs]


def dynamics(settings: ActiveRun, picoseconds: float | None = None) -> list[MDRun]:
    """Runs at all temperatures and pressures."""
    pressures = (settings.pressures or (0.0,)) if settings.has_pressure else (None,)
    return [
        MDRun(
            ensemble=settings.ensemble,
            temperature=temperature,
            pressure=pressure,
            timestep=settings.timestep,
            steps=settings.steps_of(picoseconds or settings.time),
            damping=settings.damping,
            interval=settings.interval,
        )
        for temperature in settings.temperatures
        for pressure in pressures
    ]


def _relaxations(settings: ActiveRun, atoms: Atoms) -> list[RelaxRun]:
    """Of the cell at each pressure, or of the positions where there is no cell."""
    if not (atoms.pbc.all() and atoms.cell.rank == 3):
        return [_RELAXATION]
    return [replace(_RELAXATION, cell=True, pressure=pressure) for pressure in settings.pressures or (0.0,)]


@dataclass(frozen=True, eq=False)
class Outcome:
    """How an exploration went.

    Attributes
    ----------
    name : str
    complete : bool
        It came to its end.
    ended : str
        Why not.
    seen : int
        Structures that were graded.
    largest : float
        Their largest grade.
    kept : tuple of Atoms
        Candidates for labels.
    """

    name: str
    complete: bool
    ended: str
    seen: int
    largest: float
    kept: tuple[Atoms, ...]


def outcome(explorer: Explorer, calc: Uncertain, watch: Watch, seed: int) -> Outcome:
    """Let an explorer run with a calculator, and what its watch has seen."""
    ended = ""
    try:
        explorer.run(calc, watch, seed)
    except (LimitError, CalculationFailed) as error:
        ended = str(error)
    return Outcome(explorer.name, not ended, ended, watch.seen, watch.largest, tuple(watch.kept))

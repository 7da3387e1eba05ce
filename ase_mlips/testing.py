"""Checks any calculator against ASE's contract and physics: ``check_calculator(make, atoms).raise_on_failure()``."""

from __future__ import annotations

import contextlib
import copy
import json
import pickle
import sys
import tempfile
import warnings
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atom, Atoms
from ase.calculators.calculator import PropertyNotImplementedError, all_changes, all_properties
from ase.io import read, write
from ase.io.jsonio import MyEncoder
from ase.stress import voigt_6_to_full_3x3_stress
from numpy.typing import ArrayLike

from .checks import Check, FailedError, NotOfferedError, Report, run_apart, run_check

__all__ = ["Check", "Report", "check_calculator"]

_VACUUM = 60.0  # A, more than the reach of any short-ranged model
_STEP = 2e-4  # A; small, because the second derivative of most models jumps where a pair enters the cutoff
_VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


def check_calculator(
    make_calculator: Callable[[], Any],
    atoms: Atoms,
    *,
    tolerance: float = 1e-6,
    skip: Collection[str] = (),
    report: Callable[[Check], object] | None = None,
) -> Report:
    """Run all checks; a few hundred energies of `atoms`.

    The check "threads", which ends the process of a calculator that is not made for threads, comes last and, on Linux,
    in a process of its own.

    Parameters
    ----------
    make_calculator : callable
        Returns a new calculator of a short-ranged model (60 A of vacuum must part two atoms).
    atoms : Atoms
        Three periodic axes, a few atoms, off equilibrium so that forces and stress are not zero; not modified.
    tolerance : float
        Largest deviation, in eV, eV/A and eV/A^3, relative to values that exceed one.
    skip : collection of str
        Names of checks to leave out, such as "threads", which cannot be sure to meet a race.
    report : callable, optional
        Gets each `Check` as soon as it is known, ``print`` for example.

    Raises
    ------
    TypeError, ValueError
        `make_calculator` cannot be called, `atoms` are not periodic along three axes, or `skip` holds an unknown name.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from ase_mlips import SNAP
    >>> atoms = bulk("Si", cubic=True)
    >>> atoms.rattle(0.05, seed=0)
    >>> report = check_calculator(lambda: SNAP.embedded("Si"), atoms)
    >>> report.raise_on_failure()  # print(report) lists the checks
    """
    if not callable(make_calculator):
        raise TypeError(f"make_calculator: expected a function that makes a calculator, got {make_calculator!r}")
    checks = {name.replace("_", " "): name for name in vars(_Checks) if not name.startswith("_")}
    unknown = sorted(set(skip) - checks.keys())
    if unknown:
        raise ValueError(f"skip: expected names out of {list(checks)}, got {unknown}")
    if not atoms.pbc.all() or atoms.cell.rank != 3 or len(atoms) == 0:
        raise ValueError(f"atoms: expected at least one, with three periodic axes, got {atoms}")
    subject = _Checks(make_calculator, atoms, tolerance)
    outcomes = []
    for name in checks:
        if name not in skip:
            run = run_apart if name == "threads" else run_check
            outcomes.append(run(name, getattr(subject, checks[name])))
            if report is not None:
                report(outcomes[-1])
    return Report(tuple(outcomes))


def _require(condition: object, otherwise: str) -> None:
    if not condition:
        raise FailedError(otherwise)


class _Checks:
    """Every public method is a check, called by its name with spaces."""

    def __init__(self, make: Callable[[], Any], template: Atoms, tolerance: float) -> None:
        self._make, self._template, self._tolerance = make, template, tolerance

    def _atoms(self, other: Atoms | None = None) -> Atoms:
        """A copy, of the user's atoms unless others are given, with a new calculator."""
        atoms = (self._template if other is None else other).copy()
        atoms.calc = self._make()
        return atoms

    def _counted(self) -> tuple[Atoms, list[None]]:
        """Atoms, and a list that grows with every calculation."""
        atoms = self._atoms()
        calls: list[None] = []
        calculate = atoms.calc.calculate

        def counting(*args: Any, **kwargs: Any) -> None:
            calls.append(None)
            calculate(*args, **kwargs)

        atoms.calc.calculate = counting
        return atoms, calls

    def _offering(self, *names: str) -> Atoms:
        atoms = self._atoms()
        missing = set(names) - set(atoms.calc.implemented_properties)
        if missing:
            raise NotOfferedError(", ".join(sorted(missing)))
        return atoms

    def _observe(self, atoms: Atoms) -> dict[str, Any]:
        """What is offered of energy, energies, forces and, with a volume, stress."""
        names = ("energy", "energies", "forces", "stress") if atoms.cell.rank == 3 else ("energy", "energies", "forces")
        return {n: atoms.calc.get_property(n, atoms) for n in names if n in atoms.calc.implemented_properties}

    def _close(self, got: ArrayLike, expected: ArrayLike, what: str) -> None:
        got, expected = np.asarray(got), np.asarray(expected)
        _require(got.shape == expected.shape, f"{what}: shape {got.shape} where {expected.shape} is right")
        error = np.abs(got - expected).max(initial=0.0)
        limit = self._tolerance * max(1.0, np.abs(expected).max(initial=0.0))
        _require(error <= limit, f"{what}: off by {error:.3g}")

    def _same(self, got: dict[str, Any], expected: dict[str, Any], what: str) -> None:
        for name in expected:
            self._close(got[name], expected[name], f"{name} {what}")

    def _slope(self, atoms: Atoms, strain: ArrayLike, shift: ArrayLike) -> float:
        """dE/dt for cell and positions that are strained by t `strain` and moved by t `shift`, from five points."""
        energies = []
        for t in (-2.0 * _STEP, -_STEP, _STEP, 2.0 * _STEP):
            deformation = np.eye(3) + t * np.asarray(strain)
            atoms.set_cell(self._template.cell @ deformation)
            atoms.positions = self._template.positions @ deformation + t * np.asarray(shift)
            energies.append(atoms.calc.get_property("energy", atoms))
        return float(np.dot([1.0, -8.0, 8.0, -1.0], energies)) / (12.0 * _STEP)

    def implemented_properties(self) -> None:
        atoms = self._atoms()
        offered, n = atoms.calc.implemented_properties, len(atoms)
        _require({"energy", "free_energy", "forces"} <= set(offered), f"only {offered}")
        shapes = {
            "energy": (),
            "free_energy": (),
            "energies": (n,),
            "forces": (n, 3),
            "stress": (6,),
            "stresses": (n, 6),
        }
        for name in offered:
            value = np.asarray(atoms.calc.get_property(name, atoms))
            expected = shapes.get(name, value.shape)
            _require(value.shape == expected, f"{name}: shape {value.shape} where {expected} is right")
            _require(value.dtype == np.float64 and np.isfinite(value).all(), f"{name}: not finite float64")

    def known_results_only(self) -> None:
        atoms = self._atoms()
        self._observe(atoms)
        _require(atoms.calc.results.keys() <= set(all_properties), f"keys of results: {list(atoms.calc.results)}")

    def free_energy_equals_energy(self) -> None:
        atoms = self._atoms()
        self._close(atoms.get_potential_energy(force_consistent=True), atoms.get_potential_energy(), "free_energy")

    def energies_sum_to_energy(self) -> None:
        atoms = self._offering("energies")
        self._close(atoms.get_potential_energies().sum(), atoms.get_potential_energy(), "sum of energies")

    def stresses_sum_to_stress(self) -> None:
        atoms = self._offering("stress", "stresses")
        self._close(atoms.get_stresses().sum(0), atoms.get_stress(apply_constraint=False), "sum of stresses")

    def forces_are_minus_the_gradient(self) -> None:
        atoms = self._atoms()
        forces = atoms.get_forces(apply_constraint=False)
        for shift in np.random.default_rng(0).uniform(-1.0, 1.0, (6, *forces.shape)):
            slope = self._slope(atoms, np.zeros((3, 3)), shift)
            self._close(-np.vdot(forces, shift), slope, "forces along a random direction")

    def stress_is_the_strain_derivative(self) -> None:
        atoms = self._offering("stress")
        for value, (a, b) in zip(atoms.get_stress(apply_constraint=False), _VOIGT, strict=True):
            slope = self._slope(atoms, np.outer(np.eye(3)[a], np.eye(3)[b]), np.zeros(3))
            self._close(value, slope / self._template.get_volume(), f"stress {'xyz'[a]}{'xyz'[b]}")

    def translation(self) -> None:
        moved = self._atoms()
        moved.translate([0.7, -1.3, 2.9])
        self._same(self._observe(moved), self._observe(self._atoms()), "after a translation")

    def rotation(self) -> None:
        R = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
        R *= np.linalg.det(R)
        turned = self._atoms()
        turned.set_cell(turned.cell @ R.T)
        turned.positions = turned.positions @ R.T
        expected = self._observe(self._atoms())
        expected["forces"] = expected["forces"] @ R.T
        if "stress" in expected:
            tensor = R @ voigt_6_to_full_3x3_stress(expected["stress"]) @ R.T
            expected["stress"] = [tensor[ab] for ab in _VOIGT]
        self._same(self._observe(turned), expected, "after a rotation")

    def permutation(self) -> None:
        order = np.random.default_rng(2).permutation(len(self._template))
        expected = self._observe(self._atoms())
        expected |= {n: expected[n][order] for n in ("energies", "forces") if n in expected}
        self._same(self._observe(self._atoms(self._template[order])), expected, "after a permutation")

    def supercell(self) -> None:
        expected = self._observe(self._atoms())
        expected |= {n: np.concatenate([expected[n]] * 8) for n in ("energies", "forces") if n in expected}
        expected["energy"] *= 8
        self._same(self._observe(self._atoms(self._template.repeat(2))), expected, "of a supercell")

    def cell_smaller_than_the_cutoff(self) -> None:
        one = Atoms(self._template.symbols[:1], cell=np.full(3, 3.0), pbc=True)
        small, large = self._atoms(one).get_potential_energy(), self._atoms(one.repeat(3)).get_potential_energy()
        self._close(27.0 * small, large, "energy of 27 cells")

    def atoms_outside_the_cell(self) -> None:
        moved = self._atoms()
        moved.positions += np.random.default_rng(3).integers(-3, 4, (len(moved), 3)) @ moved.cell
        self._same(self._observe(moved), self._observe(self._atoms()), "of unwrapped atoms")

    def left_handed_cell(self) -> None:
        swapped = self._atoms()
        swapped.set_cell(swapped.cell[[1, 0, 2]])
        self._same(self._observe(swapped), self._observe(self._atoms()), "after swapping cell vectors")

    def pbc_of_each_axis(self) -> None:
        for axis in range(3):
            opened, parted = self._atoms(), self._atoms()
            opened.pbc[axis] = False
            parted.cell[axis] *= 1.0 + _VACUUM / parted.cell.lengths()[axis]
            expected = self._observe(parted)
            expected.pop("stress", None)
            self._same(self._observe(opened), expected, f"with axis {axis} not periodic")

    def no_cell(self) -> None:
        boxed, free = self._atoms(), self._atoms()
        boxed.pbc = free.pbc = False
        free.cell[:] = 0.0
        expected = self._observe(boxed)
        expected.pop("stress", None)
        self._same(self._observe(free), expected, "without a cell")

    def no_stress_without_a_volume(self) -> None:
        atoms = self._offering("stress")
        atoms.pbc[2] = False
        atoms.cell[2] = 0.0
        with contextlib.suppress(PropertyNotImplementedError):
            raise FailedError(f"expected PropertyNotImplementedError, got {atoms.get_stress()}")

    def isolated_atom(self) -> None:
        atom = self._atoms(Atoms(self._template.symbols[:1]))
        _require(np.isfinite(atom.get_potential_energy()), "the energy is not finite")
        self._close(atom.get_forces(), np.zeros((1, 3)), "forces")

    def zero_atoms(self) -> None:
        atoms = self._atoms(Atoms(cell=self._template.cell, pbc=True))
        self._close(atoms.get_potential_energy(), 0.0, "energy")
        self._close(atoms.get_forces(), np.zeros((0, 3)), "forces")

    def fresh_arrays(self) -> None:
        atoms = self._atoms()
        expected = copy.deepcopy(self._observe(atoms))
        for name in expected.keys() - {"energy"}:
            atoms.calc.get_property(name, atoms).fill(1e3)
            self._close(atoms.calc.get_property(name, atoms), expected[name], f"{name} after its array was changed")

    def atoms_are_not_modified(self) -> None:
        atoms = self._atoms()
        self._observe(atoms)
        before, after = self._template.todict(), atoms.todict()
        changed = [n for n in before.keys() | after.keys() if not np.array_equal(before.get(n, ()), after.get(n, ()))]
        _require(not changed, f"changed: {sorted(changed)}")

    def one_calculation_for_all_getters(self) -> None:
        atoms, calls = self._counted()
        for _ in range(2):
            self._observe(atoms)
        _require(len(calls) == 1, f"{len(calls)} calculations for unchanged atoms")

    def charges_and_moments_are_ignored(self) -> None:
        atoms, calls = self._counted()
        atoms.get_forces()
        atoms.set_initial_charges(np.ones(len(atoms)))
        atoms.set_initial_magnetic_moments(np.ones(len(atoms)))
        atoms.get_forces()
        _require(len(calls) == 1, "calculated anew")

    def every_change_is_seen(self) -> None:
        atoms = self._atoms()
        self._observe(atoms)
        changes: dict[str, Callable[[], object]] = {
            "positions": lambda: atoms.positions.__setitem__(0, atoms.positions[0] + 0.03),
            "cell": lambda: atoms.set_cell(atoms.cell * 1.01),
            "pbc": lambda: atoms.set_pbc([True, False, True]),
            "numbers": lambda: atoms.numbers.__setitem__(slice(None), np.roll(atoms.numbers, 1)),
            "number of atoms": lambda: atoms.append(Atom(atoms.symbols[0], [0.0, 0.5 * _VACUUM, 0.0])),
        }
        for name, change in changes.items():
            change()
            self._same(self._observe(atoms), self._observe(self._atoms(atoms)), f"after a change of {name}")

    def nan_is_refused(self) -> None:
        atoms = self._atoms()
        atoms.get_forces()
        atoms.positions[0, 0] = np.nan
        for _ in range(2):
            try:
                with warnings.catch_warnings(action="ignore"):
                    atoms.get_forces()
            except Exception:  # the contract leaves open which
                continue
            raise FailedError("forces without an error for a position that is NaN")

    def calculate_and_reset(self) -> None:
        expected, calculator, atoms = self._observe(self._atoms()), self._make(), self._template
        _require(calculator.get_property("energy", atoms, allow_calculation=False) is None, "an energy from nothing")
        calculator.calculate(atoms, list(expected), all_changes)
        self._same(calculator.results, expected, "in results")
        _require(not calculator.calculation_required(atoms, ["energy"]), "unchanged atoms require a calculation")
        self._close(calculator.atoms.positions, atoms.positions, "positions of calc.atoms")
        calculator.reset()
        _require(not calculator.results and calculator.atoms is None, "reset leaves results or atoms")

    def pickle_and_deepcopy(self) -> None:
        atoms, moved = self._atoms(), self._template.copy()
        expected = self._observe(atoms)
        moved.positions[0] += 0.05
        for duplicate in (pickle.loads(pickle.dumps(atoms.calc)), copy.deepcopy(atoms.calc)):
            self._close(duplicate.get_property("energy", self._template), expected["energy"], "energy of the copy")
            duplicate.get_property("forces", moved)
            self._same(atoms.calc.results, expected, "of the original after its copy was used")

    def todict_is_json_and_repr_short(self) -> None:
        json.dumps(self._make().todict(), cls=MyEncoder)
        _require(len(repr(self._make())) <= 120, "repr has more than 120 characters")

    def trajectory_file(self) -> None:
        atoms = self._atoms()
        expected = self._observe(atoms)
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder) / "frame.traj", atoms)
            self._same(read(Path(folder) / "frame.traj").calc.results, expected, "read back")

    def threads(self) -> None:
        frames = [self._template.copy() for _ in range(4)]
        for seed in range(4):
            frames[seed].rattle(0.05, seed=seed)
        expected = [self._observe(self._atoms(frame))["forces"] for frame in frames]
        shared, interval = self._make(), sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            with ThreadPoolExecutor(4) as pool:
                forces = list(pool.map(lambda k: shared.get_property("forces", frames[k % 4]), range(80)))
        finally:
            sys.setswitchinterval(interval)
        self._close(forces, expected * 20, "forces while other threads use the calculator")

"""The one place that knows ASE's calculator contract: a thin adapter around a `Potential`, no physics."""

from __future__ import annotations

import os
import threading
import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import (
    CalculationFailed,
    Calculator,
    CalculatorSetupError,
    InputError,
    PropertyNotImplementedError,
    all_changes,
)
from ase.data import atomic_numbers, chemical_symbols

from .arrays import FloatArray, IntArray
from .engine.neighbors import NeighborList
from .engine.threads import default_threads
from .heat_flux import HeatFlux, heat_flux
from .potential import Evaluation, Potential
from .registry import register_family
from .results import CHANGES, Snapshot, ase_results, state_key

_live: weakref.WeakSet[PotentialCalculator] = weakref.WeakSet()


class PotentialCalculator(Calculator):  # type: ignore[misc]
    """An ASE calculator for any `Potential`; the families (SNAP, ...) derive from it.

    One evaluation yields every property.  It is kept until positions, numbers, cell or pbc differ in
    any bit, so that further getters are free; charges and magnetic moments are ignored.  Getters
    return fresh arrays, and may be called from several threads.

    Parameters
    ----------
    potential : Potential
    skin : float
        Margin of the neighbour list in A: it is rebuilt once an atom has moved by half of it.
    num_threads : int, optional
        Default: the first number in OMP_NUM_THREADS, else the number of CPUs this process may use; 1 in a process that
        multiprocessing has started, such as a worker of a pool, which has company.
    **kwargs
        Handed to `ase.calculators.calculator.Calculator`, for example ``atoms`` or ``label``.

    Raises
    ------
    InputError
        An unknown keyword, a negative skin or a number of threads below one.
    CalculatorSetupError
        `potential.elements` are not chemical symbols.

    Notes
    -----
    A new family derives from this class and defines the class method `recognizes` and `file_endings`;
    `load` and ASE's own lookup by name then find it.  It may override `_describe`.  A getter of its own
    computes within ``with self._listed(atoms) as (neighbors, species):``.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "energies", "forces", "stress", "stresses"]
    ignored_changes = frozenset({"initial_charges", "initial_magmoms"})
    default_parameters: ClassVar[dict[str, Any]] = {"skin": 1.0, "num_threads": None}
    file_endings: ClassVar[tuple[str, ...]] = ()

    _warned = False  # that the heat flux is not exact
    _last: Snapshot | None = None
    _evaluation: Evaluation | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "recognizes" in cls.__dict__:
            register_family(cls)

    def __init__(
        self, potential: Potential, *, skin: float = 1.0, num_threads: int | None = None, **kwargs: Any
    ) -> None:
        self.potential = potential
        self._species_table = _species_table(potential.elements)
        self._species: tuple[bytes, IntArray] | None = None
        super().__init__(skin=skin, num_threads=num_threads, **kwargs)
        self._renew()

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        """Whether files of this family exist at `path`; decided from names, not by parsing."""
        return False

    def _describe(self) -> str:
        """What stands between the brackets of the repr."""
        return f"{', '.join(self.potential.elements)}, cutoff={self.potential.cutoff:.4g} A"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._describe()})"

    def set(self, **kwargs: Any) -> dict[str, Any]:
        """Change ``skin`` or ``num_threads`` and return what changed; raises InputError as the constructor does."""
        unknown = sorted(kwargs.keys() - PotentialCalculator.default_parameters.keys())
        if unknown:
            raise InputError(f"unknown keyword {', '.join(unknown)}; expected skin or num_threads")
        if not 0.0 <= kwargs.get("skin", 0.0) < np.inf:
            raise InputError(f"skin: expected a length in A that is not negative, got {kwargs['skin']!r}")
        threads = kwargs.get("num_threads")
        if threads is not None and not (isinstance(threads, int) and threads >= 1):
            raise InputError(f"num_threads: expected a positive integer or None, got {threads!r}")
        changed: dict[str, Any] = super().set(**kwargs)
        if changed:
            self._renew()
        return changed

    def _renew(self) -> None:
        """Make what no two calculators, and no parent and forked child, may have in common."""
        self._lock = threading.RLock()
        self._neighbor_list = NeighborList(self.potential.cutoff, self.parameters["skin"])
        self._default_threads: int | None = None
        _live.add(self)

    def renew_neighbors(self) -> None:
        """Build the neighbour list anew in the next force call, whose results then depend on these atoms alone.

        Otherwise the order of a sum, and with it the last bit of its result, may depend on where atoms have been.
        """
        with self._lock:
            self._neighbor_list.invalidate()

    @property
    def _num_threads(self) -> int:
        """As given, or the default; found at the first use, since a forked child learns late that it is a worker."""
        if self._default_threads is None:
            self._default_threads = default_threads()
        return int(self.parameters["num_threads"] or self._default_threads)

    def __getstate__(self) -> dict[str, Any]:
        with self._lock:
            state = self.__dict__.copy()
        del state["_lock"], state["_neighbor_list"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._renew()

    @property
    def atoms(self) -> Atoms | None:
        """A copy of the atoms of the last calculation; made when asked for, since it takes longer than all the rest."""
        return None if self._last is None else self._last.atoms

    @atoms.setter
    def atoms(self, atoms: Atoms | None) -> None:
        self._evaluation = None
        self._last = None if atoms is None else Snapshot(atoms)

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """Names of what differs from the last calculation; every bit counts, whatever `tol`."""
        if self._last is None:
            return list(all_changes)
        key = state_key(atoms)
        if key == self._last.key:
            return []
        return [name for name, new, old in zip(CHANGES, key, self._last.key, strict=True) if new != old]

    def get_property(self, name: str, atoms: Atoms | None = None, allow_calculation: bool = True) -> Any:
        """One of `implemented_properties`, as ASE defines it; see `ase.calculators.calculator`.

        Raises
        ------
        PropertyNotImplementedError
            An unknown property, or a stress where the cell has no volume.
        """
        if name not in self.implemented_properties:
            raise PropertyNotImplementedError(f"{name} property not implemented")
        with self._lock:
            changes = [] if atoms is None else self.check_state(atoms)
            incomplete = self._evaluation is None or not self.results
            if changes or (incomplete and name not in self.results):
                if not allow_calculation:
                    return None
                self.calculate(atoms, [name], changes)
            result = self.results.get(name)
            if result is None and allow_calculation:
                raise PropertyNotImplementedError(f"{name} needs a cell of three vectors that span a volume")
            return result.copy() if isinstance(result, np.ndarray) else result

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Evaluate the potential and fill `results` with all that the cell allows.

        Parameters
        ----------
        atoms : Atoms, optional
            Default: those of the last calculation.
        properties, system_changes
            Not used: one pass computes everything.

        Raises
        ------
        CalculatorSetupError
            No atoms, an element that the model lacks, or positions or a cell that are not finite.
        CalculationFailed
            The model gave a result that is not finite.
        """
        with self._lock:
            snapshot = self._last if atoms is None else Snapshot(atoms)
            if snapshot is None:
                raise CalculatorSetupError("no atoms to calculate: give them to the getter, or set atoms.calc")
            self.reset()
            neighbors, species = self._updated(snapshot)
            try:
                evaluation = self.potential.evaluate(neighbors, species, self._num_threads)
            except OverflowError as error:
                raise CalculationFailed(str(error)) from error
            self.results = ase_results(evaluation, snapshot.cell)
            self._evaluation = evaluation
            self._last = snapshot

    def get_virials(self, atoms: Atoms) -> FloatArray:
        """Per-atom virials W in eV, shape (N, 3, 3), of `Evaluation`; ``stress = -W.sum(0) / volume``."""
        with self._lock:
            return self._evaluated(atoms).virials.copy()

    def get_heat_flux(self, atoms: Atoms) -> FloatArray:
        """Heat flux (3,) of the atoms with their present velocities, the total of `get_heat_flux_parts`."""
        return self.get_heat_flux_parts(atoms).total

    def get_heat_flux_parts(
        self, atoms: Atoms, velocities: FloatArray | None = None, *, per_atom: bool = False
    ) -> HeatFlux:
        """Convective and conductive heat flux, ``d/dt sum_i r_i E_i`` together, not divided by the volume.

        In eV A / t, where t is ASE's unit of time; multiply by ``ase.units.fs`` for eV A / fs.  The velocities (N, 3)
        are those of `atoms` by default, in ASE's units; with ``per_atom=True`` each atom's terms are given, (N, 3).

        It is exact but for qNEP, whose charges carry energy along, and for SNAP with `chemflag` where coefficients of
        equal descriptors differ, since forces are then not the gradient of the energy.

        Warns
        -----
        UserWarning
            Once for each calculator of such a model.
        """
        reason = getattr(self.potential, "inexact_flux", "")
        if reason and not self._warned:
            self._warned = True
            warnings.warn(reason, UserWarning, stacklevel=2)
        with self._lock:
            energies, _, virials = self._evaluated(atoms)
        v = atoms.get_velocities() if velocities is None else velocities
        return heat_flux(energies, virials, velocities=v, masses=atoms.get_masses(), per_atom=per_atom)

    def _evaluated(self, atoms: Atoms) -> Evaluation:
        """The evaluation of `atoms`; call it with the lock held."""
        changes = self.check_state(atoms)
        if changes or self._evaluation is None:
            self.calculate(atoms, ["energy"], changes)
        if self._evaluation is None:
            raise CalculationFailed(f"{type(self).__name__}.calculate did not run that of PotentialCalculator")
        return self._evaluation

    @contextmanager
    def _listed(self, atoms: Atoms) -> Iterator[tuple[NeighborList, IntArray]]:
        """The neighbour list and the species (N,) of `atoms`, with the lock held, since the next call changes them."""
        with self._lock:
            yield self._updated(Snapshot(atoms))

    def _updated(self, snapshot: Snapshot) -> tuple[NeighborList, IntArray]:
        numbers_key = snapshot.key[1]
        if self._species is None or self._species[0] != numbers_key:
            self._species = (numbers_key, self._to_species(snapshot.arrays["numbers"]))
        neighbors = self._neighbor_list
        try:
            neighbors.update(snapshot.positions, snapshot.cell, snapshot.pbc)
        except ValueError as error:
            raise CalculatorSetupError(str(error)) from error
        return neighbors, self._species[1]

    def _to_species(self, numbers: IntArray) -> IntArray:
        species: IntArray = self._species_table[np.clip(numbers, 0, len(self._species_table) - 1)]
        if (species < 0).any():
            atom = int(np.argmax(species < 0))
            number = int(numbers[atom])
            name = chemical_symbols[number] if 0 <= number < len(chemical_symbols) else f"atomic number {number}"
            covered = ", ".join(self.potential.elements)
            raise CalculatorSetupError(f"atom {atom} is {name}; this {type(self).__name__} covers only {covered}")
        return species


def _species_table(elements: tuple[str, ...]) -> IntArray:
    """Species of each atomic number, -1 where there is none; the last entry stays -1."""
    table = np.full(len(chemical_symbols) + 1, -1, np.int32)
    for species, symbol in enumerate(elements):
        if atomic_numbers.get(symbol, 0) == 0:
            raise CalculatorSetupError(f"the potential's elements are {elements}; {symbol!r} is not a chemical symbol")
        table[atomic_numbers[symbol]] = species
    return table


if hasattr(os, "register_at_fork"):  # a lock that another thread held stays locked for ever in the child
    os.register_at_fork(after_in_child=lambda: list(map(PotentialCalculator._renew, tuple(_live))))

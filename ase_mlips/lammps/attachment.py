"""A potential in LAMMPS: it computes forces whenever LAMMPS needs them, on every rank for the atoms of that rank."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase.calculators.calculator import CalculationFailed, CalculatorError, CalculatorSetupError
from numpy.typing import NDArray

from ..arrays import FloatArray, IntArray
from ..calculator import PotentialCalculator
from ..engine.neighbors import NeighborList
from ..files.signals import deferred_interrupt
from ..heat_flux import HeatFlux
from ..potential import Evaluation
from .checks import FIX, require_harmless
from .errors import shared_error
from .exchange import GhostExchange
from .kernels import SUMS, summarise
from .memory import RowPointers, address, atom_array

_FAILED = 7  # the entry of the fix's vector after which LAMMPS ends the run
_WATCH = "mlip_failed", "mlip_halt"
_ENTRIES = "command", "file", "commands_list", "commands_string"


@dataclass
class Timings:
    """Seconds of this rank since the model was attached.

    Attributes
    ----------
    steps, rebuilds : int
        Force calls, and how many of them built the neighbour list anew.
    kernel, neighbors, exchange, sums, waiting : float
        Evaluation of the potential; the list and its check; forces and virials of ghosts; sums over atoms; the two
        reductions, in which a rank waits for the slowest.
    """

    steps: int = 0
    rebuilds: int = 0
    kernel: float = 0.0
    neighbors: float = 0.0
    exchange: float = 0.0
    sums: float = 0.0
    waiting: float = 0.0


class Attachment:
    """A potential that is attached to LAMMPS; made by `attach`.

    Attributes
    ----------
    calc : PotentialCalculator
    elements : tuple of str
        Of LAMMPS's atom types, in their order.
    timings : Timings

    Notes
    -----
    The forces are those of ``fix mlip``: ``f_mlip[1]`` to ``f_mlip[3]`` is the convective and ``f_mlip[4]`` to
    ``f_mlip[6]`` the conductive heat flux in eV A/ps, and ``f_mlip`` the energy.  While it is attached, `command`,
    `file`, `commands_list` and `commands_string` of LAMMPS raise what went wrong on any rank.
    """

    def __init__(
        self, lmp: Any, calc: PotentialCalculator, elements: Sequence[str], *, skin: float, num_threads: int, comm: Any
    ) -> None:
        self.calc, self.elements = calc, tuple(elements)
        self.timings = Timings()
        self._lmp, self._comm, self._threads = lmp, comm, num_threads
        self._species_of_type: IntArray = np.empty(0, np.int32)
        self._neighbors = NeighborList(calc.potential.cutoff, skin)
        self._exchange = GhostExchange(comm)
        self._error: BaseException | None = None
        self._interrupted: Callable[[], bool] = lambda: False
        self._step: int | None = None
        self._types, self._species = np.empty(0, np.int32), np.empty(0, np.int32)
        self._tags: tuple[int, NDArray[Any]] = (-1, np.empty(0, np.int64))
        self._half_mass, self._push = np.zeros(0), np.zeros(0)
        self._stresses, self._rows = np.empty((0, 6)), RowPointers()
        self._flux = HeatFlux(np.zeros(3), np.zeros(3))

    def __repr__(self) -> str:
        return f"Attachment({self.calc!r}, {' '.join(self.elements)})"

    @property
    def heat_flux(self) -> HeatFlux:
        """Of all atoms at the last step, in eV A/ps, not divided by the volume."""
        return self._flux

    def install(self, species_of_type: IntArray) -> None:
        """Issue LAMMPS's commands; `attach` does it."""
        self._species_of_type = species_of_type
        lmp, reach = self._lmp, self._neighbors.cutoff + self._neighbors.skin
        for line in (
            "pair_style none",
            f"neighbor {self._neighbors.skin!r} bin",
            "neigh_modify every 1 delay 0 check yes",
            f"atom_modify sort 1000 {0.5 * reach!r}",  # without a pair style LAMMPS would not keep neighbours together
            f"comm_modify mode single cutoff {reach!r}",
            f"fix {FIX} all external pf/callback 1 1",
            f"fix_modify {FIX} energy yes virial yes",
        ):
            lmp.command(line)
        lmp.fix_external_set_vector_length(FIX, _FAILED)
        lmp.set_fix_external_callback(FIX, self._callback, None)
        variable, halt = _WATCH
        lmp.command(f"variable {variable} equal f_{FIX}[{_FAILED}]")
        lmp.command(f"fix {halt} all halt 1 v_{variable} != 0 error hard message no")
        for name in _ENTRIES:
            setattr(lmp, name, self._guarded(getattr(lmp, name)))

    def detach(self) -> None:
        """Leave LAMMPS without forces."""
        variable, halt = _WATCH
        for name in _ENTRIES:
            delattr(self._lmp, name)
        for line in (f"unfix {halt}", f"variable {variable} delete", f"unfix {FIX}"):
            self._lmp.command(line)

    def _guarded(self, entry: Callable[..., Any]) -> Callable[..., Any]:
        """One of LAMMPS's ways to run commands that raises what a callback cannot raise through LAMMPS."""

        def guarded(commands: Any) -> Any:
            if entry.__name__ != "file":
                text = commands if isinstance(commands, str) else "\n".join(commands)
                require_harmless(text.splitlines())
            with deferred_interrupt() as event:
                self._interrupted = event.is_set
                try:
                    result = entry(commands)
                except Exception:
                    if self._error is None:  # otherwise it says that we have halted the run
                        raise
                    result = None
            error, self._error = self._error, None
            if error is not None:
                raise error
            if event.is_set():
                raise KeyboardInterrupt
            return result

        return guarded

    def _callback(self, _: Any, step: int, local: int, tags: Any, x: Any, applied: FloatArray) -> None:
        """What LAMMPS calls; an exception would get lost in it, and LAMMPS would go on with old forces."""
        try:
            if self._error is None:
                self._compute(step, local, applied)
            else:
                self._refuse(applied)
        except BaseException:  # between two collective calls: the other ranks would wait for ever
            traceback.print_exc()
            sys.stderr.flush()
            self._comm.Abort(1)

    def _compute(self, step: int, local: int, applied: FloatArray) -> None:
        error: BaseException | None = None
        evaluation = None
        flags = np.zeros(2)
        try:
            evaluation, flags[1] = self._evaluate(local)
        except (Exception, KeyboardInterrupt) as caught:
            error = caught
            flags[0] = 1.0
        flags = self._summed(flags)
        if evaluation is None or flags[0]:
            self._fail(error, applied)
            return
        with self._timed("exchange"):
            if flags[1]:
                self._exchange.plan(self._tags[1], local)
            self._exchange.send_home(evaluation.forces, evaluation.virials)
        with self._timed("sums"):
            sums = np.zeros(SUMS + 1)
            finite = self._summarise(step, evaluation, applied, sums[:SUMS])
            if not finite or len(self._exchange.missing):
                error, sums[SUMS] = self._reason(evaluation, applied), 1.0
        sums = self._summed(sums)
        if sums[SUMS]:
            self._fail(error, applied)
            return
        self._publish(sums, evaluation.energies)
        self._step = step
        self.timings.steps += 1

    def _evaluate(self, local: int) -> tuple[Evaluation, bool]:
        """Energies of the local atoms with forces and virials on ghosts, too; and whether ghosts are other ones."""
        if self._interrupted():
            raise KeyboardInterrupt
        total = self._lmp.extract_setting("nall")
        types, tags, x = (self._array(name, total) for name in ("type", "id", "x"))
        changed = self._tags[0] != local or not np.array_equal(tags, self._tags[1])
        if changed:
            self._tags = (local, tags.copy())
        if not np.array_equal(types, self._types):
            self._types, self._species = types.copy(), self._to_species(types)
        nothing = np.zeros((3, 3))
        try:
            with self._timed("neighbors"):
                built = self._neighbors.update(x, nothing, np.zeros(3, bool), centers=local)
            with self._timed("kernel"):
                evaluation = self.calc.potential.evaluate(self._neighbors, self._species, self._threads)
        except OverflowError as error:
            raise CalculationFailed(str(error)) from error
        except ValueError as error:
            raise CalculatorSetupError(str(error)) from error
        self.timings.rebuilds += built
        return evaluation, changed

    def _to_species(self, types: IntArray) -> IntArray:
        species: IntArray = self._species_of_type[types]
        if (species < 0).any():
            kind = int(types[np.argmax(species < 0)])
            raise CalculatorSetupError(f"there are atoms of type {kind}, for which the model has no element")
        return species

    def _array(self, name: str, rows: int) -> NDArray[Any]:
        array = atom_array(self._lmp, name, rows)
        if array is None:
            raise CalculatorSetupError(f"LAMMPS has no array {name!r} of its atoms")
        return array

    def _summarise(self, step: int, evaluation: Evaluation, applied: FloatArray, sums: FloatArray) -> bool:
        """Sums over the atoms of this rank; in a step, and not at its start, velocities lack the half of it."""
        local = len(applied)
        within = self._step is not None and step == self._step + 1
        if not within:
            mass = self._array("mass", self._lmp.extract_setting("ntypes") + 1).copy()
            mass[0] = 1.0
            self._half_mass = 0.5 * self._lmp.extract_global("mvv2e") * mass
            self._push = 0.5 * self._lmp.extract_global("ftm2v") / mass
        kick = self._push * (self._lmp.extract_global("dt") if within else 0.0)
        if len(self._stresses) != local:
            self._stresses = np.empty((local, 6))
        moving = self._array("v", local), self._array("f", local), self._types[:local], self._half_mass, kick
        return summarise(*evaluation, moving, applied, self._stresses, sums)

    def _reason(self, evaluation: Evaluation, applied: FloatArray) -> CalculatorError:
        """Why the results of this rank are of no use."""
        if len(self._exchange.missing):
            tag = self._exchange.missing[0]
            return CalculationFailed(f"atom {tag} is a neighbour of some atom, but no rank has it: LAMMPS has lost it")
        values = np.concatenate([evaluation.energies[: len(applied), None], applied, self._stresses], axis=1)
        atom = self._tags[1][np.argmin(np.isfinite(values).all(axis=1))]
        return CalculationFailed(f"the model gave a value that is not finite, first for atom {atom}")

    def _publish(self, sums: FloatArray, energies: FloatArray) -> None:
        """Tell LAMMPS energy, virial and heat flux of all, and energies and virials of the atoms of this rank."""
        lib, handle, name = self._lmp.lib, self._lmp.lmp, FIX.encode()
        self._flux = HeatFlux(sums[7:10].copy(), sums[10:13].copy())
        lib.lammps_fix_external_set_energy_global(handle, name, sums[0])
        lib.lammps_fix_external_set_virial_global(handle, name, address(sums[1:7]))
        lib.lammps_fix_external_set_energy_peratom(handle, name, address(energies))
        lib.lammps_fix_external_set_virial_peratom(handle, name, self._rows(self._stresses))
        for k, value in enumerate([*sums[7:13].tolist(), 0.0]):
            lib.lammps_fix_external_set_vector(handle, name, k + 1, value)

    def _fail(self, error: BaseException | None, applied: FloatArray) -> None:
        """Remember the error on all ranks; collective."""
        self._error = shared_error(self._comm, error)
        self._step = None
        self._refuse(applied)

    def _refuse(self, applied: FloatArray) -> None:
        """No forces, and an energy that nobody takes for one; the run ends with this step."""
        applied[:] = 0.0
        lib, handle, name = self._lmp.lib, self._lmp.lmp, FIX.encode()
        lib.lammps_fix_external_set_energy_global(handle, name, np.nan)
        lib.lammps_fix_external_set_vector(handle, name, _FAILED, 1.0)

    def _summed(self, values: FloatArray) -> FloatArray:
        """The sum over all ranks; collective."""
        if self._comm.size == 1:
            return values
        total = np.empty_like(values)
        with self._timed("waiting"):
            self._comm.Allreduce(values, total)
        return total

    @contextmanager
    def _timed(self, name: str) -> Any:
        start = time.perf_counter()
        yield
        setattr(self.timings, name, getattr(self.timings, name) + time.perf_counter() - start)

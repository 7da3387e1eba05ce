"""Molecular dynamics in one call, which can be interrupted and continued."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator, CalculationFailed, CalculatorError
from ase.md.md import MolecularDynamics
from tqdm import tqdm

from ase_mlips.extrapolation import ExtrapolationError, ExtrapolationObserver, forget_later
from ase_mlips.files.appending import AppendedFile
from ase_mlips.files.signals import deferred_interrupt

from .ensembles import (
    Targets,
    constrain,
    draw_velocities,
    make_dynamics,
    noise,
    require_suitable,
    restore,
    temperature_of,
)
from .fields import chosen
from .observers import HOTTEST, KEPT, STATE, Guard, Recorder, Table, watch
from .provenance import checksums, provenance_of, require_same_model
from .results import MDResult, nanoseconds_per_day
from .settings import MDRun
from .trajectory import LogFile, MDFiles, Mode, TrajectoryFile, read_description

_SAME_ENERGY = 1e-6  # eV/atom
_REDRAWN = 0.1  # seconds from one state of the progress bar to the next


def run_md(
    atoms: Atoms,
    calc: BaseCalculator,
    settings: MDRun | None = None,
    *,
    files: MDFiles | None = None,
    origin: Mapping[str, Any] | None = None,
    **fields: Any,
) -> MDResult:
    """Run molecular dynamics with any ASE calculator.

    Velocities of `atoms` are kept if there are any, and drawn at the temperature otherwise.  Ctrl-C lets the present
    step end and returns what there is; the second one does not wait.

    Parameters
    ----------
    atoms : Atoms
        Not changed.
    calc : ase.calculators.calculator.BaseCalculator
    settings : MDRun, optional
    files : MDFiles, optional
        With files, each frame is on the disk as soon as it is complete, and ``mode="continue"`` goes on after
        whatever has ended the run; then the settings, the structure and the model must be the same.
    origin : mapping, optional
        What the files shall say of where they come from; by default `provenance_of` the calculator.
    **fields
        Those of `MDRun`, in place of `settings`.

    Returns
    -------
    MDResult
        Of the steps that were run in this call.  `MDResult.stopped` says whether an extrapolation grade has ended it.

    Raises
    ------
    ValueError
        The ensemble does not suit the structure, the calculator does not give what is wanted, or a file is none to
        continue: of another run, or of another model.
    OSError
        A file cannot be written; it then ends with the last complete frame, as the message says.
    CalculationFailed
        The run has exploded, or the model is less certain than the settings allow.  Frames until then are kept.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from ase_mlips import SNAP
    >>> from ase_mlips.runs import MDFiles, MDRun, run_md
    >>> settings = MDRun(ensemble="langevin", temperature=600, steps=20, interval=5, seed=1)
    >>> result = run_md(bulk("Si", cubic=True), SNAP.embedded("Si"), settings, files=MDFiles("si.traj"))
    >>> result.columns()["step"]
    array([ 0.,  5., 10., 15., 20.])
    >>> result.provenance["versions"]["ase"] == __import__("ase").__version__
    True
    """
    with prepared_md(atoms, calc, chosen(MDRun, settings, fields), files=files, origin=origin) as simulation:
        return simulation.advance()


@contextmanager
def prepared_md(
    atoms: Atoms,
    calc: BaseCalculator,
    settings: MDRun,
    *,
    files: MDFiles | None = None,
    origin: Mapping[str, Any] | None = None,
) -> Iterator[Simulation]:
    """Everything of `run_md` up to its first step: files are held until the block ends, and nothing is written yet."""
    require_suitable(settings, atoms)
    with ExitStack() as held:
        start = _start(settings, atoms, calc, (files, held), origin or provenance_of(calc))
        yield Simulation(settings, start, calc, (files, held))


@dataclass(frozen=True)
class _Start:
    """What a run begins from."""

    atoms: Atoms
    first: int
    resumed: bool
    about: dict[str, Any]
    trajectory: TrajectoryFile | None

    @property
    def seed(self) -> int:
        return int(self.about["seed"])


def _start(
    settings: MDRun,
    atoms: Atoms,
    calc: BaseCalculator,
    place: tuple[MDFiles | None, ExitStack],
    origin: Mapping[str, Any],
) -> _Start:
    """The structure, or the frame that a trajectory ends with, after a check that it is of the same run."""
    files, held = place
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if settings.seed is None else settings.seed
    about = {**origin, "seed": seed}
    trajectory = None
    if files is not None:
        path = files.trajectory_path
        trajectory = held.enter_context(TrajectoryFile(path, files.mode, about))
        last = trajectory.last_frame()
        if last is not None:
            source = read_description(path)
            if settings.seed is None:
                about["seed"] = source.get("seed", seed)
            _require_same_run(path, last, atoms, run_text(settings, about["model"]))
            require_same_model(path, source, checksums(calc))
            return _Start(last, int(last.info["step"]), True, about, trajectory)
    copy = atoms.copy()
    for key in (*KEPT, STATE):  # of another run
        copy.info.pop(key, None)
    return _Start(copy, 0, False, about, trajectory)


def run_text(settings: MDRun, model: str) -> str:
    """What two parts of one run must have in common."""
    text = f"{settings.ensemble} of {settings.timestep:g} fs with {model}"
    if settings.temperature_end is not None:
        text += f", from {settings.temperature:g} to {settings.temperature_end:g} K in {settings.steps} steps"
    if settings.pressure_end is not None:
        text += f", from {settings.pressure or 0.0:g} to {settings.pressure_end:g} GPa in {settings.steps} steps"
    return text


def _require_same_run(path: str, last: Atoms, structure: Atoms, text: str) -> None:
    if not np.array_equal(last.numbers, structure.numbers):
        raise ValueError(f"{path}: is a run of {last.symbols}, not of {structure.symbols}")
    if not all(key in last.info for key in KEPT):
        raise ValueError(f"{path}: does not say at which step it ends; it was not written by ase-mlips md")
    if last.info["run"] != text:
        raise ValueError(f"{path}: is {last.info['run']}; it cannot go on as {text}")


class Simulation:
    """A run between its preparation and its end; see `prepared_md`.

    Attributes
    ----------
    first : int
        Step at which it begins.
    finished : bool
        A trajectory that was to be continued holds all steps already.
    kept_temperature : float or None
        In K, of the velocities that the structure brought with it.
    seed : int
    """

    def __init__(
        self, settings: MDRun, start: _Start, calc: BaseCalculator, place: tuple[MDFiles | None, ExitStack]
    ) -> None:
        self._settings, self._start, (self._files, held) = settings, start, place
        self.first, self.seed = start.first, start.seed
        self.finished = start.first >= settings.steps
        self.kept_temperature: float | None = None
        self.atoms = start.atoms
        self._observer: ExtrapolationObserver | None = None
        self._stopped = ""
        if self.finished:
            return
        freedom = constrain(settings, start.atoms)
        if not start.resumed:
            self._set_velocities(freedom)
        self._renew: Callable[[], None] = getattr(calc, "renew_neighbors", lambda: None)
        self._evaluate(calc)
        self.dynamics = self._make_dynamics(freedom)
        self._observer = self._watch()
        table = Table(self.dynamics, settings, freedom)
        log = self._open_log(table, held)
        both = None if start.trajectory is None or log is None else (start.trajectory, log)
        self._recorder = Recorder(table, self.dynamics, both, run_text(settings, start.about["model"]))

    def _set_velocities(self, freedom: int) -> None:
        atoms = self.atoms
        if not np.any(atoms.get_momenta()):
            draw_velocities(atoms, self._settings.temperature, np.random.default_rng([self.seed, self.first]))
            return
        if freedom == 3 * len(atoms) - 3 and not atoms.constraints:
            velocities = atoms.get_velocities()
            atoms.set_velocities(velocities - atoms.get_momenta().sum(axis=0) / atoms.get_masses().sum())
        self.kept_temperature = temperature_of(atoms, freedom)

    def _evaluate(self, calc: BaseCalculator) -> None:
        """The first force call: it fails before any file is made, and compiles, which is not to count as speed."""
        atoms, path = self.atoms, "" if self._files is None else self._files.trajectory_path
        stored = atoms.get_potential_energy() if self._start.resumed else None
        atoms.calc = calc
        self._renew()
        for member in (*getattr(calc, "members", ()), calc):
            if hasattr(member, "reset"):  # the list is to be built from these positions, whatever results are known
                member.reset()
        try:
            atoms.get_forces()
        except (ValueError, CalculatorError) as error:
            if self._start.resumed:
                error.add_note(f"{path}: last frame")
            raise
        if stored is not None and abs(atoms.get_potential_energy() - stored) > _SAME_ENERGY * len(atoms):
            raise ValueError(
                f"{path}: its last frame has an energy of {stored:.6f} eV, and {self._start.about['model']} gives "
                f"{atoms.get_potential_energy():.6f} eV: the file is damaged, or the model is another one"
            )

    def _make_dynamics(self, freedom: int) -> MolecularDynamics:
        settings, atoms = self._settings, self.atoms
        dynamics = make_dynamics(settings, atoms, noise(self.seed, self.first), freedom=freedom)
        dynamics.nsteps = self.first
        hottest = max(settings.temperature, settings.temperature_end or 0.0, temperature_of(atoms, freedom))
        dynamics.attach(Guard(dynamics, max(HOTTEST, 10.0 * hottest), freedom), 1)
        if settings.temperature_end is not None or settings.pressure_end is not None:
            targets = Targets(dynamics, settings)
            targets()
            dynamics.attach(targets, 1)
        restore(dynamics, atoms.info.get(STATE, {}))
        return dynamics

    def _open_log(self, table: Table, held: ExitStack) -> LogFile | None:
        """The log, and with it the file of the heat flux; both are closed when the run ends."""
        files = self._files
        if files is None:
            return None
        after = (self.first, table.row(float(self.atoms.info["time_fs"]))) if self._start.resumed else None
        log = held.enter_context(LogFile(files.log_path, table.columns, files.mode, after=after))
        if files.heat_flux is not None:
            self._record_heat(os.fspath(files.heat_flux), files.mode, held)
        return log

    def _watch(self) -> ExtrapolationObserver | None:
        """What keeps configurations that extrapolate, if that is wanted."""
        if not self._settings.watched:
            return None
        path = None
        if self._files is not None:
            path = self._files.selected_path
            if self._start.resumed:
                forget_later(path, self.first)
            elif os.path.exists(path):
                if self._files.mode == "new":
                    raise ValueError(f"{path}: exists, and would be mixed with the configurations of this run")
                os.remove(path)
        return watch(self._settings, self.dynamics, path)

    def _record_heat(self, path: str, mode: Mode, held: ExitStack) -> None:
        from ase_mlips.analysis.heat.recorder import HeatFluxRecorder  # here, as few runs have use for it

        if not self._start.resumed and os.path.exists(path):
            _begin_anew(path, force=mode == "replace")
        interval, append = self._settings.heat_interval, mode != "new"
        recorder = HeatFluxRecorder(self.dynamics, self.atoms.calc, interval, path=path, append=append)
        held.callback(recorder.close)

    @property
    def kept(self) -> str:
        """How far the trajectory has come, in words."""
        if self._files is None:
            return ""
        path = self._files.trajectory_path
        last = self.last_step
        return f"{path} holds no frame yet" if last is None else f"{path} is complete up to step {last}"

    @property
    def last_step(self) -> int | None:
        """The last step that is kept."""
        return self.first if self.finished else self._recorder.last_step

    def advance(self) -> MDResult:
        """Run to the end or to Ctrl-C; raises like `run_md`."""
        start = time.perf_counter()
        interrupted = False
        if not self.finished:
            self.dynamics.attach(self._recorder, interval=self._settings.interval)
            try:
                interrupted = self._run(start)
            except OSError as error:
                reason = "; ".join(filter(None, (error.strerror or str(error), self.kept)))
                raise OSError(error.errno, reason, error.filename) from error
            except CalculationFailed as error:
                raise CalculationFailed("; ".join(filter(None, (str(error), self.kept)))) from error
        return self._result(time.perf_counter() - start, interrupted=interrupted)

    def _run(self, start: float) -> bool:
        """Whether Ctrl-C has ended it.

        What is continued from a saved step has the bits of a run that was not interrupted: noise begins anew there, and
        the neighbour list in the force call of that step.
        """
        dynamics, shown = self.dynamics, start
        bar = tqdm(total=self._settings.steps, initial=self.first, unit="step", disable=None)
        with bar, deferred_interrupt() as interrupted:
            for _ in self._trusted_steps():
                if dynamics.nsteps % self._settings.interval == 0:
                    dynamics.rng = noise(self.seed, dynamics.nsteps)
                if (dynamics.nsteps + 1) % self._settings.interval == 0:
                    self._renew()
                now = time.perf_counter()
                if now - shown > _REDRAWN:
                    shown = now
                    speed = nanoseconds_per_day((dynamics.nsteps - self.first) * self._settings.timestep, now - start)
                    bar.set_postfix_str(f"{speed:.2f} ns/day", refresh=False)
                    bar.update(dynamics.nsteps - bar.n)
                if interrupted.is_set():
                    return True
            self._recorder()  # the last step, whatever the interval
            bar.update(dynamics.nsteps - bar.n)
        return False

    def _trusted_steps(self) -> Iterator[Any]:
        """The steps until the end, or until one from which on the model must not be trusted."""
        try:
            yield from self.dynamics.irun(self._settings.steps - self.first)
        except ExtrapolationError as error:
            self._stopped = f"step {self.dynamics.nsteps}: {error}"

    def _result(self, seconds: float, *, interrupted: bool) -> MDResult:
        atoms = self.atoms
        rows, names = ([], ()) if self.finished else (self._recorder.rows, self._recorder.columns)
        table = np.array(rows, dtype=np.float64).reshape(len(rows), len(names))
        return MDResult(
            ensemble=self._settings.ensemble,
            log=dict(zip(names, table.T.copy(), strict=True)),
            first_step=self.first,
            last_step=self.first if self.finished else self.dynamics.nsteps,
            timestep=self._settings.timestep,
            seconds=seconds,
            interrupted=interrupted,
            structure={
                "numbers": atoms.numbers.copy(),
                "positions": atoms.get_positions(),
                "momenta": atoms.get_momenta(),
                "cell": atoms.cell.array.copy(),
                "pbc": atoms.pbc.copy(),
            },
            origin=json.dumps(self._start.about),
            stopped=self._stopped,
            selected=0 if self._observer is None else self._observer.kept,
            largest_grade=max(self._observer.grades, default=None) if self._observer else None,
        )


def _begin_anew(path: str, *, force: bool) -> None:
    """Empty a file of heat fluxes; without `force` only one that has not more than the first line."""
    with AppendedFile(path, new=False) as file:
        content = file.read()
        rows = [line for line in content.splitlines() if not line.startswith(b"#")]
        if not force and (len(rows) > 1 or not content.startswith(b"# heat flux"[: len(content)])):
            raise ValueError(f"{path}: is of a run whose trajectory is not there to be continued; choose another name")
        file.truncate(0)

"""Independent runs that differ in random numbers and temperatures, on any executor, each of them kept in files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator, CalculationFailed
from tqdm import tqdm

from ase_mlips.files.text import replace_files

from .ensemble_result import EnsembleMember, EnsembleResult, read_log
from .executors import as_they_end, own_copy, to_send
from .fields import chosen
from .md import run_md
from .provenance import checksums, provenance_of, require_same_model
from .settings import MDRun
from .trajectory import MDFiles
from .yaml_files import as_mapping, plain

Analysis = Callable[[str], Any]

_DESCRIPTION = "ensemble.json"


@dataclass(frozen=True)
class EnsembleRun(MDRun):
    """Settings of independent molecular dynamics runs: those of `MDRun`, and

    Parameters
    ----------
    runs : int
        At each temperature.
    temperatures : tuple of float
        In K; by default only `temperature`.
    seed : int, optional
        All random numbers follow from it, those of a run also from its temperature and number, and from nothing else:
        more runs or temperatures do not change those that there are.  By default a new one.
    record_heat : bool
        Record the heat flux of every run, for `read_heat_flux`.
    """

    runs: int = 10
    temperatures: tuple[float, ...] = ()
    record_heat: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.runs < 1:
            raise ValueError(f"runs: expected a positive number, got {self.runs!r}")
        if any(value <= 0.0 for value in self.temperatures) or len(set(self.temperatures)) < len(self.temperatures):
            raise ValueError(f"temperatures: expected positive ones that all differ, got {self.temperatures!r}")
        if self.temperatures and self.temperature_end is not None:
            raise ValueError("temperature_end: is of one temperature, not of several")

    @property
    def all_temperatures(self) -> tuple[float, ...]:
        """Every temperature in K."""
        return self.temperatures or (self.temperature,)

    def member(self, temperature: float, number: int) -> MDRun:
        """Settings of one run; `seed` must be known."""
        own = {entry.name: getattr(self, entry.name) for entry in fields(MDRun)}
        key = (round(1e6 * temperature), number)
        seed = int(np.random.SeedSequence(self.seed, spawn_key=key).generate_state(1, np.uint64)[0] >> np.uint64(1))
        return MDRun(**own | {"temperature": temperature, "seed": seed})


def run_ensemble(
    atoms: Atoms,
    calc: BaseCalculator,
    settings: EnsembleRun | None = None,
    *,
    folder: str | os.PathLike[str],
    executor: Executor | None = None,
    analyse: Analysis | None = None,
    **given: Any,
) -> EnsembleResult:
    """Run molecular dynamics many times, with other random numbers each time.

    Every run is in a folder for its temperature as soon as its frames are there; a second call with the same arguments
    goes on where the first one was ended, in the middle of runs as well, to the bits of one that was not.  The results
    depend neither on the executor nor on the order in which runs end.

    Parameters
    ----------
    atoms : Atoms
        Not changed.
    calc : ase.calculators.calculator.BaseCalculator
        One that can be pickled; one of this package uses one thread in each process.
    settings : EnsembleRun, optional
    folder : path
        For the files, which every process must be able to reach; made if it is not there.
    executor : concurrent.futures.Executor, optional
        Any; by default one process for each processor of this machine, which import the main script: it must do its
        work below ``if __name__ == "__main__":``.
    analyse : callable, optional
        Is called where a run has ended with the name of its trajectory, and returns a number, an array, a dict of
        these, or a result of `ase_mlips.analysis`, which is kept.  A function that the processes can import.
    **given
        Fields of `EnsembleRun`, in place of `settings`.

    Returns
    -------
    EnsembleResult
        In the order of temperatures and numbers.  A run that has failed, as by an explosion, has a sentence that says
        why, and does not end the others.

    Raises
    ------
    ValueError
        The folder holds another ensemble: of another structure, model, or other settings than `runs`, `temperatures`.
    OSError
        The folder cannot be written.
    RuntimeError
        A process of the pool has died; what was complete is kept.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from ase.build import bulk
    >>> from ase_mlips import SNAP
    >>> from ase_mlips.runs import run_ensemble
    >>> silicon, calc = bulk("Si", cubic=True), SNAP.embedded("Si")
    >>> few = {"ensemble": "langevin", "steps": 20, "runs": 3, "temperatures": (300, 600), "seed": 1}
    >>> with ThreadPoolExecutor(1) as executor:
    ...     found = run_ensemble(silicon, calc, folder="silicon", executor=executor, **few)
    >>> len(found.trajectories(600)), found.failed
    (3, ())
    """
    run = chosen(EnsembleRun, settings, given)
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    run = _described(place, run, atoms, calc)
    tasks = _tasks(place, run, atoms, calc, analyse)
    members: dict[int, EnsembleMember] = {}
    with tqdm(total=len(tasks), desc="runs", unit="run", disable=None) as bar:
        for number, future in as_they_end(executor, _run_member, tasks):
            task = tasks[number]
            error = future.exception()
            members[number] = future.result() if error is None else task.failed(error)
            bar.update()
    if any(member.error == _INTERRUPTED for member in members.values()):
        raise KeyboardInterrupt
    origin = json.dumps(provenance_of(calc, seed=run.seed))
    return EnsembleResult(tuple(members[number] for number in range(len(tasks))), len(atoms), origin)


_INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class _Task:
    """What a process is told of one run."""

    stem: str
    number: int
    settings: MDRun
    atoms: Atoms
    calc: bytes
    analyse: Analysis | None
    record_heat: bool

    @property
    def trajectory(self) -> str:
        return f"{self.stem}.traj"

    @property
    def kept(self) -> str:
        """The file that says that the run is complete."""
        return f"{self.stem}.npz"

    @property
    def analysis(self) -> str:
        """What the value was computed with."""
        call, words = self.analyse, ""
        while isinstance(call, partial):
            words, call = f"{words}{call.args}{sorted(call.keywords.items())}", call.func
        return "" if call is None else f"{call.__module__}.{call.__qualname__}{words}"

    def member(self, **found: Any) -> EnsembleMember:
        seed = self.settings.seed or 0
        return EnsembleMember(self.settings.temperature, self.number, seed, self.trajectory, **found)

    def failed(self, error: BaseException) -> EnsembleMember:
        """The run with the sentence that says why there is none."""
        return self.member(error=f"{type(error).__name__}: {error}")


def _tasks(place: Path, run: EnsembleRun, atoms: Atoms, calc: BaseCalculator, analyse: Analysis | None) -> list[_Task]:
    atoms, pickled = atoms.copy(), to_send(calc)
    found = []
    for temperature in run.all_temperatures:
        where = place / f"{temperature:g}K"
        where.mkdir(exist_ok=True)
        for number in range(run.runs):
            stem = str(where / f"{number:04d}")
            found.append(_Task(stem, number, run.member(temperature, number), atoms, pickled, analyse, run.record_heat))
    return found


def _run_member(task: _Task) -> EnsembleMember:
    """One run in the process that it was given to, or what an earlier call has left of it."""
    member = EnsembleMember.load(task.kept) if os.path.exists(task.kept) else _simulated(task)
    if member.error or task.analyse is None or member.analysis == task.analysis:
        return replace(member, trajectory=task.trajectory)
    value = task.analyse(task.trajectory)
    member = replace(member, trajectory=task.trajectory, value=value, analysis=task.analysis)
    member.save(task.kept)
    return member


def _simulated(task: _Task) -> EnsembleMember:
    files = MDFiles(task.trajectory, heat_flux=f"{task.stem}.flux" if task.record_heat else None, mode="continue")
    try:
        ended = run_md(task.atoms, own_copy(task.calc), task.settings, files=files)
    except CalculationFailed as error:  # it would do so again
        member = task.failed(error)
    else:
        if ended.interrupted:
            return task.member(error=_INTERRUPTED)
        member = task.member(log=read_log(files.log_path))
    member.save(task.kept)
    return member


def _described(place: Path, run: EnsembleRun, atoms: Atoms, calc: BaseCalculator) -> EnsembleRun:
    """The settings with a seed, that of the folder if it has one; ValueError where the folder is of something else."""
    path = place / _DESCRIPTION
    if path.exists():
        before = _read_description(path)
        if run.seed is None:
            run = replace(run, seed=before["settings"]["seed"])
        _require_same(path, before, _description(run, atoms))
        require_same_model(str(path), before["origin"], checksums(calc))
        return run
    if run.seed is None:
        run = replace(run, seed=int(np.random.SeedSequence().generate_state(1)[0]))
    content = _description(run, atoms) | {"origin": provenance_of(calc, seed=run.seed)}
    replace_files({str(path): json.dumps(content, indent=1).encode()})
    return run


def _read_description(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        found["settings"]["seed"], found["structure"], found["origin"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: does not describe an ensemble: {error}") from None
    return found


def _description(run: EnsembleRun, atoms: Atoms) -> dict[str, Any]:
    """What two calls for one ensemble must have in common."""
    own = ("runs", "temperatures", *(("temperature",) if run.temperatures else ()))
    settings = {name: value for name, value in as_mapping(run).items() if name not in own}
    arrays = {name: atoms.arrays[name].tolist() for name in ("numbers", "positions")}
    momenta = atoms.get_momenta().tolist()
    structure = arrays | {"momenta": momenta, "cell": atoms.cell.array.tolist(), "pbc": atoms.pbc.tolist()}
    return {"settings": plain(settings), "structure": structure}


def _require_same(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    if before["structure"] != now["structure"]:
        raise ValueError(f"{path}: is an ensemble of another structure; choose another folder")
    old, new = before["settings"], now["settings"]
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            raise ValueError(
                f"{path}: is an ensemble with {name} {old.get(name)!r}, not {new.get(name)!r}; choose another folder"
            )

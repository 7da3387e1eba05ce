"""Independent runs on executors: bits, restarts, failures and what they feed."""

import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.io import read
from ase_mlips.analysis import MSD, average, mean_squared_displacement, read_heat_flux
from support.morse import MorseCalculator

from ase_mlips import SNAP
from ase_mlips.runs import EnsembleResult, EnsembleRun, MDFiles, MDRun, run_ensemble, run_md

SETTINGS = EnsembleRun(
    "langevin", steps=30, interval=10, runs=2, temperatures=(300.0, 600.0), seed=5, damping=20.0, timestep=2.0
)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def copper():
    return bulk("Cu", "fcc", a=3.33, cubic=True)


def displacement(trajectory: str) -> float:
    first, *_, last = read(trajectory, ":")
    return float(np.square(last.positions - first.positions).sum())


def msd(trajectory: str, longest: int = 3) -> MSD:
    return mean_squared_displacement(read(trajectory, f":{longest}"), timestep_fs=20.0)


class Serial(ThreadPoolExecutor):
    """Runs a task when it is given, in the order of `order`."""

    def submit(self, function, /, *args, **kwargs):
        future = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def bits(folder):
    return {
        str(path.relative_to(folder)): [(a.positions.tobytes(), a.get_momenta().tobytes()) for a in read(path, ":")]
        for path in sorted(Path(folder).rglob("*.traj"))
    }


def test_every_run_is_that_of_run_md(copper):
    found = run_ensemble(copper, MorseCalculator(), SETTINGS, folder="runs", executor=Serial())
    assert [(member.temperature, member.number) for member in found.members] == [(300, 0), (300, 1), (600, 0), (600, 1)]
    assert len({member.seed for member in found.members}) == 4
    last = found.members[2]
    again = MDRun("langevin", temperature=600, steps=30, interval=10, seed=last.seed, damping=20.0, timestep=2.0)
    used = MorseCalculator()
    used.get_potential_energy(copper)  # what it knows already makes no difference
    run_md(copper, used, again, files=MDFiles("one.traj"))
    np.testing.assert_array_equal(read("one.traj").positions, read(last.trajectory).positions)
    np.testing.assert_array_equal(last.log["step"], [0, 10, 20, 30])
    assert found.trajectories(300.0) == ["runs/300K/0000.traj", "runs/300K/0001.traj"]
    assert "300, 600 K" in repr(found)
    assert len(found.columns()["wanted/K"]) == 4
    assert found.plot().get_xlabel() == "temperature (K)"
    found.save("x.npz")
    assert EnsembleResult.load("x.npz").members[1].log.keys() == found.members[1].log.keys()


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_bits_do_not_depend_on_the_pool(method, copper, recwarn):
    few = {"ensemble": "bussi", "steps": 20, "runs": 3, "seed": 1, "damping": 10.0}
    run_ensemble(copper, MorseCalculator(), folder="serial", executor=Serial(), **few)
    with ProcessPoolExecutor(1 if method == "spawn" else 2, mp_context=get_context(method)) as executor:
        run_ensemble(copper, MorseCalculator(), folder="pool", executor=executor, **few)
    assert bits("serial") == bits("pool")
    recwarn.clear()  # newer Pythons say that this process has threads


POOLS = {
    "distributed": "distributed.Client(n_workers=1, threads_per_worker=1, dashboard_address=None).get_executor()",
    "executorlib": "executorlib.SingleNodeExecutor(max_workers=1, block_allocation=True)",
    "mpi4py.futures": "mpi4py.futures.MPIPoolExecutor(1)",
}
ON_A_POOL = """
import sys, {module}
from ase.build import bulk
from ase_mlips import SNAP
from ase_mlips.runs import run_ensemble
if __name__ == "__main__":
    with {pool} as executor:
        few = {{"ensemble": "langevin", "steps": 20, "runs": 2, "seed": 1}}
        run_ensemble(bulk("Si", cubic=True), SNAP.embedded("Si"), folder="pool", executor=executor, **few)
"""


@pytest.mark.peer
@pytest.mark.parametrize("module", POOLS)
def test_other_pools(module):
    pytest.importorskip(module)
    Path("program.py").write_text(ON_A_POOL.format(module=module, pool=POOLS[module]))
    launcher = ["mpirun", "-np", "2", sys.executable, "-m", "mpi4py.futures"] if "mpi" in module else [sys.executable]
    if shutil.which(launcher[0]) is None:
        pytest.skip(f"there is no {launcher[0]}")
    subprocess.run([*launcher, "program.py"], check=True, timeout=300)
    few = {"ensemble": "langevin", "steps": 20, "runs": 2, "seed": 1}
    run_ensemble(bulk("Si", cubic=True), SNAP.embedded("Si"), folder="serial", executor=Serial(), **few)
    assert bits("serial") == bits("pool")


def test_more_runs_and_temperatures_leave_the_others_as_they_are(copper):
    run_ensemble(copper, MorseCalculator(), SETTINGS, folder="runs", executor=Serial())
    before, ages = bits("runs"), {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*.traj")}
    many = EnsembleRun(**{**vars(SETTINGS), "runs": 3, "temperatures": (900.0, 600.0, 300.0)})
    found = run_ensemble(copper, MorseCalculator(), many, folder="runs", executor=Serial())
    after = bits("runs")
    assert {name: after[name] for name in before} == before
    assert len(after) == 9
    assert found.temperatures == (900.0, 600.0, 300.0)
    assert all(path.stat().st_mtime_ns == age for path, age in ages.items())


@pytest.mark.parametrize("field", ["steps", "timestep", "seed", "ensemble"])
def test_a_folder_belongs_to_one_ensemble(field, copper):
    run_ensemble(copper, MorseCalculator(), SETTINGS, folder="runs", executor=Serial())
    other = EnsembleRun(**{**vars(SETTINGS), field: "bussi" if field == "ensemble" else 60})
    with pytest.raises(ValueError, match=rf"ensemble\.json: is an ensemble with {field} .*another folder"):
        run_ensemble(copper, MorseCalculator(), other, folder="runs", executor=Serial())
    with pytest.raises(ValueError, match="another structure"):
        run_ensemble(copper * 2, MorseCalculator(), SETTINGS, folder="runs", executor=Serial())
    Path("runs/ensemble.json").write_text("{}")
    with pytest.raises(ValueError, match=r"ensemble\.json: does not describe an ensemble"):
        run_ensemble(copper, MorseCalculator(), SETTINGS, folder="runs", executor=Serial())


def test_a_seed_is_drawn_once(copper):
    fields = {key: value for key, value in vars(SETTINGS).items() if key != "seed"}
    first = run_ensemble(copper, MorseCalculator(), folder="runs", executor=Serial(), **fields)
    again = run_ensemble(copper, MorseCalculator(), folder="runs", executor=Serial(), **fields)
    assert [member.seed for member in first.members] == [member.seed for member in again.members]


def test_half_of_a_run_is_continued_to_the_same_bits(copper):
    run_ensemble(copper, MorseCalculator(), SETTINGS, folder="whole", executor=Serial())
    run_ensemble(copper, MorseCalculator(), SETTINGS, folder="parts", executor=Serial())
    path = Path("parts/600K/0001.traj")
    os.truncate(path, int(0.6 * path.stat().st_size))
    path.with_suffix(".npz").unlink()
    found = run_ensemble(copper, MorseCalculator(), SETTINGS, folder="parts", executor=Serial())
    assert bits("whole") == bits("parts")
    np.testing.assert_array_equal(found.members[3].log["step"], [0, 10, 20, 30])


def test_a_run_that_fails_is_a_sentence(copper):
    fast = {"ensemble": "nve", "timestep": 2e4, "steps": 20, "seed": 1, "runs": 2}
    found = run_ensemble(copper, MorseCalculator(), folder="runs", executor=Serial(), **fast)
    assert len(found.failed) == 2
    assert "exploded" in found.failed[0].error
    assert found.trajectories() == []
    assert found.facts()["failed"] == "2"
    age = Path("runs/300K/0000.npz").stat().st_mtime_ns
    assert run_ensemble(copper, MorseCalculator(), folder="runs", executor=Serial(), **fast).failed
    assert Path("runs/300K/0000.npz").stat().st_mtime_ns == age


def test_what_is_found_is_kept_and_averaged(copper):
    found = run_ensemble(copper, EMT(), SETTINGS, folder="runs", executor=Serial(), analyse=msd)
    mean = average(found.values(600.0))
    assert isinstance(mean, MSD)
    again = run_ensemble(copper, EMT(), SETTINGS, folder="runs", executor=Serial(), analyse=msd)
    for first, second in zip(found.values(), again.values(), strict=True):
        np.testing.assert_array_equal(first.times, second.times)
        assert isinstance(second, MSD)
    age = Path("runs/300K/0000.traj").stat().st_mtime_ns
    shorter = run_ensemble(copper, EMT(), SETTINGS, folder="runs", executor=Serial(), analyse=partial(msd, longest=2))
    assert len(shorter.values()[0].times) < len(found.values()[0].times)
    numbers = run_ensemble(copper, EMT(), SETTINGS, folder="runs", executor=Serial(), analyse=displacement)
    assert all(value > 0.0 for value in numbers.values())
    assert Path("runs/300K/0000.traj").stat().st_mtime_ns == age
    with pytest.raises(ValueError, match="only at 300, 600 K"):
        found.values(500.0)


def test_the_heat_flux_of_each_run_is_recorded(copper):
    few = {"steps": 20, "runs": 1, "seed": 1, "heat_interval": 5, "record_heat": True}
    run_ensemble(copper, MorseCalculator(), folder="runs", executor=Serial(), **few)
    assert len(read_heat_flux("runs/300K/0000.flux").convective) == 5


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"runs": 0}, "runs: expected a positive number"),
        ({"temperatures": (300.0, 300.0)}, "temperatures: expected positive ones that all differ"),
        ({"temperatures": (300.0,), "temperature_end": 500.0, "ensemble": "bussi"}, "temperature_end: is of one"),
    ],
)
def test_settings_that_mean_nothing(fields, message):
    with pytest.raises(ValueError, match=message):
        EnsembleRun(**fields)


class _Ranked:
    """What ASE takes for the world once mpi4py is there: another rank than the first."""

    rank, size = 1, 2

    def __getattr__(self, name):
        raise AssertionError(f"{name} of the communicator was used")


@pytest.mark.parametrize("ensemble", ["nve", "langevin", "bussi", "nose-hoover", "npt"])
def test_a_run_of_one_process_is_no_part_of_mpi(ensemble, copper, monkeypatch):
    import ase.parallel

    settings = MDRun(ensemble, steps=10, seed=1)
    run_md(copper, MorseCalculator(), settings, files=MDFiles("alone.traj"))
    with monkeypatch.context() as patch:
        patch.setattr(ase.parallel.world, "comm", _Ranked())
        assert ase.parallel.world.rank == 1
        run_md(copper, MorseCalculator(), settings, files=MDFiles("ranked.traj"))
    assert bits(".")["alone.traj"] == bits(".")["ranked.traj"]


PROGRAM = """
import sys
from ase.build import bulk
from concurrent.futures import ThreadPoolExecutor
from ase_mlips import SNAP
from ase_mlips.runs import run_ensemble
few = {"ensemble": "langevin", "steps": 400, "interval": 5, "runs": 4, "seed": 2}
with ThreadPoolExecutor(2) as executor:
    run_ensemble(bulk("Si", cubic=True), SNAP.embedded("Si"), folder=sys.argv[1], executor=executor, **few)
"""


def test_killed_at_any_moment_it_ends_at_the_same_bits(tmp_path):
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    command = [sys.executable, str(script), "killed"]
    for wait in (0.3, 0.05):
        with subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL) as process:
            _wait_for_more(Path("killed"), process, wait)
            os.killpg(process.pid, signal.SIGKILL)
    few = {"ensemble": "langevin", "steps": 400, "interval": 5, "runs": 4, "seed": 2}
    for folder in ("killed", "whole"):
        run_ensemble(bulk("Si", cubic=True), SNAP.embedded("Si"), folder=folder, executor=Serial(), **few)
    assert bits("killed") == bits("whole")


def _wait_for_more(folder, process, wait):
    """Until the trajectories have grown, and then a little."""
    before = _size(folder)
    while process.poll() is None and _size(folder) == before:
        time.sleep(0.02)
    time.sleep(wait)


def _size(folder):
    return sum(path.stat().st_size for path in folder.rglob("*.traj"))

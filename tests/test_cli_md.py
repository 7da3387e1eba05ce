"""Molecular dynamics by the command: ensembles, restarts and what can go wrong meanwhile."""

import errno
import os
import resource
import signal
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.constraints import FixAtoms
from ase.io import read, write
from ase.io.ulm import Writer
from ase.md.verlet import VelocityVerlet
from support.morse import Morse, MorseCalculator

from ase_mlips.cli import main
from ase_mlips.runs.trajectory import LogFile


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current directory, with a Morse model, cu.morse, and a crystal of 32 atoms, cu.xyz."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cu.morse").touch()
    write("cu.xyz", bulk("Cu", "fcc", a=3.35, cubic=True) * 2)
    return tmp_path


def md(*arguments, structure="cu.xyz"):
    return main(["md", "cu.morse", structure, *map(str, arguments)])


def log(path="md.log"):
    return np.loadtxt(path, ndmin=2)


def kick_after(monkeypatch, evaluations, action):
    """Run `action` within the force call of that number."""
    evaluate, done = Morse.evaluate, []

    def counted(self, *arguments, **options):
        result = evaluate(self, *arguments, **options)
        if self.calls == evaluations and not done:
            done.append(True)
            action()
        return result

    monkeypatch.setattr(Morse, "evaluate", counted)


def test_nve_is_what_ase_does(here, capsys):
    assert md("--steps", 40, "--interval", 5, "--seed", 1, "--timestep", 2) == 0
    frames = read("md.traj", ":")
    assert [atoms.info["step"] for atoms in frames] == list(range(0, 41, 5))
    assert frames[-1].info["time_fs"] == pytest.approx(80.0)
    atoms = frames[0].copy()
    atoms.calc = MorseCalculator()
    VelocityVerlet(atoms, 2.0 * units.fs).run(40)
    np.testing.assert_allclose(frames[-1].positions, atoms.positions, atol=1e-9)
    np.testing.assert_allclose(frames[-1].get_velocities(), atoms.get_velocities(), atol=1e-9)
    np.testing.assert_allclose(frames[-1].get_forces(), atoms.get_forces(), atol=1e-8)
    rows = log()
    np.testing.assert_array_equal(rows[:, 0], range(0, 41, 5))
    np.testing.assert_allclose(rows[:, 1], 0.002 * rows[:, 0])
    np.testing.assert_allclose(rows[:, 3], [atoms.get_potential_energy() for atoms in frames], atol=1e-6)
    assert np.ptp(rows[:, 5]) < 1e-3
    said = capsys.readouterr()
    assert "ns/day" in said.out
    assert "drift of the total energy" in said.out
    assert said.err == ""  # no progress bar off a terminal


def test_velocities_are_drawn_at_the_temperature_and_the_whole_rests(here):
    write("big.xyz", bulk("Cu", "fcc", a=3.35, cubic=True) * 5)
    assert md("--steps", 1, "--interval", 1, "--temperature", 500, "--seed", 3, structure="big.xyz") == 0
    first = read("md.traj@0")
    assert log()[0, 2] == pytest.approx(500.0, rel=0.15)  # 1500 velocities: 1 sigma is 3.7 %
    np.testing.assert_allclose(first.get_momenta().sum(axis=0), 0.0, atol=1e-9)


def test_velocities_of_the_structure_are_kept(here):
    atoms = read("cu.xyz")
    velocities = np.random.default_rng(0).normal(scale=0.01, size=(32, 3))
    atoms.set_velocities(velocities - velocities.mean(axis=0))
    atoms.write("moving.traj")
    assert md("--steps", 1, structure="moving.traj") == 0
    np.testing.assert_allclose(read("md.traj@0").get_velocities(), atoms.get_velocities(), atol=1e-12)


@pytest.mark.parametrize("ensemble", ["langevin", "bussi", "npt"])
def test_thermostats_heat_a_cold_crystal(here, ensemble):
    atoms = read("cu.xyz")
    atoms.set_velocities(np.random.default_rng(0).normal(scale=1e-4, size=(32, 3)))
    atoms.write("cold.traj")
    command = ["--ensemble", ensemble, "--temperature", 300, "--damping", 20, "--seed", 5]
    assert md(*command, "--steps", 300, "--timestep", 2, structure="cold.traj") == 0
    temperatures = log()[:, 2]
    assert temperatures[0] < 1.0
    assert 150.0 < temperatures[-10:].mean() < 500.0
    volumes = [atoms.get_volume() for atoms in read("md.traj", ":")]
    assert (np.ptp(volumes) > 0.0) == (ensemble == "npt")
    if ensemble == "npt":
        np.testing.assert_allclose(log()[:, 7], volumes, atol=1e-5)


def test_npt_goes_to_the_pressure(here):
    """Starting from the volume at no pressure, 20 GPa compress; the log's pressure comes near."""
    command = ["--ensemble", "npt", "--pressure", 20, "--damping", 30, "--steps", 600, "--timestep", 2]
    assert md(*command, "--seed", 2) == 0
    rows = log()
    assert rows[-30:, 7].mean() < 0.95 * rows[0, 7]
    assert rows[-30:, 6].mean() == pytest.approx(20.0, abs=3.0)


@pytest.mark.parametrize("ensemble", ["langevin", "bussi"])
def test_seed_repeats_a_run(here, ensemble):
    for name in ("a.traj", "b.traj"):
        assert md("--ensemble", ensemble, "--steps", 20, "--seed", 7, "-o", name) == 0
    assert md("--ensemble", ensemble, "--steps", 20, "--seed", 8, "-o", "c.traj") == 0
    a, b, c = (read(name).positions for name in ("a.traj", "b.traj", "c.traj"))
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - c).max() > 1e-3


def test_restart_continues_as_if_nothing_had_happened(here, capsys):
    assert md("--steps", 60, "--seed", 1, "-o", "whole.traj") == 0
    assert md("--steps", 30, "--seed", 1) == 0
    assert md("--steps", 60, "--seed", 1, "--restart") == 0
    whole, parts = read("whole.traj", ":"), read("md.traj", ":")
    assert [atoms.info["step"] for atoms in parts] == [atoms.info["step"] for atoms in whole]
    assert parts[-1].info["time_fs"] == pytest.approx(60.0)
    np.testing.assert_allclose(parts[-1].positions, whole[-1].positions, atol=1e-9)
    np.testing.assert_allclose(log(), log("whole.log"), atol=2e-6)
    assert md("--steps", 60, "--restart") == 0
    assert "holds all 60 steps already" in capsys.readouterr().out
    assert len(read("md.traj", ":")) == len(whole)


def test_restart_without_a_trajectory_begins(here):
    assert md("--steps", 10, "--restart") == 0
    assert [atoms.info["step"] for atoms in read("md.traj", ":")] == [0, 10]


def test_restarted_langevin_meets_other_noise(here):
    assert md("--ensemble", "langevin", "--steps", 10, "--seed", 1) == 0
    assert md("--ensemble", "langevin", "--steps", 30, "--seed", 1, "--restart") == 0
    forces = [atoms.get_momenta() for atoms in read("md.traj", ":")]
    kicks = np.diff(forces, axis=0)
    assert abs(np.corrcoef(kicks[0].ravel(), kicks[1].ravel())[0, 1]) < 0.5


def test_restart_from_a_file_cut_off_in_a_frame(here):
    assert md("--steps", 30, "--seed", 1, "-o", "whole.traj") == 0
    assert md("--steps", 30, "--seed", 1) == 0
    os.truncate("md.traj", os.path.getsize("md.traj") - 100)
    with open("md.log", "a", encoding="utf-8") as file:
        file.write("              40   0.04 3")
    assert md("--steps", 30, "--seed", 1, "--restart") == 0
    frames = read("md.traj", ":")
    assert [atoms.info["step"] for atoms in frames] == [0, 10, 20, 30]
    np.testing.assert_allclose(frames[-1].positions, read("whole.traj").positions, atol=1e-9)
    np.testing.assert_allclose(log(), log("whole.log"), atol=2e-6)


def test_constraints_are_kept(here):
    atoms = read("cu.xyz")
    atoms.set_constraint(FixAtoms([0, 5]))
    atoms.write("fixed.traj")
    assert md("--ensemble", "langevin", "--steps", 20, structure="fixed.traj") == 0
    first, last = read("md.traj@0"), read("md.traj@-1")
    np.testing.assert_array_equal(last.positions[[0, 5]], first.positions[[0, 5]])
    assert [type(constraint) for constraint in last.constraints] == [FixAtoms]
    assert np.abs(last.positions - first.positions).max() > 0.01


def test_one_atom_and_a_cluster(here):
    write("atom.xyz", Atoms("Cu"))
    write("pair.xyz", Atoms("CuAu", positions=[[0, 0, 0], [2.8, 0, 0]]))
    assert md("--steps", 5, "--interval", 5, structure="atom.xyz") == 0
    assert np.abs(read("md.traj").positions).max() > 0.0
    assert md("--steps", 5, "--ensemble", "langevin", "-o", "pair.traj", structure="pair.xyz") == 0


def test_interrupt_finishes_the_step_and_says_how_to_continue(here, monkeypatch, capsys):
    kick_after(monkeypatch, 24, lambda: signal.raise_signal(signal.SIGINT))
    before = signal.getsignal(signal.SIGINT)
    assert md("--steps", 50, "--seed", 1, "--interval", 10) == 130
    assert signal.getsignal(signal.SIGINT) is before
    assert [atoms.info["step"] for atoms in read("md.traj", ":")] == [0, 10, 20]
    assert log()[-1, 0] == 20
    message = capsys.readouterr().err
    assert "md.traj is complete up to step 20" in message
    command = message.split("ase-mlips ")[-1].split()
    assert command[-1] == "--restart"
    assert main(command) == 0
    assert [atoms.info["step"] for atoms in read("md.traj", ":")] == [0, 10, 20, 30, 40, 50]


def test_second_interrupt_does_not_wait(here, monkeypatch, capsys):
    def twice():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    kick_after(monkeypatch, 24, twice)
    assert md("--steps", 50) == 130
    assert [atoms.info["step"] for atoms in read("md.traj", ":")] == [0, 10, 20]
    assert "interrupted" in capsys.readouterr().err


def test_interrupt_within_a_frame_takes_it_back(here, monkeypatch):
    sync, calls = Writer.sync, []

    def interrupted(self):
        calls.append(self)
        if len(calls) == 3:
            raise KeyboardInterrupt
        sync(self)

    monkeypatch.setattr(Writer, "sync", interrupted)
    assert md("--steps", 50) == 130
    monkeypatch.undo()
    os.chdir(here)
    assert [atoms.info["step"] for atoms in read("md.traj", ":")] == [0, 10]
    assert md("--steps", 50, "--restart") == 0
    assert [atoms.info["step"] for atoms in read("md.traj", ":")] == [0, 10, 20, 30, 40, 50]


@pytest.mark.parametrize("share", [0.005, 0.05, 0.3, 0.57, 0.59, 0.61, 0.63, 0.65, 0.9])
def test_full_disk_keeps_all_complete_frames(here, capsys, share):
    """The file's size is limited, so that a true write fails; after 42 frames the table of frames moves, too."""
    assert md("--steps", 70, "--interval", 1, "--seed", 1, "-o", "whole.traj") == 0
    limit = int(share * os.path.getsize("whole.traj"))
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        assert md("--steps", 70, "--interval", 1, "--seed", 1) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    message = capsys.readouterr().err
    reasons = (os.strerror(errno.EFBIG), "not written completely, the disk may be full")
    assert message.startswith(tuple(f"ase-mlips: md.traj: {reason}" for reason in reasons))
    assert message.count("\n") == 1
    if share < 0.01:
        assert "md.traj holds no frame yet" in message
        assert not Path("md.traj").exists()
        return
    last = read("md.traj").info["step"]
    assert last == pytest.approx(70 * share, abs=4)
    assert f"complete up to step {last}; continue with: ase-mlips md" in message
    assert [atoms.info["step"] for atoms in read("md.traj", ":")] == list(range(last + 1))
    assert md("--steps", 70, "--interval", 1, "--seed", 1, "--restart") == 0
    np.testing.assert_allclose(read("md.traj").positions, read("whole.traj").positions, atol=1e-9)
    np.testing.assert_allclose(log(), log("whole.log"), atol=2e-6)


def test_log_on_a_full_disk(here):
    with LogFile("x.log", ["step", "energy"]) as table:
        table.write(0, [1.0])
        size = os.path.getsize("x.log")
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5, hard))
        try:
            with pytest.raises(OSError, match=r"x\.log"):
                table.write(1, [2.0])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        assert os.path.getsize("x.log") == size
        table.write(2, [3.0])
    np.testing.assert_array_equal(log("x.log")[:, 0], [0, 2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", 5, "-o", "there.traj"], "there.traj: exists; use --restart"),
        (["--steps", 5, "-o", "there.traj", "--restart"], "there.traj: is a run of H, not of Cu32"),
        (["--steps", 5, "-o", "alien.traj", "--restart"], "alien.traj: does not say at which step it ends"),
        (["--steps", 5, "-o", "junk.traj", "--restart"], "junk.traj: holds no complete frame"),
        (["--steps", 5, "-o", "zeros.traj", "--restart"], "zeros.traj: holds no complete frame"),
        (["--steps", 5, "-o", "none/x.traj"], "none: there is no such directory for none/x.traj"),
        (["--steps", 5, "-o", "taken.traj"], "taken.traj: is a directory"),
        (["--steps", 5, "--log", "none/x.log"], "none: there is no such directory for none/x.log"),
        (["--ensemble", "langevin", "--temperature", 0], "langevin needs a temperature above zero"),
    ],
)
def test_bad_input_is_one_sentence(here, capsys, arguments, message):
    write("there.traj", Atoms("H"))
    write("alien.traj", read("cu.xyz"))
    (here / "junk.traj").write_text("junk")
    (here / "zeros.traj").write_bytes(bytes(1000))
    (here / "taken.traj").mkdir()
    before = {path: path.is_file() and path.read_bytes() for path in here.iterdir()}
    assert md(*arguments) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert {path: path.is_file() and path.read_bytes() for path in here.iterdir()} == before


def test_an_exploded_run_ends_and_keeps_what_it_has(here, capsys):
    write("hot.xyz", bulk("Cu", "fcc", a=3.35, cubic=True) * 2)
    assert md("--steps", 200, "--timestep", 50, "--temperature", 2000, "--seed", 1, "--interval", 1) == 1
    said = capsys.readouterr()
    assert "K, above 1e+05 K: the run has exploded; take a time step shorter than 50 fs" in said.err
    assert said.err.count("\n") == 1
    assert "wrote" not in said.out
    frames = read("md.traj", ":")
    assert f"md.traj is complete up to step {frames[-1].info['step']}" in said.err
    assert max(frame.get_temperature() for frame in frames) < 1e5
    assert log()[-1, 0] == frames[-1].info["step"]


def test_a_run_may_be_hot_on_purpose(here):
    assert md("--steps", 2, "--timestep", 0.001, "--temperature", 2e5, "--seed", 1) == 0
    assert read("md.traj@0").get_temperature() > 1e5


def test_what_cannot_run_leaves_no_files(here, capsys):
    write("wrong.xyz", Atoms("H", cell=[5, 5, 5], pbc=True))
    before = set(here.iterdir())
    assert md("--steps", 5, "--heat-flux", "flux.txt", structure="wrong.xyz") == 2
    assert md("--steps", 5, "--heat-flux", "flux.txt", "--log", "none/x.log") == 2
    assert md("--steps", 5, "--heat-flux", "none/flux.txt") == 2
    said = capsys.readouterr().err.splitlines()
    assert "atom 0 is H" in said[0]
    refused = ["none/x.log", "none/flux.txt"]
    assert said[1:] == [f"ase-mlips: none: there is no such directory for {name}" for name in refused]
    assert set(here.iterdir()) == before
    assert md("--steps", 5, "--heat-flux", "flux.txt") == 0


def test_npt_needs_a_periodic_cell(here, capsys):
    atoms = read("cu.xyz")
    atoms.pbc = (True, True, False)
    write("slab.xyz", atoms)
    assert md("--ensemble", "npt", structure="slab.xyz") == 2
    assert "slab.xyz: npt needs a periodic cell and no constraints" in capsys.readouterr().err

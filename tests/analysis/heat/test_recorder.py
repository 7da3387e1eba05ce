"""Recording heat fluxes, reading them in every state of the file, and replaying trajectories."""

import resource
import signal

import numpy as np
import pytest
from ase import Atoms, units
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms, FixCom
from ase.io import Trajectory as TrajectoryFile
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS
from ase_mlips.analysis.heat.recorder import HeatFluxRecorder, read_heat_flux
from ase_mlips.analysis.heat.replay import Replay, plot_energies, replay
from ase_mlips.analysis.heat.series import HeatFluxSeries
from ase_mlips.analysis.results import Interrupted
from ase_mlips.analysis.trajectories.trajectory import Trajectory
from matplotlib.figure import Figure
from support.lennard_jones import argon, fluid

from ase_mlips.shifted import shifted

STEP = 2.0  # fs
COLUMNS = 9 + 3 * 2


def mixture() -> Atoms:
    """108 atoms of two species with velocities; its units of length are A and of energy eV."""
    return fluid(0.6, 1.35, repeat=3, elements=("Ar", "Kr"))


def record(atoms: Atoms, path, steps: int, **options) -> VelocityVerlet:
    dynamics = VelocityVerlet(atoms, 0.02 * STEP * units.fs)
    recorder = HeatFluxRecorder(dynamics, atoms.calc, 5, path=path, **options)
    dynamics.run(steps)
    recorder.close()
    return dynamics


def assert_same(one: HeatFluxSeries, other: HeatFluxSeries, tolerance: float = 1e-10) -> None:
    assert one.timestep_fs == pytest.approx(other.timestep_fs)
    assert one.currents.keys() == other.currents.keys()
    pairs = [
        (getattr(one, name), getattr(other, name)) for name in ("convective", "conductive", "temperature", "volume")
    ]
    pairs += [(one.currents[name], other.currents[name]) for name in one.currents]
    for actual, expected in pairs:
        np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def test_what_is_written_is_the_flux(tmp_path):
    atoms = mixture()
    direct = []

    def note() -> None:
        direct.append((*(part * units.fs for part in atoms.calc.get_heat_flux_parts(atoms)), atoms.get_velocities()))

    dynamics = VelocityVerlet(atoms, 0.02 * STEP * units.fs)
    HeatFluxRecorder(dynamics, atoms.calc, 5, path=tmp_path / "flux.txt")
    dynamics.attach(note, interval=5)
    dynamics.run(40)
    series = read_heat_flux(tmp_path / "flux.txt")
    assert len(series) == 9
    assert series.timestep_fs == pytest.approx(0.1 * STEP)
    for k, part in enumerate((series.convective, series.conductive)):
        expected = np.array([row[k] for row in direct])
        np.testing.assert_allclose(part, expected, rtol=0, atol=1e-10 * np.abs(expected).max())
    velocities = units.fs * np.array([row[2] for row in direct])
    for name, current in series.currents.items():
        of_species = velocities[:, np.array(atoms.get_chemical_symbols()) == name].sum(axis=1)
        np.testing.assert_allclose(current, of_species, rtol=0, atol=1e-10)
    # 3 N - 3 degrees of freedom, as the centre of mass rests.
    kelvin = 2.0 * atoms.get_kinetic_energy() / ((3 * 108 - 3) * units.kB)
    assert series.temperature[-1] == pytest.approx(kelvin)
    np.testing.assert_allclose(series.volume, atoms.get_volume())
    table = np.loadtxt(tmp_path / "flux.txt")
    np.testing.assert_allclose(table[:, 0], 0.1 * STEP * np.arange(9), atol=1e-6)
    np.testing.assert_allclose(table[:, 1:4], series.convective)


def test_the_centre_of_mass_is_at_rest(tmp_path):
    record(mixture(), tmp_path / "rest.txt", 20)
    moving = mixture()
    moving.set_velocities(moving.get_velocities() + np.array([0.3, -0.2, 0.1]))
    record(moving, tmp_path / "moving.txt", 20)
    assert_same(read_heat_flux(tmp_path / "moving.txt"), read_heat_flux(tmp_path / "rest.txt"), 1e-8)


def test_a_file_that_grows_or_was_cut_gives_its_complete_lines(tmp_path):
    path = tmp_path / "flux.txt"
    dynamics = record(mixture(), path, 40)
    whole, content = read_heat_flux(path), path.read_bytes()
    lines = content.splitlines(keepends=True)
    for cut in range(len(content) - len(lines[-1]) - len(lines[-2]) - 3, len(content)):
        path.write_bytes(content[:cut])
        complete = 8 if cut >= len(content) - len(lines[-1]) else 7
        if cut < len(content) - len(lines[-1]) - len(lines[-2]):
            complete = 6
        assert_same(read_heat_flux(path), whole[:complete])
    assert dynamics.nsteps == 40


def test_the_file_is_complete_after_every_call(tmp_path):
    atoms, path = mixture(), tmp_path / "flux.txt"
    dynamics = VelocityVerlet(atoms, 0.04 * units.fs)
    HeatFluxRecorder(dynamics, atoms.calc, 2, path=path)
    for k in range(1, 4):
        dynamics.run(2)
        assert len(read_heat_flux(path)) == k + 1


@pytest.mark.parametrize("broken", [False, True])
def test_a_continued_run_has_no_gap_and_no_duplicates(tmp_path, broken):
    atoms, path = mixture(), tmp_path / "flux.txt"
    record(mixture(), tmp_path / "whole.txt", 60)
    record(atoms, path, 30)
    if broken:
        with open(path, "ab") as file:
            file.write(b"6.0 1.23e-0")
    record(atoms, path, 30, append=True)  # a new dynamics, which counts from 0
    assert_same(read_heat_flux(path), read_heat_flux(tmp_path / "whole.txt"), 1e-7)


def test_continued_from_an_earlier_step_lines_are_replaced(tmp_path):
    path = tmp_path / "flux.txt"
    atoms = mixture()
    record(atoms, path, 20)
    checkpoint = atoms.copy()
    checkpoint.calc = atoms.calc
    record(atoms, path, 20, append=True)
    before = read_heat_flux(path)
    assert len(before) == 9
    dynamics = VelocityVerlet(checkpoint, 0.02 * STEP * units.fs)
    dynamics.nsteps = 20
    recorder = HeatFluxRecorder(dynamics, checkpoint.calc, 5, path=path, append=True)
    dynamics.run(10)
    recorder.close()
    assert_same(read_heat_flux(path), before[:7], 1e-8)
    record(checkpoint, path, 10, append=True, time_fs=30 * 0.02 * STEP)
    assert_same(read_heat_flux(path), before, 1e-7)


def test_appending_to_nothing_begins_a_file(tmp_path):
    record(mixture(), tmp_path / "a.txt", 10)
    record(mixture(), tmp_path / "b.txt", 10, append=True)
    (tmp_path / "c.txt").write_text("")
    record(mixture(), tmp_path / "c.txt", 10, append=True)
    content = (tmp_path / "a.txt").read_text()
    assert content == (tmp_path / "b.txt").read_text() == (tmp_path / "c.txt").read_text()


def test_files_that_are_not_to_be_continued(tmp_path):
    path = tmp_path / "flux.txt"
    record(mixture(), path, 10)
    content = path.read_text()
    with pytest.raises(FileExistsError, match=r"flux\.txt: exists; continue it with append=True"):
        record(mixture(), path, 10)
    for other in (argon(50.0, repeat=2), fluid(0.6, 1.35, repeat=2, elements=("Ar", "Kr"))):
        with pytest.raises(ValueError, match="not of these atoms"):
            record(other, path, 10, append=True)
    assert path.read_text() == content


def test_what_cannot_be_recorded(tmp_path):
    path, atoms = tmp_path / "flux.txt", mixture()
    dynamics = VelocityVerlet(atoms, 1.0)
    for interval in (0, 2.5):
        with pytest.raises(ValueError, match=f"expected interval= as a number of steps of at least 1, got {interval}"):
            HeatFluxRecorder(dynamics, atoms.calc, interval, path=path)
    with pytest.raises(ValueError, match="is a directory"):
        HeatFluxRecorder(dynamics, atoms.calc, path=tmp_path)
    with pytest.raises(ValueError, match="there is no such directory"):
        HeatFluxRecorder(dynamics, atoms.calc, path=tmp_path / "none" / "flux.txt")
    with pytest.raises(ValueError, match=r"dynamics of ase\.md, got BFGS"):
        HeatFluxRecorder(BFGS(atoms, logfile=None), atoms.calc, path=path)
    atoms.set_constraint([FixCom(), FixAtoms([0])])
    with pytest.raises(ValueError, match=r"free to move: remove the constraints \(FixAtoms\)"):
        HeatFluxRecorder(dynamics, atoms.calc, path=path)
    assert not list(tmp_path.iterdir())


def test_a_time_step_that_changes_ends_the_run(tmp_path):
    atoms, path = mixture(), tmp_path / "flux.txt"
    atoms.set_constraint(FixCom())
    dynamics = VelocityVerlet(atoms, 0.02 * STEP * units.fs)
    HeatFluxRecorder(dynamics, atoms.calc, 5, path=path)
    dynamics.run(10)
    dynamics.dt *= 2.0
    with pytest.raises(ValueError, match="the time step has changed"):
        dynamics.run(10)
    assert len(read_heat_flux(path)) == 3


def test_another_number_of_atoms_ends_the_run(tmp_path):
    atoms = mixture()
    dynamics = VelocityVerlet(atoms, 1.0)
    recorder = HeatFluxRecorder(dynamics, atoms.calc, path=tmp_path / "flux.txt")
    atoms.extend(Atoms("Ar", positions=[[0.5, 0.5, 0.5]]))
    with pytest.raises(ValueError, match="number of atoms has changed from 108 to 109"):
        recorder()


def test_a_long_file_is_continued(tmp_path):
    """The header has nine digits of the spacing, which half a million lines multiply."""
    atoms, path, rows = mixture(), tmp_path / "flux.txt", 500_000
    spacing = 5 * 0.002 / units.fs
    HeatFluxRecorder(VelocityVerlet(atoms, 0.002), atoms.calc, 5, path=path).close()
    with open(path, "a") as file:
        file.writelines(f"{k * spacing:.6f}" + " 0" * (COLUMNS - 1) + "\n" for k in range(rows))
    dynamics = VelocityVerlet(atoms, 0.002)
    HeatFluxRecorder(dynamics, atoms.calc, 5, path=path, append=True, time_fs=rows * spacing)
    dynamics.run(5)
    assert len(read_heat_flux(path)) == rows + 2


def test_masses_may_change(tmp_path):
    atoms, path = mixture(), tmp_path / "flux.txt"
    dynamics = VelocityVerlet(atoms, 0.02 * STEP * units.fs)
    HeatFluxRecorder(dynamics, atoms.calc, 5, path=path)
    atoms.set_masses(3.0 * atoms.get_masses())
    dynamics.run(5)
    expected = units.fs * atoms.calc.get_heat_flux_parts(atoms).convective
    np.testing.assert_allclose(read_heat_flux(path).convective[-1], expected, atol=1e-10 * np.abs(expected).max())


def test_a_gap_is_refused_and_the_file_stays(tmp_path):
    path = tmp_path / "flux.txt"
    atoms = mixture()
    record(atoms, path, 20)
    content = path.read_bytes()
    dynamics = VelocityVerlet(atoms, 0.02 * STEP * units.fs)
    dynamics.nsteps = 24  # the next line would be that of step 25
    HeatFluxRecorder(dynamics, atoms.calc, 5, path=path, append=True).close()
    dynamics.nsteps = 25  # that of step 30
    with pytest.raises(
        ValueError, match=r"lines every 0\.2 fs from 0 to 0\.8 fs, and cannot go on with one at 1\.2 fs"
    ):
        HeatFluxRecorder(dynamics, atoms.calc, 5, path=path, append=True)
    for time in (7.0, 0.5, -0.2, np.nan):
        with pytest.raises(ValueError, match=rf"cannot go on with one at {time:g} fs"):
            HeatFluxRecorder(
                VelocityVerlet(atoms, 0.04 * units.fs), atoms.calc, 5, path=path, append=True, time_fs=time
            )
    assert path.read_bytes() == content


def test_calculators_without_a_heat_flux(tmp_path):
    atoms = mixture()
    with pytest.raises(ValueError, match=r"needs a calculator with get_heat_flux_parts.*got EMT"):
        HeatFluxRecorder(VelocityVerlet(atoms, 1.0), EMT(), path=tmp_path / "flux.txt")
    with pytest.raises(ValueError, match=r"needs a calculator with get_heat_flux_parts.*got EMT"):
        replay([atoms, atoms], [atoms.calc, EMT()], timestep_fs=1.0)
    with pytest.raises(ValueError, match="a sequence of calculators, got PotentialCalculator"):
        replay([atoms, atoms], atoms.calc, timestep_fs=1.0)
    assert not list(tmp_path.iterdir())


def test_files_that_are_damaged(tmp_path):
    path = tmp_path / "flux.txt"
    record(mixture(), path, 20)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:2], "# time step: abc fs\n", *lines[3:]]))
    with pytest.raises(ValueError, match=r"flux.txt:3: expected a time step in fs, got '# time step: abc fs'"):
        read_heat_flux(path)
    for k, wrong in ((6, "1.0 2.0\n"), (7, lines[7].replace("e", "x", 1)), (5, "\n")):
        path.write_text("".join([*lines[:k], wrong, *lines[k + 1 :]]))
        with pytest.raises(ValueError, match=rf"flux.txt:{k + 1}: expected {COLUMNS} numbers"):
            read_heat_flux(path)
    path.write_text("".join([*lines[:7], *lines[8:]]))
    with pytest.raises(ValueError, match=r"0\.2 fs apart, got 0\.2 and 0\.6 fs"):
        read_heat_flux(path)
    path.write_text("".join(lines[:6]))
    with pytest.raises(ValueError, match="at least 2 lines"):
        read_heat_flux(path)
    path.write_text("step kappa\n1 2\n")
    with pytest.raises(ValueError, match="expected a file of HeatFluxRecorder"):
        read_heat_flux(path)


def test_a_cluster_has_no_volume(tmp_path):
    atoms = argon(20.0, repeat=2)
    atoms.pbc = [True, True, False]
    record(atoms, tmp_path / "flux.txt", 10)
    np.testing.assert_array_equal(read_heat_flux(tmp_path / "flux.txt").volume, 0.0)


def test_series_can_be_cut_shifted_saved_and_drawn(tmp_path):
    record(mixture(), tmp_path / "flux.txt", 40)
    series = read_heat_flux(tmp_path / "flux.txt")
    moved = series.shifted({"Kr": 2.0, "Ar": -1.0})
    change = 2.0 * series.currents["Kr"] - series.currents["Ar"]
    np.testing.assert_allclose(moved.total - series.total, change, rtol=0, atol=1e-12 * np.abs(series.total).max())
    with pytest.raises(ValueError, match=r"Kr, Ar.*Xe"):
        series.shifted({"Xe": 1.0})
    for frames in (3, slice(None, None, -1)):
        with pytest.raises(ValueError, match="as a slice that goes forward"):
            series[frames]
    assert series[::2].timestep_fs == pytest.approx(0.2 * STEP)
    moved.save(tmp_path / "series.npz")
    assert_same(HeatFluxSeries.load(tmp_path / "series.npz"), moved, 0.0)
    ax = series.plot(Figure().subplots())
    assert [line.get_label() for line in ax.lines] == ["x", "y", "z"]


@pytest.fixture
def stored(tmp_path):
    """A trajectory and the heat flux that was recorded with it."""
    atoms, path = mixture(), tmp_path / "md.traj"
    dynamics = VelocityVerlet(atoms, 0.02 * STEP * units.fs)
    HeatFluxRecorder(dynamics, atoms.calc, 5, path=tmp_path / "flux.txt")
    with TrajectoryFile(str(path), "w", atoms) as file:
        dynamics.attach(file, interval=5)
        dynamics.run(40)
    return atoms, path, read_heat_flux(tmp_path / "flux.txt")


def test_replay_equals_what_was_recorded(stored):
    atoms, path, recorded = stored
    (result,) = replay(path, [atoms.calc], timestep_fs=0.1 * STEP)
    assert isinstance(result, Replay)
    assert_same(result, recorded)
    last = atoms.get_potential_energies()[np.array(atoms.get_chemical_symbols()) == "Ar"]
    np.testing.assert_allclose(result.energies["Ar"][-1], last, rtol=0, atol=1e-10)


def test_replay_with_several_models(stored, tmp_path):
    atoms, path, recorded = stored
    other = shifted(atoms.calc, {"Kr": 5.0})
    first, second = replay(path, [atoms.calc, other], timestep_fs=0.1 * STEP)
    assert_same(first, recorded)
    assert_same(second, recorded.shifted({"Kr": 5.0}))
    assert {name: values.shape for name, values in first.energies.items()} == {"Ar": (9, 54), "Kr": (9, 54)}
    np.testing.assert_allclose(second.energies["Kr"], first.energies["Kr"] + 5.0)
    np.testing.assert_array_equal(second.energies["Ar"], first.energies["Ar"])
    ax = plot_energies([first, second], Figure().subplots())
    assert len(ax.get_legend().get_texts()) == 4
    assert len(first.plot(Figure().subplots()).get_legend().get_texts()) == 2
    second.save(tmp_path / "replay.npz")
    assert Replay.load(tmp_path / "replay.npz").name == second.name
    assert_same(first[2:], recorded[2:])


def test_one_element_has_no_gauge(tmp_path):
    """A shift of all atomic energies adds the momentum, which is zero; with atoms that move as a whole, too."""
    atoms = argon(50.0, repeat=2)
    atoms.set_velocities(atoms.get_velocities() + np.array([0.01, 0.0, -0.02]))
    with TrajectoryFile(str(tmp_path / "md.traj"), "w", atoms) as file:
        dynamics = VelocityVerlet(atoms, 4.0 * units.fs)
        dynamics.attach(file, interval=5)
        dynamics.run(20)
    plain, moved = replay(tmp_path / "md.traj", [atoms.calc, shifted(atoms.calc, {"Ar": 3.0})], timestep_fs=20.0)
    np.testing.assert_allclose(moved.total, plain.total, rtol=0, atol=1e-10 * np.abs(plain.total).max())


def test_replays_that_cannot_be(stored):
    atoms, path, _ = stored
    with pytest.raises(ValueError, match="timestep_fs"):
        replay(path, [atoms.calc])
    still = Trajectory.from_arrays(np.zeros((4, 1, 3)), symbols=["Ar"], cell=np.eye(3), timestep_fs=1.0)
    with pytest.raises(ValueError, match="holds no velocities"):
        replay(still, [atoms.calc])
    with pytest.raises(ValueError, match="at least 2 frames"):
        replay(Trajectory(path, frames=slice(1), timestep_fs=1.0), [atoms.calc])


def test_interrupted_replay_keeps_what_it_has(stored):
    atoms, path, recorded = stored

    class Impatient:
        calls = 0

        def get_heat_flux_parts(self, atoms, velocities=None):
            self.calls += 1
            if self.calls == 5:
                signal.raise_signal(signal.SIGINT)
            return calc.get_heat_flux_parts(atoms, velocities)

        def get_potential_energies(self, atoms):
            return calc.get_potential_energies(atoms)

    calc = atoms.calc
    with pytest.raises(Interrupted) as caught:
        replay(path, [calc, Impatient()], timestep_fs=0.1 * STEP)
    for result in caught.value.result:
        assert_same(result, recorded[:4])
        assert result.energies["Ar"].shape == (4, 54)


def test_two_recorders_of_one_file_are_refused(tmp_path):
    atoms, path = mixture(), tmp_path / "flux.txt"
    dynamics = VelocityVerlet(atoms, 0.02 * STEP * units.fs)
    first = HeatFluxRecorder(dynamics, atoms.calc, 5, path=path)
    with pytest.raises(OSError, match=r"is writing this file: .*flux\.txt"):
        HeatFluxRecorder(VelocityVerlet(atoms, 0.02 * STEP * units.fs), atoms.calc, 5, path=path, append=True)
    dynamics.run(10)
    first.close()
    assert len(read_heat_flux(path)) == 3


def test_a_recorder_goes_with_its_dynamics(tmp_path):
    """So that the file can be continued without closing it, as where a name is given to another dynamics."""
    atoms, path = mixture(), tmp_path / "flux.txt"
    for k in range(3):
        dynamics = VelocityVerlet(atoms, 0.02 * STEP * units.fs)
        HeatFluxRecorder(dynamics, atoms.calc, 5, path=path, append=k > 0)
        dynamics.run(10)
        del dynamics
    assert len(read_heat_flux(path)) == 7


def test_a_full_disk_leaves_whole_lines(tmp_path):
    atoms, path = mixture(), tmp_path / "flux.txt"
    dynamics = VelocityVerlet(atoms, 0.02 * STEP * units.fs)
    recorder = HeatFluxRecorder(dynamics, atoms.calc, 5, path=path)
    dynamics.run(5)
    content = path.read_bytes()
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(content) + 20, hard))
    try:
        with pytest.raises(OSError, match=r"flux\.txt") as caught:
            dynamics.run(5)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert caught.value.filename == str(path)
    assert path.read_bytes() == content
    recorder.close()
    assert len(read_heat_flux(path)) == 2

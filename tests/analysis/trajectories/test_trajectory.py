"""What every analysis relies on: chunks, selections, time steps and clear messages, whatever the source."""

import numpy as np
import pytest
from ase import Atoms
from ase.io import write
from ase_mlips.analysis.trajectories.trajectory import Trajectory, as_trajectory
from support.trajectories import images, speeds, write_dump, write_gpumd, write_xdatcar

SOURCES = ["list", "iterator", "arrays", "traj", "xyz", "gpumd", "dump", "XDATCAR", "xyz.gz"]


def make(source, frames, folder):
    """The same frames from each kind of source."""
    path = folder / f"md.{source}"
    match source:
        case "list":
            return frames
        case "iterator":
            return iter(frames)
        case "arrays":
            return Trajectory.from_arrays(
                np.array([atoms.positions for atoms in frames]),
                symbols=frames[0].get_chemical_symbols(),
                cell=np.array([atoms.cell.array for atoms in frames]),
                velocities=np.array([speeds(atoms) for atoms in frames]),
            )
        case "gpumd":
            path = folder / "dump.xyz"
            write_gpumd(path, frames)
        case "dump":
            path = folder / "md.lammpstrj"
            write_dump(path, frames, "id element x y z vx vy vz")
        case "XDATCAR":
            write_xdatcar(path, frames, repeat_cell=False)
        case _:
            write(path, frames)
    return path


@pytest.fixture(params=SOURCES)
def kind(request):
    return request.param


@pytest.mark.parametrize(
    "frames",
    [slice(None), slice(3), slice(2, 9, 3), slice(8, 3), slice(-4, None), slice(1, -2, 2), slice(None, 99, 4)],
    ids=str,
)
def test_selected_frames_are_those_of_a_list(tmp_path, kind, frames):
    if kind == "iterator" and (frames.start or 0) + (frames.stop or 0) < 0:
        pytest.skip("an iterator has no end to count from")
    source, everything = make(kind, images(11), tmp_path), images(11)
    trajectory = Trajectory(source, frames=frames)
    expected = everything[frames]
    if not expected:
        with pytest.raises(ValueError, match="has none of the selected frames"):
            list(trajectory.chunks())
        return
    found = np.concatenate([chunk.positions for chunk in trajectory.chunks()])
    np.testing.assert_allclose(found, [atoms.positions for atoms in expected], atol=1e-7)
    again = Trajectory(trajectory, frames=slice(1, None, 2))
    if len(expected) > 1 and kind != "iterator":
        found = np.concatenate([chunk.positions for chunk in again.chunks()])
        np.testing.assert_allclose(found, [atoms.positions for atoms in expected[1::2]], atol=1e-7)


def test_chunks_are_small_numbered_and_complete(tmp_path, kind, monkeypatch):
    monkeypatch.setattr("ase_mlips.analysis.trajectories.trajectory._CHUNK", 24 * 6 * 4)
    frames = images(10)
    trajectory = Trajectory(make(kind, frames, tmp_path))
    velocities = kind not in ("XDATCAR",)
    chunks = list(trajectory.chunks(velocities=velocities))
    size = 2 if velocities else 4
    assert [chunk.first for chunk in chunks] == list(range(0, 10, size))
    assert [len(chunk) for chunk in chunks][:-1] == [size] * (len(chunks) - 1)
    assert sum(len(chunk) for chunk in chunks) == 10
    for chunk in chunks:
        assert chunk.cells.shape == (len(chunk), 3, 3)
        assert (chunk.velocities is not None) == velocities
    positions = np.concatenate([chunk.positions for chunk in chunks])
    np.testing.assert_allclose(positions, [atoms.positions for atoms in frames], atol=1e-7)


@pytest.mark.filterwarnings("ignore:.*too far apart:RuntimeWarning")
def test_chunks_do_not_share_memory_with_the_source(tmp_path):
    frames = images(3)
    positions = np.array([atoms.positions for atoms in frames])
    for source in (frames, make("arrays", frames, tmp_path)):
        for chunk in Trajectory(source).chunks(velocities=True):
            chunk.positions[:] = chunk.velocities[:] = chunk.cells[:] = 7.0
        Trajectory(source).series()
    np.testing.assert_array_equal([atoms.positions for atoms in frames], positions)
    np.testing.assert_array_equal(next(Trajectory(frames).chunks()).positions, positions)


def test_attributes(tmp_path, kind):
    frames = images(3)
    trajectory = Trajectory(make(kind, frames, tmp_path))
    assert trajectory.symbols == ["Si", "Si", "O", "Li", "Li", "Li"]
    np.testing.assert_array_equal(trajectory.numbers, [14, 14, 8, 3, 3, 3])
    np.testing.assert_allclose(trajectory.masses, frames[0].get_masses())
    assert trajectory.pbc.tolist() == [True, True, True]
    assert "Li3OSi2" in repr(trajectory)
    assert trajectory.name in repr(trajectory)


@pytest.mark.parametrize("source", ["list", "iterator", "traj", "xyz", "gpumd", "xyz.gz"])
def test_the_time_step_that_the_source_says(tmp_path, source):
    assert Trajectory(make(source, images(6), tmp_path)).timestep_fs == 2.5
    assert Trajectory(make(source, images(6), tmp_path), frames=slice(1, None, 2)).timestep_fs == 5.0
    assert Trajectory(make(source, images(6), tmp_path), timestep_fs=2.5).timestep_fs == 2.5
    wrong = Trajectory(make(source, images(6), tmp_path), timestep_fs=25.0, frames=slice(0, None, 2))
    with pytest.raises(ValueError, match=r"times say 2\.5 fs from one frame to the next, but timestep_fs= 25$"):
        _ = wrong.timestep_fs


@pytest.mark.parametrize("source", ["list", "iterator", "arrays", "traj", "dump"])
def test_the_time_step_that_is_given(tmp_path, source):
    frames = images(6)
    files = make(source, frames, tmp_path)
    for atoms in frames:
        del atoms.info["Time"]
    if source == "traj":
        write(files, frames)
    trajectory = Trajectory(files, timestep_fs=4.0, frames=slice(0, None, 3))
    assert trajectory.timestep_fs == 12.0
    assert Trajectory(trajectory, frames=slice(0, None, 2)).timestep_fs == 24.0
    assert Trajectory(trajectory, timestep_fs=10.0, frames=slice(0, None, 2)).timestep_fs == 20.0


def test_asking_for_the_time_step_does_not_use_an_iterator_up():
    trajectory = Trajectory(iter(images(5)))
    assert trajectory.timestep_fs == trajectory.timestep_fs == 2.5
    assert sum(len(chunk) for chunk in trajectory.chunks()) == 5
    with pytest.raises(ValueError, match="this list_iterator has been read already: give a list or a file"):
        list(trajectory.chunks())


@pytest.mark.parametrize("chunk", [1, 10**9])
def test_times_that_are_not_even(monkeypatch, chunk):
    monkeypatch.setattr("ase_mlips.analysis.trajectories.trajectory._CHUNK", chunk)
    frames = images(6)
    frames[4].info["Time"] += 1.0
    message = "list: frame 4 is not as far from the one before as others: give timestep_fs="
    asked_before = Trajectory(frames)
    assert asked_before.timestep_fs == 2.5
    with pytest.raises(ValueError, match=message):
        list(asked_before.chunks())
    asked_after = Trajectory(frames)
    assert sum(len(chunk) for chunk in asked_after.chunks()) == 6
    with pytest.raises(ValueError, match=message):
        _ = asked_after.timestep_fs
    given = Trajectory(frames, timestep_fs=2.5)
    assert sum(len(chunk) for chunk in given.chunks()) == 6
    assert given.timestep_fs == 2.5
    rounded = images(6)
    for atoms in rounded:
        atoms.info["Time"] = round(atoms.info["Time"] + 1e-4, 3)
    exact = Trajectory(rounded)
    assert exact.timestep_fs == 2.5
    assert sum(len(chunk) for chunk in exact.chunks()) == 6


@pytest.mark.parametrize("times", [[None, None], [1.0, None], [2.0, 2.0], [3.0, 1.0], ["1 ps", "2 ps"], [0.0]])
def test_no_time_step(times):
    frames = images(len(times))
    for atoms, time in zip(frames, times, strict=True):
        atoms.info["Time"] = time
    with pytest.raises(ValueError, match="list does not say how far apart its frames are: give timestep_fs="):
        _ = Trajectory(frames).timestep_fs


def test_as_trajectory():
    frames = images(3)
    for atoms in frames:
        del atoms.info["Time"]
    trajectory = Trajectory(frames, timestep_fs=1.0)
    assert as_trajectory(trajectory) is trajectory
    assert as_trajectory(trajectory, 3.0).timestep_fs == 3.0
    assert as_trajectory(frames, 2.0).timestep_fs == 2.0
    assert as_trajectory(frames[0]).symbols == frames[0].get_chemical_symbols()


def test_no_velocities():
    atoms = Atoms("H", [[0.0, 0.0, 0.0]])
    with pytest.raises(ValueError, match="list holds no velocities"):
        Trajectory([atoms]).chunks(velocities=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"timestep_fs": 0.0}, "expected a positive time step in fs, got timestep_fs=0.0"),
        ({"timestep_fs": np.nan}, "expected a positive time step in fs, got timestep_fs=nan"),
        ({"frames": slice(None, None, -1)}, "expected frames= with a positive step"),
        ({"frames": slice(None, None, 0)}, "expected frames= with a positive step"),
        ({"frames": 5}, r"expected frames= as a slice of integers .*, got 5"),
        ({"frames": slice(0, 1.5)}, r"expected frames= as a slice of integers"),
        ({"symbols": ["H"]}, "symbols= is for LAMMPS dumps"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Trajectory(images(2), **arguments)


def test_an_iterator_cannot_be_counted():
    with pytest.raises(ValueError, match="frames= must not be negative for a list_iterator"):
        Trajectory(iter(images(2)), frames=slice(-1, None))


PLACES = np.zeros((4, 2, 3))


@pytest.mark.parametrize(
    ("positions", "arguments", "message"),
    [
        (np.zeros((0, 2, 3)), {}, r"shape \(F, N, 3\) with at least one frame, got \(0, 2, 3\)"),
        (np.zeros((2, 3)), {}, r"shape \(F, N, 3\) with at least one frame, got \(2, 3\)"),
        (PLACES, {"velocities": PLACES[1:]}, r"velocities of the shape of the positions \(4, 2, 3\), got \(3, 2, 3\)"),
        (PLACES, {"cell": np.eye(4)}, r"cell of shape \(3, 3\) or \(4, 3, 3\), got \(4, 4\)"),
        (PLACES, {"symbols": ["H"]}, r"sequence of 2 chemical symbols, got \['H'\]"),
        (PLACES, {"symbols": "H2"}, "sequence of 2 chemical symbols, got 'H2'"),
        (PLACES, {"symbols": ["H", "Qq"]}, "Qq"),
    ],
)
def test_bad_arrays(positions, arguments, message):
    with pytest.raises(ValueError, match=message):
        Trajectory.from_arrays(positions, **({"symbols": ["H", "H"], "cell": np.eye(3)} | arguments))


def test_single_precision_and_nan_in_arrays():
    positions = np.zeros((3, 1, 3), dtype=np.float32)
    trajectory = Trajectory.from_arrays(positions, symbols=["H"], cell=np.eye(3))
    assert next(trajectory.chunks()).positions.dtype == np.float64
    positions[2, 0, 1] = np.nan
    with pytest.raises(ValueError, match="arrays: frame 2 has positions that are not finite"):
        list(Trajectory.from_arrays(positions, symbols=["H"], cell=np.eye(3)).chunks())
    with pytest.raises(ValueError, match="arrays: frame 0 has cell that are not finite"):
        list(Trajectory.from_arrays(positions[:2], symbols=["H"], cell=np.full((3, 3), np.inf)).chunks())

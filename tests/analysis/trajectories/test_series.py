"""Columns of trajectories: unwrapping, drift, velocities, and storage on disk."""

import gc
import warnings
from itertools import pairwise

import numpy as np
import pytest
from ase_mlips.analysis import Interrupted, mean_squared_displacement, vacf
from ase_mlips.analysis.trajectories.series import BLOCK, Series, Unwrapper, differentiate
from ase_mlips.analysis.trajectories.trajectory import Trajectory

TRICLINIC = np.array([[6.0, 0.0, 0.0], [2.5, 5.0, 0.0], [-1.7, 1.3, 7.0]])


def walk(frames=400, atoms=9, step=0.4, seed=0):
    """A random walk, (F, N, 3), from random places."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(scale=step, size=(frames, atoms, 3))
    steps[0] = rng.uniform(-10.0, 10.0, size=(atoms, 3))
    return np.cumsum(steps, axis=0)


def wrap(positions, cell, pbc=(True, True, True)):
    fractions = positions @ np.linalg.inv(cell)
    return positions - (np.floor(fractions) * np.array(pbc)) @ cell


def displacement(values):
    return values - values[0]


def trajectory(positions, cell, **arguments):
    return Trajectory.from_arrays(positions, symbols=["Ar"] * positions.shape[1], cell=cell, **arguments)


@pytest.mark.parametrize(
    "cell", [TRICLINIC, np.diag([6.0, 5.0, 7.0]), TRICLINIC[[1, 0, 2]]], ids=["tri", "ortho", "left"]
)
def test_a_wrapped_walk_is_recovered(cell):
    positions = walk()
    series = trajectory(wrap(positions, cell), cell).series(drift=None)
    found = series.atoms(np.arange(9))
    np.testing.assert_allclose(displacement(found), displacement(positions), rtol=0.0, atol=1e-10)
    np.testing.assert_array_equal(found[0], wrap(positions, cell)[0])


@pytest.mark.filterwarnings("ignore:.*too far apart:RuntimeWarning")
def test_axes_without_periodicity_are_left_alone():
    positions, pbc = walk(step=0.3), [True, False, True]
    jump = positions + np.linspace(0.0, 900.0, 400)[:, None, None] * (TRICLINIC[1] / np.linalg.norm(TRICLINIC[1]))
    series = trajectory(wrap(jump, TRICLINIC, pbc), TRICLINIC, pbc=pbc).series(drift=None)
    np.testing.assert_allclose(displacement(series.atoms(np.arange(9))), displacement(jump), atol=1e-9)
    series = trajectory(jump, np.zeros((3, 3)), pbc=False).series(drift=None)
    np.testing.assert_allclose(displacement(series.atoms(np.arange(9))), displacement(jump), atol=1e-9)
    assert series.volume == 0.0
    slab = np.diag([6.0, 5.0, 0.0])
    series = trajectory(jump, slab, pbc=True).series(drift=None)  # an axis without a vector has no period
    np.testing.assert_allclose(displacement(series.atoms(np.arange(9)))[..., 2], displacement(jump)[..., 2], atol=1e-9)


def test_a_walk_in_a_changing_cell_is_recovered():
    """Atoms that walk and are put back into the cell of the moment: the scheme adds up exactly their steps."""
    rng = np.random.default_rng(3)
    frames, atoms = 300, 7
    cells = TRICLINIC * (1.0 + 0.1 * np.sin(np.linspace(0.0, 9.0, frames)))[:, None, None]
    steps = rng.normal(scale=0.3, size=(frames, atoms, 3))
    wrapped = np.empty_like(steps)
    wrapped[0] = wrap(rng.uniform(0.0, 5.0, size=(atoms, 3)), cells[0])
    for k in range(1, frames):
        wrapped[k] = wrap(wrapped[k - 1] + steps[k], cells[k])
    steps[0] = wrapped[0]
    series = trajectory(wrapped, cells).series(drift=None)
    np.testing.assert_allclose(series.atoms(np.arange(7)), np.cumsum(steps, axis=0), atol=1e-10)
    np.testing.assert_array_equal(series.cells, cells)
    assert series.volume == pytest.approx(np.linalg.det(cells).mean())


def test_chunks_change_nothing():
    positions = wrap(walk(), TRICLINIC)
    cells = np.broadcast_to(TRICLINIC, (400, 3, 3))
    whole = Unwrapper(np.ones(3, dtype=bool))(positions.copy(), cells)
    unwrap = Unwrapper(np.ones(3, dtype=bool))
    edges = [0, 1, 2, 50, 51, 400]
    parts = [unwrap(positions[a:b].copy(), cells[a:b]) for a, b in pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("quantity", ["positions", "velocities"])
def test_drift_of_all_atoms_is_removed(quantity):
    positions = walk() + np.linspace(0.0, 50.0, 400)[:, None, None] * [1.0, 0.5, -0.3]
    symbols = ["Li"] * 4 + ["I"] * 5
    source = Trajectory.from_arrays(
        wrap(positions, TRICLINIC), symbols=symbols, cell=TRICLINIC, velocities=positions * 1e-3, timestep_fs=1.0
    )
    values = source.series(quantity).atoms(np.arange(9))
    center = np.einsum("n,fna->fa", source.masses / source.masses.sum(), values)
    expected = center[0] if quantity == "positions" else 0.0
    np.testing.assert_allclose(center - expected, 0.0, atol=1e-10)
    kept = source.series(quantity, drift=None).atoms(np.arange(9))
    np.testing.assert_allclose(values[:, 1] - values[:, 2], kept[:, 1] - kept[:, 2], atol=1e-10)


def test_drift_of_a_framework_is_removed():
    positions = walk()
    source = trajectory(positions, TRICLINIC, pbc=False)
    values = source.series(drift=[5, 7]).atoms(np.arange(9))
    expected = positions - displacement(positions[:, [5, 7]].mean(axis=1))[:, None]
    np.testing.assert_allclose(values, expected, atol=1e-10)
    mask = np.isin(np.arange(9), [5, 7])
    np.testing.assert_array_equal(source.series(drift=mask).atoms(np.arange(9)), values)


def test_velocities_of_the_source_are_taken():
    speed = np.random.default_rng(0).normal(size=(20, 9, 3))
    source = trajectory(walk(20), TRICLINIC, velocities=speed)
    np.testing.assert_array_equal(source.series("velocities", drift=None).atoms(np.arange(9)), speed)


def test_velocities_from_positions_of_a_wrapped_vibration():
    """Central differences of sin(w t) are w cos(w t) sin(w dt) / (w dt); the ends are of second order too."""
    times, rate, step = np.arange(200) * 2.0, 0.11, 2.0
    amplitude = np.random.default_rng(0).normal(size=(5, 3))
    center = np.random.default_rng(1).uniform(0.0, 6.0, (5, 3))
    positions = center + amplitude * np.sin(rate * times)[:, None, None]
    source = trajectory(wrap(positions, TRICLINIC), TRICLINIC, timestep_fs=step)
    found = source.series("velocities", drift=None).atoms(np.arange(5))
    exact = rate * amplitude * np.cos(rate * times)[:, None, None]
    np.testing.assert_allclose(found[1:-1], exact[1:-1] * np.sin(rate * step) / (rate * step), atol=1e-12)
    assert np.abs(found - exact)[[0, -1]].max() < np.abs(amplitude).max() * rate * (rate * step) ** 2 / 2.5


@pytest.mark.parametrize("edges", [[0, 9], [0, 1, 9], [0, 1, 2, 3, 9], [0, 5, 8, 9], list(range(10))])
def test_differences_are_exact_for_a_parabola_whatever_the_chunks(edges):
    times = 0.5 * np.arange(9.0)
    values = (3.0 - 2.0 * times + 0.7 * times**2)[:, None, None] * np.ones((1, 2, 3))
    cells = np.arange(9.0)[:, None, None] * np.ones((3, 3))
    parts = [(values[a:b], cells[a:b]) for a, b in pairwise(edges)]
    found, found_cells = zip(*differentiate(parts, 0.5), strict=True)
    np.testing.assert_allclose(np.concatenate(found)[:, 0, 0], -2.0 + 1.4 * times, atol=1e-12)
    np.testing.assert_array_equal(np.concatenate(found_cells), cells)


def test_two_frames_have_one_difference():
    source = trajectory(np.array([[[0.0, 0.0, 0.0]], [[1.0, 2.0, 3.0]]]), np.zeros((3, 3)), pbc=False, timestep_fs=2.0)
    np.testing.assert_array_equal(source.series("velocities", drift=None).atoms([0]), [[[0.5, 1.0, 1.5]]] * 2)


@pytest.mark.parametrize("memory", [0, 3000, 10**9], ids=["disk", "both", "memory"])
def test_disk_and_memory_hold_the_same(memory):
    rng = np.random.default_rng(0)
    values, cells = rng.normal(size=(50, 11, 3)), rng.normal(size=(50, 3, 3))
    edges = [0, 7, 8, 31, 50]
    series = Series(((values[a:b].copy(), cells[a:b]) for a, b in pairwise(edges)), memory=memory)
    assert series.shape == (50, 11, 3)
    np.testing.assert_array_equal(series.cells, cells)
    for chosen in (np.arange(11), [3], [7, 2, -1], np.arange(11) % 2 == 0):
        np.testing.assert_array_equal(series.atoms(chosen), values[:, chosen])
    np.testing.assert_array_equal(series.atoms([]), values[:, :0])
    with pytest.raises(ValueError, match="indices: expected indices from -11 to 10, got 3 to 11"):
        series.atoms([3, 11])


def test_blocks_cover_the_atoms_once_and_are_small(monkeypatch):
    positions = walk(30, 11)
    series = trajectory(positions, TRICLINIC, pbc=False).series(drift=None)
    ((indices, values),) = series.blocks()
    np.testing.assert_array_equal(indices, np.arange(11))
    np.testing.assert_allclose(values, positions, atol=1e-12)
    assert values.nbytes <= BLOCK
    monkeypatch.setattr("ase_mlips.analysis.trajectories.series.BLOCK", 24 * 30 * 2)
    blocks = list(series.blocks([8, 3, 5]))
    assert [list(indices) for indices, _ in blocks] == [[8, 3], [5]]
    for indices, values in blocks:
        np.testing.assert_allclose(values, positions[:, indices], atol=1e-12)
    monkeypatch.setattr("ase_mlips.analysis.trajectories.series.BLOCK", 1)
    assert len(list(series.blocks())) == 11


def test_the_temporary_file_goes_with_the_series(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    series = Series([(np.ones((4, 2, 3)), np.zeros((4, 3, 3)))], memory=0)
    file = series._file
    np.testing.assert_array_equal(series.atoms([1]), np.ones((4, 1, 3)))
    del series
    gc.collect()
    assert file.closed
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"quantity": "forces"}, 'expected "positions" or "velocities", got \'forces\''),
        ({"quantity": "velocities"}, "arrays does not say how far apart its frames are: give timestep_fs="),
        ({"drift": []}, 'drift= must be "all", None or atoms of arrays: .* selection is empty'),
        ({"drift": [99]}, 'drift= must be "all", None or atoms of arrays: expected indices from -9 to 8, got 99'),
        ({"drift": "framework"}, 'drift= must be "all", None or atoms of arrays: there is no framework among Ar'),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        trajectory(walk(5), TRICLINIC).series(**arguments)


def test_one_frame_has_no_velocities():
    with pytest.raises(ValueError, match="one frame has no velocities"):
        trajectory(walk(1), TRICLINIC, timestep_fs=1.0).series("velocities")


@pytest.mark.parametrize("quantity", ["positions", "velocities"])
def test_an_interruption_keeps_what_has_been_read(monkeypatch, quantity):
    """Ctrl-C while frame 7 is read: the analysis of the first seven comes with the exception."""
    rng = np.random.default_rng(0)
    positions, velocities = rng.normal(size=(2, 20, 3, 3)).cumsum(axis=1)
    options = {"symbols": ["Li"] * 3, "cell": 50.0 * np.eye(3), "velocities": velocities, "timestep_fs": 100.0}
    whole = Trajectory.from_arrays(positions, **options)
    chunks = Trajectory.chunks

    def interrupted(self, **wanted):
        for chunk in chunks(self, **wanted):
            if chunk.first == 7:
                raise KeyboardInterrupt
            yield chunk

    monkeypatch.setattr("ase_mlips.analysis.trajectories.trajectory._CHUNK", 1)  # one frame each
    monkeypatch.setattr(Trajectory, "chunks", interrupted)
    analysis = mean_squared_displacement if quantity == "positions" else vacf
    with pytest.raises(Interrupted) as caught:
        analysis(whole)
    monkeypatch.undo()
    first = analysis(Trajectory.from_arrays(positions[:7], **{**options, "velocities": velocities[:7]}))
    assert caught.value.frames == 7
    np.testing.assert_array_equal(caught.value.result.total, first.total)


@pytest.mark.parametrize(("movers", "warned"), [(2, False), (3, True)])
def test_too_many_far_moves_are_warned_of_once(movers, warned):
    positions = np.zeros((5, 250, 3))
    positions[2:, :movers, 1] = 0.36 * 7.0
    positions[4:, :movers, 0] = 0.4 * 5.0
    walk = trajectory(positions, np.diag([5.0, 7.0, 9.0]))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        walk.series(drift=None)
    said = [str(warning.message) for warning in caught]
    assert len(said) == warned
    assert all("1% of the atoms move by more than 0.35 of the cell from frame 1 to the next" in text for text in said)

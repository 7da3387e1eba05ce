"""Van Hove functions of free walkers and of a crystal."""

import numpy as np
import pytest
from ase.build import bulk
from ase_mlips.analysis.diffusion.van_hove import VanHove, van_hove
from ase_mlips.analysis.trajectories.trajectory import Trajectory
from scipy.special import erf
from support.walkers import brownian, trajectory


def test_free_walkers_spread_as_a_gaussian():
    d, times = 0.25, np.array([1.0, 4.0])
    edges = np.linspace(0.0, 8.0, 33)
    result = van_hove(trajectory(brownian(0, 400, 200, d=d)), times, edges=edges, drift=None)
    np.testing.assert_allclose(result.times, times)
    for time, own in zip(times, result.own, strict=True):
        width = np.sqrt(2.0 * d * time)
        x = edges / (np.sqrt(2.0) * width)
        inside = erf(x) - 2.0 / np.sqrt(np.pi) * x * np.exp(-(x**2))  # Maxwell's distribution of distances
        share = own * 4.0 / 3.0 * np.pi * np.diff(edges**3)
        sigma = np.sqrt(np.diff(inside) / (200 * 400 / time))
        assert np.all(np.abs(share - np.diff(inside)) < 5.0 * sigma + 1e-5)
        assert share.sum() == pytest.approx(inside[-1], abs=1e-4)


@pytest.mark.filterwarnings("ignore:.*too far apart:RuntimeWarning")
def test_strangers_are_everywhere():
    x = np.random.default_rng(1).uniform(0.0, 20.0, size=(200, 60, 3))
    result = van_hove(trajectory(x), [0.0, 3.0], edges=[0.0, 3.0, 6.0, 9.9, 11.0], drift=None)
    pairs = 200 * 60 * 59 * 4.0 / 3.0 * np.pi * np.diff(np.array([0.0, 3.0, 6.0, 9.9]) ** 3) / 8000.0
    np.testing.assert_allclose(result.distinct[:, :3], 1.0, atol=5.0 * np.sqrt(2.0 / pairs.min()))
    assert np.isnan(result.distinct[:, 3]).all()  # beyond half the cell


def test_a_crystal_at_rest_keeps_its_shells():
    atoms = bulk("Cu", cubic=False).repeat(4)  # a slanted cell
    still = Trajectory.from_arrays(
        np.repeat(atoms.positions[None], 3, axis=0),
        symbols=atoms.get_chemical_symbols(),
        cell=atoms.cell.array,
        timestep_fs=500.0,
    )
    result = van_hove(still, 1.0, edges=[0.0, 1.0, 2.7, 3.7])
    density = 63 / atoms.cell.volume
    np.testing.assert_allclose(
        result.distinct[0] * density * 4.0 / 3.0 * np.pi * np.diff([0, 1, 2.7**3, 3.7**3]), [0, 12, 6]
    )
    assert result.own[0] == pytest.approx([3.0 / (4.0 * np.pi), 0.0, 0.0])


def test_kept_in_a_file_and_drawn(tmp_path):
    result = van_hove(trajectory(brownian(2, 30, 5)), [1.0, 2.0], atoms=[0, 2])
    result.save(tmp_path / "hove.npz")
    again = VanHove.load(tmp_path / "hove.npz")
    np.testing.assert_array_equal(again.own, result.own)
    np.testing.assert_array_equal(again.distinct, result.distinct)
    assert len(result.plot().get_lines()) == 4


def test_no_distinct_part_without_a_cell():
    cluster = Trajectory.from_arrays(
        brownian(0, 20, 3), symbols=["Li"] * 3, cell=np.zeros((3, 3)), pbc=False, timestep_fs=1000.0
    )
    result = van_hove(cluster, 1.0)
    assert np.isnan(result.distinct).all()
    assert result.own.max() > 0.0


@pytest.mark.parametrize(
    ("times", "options", "message"),
    [
        ([1.0, 30.0], {}, "times_ps from 1 to 29 ps"),
        ([-1.0], {}, "times_ps from 1 to 29 ps"),
        ([1.0], {"edges": [0.0]}, "at least two edges that ascend"),
        ([1.0], {"edges": [0.0, 2.0, 1.0]}, "at least two edges that ascend"),
        ([1.0], {"edges": [-1.0, 2.0]}, "at least two edges that ascend"),
        ([1.0], {"atoms": "Na"}, "there is no Na"),
    ],
)
def test_bad_input(times, options, message):
    with pytest.raises(ValueError, match=message):
        van_hove(trajectory(brownian(0, 30, 2)), times, **options)

"""Mean squared displacements against their definition."""

from importlib import import_module

import numpy as np
import pytest
from ase_mlips.analysis.correlation import squared_displacements
from ase_mlips.analysis.diffusion.diffusion import average
from ase_mlips.analysis.diffusion.msd import MSD, mean_squared_displacement
from support.walkers import brownian, trajectory


def direct(positions, lags):
    """Windowed squared displacements, summed over atoms, (lags + 1, 3), as they are defined."""
    frames = len(positions)
    return np.array(
        [np.sum((positions[k:] - positions[: frames - k]) ** 2, axis=(0, 1)) / (frames - k) for k in range(lags + 1)]
    )


@pytest.mark.parametrize(("frames", "atoms", "lags"), [(2, 1, 1), (17, 5, 16), (64, 3, 20), (301, 40, 300)])
def test_squared_displacements_are_the_direct_sums(frames, atoms, lags):
    x = brownian(1, frames, atoms) + 50.0
    np.testing.assert_allclose(squared_displacements(x, max_lag=lags), direct(x, lags), rtol=1e-9)


def test_blocks_of_columns_change_nothing(monkeypatch):
    x = brownian(2, 50, 7)
    whole = squared_displacements(x)
    monkeypatch.setattr(import_module("ase_mlips.analysis.correlation"), "_BLOCK", 1)
    monkeypatch.setattr(import_module("ase_mlips.analysis.correlation"), "_TILE", 7)
    np.testing.assert_allclose(squared_displacements(x), whole, rtol=1e-12)


@pytest.fixture
def mixture():
    x = brownian(3, 120, 9, d=0.05)
    x[:, 4:] *= [1.0, 2.0, 0.5]
    return x, trajectory(x, symbols=["Li"] * 4 + ["Cl"] * 5, timestep_fs=20.0)


def test_species_directions_and_sums_of_atoms(mixture):
    x, source = mixture
    msd = mean_squared_displacement(source, drift=None, max_lag_ps=1.0)
    assert msd.symbols == ("Li", "Cl")
    np.testing.assert_array_equal(msd.counts, [4, 5])
    np.testing.assert_allclose(msd.times, 0.02 * np.arange(51))
    for k, atoms in enumerate((slice(0, 4), slice(4, 9))):
        part = x[:, atoms]
        np.testing.assert_allclose(msd.directional[k], direct(part, 50) / part.shape[1], rtol=1e-9)
        together = direct(part.sum(axis=1)[:, None], 50) / part.shape[1]
        np.testing.assert_allclose(msd.collective[k], together, rtol=1e-9)
    np.testing.assert_allclose(msd.total, direct(x, 50).sum(axis=1) / 9, rtol=1e-9)
    np.testing.assert_allclose(msd.partials["Cl"], msd.directional[1].sum(axis=1))


def test_spreads_are_the_variances_of_the_squares(mixture):
    x, source = mixture
    msd = mean_squared_displacement(source, drift=None)
    lag = int(msd.sampled_lags[4])
    squares = (x[lag:, 4:] - x[:-lag, 4:]) ** 2
    np.testing.assert_allclose(msd.spreads[1, 4, :3], squares.var(axis=(0, 1)))
    np.testing.assert_allclose(msd.spreads[1, 4, 3], squares.sum(axis=2).var())


def test_the_centre_of_mass_stays_where_it_is(mixture):
    x, source = mixture
    moving = trajectory(x + 0.1 * np.arange(120)[:, None, None], symbols=source.symbols, timestep_fs=20.0)
    resting, moved = mean_squared_displacement(source), mean_squared_displacement(moving)
    np.testing.assert_allclose(moved.directional, resting.directional, rtol=1e-8)
    assert mean_squared_displacement(moving, drift=None).total[-1] > 2.0 * moved.total[-1]


@pytest.mark.parametrize("atoms", ["Cl", [4, 5, 6, 7, -1], np.arange(9) > 3])
def test_selections(mixture, atoms):
    _, source = mixture
    whole, part = mean_squared_displacement(source), mean_squared_displacement(source, atoms=atoms)
    assert part.symbols == ("Cl",)
    np.testing.assert_allclose(part.total, whole.partials["Cl"], rtol=1e-12)


def test_average_is_that_of_the_runs(mixture):
    _, source = mixture
    one = mean_squared_displacement(source)
    other = mean_squared_displacement(trajectory(brownian(8, 120, 9), symbols=source.symbols, timestep_fs=20.0))
    both = average([one, other])
    assert both.runs == 2
    np.testing.assert_allclose(both.total, 0.5 * (one.total + other.total))
    np.testing.assert_allclose(average([both, one]).total, (2.0 * one.total + other.total) / 3.0)
    with pytest.raises(ValueError, match="same atoms at the same times"):
        average([one, mean_squared_displacement(source, max_lag_ps=0.4)])


def test_kept_in_a_file_and_drawn(mixture, tmp_path):
    msd = mean_squared_displacement(mixture[1])
    msd.save(tmp_path / "msd.npz")
    again = MSD.load(tmp_path / "msd.npz")
    assert (again.symbols, again.frames, again.runs) == (msd.symbols, 120, 1)
    np.testing.assert_array_equal(again.directional, msd.directional)
    ax = msd.plot()
    assert [line.get_label() for line in ax.get_lines()] == ["total", "Li", "Cl"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"atoms": []}, "atoms: .* selection is empty"),
        ({"atoms": np.zeros(9, dtype=bool)}, "atoms: .* selection is empty"),
        ({"atoms": [9]}, "atoms: expected indices from -9 to 8, got 9 to 9"),
        ({"atoms": [0.5]}, "atoms: expected indices of atoms or a mask of 9 atoms"),
        ({"atoms": "Na"}, "atoms: there is no Na among Cl, Li"),
        ({"max_lag_ps": 0.0}, "max_lag_ps from 0.02 to 2.38 ps"),
        ({"max_lag_ps": 3.0}, "max_lag_ps from 0.02 to 2.38 ps"),
        ({"max_lag_ps": np.nan}, "max_lag_ps from 0.02 to 2.38 ps"),
    ],
)
def test_bad_input(mixture, options, message):
    with pytest.raises(ValueError, match=message):
        mean_squared_displacement(mixture[1], **options)


def test_one_frame_no_time_step_and_not_a_number():
    with pytest.raises(ValueError, match="at least 2 frames"):
        mean_squared_displacement(trajectory(brownian(0, 1, 2)))
    with pytest.raises(ValueError, match="timestep_fs="):
        mean_squared_displacement(trajectory(brownian(0, 5, 2), timestep_fs=None))
    x = brownian(0, 5, 2)
    x[3, 1, 2] = np.nan
    with pytest.raises(ValueError, match="frame 3"):
        mean_squared_displacement(trajectory(x))

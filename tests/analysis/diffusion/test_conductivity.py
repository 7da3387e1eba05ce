"""Ionic conductivity of ions that move alone, together and against each other."""

import numpy as np
import pytest
from ase_mlips.analysis.diffusion.conductivity import Conductivity, ionic_conductivity
from ase_mlips.analysis.diffusion.diffusion import average
from ase_mlips.analysis.formatting import with_error
from ase_mlips.analysis.trajectories.trajectory import Trajectory
from support.walkers import brownian, hopping, rattling, trajectory

UNIT = 1.85925e7  # S/m of 1 e^2 A^2/ps / (A^3 K)


def test_ions_that_move_alone_have_a_haven_ratio_of_one():
    runs = [
        ionic_conductivity(trajectory(brownian(seed)), {"Li": 1.0}, temperature=300.0, drift=None) for seed in range(12)
    ]
    expected = UNIT * 64 * 0.25 / (8000.0 * 300.0)
    for run in runs[:2]:
        assert abs(run.nernst_einstein - expected) < 3.0 * run.nernst_einstein_error < 0.05 * expected
        assert abs(run.collective - expected) < 3.0 * run.collective_error < 0.5 * expected
        assert abs(run.haven - 1.0) < 3.0 * run.haven_error
    mean = average(runs)
    assert mean.runs == 12
    assert abs(mean.collective - expected) < 3.0 * mean.collective_error
    assert abs(mean.haven - 1.0) < 3.0 * mean.haven_error < 0.15


def test_errors_cover_the_truth_for_rare_hops():
    expected = UNIT * 20 * 0.0075 / (8000.0 * 300.0)
    z, ratios = [], []
    for seed in range(60):
        one = ionic_conductivity(trajectory(hopping(seed, 1500, 20)), {"Li": 1.0}, temperature=300.0, drift=None)
        if one.verdicts == ("too short",):
            continue
        z.append((one.collective - expected) / one.collective_error)
        ratios.append((one.haven - 1.0) / one.haven_error)
    assert len(z) > 45
    for deviations in (z, ratios):
        assert np.mean(np.abs(deviations) < 3.0) >= 0.95
    assert 0.65 < np.std(z) < 1.35  # 1 within nearly four of its own errors, 1 / sqrt(120)
    assert np.std(ratios) < 1.35  # smaller: the same hops make both conductivities


def test_charges_count_squared_and_species_add_up():
    x = brownian(3, 1000, 30)
    source = trajectory(x, symbols=["Li"] * 20 + ["Mg"] * 10)
    both = ionic_conductivity(source, {"Li": 1.0, "Mg": 2.0}, temperature=500.0, drift=None)
    expected = UNIT * (20 + 4 * 10) * 0.25 / (8000.0 * 500.0)
    assert abs(both.nernst_einstein - expected) < 3.0 * both.nernst_einstein_error < 0.1 * expected
    only = ionic_conductivity(source, {"Mg": 2.0}, temperature=500.0, drift=None)
    rest = ionic_conductivity(source, {"Li": 1.0}, temperature=500.0, drift=None)
    assert both.nernst_einstein == pytest.approx(only.nernst_einstein + rest.nernst_einstein)
    np.testing.assert_allclose(both.independent_curve, only.independent_curve + rest.independent_curve)


def test_ions_in_pairs():
    x = np.repeat(brownian(4, 2000, 20), 2, axis=1)  # each walker twice
    symbols = ["Li", "F"] * 20
    likes = ionic_conductivity(trajectory(x, symbols=["Li"] * 40), {"Li": 1.0}, temperature=300.0, drift=None)
    assert abs(likes.haven - 0.5) < 3.0 * likes.haven_error
    neutral = ionic_conductivity(trajectory(x, symbols=symbols), {"Li": 1.0, "F": -1.0}, temperature=300.0, drift=None)
    assert (neutral.collective, neutral.collective_error) == (0.0, 0.0)
    assert np.isnan(neutral.haven)
    held = ionic_conductivity(trajectory(x[:, ::2]), {"Li": 1.0}, temperature=300.0, drift=[*range(20)])
    assert held.collective == 0.0 < held.nernst_einstein  # one kind of atom whose centre of mass is held
    assert np.isnan(average([held, held]).haven)


@pytest.fixture(scope="module")
def conductor():
    """Lithium ions among a heavy framework that moves the other way; relative to it D is 0.05 A^2/ps."""
    ions, framework = brownian(0, 1500, 20, d=0.05), rattling(1, 1500, 10, width=0.15)
    source = trajectory(np.concatenate([ions, framework], axis=1), symbols=["Li"] * 20 + ["S"] * 10)
    positions = np.concatenate([ions, framework], axis=1)
    positions -= np.einsum("n,fna->fa", source.masses / source.masses.sum(), positions)[:, None]
    return trajectory(positions, symbols=source.symbols), UNIT * 20 * 0.05 / (8000.0 * 300.0)


def test_charges_that_do_not_sum_to_zero_are_counted_relative_to_the_framework(conductor):
    source, expected = conductor
    own = ionic_conductivity(source, {"Li": 1.0}, temperature=300.0)
    given = ionic_conductivity(source, {"Li": 1.0}, temperature=300.0, drift="S")
    with pytest.warns(UserWarning, match="sum to 20 e over the cell.* frame of reference, .* drift= the symbol"):
        dragged = ionic_conductivity(source, {"Li": 1.0}, temperature=300.0, drift="all")
    assert abs(own.nernst_einstein - expected) < 3.0 * own.nernst_einstein_error < 0.2 * expected
    assert abs(own.collective - expected) < 3.0 * own.collective_error < expected
    np.testing.assert_allclose(own.collective, given.collective, rtol=1e-6)
    # The light ions hold 30 % of the mass, whose centre stays where it is.
    share = 20 * 6.94 / (20 * 6.94 + 10 * 32.06)
    np.testing.assert_allclose(dragged.collective, (1.0 - share) ** 2 * own.collective, rtol=0.02)


def test_ions_that_do_not_diffuse_do_not_count(conductor):
    source, _ = conductor
    own = ionic_conductivity(source, {"Li": 1.0}, temperature=300.0)
    both = ionic_conductivity(source, {"Li": 1.0, "S": -2.0}, temperature=300.0)
    assert both.verdicts == ("diffuses", "does not diffuse")
    assert (both.nernst_einstein, both.collective) == (own.nernst_einstein, own.collective)
    assert 0.0 < both.bound < 0.2 * both.nernst_einstein
    assert own.bound == 0.0
    # Charges that sum to zero have the same current in any frame of reference.
    by_mass = ionic_conductivity(source, {"Li": 1.0, "S": -2.0}, temperature=300.0, drift="all")
    np.testing.assert_allclose(by_mass.collective, own.collective, rtol=0.02)
    rest = ionic_conductivity(source, {"S": -2.0}, temperature=300.0)
    assert np.isnan([rest.nernst_einstein, rest.collective, rest.haven]).all()
    assert rest.bound == both.bound
    assert "S: does not diffuse" in repr(rest)


def test_no_conductivity_from_a_run_that_is_too_short():
    source = trajectory(brownian(0, 60, 10, d=0.002), symbols=["Li"] * 10)
    short = ionic_conductivity(source, {"Li": 1.0}, temperature=300.0, drift=None)
    assert short.verdicts == ("too short",)
    assert np.isnan([short.nernst_einstein, short.nernst_einstein_error, short.collective]).all()
    given = ionic_conductivity(source, {"Li": 1.0}, temperature=300.0, drift=None, window_ps=(2.0, 20.0))
    assert np.isfinite([given.nernst_einstein, given.collective]).all()


def test_kept_in_a_file_and_drawn(tmp_path):
    one = ionic_conductivity(trajectory(brownian(5, 300, 6)), {"Li": 1.0}, temperature=300.0, drift=None)
    one.save(tmp_path / "sigma.npz")
    again = Conductivity.load(tmp_path / "sigma.npz")
    assert (again.haven, again.collective, again.symbols) == (one.haven, one.collective, ("Li",))
    assert f"Nernst-Einstein {with_error(one.nernst_einstein, one.nernst_einstein_error)} S/m" in repr(again)
    assert len(one.plot().get_lines()) == 2
    other = ionic_conductivity(trajectory(brownian(5, 300, 6)), {"Li": 1.0}, temperature=400.0, drift=None)
    with pytest.raises(ValueError, match="same ions at the same temperature"):
        average([one, other])


@pytest.mark.parametrize(
    ("charges", "options", "message"),
    [
        ({"Na": 1.0}, {"temperature": 300.0}, "there is no Na among Li"),
        ({}, {"temperature": 300.0}, "finite charges of at least one species"),
        ({"Li": 0.0}, {"temperature": 300.0}, "not all zero"),
        ({"Li": np.nan}, {"temperature": 300.0}, "finite charges"),
        ({"Li": 1.0}, {"temperature": 0.0}, "positive temperature in K"),
        ({"Li": 1.0}, {"temperature": 300.0, "window_ps": (5.0, 400.0)}, "at least 3 lags within"),
    ],
)
def test_bad_input(charges, options, message):
    with pytest.raises(ValueError, match=message):
        ionic_conductivity(trajectory(brownian(0, 100, 3)), charges, drift=None, **options)


def test_no_cell_and_too_few_frames():
    cluster = Trajectory.from_arrays(
        brownian(0, 20, 2), symbols=["Li"] * 2, cell=np.zeros((3, 3)), pbc=False, timestep_fs=1.0
    )
    with pytest.raises(ValueError, match="cell with three vectors"):
        ionic_conductivity(cluster, {"Li": 1.0}, temperature=300.0)
    with pytest.raises(ValueError, match="at least 4 frames"):
        ionic_conductivity(trajectory(brownian(0, 3, 2)), {"Li": 1.0}, temperature=300.0)

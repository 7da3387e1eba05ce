"""Activation energies of known barriers."""

import numpy as np
import pytest
from ase import units
from ase_mlips.analysis.diffusion.arrhenius import Arrhenius, arrhenius
from ase_mlips.analysis.diffusion.diffusion import Diffusion, einstein_diffusion
from ase_mlips.analysis.diffusion.msd import mean_squared_displacement
from ase_mlips.analysis.formatting import with_error
from support.walkers import brownian, trajectory


def law(t, energy=0.25, prefactor=2e-3):
    return prefactor * np.exp(-energy / (units.kB * np.asarray(t)))


def test_two_temperatures_give_the_barrier_exactly():
    t = np.array([500.0, 800.0])
    fit = arrhenius(t, law(t), errors=0.02 * law(t))
    assert fit.activation_energy == pytest.approx(0.25, rel=1e-12)
    assert fit.prefactor == pytest.approx(2e-3, rel=1e-11)
    slope = units.kB / (1.0 / 500.0 - 1.0 / 800.0)
    assert fit.activation_energy_error == pytest.approx(np.sqrt(2.0) * 0.02 * slope)
    value, error = fit.extrapolate(500.0)
    assert (value, error) == pytest.approx((law(500.0), 0.02 * law(500.0)))


def test_errors_cover_the_truth():
    rng = np.random.default_rng(0)
    t = np.linspace(400.0, 1000.0, 6)
    relative = np.array([0.2, 0.1, 0.05, 0.05, 0.02, 0.02])
    z, outside = [], []
    for _ in range(400):
        values = law(t) * np.exp(relative * rng.normal(size=6))
        fit = arrhenius(t, values, errors=relative * values)
        value, error = fit.extrapolate(300.0)
        z.append((fit.activation_energy - 0.25) / fit.activation_energy_error)
        outside.append(np.log(value / law(300.0)) / (error / value))
    for deviations in (z, outside):
        assert abs(np.mean(deviations)) < 3.0 / np.sqrt(400)
        assert np.std(deviations) == pytest.approx(1.0, abs=3.0 / np.sqrt(800))


def test_without_errors_the_scatter_gives_them():
    rng = np.random.default_rng(1)
    t = np.linspace(400.0, 1000.0, 20)
    fits = [arrhenius(t, law(t) * np.exp(0.1 * rng.normal(size=20))) for _ in range(200)]
    deviation = np.std([fit.activation_energy for fit in fits])
    assert np.mean([fit.activation_energy_error for fit in fits]) == pytest.approx(deviation, rel=0.2)


def test_walkers_over_a_barrier():
    t = np.array([500.0, 700.0, 1000.0])
    rates = law(t, energy=0.1, prefactor=1.0)
    results = [
        einstein_diffusion(mean_squared_displacement(trajectory(brownian(k, 1000, 20, d=rate)), drift=None))
        for k, rate in enumerate(rates)
    ]
    fit = arrhenius(t, results)
    assert abs(fit.activation_energy - 0.1) < 3.0 * fit.activation_energy_error < 0.015
    assert abs(fit.prefactor - 1e-4) < 3.0 * fit.prefactor_error
    np.testing.assert_array_equal(fit.errors, [result.errors[0] for result in results])
    with pytest.raises(ValueError, match="no Na among Li"):
        arrhenius(t, results, symbol="Na")
    mixed = trajectory(brownian(0, 50, 2), symbols=["Li", "Na"])
    results[0] = einstein_diffusion(mean_squared_displacement(mixed))
    with pytest.raises(ValueError, match="give symbol= one of Li, Na"):
        arrhenius(t, results)


def test_kept_in_a_file_and_drawn(tmp_path):
    t = np.array([500.0, 600.0, 800.0])
    for fit in (arrhenius(t, law(t), errors=0.1 * law(t)), arrhenius(t, law(t))):
        fit.save(tmp_path / "arrhenius.npz")
        again = Arrhenius.load(tmp_path / "arrhenius.npz")
        assert again.extrapolate(300.0) == fit.extrapolate(300.0)
        ax = fit.plot()
        assert ax.get_yscale() == "log"
        ax.figure.clear()


@pytest.mark.parametrize(
    ("t", "values", "errors", "message"),
    [
        ([500.0], [1e-5], [1e-6], "at least 2 different temperatures"),
        ([500.0, 500.0], [1e-5, 1e-5], [1e-6, 1e-6], "at least 2 different temperatures"),
        ([500.0, 600.0], [1e-5, 2e-5], None, "at least 3 different temperatures"),
        ([500.0, 600.0], [1e-5, -2e-5], [1e-6, 1e-6], "2 positive coefficients"),
        ([500.0, 0.0], [1e-5, 2e-5], [1e-6, 1e-6], "2 positive temperatures"),
        ([500.0, 600.0], [1e-5, 2e-5], [1e-6], "2 positive errors"),
    ],
)
def test_bad_input(t, values, errors, message):
    with pytest.raises(ValueError, match=message):
        arrhenius(t, values, errors=errors)


def test_no_extrapolation_to_zero():
    fit = arrhenius([500.0, 600.0], [1e-5, 2e-5], errors=[1e-6, 1e-6])
    with pytest.raises(ValueError, match="positive temperature"):
        fit.extrapolate(0.0)


def result(d, bound=np.nan):
    """Lithium with a coefficient in cm^2/s, known to 5 %, or with an upper limit of it, or neither."""
    verdict = "diffuses" if np.isfinite(d) else "does not diffuse" if np.isfinite(bound) else "too short"
    nothing = np.full((1, 2), np.nan)
    return Diffusion(
        "Einstein", ("Li",), np.array([d]), np.array([0.05 * d]), np.arange(3.0), np.zeros((1, 3)), None, nothing,
        np.zeros(1), (verdict,), np.array([bound]),
    )  # fmt: skip


def test_temperatures_without_a_coefficient_are_left_out():
    t = np.array([300.0, 400.0, 500.0, 600.0, 800.0])
    results = [result(np.nan, 1e-6), result(np.nan), *(result(law(x)) for x in t[2:])]
    with pytest.warns(
        UserWarning, match=r"left out of the fit: 300 K \(Li does not diffuse: D < 1e-6 .* 400 K .*short"
    ):
        fit = arrhenius(t, results)
    np.testing.assert_array_equal(fit.temperatures, t[2:])
    assert fit.activation_energy == pytest.approx(0.25)
    assert len(fit.left_out) == 2
    assert "left out: 300 K (Li does not diffuse" in repr(fit)
    assert f"activation energy {with_error(fit.activation_energy, fit.activation_energy_error)} eV" in repr(fit)


def test_a_fit_above_the_limit_of_what_was_left_out_says_so():
    results = [result(np.nan, 0.1 * law(400.0)), result(law(500.0)), result(law(800.0))]
    with pytest.warns(UserWarning, match="the fit is above that limit at 400 K"):
        arrhenius([400.0, 500.0, 800.0], results)


def test_too_few_temperatures_with_a_coefficient():
    with pytest.raises(ValueError, match=r"at least 2 different temperatures, got 1; left out: 300 K \(Li: too short"):
        arrhenius([300.0, 500.0], [result(np.nan), result(1e-5)])

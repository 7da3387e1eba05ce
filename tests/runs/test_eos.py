"""Equations of state: against ASE's fit, elastic constants and noise of a known size."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.calculator import CalculationFailed
from ase.calculators.emt import EMT
from ase.eos import EquationOfState as ASEFit
from support.without_stress import WithoutStress

from ase_mlips import SNAP
from ase_mlips.phonons import relax
from ase_mlips.runs import EOSRun, EquationOfState, elastic_constants, equation_of_state, fit_birch_murnaghan

VOLUMES = np.linspace(38.0, 43.5, 11)


def curve(volumes, e0=-10.0, v0=40.9, b0=88.0, derivative=4.3):
    """Birch's energies, written as he did, in the strain f."""
    f = 0.5 * ((v0 / volumes) ** (2.0 / 3.0) - 1.0)
    return e0 + 4.5 * b0 * units.GPa * v0 * f**2 * (1.0 + (derivative - 4.0) * f)


def test_a_curve_of_this_kind_is_found_exactly():
    found = fit_birch_murnaghan(VOLUMES, curve(VOLUMES))
    parameters = found.energy, found.volume, found.bulk_modulus, found.bulk_modulus_derivative
    assert parameters == pytest.approx((-10.0, 40.9, 88.0, 4.3), rel=1e-8)
    assert found.residual < 1e-12
    assert found.energy_at(VOLUMES) == pytest.approx(curve(VOLUMES), abs=1e-12)


def test_pressure_is_the_slope_of_the_energy():
    found = fit_birch_murnaghan(VOLUMES, curve(VOLUMES))
    slope = (found.energy_at(VOLUMES + 1e-3) - found.energy_at(VOLUMES - 1e-3)) / 2e-3
    assert found.pressure_at(VOLUMES) == pytest.approx(-slope / units.GPa, abs=1e-6)


def test_silicon_as_ase_fits_it():
    found = equation_of_state(bulk("Si", a=5.47), SNAP.embedded("Si"), relax="none")
    volume, energy, modulus = ASEFit(found.volumes, found.energies, eos="birchmurnaghan").fit()
    assert (found.volume, found.energy) == pytest.approx((volume, energy), rel=1e-5)
    assert found.bulk_modulus == pytest.approx(modulus / units.GPa, rel=1e-5)


@pytest.mark.parametrize(("element", "a"), [("Si", 5.47), ("Mo", 3.168)])
def test_the_bulk_modulus_is_that_of_the_elastic_constants_within_its_error(element, a):
    calc = SNAP.embedded(element)
    expected = elastic_constants(bulk(element, a=a), calc).hill.bulk
    found = equation_of_state(bulk(element, a=a), calc, relax="none")
    assert abs(found.bulk_modulus - expected) < 2.0 * found.errors[2]
    narrow = equation_of_state(bulk(element, a=a), calc, volume_change=0.005, relax="none")
    assert narrow.bulk_modulus == pytest.approx(expected, abs=0.1)
    assert narrow.errors[2] < 0.1


def test_errors_cover_noise():
    """Of 200 fits to energies with noise; 68 % were expected of normal errors, 65 % with seven degrees of freedom."""
    rng, truth = np.random.default_rng(0), (-10.0, 40.9, 88.0, 4.3)
    hits = np.zeros(4)
    for _ in range(200):
        found = fit_birch_murnaghan(VOLUMES, curve(VOLUMES) + rng.normal(scale=1e-4, size=11))
        parameters = found.energy, found.volume, found.bulk_modulus, found.bulk_modulus_derivative
        hits += np.abs(np.subtract(parameters, truth)) < found.errors
    assert (hits / 200 > 0.58).all()
    assert (hits / 200 < 0.97).all()


def test_the_shape_of_a_hexagonal_cell_is_relaxed():
    """At constant volume the ratio of the axes finds its own value, which the bulk modulus of Reuss belongs to."""
    crystal = relax(bulk("Cu", "hcp", a=2.56, c=4.18), EMT()).atoms
    reuss = elastic_constants(crystal, EMT(), relax="none", strain=1e-3).reuss.bulk
    found = equation_of_state(crystal, EMT(), volume_change=0.01, points=7, fmax=1e-5)
    assert found.bulk_modulus == pytest.approx(reuss, abs=0.15)
    fixed = equation_of_state(crystal, EMT(), volume_change=0.01, points=7, relax="none")
    assert fixed.energies[0] - found.energies[0] > 1e-10  # with larger forces no shape has to change


def test_a_calculator_without_stress():
    """Diamond strained along an axis, so that both the shape and the positions have to move back."""
    crystal, calc = bulk("Si", a=5.47), SNAP.embedded("Si")
    crystal.set_cell(crystal.cell.array @ np.diag([1.0, 1.0, 1.01]), scale_atoms=True)
    with_it, without = (equation_of_state(crystal, potential, points=5) for potential in (calc, WithoutStress(calc)))
    assert without.energies == pytest.approx(with_it.energies, abs=1e-7)


def test_a_minimum_outside_of_the_range_is_said():
    with pytest.warns(UserWarning, match=r"changed by -\d.* %, is outside of the range of 4 %: begin with"):
        found = equation_of_state(bulk("Si", a=5.6), SNAP.embedded("Si"), relax="positions")
    assert not found.within_range
    assert "outside" in found.facts()["minimum"]


def test_energies_without_a_minimum_are_refused():
    with pytest.raises(ValueError, match="no minimum"):
        fit_birch_murnaghan(VOLUMES, -((VOLUMES - 40.0) ** 2))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"volume_change": 1.0}, "volume_change: expected a positive number below 1, got 1.0"),
        ({"points": 4}, "points: expected an integer of at least 5, got 4"),
        ({"points": 7.0}, "points: expected an integer"),
        ({"relax": "cell"}, "relax: expected 'shape' or"),
        ({"fmax": "small"}, "fmax: expected a finite number, got 'small'"),
        ({"steps": True}, "steps: expected an integer"),
    ],
)
def test_settings_that_mean_nothing(fields, message):
    with pytest.raises(ValueError, match=message):
        EOSRun(**fields)


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        (Atoms("Si2", [[0, 0, 0], [0, 0, 2.3]]), "an equation of state needs a crystal that is periodic"),
        (Atoms("Si", pbc=True), "an equation of state needs a cell of three vectors"),
        (Atoms(cell=np.eye(3), pbc=True), "an equation of state needs a structure with atoms"),
    ],
)
def test_what_is_no_crystal(atoms, message):
    with pytest.raises(ValueError, match=message):
        equation_of_state(atoms, SNAP.embedded("Si"))


def test_settings_or_fields_but_not_both():
    with pytest.raises(TypeError, match="either settings or points"):
        equation_of_state(bulk("Si"), EMT(), EOSRun(), points=5)
    with pytest.raises(TypeError, match="expected settings of class EOSRun"):
        equation_of_state(bulk("Si"), EMT(), {"points": 5})


def test_an_energy_that_is_not_finite():
    calc = WithoutStress(EMT())
    calc.factor = np.nan
    with pytest.raises(CalculationFailed, match="energy that is not finite"):
        equation_of_state(bulk("Cu"), calc, relax="none")


def test_the_result_is_kept_and_drawn(tmp_path):
    found = fit_birch_murnaghan(VOLUMES, curve(VOLUMES), "Si2", 2)
    found.save(tmp_path / "eos.npz")
    again = EquationOfState.load(tmp_path / "eos.npz")
    assert repr(again) == repr(found)
    assert found.plot().get_xlabel() == "volume (Å$^3$ / atom)"
    assert {len(column) for column in found.columns().values()} == {11}

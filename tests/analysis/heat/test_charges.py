"""The heat flux of NEP models with charges: exact for fixed charges, and what is said where charges change."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms, units
from ase.md.verlet import VelocityVerlet
from support.nep_models import synthetic_nep_models

from ase_mlips import NEP
from ase_mlips.nep import NepModel

SAID = "heat flux of a nep4_charge. model is not exact: charges that change with their surroundings"


def with_fixed_charges(model: NepModel) -> NepModel:
    """Half of the neurons give the energy, the others, which see no descriptors, a charge of each element."""
    w0, charge = model.network.w0.copy(), model.network.charge.copy()
    w0[:, 5:], charge[:, :5] = 0.0, 0.0
    return replace(model, network=replace(model.network, w0=w0, charge=charge))


def cluster(model: NepModel) -> Atoms:
    """27 moving atoms in the middle of a cell of 60 A."""
    rng = np.random.default_rng(1)
    positions = 2.6 * np.array(list(np.ndindex(3, 3, 3))) + rng.normal(scale=0.1, size=(27, 3))
    atoms = Atoms([model.elements[k % 2] for k in range(27)], positions, cell=[60.0, 60.0, 60.0], pbc=True)
    atoms.center()
    atoms.set_velocities(np.sqrt(units.kB * 600.0 / atoms.get_masses())[:, None] * rng.normal(size=(27, 3)))
    atoms.calc = NEP(model)
    return atoms


def deviation(atoms: Atoms) -> float:
    """How far the flux is from the time derivative of sum_i r_i E_i along velocity Verlet steps, relative."""

    def moment(step: float) -> np.ndarray:
        moved = atoms.copy()
        moved.calc = atoms.calc
        VelocityVerlet(moved, step).run(1)
        kinetic = 0.5 * moved.get_masses() * (moved.get_velocities() ** 2).sum(axis=1)
        return (kinetic + moved.get_potential_energies()) @ moved.positions

    step = 0.04 * units.fs
    coarse, fine = ((moment(h) - moment(-h)) / (2.0 * h) for h in (step, 0.5 * step))
    expected = (4.0 * fine - coarse) / 3.0
    return float(np.abs(atoms.calc.get_heat_flux(atoms) - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize(("mode", "tolerance"), [(3, 1e-7), (1, 1e-5), (2, 1e-5)])
def test_the_flux_of_fixed_charges_is_exact(mode, tolerance):
    """Of mode 3 to rounding; the reciprocal sum of modes 1 and 2 feels copies of the cluster 60 A away."""
    atoms = cluster(with_fixed_charges(synthetic_nep_models()[f"charge{mode}"]))
    assert np.ptp(atoms.get_charges()) > 0.05
    with pytest.warns(UserWarning, match=SAID):
        assert deviation(atoms) < tolerance


@pytest.mark.parametrize("mode", [1, 2, 3])
def test_charges_that_change_are_warned_of_once(mode):
    """By how much the flux is off is what the documentation says: 1 to 10 %."""
    atoms = cluster(synthetic_nep_models()[f"charge{mode}"])
    with pytest.warns(UserWarning, match=SAID) as caught:
        assert 0.005 < deviation(atoms) < 0.15
    atoms.calc.get_heat_flux_parts(atoms)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        atoms.calc.get_heat_flux_parts(atoms)


def test_models_without_charges_are_not_warned_of():
    atoms = cluster(synthetic_nep_models()["nep4"])
    assert deviation(atoms) < 1e-7

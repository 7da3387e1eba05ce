"""ACE found again from energies and forces that it gave, and templates that cannot be fitted."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from support.ace_models import synthetic_ace_models
from support.evaluations import scattered

from ase_mlips import ACE
from ase_mlips.ace.fitting import fit_ace, fit_ace_network, without_coefficients
from ase_mlips.fit import Loss, Training, read_frames


def frames(model, count):
    calc, labelled = ACE(model, num_threads=1), []
    for seed in range(count):
        species, positions, cell, pbc = scattered(len(model.elements), count=7, edge=6.0, pbc=(True,) * 3, seed=seed)
        atoms = Atoms([model.elements[s] for s in species], positions, cell=cell, pbc=pbc)
        labels = {"energy": calc.get_potential_energy(atoms), "forces": calc.get_forces(atoms)}
        labels["stress"] = calc.get_stress(atoms)
        atoms.calc = SinglePointCalculator(atoms, **labels)
        labelled.append(atoms)
    return read_frames(labelled)


@pytest.mark.parametrize("name", ["exp_cos", "two"])
def test_a_model_is_found_again(name, tmp_path):
    model = synthetic_ace_models()[name]
    labelled = frames(model, 24)
    fit = fit_ace(model, labelled[:20], test=labelled[20:], loss=Loss(stress=1.0))
    assert fit.report.parity("test", "force").score().mae < 1e-7
    weights = [np.concatenate([f.weights[:, 0] for f in found.functions[0]]) for found in (fit.model, model)]
    np.testing.assert_allclose(weights[0], weights[1], rtol=1e-3, atol=1e-3 * np.abs(weights[1]).max())
    assert fit.solution.rank == len(fit.solution.coefficients)
    fit.save(tmp_path / "x.yace")
    atoms = labelled[0].atoms.copy()
    np.testing.assert_array_equal(ACE(tmp_path / "x.yace").get_forces(atoms), ACE(fit.model).get_forces(atoms))
    assert "functions, cutoff" in repr(fit)


def test_isolated_atoms_keep_their_energies():
    model = synthetic_ace_models()["two"]
    energies = dict(zip(model.elements, model.energies.tolist(), strict=True))
    fit = fit_ace(model, frames(model, 12), atomic_energies=energies)
    assert fit.model.energies.tolist() == model.energies.tolist()
    with pytest.raises(ValueError, match="atomic_energies: Ni missing"):
        fit_ace(model, fit.sets["train"], atomic_energies={"Cu": 0.0})


def test_the_core_repulsion_is_kept():
    model = synthetic_ace_models()["bessel"]
    far = replace(model.embeddings[0], rho_core_cutoff=1e5, drho_core_cutoff=250.0, parameters=np.ones(2))
    functions = (tuple(replace(f, weights=f.weights[:, :1]) for f in model.functions[0]),)
    model = replace(model, embeddings=(far,), functions=functions)
    fit = fit_ace(model, frames(model, 16))
    assert fit.report.parity("train", "force").score().mae < 1e-6


@pytest.mark.filterwarnings("ignore:the best model has a loss:UserWarning")
def test_a_network_learns_and_is_what_was_trained(tmp_path):
    model = synthetic_ace_models()["exp_cos"]
    training = Training(hidden=(6,), epochs=3, batch_size=4)
    fit = fit_ace_network(model, frames(model, 10), training=training)
    linear = fit_ace(model, fit.sets["train"])
    np.testing.assert_allclose(fit.model.energies, linear.model.energies, rtol=1e-6)
    assert fit.report.parity("train", "force").score().mae < 1.0
    fit.save(tmp_path / "x.ace.npz")
    atoms = fit.sets["train"][0].atoms.copy()
    np.testing.assert_array_equal(ACE(tmp_path / "x.ace.npz").get_forces(atoms), ACE(fit.model).get_forces(atoms))


def test_templates_that_are_not_linear():
    models = synthetic_ace_models()
    zeros = np.zeros(2)
    with pytest.raises(ValueError, match="expected density or distance in a template, got zbl"):
        without_coefficients(models["zbl"], zeros)
    with pytest.raises(ValueError, match="rho_core_cutoff: expected 10000 eV or more in a template, got 20"):
        without_coefficients(models["bessel"], zeros[:1])
    uneven = replace(models["two"], functions=(models["two"].functions[0], models["two"].functions[1][1:]))
    with pytest.raises(ValueError, match="expected as many functions of each element in a template"):
        fit_ace(uneven, frames(models["two"], 2))
    with pytest.raises(ValueError, match="ridge: expected 0 for a network"):
        fit_ace_network(models["two"], frames(models["two"], 2), loss=Loss(ridge=1.0))

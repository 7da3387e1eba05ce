"""Errors of models against a reference, where they are known."""

import numpy as np
import pytest
from support.springs import Springs, rock_salt

from ase_mlips.phonons import PhononComparison, Phonons, compare_phonons, phonons

STIFFER = 1.1


def stiffer():
    return Springs(along=5.0 * STIFFER, across=STIFFER)


@pytest.fixture(scope="module")
def salt():
    return phonons(rock_salt(), Springs(), supercell=2)


def test_scaled_force_constants(salt):
    scaled = Phonons.from_force_constants(rock_salt(), STIFFER * salt.phonopy.force_constants, supercell=2)
    result = compare_phonons(salt, {"scaled": scaled}, mesh=(6, 6, 6))
    key = "ClNa", "scaled"
    assert list(result.rmse) == [key]
    shift = np.sqrt(STIFFER) - 1.0
    _, weights, exact = salt.zone((6, 6, 6))
    assert result.rmse[key] == pytest.approx(shift * np.sqrt(weights @ (exact**2).mean(1)), rel=1e-5)
    assert result.percent_zone[key] == pytest.approx(100.0 * shift, rel=1e-5)
    assert result.percent_path[key] == pytest.approx(100.0 * shift, rel=1e-5)
    np.testing.assert_allclose(result.worst[key], shift * exact.max(0), rtol=1e-5)
    for branch, q in enumerate(result.worst_q[key]):
        assert salt.frequencies(q)[0, branch] == pytest.approx(exact[:, branch].max(), rel=1e-9)
    assert np.isnan(result.force_rmse[key])
    assert str(result).splitlines()[2].split()[-1] == "-"


def test_a_reference_against_itself(salt, tmp_path):
    salt.save(tmp_path / "reference.yaml")
    result = compare_phonons(tmp_path / "reference.yaml", {"same": Springs()}, mesh=(4, 4, 4))
    key = "ClNa", "same"
    assert result.rmse[key] < 1e-6
    assert result.force_rmse[key] < 1e-10


def test_forces_of_other_displacements_are_not_compared(salt):
    nearer = phonons(rock_salt(), Springs(), supercell=2, distance=0.02)
    result = compare_phonons(salt, {"nearer": nearer, "same": phonons(rock_salt(), Springs(), supercell=2)}, mesh=10.0)
    assert np.isnan(result.force_rmse["ClNa", "nearer"])
    assert result.force_rmse["ClNa", "same"] == 0.0


@pytest.mark.parametrize("force_rmse", [{"a": 0.0, "b": np.nan}, {"a": 0.1, "b": np.nan}])
def test_figures_of_errors_that_vanish_or_are_not_known(salt, force_rmse):
    result = compare_phonons(salt, {"a": stiffer(), "b": Springs()}, mesh=(3, 3, 3), force_rmse=force_rmse)
    figure = result.plot()
    figure.canvas.draw()
    assert len(figure.axes) == (2 if force_rmse["a"] else 1)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["reference", "a", "b"]
    assert not legend.get_window_extent().overlaps(figure.axes[0].get_tightbbox())


def test_calculators_on_several_structures(tmp_path):
    structures = {"small": rock_salt(), "large": rock_salt(volume=28.0)}
    candidates = {"stiffer": stiffer(), "same": Springs()}
    result = compare_phonons(Springs(), candidates, structures=structures, supercell=6.0, mesh=(4, 4, 4))
    assert result.structures == ("small", "large")
    assert result.models == ("stiffer", "same")
    for structure, atoms in structures.items():
        assert result.percent_zone[structure, "stiffer"] == pytest.approx(100.0 * (np.sqrt(STIFFER) - 1.0), rel=1e-5)
        reference = phonons(atoms, Springs(), supercell=6.0).phonopy.forces
        error = np.sqrt(np.mean((0.1 * reference) ** 2))
        assert result.force_rmse[structure, "stiffer"] == pytest.approx(error, rel=1e-6)
    lines = result.table().splitlines()
    assert lines[0].split() == ["structure", "model", "RMSE", "zone", "path", "worst", "branch", "forces"]
    assert [line.split()[:2] for line in lines[2:]] == [
        ["small", "stiffer"],
        ["small", "same"],
        ["large", "stiffer"],
        ["large", "same"],
        ["all", "stiffer"],
        ["all", "same"],
    ]
    assert lines[6].split()[3] == "4.881"
    result.save(tmp_path / "comparison.npz")
    again = PhononComparison.load(tmp_path / "comparison.npz")
    assert again.table() == result.table()
    figure = again.plot()
    assert [ax.get_title() for ax in figure.axes[:2]] == ["small", "large"]
    assert figure.axes[2].get_xlabel() == "RMSE of forces (meV/Å)"


def test_force_errors_of_a_test_set_and_stored_phonons_of_a_candidate(salt):
    other = phonons(rock_salt(), stiffer(), supercell=2)
    both = {"x": salt, "y": salt}
    candidates = {"stored": {"x": other, "y": other}, "calculator": stiffer()}
    result = compare_phonons(both, candidates, mesh=(3, 3, 3), force_rmse={"stored": 0.02})
    assert result.force_rmse["x", "stored"] == 0.02
    assert np.isnan(result.force_rmse["x", "calculator"])
    assert result.rmse["x", "stored"] == pytest.approx(result.rmse["y", "calculator"], rel=1e-5)


def test_random_displacements_of_the_reference_are_used_again():
    reference = phonons(rock_salt(), Springs(), supercell=3, snapshots=3)
    result = compare_phonons(reference, {"stiffer": stiffer()}, mesh=(3, 3, 3))
    assert result.percent_zone["ClNa", "stiffer"] == pytest.approx(100.0 * (np.sqrt(STIFFER) - 1.0), rel=1e-4)


def test_born_charges_of_the_reference_are_those_of_all(salt):
    charges = np.array([1.0, -1.0])[:, None, None] * np.eye(3)
    result = compare_phonons(salt.with_born_charges(charges, 3.0 * np.eye(3)), {"same": Springs()}, mesh=(3, 3, 3))
    assert result.rmse["ClNa", "same"] < 1e-6

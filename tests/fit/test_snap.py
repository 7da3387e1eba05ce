"""Fits of synthetic data: the oracle labels them, so the coefficients that must come out are known."""

import json
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list
from ase.units import GPa
from support import snap_oracle
from support.labelled import isolated_energies, label, labelled_cells, random_cell, random_model

from ase_mlips.fit import Loss, SnapDesign, SnapEquations, compare, fit_snap, read_frames, snap_template
from ase_mlips.snap.files import read_snap
from ase_mlips.snap.potential import SnapPotential

MODELS = {
    "linear": {},
    "bzero 0": {"bzeroflag": False},
    "quadratic": {"quadraticflag": True},
    "quadratic, bzero 0": {"quadraticflag": True, "bzeroflag": False},
    "zbl": {"zbl": True},
    "chem": {"chemflag": True, "bnormflag": True, "wselfallflag": True},
}


def noisy(frames, size=0.02):
    """The same frames with labels that no model reproduces."""
    generator = np.random.default_rng(1)
    return [
        replace(frame, energy=frame.energy + generator.normal(0.0, size),
                forces=frame.forces + generator.normal(0.0, size, frame.forces.shape))
        for frame in frames
    ]  # fmt: skip


@pytest.fixture(scope="module")
def linear():
    """A linear model and noisy frames of it."""
    model = random_model()
    return model, noisy(read_frames(labelled_cells(model, 24)))


@pytest.mark.parametrize("flags", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("given", [False, True], ids=["fitted atoms", "given atoms"])
def test_rows_times_coefficients_are_the_labels(flags, given):
    model = random_model(**flags)
    frames = read_frames(labelled_cells(model, 6))
    design = SnapDesign(model, frames, isolated_energies(model) if given else None)
    solution = np.random.default_rng(3).normal(0.0, 0.1, design.n_columns)
    for frame in read_frames([label(frame.atoms, design.model(solution)) for frame in frames]):
        for quantity, rows in design.rows(frame).items():
            np.testing.assert_allclose(rows[:, :-1] @ solution, rows[:, -1], rtol=1e-9, atol=1e-9, err_msg=quantity)


@pytest.mark.parametrize("flags", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("solver", ["qr", "svd"])
def test_the_model_behind_the_labels_is_found(flags, solver):
    model = random_model(**flags)
    template = replace(model, coefficients=np.zeros_like(model.coefficients))
    fit = fit_snap(template, read_frames(labelled_cells(model, 24)), solver=solver)
    assert fit.solution.rank == len(fit.solution.coefficients)
    np.testing.assert_allclose(fit.model.coefficients, model.coefficients, rtol=1e-7, atol=1e-7)
    assert all(score.largest < 1e-8 for score in fit.report.scores())
    assert fit.model.zbl == model.zbl


def shuffled_cells(model, count, atoms=8):
    """Cells of both elements, with the atoms in random order."""
    generator = np.random.default_rng(0)
    cells = []
    for number in range(count):
        cell = random_cell(model.elements, number, compound_only=True) * (1, 2, atoms // 4)
        cells.append(label(cell[generator.permutation(atoms)], model))
    return cells


@pytest.mark.parametrize("flags", MODELS.values(), ids=MODELS)
def test_atoms_may_come_in_any_order(flags):
    """Descriptors of a block of atoms of one element must not be taken for those of others."""
    model = random_model(**flags)
    frames = read_frames(shuffled_cells(model, 12))
    assert all(list(frame.atoms.symbols) != sorted(frame.atoms.symbols) for frame in frames)
    design = SnapDesign(model, frames)
    solution = np.random.default_rng(3).normal(0.0, 0.1, design.n_columns)
    for frame in read_frames([label(frame.atoms, design.model(solution)) for frame in frames[:3]]):
        for quantity, rows in design.rows(frame).items():
            np.testing.assert_allclose(rows[:, :-1] @ solution, rows[:, -1], rtol=1e-9, atol=1e-9, err_msg=quantity)
    fit = fit_snap(model, frames, solver="qr")
    assert all(score.largest < 1e-8 for score in fit.report.scores())


def test_products_of_equal_descriptors_share_their_coefficient():
    model = random_model(chemflag=True, quadraticflag=True, twojmax=1)
    fit = fit_snap(model, read_frames(labelled_cells(model, 24)), solver="qr")
    assert fit.solution.rank < len(fit.solution.coefficients) < model.coefficients.size  # products depend on each other
    assert all(score.largest < 1e-8 for score in fit.report.scores())


def test_equal_descriptors_of_element_triplets_are_fitted_once():
    model = random_model(**MODELS["chem"])
    design = SnapDesign(model, read_frames(labelled_cells(model, 3)))
    atoms = random_cell(model.elements, 1)
    i, j, D = neighbor_list("ijD", atoms, model.cutoff)
    B, _ = snap_oracle.descriptors_and_gradients(model, i, j, D, [model.elements.index(s) for s in atoms.symbols])
    first = [min(m for m in range(k + 1) if np.allclose(B[:, m], B[:, k], rtol=1e-10)) for k in range(B.shape[1])]
    assert design.kept.tolist() == sorted(set(first))
    assert len(design.kept) < B.shape[1]


def test_normal_equations_predict_as_well_as_qr(linear):
    model, frames = linear
    fits = [fit_snap(model, frames, solver=solver) for solver in ("auto", "cholesky", "qr", "svd")]
    assert [fit.solution.solver for fit in fits] == ["cholesky", "cholesky", "qr", "svd"]
    for fit in fits[1:]:
        np.testing.assert_allclose(fit.model.coefficients, fits[0].model.coefficients, rtol=1e-8, atol=1e-10)


@pytest.mark.filterwarnings("ignore:.* labels cannot determine 21 coefficients")
def test_auto_turns_to_qr_where_normal_equations_fail():
    model = random_model(("Ga",), quadraticflag=True)
    frames = read_frames(labelled_cells(model, 2))  # 36 rows leave some of 21 coefficients undetermined at rank < 21
    frames = [replace(frames[0], stress=None)]
    with pytest.warns(UserWarning, match="no training frame determines these coefficients, which are zero: Ga 11 "):
        fit = fit_snap(model, frames)
    assert fit.solution.solver == "qr"
    assert fit.solution.rank < 21
    assert all(score.largest < 1e-8 for score in fit.report.scores())
    with pytest.raises(np.linalg.LinAlgError, match="choose solver 'qr' or a ridge"):
        fit_snap(model, frames, solver="cholesky")
    assert fit_snap(model, frames, loss=Loss(ridge=1e-6)).solution.solver == "cholesky"


def test_one_composition_alone_is_fitted_by_cholesky():
    model = random_model()
    fit = fit_snap(model, read_frames(labelled_cells(model, 16, compound_only=True)))
    assert fit.solution.solver == "cholesky"
    assert fit.solution.condition < 1e6
    assert all(score.largest < 1e-7 for score in fit.report.scores())
    constants, expected = fit.model.coefficients[:, 0], model.coefficients[:, 0]
    assert constants[0] == pytest.approx(constants[1])
    assert constants.sum() == pytest.approx(expected.sum(), abs=1e-6)


@pytest.mark.parametrize("bzero", [False, True])
def test_given_energies_of_isolated_atoms_are_kept_exactly(linear, bzero):
    _, frames = linear
    template = random_model(bzeroflag=bzero)
    energies = {"N": -3.25, "Ga": 1.5, "unused": 7.0}
    fit = fit_snap(template, frames, atomic_energies=energies)
    for element in template.elements:
        atom = read_frames([label(Atoms(element), fit.model)])[0]
        assert atom.energy == pytest.approx(energies[element], abs=1e-10)
        assert compare(SnapPotential(fit.model), {"": [atom]}).parity("", "energy").score().mae < 1e-12


def test_new_weights_give_what_a_new_fit_gives(linear):
    model, frames = linear
    other = Loss(energy=3.0, force=0.2, groups={"odd": (50.0, 1.0, 0.0)}, ridge=1e-4)
    free, _ = fit_snap(model, frames).equations.solve(other)
    again = fit_snap(model, frames, loss=other).model
    assert np.array_equal(free.coefficients, again.coefficients)
    assert not np.allclose(free.coefficients, fit_snap(model, frames).model.coefficients, rtol=1e-3)


def test_a_group_without_weight_has_no_part(linear):
    model, frames = linear
    without = fit_snap(model, frames, loss=Loss(groups={"odd": (0.0, 0.0, 0.0)})).model
    even = fit_snap(model, [frame for frame in frames if frame.group == "even"]).model
    np.testing.assert_allclose(without.coefficients, even.coefficients, rtol=1e-9, atol=1e-11)


def test_parts_can_be_left_out(linear):
    model, frames = linear
    parts = np.arange(len(frames)) % 3
    design = SnapDesign(model, frames)
    found, _ = SnapEquations(design, frames, parts=parts).solve(Loss(), without={1})
    kept = [frame for frame, part in zip(frames, parts, strict=True) if part != 1]
    np.testing.assert_allclose(found.coefficients, fit_snap(model, kept).model.coefficients, rtol=1e-9, atol=1e-11)


def test_more_weight_means_less_error(linear):
    model, frames = linear
    light, heavy = (fit_snap(model, frames, loss=Loss(energy=energy)).report for energy in (0.01, 1000.0))
    assert heavy.parity("train", "energy").score().rmse < 0.9 * light.parity("train", "energy").score().rmse
    assert heavy.parity("train", "force").score().rmse > light.parity("train", "force").score().rmse


def test_a_ridge_shrinks_coefficients_but_not_constants(linear):
    model, frames = linear
    fit = fit_snap(model, frames, loss=Loss(ridge=1e6))
    assert np.max(np.abs(fit.model.coefficients[:, 1:])) < 1e-3
    atoms = {element: k for k, element in enumerate(model.elements)}
    means = [np.mean([f.energy / len(f.atoms) for f in frames if len(set(f.atoms.symbols)) == n]) for n in (1, 2)]
    assert fit.model.coefficients[atoms["Ga"], 0] == pytest.approx(means[0], abs=1e-3)
    assert fit.model.coefficients[:, 0].mean() == pytest.approx(means[1], abs=1e-3)


def test_the_same_fit_twice_is_the_same_to_the_last_bit(linear):
    model, frames = linear
    first, second = (fit_snap(model, frames).model for _ in range(2))
    assert first == second


def test_frames_without_stress_are_fitted_too(linear):
    model, frames = linear
    mixed = [replace(frame, stress=None) if n % 2 else frame for n, frame in enumerate(frames)]
    fit = fit_snap(model, mixed, loss=Loss(stress=10.0))
    assert fit.report.parity("train", "stress").score().count == 6 * 12


def test_test_frames_are_reported_and_not_fitted(linear):
    model, frames = linear
    fit = fit_snap(model, frames[:18], test=frames[18:])
    assert fit.report.parity("test", "energy").score().count == 6
    assert np.array_equal(fit.model.coefficients, fit_snap(model, frames[:18]).model.coefficients)


def test_stress_weight_is_per_gigapascal(linear):
    _, frames = linear
    model = random_model()
    design = SnapDesign(model, frames)
    full = np.array([frames[0].stress[a, b] for a, b in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))])
    np.testing.assert_allclose(design.rows(frames[0])["stress"][:, -1], full / GPa, rtol=1e-12)


def test_saved_files_are_read_back(linear, tmp_path):
    model, frames = linear
    fit = fit_snap(model, frames)
    fit.save(tmp_path / "GaN.snapcoeff")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["GaN.report.json", "GaN.snapcoeff", "GaN.snapparam"]
    np.testing.assert_allclose(read_snap(tmp_path / "GaN").coefficients, fit.model.coefficients, rtol=1e-14)


def test_frames_are_evaluated_when_the_report_is_asked_for_and_once(linear, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr("ase_mlips.fit.equations.compare", lambda *arguments: calls.append(None) or compare(*arguments))
    model, frames = linear
    fit = fit_snap(model, frames[:18], test=frames[18:])
    fit.save(tmp_path / "GaN.snapcoeff", scores=False)
    assert calls == []
    untested = json.loads((tmp_path / "GaN.report.json").read_text())
    assert "scores" not in untested
    fit.save(tmp_path / "GaN.snapcoeff")
    assert fit.report is fit.report
    assert len(calls) == 1
    tested = json.loads((tmp_path / "GaN.report.json").read_text())
    assert len(tested.pop("scores")) == len(fit.report.scores())
    assert tested == untested


def test_an_interrupted_save_leaves_what_was_there(linear, tmp_path, monkeypatch):
    model, frames = linear
    fit = fit_snap(model, frames)
    fit.save(tmp_path / "GaN.snapcoeff")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def interrupt(path, content):
        raise KeyboardInterrupt

    monkeypatch.setattr("ase_mlips.fit.results.write_json", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fit_snap(model, frames, loss=Loss(energy=1.0)).save(tmp_path / "GaN.snapcoeff")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_template_has_zero_coefficients_of_the_right_number():
    template = snap_template(["Ga", "N"], radii=[0.5, 0.4], twojmax=2, rcutfac=4.0, quadraticflag=True, zbl=(1.0, 2.0))
    assert template.coefficients.shape == (2, 1 + 5 + 15)
    assert not template.coefficients.any()
    assert template.weights.tolist() == [1.0, 1.0]
    assert template.zbl.charges == (31.0, 7.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss": Loss(groups={"liquid": (1.0, 1.0, 1.0)})}, "no frames of group liquid; there are even, odd"),
        ({"loss": Loss(energy=0.0, force=0.0, stress=0.0)}, "nothing to fit"),
        ({"atomic_energies": {"Ga": 0.0}}, "atomic_energies: N missing"),
        ({"solver": "lu"}, "solver: expected auto, cholesky, qr, svd, got lu"),
    ],
)
def test_what_cannot_be_fitted_is_said(linear, arguments, message):
    with pytest.raises(ValueError, match=message):
        fit_snap(*linear, **arguments)


def test_missing_frames_and_elements_are_said(linear):
    model, frames = linear
    with pytest.raises(ValueError, match="no training frames"):
        fit_snap(model, [])
    with pytest.raises(ValueError, match="no frame has two atoms within the cutoff of"):
        fit_snap(replace(model, rcutfac=0.5), frames)
    with pytest.raises(ValueError, match="train: expected frames from read_frames, got Atoms"):
        fit_snap(model, [frames[0].atoms])
    with pytest.raises(ValueError, match="weights: expected at least one above 0"):
        fit_snap(model, frames, loss=Loss(0.0, 0.0, 0.0))
    with pytest.raises(ValueError, match=r"input, frame \d+: N not among the model's elements Ga"):
        fit_snap(random_model(("Ga",)), frames)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"force": -1.0}, r"weights of \*: expected three numbers of at least 0"),
        ({"stress": np.nan}, r"weights of \*"),
        ({"groups": {"a": (1.0, 2.0)}}, "weights of a: expected three numbers"),
        ({"ridge": -1e-9}, "ridge: expected at least 0, got -1e-09"),
    ],
)
def test_weights_without_meaning_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Loss(**arguments)


def test_a_rank_deficient_fit_is_saved_as_valid_json(tmp_path):
    model = random_model(("Ga",), quadraticflag=True)
    with pytest.warns(UserWarning, match="labels cannot determine 21 coefficients"):
        fit = fit_snap(model, read_frames(labelled_cells(model, 1)), solver="qr")
    fit.save(tmp_path / "Ga.snapcoeff")
    summary = json.loads((tmp_path / "Ga.report.json").read_text())
    assert summary["condition"] is None
    assert summary["rank"] == fit.solution.rank
    assert summary["loss"]["energy"] == 100.0


def test_atoms_are_not_changed(linear):
    model, _ = linear
    atoms = label(random_cell(model.elements, 1), model)
    atoms.positions += 100.0  # far outside the cell
    before = atoms.copy()
    fit_snap(model, read_frames([atoms]))
    assert atoms == before
    assert atoms.calc is not None

"""Extrapolation grades of every family: what was selected is interpolated, what is strange is not."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from support.graded_cells import GRADED, graded, rattled
from support.nep_models import ONE, Recipe, build_model, synthetic_nep_models
from support.snap_models import network_models, synthetic_models

from ase_mlips import NEP, SNAP
from ase_mlips.grades.active_rows import ActiveRows, SpeciesActiveSet, choose, space_of

INCOMPLETE = "ignore:the training set of this active set"


@pytest.mark.filterwarnings(INCOMPLETE)
@pytest.mark.parametrize("name", GRADED)
def test_no_atom_of_the_training_set_extrapolates(name: str) -> None:
    calc = graded(name)
    frames = [rattled(calc, seed) for seed in range(12)]
    calc.select_active_set(frames)
    grades = [calc.get_extrapolation_grade(atoms) for atoms in frames]
    assert 1.0 - 1e-6 < max(grade.configuration for grade in grades) <= 1.001 * (1.0 + 1e-6)
    assert all(len(grade.neighborhoods) == len(frames[0]) for grade in grades)
    assert all(grade.configuration == grade.neighborhoods.max() for grade in grades)
    strange = [calc.get_extrapolation_grade(rattled(calc, seed, 0.3)).configuration for seed in range(100, 104)]
    assert min(strange) > 3.0


@pytest.mark.filterwarnings(INCOMPLETE)
@pytest.mark.parametrize("name", GRADED)
def test_moved_and_repeated_atoms_have_the_same_grade(name: str) -> None:
    calc = graded(name)
    calc.select_active_set(rattled(calc, seed) for seed in range(12))
    atoms = rattled(calc, 20, 0.12)
    moved = atoms.copy()
    moved.positions += [11.0, -7.0, 3.0]
    moved.wrap()
    expected = calc.get_extrapolation_grade(atoms).neighborhoods
    np.testing.assert_allclose(calc.get_extrapolation_grade(moved).neighborhoods, expected, rtol=1e-5)
    np.testing.assert_allclose(calc.get_extrapolation_grade(atoms * 2).neighborhoods, np.tile(expected, 8), rtol=1e-5)


@pytest.mark.parametrize("name", ["nep4", "nep3", "nep5"])
def test_rows_of_nep_are_derivatives_of_energies(name: str) -> None:
    """By finite differences of the energies of a model in which one weight is another."""
    model = synthetic_nep_models()[name]
    calc = NEP(model, num_threads=1)
    atoms = rattled(calc, 0)
    species, rows = calc.get_grade_rows(atoms)
    _, neurons, size = model.network.w0.shape
    step, atom = 1e-5, 1
    place = species[atom] if len(model.network.w0) > 1 else 0
    rows = rows[atom].reshape(neurons, size + 2)

    def derivative(field: str, where: tuple[int, ...]) -> float:
        energies = []
        for sign in (1.0, -1.0):
            values = getattr(model.network, field).copy()
            values[(place, *where)] += sign * step
            changed = NEP(replace(model, network=replace(model.network, **{field: values})), num_threads=1)
            energies.append(changed.get_property("energies", atoms)[atom])
        return (energies[0] - energies[1]) / (2.0 * step)

    for neuron, descriptor in ((0, 0), (2, size - 1), (neurons - 1, 3)):
        found = rows[neuron, descriptor], rows[neuron, size], rows[neuron, size + 1]
        expected = [derivative("w0", (neuron, descriptor)), derivative("b0", (neuron,)), derivative("w1", (neuron,))]
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


def test_grade_of_nep_by_brute_force() -> None:
    """The largest |sum_k b_k M_kj|, atom by atom."""
    calc = graded("nep")
    active_set = calc.select_active_set(rattled(calc, seed) for seed in range(4))
    atoms = rattled(calc, 50, 0.2)
    descriptors, species = calc.get_descriptors(atoms), [calc.potential.elements.index(s) for s in atoms.symbols]
    network, expected = calc.model.network, []
    for q, kind in zip(descriptors, species, strict=True):
        row = []
        for w0, b0, w1 in zip(network.w0[kind], network.b0[kind], network.w1[kind], strict=True):
            h = np.tanh(sum(w * x for w, x in zip(w0, q, strict=True)) - b0)
            row += [*(w1 * (1 - h * h) * q), -w1 * (1 - h * h), h]
        inverse = active_set.rows[kind].inverse
        expected.append(max(abs(sum(b * m for b, m in zip(row, column, strict=True))) for column in inverse.T))
    found = calc.get_extrapolation_grade(atoms)
    np.testing.assert_allclose(found.neighborhoods, expected, rtol=1e-8)
    assert found.configuration == pytest.approx(max(expected))


def test_active_rows_have_grade_one() -> None:
    calc = graded("snap")
    frames = [rattled(calc, seed) for seed in range(12)]
    active_set = calc.select_active_set(frames)
    for one in active_set.rows:
        for column, (frame, atom) in enumerate(one.links):
            row = calc.get_grade_rows(frames[frame])[1][atom]
            unit = np.zeros(len(one.links))
            unit[column] = 1.0
            np.testing.assert_allclose(row @ one.inverse[:, : len(unit)], unit, atol=1e-7)


def test_an_element_that_the_training_set_lacks_is_infinitely_far() -> None:
    calc = graded("snap")
    pure = []
    for seed in range(8):
        pure.append(rattled(calc, seed))
        pure[-1].symbols = calc.potential.elements[0]
    calc.select_active_set(pure)
    mixed = rattled(calc, 0)
    grades = calc.get_extrapolation_grade(mixed).neighborhoods
    np.testing.assert_array_equal(np.isinf(grades), mixed.symbols == calc.potential.elements[1])


def test_a_training_set_of_one_crystal_does_not_vouch_for_others() -> None:
    calc = graded("nep")
    calc.select_active_set([rattled(calc, 0, 0.0)])
    assert calc.get_extrapolation_grade(rattled(calc, 0, 0.0)).configuration == pytest.approx(1.0)
    assert calc.get_extrapolation_grade(rattled(calc, 0, 0.1)).configuration > 10.0


def test_selection_does_not_depend_on_units() -> None:
    rows = np.random.default_rng(0).normal(size=(60, 6))
    units = np.array([1.0, 2.0**8, 2.0**-8, 8.0, 2.0**5, 1.0])
    first, second = (choose(own @ space_of(own, 1e-6).leading) for own in (rows, rows * units))
    assert set(first.places) == set(second.places)


def test_choosing_from_many_ends_like_maxvol_of_all() -> None:
    rows = np.random.default_rng(1).normal(size=(900, 12))
    chosen = choose(rows)
    assert np.abs(rows @ chosen.S.T).max() <= 1.001 * (1.0 + 1e-8)
    np.testing.assert_array_equal(chosen.A, rows[chosen.places])
    more = np.concatenate([rows, 2.0 * np.random.default_rng(2).normal(size=(50, 12))])
    again = choose(more, start=chosen)
    np.testing.assert_array_equal(again.A, more[again.places])
    assert np.abs(more @ again.S.T).max() <= 1.001 * (1.0 + 1e-8)


# ------------------------------------------------------------------------------------------------- files


def test_asi_files_keep_grades(tmp_path) -> None:
    calc = graded("nep")
    calc.select_active_set(rattled(calc, seed) for seed in range(4))
    path = tmp_path / "active_set.asi"
    calc.write_active_set(path)
    again = NEP(calc.model, active_set=path, num_threads=1)
    assert again.active_set is not None
    for own, other in zip(calc.active_set.rows, again.active_set.rows, strict=True):
        np.testing.assert_array_equal(own.inverse, other.inverse)
    atoms = rattled(calc, 50, 0.2)
    np.testing.assert_array_equal(
        again.get_extrapolation_grade(atoms).neighborhoods, calc.get_extrapolation_grade(atoms).neighborhoods
    )


def test_asi_files_are_those_of_gpumd(tmp_path) -> None:
    """Number of the element, rows and columns, and then a square matrix, row by row, with one number in each line."""
    calc = graded("nep")
    calc.select_active_set([rattled(calc, 0)])
    calc.write_active_set(tmp_path / "a.asi")
    words = [line.split() for line in (tmp_path / "a.asi").read_text().splitlines()]
    n = calc.grade_length
    assert len(words) == 3 * (1 + n * n)
    for kind, one in enumerate(calc.active_set.rows):
        block = words[kind * (1 + n * n) : (kind + 1) * (1 + n * n)]
        assert block[0] == [str(kind), str(n), str(n)]
        matrix = np.array([float(word) for (word,) in block[1:]]).reshape(n, n)
        np.testing.assert_array_equal(matrix[:, : one.inverse.shape[1]], one.inverse)
        assert not matrix[:, one.inverse.shape[1] :].any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:-1], r"a.asi:\d+: expected \d+ numbers behind line 1, got the end of the file after \d+"),
        (lambda lines: ["0 5 5", *lines[1:]], r"a.asi:1: expected a matrix of 60 rows, .* got 5 x 5"),
        (lambda lines: ["7 60 60", *lines[1:]], r"a.asi:1: expected the number of one of 1 elements, from 0 on, got 7"),
        (lambda lines: ["Si 60", *lines[1:]], r"a.asi:1: expected <number of the element> <rows> <columns>, got"),
        (lambda lines: [*lines, *lines], r"a.asi:\d+: expected each element once, got Si again"),
        (lambda lines: [*lines[:5], "x", *lines[6:]], r"a.asi:6: expected a finite number for the inverse .* got 'x'"),
        (lambda lines: [*lines[:5], "nan", *lines[6:]], r"a.asi:6: expected a finite number for the inverse"),
        (lambda lines: [*lines[:5], "1 2", *lines[6:]], r"a.asi:6: expected one number, got '1 2'"),
    ],
)
def test_malformed_asi_files(change, message: str, tmp_path) -> None:
    model = build_model(Recipe(**ONE, invariants=(), l_max=2, n_max=(3, 2), neurons=5), 0)
    calc = NEP(model, num_threads=1)
    assert calc.grade_length == 60
    calc.select_active_set([rattled(calc, 0)])
    path = tmp_path / "a.asi"
    calc.write_active_set(path)
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")
    with pytest.raises(ValueError, match=message):
        NEP(model, active_set=path)


def test_active_sets_of_snap_keep_grades(tmp_path) -> None:
    calc = graded("snap")
    calc.select_active_set(rattled(calc, seed) for seed in range(6))
    path = tmp_path / "model.active.npz"
    calc.write_active_set(path)
    again = SNAP(calc.model, active_set=path, num_threads=1)
    assert again.active_set == calc.active_set
    assert pickle.loads(pickle.dumps(again)).active_set == calc.active_set
    (tmp_path / "short.npz").write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"short.npz: expected a whole zip archive"):
        SNAP(calc.model, active_set=tmp_path / "short.npz")
    with pytest.raises(ValueError, match=r"expected an active set of \('Cu',\), got one of \('Cu', 'Ni'\)"):
        SNAP(synthetic_models()["tj2"], active_set=path)


# ------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("name", ["nep", "snap"])
def test_without_an_active_set_there_is_no_grade(name: str, tmp_path) -> None:
    calc = graded(name)
    with pytest.raises(ValueError, match="has no active set: give active_set=, or call select_active_set"):
        calc.get_extrapolation_grade(rattled(calc, 0))
    with pytest.raises(ValueError, match="has no active set to be written"):
        calc.write_active_set(tmp_path / "x")
    with pytest.raises(ValueError, match="expected at least one frame, got none"):
        calc.select_active_set([])


def test_models_that_only_a_committee_can_judge() -> None:
    charged = next(model for model in synthetic_nep_models().values() if model.charge_mode)
    network = next(iter(network_models().values()))
    for calc, reason in ((NEP(charged), "there is none of a nep4_charge"), (SNAP(network), "its energy is a network")):
        for call in (
            calc.get_extrapolation_grade,
            calc.get_grade_rows,
            lambda atoms, c=calc: c.select_active_set([atoms]),
        ):
            with pytest.raises(ValueError, match=f"has no extrapolation grade: {reason}.*; take a Committee"):
                call(rattled(calc, 0))


def test_records_say_what_does_not_fit() -> None:
    rows = ActiveRows(np.eye(3), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="expected active rows of 2 elements, got 1"):
        SpeciesActiveSet(("A", "B"), (rows,))
    with pytest.raises(ValueError, match="expected active rows of one length, got 3, 2"):
        SpeciesActiveSet(("A", "B"), (rows, ActiveRows(np.eye(2), np.zeros((0, 2)))))
    with pytest.raises(ValueError, match=r"expected links of shape \(3, 2\), got \(3, 1\)"):
        ActiveRows(np.eye(3), np.zeros((3, 1)))
    with pytest.raises(ValueError, match="expected links that are not negative, got -1"):
        ActiveRows(np.eye(3), np.full((3, 2), -1))
    assert repr(SpeciesActiveSet(("A",), (rows,))) == "SpeciesActiveSet(A: 3 rows)"

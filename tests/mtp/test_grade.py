"""MaxVol and extrapolation grades: the sets selected and graded by MLIP-3, and what must hold for any set."""

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from support.mtp_models import synthetic_mtp_model
from support.mtp_oracle import parameter_gradients

from ase_mlips.mtp import grade as grading
from ase_mlips.mtp.active_set import ActiveSet
from ase_mlips.mtp.files import read_active_set, read_mtp
from ase_mlips.mtp.grade import (
    extrapolation_grade,
    maxvol,
    missing_directions,
    redundant_directions,
    select,
    warn_if_incomplete,
)

SETS = ["si_l08_cfg", "si_l08_nbh", "sige_l12_cfg", "sige_l12_nbh"]
MODES = {"cfg": "configuration", "nbh": "neighborhood"}
INCOMPLETE = "ignore:the training set of this active set"
PERIODIC = np.ones(3, dtype=bool)


def configurations(path: Path) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Types (N,), positions (N, 3) and cell (3, 3) of the blocks of one of the reference sets."""
    blocks = []
    for block in path.read_text().split("BEGIN_CFG")[1:]:
        lines = [line.split() for line in block.splitlines()[1:]]
        atoms = int(lines[1][0])
        table = np.array([line[1:5] for line in lines[7 : 7 + atoms]], dtype=float)
        blocks.append((table[:, 0].astype(int), table[:, 1:], np.array(lines[3:6], dtype=float)))
    return blocks


def texts(count: int) -> list[str]:
    """Stand-ins for that many configurations, numbered."""
    return [f"BEGIN_CFG\n Feature place\t{k}\nEND_CFG" for k in range(count)]


def places(active_set: ActiveSet) -> list[int]:
    """The numbers of the configurations that were kept."""
    return [int(text.split()[3]) for text in active_set.configurations]


class ReferenceSet:
    def __init__(self, folder: Path, name: str) -> None:
        self.path, self.mode = folder / f"{name}.almtp", MODES[name[-3:]]
        self.data = dict(np.load(folder / f"{name}_ref.npz"))
        self.model = read_mtp(self.path)
        self.training = configurations(folder / f"{name[:-4]}_train.cfg")

    def gradients(self) -> list[np.ndarray]:
        return [parameter_gradients(self.model, *configuration, PERIODIC) for configuration in self.training]

    def assert_graded_as_by_mlip(self, active_set: ActiveSet, tolerance: float) -> None:
        data = self.data
        for k, tested in enumerate(zip(data["types"], data["positions"], data["cells"], strict=True)):
            result = extrapolation_grade(self.model, active_set, parameter_gradients(self.model, *tested, PERIODIC))
            np.testing.assert_allclose(result.configuration, data["grades"][k], rtol=tolerance)
            if self.mode == "neighborhood":
                np.testing.assert_allclose(result.neighborhoods, data["nbh_grades"][k], rtol=tolerance)
            else:
                assert result.neighborhoods is None


@pytest.fixture
def reference(shared: Path, request: pytest.FixtureRequest) -> ReferenceSet:
    return ReferenceSet(shared / "reference" / "mtp", request.param)


@pytest.mark.parametrize("reference", SETS, indirect=True)
@pytest.mark.filterwarnings(INCOMPLETE)
def test_selection_of_mlip(reference: ReferenceSet) -> None:
    training, data = reference.training, reference.data
    active_set = select(
        reference.model, reference.gradients(), configurations=texts(len(training)), mode=reference.mode
    )
    np.testing.assert_array_equal(active_set.links, data["links"])
    np.testing.assert_allclose(active_set.A, data["A"], rtol=0, atol=1e-13 * np.abs(data["A"]).max())
    np.testing.assert_allclose(active_set.S, data["invA"], rtol=0, atol=1e-9 * np.abs(data["invA"]).max())
    reference.assert_graded_as_by_mlip(active_set, 1e-8)


@pytest.mark.parametrize("reference", SETS, indirect=True)
def test_grades_by_the_stored_set(reference: ReferenceSet) -> None:
    active_set = read_active_set(reference.path)
    assert active_set is not None
    np.testing.assert_array_equal(active_set.links, reference.data["links"])
    reference.assert_graded_as_by_mlip(active_set, 1e-11)


@pytest.mark.parametrize(("reference", "missing"), [*zip(SETS, [0, 0, 49, 0], strict=True)], indirect=["reference"])
def test_missing_directions_of_the_stored_sets(reference: ReferenceSet, missing: int) -> None:
    active_set = read_active_set(reference.path)
    assert active_set is not None
    assert missing_directions(reference.model, active_set) == missing


# ---------------------------------------------------------------------------------------------------- MaxVol


def random_rows(count: int, n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, n))


def test_maxvol_of_few_rows_is_the_largest_volume() -> None:
    rows = random_rows(12, 3)
    result = maxvol(rows, threshold=1.0 + 1e-12)
    best = max(abs(np.linalg.det(rows[list(c)])) for c in combinations(range(12), 3))
    assert abs(np.linalg.det(result.A)) == pytest.approx(best)


def test_maxvol_ends_where_no_exchange_gains_more_than_the_threshold() -> None:
    rows = random_rows(300, 20)
    result = maxvol(rows)
    assert np.abs(np.linalg.solve(result.A.T, rows.T)).max() <= 1.001 * (1 + 1e-9)
    np.testing.assert_array_equal(result.A, rows[result.sources - 20])
    np.testing.assert_allclose(result.A @ result.S.T, np.eye(20), atol=1e-8)
    assert len(set(result.sources)) == 20
    assert result.swaps >= 20


def test_higher_threshold_ends_earlier() -> None:
    rows = random_rows(300, 20)
    coarse, fine = maxvol(rows, threshold=2.0), maxvol(rows)
    assert coarse.swaps < fine.swaps
    assert 1.001 < np.abs(np.linalg.solve(coarse.A.T, rows.T)).max() <= 2.0


def test_maxvol_takes_the_first_of_equal_candidates() -> None:
    rows = np.array([[1.0, 0.0], [0.0, -3.0], [0.0, 3.0], [1.0, 0.0]])
    np.testing.assert_array_equal(maxvol(rows).sources, [2 + 0, 2 + 1])


def test_maxvol_goes_on_from_a_start() -> None:
    first, second = random_rows(100, 10, 1), random_rows(100, 10, 2)
    before = maxvol(first)
    after = maxvol(second, start=(before.A, before.S))
    assert after.swaps > 0
    everything = np.concatenate([before.A, second])
    np.testing.assert_array_equal(after.A, everything[after.sources])
    assert np.abs(np.linalg.solve(after.A.T, everything.T)).max() <= 1.001 * (1 + 1e-9)
    assert abs(np.linalg.det(after.A)) > abs(np.linalg.det(before.A))
    again = maxvol(second, start=(after.A, after.S))
    assert again.swaps == 0
    np.testing.assert_array_equal(again.A, after.A)


def test_a_row_that_was_exchanged_may_come_back() -> None:
    """The last row of the start leaves at once, and takes the place of the first in the end."""
    rows = np.array([[2.0, -1.0, -3.0], [-3.0, -3.0, 1.0], [4.0, -2.0, -5.0]])
    result = maxvol(rows, start=(np.eye(3), np.eye(3)))
    np.testing.assert_array_equal(result.sources, [2, 3 + 1, 3 + 2])
    everything = np.concatenate([np.eye(3), rows])
    np.testing.assert_array_equal(result.A, everything[result.sources])
    best = max(abs(np.linalg.det(everything[list(c)])) for c in combinations(range(6), 3))
    assert abs(np.linalg.det(result.A)) == pytest.approx(best)


def test_directions_without_candidates_keep_their_first_row() -> None:
    rows = random_rows(50, 4)
    rows[:, 2] = 0.0
    result = maxvol(rows)
    np.testing.assert_array_equal(result.A[2], [0.0, 0.0, 1e-6, 0.0])
    assert result.sources[2] == 2
    assert np.all(result.sources[[0, 1, 3]] >= 4)


def test_no_candidates() -> None:
    result = maxvol(np.empty((0, 3)))
    assert result.swaps == 0
    np.testing.assert_array_equal(result.A, 1e-6 * np.eye(3))


def test_maxvol_does_not_touch_its_arguments() -> None:
    rows, A = random_rows(30, 5), np.eye(5)
    before = rows.copy()
    maxvol(rows, start=(A, A))
    np.testing.assert_array_equal(rows, before)
    np.testing.assert_array_equal(A, np.eye(5))


@pytest.mark.parametrize("threshold", [1.0, 0.5, float("nan")])
def test_threshold_must_exceed_one(threshold: float) -> None:
    with pytest.raises(ValueError, match="expected a threshold above 1, got"):
        maxvol(random_rows(5, 2), threshold=threshold)


@pytest.mark.parametrize("rows", [np.ones(3), np.array([[1.0, np.nan]]), np.array([[np.inf, 1.0]])])
def test_candidates_must_be_a_finite_table(rows: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected candidates as a finite array of shape \(P, n\)"):
        maxvol(rows)


def test_start_must_fit_the_candidates() -> None:
    with pytest.raises(ValueError, match=r"expected a start of shape \(2, 2\), got \(3, 3\)"):
        maxvol(random_rows(5, 2), start=(np.eye(3), np.eye(3)))


# ------------------------------------------------------------------------------------- selection and grading

MODEL = synthetic_mtp_model("l06")  # two species, K = 2: three redundant directions


def training_set(count: int, *, seed: int = 0, atoms: int = 8, kinds: int = 2) -> list[np.ndarray]:
    """Gradients of rattled cells of several volumes, all with `kinds` species."""
    rng = np.random.default_rng(seed)
    gradients = []
    for _ in range(count):
        cell = rng.uniform(2.3, 2.9) * np.diag([2.0, 2.0, atoms / 4.0])
        grid = np.array([(x, y, z) for x in (0, 1) for y in (0, 1) for z in range(atoms // 4)])
        positions = grid / [2.0, 2.0, atoms / 4.0] @ cell + rng.normal(scale=0.2, size=(atoms, 3))
        gradients.append(parameter_gradients(MODEL, rng.integers(0, kinds, atoms), positions, cell, PERIODIC))
    return gradients


TRAINING = training_set(120)


def test_neighborhoods_of_the_training_set_are_interpolated() -> None:
    active_set = select(MODEL, TRAINING, configurations=texts(120))
    grades = [extrapolation_grade(MODEL, active_set, g) for g in TRAINING]
    assert 1.0 - 1e-6 < max(g.configuration for g in grades) < 1.001 + 1e-6
    assert all(g.neighborhoods.shape == (8,) and g.neighborhoods.max() == g.configuration for g in grades)
    assert (active_set.energy_weight, active_set.site_en_weight, active_set.weight_scaling) == (0.0, 1.0, 2)


def test_links_name_the_rows_of_the_active_set() -> None:
    mixed = [g for pair in zip(TRAINING[:40], training_set(40, seed=5, atoms=12), strict=True) for g in pair]
    active_set = select(MODEL, mixed, configurations=texts(80))
    filled = active_set.links[:, 0] >= 0
    assert np.sum(~filled) == 3
    np.testing.assert_array_equal(active_set.links[~filled], -1)
    np.testing.assert_array_equal(active_set.A[~filled], 1e-6 * np.eye(len(active_set.A))[~filled])
    for row, (number, equation) in zip(active_set.A[filled], active_set.links[filled], strict=True):
        gradients = mixed[places(active_set)[number]]
        np.testing.assert_array_equal(row, gradients[equation - 10 - 3 * len(gradients)])
    used = places(active_set)
    assert used == sorted(set(used))
    assert set(active_set.links[filled, 0]) == set(range(len(used)))


def test_a_configuration_counts_by_the_mean_of_its_atoms() -> None:
    small = training_set(150, seed=3, atoms=4)
    active_set = select(MODEL, small, configurations=texts(150), mode="configuration")
    doubled = select(MODEL, [np.concatenate([g, g]) for g in small], configurations=texts(150), mode="configuration")
    places_in_order = [np.lexsort((np.abs(one.A).argmax(axis=1), one.links[:, 0])) for one in (active_set, doubled)]
    first, second = places_in_order  # which row a configuration takes is a matter of rounding
    np.testing.assert_array_equal(active_set.links[first], doubled.links[second])
    chosen = active_set.links[first, 0] >= 0
    np.testing.assert_allclose(active_set.A[first][chosen], doubled.A[second][chosen], rtol=1e-12, atol=1e-15)
    assert set(active_set.links[:, 1]) == {-1, 0}
    for row, (number, _) in zip(active_set.A, active_set.links, strict=True):
        if number >= 0:
            np.testing.assert_allclose(row, small[places(active_set)[number]].mean(axis=0), rtol=1e-12)
    result = extrapolation_grade(MODEL, active_set, small[0])
    assert result.neighborhoods is None
    assert result.configuration <= 1.001 + 1e-6


def test_an_unusual_structure_has_a_high_grade() -> None:
    active_set = select(MODEL, TRAINING, configurations=texts(120))
    rng = np.random.default_rng(7)
    cell = 1.9 * np.diag([2.0, 2.0, 2.0])
    dense = np.array(list(np.ndindex(2, 2, 2))) / 2.0 @ cell + rng.normal(scale=0.2, size=(8, 3))
    gradients = parameter_gradients(MODEL, np.arange(8) % 2, dense, cell, PERIODIC)
    assert extrapolation_grade(MODEL, active_set, gradients).configuration > 10.0


def test_linear_parameters_only() -> None:
    active_set = select(MODEL, TRAINING, configurations=texts(120), parameters="linear")
    assert active_set.A.shape == (2 + len(MODEL.mapping),) * 2
    assert missing_directions(MODEL, active_set) == 0
    assert np.all(active_set.links >= 0)
    linear = maxvol(np.concatenate(TRAINING)[:, -len(active_set.A) :])
    np.testing.assert_array_equal(active_set.A, linear.A)
    grades = [extrapolation_grade(MODEL, active_set, g).configuration for g in TRAINING]
    assert max(grades) <= 1.001 + 1e-6
    full = select(MODEL, TRAINING, configurations=texts(120))
    assert not np.allclose([extrapolation_grade(MODEL, full, g).configuration for g in TRAINING], grades, rtol=1e-2)


@pytest.mark.parametrize(
    ("name", "mode", "expected"),
    [
        ("l02_repuls", "neighborhood", 1),
        ("l06", "neighborhood", 3),
        ("l08", "neighborhood", 3),
        ("l10_repuls", "neighborhood", 6),
        ("l02_repuls", "configuration", 1 + 4),  # f_0(r_ij) only as a sum over pairs: c[0][1] - c[1][0] has no bearing
        ("l06", "configuration", 3 + 8),  # f_1
        ("l06_taylor", "configuration", 3),  # one species
        ("l08", "configuration", 3),  # f_1 times f_0
    ],
)
def test_combinations_of_parameters_on_which_no_energy_depends(name: str, mode: str, expected: int) -> None:
    model, rng = synthetic_mtp_model(name), np.random.default_rng(0)
    rows: list[np.ndarray] = []
    while len(rows) < 1.2 * model.n_parameters:
        cell = rng.uniform(2.3, 3.2) * np.diag([2.0, 2.0, 2.0])
        positions = np.array(list(np.ndindex(2, 2, 2))) / 2.0 @ cell + rng.normal(scale=0.3, size=(8, 3))
        own = parameter_gradients(model, rng.integers(0, len(model.species), 8), positions, cell, PERIODIC)
        rows += list(own) if mode == "neighborhood" else [own.mean(axis=0)]
    singular = np.linalg.svd(rows / np.abs(rows).max(axis=0), compute_uv=False)
    assert np.sum(singular < 1e-12 * singular[0]) == expected
    assert redundant_directions(model, mode) == expected


def test_warning_where_the_training_set_says_nothing_of_a_species() -> None:
    pure = training_set(60, kinds=1)
    with pytest.warns(UserWarning, match=r"says nothing about \d+ of \d+ parameters"):
        active_set = select(MODEL, pure, configurations=texts(60))
    S, _, K, R = MODEL.radial_coefficients.shape
    assert missing_directions(MODEL, active_set) == (S * S - 1) * K * R + (S - 1)
    with pytest.warns(UserWarning, match="grades may be huge"):
        warn_if_incomplete(MODEL, active_set)


def test_batches_go_on_where_the_last_one_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grading, "BATCH", 50)
    active_set = select(MODEL, iter(TRAINING), configurations=texts(120))
    first = maxvol(np.concatenate(TRAINING[:50]))
    second = maxvol(np.concatenate(TRAINING[50:100]), start=(first.A, first.S))
    third = maxvol(np.concatenate(TRAINING[100:]), start=(second.A, second.S))
    np.testing.assert_array_equal(active_set.A, third.A)
    for row, (number, equation) in zip(active_set.A, active_set.links, strict=True):
        if number >= 0:
            np.testing.assert_array_equal(row, TRAINING[places(active_set)[number]][equation - 34])


@pytest.mark.filterwarnings(INCOMPLETE)
@pytest.mark.parametrize("mode", ["configuration", "neighborhood"])
def test_no_atoms(mode: str) -> None:
    nothing = np.empty((0, MODEL.n_parameters))
    active_set = select(MODEL, [nothing, *TRAINING], configurations=texts(121), mode=mode)
    assert 0 not in places(active_set)
    result = extrapolation_grade(MODEL, active_set, nothing)
    assert result.configuration == 0.0
    assert mode == "configuration" or result.neighborhoods.shape == (0,)


@pytest.fixture(scope="module")
def small_set() -> ActiveSet:
    return select(MODEL, TRAINING, configurations=texts(120))


@pytest.mark.parametrize(
    "weights", [{"force_weight": 0.1}, {"stress_weight": 0.1}, {"energy_weight": 1.0}, {"site_en_weight": 0.0}]
)
def test_mixed_active_sets_are_refused(small_set: ActiveSet, weights: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected an active set of energies or of site energies, got weights"):
        extrapolation_grade(MODEL, replace(small_set, **weights), TRAINING[0])


def test_sets_of_other_models_are_refused(small_set: ActiveSet) -> None:
    other = synthetic_mtp_model("l08")
    with pytest.raises(ValueError, match=r"expected an active set of \d+ or \d+ rows for this potential, got \d+"):
        extrapolation_grade(other, small_set, np.zeros((8, other.n_parameters)))
    with pytest.raises(ValueError, match=r"expected gradients of shape \(N, \d+\), got \(8, 3\)"):
        extrapolation_grade(MODEL, small_set, np.zeros((8, 3)))


def test_select_names_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="expected mode neighborhood or configuration, got 'atoms'"):
        select(MODEL, TRAINING, configurations=texts(120), mode="atoms")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected parameters full or linear, got 'all'"):
        select(MODEL, TRAINING, configurations=texts(120), parameters="all")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected gradients of 7 configurations, got 120"):
        select(MODEL, TRAINING, configurations=texts(7))

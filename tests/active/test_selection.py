"""What is selected from candidates, and what is not."""

import numpy as np
import pytest
from ase.build import make_supercell
from support.graded_cells import GRADED, graded, rattled

from ase_mlips.active import distinct, fingerprints, select_add, select_by_leverage, select_farthest

METHODS = [select_add, select_by_leverage, select_farthest]
pytestmark = pytest.mark.filterwarnings("ignore:the training set of this active set")


@pytest.mark.parametrize("name", GRADED)
def test_after_selection_nothing_extrapolates(name: str) -> None:
    calc = graded(name)
    old = [rattled(calc, seed) for seed in range(6)]
    candidates = [rattled(calc, seed, 0.3) for seed in range(20, 28)] + old[:2]
    found = select_add(calc, old, candidates)
    assert 0 < len(found) == found.wanted <= 8
    assert len(set(found.places)) == len(found)
    assert found.scores.min() > 1.0
    trained = [*old, *(candidates[place] for place in found.places)]
    calc.select_active_set(trained)
    grades = [calc.get_extrapolation_grade(atoms).neighborhoods.max() for atoms in trained]
    assert max(grades) <= 1.001 * (1.0 + 1e-6)


@pytest.mark.parametrize("name", ["mtp", "nep", "snap"])
def test_the_strangest_comes_first_and_a_budget_takes_it(name: str) -> None:
    calc = graded(name)
    old = [rattled(calc, seed) for seed in range(10)]
    candidates = [rattled(calc, seed, size) for seed, size in ((20, 0.09), (21, 0.5), (22, 0.15), (23, 0.3))]
    everything = select_add(calc, old, candidates)
    few = select_add(calc, old, candidates, budget=2)
    np.testing.assert_array_equal(few.places, everything.places[:2])
    assert everything.places[0] == 1
    assert few.wanted == everything.wanted >= 2
    before = calc.active_set
    calc.select_active_set(old)
    graded_alone = [calc.get_extrapolation_grade(atoms).configuration for atoms in candidates]
    assert np.argmax(graded_alone) == 1
    assert before is None


def test_of_equal_candidates_one_is_selected() -> None:
    calc = graded("snap")
    old = [rattled(calc, seed) for seed in range(8)]
    twins = [rattled(calc, 50, 0.3) for _ in range(4)]
    for method in METHODS:
        found = method(calc, old, twins, budget=4)
        assert found.scores[0] > 1e3 * found.scores[1] if len(found) > 1 else len(found) == 1


def test_what_is_known_is_not_selected() -> None:
    calc = graded("snap")
    old = [rattled(calc, seed) for seed in range(8)]
    assert len(select_add(calc, old, old[2:5])) == 0
    assert len(select_farthest(calc, old, old[2:5], budget=2)) == 0
    assert len(select_add(calc, old, [])) == len(select_farthest(calc, old, [], budget=1)) == 0


def test_farthest_points_by_hand() -> None:
    calc = graded("snap")
    old, candidates = [rattled(calc, 0)], [rattled(calc, seed, 0.04 * seed) for seed in range(1, 9)]
    points = fingerprints(calc, [*old, *candidates])
    known, left, expected = [0], set(range(1, 9)), []
    for _ in range(5):
        best = max(sorted(left), key=lambda k: min(np.linalg.norm(points[k] - points[j]) for j in known))
        known.append(best)
        left.remove(best)
        expected.append(best - 1)
    assert select_farthest(calc, old, candidates, budget=5).places.tolist() == expected


def test_leverages_by_hand() -> None:
    """The gain of the determinant by one row is one plus its leverage."""
    calc = graded("snap")
    old = [rattled(calc, seed) for seed in range(8)]
    candidates = [rattled(calc, seed, size) for seed, size in ((20, 0.1), (21, 0.2), (22, 0.4))]
    groups, rows = zip(*(calc.get_grade_rows(atoms) for atoms in old), strict=True)
    groups, rows = np.concatenate(groups), np.concatenate(rows)
    leverages = []
    for atoms in candidates:
        own = zip(*calc.get_grade_rows(atoms), strict=True)
        leverages.append(max(row @ np.linalg.lstsq(rows[groups == g].T @ rows[groups == g], row)[0] for g, row in own))
    found = select_by_leverage(calc, old, candidates, budget=1)
    assert found.places[0] == np.argmax(leverages)
    assert found.scores[0] == pytest.approx(max(leverages), rel=0.05)


def test_moved_turned_repeated_and_renumbered_frames_are_alike() -> None:
    calc = graded("snap")
    atoms, other = rattled(calc, 0), rattled(calc, 1)
    moved = atoms.copy()
    moved.positions += [1.0, 2.0, 3.0]
    turned = atoms.copy()
    turned.rotate(30.0, "z", rotate_cell=True)
    repeated = make_supercell(atoms, np.diag([2, 1, 1]))
    renumbered = atoms[::-1]
    assert distinct(calc, [atoms, moved, other, turned, repeated, renumbered]) == [0, 2]
    assert distinct(calc, []) == []
    with pytest.raises(ValueError, match="tolerance: expected zero or a positive number, got -1"):
        distinct(calc, [atoms], tolerance=-1)


@pytest.mark.parametrize("method", METHODS)
def test_what_cannot_be_selected_from(method) -> None:
    calc = graded("snap")
    with pytest.raises(ValueError, match="old: expected at least one frame that is labelled already, got none"):
        method(calc, [], [rattled(calc, 0)], budget=1)
    with pytest.raises(ValueError, match="budget: expected a positive number, got 0"):
        method(calc, [rattled(calc, 0)], [rattled(calc, 1)], budget=0)

"""Selections of atoms: what every analysis and every series understands by them, and what it refuses."""

import re

import numpy as np
import pytest
from ase_mlips.analysis import Trajectory, mean_squared_displacement, rdf, van_hove, vdos
from ase_mlips.analysis.trajectories.atoms import listed_atoms, selected_atoms

SYMBOLS = ["Li", "Cl", "Li", "O", "Cl"]


@pytest.mark.parametrize(
    ("atoms", "expected"),
    [
        (None, [0, 1, 2, 3, 4]),
        ("Li", [0, 2]),
        (np.array(SYMBOLS)[3], [3]),
        ([4, 0, 2], [0, 2, 4]),
        ([-1, -5, 4, 0], [0, 4]),
        ((3,), [3]),
        (range(1, 3), [1, 2]),
        ([False, True, False, False, True], [1, 4]),
        (np.array(SYMBOLS) != "Li", [1, 3, 4]),
        (np.array([1, -2], dtype=np.int8), [1, 3]),
        (np.array([4, 1], dtype=np.uint64), [1, 4]),
    ],
)
def test_selections_are_sorted_indices_each_once(atoms, expected):
    found = selected_atoms(atoms, SYMBOLS, name="atoms")
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_small_integers_find_atoms_of_many(dtype):
    atoms = np.array([3, 100], dtype=dtype)
    np.testing.assert_array_equal(selected_atoms(atoms, ["Ar"] * 1000, name="atoms"), [3, 100])
    np.testing.assert_array_equal(selected_atoms(-atoms.astype(np.int8), ["Ar"] * 1000, name="atoms"), [900, 997])


@pytest.mark.parametrize(
    ("atoms", "expected"),
    [
        ([4, 0, 2], [4, 0, 2]),
        ([-1, 1, 4, 1], [4, 1, 4, 1]),
        ([True, False, False, True, False], [0, 3]),
        ([False] * 5, []),
        ([], []),
    ],
)
def test_lists_keep_order_and_repetition(atoms, expected):
    found = listed_atoms(atoms, 5, name="indices")
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, expected)


KIND = "expected indices of atoms or a mask of 5 atoms, got "
BAD_LISTS = [
    ([0.0, 1.0], f"{KIND}float64 of shape (2,)"),
    (["Li", "Cl"], f"{KIND}<U2 of shape (2,)"),
    ([None, 1], f"{KIND}object of shape (2,)"),
    (2, f"{KIND}int64 of shape ()"),
    (True, f"{KIND}bool of shape ()"),
    ([[0, 1]], f"{KIND}int64 of shape (1, 2)"),
    ([[]], f"{KIND}float64 of shape (1, 0)"),
    ([[0], [1, 2]], f"{KIND}rows of unequal length"),
    ([True, False], "expected a mask of 5 atoms, got one of 2"),
    ([True] * 6, "expected a mask of 5 atoms, got one of 6"),
    ([2, 5], "expected indices from -5 to 4, got 2 to 5"),
    ([-6, 2], "expected indices from -5 to 4, got -6 to 2"),
    (np.array([2**64 - 1], dtype=np.uint64), f"expected indices from -5 to 4, got {2**64 - 1} to {2**64 - 1}"),
]
BAD_SELECTIONS = [
    ("Na", "there is no Na among Cl, Li, O"),
    ("", "there is no  among Cl, Li, O"),
    ([], "expected at least one atom, the selection is empty"),
    ([False] * 5, "expected at least one atom, the selection is empty"),
]


@pytest.mark.parametrize(("atoms", "message"), BAD_LISTS + BAD_SELECTIONS)
def test_a_bad_selection_is_one_sentence_with_its_name(atoms, message):
    with pytest.raises(ValueError, match=f"^group 'cold': {re.escape(message)}$"):
        selected_atoms(atoms, SYMBOLS, name="group 'cold'")


@pytest.mark.parametrize(("atoms", "message"), [*BAD_LISTS, ("Li", f"{KIND}<U2 of shape ()")])
def test_a_bad_list_is_one_sentence_with_its_name(atoms, message):
    with pytest.raises(ValueError, match=f"^indices: {re.escape(message)}$"):
        listed_atoms(atoms, 5, name="indices")


@pytest.fixture
def walk():
    positions = np.random.default_rng(0).normal(size=(12, 5, 3)).cumsum(axis=0)
    return Trajectory.from_arrays(positions, symbols=SYMBOLS, cell=50.0 * np.eye(3), timestep_fs=1.0)


@pytest.mark.parametrize(
    "analysis",
    [
        lambda walk, atoms: mean_squared_displacement(walk, atoms=atoms).total,
        lambda walk, atoms: mean_squared_displacement(walk, drift=atoms).total,
        lambda walk, atoms: van_hove(walk, 0.003, atoms=atoms).distinct,
        lambda walk, atoms: rdf(walk, indices=atoms).g,
        lambda walk, atoms: vdos(walk, groups={"some": atoms}).groups["some"],
        lambda walk, atoms: vdos(walk, drift=atoms).total,
    ],
    ids=["msd", "msd-drift", "van-hove", "rdf", "vdos-groups", "vdos-drift"],
)
def test_analyses_take_all_kinds(walk, analysis):
    found = [analysis(walk, atoms) for atoms in ("Cl", [4, 1, -1], [False, True, False, False, True])]
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])
    other = analysis(walk, "Li")
    assert other.shape == found[0].shape
    assert not np.allclose(other, found[0])

"""Surroundings of an atom, cut out of a large structure."""

import numpy as np
import pytest
from ase.build import bulk
from ase.neighborlist import neighbor_list

from ase_mlips import SNAP
from ase_mlips.active import cut_cell, cut_cluster


def large() -> tuple:
    atoms = bulk("Si", cubic=True) * 3
    atoms.rattle(0.1, seed=0)
    return atoms, SNAP.embedded("Si", num_threads=1)


def nearest(atoms, center: int, radius: float) -> np.ndarray:
    i, d = neighbor_list("id", atoms, radius)
    return np.sort(d[i == center])


@pytest.mark.parametrize("cut", [cut_cluster, cut_cell])
def test_the_center_does_not_notice(cut) -> None:
    atoms, calc = large()
    piece = cut(atoms, 100, radius=5.2)  # beyond the cutoff of 5.1 A
    assert piece.info["center"] == 100
    assert piece.arrays["original"][0] == 100
    np.testing.assert_array_equal(piece.numbers, atoms.numbers[piece.arrays["original"]])
    np.testing.assert_allclose(calc.get_descriptors(piece)[0], calc.get_descriptors(atoms)[100], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(nearest(piece, 0, 5.2), nearest(atoms, 100, 5.2), atol=1e-9)
    assert len(piece) < 0.6 * len(atoms)


def test_a_cluster_has_no_cell_and_holds_all_within_the_radius() -> None:
    atoms, _ = large()
    cluster = cut_cluster(atoms, 7, radius=6.0)
    assert not cluster.pbc.any()
    assert cluster.cell.rank == 0
    assert len(cluster) == 1 + len(nearest(atoms, 7, 6.0))
    assert np.linalg.norm(cluster.positions, axis=1).max() < 6.0


def test_a_cell_is_periodic_and_no_two_atoms_in_it_meet() -> None:
    atoms, _ = large()
    piece = cut_cell(atoms, 7, radius=5.2)
    assert piece.pbc.all()
    np.testing.assert_allclose(piece.cell.array, 10.4 * np.eye(3))
    np.testing.assert_allclose(piece.positions[0], 5.2)
    closest = neighbor_list("d", atoms, 4.0).min()
    assert neighbor_list("d", piece, 4.0).min() >= 0.8 * closest
    box = len(atoms) * 10.4**3 / atoms.get_volume()
    assert 0.75 * box < len(piece) < 1.05 * box


def test_images_of_a_small_cell_are_atoms_of_the_piece() -> None:
    atoms = bulk("Cu")
    cluster = cut_cluster(atoms, 0, radius=3.0)
    assert len(cluster) == 13
    assert set(cluster.arrays["original"]) == {0}


def test_what_cannot_be_cut() -> None:
    for cut in (cut_cluster, cut_cell):
        with pytest.raises(ValueError, match="center: expected the number of one of 1 atoms, from 0 on, got 1"):
            cut(bulk("Cu"), 1)
        with pytest.raises(ValueError, match="radius: expected a positive number in A, got 0"):
            cut(bulk("Cu"), 0, radius=0)

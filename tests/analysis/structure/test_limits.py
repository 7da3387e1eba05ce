"""The number of neighbours, guessed before the list is made."""

import numpy as np
import pytest
from ase.build import bulk
from ase_mlips.analysis.structure.limits import expected_neighbors, require_memory
from ase_mlips.analysis.structure.rdf import rdf
from matplotlib.figure import Figure

from ase_mlips.engine.neighbors import NeighborList


@pytest.mark.parametrize("cubic", [True, False])
@pytest.mark.parametrize(("pbc", "cell"), [((1, 1, 1), None), ((1, 0, 1), None), ((0, 0, 0), None), ((1, 1, 0), 2)])
def test_it_is_near_the_truth_or_above(pbc, cell, cubic):
    atoms = bulk("Cu", cubic=cubic) * 2
    pbc = np.array(pbc, dtype=bool)
    matrix = atoms.cell.array.copy()
    if cell is not None:
        matrix[cell] = 0.0
    near = NeighborList(12.0, skin=0.0)
    near.update(atoms.positions, matrix, pbc)
    found = len(near.pairs()[0]) / len(atoms)
    expected = expected_neighbors(len(atoms), matrix, pbc, 12.0)
    assert 0.95 * found < expected < 3.0 * found + len(atoms)


def test_a_molecule_has_no_images():
    require_memory(1000, np.zeros((3, 3)), np.zeros(3, dtype=bool), 1e6, "r_max")
    with pytest.raises(ValueError, match="expected a smaller r_max"):
        require_memory(1000, np.eye(3), np.array([True, False, False]), 1e6, "r_max")


def test_the_total_has_a_colour_of_its_own():
    result = rdf([bulk("NaCl", "rocksalt", a=5.6)] * 2, r_max=4.0)
    total, *pairs = result.plot(Figure().subplots()).lines
    assert total.get_color() == "black"
    assert len({line.get_color() for line in pairs} | {"black"}) == 4

"""What the checks of potentials are compared with: strains one after the other, and the ends of a hop."""

import numpy as np
from ase import units
from ase.optimize import BFGS

from ase_mlips.runs.elastic_symmetry import strain_matrix

STEP = 1e-3


def elastic_tensor(atoms, calc, *, relaxed=True):
    """Tensor (6, 6) in GPa by central differences of all six strains, without symmetry."""
    columns = []
    for kind in range(6):
        stresses = []
        for sign in (1.0, -1.0):
            work = atoms.copy()
            strain = strain_matrix(sign * STEP * np.eye(6)[kind])
            work.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
            work.calc = calc
            if relaxed:
                BFGS(work, logfile=None).run(fmax=1e-6)
            stresses.append(work.get_stress())
        columns.append((stresses[0] - stresses[1]) / (2.0 * STEP * units.GPa))
    return np.array(columns).T


def vacancy_hop(perfect):
    """An atom beside the vacancy that atom 0 leaves, before and after its hop into it."""
    near = int(np.argsort(perfect.get_distances(0, range(len(perfect)), mic=True))[1])
    initial, final = perfect.copy(), perfect.copy()
    final.positions[near] = perfect.positions[0]
    del initial[0], final[0]
    return initial, final

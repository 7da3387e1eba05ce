"""Small frames labelled by an MTP, with noise where it is asked for."""

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

from ase_mlips import MTP
from ase_mlips.fit import read_frames


def structures(species, count, *, seed=0, a=3.9):
    """Rattled, strained crystals with the species at random, every third as a cluster, and a lone atom at the end."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        atoms = bulk("Cu", "fcc", a=a, cubic=True)
        if number % 2:
            atoms = atoms.repeat((2, 1, 1))
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + rng.uniform(-0.04, 0.04, (3, 3))), scale_atoms=True)
        atoms.positions += rng.normal(0.0, 0.12, atoms.positions.shape)
        atoms.symbols = [*species, *rng.choice(species, len(atoms))][: len(atoms)]
        if number % 3 == 2:
            atoms.pbc = False
        made.append(atoms)
    made.append(Atoms(species[-1], cell=[20.0, 20.0, 20.0], pbc=True))
    return made


def labelled_by(model, images, *, noise=0.0, seed=0, **info):
    """The structures as labelled frames."""
    rng, done = np.random.default_rng(seed), []
    calc = MTP(model)
    for atoms in images:
        atoms = atoms.copy()
        labels = {
            "energy": calc.get_potential_energy(atoms) + noise * rng.normal(),
            "forces": calc.get_forces(atoms) + noise * rng.normal(size=(len(atoms), 3)),
        }
        if atoms.pbc.all():
            labels["stress"] = calc.get_stress(atoms) + 0.01 * noise * rng.normal(size=6)
        atoms.info.update(info)
        atoms.calc = SinglePointCalculator(atoms, **labels)
        done.append(atoms)
    return read_frames(done)

"""Frames of two teachers of Li3PS4: ``python make.py Li7P3S11.mtp Li3PS4_nep.txt CRYSTAL``; see README.md."""

import sys
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.io import read, write
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import thermalize_momenta

from ase_mlips import MTP, NEP

HERE = Path(__file__).parent
TEMPERATURES = 600, 900, 1200
STRAINS = -0.015, 0.0, 0.015
FRAMES, APART, STEP = 8, 125, 2.0  # of each run; steps; fs
REPEATS = 8, 6, 8  # of the unit cell of 16 atoms in the crystal


def cell(crystal: Atoms) -> Atoms:
    """2 x 1 x 2 unit cells, 64 atoms, of a larger periodic crystal."""
    scaled = crystal.get_scaled_positions() * REPEATS
    first = (np.floor(scaled + 1e-4) == 0).all(axis=1)
    unit = Atoms(crystal.symbols[first], scaled_positions=scaled[first], pbc=True, cell=[1, 1, 1])
    unit.set_cell(crystal.cell.array / np.reshape(REPEATS, (3, 1)), scale_atoms=True)
    return unit * (2, 1, 2)


def frames(start: Atoms, teacher, rng) -> list[Atoms]:
    """What a teacher's own dynamics meets, with its labels."""
    found = []
    for temperature in TEMPERATURES:
        for strain in STRAINS:
            atoms = start.copy()
            atoms.set_cell(atoms.cell.array * (1.0 + strain), scale_atoms=True)
            atoms.calc = teacher
            thermalize_momenta(atoms, temperature_K=temperature, rng=rng)
            bath = {"temperature_K": temperature, "friction": 0.02 / units.fs}
            dynamics = Langevin(atoms, STEP * units.fs, **bath, fixcm=False, rng=rng)
            dynamics.run(500)
            for _ in range(FRAMES):
                dynamics.run(APART)
                found.append(labelled(atoms, f"{temperature}K"))
    return found


def labelled(atoms: Atoms, group: str) -> Atoms:
    """The frame with its labels, rounded to what matters, and all atoms in the cell."""
    frame = Atoms(atoms.symbols, atoms.positions.round(4), cell=atoms.cell.array.round(6), pbc=True)
    frame.wrap()
    frame.info = {"config_type": group, "energy": round(atoms.get_potential_energy(), 5)}
    frame.info["stress"] = atoms.get_stress(voigt=False).round(7)
    frame.arrays["forces"] = atoms.get_forces().round(4)
    return frame


def main() -> None:
    start = cell(read(sys.argv[3]))
    teachers = {"optb88": MTP(sys.argv[1], species=["Li", "P", "S"]), "nep": NEP(sys.argv[2])}
    write(HERE / "crystal.extxyz", start)
    for name, teacher in teachers.items():
        write(HERE / f"{name}.extxyz.xz", frames(start, teacher, np.random.default_rng(0)), format="extxyz")


if __name__ == "__main__":
    main()

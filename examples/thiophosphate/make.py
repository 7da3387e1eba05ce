"""Frames of two teachers of Li3PS4: ``python make.py Li7P3S11.mtp Li3PS4_nep.txt CRYSTAL``; see README.md."""

import sys
import tempfile
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.io import read, write
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import thermalize_momenta
from ase.neighborlist import neighbor_list

from ase_mlips import MTP, NEP
from ase_mlips.active import ActiveLearning, ActiveRun, CalculatorLabeller, MtpLearner, explorers
from ase_mlips.fit import read_frames

HERE = Path(__file__).parent
TEMPERATURES = 600, 900, 1200
STRAINS = -0.015, 0.0, 0.015
FRAMES, APART, STEP = 8, 125, 2.0  # of each run; steps; fs
REPEATS = 8, 6, 8  # of the unit cell of 16 atoms in the crystal
LEARNING = ActiveRun(
    temperatures=(900.0, 1200.0),
    timestep=STEP,
    time=4.0,
    final_time=20.0,
    grade_select=2.5,
    grade_break=8.0,
    iterations=80,
    max_rounds=12,
    max_labels=160,
    labels_per_round=12,
)
CLOSEST = 1.7  # A; where the NEP lets two Li fall into one another, no pupil is to learn it


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


def asked_for(start: Atoms, teacher, path: Path) -> list[Atoms]:
    """What an MTP that has learned from the frames of `path` meets in its own runs and does not know."""
    frames = read_frames(path)
    learner = MtpLearner(MTP.untrained(12, ["Li", "P", "S"], max_dist=5.0), iterations=LEARNING.iterations)
    with tempfile.TemporaryDirectory() as folder:
        labeller = CalculatorLabeller(teacher)
        learning = ActiveLearning(folder, learner, labeller, explorers=explorers(LEARNING, [start]), settings=LEARNING)
        held_back = frames[FRAMES - 1 :: FRAMES]
        print(learning.run([frame.atoms for n, frame in enumerate(frames) if n % FRAMES != FRAMES - 1], test=held_back))
        found = [atoms for atoms in read(Path(folder) / "data.extxyz", ":") if atoms.info["round"] > 0]
    return [labelled(atoms, "asked for") for atoms in found if not neighbor_list("d", atoms, CLOSEST).size]


def main() -> None:
    start = cell(read(sys.argv[3]))
    teachers = {"optb88": MTP(sys.argv[1], species=["Li", "P", "S"]), "nep": NEP(sys.argv[2])}
    write(HERE / "crystal.extxyz", start)
    for name, teacher in teachers.items():
        path = HERE / f"{name}.extxyz.xz"
        met = frames(start, teacher, np.random.default_rng(0))
        write(path, met, format="extxyz")
        write(path, met + asked_for(start, teacher, path), format="extxyz")


if __name__ == "__main__":
    main()

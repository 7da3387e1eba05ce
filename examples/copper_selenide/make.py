"""Labels frames of Cu2Se with a published NEP: ``python make.py Cu2Se_nep2.txt``; see README.md."""

import gzip
import io
import sys
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import thermalize_momenta

from ase_mlips import NEP

HERE = Path(__file__).parent
A = 5.85  # of antifluorite, A
STEP = 2.0 * units.fs
STRAINS = {300: (0.98, 0.99, 1.0, 1.01), 600: (0.99, 1.0, 1.01, 1.02), 900: (0.99, 1.0, 1.01, 1.03)}
FRAMES, SPACING = 3, 400  # of each temperature and volume, steps from one to the next


def labelled(atoms: Atoms, calc: NEP, temperature: int) -> Atoms:
    """A copy with labels, of the positions as they are written."""
    frame = Atoms(atoms.symbols, np.round(atoms.positions, 5), cell=atoms.cell, pbc=True)
    frame.wrap()
    frame.positions = np.round(frame.positions, 5)
    frame.calc = calc
    values = {name: frame.calc.get_property(name, frame) for name in ("energy", "forces", "stress")}
    values["forces"] = np.round(values["forces"], 5)
    frame.calc = SinglePointCalculator(frame, **values)
    frame.info["config_type"] = f"{temperature} K"
    return frame


def main() -> None:
    calc = NEP(sys.argv[1])
    frames = []
    for temperature, strains in STRAINS.items():
        for k, strain in enumerate(strains):
            rng = np.random.default_rng([temperature, k])
            atoms = bulk("SeCu2", "fluorite", a=strain * A, cubic=True) * 2
            atoms.calc = calc
            thermalize_momenta(atoms, temperature_K=2 * temperature, rng=rng)
            run = Langevin(atoms, STEP, temperature_K=temperature, friction=0.02 / units.fs, fixcm=False, rng=rng)
            run.run(SPACING)
            for _ in range(FRAMES):
                run.run(SPACING)
                frames.append(labelled(atoms, calc, temperature))
    text = io.StringIO()
    write(text, frames, format="extxyz")
    lines = "".join(" ".join(line.split()) + "\n" for line in text.getvalue().splitlines())
    with gzip.GzipFile(HERE / "labels.extxyz.gz", "wb", mtime=0) as file:
        file.write(lines.encode())


if __name__ == "__main__":
    main()

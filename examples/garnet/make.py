"""Labels Li7La3Zr2O12 with a neuroevolution potential: ``python make.py LLZO_nep.txt``; see README.md."""

import gzip
import json
import sys
from io import StringIO
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.calculators.singlepoint import SinglePointCalculator
from ase.filters import FrechetCellFilter
from ase.io import read, write
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import thermalize_momenta
from ase.optimize import LBFGS
from ase.spacegroup import crystal
from ase_mlips.analysis import mean_squared_displacement, rdf

from ase_mlips import NEP

HERE = Path(__file__).parent
SITES = [  # J. Awaka et al., J. Solid State Chem. 182, 2046 (2009)
    ("Li", (0.0, 0.25, 0.375)),
    ("Li", (0.1813, 0.4313, 0.125)),
    ("Li", (0.0796, 0.0873, 0.8034)),
    ("La", (0.0, 0.25, 0.125)),
    ("La", (0.1270, 0.0, 0.25)),
    ("Zr", (0.0, 0.0, 0.0)),
    ("O", (-0.0335, 0.0546, 0.1528)),
    ("O", (0.0536, 0.8522, 0.5331)),
    ("O", (0.1499, 0.0268, 0.4459)),
]
TEMPERATURES = 300.0, 600.0, 900.0, 1200.0, 1500.0  # K
STRAINS = -0.02, 0.0, 0.02
FRAMES = {"train": 5, "test": 2}  # of each run
SPACING, EQUILIBRATION = 200, 1000  # steps of 1 fs
MOTION = {"temperature": 1200, "steps": 4000, "interval": 10, "r_max": 5.0, "bins": 100}


def garnet() -> Atoms:
    """The ordered tetragonal phase, primitive cell of 96 atoms."""
    symbols, positions = zip(*SITES, strict=True)
    cell = [13.134, 13.134, 12.663, 90, 90, 90]
    return crystal(symbols, positions, spacegroup=142, setting=2, cellpar=cell, primitive_cell=True)


def labelled(atoms: Atoms, group: str) -> Atoms:
    """A copy with energy and forces."""
    found = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=True)
    found.wrap()
    labels = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
    found.calc = SinglePointCalculator(found, **labels)
    found.info["config_type"] = group
    return found


def motion(teacher: NEP) -> None:
    """Write g(r) of lithium and oxygen and the displacement of lithium in a run with a thermostat, steps of 2 fs."""
    atoms = [frame for frame in read(HERE / "test.extxyz.gz", ":") if frame.info["config_type"] == "1200 K"][2]
    rng, seen = np.random.default_rng(0), []
    atoms.calc = teacher
    thermalize_momenta(atoms, temperature_K=MOTION["temperature"], rng=rng)
    bath = {"temperature_K": MOTION["temperature"], "friction": 0.005 / units.fs}
    run = Langevin(atoms, 2.0 * units.fs, **bath, fixcm=False, rng=rng)
    run.run(500)
    run.attach(lambda: seen.append(atoms.copy()), interval=MOTION["interval"])
    run.run(MOTION["steps"])
    g = rdf(seen, r_max=MOTION["r_max"], bins=MOTION["bins"]).partials["Li", "O"]
    msd = mean_squared_displacement(seen, timestep_fs=2.0 * MOTION["interval"], max_lag_ps=2.0)
    found = {"g": np.round(g, 4).tolist(), "msd": np.round(msd.partials["Li"], 4).tolist()}
    (HERE / "motion.json").write_text(json.dumps({**MOTION, **found}) + "\n")


def main() -> None:
    teacher = NEP(sys.argv[1])
    start = garnet()
    start.calc = teacher
    print(f"{len(start)} atoms, {start.get_potential_energy() / len(start):.3f} eV/atom as measured", end=", ")
    LBFGS(FrechetCellFilter(start), logfile=None).run(fmax=0.02, steps=300)
    lengths = np.linalg.norm(start.cell.array, axis=1)
    print(f"{start.get_potential_energy() / len(start):.3f} relaxed; cell vectors of {lengths.round(2)} A")
    seed = 0
    for name, count in FRAMES.items():
        frames = []
        for temperature in TEMPERATURES:
            for strain in STRAINS:
                seed += 1
                rng, atoms = np.random.default_rng(seed), start.copy()
                shape = np.eye(3) * (1.0 + strain) + rng.uniform(-0.01, 0.01, (3, 3))
                atoms.set_cell(atoms.cell.array @ shape, scale_atoms=True)
                atoms.calc = teacher
                thermalize_momenta(atoms, temperature_K=2.0 * temperature, rng=rng)
                bath = Langevin(
                    atoms, 1.0 * units.fs, temperature_K=temperature, friction=0.02 / units.fs, fixcm=False, rng=rng
                )
                bath.run(EQUILIBRATION)
                for _ in range(count):
                    bath.run(SPACING)
                    frames.append(labelled(atoms, f"{temperature:.0f} K"))
        stream = StringIO()
        write(stream, frames, format="extxyz")
        text = "".join(" ".join(line.split()) + "\n" for line in stream.getvalue().splitlines())
        (HERE / f"{name}.extxyz.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
        print(f"{name}: {len(frames)} frames, {np.std([f.get_forces() for f in frames]):.2f} eV/A")
    motion(teacher)


if __name__ == "__main__":
    main()

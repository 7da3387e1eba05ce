"""Exact trajectories of harmonic crystals, from force constants."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from ase import Atoms, units
from ase_mlips.analysis.trajectories.trajectory import Trajectory
from phonopy import Phonopy
from phonopy.structure.atoms import PhonopyAtoms
from support.morse import MorseCalculator

THZ = 1e3 * units.fs / (2.0 * np.pi)  # of an angular frequency in units of ASE


@dataclass(frozen=True)
class HarmonicCrystal:
    """A supercell whose atoms vibrate about `atoms.positions`; `hessian` (3N, 3N) is in eV/A^2."""

    atoms: Atoms
    hessian: np.ndarray
    phonons: Phonopy

    @property
    def dynamical_matrix(self):
        """Of the whole supercell, (3N, 3N), in eV/(A^2 amu)."""
        roots = np.repeat(np.sqrt(self.atoms.get_masses()), 3)
        return self.hessian / np.outer(roots, roots)

    @property
    def frequencies(self):
        """THz, ascending, without the three translations."""
        return np.sqrt(np.linalg.eigvalsh(self.dynamical_matrix)[3:]) * THZ

    def trajectory(self, frames, timestep_fs, *, seed=0, temperature=300.0, velocities=True):
        """All modes but the translations, with equal energies and random phases."""
        squares, modes = np.linalg.eigh(self.dynamical_matrix)
        omega, modes = np.sqrt(squares[3:]), modes[:, 3:]
        phases = np.random.default_rng(seed).uniform(0.0, 2.0 * np.pi, len(omega))
        angles = np.outer(np.arange(frames) * timestep_fs * units.fs, omega) + phases
        speed = np.sqrt(2.0 * units.kB * temperature)
        roots = np.repeat(np.sqrt(self.atoms.get_masses()), 3)
        shape = (frames, len(self.atoms), 3)
        displacements = ((speed / omega * np.sin(angles)) @ modes.T / roots).reshape(shape)
        return Trajectory.from_arrays(
            self.atoms.positions + displacements,
            symbols=self.atoms.get_chemical_symbols(),
            cell=self.atoms.cell.array,
            velocities=(speed * np.cos(angles) @ modes.T / roots).reshape(shape) * units.fs if velocities else None,
            timestep_fs=timestep_fs,
        )


@cache
def ordered_alloy() -> HarmonicCrystal:
    """54 atoms of tetragonal CuAu (two of them in its primitive cell), with the lattice relaxed."""
    cell = Atoms("CuAu", scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.5]], cell=[2.68655, 2.68655, 3.53130], pbc=True)
    return harmonic_crystal(cell, 3)


def harmonic_crystal(unit_cell: Atoms, repeats: int) -> HarmonicCrystal:
    """Supercell with the force constants of the Morse potential about its sites, found by phonopy."""
    cell = PhonopyAtoms(
        symbols=unit_cell.get_chemical_symbols(), cell=unit_cell.cell.array, positions=unit_cell.positions
    )
    phonons = Phonopy(cell, supercell_matrix=np.eye(3, dtype=int) * repeats, primitive_matrix="P")
    phonons.generate_displacements(distance=0.01)
    calculator = MorseCalculator()
    forces = []
    for displaced in phonons.supercells_with_displacements:
        atoms = Atoms(displaced.symbols, positions=displaced.positions, cell=displaced.cell, pbc=True)
        forces.append(calculator.get_forces(atoms))
    phonons.forces = forces
    phonons.produce_force_constants()
    phonons.symmetrize_force_constants()
    supercell = phonons.supercell
    count = len(supercell)
    hessian = phonons.force_constants.transpose(0, 2, 1, 3).reshape(3 * count, 3 * count)
    atoms = Atoms(supercell.symbols, positions=supercell.positions, cell=supercell.cell, pbc=True)
    return HarmonicCrystal(atoms, hessian, phonons)

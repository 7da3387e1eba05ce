"""A compiled Lennard-Jones potential, fluids and crystals of it, for ground truths that are known in reduced units."""

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.md.bussi import Bussi
from ase.md.verlet import VelocityVerlet

from ase_mlips.calculator import PotentialCalculator
from ase_mlips.engine.jit import kernel
from ase_mlips.engine.neighbors import NeighborList
from ase_mlips.potential import Evaluation

ARGON = {"epsilon": 0.0103235, "sigma": 3.405}  # eV, A


class LennardJones:
    """``phi(r) = 4 epsilon ((sigma / r)^12 - (sigma / r)^6)`` less its value at the cutoff, half of it to each atom.

    With epsilon 1 eV, sigma 1 A and masses of 1 amu, ASE's units are Lennard-Jones units.
    """

    def __init__(self, elements=("Ar",), *, epsilon=1.0, sigma=1.0, reach=2.5) -> None:
        self.elements = tuple(elements)
        self.cutoff = reach * sigma
        self._parameters = float(epsilon), float(sigma)

    def evaluate(self, neighbors: NeighborList, species, num_threads: int = 1) -> Evaluation:
        n = neighbors.n
        evaluation = Evaluation(np.empty(n), np.empty((n, 3)), np.empty((n, 3, 3)))
        listing = neighbors.positions, neighbors.shifts, neighbors.start, neighbors.idx, neighbors.code
        _pairs(*listing, *self._parameters, self.cutoff, *evaluation)
        return evaluation


def fluid(density, temperature, *, repeat=5, elements=("Ar",), seed=0, skin=0.4) -> Atoms:
    """4 repeat^3 atoms of mass 1, 2, ... in reduced units, velocities drawn, with their calculator; still a crystal."""
    atoms = bulk("Ar", "fcc", a=(4.0 / density) ** (1.0 / 3.0), cubic=True) * repeat
    kinds = np.random.default_rng(seed).permutation(np.arange(len(atoms)) % len(elements))
    atoms.symbols = np.array(elements)[kinds]
    atoms.set_masses(1.0 + kinds)
    atoms.calc = PotentialCalculator(LennardJones(elements), skin=skin)
    _heat(atoms, temperature / units.kB, seed)
    return atoms


def argon(temperature, *, repeat=4, lattice_constant=5.376, seed=0) -> Atoms:
    """4 repeat^3 atoms of solid argon at a temperature in K, with velocities and calculator."""
    atoms = bulk("Ar", "fcc", a=lattice_constant, cubic=True) * repeat
    atoms.calc = PotentialCalculator(LennardJones(**ARGON), skin=0.8)
    _heat(atoms, temperature, seed)
    return atoms


def equilibrate(atoms, temperature, *, timestep, steps, seed=0) -> VelocityVerlet:
    """Run at a temperature in K for some time steps in ASE's units, and return dynamics at constant energy."""
    rng = np.random.default_rng(seed)
    Bussi(atoms, timestep, temperature_K=temperature, taut=100 * timestep, rng=rng).run(steps)
    return VelocityVerlet(atoms, timestep)


def _heat(atoms: Atoms, temperature: float, seed: int) -> None:
    masses = atoms.get_masses()[:, None]
    momenta = np.sqrt(masses * units.kB * temperature) * np.random.default_rng(seed).normal(size=(len(atoms), 3))
    atoms.set_momenta(momenta - masses * momenta.sum(axis=0) / masses.sum())


@kernel
def _pairs(positions, shifts, start, idx, code, epsilon, sigma, cutoff, energies, forces, virials):
    n = energies.size
    limit, sixth, at_cutoff = cutoff**2, sigma**6, (sigma / cutoff) ** 6
    shift = 4.0 * epsilon * (at_cutoff**2 - at_cutoff)
    for i in range(n):
        x, y, z = positions[i, 0], positions[i, 1], positions[i, 2]
        u = fx = fy = fz = xx = yy = zz = yz = xz = xy = 0.0
        for k in range(start[i], start[i + 1]):
            j, c = idx[k], code[k]
            dx = positions[j, 0] + shifts[c, 0] - x
            dy = positions[j, 1] + shifts[c, 1] - y
            dz = positions[j, 2] + shifts[c, 2] - z
            r2 = dx * dx + dy * dy + dz * dz
            if r2 < limit:
                inverse = 1.0 / r2
                s6 = sixth * inverse * inverse * inverse
                u += 4.0 * epsilon * (s6 * s6 - s6) - shift
                slope = 4.0 * epsilon * (6.0 * s6 - 12.0 * s6 * s6) * inverse  # phi'(r) / r
                fx += slope * dx
                fy += slope * dy
                fz += slope * dz
                xx -= slope * dx * dx
                yy -= slope * dy * dy
                zz -= slope * dz * dz
                yz -= slope * dy * dz
                xz -= slope * dx * dz
                xy -= slope * dx * dy
        energies[i] = 0.5 * u
        forces[i, 0], forces[i, 1], forces[i, 2] = fx, fy, fz
        # W_i = -sum_j r_ji dU_j/dr_i, half of each pair's: the same for both of its atoms.
        virials[i, 0, 0], virials[i, 1, 1], virials[i, 2, 2] = 0.5 * xx, 0.5 * yy, 0.5 * zz
        virials[i, 1, 2] = virials[i, 2, 1] = 0.5 * yz
        virials[i, 0, 2] = virials[i, 2, 0] = 0.5 * xz
        virials[i, 0, 1] = virials[i, 1, 0] = 0.5 * xy

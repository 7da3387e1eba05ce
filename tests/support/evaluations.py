"""What tests of every compiled potential need: configurations, evaluations of them and comparisons."""

from typing import NamedTuple

import numpy as np

from ase_mlips.engine.neighbors import NeighborList
from ase_mlips.potential import Evaluation, Potential

KINDS = ["slab", "wire", "cluster", "unwrapped", "left-handed"]  # of `altered`


class Configuration(NamedTuple):
    """Species (N,), positions (N, 3) and cell (3, 3) in A, and pbc (3,)."""

    species: np.ndarray
    positions: np.ndarray
    cell: np.ndarray
    pbc: np.ndarray


def listed(cutoff: float, configuration: Configuration, skin: float = 0.7) -> NeighborList:
    """A neighbour list that holds `configuration`."""
    _, positions, cell, pbc = configuration
    neighbors = NeighborList(cutoff, skin)
    neighbors.update(np.ascontiguousarray(positions), np.ascontiguousarray(cell), np.asarray(pbc, bool))
    return neighbors


def evaluated(potential: Potential, configuration: Configuration, num_threads: int = 1) -> Evaluation:
    """Energies, forces and virials of `configuration`."""
    return potential.evaluate(listed(potential.cutoff, configuration), configuration.species, num_threads)


def altered(crystal: Configuration, kind: str) -> Configuration:
    """A slab, a wire or a cluster cut from a rattled crystal, or the crystal unwrapped or in its mirror image."""
    species, positions, cell, pbc = crystal
    if kind == "slab":
        return Configuration(species, positions, cell, np.array([True, True, False]))
    if kind == "wire":
        cell = cell.copy()
        cell[1:] = 0.0
        return Configuration(species, positions, cell, np.array([True, False, False]))
    if kind == "cluster":
        return Configuration(species, positions, np.zeros((3, 3)), np.zeros(3, bool))
    if kind == "unwrapped":
        far = np.random.default_rng(0).integers(-4, 5, (len(species), 3)) @ cell
        return Configuration(species, positions + far, cell, pbc)
    if kind == "left-handed":
        return Configuration(species, positions[:, [1, 0, 2]], cell[:, [1, 0, 2]], pbc)
    raise ValueError(f"expected one of {', '.join(KINDS)}, got {kind}")


def scattered(elements: int, *, count: int, edge: float, pbc: tuple[bool, bool, bool], seed: int) -> Configuration:
    """At most `count` atoms at random in and around a skewed cell of about `edge` A, no two within 0.7 A."""
    rng = np.random.default_rng(seed)
    cell = edge * (np.eye(3) + np.tril(rng.uniform(-0.3, 0.3, (3, 3))))
    images = np.array(np.meshgrid(*[[-1, 0, 1]] * 3)).reshape(3, -1).T @ cell
    positions = np.zeros((0, 3))
    for trial in rng.uniform(-0.5, 1.5, (40 * count, 3)) @ cell:
        taken = (positions[:, None] + images).reshape(-1, 3)
        if len(positions) < count and np.all(np.linalg.norm(trial - taken, axis=1) > 0.7):
            positions = np.vstack([positions, trial])
    return Configuration(rng.integers(0, elements, len(positions)), positions, cell, np.array(pbc))


def few_atoms(count: int) -> Configuration:
    """No atom, or one of the first species, and no cell."""
    return Configuration(np.zeros(count, np.int32), np.zeros((count, 3)), np.zeros((3, 3)), np.zeros(3, bool))


def gradient(potential: Potential, configuration: Configuration, place: tuple[int, int], step: float = 1e-4) -> float:
    """Derivative of the energy in eV/A by one coordinate, (atom, axis), from differences of fourth order."""
    energies = []
    for steps in (-2, -1, 1, 2):
        moved = configuration.positions.copy()
        moved[place] += steps * step
        energies.append(evaluated(potential, configuration._replace(positions=moved)).energies.sum())
    return float(energies[0] - 8 * energies[1] + 8 * energies[2] - energies[3]) / (12 * step)


def heat_currents(potential: Potential, cluster: Configuration) -> tuple[np.ndarray, np.ndarray]:
    """Potential part of the heat current at random velocities, by virials and as ``sum_i r_i (dU_i/dt + F_i v_i)``."""
    velocities = np.random.default_rng(0).normal(size=cluster.positions.shape)
    start, h = evaluated(potential, cluster), 1e-4
    energies = [
        evaluated(potential, cluster._replace(positions=cluster.positions + n * h * velocities)).energies
        for n in (-2, -1, 1, 2)
    ]
    power = (energies[0] - 8 * energies[1] + 8 * energies[2] - energies[3]) / (12 * h)
    current = cluster.positions.T @ (power + (start.forces * velocities).sum(1))
    return np.einsum("jab,jb->a", start.virials, velocities), current


def assert_equal_evaluations(actual: Evaluation, expected: Evaluation, tolerance: float) -> None:
    """Compare energies, forces and virials; `tolerance` is relative to the largest of a kind, or to 1."""
    for name in ("energies", "forces", "virials"):
        assert_close(getattr(actual, name), getattr(expected, name), tolerance, name)


def assert_close(actual: np.ndarray, expected: np.ndarray, tolerance: float, name: str = "") -> None:
    """Compare two arrays; `tolerance` is relative to the largest expected number, or to 1."""
    atol = tolerance * max(1.0, float(np.abs(expected).max(initial=0.0)))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=atol, err_msg=name)


def assert_threads_change_nothing(potential: Potential, configuration: Configuration) -> None:
    """Energies, forces and virials of 1, 2, 3 and 7 threads agree bit by bit."""
    serial = evaluated(potential, configuration)
    for threads in (2, 3, 7):
        parallel = evaluated(potential, configuration, threads)
        for name in ("energies", "forces", "virials"):
            assert np.array_equal(getattr(serial, name), getattr(parallel, name)), (threads, name)

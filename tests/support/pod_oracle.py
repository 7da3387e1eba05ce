"""POD in plain NumPy, from its definition: sums over pairs and triples of neighbours, gradients by complex steps."""

from itertools import combinations_with_replacement

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list

from ase_mlips.pod.model import PodBasis, PodModel
from ase_mlips.pod.radial import expansion
from ase_mlips.potential import Evaluation

STEP = 1e-30  # i times this: the imaginary part of a function is its slope times the step, without cancellation
FOUR_BODIES = ["000", "100", "200", "110", "300", "210", "111", "400", "310", "220", "211", "500", "410", "320", "311",
               "221", "600", "510", "420", "411", "330", "321", "222"]  # fmt: skip


def radial_functions(basis: PodBasis, r):
    """R_m (..., n) of distances, which may be complex."""
    R, s = basis.rcut - basis.rin, r - basis.rin
    y = s / R
    fc = np.exp(1 - 1 / np.sqrt((1 - y**3) ** 2 + 1e-6))
    bessel = [
        np.sqrt(2 / R) / i * np.sin(i * np.pi * np.expm1(-alpha * y) / np.expm1(-alpha)) / s
        for alpha in (0.001, 2.0, 4.0)
        for i in range(1, basis.bessel_degree + 1)
    ]
    powers = [r ** -float(i) for i in range(1, basis.inverse_degree + 1)]
    return np.stack([fc * f for f in bessel + powers], axis=-1) @ expansion(basis)


def descriptors(basis: PodBasis, D, kinds):
    """B (..., M) of an atom with neighbours at D (..., J, 3), of which those of these kinds (J,) are its own.

    All terms are there, whatever the number of neighbours.
    """
    n2, n3, n4, *more = basis.radial_functions
    p3, p4, *highest = basis.angular_degrees
    E = len(basis.elements)
    r = np.sqrt((D * D).sum(-1))
    u = D / r[..., None]
    c = u @ np.swapaxes(u, -1, -2)
    R = [radial_functions(basis, r) * (kinds == e)[:, None] for e in range(E)]
    two = [R[e][..., m].sum(-1) for e in range(E) for m in range(n2)]
    three, labels3 = [], []
    for q, (a, b) in enumerate(combinations_with_replacement(range(E), 2)):
        for m in range(n3):
            for p in range(p3 + 1):
                three.append(np.einsum("...j,...k,...jk->...", R[a][..., m], R[b][..., m], c**p))
                labels3.append((q, m, p, p))
    four, labels4 = [], []
    powers = [tuple(map(int, word)) for word in FOUR_BODIES if sum(map(int, word)) <= p4]
    for q, triple in enumerate(combinations_with_replacement(range(E), 3)):
        for m in range(n4):
            A, B, C = (R[e][..., m] for e in triple)
            for p, (x, y, z) in enumerate(powers):
                over_k = (c**x * B[..., None, :]) @ c**z
                four.append(np.einsum("...j,...jl,...jl,...l->...", A, over_k, c**y, C))
                labels4.append((q, m, p, x + y + z))
    parts = [(three, labels3, p3 + 1), (four, labels4, len(powers))]
    found = [*two, *three, *four]
    for (first, second), n, degree in zip(((0, 0), (0, 1), (1, 1)), more, highest, strict=True):
        (left, names, na), (right, others, nb) = parts[first], parts[second]
        for one, (i1, j1, k1, d1) in zip(left, names, strict=True):
            for two_, (i2, j2, k2, d2) in zip(right, others, strict=True):
                within = j1 + j2 < n and d1 + d2 <= degree
                if within and k2 + j2 * nb >= k1 + j1 * na and i2 >= i1:
                    found.append(one * two_)
    return np.stack(found, axis=-1)


def bodies(basis: PodBasis):
    """Number of bodies of each descriptor."""
    return np.repeat(np.arange(2, 8), [*basis.descriptor_counts, *map(len, basis.products)])


def described(basis: PodBasis, D, kinds):
    """Descriptors (M,) and their gradients (J, 3, M), as LAMMPS has them: none of n bodies with too few neighbours."""
    J = len(D)
    if J == 0:
        return np.zeros(basis.n_descriptors), np.zeros((0, 3, basis.n_descriptors))
    moved = D + 1j * STEP * np.eye(3 * J).reshape(3 * J, J, 3)
    B = descriptors(basis, moved, kinds)
    there = bodies(basis) <= J + 1
    return B[0].real * there, (B.imag / STEP * there).reshape(J, 3, -1)


def energy(model: PodModel, kind: int, B):
    """Energy of an atom and dU/dB."""
    c = model.coefficients[kind]
    if model.projections is None:
        return model.constants[kind] + c[0] @ B, c[0]

    def of(B):
        away = (B @ model.projections[kind])[..., None, :] - model.centroids[kind]
        near = 1 / (1e-20 + (away * away).sum(-1))
        return model.constants[kind] + np.sum(near / near.sum(-1, keepdims=True) * (B @ c.T), axis=-1)

    return of(B), of(B + 1j * STEP * np.eye(len(B))).imag / STEP


def evaluate(model: PodModel, species, positions, cell, pbc) -> Evaluation:
    """Energies, forces and virials of a configuration."""
    N = len(species)
    atoms = Atoms("X" * N, positions=positions, cell=cell, pbc=pbc)
    i, j, D = neighbor_list("ijD", atoms, model.cutoff)
    energies, forces, virials = np.zeros(N), np.zeros((N, 3)), np.zeros((N, 3, 3))
    for n in range(N):
        own = i == n
        B, gradients = described(model.basis, D[own], np.asarray(species)[j[own]])
        energies[n], beta = energy(model, species[n], B)
        pulls = gradients @ beta
        forces[n] += pulls.sum(axis=0)
        np.add.at(forces, j[own], -pulls)
        np.add.at(virials, j[own], -D[own][:, :, None] * pulls[:, None, :])
    return Evaluation(energies, forces, virials)

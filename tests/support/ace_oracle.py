"""ACE in plain numpy, straight from the definition: complex harmonics, loops over neighbours and functions."""

import math
from itertools import product

import numpy as np
from ase.data import atomic_numbers
from numpy.polynomial import chebyshev, legendre

from ase_mlips.ace import AceModel, Bond
from ase_mlips.engine.neighbors import NeighborList

from .evaluations import Configuration

SCREENING = ((0.18175, 3.1998), (0.50986, 0.94229), (0.28022, 0.4029), (0.02817, 0.20162))


def switch(r: float, end: float, width: float) -> float:
    """One below end - width, zero from end on."""
    if width == 0.0 or r >= end or r <= end - width:
        return float(r < end) if width == 0.0 else float(r <= end - width)
    x = 1 - 2 * (1 + (r - end) / width)
    return 0.5 + 7.5 / 2 * (x / 4 - x**3 / 6 + x**5 / 20)


def base_functions(bond: Bond, r: float, size: int) -> np.ndarray:
    """g_1 .. g_size."""
    rc, lam = bond.cutoff, bond.scale
    T = lambda k, x: chebyshev.Chebyshev.basis(k)(x)  # noqa: E731
    if bond.radial_basis == "ChebExpCos":
        x = 1 - 2 * (math.exp(-lam * r / rc) - math.exp(-lam)) / (1 - math.exp(-lam))
        g = np.array([1.0] + [(1 - T(k, x)) / 2 for k in range(1, size)]) * (1 + math.cos(math.pi * r / rc)) / 2
        if r > rc - bond.dcut:
            g *= (1 + math.cos(math.pi * (r - rc + bond.dcut) / bond.dcut)) / 2
        return g
    if bond.radial_basis in ("ChebPow", "ChebLinear"):
        x = 1 - 2 * (1 - r / rc) ** lam if bond.radial_basis == "ChebPow" else 1 - r / rc
        return np.array([(1 - T(k, x)) / 2 for k in range(1, size + 1)])
    s = lambda n: math.sin(n * math.pi * r / rc) / (n * math.pi * r / rc)  # noqa: E731
    g, d = np.zeros(size), np.ones(size)
    for n in range(size):
        g[n] = (-1) ** n * math.sqrt(2) * math.pi / rc**1.5 * (n + 1) * (n + 2)
        g[n] *= (s(n + 1) + s(n + 2)) / math.sqrt((n + 1) ** 2 + (n + 2) ** 2)
        if n > 0:
            e = n**2 * (n + 2) ** 2 / (4 * (n + 1) ** 4 + 1)
            d[n] = 1 - e / d[n - 1]
            g[n] = (g[n] + math.sqrt(e / d[n - 1]) * g[n - 1]) / math.sqrt(d[n])
    return g


def harmonic(degree: int, m: int, u: np.ndarray) -> complex:
    """Y_lm times sqrt(4 pi)."""
    if m < 0:
        return (-1) ** m * harmonic(degree, -m, u).conjugate()
    series = legendre.Legendre.basis(degree)
    value = (series.deriv(m) if m else series)(u[2])
    norm = math.sqrt((2 * degree + 1) * math.factorial(degree - m) / math.factorial(degree + m))
    return (-1) ** m * norm * value * complex(u[0], u[1]) ** m


def embedded(name: str, rho: float, m: float) -> float:
    a, sign = abs(rho), math.copysign(1.0, rho)
    if name == "FinnisSinclair":
        lam = 1e6 ** (1 - m)
        if a <= 1e-10:
            return lam * rho
        mixed = math.exp(-((1e6 * a) ** 3))
        return sign * ((1 - mixed) * a**m + lam * mixed * a)
    if m == 1:
        return rho
    n = 1 / m
    x, y = (n ** (p / (1 - n)) * math.exp(-a) for p in (n, 1.0))
    return sign * ((x + a) ** m - y)


class AceOracle:
    """Energies and descriptors of a model."""

    def __init__(self, model: AceModel) -> None:
        self.model = model

    def __call__(self, configuration: Configuration) -> tuple[np.ndarray, np.ndarray]:
        """Energies (N,) and descriptors (N, K)."""
        species, positions, cell, pbc = configuration
        neighbors = NeighborList(self.model.cutoff, 0.0)
        neighbors.update(np.ascontiguousarray(positions), np.ascontiguousarray(cell), np.asarray(pbc, bool))
        first, second, _, vectors = neighbors.pairs()
        found = []
        for i in range(len(species)):
            own = [(int(species[j]), d) for j, d in zip(second[first == i], vectors[first == i], strict=True)]
            found.append(self.atom(int(species[i]), own))
        rows = np.array([row for _, row in found]).reshape(len(species), self.model.n_descriptors)
        return np.array([energy for energy, _ in found]), rows

    def atom(self, center: int, around: list) -> tuple[float, np.ndarray]:
        """Energy and descriptors of one atom of the element `center`."""
        model, size = self.model, self.model.base
        top = max(bond.coefficients.shape[1] for row in model.bonds for bond in row)
        sums: dict = {}
        core, nearest = 0.0, (math.inf, 0.0)
        for other, vector in around:
            bond, r = model.bonds[center][other], float(np.linalg.norm(vector))
            if r >= bond.cutoff:
                continue
            damped = switch(r, bond.inner_cutoff, bond.inner_width)
            g = base_functions(bond, r, size)
            if model.inner_cutoff_type == "distance":
                g = g * (1 - damped)
            core += self.repulsion(center, other, r) * (damped if model.inner_cutoff_type == "distance" else 1.0)
            nearest = min(nearest, (r - bond.inner_cutoff + bond.inner_width, bond.inner_width))
            R = bond.coefficients @ g[: bond.coefficients.shape[2]]
            for n in range(size):
                sums[other, n + 1] = sums.get((other, n + 1), 0.0) + g[n]
            for degree in range(min(top, R.shape[1])):
                for m, n in product(range(-degree, degree + 1), range(R.shape[0])):
                    key = other, n + 1, degree, m
                    sums[key] = sums.get(key, 0.0) + R[n, degree] * harmonic(degree, m, vector / r)
        embedding = model.embeddings[center]
        rho, B = np.zeros(embedding.densities), np.zeros(model.n_descriptors)
        for k, function in enumerate(model.functions[center]):
            for ms, weights, coupling in zip(function.ms, function.weights, function.couplings, strict=True):
                factors = zip(function.elements, function.ns, function.ls, map(int, ms), strict=True)
                keys = [key if function.rank > 1 else key[:2] for key in factors]
                value = complex(math.prod(sums.get(key, 0.0) for key in keys)).real
                rho += weights * value
                B[k] += coupling * value
        return self.energy(center, rho, B, core, nearest), B

    def energy(self, center: int, rho: np.ndarray, B: np.ndarray, core: float, nearest: tuple) -> float:
        model, embedding = self.model, self.model.embeddings[center]
        if model.network is not None:
            F = network_energy(model.network, center, B)
            F += 0.0 if model.coefficients is None else model.coefficients[center] @ B
        else:
            w, m = embedding.parameters[::2], embedding.parameters[1::2]
            F = sum(w[p] * embedded(embedding.name, rho[p], m[p]) for p in range(len(rho)))
        if model.inner_cutoff_type == "zbl":
            distance, width = nearest
            f = switch(width - distance, width, width) if width > 0 else 1.0
            return F * f + core * (1 - f) + model.energies[center]
        return F * switch(core, embedding.rho_core_cutoff, embedding.drho_core_cutoff) + core + model.energies[center]

    def repulsion(self, center: int, other: int, r: float) -> float:
        """Of one pair, without the inner cutoff."""
        model, bond = self.model, self.model.bonds[center][other]
        strength, decay = bond.core
        if model.inner_cutoff_type != "zbl":
            if abs(decay) * r * r >= 50.0:
                return 0.0
            value = abs(strength) * math.exp(-abs(decay) * r * r) / r
            return value * (1 + math.cos(math.pi * r / bond.cutoff)) / 2
        charges = [atomic_numbers[model.elements[k]] for k in (center, other)]
        a = 0.4685 / sum(z**0.23 for z in charges)
        phi = lambda x: sum(c * np.exp(-d * x / a) for c, d in SCREENING) / x  # noqa: E731
        slope = lambda x: sum(  # noqa: E731
            c * np.exp(-d * x / a) * (-d / a / x - 1 / x**2) for c, d in SCREENING
        )
        curve = lambda x: sum(  # noqa: E731
            c * np.exp(-d * x / a) * ((d / a) ** 2 / x + 2 * d / a / x**2 + 2 / x**3) for c, d in SCREENING
        )
        rc, t = bond.cutoff, bond.dcut
        A, B = (-3 * slope(rc) + t * curve(rc)) / t**2, (2 * slope(rc) - t * curve(rc)) / t**3
        C = -phi(rc) + t * slope(rc) / 2 - t**2 * curve(rc) / 12
        inside = max(0.0, r - rc + t)
        shifted = phi(r) + C + A / 3 * inside**3 + B / 4 * inside**4
        return float(strength * 14.399645351950543 / 2 * math.prod(charges) * shifted * switch(r, rc, t))


def network_energy(network, center: int, B: np.ndarray) -> float:
    """Of a network whose layers are tanh or linear."""
    own = center if len(network.parameters) > 1 else 0
    x = (B - network.shift[own]) / network.scale[own]
    for (weights, biases), activation in zip(network.layers(), network.activations, strict=True):
        x = weights[own] @ x + biases[own]
        x = np.tanh(x) if activation == "tanh" else x
    return float(x[0])

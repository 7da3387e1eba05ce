"""The smallest family that implements both protocols of `ase_mlips.fit`: pairs, written with plain sums."""

import json
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from ase.neighborlist import neighbor_list
from ase.stress import full_3x3_to_voigt_6_stress
from ase.units import GPa

from ase_mlips.fit.dataset import species_of
from ase_mlips.fit.report import labels_of
from ase_mlips.potential import Evaluation


@dataclass(frozen=True)
class PairModel:
    """``U_i = c + sum_jk x_k exp(-a_k r_ij^2) (1 - r_ij / cutoff)^2`` with one constant c for each element."""

    elements: tuple
    cutoff: float
    constants: np.ndarray
    heights: np.ndarray
    exponents: np.ndarray


def terms(exponents, r, cutoff):
    """Value and slope of each term at each distance, and the derivatives of both by its exponent: (4, K, P)."""
    a, cut = exponents[:, None], (1.0 - r / cutoff) ** 2
    gauss, cut_slope = np.exp(-a * r**2), -2.0 / cutoff * (1.0 - r / cutoff)
    value, slope = gauss * cut, gauss * (cut_slope - 2.0 * a * r * cut)
    return np.array([value, slope, -(r**2) * value, -(r**2) * slope - 2.0 * r * value])


@lru_cache(maxsize=100)
def pairs_of(frame, cutoff):
    return neighbor_list("ijdD", frame.atoms, cutoff)


class PairPotential:
    def __init__(self, model):
        self.model, self.elements, self.cutoff = model, model.elements, model.cutoff

    def evaluate(self, neighbors, species, num_threads=1):
        i, j, _, vectors = neighbors.pairs()
        r = np.linalg.norm(vectors, axis=1)
        value, slope = np.tensordot(self.model.heights, terms(self.model.exponents, r, self.cutoff)[:2], (0, 1))
        energies = self.model.constants[species] + np.bincount(i, value, neighbors.n)
        pulls = (slope / r)[:, None] * vectors
        forces, virials = np.zeros((neighbors.n, 3)), np.zeros((neighbors.n, 3, 3))
        np.add.at(forces, i, pulls)
        np.subtract.at(forces, j, pulls)
        np.subtract.at(virials, j, vectors[:, :, None] * pulls[:, None, :])
        return Evaluation(energies, forces, virials)


class PairFamily:
    def __init__(self, elements, cutoff):
        self.elements, self.cutoff = elements, cutoff

    def ready(self, model):
        return PairPotential(model)

    def write(self, path, model):
        path.write_text(json.dumps({"heights": model.heights.tolist(), "exponents": model.exponents.tolist()}))

    def described(self, model):
        return f"{len(model.heights)} terms"


class LinearPairs(PairFamily):
    """Unknowns: constants, then heights."""

    def __init__(self, elements, cutoff, exponents):
        super().__init__(elements, cutoff)
        self.exponents, self.pairs, self.n_columns = exponents, 0, len(elements) + len(exponents)

    def rows(self, frame):
        (i, j, r, D), N, E = pairs_of(frame, self.cutoff), len(frame.atoms), len(self.elements)
        self.pairs += len(i)
        value, slope = terms(self.exponents, r, self.cutoff)[:2]
        rows = np.zeros((1 + 3 * N + 6, self.n_columns + 1))
        rows[0, :E] = np.bincount(species_of(frame, self.elements), minlength=E)
        rows[0, E:-1] = value.sum(axis=1)
        for k in range(len(slope)):
            pulls = (slope[k] / r)[:, None] * D
            forces = np.zeros((N, 3))
            np.add.at(forces, i, pulls)
            np.subtract.at(forces, j, pulls)
            rows[1:-6, E + k] = forces.ravel()
            rows[-6:, E + k] = full_3x3_to_voigt_6_stress(D.T @ pulls)
        parts = {"energy": rows[:1] / N, "force": rows[1:-6], "stress": rows[-6:]}
        if frame.stress is not None:
            parts["stress"] = rows[-6:] / (frame.atoms.get_volume() * GPa)
        for quantity, label in labels_of(frame).items():
            parts[quantity][:, -1] = label
        return {quantity: parts[quantity] for quantity in labels_of(frame)}

    def model(self, solution):
        E = len(self.elements)
        return PairModel(self.elements, self.cutoff, solution[:E], solution[E:], self.exponents)

    def penalty(self, ridge):
        return np.concatenate([np.zeros(len(self.elements)), np.full(len(self.exponents), ridge)])

    def extrapolating(self, solution):
        return np.zeros(self.n_columns, dtype=bool)

    def named(self, columns):
        return ", ".join(map(str, np.flatnonzero(columns)))


@dataclass
class EvaluatedPairs:
    family: object
    parameters: np.ndarray
    frames: np.ndarray
    energies: np.ndarray
    forces: list
    strains: np.ndarray

    def gradient(self, slopes):
        family, E, K = self.family, len(self.family.elements), self.family.terms
        heights, exponents = np.split(self.parameters[0, E:], 2)
        found = np.zeros(E + 2 * K)
        for place, number in enumerate(self.frames):
            frame, a = family.frames[number], slopes.energies[place]
            i, j, r, D = pairs_of(frame, family.cutoff)
            value, slope, value_a, slope_a = terms(exponents, r, family.cutoff)
            along = slopes.forces[place][i] - slopes.forces[place][j] + D @ slopes.strains[place]
            rate = np.sum(D * along, axis=1) / r
            found[:E] += a * np.bincount(species_of(frame, family.elements), minlength=E)
            found[E : E + K] += a * value.sum(axis=1) + slope @ rate
            found[E + K :] += heights * (a * value_a.sum(axis=1) + slope_a @ rate)
        return found[None]


class TrainablePairs(PairFamily):
    """Parameters: one row of constants, heights and exponents."""

    def __init__(self, elements, cutoff, frames, terms=2):
        super().__init__(elements, cutoff)
        self.frames, self.terms = frames, terms
        self.constants = np.arange(len(elements))

    def rest(self, frame):
        return {}

    def start(self, seed, constants):
        generator = np.random.default_rng(seed)
        parts = constants, 0.1 * generator.normal(size=self.terms), generator.uniform(0.1, 0.5, self.terms)
        return np.concatenate(parts)[None]

    def flat(self, parameters):
        return np.where(np.arange(parameters.shape[1]) < len(self.elements), parameters, 0.0)

    def evaluate(self, parameters, frames, *, gradient=True):
        rows = [self.linear(parameters).rows(self.frames[n]) for n in frames]
        unknowns = parameters[0, : len(self.elements) + self.terms]
        counts = [len(self.frames[n].atoms) for n in frames]
        energies = np.array([N * (own["energy"][0, :-1] @ unknowns) for N, own in zip(counts, rows, strict=True)])
        forces = [(own["force"][:, :-1] @ unknowns).reshape(-1, 3) for own in rows]
        strains = np.zeros((len(rows), 3, 3))
        for n, own, strain in zip(frames, rows, strains, strict=True):
            xx, yy, zz, yz, xz, xy = own["stress"][:, :-1] @ unknowns * self.frames[n].atoms.get_volume() * GPa
            strain[:] = [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]
        return EvaluatedPairs(self, parameters, frames, energies, forces, strains)

    def model(self, parameters):
        E = len(self.elements)
        constants, heights, exponents = np.split(parameters[0], [E, E + self.terms])
        return PairModel(self.elements, self.cutoff, constants, heights, exponents)

    def seen(self):
        return [frame.atoms.positions for frame in self.frames]

    def linear(self, parameters):
        return LinearPairs(self.elements, self.cutoff, parameters[0, len(self.elements) + self.terms :])

    def solved(self, parameters, solution):
        return np.concatenate([solution, parameters[0, len(solution) :]])[None]

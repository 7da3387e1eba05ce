"""Radial functions of POD: proper orthogonal modes of snapshots, and piecewise polynomials of them for kernels.

N. C. Nguyen and A. Rohskopf, J. Comput. Phys. 480, 112030 (2023).  Files hold nothing of the modes: grid,
normalisation and signs decide what the coefficients mean, and are LAMMPS's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.polynomial import chebyshev

from ..arrays import FloatArray
from .layout import DEGREE
from .model import PodBasis

DECAYS = (1e-3, 2.0, 4.0)  # alpha of the three kinds of Bessel functions
SMOOTHING = 1e-6  # of the cutoff function, which keeps its square root away from zero
GRID = 2000
LEAST_PIECES, MOST_PIECES = 64, 2048
SLOPE_ERROR = 1e-11  # relative to the largest slope
LARGEST_UNCERTAINTY = 1e-8
TABLE_START = 0.9  # of rin; functions of shorter distances are evaluated from the snapshots


@dataclass(frozen=True)
class Pieces:
    """Polynomials of degree `DEGREE` in [-1, 1] on equal pieces that end at rcut: values (pieces, DEGREE + 1, n)."""

    values: FloatArray
    start: float
    width: float


def expansion(basis: PodBasis) -> FloatArray:
    """Coefficients (S, n) of the radial functions in the snapshots: those of the model, or LAMMPS's."""
    if basis.expansion is not None:
        return basis.expansion
    return _modes(basis)[0][:, : basis.n_radial]


def without_expansion(basis: PodBasis) -> PodBasis:
    """The same descriptors with LAMMPS's radial functions."""
    return replace(basis, expansion=None)


def uncertainty(basis: PodBasis) -> float:
    """Estimate of the relative error of the last radial function that rounding in the eigenvectors leaves."""
    if basis.expansion is not None:
        return 0.0
    values = _modes(basis)[1]
    last = values[basis.n_radial - 1] if basis.n_radial else values[0]
    return float(np.finfo(float).eps * values[0] / last) if last > 0.0 else np.inf


def _modes(basis: PodBasis) -> tuple[FloatArray, FloatArray]:
    """Eigenvectors of the snapshots' Gram matrix, normalised as functions, and its eigenvalues, the largest first."""
    start, length = basis.rin + 1e-6, basis.rcut - basis.rin - 1e-6
    r = start + length * np.arange(GRID) / (GRID - 1)
    rows = snapshots(basis, r)
    values, vectors = np.linalg.eigh(rows.T @ rows / GRID)
    values, vectors = values[::-1], vectors[:, ::-1]
    squares = (rows @ vectors) ** 2
    areas = 0.5 * np.diff(r) @ (squares[1:] + squares[:-1])
    signs = np.where(vectors.diagonal() < 0.0, -1.0, 1.0)  # of component m of vector m
    return vectors * signs / np.sqrt(areas), values


def snapshots(basis: PodBasis, r: FloatArray) -> FloatArray:
    """The S functions (len(r), S) as LAMMPS evaluates them, rounding errors near rin included.

    These errors are large, 1e-7, where 1 - exp(-decay y) is small, so that the last digit of exp matters.
    """
    R, s = basis.rcut - basis.rin, r - basis.rin
    y, i = s / R, np.arange(1, basis.bessel_degree + 1)
    parts = []
    for decay in DECAYS:
        x = (1.0 - _rounded_as_in_c(math.exp, -decay * y)) / (1.0 - math.exp(-decay))
        parts.append(np.sqrt(2.0 / R) / i * _rounded_as_in_c(math.sin, i * np.pi * x[:, None]) / s[:, None])
    parts.append(r[:, None] ** -np.arange(1.0, basis.inverse_degree + 1))
    return np.asarray(np.hstack(parts) * cutoff_function(y)[:, None])


def _rounded_as_in_c(function: Callable[[float], float], values: FloatArray) -> FloatArray:
    """A function of the C library for each value; NumPy's own differ in the last digit where there is AVX-512."""
    return np.array([function(value) for value in values.ravel().tolist()]).reshape(values.shape)


def cutoff_function(y: FloatArray) -> FloatArray:
    """exp(1 - 1 / sqrt((1 - y^3)^2 + 1e-6))."""
    return np.asarray(np.exp(1.0 - 1.0 / np.sqrt((1.0 - y**3) ** 2 + SMOOTHING)))


def exact(basis: PodBasis, phi: FloatArray, r: FloatArray) -> FloatArray:
    """The radial functions (len(r), n) to the last digits, at rin, too."""
    R, s = basis.rcut - basis.rin, r - basis.rin
    y, i = s / R, np.arange(1, basis.bessel_degree + 1)
    parts = []
    for decay in DECAYS:
        x = np.expm1(-decay * y) / np.expm1(-decay)
        slope = np.divide(x, s, out=np.full_like(s, -decay / (R * np.expm1(-decay))), where=s != 0.0)
        parts.append(np.sqrt(2.0 / R) * np.pi * np.sinc(i * x[:, None]) * slope[:, None])
    parts.append(r[:, None] ** -np.arange(1.0, basis.inverse_degree + 1))
    return np.asarray((np.hstack(parts) * cutoff_function(y)[:, None]) @ phi)


def pieces(basis: PodBasis, phi: FloatArray) -> Pieces:
    """Piecewise polynomials, as many as values and slopes need to be right to eleven digits."""
    nodes, between = chebyshev.chebpts1(DEGREE + 1), np.linspace(-1.0, 1.0, 2 * DEGREE)
    start, count, before = TABLE_START * basis.rin, LEAST_PIECES, np.inf
    while True:
        width = (basis.rcut - start) / count
        centers = start + width * (np.arange(count) + 0.5)
        found = exact(basis, phi, (centers[:, None] + 0.5 * width * nodes).ravel())
        values = np.linalg.solve(np.vander(nodes, increasing=True), found.reshape(count, DEGREE + 1, -1))
        residual = np.vander(between, DEGREE + 1, increasing=True) @ values
        residual -= exact(basis, phi, (centers[:, None] + 0.5 * width * between).ravel()).reshape(residual.shape)
        # if it oscillates as the next Chebyshev polynomial does, its slope is (DEGREE + 1)^2 times its height
        slopes = np.abs(values[:, 1]).max(axis=0, initial=0.0)
        error = np.max(np.abs(residual).max(axis=(0, 1), initial=0.0) * (DEGREE + 1) ** 2 / slopes, initial=0.0)
        if error <= SLOPE_ERROR or error > 0.1 * before or count >= MOST_PIECES:  # the second is rounding
            return Pieces(np.asarray(values, np.float64), start, width)
        count, before = 2 * count, error

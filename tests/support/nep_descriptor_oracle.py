"""NEP descriptors in plain NumPy and their chain rule, literally from the definitions.

Z. Fan et al., J. Chem. Phys. 157, 114801 (2022), sections II.B and II.C.  The invariants of three and more densities
are built from complex moments and Wigner 3j symbols, in none of the shortened forms that fast codes use.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import factorial, pi, prod, sqrt

import numpy as np
from numpy.polynomial import chebyshev
from numpy.polynomial.legendre import Legendre

from ase_mlips.nep.model import NepModel

# 3/4 of these are the covalent radii of P. Pyykko and M. Atsumi, Chem. Eur. J. 15, 186 (2009), in pm, those of metals
# less 10 %, as DFT-D3 takes them: S. Grimme et al., J. Chem. Phys. 132, 154104 (2010).
_RADII_PM = """
32 46 120 94 77 75 71 63 64 67 140 125 113 104 110 102 99 96 176 154 133 122 121 110 107 104 100 99 101 109 112 109 115
110 114 117 189 167 147 139 132 124 115 113 113 108 115 123 128 126 126 123 132 131 209 176 162 147 158 157 156 155 151
152 151 150 149 149 148 153 146 137 131 123 118 116 111 112 113 132 130 130 136 131 138 142 201 181 167 158 152 153 154
155"""
# rounded to the six digits that the other codes have
RADII = np.array([0.0] + [float(f"{int(pm) * 4 / 300:.6g}") for pm in _RADII_PM.split()])


@dataclass(frozen=True)
class Pairs:
    """Directed pairs: central atom i, neighbour j, r_ij = r_j - r_i as its length r (P,) and direction u (P, 3)."""

    i: np.ndarray
    j: np.ndarray
    r: np.ndarray
    u: np.ndarray

    @property
    def D(self):
        return self.r[:, None] * self.u

    def within(self, cutoff) -> np.ndarray:
        """Mask of the pairs closer than `cutoff`, a number or one per pair."""
        return self.r < cutoff


class Descriptors:
    """Unscaled descriptors ``values`` (N, D) of a configuration, and their derivatives as a chain rule.

    Parameters
    ----------
    model : NepModel
    species : (N,) int
        Counts in ``model.elements``.
    numbers : (T,) int
        Atomic numbers of ``model.elements``.
    pairs : Pairs
        All pairs within the longest cutoff at least.
    """

    def __init__(self, model: NepModel, species, numbers, pairs: Pairs) -> None:
        self.model, self.pairs = model, pairs
        ti, tj = species[pairs.i], species[pairs.j]
        factors = model.typewise_factors or (0.0, 0.0)
        bonds = RADII[numbers[ti]] + RADII[numbers[tj]]
        g, dg = [], []
        for c, cutoffs, factor in zip(
            (model.radial, model.angular), (model.radial_cutoffs, model.angular_cutoffs), factors, strict=True
        ):
            rc = 0.5 * (cutoffs[ti] + cutoffs[tj])
            rc = np.minimum(rc, factor * bonds) if factor > 0 else rc
            f, df = basis_functions(pairs.r, rc, c.shape[1] - 1)
            g.append(np.einsum("nkp,pk->pn", c[:, :, ti, tj], f))
            dg.append(np.einsum("nkp,pk->pn", c[:, :, ti, tj], df))
        self._g, self._dg = g, dg

        highest = max([model.l_max, *(int(digit) for name in model.invariants for digit in name)])
        self._Y = [spherical_harmonics(level, pairs) for level in range(highest + 1)]
        self._S = [np.zeros((len(species), g[1].shape[1], Y.shape[1])) for Y, _ in self._Y]
        for S, (Y, _) in zip(self._S, self._Y, strict=True):
            np.add.at(S, pairs.i, g[1][:, :, None] * Y[:, None, :])
        q = np.zeros((len(species), g[0].shape[1]))
        np.add.at(q, pairs.i, g[0])
        blocks = [self._invariant(name)[0] for name in self._names()]
        self.values = np.concatenate([q, *blocks], axis=1)

    def _names(self):
        return [str(level) for level in range(1, self.model.l_max + 1)] + list(self.model.invariants)

    def _invariant(self, name: str):
        """Values (N, n) of an invariant and pairs (l, slopes (N, n, 2l+1)) of its derivatives by the moments."""
        if len(name) == 1:
            S = self._S[int(name)]
            return np.sum(S**2, axis=2), [(int(name), 2.0 * S)]
        if name == "1111":
            q1, ((_, slope),) = self._invariant("1")
            return 7.0 / 15.0 * q1**2, [(1, 14.0 / 15.0 * q1[:, :, None] * slope)]
        levels = tuple(int(digit) for digit in name)
        T = coupling(levels)
        S1, S2, S3 = (self._S[level] for level in levels)
        slopes = [
            np.einsum("abc,nib,nic->nia", T, S2, S3),
            np.einsum("abc,nia,nic->nib", T, S1, S3),
            np.einsum("abc,nia,nib->nic", T, S1, S2),
        ]
        return np.sum(S1 * slopes[0], axis=2), list(zip(levels, slopes, strict=True))

    def pullback(self, slopes):
        """``sum_d slopes[i, d] dq_id / dr_ij`` of each pair, (P, 3), of `slopes` (N, D)."""
        i, u = self.pairs.i, self.pairs.u
        count, width = self._g[0].shape[1], self._g[1].shape[1]
        along = np.sum(slopes[i, :count] * self._dg[0], axis=1)
        by_moment = [np.zeros_like(S) for S in self._S]
        for block, name in enumerate(self._names()):
            start = count + block * width
            for level, dq in self._invariant(name)[1]:
                by_moment[level] += slopes[:, start : start + width, None] * dq
        across = np.zeros_like(u)
        for dS, (Y, dY) in zip(by_moment, self._Y, strict=True):
            along += np.einsum("pn,pnm,pm->p", self._dg[1], dS[i], Y)
            across += np.einsum("pn,pnm,pmx->px", self._g[1], dS[i], dY)
        return along[:, None] * u + across


def basis_functions(r, cutoff, highest: int):
    """f_k(r) (P, K + 1) and df_k/dr: Chebyshev polynomials under a cosine that ends at `cutoff`."""
    t = r / cutoff
    x, dx = 2.0 * (t - 1.0) ** 2 - 1.0, 4.0 * (t - 1.0) / cutoff
    inside = r < cutoff
    fc = np.where(inside, 0.5 * (1.0 + np.cos(pi * t)), 0.0)
    dfc = np.where(inside, -0.5 * pi / cutoff * np.sin(pi * t), 0.0)
    T = chebyshev.chebval(x, np.eye(highest + 1)).T
    dT = chebyshev.chebval(x, chebyshev.chebder(np.eye(highest + 1))).T if highest else np.zeros_like(T)
    half = 0.5 * (T + 1.0)
    return half * fc[:, None], 0.5 * dT * (dx * fc)[:, None] + half * dfc[:, None]


def spherical_harmonics(level: int, pairs: Pairs):
    """Real orthonormal Y_lm (P, 2l + 1) in the order 0, 1c, 1s, 2c, .. and their gradients by r_j (P, 2l + 1, 3)."""
    x, y, z = pairs.u.T
    columns, gradients = [], []
    for m in range(level + 1):
        norm = sqrt((2 * level + 1) / (4 * pi) * factorial(level - m) / factorial(level + m) * (2 if m else 1))
        p, dp = (norm * Legendre.basis(level).deriv(order)(z) for order in (m, m + 1))
        w, dw = (x + 1j * y) ** m, m * (x + 1j * y) ** max(m - 1, 0)
        gradient = np.stack([p * dw, 1j * p * dw, dp * w], axis=1)
        columns += [(p * w).real, (p * w).imag] if m else [(p * w).real]
        gradients += [gradient.real, gradient.imag] if m else [gradient.real]
    Y, by_u = np.stack(columns, axis=1), np.stack(gradients, axis=1)
    radial = np.einsum("pmx,px->pm", by_u, pairs.u)
    return Y, (by_u - radial[:, :, None] * pairs.u[:, None, :]) / pairs.r[:, None, None]


@cache
def coupling(levels: tuple[int, int, int]):
    """Real tensor T with ``q = sum T_abc S1_a S2_b S3_c``, from the 3j symbols of the complex moments."""
    T = wigner_3j(*levels).astype(complex)
    for level in levels:
        T = np.tensordot(T, _complex_moments(level), (0, 0))  # takes the first index away and appends the real one
    return T.real


def _complex_moments(level: int):
    """Matrix of ``A_m = sum U_mc S_c``, m = -l .. l, Condon-Shortley phase, c in the order 0, 1c, 1s, .."""
    U = np.zeros((2 * level + 1, 2 * level + 1), dtype=complex)
    U[level, 0] = 1.0
    for m in range(1, level + 1):
        U[level + m, 2 * m - 1 : 2 * m + 1] = (-1) ** m * np.array([1.0, 1j]) / sqrt(2.0)
        U[level - m, 2 * m - 1 : 2 * m + 1] = np.array([1.0, -1j]) / sqrt(2.0)
    return U


@cache
def wigner_3j(j1: int, j2: int, j3: int):
    """The 3j symbols by Racah's formula, indexed by m + j: shape (2 j1 + 1, 2 j2 + 1, 2 j3 + 1)."""
    symbols = np.zeros((2 * j1 + 1, 2 * j2 + 1, 2 * j3 + 1))
    triangle = Fraction(
        factorial(j1 + j2 - j3) * factorial(j1 - j2 + j3) * factorial(j2 + j3 - j1), factorial(j1 + j2 + j3 + 1)
    )
    for m1 in range(-j1, j1 + 1):
        for m2 in range(max(-j2, -j3 - m1), min(j2, j3 - m1) + 1):
            m3 = -m1 - m2
            sizes = ((j1, m1), (j2, m2), (j3, m3))
            square = triangle * prod(factorial(j + m) * factorial(j - m) for j, m in sizes)
            total = Fraction(0)
            for t in range(j1 + j2 - j3 + 1):
                below = (t, j3 - j2 + t + m1, j3 - j1 + t - m2, j1 + j2 - j3 - t, j1 - t - m1, j2 - t + m2)
                if min(below) >= 0:
                    total += Fraction((-1) ** t, prod(factorial(n) for n in below))
            sign = (-1) ** (j1 - j2 - m3)
            symbols[m1 + j1, m2 + j2, m3 + j3] = sign * sqrt(square * total**2) * (1 if total > 0 else -1)
    return symbols

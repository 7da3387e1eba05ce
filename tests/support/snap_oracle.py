"""SNAP in plain NumPy, written for clarity: the standard against which the compiled kernels are judged.

Everything is taken literally from the definitions: full matrices U^j, full sums over both indices, the
bispectrum as a trilinear form and its gradient by the product rule, without any of the symmetries that
fast codes use.  Doubled angular momenta throughout, ``U^j[mb, ma]`` of shape (j + 1, j + 1).

A. P. Thompson et al., J. Comput. Phys. 285, 316 (2015) (SNAP); M. A. Wood and A. P. Thompson, J. Chem. Phys.
148, 241721 (2018) (quadratic); M. A. Cusentino et al., J. Phys. Chem. A 124, 5456 (2020) (element channels).
"""

from fractions import Fraction
from functools import cache
from math import factorial, prod, sqrt

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list

from ase_mlips.potential import Evaluation
from ase_mlips.snap.model import SnapModel, Zbl, bispectrum_labels

from . import network_oracle

COULOMB = 14.399645  # e^2 / (4 pi eps0) in eV A, as LAMMPS rounds it in metal units
ZBL_TERMS = ((0.18175, 3.19980), (0.50986, 0.94229), (0.28022, 0.40290), (0.02817, 0.20162))


def evaluate(model: SnapModel, species, positions, cell, pbc, *, lammps_slots: bool = False) -> Evaluation:
    """Energies, forces and neighbour-assigned virials of one configuration, with the ZBL if the model has one.

    Parameters
    ----------
    model : SnapModel
    species : (N,) int
        Counts in ``model.elements``.
    positions, cell : (N, 3), (3, 3)
        In A.
    pbc : (3,) bool
    lammps_slots : bool
        With `chemflag` several descriptors are equal, for example those of the element triplets abc and bac where
        j1 = j2, so that only the sum of their coefficients has a meaning.  LAMMPS's energy is that of the
        coefficients given, yet its forces count on equal ones, and are not the gradient of the energy where they
        differ.  True gives the forces and virials that LAMMPS prints, False the gradient.
    """
    species = np.asarray(species, dtype=int)
    atoms = Atoms("X" * len(species), positions=positions, cell=cell, pbc=pbc)
    i, j, D = neighbor_list("ijD", atoms, model.cutoff) if len(species) else ([], [], np.empty((0, 3)))
    i, j = np.asarray(i, dtype=int), np.asarray(j, dtype=int)
    B, dB = descriptors_and_gradients(model, i, j, D, species, lammps_slots=lammps_slots)
    energies, beta = energies_and_slopes(model, B, species)
    gradients = np.einsum("pxk,pk->px", dB, beta[i])
    if model.zbl is not None:
        pair_energies, pair_gradients = zbl_pairs(model.zbl, i, j, D, species)
        np.add.at(energies, i, 0.5 * pair_energies)
        gradients = gradients + 0.5 * pair_gradients
    return assemble(energies, i, j, D, gradients)


def assemble(energies, i, j, D, gradients) -> Evaluation:
    """Forces and virials from ``gradients[p] = dU_i/dr_j`` of the pairs (i, j) with vectors D."""
    forces = np.zeros((len(energies), 3))
    virials = np.zeros((len(energies), 3, 3))
    np.add.at(forces, i, gradients)
    np.add.at(forces, j, -gradients)
    np.add.at(virials, j, -D[:, :, None] * gradients[:, None, :])
    return Evaluation(energies, forces, virials)


def energies_and_slopes(model: SnapModel, B, species):
    """Atomic energies (N,) and dU_i/dB_ik (N, K) of the linear or quadratic form, or of the network."""
    if model.network is not None:
        return network_oracle.energies_and_gradients(model.network, B, species)
    K = model.n_descriptors
    c = model.coefficients[species]
    energies = c[:, 0] + np.sum(c[:, 1 : K + 1] * B, axis=1)
    beta = c[:, 1 : K + 1].copy()
    if model.quadraticflag:
        upper = np.zeros((len(model.elements), K, K))
        upper[:, *np.triu_indices(K)] = model.coefficients[:, K + 1 :]
        hessian = np.triu(upper, 1) + np.swapaxes(np.triu(upper), 1, 2)  # the diagonal enters with a factor 1/2
        HB = np.einsum("nkl,nl->nk", hessian[species], B)
        energies = energies + 0.5 * np.sum(B * HB, axis=1)
        beta = beta + HB
    return energies, beta


def descriptors_and_gradients(model: SnapModel, i, j, D, species, *, lammps_slots: bool = False):
    """Bispectrum components and their gradients.

    Parameters
    ----------
    model : SnapModel
    i, j : (P,) int
        Central atom and neighbour of each pair; each direction of a bond is a pair of its own.
    D : (P, 3)
        r_j - r_i of that image, in A.
    species : (N,) int

    Returns
    -------
    B : (N, K)
    dB : (P, 3, K)
        dB^i_k / dr_j through that pair, in 1/A; zero for a pair beyond its cutoff.  With `lammps_slots` what
        LAMMPS's forces use in its place, see `evaluate`.
    """
    i, j, species = (np.asarray(a, dtype=int) for a in (i, j, species))
    D = np.asarray(D, dtype=float).reshape(-1, 3)
    channels = len(model.elements) if model.chemflag else 1
    channel = species if model.chemflag else np.zeros_like(species)
    f, df = _weights(model, i, j, D, species)
    U, dU = _wigner(model, i, j, D, species)
    dU = [d * f[:, None, None, None] + u[:, None] * df[:, :, None, None] for u, d in zip(U, dU, strict=True)]

    total = []
    for level, u in enumerate(U):
        t = np.zeros((len(species), channels, level + 1, level + 1), dtype=complex)
        own = np.eye(channels)[channel] if not model.wselfallflag else np.ones((len(species), channels))
        t += own[:, :, None, None] * np.eye(level + 1)
        np.add.at(t, (i, channel[j]), f[:, None, None] * u)
        total.append(t)
    B, slopes = _bispectrum(model, total, channel, _lammps_slots if lammps_slots else _each_slot)

    flat = np.concatenate([d.reshape(len(D), 3, d.shape[2] ** 2) for d in dU], axis=2)
    dB = np.zeros((len(D), 3, model.n_descriptors))
    for atom in range(len(species)):
        for c in range(channels):
            mine = np.flatnonzero((i == atom) & (channel[j] == c))
            dB[mine] = (flat[mine] @ slopes[atom, c]).real
    return B, dB


def _bispectrum(model: SnapModel, total, channel, slots):
    """B (N, K) and its slopes (N, channels, sum (j+1)^2, K): ``dB = Re sum slopes * dU`` for each channel's U."""
    N, channels = len(channel), total[0].shape[1]
    labels = bispectrum_labels(model.twojmax)
    offset = np.cumsum([0] + [(level + 1) ** 2 for level in range(model.twojmax + 1)])
    B = np.empty((N, model.n_descriptors))
    slopes = np.zeros((N, channels, offset[-1], model.n_descriptors), dtype=complex)

    def add(c, level, k, matrix):
        slopes[:, c, offset[level] : offset[level + 1], k] += matrix.reshape(N, -1)

    for block, (e1, e2, e3) in enumerate(np.ndindex(channels, channels, channels)):
        for k, (j1, j2, level) in enumerate(labels, start=block * len(labels)):
            n1, n2, n3 = slots(j1, j2, level)
            C = clebsch_gordan(j1, j2, level) / (sqrt(level + 1) if model.bnormflag else 1.0)  # enters twice
            U1, U2, U3 = total[j1][:, e1], total[j2][:, e2], total[level][:, e3].conj()
            # 1: (x, a), 2: (y, b), 3: (z, c); one Clebsch-Gordan symbol for the rows and one for the columns
            half = np.tensordot(np.tensordot(U1, C, (1, 0)), C, (1, 0))  # n y z b c
            Z = np.einsum("nyzbc,nyb->nzc", half, U2)
            half_conj = np.tensordot(np.tensordot(U3, C, (1, 2)), C, (1, 2))  # n x y a b
            add(e1, j1, k, n1 * np.einsum("nxyab,nyb->nxa", half_conj, U2))
            add(e2, j2, k, n2 * np.einsum("nxyab,nxa->nyb", half_conj, U1))
            add(e3, level, k, n3 * Z.conj())  # Re(conj(dU) Z) = Re(dU conj(Z))
            B[:, k] = np.sum(U3 * Z, axis=(1, 2)).real
            if model.bzeroflag and (model.wselfallflag or e1 == e2 == e3):
                isolated = 1.0 if model.bnormflag else level + 1.0
                B[:, k] -= isolated * (model.wselfallflag | (channel == e1))
    return B, slopes


def _each_slot(j1: int, j2: int, j: int):
    """The product rule: the trilinear form B is differentiated once in each of its three arguments."""
    return 1, 1, 1


def _lammps_slots(j1: int, j2: int, j: int):
    """LAMMPS's adjoint: of arguments with the same j one is differentiated, times their number."""
    if j1 == j2 == j:
        return 0, 0, 3
    if j1 == j:
        return 0, 1, 2
    return (2, 0, 1) if j1 == j2 else (1, 1, 1)


@cache
def clebsch_gordan(j1: int, j2: int, j: int):
    """<j1/2 m1, j2/2 m2 | j/2 m> by Racah's formula, indexed by m + j/2: shape (j1 + 1, j2 + 1, j + 1)."""
    C = np.zeros((j1 + 1, j2 + 1, j + 1))
    s = (j1 + j2 - j) // 2
    delta = Fraction((j + 1) * factorial(s) * factorial(j1 - s) * factorial(j2 - s), factorial(j1 + j2 - s + 1))
    for m1, m2 in np.ndindex(j1 + 1, j2 + 1):
        m = m1 + m2 - s
        if not 0 <= m <= j:
            continue
        norm = delta * prod(factorial(n) for n in (m1, j1 - m1, m2, j2 - m2, m, j - m))
        terms = Fraction(0)
        for t in range(s + 1):
            below = (t, s - t, j1 - m1 - t, m2 - t, m1 - s + t, j2 - s - m2 + t)
            if min(below) >= 0:
                terms += Fraction((-1) ** t, prod(factorial(n) for n in below))
        C[m1, m2, m] = sqrt(norm * terms**2) * (1 if terms > 0 else -1)
    return C


def _wigner(model: SnapModel, i, j, D, species):
    """U^j (P, j+1, j+1) of each pair and its gradient (P, 3, j+1, j+1) with respect to r_j, for j = 0 .. twojmax."""
    x, y, z = D.T
    r = np.sqrt(np.sum(D**2, axis=1))
    n = D / r[:, None]
    span = model.rcutfac * (model.radii[species[i]] + model.radii[species[j]]) - model.rmin0
    slope = model.rfac0 * np.pi / span
    theta = slope * (r - model.rmin0)
    # LAMMPS divides by sqrt(r^2 + r^2 / tan(theta)^2) = r / |sin(theta)|: a negative sine turns the sign of both
    sign = np.where(np.sin(theta) < 0.0, -1.0, 1.0)
    cos, s = sign * np.cos(theta), sign * np.sin(theta) / r
    dcos, ds = -slope * s * r, (slope * cos - s) / r
    a, b = cos - 1j * z * s, (y - 1j * x) * s
    ex, ey, ez = np.eye(3)
    da = (dcos - 1j * z * ds)[:, None] * n - 1j * s[:, None] * ez
    db = ((y - 1j * x) * ds)[:, None] * n + s[:, None] * (ey - 1j * ex)
    ac, bc, dac, dbc = a.conj()[:, None], b.conj()[:, None], da.conj()[:, :, None], db.conj()[:, :, None]

    U = [np.ones((len(r), 1, 1), dtype=complex)]
    dU = [np.zeros((len(r), 3, 1, 1), dtype=complex)]
    for level in range(1, model.twojmax + 1):
        u = np.zeros((len(r), level + 1, level + 1), dtype=complex)
        du = np.zeros((len(r), 3, level + 1, level + 1), dtype=complex)
        m = np.arange(level)
        for mb in range(level // 2 + 1):
            p, q = np.sqrt((level - m) / (level - mb)), np.sqrt((m + 1) / (level - mb))
            below, dbelow = U[-1][:, mb], dU[-1][:, :, mb]
            u[:, mb, :-1] += p * ac * below
            u[:, mb, 1:] -= q * bc * below
            du[:, :, mb, :-1] += p * (dac * below[:, None] + ac[:, None] * dbelow)
            du[:, :, mb, 1:] -= q * (dbc * below[:, None] + bc[:, None] * dbelow)
        for mb in range(level // 2 + 1, level + 1):
            parity = (-1.0) ** (np.arange(level + 1) + mb)
            u[:, mb] = parity * u[:, level - mb, ::-1].conj()
            du[:, :, mb] = parity * du[:, :, level - mb, ::-1].conj()
        U.append(u)
        dU.append(du)
    return U, dU


def _weights(model: SnapModel, i, j, D, species):
    """w_j f(r) (P,) of each pair and its gradient (P, 3) with respect to r_j; zero from the cutoff on."""
    r = np.sqrt(np.sum(D**2, axis=1))
    cutoff = model.rcutfac * (model.radii[species[i]] + model.radii[species[j]])
    f, df = np.ones_like(r), np.zeros_like(r)
    if model.switchflag:
        k = np.pi / (cutoff - model.rmin0)
        x = k * (r - model.rmin0)
        f = np.where(r > model.rmin0, 0.5 * (1.0 + np.cos(x)), 1.0)
        df = np.where(r > model.rmin0, -0.5 * k * np.sin(x), 0.0)
    if model.switchinnerflag:
        S = 0.5 * (model.sinner[species[i]] + model.sinner[species[j]])
        d = 0.5 * (model.dinner[species[i]] + model.dinner[species[j]])
        x = 0.5 * np.pi * (1.0 + np.clip((r - S) / d, -1.0, 1.0))
        inside = np.abs(r - S) < d
        g, dg = 0.5 * (1.0 - np.cos(x)), np.where(inside, 0.25 * np.pi / d * np.sin(x), 0.0)
        f, df = f * g, df * g + f * dg
    w = np.where(r < cutoff, model.weights[species[j]], 0.0)
    return w * f, (w * df / r)[:, None] * D


def zbl_pairs(zbl: Zbl, i, j, D, species):
    """Energy (P,) and gradient with respect to r_j (P, 3) of each pair, as LAMMPS's ``pair_style zbl`` has them.

    J. F. Ziegler, J. P. Biersack, U. Littmark, The Stopping and Range of Ions in Matter (1985), and LAMMPS's
    quartic switching function, which brings energy, force and curvature to zero at ``zbl.outer``.
    """
    r = np.sqrt(np.sum(D**2, axis=1))
    charges = np.array(zbl.charges)
    zi, zj = charges[species[i]], charges[species[j]]
    width = zbl.outer - zbl.inner
    E, E1, _ = _screened(r, zi, zj)
    Ec, E1c, E2c = _screened(np.full_like(r, zbl.outer), zi, zj)
    A, B = (-3.0 * E1c + width * E2c) / width**2, (2.0 * E1c - width * E2c) / width**3
    C = -Ec + width * E1c / 2.0 - width**2 * E2c / 12.0
    t = np.maximum(r - zbl.inner, 0.0)
    energy = np.where(r < zbl.outer, E + C + A / 3.0 * t**3 + B / 4.0 * t**4, 0.0)
    slope = np.where(r < zbl.outer, E1 + A * t**2 + B * t**3, 0.0)
    return energy, (slope / r)[:, None] * D


def _screened(r, zi, zj):
    """Screened Coulomb energy of two nuclei with its first and second derivative."""
    length = 0.46850 / (zi**0.23 + zj**0.23)
    phi, phi1, phi2 = (sum(c * (-b / length) ** n * np.exp(-b * r / length) for c, b in ZBL_TERMS) for n in range(3))
    scale = COULOMB * zi * zj
    return scale * phi / r, scale * (phi1 / r - phi / r**2), scale * (phi2 / r - 2 * phi1 / r**2 + 2 * phi / r**3)

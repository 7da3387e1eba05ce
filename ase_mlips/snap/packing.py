"""A SNAP model as its kernels read it."""

from __future__ import annotations

from functools import partial

import numpy as np

from ..arrays import FloatArray
from ..engine import zbl
from ..engine.packing import Packed, Packer, padded
from ..engine.simd import REGISTERS, W
from ..heads.tables import pack_network
from . import layout, tables
from .model import SnapModel, bispectrum_labels


def pack(model: SnapModel) -> Packed:
    """Sizes, tables and areas of scratch of a model."""
    ints, floats, top = Packer(np.int32), Packer(float), model.twojmax
    limits, offsets = tables.channel_layout(top)
    ints.add(limits=limits, offsets=offsets)
    _pack_basis(model, ints, floats)
    network = _pack_network(model, ints, floats)
    own, mixed = _pack_couplings(model, ints, floats)
    terms = _pack_contractions(model, ints, floats)
    _pack_pairs(model, floats)
    head = layout.Head(
        twojmax=top,
        channels=2 * top + 1,
        sums=int(offsets[-1]),
        full=tables.full_offset(top + 1),
        half=tables.half_offset(top + 1),
        independent=len(tables.mirror(top)),
        zsize=int(tables.z_offsets(top)[-1, -1, -1]),
        types=len(model.elements),
        elements=_channels(model),
        descriptors=model.n_descriptors,
        coefficients=model.coefficients.shape[1],
        quadratic=model.quadraticflag,
        direct=is_linear(model),
        switch=model.switchflag,
        inner=model.switchinnerflag,
        zbl=model.zbl is not None,
        self_all=model.wselfallflag,
        n_tiles=len(own.words),
        n_tiles_mixed=len(mixed.words),
        n_b=len(terms.b),
        n_y=len(terms.y),
        outer_size=own.outer.size,
        network=model.network is not None,
        ints=ints.places(layout.Integers),
        floats=floats.places(layout.Floats),
    )
    return Packed(head, ints.join(), floats.join(), partial(_areas, head, network))


def _areas(head: layout.Head, network: int, slots: int) -> layout.Areas:
    """Vectors of each area of scratch, of which the network takes `network`."""
    return layout.Areas(
        slots=4 * slots + 4 * (slots + W),
        pairs=layout.PAIR_WORDS * slots,
        geometry=layout.GEOMETRY_WORDS * slots,
        variables=2 * slots,
        channels=(head.channels + 3) * slots,
        forces=3 * slots,
        derivatives=12 * head.channels,
        sums=head.sums,
        u=2 * head.elements * head.full,
        y=2 * head.elements * head.half,
        sum_derivatives=head.elements * head.sums,
        z=2 * head.elements**2 * head.zsize,
        descriptors=head.descriptors,
        beta=padded(head.descriptors),
        coefficients=head.coefficients,
        selves=head.elements,
        types=1,
        energy=1,
        parts=2 * head.independent,
        network=network,
    )


def _channels(model: SnapModel) -> int:
    """Element channels of the density."""
    return len(model.elements) if model.chemflag else 1


def is_linear(model: SnapModel) -> bool:
    """Whether Y can be made without B; see `kernels_coupling.y_direct`."""
    return not (model.quadraticflag or model.chemflag or model.network)


def _pack_basis(model: SnapModel, ints: Packer, floats: Packer) -> None:
    top = model.twojmax
    floats.add_sparse(ints, forward=tables.sums_to_u(top), reverse=tables.y_to_sums(top))
    elements = [(j, mb, ma) for j in range(top + 1) for mb, ma in tables.half_elements(j)]
    rows = [
        (full, mirrored, int(sign), tables.half_offset(*e), mb * (j + 1) + ma, int(tables.half_weight(*e)))
        for (full, mirrored, sign), e in zip(tables.mirror(top), elements, strict=True)
        for j, mb, ma in [e]
    ]
    ints.add(elements=rows)


def _pack_couplings(model: SnapModel, ints: Packer, floats: Packer) -> tuple[tables.Tiles, tables.Tiles]:
    """Couplings of U with itself and with that of another element."""
    top = model.twojmax
    largest, bnorm = layout.LARGEST_TILE[REGISTERS], model.bnormflag
    own = tables.coupling_tiles(top, largest, bnorm=bnorm, symmetric=True)
    mixed = tables.coupling_tiles(top if model.chemflag else 0, largest, bnorm=bnorm, symmetric=False)
    ints.add(tiles=own.words, tiles_mixed=mixed.words)
    floats.add(outer=own.outer, inner=own.inner, outer_mixed=mixed.outer, inner_mixed=mixed.inner)
    floats.add(direct=_direct(model, own))
    return own, mixed


def _direct(model: SnapModel, tiles: tables.Tiles) -> FloatArray:
    """Coupling constants with the linear coefficients of each type folded in."""
    if not is_linear(model):
        return np.zeros(0)
    numbers = tables.label_numbers(model.twojmax)
    terms = [tables.adjoint_term(*c, bnorm=model.bnormflag) for c in tables.couplings(model.twojmax)]
    which = np.array([numbers[label] for label, _, _ in terms])
    factors = np.array([factor for _, _, factor in terms])
    folded = model.coefficients[:, 1 + which] * factors
    return np.asarray(tiles.outer * folded[:, tiles.triplet])


def _pack_contractions(model: SnapModel, ints: Packer, floats: Packer) -> tables.Contractions:
    """What makes B and Y of Z, and coefficients."""
    # a network has another beta for each of several equal descriptors, which LAMMPS's way would mix up
    gradient = model.network is not None and model.chemflag
    exact, used = (
        tables.contractions(model.twojmax, _channels(model), bnorm=model.bnormflag, lammps=lammps)
        for lammps in (False, not gradient)
    )
    first = np.searchsorted(exact.y[:, 3], np.arange(model.n_descriptors + 1))
    ints.add(y_exact=exact.y, y_first=first, y=used.y, b=used.b)
    b0 = _isolated(model)
    floats.add(factor_exact=exact.factors, factor=used.factors, b0=b0, coefficients=model.coefficients)
    if model.network is None:
        floats.add(shift=model.coefficients[:, 0] - model.coefficients[:, 1 : 1 + b0.size] @ b0)
    return used


def _isolated(model: SnapModel) -> FloatArray:
    """What bzeroflag subtracts: B of an isolated atom whose element stands in all three places."""
    model, labels = model, bispectrum_labels(model.twojmax)
    if not model.bzeroflag:
        return np.zeros(model.n_descriptors)
    own = np.array([1.0 if model.bnormflag else j + 1.0 for _, _, j in labels])
    n = _channels(model)
    subtract = np.ones((n, n, n, 1)) if model.wselfallflag else np.zeros((n, n, n, 1))
    subtract[range(n), range(n), range(n)] = 1.0
    return np.asarray(subtract * own).ravel()


def _pack_pairs(model: SnapModel, floats: Packer) -> None:
    n = len(model.elements)
    pairs = np.zeros((n, n, layout.PAIR_WORDS))
    cutoffs = model.rcutfac * (model.radii[:, None] + model.radii)
    pairs[:, :, 0] = cutoffs
    pairs[:, :, 1] = np.pi / (cutoffs - model.rmin0)
    pairs[:, :, 2] = model.weights
    if model.sinner is not None and model.dinner is not None:
        center = 0.5 * (model.sinner[:, None] + model.sinner)
        half = 0.5 * (model.dinner[:, None] + model.dinner)
        pairs[:, :, 3] = center - half
        pairs[:, :, 4] = np.pi / (4.0 * half)
    pairs[:, :, 5] = np.arange(n)
    floats.add(pair=pairs, zbl=_repulsion(model), scalars=[model.rfac0, model.rmin0, model.cutoff])


def _pack_network(model: SnapModel, ints: Packer, floats: Packer) -> int:
    """Vectors of scratch that the network takes."""
    if model.network is None:
        return 0
    packed = pack_network(model.network)
    ints.add(network=packed.spec)
    floats.add(network=packed.weights)
    return packed.work


def _repulsion(model: SnapModel) -> FloatArray:
    """ZBL constants of each pair of types, with LAMMPS's switching polynomial."""
    overlay = model.zbl
    n = len(model.elements)
    table = np.zeros((n, n, layout.ZBL_WORDS))
    if overlay is None:
        return table
    charges = np.array(overlay.charges)
    powers = charges**zbl.EXPONENT
    inverse = (powers[:, None] + powers) / zbl.LENGTH
    strength = zbl.COULOMB * charges[:, None] * charges
    c, d = np.array(zbl.SCREENING).T
    r, t = overlay.outer, overlay.outer - overlay.inner
    decay = c * np.exp(-d * inverse[..., None] * r)
    phi, slope, curve = (np.sum(decay * (-d * inverse[..., None]) ** k, axis=-1) for k in range(3))
    e0 = strength * phi / r
    e1 = strength * (slope / r - phi / r**2)
    e2 = strength * (curve / r - 2 * slope / r**2 + 2 * phi / r**3)
    a, b = (-3 * e1 + t * e2) / t**2, (2 * e1 - t * e2) / t**3
    table[..., 0], table[..., 1], table[..., 2] = strength, inverse, overlay.inner
    table[..., 3], table[..., 4] = a / 3, b / 4
    table[..., 5], table[..., 6] = -e0 + t * e1 / 2 - t**2 * e2 / 12, overlay.outer
    return table

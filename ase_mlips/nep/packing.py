"""A NEP model as its kernels read it."""

from __future__ import annotations

from functools import partial

import numpy as np

from ..arrays import FloatArray
from ..engine import zbl
from ..engine.packing import Packed, Packer, padded
from ..engine.radial import expansion
from ..engine.simd import W
from ..files.elements import ELEMENTS
from . import layout, tables
from .charges import COULOMB
from .model import NepModel
from .radii import RADII


def pack(model: NepModel) -> Packed:
    """Sizes, tables and areas of scratch of a model."""
    ints, floats = Packer(np.int32), Packer(float)
    network = model.network
    functions = model.n_max[0] + 1, model.n_max[1] + 1
    invariants, squared = _pack_invariants(model, ints, floats)
    sums = _pack_basis(model, ints, floats)
    size = _pack_networks(model, floats)
    head = layout.Head(
        types=len(model.elements),
        nets=len(network.w0),
        radial=functions[0],
        angular=functions[1],
        k_radial=model.basis_size[0] + 1,
        k_angular=model.basis_size[1] + 1,
        l_max=model.l_max,
        channels=2 * functions[1],
        sums=sums,
        moments=(model.l_max + 1) ** 2 - 1,
        descriptors=model.n_descriptors,
        neurons=network.w0.shape[1],
        hidden=padded(network.w0.shape[1]),
        groups_r=-(-2 * functions[0] // W),
        groups_a=-(-2 * functions[1] // W),
        n_invariants=invariants,
        squared=squared,
        zbl=model.zbl is not None,
        net_size=size,
        ints=ints.places(layout.Integers),
        floats=floats.places(layout.Floats),
    )
    return Packed(head, ints.join(), floats.join(), partial(_areas, head))


def _areas(head: layout.Head, slots: int) -> layout.Areas:
    """Vectors of each area of scratch."""
    moments, descriptors = head.angular * head.moments, padded(head.descriptors)
    basis = max(head.k_radial, head.k_angular)
    side = layout.Side(
        slots=4 * slots + 4 * (slots + W),
        geometry=layout.GEOMETRY_WORDS * slots,
        slopes=head.radial * slots,
        forces=3 * slots,
    )
    return layout.Areas(
        near=side,
        far=side,
        variables=2 * slots,
        channels=(head.channels + 3) * slots,
        functions=head.angular * slots,
        polynomials=4 * basis,
        rows=W + max(W * max(head.groups_r, head.groups_a), W),
        derivatives=12 * head.channels,
        sums=head.sums,
        sum_derivatives=head.sums,
        moments=moments,
        moment_derivatives=moments,
        descriptors=descriptors,
        descriptor_derivatives=descriptors,
        inputs=descriptors,
        hidden=2 * head.hidden + W,
        radial=2 * basis,
        types=1,
        values=2,
    )


def _pack_basis(model: NepModel, ints: Packer, floats: Packer) -> int:
    """Tables of radial and angular functions; returns the number of sums over neighbours."""
    functions = model.n_max[1] + 1
    limits, offsets = tables.channel_layout(functions, model.l_max)
    forward = tables.sums_to_moments(functions, model.l_max)
    ints.add(limits=limits, offsets=offsets)
    floats.add_sparse(ints, forward=forward, reverse=forward.transposed(int(offsets[-1])))
    floats.add(radial=expansion(tables.chebyshev_values(model.radial)))
    floats.add(angular=expansion(tables.chebyshev_values(model.angular)))
    repulsion, (radial, angular) = _repulsion(model), pair_cutoffs(model)
    # as in GPUMD, the repulsion acts between angular neighbours only
    pairs = np.stack([1.0 / radial, 1.0 / angular, np.minimum(repulsion[:, :, 1], angular)], axis=-1)
    floats.add(pair=pairs, zbl=repulsion, scalars=[angular.max(), reach(model)])
    return int(offsets[-1])


def _pack_invariants(model: NepModel, ints: Packer, floats: Packer) -> tuple[int, int]:
    """Tables of the higher invariants; returns their number and the place of q_1111, 0 without that."""
    entries: list[tuple[int, int, int]] = []
    monomials: list[tuple[int, int, int]] = []
    constants: list[float] = []
    squared = 0
    for place, name in enumerate(model.invariants, start=model.l_max):
        if name == "1111":
            squared = place
            continue
        found = tables.invariant_monomials((int(name[0]), int(name[1]), int(name[2])))
        entries.append((place, len(monomials), len(found)))
        monomials += list(found)
        constants += list(found.values())
    ints.add(invariants=entries, monomials=monomials)
    floats.add(monomials=constants)
    return len(entries), squared


def _pack_networks(model: NepModel, floats: Packer) -> int:
    """The scaler and the networks; returns the doubles of one."""
    scaler = np.zeros(padded(model.n_descriptors))
    scaler[: model.n_descriptors] = model.scaler
    networks = [model.network] + ([model.scalar_network] if model.scalar_network else [])
    packed = [tables.pack_network(network, len(model.network.w0)) for network in networks]
    floats.add(scaler=scaler, network=np.concatenate(packed))
    return int(packed[0].shape[1])


def reach(model: NepModel) -> float:
    """Distance in A from which on two atoms do not interact; their charges do up to the longest radial cutoff."""
    radial, angular = pair_cutoffs(model)
    return float(max(radial.max(), angular.max(), model.radial_cutoffs.max() if model.charge_mode else 0.0))


def pair_cutoffs(model: NepModel) -> tuple[FloatArray, FloatArray]:
    """Radial and angular cutoff of each pair of types."""
    cutoffs = []
    radii = np.array([RADII[element] for element in model.elements])
    for k, own in enumerate((model.radial_cutoffs, model.angular_cutoffs)):
        pair = 0.5 * (own[:, None] + own)
        if model.typewise_factors is not None and model.typewise_factors[k] > 0.0:
            pair = np.minimum(pair, model.typewise_factors[k] * (radii[:, None] + radii))
        cutoffs.append(pair)
    return cutoffs[0], cutoffs[1]


def _repulsion(model: NepModel) -> FloatArray:
    """ZBL constants of each pair of types: inner, outer, strength, four times factor and decay."""
    overlay, types = model.zbl, len(model.elements)
    table = np.zeros((types, types, layout.ZBL_WORDS))
    if overlay is None:
        return table
    charges = np.array([ELEMENTS.index(element) + 1.0 for element in model.elements])
    radii = np.array([RADII[element] for element in model.elements])
    powers = charges**zbl.EXPONENT
    inverse = (powers[:, None] + powers) * 2.134563  # GPUMD's rounding of 1 / LENGTH
    table[..., 0], table[..., 1] = overlay.inner, overlay.outer
    table[..., 2] = COULOMB * charges[:, None] * charges
    if overlay.factor is not None:
        outer = np.minimum(overlay.outer, overlay.factor * (radii[:, None] + radii))
        table[..., 0] = outer / 2 if overlay.typewise_inner_half else 0.0
        table[..., 1] = outer
    for term, (factor, decay) in enumerate(zbl.SCREENING):
        table[..., 3 + 2 * term], table[..., 4 + 2 * term] = factor, decay * inverse
    if overlay.flexible is not None:
        for a in range(types):
            for b in range(types):
                low, high = min(a, b), max(a, b)
                row = overlay.flexible[low * types - low * (low - 1) // 2 + high - low]
                table[a, b, :2], table[a, b, 3::2] = row[:2], row[2::2]
                table[a, b, 4::2] = row[3::2] * inverse[a, b]
    return table

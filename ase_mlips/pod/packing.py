"""A POD model as its kernels read it."""

from __future__ import annotations

from functools import partial

import numpy as np

from ..arrays import FloatArray
from ..engine.packing import Packed, Packer, Sparse, padded
from ..engine.simd import W
from ..heads.tables import pack_network
from . import layout, radial, tables
from .model import ANGULAR_TERMS, PodBasis, PodModel


def pack(model: PodModel) -> Packed:
    """Sizes, tables and areas of scratch of a model."""
    ints, floats = Packer(np.int32), Packer(float)
    basis = model.basis
    types, (two, three, four, *_), (degree, p4, *_) = len(basis.elements), basis.radial_functions, basis.angular_degrees
    harmonics, channels = tables.angular_sums(degree), tables.channels(basis)
    stride = harmonics + len(tables.monomials(p4))
    ints.add(limits=channels.limits, offsets=channels.offsets)
    _pack_angles(basis, ints, floats)
    runs = _pack_terms(basis, three * stride, ints, floats)
    bodies = np.cumsum([0, *basis.descriptor_counts, *map(len, basis.products)])
    coefficients = _coefficients(model)
    ints.add(bodies=bodies)
    floats.add(coefficients=coefficients)
    work = 0
    if model.network is not None:
        packed = pack_network(model.network)
        ints.add(network=packed.spec)
        floats.add(network=packed.weights)
        work = packed.work
    head = layout.Head(
        types=types,
        radial=basis.n_radial,
        groups=padded(basis.n_radial) // W,
        pieces=_pack_radial(basis, floats),
        bessel=basis.bessel_degree,
        inverse=basis.inverse_degree,
        two=two,
        three=three,
        four=four,
        degree=degree,
        channels=len(channels.limits) - 3,
        sums=int(channels.offsets[-3]),
        size=harmonics,
        harmonics=harmonics,
        stride=stride,
        pairs=types * (types + 1) // 2,
        angular=ANGULAR_TERMS[p4],
        runs=runs,
        first=int(bodies[1]),
        second=int(bodies[2]),
        third=int(bodies[3]),
        descriptors=basis.n_descriptors,
        clusters=model.clusters,
        components=0 if model.centroids is None else model.centroids.shape[2],
        coefficients=coefficients.shape[1],
        quadratic=model.quadratic is not None,
        network=model.network is not None,
        ints=ints.places(layout.Integers),
        floats=floats.places(layout.Floats),
    )
    return Packed(head, ints.join(), floats.join(), partial(_areas, head, work))


def _pack_angles(basis: PodBasis, ints: Packer, floats: Packer) -> None:
    """Matrices from sums to harmonics and monomials and from Legendre polynomials to powers, with transposes."""
    degree, p4, *_ = basis.angular_degrees
    forward, harmonics = tables.angular_matrix(degree, p4), tables.angular_sums(degree)
    end = forward.begin[harmonics]
    alone = Sparse(forward.begin[: harmonics + 1], forward.columns[:end], forward.values[:end])
    t = tables.powers_to_legendre(degree)
    powers = Sparse.from_rows([{int(k): float(row[k]) for k in np.flatnonzero(row)} for row in t])
    floats.add_sparse(
        ints,
        forward=forward,
        reverse=forward.transposed(harmonics),
        reverse_harmonics=alone.transposed(harmonics),
        powers=powers,
        reverse_powers=powers.transposed(degree + 1),
    )


def _pack_terms(basis: PodBasis, stride: int, ints: Packer, floats: Packer) -> int:
    """Pairs and triples of elements and products of descriptors; returns the number of runs of four-body terms."""
    terms = tables.four_body_terms(basis, stride)
    ints.add(pairs=tables.pairs(len(basis.elements)), products=np.concatenate(basis.products))
    ints.add(runs=terms.runs, factors=terms.factors)
    floats.add(weights=terms.weights)
    return len(terms.runs) - 1


def _pack_radial(basis: PodBasis, floats: Packer) -> int:
    """Radial functions in both forms; returns the number of pieces."""
    phi = radial.expansion(basis)
    found = radial.pieces(basis, phi)
    count, powers, n = found.values.shape
    groups = padded(n) // W
    table = np.zeros((count, powers, groups * W))
    table[:, :, :n] = found.values
    floats.add(pieces=table.reshape(count, powers, groups, W).swapaxes(1, 2), expansion=phi.T)
    floats.add(scalars=[basis.rin, basis.rcut, found.start, 1.0 / found.width])
    return int(count)


def _coefficients(model: PodModel) -> FloatArray:
    """Row of each element: constant, coefficients by cluster, quadratic ones, projections by component, centroids."""
    count = len(model.elements)
    parts = [model.constants[:, None], model.coefficients.reshape(count, -1)]
    if model.quadratic is not None:
        parts.append(model.quadratic)
    if model.projections is not None and model.centroids is not None:
        parts += [model.projections.swapaxes(1, 2).reshape(count, -1), model.centroids.reshape(count, -1)]
    return np.hstack(parts)


def _areas(head: layout.Head, network: int, slots: int) -> layout.Areas:
    """Vectors of each area of scratch, of which the network takes `network`."""
    sorted_slots = slots * min(head.types, W) + 4 * head.types if head.types > 1 else 0
    used = max(slots, sorted_slots)
    moments = head.types * head.three * head.stride
    return layout.Areas(
        gathered=4 * slots + 4 * (slots + W),
        slots=4 * sorted_slots,
        starts=head.types + 1,
        geometry=layout.GEOMETRY_WORDS * used,
        variables=2 * used,
        channels=(head.channels + 3) * used,
        functions=2 * head.radial * used,
        forces=3 * used,
        radial=layout.RADIAL_SCRATCH + 2 * head.groups * W,
        snapshots=2 * (3 * head.bessel + head.inverse),
        sums=head.types * head.sums,
        sum_derivatives=head.types * head.sums,
        moments=moments,
        moment_derivatives=moments,
        legendre=head.degree + 1,
        descriptors=head.descriptors,
        beta=head.descriptors,
        present=1,
        coefficients=head.coefficients,
        clusters=2 * head.clusters + 2 * head.components,
        slopes=padded(head.descriptors) * head.network,
        network=network,
        types=1,
        energy=1,
    )

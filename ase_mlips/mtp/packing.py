"""An MTP model as its kernels read it."""

from __future__ import annotations

from functools import partial

import numpy as np

from ..engine.packing import Packed, Packer, padded
from ..engine.radial import expansion
from ..engine.simd import W
from . import layout, tables
from .model import MtpModel


def pack(model: MtpModel) -> Packed:
    """Sizes, tables and areas of scratch of a model."""
    ints, floats = Packer(np.int32), Packer(float)
    channels = tables.channels(model.basic)
    program = tables.program(model)
    sums = int(channels.offsets[-1])
    forward = tables.sums_to_moments(model.basic, channels)
    floats.add_sparse(ints, forward=forward, reverse=forward.transposed(sums))
    ints.add(limits=channels.limits, offsets=channels.offsets, function=channels.function, odd=channels.odd)
    ints.add(program=program.stream, runs=program.places, mapping=model.mapping)
    floats.add(weights=program.weights, moments=model.moment_coefficients, species=model.species_coefficients)
    floats.add(radial=expansion(tables.chebyshev_coefficients(model)))
    clamp = model.min_dist if model.radial_basis.endswith("_repuls") else 0.0
    floats.add(scalars=[model.min_dist, model.max_dist, clamp])
    head = layout.Head(
        types=len(model.species),
        functions=model.radial_functions,
        basis=model.radial_size,
        channels=len(channels.function),
        sums=sums,
        basic=len(model.basic),
        moments=model.n_moments,
        scalars=len(model.mapping),
        runs=len(program.places),
        groups=padded(2 * model.radial_functions) // W,
        smooth=model.radial_basis.startswith("RBChebyshev"),
        repulsive=model.radial_basis == "RBChebyshev_repuls",
        ints=ints.places(layout.Integers),
        floats=floats.places(layout.Floats),
    )
    return Packed(head, ints.join(), floats.join(), partial(_areas, head))


def _areas(head: layout.Head, slots: int) -> layout.Areas:
    """Vectors of each area of scratch."""
    return layout.Areas(
        slots=4 * slots + 4 * (slots + W),
        geometry=layout.GEOMETRY_WORDS * slots,
        variables=2 * slots,
        channels=(head.channels + 3) * slots,
        functions=2 * head.functions * slots,
        forces=3 * slots,
        polynomials=4 * head.basis,
        rows=W,
        values=padded(2 * head.functions),
        derivatives=12 * head.channels,
        sums=head.sums,
        sum_derivatives=head.sums,
        moments=head.moments,
        moment_derivatives=head.moments,
        types=1,
        energy=1,
        gradients=head.types * head.functions * head.basis,
    )

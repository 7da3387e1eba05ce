"""An ACE model as its kernels read it."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.polynomial import chebyshev

from ..arrays import FloatArray
from ..engine import zbl
from ..engine.packing import Packed, Packer, padded
from ..engine.simd import W
from ..files.elements import ELEMENTS
from ..heads.tables import pack_network
from . import layout, tables
from .model import EMBEDDINGS, INNER_CUTOFFS, RADIAL_BASES, AceModel, Bond

COULOMB = 14.399645351950543  # e^2 / (4 pi eps0) in eV A, the value of pacemaker's evaluator


def pack(model: AceModel, *, described: bool = False) -> Packed:
    """Sizes, tables and areas of scratch of a model; with `described` those of its descriptors alone."""
    parts = _Parts(model, described)
    ints, floats, network = Packer(np.int32), Packer(float), 0
    if model.network is not None and not described:
        packed = pack_network(model.network)
        ints.add(network=packed.spec)
        floats.add(network=packed.weights)
        network = packed.work
    ints.add(elements=parts.elements, bonds=parts.bonds, lengths=parts.lengths, channels=parts.channels)
    ints.add(products=parts.products, groups=parts.groups, targets=parts.targets)
    cutoffs = np.array([[bond.cutoff for bond in row] for row in model.bonds])
    floats.add(scalars=parts.scalars, series=parts.series, weights=parts.weights, parameters=parts.parameters)
    floats.add(cutoffs=np.concatenate([cutoffs.ravel(), cutoffs.max(axis=1)]), recursion=tables.recursion(parts.top))
    core = any(np.any(bond.core[0] != 0.0) for row in model.bonds for bond in row)
    none = np.zeros((len(model.elements), model.n_descriptors if model.network is not None else 0))
    floats.add(linear=none if model.coefficients is None else model.coefficients)
    head = layout.Head(
        types=len(model.elements),
        kind=parts.kind,
        inner=INNER_CUTOFFS.index(model.inner_cutoff_type),
        core=core or model.inner_cutoff_type == "zbl",
        radials=max(1, *(row.radials for row in parts.bonds)),
        top=parts.top,
        nodes=max(row.nodes for row in parts.elements),
        densities=max(row.densities for row in parts.elements),
        descriptors=model.n_descriptors,
        terms=model.base + 1,
        ints=ints.places(layout.Integers),
        floats=floats.places(layout.Floats),
    )
    return Packed(head, ints.join(), floats.join(), partial(_areas, head, network))


def _areas(head: layout.Head, network: int, slots: int) -> layout.Areas:
    """Vectors of each area of scratch, of which the network takes `network`."""
    every = head.types * slots  # should each lane have one element around it
    described = head.kind in (layout.NETWORK, layout.DESCRIBED)
    return layout.Areas(
        slots=4 * slots + 4 * (slots + W),
        sorted=4 * every if head.types > 1 else 0,
        ends=head.types // W + 1,
        counts=head.types,
        geometry=layout.GEOMETRY_WORDS * every,
        radials=2 * head.radials * every,
        polynomials=4 * head.terms,
        legendre=(head.top + 1) * (head.top + 2) // 2,
        harmonics=4 * (head.top + 1) ** 2,
        nodes=head.nodes,
        derivatives=head.nodes,
        forces=3 * every,
        densities=2 * head.densities,
        descriptors=head.descriptors if described else 0,
        beta=padded(head.descriptors) if described else 0,
        nearest=4,
        types=1,
        energy=1,
        network=network,
    )


class _Parts:
    """Tables of all elements and bonds joined end to end, with rows that say where each begins."""

    def __init__(self, model: AceModel, described: bool) -> None:
        if described:
            self.kind = layout.DESCRIBED
        elif model.network is not None:
            self.kind = layout.NETWORK
        else:
            self.kind = layout.LINEAR if model.linear else layout.EMBEDDED
        self.elements: list[layout.Element] = []
        self.bonds: list[layout.Bond] = []
        self.top = 0
        self.lengths: list[int] = []
        self.channels: list[int] = []
        self.products: list[int] = []
        self.groups: list[int] = []
        self.targets: list[int] = []
        self.scalars: list[float] = []
        self.series: list[float] = []
        self.weights: list[float] = []
        self.parameters: list[float] = []
        for element in range(len(model.elements)):
            own = tables.element_tables(model, element, described=self.kind in (layout.NETWORK, layout.DESCRIBED))
            for other, bond in enumerate(own.bonds):
                self._add_bond(model, element, other, bond)
            self._add_element(model, element, own)

    def _add_bond(self, model: AceModel, element: int, other: int, bond: tables.BondTables) -> None:
        source = model.bonds[element][other]
        terms, top = bond.series.shape[1], len(bond.channels) - 1
        scale = source.scale
        power = int(scale) if source.radial_basis == "ChebPow" and scale == int(scale) and 1 <= scale <= 20 else 0
        row = layout.Bond(
            kind=RADIAL_BASES.index(source.radial_basis),
            power=power,
            terms=terms,
            radials=len(bond.series),
            lengths=len(self.lengths),
            series=len(self.series),
            top=top,
            channels=len(self.channels),
            scalars=len(self.scalars),
        )
        self.bonds.append(row)
        self.top = max(self.top, top)
        for values in bond.series:
            self.lengths.append(int(np.flatnonzero(values).max(initial=0)) + 1)
            self.series += np.stack([values, np.append(chebyshev.chebder(values), 0.0)], axis=1).ravel().tolist()
        place, node = len(self.channels) + layout.CHANNEL_WORDS * (top + 1), bond.first
        for degree, channels in enumerate(bond.channels):
            self.channels += [len(channels), place, node]
            place += len(channels)
            node += len(channels) * (2 * degree + 1)
        self.channels += [number for channels in bond.channels for number in channels]
        self.scalars += _scalars(model, source, element, other)

    def _add_element(self, model: AceModel, element: int, own: tables.ElementTables) -> None:
        program, embedding = own.program, model.embeddings[element]
        merged = embedding.linear or self.kind in (layout.NETWORK, layout.DESCRIBED)
        stream = program.groups.copy()
        count, k = 0, 0
        while k < len(stream):
            n = int(stream[k + 2])
            stream[k : k + 2] *= W
            stream[k + 3 : k + 3 + n] *= W
            k, count = k + 3 + n, count + 1
        row = layout.Element(
            sums=own.sums,
            nodes=own.sums + 1 + len(program.products),
            products=len(self.products),
            n_products=len(program.products),
            groups=len(self.groups),
            n_groups=count,
            weights=len(self.weights),
            targets=len(self.targets),
            n_targets=len(program.begin) - 1,
            densities=1 if merged else embedding.densities,
            embedding=layout.SHIFTED if merged else EMBEDDINGS.index(embedding.name),
            parameters=len(self.parameters),
        )
        self.elements.append(row)
        self.products += (program.products * W).ravel().tolist()
        self.groups += stream.tolist()
        self.targets += program.begin.ravel().tolist()
        self.weights += program.weights.tolist()
        self.parameters += [1.0, 1.0] if merged else embedding.parameters.tolist()
        self.parameters += [embedding.rho_core_cutoff, embedding.drho_core_cutoff, float(model.energies[element])]


def _scalars(model: AceModel, bond: Bond, element: int, other: int) -> list[float]:
    """In the order of `layout.BondScalars`."""
    strength, decay, shift = abs(bond.core[0]), abs(bond.core[1]), [0.0, 0.0, 0.0]
    if model.inner_cutoff_type == "zbl":
        charges = [ELEMENTS.index(model.elements[k]) + 1.0 for k in (element, other)]
        powers = [charge**zbl.EXPONENT for charge in charges]
        decay = sum(powers) / zbl.LENGTH
        strength = bond.core[0] * 0.5 * COULOMB * charges[0] * charges[1]
        shift = [strength * part for part in _shift(bond, decay)]
    least = float(np.exp(-bond.scale)) if bond.radial_basis == "ChebExpCos" else 0.0
    return [
        bond.cutoff, bond.scale, bond.dcut, least, bond.inner_cutoff, bond.inner_width, float(strength), float(decay),
        *shift,
    ]  # fmt: skip


def _shift(bond: Bond, decay: float) -> list[float]:
    """A / 3, B / 4 and C of the polynomial that LAMMPS adds to phi/r, so that energy and force end smoothly."""
    r, t = bond.cutoff, bond.dcut
    c, d = np.array(zbl.SCREENING).T
    parts: FloatArray = c * np.exp(-d * decay * r)
    phi, slope, curve = (float(np.sum(parts * (-d * decay) ** k)) for k in range(3))
    e0, e1, e2 = phi / r, slope / r - phi / r**2, curve / r - 2 * slope / r**2 + 2 * phi / r**3
    if t == 0.0:
        return [0.0, 0.0, -e0]
    a, b = (-3 * e1 + t * e2) / t**2, (2 * e1 - t * e2) / t**3
    return [a / 3, b / 4, -e0 + t * e1 / 2 - t**2 * e2 / 12]

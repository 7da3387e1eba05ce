"""Heads for eight atoms at a time: energies from descriptors B, and beta = dU/dB."""

from __future__ import annotations

from typing import Any

from ..engine.fields import view
from ..engine.jit import device
from ..engine.lanes import dense_tile
from ..engine.simd import W, fma, load, load_splat, mask_less, off, popcount, splat, store, vabs, vmax, where_less
from ..engine.vector_math import softplus, vexp, vtanh
from .layout import LAYER_WORDS, RELU, SIGMOID, SIZE_WORDS, SOFTPLUS, TANH, Layer, Sizes


@device
def polynomial(count: int, quadratic: int, c: Any, b: Any, beta: Any) -> Any:
    """E = c_0 + c.B + B.Q.B / 2 (Wood and Thompson, J. Chem. Phys. 148, 241721 (2018), eq. 12)."""
    for k in range(count):
        store(beta, k * W, load(c, (1 + k) * W))
    if quadratic == 1:
        q = 1 + count
        for k in range(count):
            bk = load(b, k * W)
            own = fma(load(c, q * W), bk, load(beta, k * W))
            q += 1
            for m in range(k + 1, count):
                pair = load(c, q * W)
                own = fma(pair, load(b, m * W), own)
                store(beta, m * W, fma(pair, bk, load(beta, m * W)))
                q += 1
            store(beta, k * W, own)
    energy = splat(0.0)
    for k in range(count):
        energy = fma(load(b, k * W), load(c, (1 + k) * W) + load(beta, k * W), energy)
    return fma(energy, splat(0.5), load(c, 0))


@device
def network(spec: Any, parameters: Any, types: Any, b: Any, beta: Any, work: Any) -> Any:
    """Feed-forward networks, see `tables.pack_network`; each lane takes that of its type."""
    sizes = view(spec, Sizes)
    for k in range(sizes.padded):
        store(beta, k * W, splat(0.0))
    energy, own = splat(0.0), load(types, 0)
    for k in range(_layer(spec, 0).inputs):  # relu and sigmoid make numbers of descriptors that are not finite
        energy = fma(load(b, k * W), splat(0.0), energy)
    for kind in range(sizes.networks):
        mine = splat(1.0)
        if sizes.networks > 1:
            distance = vabs(own - float(kind))
            if popcount(mask_less(distance, splat(0.5))) == 0:
                continue
            mine = where_less(distance, splat(0.5), mine, splat(0.0))
        weights = off(parameters, kind * sizes.stride)
        energy = fma(_forward(spec, weights, b, work), mine, energy)
        _backward(spec, weights, mine, beta, work)
    return energy


@device
def _layer(spec: Any, number: int) -> Layer:
    return view(off(spec, SIZE_WORDS + number * LAYER_WORDS), Layer)


@device
def _forward(spec: Any, weights: Any, b: Any, work: Any) -> Any:
    """The energy; `work` receives outputs and slopes of all layers."""
    x = b
    for layer in range(view(spec, Sizes).layers):
        row = _layer(spec, layer)
        inputs, tiles, kind = row.inputs, row.tiles, row.activation
        forward, biases = off(weights, row.forward), off(weights, row.biases)
        values = off(work, row.area)
        slopes = off(values, tiles * W * W)
        for tile in range(tiles):
            dense_tile(off(forward, tile * W * inputs), inputs, x, off(values, tile * W * W))
            for node in range(tile * W, (tile + 1) * W):
                value, slope = _activate(kind, load(values, node * W) + load_splat(biases, node))
                store(values, node * W, value)
                store(slopes, node * W, slope)
        x = values
    return load(x, 0)


@device
def _backward(spec: Any, weights: Any, mine: Any, beta: Any, work: Any) -> None:
    """Add dU/dB to `beta`; the slopes in `work` become dU/d(input of the node)."""
    sizes = view(spec, Sizes)
    row = _layer(spec, sizes.layers - 1)
    last = off(work, row.area + W * W)
    store(last, 0, load(last, 0) * mine)
    for node in range(1, W):
        store(last, node * W, splat(0.0))
    for layer in range(sizes.layers - 1, 0, -1):
        row, below = _layer(spec, layer), _layer(spec, layer - 1)
        nodes, count = row.tiles * W, below.tiles
        deltas = off(work, row.area + nodes * W)
        values = off(work, below.area)  # no longer needed: takes dU/d(output of the node)
        slopes = off(values, count * W * W)
        for tile in range(count):
            back = off(weights, row.backward + tile * W * nodes)
            dense_tile(back, nodes, deltas, off(values, tile * W * W))
            for node in range(tile * W, (tile + 1) * W):
                store(slopes, node * W, load(slopes, node * W) * load(values, node * W))
    row = _layer(spec, 0)
    nodes = row.tiles * W
    deltas, out = off(work, row.area + nodes * W), off(work, row.area)
    for tile in range(sizes.padded // W):
        dense_tile(off(weights, row.backward + tile * W * nodes), nodes, deltas, out)
        for k in range(W):
            at = (tile * W + k) * W
            store(beta, at, load(beta, at) + load(out, k * W))


@device
def _activate(kind: int, x: Any) -> tuple[Any, Any]:
    """Value and derivative."""
    if kind == TANH:
        value = vtanh(x)
        return value, fma(value, -value, splat(1.0))
    if kind == SIGMOID:
        value = 1.0 / (vexp(-x) + 1.0)
        return value, value * (1.0 - value)
    if kind == RELU:
        return vmax(x, splat(0.0)), where_less(splat(0.0), x, splat(1.0), splat(0.0))
    if kind == SOFTPLUS:
        return softplus(x)
    return x, splat(1.0)

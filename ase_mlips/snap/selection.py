"""The same SNAP potential for some of its elements or in another order of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..heads.network import Network
from .model import SnapModel, Zbl


def select_elements(
    model: SnapModel, elements: tuple[str, ...], complaint: Callable[[str, str], ValueError]
) -> SnapModel:
    """The potential with these elements in this order; ``complaint(expected, got)`` makes the error if it lacks one."""
    for symbol in elements:
        if symbol not in model.elements:
            raise complaint(f"the element {symbol}", f"only {', '.join(model.elements)}")
    if model.chemflag and len(elements) != len(model.elements):
        raise complaint(f"all of {', '.join(model.elements)} because chemflag is 1", f"only {', '.join(elements)}")
    order = [model.elements.index(symbol) for symbol in elements]
    descriptors = _descriptors(model, order)
    zbl = model.zbl and Zbl(model.zbl.inner, model.zbl.outer, tuple(model.zbl.charges[n] for n in order))
    return replace(
        model,
        elements=elements,
        radii=model.radii[order],
        weights=model.weights[order],
        coefficients=model.coefficients[order][:, _columns(model, descriptors)],
        sinner=None if model.sinner is None else model.sinner[order],
        dinner=None if model.dinner is None else model.dinner[order],
        zbl=zbl,
        network=model.network and _network(model.network, order, descriptors),
    )


def _descriptors(model: SnapModel, order: list[int]) -> NDArray[np.intp]:
    """Old place of each descriptor when element ``order[n]`` becomes element n."""
    old = np.arange(model.n_descriptors)
    if not model.chemflag:
        return old
    count = len(order)
    return old.reshape(count, count, count, -1)[np.ix_(order, order, order)].ravel()


def _columns(model: SnapModel, old: NDArray[np.intp]) -> NDArray[np.intp]:
    """Old column of each coefficient, given the `old` place of each descriptor."""
    K = len(old)
    if model.network is not None:
        return old[:0]
    columns = np.concatenate([[0], 1 + old])
    if model.quadraticflag:
        rows, cols = np.triu_indices(K)
        low, high = np.minimum(old[rows], old[cols]), np.maximum(old[rows], old[cols])
        columns = np.concatenate([columns, 1 + K + low * K - low * (low + 1) // 2 + high])
    return columns


def _network(network: Network, order: list[int], descriptors: NDArray[np.intp]) -> Network:
    rows = order if len(network.parameters) > 1 else [0]
    inputs = np.concatenate([[0], 1 + descriptors])
    first = network.sizes[1] * len(inputs)
    places = np.arange(network.n_parameters)
    places[:first] = places[:first].reshape(-1, len(inputs))[:, inputs].ravel()
    return replace(
        network,
        parameters=network.parameters[rows][:, places],
        shift=network.shift[rows][:, descriptors],
        scale=network.scale[rows][:, descriptors],
    )

"""Small SNAP models with networks: hand-written texts and random weights."""

from dataclasses import replace

import numpy as np

from ase_mlips.heads.network import Network
from ase_mlips.snap.model import SnapModel, Zbl

from .synthetic_networks import random_network

DESCRIPTOR = "rcutfac 4.5\ntwojmax 0\nnelems 2\nelems In P\nradelems 0.5 0.4\nwelems 1 -0.9\nbzeroflag 0\n"
NETWORK = """\
# UNITS: metal
2 11

# descriptors layers activation nodes
NET 1 3 tanh 2 relu 1 sigmoid 2 # the last node counts for nothing
# scale0
0.5
2
# bias and weights, node by node
1 -2 0.25 3
0.5 -1 2
4 5 1e3 1e3
-0.5
4
1 2 3 4 5 6 7 8
9
1e3 1e3
"""
EXPECTED = SnapModel(
    elements=("In", "P"),
    radii=[0.5, 0.4],
    weights=[1.0, -0.9],
    coefficients=np.empty((2, 0)),
    twojmax=0,
    rcutfac=4.5,
    bzeroflag=False,
    network=Network(
        sizes=(1, 2, 1, 1),
        activations=("tanh", "relu", "sigmoid"),
        parameters=[[1, -2, 0.25, 3, 0.5, -1, 2, 4, 5], [1, 2, 3, 4, 5, 6, 7, 8, 9]],
        shift=[[0.5], [-0.5]],
        scale=[[2], [4]],
    ),
)


def models() -> dict[str, SnapModel]:
    """By name: networks of one and several elements, shared or not, with chem and repulsion."""
    two = replace(EXPECTED, twojmax=2, network=None, coefficients=np.zeros((2, 6)))
    inner = {"switchinnerflag": True, "sinner": [1.1, 1.2], "dinner": [0.3, 0.4]}
    names = ("sigmoid", "tanh", "relu", "linear")

    def with_network(model: SnapModel, sizes, activations, networks: int, **fields) -> SnapModel:
        network = random_network(sizes, activations, count=networks)
        return replace(model, coefficients=np.empty((2, 0)), network=network, **fields)

    return {
        "hand": EXPECTED,
        "each": with_network(two, (5, 4, 3, 2, 1), names, 2, **inner),
        "chem": with_network(two, (40, 3, 1), names[:2], 2, chemflag=True),
        "softplus": with_network(two, (5, 3, 1), ("softplus", "linear"), 2),
        "shared": with_network(two, (5, 3, 1), ("tanh", "linear"), 1),
        "zbl": with_network(two, (5, 1), ("linear",), 2, zbl=Zbl(4.0, 4.2, (49.0, 15.0))),
        "shared_zbl": with_network(two, (5, 3, 1), ("softplus", "linear"), 1, zbl=Zbl(0.1, 0.2, (49.0, 15.0))),
    }

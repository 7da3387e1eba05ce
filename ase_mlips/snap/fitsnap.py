"""FitSNAP's PyTorch networks, read without PyTorch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ..arrays import FloatArray
from ..files.archive import refusal
from ..files.text import FilePath
from ..heads.network import Network
from .model import SnapModel
from .selection import select_elements
from .settings import read_descriptor
from .torch_pickle import Call, read_torch, tensor

_WRITER = "fitsnap3lib.lib.neural_networks.write "
_NN = "torch.nn.modules."
_SEQUENTIAL, _LIST = f"{_NN}container Sequential", f"{_NN}container ModuleList"
_LINEAR, _SOFTPLUS = f"{_NN}linear Linear", f"{_NN}activation Softplus"
_ALLOWED = frozenset(
    [
        *(_WRITER + name for name in ("TorchWrapper", "IgnoreElems", "ElemwiseModels")),
        *("lammps.mliap.pytorch TorchWrapper", "lammps.mliap.pytorch IgnoreElems"),
        *(_SEQUENTIAL, _LIST, _LINEAR, _SOFTPLUS),
        *("torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter"),
        *(f"torch {name}" for name in ("FloatStorage", "DoubleStorage", "float32", "float64", "device")),
        *("collections OrderedDict", "__builtin__ set"),
    ]
)
_KEY = re.compile(r"network_architecture(\d{1,3})\.(?:(\d{1,3})\.)?(weight|bias)", re.ASCII)

_Layers = list[tuple[str, FloatArray, FloatArray]]


def import_fitsnap(path: FilePath, descriptor: FilePath, *, elements: Sequence[str] | None = None) -> SnapModel:
    """Read a network that FitSNAP trained with PyTorch; neither program is needed.

    Nothing in the file is executed: a file that names any class but those of FitSNAP's networks is refused.

    Parameters
    ----------
    path : path
        ``FitTorch_Pytorch.pt``, the network as LAMMPS would use it, or the checkpoint of the training (a dictionary
        with ``model_state_dict``); one network for all elements or one for each; as any version of PyTorch saves them.
    descriptor : path
        The ``.mliap.descriptor`` file that FitSNAP writes beside it.
    elements : sequence of str, optional
        Which elements to take, in which order; by default the descriptor file's.

    Returns
    -------
    SnapModel
        Energies are those of the network.  The reference potential that was subtracted before the training is not
        in these files: add ``zbl=Zbl(...)`` with `dataclasses.replace` if there was one.  `write_snap` keeps the
        model as ``X.snap.npz``.

    Raises
    ------
    OSError
        If a file cannot be read.
    ValueError
        ``path: expected ..., got ...`` if the file is damaged or holds anything else.

    Notes
    -----
    Beyond 20, PyTorch takes x for ``log(1 + exp(x))``, which is larger by less than 3e-9.
    """
    settings = read_descriptor(descriptor)
    count = len(settings.fields["elements"])
    descriptors = settings.counts(count)[0] - 1
    found, storages = read_torch(path, _ALLOWED)
    try:
        networks = _networks(found, storages)
        if len(networks) not in (1, count):
            raise ValueError(f"expected one network or one for each of {count} elements, got {len(networks)}")
        network = _assemble(networks)
        if network.sizes[0] != descriptors:
            raise ValueError(f"expected a network of {descriptors} descriptors, got one of {network.sizes[0]}")
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    except (AttributeError, IndexError, KeyError, TypeError):
        raise refusal(path, "a network as FitSNAP writes it", "other contents") from None
    model = settings.build({}, coefficients=np.empty((count, 0)), network=network)
    return model if elements is None else select_elements(model, tuple(elements), settings.rows["elements"].error)


def _networks(found: Any, storages: dict[str, bytes]) -> list[_Layers]:
    """The layers (activation, weights, biases) of every network."""
    if isinstance(found, dict):
        return _networks_of_checkpoint(_entries(found["model_state_dict"]), storages)
    model = _entries(found.state["_modules"])["model"]
    children = _entries(model.state["_modules"])
    if "subnet" in children:
        return [_layers_of_module(children["subnet"], storages)]
    subnets = model.state["subnets"] if "subnets" in model.state else children["subnets"]
    modules = subnets if isinstance(subnets, list) else _entries(subnets.state["_modules"]).values()
    return [_layers_of_module(module, storages) for module in modules]


def _entries(value: Any) -> dict[Any, Any]:
    """A dictionary, ordered or not."""
    return value if isinstance(value, dict) else _of_kind(value, "collections OrderedDict").items


def _of_kind(value: Call, name: str) -> Call:
    if value.name != name:
        raise ValueError(f"expected {name.split()[1]}, got {value.name.split()[-1]}")
    return value


def _layers_of_module(module: Call, storages: dict[str, bytes]) -> _Layers:
    layers: _Layers = []
    if module.name == _LINEAR:  # no hidden layer, and no container around the one there is
        return [_linear(module, storages)]
    for child in _entries(_of_kind(module, _SEQUENTIAL).state["_modules"]).values():
        if child.name == _SOFTPLUS and layers and layers[-1][0] == "linear":
            if (child.state["beta"], child.state["threshold"]) != (1, 20):
                raise ValueError("expected Softplus with beta 1 and threshold 20, got others")
            layers[-1] = ("softplus", *layers[-1][1:])
        else:
            layers.append(_linear(_of_kind(child, _LINEAR), storages))
    return layers


def _linear(module: Call, storages: dict[str, bytes]) -> tuple[str, FloatArray, FloatArray]:
    values = _entries(module.state["_parameters"])
    return "linear", tensor(values["weight"], storages), tensor(values["bias"], storages)


def _networks_of_checkpoint(entries: dict[str, Any], storages: dict[str, bytes]) -> list[_Layers]:
    """A checkpoint has no word for activations; the places that they take in the sequence are those left out."""
    networks: dict[int, dict[int, dict[str, FloatArray]]] = {}
    for key, value in entries.items():
        match = _KEY.fullmatch(key)
        if match is None:
            raise ValueError(f"expected network_architectureN.N.weight or bias, got {key[:80]!r}")
        layer = networks.setdefault(int(match[1]), {}).setdefault(int(match[2] or 0), {})
        layer[match[3]] = tensor(value, storages)
    if sorted(networks) != list(range(len(networks))):
        raise ValueError(f"expected networks counted from 0, got {sorted(networks)}")
    found = []
    for _, layers in sorted(networks.items()):
        places = sorted(layers)
        gaps = [after - before for before, after in pairwise(places)]
        if places[0] != 0 or not set(gaps) <= {1, 2}:
            raise ValueError(f"expected layers with at most one activation between them, got places {places}")
        activations = ["softplus" if gap == 2 else "linear" for gap in [*gaps, 1]]
        found.append([(f, layers[n]["weight"], layers[n]["bias"]) for f, n in zip(activations, places, strict=True)])
    return found


def _assemble(networks: list[_Layers]) -> Network:
    """One `Network` of them all, which must have the same architecture."""
    architectures: list[tuple[tuple[int, ...], tuple[str, ...]]] = []
    for layers in networks:
        sizes = (*(weights.shape[-1] for _, weights, _ in layers), 1)
        for (_, weights, biases), (before, after) in zip(layers, pairwise(sizes), strict=True):
            if weights.shape != (after, before) or biases.shape != (after,):
                raise ValueError(f"expected weights and biases of {before} to {after} nodes, got {weights.shape}")
        architectures.append((sizes, tuple(name for name, _, _ in layers)))
    if len(set(architectures)) != 1:
        raise ValueError("expected networks of one architecture, got several")
    sizes, activations = architectures[0]
    parameters = [
        np.concatenate([np.column_stack([biases, weights]).ravel() for _, weights, biases in layers])
        for layers in networks
    ]
    inputs = (len(networks), sizes[0])
    return Network(sizes, activations, np.array(parameters), np.zeros(inputs), np.ones(inputs))

"""Writes reference.json with PyTorch: ``python make.py``; see README.md."""

import json
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np

ACTIVATIONS = ("linear", "sigmoid", "tanh", "relu", "softplus")
SIZES = (6, 5, 4, 1)
VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
FILE = Path(__file__).with_name("reference.json")


def inputs(networks):
    """Two synthetic frames of two elements and `networks` networks, the same at every call."""
    generator = np.random.default_rng(networks)
    K, P = SIZES[0], sum((before + 1) * after for before, after in pairwise(SIZES))
    frames = []
    for N, pairs in ((3, 14), (5, 23)):
        frames.append(
            SimpleNamespace(
                species=np.arange(N, dtype=np.int32) % 2,
                descriptors=generator.normal(2.0, 3.0, (N, K)),
                centers=np.sort(generator.integers(0, N, pairs)).astype(np.int32),
                neighbors=generator.integers(0, N, pairs).astype(np.int32),
                vectors=generator.normal(0.0, 2.0, (pairs, 3)),
                gradients=generator.normal(0.0, 1.0, (pairs, 3, K)).astype(np.float32),
                labels={
                    "energy": generator.normal(size=1),
                    "force": generator.normal(size=3 * N),
                    "stress": generator.normal(size=6),
                },
                weights=dict(zip(("energy", "force", "stress"), generator.uniform(0.5, 3.0, 3), strict=True)),
                volume=float(generator.uniform(10.0, 20.0)),
            )
        )
    shift, scale = generator.normal(2.0, 1.0, (networks, K)), generator.uniform(2.0, 4.0, (networks, K))
    return frames, generator.normal(size=(networks, P)), shift, scale


def functions():
    """The activations in PyTorch."""
    import torch

    return {
        "linear": lambda x: x,
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "relu": torch.relu,
        "softplus": torch.nn.functional.softplus,
    }


def loss_of(frame, networks, activation):
    """Squares of weight times residual of one frame; the forces come from a first backward pass."""
    import torch

    parameters, shift, scale = networks
    descriptors = torch.tensor(frame.descriptors, requires_grad=True)
    energies = []
    for n, species in enumerate(frame.species):
        owner = species if len(parameters) > 1 else 0
        x, first = (descriptors[n] - shift[owner]) / scale[owner], 0
        for layer, (before, after) in enumerate(pairwise(SIZES)):
            block = parameters[owner, first : first + (before + 1) * after].reshape(after, before + 1)
            x = block[:, 1:] @ x + block[:, 0]
            x = functions()[activation](x) if layer < len(SIZES) - 2 else x
            first += (before + 1) * after
        energies.append(x[0])
    energies = torch.stack(energies)
    (slopes,) = torch.autograd.grad(energies.sum(), descriptors, create_graph=True)
    centers, neighbors = (torch.tensor(values.astype(np.int64)) for values in (frame.centers, frame.neighbors))
    pulls = torch.einsum("pck,pk->pc", torch.tensor(frame.gradients.astype(float)), slopes[centers])
    forces = torch.zeros(len(frame.species), 3, dtype=torch.float64)
    forces = forces.index_add(0, centers, pulls).index_add(0, neighbors, -pulls)
    strain = torch.tensor(frame.vectors).T @ pulls
    stress = torch.stack([0.5 * (strain[a, b] + strain[b, a]) for a, b in VOIGT]) / frame.volume
    predicted = {"energy": energies.mean()[None], "force": forces.reshape(-1), "stress": stress}
    return sum(
        torch.sum((frame.weights[quantity] * (values - torch.tensor(frame.labels[quantity]))) ** 2)
        for quantity, values in predicted.items()
    )


def main():
    import torch

    torch.set_default_dtype(torch.float64)
    found = {"torch": torch.__version__}
    for activation in ACTIVATIONS:
        for networks in (1, 2):
            frames, parameters, shift, scale = inputs(networks)
            parameters = torch.tensor(parameters, requires_grad=True)
            loss = sum(loss_of(f, (parameters, torch.tensor(shift), torch.tensor(scale)), activation) for f in frames)
            loss.backward()
            found[f"{activation} {networks}"] = {"loss": loss.item(), "gradient": parameters.grad.tolist()}
    FILE.write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()

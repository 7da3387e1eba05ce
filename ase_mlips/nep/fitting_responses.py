"""NEP models of dipoles and polarizabilities to be fitted: their labels, first parameters and reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from ase.stress import full_3x3_to_voigt_6_stress
from tqdm import tqdm

from ..arrays import FloatArray, Int64Array
from ..engine.neighbors import NeighborList
from ..fit.dataset import LabelledFrame, species_of
from ..fit.gpumd_files import MISSING, ORDER
from ..fit.loss import Loss
from ..fit.objective import Target
from ..fit.report import Report, gathered
from .model import NepModel
from .potential import NepPotential
from .starting import first_network, random_model, with_constants
from .trainable import LEAST_SPREAD, TrainableNep

COMPONENTS = {"potential": 6, "dipole": 3, "polarizability": 6}  # of the virial, or of what stands in its place
_FRAMES = 16
_MOST = 64  # frames from which the first scale of the output is taken


def response_of(frame: LabelledFrame, kind: str) -> FloatArray | None:
    """The dipole (3,) or the polarizability xx yy zz yz xz xy of a frame, as it is labelled."""
    if kind == "dipole":
        return frame.dipole
    return None if frame.polarizability is None else full_3x3_to_voigt_6_stress(frame.polarizability)


def response_targets(frames: Sequence[LabelledFrame], kind: str, loss: Loss) -> list[Target]:
    """What the frames are fitted to: as in GPUMD, responses stand in the place of the virial.

    Raises
    ------
    ValueError
        No frame has a label.
    """
    labels = [response_of(frame, kind) for frame in frames]
    if all(label is None for label in labels):
        key = "dipole=" if kind == "dipole" else "pol="
        raise ValueError(f"{frames[0].source} and all other frames: expected a {kind} ({key}), got none")
    return [
        Target({} if label is None else {"stress": label}, {"stress": loss.of(frame, "stress")}, 1.0)
        for frame, label in zip(frames, labels, strict=True)
    ]


class TrainableResponse(TrainableNep):
    """A model of dipoles or polarizabilities that is trained; see `TrainableNep`."""

    def start(self, seed: int, constants: FloatArray) -> FloatArray:
        """Random parameters, scaled to the labels, or those of the template.

        `constants` (C,) are isotropic polarizabilities of the elements.
        """
        if not self.fresh:
            return self._gradient.vector.of(self.template)
        first = random_model(self.template, seed)
        inputs = self._inputs(first)
        network = first_network(first, inputs, seed)
        first = replace(first, network=network)
        if first.kind == "dipole":
            return self._gradient.vector.of(self._scaled(first, seed=seed))
        scalar = first_network(replace(first, network=network), inputs, seed + 1)
        common, own = float(constants.mean()), constants - constants.mean()
        silent = replace(scalar, w1=np.zeros_like(scalar.w1), bias=0.0)
        first = self._scaled(replace(first, scalar_network=silent), seed=seed)
        scaled = replace(scalar, w1=scalar.w1 * float(np.abs(constants).max() or 1.0) * 0.1)
        own = own if np.ptp(constants) > LEAST_SPREAD * abs(common) else np.zeros_like(own)
        return self._gradient.vector.of(replace(first, scalar_network=with_constants(scaled, common, own)))

    def _scaled(self, model: NepModel, *, seed: int) -> NepModel:
        """The model with a first network whose responses scatter like the labels; without their isotropic part."""
        parameters, found, wanted = self._gradient.vector.of(model), [], []
        for n in list(self._train)[:_MOST]:
            label = response_of(self._frames[n], model.kind)
            if label is not None:
                tensor = self.evaluate(parameters, np.array([n]), gradient=False).strains[0]
                own = np.diagonal(tensor) if model.kind == "dipole" else full_3x3_to_voigt_6_stress(tensor)
                found.append(_anisotropic(own) / len(self._frames[n].atoms))
                wanted.append(_anisotropic(label) / len(self._frames[n].atoms))
        size, aim = (float(np.sqrt(np.mean(np.square(values)))) if values else 0.0 for values in (found, wanted))
        factor = aim / size if size > 0.0 and aim > 0.0 else 1.0
        return replace(model, network=replace(model.network, w1=factor * model.network.w1))

    def rest(self, frame: LabelledFrame) -> Mapping[str, FloatArray]:
        """Nothing: no repulsion has a dipole."""
        return {}


def _anisotropic(response: FloatArray) -> FloatArray:
    """A dipole, or a polarizability less its trace."""
    if len(response) == 3:
        return response
    rest = response.copy()
    rest[:3] -= response[:3].mean()
    return rest


def isotropic_constants(
    targets: Sequence[Target], counts: Int64Array, kind: str
) -> FloatArray:  # fmt: skip
    """Isotropic polarizabilities of an atom of each element (E,) that fit those of the frames best.

    Parameters
    ----------
    targets : sequence of Target
    counts : (F, E) array
        Atoms of each element in each frame.
    kind : str
        Zeros for "dipole".
    """
    known = [n for n, target in enumerate(targets) if target.labels]
    if kind == "dipole" or not known:
        return np.zeros(counts.shape[1])
    sizes = counts[known].sum(axis=1)
    values = np.array([targets[n].labels["stress"][:3].mean() for n in known]) / sizes
    shares, common = counts[known] / sizes[:, None], float(values.mean())
    constants: FloatArray = common + np.linalg.lstsq(shares, values - common, rcond=1e-2)[0]
    return constants


def predicted_response(potential: NepPotential, frame: LabelledFrame, neighbors: NeighborList) -> FloatArray:
    """The dipole (3,) or the polarizability xx yy zz yz xz xy that a model gives a frame."""
    atoms = frame.atoms
    neighbors.update(atoms.positions, atoms.cell.array, atoms.pbc)
    species = species_of(frame, potential.elements)
    if potential.model.kind == "dipole":
        return potential.dipole(neighbors, species)
    tensor = potential.polarizability(neighbors, species)
    six: FloatArray = full_3x3_to_voigt_6_stress(0.5 * (tensor + tensor.T))
    return six


def response_report(potential: NepPotential, sets: Mapping[str, Sequence[LabelledFrame]]) -> Report:
    """Evaluate a model on frames that have its kind of label."""
    kind = potential.model.kind

    def predictions() -> Iterator[tuple[str, LabelledFrame, dict[str, FloatArray]]]:
        neighbors = NeighborList(potential.cutoff, skin=0.0)
        frames = [(name, frame) for name, members in sets.items() for frame in members]
        for name, frame in tqdm(frames, desc="testing", unit="frame", disable=None):
            yield name, frame, {kind: predicted_response(potential, frame, neighbors) / len(frame.atoms)}

    def labels(frame: LabelledFrame) -> dict[str, FloatArray]:
        label = response_of(frame, kind)
        return {} if label is None else {kind: label / len(frame.atoms)}

    return gathered(predictions(), labels)


def response_rows(potential: NepPotential, frames: Sequence[LabelledFrame]) -> FloatArray:
    """Predictions and, behind them, labels of each frame per atom in GPUMD's order; -1e6 where there is no label."""
    kind, neighbors = potential.model.kind, NeighborList(potential.cutoff, skin=0.0)
    order = ORDER if kind == "polarizability" else [0, 1, 2]
    rows = []
    for frame in frames:
        label, n = response_of(frame, kind), len(frame.atoms)
        known = np.full(len(order), MISSING) if label is None else label[order] / n
        rows.append(np.concatenate([predicted_response(potential, frame, neighbors)[order] / n, known]))
    return np.array(rows)

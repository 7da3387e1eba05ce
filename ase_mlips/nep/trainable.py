"""NEP models with parameters that change, and the frames that they are trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from tqdm import tqdm

from ..arrays import FloatArray, Int64Array, IntArray
from ..engine.neighbors import NeighborList
from ..fit.dataset import LabelledFrame, species_of
from ..fit.report import predict
from ..fit.shards import Shards
from ..fit.training import Schedule
from .files import write_nep
from .gradient import EvaluatedFrames
from .model import NepModel
from .neighborhoods import NeighborhoodStore
from .packing import pair_cutoffs
from .potential import NepPotential
from .responses import gradient_of
from .starting import Inputs, first_network, random_model, widened, with_constants

LEAST_SHARE = 1e-2  # of an element, by which compositions must differ to tell it from others
LEAST_SPREAD = 1e-3  # eV; constants of elements that differ by less are one


@dataclass(frozen=True, kw_only=True)
class NepTraining(Schedule):
    """How a NEP potential is trained; all but these fields as in `Schedule`, with other defaults.

    Attributes
    ----------
    memory : float
        GB of neighbour lists that are kept; those of further frames are made again at each use.
    num_threads : int
        Of no influence on the result.
    """

    epochs: int = 100
    batch_size: int = 2
    learning_rate: float = 1e-2
    memory: float = 2.0
    num_threads: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.memory >= 0.0:
            raise ValueError(f"memory: expected at least 0, got {self.memory}")
        if self.num_threads < 1:
            raise ValueError(f"num_threads: expected at least 1, got {self.num_threads}")


class _Structures(Sequence[tuple[Atoms, IntArray]]):
    """Structures and types of frames, which may be lazy."""

    def __init__(self, frames: Sequence[LabelledFrame], elements: Sequence[str]) -> None:
        self._frames, self._elements = frames, elements

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, number: Any) -> Any:
        frame = self._frames[number]
        return frame.atoms, species_of(frame, self._elements)


class TrainableNep:
    """A NEP model that is trained; see `ase_mlips.fit.protocols.TrainableModel`.

    Parameters are (1, P) arrays in the order of nep.txt.

    Parameters
    ----------
    template : NepModel
        Its repulsion is kept.  Its other parameters are the start if any of them is not zero.
    frames : sequence of LabelledFrame
    training : NepTraining
    count : int
        How many of the frames, from the first on, are for training; they set the scale of the descriptors.
    shards : Shards, optional
        The process that these frames are the share of.
    """

    def __init__(
        self,
        template: NepModel,
        frames: Sequence[LabelledFrame],
        training: NepTraining,
        count: int,
        shards: Shards | None = None,
    ) -> None:
        if template.charge_mode:
            raise ValueError(f"models with charges (qNEP) are not trained: expected another one than {template.token}")
        self.elements, self._frames, self._train = template.elements, frames, range(count)
        self._shards = shards or Shards()
        potential = NepPotential(template)
        self.cutoff, self._cutoffs = potential.cutoff, pair_cutoffs(template)
        self.fresh = not np.any(template.radial)
        structures = _Structures(frames, self.elements)
        self._store = NeighborhoodStore(structures, self.cutoff, len(self.elements), training.memory * 1e9)
        model = template
        if self.fresh:
            first = random_model(template, training.seed)
            model = replace(first, scaler=self._inputs(first).scaler)
        elif template.version == 4 and template.kind == "potential" and self._varied():
            model = replace(template, network=widened(template.network))
        self.template = replace(model, max_neighbors=self._most_neighbors())
        self._gradient = gradient_of(replace(model, zbl=None), training.num_threads)
        self._repulsion = None if template.zbl is None else NepPotential(_silent(model))
        self._neighbors = NeighborList(self.cutoff, skin=0.0)

    def _inputs(self, model: NepModel) -> Inputs:
        (found,) = self._shards.totals(Inputs(model, self._store.batches(self._train)))
        return found  # type: ignore[no-any-return]

    def _varied(self) -> bool:
        """Whether compositions differ, so that elements can be told apart by energies."""
        counts = [
            np.bincount(species_of(self._frames[n], self.elements), minlength=len(self.elements)) for n in self._train
        ]
        shares = np.concatenate(self._shards.all_of(np.array(counts) / np.sum(counts, axis=1, keepdims=True)))
        return bool(np.ptp(shares, axis=0).max() > LEAST_SHARE)

    def _most_neighbors(self) -> tuple[int, int]:
        """As nep.txt says it: of the training frames, within the largest radial and angular cutoffs."""
        cutoffs = [float(own.max()) for own in self._cutoffs]
        frames = tqdm(self._train, desc="finding neighbours", unit="frame", disable=None)
        own = np.array([[self._store[n].most(cutoff) for cutoff in cutoffs] for n in frames]).max(axis=0)
        most = np.max(self._shards.all_of(own), axis=0)
        return int(most[0]), int(most[1])

    @property
    def constants(self) -> Int64Array:
        """One constant for each element, but for NEP3, whose elements share a network."""
        count = len(self.elements)
        return np.zeros(count, np.int64) if self.template.version == 3 else np.arange(count)

    def ready(self, model: NepModel) -> NepPotential:
        """The model, ready to be evaluated."""
        return NepPotential(model)

    def write(self, path: Path, model: NepModel) -> None:
        """Write a nep.txt file."""
        write_nep(path, model)

    def described(self, model: NepModel) -> str:
        """The model in half a line."""
        return repr(model).removeprefix("NepModel(").removesuffix(")")

    def rest(self, frame: LabelledFrame) -> Mapping[str, FloatArray]:
        """The repulsion of the template."""
        return {} if self._repulsion is None else predict(self._repulsion, frame, self._neighbors)

    def start(self, seed: int, constants: FloatArray) -> FloatArray:
        """Random parameters whose energies are about the constants; or those of the template, shifted to the labels."""
        common, own = float(constants[0]), np.zeros(len(self.elements))
        if np.ptp(constants) > LEAST_SPREAD:
            common = float(constants.mean())
            own = constants - common
        if not self.fresh:
            network = with_constants(self.template.network, common, own)
            return self._gradient.vector.of(replace(self.template, network=network))
        first = random_model(self.template, seed)
        inputs = self._inputs(first)
        network = with_constants(first_network(first, inputs, seed), common, own)
        return self._gradient.vector.of(replace(first, network=network))

    def first_energies(self, frames: Int64Array) -> FloatArray:
        """Energies (F,) in eV of the template, its repulsion left out."""
        parameters = self._gradient.vector.of(self.template)
        parts = [self.evaluate(parameters, frames[n : n + 16], gradient=False) for n in range(0, len(frames), 16)]
        return np.concatenate([part.energies for part in parts])

    def flat(self, parameters: FloatArray) -> FloatArray:
        """The same with expansion coefficients of zero: all atoms of an element look alike."""
        model = self._gradient.vector.model(parameters)
        network = replace(model.network, w0=np.zeros_like(model.network.w0))
        if self.fresh:
            w1 = model.network.w1.copy()
            w1[:, : w1.shape[1] - (len(self.elements) > 1)] = 0.0
            network = replace(network, w1=w1)
        return self._gradient.vector.of(replace(model, network=network))

    def evaluate(self, parameters: FloatArray, frames: Int64Array, *, gradient: bool = True) -> EvaluatedFrames:
        """Evaluate the frames of these numbers."""
        return self._gradient.evaluate(parameters, [self._store[int(number)] for number in frames])

    def model(self, parameters: FloatArray) -> NepModel:
        """The model with these parameters."""
        found, template = self._gradient.vector.model(parameters), self.template
        return replace(found, zbl=template.zbl, max_neighbors=template.max_neighbors)

    def seen(self) -> list[NDArray[Any]]:
        """Structures, and all of the template but for what is random."""
        found: list[NDArray[Any]] = []
        for frame in self._frames:
            atoms = frame.atoms
            found += [atoms.positions, atoms.cell.array, atoms.pbc, atoms.numbers]
        model = self.template
        found += [model.radial_cutoffs, model.angular_cutoffs, model.scaler, model.radial, model.network.w0]
        return [*found, np.array([str((model.token, model.l_max, model.invariants, model.zbl))])]


def _silent(model: NepModel) -> NepModel:
    """The repulsion of a model alone."""
    network = model.network
    nothing = replace(network, w0=np.zeros_like(network.w0), w1=np.zeros_like(network.w1), bias=0.0)
    if network.type_bias is not None:
        nothing = replace(nothing, type_bias=np.zeros_like(network.type_bias))
    return replace(model, network=nothing)

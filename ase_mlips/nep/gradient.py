"""Frames evaluated with any parameters of a NEP model, and the derivatives of a loss brought back to these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..arrays import FloatArray, Int64Array, IntArray, Parts, whole
from ..engine.packing import W, flatten, named, padded
from ..engine.plans import Plan, block_order, capacity, count_chunks
from ..engine.threads import run_chunks, scratch
from ..potential import Evaluation, evaluate_blocks
from . import kernels, kernels_batch, layout, layout_training
from .kernels_training import accumulate
from .layout import Pass
from .model import NepModel
from .neighborhoods import JoinedFrames, Neighborhood, blocks_of_types, join
from .packing import pair_cutoffs
from .parameters import ParameterVector
from .potential import NepPotential

_ATOMS_PER_CHUNK, _MOST_CHUNKS = 30, 32  # two frames of 64 atoms, less a vacancy or some, are four chunks
_MOST_CALLS = 64
_NOTHING = np.zeros(0)


class _Call(NamedTuple):
    """What the two kernels need beside the lists of some frames.

    Attributes
    ----------
    plan : Plan
        Of the forces.
    head, train : int32 arrays
        Flattened heads of the gradient.
    order, kinds : int32 arrays
        Of `blocks_of_types`.
    size : int
        Doubles of scratch for the gradient.
    """

    plan: Plan
    head: IntArray
    train: IntArray
    order: IntArray
    kinds: IntArray
    size: int


@dataclass(frozen=True, eq=False)
class EvaluatedFrames:
    """Frames evaluated with certain parameters; see `ase_mlips.fit.protocols.Evaluated`.

    Attributes
    ----------
    energies : (F,) array
        eV.
    forces : sequence of (N, 3) arrays
        eV/A; views of one array.
    strains : (F, 3, 3) array
        dE / d(strain) in eV; of a model of dipoles in their place a diagonal matrix of the dipole, and of a model of
        polarizabilities these (`ase_mlips.nep.responses`).
    pull : callable
        `gradient` of the concatenated slopes.
    """

    energies: FloatArray
    forces: Sequence[FloatArray]
    strains: FloatArray
    pull: Callable[[FloatArray, FloatArray, FloatArray], FloatArray]

    def gradient(self, slopes: Any) -> FloatArray:
        """Derivatives with respect to the parameters; see `ase_mlips.fit.protocols.Evaluated.gradient`."""
        return self.pull(slopes.energies, whole(slopes.forces), slopes.strains)


class NepGradient:
    """Evaluates joined frames with parameters that change from call to call.

    Parameters
    ----------
    model : NepModel
        Its cutoffs, sizes and scaler; neither its repulsion nor its parameters are used.
    num_threads : int
        Results do not depend on it.
    """

    _what = Pass()

    def __init__(self, model: NepModel, num_threads: int = 1) -> None:
        self.vector = ParameterVector(model)
        self._potential = NepPotential(model)
        packed = self._potential._packed
        self._head: layout.Head = packed.head
        self._ints, self._floats = packed.ints, packed.floats.copy()
        self._threads = num_threads
        self._types = len(model.elements)
        self._train, self._own_ints, self._own_floats = _training_tables(self._potential)
        self._laid_out: dict[int, tuple[Any, Any, int, int]] = {}
        self._calls: dict[tuple[int, bytes], _Call] = {}
        self._tables = self.vector.bound((self._floats, self._head.floats), (self._own_floats, self._train))
        self._filled = b""

    @property
    def cutoff(self) -> float:
        """Of the neighbour lists, in A."""
        return self._potential.cutoff

    def evaluate(self, parameters: FloatArray, frames: Sequence[Neighborhood]) -> EvaluatedFrames:
        """Energies, forces and strain derivatives with parameters (1, P)."""
        joined, call, found, _ = self._run(parameters, frames)
        energies, strains = np.empty(len(frames)), np.empty((len(frames), 3, 3))
        kernels_batch.frame_sums(joined.begin, found.energies, found.virials, energies, strains)
        forces = Parts(found.forces, joined.edges)

        def pull(by_energy: FloatArray, by_forces: FloatArray, by_strain: FloatArray) -> FloatArray:
            self._fill(parameters)
            motion = np.zeros((len(by_strain), layout_training.FRAME_WORDS))
            motion[:, :9] = by_strain.reshape(-1, 9)
            return self._gradient(joined, call, by_energy, by_forces, motion)

        return EvaluatedFrames(energies, forces, strains, pull)

    def _run(
        self, parameters: FloatArray, frames: Sequence[Neighborhood]
    ) -> tuple[JoinedFrames, _Call, Evaluation, FloatArray]:
        """The frames as one, what kernels need of them, and what the forces' kernel finds, its report last."""
        joined = join(frames)
        self._fill(parameters)
        call = self._call(joined)
        lam, report = np.zeros(joined.n + 1), _NOTHING
        if self._what.report:
            report = np.zeros(joined.n * self._potential.width)
        found = evaluate_blocks(kernels.evaluate, joined.list, call.plan, lam, report, num_threads=self._threads)
        return joined, call, found, report

    def _call(self, joined: JoinedFrames) -> _Call:
        """What both kernels need for atoms like these; kept, because most batches are like an earlier one."""
        key = capacity(joined.list.longest), joined.species.tobytes()
        call = self._calls.get(key)
        if call is None:
            if len(self._calls) > _MOST_CALLS:
                self._calls.clear()
            call = self._calls[key] = self._made(key[0], joined.species)
        return call

    def _made(self, slots: int, species: IntArray) -> _Call:
        """As `packing.Plans` makes it, but with the tables of these parameters and chunks of fewer atoms."""
        n = len(species)
        chunks = count_chunks(n, n, atoms=_ATOMS_PER_CHUNK, most=_MOST_CHUNKS)
        area, (shared, own), size, own_size = self._layout(slots)
        head = self._head._replace(slots=slots, request=self._what, atoms=n, centers=n, chunks=chunks)
        end = len(flatten(head))
        flat = flatten(head._replace(area=area, species=end, order=end + n + 1))
        kinds: IntArray = np.append(species, np.int32(0))
        blocks = block_order(species, chunks, dummy=n, by_type=self._types > 1)
        plan = Plan(np.concatenate([flat, kinds, blocks]), self._ints, self._floats, size, chunks)
        order, types = blocks_of_types(species, self._types)
        train = self._train._replace(area=own, rows=n + 1, blocks=len(types))
        return _Call(plan, flatten(head._replace(area=shared)), flatten(train), order, types, own_size)

    def _fill(self, parameters: FloatArray) -> None:
        """Make the tables of both kernels, unless they are those of these parameters."""
        values = parameters.tobytes()
        if values != self._filled:
            self._tables.fill(parameters)
            self._filled = values

    def _layout(self, slots: int) -> tuple[Any, Any, int, int]:
        """Areas of both kernels and the doubles that they take."""
        if slots not in self._laid_out:
            area, size = self._potential._plans._lay_out(slots)
            own, own_size = _training_areas(self._head, self._train, slots)
            self._laid_out[slots] = area, own, size, own_size
        return self._laid_out[slots]

    def _gradient(
        self, joined: JoinedFrames, call: _Call, by_energy: FloatArray, by_forces: FloatArray, motion: FloatArray
    ) -> FloatArray:
        n, chunks = joined.n, call.plan.chunks
        moves = np.empty((n + 2, layout_training.MOVE_WORDS))
        kernels_batch.fill_moves(joined.begin, by_energy, by_forces, moves)
        width = self._train.gradient.size
        parts = scratch("gradients", chunks * width)[: chunks * width].reshape(chunks, width)

        def work(left: Int64Array, me: int) -> None:
            accumulate(
                joined.positions, joined.shifts, *joined.by_type, call.head, self._ints, self._floats,
                call.train, self._own_ints, self._own_floats, call.order, call.kinds, moves, motion, joined.owners,
                scratch("training", call.size), parts, chunks, left, me,
            )  # fmt: skip

        run_chunks(work, chunks, self._threads)
        return self._tables.gradient(parts, self._train.gradient)


def _training_tables(potential: NepPotential) -> tuple[layout_training.TrainingHead, IntArray, FloatArray]:
    """Sizes and places of the gradient's kernel, and its tables; the coefficients are filled in at each call."""
    model, head = potential.model, potential._packed.head
    count, top, types = head.k_angular, head.l_max, head.types
    even, odd, less = (top + 1) * (top + 2) // 2, top * (top + 1) // 2, max(top - 1, 0) * top // 2
    limits = np.repeat([top, top, top - 1, top - 1, top - 1, top - 1, top - 2, top - 2], count)
    widths = np.repeat([even, even, odd, odd, odd, odd, less, less], count)
    offsets = np.concatenate([[0], np.cumsum(widths)])
    ints = [limits, np.full(4, -1), offsets, np.full(4, offsets[-1])]
    pairs = types * types
    sizes = [
        layout_training.CUTOFF_WORDS * pairs,
        pairs * padded(head.radial) * head.k_radial,
        pairs * padded(head.angular) * count,
    ]
    places = np.concatenate([[0], np.cumsum(sizes)])
    floats = np.zeros(int(places[-1]) + W)
    floats[: sizes[0]] = np.stack([1.0 / own for own in pair_cutoffs(model)], axis=-1).ravel()
    train = layout_training.TrainingHead(
        even=even, odd=odd, odd_tangents=less, sums=int(offsets[-1]), rows=0,
        limits=0, offsets=len(limits) + 4,
        cutoffs=0, radial=int(places[1]), angular=int(places[2]),
        blocks=0, **_accumulators(model, head),
    )  # fmt: skip
    return train, np.concatenate(ints).astype(np.int32), floats


def _accumulators(model: NepModel, head: layout.Head) -> dict[str, Any]:
    """Places of the sums of one central type, and of the parts of the gradient."""
    inner, fours = head.hidden * head.descriptors, [-(-k // 4) * 4 for k in (head.k_radial, head.k_angular)]
    sizes = [
        inner,
        head.hidden,
        head.hidden,
        1,
        head.types * head.radial * fours[0],
        head.types * head.angular * fours[1],
    ]
    at = np.concatenate([[0], np.cumsum(sizes)]).tolist()
    parts = [head.nets * head.neurons * (head.descriptors + 2), head.types, model.radial.size, model.angular.size]
    begin = np.concatenate([[0], np.cumsum(parts)]).tolist()
    return {
        "sum": layout_training.Accumulators(*at[:-1]),
        "accumulated": at[-1],
        "gradient": layout_training.Gradient(*begin),
    }


def _training_areas(
    head: layout.Head, train: layout_training.TrainingHead, slots: int
) -> tuple[tuple[layout.Areas, layout_training.TrainingAreas], int]:
    """Where the areas of the gradient's kernel begin, those that it shares with `kernels` first, and the doubles."""
    moments, descriptors = head.angular * head.moments, padded(head.descriptors)
    shared = {
        "slots": 4 * slots + 4 * (slots + W),
        "moments": moments,
        "descriptors": descriptors,
        "inputs": descriptors,
    }
    own = layout_training.TrainingAreas(
        terms=4 * layout_training.TERMS_WORDS,
        directions=4 * layout_training.DIRECTION_WORDS,
        variables=8,
        channels=4 * (layout_training.CHANNELS * head.k_angular + 4),
        sums=head.types * (train.sums + 4),
        radial=head.types * 2 * (head.k_radial + 4),
        mixed=head.sums,
        mixed_tangents=head.sums,
        moment_tangents=moments,
        moments_adjoint=moments,
        moment_tangents_adjoint=moments,
        descriptor_tangents=descriptors,
        input_tangents=descriptors,
        adjoint=descriptors,
        tangents_adjoint=descriptors,
        hidden=head.hidden,
        hidden_tangents=head.hidden,
        strain=layout_training.FRAME_WORDS + layout_training.MOVE_WORDS,
        tile=W,
        present=-(-head.types // W),
        accumulators=train.accumulated,
    )
    begin = W * np.concatenate([[0], np.cumsum([*shared.values(), *own])])
    places = dict(zip((*shared, *own._fields), begin.tolist(), strict=False))
    zero = named(layout.Areas, iter(lambda: 0, None))
    near = zero.near._replace(slots=places["slots"])
    areas = zero._replace(near=near, **{name: places[name] for name in ("moments", "descriptors", "inputs")})
    return (areas, layout_training.TrainingAreas(*(places[name] for name in own._fields))), int(begin[-1])

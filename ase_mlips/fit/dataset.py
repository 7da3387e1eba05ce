"""Labelled configurations: reading them whatever their labels are called, and splitting them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
from ase import Atoms

from ..arrays import FloatArray, Int64Array, IntArray
from .labels import Labels, chosen_keys, structures

QUANTITIES = ("energy", "force", "stress")
_LABELS = ("energy", "forces", "stress", "dipole", "polarizability")
_GROUP_KEYS = ("config_type", "group")


@dataclass(frozen=True, eq=False, repr=False)
class LabelledFrame:
    """One labelled configuration; it may have some of the labels only.

    Attributes
    ----------
    atoms : ase.Atoms
        The structure alone, without a calculator.
    energy : float or None
        Total energy in eV; None where the frame has no such label.
    forces : (N, 3) array or None
        eV/A.
    stress : (3, 3) array or None
        eV/A^3 in ASE's sign (tension is positive); None also where the frame is not periodic.
    group : str
        Frames of one group share their weights, and errors are reported for each group.
    source : str
        Where the frame comes from, for messages.
    weight : float
        Multiplies the weights of all residuals of the frame, so that its part of the loss grows with the square.
    energy_weight : float
        Multiplies the square of the residual of the energy, as in GPUMD.
    dipole : (3,) array or None
        Of the whole frame, in any unit.
    polarizability : (3, 3) array or None
        Of the whole frame, in any unit.
    """

    atoms: Atoms
    energy: float | None
    forces: FloatArray | None
    stress: FloatArray | None
    group: str
    source: str
    weight: float = 1.0
    energy_weight: float = 1.0
    dipole: FloatArray | None = None
    polarizability: FloatArray | None = None

    def __repr__(self) -> str:
        labels = [name for name in _LABELS if getattr(self, name) is not None]
        said = ", ".join([self.atoms.get_chemical_formula(), *(labels or ["no labels"])])
        weights = {name: getattr(self, name) for name in ("weight", "energy_weight")}
        others = "".join(f"; {name} {value:g}" for name, value in weights.items() if value != 1.0)
        return f"LabelledFrame({said}; group {self.group!r}{others}; {self.source})"

    def relative_weight(self, quantity: str) -> float:
        """Factor of the residuals of "energy", "force" or "stress" beside the weights of a loss."""
        return self.weight * math.sqrt(self.energy_weight) if quantity == "energy" else self.weight


def read_frames(
    source: str | Path | Iterable[Atoms],
    *,
    keys: Mapping[str, str] | None = None,
    group_key: str | None = None,
    index: str = ":",
    species: Sequence[str] | None = None,
) -> list[LabelledFrame]:
    """Read labelled frames; each must have an energy, forces, a stress or a virial, and counts with what it has.

    A dipole (``dipole=``) or a polarizability (``pol=``) of the whole frame will do, too.

    ``weight=`` and ``energy_weight=`` of a frame are read, too (see `LabelledFrame`); with 0 its labels, or its energy,
    are not used: they are None.  A file that is larger than the memory is for `FrameFile`.

    Parameters
    ----------
    source : path or iterable of ase.Atoms
        Extended xyz or any other file that ASE reads.
    keys : mapping, optional
        The names in the file of "energy", "forces", "stress" (eV/A^3, tension positive), "virial" (eV,
        ``-volume * stress``), "dipole" and "polarizability".  Without it the usual names are recognised in upper and
        lower case, alone or with ``REF_`` or ``DFT_`` before or ``_ref`` or ``_dft`` after them.  Six numbers of a
        stress are in ASE's order, xx yy zz yz xz xy, and those of a virial or a polarizability in GPUMD's, xx yy zz xy
        yz zx.
    group_key : str, optional
        Name of the entry of ``atoms.info`` that holds the group; otherwise ``config_type`` or ``group``, in any
        case.  A frame without it belongs to the group "all".
    index : str
        Selects frames of a file as in `ase.io.read`.
    species : sequence of str, optional
        Elements of the types 0, 1, ... in an MLIP file (``.cfg``); without it they are atomic numbers.

    Raises
    ------
    ValueError
        ASE cannot read the file, or a frame has no atoms, no label, two different values for one label, a stress and a
        virial that contradict each other, a wrong shape, a value that is not finite or a weight below 0; the message
        names the file and the frame, counted from 0 among those selected.
    OSError
        The file cannot be opened.
    """
    if isinstance(source, (str, Path)):
        images: Iterable[Atoms] = structures(source, index, species=species)
        name = str(source) if index == ":" else f"{source}@{index}"
    else:
        images, name = source, "input"
    frames = [labelled_frame(atoms, f"{name}, frame {n}", keys, group_key) for n, atoms in enumerate(images)]
    if not frames:
        raise ValueError(f"{name}: no frames")
    return frames


class LazyFrames(Sequence[LabelledFrame], ABC):
    """Frames that are made when they are asked for, so that not all of them need to be in memory."""

    @abstractmethod
    def frame(self, number: int) -> LabelledFrame:
        """The frame of this number, counted from 0."""

    @overload
    def __getitem__(self, index: int) -> LabelledFrame: ...

    @overload
    def __getitem__(self, index: slice) -> LazyFrames: ...

    def __getitem__(self, index: int | slice) -> LabelledFrame | LazyFrames:
        if isinstance(index, slice):
            return _Chosen(self, range(len(self))[index])
        return self.frame(range(len(self))[index])

    def __repr__(self) -> str:
        return f"{type(self).__name__.lstrip('_')}({len(self)} frames)"


class _Chosen(LazyFrames):
    """Some of the frames of a sequence."""

    def __init__(self, frames: Sequence[LabelledFrame], numbers: Sequence[int]) -> None:
        self._frames, self._numbers = frames, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def frame(self, number: int) -> LabelledFrame:
        return self._frames[int(self._numbers[number])]


class _Joined(LazyFrames):
    """The frames of two sequences, one after the other."""

    def __init__(self, first: Sequence[LabelledFrame], second: Sequence[LabelledFrame]) -> None:
        self._first, self._second = first, second

    def __len__(self) -> int:
        return len(self._first) + len(self._second)

    def frame(self, number: int) -> LabelledFrame:
        count = len(self._first)
        return self._first[number] if number < count else self._second[number - count]


def chosen(frames: Sequence[LabelledFrame], numbers: Iterable[int]) -> Sequence[LabelledFrame]:
    """The frames of these numbers: a list, or lazy where `frames` are."""
    kept = [int(number) for number in numbers]
    return _Chosen(frames, kept) if isinstance(frames, LazyFrames) else [frames[number] for number in kept]


def joined(first: Sequence[LabelledFrame], second: Sequence[LabelledFrame]) -> Sequence[LabelledFrame]:
    """Both, one after the other: a list, or lazy where one of them is."""
    if isinstance(first, LazyFrames) or isinstance(second, LazyFrames):
        return _Joined(first, second)
    return [*first, *second]


def require_frames(name: str, frames: object) -> None:
    """Raise ValueError unless this is a sequence of `LabelledFrame`."""
    if isinstance(frames, LazyFrames):
        return
    if not isinstance(frames, Sequence):
        raise ValueError(f"{name}: expected a list of frames from read_frames, got {type(frames).__name__}")
    other = next((frame for frame in frames if not isinstance(frame, LabelledFrame)), None)
    if other is not None:
        raise ValueError(f"{name}: expected frames from read_frames, got {type(other).__name__}")


def split_frames(
    frames: Sequence[LabelledFrame], fraction: float = 0.1, *, seed: int = 0
) -> tuple[Sequence[LabelledFrame], Sequence[LabelledFrame]]:
    """Split at random into (training, test) frames, in each group the same fraction; lists, or lazy as `frames` are.

    Parameters
    ----------
    frames : sequence of LabelledFrame
    fraction : float
        Share of test frames, above 0 and below 1.
    seed : int
        The same seed gives the same split.
    """
    if not 0.0 < fraction < 1.0:
        raise ValueError(f"fraction: expected above 0 and below 1, got {fraction}")
    if len(frames) < 2:
        raise ValueError(f"frames: expected at least two to split into training and test, got {len(frames)}")
    parts = random_parts(frames, fraction, 1, seed)
    return chosen(frames, np.flatnonzero(parts < 0)), chosen(frames, np.flatnonzero(parts == 0))


def random_parts(frames: Sequence[LabelledFrame], fraction: float, count: int, seed: int) -> Int64Array:
    """Deal frames at random into `count` disjoint parts, each with `fraction` of every group; -1 is the rest."""
    groups = [frame.group for frame in frames]
    shuffled = np.random.default_rng(seed).permutation(len(frames))
    dealt = np.array(sorted(shuffled, key=lambda n: groups[n]), dtype=int)  # stable: random within a group
    turn = np.floor(np.mod(np.arange(len(frames)) + 0.5, 1.0 / fraction))
    parts = np.empty(len(frames), dtype=np.int64)
    parts[dealt] = np.where(turn < count, turn, -1)
    return parts


def frame_of(
    atoms: Atoms, source: str, keys: Mapping[str, str] | None = None, group_key: str | None = None
) -> LabelledFrame:
    """One structure with the labels that it has, if any; see `read_frames`."""
    if len(atoms) == 0:
        raise ValueError(f"{source}: no atoms")
    names, labels = chosen_keys(keys), Labels(atoms, source)
    energy, forces = labels.energy(names["energy"]), labels.forces(names["forces"])
    if forces is None and energy is not None and len(atoms) == 1:
        forces = np.zeros((1, 3))  # a single atom feels no force, and files of isolated atoms omit it
    stress = labels.stress(names["stress"], names["virial"])
    dipole, polarizability = labels.dipole(names["dipole"]), labels.polarizability(names["polarizability"])
    weight, energy_weight = labels.weight("weight"), labels.weight("energy_weight")
    if weight == 0.0:
        energy = forces = stress = dipole = polarizability = None
    if energy_weight == 0.0:
        energy = None
    bare = Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    group = labels.group((group_key.lower(),) if group_key else _GROUP_KEYS)
    return LabelledFrame(
        bare, energy, forces, stress, group, source, weight, energy_weight, dipole, polarizability
    )  # fmt: skip


def labelled_frame(
    atoms: Atoms, source: str, keys: Mapping[str, str] | None = None, group_key: str | None = None
) -> LabelledFrame:
    """The same, but ValueError where there is no label and no weight of 0 that would say why."""
    frame = frame_of(atoms, source, keys, group_key)
    unused = 0.0 in (frame.weight, frame.energy_weight)
    if all(getattr(frame, name) is None for name in _LABELS) and not unused:
        there = Labels(atoms, source).shown()
        raise ValueError(f"{source}: no energy, forces or stress among {there}; name them with keys={{'energy': ...}}")
    return frame


def species_of(frame: LabelledFrame, elements: Sequence[str]) -> IntArray:
    """Indices (N,) of the frame's atoms in `elements`; ValueError names an element that is not there."""
    index = {symbol: n for n, symbol in enumerate(elements)}
    symbols = frame.atoms.get_chemical_symbols()
    missing = sorted(set(symbols) - index.keys())
    if missing:
        raise ValueError(f"{frame.source}: {', '.join(missing)} not among the model's elements {', '.join(elements)}")
    return np.array([index[symbol] for symbol in symbols], dtype=np.int32)

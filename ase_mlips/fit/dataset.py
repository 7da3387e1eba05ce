"""Labelled configurations: reading them whatever their labels are called, and splitting them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from .labels import Labels, chosen_keys, structures

FloatArray = NDArray[np.float64]

QUANTITIES = ("energy", "force", "stress")
_GROUP_KEYS = ("config_type", "group")


@dataclass(frozen=True, eq=False, repr=False)
class Frame:
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
    """

    atoms: Atoms
    energy: float | None
    forces: FloatArray | None
    stress: FloatArray | None
    group: str
    source: str

    def __repr__(self) -> str:
        labels = [name for name in ("energy", "forces", "stress") if getattr(self, name) is not None]
        said = ", ".join([self.atoms.get_chemical_formula(), *(labels or ["no labels"])])
        return f"Frame({said}; group {self.group!r}; {self.source})"


def read_frames(
    source: str | Path | Iterable[Atoms],
    *,
    keys: Mapping[str, str] | None = None,
    group_key: str | None = None,
    index: str = ":",
    species: Sequence[str] | None = None,
) -> list[Frame]:
    """Read labelled frames; each must have an energy, forces, a stress or a virial, and counts with what it has.

    Parameters
    ----------
    source : path or iterable of ase.Atoms
        Extended xyz or any other file that ASE reads.
    keys : mapping, optional
        The names in the file of "energy", "forces", "stress" (eV/A^3, tension positive) and "virial" (eV,
        ``-volume * stress``).  Without it the usual names are recognised in upper and lower case, alone or with
        ``REF_`` or ``DFT_`` before or ``_ref`` or ``_dft`` after them.  Six numbers of a stress are in ASE's order,
        xx yy zz yz xz xy, and those of a virial in GPUMD's, xx yy zz xy yz zx.
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
        virial that contradict each other, a wrong shape or a value that is not finite; the message names the file and
        the frame, counted from 0 among those selected.
    OSError
        The file cannot be opened.
    """
    if isinstance(source, (str, Path)):
        images: Iterable[Atoms] = structures(source, index, species=species)
        name = str(source) if index == ":" else f"{source}@{index}"
    else:
        images, name = source, "input"
    frames = [_labelled_frame(atoms, f"{name}, frame {n}", keys, group_key) for n, atoms in enumerate(images)]
    if not frames:
        raise ValueError(f"{name}: no frames")
    return frames


def require_frames(name: str, frames: object) -> None:
    """Raise ValueError unless this is a sequence of `Frame`."""
    if not isinstance(frames, Sequence):
        raise ValueError(f"{name}: expected a list of frames from read_frames, got {type(frames).__name__}")
    other = next((frame for frame in frames if not isinstance(frame, Frame)), None)
    if other is not None:
        raise ValueError(f"{name}: expected frames from read_frames, got {type(other).__name__}")


def split_frames(frames: Sequence[Frame], fraction: float = 0.1, *, seed: int = 0) -> tuple[list[Frame], list[Frame]]:
    """Split at random into (training, test) frames, in each group the same fraction.

    Parameters
    ----------
    frames : sequence of Frame
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
    train = [frame for frame, part in zip(frames, parts, strict=True) if part < 0]
    return train, [frame for frame, part in zip(frames, parts, strict=True) if part == 0]


def random_parts(frames: Sequence[Frame], fraction: float, count: int, seed: int) -> NDArray[np.int64]:
    """Deal frames at random into `count` disjoint parts, each with `fraction` of every group; -1 is the rest."""
    groups = [frame.group for frame in frames]
    shuffled = np.random.default_rng(seed).permutation(len(frames))
    dealt = np.array(sorted(shuffled, key=lambda n: groups[n]), dtype=int)  # stable: random within a group
    turn = np.floor(np.mod(np.arange(len(frames)) + 0.5, 1.0 / fraction))
    parts = np.empty(len(frames), dtype=np.int64)
    parts[dealt] = np.where(turn < count, turn, -1)
    return parts


def frame_of(atoms: Atoms, source: str, keys: Mapping[str, str] | None = None, group_key: str | None = None) -> Frame:
    """One structure with the labels that it has, if any; see `read_frames`."""
    if len(atoms) == 0:
        raise ValueError(f"{source}: no atoms")
    names, labels = chosen_keys(keys), Labels(atoms, source)
    energy, forces = labels.energy(names["energy"]), labels.forces(names["forces"])
    if forces is None and energy is not None and len(atoms) == 1:
        forces = np.zeros((1, 3))  # a single atom feels no force, and files of isolated atoms omit it
    stress = labels.stress(names["stress"], names["virial"])
    bare = Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    group = labels.group((group_key.lower(),) if group_key else _GROUP_KEYS)
    return Frame(bare, energy, forces, stress, group, source)


def _labelled_frame(atoms: Atoms, source: str, keys: Mapping[str, str] | None, group_key: str | None) -> Frame:
    frame = frame_of(atoms, source, keys, group_key)
    if frame.energy is None and frame.forces is None and frame.stress is None:
        there = Labels(atoms, source).shown()
        raise ValueError(f"{source}: no energy, forces or stress among {there}; name them with keys={{'energy': ...}}")
    return frame


def species_of(frame: Frame, elements: Sequence[str]) -> NDArray[np.int32]:
    """Indices (N,) of the frame's atoms in `elements`; ValueError names an element that is not there."""
    index = {symbol: n for n, symbol in enumerate(elements)}
    symbols = frame.atoms.get_chemical_symbols()
    missing = sorted(set(symbols) - index.keys())
    if missing:
        raise ValueError(f"{frame.source}: {', '.join(missing)} not among the model's elements {', '.join(elements)}")
    return np.array([index[symbol] for symbol in symbols], dtype=np.int32)

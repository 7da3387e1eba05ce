"""Labelled configurations: reading them whatever their labels are called, and splitting them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from ase.stress import voigt_6_to_full_3x3_stress
from numpy.typing import NDArray

from ..reading import readable

FloatArray = NDArray[np.float64]

QUANTITIES = ("energy", "force", "stress")
_BASES = {"energy": ("energy",), "forces": ("forces", "force"), "stress": ("stress",), "virial": ("virial", "virials")}
_KEYS = {
    label: {p + base for p, base in product(("", "ref_", "dft_"), bases)}
    | {base + s for base, s in product(bases, ("_ref", "_dft"))}
    for label, bases in _BASES.items()
}
_GROUP_KEYS = ("config_type", "group")


@dataclass(frozen=True, eq=False)
class Frame:
    """One labelled configuration.

    Attributes
    ----------
    atoms : ase.Atoms
        The structure alone, without a calculator.
    energy : float
        Total energy in eV.
    forces : (N, 3) array
        eV/A.
    stress : (3, 3) array or None
        eV/A^3 in ASE's sign (tension is positive); None where the frame has no such label or is not periodic.
    group : str
        Frames of one group share their weights, and errors are reported for each group.
    source : str
        Where the frame comes from, for messages.
    """

    atoms: Atoms
    energy: float
    forces: FloatArray
    stress: FloatArray | None
    group: str
    source: str


def read_frames(
    source: str | Path | Iterable[Atoms],
    *,
    keys: Mapping[str, str] | None = None,
    group_key: str | None = None,
    index: str = ":",
) -> list[Frame]:
    """Read labelled frames; every one must have an energy and forces, a stress or virial is optional.

    Parameters
    ----------
    source : path or iterable of ase.Atoms
        Extended xyz or any other file that ASE reads.
    keys : mapping, optional
        The names in the file of "energy", "forces", "stress" (eV/A^3, tension positive) and "virial" (eV,
        ``-volume * stress``).  Without it the usual names are recognised in upper and lower case, alone or with
        ``REF_`` or ``DFT_`` before or ``_ref`` or ``_dft`` after them.
    group_key : str, optional
        Name of the entry of ``atoms.info`` that holds the group; otherwise ``config_type`` or ``group``, in any
        case.  A frame without it belongs to the group "all".
    index : str
        Selects frames of a file as in `ase.io.read`.

    Raises
    ------
    ValueError
        ASE cannot read the file, or a frame has no atoms, no energy or no forces, two different values for one label, a
        wrong shape or a value that is not finite; the message names the file and the frame, counted from 0.
    OSError
        The file cannot be opened.
    """
    if isinstance(source, (str, Path)):
        images, name = _read(source, index), str(source)
    else:
        images, name = list(source), "input"
    chosen = {label: {name.lower()} for label, name in (keys or {}).items()}
    unknown = set(chosen) - set(_KEYS)
    if unknown:
        raise ValueError(f"keys: expected some of {', '.join(_KEYS)}, got {', '.join(sorted(unknown))}")
    groups = (group_key.lower(),) if group_key else _GROUP_KEYS
    frames = [_frame(atoms, _KEYS | chosen, groups, f"{name}, frame {n}") for n, atoms in enumerate(images)]
    if not frames:
        raise ValueError(f"{name}: no frames")
    return frames


def _read(source: str | Path, index: str) -> list[Atoms]:
    with readable(source, "structures"):
        images = ase.io.read(source, index)
    return [images] if isinstance(images, Atoms) else list(images)


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


def _frame(atoms: Atoms, keys: Mapping[str, set[str]], groups: Sequence[str], source: str) -> Frame:
    if len(atoms) == 0:
        raise ValueError(f"{source}: no atoms")
    labels = _all_labels(atoms)
    found = {label: _label(labels, names, label, source) for label, names in keys.items()}
    energy = found["energy"]
    if energy is None:
        raise ValueError(f"{source}: no energy among {_shown(labels)}; name it with keys={{'energy': ...}}")
    forces = found["forces"]
    if forces is None and len(atoms) == 1:
        forces = np.zeros((1, 3))  # a single atom feels no force, and files of isolated atoms omit it
    if forces is None:
        raise ValueError(f"{source}: no forces among {_shown(labels)}; name them with keys={{'forces': ...}}")
    if forces.shape != (len(atoms), 3):
        raise ValueError(f"{source}: forces: expected shape ({len(atoms)}, 3), got {forces.shape}")
    if energy.size != 1:
        raise ValueError(f"{source}: energy: expected one number, got {energy.size}")
    by_name = {key.lower(): value for key, value in atoms.info.items()}
    group = next((str(by_name[key]) for key in groups if key in by_name), "all")
    bare = Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    return Frame(bare, float(energy.ravel()[0]), forces, _stress(found, bare, source), group, source)


def _all_labels(atoms: Atoms) -> dict[str, list[Any]]:
    """What may be a label, by lower-case name: ASE moves known names to a calculator and leaves the others."""
    labels: dict[str, list[Any]] = {}
    for place in (atoms.calc.results if atoms.calc else {}, atoms.info, atoms.arrays):
        for key, value in place.items():
            labels.setdefault(key.lower(), []).append(value)
    return labels


def _label(labels: Mapping[str, list[Any]], names: set[str], label: str, source: str) -> FloatArray | None:
    values = [(name, value) for name in sorted(names & labels.keys()) for value in labels[name]]
    if not values:
        return None
    try:
        arrays = [np.array(value, dtype=np.float64) for _, value in values]
    except ValueError as error:
        raise ValueError(f"{source}: {label}: expected numbers, got {values[0][1]!r}") from error
    if any(not np.array_equal(arrays[0], other) for other in arrays[1:]):
        spelled = ", ".join(name for name, _ in values)
        raise ValueError(f"{source}: {spelled} differ; choose one with keys={{'{label}': ...}}")
    if not np.all(np.isfinite(arrays[0])):
        raise ValueError(f"{source}: {label} is not finite")
    return arrays[0]


def _stress(found: Mapping[str, FloatArray | None], atoms: Atoms, source: str) -> FloatArray | None:
    if atoms.cell.rank < 3 or not atoms.pbc.any():
        return None
    stress, virial = found["stress"], found["virial"]
    if stress is not None:
        if stress.size not in (6, 9):
            raise ValueError(f"{source}: stress: expected 6 or 9 numbers, got {stress.size}")
        full = voigt_6_to_full_3x3_stress(stress.ravel()) if stress.size == 6 else stress.reshape(3, 3)
    elif virial is not None:
        if virial.size != 9:
            # codes disagree on the order of six
            raise ValueError(f"{source}: virial: expected 9 numbers, got {virial.size}")
        full = -virial.reshape(3, 3) / atoms.get_volume()
    else:
        return None
    return np.asarray(0.5 * (full + full.T), dtype=np.float64)


def _shown(labels: Iterable[str]) -> str:
    names = sorted(set(labels) - {"numbers", "positions"})
    return ", ".join(names) if names else "no labels at all"


def species_of(frame: Frame, elements: Sequence[str]) -> NDArray[np.int32]:
    """Indices (N,) of the frame's atoms in `elements`; ValueError names an element that is not there."""
    index = {symbol: n for n, symbol in enumerate(elements)}
    symbols = frame.atoms.get_chemical_symbols()
    missing = sorted(set(symbols) - index.keys())
    if missing:
        raise ValueError(f"{frame.source}: {', '.join(missing)} not among the model's elements {', '.join(elements)}")
    return np.array([index[symbol] for symbol in symbols], dtype=np.int32)

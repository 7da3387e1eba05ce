"""Structures and what their files say of their energies, forces and stresses, whatever that is called there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms, units
from ase.io.extxyz import key_val_str_to_dict
from ase.io.formats import filetype
from ase.stress import full_3x3_to_voigt_6_stress, voigt_6_to_full_3x3_stress

from ..arrays import FloatArray
from ..files.reading import readable, unpacked

_BASES = {
    "energy": ("energy",), "forces": ("forces", "force"), "stress": ("stress",), "virial": ("virial", "virials"),
    "dipole": ("dipole",), "polarizability": ("pol", "polarizability"),
}  # fmt: skip
KEYS = {
    label: {p + base for p, base in product(("", "ref_", "dft_"), bases)}
    | {base + s for base, s in product(bases, ("_ref", "_dft"))}
    for label, bases in _BASES.items()
}
_VIRIAL = np.array([[0, 3, 5], [3, 1, 4], [5, 4, 2]])  # of GPUMD: xx yy zz xy yz zx
_COMPONENTS = ("xx", "yy", "zz", "yz", "xz", "xy")
_STRUCTURE_KEYS = ("Lattice", "Properties", "pbc")
# a stress and a virial of one calculation differ by as much as their files round them
_RELATIVE, _ABSOLUTE = 0.01, 0.02 * units.GPa


def structures(
    source: str | Path, index: str = ":", *, species: Sequence[str] | None = None, kind: str = "structures"
) -> Iterator[Atoms]:
    """The frames of a file, one at a time; ``lattice=`` and ``properties=`` of extended xyz in any case.

    Parameters
    ----------
    source : path
        Any file that ASE reads.
    index : str
        As in `ase.io.read`.
    species : sequence of str, optional
        Elements of the types of an MLIP file (``.cfg``), which is read as if they were atomic numbers otherwise.
    kind : str
        What was expected, for the message.

    Raises
    ------
    ValueError
        ASE cannot read the file.
    OSError
        It cannot be opened.
    """
    name = str(source) if index == ":" else f"{source}@{index}"
    with readable(name, kind):
        form = filetype(str(source))
        opened = unpacked(str(source), form)
        options: dict[str, Any] = {}
        if form == "extxyz":
            options["properties_parser"] = parsed_comment
        elif form == "mlip-cfg" and species is not None:
            options["species"] = species
    with opened as place:
        with readable(name, kind):
            frames = iter(ase.io.iread(place, index, format=form, do_not_split_by_at_sign=True, **options))
        while True:
            with readable(name, kind):
                atoms = next(frames, None)
            if atoms is None:
                return
            yield atoms


def parsed_comment(line: str) -> dict[str, Any]:
    """Entries of a comment line; ASE knows those that make the structure in one spelling only."""
    found: dict[str, Any] = key_val_str_to_dict(line)
    for name in _STRUCTURE_KEYS:
        others = [key for key in found if key.lower() == name.lower()]
        if len(others) > 1:
            raise ValueError(f"{' and '.join(others)} in one frame")
        if others and others[0] != name:
            value = found.pop(others[0])
            found[name] = np.reshape(value, (3, 3), order="F") if name == "Lattice" else value
    return found


class Labels:
    """The entries of one frame, found in any case of letters.

    Parameters
    ----------
    atoms : ase.Atoms
    source : str
        Where it comes from, for messages.
    """

    def __init__(self, atoms: Atoms, source: str) -> None:
        self._atoms = atoms
        self._source = source
        self._values: dict[str, list[Any]] = {}  # ASE moves known names to a calculator and leaves the others
        for place in (atoms.calc.results if atoms.calc else {}, atoms.info, atoms.arrays):
            for key, value in place.items():
                self._values.setdefault(key.lower(), []).append(value)

    def energy(self, names: Iterable[str]) -> float | None:
        """Total energy in eV, or None."""
        energy = self._label(names, "energy")
        if energy is not None and energy.size != 1:
            raise ValueError(f"{self._source}: energy: expected one number, got {energy.size}")
        return None if energy is None else float(energy.ravel()[0])

    def forces(self, names: Iterable[str]) -> FloatArray | None:
        """(N, 3) in eV/A, or None."""
        forces = self._label(names, "forces")
        if forces is not None and forces.shape != (len(self._atoms), 3):
            raise ValueError(f"{self._source}: forces: expected shape ({len(self._atoms)}, 3), got {forces.shape}")
        return forces

    def stress(self, names: Iterable[str], virial_names: Iterable[str]) -> FloatArray | None:
        """(3, 3) in eV/A^3, tension positive, from a stress or a virial; None without either or without a volume.

        Raises
        ------
        ValueError
            Both are there and contradict each other.
        """
        if self._atoms.cell.rank < 3 or not self._atoms.pbc.any():
            return None
        stress, virial = self._label(names, "stress"), self._label(virial_names, "virial")
        found = [] if stress is None else [self._tensor(stress, "stress")]
        if virial is not None:
            found.append(-self._tensor(virial, "virial") / self._atoms.get_volume())
        if len(found) == 2:
            self._require_agreement(*found)
        return found[0] if found else None

    def dipole(self, names: Iterable[str]) -> FloatArray | None:
        """(3,) of the whole frame, or None."""
        dipole = self._label(names, "dipole")
        return dipole.ravel() if dipole is not None and dipole.size == 3 else None

    def polarizability(self, names: Iterable[str]) -> FloatArray | None:
        """(3, 3) of the whole frame, or None."""
        values = self._label(names, "polarizability")
        return self._tensor(values, "polarizability") if values is not None and values.size in (6, 9) else None

    def weight(self, name: str) -> float:
        """A factor of the frame in the loss, at least 0; 1 where there is none.

        Raises
        ------
        ValueError
            It is no number or below 0.
        """
        value = next((value for key, value in self._atoms.info.items() if key.lower() == name), 1.0)
        try:
            weight = float(value)
        except (TypeError, ValueError):
            weight = -1.0
        if not 0.0 <= weight < np.inf:
            raise ValueError(f"{self._source}: {name}: expected one number of at least 0, got {value}")
        return weight

    def group(self, keys: Iterable[str]) -> str:
        """The first of these entries that is there; otherwise "all"."""
        by_name = {key.lower(): value for key, value in self._atoms.info.items()}
        return next((str(by_name[key]) for key in keys if key in by_name), "all")

    def shown(self) -> str:
        """Names of all entries."""
        names = sorted(set(self._values) - {"numbers", "positions"})
        return ", ".join(names) if names else "no labels at all"

    def _label(self, names: Iterable[str], label: str) -> FloatArray | None:
        values = [(name, value) for name in sorted(names) for value in self._values.get(name, ())]
        if not values:
            return None
        try:
            arrays = [np.array(value, dtype=np.float64) for _, value in values]
        except (ValueError, TypeError) as error:
            raise ValueError(f"{self._source}: {label}: expected numbers, got {values[0][1]!r}") from error
        if any(not np.array_equal(arrays[0], other) for other in arrays[1:]):
            spelled = ", ".join(name for name, _ in values)
            raise ValueError(f"{self._source}: {spelled} differ; choose one with keys={{'{label}': ...}}")
        if not np.all(np.isfinite(arrays[0])):
            raise ValueError(f"{self._source}: {label} is not finite")
        return arrays[0]

    def _tensor(self, values: FloatArray, label: str) -> FloatArray:
        """Six or nine numbers as a symmetric tensor."""
        if values.size not in (6, 9):
            raise ValueError(f"{self._source}: {label}: expected 6 or 9 numbers, got {values.size}")
        if values.size == 9:
            full = values.reshape(3, 3)
        else:
            full = voigt_6_to_full_3x3_stress(values.ravel()) if label == "stress" else values.ravel()[_VIRIAL]
        return np.asarray(0.5 * (full + full.T), dtype=np.float64)

    def _require_agreement(self, stress: FloatArray, other: FloatArray) -> None:
        largest = max(np.abs(stress).max(), np.abs(other).max())
        apart = full_3x3_to_voigt_6_stress(np.abs(stress - other))
        if apart.max() <= _RELATIVE * largest + _ABSOLUTE:
            return
        worst = int(np.argmax(apart))
        one, two = (full_3x3_to_voigt_6_stress(tensor)[worst] / units.GPa for tensor in (stress, other))
        raise ValueError(
            f"{self._source}: stress and virial contradict each other, {_COMPONENTS[worst]} {one:.4g} GPa and"
            f" -virial / volume {two:.4g} GPa; choose one with keys={{'stress': ...}}"
        )


def chosen_keys(keys: Mapping[str, str] | None) -> dict[str, set[str]]:
    """Names of each label: the given ones, otherwise the usual ones; a chosen stress leaves out virials and vice versa.

    Raises
    ------
    ValueError
        A label is unknown.
    """
    chosen = {label: {name.lower()} for label, name in (keys or {}).items()}
    unknown = set(chosen) - set(KEYS)
    if unknown:
        raise ValueError(f"keys: expected some of {', '.join(KEYS)}, got {', '.join(sorted(unknown))}")
    for one, other in (("stress", "virial"), ("virial", "stress")):
        if one in chosen:
            chosen.setdefault(other, set())
    return KEYS | chosen

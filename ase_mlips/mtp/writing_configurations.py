"""Writing MLIP's ``.cfg`` files of configurations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

import numpy as np
from ase import Atoms

from ..files.elements import ELEMENTS
from .model import Species, ordered

_RESULTS = ("energy", "forces", "energies", "stress")
_ARRAYS = {
    "charge": ("charge",),
    "nbh_grades": ("nbh_grades",),
    "magmom": ("magmom_x", "magmom_y", "magmom_z"),
    "en_der_m": ("en_der_mx", "en_der_my", "en_der_mz"),
}
_ESCAPES = {" ": "\\_", "\t": "\\t", "\n": "\\n", "\r": "\\r"}


def write_mlip_cfg(fd: IO[str], images: Atoms | Iterable[Atoms], *, species: Species | None = None) -> None:
    """Write configurations; called by ``ase.io.write(..., format="mlip-cfg", species=...)``.

    Numbers keep all their digits.  Written are the results that the calculators hold for the atoms as they are,
    without calculating anything; arrays and entries of ``info`` that `read_mlip_cfg` makes; and other entries of
    ``info`` that are strings or numbers, as features.  The format has no cell vectors of directions that are not
    periodic.

    Parameters
    ----------
    fd : text file
    images : Atoms or sequence of Atoms
    species : sequence of str, optional
        Chemical symbols of the types 0, 1, ... of the potential.  By default types are atomic numbers, which MLIP-3
        accepts and MLIP-2 does not.

    Raises
    ------
    ValueError
        If an element is not one of `species`, or a number is not finite; nothing is then written.
    """
    species = checked_species(species)
    symbols = ELEMENTS if species is None else tuple(species)
    types = {symbol: n for n, symbol in enumerate(symbols, 1 if species is None else 0)}
    frames = [images] if isinstance(images, Atoms) else images
    fd.write("".join(_Frame(n, atoms, types).text() for n, atoms in enumerate(frames)))


def checked_species(species: Species | None) -> tuple[str, ...] | None:
    """The species in the order of their types, or None; ValueError unless they are chemical symbols."""
    if species is None:
        return None
    symbols = () if isinstance(species, str) else ordered(species)
    wrong = [species] if isinstance(species, str) else [symbol for symbol in symbols if symbol not in ELEMENTS]
    if wrong:
        raise ValueError(f"expected species as a sequence of chemical symbols, got {wrong[0]!r}")
    return symbols


class _Frame:
    """One image on its way into a file."""

    def __init__(self, number: int, atoms: Atoms, types: Mapping[str, int]) -> None:
        self._number, self._atoms, self._types = number, atoms, types
        self._results = {name: self._result(name) for name in _RESULTS}
        periodic = atoms.pbc & np.any(atoms.cell.array != 0.0, axis=1)
        self._cell = np.where(periodic[:, None], atoms.cell.array, 0.0)
        self._rows = int(np.max(np.flatnonzero(periodic), initial=-1)) + 1

    def text(self) -> str:
        return "\n".join(["BEGIN_CFG", *self._fields(), "END_CFG", "", ""])

    def _fields(self) -> Iterator[str]:
        yield " Size"
        yield f"    {len(self._atoms)}"
        if self._rows:
            yield " Supercell"
            yield from (f"    {' '.join(self._numbers('Supercell', row))}" for row in self._cell[: self._rows])
        yield from self._atom_data()
        if (energy := self._results["energy"]) is not None:
            yield " Energy"
            yield f"    {' '.join(self._numbers('Energy', [energy]))}"
        if (virial := self._virial()) is not None:
            yield " PlusStress:  xx          yy          zz          yz          xz          xy"
            yield f"    {' '.join(self._numbers('PlusStress', virial))}"
        for key, value in self._atoms.info.items():
            if isinstance(key, str) and key and isinstance(value, str | int | float | np.number | np.bool_):
                yield from _feature(key, str(value))

    def _atom_data(self) -> Iterator[str]:
        count = len(self._atoms)
        columns = {"id": [str(n + 1) for n in range(count)], "type": self._type_numbers()}
        columns |= self._vectors(("cartes_x", "cartes_y", "cartes_z"), self._atoms.positions)
        columns |= self._vectors(("site_en",), self._results["energies"])
        columns |= self._vectors(("fx", "fy", "fz"), self._results["forces"])
        for name, names in _ARRAYS.items():
            columns |= self._vectors(names, self._atoms.arrays.get(name))
        if "ghost" in self._atoms.arrays:
            columns["ghost"] = [str(bool(flag)).lower() for flag in self._atoms.arrays["ghost"]]
        yield f" AtomData:  {' '.join(columns)}"
        yield from (f"    {' '.join(words)}" for words in zip(*columns.values(), strict=True))

    def _type_numbers(self) -> list[str]:
        symbols = self._atoms.get_chemical_symbols()
        if missing := [symbol for symbol in symbols if symbol not in self._types]:
            raise self._error(f"only the species {' '.join(self._types)}", missing[0])
        return [str(self._types[symbol]) for symbol in symbols]

    def _vectors(self, names: tuple[str, ...], values: Any) -> dict[str, list[str]]:
        """The columns of an array by name; none if there is no such array."""
        if values is None:
            return {}
        shape = (len(self._atoms), len(names))
        try:
            table = np.asarray(values, dtype=np.float64).reshape(shape)
        except (TypeError, ValueError):
            raise self._error(f"{names[0]} of shape {shape}", f"{np.shape(values)}") from None
        return {name: self._numbers(name, column) for name, column in zip(names, table.T, strict=True)}

    def _virial(self) -> Any:
        """The six numbers of PlusStress in eV, None where they are not known."""
        if self._results["stress"] is not None and np.linalg.matrix_rank(self._cell) == 3:
            return -np.asarray(self._results["stress"]) * self._atoms.get_volume()
        virial = self._atoms.info.get("PlusStress")
        return virial if isinstance(virial, np.ndarray) and virial.shape == (6,) else None

    def _result(self, name: str) -> Any:
        """What the calculator has for the atoms as they are."""
        calculator = self._atoms.calc
        return None if calculator is None else calculator.get_property(name, self._atoms, allow_calculation=False)

    def _numbers(self, name: str, values: Iterable[float]) -> list[str]:
        numbers = [float(value) for value in values]
        if wrong := [value for value in numbers if not math.isfinite(value)]:
            raise self._error(f"finite numbers for {name}", str(wrong[0]))
        return [repr(value) for value in numbers]

    def _error(self, expected: str, got: str) -> ValueError:
        return ValueError(f"image {self._number}: expected {expected}, got {got}")


def _feature(key: str, value: str) -> Iterator[str]:
    """The lines of an entry of ``info``, one for each line of its value."""
    escaped = "".join(_ESCAPES.get(c, r"\_" if c.isspace() else c) for c in key)
    for line in value.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        yield f" Feature   {escaped}\t{line}"

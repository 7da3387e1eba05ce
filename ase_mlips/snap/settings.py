"""The keywords of ``.snapparam`` and ``.mliap.descriptor`` files, and the model that is made with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..files.lammps_text import Rows
from ..files.text import FilePath, Row, complaint, quoted
from .model import MAX_TWOJMAX, SnapModel, bispectrum_labels

_FLOATS = ("rcutfac", "rfac0", "rmin0")
_FLAGS = ("switchflag", "bzeroflag", "chemflag", "bnormflag", "wselfallflag", "switchinnerflag")
_COMMON = (*_FLOATS, "twojmax", *_FLAGS)
_IGNORED = ("chunksize", "parallelthresh")  # sizes of LAMMPS's GPU batches
_SNAP_KEYS = (*_COMMON, "quadraticflag", "sinner", "dinner", *_IGNORED, "diagonalstyle")
_FIELDS = {
    "elems": "elements",
    "radelems": "radii",
    "welems": "weights",
    "sinnerelems": "sinner",
    "dinnerelems": "dinner",
}
_MLIAP_KEYS = (*_COMMON, "nelems", *_FIELDS)
_SO3_KEYS = ("nmax", "lmax", "alpha")


@dataclass(frozen=True)
class Settings:
    """What a parameter file says.

    Attributes
    ----------
    path : path
    fields : dict
        Values of those fields of SnapModel that the file gives.
    rows : dict
        The line of every field and of every other keyword.
    """

    path: FilePath
    fields: dict[str, Any]
    rows: dict[str, Row]

    def counts(self, elements: int) -> tuple[int, int]:
        """How many coefficients a linear and a quadratic model have for each element, constant included."""
        K = len(bispectrum_labels(self.fields["twojmax"]))
        if self.fields.get("chemflag"):
            K *= elements**3
        return 1 + K, 1 + K + K * (K + 1) // 2

    def build(self, origins: dict[str, Row], **values: Any) -> SnapModel:
        """Make the model of `fields` and `values`.

        Raises
        ------
        ValueError
            What the model refuses, after the path and the line that the field comes from, taken from `origins` for
            `values`.
        """
        try:
            return SnapModel(**self.fields, **values)
        except ValueError as error:
            field = str(error).split()[1]
            fallback = self.rows.get("switchinnerflag", self.rows["rcutfac"])
            row = {**self.rows, **origins}.get(field, fallback)
            raise ValueError(f"{row.path}:{row.line}: {error}") from None


def read_snapparam(path: FilePath) -> Settings:
    """Read a ``.snapparam`` file.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        ``path:line: expected ..., got ...`` if it is malformed.
    """
    return _read(path, _SNAP_KEYS, ("rcutfac", "twojmax"))


def read_descriptor(path: FilePath) -> Settings:
    """Read a ``.mliap.descriptor`` file of the style ``sna``; raises as `read_snapparam` does."""
    settings = _read(path, _MLIAP_KEYS, ("rcutfac", "twojmax", "nelems", "elems", "radelems", "welems"))
    count = settings.rows["nelems"].words[1]
    for key, field in _FIELDS.items():
        if field in settings.fields and len(settings.fields[field]) != int(count):
            raise settings.rows[field].error(f"{count} values of {key} as nelems says")
    return settings


def _read(path: FilePath, keys: tuple[str, ...], required: tuple[str, ...]) -> Settings:
    fields: dict[str, Any] = {}
    found: dict[str, Row] = {}
    rows = Rows(path)
    for row in rows:
        key = row.words[0]
        if keys is _MLIAP_KEYS and key in _SO3_KEYS:
            raise row.error("a keyword of the descriptor sna", f"{quoted(key)} of so3, which is not supported")
        if key not in keys:
            raise row.error("a known keyword", quoted(key))
        field = _FIELDS.get(key, key) if keys is _MLIAP_KEYS else key
        if field in found:
            raise row.error(f"{key} once", f"it again after line {found[field].line}")
        found[field] = row
        value = _value(row, key)
        if key not in (*_IGNORED, "diagonalstyle", "nelems"):
            fields[field] = value
    for key in required:
        if _FIELDS.get(key, key) not in found:
            raise complaint(path, rows.last_line, f"the keyword {key}", "the end of the file")
    return Settings(path, fields, found)


def _value(row: Row, key: str) -> Any:
    words = row.words[1:]
    if key in ("sinner", "dinner", *_FIELDS):
        if not words:
            raise row.error(f"a value of {key} for each element")
        return words if key == "elems" else [row.number(w, key) for w in words]
    if len(words) != 1:
        raise row.error(f"one value of {key}")
    if key in _FLOATS:
        return row.number(words[0], key)
    if key.endswith("flag"):
        if words[0] not in ("0", "1"):
            raise row.error(f"{key} to be 0 or 1", quoted(words[0]))
        return words[0] == "1"
    number = row.integer(words[0], key)
    if key == "diagonalstyle" and number != 3:
        raise row.error("diagonalstyle 3, the only one that LAMMPS kept", words[0])
    if key == "twojmax" and not 0 <= number <= MAX_TWOJMAX:
        raise row.error(f"twojmax between 0 and {MAX_TWOJMAX}", words[0])
    return number

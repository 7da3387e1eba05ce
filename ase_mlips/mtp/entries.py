"""The text part of an MLIP potential as named values, each with its line."""

from __future__ import annotations

import re

import numpy as np

from ..arrays import FloatArray, Int64Array
from ..files.records import integer
from ..files.text import FilePath, Row, complaint, quoted

MAGIC = "MTP"
_KEYS = (
    "version",
    "potential_name",
    "scaling",
    "species_count",
    "potential_tag",
    "radial_basis_type",
    "min_dist",
    "max_dist",
    "radial_basis_size",
    "radial_funcs_count",
    "alpha_moments_count",
    "alpha_index_basic_count",
    "alpha_index_basic",
    "alpha_index_times_count",
    "alpha_index_times",
    "alpha_scalar_moments",
    "alpha_moment_mapping",
    "species_coeffs",
    "moment_coeffs",
)
_SPELLINGS = {
    "min_val": "min_dist",
    "min": "min_dist",
    "max_val": "max_dist",
    "max": "max_dist",
    "basis_size": "radial_basis_size",
    "size": "radial_basis_size",
}
_REFUSED = {
    **dict.fromkeys(("magnetic_basis_type", "min_mag", "max_mag", "mag_basis_size"), "magnetic moments"),
    "radial_envelope": "an envelope of the radial functions",
}
_SCALINGS = 2  # of the potential and of the radial basis
_RADIAL = "radial_coeffs"
_LABEL = re.compile(r"(\d{1,9})\s*-\s*(\d{1,9})", re.ASCII)
_LIST = re.compile(r"\{([^{}]*)\}")
_INTEGER = r"\s*[+-]?\d{1,9}\s*"
_QUADRUPLE = rf"\s*\{{{_INTEGER}(?:,{_INTEGER}){{3}}\}}\s*"
_QUADRUPLES = re.compile(rf"\{{\s*(?:{_QUADRUPLE}(?:,{_QUADRUPLE})*+)?\}}", re.ASCII)
_RIGHT_QUADRUPLES = re.compile(rf"\{{(?:{_QUADRUPLE},)*+", re.ASCII)
_BRACES_AND_COMMAS = str.maketrans("{},", "   ")


class Block:
    """The radial coefficients of one pair of types."""

    def __init__(self, line: int, labels: tuple[int, int]) -> None:
        self.line, self.labels = line, labels
        self.rows: list[tuple[int, list[float]]] = []


class Entries:
    """What stands behind the keys of a file, whatever their order and spelling.

    Attributes
    ----------
    path : path
    last_line : int
    blocks : list of Block
        The radial coefficients; empty if there are none.

    Raises
    ------
    ValueError
        ``path:line: expected ..., got ...`` if a line is none of a potential, or a key occurs twice.
    """

    def __init__(self, path: FilePath, text: str) -> None:
        lines = text.split("\n")
        self.path = path
        self.last_line = max(1, len(lines) - (lines[-1] == ""))
        self.blocks: list[Block] = []
        self._values: dict[str, list[tuple[int, str]]] = {}
        if lines[0].rstrip() != MAGIC:
            raise complaint(path, 1, MAGIC, quoted(lines[0].strip()) if text else "an empty file")
        inside = False
        for n, line in enumerate(lines[1:], 2):
            stripped = line.strip()
            if "=" in line:
                inside = False
                self._add(n, *(part.strip() for part in line.split("=", 1)))
            elif inside and stripped:
                self._add_radial(n, stripped)
            elif stripped == _RADIAL and _RADIAL not in self._values:
                inside = True
                self._values[_RADIAL] = [(n, "")]
            elif stripped:
                raise complaint(path, n, "<key> = <value>", quoted(stripped))
        if self.text("version") != "1.1.0":
            raise self.row("version").error("version = 1.1.0", quoted(self.text("version")))

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def row(self, key: str) -> Row:
        """The line of `key`, for complaints."""
        return Row(self.path, self._find(key)[0], ())

    def text(self, key: str) -> str:
        """The value of `key`; ValueError if it is missing."""
        return self._find(key)[1]

    def number(self, key: str) -> float:
        """The value of `key` as a finite number."""
        return self.row(key).number(self.text(key), key)

    def scaling(self) -> float:
        """The product of all scalings, 1 if there is none."""
        result = 1.0
        for line, value in self._values.get("scaling", []):
            result *= Row(self.path, line, ()).number(value, "scaling")
        return result

    def count(self, key: str, highest: int, lowest: int = 1) -> int:
        """The value of `key` as an integer between limits."""
        row = self.row(key)
        value = row.integer(self.text(key), key)
        with row.blamed():
            return integer(key, value, lowest, highest)

    def numbers(self, key: str) -> list[float]:
        """The value of `key` as a list ``{x, y, ...}``, which may be empty; no list if the key is missing."""
        return self._list(self.row(key), self.text(key), key) if key in self else []

    def integers(self, key: str) -> list[int]:
        """The value of `key` as a list of integers."""
        row, match = self.row(key), _LIST.fullmatch(self.text(key))
        if not match:
            raise row.error(f"{key} = {{<integer>, ...}}", quoted(self.text(key)))
        return [row.integer(word.strip(), key) for word in match[1].split(",")] if match[1].strip() else []

    def quadruples(self, key: str) -> Int64Array:
        """The value of `key` as a list ``{{a, b, c, d}, ...}``; shape (rows, 4)."""
        value = self.text(key)
        if not _QUADRUPLES.fullmatch(value):
            right = _RIGHT_QUADRUPLES.match(value)
            place = value[right.end() :].strip() if right else value
            raise self.row(key).error("{{<four integers>}, ...} for " + key, quoted(place) if place else "its end")
        numbers = list(map(int, value.translate(_BRACES_AND_COMMAS).split()))
        return np.array(numbers, dtype=np.int64).reshape(-1, 4)

    def _find(self, key: str) -> tuple[int, str]:
        if key not in self._values:
            raise complaint(self.path, self.last_line, f"{key} = <value>", "the end of the file without it")
        return self._values[key][0]

    def _add(self, line: int, key: str, value: str) -> None:
        if key in _REFUSED:
            raise complaint(self.path, line, "a potential without " + _REFUSED[key], quoted(key))
        key = _SPELLINGS.get(key, key)
        if key not in _KEYS:
            raise complaint(self.path, line, "a key of an MLIP potential", quoted(key))
        values = self._values.setdefault(key, [])
        if len(values) == (_SCALINGS if key == "scaling" else 1):
            raise complaint(self.path, line, f"{key} once", f"it again after line {values[-1][0]}")
        values.append((line, value))

    def _add_radial(self, line: int, text: str) -> None:
        if match := _LABEL.fullmatch(text):
            self.blocks.append(Block(line, (int(match[1]), int(match[2]))))
            return
        row = Row(self.path, line, ())
        if not self.blocks:
            raise row.error("<type>-<type>, {<number>, ...} or <key> = <value>", quoted(text))
        self.blocks[-1].rows.append((line, self._list(row, text, _RADIAL)))

    def _list(self, row: Row, text: str, what: str) -> list[float]:
        if not (match := _LIST.fullmatch(text)):
            raise row.error(f"{{<number>, ...}} for {what}", quoted(text) if text else "nothing")
        return [row.number(word.strip(), what) for word in match[1].split(",")] if match[1].strip() else []


def radial_array(entries: Entries, count: int, functions: int, size: int) -> tuple[FloatArray, tuple[int, ...]]:
    """The radial coefficients (S, S, K, R) and the labels of the types.

    Raises
    ------
    ValueError
        If a pair is missing or out of place, or the number of functions or coefficients is not the given one.
    """
    blocks = entries.blocks
    labels = tuple(block.labels[1] for block in blocks[:count])
    for n, block in enumerate(blocks):
        centre, neighbour = divmod(n, count)
        row = Row(entries.path, block.line, ())
        if len(set(labels[: n + 1])) < min(n + 1, len(labels)):
            raise row.error("a pair with another type", quoted("{}-{}".format(*block.labels)))
        if centre >= count or block.labels != (labels[centre], labels[neighbour]):
            pair = "no more pairs" if centre >= count else f"{labels[centre]}-{labels[neighbour]}"
            raise row.error(f"{pair} in radial_coeffs of {count} types", quoted("{}-{}".format(*block.labels)))
        if len(block.rows) != functions:
            raise row.error(f"{functions} rows as radial_funcs_count says", str(len(block.rows)))
        for line, values in block.rows:
            if len(values) != size:
                raise complaint(entries.path, line, f"{size} numbers in a row of radial_coeffs", str(len(values)))
    if len(blocks) < count * count:
        place = blocks[-1].line if blocks else entries.last_line
        raise complaint(entries.path, place, f"{count * count} pairs in radial_coeffs", str(len(blocks)))
    coefficients = [numbers for block in blocks for _, numbers in block.rows]
    return np.array(coefficients, dtype=np.float64).reshape(count, count, functions, size), labels

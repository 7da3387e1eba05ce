"""The header of a nep.txt file: what the model is and how many numbers follow."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ..files.records import integer
from ..files.text import FilePath, Row, complaint, quoted
from .model import INVARIANTS, MAX_FUNCTIONS, MAX_L, MAX_NEIGHBORS, MAX_NEURONS, ZBL_PAIR, NepZbl, count_descriptors

_TOKEN = re.compile(r"nep([345]?)(_zbl)?(?:_(dipole|polarizability|temperature)|_charge([123]))?")
_TOKENS = (
    "nep, nep3, nep4 or nep5, maybe with _zbl, _dipole, _polarizability, _temperature, _charge1, _charge2 or _charge3"
)
_DISPERSION = "a model with learned dispersion, which is not supported"
_OLD = 2  # the version that calls itself nep
_HISTORICAL = 8  # words of a cutoff line with typewise factors


class Header:
    """The lines before the numbers, read and checked one by one.

    NEP2 has no expansion of its radial functions: it is NEP3 with one function each, whose coefficient all pairs of
    types but the only one have.

    Attributes
    ----------
    rows : dict
        The lines by their first word, that of the first line being "nep".
    fields : dict
        Those of `NepModel` that the header says.
    repulsion : bool
        Whether the token has _zbl.
    zbl : NepZbl or None
        None where there is no repulsion or the numbers define it (flexible).
    neurons : int
    old : bool
        Whether it is NEP2.
    temperature : bool
        Whether the last descriptor is a temperature.

    Raises
    ------
    ValueError
        ``path:line: expected ..., got ...``.
    """

    def __init__(self, path: FilePath, lines: list[str]) -> None:
        self._path, self._lines = path, lines
        self.rows: dict[str, Row] = {}
        self.fields: dict[str, Any] = {}
        self._read_token()
        zbl = self._read_zbl() if self.repulsion else None
        factor = self._read_cutoffs()
        self.zbl = None if zbl is None else self._finish_zbl(zbl, factor)
        for name in ("n_max",) if self.old else ("n_max", "basis_size"):
            row = self._next(name, f"{name} <radial> <angular>", 3)
            self.fields[name] = (_size(row, 1, name, MAX_FUNCTIONS), _size(row, 2, name, MAX_FUNCTIONS))
        self.fields.setdefault("basis_size", self.fields["n_max"])
        self._read_l_max()
        self.neurons = self._read_neurons()

    @property
    def descriptors(self) -> int:
        """D of the model, a temperature included."""
        fields = self.fields
        return count_descriptors(fields["n_max"], fields["l_max"], fields["invariants"]) + self.temperature

    @property
    def networks(self) -> int:
        """How many networks there are: one of each type, except in NEP3."""
        return 1 if self.fields["version"] == 3 else len(self.fields["elements"])

    @property
    def block(self) -> int:
        """How many numbers the network of a type has."""
        fields = self.fields
        charges = 1 if fields["charge_mode"] else 0
        return (self.descriptors + 2 + charges) * self.neurons + (1 if fields["version"] == 5 else 0)

    def count(self, *, types: int, kind: str = "") -> int:
        """How many numbers are to follow if each pair of functions has `types` coefficients of each type.

        `kind` is that of the header by default.
        """
        fields, count = self.fields, len(self.fields["elements"])
        outputs = 2 if (kind or fields["kind"]) == "polarizability" else 1
        total = outputs * (self.networks * self.block + 1) + (1 if fields["charge_mode"] else 0)
        for name in ("radial", "angular"):
            total += int(np.prod(self.shape(name))) * types // count
        pairs = count * (count + 1) // 2 if self.repulsion and self.zbl is None else 0
        return total + self.descriptors + pairs * ZBL_PAIR

    def shape(self, name: str) -> tuple[int, ...]:
        """Of the radial or angular coefficients in the file."""
        place, count = ("radial", "angular").index(name), len(self.fields["elements"])
        functions, basis = self.fields["n_max"][place] + 1, self.fields["basis_size"][place] + 1
        if self.old:
            return (functions, count, count) if count > 1 else (0, 1, 1)
        return functions, basis, count, count

    def _next(self, keyword: str, form: str, *lengths: int) -> Row:
        """The next line, which begins with `keyword` and has one of these numbers of words, if any are given."""
        line = len(self.rows)
        if line >= len(self._lines):
            raise complaint(self._path, max(1, line), form, "the end of the file")
        row = Row(self._path, line + 1, tuple(self._lines[line].split()))
        if row.words[:1] != (keyword,) or (lengths and len(row.words) not in lengths):
            raise row.error(form)
        self.rows[keyword] = row
        return row

    def _read_token(self) -> None:
        if not self._lines:
            raise complaint(self._path, 1, f"{_TOKENS} and the elements", "an empty file")
        row = Row(self._path, 1, tuple(self._lines[0].split()))
        token = row.words[0] if row.words else ""
        if not (match := _TOKEN.fullmatch(token)):
            dispersion = token.startswith("nep") and token.endswith("_vdw")
            raise row.error(_TOKENS, quoted(token) + (f" ({_DISPERSION})" if dispersion else ""))
        zbl, kind, charge = match.groups()[1:]
        version = int(match[1] or _OLD)
        self.old, self.temperature = version == _OLD, kind == "temperature"
        if self.old and zbl:
            raise row.error("nep3_zbl or later", "'nep_zbl', which versions of GPUMD evaluate in different ways")
        if (kind and (version == 5 or (zbl and not self.temperature))) or (charge and version != 4):
            raise row.error("_dipole and _polarizability behind nep3 or nep4, _charge behind nep4", quoted(token))
        if self.old and self.temperature:
            raise row.error("_temperature behind nep3 or nep4", quoted(token))
        count = row.integer(row.words[1], "the number of elements") if len(row.words) > 1 else 0
        if count < 1 or len(row.words) != 2 + count:
            raise row.error("<token> <number of elements> <as many elements>")
        self.rows["nep"] = row
        self.repulsion = bool(zbl)
        self.fields["version"], self.fields["charge_mode"] = max(version, 3), int(charge or 0)
        self.fields["kind"] = kind if kind and not self.temperature else "potential"
        self.fields["elements"] = row.words[2:]

    def _read_zbl(self) -> tuple[float, float, float | None]:
        row = self._next("zbl", "zbl <inner> <outer> [<factor>]", 3, 4)
        inner, outer, *rest = (row.number(word, "zbl") for word in row.words[1:])
        if rest and inner == outer == 0.0:
            raise row.error("zbl 0 0, which makes the repulsion flexible, without a factor")
        return inner, outer, rest[0] if rest else None

    def _read_cutoffs(self) -> float:
        """Fill in cutoffs and typewise factors; returns the factor of the repulsion, 0 if there is none."""
        count = len(self.fields["elements"])
        form = "cutoff <radial> <angular> [<number> <number>], or two cutoffs of each element and two numbers"
        row = self._next("cutoff", form, 3, 5, 2 * count + 3, _HISTORICAL)
        words, factors = row.words[1:], [0.0, 0.0, 0.0]
        if len(row.words) == _HISTORICAL:
            factors = [row.number(word, "a typewise factor") for word in words[4:]]
            words = words[:4]
        if len(words) > 2:
            places = (len(words) - 1, len(words))
            self.fields["max_neighbors"] = tuple(
                _size(row, n, "the number of neighbors", MAX_NEIGHBORS) for n in places
            )
            words = words[:-2]
        values = [row.number(word, "a cutoff") for word in words]
        each = count if len(values) == 2 else 1
        self.fields["radial_cutoffs"], self.fields["angular_cutoffs"] = values[::2] * each, values[1::2] * each
        self.fields["typewise_factors"] = tuple(factors[:2]) if max(factors[:2]) > 0.0 else None
        return factors[2]

    def _finish_zbl(self, zbl: tuple[float, float, float | None], factor: float) -> NepZbl | None:
        """The repulsion of the zbl line with the factor of an old cutoff line; None if it is flexible."""
        inner, outer, own = zbl
        flexible = inner == outer == 0.0
        if factor > 0.0 and (flexible or own is not None):
            raise self.rows["cutoff"].error("a typewise zbl factor only where the zbl line has cutoffs and no factor")
        if flexible:
            return None
        with self.rows["zbl"].blamed():
            return NepZbl(inner, outer, factor if factor > 0.0 else own, typewise_inner_half=factor > 0.0)

    def _read_l_max(self) -> None:
        row = self._next("l_max", f"l_max <l> [<flag>] up to {len(INVARIANTS)} times", *range(2, 3 + len(INVARIANTS)))
        self.fields["l_max"] = _size(row, 1, "l_max", MAX_L)
        flags = [row.integer(row.words[n], "a flag of l_max") for n in range(2, len(row.words))]
        self.fields["invariants"] = tuple(name for name, flag in zip(INVARIANTS, flags, strict=False) if flag)

    def _read_neurons(self) -> int:
        row = self._next("ANN", "ANN <neurons> 0", 3)
        if row.integer(row.words[2], "the neurons of a second hidden layer") != 0:
            raise row.error("ANN <neurons> 0 because a second hidden layer is not supported")
        return _size(row, 1, "the number of neurons", MAX_NEURONS, lowest=1)


def _size(row: Row, word: int, name: str, highest: int, lowest: int = 0) -> int:
    value = row.integer(row.words[word], name)
    with row.blamed():
        return integer(name, value, lowest, highest)

"""The active set behind an MLIP-3 potential: the rows that extrapolation grades refer to, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray, IntArray
from ..files.records import Record, finite, frozen_array, integer, require_shape
from ..files.text import FilePath, Row, complaint, quoted
from .model import frozen_integers

WEIGHTS = ("energy_weight", "force_weight", "stress_weight", "site_en_weight")
_TITLE = b"#MVS_v1.1"
_ENCODING = ("utf-8", "surrogateescape")  # configurations may carry remarks in any
_BEGIN, _END = b"BEGIN_CFG", b"END_CFG"
_SIZE = np.dtype("<f8").itemsize


@dataclass(frozen=True, eq=False, repr=False)
class ActiveSet(Record):
    """The rows of largest volume among the parameter gradients of a training set, as MLIP-3 stores them.

    With n parameters in the order of the file: radial, of species, of moments.

    Attributes
    ----------
    energy_weight, force_weight, stress_weight, site_en_weight : float
        What the candidates for rows were: one of configurations (energy 1, others 0) or one of atoms (site_en 1).
    weight_scaling : int
        Rows of configurations of N atoms are divided by ``N**(weight_scaling / 2)``.
    A : (n, n) array
        The rows.
    S : (n, n) array
        Transpose of the inverse of `A`.
    links : (n, 2) array
        Of each row the index of its configuration and its equation there: 0 the energy, ``1 + 3 i + a`` a force,
        ``1 + 3 N + 3 a + b`` a stress, ``1 + 3 N + 9 + i`` the energy of an atom.  -1, -1 where a row was never filled.
    configurations : tuple of str
        Text of each selected configuration in MLIP's ``.cfg`` format, from BEGIN_CFG to END_CFG.

    Raises
    ------
    ValueError
        Where shapes do not fit, a number is not finite or a link leads nowhere: ``expected <field> ..., got ...``.
    """

    energy_weight: float
    force_weight: float
    stress_weight: float
    site_en_weight: float
    weight_scaling: int
    A: FloatArray
    S: FloatArray
    links: IntArray
    configurations: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in WEIGHTS:
            object.__setattr__(self, name, finite(name, getattr(self, name)))
        object.__setattr__(self, "weight_scaling", integer("weight_scaling", self.weight_scaling, 0, 10))
        object.__setattr__(self, "configurations", tuple(self.configurations))
        for name in ("A", "S"):
            object.__setattr__(self, name, frozen_array(name, getattr(self, name)))
        object.__setattr__(self, "links", frozen_integers("links", self.links, 2))
        size, count = len(self.links), len(self.configurations)
        require_shape("A", self.A, (size, size))
        require_shape("S", self.S, (size, size))
        first, second = self.links.T
        right = ((first == -1) & (second == -1)) | ((first >= 0) & (first < count) & (second >= 0))
        if not right.all():
            n = int(np.argmin(right))
            raise ValueError(f"expected links to {count} configurations, or -1 -1, got {self.links[n].tolist()} at {n}")
        for text in self.configurations:
            words = [line.strip() for line in text.encode(*_ENCODING).split(b"\n")]
            if words[0] != _BEGIN or words[-1] != _END or words.count(_BEGIN) + words.count(_END) != 2:
                raise ValueError(f"expected configurations from BEGIN_CFG to END_CFG, got {quoted(text)}")

    def __repr__(self) -> str:
        empty = int(np.sum(self.links[:, 0] < 0))
        return f"ActiveSet({len(self.A)} rows, {empty} empty, {len(self.configurations)} configurations)"


def parse_active_set(path: FilePath, content: bytes, start: int, size: int) -> ActiveSet:
    """The active set of `size` rows that begins at byte `start` of a file.

    Raises
    ------
    ValueError
        ``path:line: expected ..., got ...`` if it is malformed.
    """
    reader = _Reader(path, content, start)
    if content[start : start + 1] == b"^":
        line = content.count(b"\n", 0, start) + 1
        raise complaint(path, line, f"the active set of MLIP-3 ({_TITLE.decode()})", "that of MLIP-2")
    reader.require(_TITLE + b"\n", _TITLE.decode())
    weights = [reader.setting(name) for name in (*WEIGHTS, "weight_scaling")]
    energy, force, stress, site = (row.number(row.words[1], row.words[0]) for row in weights[:-1])
    scaling = weights[-1].integer(weights[-1].words[1], "weight_scaling")
    A, S = reader.matrices(size)
    links, lines = [], []
    for _ in range(size):
        row = reader.row("<configuration> <equation>", 2)
        links.append([row.integer(word, "the link of a row") for word in row.words])
        lines.append(row)
    reader.require(b"#\n", "# behind the links")
    configurations = reader.configurations()
    for row, (number, equation) in zip(lines, links, strict=True):
        if (number, equation) != (-1, -1) and not (0 <= number < len(configurations) and equation >= 0):
            raise row.error(f"a link to one of {len(configurations)} configurations, or -1 -1")
    with weights[-1].blamed():
        return ActiveSet(energy, force, stress, site, scaling, A, S, np.array(links), configurations)


def format_active_set(active_set: ActiveSet) -> bytes:
    """The bytes that follow the text part of a potential."""
    title = [_TITLE.decode()]
    title += [f"{name} {getattr(active_set, name):.16e}" for name in WEIGHTS]
    title += [f"weight_scaling {active_set.weight_scaling}", "#"]
    numbers = b"".join(matrix.astype("<f8").tobytes() for matrix in (active_set.A, active_set.S))
    links = [f"{number} {equation}" for number, equation in active_set.links.tolist()]
    tail = "\n".join(["", "#", *links, "#", ""]) + "".join(f"{text}\n\n" for text in active_set.configurations)
    return "\n".join(title).encode() + numbers + tail.encode(*_ENCODING)


class _Reader:
    """Goes through the bytes of a file, which are text and binary in turn."""

    def __init__(self, path: FilePath, content: bytes, start: int) -> None:
        self._path, self._content, self._next = path, content, start
        self._line = content.count(b"\n", 0, start) + 1

    def line(self, expected: str) -> bytes:
        """The next line without its end."""
        end = self._content.find(b"\n", self._next)
        if end < 0:
            raise complaint(self._path, self._line, expected, "the end of the file")
        line = self._content[self._next : end]
        self._next, self._line = end + 1, self._line + 1
        return line

    def row(self, expected: str, length: int) -> Row:
        """The words of the next line, which must be that many."""
        number = self._line
        line = self.line(expected)
        row = Row(self._path, number, tuple(line.decode("utf-8", "backslashreplace").split()))
        if len(row.words) != length:
            raise row.error(expected, _shown(line))
        return row

    def setting(self, name: str) -> Row:
        """The next line, which must be `name` and a value."""
        row = self.row(f"{name} <number>", 2)
        if row.words[0] != name:
            raise row.error(f"{name} <number>")
        return row

    def require(self, what: bytes, expected: str) -> None:
        """Go past `what`."""
        found = self._content[self._next : self._next + len(what)]
        if found != what:
            raise complaint(self._path, self._line, expected, _shown(found) if found else "the end of the file")
        self._next += len(what)
        self._line += what.count(b"\n")

    def matrices(self, size: int) -> tuple[FloatArray, FloatArray]:
        """Both matrices with what stands around them."""
        self.require(b"#", "# before the matrices")
        length, line = size * size * _SIZE, self._line
        parts = []
        for _ in range(2):
            part = self._content[self._next : self._next + length]
            if len(part) < length:
                raise complaint(
                    self._path, line, f"two matrices of {size} x {size} numbers", "the end of the file within them"
                )
            self._next += length
            self._line += part.count(b"\n")
            parts.append(np.frombuffer(part, dtype="<f8").reshape(size, size))
        if not all(np.all(np.isfinite(part)) for part in parts):
            raise complaint(self._path, line, f"two matrices of {size} x {size} finite numbers", "others")
        self.require(b"\n#\n", f"# behind two matrices of {size} x {size} numbers")
        return parts[0], parts[1]

    def configurations(self) -> tuple[str, ...]:
        """Everything from here to the end of the file."""
        result: list[str] = []
        block: list[bytes] | None = None
        lines = self._content[self._next :].split(b"\n")
        for n, line in enumerate(lines, self._line):
            word = line.strip()
            if word == _BEGIN and block is None:
                block = []
            elif word == _BEGIN or (word and block is None):
                expected = "END_CFG" if block else "BEGIN_CFG"
                raise complaint(self._path, n, expected, _shown(line))
            if block is not None:
                block.append(line)
            if word == _END and block is not None:
                result.append(b"\n".join(block).strip().decode(*_ENCODING))
                block = None
        if block is not None:
            raise complaint(self._path, self._line + len(lines) - 1, _END.decode(), "the end of the file")
        return tuple(result)


def _shown(line: bytes) -> str:
    return quoted(line[:200].decode("utf-8", "backslashreplace").strip())

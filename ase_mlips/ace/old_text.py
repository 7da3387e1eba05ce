"""Reading the older text format ``.ace``, of one element."""

from __future__ import annotations

import re

import numpy as np

from ..files.text import FilePath, Row, complaint, read_text
from .flow_text import blamed
from .model import AceModel, Bond, Embedding, Function

_FIELD = re.compile(r"(?:(\d+) )?([A-Za-z][A-Za-z0-9_ -]*?)\s*[=:](.*)$")
_LIST = re.compile(r"(mu|n|l)=\(([^)]*)\)")
_HEADER = re.compile(r"ctilde_basis_func: rank=\s*(\d+)\s+ndens=\s*(\d+)\s+mu0=\s*(\d+)\s+mu=\(([^)]*)\)")
_ROW = re.compile(r"<([^>]*)>:(.*)$")


def read_old(path: FilePath) -> AceModel:
    """Read a ``.ace`` file; there, the core repulsion switches the energy of an atom off ("density").

    Raises
    ------
    OSError, ValueError
        As `read_ace`.
    """
    lines = [(number, text.strip()) for number, text in enumerate(read_text(path).split("\n"), 1)]
    first = next((k for k, (_, text) in enumerate(lines) if text.startswith("total_basis_size_rank1")), None)
    if first is None:
        raise complaint(path, len(lines), "total_basis_size_rank1", "the end of the file")
    fields = _Fields(path, lines[:first])
    elements = fields.words("elements")
    if len(elements) != 1:
        raise fields.rows["elements"].error("one element in this format; newer files end in .yace", str(len(elements)))
    embedding = _embedding(fields)
    functions = _functions(path, lines[first:], embedding.densities)
    with blamed(fields.rows["elements"]):
        bonds = ((_bond(fields),),)
        return AceModel(
            tuple(elements), np.array(fields.numbers("E0", 1)), bonds, (functions,), (embedding,),
            spline_bins=fields.numbers("deltaSplineBins", 1)[0],
        )  # fmt: skip


class _Fields:
    """The values above the functions, by their names; a value may go on on the next lines."""

    def __init__(self, path: FilePath, lines: list[tuple[int, str]]) -> None:
        self._path, self._last = path, lines[-1][0] if lines else 1
        self.rows: dict[str, Row] = {}
        name = None
        for number, text in lines:
            if text.startswith("#") or not text:
                continue
            match = _FIELD.match(text)
            if match:
                name = match[2]
                self.rows[name] = Row(path, number, tuple(match[3].split()))
            elif name is None:
                raise complaint(path, number, "'name: value' or 'name=value'", repr(text[:40]))
            else:
                self.rows[name] = Row(path, self.rows[name].line, (*self.rows[name].words, *text.split()))

    def words(self, name: str) -> tuple[str, ...]:
        """The words behind a name."""
        if name not in self.rows:
            raise complaint(self._path, self._last, name, "none")
        return self.rows[name].words

    def numbers(self, name: str, count: int | None = None) -> list[float]:
        """The numbers behind a name, so many if that is given."""
        words = self.words(name)
        if count is not None and len(words) != count:
            raise self.rows[name].error(f"{count} numbers of {name}", str(len(words)))
        return [self.rows[name].number(word, name) for word in words]

    def integer(self, name: str) -> int:
        """The integer behind a name."""
        words = self.words(name)
        return self.rows[name].integer(words[0] if words else "", name)


def _embedding(fields: _Fields) -> Embedding:
    core = fields.numbers("core energy-cutoff parameters", 2)
    name = " ".join(fields.words("embedding-function"))
    parameters = np.array(fields.numbers("FS parameters"))
    with blamed(fields.rows["embedding-function"]):
        return Embedding(name, parameters, *core)


def _bond(fields: _Fields) -> Bond:
    K, N, L = fields.integer("nradbase"), fields.integer("nradmax"), fields.integer("lmax") + 1
    values = np.array(fields.numbers("crad", K * N * L))
    return Bond(
        " ".join(fields.words("radbasename")),
        values.reshape(K, N, L).transpose(1, 2, 0),
        cutoff=fields.numbers("cutoff", 1)[0],
        scale=fields.numbers("radparameter", 1)[0],
        dcut=fields.numbers("dcut", 1)[0],
        core=np.array(fields.numbers("core repulsion parameters", 2)),
    )


def _functions(path: FilePath, lines: list[tuple[int, str]], densities: int) -> tuple[Function, ...]:
    found: list[Function] = []
    sizes: dict[str, int] = {}
    k = 0
    while k < len(lines):
        number, text = lines[k]
        if text.startswith("total_basis_size"):
            name, _, size = text.partition(":")
            sizes[name] = Row(path, number, ()).integer(size.strip(), name)
        elif text.startswith("ctilde_basis_func"):
            function, used = _function(path, lines[k:], densities)
            found.append(function)
            k += used - 1
        elif text and "=" not in text and not text.startswith("#"):
            raise complaint(path, number, "ctilde_basis_func", repr(text[:40]))
        k += 1
    if len(found) != sum(sizes.values()) or len(sizes) != 2:
        expected = f"{sum(sizes.values())} functions as total_basis_size_rank1 and total_basis_size say"
        raise complaint(path, lines[-1][0], expected, str(len(found)))
    return tuple(found)


def _function(path: FilePath, lines: list[tuple[int, str]], densities: int) -> tuple[Function, int]:
    """The function that begins here, and how many lines it takes."""
    row = Row(path, lines[0][0], ())
    head = _HEADER.match(lines[0][1])
    if head is None:
        raise row.error("ctilde_basis_func: rank= ndens= mu0= mu=( )", repr(lines[0][1][:60]))
    lists = {"mu": head[4]}
    count = None
    for _, text in lines[1:4]:
        lists |= {match[1]: match[2] for match in _LIST.finditer(text)}
        if text.startswith("num_ms="):
            count = row.integer(text[7:].strip(), "num_ms")
    if count is None or len(lists) != 3 or int(head[2]) != densities or len(lines) < 4 + count:
        raise row.error(f"n=( ), l=( ), num_ms= and so many rows, of {densities} densities", repr(lines[0][1][:60]))
    factors = {name: tuple(row.integer(word, name) for word in words.split()) for name, words in lists.items()}
    ms, weights = [], []
    for number, text in lines[4 : 4 + count]:
        own, match = Row(path, number, ()), _ROW.match(text)
        if match is None:
            raise own.error("'< m .. >: coefficients'", repr(text[:40]))
        ms.append([own.integer(word, "m") for word in match[1].split()])
        weights.append([own.number(word, "a coefficient") for word in match[2].split()])
        if len(ms[-1]) != int(head[1]) or len(weights[-1]) != densities:
            raise own.error(f"{head[1]} m and {densities} coefficients", repr(text[:40]))
    with blamed(row):
        return Function(factors["mu"], factors["n"], factors["l"], np.array(ms), np.array(weights)), 4 + count

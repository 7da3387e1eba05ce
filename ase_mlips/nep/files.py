"""Reading NEP potentials: the nep.txt files of GPUMD, NEP_CPU and calorine."""

from __future__ import annotations

import re
from dataclasses import replace
from os import PathLike
from typing import Any

import numpy as np

from ..arrays import FloatArray
from ..files.text import FilePath, Row, beginning, complaint, quoted, read_text, require_whole
from .header import Header
from .model import ZBL_PAIR, NepModel, NepNetwork, NepZbl
from .writing import write_nep

__all__ = ["looks_like_nep", "read_nep", "write_nep"]

_BEGINNING = re.compile(rb"[ \t]*nep[345]?(_[a-z0-9]+)*[ \t]+\d{1,9}[ \t]")
_EXAMINED = 200
_LINES_OF_FIELDS = {"elements": "nep", "radial_cutoffs": "cutoff", "angular_cutoffs": "cutoff", "l_max": "l_max"}


def read_nep(path: str | PathLike[str], *, temperature: float | None = None) -> NepModel:
    """Read a NEP potential.

    Understood are NEP3, NEP4 and NEP5 with every nuclear repulsion, models of dipoles and polarizabilities, charges
    (qNEP), and all forms of the cutoff and l_max lines that GPUMD has written.  NEP2 without repulsion becomes the
    NEP3 that is equal to it.

    Parameters
    ----------
    path : path
    temperature : float, optional
        In K, of a ``_temperature`` model and only there: the result is the plain model that it is at this temperature.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        ``path:line: expected ..., got ...`` if the file is malformed or needs a feature that is not supported: NEP2
        with repulsion, learned dispersion (_vdw), a second hidden layer; if `temperature` does not go with it; or if
        it seems to end within its last number, see `require_whole`.
    """
    lines = read_text(path).split("\n")
    complete = not lines[-1].strip() or lines[-1][-1].isspace()
    while lines and not lines[-1].strip():
        lines.pop()
    header = Header(path, lines)
    _require_temperature(header, temperature)
    numbers = _read_numbers(path, lines, header)
    if not complete:
        start = len(header.rows)
        require_whole(Row(path, len(lines), tuple(lines[-1].split())), map(str.strip, lines[start:-1]))
    fields = _fields(path, header, numbers)
    if temperature is not None:
        _fix_temperature(fields, temperature)
    try:
        return NepModel(**fields)
    except ValueError as error:  # "expected <field> ..., got ...", where only these fields are yet unchecked
        line = header.rows[_LINES_OF_FIELDS.get(str(error).split()[1], "nep")].line
        raise ValueError(f"{path}:{line}: {error}") from None


def looks_like_nep(path: str | PathLike[str]) -> bool:
    """Whether the file begins like a NEP potential, whatever its version; False if it cannot be read."""
    content = beginning(path, _EXAMINED)
    return b"\0" not in content and _BEGINNING.match(content) is not None


def first_word(path: str | PathLike[str]) -> str:
    """That of the file, in a NEP potential `NepModel.token`; empty if the file cannot be read."""
    return "".join(beginning(path, _EXAMINED).decode("latin-1").split(None, 1)[:1])


def _read_numbers(path: FilePath, lines: list[str], header: Header) -> FloatArray:
    """The numbers behind the header, after a check that there are as many as expected."""
    start, elements = len(header.rows), len(header.fields["elements"])
    count, found = header.count(types=elements), len(lines) - start
    if found < count:
        known = not header.old and found == header.count(types=1)
        note = ", as many as a GPUMD compiled with USE_CJ writes, which is not supported" if known else ""
        got = f"the end of the file after {found}{note}"
        raise complaint(path, len(lines), f"{count} numbers behind the header", got)
    if found > count:
        got = quoted(lines[start + count].strip())
        token = header.rows["nep"].words[0]
        if token in ("nep", "nep3", "nep4") and found == header.count(types=elements, kind="polarizability"):
            got += f", as many as a polarizability model has, whose first word is {token}_polarizability"
        raise complaint(path, start + count + 1, f"the end of the file after {count} numbers", got)
    return _convert(path, lines, start)


def _convert(path: FilePath, lines: list[str], start: int) -> FloatArray:
    """The numbers from line index `start` on, one in each line."""
    body = lines[start:]
    try:
        values = np.array(list(map(float, body)))
    except ValueError:
        values = np.full(1, np.nan)
    text = "".join(body)
    if np.all(np.isfinite(values)) and "_" not in text and text.isascii():
        return values
    for n, line in enumerate(body, start + 1):  # float() takes also nan, 1_0 and digits of other scripts
        row = Row(path, n, tuple(line.split()))
        if len(row.words) != 1:
            raise row.error("one number")
        row.number(row.words[0], "a parameter")
    return values


class _Numbers:
    """Hands out arrays in the order of the file."""

    def __init__(self, values: FloatArray) -> None:
        self._values, self._next = values, 0

    def take(self, *shape: int) -> FloatArray:
        size = int(np.prod(shape))
        self._next += size
        return self._values[self._next - size : self._next].reshape(shape)


def _fields(path: FilePath, header: Header, values: FloatArray) -> dict[str, Any]:
    """Fields of `NepModel`."""
    fields, numbers = dict(header.fields), _Numbers(values)
    charges = fields["charge_mode"] > 0
    count = len(fields["elements"])
    network = _take_blocks(numbers, header)
    if charges:
        fields["sqrt_epsilon"] = float(numbers.take(1)[0])
    fields["network"] = NepNetwork(bias=float(numbers.take(1)[0]), **network)
    if fields["kind"] == "polarizability":
        scalar = _take_blocks(numbers, header)
        fields["scalar_network"] = NepNetwork(bias=float(numbers.take(1)[0]), **scalar)
    for n, name in enumerate(("radial", "angular")):
        fields[name] = numbers.take(*header.shape(name))
        if header.old:
            each = fields[name] if fields[name].size else np.ones((fields["n_max"][n] + 1, 1, 1))
            fields[name] = np.eye(len(each))[:, :, None, None] * each[:, None]
    fields["scaler"] = numbers.take(header.descriptors)
    fields["zbl"] = header.zbl
    if header.repulsion and header.zbl is None:
        table = numbers.take(count * (count + 1) // 2, ZBL_PAIR)
        first = len(header.rows) + values.size - table.size + 1
        for n in range(len(table)):
            with Row(path, first + n * ZBL_PAIR, ()).blamed():
                NepZbl(0.0, 0.0, flexible=table[n : n + 1])
        fields["zbl"] = NepZbl(0.0, 0.0, flexible=table)
    return fields


def _require_temperature(header: Header, temperature: float | None) -> None:
    row = header.rows["nep"]
    if header.temperature and temperature is None:
        raise row.error("a model of one temperature, or NEP(..., temperature=<K>)", quoted(row.words[0]))
    if temperature is not None and not header.temperature:
        raise row.error("a _temperature model, since a temperature is given", quoted(row.words[0]))
    if temperature is not None and not 0.0 <= temperature < np.inf:
        raise ValueError(f"temperature: expected a number of K that is not negative, got {temperature!r}")


def _fix_temperature(fields: dict[str, Any], temperature: float) -> None:
    """The last descriptor is the temperature: what the network makes of it joins the biases, which are subtracted."""
    network, scaler = fields["network"], fields["scaler"]
    bias = network.b0 - network.w0[:, :, -1] * (temperature * scaler[-1])
    fields["network"] = replace(network, w0=network.w0[:, :, :-1], b0=bias)
    fields["scaler"] = scaler[:-1]


def _take_blocks(numbers: _Numbers, header: Header) -> dict[str, Any]:
    """Weights of each type in turn: w0, b0, w1, then those of the charge and the bias of the type, where there are."""
    types, neurons, length = header.networks, header.neurons, header.descriptors
    block = numbers.take(types, header.block)
    inner, rest = block[:, : neurons * length], block[:, neurons * length :]
    result = {
        "w0": inner.reshape(types, neurons, length),
        "b0": rest[:, :neurons],
        "w1": rest[:, neurons:][:, :neurons],
    }
    if header.fields["charge_mode"]:
        result["charge"] = rest[:, 2 * neurons : 3 * neurons]
    if header.fields["version"] == 5:
        result["type_bias"] = rest[:, -1]
    return result

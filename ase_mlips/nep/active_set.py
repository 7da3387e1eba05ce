"""GPUMD's files of active sets, ``.asi``: of each element the inverse of its active rows."""

from __future__ import annotations

import os
from os import PathLike

import numpy as np

from ..arrays import FloatArray
from ..files.text import Row, complaint, quoted, read_text, replace_files
from ..grades.active_rows import ActiveRows, SpeciesActiveSet
from .grade import row_length
from .model import NepModel


def read_asi(path: str | PathLike[str], model: NepModel) -> SpeciesActiveSet:
    """Read the active set of a model as GPUMD's ``compute_extrapolation asi_file`` takes it.

    For each element there is a line ``<number of the element> <rows> <columns>``, and then one number in each line, row
    by row.  Elements may be missing.  Which frames the rows belong to is not in the file.

    Raises
    ------
    OSError, ValueError
        The file cannot be read; ``path:line: expected ..., got ...`` if it is malformed or of another model.
    """
    lines = read_text(path).splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    length = row_length(model)
    found: dict[int, FloatArray] = {}
    place = 0
    while place < len(lines):
        kind, columns = _title(Row(path, place + 1, tuple(lines[place].split())), len(model.elements), length)
        if kind in found:
            raise complaint(path, place + 1, "each element once", f"{model.elements[kind]} again")
        first, place = place + 1, place + 1 + length * columns
        if place > len(lines):
            expected = f"{length * columns} numbers behind line {first}"
            raise complaint(path, len(lines), expected, f"the end of the file after {len(lines) - first}")
        matrix = _numbers(path, lines, first, place).reshape(length, columns)
        found[kind] = matrix[:, np.abs(matrix).max(axis=0) > 0.0]
    unknown = np.empty((0, 2), dtype=np.int64)
    empty = np.empty((length, 0))
    rows = (ActiveRows(found.get(kind, empty), unknown) for kind in range(len(model.elements)))
    return SpeciesActiveSet(model.elements, tuple(rows))


def write_asi(path: str | PathLike[str], active_set: SpeciesActiveSet) -> None:
    """Write an active set as `read_asi` reads it; grades stay the same bit by bit.

    Matrices are square in the file, as GPUMD expects them; columns of zeros fill up those of fewer rows.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    length = active_set.length
    text = []
    for kind, one in enumerate(active_set.rows):
        columns = one.inverse.shape[1]
        if columns == 0:
            continue
        matrix = np.zeros((length, max(length, columns)))
        matrix[:, :columns] = one.inverse
        text.append(f"{kind} {length} {matrix.shape[1]}")
        text += map(repr, matrix.ravel().tolist())
    replace_files({os.fspath(path): "\n".join(text) + "\n"})


def _title(row: Row, elements: int, length: int) -> tuple[int, int]:
    """Element and number of columns of the matrix that begins here."""
    expected = "<number of the element> <rows> <columns>"
    if len(row.words) != 3:
        raise row.error(expected)
    kind, rows, columns = (row.integer(word, f"one of {expected}") for word in row.words)
    if not 0 <= kind < elements:
        raise row.error(f"the number of one of {elements} elements, from 0 on", str(kind))
    if rows != length or columns < 1:
        raise row.error(f"a matrix of {length} rows, as this model's network has weights", f"{rows} x {columns}")
    return kind, columns


def _numbers(path: str | PathLike[str], lines: list[str], first: int, last: int) -> FloatArray:
    """The numbers of the lines of these places, one in each."""
    try:
        values = np.array(list(map(float, lines[first:last])))
        good = np.isfinite(values)
    except ValueError:
        good = np.zeros(last - first, dtype=np.bool_)
    if good.all():
        return values
    for place in range(first, last):
        row = Row(path, place + 1, tuple(lines[place].split()))
        if len(row.words) != 1:
            raise row.error("one number", quoted(lines[place]))
        row.number(row.words[0], "the inverse of the active rows")
    raise complaint(path, first + 1, "numbers", "others")

"""Energies, forces and stresses of many supercells that differ little, from any ASE calculator."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from typing import Any

import numpy as np
from ase.calculators.calculator import BaseCalculator, CalculationFailed
from tqdm import tqdm

from ..arrays import FloatArray
from ..calculator import PotentialCalculator
from ..runs.executors import parallel, with_calculator
from .cells import to_ase

_CHUNK = 8  # cells of a task on an executor
_TOO_FEW = 64  # atoms below which the threads of one force call have nothing to share, but cells may run side by side


def evaluate(
    cells: Sequence[Any], calc: BaseCalculator, properties: Sequence[str] = ("forces",)
) -> dict[str, FloatArray]:
    """Properties of cells that have the same atoms.

    The calculator sees one Atoms object whose positions change, so that it may keep its neighbour list.  Small cells
    are dealt to several copies of a calculator of this package, one for each of its threads; all other calculators,
    which may not allow to be copied, see one cell after the other.  Within `on_executor` chunks of cells are dealt to
    its executor instead.

    Parameters
    ----------
    cells : sequence of n PhonopyAtoms
    calc : ASE calculator
    properties : sequence of str
        Names as in ASE; the most expensive one first, for calculators that compute what they are asked for.

    Returns
    -------
    dict
        An array (n, ...) for each property.

    Raises
    ------
    CalculationFailed
        A result that is not finite.
    """
    if not cells:
        return {name: np.empty(0) for name in properties}
    if parallel():
        chunks = [(list(cells[k : k + _CHUNK]), properties) for k in range(0, len(cells), _CHUNK)]
        parts = with_calculator(_evaluate_chunk, calc, chunks, "forces")
        return _by_name([row for part in parts for row in part], properties)
    workers = [calc]
    if isinstance(calc, PotentialCalculator) and len(cells[0]) < _TOO_FEW:
        workers = [deepcopy(calc) for _ in range(min(calc._num_threads, len(cells)))]
        for worker in workers:
            worker.set(num_threads=1)
    edges = [len(cells) * k // len(workers) for k in range(len(workers) + 1)]
    with tqdm(total=len(cells), desc="forces", unit="cell", leave=False, disable=None) as bar:
        jobs = [(worker, cells[edges[k] : edges[k + 1]], properties, bar) for k, worker in enumerate(workers)]
        if len(jobs) == 1:
            rows = _evaluate(*jobs[0])
        else:
            with ThreadPoolExecutor(len(jobs)) as pool:
                rows = [row for part in pool.map(lambda job: _evaluate(*job), jobs) for row in part]
    return _by_name(rows, properties)


def _by_name(rows: list[list[Any]], properties: Sequence[str]) -> dict[str, FloatArray]:
    return {name: np.array([row[k] for row in rows]) for k, name in enumerate(properties)}


def _evaluate_chunk(calc: BaseCalculator, task: tuple[list[Any], Sequence[str]]) -> list[list[Any]]:
    with tqdm(disable=True) as bar:
        return _evaluate(calc, *task, bar)


def _evaluate(calc: BaseCalculator, cells: Iterable[Any], properties: Sequence[str], bar: tqdm) -> list[list[Any]]:
    atoms, rows = None, []
    for cell in cells:
        if atoms is None or not np.array_equal(cell.cell, atoms.cell.array):
            atoms = to_ase(cell)
        atoms.positions = cell.positions
        row = [calc.get_property(name, atoms) for name in properties]
        if not all(np.isfinite(value).all() for value in row):
            raise CalculationFailed(f"{calc!r} gave {' or '.join(properties)} that are not finite")
        rows.append(row)
        bar.update()
    return rows

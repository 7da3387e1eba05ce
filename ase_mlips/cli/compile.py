"""``ase-mlips compile``: fill the cache of compiled kernels."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from tqdm import tqdm

from ase_mlips.fit import snap_template
from ase_mlips.jit import cache_directory
from ase_mlips.snap import SNAP, SnapModel

from .common import print_table


def run(args: Namespace) -> int:
    """Evaluate tiny systems with every family, and say where the machine code is kept and how long it took."""
    rows = []
    start = time.perf_counter()
    for label, work in tqdm(_work().items(), unit="kernel", disable=None, leave=False):
        before = time.perf_counter()
        work()
        rows.append([label, f"{time.perf_counter() - before:.1f}"])
    print_table(["kernels", "seconds"], rows)
    print(f"ready after {time.perf_counter() - start:.1f} s")
    directory = cache_directory()
    if directory is None:
        print("no directory can be written: the kernels are lost with this process and every run will compile them")
        return 1
    print(f"kept in {directory}")
    return 0


def _work() -> dict[str, Callable[[], Any]]:
    mixed = _model("Cu", "Au")
    return {
        "SNAP linear": lambda: _evaluate(SNAP(_model("Cu"))),
        "SNAP quadratic": lambda: _evaluate(SNAP(_model("Cu", quadraticflag=True))),
        "SNAP two elements": lambda: _evaluate(SNAP(mixed)),
        "SNAP chem": lambda: _evaluate(SNAP(_model("Cu", "Au", chemflag=True))),
        "SNAP with ZBL": lambda: _evaluate(SNAP(_model("Cu", zbl=(1.0, 2.0)))),
        "SNAP descriptors": lambda: SNAP(mixed).get_descriptor_gradients(_crystal(mixed.elements, 2)),
    }


def _model(*elements: str, **flags: Any) -> SnapModel:
    """A model without coefficients: the machine code does not depend on them."""
    return snap_template(elements, radii=[0.5] * len(elements), twojmax=2, rcutfac=4.0, **flags)


def _evaluate(calculator: Calculator) -> None:
    """Few atoms and many: neighbour lists and kernels may take other ways for them."""
    for repeats in (1, 6):
        atoms = _crystal(calculator.potential.elements, repeats)
        atoms.calc = calculator
        atoms.get_forces()


def _crystal(elements: tuple[str, ...], repeats: int) -> Atoms:
    sites = 2.5 * np.array(list(product(range(repeats), repeat=3)))
    symbols = [elements[k % len(elements)] for k in range(len(sites))]
    return Atoms(symbols, positions=sites, cell=[2.5 * repeats] * 3, pbc=True)

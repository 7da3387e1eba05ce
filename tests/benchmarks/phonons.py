"""Phonons of Stillinger-Weber silicon against published numbers, and the time of each stage with the embedded model.

``python tests/benchmarks/phonons.py [--without-conductivity]`` needs the LAMMPS Python module (with MANYBODY) for
Stillinger-Weber, and phono3py for the conductivity; what is missing is left out.  The reference numbers belong to
a = 5.4309498 A.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atom, Atoms
from ase.build import bulk

from ase_mlips import SNAP
from ase_mlips.phonons import conduct, phonons, relax, third_order

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support.stillinger_weber import CAPACITY, CONDUCTIVITY, LATTICE, REFERENCE, stillinger_weber


def harmonic_errors(calc: Any) -> tuple[dict[str, float], float]:
    """Largest error in THz at each special point, and that of the heat capacity in J/(K mol)."""
    result = phonons(bulk("Si", a=LATTICE, cubic=True), calc, supercell=2)
    errors = {}
    for label, (q, expected) in REFERENCE.items():
        found = result.frequencies(q)[0]
        errors[label] = max(abs(float(found[branch]) - value) for branch, value in expected.items())
    return errors, float(result.thermal([300.0], mesh=(32, 32, 32)).heat_capacity[0]) - CAPACITY


def conductivity_errors(calc: Any) -> dict[float, float]:
    """Relative error at each temperature."""
    made = third_order(bulk("Si", a=LATTICE, cubic=True), calc, supercell=2)
    temperatures = np.array(list(CONDUCTIVITY))
    kappa = conduct(made, mesh=(19, 19, 19), temperatures=temperatures, method="rta").mean
    return {t: float(k) / CONDUCTIVITY[t] - 1.0 for t, k in zip(temperatures, kappa, strict=True)}


def low_symmetry(calc: Any) -> Atoms:
    """A relaxed cell of 100 atoms in space group P1: silicon with interstitials."""
    atoms = bulk("Si", a=5.46, cubic=True) * (2, 2, 3)
    for position in np.random.default_rng(0).uniform(0.0, 1.0, (4, 3)):
        atoms.append(Atom("Si", position @ atoms.cell.array))
    atoms.rattle(0.05, seed=1)
    return relax(atoms, calc, what="positions", fmax=1e-3, steps=2000).atoms


def stages(atoms: Atoms, calc: Any, **options: Any) -> dict[str, float]:
    """Seconds of each stage, with the usual questions at the end; imports are not counted."""
    result = phonons(atoms, calc, **options)
    seconds = dict(result.seconds)
    for name in ("bands", "dos", "thermal"):
        begin = time.perf_counter()
        getattr(result, name)()
        seconds[name] = time.perf_counter() - begin
    seconds["supercells"] = len(result.phonopy.displacements)
    return seconds


def print_stages(title: str, seconds: dict[str, float]) -> None:
    print(f"\n{title}: {seconds.pop('supercells')} displaced supercells")
    slowest = max(seconds, key=lambda stage: seconds[stage])
    for stage, value in seconds.items():
        print(f"  {stage:28} {value:9.3f} s{'   <- slowest' if stage == slowest else ''}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--without-conductivity", action="store_true", help="leave out what takes a minute")
    arguments = parser.parse_args()
    if importlib.util.find_spec("lammps"):
        with tempfile.TemporaryDirectory() as folder:
            calc = stillinger_weber(Path(folder))
            errors, capacity = harmonic_errors(calc)
            print("Stillinger-Weber silicon, errors: " + ", ".join(f"{k} {v:.1e} THz" for k, v in errors.items()))
            print(f"C_V at 300 K: {capacity:+.1e} J/(K mol)")
            if importlib.util.find_spec("phono3py") and not arguments.without_conductivity:
                begin = time.perf_counter()
                for temperature, error in conductivity_errors(calc).items():
                    print(f"conductivity at {temperature:g} K: {100.0 * error:+.2f} %")
                print(f"in {time.perf_counter() - begin:.1f} s")
    warnings.filterwarnings("ignore", message="the supercell is")
    model = SNAP.embedded("Si")
    phonons(relax(bulk("Si", a=LATTICE), model).atoms, model, supercell=2)  # compiles and imports
    print_stages(
        "silicon, 4x4x4 primitive cells, 128 atoms", stages(bulk("Si", a=LATTICE), model, supercell=4, relaxed="cell")
    )
    atoms = low_symmetry(model)
    print_stages(f"{len(atoms)} atoms in P1, 1x1x1", stages(atoms, model, supercell=1))


if __name__ == "__main__":
    main()

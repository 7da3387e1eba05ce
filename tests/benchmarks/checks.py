"""Checks of potentials that took long to be tests: published models, sizes that converge, bands beside ASE's.

``python tests/benchmarks/checks.py [--only PART ...]``, with PART of elastic, eos, triclinic, vacancy, surface, neb.
The published models of Zuo et al. are read from ../shared.  Every part prints a table; what is compared stands in it.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk, make_supercell
from ase.calculators.emt import EMT
from ase.mep import NEB
from ase.optimize import BFGS, FIRE

import ase_mlips
from ase_mlips.phonons import relax
from ase_mlips.runs import elastic_constants, equation_of_state, minimum_energy_path, surface_energy, vacancy

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support.by_hand import elastic_tensor, vacancy_hop

MODELS = Path(__file__).resolve().parents[3] / "shared" / "data" / "models" / "mvl"
CRYSTALS = {
    "Ni": ("fcc", 3.52),
    "Cu": ("fcc", 3.63),
    "Li": ("bcc", 3.44),
    "Mo": ("bcc", 3.17),
    "Si": ("diamond", 5.46),
    "Ge": ("diamond", 5.77),
}
DERIVATIVE = "B0'"


def published() -> Iterator[tuple[str, str, Any]]:
    """Element, kind of model, and calculator."""
    for element in CRYSTALS:
        yield element, "MTP", ase_mlips.load(MODELS / f"{element}_mtp.mtp", species=[element])
        for kind in ("snap", "qsnap"):
            path = MODELS / f"{element}_{kind}.snapcoeff"
            if path.exists():
                yield element, {"snap": "SNAP", "qsnap": "qSNAP"}[kind], ase_mlips.load(path)


def crystal(element: str) -> Atoms:
    """The cubic cell."""
    lattice, a = CRYSTALS[element]
    return bulk(element, lattice, a=a, cubic=True)


def elastic() -> None:
    """Every published model: the constants, their errors, and the largest difference to strains by hand."""
    print("element model        a     C11     C12     C44  clamped  errors  by hand  seconds   (A, GPa)")
    for element, kind, calc in published():
        start = time.perf_counter()
        found = elastic_constants(crystal(element), calc)
        seconds = time.perf_counter() - start
        rest = relax(crystal(element), calc, fmax=1e-5).atoms
        off = np.abs(elastic_tensor(rest, calc) - found.tensor).max()
        c = found.tensor
        print(
            f"{element:7} {kind:5} {rest.cell.lengths()[0]:8.4f} {c[0, 0]:7.2f} {c[0, 1]:7.2f} {c[3, 3]:7.2f}"
            f" {found.clamped[3, 3]:8.2f} {found.errors.max():7.3f} {off:8.3f} {seconds:8.1f}",
            flush=True,
        )


def eos() -> None:
    """Bulk moduli of curves beside those of elastic constants."""
    print("element model  B0 of curve   B of constants   B0'        residual (meV/atom)")
    for element, kind, calc in published():
        found, expected = equation_of_state(crystal(element), calc), elastic_constants(crystal(element), calc).hill.bulk
        facts = found.facts()
        print(
            f"{element:7} {kind:6} {facts['B0']:16} {expected:10.2f}   {facts[DERIVATIVE]:10}"
            f" {1e3 * found.residual / found.atoms:10.2g}",
            flush=True,
        )


def triclinic() -> None:
    """All 21 constants of an alloy without symmetry, and the five of a hexagonal crystal."""
    alloy = make_supercell(bulk("Cu", a=3.8), [[2, 1, 0], [0, 2, 1], [0, 0, 2]])
    alloy.symbols[:] = ["Cu", "Au", "Ag", "Cu", "Pt", "Cu", "Cu", "Au"]
    for name, atoms in (("triclinic alloy", alloy), ("hexagonal copper", bulk("Cu", "hcp", a=2.56, c=4.18))):
        rest = relax(atoms, EMT(), fmax=1e-5, steps=2000).atoms
        found = elastic_constants(rest, EMT(), relax="none", strain=1e-3)
        pairs = ((found.tensor, True), (found.clamped, False))
        off = [np.abs(tensor - elastic_tensor(rest, EMT(), relaxed=free)).max() for tensor, free in pairs]
        print(f"{name}: {found.space_group}, {found.independent} constants, {len(found.strains)} strained cells")
        print(np.array2string(found.tensor, precision=2, suppress_small=True))
        print(f"largest difference to strains by hand: relaxed {off[0]:.4f}, clamped {off[1]:.4f} GPa")


def vacancies() -> None:
    """Formation energies in growing supercells."""
    for element, kind, calc in published():
        if kind != "MTP":
            continue
        start = time.perf_counter()
        found = vacancy(crystal(element), calc, sizes=(7.0, 10.5, 14.0, 17.5))
        row = "  ".join(f"{n:.0f}: {e:.4f}" for n, e in zip(found.atoms, found.energies, strict=True))
        seconds = time.perf_counter() - start
        print(f"{element} {kind}: {row}  infinite: {found.extrapolated:.4f} eV  ({seconds:.1f} s)", flush=True)


def surfaces() -> None:
    """Low-index surfaces of all elements."""
    for element, kind, calc in published():
        if kind != "MTP":
            continue
        for miller in ((1, 0, 0), (1, 1, 0), (1, 1, 1)):
            found = surface_energy(crystal(element), calc, miller=miller)
            facts = found.facts()
            print(f"{facts['surface']:12} {facts['energy']:34} change {facts['change with thickness']}", flush=True)


def bands() -> None:
    """Hops of copper and lithium, beside ASE's own band with a calculator for each image."""
    print("element  barrier  back     by ASE   largest difference of an image (eV)  steps  seconds")
    for element in ("Cu", "Li"):
        path = MODELS / f"{element}_mtp.mtp"
        calc = ase_mlips.load(path, species=[element])
        initial, final = vacancy_hop(relax(crystal(element), calc).atoms * 3)
        start = time.perf_counter()
        found = minimum_energy_path(initial, final, calc, images=5, fmax=0.005)
        seconds = time.perf_counter() - start
        for end in (initial, final):
            end.calc = ase_mlips.load(path, species=[element])
            BFGS(end, logfile=None).run(fmax=0.002)
        images = [initial, *(initial.copy() for _ in range(5)), final]
        for image in images[1:-1]:
            image.calc = ase_mlips.load(path, species=[element])
        band = NEB(images, k=0.1, method="improvedtangent", climb=True)
        band.interpolate("idpp", mic=True)
        FIRE(band, logfile=None).run(fmax=0.005)
        energies = np.array([image.get_potential_energy() for image in images])
        off = np.abs(energies - energies[0] - found.energies + found.energies[0]).max()
        print(
            f"{element:7} {found.barrier:8.4f} {found.reverse_barrier:8.4f} {energies.max() - energies[0]:8.4f}"
            f" {off:10.1e} {found.steps:34d} {seconds:8.1f}",
            flush=True,
        )


PARTS: dict[str, Callable[[], None]] = {
    "elastic": elastic,
    "eos": eos,
    "triclinic": triclinic,
    "vacancy": vacancies,
    "surface": surfaces,
    "neb": bands,
}


def main() -> None:
    """Print the tables that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    warnings.simplefilter("default")
    for part in parser.parse_args().only:
        print(f"\n{part}: {PARTS[part].__doc__}")
        PARTS[part]()


if __name__ == "__main__":
    main()

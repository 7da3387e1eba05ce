"""Threads that share the work of a call, and memory that belongs to a thread."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numba.core import config

from ase_mlips.engine.jit import kernel
from ase_mlips.engine.sharing import next_chunk
from ase_mlips.engine.simd import fetch, off, ptr
from ase_mlips.engine.threads import alone, run_chunks, run_each, scratch


@kernel
def count(left, me, done):
    """Adds one to each element whose number it takes."""
    chunk = next_chunk(left, me, len(done))
    while chunk < len(done):
        done[chunk] += 1
        chunk = next_chunk(left, me, len(done))


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("chunks", [0, 1, 2, 3, 7, 16])
def test_each_chunk_once(chunks, threads):
    done, users = np.zeros(chunks, int), set()

    def work(left, me):
        users.add(threading.get_ident())
        count(left, me, done)

    run_chunks(work, chunks, threads)
    np.testing.assert_array_equal(done, 1)
    assert len(users) <= threads


def test_no_chunk_twice_where_threads_ask_at_the_same_time():
    count(alone(), 0, np.zeros(1, int))  # compiled
    for _ in range(20):
        done = np.zeros(100 if config.DISABLE_JIT else 100_000, int)
        run_chunks(lambda left, me, done=done: count(left, me, done), len(done), 4)
        np.testing.assert_array_equal(done, 1)


def test_the_bell_rings_with_the_first_chunk():
    bell, done = np.zeros(1, int), np.zeros(7, int)
    left = np.array([0, 3, bell.ctypes.data])
    for me in (1, 0):
        count(left, me, done)
        np.testing.assert_array_equal(done, 1)
        assert bell[0] == 1


@kernel
def meet(left, me, met):
    """Each of two chunks waits until the other one has begun, or for ever so long."""
    chunk = next_chunk(left, me, 2)
    while chunk < 2:
        met[chunk] = 1
        looks = 0
        while fetch(off(ptr(met), 1 - chunk)) == 0 and looks < 10**11:
            looks += 1
        met[2] += looks == 10**11
        chunk = next_chunk(left, me, 2)


@pytest.mark.parametrize("pause", [0.0, 0.01])
def test_threads_that_are_awake_or_asleep_join_the_caller_in_its_kernel(pause):
    for _ in range(5):
        met = np.zeros(3, int)
        run_chunks(lambda left, me, met=met: meet(left, me, met), 2, 2)
        np.testing.assert_array_equal(met, [1, 1, 0])
        time.sleep(pause)


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("numbers", [0, 1, 2, 3, 7, 16])
def test_each_number_once(numbers, threads):
    done: list[int] = []
    users = set()

    def function(number):
        users.add(threading.get_ident())
        done.append(number)

    run_each(function, numbers, threads)
    assert sorted(done) == list(range(numbers))
    assert len(users) <= threads


def test_all_chunks_run_at_the_same_time():
    together = threading.Barrier(4)
    run_each(lambda number: together.wait(timeout=30), 4, 4)


@pytest.mark.parametrize("failing", range(4))
def test_errors_propagate_once_nobody_is_at_work(failing):
    together, done = threading.Barrier(4), []

    def function(number):
        together.wait(timeout=30)
        if number == failing:
            raise ValueError(f"number {number}")
        time.sleep(0.3 if number else 0.0)
        done.append(number)

    with pytest.raises(ValueError, match=f"number {failing}"):
        run_each(function, 4, 4)
    assert sorted(done) == [c for c in range(4) if c != failing]
    done.clear()
    run_each(done.append, 4, 4)  # the pool is still good
    assert len(done) == 4


def test_concurrent_callers():
    def caller(seed):
        data, out = np.random.default_rng(seed).normal(size=(50, 200)), np.empty(50)

        def function(number):
            out[number] = data[number].sum()

        for _ in range(20):
            out[:] = np.nan
            run_each(function, 50, 1 + seed % 5)
            if not np.array_equal(out, data.sum(1)):
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(caller, range(16)))


def test_scratch_belongs_to_a_thread_and_grows():
    mine = scratch("test a", 10)
    assert mine.size >= 10
    assert mine.dtype == np.float64
    assert scratch("test a", 4) is mine
    assert not np.shares_memory(mine, scratch("test b", 10))
    longer = scratch("test a", mine.size + 1)
    assert longer.size > mine.size
    assert scratch("test a", 1) is longer
    with ThreadPoolExecutor(1) as pool:
        assert not np.shares_memory(longer, pool.submit(scratch, "test a", 10).result())

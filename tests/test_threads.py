"""Threads that share the work of a call, and memory that belongs to a thread."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ase_mlips.engine.threads import run_chunks, scratch


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("chunks", [0, 1, 2, 3, 7, 16])
def test_each_chunk_once(chunks, threads):
    done: list[int] = []
    users = set()

    def work(first, last):
        users.add(threading.get_ident())
        done.extend(range(first, last))

    run_chunks(work, chunks, threads)
    assert sorted(done) == list(range(chunks))
    assert len(users) <= threads


def test_all_chunks_run_at_the_same_time():
    together = threading.Barrier(4)
    run_chunks(lambda first, last: together.wait(timeout=30), 4, 4)


@pytest.mark.parametrize("failing", range(4))
def test_errors_propagate_once_nobody_is_at_work(failing):
    together, done = threading.Barrier(4), []

    def work(first, last):
        together.wait(timeout=30)
        if first == failing:
            raise ValueError(f"chunk {first}")
        time.sleep(0.3 if first else 0.0)
        done.append(first)

    with pytest.raises(ValueError, match=f"chunk {failing}"):
        run_chunks(work, 4, 4)
    assert sorted(done) == [c for c in range(4) if c != failing]
    done.clear()
    run_chunks(lambda first, last: done.append(first), 4, 4)  # the pool is still good
    assert len(done) == 4


def test_concurrent_callers():
    def caller(seed):
        data, out = np.random.default_rng(seed).normal(size=(50, 200)), np.empty(50)

        def work(first, last):
            for chunk in range(first, last):
                out[chunk] = data[chunk].sum()

        for _ in range(20):
            out[:] = np.nan
            run_chunks(work, 50, 1 + seed % 5)
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

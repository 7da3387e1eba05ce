"""Processes of MPI played by threads, for what must hold on several ranks."""

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor


class Ranks:
    """``Ranks(n).run(function)`` calls ``function(communicator)`` on n threads and returns what each of them gave."""

    def __init__(self, size):
        self._size, self._barrier = size, threading.Barrier(size, timeout=60)
        self._values = [None] * size

    def run(self, function):
        with ThreadPoolExecutor(self._size) as pool:
            futures = [pool.submit(function, _Rank(self, rank)) for rank in range(self._size)]
            return [future.exception() or future.result() for future in futures]


class _Rank:
    def __init__(self, ranks, rank):
        self._ranks, self._rank = ranks, rank

    def Get_rank(self):
        return self._rank

    def allgather(self, value):
        ranks = self._ranks
        ranks._values[self._rank] = pickle.dumps(value)
        ranks._barrier.wait()
        found = [pickle.loads(own) for own in ranks._values]
        ranks._barrier.wait()
        return found

"""The way home of what ghosts got, with ranks that are threads: neither MPI nor LAMMPS is needed."""

import threading

import numpy as np
import pytest

from ase_mlips.lammps.errors import raise_together, shared_error
from ase_mlips.lammps.exchange import GhostExchange


class Meeting:
    """What the ranks of one program have in common."""

    def __init__(self, size):
        self.size, self.barrier, self.slots = size, threading.Barrier(size, timeout=60), [None] * size

    def gather(self, rank, value):
        self.slots[rank] = value
        self.barrier.wait()
        everything = list(self.slots)
        self.barrier.wait()
        return everything


class ThreadComm:
    """As much of an mpi4py communicator as is used."""

    def __init__(self, meeting, rank):
        self._meeting, self.rank, self.size = meeting, rank, meeting.size

    def allgather(self, value):
        return self._meeting.gather(self.rank, value)

    def Alltoall(self, send, receive):
        receive[:] = [row[self.rank] for row in self.allgather(send.copy())]

    def Alltoallv(self, send, receive):
        (values, counts), (target, expected) = send, receive
        parts = np.split(values.reshape(-1), np.cumsum(counts)[:-1])
        mine = [row[self.rank] for row in self.allgather([part.copy() for part in parts])]
        assert [len(part) for part in mine] == list(expected)
        target.reshape(-1)[:] = np.concatenate(mine)


def on_ranks(size, work):
    """What `work` returns on each rank."""
    meeting, found = Meeting(size), [None] * size

    def run(rank):
        try:
            found[rank] = work(ThreadComm(meeting, rank))
        except BaseException as error:
            found[rank] = error
            meeting.barrier.abort()

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for value in found:
        if isinstance(value, BaseException):
            raise value
    return found


def scene(size, *, atoms=60, ghosts=40, seed=0):
    """Tags of each rank, its own atoms first, their number, and forces and virials on all."""
    rng = np.random.default_rng(seed)
    owner = rng.integers(0, max(size - 1, 1), atoms)  # the last of several ranks has no atoms of its own
    scenes = []
    for rank in range(size):
        own = rng.permutation(np.flatnonzero(owner == rank)) + 1
        tags = np.concatenate([own, rng.integers(1, atoms + 1, ghosts)]).astype(np.int32)  # some of them its own images
        scenes.append((tags, len(own), rng.normal(size=(len(tags), 3)), rng.normal(size=(len(tags), 3, 3))))
    return scenes


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_every_atom_gets_what_its_images_got(size):
    scenes = [scene(size, seed=seed) for seed in range(2)]

    def work(comm):
        exchange, found = GhostExchange(comm), []
        for tags, local, forces, virials in (several[comm.rank] for several in scenes):
            exchange.plan(tags, local)
            for _ in range(2):  # one plan serves many steps
                home = forces.copy(), virials.copy()
                exchange.send_home(*home)
                found.append(home)
            assert len(exchange.missing) == 0
        return found

    found = on_ranks(size, work)
    for k, several in enumerate(scenes):
        right = np.zeros((61, 3)), np.zeros((61, 3, 3))
        for tags, _, *values in several:
            for total, part in zip(right, values, strict=True):
                np.add.at(total, tags, part)
        for rank, (tags, local, _, _) in enumerate(several):
            for got in found[rank][2 * k : 2 * k + 2]:
                for mine, total in zip(got, right, strict=True):
                    np.testing.assert_allclose(mine[:local], total[tags[:local]], atol=1e-13)


@pytest.mark.parametrize("size", [1, 3])
def test_a_ghost_whose_atom_is_lost(size):
    def work(comm):
        exchange = GhostExchange(comm)
        tags = np.array([1 + comm.rank, 1 + (comm.rank + 1) % size, *([77] if comm.rank == 0 else [])])
        exchange.plan(tags, 1)
        forces = np.ones((len(tags), 3))
        exchange.send_home(forces, np.ones((len(tags), 3, 3)))
        return exchange.missing.tolist(), forces[0, 0]

    assert on_ranks(size, work) == [([77] if rank == 0 else [], 2.0) for rank in range(size)]


def test_what_a_rank_sends():
    def work(comm):
        exchange = GhostExchange(comm)
        exchange.plan(np.array([1 + comm.rank, 2 - comm.rank, 2 - comm.rank, 1 + comm.rank]), 1)
        return exchange.doubles

    assert on_ranks(2, work) == [24, 24]


class StubbornError(Exception):
    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")  # which is not what unpickling will call it with


def test_an_error_is_one_of_all():
    def work(comm):
        own = {1: ValueError("of rank 1"), 2: KeyError("of rank 2")}.get(comm.rank)
        error = shared_error(comm, own)
        nothing = shared_error(comm, None)
        stubborn = shared_error(comm, StubbornError(1, 2) if comm.rank == 2 else None)
        return error, getattr(error, "__notes__", []), nothing, stubborn

    (first, notes, nothing, stubborn), (second, *_), (third, _, _, own) = on_ranks(3, work)
    assert isinstance(first, ValueError)
    assert notes == ["on rank 1"]
    assert str(first) == str(second) == "of rank 1"
    assert isinstance(third, KeyError)
    assert nothing is None
    assert (type(stubborn), type(own)) == (RuntimeError, StubbornError)
    assert str(stubborn) == "StubbornError: 1 and 2"


def test_all_raise_together():
    def work(comm):
        raise_together(comm, None)
        with pytest.raises(ValueError, match="of rank 1"):
            raise_together(comm, ValueError("of rank 1") if comm.rank else None)

    on_ranks(2, work)

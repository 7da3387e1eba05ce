"""Which atom each ghost is an image of, wherever that atom is, and the way home of what the ghosts got."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import BoolArray, FloatArray, Int64Array
from .kernels import COLUMNS, add, fold, pack


class GhostExchange:
    """Adds forces and virials of ghosts to those of the atoms that they are images of, on whatever rank these are.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm
        Of which `size`, `Alltoall` and `Alltoallv` are used.

    Attributes
    ----------
    missing : (M,) array of int64
        Tags of ghosts for which no rank has the atom: the forces would be incomplete.

    Notes
    -----
    `plan` and `send_home` are collective: all ranks call them together.
    """

    missing: Int64Array

    def __init__(self, comm: Any) -> None:
        self._comm = comm
        self.plan(np.empty(0, np.int64), 0)

    def plan(self, tags: NDArray[np.integer[Any]], local: int) -> None:
        """Find the atom of each ghost; to be called when the tags (N,) of a rank, ghosts behind `local` atoms, change.

        An atom's rank is asked for at the rank ``tag % size``, which every rank has told its atoms, so that no rank
        needs to know all.
        """
        own, ghosts = tags[:local].astype(np.int64), tags[local:].astype(np.int64)
        index, here = _found(own, ghosts)
        places = np.arange(local, local + len(ghosts))
        self._source, self._target = places[here], index[here]
        foreign, wanted = places[~here], ghosts[~here]
        if self._comm.size == 1:
            self.missing, self._outgoing, self._incoming = wanted, foreign[:0], foreign[:0]
            return
        rank, index = self._owners(own, wanted)
        known = rank >= 0
        self.missing = wanted[~known]
        order = np.argsort(rank[known], kind="stable")
        self._outgoing, targets = foreign[known][order], index[known][order]
        counts = _counts(rank[known], self._comm.size)
        incoming, came = self._deliver(targets[:, None], counts)
        self._incoming = incoming.ravel()
        self._buffers = [np.empty((len(rows), COLUMNS)) for rows in (self._outgoing, self._incoming)]
        self._shares = [COLUMNS * counts, COLUMNS * came]

    def send_home(self, forces: FloatArray, virials: FloatArray) -> None:
        """Add the rows of the ghosts in forces (N, 3) and virials (N, 3, 3) to those of their atoms."""
        if self._comm.size > 1:
            (leaving, coming), (sent, came) = self._buffers, self._shares
            pack(self._outgoing, forces, virials, leaving)
            self._comm.Alltoallv([leaving, sent], [coming, came])
            add(self._incoming, coming, forces, virials)
        fold(self._source, self._target, forces, virials)

    @property
    def doubles(self) -> int:
        """Numbers that this rank sends to others at each call."""
        return COLUMNS * len(self._outgoing)

    def _owners(self, own: Int64Array, wanted: Int64Array) -> tuple[Int64Array, Int64Array]:
        """Rank and index of the atoms of these tags, -1 where nobody has them."""
        size = self._comm.size
        order = np.argsort(own % size, kind="stable")
        told, came = self._deliver(np.stack([own[order], order], axis=1), _counts(own % size, size))
        ranks = np.repeat(np.arange(size), came)
        order = np.argsort(wanted % size, kind="stable")
        asked_for = _counts(wanted % size, size)
        questions, came = self._deliver(wanted[order, None], asked_for)
        place, there = _found(told[:, 0], questions[:, 0])
        replies = np.full((len(questions), 2), -1, np.int64)
        replies[there] = np.stack([ranks[place[there]], told[place[there], 1]], axis=1)
        answers = np.empty((len(wanted), 2), np.int64)
        self._comm.Alltoallv([replies, 2 * came], [answers, 2 * asked_for])
        rank, index = np.empty((2, len(wanted)), np.int64)
        rank[order], index[order] = answers.T
        return rank, index

    def _deliver(self, rows: Int64Array, counts: NDArray[np.intc]) -> tuple[Int64Array, NDArray[np.intc]]:
        """Send rows, which are sorted by rank, so many to each; what came, and how much from each."""
        came = np.empty_like(counts)
        self._comm.Alltoall(counts, came)
        width = rows.shape[1]
        received = np.empty((int(came.sum()), width), np.int64)
        self._comm.Alltoallv([np.ascontiguousarray(rows), width * counts], [received, width * came])
        return received, came


def _counts(ranks: Int64Array, size: int) -> NDArray[np.intc]:
    return np.bincount(ranks, minlength=size).astype(np.intc)


def _found(tags: Int64Array, wanted: Int64Array) -> tuple[Int64Array, BoolArray]:
    """Index into `tags` of each tag that is wanted, and whether it is there."""
    if len(tags) == 0:
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), bool)
    order = np.argsort(tags, kind="stable")
    place = order[np.minimum(np.searchsorted(tags, wanted, sorter=order), len(tags) - 1)]
    return place, tags[place] == wanted

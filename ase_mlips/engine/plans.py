"""What a call needs beside the neighbour list, made once for calls that are alike."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from ..arrays import FloatArray, IntArray
from .packing import Packed, W, flatten, integers_of, named

ATOMS_PER_CHUNK, MOST_CHUNKS = 128, 16
MOST_SLOTS = 1 << 20  # within 10 A these were 250 atoms/A^3, a thousand times denser than matter


class Listed(Protocol):
    """What kernels need of a neighbour list; `NeighborList` is one, `neighbors.joined.StaticList` another."""

    @property
    def n(self) -> int:
        """Number of atoms."""

    @property
    def centers(self) -> int:
        """How many of them, from the first on, have their neighbours listed."""

    @property
    def longest(self) -> int:
        """Entries of the atom that has most, padding included."""

    @property
    def buffers(self) -> tuple[FloatArray, IntArray]:
        """What `neighbors.kernels_pairs.pointers` reads."""


class Plan(NamedTuple):
    """What a call needs beside the neighbour list.

    Attributes
    ----------
    call : int32 array
        The flattened head; species, with one more for the dummy atom; atoms by blocks.
    ints, floats : arrays
        Tables of the model.
    size, chunks : int
        Doubles of scratch, and parts of the work.
    """

    call: IntArray
    ints: IntArray
    floats: FloatArray
    size: int
    chunks: int


class Plans:
    """The tables of a model made ready for calls, kept because most calls are like the last.

    Parameters
    ----------
    packed : Packed
    by_type : bool
        See `block_order`.
    """

    def __init__(self, packed: Packed, *, by_type: bool = False) -> None:
        self._packed, self._by_type = packed, by_type
        self._known: dict[tuple[Any, ...], Plan] = {}

    def __call__(self, neighbors: Listed, species: IntArray, request: tuple[Any, ...] | None = None) -> Plan:
        """The plan for atoms of these species and their neighbour list.

        Raises
        ------
        OverflowError
            An atom has more neighbours than there is room for.
        """
        slots = capacity(neighbors.longest)
        key = (slots, neighbors.centers, species.astype(np.int32, copy=False).tobytes(), request)
        plan = self._known.get(key)
        if plan is None:
            if len(self._known) > 20:
                self._known.clear()
            plan = self._known[key] = self._make(slots, neighbors.centers, species, request)
        return plan

    def _make(self, slots: int, centers: int, species: IntArray, request: tuple[Any, ...] | None) -> Plan:
        n = len(species)
        chunks = count_chunks(centers, n)
        area, size = self._lay_out(slots)
        head = self._packed.head._replace(atoms=n, centers=centers, slots=slots, chunks=chunks, area=area)
        if request is not None:
            head = head._replace(request=request)
        kinds: IntArray = np.zeros(n + 1, np.int32)
        kinds[:-1] = species
        order = block_order(kinds[:centers], chunks, dummy=n, by_type=self._by_type)
        end = len(flatten(head))
        call = np.concatenate([flatten(head._replace(species=end, order=end + n + 1)), kinds, order])
        return Plan(call, self._packed.ints, self._packed.floats, size, chunks)

    def _lay_out(self, slots: int) -> tuple[tuple[Any, ...], int]:
        """Where each area begins, and the total, in doubles."""
        areas, places, size = self._packed.areas(slots), [], 0
        for vectors in integers_of(areas):
            if slots > MOST_SLOTS or size > np.iinfo(np.int32).max:
                raise OverflowError(f"an atom has some {slots} neighbours: the cell or the structure has collapsed")
            places.append(size)
            size += vectors * W
        return named(type(areas), places), size


def count_chunks(centers: int, n: int, *, atoms: int = ATOMS_PER_CHUNK, most: int = MOST_CHUNKS) -> int:
    """Parts that the centers are worked on in; not a function of the number of threads, so that results are none.

    Each has `atoms` or more, and there are `most` at most; fewer where atoms are neighbours only, as ghosts are: each
    part has forces on all that it meets to add up.
    """
    return min(max(centers // atoms, 1), most if centers == n else most // 2)


def capacity(longest: int) -> int:
    """Slots for the longest row of a neighbour list, in coarse steps so that few layouts are needed."""
    return (longest + 63) // 32 * 32


def block_order(species: IntArray, chunks: int, *, dummy: int, by_type: bool) -> IntArray:
    """The central atoms by blocks of eight; the last block is filled up with `dummy`.

    With `by_type` the atoms of each chunk, which stay within their chunk, are sorted so that few blocks mix types.
    """
    n = len(species)
    blocks = -(-n // W)
    order = np.full(blocks * W, dummy, np.int32)
    order[:n] = np.arange(n)
    for chunk in range(chunks if by_type else 0):
        begin, end = blocks * chunk // chunks * W, min(n, blocks * (chunk + 1) // chunks * W)
        order[begin:end] = begin + np.argsort(species[begin:end], kind="stable")
    return order

"""Tables, layouts and the order of atoms that kernels read."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from scipy import sparse

from ase_mlips.engine.packing import Packed, Packer, Sparse, W, flatten, named
from ase_mlips.engine.plans import Plans, block_order, capacity


def as_dense(matrix, columns):
    return sparse.csr_array((matrix.values, matrix.columns, matrix.begin), (len(matrix.begin) - 1, columns)).toarray()


def random_matrix(rows, columns, rng):
    """A dense matrix, half of it zero, and the same by rows; with an empty row and an empty column."""
    dense = rng.normal(size=(rows, columns)) * (rng.uniform(size=(rows, columns)) < 0.5)
    dense[rows // 2 : rows // 2 + 1], dense[:, columns // 3 : columns // 3 + 1] = 0.0, 0.0
    return dense, Sparse.from_rows([{int(c): row[c] for c in rng.permutation(np.flatnonzero(row))} for row in dense])


@pytest.mark.parametrize(("rows", "columns"), [(7, 9), (12, 4), (1, 1), (0, 3)])
def test_sparse_and_its_transpose(rows, columns):
    dense, matrix = random_matrix(rows, columns, np.random.default_rng(rows))
    np.testing.assert_array_equal(as_dense(matrix, columns), dense)
    transposed = matrix.transposed(columns)
    np.testing.assert_array_equal(as_dense(transposed, rows), dense.T)
    for part in (matrix, transposed):
        assert (part.begin.dtype, part.columns.dtype, part.values.dtype) == (np.int32, np.int32, np.float64)
        assert all(np.all(np.diff(part.columns[a:b]) > 0) for a, b in pairwise(part.begin))
    again = transposed.transposed(rows)
    np.testing.assert_array_equal(as_dense(again, columns), dense)


class Structure(NamedTuple):
    matrix: int
    matrix_columns: int


class Numbers(NamedTuple):
    empty: int
    grid: int
    matrix: int


def test_packer_joins_tables_and_notes_their_places():
    integers, floats = Packer(np.int32), Packer(float)
    dense, matrix = random_matrix(5, 6, np.random.default_rng(1))
    grid = np.arange(12.0).reshape(3, 4).T  # not contiguous
    floats.add(grid=grid)
    floats.add_sparse(integers, matrix=matrix)
    with pytest.raises(TypeError, match="'empty'"):
        floats.places(Numbers)
    floats.add(empty=[])
    ints, numbers = integers.join(), floats.join()
    at, own = integers.places(Structure), floats.places(Numbers)
    assert (ints.dtype, numbers.dtype) == (np.int32, np.float64)
    np.testing.assert_array_equal(numbers[own.grid : own.grid + 12], grid.ravel())
    begin = ints[at.matrix : at.matrix + 6]
    columns = ints[at.matrix_columns : at.matrix_columns + begin[-1]]
    values = numbers[own.matrix : own.matrix + begin[-1]]
    np.testing.assert_array_equal(as_dense(Sparse(begin, columns, values), 6), dense)
    assert own.empty == 12 + begin[-1] == len(numbers) - W
    assert not numbers[own.empty :].any()
    assert Packer(np.int32).join().tolist() == [0] * W
    floats.add(unknown=[])
    with pytest.raises(TypeError, match="'unknown'"):
        floats.places(Numbers)


@pytest.mark.parametrize("by_type", [False, True])
@pytest.mark.parametrize(("n", "chunks"), [(0, 1), (1, 1), (8, 1), (20, 1), (37, 2), (129, 3), (600, 16), (1000, 7)])
def test_block_order_holds_every_atom_once_and_in_its_chunk(n, chunks, by_type):
    species = np.random.default_rng(n).integers(0, 4, n).astype(np.int32)
    order = block_order(species, chunks, dummy=n + 3, by_type=by_type)
    blocks = -(-n // W)
    assert order.dtype == np.int32
    assert len(order) == W * blocks
    assert order[n:].tolist() == [n + 3] * (W * blocks - n)  # only behind the last atom
    for chunk in range(chunks):
        first, last = (min(n, blocks * c // chunks * W) for c in (chunk, chunk + 1))
        assert sorted(order[first:last]) == list(range(first, last))
        kinds = species[order[first:last]]
        assert np.all(np.diff(kinds) >= 0) == (by_type or last - first < 2)
        for kind in range(4 if by_type else 0):
            assert np.all(np.diff(order[first:last][kinds == kind]) > 0)  # neighbours in memory stay together
    if not by_type:
        assert order[:n].tolist() == list(range(n))


class Pair(NamedTuple):
    first: int
    second: int


class Area(NamedTuple):
    large: int
    many: int
    pair: Pair


class Request(NamedTuple):
    wanted: int = 9


class Head(NamedTuple):
    size: int
    request: Request = Request()
    area: Area = Area(-1, -1, Pair(-1, -1))
    chunks: int = -1
    slots: int = -1
    atoms: int = -1
    centers: int = -1
    species: int = -1
    order: int = -1


def test_flatten_and_named():
    """Integers in the order of the fields, groups in their places; booleans count."""
    head = Head(5, Request(True), Area(1, 2, Pair(3, 4)), 6, 7, 8)
    assert flatten(head).tolist() == [5, 1, 1, 2, 3, 4, 6, 7, 8, -1, -1, -1]
    assert named(Head, flatten(head)) == head
    with pytest.raises(OverflowError):
        flatten(Pair(0, 2**31))


class Rows(NamedTuple):
    """What plans ask of a neighbour list."""

    longest: int
    centers: int


def parts(plan, n):
    """Head, species and atoms by blocks of a plan for n atoms."""
    head = named(Head, plan.call)
    return head, plan.call[head.species : head.species + n + 1], plan.call[head.order :]


def make_plans(*, by_type=False, vectors=1):
    tables = np.zeros(3, np.int32), np.zeros(4)
    return tables, Plans(Packed(Head(7), *tables, lambda slots: Area(3, vectors * slots, Pair(0, 1))), by_type=by_type)


def test_plans_give_areas_that_follow_each_other():
    tables, plans = make_plans()
    species = np.zeros(300, np.int64)
    rows = Rows(10, 300)
    plan = plans(rows, species, Request(True))
    slots = capacity(10)
    head, kinds, order = parts(plan, 300)
    assert (plan.size, plan.chunks) == ((4 + slots) * W, 2)
    end = (3 + slots) * W
    assert plan.call.dtype == np.int32
    assert head == Head(7, Request(1), Area(0, 3 * W, Pair(end, end)), 2, slots, 300, 300, 12, 313)
    assert (plan.ints is tables[0], plan.floats is tables[1]) == (True, True)
    assert (len(kinds), len(order)) == (301, 304)
    assert plans(rows, species.copy(), Request(True)) is plan
    assert named(Head, plans(rows, species, Request(False)).call).request.wanted == 0
    assert named(Head, plans(rows, species).call).request.wanted == 9
    few = plans(Rows(10, 12), species, Request(True))
    assert parts(few, 300)[2].tolist() == [*range(12), *[300] * 4]
    assert (few.chunks, named(Head, few.call).centers) == (1, 12)
    for n in range(50):  # many sizes do not fill the memory
        plans(Rows(10, n), species[:n])
    assert len(plans._known) <= 21


@pytest.mark.parametrize("by_type", [False, True])
def test_plans_notice_other_species(by_type):
    _, plans = make_plans(by_type=by_type)
    species = np.random.default_rng(0).integers(0, 3, 45).astype(np.int32)
    first = species.copy()
    before = plans(Rows(10, 45), species)
    species[:] = species[::-1].copy()  # in place
    for chosen in (species, species[:30], species[:0], first):
        n = len(chosen)
        _, kinds, order = parts(plans(Rows(10, n), chosen), n)
        assert kinds.tolist() == [*chosen, 0]
        assert order.tolist() == block_order(chosen, 1, dummy=n, by_type=by_type).tolist()
    assert parts(before, 45)[1].tolist() == [*first, 0]


@pytest.mark.parametrize("longest", range(0, 264, W))
def test_capacity_holds_the_longest_row(longest):
    slots = capacity(longest)
    assert slots % 32 == 0  # kernels count on a multiple of four, layouts on few different values
    assert max(longest, 1) <= slots < longest + 64


@pytest.mark.parametrize(("vectors", "longest"), [(1, 2_000_000), (1 << 14, 20_000)])
def test_more_neighbours_than_there_is_room_for(vectors, longest):
    """Too many, or too much scratch for the integers that say where it begins."""
    _, plans = make_plans(vectors=vectors)
    assert plans(Rows(100, 3), np.zeros(3, np.int32)).size > 0
    with pytest.raises(OverflowError, match=f"some {longest // 1000}.* neighbours: .* collapsed"):
        plans(Rows(longest, 3), np.zeros(3, np.int32))

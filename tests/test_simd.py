"""Every SIMD primitive against NumPy; runs with and without compilation (NUMBA_DISABLE_JIT=1)."""

from fractions import Fraction

import numpy as np
import pytest
from numba.core import config
from numba.core.extending import _Intrinsic

from ase_mlips.engine import points, simd, simd_emulation
from ase_mlips.engine.jit import kernel
from ase_mlips.engine.points import append_near, gather_points, load_rows
from ase_mlips.engine.simd import (
    W,
    at,
    compress,
    fetch,
    fetch_add,
    fma,
    hsum,
    ldf,
    ldi,
    load,
    load_splat,
    mask_less,
    off,
    popcount,
    power_of_two,
    ptr,
    splat,
    stf,
    sti,
    store,
    store_halves,
    transpose8,
    vabs,
    vmax,
    vmin,
    vrint,
    vsqrt,
    where_less,
)

ORDINARY = np.array([1.5, -2.25, 0.1, 3e10, -7e-5, 2.5, -0.5, 11.0])
OTHERS = np.array([0.3, -2.25, 4.0, -1e9, 0.2, 1e-3, 3.5, 10.0])
SPECIAL = np.array([np.nan, 1.0, np.inf, -np.inf, 0.0, -0.0, 5e-324, 1.7e308])
PARTNERS = np.array([1.0, np.nan, 1.0, 1.0, -0.0, 0.0, 2e-308, -1.7e308])


@kernel
def operators(a_values, b_values, x, out):
    a, b, o = load(ptr(a_values), 0), load(ptr(b_values), 0), ptr(out)
    store(o, 0 * W, a + b)
    store(o, 1 * W, a - b)
    store(o, 2 * W, a * b)
    store(o, 3 * W, a / b)
    store(o, 4 * W, a + x)
    store(o, 5 * W, a - x)
    store(o, 6 * W, a * x)
    store(o, 7 * W, a / x)
    store(o, 8 * W, x + a)
    store(o, 9 * W, x - a)
    store(o, 10 * W, x * a)
    store(o, 11 * W, x / a)
    store(o, 12 * W, -a)


@kernel
def functions(a_values, b_values, x, out):
    a, b, o = load(ptr(a_values), 0), load(ptr(b_values), 0), ptr(out)
    store(o, 0 * W, vsqrt(a))
    store(o, 1 * W, vrint(a))
    store(o, 2 * W, vabs(a))
    store(o, 3 * W, vmin(a, b))
    store(o, 4 * W, vmax(a, b))
    store(o, 5 * W, where_less(a, b, splat(x), -b))
    store(o, 6 * W, splat(x))
    store(o, 7 * W, load_splat(ptr(a_values), 3))
    store(o, 8 * W, fma(a, b, splat(x)))
    return hsum(a), mask_less(a, b)


@pytest.mark.parametrize(("a", "b"), [(ORDINARY, OTHERS), (OTHERS, ORDINARY), (SPECIAL, PARTNERS), (PARTNERS, SPECIAL)])
@pytest.mark.parametrize("x", [0.7, -3.0])
def test_operators(a, b, x):
    actual = np.empty((13, W))
    operators(a, b, x, actual)
    with np.errstate(all="ignore"):
        expected = [a + b, a - b, a * b, a / b, a + x, a - x, a * x, a / x, x + a, x - a, x * a, x / a, -a]
    np.testing.assert_allclose(actual, expected, rtol=3e-16, atol=0)


@pytest.mark.parametrize(("a", "b"), [(ORDINARY, OTHERS), (OTHERS, ORDINARY), (SPECIAL, PARTNERS), (PARTNERS, SPECIAL)])
def test_functions(a, b):
    x, actual = 0.25, np.empty((9, W))
    total, mask = functions(a, b, x, actual)
    with np.errstate(all="ignore"):
        quarters = a[:4] + a[4:]
        pairwise = (quarters[0] + quarters[2]) + (quarters[1] + quarters[3])
        lesser, greater, chosen = np.where(a < b, a, b), np.where(a > b, a, b), np.where(a < b, x, -b)
        expected = [np.sqrt(a), np.rint(a), np.abs(a), lesser, greater, chosen, np.full(W, x), np.full(W, a[3])]
        product = a * b + x
    np.testing.assert_array_equal(actual[:8], expected)
    np.testing.assert_allclose(actual[8], product, rtol=1e-15)
    np.testing.assert_array_equal(total, pairwise)
    assert mask == sum(1 << lane for lane in range(W) if a[lane] < b[lane])


def test_minimum_and_maximum_take_the_second_where_the_first_is_nan():
    actual = np.empty((9, W))
    functions(np.full(W, np.nan), OTHERS, 0.0, actual)
    np.testing.assert_array_equal(actual[3:5], [OTHERS, OTHERS])
    functions(OTHERS, np.full(W, np.nan), 0.0, actual)
    assert np.isnan(actual[3:5]).all()


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="the emulation rounds twice")
def test_fma_rounds_once():
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.normal(size=(2, W))
        x = -float(a[0] * b[0])  # what is left is the rounding error of the product
        actual = np.empty((9, W))
        functions(a, b, x, actual)
        assert actual[8].tolist() == [float(Fraction(p) * Fraction(q) + Fraction(x)) for p, q in zip(a, b, strict=True)]


@kernel
def shift_by(source, target, i, j):
    p = off(ptr(source), i)
    store(off(ptr(target), 2), j, load(p, j))
    stf(ptr(target), 1, ldf(p, j))


def test_memory_at_any_offset():
    source = np.arange(40.0)
    for i in range(10):
        for j in (0, 3, 8):
            target = np.full(20, -1.0)
            shift_by(source, target, i, j)
            expected = np.full(20, -1.0)
            expected[2 + j : 2 + j + W] = source[i + j : i + j + W]
            expected[1] = source[i + j]
            np.testing.assert_array_equal(target, expected)


def test_pointers_to_arrays_of_several_dimensions_and_to_parts():
    source = np.arange(60.0).reshape(3, 5, 4)
    target = np.zeros(20)
    shift_by(source[1:], target, -3, 5)  # before the part, behind the offset
    np.testing.assert_array_equal(target[7:15], np.arange(22.0, 30.0))


@kernel
def integers(numbers, copy):
    p, q = off(ptr(numbers), 1), ptr(copy)
    for i in range(numbers.size - 1):
        sti(q, i, ldi(p, i))
    sti(off(q, numbers.size), -1, ldi(p, -1) - 3)
    return ldi(p, 0)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_integers(dtype):
    least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
    numbers, copy = np.array([2, least, most, -7, 0], dtype), np.full(6, 55, dtype)
    assert integers(numbers, copy) == least
    assert copy.tolist() == [least, most, -7, 0, -1, 55]


@kernel
def gathered(points, shifts, idx, code, k, out):
    x, y, z = gather_points(ptr(points), ptr(shifts), ptr(idx), ptr(code), k)
    o = ptr(out)
    store(o, 0, x)
    store(o, W, y)
    store(o, 2 * W, z)


@kernel
def appended(points, shifts, idx, code, k, i, near, far, rows, count):
    around = ptr(points), ptr(shifts), ptr(idx), ptr(code)
    return append_near(*around, k, off(ptr(points), 4 * i), near, far, ptr(rows), count)


@kernel
def columns(rows, step, out):
    x, y, z, j = load_rows(ptr(rows), step)
    o = ptr(out)
    store(o, 0, x)
    store(o, W, y)
    store(o, 2 * W, z)
    store(o, 3 * W, j)


def some_points():
    rng = np.random.default_rng(1)
    points, shifts = rng.normal(size=(9, 4)), rng.normal(size=(5, 4))
    idx, code = rng.integers(0, 9, 20).astype(np.int32), rng.integers(0, 5, 20).astype(np.int32)
    idx[:2], code[:2] = 8, 4  # the last rows
    return points, shifts, idx, code


@pytest.mark.parametrize("k", [0, 1, 5, 12])
def test_points_are_gathered(k):
    points, shifts, idx, code = some_points()
    out, here = np.empty((3, W)), slice(k, k + W)
    gathered(points, shifts, idx, code, k, out)
    np.testing.assert_array_equal(out, (points[idx[here]] + shifts[code[here]]).T[:3])


@pytest.mark.parametrize("k", [0, 1, 5, 12])
@pytest.mark.parametrize(("near", "far"), [(0.0, 4.0), (1.0, 9.0), (4.0, 4.0), (0.0, 1e9), (100.0, 200.0)])
def test_points_within_a_range_are_appended(k, near, far):
    points, shifts, idx, code = some_points()
    rows, here = np.full((3 + W, 4), -7.0), slice(k, k + W)
    vectors = points[idx[here]] + shifts[code[here]] - points[3]
    square = (vectors[:, :3] ** 2).sum(axis=1)
    within = (square >= near) & (square < far)
    assert appended(points, shifts, idx, code, k, 3, near, far, rows, 2) == 2 + within.sum()
    assert (rows[:2] == -7.0).all()
    expected = np.column_stack([vectors[within, :3], idx[here][within]])
    np.testing.assert_array_equal(rows[2 : 2 + within.sum()], expected)


def test_a_square_at_a_limit_belongs_to_the_outer_range():
    """Squares 1 and 4, the latter twice: one limit is part of the range, the other is not."""
    points = np.zeros((9, 4))
    points[:3, 0] = 1.0, 2.0, -2.0
    points[3:8] = 1e3
    arrays = points, np.zeros((1, 4)), np.arange(W, dtype=np.int32), np.zeros(W, np.int32)
    rows = np.empty((W + 1, 4))
    counts = [appended(*arrays, 0, 8, near, far, rows, 0) for near, far in ((0, 1), (1, 4), (4, 5), (1, 5))]
    assert counts == [0, 1, 2, 3]
    assert rows[:3, [0, 3]].tolist() == [[1.0, 0.0], [2.0, 1.0], [-2.0, 2.0]]


@pytest.mark.parametrize("step", [4, 12])
def test_rows_become_columns(step):
    rows, out = np.random.default_rng(3).normal(size=W * step), np.empty((4, W))
    columns(rows, step, out)
    np.testing.assert_array_equal(out, rows.reshape(W, step)[:, :4].T)


@kernel
def transposed(matrix, out):
    m, o = ptr(matrix), ptr(out)
    a, b, c, d = load(m, 0), load(m, W), load(m, 2 * W), load(m, 3 * W)
    rows = transpose8(a, b, c, d, load(m, 4 * W), load(m, 5 * W), load(m, 6 * W), load(m, 7 * W))
    for lane in range(W):
        store(o, lane * W, rows[lane])


def test_transpose():
    matrix, out = np.random.default_rng(2).normal(size=(W, W)), np.empty((W, W))
    transposed(matrix, out)
    np.testing.assert_array_equal(out, matrix.T)


@kernel
def compressed(values, first, out, counts):
    v, o, c = load(ptr(values), 0), ptr(out), ptr(counts)
    for row in range(out.shape[0]):
        store(o, row * W, compress(v, first + row))
        sti(c, row, popcount(first + row))


@pytest.mark.parametrize("first", [0, 0x300])
def test_compress_with_every_mask(first):
    """Bits beyond the lanes do not matter to `compress`, but `popcount` counts them."""
    out, counts = np.empty((256, W)), np.empty(256, np.int64)
    compressed(SPECIAL, first, out, counts)
    for mask in range(256):
        kept = SPECIAL[[lane for lane in range(W) if mask >> lane & 1]]
        np.testing.assert_array_equal(out[mask, : len(kept)], kept)
        assert counts[mask] == len(kept) + first.bit_count()


def test_popcount_of_all_64_bits():
    out, counts = np.empty((2, W)), np.empty(2, np.int64)
    compressed(ORDINARY, -1, out, counts)
    assert counts.tolist() == [64, 0]


@kernel
def exponentials(exponents, out):
    for k in range(0, exponents.size, W):
        store(ptr(out), k, power_of_two(load(ptr(exponents), k)))


def test_powers_of_two_are_exact():
    exponents = np.arange(-1022.0, 1024.0)
    exponents = np.append(exponents, np.zeros(-exponents.size % W))
    out = np.empty_like(exponents)
    exponentials(exponents, out)
    np.testing.assert_array_equal(out, np.ldexp(1.0, exponents.astype(int)))


@kernel
def halved(values, both, room, i):
    store_halves(ptr(both), off(ptr(both), room), i, load(ptr(values), 0))


def test_halves():
    pairs = np.random.default_rng(3).integers(-(2**31), 2**31, (W, 2)).astype("<i4")
    pairs[:2] = [[2**31 - 1, -(2**31)], [-1, 0]]
    for i in (0, 1, 3):
        both = np.full((2, 12), 77, np.int32)
        halved(pairs.view(np.float64).ravel(), both, 12, i)
        expected = np.full((2, 12), 77)
        expected[:, i : i + W] = pairs.T
        np.testing.assert_array_equal(both, expected)


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="the emulation has taken their places")
def test_emulation_covers_every_primitive():
    primitives = {
        name for module in (simd, points) for name, value in vars(module).items() if isinstance(value, _Intrinsic)
    }
    assert sorted(primitives) == simd_emulation.__all__
    assert simd_emulation.LANES == W


@kernel
def counted(numbers, place, out):
    sti(ptr(out), 0, fetch(ptr(numbers)))
    for k in range(2):
        sti(ptr(out), 1 + k, fetch_add(off(ptr(numbers), 1)))
    sti(ptr(out), 3, fetch_add(at(place + 8)))


def test_integers_that_threads_share():
    numbers, out = np.array([-7, 2**40, 5]), np.zeros(4, np.int64)
    counted(numbers, numbers.ctypes.data, out)
    np.testing.assert_array_equal(out, [-7, 2**40, 2**40 + 1, 2**40 + 2])
    np.testing.assert_array_equal(numbers, [-7, 2**40 + 3, 5])

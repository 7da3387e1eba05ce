"""The primitives of `simd` in NumPy, for runs in which Numba compiles nothing.

With NUMBA_DISABLE_JIT=1 `simd` exports these in place of its intrinsics, so that kernels run as plain Python: coverage
of their branches can be measured, and every access through a pointer is checked.  Slow; for tiny systems only.
Differences to compiled code: `fma` rounds twice, lanes without a value are NaN, an access beyond an array raises
IndexError, and one that means another type of element TypeError.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from ctypes import c_int64
from threading import Lock
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray

__all__ = [
    "append_near",
    "at",
    "compress",
    "fetch",
    "fetch_add",
    "fma",
    "gather_points",
    "hsum",
    "ldf",
    "ldi",
    "load",
    "load_rows",
    "load_splat",
    "mask_less",
    "off",
    "popcount",
    "power_of_two",
    "ptr",
    "splat",
    "stf",
    "sti",
    "store",
    "store_halves",
    "transpose8",
    "vabs",
    "vmax",
    "vmin",
    "vrint",
    "vsqrt",
    "where_less",
]

Lanes = FloatArray

LANES = 8
# a NaN whose halves, taken as int32, are no valid index either
UNDEFINED = np.full(LANES, 0x7FFFFFFF7FFFFFFF, np.int64).view(np.float64)


class Vec:
    """Eight doubles.  As in compiled code, arithmetic neither warns nor changes its operands."""

    __slots__ = ("lanes",)

    def __init__(self, lanes: Lanes) -> None:
        self.lanes = lanes

    def __repr__(self) -> str:
        return f"Vec({self.lanes.tolist()})"

    def __add__(self, other: Vec | float) -> Vec:
        return _combine(operator.add, self, other)

    def __radd__(self, other: float) -> Vec:
        return _combine(operator.add, other, self)

    def __sub__(self, other: Vec | float) -> Vec:
        return _combine(operator.sub, self, other)

    def __rsub__(self, other: float) -> Vec:
        return _combine(operator.sub, other, self)

    def __mul__(self, other: Vec | float) -> Vec:
        return _combine(operator.mul, self, other)

    def __rmul__(self, other: float) -> Vec:
        return _combine(operator.mul, other, self)

    def __truediv__(self, other: Vec | float) -> Vec:
        return _combine(operator.truediv, self, other)

    def __rtruediv__(self, other: float) -> Vec:
        return _combine(operator.truediv, other, self)

    def __neg__(self) -> Vec:
        return Vec(-self.lanes)

    __array_ufunc__ = None  # NumPy's scalars leave the operators to this class


def _combine(op: Callable[[Any, Any], Lanes], a: Vec | float, b: Vec | float) -> Vec:
    x, y = (v.lanes if isinstance(v, Vec) else _double(v) for v in (a, b))
    with np.errstate(all="ignore"):
        return Vec(op(x, y))


def _double(x: Any) -> float:
    if not isinstance(x, float):  # np.float64 is one
        raise TypeError(f"a vector combines with vectors and floats only, got {type(x).__name__}")
    return x


class Pointer:
    """Address of one element of a C-contiguous array, which knows where the array ends."""

    __slots__ = ("array", "offset")

    def __init__(self, array: NDArray[Any], offset: int) -> None:
        self.array = array
        self.offset = offset

    def window(self, i: int, count: int, *types: type[np.generic]) -> NDArray[Any]:
        """Elements i .. i + count - 1 as a writeable view; IndexError unless all are in the array."""
        if self.array.dtype.type not in types:
            wanted = " or ".join(t.__name__ for t in types)
            raise TypeError(f"expected a pointer to {wanted}, got one to {self.array.dtype}")
        first = self.offset + operator.index(i)
        if first < 0 or first + count > self.array.size:
            raise IndexError(f"elements {first} to {first + count - 1} of an array of {self.array.size}")
        return self.array[first : first + count]


def ptr(array: NDArray[Any]) -> Pointer:
    if not array.flags.c_contiguous:
        raise ValueError("expected an array that is C-contiguous")
    return Pointer(array.reshape(-1), 0)


def off(p: Pointer, i: int) -> Pointer:
    return Pointer(p.array, p.offset + operator.index(i))


def ldf(p: Pointer, i: int) -> np.float64:
    return cast(np.float64, p.window(i, 1, np.float64)[0])


def ldi(p: Pointer, i: int) -> int:
    return int(p.window(i, 1, np.int32, np.int64)[0])


def stf(p: Pointer, i: int, x: float) -> None:
    p.window(i, 1, np.float64)[0] = x


def sti(p: Pointer, i: int, n: int) -> None:
    p.window(i, 1, np.int32, np.int64)[0] = operator.index(n)


def load(p: Pointer, i: int) -> Vec:
    return Vec(p.window(i, LANES, np.float64).copy())


def store(p: Pointer, i: int, v: Vec) -> None:
    p.window(i, LANES, np.float64)[:] = v.lanes


def load_splat(p: Pointer, i: int) -> Vec:
    return splat(ldf(p, i))


def splat(x: float) -> Vec:
    return Vec(np.full(LANES, float(x)))


def fma(a: Vec, b: Vec, c: Vec) -> Vec:
    with np.errstate(all="ignore"):
        return Vec(a.lanes * b.lanes + c.lanes)


def vsqrt(a: Vec) -> Vec:
    with np.errstate(all="ignore"):
        return Vec(np.sqrt(a.lanes))


def vrint(a: Vec) -> Vec:
    return Vec(np.rint(a.lanes))


def vabs(a: Vec) -> Vec:
    return Vec(np.abs(a.lanes))


def vmin(a: Vec, b: Vec) -> Vec:
    return where_less(a, b, a, b)


def vmax(a: Vec, b: Vec) -> Vec:
    return where_less(b, a, a, b)


def where_less(a: Vec, b: Vec, x: Vec, y: Vec) -> Vec:
    return Vec(np.where(a.lanes < b.lanes, x.lanes, y.lanes))


def mask_less(a: Vec, b: Vec) -> int:
    return sum(1 << lane for lane in np.flatnonzero(a.lanes < b.lanes).tolist())


def popcount(bits: int) -> int:
    return (bits & 0xFFFFFFFFFFFFFFFF).bit_count()


_one_at_a_time = Lock()


def at(address: int) -> Pointer:
    return Pointer(np.ctypeslib.as_array((c_int64 * 1).from_address(operator.index(address))), 0)


def fetch(p: Pointer) -> int:
    return int(p.window(0, 1, np.int64)[0])


def fetch_add(p: Pointer) -> int:
    with _one_at_a_time:
        value = int(p.window(0, 1, np.int64)[0])
        p.window(0, 1, np.int64)[0] = value + 1
    return value


def compress(v: Vec, bits: int) -> Vec:
    kept = [lane for lane in range(LANES) if bits >> lane & 1]
    lanes = UNDEFINED.copy()
    lanes[: len(kept)] = v.lanes[kept]
    return Vec(lanes)


def power_of_two(n: Vec) -> Vec:
    lanes = UNDEFINED.copy()
    defined = (n.lanes >= -1022) & (n.lanes <= 1023)
    lanes[defined] = np.ldexp(1.0, n.lanes[defined].astype(np.int64))
    return Vec(lanes)


def hsum(v: Vec) -> np.float64:
    total = v.lanes
    with np.errstate(all="ignore"):
        for half in (4, 2, 1):
            total = total[:half] + total[half:]
    return cast(np.float64, total[0])


def transpose8(*rows: Vec) -> tuple[Vec, ...]:
    return tuple(Vec(column.copy()) for column in np.stack([v.lanes for v in rows]).T)


def _points(points: Pointer, shifts: Pointer, idx: Pointer, code: Pointer, k: int) -> tuple[list[int], FloatArray]:
    rows, numbers = np.empty((LANES, 4)), []
    for lane in range(LANES):
        which, image = (int(p.window(k + lane, 1, np.int32)[0]) for p in (idx, code))
        rows[lane] = points.window(4 * which, 4, np.float64) + shifts.window(4 * image, 4, np.float64)
        numbers.append(which)
    return numbers, rows


def gather_points(points: Pointer, shifts: Pointer, idx: Pointer, code: Pointer, k: int) -> tuple[Vec, ...]:
    return tuple(Vec(column.copy()) for column in _points(points, shifts, idx, code, k)[1].T[:3])


def append_near(
    points: Pointer, shifts: Pointer, idx: Pointer, code: Pointer, k: int, own: Pointer, near: float, far: float,
    rows: Pointer, count: int
) -> int:  # fmt: skip
    numbers, ends = _points(points, shifts, idx, code, k)
    vectors = ends - own.window(0, 4, np.float64)
    for number, vector in zip(numbers, vectors, strict=True):
        x, y, z = vector[:3]
        rows.window(4 * count, 4, np.float64)[:] = x, y, z, number
        count += bool(near <= x * x + (y * y + z * z) < far)
    return count


def load_rows(p: Pointer, step: int) -> tuple[Vec, ...]:
    rows = [p.window(lane * step, 4, np.float64) for lane in range(LANES)]
    return tuple(Vec(column.copy()) for column in np.stack(rows).T)


def store_halves(low: Pointer, high: Pointer, i: int, v: Vec) -> None:
    halves = v.lanes.view(np.int64)
    low.window(i, LANES, np.int32)[:] = halves.astype(np.int32)
    high.window(i, LANES, np.int32)[:] = (halves >> 32).astype(np.int32)

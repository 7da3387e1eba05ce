"""Points of a neighbour list for kernels: gathered by number, appended where they are near, turned into lanes.

As in `simd`, `p` and the like are pointers; rows are four doubles long, `idx` and `code` are pointers to int32.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import config
from numba.extending import intrinsic

from .simd import _F64, _I32, _I64, _VEC, W, _call, _load_vector, _shuffle, _splat, vec

_ROW = ir.VectorType(_F64, 4)


def _points(builder: Any, args: Any) -> tuple[list[Any], list[Any]]:
    """Eight numbers idx[l] and rows points[idx[l]] + shifts[code[l]], l = k .. k+7, rows of four doubles."""
    points, shifts, idx, code, k = args

    def number(which: Any, lane: int) -> Any:
        return builder.load(builder.gep(which, [builder.add(k, ir.Constant(_I64, lane))]))

    def row(base: Any, at: Any) -> Any:
        place = builder.shl(builder.sext(at, _I64), ir.Constant(_I64, 2))
        return _load_vector(builder, builder.gep(base, [place]), _ROW)

    numbers = [number(idx, lane) for lane in range(W)]
    rows = [builder.fadd(row(points, at), row(shifts, number(code, lane))) for lane, at in enumerate(numbers)]
    return numbers, rows


def _columns(builder: Any, rows: list[Any], count: int) -> list[Any]:
    """The first columns of eight rows of four."""
    columns = []
    for axis in range(count):
        quads = []
        for first in (0, 4):
            low, high = (_shuffle(builder, rows[n], rows[n + 1], [axis, axis + 4]) for n in (first, first + 2))
            quads.append(_shuffle(builder, low, high, [0, 1, 2, 3]))
        columns.append(_shuffle(builder, quads[0], quads[1], list(range(W))))
    return columns


@intrinsic
def gather_points(typingctx: Any, points: Any, shifts: Any, idx: Any, code: Any, k: Any) -> Any:
    """gather_points(points, shifts, idx, code, k) -> (x, y, z): points[idx[l]] + shifts[code[l]], l = k .. k+7."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        _, rows = _points(builder, args)
        return context.make_tuple(builder, sig.return_type, _columns(builder, rows, 3))

    result = types.UniTuple(vec, 3)
    return result(points, shifts, idx, code, types.intp), codegen


@intrinsic
def append_near(
    typingctx: Any, points: Any, shifts: Any, idx: Any, code: Any, k: Any, own: Any, near: Any, far: Any, rows: Any,
    count: Any
) -> Any:  # fmt: skip
    """append_near(points, shifts, idx, code, k, own, near, far, rows, count) -> count: `gather_points` around a point.

    Row `count` of `rows` and the following become (x, y, z, idx[l]) for every vector from the point at `own` whose
    square is at least `near` and below `far`.  The row behind the last one is overwritten.
    """

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        own, near, far, out, count = args[5:]
        numbers, ends = _points(builder, args[:5])
        center = _load_vector(builder, own, _ROW)
        vectors = [builder.fsub(end, center) for end in ends]
        x, y, z = _columns(builder, vectors, 3)
        square = builder.fmul(z, z)
        for axis in (y, x):
            square = _call(builder, f"llvm.fma.v{W}f64", _VEC, axis, axis, square)
        within = builder.and_(
            builder.fcmp_ordered("<", square, _splat(builder, far)),
            builder.fcmp_ordered(">=", square, _splat(builder, near)),
        )
        bits = builder.zext(builder.bitcast(within, ir.IntType(W)), _I64)
        for lane in range(W):
            number = builder.sitofp(numbers[lane], _F64)
            row = builder.insert_element(vectors[lane], number, ir.Constant(_I32, 3))
            place = builder.gep(out, [builder.shl(count, ir.Constant(_I64, 2))])
            builder.store(row, builder.bitcast(place, _ROW.as_pointer()), align=8)
            bit = builder.and_(builder.lshr(bits, ir.Constant(_I64, lane)), ir.Constant(_I64, 1))
            count = builder.add(count, bit)
        return count

    given = (points, shifts, idx, code, types.intp, own, types.float64, types.float64, rows, types.intp)
    return types.int64(*given), codegen


@intrinsic
def load_rows(typingctx: Any, p: Any, step: Any) -> Any:
    """load_rows(p, step) -> (x, y, z, j): lane l of the four from the four doubles at ``l * step``."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        p, step = args
        places = [builder.gep(p, [builder.mul(step, ir.Constant(_I64, lane))]) for lane in range(W)]
        rows = [_load_vector(builder, place, _ROW) for place in places]
        return context.make_tuple(builder, sig.return_type, _columns(builder, rows, 4))

    return types.UniTuple(vec, 4)(p, types.intp), codegen


if config.DISABLE_JIT:
    from .simd_emulation import append_near, gather_points, load_rows  # noqa: F401

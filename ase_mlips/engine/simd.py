"""An explicit SIMD vector type for Numba kernels: eight doubles, on any processor.

LLVM turns ``<8 x double>`` into one AVX-512 register, two AVX2 registers or four NEON registers.
Kernels pass raw pointers (`ptr`, `off`) instead of arrays to their helpers: no reference counting,
no negative-index wraparound and far fewer arguments.  Nothing here checks bounds.

Types in the signatures below: ``vec`` is the vector type, ``p`` a pointer to float64 (or, for the
functions that end in ``i``, to int32 or int64) and integers are element counts.  Where compilation is off,
`simd_emulation` stands in.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core import config
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

W = 8  # lanes

# Vectors that the registers hold: 32 of 512 bits, or else 16 of 256 bits or 32 of 128.  Tiles of sums are cut to it.
REGISTERS = 32 if "+avx512f" in (config.CPU_FEATURES or binding.get_host_cpu_features().flatten()) else 8

_I32 = ir.IntType(32)
_I64 = ir.IntType(64)
_F64 = ir.DoubleType()
_VEC = ir.VectorType(_F64, W)
_FLAGS = ("contract", "nsz", "arcp")


class VecType(types.Type):  # type: ignore[misc]
    """Numba type of a vector of `W` doubles."""

    def __init__(self) -> None:
        super().__init__(name=f"vec{W}")


vec = VecType()


@register_model(VecType)
class _VecModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, _VEC)


def _splat(builder: Any, value: Any) -> Any:
    one = builder.insert_element(ir.Constant(_VEC, ir.Undefined), value, ir.Constant(_I32, 0))
    mask = ir.Constant(ir.VectorType(_I32, W), [0] * W)
    return builder.shuffle_vector(one, ir.Constant(_VEC, ir.Undefined), mask)


def _shuffle(builder: Any, a: Any, b: Any, order: list[int]) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_I32, len(order)), order))


def _call(builder: Any, name: str, result: Any, *args: Any) -> Any:
    function = builder.module.declare_intrinsic(name, fnty=ir.FunctionType(result, [a.type for a in args]))
    return builder.call(function, args)


# ---------------------------------------------------------------------------------------------------
# arithmetic operators on (vec, vec), (vec, float64), (float64, vec)


def _register(op: Any, emit: str) -> None:
    @infer_global(op)
    class Template(AbstractTemplate):  # type: ignore[misc]
        def generic(self, args: Any, kws: Any) -> Any:
            if len(args) == 2 and vec in args and all(a in (vec, types.float64) for a in args):
                return signature(vec, *args)
            return None

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        a, b = (v if t == vec else _splat(builder, v) for v, t in zip(args, sig.args, strict=True))
        return getattr(builder, emit)(a, b, flags=_FLAGS)

    for pair in ((vec, vec), (vec, types.float64), (types.float64, vec)):
        lower_builtin(op, *pair)(lower)


for _op, _emit in ((operator.add, "fadd"), (operator.sub, "fsub"), (operator.mul, "fmul"), (operator.truediv, "fdiv")):
    _register(_op, _emit)


@infer_global(operator.neg)
class _Negative(AbstractTemplate):  # type: ignore[misc]
    def generic(self, args: Any, kws: Any) -> Any:
        return signature(vec, vec) if args == (vec,) else None


@lower_builtin(operator.neg, vec)
def _lower_negative(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.fneg(args[0], flags=_FLAGS)


# ---------------------------------------------------------------------------------------------------
# pointers


@intrinsic
def ptr(typingctx: Any, array: Any) -> Any:
    """ptr(array) -> p: address of the first element of a C-contiguous array."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return context.make_array(sig.args[0])(context, builder, args[0]).data

    return types.CPointer(array.dtype)(array), codegen


@intrinsic
def off(typingctx: Any, p: Any, i: Any) -> Any:
    """off(p, i) -> p: pointer to element i."""

    return p(p, types.intp), _address


def _address(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.gep(args[0], [args[1]])


@intrinsic
def at(typingctx: Any, address: Any) -> Any:
    """at(address) -> p: pointer to the integer (int64) at an address."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], _I64.as_pointer())

    return types.CPointer(types.int64)(types.int64), codegen


@intrinsic
def fetch_add(typingctx: Any, p: Any) -> Any:
    """fetch_add(p) -> int64: the integer (int64) at p, to which 1 is added before another thread can read it."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.atomic_rmw("add", args[0], ir.Constant(_I64, 1), "monotonic")

    return types.int64(p), codegen


@intrinsic
def fetch(typingctx: Any, p: Any) -> Any:
    """fetch(p) -> int64: the integer (int64) at p, which another thread may change."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load_atomic(args[0], "monotonic", 8)

    return types.int64(p), codegen


def _load_vector(builder: Any, address: Any, kind: Any) -> Any:
    return builder.load(builder.bitcast(address, kind.as_pointer()), align=4)


def _scalar_load(name: str, result: Any) -> Any:
    def typed(typingctx: Any, p: Any, i: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            value = builder.load(_address(context, builder, sig, args))
            return builder.sext(value, _I64) if p.dtype == types.int32 else value

        return result(p, types.intp), codegen

    typed.__name__ = typed.__qualname__ = name
    return intrinsic(typed)


def _scalar_store(name: str, given: Any) -> Any:
    def typed(typingctx: Any, p: Any, i: Any, value: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            item = builder.trunc(args[2], _I32) if p.dtype == types.int32 else args[2]
            builder.store(item, _address(context, builder, sig, args))
            return context.get_dummy_value()

        return types.none(p, types.intp, given), codegen

    typed.__name__ = typed.__qualname__ = name
    return intrinsic(typed)


ldf = _scalar_load("ldf", types.float64)  # ldf(p, i) -> float64
ldi = _scalar_load("ldi", types.int64)  # ldi(p, i) -> int64, from int32 or int64 storage
stf = _scalar_store("stf", types.float64)  # stf(p, i, x)
sti = _scalar_store("sti", types.int64)  # sti(p, i, n), to int32 or int64 storage


@intrinsic
def load(typingctx: Any, p: Any, i: Any) -> Any:
    """load(p, i) -> vec: elements i .. i+7."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _load_vector(builder, _address(context, builder, sig, args), _VEC)

    return vec(p, types.intp), codegen


@intrinsic
def store(typingctx: Any, p: Any, i: Any, v: Any) -> Any:
    """store(p, i, v): write elements i .. i+7."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        address = builder.bitcast(_address(context, builder, sig, args), _VEC.as_pointer())
        builder.store(args[2], address, align=8)
        return context.get_dummy_value()

    return types.none(p, types.intp, vec), codegen


@intrinsic
def load_splat(typingctx: Any, p: Any, i: Any) -> Any:
    """load_splat(p, i) -> vec: element i in every lane."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _splat(builder, builder.load(_address(context, builder, sig, args)))

    return vec(p, types.intp), codegen


# ---------------------------------------------------------------------------------------------------
# lane-wise functions


@intrinsic
def splat(typingctx: Any, x: Any) -> Any:
    """splat(x) -> vec: x in every lane."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _splat(builder, args[0])

    return vec(types.float64), codegen


@intrinsic
def fma(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """fma(a, b, c) -> vec: a*b + c with one rounding."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _call(builder, f"llvm.fma.v{W}f64", _VEC, *args)

    return vec(vec, vec, vec), codegen


def _function_of_one(name: str, llvm: str, doc: str) -> Any:
    def typed(typingctx: Any, a: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return _call(builder, f"{llvm}.v{W}f64", _VEC, args[0])

        return vec(vec), codegen

    typed.__name__ = typed.__qualname__ = name
    typed.__doc__ = doc
    return intrinsic(typed)


vsqrt = _function_of_one("vsqrt", "llvm.sqrt", "vsqrt(a) -> vec")
vrint = _function_of_one("vrint", "llvm.rint", "vrint(a) -> vec: nearest integer")
vabs = _function_of_one("vabs", "llvm.fabs", "vabs(a) -> vec")


def _function_of_two(name: str, predicate: str, doc: str) -> Any:
    def typed(typingctx: Any, a: Any, b: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return builder.select(builder.fcmp_ordered(predicate, args[0], args[1]), args[0], args[1])

        return vec(vec, vec), codegen

    typed.__name__ = typed.__qualname__ = name
    typed.__doc__ = doc
    return intrinsic(typed)


vmin = _function_of_two("vmin", "<", "vmin(a, b) -> vec: the smaller; b where a is NaN")
vmax = _function_of_two("vmax", ">", "vmax(a, b) -> vec: the larger; b where a is NaN")


@intrinsic
def where_less(typingctx: Any, a: Any, b: Any, x: Any, y: Any) -> Any:
    """where_less(a, b, x, y) -> vec: x in lanes where a < b, else y."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", args[0], args[1]), args[2], args[3])

    return vec(vec, vec, vec, vec), codegen


@intrinsic
def mask_less(typingctx: Any, a: Any, b: Any) -> Any:
    """mask_less(a, b) -> int64: bit l is set where a < b in lane l."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        bits = builder.fcmp_ordered("<", args[0], args[1])
        return builder.zext(builder.bitcast(bits, ir.IntType(W)), _I64)

    return types.int64(vec, vec), codegen


@intrinsic
def popcount(typingctx: Any, bits: Any) -> Any:
    """popcount(bits) -> int64: number of set bits."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _call(builder, "llvm.ctpop.i64", _I64, args[0])

    return types.int64(types.int64), codegen


@intrinsic
def compress(typingctx: Any, v: Any, bits: Any) -> Any:
    """compress(v, bits) -> vec: the lanes whose bit is set, moved to the front; the rest is undefined."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        mask_type = ir.VectorType(ir.IntType(1), W)
        mask = builder.bitcast(builder.trunc(args[1], ir.IntType(W)), mask_type)
        rest = ir.Constant(_VEC, ir.Undefined)
        return _call(builder, f"llvm.experimental.vector.compress.v{W}f64", _VEC, args[0], mask, rest)

    return vec(vec, types.int64), codegen


@intrinsic
def power_of_two(typingctx: Any, n: Any) -> Any:
    """power_of_two(n) -> vec: 2**n for integral n in -1022 .. 1023."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        lanes = ir.VectorType(_I64, W)
        n = builder.fptosi(args[0], lanes)
        biased = builder.add(n, ir.Constant(lanes, [1023] * W))
        return builder.bitcast(builder.shl(biased, ir.Constant(lanes, [52] * W)), _VEC)

    return vec(vec), codegen


@intrinsic
def hsum(typingctx: Any, v: Any) -> Any:
    """hsum(v) -> float64: sum over the lanes, pairwise."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        total = args[0]
        for half in (4, 2, 1):
            low = _shuffle(builder, total, total, list(range(half)))
            high = _shuffle(builder, total, total, list(range(half, 2 * half)))
            total = builder.fadd(low, high)
        return builder.extract_element(total, ir.Constant(_I32, 0))

    return types.float64(vec), codegen


@intrinsic
def transpose8(typingctx: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any) -> Any:
    """transpose8(a, .., h) -> 8-tuple of vec: lane k of result l is lane l of argument k."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        rows = list(args)
        for distance in (4, 2, 1):
            mixed = list(rows)
            for k in range(W):
                if k & distance:
                    continue
                low = [lane if not lane & distance else lane - distance + W for lane in range(W)]
                high = [lane + distance if not lane & distance else lane + W for lane in range(W)]
                mixed[k] = _shuffle(builder, rows[k], rows[k + distance], low)
                mixed[k + distance] = _shuffle(builder, rows[k], rows[k + distance], high)
            rows = mixed
        return context.make_tuple(builder, sig.return_type, rows)

    return types.UniTuple(vec, W)(*(vec,) * W), codegen


@intrinsic
def store_halves(typingctx: Any, low: Any, high: Any, i: Any, v: Any) -> Any:
    """store_halves(low, high, i, v): bits 0-31 of lane l to low[i + l], bits 32-63 to high[i + l] (int32 pointers)."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        low, high, i, v = args
        bits = builder.bitcast(v, ir.VectorType(_I64, W))
        upper = builder.lshr(bits, ir.Constant(ir.VectorType(_I64, W), [32] * W))
        half = ir.VectorType(_I32, W)
        for p, value in ((low, bits), (high, upper)):
            builder.store(builder.trunc(value, half), builder.bitcast(builder.gep(p, [i]), half.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.none(low, high, types.intp, vec), codegen


if config.DISABLE_JIT:
    from .simd_emulation import *  # noqa: F403

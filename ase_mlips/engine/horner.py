"""Sums over channels differentiated: the reverse of `lanes.channel_sums`.

The code for limits that occur is written out without a loop: loops as short as these cost more at their ends, which
the processor has to guess, than within.
"""

from __future__ import annotations

from typing import Any

from .jit import device, device_from_source
from .simd import REGISTERS, W, fma, ldi, load, off, splat, store

_LIMIT = 8  # largest of which there is code without loops
_SLOTS = 4 if REGISTERS == 32 else 2  # at a time, with five accumulators each


def _source(limit: int) -> str:
    """Double Horner scheme over p (rows) and q (columns), with first derivatives."""
    slots = range(_SLOTS)
    lines = [f"def horner_{limit}(D, pq, out):"]
    lines += [f"    p{s}, q{s} = load(pq, {s * W}), load(pq, {(4 + s) * W})" for s in slots]
    lines += [f"    v{s} = x{s} = y{s} = splat(0.0)" for s in slots]
    e = (limit + 1) * (limit + 2) // 2
    for row in range(limit + 1):
        for column in range(row + 1):
            e -= 1
            lines += [f"    d = load(D, {e * W})"]
            if column > 0:
                lines += [f"    t{s} = {_step(f't{s}', f'q{s}', f'g{s}', column == 1)}" for s in slots]
            lines += [f"    g{s} = {_step(f'g{s}', f'q{s}', 'd', column == 0)}" for s in slots]
        if row > 0:
            lines += [f"    x{s} = {_step(f'x{s}', f'p{s}', f'v{s}', row == 1)}" for s in slots]
            lines += [f"    y{s} = {_step(f'y{s}', f'p{s}', f't{s}', row == 1)}" for s in slots]
        lines += [f"    v{s} = {_step(f'v{s}', f'p{s}', f'g{s}', row == 0)}" for s in slots]
    for place, name in enumerate("vxy"):
        lines += [f"    store(out, {(4 * place + s) * W}, {name}{s})" for s in slots]
    return "\n".join(lines)


def _step(total: str, factor: str, term: str, first: bool) -> str:
    return term if first else f"fma({total}, {factor}, {term})"


@device
def _any_limit(D: Any, limit: int, pq: Any, out: Any) -> None:
    """The same for one slot."""
    p, q = load(pq, 0), load(pq, 4 * W)
    v = x = y = splat(0.0)
    e = ((limit + 1) * (limit + 2) // 2 - 1) * W
    for b in range(limit, -1, -1):
        g, t = load(D, e), splat(0.0)
        e -= W
        for _ in range(limit - b):
            t, g = fma(t, q, g), fma(g, q, load(D, e))
            e -= W
        x, v, y = fma(x, p, v), fma(v, p, g), fma(y, p, t)
    store(out, 0, v)
    store(out, 4 * W, x)
    store(out, 8 * W, y)


_NAMES = {"fma": fma, "load": load, "splat": splat, "store": store}
_horner = {f"horner_{k}": device_from_source(f"horner_{k}", _source(k), _NAMES) for k in range(_LIMIT + 1)}


def _choice() -> str:
    lines = ["def horner(D, limit, pq, out):"]
    for limit, name in enumerate(_horner):
        lines += [f"    {'elif' if limit else 'if'} limit == {limit}:", f"        {name}(D, pq, out)"]
    lines += ["    else:", f"        for slot in range({_SLOTS}):"]
    lines += [f"            any_limit(D, limit, off(pq, slot * {W}), off(out, slot * {W}))"]
    return "\n".join(lines)


horner = device_from_source("horner", _choice(), {**_horner, "off": off, "any_limit": _any_limit})


@device
def channel_derivatives(D: Any, pq: Any, limits: Any, offsets: Any, channels: int, out: Any) -> None:
    """The reverse of `lanes.channel_sums` for one group of four slots.

    With D = dE/dS, `out` [channels][3][4] receives dE/dF, and dE/dp and dE/dq divided by F.
    """
    for ch in range(channels):
        own, limit = off(D, ldi(offsets, ch) * W), ldi(limits, ch)
        for slot in range(0, 4, _SLOTS):
            horner(own, limit, off(pq, slot * W), off(out, (ch * 12 + slot) * W))

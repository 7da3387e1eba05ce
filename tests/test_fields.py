"""Integers by name, as kernels read them; runs with and without compilation (NUMBA_DISABLE_JIT=1)."""

from typing import NamedTuple

import numpy as np
import pytest
from numba.core import config

from ase_mlips.engine.fields import view
from ase_mlips.engine.jit import device, kernel
from ase_mlips.engine.packing import flatten
from ase_mlips.engine.simd import off, ptr


class Inner(NamedTuple):
    low: int
    high: int


class Group(NamedTuple):
    first: int
    inner: Inner


class Declared(NamedTuple):
    size: int
    group: Group
    other: Inner
    last: int


@device
def weighted(group):
    return group.first + 10 * group.inner.low + 100 * group.inner.high


@kernel
def read(integers, out):
    head = view(ptr(integers), Declared)
    out[0], out[1] = head.size, weighted(head.group)
    for k in range(head.other.low, head.other.high):
        out[2] += k
    out[3] = head.last * head.last
    behind = view(off(ptr(integers), 4), Inner)
    out[4], out[5] = behind.low, behind.high


def test_kernels_read_what_was_declared():
    out = np.zeros(6, np.int64)
    integers = flatten(Declared(-3, Group(1, Inner(2, 3)), Inner(4, 7), 1 << 20))
    read(integers, out)
    assert out.tolist() == [-3, 321, 4 + 5 + 6, 1 << 40, 4, 7]


def test_an_unknown_name_is_an_error():
    @kernel
    def misspelt(integers):
        return view(ptr(integers), Declared).sise

    with pytest.raises(AttributeError if config.DISABLE_JIT else Exception, match="sise"):
        misspelt(np.zeros(9, np.int32))


def test_other_integers_are_no_fields():
    @kernel
    def wide(integers):
        return view(ptr(integers), Inner).low

    with pytest.raises(Exception, match="int64"):
        wide(np.zeros(9, np.int64))

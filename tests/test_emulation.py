"""Kernels as plain Python: in bounds, on initialised memory only, and with the same results as compiled ones."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba.core import config
from support import tiny_runs

from ase_mlips.engine.simd_emulation import (
    Vec,
    append_near,
    compress,
    fma,
    gather_points,
    hsum,
    ldf,
    ldi,
    load,
    load_rows,
    load_splat,
    off,
    power_of_two,
    ptr,
    splat,
    stf,
    sti,
    store,
    store_halves,
)

TESTS = Path(__file__).parent
pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="compares with compiled kernels")


def run_without_compiling(*arguments: str) -> None:
    command = [sys.executable, "-W", "error", *arguments]
    env = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(command, cwd=TESTS, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def emulated(tmp_path_factory):
    """Results of `support.tiny_runs` as a program, by name."""
    path = tmp_path_factory.mktemp("emulation") / "results.npz"
    run_without_compiling("-m", "support.tiny_runs", str(path))
    return tiny_runs.stored(path)


def assert_same(compiled, emulated) -> None:
    assert compiled.keys() <= emulated.keys()
    for name, expected in compiled.items():
        actual = emulated[name]
        assert actual.shape == expected.shape, name
        if expected.dtype.kind == "f":
            scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
            np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-12 * scale, err_msg=name)
        else:
            np.testing.assert_array_equal(actual, expected, err_msg=name)


def test_snap_kernels(emulated):
    assert_same(tiny_runs.evaluations(), emulated)


OTHER_REGISTERS = """
import sys
from ase_mlips.engine import simd
simd.REGISTERS = 8 if simd.REGISTERS == 32 else 32
from support import tiny_runs
tiny_runs.RUNS = {name: tiny_runs.RUNS[name] for name in sys.argv[2:]}
tiny_runs.write(sys.argv[1], tiny_runs.evaluations())
"""


def test_snap_kernels_for_other_processors(tmp_path, monkeypatch):
    """Those that are cut to more registers, or to fewer: without and with couplings of different elements."""
    names = ("two_inner", "chem_quadratic")
    path = str(tmp_path / "results.npz")
    run_without_compiling("-c", OTHER_REGISTERS, path, *names)
    monkeypatch.setattr(tiny_runs, "RUNS", {name: tiny_runs.RUNS[name] for name in names})
    assert_same(tiny_runs.evaluations(), tiny_runs.stored(path))


def test_nep_kernels(emulated):
    assert_same(tiny_runs.nep_evaluations(), emulated)


def test_the_training_of_nep(emulated):
    assert_same(tiny_runs.nep_gradients(), emulated)


def test_pod_kernels(emulated):
    assert_same(tiny_runs.pod_evaluations(), emulated)


def test_ace_kernels(emulated):
    assert_same(tiny_runs.ace_evaluations(), emulated)


def test_neighbor_kernels(emulated):
    assert_same(tiny_runs.neighbor_lists(), emulated)


def test_primitives_lanes_and_fit_kernels():
    """The same tests that compiled kernels pass."""
    engine = ("test_simd.py", "test_fields.py", "test_vector_math.py", "test_lanes.py")
    files = (*engine, "fit/test_kernels.py", "heads/test_kernels.py")
    run_without_compiling("-m", "pytest", "-q", "-p", "no:cacheprovider", *files)


DOUBLES, SHORTS, LONGS = np.zeros(12), np.zeros(12, np.int32), np.zeros(12, np.int64)
NEAR = DOUBLES, DOUBLES, SHORTS, SHORTS
BEYOND = {
    "load": lambda: load(ptr(DOUBLES), 5),
    "load before": lambda: load(ptr(DOUBLES), -1),
    "load behind an offset": lambda: load(off(ptr(DOUBLES), 3), 2),
    "load before a part": lambda: load(ptr(DOUBLES[4:]), -1),
    "store": lambda: store(ptr(DOUBLES), 5, splat(0.0)),
    "load_rows": lambda: load_rows(ptr(DOUBLES), 4),
    "load_splat": lambda: load_splat(ptr(DOUBLES), 12),
    "ldf": lambda: ldf(ptr(DOUBLES), 12),
    "ldi": lambda: ldi(ptr(LONGS), -1),
    "stf": lambda: stf(ptr(DOUBLES), 12, 0.0),
    "sti": lambda: sti(ptr(SHORTS), 12, 0),
    "store_halves": lambda: store_halves(ptr(SHORTS), off(ptr(SHORTS), 5), 0, splat(0.0)),
    "gather_points, entries": lambda: gather_points(ptr(DOUBLES), ptr(DOUBLES), ptr(SHORTS), ptr(SHORTS), 5),
    "gather_points, rows": lambda: gather_points(ptr(DOUBLES[:3]), ptr(DOUBLES), ptr(SHORTS), ptr(SHORTS), 0),
    "append_near, rows": lambda: append_near(*(ptr(a) for a in NEAR), 0, ptr(DOUBLES), 0.0, 1.0, ptr(DOUBLES), 0),
    "no elements": lambda: ldf(ptr(np.zeros(0)), 0),
}


@pytest.mark.parametrize("access", BEYOND.values(), ids=BEYOND)
def test_access_beyond_an_array(access):
    with pytest.raises(IndexError, match=r"elements -?\d+ to -?\d+ of an array of \d+"):
        access()


WRONG_TYPES = {
    "load": lambda: load(ptr(LONGS), 0),
    "load_rows": lambda: load_rows(ptr(LONGS), 0),
    "ldf": lambda: ldf(ptr(SHORTS), 0),
    "ldi": lambda: ldi(ptr(DOUBLES), 0),
    "sti with a float": lambda: sti(ptr(SHORTS), 0, 1.0),
    "offset that is a float": lambda: off(ptr(DOUBLES), 1.0),
    "vector and integer": lambda: splat(1.0) * 2,
    "pointer to float32": lambda: load(ptr(np.zeros(12, np.float32)), 0),
}


@pytest.mark.parametrize("access", WRONG_TYPES.values(), ids=WRONG_TYPES)
def test_types_that_kernels_cannot_mean(access):
    with pytest.raises(TypeError):
        access()


def test_pointers_want_contiguous_arrays_and_write_through():
    with pytest.raises(ValueError, match="C-contiguous"):
        ptr(np.zeros((4, 4)).T)
    grid = np.zeros((3, 4))
    store(ptr(grid), 2, splat(1.0))
    assert grid.ravel().tolist() == [0.0] * 2 + [1.0] * 8 + [0.0] * 2
    with pytest.raises(OverflowError):
        sti(ptr(SHORTS), 0, 2**31)


def test_lanes_without_a_value_are_noticed():
    v = compress(splat(3.0), 0b101)
    assert v.lanes[:2].tolist() == [3.0, 3.0]
    assert np.isnan(v.lanes[2:]).all()
    assert np.isnan(hsum(v))
    assert np.isnan(power_of_two(splat(1024.0)).lanes).all()
    low, high = np.zeros(8, np.int32), np.zeros(8, np.int32)
    store_halves(ptr(low), ptr(high), 0, v)
    assert low[2:].min() == high[2:].min() == np.iinfo(np.int32).max  # no valid index


def test_arithmetic_is_silent_and_changes_no_operand():
    zero = splat(0.0)
    both = x = zero
    x -= 1.0
    assert (x / zero).lanes.tolist() == [-np.inf] * 8
    assert np.isnan((zero / zero).lanes).all()
    assert fma(splat(1e300), splat(1e300), zero).lanes[0] == np.inf
    assert both.lanes.tolist() == [0.0] * 8
    assert isinstance(np.float64(2.0) * zero, Vec)

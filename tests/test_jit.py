"""Where machine code is kept and when it is stale; threads; scratch memory."""

import json
import os
import pty
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numba.core import config
from numba.core.caching import NullCache

from ase_mlips import jit

PACKAGE = Path(jit.__file__).parent
CORE = ("jit.py", "simd.py", "simd_emulation.py", "lanes.py")
compiles = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="nothing is compiled")


# ---------------------------------------------------------------------------------------------------
# the cache, with a package of this name in a temporary folder

TOY = {
    "__init__.py": "",
    "toy/__init__.py": "",
    "toy/layout.py": "ADDED = 1.0\n",
    "toy/kernels_helper.py": (
        "from ..jit import device\nfrom .layout import ADDED\n@device\ndef helper(x):\n    return 10.0 * x + ADDED\n"
    ),
    "toy/kernels.py": (
        "from ..jit import kernel\n"
        "from .kernels_helper import helper\n"
        "@kernel\n"
        "def entry(x):\n"
        "    return helper(x) + helper(2.0 * x)\n"
        "@kernel\n"
        "def another(x):\n"
        "    return 0.0 * helper(x)\n"
    ),
}
CALL = """
import json, sys
import ase_mlips.jit as jit
from ase_mlips.toy.kernels import another, entry
assert jit.__file__.startswith(sys.argv[1])
value = entry(1.0) + another(1.0)
hits = len(entry.stats.cache_hits) + len(another.stats.cache_hits)
misses = len(entry.stats.cache_misses) + len(another.stats.cache_misses)
directory = jit.cache_directory()
print(json.dumps([value, hits, misses, directory and directory.name]))
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the core of the package and two kernels, to be put on the path of a new process."""
    monkeypatch.setattr(config, "CACHE_DIR", "")
    for name in CORE:
        (tmp_path / "ase_mlips" / name).parent.mkdir(exist_ok=True)
        shutil.copy(PACKAGE / name, tmp_path / "ase_mlips" / name)
    for name, text in TOY.items():
        (tmp_path / "ase_mlips" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "ase_mlips" / name).write_text(text)
    return tmp_path


def environment(toy: Path, **changes: str) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    return inherited | {"PYTHONPATH": str(toy), "XDG_CACHE_HOME": str(toy / "home"), "NO_COLOR": "1"} | changes


def run(toy: Path, script: str, **changes: str) -> tuple[str, str]:
    command = [sys.executable, "-W", "error", "-c", script, str(toy)]
    done = subprocess.run(
        command, env=environment(toy, **changes), cwd=toy, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def call(toy: Path, **changes: str):
    out, err = run(toy, CALL, **changes)
    assert err == ""  # not a terminal
    return json.loads(out)


@compiles
def test_machine_code_is_kept_until_any_source_changes(toy):
    value, hits, misses, name = call(toy, PYTHONHASHSEED="1")
    assert (value, hits, misses) == (32.0, 0, 2)
    assert call(toy, PYTHONHASHSEED="2") == [32.0, 2, 0, name]
    (toy / "ase_mlips/toy/layout.py").write_text("ADDED = 2.0\n")
    value, hits, misses, changed = call(toy)
    assert (value, hits, misses) == (34.0, 0, 2)
    assert changed != name


@compiles
@pytest.mark.parametrize(
    "edited", ["jit.py", "simd.py", "lanes.py", "toy/kernels.py", "toy/kernels_helper.py", "toy/layout.py"]
)
def test_name_of_the_directory_follows_every_source(toy, monkeypatch, edited):
    monkeypatch.setattr(jit, "_PACKAGE", toy / "ase_mlips")
    before = jit.cache_directory.__wrapped__()
    assert before == jit.cache_directory.__wrapped__()
    with (toy / "ase_mlips" / edited).open("a") as file:
        file.write("\n")
    after = jit.cache_directory.__wrapped__()
    assert before.parent == after.parent == toy / "ase_mlips" / "__pycache__"
    assert before.name != after.name


@compiles
def test_name_of_the_directory_follows_the_options(toy, monkeypatch):
    monkeypatch.setattr(jit, "_PACKAGE", toy / "ase_mlips")
    names = {jit.cache_directory.__wrapped__().name}
    monkeypatch.setitem(jit._OPTIONS, "fastmath", {"contract"})
    names.add(jit.cache_directory.__wrapped__().name)
    monkeypatch.setitem(jit._OPTIONS, "error_model", "python")
    names.add(jit.cache_directory.__wrapped__().name)
    monkeypatch.setattr(config, "OPT", type(config.OPT)(1))
    names.add(jit.cache_directory.__wrapped__().name)
    assert len(names) == 4


def blocked(folder: Path) -> None:
    """Make it impossible, also for root, to create anything below `folder`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.write_text("")


@compiles
def test_other_places_where_the_first_choice_cannot_be_written(toy, monkeypatch):
    monkeypatch.setattr(jit, "_PACKAGE", toy / "ase_mlips")
    monkeypatch.setenv("XDG_CACHE_HOME", str(toy / "home"))
    blocked(toy / "ase_mlips" / "__pycache__")
    assert jit.cache_directory.__wrapped__().parent == toy / "home" / "ase_mlips"
    blocked(toy / "home")
    assert jit.cache_directory.__wrapped__() is None
    monkeypatch.setattr(config, "CACHE_DIR", str(toy / "elsewhere"))
    assert jit.cache_directory.__wrapped__().parent == toy / "elsewhere" / "ase_mlips"


@compiles
def test_kernels_work_where_nothing_can_be_written(toy):
    blocked(toy / "ase_mlips" / "__pycache__")
    blocked(toy / "home")
    assert call(toy, HOME=str(toy / "home")) == [32.0, 0, 2, None]


@compiles
def test_kernels_work_where_the_directory_is_lost_after_the_import(toy):
    lost = CALL.replace(
        "value =",
        "import shutil, warnings; warnings.simplefilter('always')\n"
        "shutil.rmtree(jit.cache_directory())\n"
        "jit.cache_directory().write_text('')\n"
        "value =",
    )
    out, err = run(toy, lost)
    assert json.loads(out)[0] == 32.0
    assert "RuntimeWarning: compiled kernels could not be kept" in err


@compiles
@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_damaged_machine_code_is_replaced(toy, ending):
    name = call(toy)[3]
    for file in toy.rglob(f"*.{ending}"):
        file.write_bytes(file.read_bytes()[:100])
    assert call(toy) == [32.0, 0, 2, name]
    assert call(toy) == [32.0, 2, 0, name]


@compiles
def test_no_cache_under_bounds_checks(toy, monkeypatch):
    assert not isinstance(jit.kernel(lambda x: x)._cache, NullCache)
    monkeypatch.setattr(config, "BOUNDSCHECK", 1)
    assert isinstance(jit.kernel(lambda x: x)._cache, NullCache)
    assert call(toy, NUMBA_BOUNDSCHECK="1")[0] == 32.0
    assert not list(toy.rglob("*.nbi"))


@compiles
def test_one_line_on_a_terminal_when_compiling(toy):
    assert terminal_output(toy).count("\n") == 1
    assert terminal_output(toy) == ""  # warm


def terminal_output(toy: Path) -> str:
    controller, terminal = pty.openpty()
    command = [sys.executable, "-c", CALL, str(toy)]
    env = environment(toy)
    process = subprocess.Popen(command, env=env, cwd=toy, stderr=terminal, stdout=subprocess.PIPE, text=True)
    out, _ = process.communicate(timeout=120)
    os.close(terminal)
    seen = b""
    while True:
        try:
            part = os.read(controller, 4096)
        except OSError:  # the end of a terminal, on Linux
            break
        if not part:
            break
        seen += part
    os.close(controller)
    assert json.loads(out)[0] == 32.0
    return seen.decode()


WARM = """
import json, sys
from numba.core.dispatcher import Dispatcher
from support import tiny_runs
tiny_runs.RUNS = {name: tiny_runs.RUNS[name] for name in ("tj2", "two_inner")}
tiny_runs.evaluations()
found = {}
for module in [m for name, m in sys.modules.items() if name.startswith("ase_mlips.")]:
    for name, value in vars(module).items():
        if isinstance(value, Dispatcher) and (value.stats.cache_hits or value.stats.cache_misses):
            found[name] = [sum(value.stats.cache_hits.values()), sum(value.stats.cache_misses.values())]
print(json.dumps(found))
"""


@compiles
def test_a_second_process_compiles_no_kernel():
    command, tests = [sys.executable, "-c", WARM], Path(__file__).parent
    for _ in range(2):
        done = subprocess.run(command, cwd=tests, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
    assert {"evaluate", "describe", "count_pairs", "build", "refresh"} <= set(found)
    assert {name: counts for name, counts in found.items() if counts != [1, 0]} == {}


# ---------------------------------------------------------------------------------------------------
# threads


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("chunks", [0, 1, 2, 3, 7, 16])
def test_each_chunk_once(chunks, threads):
    done: list[int] = []
    users = set()

    def work(first, last):
        users.add(threading.get_ident())
        done.extend(range(first, last))

    jit.run_chunks(work, chunks, threads)
    assert sorted(done) == list(range(chunks))
    assert len(users) <= threads


def test_all_chunks_run_at_the_same_time():
    together = threading.Barrier(4)
    jit.run_chunks(lambda first, last: together.wait(timeout=30), 4, 4)


@pytest.mark.parametrize("failing", range(4))
def test_errors_propagate_once_all_work_is_done(failing):
    done: list[int] = []

    def work(first, last):
        if first == failing:
            raise ValueError(f"chunk {first}")
        time.sleep(0.3 if first else 0.0)
        done.append(first)

    with pytest.raises(ValueError, match=f"chunk {failing}"):
        jit.run_chunks(work, 4, 4)
    assert sorted(done) == [c for c in range(4) if c != failing]
    done.clear()
    jit.run_chunks(lambda first, last: done.append(first), 4, 4)  # the pool is still good
    assert len(done) == 4


def test_concurrent_callers():
    def caller(seed):
        data, out = np.random.default_rng(seed).normal(size=(50, 200)), np.empty(50)

        def work(first, last):
            for chunk in range(first, last):
                out[chunk] = data[chunk].sum()

        for _ in range(20):
            out[:] = np.nan
            jit.run_chunks(work, 50, 1 + seed % 5)
            if not np.array_equal(out, data.sum(1)):
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(caller, range(16)))


FORK = """
import os, sys, threading
import ase_mlips.jit as jit
from ase_mlips.toy.kernels import entry

def total():
    parts = [0.0] * 6
    def work(first, last):
        for chunk in range(first, last):
            parts[chunk] = entry(float(chunk))
    jit.run_chunks(work, 6, 3)
    return sum(parts)

def child_agrees():
    pid = os.fork()
    if pid == 0:
        os._exit(0 if total() == 462.0 else 1)
    return os.waitpid(pid, 0)[1] == 0

assert child_agrees()  # no pool yet
assert total() == 462.0
assert child_agrees()
results = []
thread = threading.Thread(target=lambda: results.append(child_agrees()))
thread.start(); thread.join()
assert results == [True]
assert total() == 462.0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_forked_children_work_and_so_does_the_parent(toy):
    run(toy, "import warnings; warnings.simplefilter('ignore', DeprecationWarning)\n" + FORK)


# ---------------------------------------------------------------------------------------------------
# scratch


def test_scratch_belongs_to_a_thread_and_grows():
    mine = jit.scratch("test a", 10)
    assert mine.size >= 10
    assert mine.dtype == np.float64
    assert jit.scratch("test a", 4) is mine
    assert not np.shares_memory(mine, jit.scratch("test b", 10))
    longer = jit.scratch("test a", mine.size + 1)
    assert longer.size > mine.size
    assert jit.scratch("test a", 1) is longer
    with ThreadPoolExecutor(1) as pool:
        assert not np.shares_memory(longer, pool.submit(jit.scratch, "test a", 10).result())

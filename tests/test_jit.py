"""Where machine code is kept and when it is stale."""

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from numba.core import config
from numba.core.caching import NullCache
from support.toy_package import environment, make_toy, run

from ase_mlips.engine import jit, kernel_cache

compiles = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="nothing is compiled")
CALL = """
import json, sys
import ase_mlips.engine.jit as jit
from ase_mlips.toy.kernels import another, entry
assert jit.__file__.startswith(sys.argv[1])
value = entry(1.0) + another(1.0)
hits = len(entry.stats.cache_hits) + len(another.stats.cache_hits)
misses = len(entry.stats.cache_misses) + len(another.stats.cache_misses)
from ase_mlips.engine.kernel_cache import writable_directory
directory = writable_directory(jit.cache_directories())
print(json.dumps([value, hits, misses, directory and directory.name]))
"""


def call(toy: Path, **changes: str):
    out, err = run(toy, CALL, **changes)
    assert err == ""  # not a terminal
    return json.loads(out)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory) -> tuple[Path, str]:
    """A toy whose kernels are on disk, and the name of the directory that holds them."""
    folder = tmp_path_factory.mktemp("compiled")
    make_toy(folder)
    return folder, call(folder)[3]


@pytest.fixture
def name(toy, compiled) -> str:
    """The name of the directory in which `toy` has the kernels now."""
    folder, name = compiled
    shutil.copytree(folder, toy, dirs_exist_ok=True)
    return name


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
    "edited",
    ["engine/jit.py", "engine/simd.py", "engine/lanes.py", "toy/kernels.py", "toy/kernels_helper.py", "toy/layout.py"],
)
def test_name_of_the_directory_follows_every_source(toy, monkeypatch, edited):
    monkeypatch.setattr(kernel_cache, "_PACKAGE", toy / "ase_mlips")
    before = places()[0]
    assert before == places()[0]
    with (toy / "ase_mlips" / edited).open("a") as file:
        file.write("\n")
    after = places()[0]
    assert before.parent == after.parent == toy / "ase_mlips" / "__pycache__"
    assert before.name != after.name


@compiles
def test_name_of_the_directory_follows_the_options_and_the_processor(toy, monkeypatch):
    monkeypatch.setattr(kernel_cache, "_PACKAGE", toy / "ase_mlips")
    names = {places()[0].name}
    monkeypatch.setitem(jit._OPTIONS, "fastmath", {"contract"})
    names.add(places()[0].name)
    monkeypatch.setitem(jit._OPTIONS, "error_model", "python")
    names.add(places()[0].name)
    monkeypatch.setattr(config, "OPT", type(config.OPT)(1))
    names.add(places()[0].name)
    monkeypatch.setattr(config, "CPU_NAME", "generic")
    names.add(places()[0].name)
    assert len(names) == 5


def blocked(folder: Path) -> None:
    """Make it impossible, also for root, to create anything below `folder`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.write_text("")


def places() -> tuple[Path, ...]:
    """`jit.cache_directories`, as a new process finds them."""
    kernel_cache.directories.cache_clear()
    try:
        return jit.cache_directories()
    finally:
        kernel_cache.directories.cache_clear()


def place() -> Path | None:
    return kernel_cache.writable_directory(places())


@compiles
def test_other_places_where_the_first_choice_cannot_be_written(toy, monkeypatch):
    monkeypatch.setattr(kernel_cache, "_PACKAGE", toy / "ase_mlips")
    monkeypatch.setenv("XDG_CACHE_HOME", str(toy / "home"))
    blocked(toy / "ase_mlips" / "__pycache__")
    assert place().parent == toy / "home" / "ase_mlips"
    blocked(toy / "home")
    assert place() is None
    monkeypatch.setattr(config, "CACHE_DIR", str(toy / "elsewhere"))
    assert place().parent == toy / "elsewhere" / "ase_mlips"


@compiles
def test_a_home_that_is_not_known_is_not_the_working_directory(toy, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # no HOME, and no entry of the user
    assert len(places()) == 1
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert len(places()) == 1


@compiles
def test_a_warmed_place_that_lacks_a_kernel_does_not_hide_the_own_one(toy, name):
    """The place beside the package holds one kernel and cannot be written; the other is kept at home."""
    beside = toy / "ase_mlips" / "__pycache__" / name
    for file in beside.glob("*another*"):
        file.unlink()
    closed = CALL.replace(
        "import ase_mlips.engine.jit as jit\n",
        "import os; access = os.access\n"
        "os.access = lambda path, mode: '__pycache__' not in str(path) and access(path, mode)\n"
        "import ase_mlips.engine.jit as jit\n",
    )
    assert json.loads(run(toy, closed)[0]) == [32.0, 1, 1, name]
    assert json.loads(run(toy, closed)[0]) == [32.0, 2, 0, name]
    assert len(list((toy / "home" / "ase_mlips" / name).iterdir())) == 1


@compiles
@pytest.mark.skipif(not hasattr(os, "getuid"), reason="permissions of this kind are those of POSIX")
def test_kernels_that_others_could_have_written_are_not_loaded(toy, name):
    (toy / "ase_mlips" / "__pycache__" / name).chmod(0o777)
    assert call(toy) == [32.0, 0, 2, name]  # and kept at home
    assert call(toy) == [32.0, 2, 0, name]
    (toy / "home" / "ase_mlips" / name).chmod(0o775)
    assert call(toy) == [32.0, 0, 2, None]


@compiles
def test_locators_of_the_environment_do_not_take_the_cache_over(toy):
    """Numba would hand the cache to them, and they do not see an edit in another file."""
    name = call(toy, NUMBA_CACHE_LOCATOR_CLASSES="InTreeCacheLocator")[3]
    assert not list(toy.rglob("*.nbi"))
    assert call(toy, NUMBA_CACHE_LOCATOR_CLASSES="InTreeCacheLocator") == [32.0, 2, 0, name]


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
        "for place in jit.cache_directories():\n"
        "    shutil.rmtree(place, ignore_errors=True)\n"
        "    place.parent.mkdir(parents=True, exist_ok=True)\n"
        "    place.write_text('')\n"
        "value =",
    )
    out, err = run(toy, lost)
    assert json.loads(out)[0] == 32.0
    assert "RuntimeWarning: compiled kernels could not be kept" in err


def flipped(content: bytes) -> bytes:
    """The content with one bit in the middle changed."""
    changed = bytearray(content)
    changed[len(content) // 2] ^= 1
    return bytes(changed)


@compiles
@pytest.mark.parametrize("damage", [(lambda content: content[:100], lambda content: b""), (flipped, flipped)])
def test_damaged_machine_code_is_replaced(toy, name, damage):
    files = list(toy.rglob("*.kernel"))
    for file, damaged in zip(files, damage, strict=True):
        file.write_bytes(damaged(file.read_bytes()))
    assert call(toy) == [32.0, 0, 2, name]
    assert call(toy) == [32.0, 2, 0, name]


@compiles
def test_no_cache_under_bounds_checks(toy, monkeypatch):
    assert not isinstance(jit.kernel(lambda x: x)._cache, NullCache)
    monkeypatch.setattr(config, "BOUNDSCHECK", 1)
    assert isinstance(jit.kernel(lambda x: x)._cache, NullCache)
    assert call(toy, NUMBA_BOUNDSCHECK="1")[0] == 32.0
    assert not list(toy.rglob("*.kernel"))


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


FORK = """
import os, sys, threading
from ase_mlips.engine.threads import run_each
from ase_mlips.toy.kernels import entry

def total():
    parts = [0.0] * 6
    def work(chunk):
        parts[chunk] = entry(float(chunk))
    run_each(work, 6, 3)
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

"""An exception that a signal handler raises inside a call leaves nothing behind: the next call is right."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import ase_mlips.analysis
import numpy as np
import pytest
from ase import Atoms
from ase_mlips.analysis import adf, mean_squared_displacement, rdf, vacf
from numba.core import config, event
from support.ace_models import synthetic_ace_models
from support.collector import collector_off
from support.mtp_models import synthetic_mtp_model
from support.nep_models import synthetic_nep_models
from support.pod_models import synthetic_pod_model
from support.snap_models import synthetic_models
from support.toy_package import run

from ase_mlips import ACE, MTP, NEP, POD, SNAP
from ase_mlips.calculator import PotentialCalculator
from ase_mlips.engine.jit import device
from ase_mlips.engine.threads import _Crew, run_each

compiles = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="nothing is compiled")
PACKAGE = str(Path(ase_mlips.__file__).parent), str(Path(ase_mlips.analysis.__file__).parent)
TWO_CHUNKS = 288  # atoms
SNAP_MODEL, NEP_MODELS = synthetic_models()["two"], synthetic_nep_models()
CALCULATORS: dict[str, Callable[..., PotentialCalculator]] = {
    "snap": lambda **options: SNAP(SNAP_MODEL, **options),
    "nep": lambda **options: NEP(NEP_MODELS["nep4"], **options),
    "charges": lambda **options: NEP(NEP_MODELS["charge3"], **options),
    "ace": lambda **options: ACE(synthetic_ace_models()["two"], **options),
    "mtp": lambda **options: MTP(synthetic_mtp_model("l16"), **options),
    "pod": lambda **options: POD(synthetic_pod_model("two"), **options),
}
GETTERS: dict[str, tuple[str, ...]] = {
    "snap": ("get_virials", "get_descriptors"),
    "nep": ("get_descriptors", "get_latent_space"),
    "charges": ("get_charges", "get_born_effective_charges"),
    "ace": ("get_virials", "get_descriptors"),
    "mtp": ("get_virials", "get_descriptors"),
    "pod": ("get_virials", "get_descriptors"),
}


class Struck(BaseException):
    """What the handler raises."""


def structure(calculator: PotentialCalculator, count: int, seed: int) -> Atoms:
    """A disordered crystal, whose seed decides all positions, so that the neighbour list is built anew."""
    rng = np.random.default_rng(seed)
    side = int(np.ceil(count ** (1 / 3)))
    sites = np.array(list(np.ndindex(side, side, side)), float)[:count] * 2.6
    elements = calculator.potential.elements
    names = [elements[k % len(elements)] for k in range(count)]
    return Atoms(names, sites + rng.normal(scale=0.1, size=sites.shape), cell=[2.6 * side] * 3, pbc=True)


def everything(name: str, calculator: PotentialCalculator, atoms: Atoms) -> list[np.ndarray]:
    found = [calculator.get_property(key, atoms) for key in ("forces", "energies", "stresses")]
    return [*found, *(getattr(calculator, getter)(atoms) for getter in GETTERS[name])]


def require_right(name: str, calculator: PotentialCalculator, atoms: Atoms, expected: list[np.ndarray]) -> None:
    for mine, right in zip(everything(name, calculator, atoms), expected, strict=True):
        np.testing.assert_allclose(mine, right, rtol=1e-9, atol=1e-9)  # a list that is kept sums in another order


@contextmanager
def strike_at(point: int, *, opcodes: bool) -> Iterator[None]:
    """Raise `Struck` at that line, or instruction, of the package's code, counted from here."""
    passed = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal passed
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        frame.f_trace_opcodes = opcodes
        if event == ("opcode" if opcodes else "line"):
            passed += 1
            if passed == point:
                raise Struck
        return trace

    previous = sys.gettrace()
    with collector_off():
        sys.settrace(trace)
        try:
            yield
        finally:
            sys.settrace(previous)


@pytest.mark.parametrize("name", CALCULATORS)
@pytest.mark.parametrize(("opcodes", "stride"), [(False, 1), (True, 11)])
@pytest.mark.parametrize("other", [8, 12])
def test_at_every_line_and_at_many_instructions(name, opcodes, stride, other):
    """The call is for other positions of as many atoms, which build the list anew, or for more atoms."""
    calculator = CALCULATORS[name](num_threads=1)
    before, struck = structure(calculator, 8, 0), structure(calculator, other, 1)
    expected = [everything(name, CALCULATORS[name](), atoms) for atoms in (before, struck)]
    for point in range(1, 10_000, stride):
        calculator.get_forces(before)
        try:
            with strike_at(point, opcodes=opcodes):
                everything(name, calculator, struck)
            break
        except Struck:
            pass
        require_right(name, calculator, struck if point % 2 else before, expected[point % 2])
    assert point > 50 * stride


ANALYSES: dict[str, Callable[[list[Atoms]], np.ndarray]] = {
    "rdf": lambda frames: rdf(frames, r_max=4.0).g,
    "adf": lambda frames: adf(frames, 3.0).total,
    "vacf": lambda frames: vacf(frames, timestep_fs=1.0).total,
    "msd": lambda frames: mean_squared_displacement(frames, timestep_fs=1.0).directional,
}


@pytest.mark.parametrize("name", ANALYSES)
def test_the_analysis_at_many_lines(name):
    rng = np.random.default_rng(0)
    frames = [structure(SNAP.embedded("Si"), 27, seed) for seed in range(30)]
    for atoms in frames:
        atoms.set_velocities(rng.normal(size=(27, 3)))
    analysis = ANALYSES[name]
    expected = analysis(frames)
    for point in np.unique(np.geomspace(1, 1e6, 150).astype(int)):
        try:
            with strike_at(point, opcodes=False):
                analysis(frames)
            break
        except Struck:
            pass
        np.testing.assert_array_equal(analysis(frames), expected)
    assert point > 100


@contextmanager
def alarms(delay: float, again: float = 0.0) -> Iterator[None]:
    """After `delay` seconds a handler raises `Struck` within the package, and then twice more `again` seconds later."""
    left = 3

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal left
        while frame is not None and not frame.f_code.co_filename.startswith(PACKAGE):
            frame = frame.f_back
        if frame is not None:
            left -= 1
            signal.setitimer(signal.ITIMER_REAL, again if left else 0.0)
            raise Struck

    previous = signal.signal(signal.SIGALRM, handle)
    with collector_off():
        signal.setitimer(signal.ITIMER_REAL, max(delay, 1e-6))
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            signal.signal(signal.SIGALRM, previous)


has_alarms = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no interval timers on this system")


@has_alarms
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # raised while Python frees an object
@pytest.mark.parametrize("num_threads", [1, 2, 3])
@pytest.mark.parametrize("name", CALCULATORS)
def test_at_random_times(name, num_threads):
    rng = np.random.default_rng(num_threads)
    calculator = CALCULATORS[name](num_threads=num_threads)
    frames = [structure(calculator, TWO_CHUNKS, seed) for seed in range(2)]
    expected = [CALCULATORS[name]().get_forces(atoms) for atoms in frames]
    duration = min(timed(lambda k=k: calculator.get_forces(frames[k % 2])) for k in range(4))
    struck = trial = 0
    while struck < 20 and trial < 500:
        trial += 1
        try:
            with alarms(rng.uniform(0.0, 1.1 * duration), again=2e-5 if trial % 3 == 0 else 0.0):
                calculator.get_forces(frames[trial % 2])
        except Struck:
            struck += 1
        np.testing.assert_allclose(calculator.get_forces(frames[trial % 2]), expected[trial % 2], atol=1e-9)
    assert struck == 20


def test_at_every_instruction_of_sharing_the_work():
    """Also in what it calls: a lock that stays locked there would hold the next call for ever."""
    done = np.zeros(3)

    def work(number: int) -> None:
        done[number] += 1

    def strikes(point: int) -> bool:
        passed = 0

        def trace(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal passed
            frame.f_trace_opcodes = True
            if event == "opcode":
                passed += 1
                if passed == point:
                    raise Struck
            return trace

        previous = sys.gettrace()
        with collector_off():
            sys.settrace(trace)
            try:
                run_each(work, 3, 3)
            except Struck:
                return True
            finally:
                sys.settrace(previous)
        return False

    point = 1
    while strikes(point):
        point += 1
        done[:] = 0
        run_each(work, 3, 3)
        np.testing.assert_array_equal(done, 1)
    assert point > 100


def timed(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


@has_alarms
def test_nobody_is_at_work_when_the_signal_reaches_the_caller():
    """Also when more signals come while the first one waits for the threads."""
    at_work, lock = [0], threading.Lock()

    def work(number: int) -> None:
        if number == 0:
            while True:
                time.sleep(0.001)
        with lock:
            at_work[0] += 1
        time.sleep(0.2)
        with lock:
            at_work[0] -= 1

    def call() -> None:
        try:
            run_each(work, 4, 4)
        finally:
            assert at_work[0] == 0

    for _ in range(3):
        with pytest.raises(Struck), alarms(0.05, again=0.01):
            call()


@pytest.mark.parametrize("further", [0, 1, 2])
def test_nobody_is_at_work_whose_dismissal_is_struck(monkeypatch, further):
    """A signal that waits for Python to call its handler strikes where the next function begins."""
    began, at_work, dismiss, left = threading.Event(), [], _Crew.dismiss, further

    def work(number: int) -> None:
        if number == 0:
            assert began.wait(60.0)
            raise Struck
        at_work.append(number)
        began.set()
        time.sleep(0.2)
        at_work.remove(number)

    def struck(crew: _Crew) -> None:
        nonlocal left
        if left:
            left -= 1
            raise Struck
        dismiss(crew)

    def call() -> None:
        try:
            run_each(work, 2, 2)
        finally:
            assert at_work == []

    monkeypatch.setattr(_Crew, "dismiss", struck)
    with pytest.raises(Struck):
        call()
    assert left == 0


COMPILE = """
import json, signal, sys
from ase_mlips.toy.kernels import another, entry

class Struck(Exception): pass

def handle(number, frame):
    raise Struck

signal.signal(signal.SIGALRM, handle)
values = []
for function in (entry, another):
    try:
        signal.setitimer(signal.ITIMER_REAL, float(sys.argv[2]))
        function(1.0)
        signal.setitimer(signal.ITIMER_REAL, 0.0)
    except Struck:
        pass
    values.append(function(1.0))
assert signal.getsignal(signal.SIGALRM) is handle
print(json.dumps(values))
"""


@has_alarms
@compiles
@pytest.mark.parametrize("delay", ["0.0005", "0.02", "0.1", "0.2"])
def test_while_a_kernel_is_compiled_or_loaded(toy, delay):
    """The first process compiles, the second finds the machine code on disk."""
    for _ in range(2):
        out, err = run(toy, COMPILE, delay)
        assert (json.loads(out), err) == ([32.0, 0.0], "")


@compiles
def test_ctrl_c_waits_until_a_kernel_is_compiled():
    """Otherwise it would come where LLVM calls back, and get lost or end in a crash."""

    def add_one(x):
        return x + 1

    add_one.__module__ = "ase_mlips.of_a_test"
    compiled, heard = device(add_one), []

    class Impatient(event.Listener):
        def on_start(self, happening):
            signal.raise_signal(signal.SIGINT)
            heard.append(happening)

        def on_end(self, happening):
            pass

    before = signal.getsignal(signal.SIGINT)
    with event.install_listener("numba:compile", Impatient()), pytest.raises(KeyboardInterrupt):
        compiled(1)
    assert len(heard) == len(compiled.signatures) == 1
    assert signal.getsignal(signal.SIGINT) is before

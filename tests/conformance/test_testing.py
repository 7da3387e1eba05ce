"""The kit catches what it says it catches: each faulty calculator fails exactly the checks named beside it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import nullcontext

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.calculator import all_changes
from support.morse import MorseCalculator

from ase_mlips import checks
from ase_mlips.testing import Check, Report, check_calculator


@pytest.fixture
def atoms():
    atoms = bulk("Cu", cubic=True)
    atoms.symbols[2] = "Au"
    atoms.rattle(0.1, seed=3)
    return atoms


class Altered(MorseCalculator):
    """Applies `alter` to the results of every calculation."""

    def calculate(self, *args, **kwargs):
        super().calculate(*args, **kwargs)
        self.alter(self.results)

    def alter(self, results):
        raise NotImplementedError


class ForceSign(Altered):
    def alter(self, results):
        results["forces"] = -results["forces"]


class StressSign(Altered):
    def alter(self, results):
        if "stress" in results:
            results["stress"], results["stresses"] = -results["stress"], -results["stresses"]


class VoigtOrder(Altered):
    def alter(self, results):
        if "stress" in results:
            order = [0, 1, 2, 5, 4, 3]
            results["stress"], results["stresses"] = results["stress"][order], results["stresses"][:, order]


class ExtensiveStresses(Altered):
    def alter(self, results):
        if "stresses" in results:
            results["stresses"] = results["stresses"] * len(results["energies"])


class FreeEnergy(Altered):
    def alter(self, results):
        results["free_energy"] += 0.1


class ShiftedEnergies(Altered):
    def alter(self, results):
        results["energies"] = results["energies"] + 0.01


class UnknownKey(Altered):
    def alter(self, results):
        results["virials"] = np.zeros((len(results["energies"]), 3, 3))


class Origin(Altered):
    """Has a term that singles out a direction and the origin."""

    def alter(self, results):
        results["energy"] = results["free_energy"] = results["energy"] + 1e-3 * self._last.positions[:, 0].sum()


class Images(Altered):
    """Loses atoms that are more than one cell away from the cell."""

    def alter(self, results):
        if self._last.pbc.all():
            turns = np.floor(np.linalg.solve(self._last.cell.T, self._last.positions.T).T)
            results["forces"] = np.where(np.abs(turns).max(1, keepdims=True) > 1.0, 0.0, results["forces"])


class Handedness(Altered):
    def alter(self, results):
        if np.linalg.det(self._last.cell) < 0.0:
            results["forces"] = -results["forces"]


class FirstAtom(Altered):
    def alter(self, results):
        if len(results["energies"]):
            results["energies"] = results["energies"] + 0.1 * np.eye(len(results["energies"]))[0]


class NeedsTwoAtoms(MorseCalculator):
    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        if len(atoms) < 2:
            raise RuntimeError("too few atoms")
        super().calculate(atoms, properties, system_changes)


class AlwaysPeriodic(MorseCalculator):
    def _updated(self, snapshot):
        snapshot.pbc = snapshot.cell.any(1)
        return super()._updated(snapshot)


class ShapeOfStress(Altered):
    def alter(self, results):
        if "stress" in results:
            results["stresses"] = np.zeros((len(results["energies"]), 3, 3))


class StressOfAnything(Altered):
    def alter(self, results):
        results.setdefault("stress", np.zeros(6))


class Shared(MorseCalculator):
    """Hands out its own arrays."""

    def get_property(self, name, atoms=None, allow_calculation=True):
        with self._lock:  # else another thread's results may be handed out, which is another fault
            super().get_property(name, atoms, allow_calculation)
            return self.results.get(name) if allow_calculation or self.results else None


class Wrapping(MorseCalculator):
    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        atoms.positions += atoms.cell.array[0]


class Forgetful(MorseCalculator):
    def check_state(self, atoms, tol=1e-15):
        return list(all_changes)


class Charged(MorseCalculator):
    def check_state(self, atoms, tol=1e-15):
        return super().check_state(atoms) + (["initial_charges"] if atoms.has("initial_charges") else [])


class Blind(MorseCalculator):
    """Does not look at the cell."""

    def check_state(self, atoms, tol=1e-15):
        return [name for name in super().check_state(atoms) if name != "cell"]


class NanToZero(MorseCalculator):
    def _updated(self, snapshot):
        snapshot.positions = np.nan_to_num(snapshot.positions)
        return super()._updated(snapshot)


class Unpicklable(MorseCalculator):
    def __init__(self):
        super().__init__()
        self.helper = lambda: None


class SharedCopies(MorseCalculator):
    def __deepcopy__(self, memo):
        return self


class Unlocked(MorseCalculator):
    def _renew(self):
        super()._renew()
        self._lock = nullcontext()

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        time.sleep(1e-3)  # long enough for other threads to lay their results over these


class Crashing(MorseCalculator):
    """Ends its process as a fault in compiled code does, when another thread is at work in it."""

    _working = False

    def _renew(self):
        super()._renew()
        self._lock = nullcontext()

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        if self._working:
            os.kill(os.getpid(), signal.SIGSEGV)
        self._working = True
        try:
            time.sleep(1e-3)
            super().calculate(atoms, properties, system_changes)
        finally:
            self._working = False


class Leaving(Crashing):
    """Ends its process in order."""

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        if threading.current_thread() is not threading.main_thread():
            os._exit(3)
        super().calculate(atoms, properties, system_changes)


class Verbose(MorseCalculator):
    def _describe(self):
        return "x" * 200


class NotJson(MorseCalculator):
    def todict(self, skip_default=True):
        return {"potential": self.potential}


class NoReset(MorseCalculator):
    def reset(self):
        pass


class ForcesOnly(MorseCalculator):
    implemented_properties = ("energy", "free_energy", "forces")


class EnergyOnly(MorseCalculator):
    implemented_properties = ("energy",)


GRADIENTS = {"forces are minus the gradient", "stress is the strain derivative", "energies sum to energy"}
CACHE = {"one calculation for all getters", "charges and moments are ignored", "calculate and reset", "trajectory file"}
FAULTS = {
    ForceSign: {"forces are minus the gradient"},
    StressSign: {"stress is the strain derivative"},
    VoigtOrder: {"stress is the strain derivative", "rotation"},
    ExtensiveStresses: {"stresses sum to stress"},
    FreeEnergy: {"free energy equals energy"},
    ShiftedEnergies: {"energies sum to energy"},
    ShapeOfStress: {"implemented properties", "stresses sum to stress"},
    UnknownKey: {"known results only"},
    Origin: GRADIENTS | {"translation", "rotation", "supercell", "cell smaller than the cutoff"},
    Images: {"atoms outside the cell"},
    Handedness: {"left handed cell"},
    FirstAtom: {"energies sum to energy", "permutation", "supercell"},
    NeedsTwoAtoms: {"cell smaller than the cutoff", "isolated atom", "zero atoms"},
    AlwaysPeriodic: {"pbc of each axis", "no cell"},
    StressOfAnything: {"no stress without a volume"},
    Shared: {"fresh arrays"},
    Wrapping: CACHE | {"atoms are not modified"},
    Forgetful: CACHE,
    Charged: {"charges and moments are ignored"},
    Blind: {"every change is seen"},
    NanToZero: {"nan is refused"},
    Unpicklable: {"pickle and deepcopy"},
    SharedCopies: {"pickle and deepcopy"},
    Unlocked: {"threads"},
    Verbose: {"todict is json and repr short"},
    NotJson: {"todict is json and repr short", "trajectory file"},
    NoReset: {"calculate and reset"},
}


@pytest.mark.parametrize("faulty", FAULTS)
def test_a_fault_fails_the_checks_about_it_and_no_other(atoms, faulty):
    assert set(check_calculator(faulty, atoms).failed) == FAULTS[faulty]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere all checks run in this process")
@pytest.mark.parametrize(
    ("faulty", "how"), [(Crashing, "by SIGSEGV"), (Leaving, "with exit status 3")], ids=["signal", "exit"]
)
def test_a_crash_is_a_failed_check_and_not_the_end(atoms, faulty, how):
    seen = []
    report = check_calculator(lambda: faulty(), atoms, report=seen.append)
    assert report.failed == ("threads",)
    assert report.checks == tuple(seen)
    assert seen[-1].name == "threads"
    assert seen[-1].detail == f"the calculator ended its process {how}, as one that is not safe for this may"
    assert str(seen[-1]).startswith("FAILED  threads  ")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere all checks run in this process")
def test_a_check_without_an_end_is_ended(monkeypatch):
    monkeypatch.setattr(checks, "_PATIENCE", 0.2)
    check = checks.run_apart("threads", lambda: time.sleep(60.0))
    assert not check.passed
    assert check.detail == "no end after 0.2 s, as where threads wait for each other"
    monkeypatch.setattr(checks.select, "select", interrupt)
    with pytest.raises(KeyboardInterrupt):
        checks.run_apart("threads", lambda: time.sleep(60.0))


def interrupt(*_):
    raise KeyboardInterrupt


def test_there_is_a_fault_for_every_check(atoms):
    names = {check.name for check in check_calculator(MorseCalculator, atoms).checks}
    assert names == set().union(*FAULTS.values())


def test_what_a_calculator_does_not_offer_is_not_checked(atoms):
    report = check_calculator(ForcesOnly, atoms)
    report.raise_on_failure()
    details = {check.name: check.detail for check in report.checks if check.detail}
    assert details == {
        "energies sum to energy": "not offered: energies",
        "stresses sum to stress": "not offered: stress, stresses",
        "stress is the strain derivative": "not offered: stress",
        "no stress without a volume": "not offered: stress",
    }


def test_a_calculator_without_forces_fails(atoms):
    assert "implemented properties" in check_calculator(EnergyOnly, atoms).failed


def test_the_report_is_a_table_and_raises(atoms):
    report = Report((Check("first", True, ""), Check("second", False, "off by 1")))
    assert report.failed == ("second",)
    assert str(report).splitlines() == [
        "ok      first",
        f"FAILED  {'second':32}  off by 1",
        "1 of 2 checks failed",
    ]
    with pytest.raises(AssertionError, match="off by 1"):
        report.raise_on_failure()
    Report(report.checks[:1]).raise_on_failure()


def test_tolerance_is_what_a_deviation_may_be(atoms):
    assert check_calculator(FreeEnergy, atoms, tolerance=0.2).failed == ()


def test_arguments_are_checked(atoms):
    with pytest.raises(ValueError, match=r"skip: expected names out of .*got .'nonsense'"):
        check_calculator(MorseCalculator, atoms, skip=["nonsense"])
    atoms.pbc = False
    with pytest.raises(ValueError, match="three periodic axes"):
        check_calculator(MorseCalculator, atoms)


def test_skipped_checks_are_left_out(atoms):
    names = [check.name for check in check_calculator(MorseCalculator, atoms, skip=["threads"]).checks]
    assert "threads" not in names
    assert "rotation" in names

"""The same calculations here and on an executor."""

import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.calculator import CalculationFailed
from ase.calculators.emt import EMT
from support.morse import MorseCalculator

from ase_mlips.phonons import phonons
from ase_mlips.runs import elastic_constants, equation_of_state, evaluate_all, minimum_energy_path, on_executor
from ase_mlips.runs.executors import in_order


@pytest.fixture
def executor():
    with ThreadPoolExecutor(2) as pool, on_executor(pool):
        yield pool


@pytest.fixture
def copper():
    return bulk("Cu", "fcc", a=3.33)


def test_volumes(copper, request):
    here = equation_of_state(copper, MorseCalculator(), relax="none")
    request.getfixturevalue("executor")
    there = equation_of_state(copper, MorseCalculator(), relax="none")
    np.testing.assert_array_equal(here.energies, there.energies)


def test_strains(copper, request):
    here = elastic_constants(copper, MorseCalculator(), strain=0.005)
    request.getfixturevalue("executor")
    there = elastic_constants(copper, MorseCalculator(), strain=0.005)
    np.testing.assert_array_equal(here.tensor, there.tensor)


def test_supercells(copper, request):
    here = phonons(copper, MorseCalculator(), supercell=6, relaxed=None)
    request.getfixturevalue("executor")
    there = phonons(copper, MorseCalculator(), supercell=6, relaxed=None)
    np.testing.assert_allclose(here.force_constants, there.force_constants, atol=1e-10)


def test_images(request):
    first = bulk("Cu", "fcc", a=3.33, cubic=True) * 2
    last = first.copy()
    last.positions[1] = first.positions[0]
    del first[0], last[0]
    here = minimum_energy_path(first, last, MorseCalculator(), images=2, fmax=0.2)
    request.getfixturevalue("executor")
    there = minimum_energy_path(first, last, MorseCalculator(), images=2, fmax=0.2)
    assert there.barrier == pytest.approx(here.barrier, abs=1e-9)
    assert here.converged


def test_a_calculator_that_cannot_be_sent(copper, executor):
    calc = EMT()
    calc.set_label = lambda: None
    with pytest.raises(ValueError, match="EMT cannot be sent to the processes of an executor: "):
        evaluate_all([copper], calc)


def test_structures(copper, executor):
    cells = [copper, copper * 2, copper * (3, 1, 1)]
    found = evaluate_all(cells, MorseCalculator())
    for atoms, there in zip(cells, found, strict=True):
        atoms.calc = MorseCalculator()
        assert there.get_potential_energy() == atoms.get_potential_energy()
        np.testing.assert_array_equal(there.get_forces(), atoms.get_forces())
        np.testing.assert_array_equal(there.get_stress(), atoms.get_stress())
    with pytest.raises(Exception, match="covers only") as raised:
        evaluate_all([copper, bulk("Si")], MorseCalculator())
    assert raised.value.__notes__ == ["structure 1"]


def _half(number: int) -> float:
    if number == 2:
        raise CalculationFailed("two")
    return 0.5 * number


def test_tasks_in_their_order():
    with ThreadPoolExecutor(2) as executor:
        assert in_order(executor, _half, [5, 1, 3]) == [2.5, 0.5, 1.5]
        with pytest.raises(CalculationFailed, match="two"):
            in_order(executor, _half, [1, 2, 3])


def test_a_process_that_dies_is_said():
    pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
    with pool, pytest.raises(RuntimeError, match="a process of the pool has died"):
        in_order(pool, os._exit, [1])

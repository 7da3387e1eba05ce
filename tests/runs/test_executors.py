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

from ase_mlips import SNAP
from ase_mlips.fit import fit_snap, read_frames, snap_template
from ase_mlips.phonons import phonons
from ase_mlips.runs import elastic_constants, equation_of_state, evaluate_all, minimum_energy_path, on_executor
from ase_mlips.runs.executors import map_with


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


def test_supercells(request):
    silicon, calc = bulk("Si", cubic=True), SNAP.embedded("Si")
    here = phonons(silicon, calc, supercell=2)
    request.getfixturevalue("executor")
    there = phonons(silicon, calc, supercell=2)
    np.testing.assert_allclose(here.phonopy.force_constants, there.phonopy.force_constants, atol=1e-10)


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


def _half(calc, number: int) -> float:
    if number == 2:
        raise CalculationFailed("two")
    return 0.5 * number


def _die(calc, number: int) -> None:
    os._exit(1)


def test_tasks_in_their_order(executor):
    assert list(map_with(_half, None, [5, 1, 3])) == [2.5, 0.5, 1.5]
    assert list(map_with(_half, None, range(100, 300))) == [0.5 * k for k in range(100, 300)]
    with pytest.raises(CalculationFailed, match="two"):
        list(map_with(_half, None, [1, 2, 3]))


def test_a_process_that_dies_is_said():
    pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
    with pool, on_executor(pool), pytest.raises(RuntimeError, match="a process of the pool has died"):
        list(map_with(_die, None, [1]))


def test_a_linear_fit():
    """More frames than one chunk has: the same coefficients, bit by bit."""
    rng = np.random.default_rng(1)
    frames = []
    for _ in range(150):
        atoms = bulk("Cu", "fcc", a=3.33)
        atoms.set_cell(atoms.cell.array + 0.05 * rng.standard_normal((3, 3)), scale_atoms=True)
        atoms.calc = MorseCalculator()
        atoms.get_forces()
        frames.append(atoms)
    template = snap_template(["Cu"], radii=[0.5], rcutfac=4.0, twojmax=2)
    here = fit_snap(template, read_frames(frames))
    with ThreadPoolExecutor(2) as pool, on_executor(pool):
        there = fit_snap(template, read_frames(frames))
    np.testing.assert_array_equal(here.solution.coefficients, there.solution.coefficients)

"""What a calculator remembers: changes it sees, arrays and atoms it keeps, copies, threads and children."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from ase import Atoms
from ase.constraints import FixAtoms
from support import morse
from support.morse import MorseCalculator


@pytest.fixture
def atoms() -> Atoms:
    return morse.crystal()


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("positions", lambda atoms: atoms.positions.__setitem__((3, 1), np.nextafter(atoms.positions[3, 1], 9.0))),
        ("numbers", lambda atoms: atoms.numbers.__setitem__(0, 79)),
        ("cell", lambda atoms: atoms.set_cell(atoms.cell * 1.01)),
        ("pbc", lambda atoms: atoms.set_pbc([True, False, True])),
    ],
)
def test_every_change_is_seen_to_the_last_bit(atoms, what, change):
    atoms.get_forces()
    assert atoms.calc.check_state(atoms) == []
    change(atoms)
    assert atoms.calc.check_state(atoms) == [what]
    assert atoms.calc.calculation_required(atoms, ["energy"])
    forces = atoms.get_forces()
    assert atoms.calc.potential.calls == 2
    atoms.calc = MorseCalculator()
    np.testing.assert_array_equal(forces, atoms.get_forces())


def test_charges_moments_and_other_arrays_are_ignored(atoms):
    atoms.get_forces()
    atoms.set_initial_charges(np.ones(8))
    atoms.set_initial_magnetic_moments(np.ones(8))
    atoms.set_tags(range(8))
    atoms.get_forces()
    assert atoms.calc.potential.calls == 1


def test_getters_return_fresh_arrays(atoms):
    getters = [atoms.get_forces, atoms.get_stress, atoms.get_stresses, atoms.get_potential_energies]
    getters += [lambda: atoms.calc.get_virials(atoms), lambda: atoms.calc.get_heat_flux(atoms)]
    for getter in getters:
        first = getter()
        expected = first.copy()
        first[:] = 1e6
        np.testing.assert_array_equal(getter(), expected)


def test_every_calculation_makes_a_new_results_dict(atoms):
    atoms.get_forces()
    before, forces = atoms.calc.results, atoms.calc.results["forces"].copy()
    atoms.rattle(0.1)
    atoms.get_forces()
    assert atoms.calc.results is not before
    np.testing.assert_array_equal(before["forces"], forces)


def test_input_atoms_are_not_modified(atoms):
    atoms.positions += 3.0 * atoms.cell[1]
    atoms.set_constraint(FixAtoms([0]))
    atoms.info["name"] = "as given"
    before = copy.deepcopy(atoms.todict())
    for getter in (atoms.get_stress, atoms.get_forces, atoms.get_potential_energies):
        getter()
    after = atoms.todict()
    assert before.keys() == after.keys()
    for name in before.keys() - {"constraints", "info"}:
        np.testing.assert_array_equal(before[name], after[name])


def test_calc_atoms_is_a_copy_of_the_last_input(atoms):
    atoms.set_constraint(FixAtoms([0]))
    atoms.set_tags(range(8))
    atoms.set_momenta(np.ones((8, 3)))
    atoms.info["frame"] = 7
    expected = atoms.copy()
    atoms.get_forces()
    atoms.positions += 1.0
    atoms.arrays["tags"][:] = 0
    last = atoms.calc.atoms
    assert type(last) is Atoms
    assert last is atoms.calc.atoms
    assert last == expected
    for name in expected.arrays:
        np.testing.assert_array_equal(last.arrays[name], expected.arrays[name])
    assert last.info == {"frame": 7}
    assert last.constraints[0].index.tolist() == [0]
    assert atoms.calc.get_atoms() == expected


def test_reset_forgets(atoms):
    atoms.get_forces()
    atoms.calc.reset()
    assert atoms.calc.results == {}
    assert atoms.calc.atoms is None
    assert atoms.calc.get_property("forces", atoms, allow_calculation=False) is None
    atoms.get_forces()
    assert atoms.calc.potential.calls == 2


def test_emptied_results_are_calculated_again(atoms):
    energy = atoms.get_potential_energy()
    atoms.calc.results.clear()
    assert atoms.get_potential_energy() == energy
    assert atoms.calc.potential.calls == 2


def test_atoms_and_results_can_be_put_in_by_hand(atoms):
    atoms.calc.atoms = atoms.copy()
    atoms.calc.results = {"energy": 1.5}
    assert atoms.get_potential_energy() == 1.5
    assert atoms.get_forces().shape == (8, 3)
    assert atoms.get_potential_energy() != 1.5


@pytest.mark.parametrize("duplicate", [lambda c: pickle.loads(pickle.dumps(c)), copy.deepcopy])
def test_copies_are_complete_and_independent(atoms, duplicate):
    expected = atoms.get_forces()
    other = duplicate(atoms.calc)
    np.testing.assert_array_equal(other.get_forces(atoms), expected)
    assert other.potential.calls == 1
    assert other.atoms == atoms
    moved = atoms.copy()
    moved.rattle(0.2)
    other.get_forces(moved)
    np.testing.assert_array_equal(atoms.get_forces(), expected)
    assert atoms.calc.potential.calls == 1


def test_several_threads_may_share_a_calculator(atoms):
    frames = [atoms.copy() for _ in range(4)]
    for seed, frame in enumerate(frames):
        frame.rattle(0.1, seed=seed)
    expected = [MorseCalculator().get_forces(frame) for frame in frames]
    with ThreadPoolExecutor(4) as pool:
        forces = list(pool.map(lambda k: atoms.calc.get_forces(frames[k % 4]), range(100)))
    np.testing.assert_allclose(forces, expected * 25, atol=1e-12)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_calculates_although_another_thread_held_the_lock(atoms):
    expected = atoms.get_forces()
    calculator = atoms.calc
    held, release = threading.Event(), threading.Event()

    def hold():
        with calculator._lock:
            held.set()
            release.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    atoms.positions[0] += 0.1
    child = context.Process(target=lambda: sender.send(calculator.get_forces(atoms)))
    child.start()
    answered = receiver.poll(60.0)
    release.set()
    thread.join()
    if not answered:
        child.kill()
    child.join()
    assert answered
    forces = receiver.recv()
    np.testing.assert_allclose(forces, atoms.get_forces(), atol=1e-13)
    assert np.abs(forces - expected).max() > 1e-3

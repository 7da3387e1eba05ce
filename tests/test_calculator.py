"""ASE's calculator contract, line by line, with a potential that is a few lines of NumPy."""

from __future__ import annotations

import copy
import json
import multiprocessing
import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.calculator import (
    CalculationFailed,
    CalculatorSetupError,
    InputError,
    PropertyNotImplementedError,
    get_calculator_class,
)
from ase.constraints import FixAtoms
from ase.db import connect
from ase.io import Trajectory
from support.morse import Morse, MorseCalculator

import ase_mlips.calculator
from ase_mlips.calculator import PotentialCalculator, load
from ase_mlips.potential import Evaluation


@pytest.fixture
def atoms() -> Atoms:
    atoms = bulk("Cu", cubic=True) * (2, 1, 1)
    atoms.symbols[[1, 4]] = "Au"
    atoms.rattle(0.1, seed=1)
    atoms.calc = MorseCalculator()
    return atoms


@pytest.fixture
def cluster() -> Atoms:
    atoms = Atoms("Cu2AuCu", [[0.0, 0.0, 0.0], [2.4, 0.3, 0.0], [0.2, 2.7, 0.4], [1.0, 1.1, 2.2]])
    atoms.set_velocities(np.random.default_rng(5).normal(scale=0.04, size=(4, 3)))
    atoms.calc = MorseCalculator()
    return atoms


class Spoiled(Morse):
    """Gives NaN in one array once `name` is set."""

    name = ""

    def evaluate(self, neighbors, species, num_threads=1):
        evaluation = super().evaluate(neighbors, species, num_threads)
        if self.name:
            getattr(evaluation, self.name)[2] = np.nan
        return evaluation


def test_results_hold_only_what_ase_knows_in_its_shapes(atoms):
    atoms.get_forces()
    shapes = {name: np.shape(value) for name, value in atoms.calc.results.items()}
    assert shapes == {
        "energy": (),
        "free_energy": (),
        "energies": (8,),
        "forces": (8, 3),
        "stress": (6,),
        "stresses": (8, 6),
    }
    assert type(atoms.calc.results["energy"]) is float
    assert atoms.calc.export_properties()["energy"] == atoms.get_potential_energy()


def test_results_are_those_of_the_potential(atoms):
    calculator = atoms.calc
    evaluation = calculator.potential.evaluate(*calculator._neighbors(atoms))
    stress = -evaluation.virials.sum(0) / atoms.get_volume()
    assert atoms.get_potential_energy() == pytest.approx(evaluation.energies.sum(), rel=1e-14)
    assert atoms.get_potential_energy(force_consistent=True) == atoms.get_potential_energy()
    np.testing.assert_array_equal(atoms.get_potential_energies(), evaluation.energies)
    np.testing.assert_array_equal(atoms.get_forces(), evaluation.forces)
    np.testing.assert_array_equal(calculator.get_virials(atoms), evaluation.virials)
    np.testing.assert_allclose(atoms.get_stress(voigt=False), (stress + stress.T) / 2, atol=1e-15)
    np.testing.assert_allclose(atoms.get_stresses().sum(0), atoms.get_stress(), atol=1e-15)


def test_stresses_are_symmetrised_virials_over_the_volume(cluster):
    cluster.set_cell([[7.0, 0.0, 0.5], [0.3, -8.0, 0.0], [0.0, 1.0, 9.0]])
    virials = cluster.calc.get_virials(cluster)
    assert np.abs(virials - virials.transpose(0, 2, 1)).max() > 1e-3
    expected = -(virials + virials.transpose(0, 2, 1)) / (2.0 * cluster.get_volume())
    np.testing.assert_allclose(cluster.get_stresses(voigt=False), expected, atol=1e-16)


def test_energy_of_many_atoms_is_summed_with_compensation():
    class Constant(Morse):
        def evaluate(self, neighbors, species, num_threads=1):
            n = len(species)
            return Evaluation(np.full(n, 0.1), np.zeros((n, 3)), np.zeros((n, 3, 3)))

    atoms = Atoms("Cu100000", cell=np.full(3, 200.0))
    atoms.positions = np.random.default_rng(0).uniform(0.0, 200.0, (100000, 3))
    atoms.calc = PotentialCalculator(Constant())
    assert atoms.get_potential_energy() == pytest.approx(1e4, rel=2e-16)


def test_no_stress_without_three_cell_vectors(atoms):
    atoms.pbc = [True, True, False]
    atoms.cell[2] = 0.0
    for getter in (atoms.get_stress, atoms.get_stresses):
        with pytest.raises(PropertyNotImplementedError, match="span a volume"):
            getter()
    assert atoms.calc.get_property("stress", atoms, allow_calculation=False) is None
    assert set(atoms.calc.results) == {"energy", "free_energy", "energies", "forces"}
    assert atoms.calc.potential.calls == 1


def test_unknown_properties_are_not_implemented(atoms):
    with pytest.raises(PropertyNotImplementedError, match="dipole"):
        atoms.get_dipole_moment()


def test_one_pass_serves_every_getter(atoms):
    atoms.get_potential_energy()
    atoms.get_potential_energy(force_consistent=True)
    atoms.get_potential_energies()
    atoms.get_forces()
    atoms.get_stress()
    atoms.get_stresses()
    atoms.calc.get_virials(atoms)
    atoms.calc.get_heat_flux(atoms)
    assert atoms.calc.potential.calls == 1


@pytest.mark.parametrize("method", ["get_virials", "get_heat_flux"])
def test_methods_of_our_own_calculate_when_needed(atoms, method):
    getattr(atoms.calc, method)(atoms)
    atoms.positions[0, 0] += 1e-3
    getattr(atoms.calc, method)(atoms)
    assert atoms.calc.potential.calls == 2
    atoms.get_forces()
    assert atoms.calc.potential.calls == 2


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


def test_calculate_may_be_called_directly(atoms):
    calculator = MorseCalculator()
    calculator.calculate(atoms)
    np.testing.assert_array_equal(calculator.results["forces"], atoms.get_forces())
    calculator.calculate(atoms, ["energy"], ["positions"])
    assert calculator.potential.calls == 2
    calculator.calculate()
    assert calculator.potential.calls == 3
    assert calculator.get_property("energy") == atoms.get_potential_energy()
    assert calculator.potential.calls == 3


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


def test_without_atoms_the_error_says_so():
    with pytest.raises(CalculatorSetupError, match="no atoms"):
        MorseCalculator().get_potential_energy()


def test_a_subclass_may_add_to_results(atoms):
    class Shifted(MorseCalculator):
        def calculate(self, *args, **kwargs):
            super().calculate(*args, **kwargs)
            self.results["energy"] += 10.0

    energy = atoms.get_potential_energy()
    atoms.calc = Shifted()
    assert atoms.get_potential_energy() == pytest.approx(energy + 10.0)


def test_number_of_atoms_may_change(atoms):
    calculator = atoms.calc
    for other in (atoms, atoms[:5], atoms * (1, 2, 1), Atoms("Au"), Atoms(), atoms):
        forces = calculator.get_forces(other)
        np.testing.assert_allclose(forces, MorseCalculator().get_forces(other), atol=1e-13)
        assert forces.shape == (len(other), 3)


def test_zero_atoms_and_an_isolated_atom():
    for atoms in (Atoms(), Atoms("Cu")):
        atoms.calc = MorseCalculator()
        assert atoms.get_potential_energy() == 0.0
        assert not atoms.get_forces().any()


def test_any_layout_and_type_of_positions_is_accepted(atoms):
    expected = atoms.get_forces()
    atoms.arrays["positions"] = np.asfortranarray(atoms.positions)
    np.testing.assert_array_equal(atoms.get_forces(), expected)
    atoms.arrays["positions"].flags.writeable = False
    np.testing.assert_array_equal(atoms.get_forces(), expected)
    assert atoms.calc.potential.calls == 1
    atoms.arrays["positions"] = atoms.positions.astype(np.float32)
    np.testing.assert_allclose(atoms.get_forces(), expected, atol=1e-4)


def test_every_kernel_is_compiled_for_one_signature(atoms):
    for other in (atoms, Atoms(), atoms[::2]):
        atoms.calc.get_forces(other)
    compiled = getattr(ase_mlips.calculator._summarise, "signatures", None)
    if compiled is None:
        pytest.skip("kernels are not compiled in this run")
    assert len(compiled) == 1


@pytest.mark.parametrize(("symbol", "name"), [("Si", "Si"), ("X", "X")])
def test_a_foreign_element_is_named(atoms, symbol, name):
    atoms.symbols[3] = symbol
    with pytest.raises(CalculatorSetupError, match=f"atom 3 is {name}; this MorseCalculator covers only Cu, Au"):
        atoms.get_forces()


@pytest.mark.parametrize("number", [-1, 119, 4000])
def test_a_number_of_no_element_is_named(atoms, number):
    atoms.numbers[0] = number
    with pytest.raises(CalculatorSetupError, match=f"atom 0 is atomic number {number}"):
        atoms.get_forces()


def test_elements_of_a_potential_must_be_chemical_symbols():
    class Nameless(Morse):
        elements = ("Cu", "type2")

    with pytest.raises(CalculatorSetupError, match="'type2' is not a chemical symbol"):
        PotentialCalculator(Nameless())


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("array", ["positions", "cell"])
def test_input_that_is_not_finite_is_refused_and_leaves_nothing(atoms, value, array):
    expected = atoms.get_forces()
    kept = getattr(atoms, array)[1, 2]
    getattr(atoms, array)[1, 2] = value
    for _ in range(2):
        with pytest.raises(CalculatorSetupError, match="finite"):
            atoms.get_forces()
    assert atoms.calc.results == {}
    assert atoms.calc.get_property("forces", atoms, allow_calculation=False) is None
    getattr(atoms, array)[1, 2] = kept
    np.testing.assert_allclose(atoms.get_forces(), expected, atol=1e-13)


@pytest.mark.parametrize("name", ["energies", "forces", "virials"])
def test_a_result_that_is_not_finite_is_named_and_leaves_nothing(atoms, name):
    atoms.calc = PotentialCalculator(Spoiled())
    atoms.get_forces()
    atoms.calc.potential.name = name
    atoms.positions[0] += 0.01
    for _ in range(2):
        with pytest.raises(CalculationFailed, match=f"{name}: .* atom 2"):
            atoms.get_potential_energy()
    assert atoms.calc.results == {}
    assert atoms.calc.atoms is None
    atoms.calc.potential.name = ""
    assert np.isfinite(atoms.get_potential_energy())


def test_heat_flux_is_the_time_derivative_of_the_energy_moment(cluster):
    """For a free cluster J = d/dt sum_i r_i E_i, here along the exact motion to second order in time."""
    accelerations = cluster.get_forces() / cluster.get_masses()[:, None]
    positions, velocities = cluster.positions.copy(), cluster.get_velocities()

    def moment(t):
        cluster.positions = positions + t * velocities + 0.5 * t**2 * accelerations
        cluster.set_velocities(velocities + t * accelerations)
        kinetic = 0.5 * cluster.get_masses() * (cluster.get_velocities() ** 2).sum(1)
        return (kinetic + cluster.get_potential_energies()) @ cluster.positions

    flux = cluster.calc.get_heat_flux(cluster)
    step = 0.01 * units.fs
    derivative = (moment(step) - moment(-step)) / (2.0 * step)
    np.testing.assert_allclose(flux, derivative, atol=1e-6 * np.abs(derivative).max())


def test_heat_flux_follows_the_velocities_of_unchanged_positions(cluster):
    flux = cluster.calc.get_heat_flux(cluster)
    cluster.set_momenta(-cluster.get_momenta())
    np.testing.assert_allclose(cluster.calc.get_heat_flux(cluster), -flux, rtol=1e-12)
    assert cluster.calc.potential.calls == 1


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


def test_parameters_feed_databases_and_trajectories(atoms, tmp_path):
    atoms.calc = MorseCalculator(skin=0.5, num_threads=2)
    assert json.loads(json.dumps(atoms.calc.todict())) == {"skin": 0.5, "num_threads": 2}
    assert MorseCalculator().todict() == {}
    assert atoms.calc.name == "morsecalculator"
    expected = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces(), "stress": atoms.get_stress()}
    with Trajectory(tmp_path / "frames.traj", "w", atoms) as writer:
        writer.write()
    with Trajectory(tmp_path / "frames.traj") as reader:
        frame = reader[0]
    with connect(tmp_path / "frames.db") as database:
        row = database.get(database.write(atoms))
    assert row.calculator == "morsecalculator"
    assert row.calculator_parameters == {"skin": 0.5, "num_threads": 2}
    for name, value in expected.items():
        np.testing.assert_array_equal(frame.calc.results[name], value)
        np.testing.assert_array_equal(getattr(row, name), value)
    assert atoms.calc.potential.calls == 1


def test_keywords_reach_ase(atoms):
    calculator = MorseCalculator(atoms=atoms, label="run/copper")
    assert atoms.calc is calculator
    assert calculator.label == "run/copper"
    atoms.get_forces()
    assert not os.path.exists("run")


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"cutof": 3.0}, "unknown keyword cutof; expected skin or num_threads"),
        ({"skin": -0.1}, "skin: expected .* got -0.1"),
        ({"skin": np.nan}, "skin: expected .* got nan"),
        ({"num_threads": 0}, "num_threads: expected a positive integer or None, got 0"),
        ({"num_threads": 1.5}, "num_threads: expected a positive integer or None, got 1.5"),
    ],
)
def test_keywords_are_checked(keywords, message):
    with pytest.raises(InputError, match=message):
        MorseCalculator(**keywords)
    with pytest.raises(InputError, match=message):
        MorseCalculator().set(**keywords)


def test_set_takes_effect_and_keeps_results(atoms):
    atoms.get_forces()
    assert atoms.calc.set(skin=0.3, num_threads=3) == {"skin": 0.3, "num_threads": 3}
    assert atoms.calc.set(skin=0.3) == {}
    atoms.get_forces()
    assert atoms.calc.potential.calls == 1
    assert atoms.calc._neighbor_list.skin == 0.3


@pytest.mark.parametrize(("variable", "threads"), [("3", 3), ("2,4", 2), ("", None), ("many", None), ("0", None)])
def test_threads_by_default_are_those_of_openmp_or_all(atoms, monkeypatch, variable, threads):
    class Recording(Morse):
        def evaluate(self, neighbors, species, num_threads=1):
            self.num_threads = num_threads
            return super().evaluate(neighbors, species, num_threads)

    monkeypatch.setenv("OMP_NUM_THREADS", variable)
    atoms.calc = PotentialCalculator(Recording())
    atoms.get_forces()
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert atoms.calc.potential.num_threads == (threads or available)
    atoms.calc.set(num_threads=7)
    atoms.positions[0] += 0.01
    atoms.get_forces()
    assert atoms.calc.potential.num_threads == 7


def test_repr_is_short():
    assert repr(MorseCalculator()) == "MorseCalculator(Cu, Au, cutoff=5 A)"


def test_load_finds_the_family(tmp_path):
    path = tmp_path / "model.morse"
    path.touch()
    calculator = load(path, skin=0.4)
    assert type(calculator) is MorseCalculator
    assert calculator.path == path
    assert calculator.parameters["skin"] == 0.4
    assert type(load(str(path))) is MorseCalculator


def test_load_names_what_it_can_read(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.morse: .*MorseCalculator \(\.morse\)"):
        load(tmp_path / "absent.morse")
    path = tmp_path / "model.pt"
    path.touch()
    with pytest.raises(ValueError, match=r"model\.pt: .*MorseCalculator \(\.morse\).* none of them recognises"):
        load(path)


def test_only_a_class_with_its_own_recognizes_is_a_family():
    class Special(MorseCalculator):
        pass

    assert MorseCalculator in ase_mlips.calculator.families
    assert Special not in ase_mlips.calculator.families


def test_ase_finds_a_family_by_name():
    assert get_calculator_class("morsecalculator") is MorseCalculator

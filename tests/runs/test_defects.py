"""Vacancies and surfaces: against the same energies by hand, in sizes that converge."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, fcc100, fcc111
from ase.calculators.calculator import CalculationFailed, all_changes
from ase.optimize import BFGS
from ase_mlips.analysis import Interrupted
from support.lennard_jones import ARGON, LennardJones
from support.three_body import EPSILON, StillingerWeber
from support.without_stress import WithoutStress

from ase_mlips import SNAP
from ase_mlips.calculator import PotentialCalculator
from ase_mlips.phonons import relax
from ase_mlips.runs import SurfaceEnergy, SurfaceRun, Vacancy, VacancyRun, surface_energy, vacancy


@pytest.fixture(scope="module")
def molybdenum():
    return relax(bulk("Mo", cubic=True), SNAP.embedded("Mo")).atoms


@pytest.fixture(scope="module")
def argon():
    """A crystal of Lennard-Jones atoms and its calculator."""
    calc = PotentialCalculator(LennardJones(**ARGON))
    return relax(bulk("Ar", a=5.3, cubic=True), calc, fmax=1e-5).atoms, calc


def test_a_vacancy_by_hand(molybdenum):
    calc = SNAP.embedded("Mo")
    found = vacancy(molybdenum, calc, sizes=[9.0], relax="none", fmax=1e-3)
    perfect = molybdenum * 3
    holed = perfect.copy()
    del holed[0]
    single = calc.get_potential_energy(molybdenum) / 2
    before = calc.get_potential_energy(holed) - 53 * single
    holed.calc = calc
    BFGS(holed, logfile=None).run(fmax=1e-3)
    after = holed.get_potential_energy() - 53 * single
    assert found.unrelaxed.tolist() == pytest.approx([before], abs=1e-9)
    assert found.energies.tolist() == pytest.approx([after], abs=1e-5)
    assert (found.chemical_potential, found.atoms.tolist()) == (pytest.approx(single), [54.0])
    assert np.isnan(found.change)
    assert found.facts()["change with size"] == "not known, one size only"


def test_vacancies_converge_in_size(molybdenum):
    """The larger the supercell the less the energy changes, and the extrapolation from smaller ones foretells it."""
    found = vacancy(molybdenum, SNAP.embedded("Mo"), sizes=(6.0, 9.0, 12.0, 15.0), relax="none")
    assert found.atoms.tolist() == [16.0, 54.0, 128.0, 250.0]
    steps = np.abs(np.diff(found.energies))
    assert steps[2] < steps[0] / 3.0
    assert abs(found.change) < 0.01
    assert abs(found.extrapolated - found.formation_energy) < 0.02
    smaller = replace(found, atoms=found.atoms[:2], energies=found.energies[:2])
    assert abs(smaller.extrapolated - found.extrapolated) < 0.03


def test_a_pair_potential_gives_the_cohesive_energy_unrelaxed(argon):
    """Without relaxation the bonds that are cut are those that an atom of the crystal has: known in closed form."""
    atoms, calc = argon
    found = vacancy(atoms, calc, sizes=(17.1,), relax="none", fmax=1e-4)
    assert found.unrelaxed[0] == pytest.approx(-calc.get_potential_energy(atoms) / 4.0, rel=1e-9)
    assert 0.95 * found.unrelaxed[0] < found.formation_energy < found.unrelaxed[0]


def test_silicon_of_stillinger_and_weber_in_closed_form():
    """Only bonds of closest neighbours, at their best angles: a vacancy costs four less two, a surface half of one."""
    atoms, calc = relax(bulk("Si", a=5.43, cubic=True), StillingerWeber()).atoms, StillingerWeber()
    found = vacancy(atoms, calc, sizes=(10.0,), relax="none")
    assert found.unrelaxed[0] == pytest.approx(2.0 * EPSILON, rel=1e-5)
    cleaved = surface_energy(atoms, calc, miller=(1, 1, 1), thicknesses=(9.0,), relax="none")
    area = np.sqrt(3.0) / 4.0 * atoms.cell.lengths()[0] ** 2
    assert cleaved.unrelaxed[0] == pytest.approx(1e20 * units._e * EPSILON / (2.0 * area), rel=1e-5)


def test_a_compound_needs_a_chemical_potential():
    salt = bulk("NaCl", "rocksalt", a=5.6)
    with pytest.raises(ValueError, match="chemical_potential: a compound does not say which energy Cl has"):
        vacancy(salt, SNAP.embedded("Si"), atom=1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"atom": 2}, "atom: expected an index below 2, got 2"),
        ({"sizes": [0.1], "relax": "none"}, None),
        ({"sizes": []}, "sizes: expected at least one length in A"),
        ({"sizes": 8.0}, "sizes: expected a list of which each is a finite number, got 8.0"),
        ({"sizes": [8.0, -1.0]}, "sizes: expected a positive number in A, got -1.0"),
        ({"atom": -1}, "atom: expected an integer of at least 0, got -1"),
        ({"chemical_potential": "low"}, "chemical_potential: expected a finite number or nothing"),
    ],
)
def test_vacancies_that_mean_nothing(molybdenum, fields, message):
    if message is None:
        with pytest.raises(ValueError, match="has one atom, which leaves nothing"):
            vacancy(bulk("Mo", a=3.168), SNAP.embedded("Mo"), **fields)
        return
    with pytest.raises(ValueError, match=message):
        vacancy(molybdenum, SNAP.embedded("Mo"), **fields)


def test_structures_that_are_no_crystals_at_rest(molybdenum):
    calc = SNAP.embedded("Mo")
    rattled = molybdenum * 2
    rattled.rattle(0.1)
    for check, words in ((vacancy, "a vacancy needs"), (surface_energy, "a surface needs")):
        with pytest.raises(ValueError, match=r"the largest force is \d.* eV/A, where .* stress is .* GPa"):
            check(rattled, calc, relax="none")
        with pytest.raises(ValueError, match=f"{words} a crystal that is periodic"):
            check(Atoms("Mo2", [[0, 0, 0], [0, 0, 2.5]]), calc)


@pytest.mark.parametrize(("miller", "build"), [((1, 0, 0), fcc100), ((1, 1, 1), fcc111)])
def test_surfaces_by_hand(argon, miller, build):
    atoms, calc = argon
    a = atoms.cell.lengths()[0]
    found = surface_energy(atoms, calc, miller=miller, thicknesses=(14.0, 21.0), relax="none", vacuum=9.0, fmax=1e-4)
    slab = build("Ar", (1, 1, 8), a=a, vacuum=9.0, periodic=True)
    area = np.linalg.norm(np.cross(*slab.cell.array[:2]))
    single = calc.get_potential_energy(atoms) / 4.0
    joule = 1e20 * units._e
    assert joule * (calc.get_potential_energy(slab) - 8 * single) / (2 * area) == pytest.approx(
        found.unrelaxed[-1], rel=1e-3
    )
    slab.calc = calc
    BFGS(slab, logfile=None).run(fmax=1e-4)
    assert joule * (slab.get_potential_energy() - 8 * single) / (2 * area) == pytest.approx(found.energy, rel=1e-3)
    assert found.energy < found.unrelaxed[-1]
    assert abs(found.change) < 1e-3 * found.energy


def test_silicon_is_cut_where_the_gap_is_widest():
    calc = SNAP.embedded("Si")
    atoms = relax(bulk("Si", cubic=True), calc).atoms
    options = {"miller": (1, 1, 1), "thicknesses": (9.0,), "relax": "none"}
    wide, narrow = surface_energy(atoms, calc, **options), surface_energy(atoms, calc, cut=0.0, **options)
    assert narrow.unrelaxed[0] > 1.5 * wide.unrelaxed[0]  # it cuts three bonds for each one
    moved = atoms.copy()
    moved.positions += [0.3, 1.1, -0.4]
    moved.wrap()
    assert surface_energy(moved, calc, **options).unrelaxed == pytest.approx(wide.unrelaxed, rel=1e-6)
    again = surface_energy(atoms, calc, **(options | {"miller": [2, 2, 2]}))
    assert (again.miller, again.energy) == ((1, 1, 1), pytest.approx(wide.energy))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"miller": (0, 0, 0)}, "miller: expected three integers, not all zero"),
        ({"miller": (1, 0)}, "miller: expected a list of 3: an integer"),
        ({"miller": (1, 0, 0.5)}, "miller: expected a list of 3: an integer"),
        ({"thicknesses": [0.0]}, "thicknesses: expected a positive number in A, got 0.0"),
        ({"cut": 1.0}, "cut: expected a number from 0 to below 1, got 1.0"),
        ({"vacuum": None}, "vacuum: expected a finite number, got None"),
    ],
)
def test_surfaces_that_mean_nothing(fields, message):
    with pytest.raises(ValueError, match=message):
        SurfaceRun(**fields)


def test_lists_of_files_are_tuples():
    assert VacancyRun(sizes=[8, 12.0]) == VacancyRun(sizes=(8, 12.0))
    assert SurfaceRun(miller=[1, 1, 0]).miller == (1, 1, 0)


def test_results_are_kept_and_drawn(tmp_path):
    rows = np.arange(1.0, 7.0).reshape(3, 2) + 10.0
    found = Vacancy("Cu4", "Cu", -3.5, rows[0], np.array([32.0, 108.0]), rows[1], rows[2], rows[0] / 10)
    slabs = SurfaceEnergy("Cu4", (1, -1, 0), 20.0, rows[0], rows[1], rows[2], rows[0])
    for result in (found, slabs):
        result.save(tmp_path / "result.npz")
        assert repr(type(result).load(tmp_path / "result.npz")) == repr(result)
        assert result.plot().get_legend() is not None
        assert {len(column) for column in result.columns().values()} == {2}
    assert slabs.plot().get_title() == "Cu4 (1-10)"


class Failing(WithoutStress):
    """Raises an error in systems of more atoms than `largest`."""

    def __init__(self, calc, largest, error):
        super().__init__(calc)
        self.largest, self.error = largest, error

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        if len(atoms) > self.largest:
            raise self.error
        super().calculate(atoms, properties, system_changes)


@pytest.mark.parametrize(("check", "options"), [(vacancy, {"sizes": (6.0, 9.0)}), (surface_energy, {})])
def test_what_is_complete_outlives_what_fails(molybdenum, check, options):
    largest = {vacancy: 16, surface_energy: 6}[check]
    failing = Failing(SNAP.embedded("Mo"), largest, CalculationFailed("no more"))
    with pytest.warns(UserWarning, match=r"one of the (supercell|slab)s is left out: the \1 of \d+ atoms: no more"):
        found = check(molybdenum, failing, relax="none", **options)
    assert len(found.energies) == 1
    with pytest.raises(CalculationFailed, match="no more"):
        check(molybdenum, Failing(SNAP.embedded("Mo"), 2, CalculationFailed("no more")), relax="none", **options)
    with pytest.raises(Interrupted) as stopped:
        check(molybdenum, Failing(SNAP.embedded("Mo"), largest, KeyboardInterrupt()), relax="none", **options)
    assert stopped.value.result.energies == pytest.approx(found.energies)


def test_a_crystal_that_does_not_relax_says_what_is_left():
    with pytest.raises(CalculationFailed, match=r"the crystal: not relaxed after 1 steps: .* largest stress 1\.\d GPa"):
        vacancy(bulk("Si", a=5.43), SNAP.embedded("Si"), steps=1)

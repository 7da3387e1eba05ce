"""Labels come from calculators or files, are kept at once, and those that fail are left out with a sentence."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import CalculationFailed
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write
from support.morse import MorseCalculator

from ase_mlips.active import CalculatorLabeller, FileLabeller
from ase_mlips.active.labelling import Labels, labeller_of


class Fussy(MorseCalculator):
    """Fails where the first atom is at z > 0, and gives no number where it is at z < 0."""

    def calculate(self, atoms: Atoms | None = None, *args: object, **kwargs: object) -> None:
        if atoms.positions[0, 2] > 0.0:
            raise RuntimeError("not converged\nafter 60 steps")
        super().calculate(atoms, *args, **kwargs)
        if atoms.positions[0, 2] < 0.0:
            self.results["energy"] = np.nan


def cells(count: int) -> dict[int, Atoms]:
    found = {}
    for seed in range(count):
        found[seed] = bulk("Cu", cubic=True)
        found[seed].positions[1:] += np.random.default_rng(seed).normal(0.0, 0.1, (3, 3))
        found[seed].info["round"] = 2
    return found


@pytest.mark.parametrize("threads", [0, 2])
def test_a_calculator_labels_and_what_fails_is_left_out(tmp_path: Path, threads: int) -> None:
    structures = cells(4)
    structures[1].positions[0, 2] = 0.1
    structures[2].positions[0, 2] = -0.1
    labels = Labels(tmp_path / "labels")
    executor = ThreadPoolExecutor(threads) if threads else None
    assert CalculatorLabeller(Fussy()).label(structures, labels, executor) == ""
    assert labels.missing(4) == []
    assert labels.reasons(4) == {1: "RuntimeError: not converged after 60 steps", 2: "energy not finite"}
    calc = MorseCalculator()
    for atoms, number in zip(labels.frames(4), (0, 3), strict=True):
        assert atoms.info["round"] == 2
        np.testing.assert_allclose(atoms.get_forces(), calc.get_forces(structures[number]), atol=1e-8)
        np.testing.assert_allclose(atoms.get_stress(), calc.get_stress(structures[number]), atol=1e-12)
    labels.retry()
    assert labels.missing(4) == [1, 2]


@pytest.mark.parametrize(
    ("form", "name"), [("extxyz", "structure.extxyz"), ("poscar", "POSCAR"), ("cfg", "structure.cfg")]
)
def test_files_are_waited_for_and_picked_up(tmp_path: Path, form: str, name: str) -> None:
    structures, labels = cells(3), Labels(tmp_path / "labels")
    labeller = FileLabeller(form)
    said = labeller.label(structures, labels, None)
    assert said.startswith("waiting for 3 of 3 labels: ")
    places = [tmp_path / "to-label" / f"{n:04d}" for n in range(3)]
    given = [read(place / name) for place in places]
    np.testing.assert_allclose(given[1].positions, structures[1].positions, atol=1e-7)
    given[0].calc = MorseCalculator()
    given[0].get_forces()
    write(places[0] / "labelled.extxyz", given[0])
    (places[2] / "failed").write_text("no convergence\n")
    (places[1] / "OUTCAR").write_text("running on 16 cores\n")
    said = labeller.label(structures, labels, None)
    assert said.startswith("waiting for 1 of 3 labels: ")
    assert "OUTCAR cannot be read yet" in said
    assert labels.missing(3) == [1]
    assert labels.reasons(3) == {2: "no convergence"}
    expected = MorseCalculator().get_forces(structures[0])
    np.testing.assert_allclose(labels.frames(3)[0].get_forces(), expected, atol=1e-6)


def test_the_result_of_another_structure_is_refused(tmp_path: Path) -> None:
    structures, labels = cells(1), Labels(tmp_path / "labels")
    FileLabeller().label(structures, labels, None)
    place = tmp_path / "to-label" / "0000" / "labelled.extxyz"
    for change, words in (
        (lambda atoms: atoms.translate([0.0, 0.0, 0.3]), "up to 0.3 A away"),
        (lambda atoms: atoms.set_cell(atoms.cell * 1.1), "expected the cell"),
        (lambda atoms: atoms.symbols.__setitem__(0, "Au"), "in this order, got AuCu3"),
    ):
        atoms = structures[0].copy()
        change(atoms)
        atoms.calc = MorseCalculator()
        atoms.get_forces()
        write(place, atoms)
        with pytest.raises(ValueError, match=words):
            FileLabeller().label(structures, labels, None)
    atoms = structures[0].copy()
    atoms.calc = SinglePointCalculator(atoms, energy=np.inf, forces=np.zeros((4, 3)))
    write(place, atoms)
    with pytest.raises(ValueError, match=r"0000: expected finite labels, got another energy"):
        FileLabeller().label(structures, labels, None)
    write(place, structures[0])
    assert "has no energy or no forces yet" in FileLabeller().label(structures, labels, None)


def test_labels_must_be_numbers(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected an energy or forces"):
        Labels(tmp_path).keep(0, bulk("Cu"))


def test_the_name_of_a_labeller() -> None:
    assert labeller_of("files:poscar") == FileLabeller("poscar")
    assert repr(labeller_of("embedded:Si").calc).startswith("SNAP")
    found = labeller_of("ase.calculators.lj:LennardJones", {"sigma": 2.5})
    assert found.calc.parameters["sigma"] == 2.5
    for name in ("files:xml", "ase.calculators.lj:Nothing", "no_such_module:X"):
        with pytest.raises(ValueError, match="labeller: "):
            labeller_of(name)
    with pytest.raises(FileNotFoundError):
        labeller_of("model.mtp")


def test_calculation_failed_is_a_sentence() -> None:
    class Broken(MorseCalculator):
        def calculate(self, *args: object, **kwargs: object) -> None:
            raise CalculationFailed("diverged")

    labels = Labels("unused")
    assert labels.missing(2) == [0, 1]
    from ase_mlips.active.labelling import labelled

    assert labelled(Broken(), bulk("Cu")) == "CalculationFailed: diverged"

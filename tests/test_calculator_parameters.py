"""Keywords of a calculator, where they are stored, and the family that a file belongs to."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import (
    InputError,
    get_calculator_class,
)
from ase.db import connect
from ase.io import Trajectory
from support import morse
from support.morse import Morse, MorseCalculator

import ase_mlips.registry
from ase_mlips.calculator import PotentialCalculator
from ase_mlips.loading import load


@pytest.fixture
def atoms() -> Atoms:
    return morse.crystal()


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

    assert MorseCalculator in ase_mlips.registry.families
    assert Special not in ase_mlips.registry.families


def test_ase_finds_a_family_by_name():
    assert get_calculator_class("morsecalculator") is MorseCalculator

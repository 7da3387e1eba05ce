"""Errors against numbers worked out by hand, and what is drawn and written."""

import json

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.units import GPa

from ase_mlips.fit import compare, read_frames
from ase_mlips.potential import Evaluation


class Constant:
    """1 eV, a force of (0.5, 0, 0) eV/A and a virial of 2 eV along x for each atom."""

    elements = ("Ar",)
    cutoff = 3.0

    def evaluate(self, neighbors, species, num_threads=1):
        n = len(species)
        forces = np.tile([0.5, 0.0, 0.0], (n, 1))
        return Evaluation(np.ones(n), forces, np.tile(np.diag([2.0, 0.0, 0.0]), (n, 1, 1)))


def argon(energy, *, group, n=2, stress=None):
    atoms = Atoms(f"Ar{n}", positions=np.arange(3.0 * n).reshape(n, 3), cell=[10, 10, 10], pbc=True)
    labels = {"energy": energy, "forces": np.zeros((n, 3))} | ({} if stress is None else {"stress": stress})
    atoms.calc = SinglePointCalculator(atoms, **labels)
    atoms.info["config_type"] = group
    return atoms


@pytest.fixture
def report():
    train = read_frames([argon(2.0, group="a"), argon(4.0, group="b", stress=np.zeros(6)), argon(9.0, group="b", n=3)])
    return compare(Constant(), {"train": train, "test": train[:1]})


def test_scores_by_group(report):
    scores = {(s.set, s.group, s.quantity): s for s in report.scores()}
    energy = scores["train", "*all", "energy"]  # 1 eV/atom against 1, 2 and 3
    assert (energy.count, energy.mae, energy.largest) == (3, pytest.approx(1.0), pytest.approx(2.0))
    assert energy.rmse == pytest.approx(np.sqrt(5.0 / 3.0))
    assert scores["train", "b", "energy"].mae == pytest.approx(1.5)
    force = scores["train", "a", "force"]
    assert (force.count, force.mae, force.rmse) == (6, pytest.approx(0.5 / 3.0), pytest.approx(0.5 / np.sqrt(3.0)))
    stress = scores["train", "b", "stress"]  # -2 x 2 eV in 1000 A^3
    assert (stress.count, stress.largest) == (6, pytest.approx(0.004 / GPa))
    assert scores["test", "*all", "energy"].mae == pytest.approx(0.0)
    assert ("train", "a", "stress") not in scores


def test_parity_keeps_both_numbers_and_the_group(report):
    parity = report.parity("train", "energy")
    assert parity.reference.tolist() == [1.0, 2.0, 3.0]
    assert parity.predicted.tolist() == [1.0, 1.0, 1.0]
    assert parity.groups.tolist() == ["a", "b", "b"]
    assert report.parity("train", "stress").predicted[0] == pytest.approx(-0.004 / GPa)
    with pytest.raises(KeyError):
        report.parity("test", "stress")


def test_table_has_a_line_for_each_score(report):
    lines = str(report).splitlines()
    assert lines[0].split() == ["set", "group", "quantity", "count", "MAE", "RMSE", "largest", "unit", "worst", "frame"]
    assert lines[1].split() == ["train", "*all", "energy", "3", "1", "1.291", "2", "eV/atom", "input,", "frame", "2"]
    assert len(lines) == 1 + len(report.scores())


def test_saved_scores_are_json(report, tmp_path):
    report.save(tmp_path / "report.json")
    content = json.loads((tmp_path / "report.json").read_text())
    assert content["units"]["force"] == "eV/A"
    assert len(content["scores"]) == len(report.scores())
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


def test_parity_plot_shows_every_set(report):
    figure = report.plot()
    titles = [[text.get_text() for text in ax.get_legend().get_texts()] for ax in figure.axes]
    assert titles[0] == ["train, MAE 1", "test, MAE 0"]
    assert titles[2][0].startswith("train, MAE")
    assert figure.axes[1].get_xlabel() == "reference force (eV/A)"
    x, y = figure.axes[0].lines[0].get_data()
    assert (x.tolist(), y.tolist()) == ([1.0, 2.0, 3.0], [1.0, 1.0, 1.0])


def test_an_unknown_element_is_named():
    atoms = argon(0.0, group="a")
    atoms.symbols[1] = "Kr"
    with pytest.raises(ValueError, match="input, frame 0: Kr not among the model's elements Ar"):
        compare(Constant(), {"test": read_frames([atoms])})

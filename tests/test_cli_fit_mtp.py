"""MTPs trained by the command."""

import json

import numpy as np
import pytest
from ase.io import read, write
from support.command_line import labelled

from ase_mlips import MTP
from ase_mlips.cli import main
from ase_mlips.fit import Committee, full_batch
from ase_mlips.mtp import read_active_set, read_mtp

pytestmark = pytest.mark.filterwarnings("ignore:the training set of this active set", "ignore:.*labels cannot")

COMMAND = ["fit", "mtp", "train.extxyz", "--level", "4", "--cutoff", "4.0", "--iterations", "3", "--threads", "1"]
COMMAND += ["--starts", "1"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A directory with labelled structures."""
    monkeypatch.chdir(tmp_path)
    write("train.extxyz", [labelled(0.0, 0.0, 0.0, seed) for seed in range(10)])
    return tmp_path


def test_an_mtp_is_trained_tested_and_written(here, capsys):
    assert main([*COMMAND, "-o", "cu.almtp", "--test", "train.extxyz"]) == 0
    said = capsys.readouterr().out
    assert "10 training and 10 test frames" in said
    assert "wrote cu.almtp" in said
    assert {path.name for path in here.iterdir()} == {"train.extxyz", "cu.almtp", "cu.report.json", "cu.png"}
    report = json.loads((here / "cu.report.json").read_text())
    assert report["origin"]["command"].startswith("ase-mlips fit mtp train.extxyz --level 4")
    assert report["frames"] == {"train": 9, "validation": 1, "test": 10}
    assert len(report["history"]["loss"]) >= 4
    assert read_active_set("cu.almtp") is not None
    assert MTP("cu.almtp", species=["Cu"]).get_potential_energy(read("train.extxyz")) < 0.0
    assert main([*COMMAND, "-o", "cu.almtp"]) == 2
    assert "cu.almtp" in capsys.readouterr().err


def test_a_checkpoint_gives_the_same_model(here, capsys):
    assert main([*COMMAND, "-o", "one.mtp", "--checkpoint", "state.npz"]) == 0
    assert main([*COMMAND, "-o", "two.mtp", "--checkpoint", "state.npz"]) == 0
    assert read_mtp("one.mtp") == read_mtp("two.mtp")
    assert main([*COMMAND, "-o", "three.mtp", "--checkpoint", "state.npz", "--seed", "7"]) == 2
    assert "seed 0 in place of 7" in capsys.readouterr().err


def test_a_trained_potential_grows(here, capsys):
    assert main([*COMMAND, "-o", "small.mtp"]) == 0
    grow = ["fit", "mtp", "train.extxyz", "--start", "small.mtp", "--elements", "Cu", "--iterations", "1"]
    assert main([*grow, "--level", "6", "-o", "large.mtp"]) == 0
    assert len(read_mtp("large.mtp").mapping) == 5
    capsys.readouterr()
    for options, message in [
        (["--level", "2"], "expected a level of at least 4"),
        (["--cutoff", "4"], "--cutoff: not possible together with --start"),
    ]:
        assert main([*grow, *options, "-o", "none.mtp"]) == 2
        assert message in capsys.readouterr().err
    assert main(["fit", "mtp", "train.extxyz", "--start", "small.mtp", "-o", "none.mtp"]) == 2
    assert "give them with --elements" in capsys.readouterr().err


def test_ctrl_c_writes_the_best_so_far(here, capsys, monkeypatch):
    original, seen = full_batch.Run.advance, []

    def advance(self, losses, projected):
        seen.append(None)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return original(self, losses, projected)

    monkeypatch.setattr(full_batch.Run, "advance", advance)
    assert main([*COMMAND, "-o", "cu.mtp"]) == 130
    assert "interrupted after iteration 2" in capsys.readouterr().err
    assert read_mtp("cu.mtp").trained


def test_a_committee_is_trained_and_its_deviations_are_written(here, capsys):
    command = [*COMMAND, "--committee", "2", "-o", "cu.mtp", "--seed", "3"]
    assert main([*command, "--test", "train.extxyz@:4"]) == 0
    said = capsys.readouterr().out
    assert all(f"wrote cu.{number}.mtp" in said for number in (0, 1))
    written = {f"cu.{number}.{ending}" for number in (0, 1) for ending in ("mtp", "report.json", "png")}
    assert {path.name for path in here.iterdir()} == {"train.extxyz", "cu.deviations.json", *written}
    report = json.loads((here / "cu.deviations.json").read_text())
    assert report["members"] == ["cu.0.mtp", "cu.1.mtp"]
    seeds = [json.loads((here / f"cu.{number}.report.json").read_text())["training"]["seed"] for number in (0, 1)]
    assert seeds == [3, 4]
    members = [MTP(f"cu.{number}.mtp", species=["Cu"]) for number in (0, 1)]
    committee = Committee(members)
    spread = [committee.get_force_deviations(atoms) for atoms in read("train.extxyz", ":")]
    found = {(row["set"], row["quantity"]): row for row in report["deviations"]}
    assert found["train", "force"]["deviation"] == pytest.approx(np.sqrt(np.mean(np.square(spread))), rel=1e-6)
    assert found["train", "force"]["largest"] == pytest.approx(np.max(spread), rel=1e-6)
    assert found["test", "energy"]["count"] == 4
    assert main(command) == 2
    assert "cu.0.mtp: exists" in capsys.readouterr().err


def test_what_cannot_be_is_said_before_the_training(here, capsys):
    for options, message in [
        (["-o", "cu.txt"], "ends in .almtp or .mtp"),
        (["-o", "cu.mtp", "--validation-fraction", "1"], "expected below 1"),
        (["-o", "cu.mtp", "--level", "30"], "level"),
        (["-o", "cu.mtp", "--committee", "1"], "two or more members"),
        (["-o", "cu.mtp", "--committee", "2", "--start", "pot.mtp"], "all members would be the same"),
    ]:
        assert main([*COMMAND, *options]) == 2
        assert message in capsys.readouterr().err
    assert [path.name for path in here.iterdir()] == ["train.extxyz"]

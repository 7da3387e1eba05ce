"""NEP trained by the command."""

import json
import os

import numpy as np
import pytest
from ase.io import write
from support.command_line import labelled

from ase_mlips import NEP
from ase_mlips.cli import main
from ase_mlips.fit import training as training_module

# a few epochs suffice to see how it works, not to learn
pytestmark = pytest.mark.filterwarnings("ignore:the best model has a loss:UserWarning")

INPUT = "type 1 Cu\ncutoff 4.5 4.0\nn_max 2 2\nbasis_size 3 3\nl_max 2 0\nneuron 4\n"
COMMAND = ["fit", "nep", "train.xyz", "--input", "nep.in", "--epochs", "2"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A directory with labelled structures and hyperparameters."""
    monkeypatch.chdir(tmp_path)
    write("train.xyz", [labelled(0.0, 0.0, 0.0, seed) for seed in range(8)], format="extxyz")
    (tmp_path / "nep.in").write_text(INPUT)
    return tmp_path


def test_a_potential_is_trained_tested_and_written(here, capsys):
    write("test.xyz", [labelled(0.0, 0.0, 0.0, 9)], format="extxyz")
    (here / "out").mkdir()
    assert main([*COMMAND, "-o", "nep.txt", "--test", "test.xyz", "--gpumd", "out"]) == 0
    said = capsys.readouterr().out
    assert "8 training and 1 test frames of Cu" in said
    assert "nearest pair" in said
    assert "wrote nep.txt" in said
    kinds = [f"{kind}_{name}.out" for kind in ("energy", "force", "virial", "stress") for name in ("train", "test")]
    assert sorted(os.listdir("out")) == sorted([*kinds, "loss.out"])
    assert sorted(os.listdir()) == ["nep.in", "nep.png", "nep.report.json", "nep.txt", "out", "test.xyz", "train.xyz"]
    assert len(json.loads((here / "nep.report.json").read_text())["history"]["loss"]) == 2
    assert NEP("nep.txt").model.n_max == (2, 2)
    assert len(np.loadtxt("out/force_train.out")) == 32


def test_without_nep_in_the_elements_come_from_the_frames(here):
    (here / "nep.in").unlink()
    write("train.xyz", [labelled(0.0, 0.0, 0.0, seed) for seed in range(3)], format="extxyz")
    assert main(["fit", "nep", "train.xyz", "-o", "cu.txt", "--epochs", "1", "--validation", "0"]) == 0
    model = NEP("cu.txt").model
    assert model.elements == ("Cu",)
    assert model.radial_cutoffs[0] == 8.0


def test_training_goes_on_from_a_potential(here, capsys):
    assert main([*COMMAND, "-o", "one.txt"]) == 0
    assert "RMSE before" not in capsys.readouterr().out
    assert main(["fit", "nep", "train.xyz", "--start", "one.txt", "-o", "two.txt", "--epochs", "1"]) == 0
    one, two = (NEP(name).model for name in ("one.txt", "two.txt"))
    assert one != two
    assert np.abs(one.radial - two.radial).max() < 0.1
    content = json.loads((here / "two.report.json").read_text())
    assert content["training"]["learning_rate"] == pytest.approx(0.002)
    assert "one.txt and two.txt, energies less the best constants of the elements:" in capsys.readouterr().out


def test_the_seed_of_nep_in_and_a_checkpoint_give_the_same_potential(here, capsys):
    (here / "nep.in").write_text(INPUT + "seed 4\n")
    for name in ("one", "two"):
        assert main([*COMMAND, "-o", f"{name}.txt", "--checkpoint", "state.npz"]) == 0
    assert NEP("one.txt").model == NEP("two.txt").model
    assert main([*COMMAND, "-o", "three.txt", "--seed", "5", "--checkpoint", "state.npz"]) == 2
    assert "seed 4 in place of 5" in capsys.readouterr().err


def test_ctrl_c_writes_the_best_potential_so_far(here, capsys, monkeypatch):
    original, seen = training_module._judge, []

    def judge(*arguments):
        seen.append(None)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(training_module, "_judge", judge)
    assert main([*COMMAND, "-o", "nep.txt"]) == 130
    said = capsys.readouterr()
    assert "wrote nep.txt" in said.out
    assert said.err.endswith("ase-mlips: interrupted after epoch 1\n")
    assert NEP("nep.txt").model.elements == ("Cu",)


@pytest.mark.filterwarnings("always:3 frames have a lattice:UserWarning")
def test_frames_are_repeated_as_gpumd_does(here, capsys):
    frames = [labelled(0.0, 0.0, 0.0, seed) for seed in range(3)]
    for atoms in frames:
        atoms.pbc = False
    write("open.xyz", frames, format="extxyz")
    arguments = ["fit", "nep", "--input", "nep.in", "--epochs", "1", "--validation", "0"]
    assert main([*arguments, "train.xyz@:3", "-o", "one.txt"]) == 0
    assert main([*arguments, "open.xyz", "--periodic", "-o", "two.txt"]) == 0
    assert "not periodic" not in capsys.readouterr().err
    assert main([*arguments, "open.xyz", "-o", "three.txt"]) == 0
    assert "3 frames have a lattice but are not periodic in all directions" in capsys.readouterr().err
    one, two, three = (NEP(name).model.max_neighbors for name in ("one.txt", "two.txt", "three.txt"))
    assert one == two > three


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "x.nep"], "x.nep: expected a name that ends in .txt"),
        (["-o", "train.txt", "--start", "none.txt"], "--input: not possible together with --start"),
        (["-o", "x.txt", "--gpumd", "none"], "none: there is no such directory"),
        (["-o", "x.txt", "--gpumd", ".", "--committee", "2"], "--gpumd: not possible together with --committee"),
        (["-o", "x.txt", "--committee", "1"], "members: expected two or more, got 1"),
        (["-o", "x.txt", "--elements", "Cu"], "--elements: not possible together with --input"),
        (["-o", "x.txt", "--checkpoint", "none/state.npz"], "none: there is no such directory"),
        (["-o", "x.txt", "--validation", "1"], "expected above 0 and below 1"),
    ],
)
def test_what_is_refused_before_the_training(here, capsys, arguments, message):
    before = sorted(os.listdir())
    assert main([*COMMAND, *arguments]) == 2
    assert message in capsys.readouterr().err
    assert sorted(os.listdir()) == before


def test_no_file_is_overwritten(here, capsys):
    (here / "nep.txt").write_text("precious")
    assert main([*COMMAND, "-o", "nep.txt"]) == 2
    assert "nep.txt: exists; --force replaces it" in capsys.readouterr().err
    assert main([*COMMAND, "-o", "nep.txt", "--force"]) == 0


def test_a_committee_is_trained(here, capsys):
    assert main([*COMMAND, "-o", "nep.txt", "--committee", "2", "--test", "train.xyz@:2"]) == 0
    assert "wrote nep.0.txt" in capsys.readouterr().out
    assert NEP("nep.0.txt").model != NEP("nep.1.txt").model
    content = [json.loads((here / f"nep.{n}.report.json").read_text()) for n in (0, 1)]
    assert [own["training"]["seed"] for own in content] == [0, 1]
    assert any(score["set"] == "test" for score in content[0]["scores"])
    assert sorted(os.listdir()) == sorted(
        ["nep.in", "train.xyz", *(f"nep.{n}.{end}" for n in (0, 1) for end in ("txt", "png", "report.json"))]
    )


@pytest.mark.parametrize(("kind", "key", "columns"), [("dipole", "dipole", 6), ("polarizability", "pol", 12)])
def test_dipoles_and_polarizabilities_are_trained(here, capsys, kind, key, columns):
    rng = np.random.default_rng(0)
    frames = [labelled(0.0, 0.0, 0.0, seed) for seed in range(6)]
    for atoms in frames:
        atoms.calc = None
        atoms.info[key] = rng.normal(size=3) if key == "dipole" else (rng.normal(size=(3, 3)) + np.eye(3)).ravel()
    write("train.xyz", frames, format="extxyz")
    (here / "nep.in").write_text(f"{INPUT}model_type {2 if key == 'pol' else 1}\n")
    (here / "out").mkdir()
    assert main([*COMMAND, "-o", "nep.txt", "--gpumd", "out"]) == 0
    assert kind in capsys.readouterr().out
    assert {*os.listdir("out")} == {f"{kind}_train.out", "loss.out"}
    assert np.loadtxt(f"out/{kind}_train.out").shape == (6, columns)
    assert np.loadtxt("out/loss.out").shape == (2, 6)
    assert (here / "nep.txt").read_text().startswith(f"nep4_{kind} 1 Cu")
    assert main(["fit", "nep", "train.xyz", "--start", "nep.txt", "-o", "two.txt", "--epochs", "1"]) == 0


def test_charges_are_refused_by_name(here, capsys):
    (here / "nep.in").write_text(INPUT + "charge_mode 1\n")
    assert main([*COMMAND, "-o", "nep.txt"]) == 2
    assert (
        "nep.in:7: expected charge_mode 0 because models with charges (qNEP) are not trained" in capsys.readouterr().err
    )

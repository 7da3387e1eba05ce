"""Networks trained by the command."""

import json
import os
import warnings

import numpy as np
import pytest
from ase.io import write
from support.command_line import labelled

from ase_mlips import SNAP
from ase_mlips.cli import main
from ase_mlips.fit import training as training_module

# a few epochs suffice to see how it works, not to learn
pytestmark = pytest.mark.filterwarnings("ignore:the best model has a loss:UserWarning")

COMMAND = ["fit", "snap", "train.extxyz", "--head", "4x3", "--epochs", "3", "--twojmax", "2", "--cutoff", "4.0"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A directory with labelled structures."""
    monkeypatch.chdir(tmp_path)
    write("train.extxyz", [labelled(0.0, 0.0, 0.0, seed) for seed in range(8)])
    return tmp_path


@pytest.mark.parametrize("name", ["cu.snap.npz", "cu.mliap.model", "cu.mliap"])
def test_a_network_is_trained_tested_and_written(here, capsys, name):
    assert main([*COMMAND, "-o", name, "--lbfgs-steps", "20", "--batch-size", "2"]) == 0
    said = capsys.readouterr().out
    assert "7 training and 1 test frames of Cu" in said
    assert f"wrote {name}" in said
    (report,) = here.glob("*.report.json")
    content = json.loads(report.read_text())
    assert content["training"]["hidden"] == [4, 3]
    assert content["training"]["batch_size"] == 2
    assert len(content["history"]["loss"]) == 4
    assert SNAP(name).model.network.sizes == (5, 4, 3, 1)
    assert len(list(here.glob("*.png"))) == 1


def test_the_seed_and_a_checkpoint_give_the_same_model(here, capsys):
    for name in ("one", "two"):
        assert main([*COMMAND, "-o", f"{name}.snap.npz", "--seed", "4", "--checkpoint", "state.npz"]) == 0
    assert SNAP("one.snap.npz").model == SNAP("two.snap.npz").model
    assert main([*COMMAND, "-o", "three.snap.npz", "--seed", "5", "--checkpoint", "state.npz"]) == 2
    assert "state.npz: expected a checkpoint of the same frames" in (said := capsys.readouterr().err)
    assert "seed 4 in place of 5" in said


def test_ctrl_c_writes_the_best_network_so_far(here, capsys, monkeypatch):
    original, seen = training_module._judge, []

    def judge(*arguments):
        seen.append(None)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(training_module, "_judge", judge)
    assert main([*COMMAND, "-o", "cu.snap.npz"]) == 130
    said = capsys.readouterr()
    assert "wrote cu.snap.npz" in said.out
    assert said.err.endswith("ase-mlips: interrupted after epoch 2\n")
    content = json.loads((here / "cu.snap.report.json").read_text())
    assert content["interrupted"]
    assert len(content["history"]["loss"]) == 2
    assert "scores" not in content
    assert np.all(np.isfinite(SNAP("cu.snap.npz").model.network.parameters))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["-o", "x.snapcoeff"],
            "x.snapcoeff: expected a name that ends in .mliap.model, .snap, .mliap or .snap.npz, which",
        ),
        (["-o", "x.mliap.model", "--activation", "softplus"], "x.mliap.model: "),
        (["-o", "x.snap.npz", "--quadratic"], "--quadratic: not possible together with --head"),
        (["-o", "x.snap.npz", "--ridge", "1e-9"], "--ridge: not possible together with --head"),
        (["-o", "x.snap.npz", "--head", "5000"], "--head: expected layers of 1 to 4096 nodes"),
        (["-o", "x.snap.npz", "--checkpoint", "none/c.npz"], "none: there is no such directory for none/c.npz"),
        (["-o", "x.snap.npz", "--checkpoint", "x.snap.npz"], "x.snap.npz: is what -o names, too"),
        (["-o", "x.snap.npz", "--checkpoint", "./x.snap.report.json"], "./x.snap.report.json: is what -o names, too"),
        (["-o", "x.snap.npz", "--cutoff", "0.5"], "no frame has two atoms within the cutoff of 0.5 A"),
    ],
)
def test_bad_networks(here, capsys, arguments, message):
    assert main([*COMMAND, *arguments]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert os.listdir() == ["train.extxyz"]


def test_a_network_worse_than_constants_is_warned_of(here, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert main([*COMMAND, "-o", "cu.snap.npz", "--learning-rate", "1e4"]) == 0
    assert "ase-mlips: the best model has a loss of " in capsys.readouterr().err


def test_info_does_not_print_weights(here, capsys):
    assert main([*COMMAND, "-o", "cu.snap.npz", "--head", "32x32"]) == 0
    capsys.readouterr()
    assert main(["info", "cu.snap.npz"]) == 0
    said = capsys.readouterr().out
    assert "network          Network(5-32-32-1, tanh tanh linear, " in said
    assert len(said.splitlines()) < 40


def test_options_of_a_network_need_one(here, capsys):
    assert main(["fit", "snap", "train.extxyz", "-o", "x.snap", "--batch-size", "3"]) == 2
    assert capsys.readouterr().err == "ase-mlips: --batch-size: expected together with --head\n"


def test_an_exploding_loss_is_a_failure(here, capsys, monkeypatch):
    def explode(*arguments, **options):
        raise FloatingPointError("the loss is not finite after 0 epochs; a lower learning_rate may help")

    monkeypatch.setattr("ase_mlips.cli.fit.fit_network", explode)
    assert main([*COMMAND, "-o", "cu.snap.npz"]) == 1
    assert "a lower learning_rate may help" in capsys.readouterr().err


@pytest.mark.parametrize("layers", ["", "32x", "0x4", "ax3"])
def test_layers_are_numbers(here, capsys, layers):
    with pytest.raises(SystemExit):
        main(["fit", "snap", "train.extxyz", "-o", "x.snap.npz", "--head", layers])
    assert f"--head: expected nodes of the layers such as 32x32, got {layers!r}" in capsys.readouterr().err

"""Linear ACE and networks on it, fitted by the command."""

import json

import numpy as np
import pytest
from ase.io import write
from support.command_line import labelled

from ase_mlips import ACE
from ase_mlips.cli import main

COMMAND = ["fit", "ace", "train.extxyz", "--nmax", "3", "1", "--lmax", "0", "1", "--cutoff", "4.0"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A directory with labelled structures."""
    monkeypatch.chdir(tmp_path)
    write("train.extxyz", [labelled(0.0, 0.0, 0.0, seed) for seed in range(8)])
    return tmp_path


def test_a_linear_model_is_fitted_tested_and_written(here, capsys):
    assert main([*COMMAND, "-o", "cu.yace"]) == 0
    said = capsys.readouterr().out
    assert "7 training and 1 test frames of Cu" in said
    assert "wrote cu.yace" in said
    model = ACE("cu.yace").model
    assert [function.rank for function in model.functions[0]] == [1, 1, 1, 2, 2]
    assert json.loads((here / "cu.report.json").read_text())["rank"] == 6
    assert main(["info", "cu.yace"]) == 0
    said = capsys.readouterr().out
    assert "5 Function\n" in said
    assert "1 Bond\n" in said
    assert main([*COMMAND[:3], "--template", "cu.yace", "-o", "again.yace"]) == 0
    np.testing.assert_allclose(ACE("again.yace").model.energies, model.energies, rtol=1e-3)


@pytest.mark.filterwarnings("ignore:the best model has a loss:UserWarning")
def test_a_network_is_trained(here, capsys):
    command = [*COMMAND, "--head", "4", "--epochs", "2", "-o"]
    assert main([*command, "cu.ace.npz"]) == 0
    assert ACE("cu.ace.npz").model.network.sizes == (5, 4, 1)
    assert "wrote cu.ace.npz" in capsys.readouterr().out
    assert main([*command, "cu.yace"]) == 2
    assert "which alone can hold a network" in capsys.readouterr().err


def test_what_cannot_be_fitted(here, capsys):
    for extra, said in (
        (["-o", "cu.ace"], "expected a name that ends in .yace or .ace.npz"),
        (["-o", "cu.yace", "--lmax", "1", "1"], "--nmax, --lmax: expected nmax >= 1 and lmax of as many ranks"),
        (["-o", "cu.yace", "--epochs", "3"], "--epochs: expected together with --head"),
    ):
        assert main([*COMMAND, *extra]) == 2
        assert said in capsys.readouterr().err

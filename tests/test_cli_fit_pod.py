"""POD, and POD + SNAP, fitted by the command."""

import os

import pytest
from ase.io import read, write
from support.command_line import labelled, table

from ase_mlips import POD, load
from ase_mlips.cli import main

SMALL = ["--radial", "3", "2", "--angular", "2", "--cutoff", "4.5", "--test-fraction", "0.25"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A current directory with frames."""
    monkeypatch.chdir(tmp_path)
    write("train.extxyz", [labelled(0.0, 0.0, 0.0, seed) for seed in range(8)])
    return tmp_path


def test_fit_pod(here, capsys):
    assert main(["fit", "pod", "train.extxyz", "-o", "cu_coefficients.pod", *SMALL]) == 0
    said = capsys.readouterr().out
    assert "6 training and 2 test frames of Cu" in said
    written = ["cu_coefficients.png", "cu_coefficients.pod", "cu_coefficients.report.json", "cu_param.pod"]
    assert sorted(os.listdir()) == [*written, "train.extxyz"]
    assert POD("cu_param.pod").model.basis.radial_functions == (3, 2, 0, 0, 0, 0)
    assert main(["evaluate", "cu_param.pod", "train.extxyz"]) == 0
    error = next(line.split() for line in capsys.readouterr().out.splitlines() if " energy " in line)
    assert float(error[4]) < 1.0
    assert main(["info", "cu_param.pod"]) == 0
    said = table(capsys.readouterr().out)
    assert said["family"] == ["POD"]
    assert " ".join(said["basis"]) == "PodBasis(Cu: up to three bodies, 9 descriptors, rin 1 A, rcut 4.5 A)"


def test_fit_pod_and_snap(here, capsys):
    assert main(["fit", "pod", "train.extxyz", "-o", "cu.overlay.npz", "--snap", "2", *SMALL]) == 0
    calc = load("cu.overlay.npz")
    assert [type(part).__name__ for part in calc.model.parts] == ["PodModel", "SnapModel"]
    assert calc.get_potential_energy(read("train.extxyz")) < 0.0
    assert main(["info", "cu.overlay.npz"]) == 0
    assert table(capsys.readouterr().out.split("wrote")[-1])["family"] == ["Overlay"]


@pytest.mark.filterwarnings("ignore:the best model has a loss:UserWarning")
def test_heads(here, capsys):
    assert main(["fit", "pod", "train.extxyz", "-o", "q.pod.npz", "--quadratic", "--ridge", "1e-8", *SMALL]) == 0
    assert POD("q.pod.npz").model.quadratic.shape == (1, 45)
    assert main(["fit", "pod", "train.extxyz", "-o", "n.pod.npz", "--head", "4", "--epochs", "2", *SMALL]) == 0
    assert POD("n.pod.npz").model.network.sizes == (9, 4, 1)
    capsys.readouterr()
    assert main(["info", "n.pod.npz"]) == 0
    assert "Network(9-4-1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "x.pod"], "x.pod: expected a name that ends in _coefficients.pod or _coeff.pod or"),
        (
            ["-o", "x_coeff.pod", "--snap", "4"],
            "x_coeff.pod: expected a name that ends in .overlay.npz or .overlay with",
        ),
        (["-o", "x_coeff.pod", "--radial", "2", "3", "5"], "expected radial_functions of three >= four"),
        (["-o", "x_coeff.pod", "--angular", *"111111"], "--angular: expected at most 5 numbers, got 6"),
        (["-o", "x_coeff.pod", "--rin", "6"], "expected rcut between rin = 6.0 and 1000, got 5.0"),
        (["-o", "none/x_coeff.pod"], "none: there is no such directory"),
        (
            ["-o", "x_coeff.pod", "--quadratic"],
            "x_coeff.pod: expected a linear model, got quadratic, which a name that",
        ),
        (["-o", "x_coeff.pod", "--head", "4"], "x_coeff.pod: expected a linear model, got network "),
        (["-o", "x.overlay.npz", "--snap", "4", "--head", "4"], "--head: not possible together with --snap"),
        (["-o", "x.overlay.npz", "--snap", "4", "--quadratic"], "--quadratic: not possible together with --snap"),
    ],
)
def test_what_cannot_be_fitted_is_refused_before_the_structures_are_read(here, capsys, arguments, message):
    assert main(["fit", "pod", "not-there.xyz", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert os.listdir() == ["train.extxyz"]

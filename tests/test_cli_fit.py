"""Fits by the command: what is refused, what is written and what must not get lost."""

import errno
import json
import os
import resource
import signal

import pytest
from ase import Atoms
from ase.io import write
from support.command_line import labelled

from ase_mlips import SNAP
from ase_mlips.cli import main
from ase_mlips.fit import SnapFit


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty current directory with a Morse model, cu.morse."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cu.morse").touch()
    return tmp_path


def test_fit_snap(here, capsys):
    write("train.extxyz", [labelled(0.0, 0.0, 0.0, seed) for seed in range(8)])
    command = ["fit", "snap", "train.extxyz", "-o", "cu.snapcoeff", "--twojmax", "4", "--cutoff", "4.5"]
    assert main([*command, "--test-fraction", "0.25"]) == 0
    said = capsys.readouterr().out
    assert "6 training and 2 test frames of Cu" in said
    assert "RMSE" in said
    assert main(["evaluate", "cu.snapcoeff", "train.extxyz"]) == 0
    error = next(line.split() for line in capsys.readouterr().out.splitlines() if " energy " in line)
    assert error[:4] == ["train.extxyz", "all", "energy", "8"]
    assert float(error[4]) < 1.0


def test_fit_snap_with_zbl(here, capsys):
    write("train.extxyz", [labelled(0.0, 0.0, 0.0, seed) for seed in range(4)])
    command = ["fit", "snap", "train.extxyz", "-o", "cu.snap", "--twojmax", "2", "--test-fraction", "0"]
    assert main([*command, "--zbl", "1.0", "2.0"]) == 0
    assert sorted(os.listdir()) == ["cu.morse", "cu.png", *(f"cu.{n}" for n in ENDINGS), "train.extxyz"]
    assert main(["info", "cu.snap"]) == 0
    assert "Zbl(inner=1.0, outer=2.0, charges=(29.0,))" in capsys.readouterr().out


ENDINGS = ("report.json", "snap", "snapcoeff", "snapparam")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "x.txt"], "x.txt: expected a name that ends in .snapcoeff, .snap, .mliap.model, .mliap or .snap.npz"),
        (["-o", "x.snapcoeff", "--zbl", "1", "2"], "x.snapcoeff: expected a name that ends in .snap, "),
        (["-o", "x.snap", "--zbl", "2", "1"], "inner"),
        (["-o", "two words.snap"], "two words.snap: expected a name without spaces"),
        (["-o", "none/x.snap"], "none: there is no such directory"),
        (["-o", "taken.snap"], "taken.report.json: is a directory"),
    ],
)
def test_names_are_refused_before_the_structures_are_read(here, capsys, arguments, message):
    (here / "taken.report.json").mkdir()
    assert main(["fit", "snap", "not-there.xyz", *arguments]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert ".fit-" not in said
    assert said.count("\n") == 1
    assert sorted(os.listdir()) == ["cu.morse", "taken.report.json"]


def test_a_directory_that_takes_no_file_is_found_before_the_structures_are_read(here, capsys):
    """No file may grow beyond zero bytes, as on a full disk; permissions do not stop everybody."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        assert main(["fit", "snap", "not-there.xyz", "-o", "x.snap"]) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert capsys.readouterr().err == f"ase-mlips: .: {os.strerror(errno.EFBIG)}\n"
    assert os.listdir() == ["cu.morse"]


def fit_with(monkeypatch, save):
    """Run a small fit to cu.snap with another `SnapFit.save`."""
    write("train.extxyz", [labelled(0.0, 0.0, 0.0, seed) for seed in range(4)])
    original = SnapFit.save
    monkeypatch.setattr(
        SnapFit, "save", lambda fit, path, **options: save(lambda: original(fit, path, **options), path)
    )
    return main(["fit", "snap", "train.extxyz", "-o", "cu.snap", "--twojmax", "2", "--test-fraction", "0"])


def test_a_fit_that_cannot_be_written_where_it_should_is_kept_elsewhere(here, monkeypatch, capsys, tmp_path_factory):
    shelter = tmp_path_factory.mktemp("shelter")
    monkeypatch.setattr("tempfile.tempdir", str(shelter))

    def fail_here(original, path):
        if path == "cu.snap":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        original()

    assert fit_with(monkeypatch, fail_here) == 2
    (folder,) = shelter.iterdir()
    assert sorted(path.name for path in folder.iterdir()) == [f"cu.{n}" for n in ENDINGS]
    assert SNAP(folder / "cu.snap").model.twojmax == 2
    reason = f"cu.snap: {os.strerror(errno.ENOSPC)}; the fit was written to {folder / 'cu.snap'}"
    assert capsys.readouterr().err == f"ase-mlips: {reason}\n"


def test_ctrl_c_waits_until_the_fit_is_written(here, monkeypatch, capsys):
    def interrupted(original, path):
        signal.raise_signal(signal.SIGINT)
        original()

    assert fit_with(monkeypatch, interrupted) == 130
    assert sorted(os.listdir()) == ["cu.morse", *(f"cu.{n}" for n in ENDINGS), "train.extxyz"]
    assert "wrote cu.snap" in capsys.readouterr().out


def test_ctrl_c_during_the_test_leaves_the_fit(here, monkeypatch, capsys):
    """The same command, not interrupted, adds the errors to the same model."""
    write("train.extxyz", [labelled(0.0, 0.0, 0.0, seed) for seed in range(4)])
    command = ["fit", "snap", "train.extxyz", "-o", "cu.snapcoeff", "--twojmax", "2", "--seed", "1"]
    with monkeypatch.context() as patch:
        patch.setattr("ase_mlips.fit.equations.compare", lambda *_: signal.raise_signal(signal.SIGINT))
        assert main(command) == 130
    said = capsys.readouterr()
    assert "wrote cu.snapcoeff" in said.out
    assert said.err.endswith("ase-mlips: interrupted\n")
    interrupted = {path.name: path.read_text() for path in here.glob("cu.*")}
    assert sorted(interrupted) == ["cu.morse", "cu.report.json", "cu.snapcoeff", "cu.snapparam"]
    summary = json.loads(interrupted["cu.report.json"])
    assert summary["solver"] == "cholesky"
    assert "scores" not in summary
    assert main([*command, "--force"]) == 0
    for name in ("cu.snapcoeff", "cu.snapparam"):
        assert (here / name).read_text() == interrupted[name]
    tested = json.loads((here / "cu.report.json").read_text())
    assert {score["set"] for score in tested.pop("scores")} == {"train", "test"}
    assert tested == summary


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.xyz", "-o", "x.snap"], "none.xyz"),
        (["in.xyz", "-o", "x.snap", "--radii", "0.4", "0.5"], "one radius for each of Cu"),
        (["empty.extxyz", "-o", "x.snap"], "empty.extxyz: ASE does not know this file format"),
        (["in.xyz@7", "-o", "x.snap"], "in.xyz@7: no frames"),
        (
            ["bare.xyz", "-o", "x.snap"],
            "bare.xyz, frame 0: no energy, forces or stress among no labels at all; known are energy, forces",
        ),
    ],
)
def test_bad_fits(here, capsys, arguments, message):
    write("in.xyz", [labelled(0.0, 0.0, 0.0, seed) for seed in range(2)])
    write("bare.xyz", Atoms("Cu"))
    (here / "empty.extxyz").touch()
    assert main(["fit", "snap", *arguments]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "keys=" not in said
    assert sorted(os.listdir()) == ["bare.xyz", "cu.morse", "empty.extxyz", "in.xyz"]

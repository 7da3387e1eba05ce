"""``ase-mlips ensemble``: options, jobs, failures, and a second call."""

from pathlib import Path

import pytest
from ase.build import bulk
from ase.io import write

from ase_mlips.cli import main
from ase_mlips.runs import read_job

FEW = ["--ensemble", "langevin", "--steps", "20", "--runs", "2", "--temperatures", "300", "600", "--seed", "1"]


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("si.xyz", bulk("Si", cubic=True))


def test_a_job_is_run_and_then_only_read(capsys):
    command = ["ensemble", "embedded:Si", "si.xyz", *FEW, "-o", "runs", "--workers", "1"]
    assert main([*command, "--write-job", "job.yaml"]) == 0
    assert "ase-mlips run job.yaml" in capsys.readouterr().out
    assert read_job("job.yaml").settings.temperatures == (300.0, 600.0)
    assert main(["ensemble", "job.yaml"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[1:3]] == [["300", "2"], ["600", "2"]]
    assert lines[-1] == "wrote 4 runs to runs"
    ages = {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*.*")}
    assert main(command) == 0
    assert {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*.*")} == ages
    assert main([*command, "--timestep", "2"]) == 2
    assert "choose another folder" in capsys.readouterr().err


def test_what_fails_is_said(capsys):
    wild = ["--timestep", "20000", "--steps", "20", "--runs", "1", "--workers", "1"]
    assert main(["ensemble", "embedded:Si", "si.xyz", *wild]) == 1
    said = capsys.readouterr()
    assert "exploded" in said.err
    assert "wrote 0 runs" in said.out
    assert main(["ensemble", "embedded:Si", "si.xyz", "--temperatures", "300", "300"]) == 2
    assert "--temperatures" in capsys.readouterr().err

"""Jobs as files: what --write-job has written runs as the options would, and outputs say where they come from."""

import os
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase.build import bulk
from ase.io import read, write
from support.morse import MorseCalculator

from ase_mlips.cli import main
from ase_mlips.runs import MDRun, read_description, read_job
from ase_mlips.runs.settings import ENSEMBLES


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current directory, with a Morse model, cu.morse, and a crystal of 4 atoms, cu.xyz."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cu.morse").touch()
    write("cu.xyz", bulk("Cu", "fcc", a=3.35, cubic=True))
    return tmp_path


@pytest.mark.parametrize("ensemble", ENSEMBLES)
def test_a_job_of_md_gives_what_the_options_give(here, capsys, ensemble):
    options = ["--ensemble", ensemble, "--steps", "12", "--interval", "5", "--seed", "4", "--damping", "30"]
    options += ["--temperature-end", "400"] if ensemble != "nve" else ["--heat-flux", "x.flux"]
    command = ["md", "cu.morse", "cu.xyz", *options, "-o", "x.traj"]
    assert main([*command, "--write-job", "job.yaml"]) == 0
    assert capsys.readouterr().out == "wrote job.yaml; run it with: ase-mlips run job.yaml\n"
    assert not Path("x.traj").exists()
    assert main(command) == 0
    by_options = {name: Path(name).read_bytes() for name in os.listdir() if name.startswith("x.")}
    positions = read("x.traj").positions
    for name in by_options:
        os.rename(name, f"old.{name}")
    assert main(["run", "job.yaml"]) == 0
    assert {name for name in os.listdir() if name.startswith("x.")} == set(by_options)
    np.testing.assert_array_equal(read("x.traj").positions, positions)
    assert all(Path(name).read_bytes() == by_options[name] for name in by_options if name != "x.traj")


def test_a_job_can_be_continued_and_replaced(here, capsys):
    main(["md", "cu.morse", "cu.xyz", "--steps", "10", "--seed", "1", "--write-job", "job.yaml"])
    assert main(["run", "job.yaml"]) == 0
    assert main(["run", "job.yaml"]) == 2
    assert "md.traj: exists; use --restart" in capsys.readouterr().err
    assert main(["run", "job.yaml", "--force"]) == 0
    Path("job.yaml").write_text(Path("job.yaml").read_text().replace("steps: 10", "steps: 20"))
    assert main(["run", "job.yaml", "--restart"]) == 0
    assert [atoms.info["step"] for atoms in read("md.traj", ":")] == [0, 10, 20]


def test_a_job_of_a_relaxation_gives_what_the_options_give(here):
    command = ["relax", "cu.morse", "cu.xyz", "--cell", "--pressure", "2", "--symmetry", "--fmax", "1e-3"]
    assert main([*command, "-o", "a.traj"]) == 0
    assert main([*command, "-o", "b.traj", "--write-job", "job.yaml"]) == 0
    assert main(["run", "job.yaml"]) == 0
    np.testing.assert_array_equal(read("a.traj").cell.array, read("b.traj").cell.array)
    relaxed = read("b.traj")
    relaxed.calc = MorseCalculator()
    assert relaxed.get_stress()[0] == pytest.approx(-2 * 0.00624150907, rel=0.05)
    assert main(["run", "job.yaml"]) == 2
    assert main(["run", "job.yaml", "--force"]) == 0
    assert main(["run", "job.yaml", "--restart"]) == 2


def test_outputs_say_where_they_come_from(here):
    command = ["md", "cu.morse", "cu.xyz", "--steps", "5", "--seed", "9"]
    assert main(command) == 0
    about = read_description("md.traj")
    assert about["command"] == "ase-mlips md cu.morse cu.xyz --steps 5 --seed 9"
    assert (about["model"], about["seed"]) == ("cu.morse", 9)
    assert main(["relax", "embedded:Si", "si.xyz"]) == 2
    write("si.xyz", bulk("Si"))
    for name in ("out.extxyz", "out.traj"):
        options = ["-o", name, "--cell", "--trajectory", f"steps-of-{name}.traj"]
        assert main(["relax", "embedded:Si", "si.xyz", *options]) == 0
        about = read(name).info["provenance"]
        assert about["command"] == f"ase-mlips relax embedded:Si si.xyz {' '.join(options)}"
        assert read(f"steps-of-{name}.traj@0").info["provenance"] == about
        assert set(about["sha256"]) == {"silicon.snap", "silicon.snapcoeff", "silicon.snapparam"}
        assert all(len(checksum) == 64 for checksum in about["sha256"].values())


def test_another_model_of_the_same_name_is_refused(here, capsys):
    from ase_mlips import SNAP

    write("si.xyz", bulk("Si"))
    SNAP.embedded("Si").write("x.snap")
    assert main(["md", "x.snap", "si.xyz", "--steps", "5"]) == 0
    before = Path("md.traj").read_bytes()
    Path("x.snapcoeff").write_text(Path("x.snapcoeff").read_text() + "# another one\n")
    assert main(["md", "x.snap", "si.xyz", "--steps", "10", "--restart"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("ase-mlips: md.traj: was computed with a file x.snapcoeff of SHA-256 ")
    assert said.endswith("it is another model of the same name\n")
    assert Path("md.traj").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("stepz: 5\n", "job.yaml:13: stepz is no key of such a file; did you mean steps?\n"),
        ("pressure: 5\n", "job.yaml:13: pressure: is of npt, and has no meaning in nve\n"),
    ],
)
def test_a_job_that_is_wrong_is_one_sentence(here, capsys, change, message):
    main(["md", "cu.morse", "cu.xyz", "--write-job", "job.yaml"])
    text = Path("job.yaml").read_text()
    assert len(text.splitlines()) == 12
    Path("job.yaml").write_text(text + change)
    assert main(["run", "job.yaml"]) == 2
    assert capsys.readouterr().err == f"ase-mlips: {message}"


def test_jobs_are_not_written_over_what_is_there(here, capsys):
    Path("job.yaml").write_text("precious")
    for name in ("job.yaml", "cu.xyz"):
        assert main(["md", "cu.morse", "cu.xyz", "--write-job", name]) == 2
    assert Path("job.yaml").read_text() == "precious"
    assert main(["md", "cu.morse", "cu.xyz", "--write-job", "job.yaml", "--force"]) == 0
    assert read_job("job.yaml").settings == MDRun()
    assert yaml.safe_load(Path("job.yaml").read_text())["run"] == "md"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--pressure", "1"], "--pressure is of npt, and has no meaning in nve"),
        (["--temperature-end", "1"], "--temperature-end needs a thermostat; nve has none"),
        (["--max-grade", "3"], "--max-grade needs a calculator that gives an extrapolation grade"),
    ],
)
def test_options_that_do_not_go_together(here, capsys, options, message):
    assert main(["md", "cu.morse", "cu.xyz", *options]) == 2
    assert capsys.readouterr().err.startswith(f"ase-mlips: {message}")
    assert not Path("md.traj").exists()

"""``ase-mlips active``: by options and as a job, in a folder that is gone on with."""

from pathlib import Path

import pytest
from ase.build import bulk
from ase.io import read, write

from ase_mlips.active import ActiveRun, FileLabeller, MtpLearner
from ase_mlips.active.learning import learner_of
from ase_mlips.cli import main
from ase_mlips.runs import read_job

OPTIONS = ["--temperatures", "500", "--time", "0.02", "--iterations", "10", "--max-rounds", "1"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write("cell.xyz", bulk("Si", cubic=True))
    frames = []
    for seed in range(4):
        frames.append(bulk("Si", cubic=True))
        frames[-1].rattle(0.08, seed=seed)
    write("start.xyz", frames)
    return tmp_path


def test_a_job_is_written_run_and_gone_on_with(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["active", "mtp:4", "cell.xyz", "start.xyz", "--labeller", "embedded:Si", *OPTIONS, "-o", "out"]
    assert main([*command, "--write-job", "job.yaml"]) == 0
    job = read_job("job.yaml")
    assert job.settings == ActiveRun(
        temperatures=(500.0,), time=0.02, iterations=10, max_rounds=1, labeller="embedded:Si"
    )
    assert not Path("out").exists()
    capsys.readouterr()
    code = main(["active", "job.yaml"])
    said = capsys.readouterr().out
    assert code in (0, 1)
    assert "round 0: 4 structures labelled" in said
    assert "round 1: 4 frames; errors: train " in said
    assert "the model is out/model.almtp" in said
    frames = len(read("out/data.extxyz", ":"))
    assert main(["run", "job.yaml"]) == code
    assert len(read("out/data.extxyz", ":")) == frames
    assert main([*command, "--force"]) == 2
    assert "--force: out is gone on with" in capsys.readouterr().err


def test_labels_that_are_made_elsewhere(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["active", "mtp:4", "cell.xyz", "start.xyz", *OPTIONS, "--labeller", "files:poscar", "-o", "out"]) == 1
    said = capsys.readouterr().out
    assert "waiting for 4 of 4 labels: out/round-000/to-label/0000 has none of labelled.extxyz" in said
    assert "go on with: ase-mlips active mtp:4 cell.xyz start.xyz" in said
    assert Path("out/round-000/to-label/0003/POSCAR").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mtp:4", "cell.xyz"], "expected MODEL, STRUCTURES and START"),
        (["mtp:x", "cell.xyz", "start.xyz"], "mtp:x: expected mtp:LEVEL"),
        (["nothing.mtp", "cell.xyz", "start.xyz"], "nothing.mtp: expected mtp:LEVEL"),
        (["mtp:4", "cell.xyz", "start.xyz", "--pressures", "1"], "--pressures are of npt"),
        (["mtp:4", "cell.xyz", "start.xyz", "--labeller", "files:xml"], "--labeller expected files"),
        (["embedded:Si", "cell.xyz", "start.xyz", "--cutoff", "5"], "--cutoff is of mtp:LEVEL"),
        (["embedded:Si", "cell.xyz", "start.xyz", "--mode", "configuration"], "--mode configuration is of MTP"),
        (["md.yaml"], "md.yaml: run: expected active, got 'md'"),
    ],
)
def test_input_that_cannot_be_used(
    here: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    Path("md.yaml").write_text("run: md\nmodel: embedded:Si\nstructure: cell.xyz\n")
    assert main(["active", *words]) == 2
    assert message in capsys.readouterr().err
    assert not list(Path("active").rglob("round*"))


def test_options_of_a_labeller_are_a_dictionary(here: Path) -> None:
    command = ["active", "mtp:4", "cell.xyz", "start.xyz", "--labeller", "ase.calculators.lj:LennardJones"]
    assert main([*command, "--labeller-options", "sigma=2.5", "rc=6", "smooth=true", "--write-job", "job.yaml"]) == 0
    assert read_job("job.yaml").settings.labeller_options == {"sigma": 2.5, "rc": 6, "smooth": True}
    with pytest.raises(SystemExit):
        main([*command, "--labeller-options", "sigma"])


def test_the_model_of_a_level_has_the_elements_of_all_structures() -> None:
    learner = learner_of("mtp:6", ActiveRun(cutoff=4.5, mode="configuration"), ["Cu", "S"], threads=2)
    assert isinstance(learner, MtpLearner)
    assert (learner.template.species, learner.template.max_dist) == (("Cu", "S"), 4.5)
    assert (learner.mode, learner.threads) == ("configuration", 2)
    assert FileLabeller().format == "extxyz"

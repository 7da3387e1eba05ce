"""The commands that check a potential: eos, elastic, vacancy, surface and neb."""

from dataclasses import fields

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write
from ase_mlips.analysis import Interrupted
from matplotlib.image import imread
from support.command_line import table

from ase_mlips import SNAP
from ase_mlips.cli import main
from ase_mlips.cli.checks import _CHECKS
from ase_mlips.cli.parser import build_parser
from ase_mlips.runs import (
    ElasticConstants,
    EquationOfState,
    MinimumEnergyPath,
    SurfaceEnergy,
    Vacancy,
    VacancyRun,
    elastic_constants,
    equation_of_state,
    minimum_energy_path,
    surface_energy,
    vacancy,
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current directory, with crystals of silicon and molybdenum and the ends of a hop."""
    monkeypatch.chdir(tmp_path)
    write("si.xyz", bulk("Si", a=5.45))
    write("mo.xyz", bulk("Mo", a=3.168, cubic=True))
    initial, final = (bulk("Mo", a=3.168, cubic=True) * 3 for _ in range(2))
    final.positions[1] = final.positions[0]
    del initial[0], final[0]
    write("initial.xyz", initial)
    write("final.xyz", final)
    return tmp_path


@pytest.mark.parametrize("name", _CHECKS)
def test_the_defaults_are_those_of_the_settings(name):
    ends = ["b"] if name == "neb" else []
    args = build_parser().parse_args([name, "model", "a", *ends])
    kind = _CHECKS[name][0]
    options = {field.name: getattr(args, field.name) for field in fields(kind)}
    assert kind(**options) == kind()
    assert (args.module, args.output) == ("checks", f"{name}.npz")


def test_eos(here, capsys):
    assert main(["eos", "embedded:Si", "si.xyz", "--points", "7", "--relax", "none", "-o", "si.csv"]) == 0
    expected = equation_of_state(bulk("Si", a=5.45), SNAP.embedded("Si"), points=7, relax="none")
    said = capsys.readouterr().out
    assert f"B0        {expected.facts()['B0']}" in said
    assert said.rstrip().endswith("wrote si.npz, si.csv and si.png")
    assert EquationOfState.load("si.npz").energies == pytest.approx(expected.energies, abs=1e-8)
    assert np.loadtxt("si.csv", delimiter=",", skiprows=1).shape == (7, 4)
    assert imread("si.png").shape[:2] == (600, 900)


def test_elastic(here, capsys):
    assert main(["elastic", "embedded:Si", "si.xyz", "--strain", "0.005"]) == 0
    expected = elastic_constants(bulk("Si", a=5.45), SNAP.embedded("Si"), strain=0.005)
    rows = table(capsys.readouterr().out)
    assert float(rows["yz"][3]) == pytest.approx(expected.tensor[3, 3], abs=0.01)
    assert ElasticConstants.load("elastic.npz").tensor == pytest.approx(expected.tensor, abs=1e-3)


def test_vacancy(here, capsys):
    assert main(["vacancy", "embedded:Mo", "mo.xyz", "--sizes", "6", "9", "--atom", "1"]) == 0
    expected = vacancy(bulk("Mo", a=3.168, cubic=True), SNAP.embedded("Mo"), sizes=(6.0, 9.0), atom=1)
    assert f"formation energy  {expected.facts()['formation energy']}" in capsys.readouterr().out
    assert Vacancy.load("vacancy.npz").energies == pytest.approx(expected.energies, abs=1e-6)


def test_surface(here, capsys):
    options = ["--miller", "1", "-1", "0", "--thicknesses", "7", "--vacuum", "6", "--cut", "0.5"]
    assert main(["surface", "embedded:Mo", "mo.xyz", *options]) == 0
    asked = {"miller": (1, -1, 0), "thicknesses": (7.0,), "vacuum": 6.0, "cut": 0.5}
    expected = surface_energy(bulk("Mo", a=3.168, cubic=True), SNAP.embedded("Mo"), **asked)
    assert f"{expected.energy:.4f} J/m^2" in capsys.readouterr().out
    assert SurfaceEnergy.load("surface.npz").energies == pytest.approx(expected.energies, abs=1e-6)


def test_neb(here, capsys):
    assert main(["neb", "embedded:Mo", "initial.xyz", "final.xyz", "--images", "1"]) == 0
    found = MinimumEnergyPath.load("neb.npz")
    assert f"barrier        {found.facts()['barrier']}" in capsys.readouterr().out
    images = found.images()
    assert found.barrier == pytest.approx(
        minimum_energy_path(images[0], images[-1], SNAP.embedded("Mo"), images=1).barrier, abs=1e-3
    )


@pytest.mark.filterwarnings("default")
def test_a_band_that_does_not_converge_is_written(here, capsys):
    ends = ["initial.xyz", "final.xyz", "--keep-ends", "--no-climb"]
    assert main(["neb", "embedded:Mo", *ends, "--images", "1", "--steps", "2"]) == 1
    assert "the band has not converged after 2 steps" in capsys.readouterr().err
    assert not MinimumEnergyPath.load("neb.npz").converged


def test_after_ctrl_c_what_was_complete_is_written(here, monkeypatch, capsys):
    """Beside a file that is there, as it does not replace one."""
    found = vacancy(bulk("Mo", a=3.168, cubic=True), SNAP.embedded("Mo"), sizes=(6.0,))

    def stopped(*_):
        (here / "vacancy.npz").write_text("of another run meanwhile")
        raise Interrupted(found, 1)

    monkeypatch.setitem(_CHECKS, "vacancy", (VacancyRun, stopped))
    assert main(["vacancy", "embedded:Mo", "mo.xyz"]) == 130
    said = capsys.readouterr().err
    assert "interrupted; what was complete is in vacancy-unfinished.npz and vacancy-unfinished.png" in said
    assert Vacancy.load("vacancy-unfinished.npz").formation_energy == found.formation_energy


def test_files_that_exist_are_refused(here, capsys):
    (here / "eos.png").write_text("mine")
    assert main(["eos", "embedded:Si", "si.xyz"]) == 2
    assert "eos.png: exists" in capsys.readouterr().err
    assert (here / "eos.png").read_text() == "mine"
    assert main(["eos", "embedded:Si", "si.xyz", "--points", "5", "--relax", "none", "--force"]) == 0
    assert main(["eos", "embedded:Si", "si.xyz", "-o", "eos.txt"]) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["eos", "embedded:Si", "si.xyz", "--points", "4"], "--points: expected an integer of at least 5, got 4"),
        (["eos", "embedded:Si", "si.xyz", "--volume-change", "2"], "--volume-change: expected a positive number below"),
        (["elastic", "embedded:Si", "si.xyz", "--strain", "1"], "--strain: expected a positive number below 0.2"),
        (["vacancy", "embedded:Mo", "mo.xyz", "--atom", "2"], "--atom: expected an index below 2, got 2"),
        (["surface", "embedded:Mo", "mo.xyz", "--miller", "0", "0", "0"], "--miller: expected three integers, not all"),
        (["neb", "embedded:Mo", "initial.xyz", "initial.xyz"], "the ends are the same: no atom moves by more than"),
        (["neb", "embedded:Mo", "initial.xyz", "mo.xyz"], "the ends have different atoms: 53 and 2"),
        (["elastic", "embedded:Mo", "rattled.xyz", "--relax", "none"], "the structure is not relaxed: the largest"),
        (["elastic", "embedded:Si", "open.xyz"], "elastic constants need a crystal that is periodic"),
    ],
)
def test_input_that_cannot_be_used(here, capsys, words, message):
    rattled = bulk("Mo", a=3.168, cubic=True)
    rattled.rattle(0.1)
    write("rattled.xyz", rattled)
    rattled.pbc = False
    write("open.xyz", rattled)
    assert main(words) == 2
    said = capsys.readouterr()
    option, _, rest = message.partition(": ")
    assert said.err.startswith(f"ase-mlips: {option}"), said.err
    assert rest in said.err
    assert not list(here.glob("*.npz"))


@pytest.mark.parametrize(
    "words",
    [
        ["eos", "embedded:Si", "si.xyz", "--points", "5", "--relax", "none"],
        ["elastic", "embedded:Si", "si.xyz", "--ions", "clamped"],
        ["vacancy", "embedded:Mo", "mo.xyz", "--sizes", "6"],
        ["surface", "embedded:Mo", "mo.xyz", "--miller", "1", "-1", "0", "--thicknesses", "6"],
        ["neb", "embedded:Mo", "initial.xyz", "final.xyz", "--images", "1", "--no-climb", "--fmax", "0.1"],
    ],
)
def test_a_job_gives_what_the_options_give(here, words):
    assert main([*words, "-o", "options.npz"]) == 0
    assert main([*words, "-o", "job.npz", "--write-job", "job.yaml"]) == 0
    assert main(["run", "job.yaml"]) == 0
    with np.load("options.npz") as first, np.load("job.npz") as second:
        for name in first.files:
            if first[name].dtype.kind == "f":
                assert (first[name] == second[name]).all()
    kinds = {
        "eos": EquationOfState, "elastic": ElasticConstants, "vacancy": Vacancy, "surface": SurfaceEnergy,
        "neb": MinimumEnergyPath,
    }  # fmt: skip
    about = kinds[words[0]].load("job.npz").provenance
    assert about["model"] == words[1]
    assert about["command"] == "ase-mlips run job.yaml"
    assert about["sha256"]


def test_a_reader_that_leaves_does_not_take_the_result_with_it(here, monkeypatch, capfd):
    def closed(*words, **options):
        raise BrokenPipeError

    monkeypatch.setattr("ase_mlips.cli.checks.print", closed, raising=False)
    monkeypatch.setattr("os.dup2", lambda *_: None)
    assert main(["eos", "embedded:Si", "si.xyz", "--points", "5", "--relax", "none"]) == 141
    assert len(EquationOfState.load("eos.npz").energies) == 5

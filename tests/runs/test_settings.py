"""Settings and jobs as YAML: what is written is read back, and what is wrong is said with its line."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pytest

from ase_mlips.runs import (
    KINDS,
    ElasticRun,
    EOSRun,
    Job,
    MDRun,
    NEBRun,
    RelaxRun,
    SurfaceRun,
    VacancyRun,
    read_job,
)
from ase_mlips.runs.yaml_files import read_mapping, settings_from

RUNS = [
    MDRun(),
    MDRun("npt-full", temperature=300, temperature_end=1e3, pressure=-1e-7, pressure_end=5, seed=0, max_grade=10),
    MDRun("langevin", timestep=0.1, damping=1 / 3, max_deviation=0.2),
    RelaxRun(),
    RelaxRun(cell=True, symmetry=True, pressure=1.5, optimizer="fire", fmax=1e-4),
]


@pytest.mark.parametrize("settings", RUNS)
def test_settings_are_read_as_they_were_written(settings, tmp_path):
    settings.write(tmp_path / "x.yaml")
    assert type(settings).read(tmp_path / "x.yaml") == settings


@pytest.mark.parametrize("settings", RUNS)
def test_jobs_are_read_as_they_were_written(settings, tmp_path):
    kind = "md" if isinstance(settings, MDRun) else "relax"
    job = Job(kind, "x.mtp", settings, {"structure": "a.xyz@-1"}, {"trajectory": "y.traj"}, ("Li", "P"), 2)
    job.write(tmp_path / "x.yaml")
    assert read_job(tmp_path / "x.yaml") == job
    assert job.options()["species"] == ["Li", "P"]


def test_numbers_get_the_type_of_their_field(tmp_path):
    assert isinstance(MDRun(temperature=np.float32(300)).temperature, float)
    assert isinstance(MDRun(steps=np.int64(5)).steps, int)
    (tmp_path / "x.yaml").write_text("temperature: 1e3\ntimestep: 2\n")
    assert MDRun.read(tmp_path / "x.yaml") == MDRun(temperature=1000.0, timestep=2.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ensemble: nve\ntemprature: 3\n", "x.yaml:2: temprature is no key of such a file; did you mean temperature?"),
        ("ensemble: nve\nzzz: 3\n", "x.yaml:2: zzz is no key of such a file; known are damping, ensemble, "),
        ("steps: 10\nsteps: 20\n", "x.yaml:2: steps is there twice; line 1 has it, too"),
        ("\nsteps: 1.5\n", "x.yaml:2: steps: expected an integer, got 1.5"),
        ("steps: yes\n", "x.yaml:1: steps: expected an integer, got True"),
        ("steps: 0\n", "x.yaml:1: steps: expected a positive number, got 0"),
        ("timestep: fast\n", "x.yaml:1: timestep: expected a finite number, got 'fast'"),
        ("timestep: .nan\n", "x.yaml:1: timestep: expected a finite number, got nan"),
        ("timestep: [1]\n", "x.yaml:1: timestep: expected a finite number, got [1]"),
        ("# x\nensemble: npt-half\n", "x.yaml:2: ensemble: expected 'nve' or 'langevin' or 'bussi' or 'nose-hoover'"),
        ("steps: 1\npressure: 3\n", "x.yaml:2: pressure: is of npt, and has no meaning in nve"),
        ("temperature_end: 3\n", "x.yaml:1: temperature_end: needs a thermostat; nve has none"),
        ("- steps\n", "x.yaml:1: expected lines of the form key: value"),
        ("", "x.yaml:1: expected lines of the form key: value"),
        ("steps: [1\n", "x.yaml:2: expected YAML, got expected ',' or ']'"),
        ("steps: !!python/object:os.system x\n", "x.yaml:1: steps: expected a plain value"),
    ],
)
def test_what_is_wrong_is_one_sentence(text, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"^x\.yaml:\d") as caught:
        MDRun.read("x.yaml")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: a\n", "x.yaml: expected the key run, a word"),
        ("run: dm\n", "x.yaml:1: run: expected "),
        ("run: md\nmodel: a\n", "x.yaml: expected the key structure, a word"),
        ("run: md\nmodel: 3\nstructure: a\n", "x.yaml:2: model: expected a word, got 3"),
        (
            "run: md\nmodel: a\nstructure: a\ntrajectry: b\n",
            "x.yaml:4: trajectry is no key of such a file; did you mean",
        ),
        ("run: md\nmodel: a\nstructure: a\noutput: b\n", "x.yaml:4: output is no key of such a file"),
        ("run: md\nmodel: a\nstructure: a\nthreads: 0\n", "x.yaml:4: threads: expected a positive number"),
        ("run: relax\nmodel: a\nstructure: a\nfmax: -1\n", "x.yaml:4: fmax: expected a positive number, got -1.0"),
    ],
)
def test_what_is_wrong_with_a_job_is_one_sentence(text, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"^x\.yaml:") as caught:
        read_job("x.yaml")
    assert str(caught.value).startswith(message)


@dataclass(frozen=True)
class Anything:
    """Settings of all types that JSON has."""

    cell: tuple[int, int, int]
    strains: tuple[float, ...] = (0.1,)
    word: Literal["a", "b"] | None = None
    charges: dict[str, float] | None = None
    names: list[str] | None = None
    either: int | float = 1

    def __post_init__(self) -> None:
        if self.cell[0] == 0:
            raise ValueError("cell: expected what is not zero")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cell: [1, 2]", r":1: cell: expected a list of 3: an integer, an integer, an integer, got \[1, 2\]"),
        ("\ncell: [0, 2, 3]", r":2: cell: expected what is not zero"),
        ("word: a", r": expected the key cell, a list of 3"),
        ("cell: [1, 2, 3]\nword: c", r":2: word: expected 'a' or 'b' or nothing, got 'c'"),
        ("cell: [1, 2, 3]\nstrains: 1", r":2: strains: expected a list of which each is a finite number, got 1"),
        ("cell: [1, 2, 3]\ncharges: {Li: x}", r":2: charges: expected names with values, each a finite number"),
    ],
)
def test_any_dataclass_is_read(text, message, tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("cell: [1, 2, 3]\nstrains: [1, 2e-1]\nword: b\ncharges: {Li: 1}\nnames: [a]\neither: 2\n")
    found = settings_from(Anything, read_mapping(path), path)
    assert found == Anything((1, 2, 3), (1.0, 0.2), "b", {"Li": 1.0}, ["a"], 2)
    assert isinstance(found.either, int)
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        settings_from(Anything, read_mapping(path), path)


def test_every_kind_can_be_read():
    for kind in KINDS.values():
        assert kind.settings_class().__dataclass_params__.frozen


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (VacancyRun, {"atom": np.int64(1), "sizes": np.array([8, 11]), "fmax": np.float32(0.25)}),
        (SurfaceRun, {"miller": np.array([1, 1, 0]), "cut": np.float64(0.5), "thicknesses": range(8, 10)}),
        (EOSRun, {"points": np.int32(7)}),
        (ElasticRun, {"strain": np.float64(0.001)}),
        (NEBRun, {"images": np.int64(3), "spring": 1}),
    ],
)
def test_numbers_of_numpy_are_numbers(tmp_path, kind, fields):
    settings = kind(**fields)
    settings.write(tmp_path / "settings.yaml")
    assert kind.read(tmp_path / "settings.yaml") == settings
    for name, value in fields.items():
        assert np.array_equal(getattr(settings, name), value)
        assert type(getattr(settings, name)) in (int, float, tuple)

"""What every result shows of itself: a line, a table with a figure for notebooks, and columns of text."""

import base64
import html
import inspect
import re
import warnings
from dataclasses import fields
from io import BytesIO

import ase_mlips.analysis as analysis
import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.md.verlet import VelocityVerlet
from ase_mlips.analysis.results import Result
from ase_mlips.analysis.tables import Tabulated, html_table
from matplotlib.image import imread
from support.heat_series import ornstein_uhlenbeck
from support.morse import MorseCalculator
from support.walkers import brownian, langevin, trajectory


def _frames():
    return [bulk("NaCl", "rocksalt", a=a, cubic=True) for a in (5.6, 5.65)]


def _length(length, kappa):
    x, true, two = np.linspace(0.0, length, 12), np.ones(12, bool), np.ones(2)
    return analysis.MullerPlatheResult(x, 300 + x, 0 * x + 1, true, two, two, 1.0, 1e4, length, 100.0, kappa, 0.1)


@pytest.fixture(scope="module")
def results():
    """One of each class of results, by its name; so little data bring warnings."""
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        return {type(result).__name__: result for result in _made()}


def _made():
    walkers = trajectory(brownian(0, 300, 16))
    moving = trajectory(brownian(1, 100, 8), velocities=langevin(1, 100, 8))
    heat = ornstein_uhlenbeck(4_000, seed=0, timestep_fs=5.0)
    msd = analysis.mean_squared_displacement(walkers)
    density = analysis.vdos(moving)
    parts = {field.name: getattr(heat, field.name) for field in fields(heat)}
    lengths = [_length(100.0, 2.0), _length(200.0, 3.0)]
    return [
        analysis.rdf(_frames(), r_max=6.0),
        analysis.adf(_frames(), 3.0),
        analysis.vacf(moving),
        density,
        analysis.thermodynamics(density, [100.0, 300.0]),
        msd,
        analysis.einstein_diffusion(msd),
        analysis.ionic_conductivity(walkers, {"Li": 1.0}, temperature=300.0, drift=None),
        analysis.arrhenius([300.0, 400.0, 500.0], [1e-6, 4e-6, 9e-6], errors=[1e-7, 2e-7, 3e-7]),
        analysis.van_hove(walkers, [1.0, 5.0]),
        analysis.ion_density(walkers, "Li", spacing=4.0),
        heat,
        analysis.Replay(**parts, name="m", energies={"X": np.arange(12.0).reshape(3, 4)}),
        analysis.green_kubo(heat),
        analysis.cepstral(heat),
        analysis.HNEMDResult(np.array([0.0, 0.0, 1e-4]), 5.0, np.ones((300, 3)), np.full(300, 300.0), 1e3, 1.5, 0.2),
        lengths[0],
        analysis.extrapolate_length(lengths),
    ]


CLASSES = [
    name
    for name in analysis.__all__
    if inspect.isclass(getattr(analysis, name)) and issubclass(getattr(analysis, name), Result)
]


@pytest.mark.parametrize("name", CLASSES)
def test_one_line(results, name):
    shown = repr(results[name])
    assert shown.startswith(f"{name}(")
    assert "\n" not in shown
    assert "array" not in shown
    assert len(shown) < 250


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("ending", ["csv", "dat"])
def test_columns_of_text(results, name, ending, tmp_path):
    path = tmp_path / f"x.{ending}"
    results[name].write_text(path)
    columns = results[name].columns()
    lines = path.read_text(encoding="utf-8").splitlines()
    numbers = np.loadtxt(path, delimiter="," if ending == "csv" else None, skiprows=int(ending == "csv"), ndmin=2)
    np.testing.assert_allclose(numbers.T, list(columns.values()), rtol=1e-9)
    if ending == "csv":
        assert lines[0].split(",") == list(columns)
    else:
        facts = [f"# {what}: {value}" for what, value in results[name].facts().items()]
        assert lines[: len(facts)] == facts
        assert re.fullmatch(r"#\s*" + r"\s+".join(map(re.escape, columns)), lines[len(facts)])


@pytest.mark.parametrize("name", CLASSES)
def test_tables_and_figures_for_notebooks(results, name):
    page = results[name]._repr_html_()
    assert page.startswith(html_table(results[name].facts()))
    (encoded,) = re.findall(r'<img alt="\w+" src="data:image/png;base64,([^"]+)">', page)
    assert np.ptp(imread(BytesIO(base64.b64decode(encoded)))) > 0.5


@pytest.mark.parametrize("name", CLASSES)
def test_keys_of_the_file_are_names_of_attributes(results, name, tmp_path):
    results[name].save(tmp_path / "x.npz")
    with np.load(tmp_path / "x.npz") as data:
        for key in set(data.files) - {"header of the result"}:
            attribute, _, place = key.partition(".")
            value = getattr(results[name], attribute)
            value = list(value.values())[int(place)] if isinstance(value, dict) else value
            np.testing.assert_array_equal(data[key], value)


def test_units_have_one_spelling(results):
    for result in results.values():
        words = " ".join([*result.columns(), *result.facts().values()])
        assert not re.search(r"\bA(\^|\b)|W/mK|W/m/K|cm²|Angstrom", words.replace("Replay", ""))


def test_facts_are_escaped():
    class Odd(Tabulated):
        def facts(self):
            return {"<b>": "a & b"}

    assert html.unescape(html_table(Odd().facts())) == "<table><tr><th><b></th><td>a & b</td></tr></table>"
    assert "<b>" not in html_table(Odd().facts())


def test_objects_that_are_no_results_have_one_line_too(tmp_path):
    atoms = bulk("Cu", cubic=True) * (2, 2, 6)
    atoms.calc = MorseCalculator()
    dynamics = VelocityVerlet(atoms, 2.0 * units.fs)
    recorder = analysis.HeatFluxRecorder(dynamics, atoms.calc, 5, path=tmp_path / "flux.txt")
    assert repr(recorder) == f"HeatFluxRecorder({tmp_path / 'flux.txt'}, every 10 fs)"
    assert repr(analysis.MullerPlathe(dynamics, axis=2, slabs=12)) == "MullerPlathe(Cu96, 12 slabs)"
    assert repr(analysis.HNEMD(dynamics, (0.0, 0.0, 1e-3))) == "HNEMD(Cu96, driving force 0.001 1/Å)"
    assert repr(trajectory(brownian(0, 5, 2))) == "Trajectory(arrays, Li2)"

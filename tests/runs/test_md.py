"""Molecular dynamics from Python: any calculator, restarts, ensembles and limits."""

import os
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.calculator import CalculationFailed
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms, FixBondLength
from ase.io import read
from ase_mlips.analysis.heat.recorder import read_heat_flux
from support.morse import MorseCalculator
from support.mtp_models import synthetic_mtp_model

from ase_mlips import MTP
from ase_mlips.fit.committee import Committee
from ase_mlips.runs import MDFiles, MDResult, MDRun, read_description, run_md
from ase_mlips.runs.ensembles import state_of
from ase_mlips.runs.md import prepared_md

ENSEMBLES = ["nve", "langevin", "bussi", "nose-hoover", "npt", "npt-full"]


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def copper():
    return bulk("Cu", "fcc", a=3.33, cubic=True)


def exact():
    """A calculator whose results do not depend on what it has computed before, down to the last bit."""
    return MorseCalculator(skin=0.0)


def same(first: Atoms, second: Atoms) -> bool:
    values = [(a.positions, a.get_momenta(), a.cell.array) for a in (first, second)]
    return all(np.array_equal(a, b) for a, b in zip(*values, strict=True))


def test_any_calculator_runs_without_files(copper):
    before = copper.copy()
    result = run_md(copper, EMT(), MDRun("langevin", steps=12, interval=4, seed=1))
    assert copper == before
    np.testing.assert_array_equal(result.columns()["step"], [0, 4, 8, 12])
    np.testing.assert_allclose(result.columns()["time/ps"], [0.0, 0.004, 0.008, 0.012])
    assert result.provenance["model"] == "EMT"
    assert result.provenance["seed"] == 1
    assert not os.listdir()


def test_the_result_is_kept_in_a_file_and_draws_itself(copper):
    result = run_md(copper, exact(), MDRun(steps=10, seed=1))
    result.save("x.npz")
    again = MDResult.load("x.npz")
    assert same(again.atoms, result.atoms)
    assert again.provenance == result.provenance
    assert len(result.plot().lines[0].get_xdata()) == 2
    assert "10 of 1 fs" in repr(result)
    assert abs(result.drift) < 10.0
    result.write_text("x.csv")
    assert Path("x.csv").read_text().startswith("step,time/ps,temperature/K")


@pytest.mark.parametrize("ensemble", ENSEMBLES)
@pytest.mark.parametrize("ramp", [False, True])
def test_a_run_in_parts_has_the_bits_of_a_whole_one(ensemble, ramp, copper):
    ends = {"temperature_end": 500.0} if ramp and ensemble != "nve" else {}
    ends |= {"pressure": 1.0, "pressure_end": 2.0} if ramp and "npt" in ensemble else {}
    settings = MDRun(ensemble, steps=30, interval=5, seed=3, damping=20.0, **ends)
    calc = MorseCalculator()  # whose neighbour list, too, remembers where it was built
    run_md(copper, calc, settings, files=MDFiles("whole.traj"))
    run_md(copper, calc, settings, files=MDFiles("parts.traj"))
    for size in (0.6, 0.99):
        os.truncate("parts.traj", int(size * os.path.getsize("whole.traj")))
        run_md(copper, calc, settings, files=MDFiles("parts.traj", mode="continue"))
        whole, parts = read("whole.traj", ":"), read("parts.traj", ":")
        assert len(whole) == len(parts) == 7
        assert all(same(*pair) for pair in zip(whole, parts, strict=True))
        assert Path("whole.log").read_text() == Path("parts.log").read_text()


def test_the_state_of_a_thermostat_is_needed_for_that(copper):
    settings = MDRun("nose-hoover", steps=20, seed=1, damping=10.0)
    with prepared_md(copper, exact(), settings) as simulation:
        simulation.advance()
        state = state_of(simulation.dynamics)
    assert np.abs(state["_thermostat._p_eta"]).min() > 0.0


@pytest.mark.parametrize("ensemble", ["nose-hoover", "npt"])
def test_small_systems_have_the_temperature_of_the_thermostat(ensemble, copper):
    """Twelve degrees of freedom would be a third too hot if those of the centre of mass were counted."""
    settings = MDRun(ensemble, temperature=400, timestep=4.0, damping=40.0, steps=1500, interval=2, seed=2)
    result = run_md(copper, exact(), settings)
    momenta = result.atoms.get_momenta()
    np.testing.assert_allclose(momenta.sum(axis=0), 0.0, atol=1e-9)
    temperatures = result.columns()["temperature/K"][100:]
    blocks = [block.mean() for block in np.array_split(temperatures, 10)]
    assert abs(np.mean(blocks) - 400.0) < 4.0 * np.std(blocks, ddof=1) / np.sqrt(10)
    assert np.std(blocks, ddof=1) / np.sqrt(10) < 33.0
    kinetic = result.columns()["kinetic/eV"]
    np.testing.assert_allclose(result.columns()["temperature/K"], 2 * kinetic / (9 * units.kB))


def test_all_vectors_of_a_cell_move_and_nothing_turns_it(copper):
    settings = MDRun("npt-full", steps=50, timestep=2.0, damping=10.0, pressure=5.0, seed=1)
    with prepared_md(copper, exact(), settings) as simulation:
        result = simulation.advance()
        momenta = simulation.dynamics._p_g
    strain = np.linalg.solve(copper.cell.array, result.atoms.cell.array) - np.eye(3)
    assert np.abs(strain).min() > 1e-5
    np.testing.assert_allclose(momenta, momenta.T, atol=1e-12 * np.abs(momenta).max())
    log = result.columns()
    assert log["pressure/GPa"][0] == pytest.approx(np.mean([log[f"{name}/GPa"][0] for name in ("xx", "yy", "zz")]))


@pytest.mark.parametrize("ensemble", ENSEMBLES[1:])
def test_a_ramp_moves_the_temperature(ensemble, copper):
    settings = MDRun(
        ensemble, temperature=100, temperature_end=900, damping=10.0, timestep=4.0, steps=240, interval=4, seed=1
    )
    with prepared_md(copper * (2, 1, 1), MorseCalculator(), settings) as simulation:
        temperatures = simulation.advance().columns()["temperature/K"]
        dynamics = simulation.dynamics
        last = dynamics.temp if hasattr(dynamics, "temp") else dynamics._thermostat._kT
    assert last == pytest.approx(900 * units.kB)
    halves = [temperatures[5:25].mean(), temperatures[-15:].mean()]
    assert halves[0] < 450.0 < 600.0 < halves[1] < 1200.0


def test_a_ramp_moves_the_pressure(copper):
    settings = MDRun("npt", pressure=0.0, pressure_end=30.0, timestep=4.0, damping=20.0, steps=200, interval=4, seed=1)
    log = run_md(copper * (2, 1, 1), MorseCalculator(), settings).columns()
    assert log["pressure/GPa"][-10:].mean() == pytest.approx(29.0, abs=5.0)
    assert log["volume/A^3"][-1] < 0.93 * log["volume/A^3"][0]


def test_a_trajectory_says_where_it_comes_from(copper):
    Path("cu.morse").write_text("")
    calc = MorseCalculator("cu.morse")
    calc.parameters["model"] = "cu.morse"
    settings = MDRun("bussi", steps=10, interval=5)
    first = run_md(copper, calc, settings, files=MDFiles("x.traj"))
    about = read_description("x.traj")
    assert about == first.provenance
    assert about["sha256"] == {"cu.morse": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}
    assert about["model"] == "cu.morse"
    assert set(about["versions"]) == {"ase_mlips", "ase", "numpy", "numba"}
    assert about["command"]
    again = run_md(copper, calc, MDRun("bussi", steps=20, interval=5), files=MDFiles("x.traj", mode="continue"))
    assert again.provenance["seed"] == about["seed"]  # that of the beginning, where none is given
    before = Path("x.traj").read_bytes()
    Path("cu.morse").write_text("changed")
    with pytest.raises(ValueError, match=r"^x\.traj: was computed with a file cu\.morse of SHA-256 e3b0c44298fc\.\.\."):
        run_md(copper, calc, MDRun("bussi", steps=30, interval=5), files=MDFiles("x.traj", mode="continue"))
    assert Path("x.traj").read_bytes() == before


def test_an_older_trajectory_without_provenance_goes_on(copper, monkeypatch):
    monkeypatch.setattr("ase.io.trajectory.TrajectoryWriter.set_description", lambda *_: None)
    run_md(copper, exact(), MDRun(steps=10), files=MDFiles("x.traj"))
    assert read_description("x.traj") == {}
    assert run_md(copper, exact(), MDRun(steps=20), files=MDFiles("x.traj", mode="continue")).first_step == 10


def test_a_ramp_is_not_continued_as_another_one(copper):
    settings = {"ensemble": "langevin", "temperature_end": 500.0}
    run_md(copper, exact(), MDRun(steps=10, **settings), files=MDFiles("x.traj"))
    with pytest.raises(ValueError, match=r"from 300 to 500 K in 10 steps; it cannot go on as .* in 20 steps"):
        run_md(copper, exact(), MDRun(steps=20, **settings), files=MDFiles("x.traj", mode="continue"))


def test_files_that_exist_are_refused_and_finished_runs_not_run_again(copper):
    run_md(copper, exact(), MDRun(steps=10), files=MDFiles("x.traj"))
    with pytest.raises(FileExistsError):
        run_md(copper, exact(), MDRun(steps=10), files=MDFiles("x.traj"))
    done = run_md(copper, exact(), MDRun(steps=10), files=MDFiles("x.traj", mode="continue"))
    assert (done.first_step, done.last_step, done.columns()) == (10, 10, {})
    assert "10 to 10" in repr(done)
    with pytest.raises(ValueError, match=r"FILE\.traj"):
        MDFiles("x.xyz")


def test_the_heat_flux_is_recorded(copper):
    settings = MDRun(steps=20, heat_interval=2, seed=1)
    run_md(copper, exact(), settings, files=MDFiles("x.traj", heat_flux="x.flux"))
    assert len(read_heat_flux("x.flux")) == 11


def test_a_run_that_explodes_says_what_is_kept(copper):
    settings = MDRun(steps=200, timestep=60.0, temperature=3000, seed=1, interval=1)
    with pytest.raises(CalculationFailed, match=r"the run has exploded; .*; x\.traj is complete up to step \d+$"):
        run_md(copper, exact(), settings, files=MDFiles("x.traj"))
    assert len(read("x.traj", ":")) > 0
    with pytest.raises(CalculationFailed, match=r"or another structure or model$"):
        run_md(copper, exact(), settings)


class Shifted(MorseCalculator):
    """Forces that differ from those of the others by a multiple."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def calculate(self, *arguments, **options):
        super().calculate(*arguments, **options)
        self.results["forces"] = self.results["forces"] * self.factor


def test_a_committee_that_disagrees_ends_the_run(copper):
    calc = Committee([Shifted(0.9), Shifted(1.1)])
    log = run_md(copper, calc, MDRun(steps=20, seed=1, max_deviation=10.0)).columns()
    assert (log["deviation/(eV/A)"][1:] > 0.0).all()
    limit = float(log["deviation/(eV/A)"][1] / 2)
    with pytest.raises(CalculationFailed, match=r"^step 10: the deviation of a force .* must not be trusted here; x"):
        run_md(copper, calc, MDRun(steps=20, seed=1, max_deviation=limit), files=MDFiles("x.traj"))
    assert [atoms.info["step"] for atoms in read("x.traj", ":")] == [0, 10]  # the one that is to be looked at, too
    assert np.loadtxt("x.log")[-1, -1] == pytest.approx(2 * limit, abs=1e-6)


def test_a_potential_that_extrapolates_ends_the_run():
    """From a crystal that its active set covers, at a temperature that it does not."""
    model = synthetic_mtp_model("l06")
    atoms = bulk("Cu", "fcc", a=2.5 * np.sqrt(2.0), cubic=True) * (2, 1, 1)
    atoms.symbols = np.resize(model.species, len(atoms))
    frames = [atoms.copy() for _ in range(20)]
    for seed, frame in enumerate(frames):
        frame.rattle(0.08, seed=seed)
    calc = MTP(model, num_threads=1)
    settings = MDRun(temperature=600.0, steps=200, interval=5, seed=1, max_grade=3.0)
    with pytest.raises(ValueError, match="has no active set"):
        run_md(frames[0], calc, settings, files=MDFiles("x.traj"))
    assert not os.listdir()
    calc.select_active_set(frames)
    with pytest.raises(CalculationFailed, match=r"^step \d+: the extrapolation grade is .*, above 3: the model"):
        run_md(frames[0], calc, settings, files=MDFiles("x.traj"))
    rows = np.loadtxt("x.log")
    assert rows[-1, -1] > 3.0 >= rows[:-1, -1].max()
    last = read("x.traj")
    assert last.info["step"] == rows[-1, 0]
    assert calc.get_extrapolation_grade(last).configuration == pytest.approx(rows[-1, -1], abs=1e-5)


@pytest.mark.parametrize(
    ("settings", "change", "message"),
    [
        ({"ensemble": "npt"}, {"pbc": (1, 1, 0)}, "npt needs a periodic cell and no constraints"),
        ({"ensemble": "npt-full"}, {"cell": None}, "npt-full needs a periodic cell and no constraints"),
        ({"ensemble": "npt-full"}, {"constraint": FixAtoms([0])}, "npt-full needs a periodic cell and no constraints"),
        ({"ensemble": "nose-hoover"}, {"constraint": FixBondLength(0, 1)}, "nose-hoover takes no constraints other"),
        ({}, {"constraint": FixAtoms(range(4))}, "nothing can move"),
        ({"max_grade": 3.0}, {}, "max_grade: needs a calculator that gives an extrapolation grade"),
        ({"max_deviation": 3.0}, {}, "max_deviation: needs a calculator that gives deviations"),
    ],
)
def test_what_does_not_suit_is_one_sentence(settings, change, message, copper):
    for name, value in change.items():
        getattr(copper, f"set_{name}")(value)
    with pytest.raises(ValueError, match=f"^{message}"):
        run_md(copper, exact(), MDRun(steps=5, **settings), files=MDFiles("x.traj"))
    assert not os.listdir()


def test_fixed_atoms_stay_under_a_chain_of_thermostats(copper):
    copper.set_constraint(FixAtoms([0]))
    settings = MDRun("nose-hoover", steps=50, damping=10.0, seed=1)
    result = run_md(copper, exact(), settings, files=MDFiles("x.traj"))
    np.testing.assert_array_equal(result.atoms.positions[0], copper.positions[0])
    assert [type(constraint) for constraint in read("x.traj").constraints] == [FixAtoms]

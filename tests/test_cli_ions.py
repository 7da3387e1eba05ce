"""The commands on ions that diffuse: conductivity and arrhenius."""

import re

import numpy as np
import pytest
from ase import Atoms, units
from ase.io import write
from ase_mlips.analysis.diffusion.arrhenius import Arrhenius, arrhenius
from ase_mlips.analysis.diffusion.conductivity import Conductivity, ionic_conductivity
from ase_mlips.analysis.diffusion.diffusion import average, einstein_diffusion
from ase_mlips.analysis.diffusion.msd import mean_squared_displacement
from ase_mlips.analysis.formatting import with_error
from ase_mlips.analysis.trajectories.trajectory import Trajectory
from matplotlib.image import imread
from support.command_line import table
from support.walkers import brownian, rattling

from ase_mlips.cli import main

EDGE = 20.0  # A
STEP = ["--frame-spacing", "1000"]  # fs
CHARGES = ["--charges", "Li=1,S=-2", "--temperature", "300"]
ENERGY, PREFACTOR = 0.15, 8.0  # eV, A^2/ps


def conductor(name, seed, d=0.05, frames=500):
    """Lithium that diffuses at `d` A^2/ps among sulphur that does not."""
    positions = np.concatenate([brownian(seed, frames, 20, d=d), rattling(seed + 99, frames, 10, width=0.15)], axis=1)
    write(name, [Atoms("Li20S10", positions=r % EDGE, cell=EDGE * np.eye(3), pbc=True) for r in positions])


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs at one temperature, and one at each of three more."""
    folder = tmp_path_factory.mktemp("ions")
    conductor(folder / "a.xyz", 0)
    conductor(folder / "b.xyz", 1)
    for seed, temperature in enumerate((400, 500, 700)):
        conductor(folder / f"{temperature}.xyz", seed + 2, d=PREFACTOR * np.exp(-ENERGY / (units.kB * temperature)))
    return folder


@pytest.fixture
def here(tmp_path, monkeypatch, runs):
    monkeypatch.chdir(tmp_path)
    for file in runs.iterdir():
        (tmp_path / file.name).symlink_to(file)
    return tmp_path


def test_conductivity_of_one_run(here, capsys):
    assert main(["conductivity", "a.xyz", *CHARGES, *STEP]) == 0
    result = Conductivity.load("conductivity.npz")
    source = Trajectory("a.xyz", timestep_fs=1000.0)
    expected = ionic_conductivity(source, {"Li": 1.0, "S": -2.0}, temperature=300.0)
    assert (result.collective, result.collective_error) == (expected.collective, expected.collective_error)
    said = capsys.readouterr()
    rows = table(said.out)
    value, error = result.collective, result.collective_error
    assert rows["collective"] == [with_error(value, error), with_error(value / 100.0, error / 100.0)]
    truth = 1e22 * units._e**2 / units._k * 20 * 0.05 / (EDGE**3 * 300.0)  # S/m, of ions that move alone
    assert abs(value - truth) < 4.0 * error < 2.0 * truth
    assert rows["Li"] == ["+1", "diffuses"]
    assert rows["S"] == ["-2", "does", "not", "diffuse"]
    assert rows["Haven"] == ["ratio:", with_error(result.haven, result.haven_error)]
    assert said.out.endswith("wrote conductivity.npz and conductivity.png\n")
    assert said.err == ""
    assert np.ptp(imread("conductivity.png")) > 0.5


def test_conductivity_of_several_runs(here, capsys):
    assert main(["conductivity", "a.xyz", "b.xyz@:", *CHARGES, *STEP, "-o", "mean.csv"]) == 0
    result = Conductivity.load("mean.npz")
    single = [
        ionic_conductivity(Trajectory(name, timestep_fs=1000.0), {"Li": 1.0, "S": -2.0}, temperature=300.0)
        for name in ("a.xyz", "b.xyz")
    ]
    assert (result.runs, result.collective) == (2, average(single).collective)
    said = capsys.readouterr().out
    for name, one in zip(("a.xyz", "b.xyz@:"), single, strict=True):
        assert f"{name}: {with_error(one.collective, one.collective_error)} S/m = " in said
    assert "300 K, mean of 2 runs" in said
    assert "wrote mean.npz, mean.csv and mean.png" in said
    numbers = np.loadtxt("mean.csv", delimiter=",", skiprows=1)
    np.testing.assert_allclose(numbers[:, 2], result.collective_curve, rtol=1e-9)


def test_a_run_without_a_conductivity(here, capsys):
    """All numbers are written nevertheless."""
    assert main(["conductivity", "a.xyz", *CHARGES, "--frame-spacing", "1", "--frames", ":20"]) == 1
    said = capsys.readouterr().out
    assert "note: no ionic conductivity, as the verdicts say" in said
    assert table(said)["collective"] == ["-", "-"]
    assert np.isnan(Conductivity.load("conductivity.npz").collective)


@pytest.mark.filterwarnings("default::UserWarning")
def test_a_warning_names_the_option(here, capsys):
    main(["conductivity", "a.xyz", "--charges", "Li=1", "--temperature", "300", *STEP, "--drift", "all"])
    assert "--drift the symbol of the framework" in capsys.readouterr().err
    assert (
        main(["conductivity", "a.xyz", "--charges", "Li=1", "--temperature", "300", *STEP, "--drift", "S", "--force"])
        == 0
    )
    assert capsys.readouterr().err == ""


def test_activation_energy(here, capsys):
    files, temperatures = ["400.xyz", "500.xyz", "700.xyz"], ["400", "500", "700"]
    command = ["arrhenius", *files, "--temperatures", *temperatures, "--element", "Li", "--at", "300", "350", *STEP]
    assert main([*command, "-o", "ea.dat"]) == 0
    result = Arrhenius.load("ea.npz")
    found = [einstein_diffusion(mean_squared_displacement(name, timestep_fs=1000.0, atoms="Li")) for name in files]
    expected = arrhenius([400.0, 500.0, 700.0], found)
    assert (result.activation_energy, result.prefactor) == (expected.activation_energy, expected.prefactor)
    assert abs(result.activation_energy - ENERGY) < 4.0 * result.activation_energy_error < 0.1
    assert abs(np.log(result.prefactor / (1e-4 * PREFACTOR))) < 4.0 * np.sqrt(result.covariance[0, 0])
    said = capsys.readouterr().out
    assert f"activation energy: {with_error(result.activation_energy, result.activation_energy_error)} eV\n" in said
    assert f"500.xyz: 500 K, {found[1].describe('Li')}\n" in said
    assert table(said)["300"] == [with_error(*result.extrapolate(300.0))]
    assert table(said)["350"] == [with_error(*result.extrapolate(350.0))]
    np.testing.assert_allclose(np.loadtxt("ea.dat").T, list(result.columns().values()), rtol=1e-9)
    assert np.ptp(imread("ea.png")) > 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["conductivity", "a.xyz", *CHARGES], "give --frame-spacing"),
        (["conductivity", "a.xyz", "--charges", "Na=1", "--temperature", "300", *STEP], "there is no Na among Li, S"),
        (["conductivity", "a.xyz", "b.xyz@:100", *CHARGES, *STEP], "same temperature and times"),
        (["conductivity", "a.xyz", "b.xyz", "a.xyz", *CHARGES, *STEP], "expected independent runs, got a.xyz twice"),
        (["conductivity", "a.xyz@1:2:3:4", *CHARGES, *STEP], "expected INDEX or START:STOP:STEP behind @"),
        (
            ["arrhenius", "a.xyz", "--temperatures", "1", "2", "--element", "Li", *STEP],
            "--temperatures: expected one for",
        ),
        (["arrhenius", "a.xyz", "--temperatures", "300", "--element", "Li", *STEP], "2 different temperatures, got 1"),
        (["arrhenius", "a.xyz", "--temperatures", "300", "--element", "O", *STEP], "O"),
    ],
)
def test_input_that_cannot_be_used(here, arguments, message, capsys):
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not list(here.glob("*.npz"))


@pytest.mark.parametrize(("text", "message"), [("Li", "each element once"), ("Li=1,Li=2", "once"), ("Li=x", "of Li")])
def test_charges_without_meaning(here, text, message, capsys):
    with pytest.raises(SystemExit):
        main(["conductivity", "a.xyz", f"--charges={text}", "--temperature", "300"])
    assert re.search(rf"argument --charges: expected .*{message}.*got ", capsys.readouterr().err)

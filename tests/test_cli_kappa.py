"""The command that makes a thermal conductivity of recorded heat fluxes, and md, which records them."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write
from ase_mlips.analysis.formatting import with_error
from ase_mlips.analysis.heat.green_kubo import green_kubo
from ase_mlips.analysis.heat.green_kubo_result import GreenKubo
from ase_mlips.analysis.heat.recorder import read_heat_flux
from matplotlib.image import imread
from support.command_line import table
from support.heat_series import mixture, ornstein_uhlenbeck, write_heat_flux

from ase_mlips.cli import main


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current directory, with three runs of one system, and one run of a mixture."""
    monkeypatch.chdir(tmp_path)
    for seed in range(3):
        write_heat_flux(tmp_path / f"flux{seed}.txt", ornstein_uhlenbeck(4_000, seed=seed, timestep_fs=5.0))
    write_heat_flux(tmp_path / "mixture.txt", mixture(12_000, shifts=(5.0, 0.0)))
    return tmp_path


def test_kappa(here, capsys):
    assert main(["kappa", "flux0.txt", "flux1.txt", "flux2.txt", "--discard", "2.5", "-o", "k.npz"]) == 0
    result = GreenKubo.load("k.npz")
    expected = green_kubo([read_heat_flux(f"flux{seed}.txt")[500:] for seed in range(3)])
    assert result.best == expected.best
    assert result.kappa == pytest.approx(2.5, abs=3.0 * result.error)
    assert np.ptp(imread("k.png")) > 0.5
    said = capsys.readouterr()
    rows = table(said.out)
    assert rows["Green-Kubo"] == [with_error(result.kappa, result.error)]
    assert rows["cepstral"] == [with_error(result.cepstral_kappa, result.cepstral_error)]
    assert float(rows["total"][0]) == pytest.approx(result.kappa, rel=1e-3)
    assert rows["wrote"] == ["k.npz", "and", "k.png"]
    assert "ensemble: unknown" in said.out
    assert "3 runs, 52.5 ps in all, 300.0 K" in said.out
    assert f"thermal conductivity: {with_error(*result.best)} W/(m K)\n" in said.out
    assert said.err == ""


def test_options_of_kappa(here):
    options = ["--window", "0.5", "1", "--max-lag", "2", "--blocks", "2"]
    assert main(["kappa", "flux0.txt", "flux1.txt", "flux2.txt", *options]) == 0
    result = GreenKubo.load("kappa.npz")
    assert result.window_ps == pytest.approx((0.5, 1.0))
    assert result.times[-1] == pytest.approx(2.0)
    assert result.run_kappas.shape == (6,)


def test_kappa_of_a_mixture_says_which_value_to_publish(here, capsys):
    assert main(["kappa", "mixture.txt"]) == 0
    said = capsys.readouterr()
    result = GreenKubo.load("kappa.npz")
    assert "publish kappa_corrected" in said.err
    value = with_error(result.kappa_corrected, result.error_corrected)
    assert f"thermal conductivity: {value} W/(m K)\n" in said.out
    assert "Onsager-corrected" in said.out


def test_kappa_without_a_plateau_says_no_number(here, capsys):
    """A drift, whose integral only grows."""
    series = ornstein_uhlenbeck(4_000)
    drift = np.linspace(-1.0, 1.0, 4_000)[:, None] + 0.1 * series.total
    write_heat_flux(here / "drift.txt", replace(series, conductive=drift))
    assert main(["kappa", "drift.txt"]) == 1
    said = capsys.readouterr()
    assert "thermal conductivity: none; too short: 16 ps are " in said.out
    assert "(" not in table(said.out)["Green-Kubo"][0]
    assert table(said.out)["Green-Kubo"][1:] == ["not", "converged"]
    assert said.err == ""
    assert GreenKubo.load("kappa.npz").verdict.startswith("too short: ")
    assert np.ptp(imread("kappa.png")) > 0.5


def test_kappa_of_a_thermostatted_run_says_no_number(here, capsys):
    """Langevin dynamics acts on every atom: there is no conductivity, whatever the curves look like."""
    series = ornstein_uhlenbeck(4_000, seed=9, timestep_fs=5.0)
    write_heat_flux(here / "langevin.txt", replace(series, ensemble="Langevin"))
    assert main(["kappa", "langevin.txt"]) == 1
    said = capsys.readouterr()
    assert "ensemble: Langevin" in said.out
    assert "thermal conductivity: none; thermostatted: Langevin dynamics changes the momentum of each atom" in said.out
    write_heat_flux(here / "bussi.txt", replace(series, ensemble="Bussi"))
    assert main(["kappa", "bussi.txt", "flux1.txt", "flux2.txt", "--force"]) == 0
    said = capsys.readouterr()
    assert "ensemble: Bussi, unknown" in said.out
    assert "Bussi dynamics changes the heat flux" in said.err


@pytest.mark.parametrize(("name", "separator"), [("x.csv", ","), ("x.dat", None)])
def test_kappa_as_text(here, name, separator):
    files = ["flux0.txt", "flux1.txt", "flux2.txt"]
    assert main(["kappa", *files, "-o", name]) == 0
    result = GreenKubo.load("x.npz")
    lines = (here / name).read_text().splitlines()
    header = [line for line in lines if line.startswith("#")]
    assert header[:1] == ([] if separator else [f"# thermal conductivity: {with_error(*result.best)} W/(m K)"])
    names = ["time (ps)", *(f"{part} (W/(m K))" for part in ("total", "convective", "conductive", "cross"))]
    assert lines[0].split(",") == names if separator else all(part in header[-1] for part in names)
    numbers = np.loadtxt(name, delimiter=separator, skiprows=1)
    np.testing.assert_allclose(numbers[:, 0], result.times, rtol=1e-7)
    np.testing.assert_allclose(numbers[:, 1], np.trace(result.running["total"], axis1=1, axis2=2) / 3.0, rtol=1e-6)
    assert (here / "x.png").exists()
    assert main(["kappa", "mixture.txt", "-o", name, "--force"]) == 0
    assert "corrected (W/(m K))\n" in (here / name).read_text()


def test_the_keys_of_the_numbers_are_those_of_the_documentation(here):
    assert main(["kappa", "mixture.txt"]) == 0
    with np.load("kappa.npz") as data:
        keys = set(data.files)
    parts = {f"{name}.{k}" for name in ("hcacf", "running") for k in range(4)}
    assert keys == {"times", "tensor", "run_kappas", "running_corrected", "header of the result", *parts}


@pytest.mark.parametrize(
    ("options", "length"), [(["--window", "12", "19"], 20), (["--window", "1", "2", "--blocks", "4"], 5)]
)
def test_a_window_that_is_too_late(here, capsys, options, length):
    assert main(["kappa", "flux0.txt", "flux1.txt", "flux2.txt", *options]) == 1
    assert f"window too late: it ends beyond a quarter of the {length} ps of a run or block" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.txt"], "nothing.txt"),
        (["flux0.txt", "--discard", "19.5"], "at least 200 frames"),
        (["flux0.txt", "--discard", "25"], "flux0.txt: nothing is left of 19.995 ps after --discard 25"),
        (["flux0.txt", "-o", "none/kappa.npz"], "none: there is no such directory"),
        (["flux0.txt", "mixture.txt"], "one system"),
        (["flux0.txt", "flux0.txt"], "expected independent runs, got the same heat flux as runs 1 and 2"),
        (["flux0.txt", "-o", "k.png"], "ends in .npz, or in .csv or .dat"),
        (["flux0.txt", "--window", "2", "1"], "two increasing lags"),
    ],
)
def test_input_that_cannot_be_used(here, capsys, arguments, message):
    assert main(["kappa", *arguments]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.err.count("\n") == 1
    assert not (here / "kappa.npz").exists()


def test_md_records_the_heat_flux_and_goes_on_after_a_restart(here, capsys):
    write("si.xyz", bulk("Si", cubic=True))
    common = ["md", "embedded:Si", "si.xyz", "--heat-flux", "si.txt", "--heat-interval", "2", "--seed", "1"]
    assert main([*common, "--steps", "10", "--interval", "10"]) == 0
    assert len(read_heat_flux("si.txt")) == 6
    assert main([*common, "--steps", "20", "--interval", "10", "--restart"]) == 0
    assert main([*common, "--steps", "20", "--heat-flux", "whole.txt", "-o", "whole.traj"]) == 0
    parts, whole = read_heat_flux("si.txt"), read_heat_flux("whole.txt")
    assert len(parts) == 11
    assert parts.timestep_fs == pytest.approx(2.0)
    np.testing.assert_allclose(parts.total, whole.total, rtol=0, atol=1e-8 * np.abs(whole.total).max())
    assert main([*common, "--steps", "20", "-o", "another.traj"]) == 2
    assert "si.txt: exists" in capsys.readouterr().err
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert main(["kappa", "si.txt"]) == 2


def test_md_does_not_continue_a_heat_flux_with_a_gap(here, capsys):
    write("si.xyz", bulk("Si", cubic=True))
    plain = ["md", "embedded:Si", "si.xyz", "--seed", "1", "--interval", "10", "--restart"]
    flux = ["--heat-flux", "si.txt", "--heat-interval", "5"]
    assert main([*plain, *flux, "--steps", "10"]) == 0
    assert main([*plain, "--steps", "20"]) == 0
    before = {path: path.read_bytes() for path in here.iterdir()}
    capsys.readouterr()
    assert main([*plain, *flux, "--steps", "30"]) == 2
    said = capsys.readouterr().err
    assert "si.txt: has lines every 5 fs from 0 to 10 fs, and cannot go on with one at 25 fs" in said
    assert said.count("\n") == 1
    assert {path: path.read_bytes() for path in here.iterdir()} == before


@pytest.mark.parametrize("ensemble", ["langevin", "bussi", "npt"])
def test_md_says_that_green_kubo_needs_nve(here, capsys, ensemble):
    write("si.xyz", bulk("Si", cubic=True))
    assert main(["md", "embedded:Si", "si.xyz", "--ensemble", ensemble, "--steps", "5", "--heat-flux", "si.txt"]) == 0
    assert capsys.readouterr().err == f"ase-mlips: {ensemble} disturbs the heat flux; Green-Kubo needs nve\n"
    names = {"langevin": "Langevin", "bussi": "Bussi", "npt": "IsotropicMTKNPT"}
    assert read_heat_flux("si.txt").ensemble == names[ensemble]
    assert main(["md", "embedded:Si", "si.xyz", "--steps", "5", "--heat-flux", "nve.txt", "-o", "nve.traj"]) == 0
    assert read_heat_flux("nve.txt").ensemble == "NVE"
    assert capsys.readouterr().err == ""

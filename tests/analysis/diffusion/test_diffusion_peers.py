"""Diffusion against the numbers of other programs, see tests/reference/analysis."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from ase_mlips.analysis.correlation import correlation
from ase_mlips.analysis.diffusion.conductivity import ionic_conductivity
from ase_mlips.analysis.diffusion.diffusion import einstein_diffusion
from ase_mlips.analysis.diffusion.msd import mean_squared_displacement
from ase_mlips.analysis.trajectories.trajectory import Trajectory

FOLDER = Path(__file__).parents[2] / "reference" / "analysis"
spec = importlib.util.spec_from_file_location("make_diffusion_reference", FOLDER / "make.py")
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)

# kinisi divides the variance by the number of windows side by side; windows that overlap have two thirds of it.
OVERLAP = np.sqrt(2.0 / 3.0)
FRAMEWORK = np.arange(40, 48)
WINDOW = (make.START * make.STEP, make.LAGS * make.STEP)  # kinisi took longer lags too, which add next to nothing


@pytest.fixture(scope="module")
def peers():
    return {name: entry["values"] for name, entry in json.loads((FOLDER / "diffusion.json").read_text()).items()}


@pytest.fixture(scope="module")
def source():
    cell = make.EDGE * np.eye(3)
    return Trajectory.from_arrays(
        make.trajectory() % make.EDGE, symbols=["Li"] * 40 + ["S"] * 8, cell=cell, timestep_fs=1e3 * make.STEP
    )


@pytest.fixture(scope="module")
def msd(source):
    return mean_squared_displacement(source, atoms="Li", drift=FRAMEWORK, max_lag_ps=WINDOW[1])


def test_mean_squared_displacement_is_that_of_freud(msd, peers):
    # freud has 32-bit positions: squared distances from the origin of up to 1e3 A^2 are subtracted.
    np.testing.assert_allclose(msd.partials["Li"], peers["freud"], rtol=0.0, atol=1e-4)


def test_mean_squared_displacement_is_that_of_kinisi(msd, peers):
    x = make.trajectory()[:, :40]
    lags = np.arange(1, make.LAGS + 1)
    extra = np.mean(np.sum((x[lags - 1] - x[0]) ** 2, axis=2), axis=1)
    windows = len(x) - lags
    expected = (windows * msd.partials["Li"][1:] + extra) / (windows + 1)
    np.testing.assert_allclose(expected, peers["kinisi"]["msd"], rtol=1e-9)


def test_autocorrelation_is_that_of_dynasor(peers):
    for column, expected in zip(make.velocities().T, peers["dynasor"], strict=True):
        ours = correlation(column, max_lag=make.LAGS)
        np.testing.assert_allclose(ours / ours[0], expected, rtol=1e-9, atol=1e-12)


def test_diffusion_and_its_error_are_those_of_kinisi(msd, peers):
    value, error = einstein_diffusion(msd, window_ps=WINDOW)["Li"]
    theirs, their_error = peers["kinisi"]["diffusion_cm2_per_s"]
    assert abs(value - theirs) < their_error  # the same data, other weights
    assert OVERLAP * their_error == pytest.approx(error, rel=0.15)


def test_conductivity_and_its_error_are_those_of_kinisi(source, peers):
    ours = ionic_conductivity(source, {"Li": 1.0}, temperature=make.TEMPERATURE, drift=FRAMEWORK, window_ps=WINDOW)
    theirs, their_error = peers["kinisi"]["conductivity_S_per_m"]
    assert abs(ours.collective - theirs) < their_error
    # One walker with twenty independent windows: how wide its squares spread is itself known to a third only.
    assert 0.5 < their_error / ours.collective_error < 2.0

"""Third order: force constants and thermal conductivity by phono3py."""

from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase_mlips.analysis.results import Interrupted
from support.stillinger_weber import displaced_silicon

from ase_mlips import SNAP
from ase_mlips.phonons import ThermalConductivity, conduct, thermal_conductivity, third_order
from ase_mlips.phonons.cells import to_phonopy
from ase_mlips.phonons.force_constants import produce_third_order
from ase_mlips.phonons.forces import evaluate

phono3py = pytest.importorskip("phono3py")

REFERENCE = Path(__file__).resolve().parents[1] / "reference" / "phonons"


@contextmanager
def warned_of_a_small_supercell():
    with (
        pytest.warns(UserWarning, match="less than twice the cutoff"),
        pytest.warns(UserWarning, match="or the supercell is too small"),
    ):
        yield


@pytest.fixture(scope="module")
def silicon():
    with warned_of_a_small_supercell():
        return third_order(bulk("Si", a=5.4628), SNAP.embedded("Si"), supercell=2)


def test_force_constants_are_those_of_phono3pys_own_workflow(silicon):
    own = phono3py.Phono3py(to_phonopy(bulk("Si", a=5.4628)), supercell_matrix=[2, 2, 2], primitive_matrix="P")
    own.generate_displacements(distance=0.03)
    own.forces = evaluate(own.supercells_with_displacements, SNAP.embedded("Si", num_threads=1))["forces"]
    own.produce_fc3()
    own.symmetrize_fc3()
    own.symmetrize_fc2()
    np.testing.assert_allclose(silicon.fc2, own.fc2, atol=1e-9)
    np.testing.assert_allclose(silicon.fc3, own.fc3, atol=1e-9)


def of_lammps(*, decimals):
    """Forces that another code printed, on the supercells that phono3py made for it."""
    made = displaced_silicon()
    stored = np.load(REFERENCE / "silicon_stillinger_weber.npz")["micro_ev_per_angstrom"]
    made.forces = np.round(1e-6 * stored, decimals)
    return made


def at_300(made):
    return conduct(made, mesh=(5, 5, 5)).mean[0]


@pytest.mark.filterwarnings("ignore:the sum rule and the exchange symmetry change")
def test_forces_that_another_code_prints_with_few_decimals():
    exact, printed = of_lammps(decimals=6), of_lammps(decimals=3)
    assert produce_third_order(exact)["fc3"] < 2e-3
    printed.produce_fc3()
    raw = at_300(printed)
    changes = produce_third_order(printed)
    assert changes["fc3"] > 0.05 > changes["fc2"]
    assert at_300(exact) == pytest.approx(364.0, rel=0.005)
    # What is left is noise that is symmetric itself.
    assert at_300(printed) > 1.8 * raw
    for name in ("fc2", "fc3"):
        found = getattr(printed, name)
        assert np.abs(found.sum(1)).max() < 1e-3 * np.abs(found).max()
    np.testing.assert_allclose(printed.fc3, printed.fc3.transpose(0, 2, 1, 3, 5, 4), atol=1e-12)


def test_noise_is_named():
    made = of_lammps(decimals=6)
    made.forces = made.forces + np.random.default_rng(0).normal(scale=1e-4, size=made.forces.shape)
    with pytest.warns(UserWarning, match=r"change the third-order force constants by \d+ %: the forces are noisy"):
        produce_third_order(made)


def test_the_result_says_what_was_done_to_the_force_constants():
    with warned_of_a_small_supercell():
        result = thermal_conductivity(bulk("Si", a=5.4628), SNAP.embedded("Si"), supercell=2, mesh=(3, 3, 3))
    assert set(result.symmetrised) == {"fc2", "fc3"}
    assert 0.0 < result.symmetrised["fc3"] < 0.02
    assert f"fc3 by {100.0 * result.symmetrised['fc3']:.2g} %" in repr(result)
    assert repr(conduct(result.phono3py, mesh=(3, 3, 3))).endswith("symmetrised: no)")
    sums = result.phono3py.fc3.sum(axis=2)
    assert np.abs(sums).max() < 1e-4 * np.abs(result.phono3py.fc3).max()


def test_force_constants_that_are_not_there_or_not_finite():
    made = displaced_silicon()
    with pytest.raises(ValueError, match="expected force constants fc2 that are there"):
        conduct(made, mesh=(2, 2, 2))
    made.fc2, made.fc3 = np.zeros((2, 64, 3, 3)), np.full((2, 64, 64, 3, 3, 3), np.nan)
    with pytest.raises(ValueError, match="expected force constants fc3 that are there and finite"):
        conduct(made, mesh=(2, 2, 2))


def test_ctrl_c_hands_over_the_force_constants(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("ase_mlips.phonons.conductivity.conduct", interrupted)
    with (
        warned_of_a_small_supercell(),
        pytest.raises(Interrupted) as caught,
    ):
        thermal_conductivity(bulk("Si", a=5.4628), SNAP.embedded("Si"), supercell=2, mesh=(3, 3, 3))
    assert caught.value.result.fc3.shape[-3:] == (3, 3, 3)
    assert conduct(caught.value.result, mesh=(3, 3, 3)).mean[0] > 1.0


@pytest.mark.parametrize("method", ["rta", "lbte"])
def test_conductivity_of_a_cubic_crystal(silicon, method, tmp_path):
    temperatures = np.array([300.0, 600.0])
    result = conduct(silicon, mesh=(5, 5, 5), temperatures=temperatures, method=method)
    assert result.kappa.shape == (2, 3, 3)
    for k in range(2):
        np.testing.assert_allclose(result.kappa[k], result.mean[k] * np.eye(3), atol=1e-6 * result.mean[k])
    assert 1.7 < result.mean[0] / result.mean[1] < 2.6  # about 1 / T
    result.phono3py.run_thermal_conductivity(is_LBTE=method == "lbte", temperatures=temperatures)
    own = result.phono3py.thermal_conductivity.kappa[0]
    np.testing.assert_allclose(np.diagonal(result.kappa, axis1=1, axis2=2), own[:, :3], rtol=1e-10)
    result.save(tmp_path / "kappa.npz")
    again = ThermalConductivity.load(tmp_path / "kappa.npz")
    np.testing.assert_array_equal(again.kappa, result.kappa)
    assert again.phono3py is None
    assert repr(again) == repr(result)
    assert len(result.plot().lines) == 1


@pytest.mark.parametrize("by", ["frequency", "mean free path"])
def test_cumulative_conductivity(silicon, by, tmp_path):
    result = conduct(silicon, mesh=(5, 5, 5), temperatures=[300.0, 600.0])
    found = result.cumulative(by, temperature=600.0)
    np.testing.assert_allclose(found.kappa[-1], result.kappa[1], rtol=1e-10, atol=1e-10)
    assert (np.diff(found.limits) >= 0.0).all()
    assert (np.diff(found.mean) >= 0.0).all()
    below = found.limits <= found.half()
    modes = result.frequencies if by == "frequency" else result.mean_free_paths[1]
    carried = np.trace(result.mode_kappa[1], axis1=-2, axis2=-1)[modes <= found.half()].sum() / 3.0
    assert carried == pytest.approx(found.mean[below][-1])
    assert 0.5 <= carried / result.mean[1] < 0.7
    found.write_text(tmp_path / "cumulative.csv")
    rows = np.genfromtxt(tmp_path / "cumulative.csv", delimiter=",", skip_header=1)
    np.testing.assert_allclose(rows[:, :2], np.column_stack([found.limits, found.mean]), rtol=1e-9)
    (line,) = found.plot().lines
    assert line.get_ydata()[-1] == pytest.approx(result.mean[1])
    with pytest.raises(ValueError, match=r"temperature: expected one of \[300.0, 600.0\] in K, got 400"):
        result.cumulative(by, temperature=400.0)


def test_mean_free_paths_and_capacities_make_the_conductivity(silicon):
    """kappa = 1/3 sum of C v^2 tau / V, of quantities that phono3py does not combine for us."""
    result = conduct(silicon, mesh=(5, 5, 5))
    phono3py = result.phono3py
    phono3py.run_thermal_conductivity(temperatures=[300.0])
    run = phono3py.thermal_conductivity
    speeds = np.linalg.norm(run.group_velocities, axis=-1)
    capacity = run.mode_heat_capacities[0] * run.grid_weights[:, None] / 125.0
    total = (capacity * speeds * result.mean_free_paths[0]).sum() / phono3py.primitive.volume / 3.0
    expected = total * units._e * 1e22  # eV/(K ps A) in W/(m K)
    assert expected == pytest.approx(result.mean[0], rel=1e-5)


def test_figure_of_an_uniaxial_crystal():
    kappa = np.diag([1.0, 1.0, 2.0])[None] * np.array([2.0, 1.0])[:, None, None]
    ax = ThermalConductivity(np.array([300.0, 600.0]), kappa, np.array([3, 3, 3]), "rta").plot()
    assert [line.get_label() for line in ax.lines] == ["xx", "yy", "zz"]

"""Third order: force constants and thermal conductivity by phono3py."""

import numpy as np
import pytest
from ase.build import bulk

from ase_mlips import SNAP
from ase_mlips.phonons import ThermalConductivity, third_order
from ase_mlips.phonons.cells import to_phonopy
from ase_mlips.phonons.conductivity import conduct
from ase_mlips.phonons.forces import evaluate

phono3py = pytest.importorskip("phono3py")


@pytest.fixture(scope="module")
def silicon():
    with pytest.warns(UserWarning, match="less than twice the cutoff"):
        return third_order(bulk("Si", a=5.4628), SNAP.embedded("Si"), supercell=2)


def test_force_constants_are_those_of_phono3pys_own_workflow(silicon):
    own = phono3py.Phono3py(to_phonopy(bulk("Si", a=5.4628)), supercell_matrix=[2, 2, 2], primitive_matrix="P")
    own.generate_displacements(distance=0.03)
    own.forces = evaluate(own.supercells_with_displacements, SNAP.embedded("Si", num_threads=1))["forces"]
    own.produce_fc3()
    own.produce_fc2()
    np.testing.assert_allclose(silicon.fc2, own.fc2, atol=1e-9)
    np.testing.assert_allclose(silicon.fc3, own.fc3, atol=1e-9)


@pytest.mark.parametrize("method", ["rta", "lbte"])
def test_conductivity_of_a_cubic_crystal(silicon, method, tmp_path):
    temperatures = np.array([300.0, 600.0])
    result = conduct(silicon, mesh=(5, 5, 5), temperatures=temperatures, method=method)
    assert result.kappa.shape == (2, 3, 3)
    for k in range(2):
        np.testing.assert_allclose(result.kappa[k], result.mean[k] * np.eye(3), atol=1e-6 * result.mean[k])
    assert 1.7 < result.mean[0] / result.mean[1] < 2.6  # about 1 / T
    result.save(tmp_path / "kappa.npz")
    np.testing.assert_array_equal(ThermalConductivity.load(tmp_path / "kappa.npz").kappa, result.kappa)
    assert len(result.plot().lines) == 1


def test_figure_of_an_uniaxial_crystal():
    kappa = np.diag([1.0, 1.0, 2.0])[None] * np.array([2.0, 1.0])[:, None, None]
    ax = ThermalConductivity(np.array([300.0, 600.0]), kappa, np.array([3, 3, 3]), "rta").plot()
    assert [line.get_label() for line in ax.lines] == ["xx", "yy", "zz"]

"""Density of ions on a grid, and the files that other programs read."""

import numpy as np
import pytest
from ase.io.cube import read_cube
from ase.io.xsf import read_xsf
from ase.units import Bohr
from ase_mlips.analysis.diffusion.density import IonDensity, ion_density
from ase_mlips.analysis.trajectories.trajectory import Trajectory
from support.walkers import brownian, trajectory

CELL = np.array([[8.0, 0.0, 0.0], [2.0, 7.0, 0.0], [-1.0, 1.0, 9.0]])


def slanted(positions, symbols, cell=CELL):
    return Trajectory.from_arrays(positions, symbols=symbols, cell=cell)


def test_the_integral_is_the_number_of_ions():
    x = brownian(0, 60, 7, d=0.1)
    result = ion_density(slanted(x, ["Li"] * 5 + ["Cl"] * 2), "Li", drift=None)
    assert result.density.shape == (32, 30, 37)  # edges of at most 0.25 A
    assert result.density.sum() * result.voxel == pytest.approx(5.0, rel=1e-12)
    np.testing.assert_array_equal(result.numbers, [17, 17])
    np.testing.assert_allclose(result.positions, x[:, 5:].mean(axis=0), atol=1e-10)


def test_an_ion_is_in_its_voxel():
    where = np.array([[[0.3, 0.55, -0.1]]]) @ CELL
    result = ion_density(slanted(np.repeat(where, 4, axis=0), ["Li"]), [0], spacing=1.0, drift=None)
    assert result.density.shape == (8, 8, 10)
    assert np.argwhere(result.density).tolist() == [[2, 4, 9]]
    assert result.density.max() == pytest.approx(1.0 / result.voxel)


def test_a_cell_that_grows_is_followed():
    scale = np.linspace(1.0, 1.2, 5)[:, None, None]
    where = scale * (np.array([[[0.3, 0.55, 0.72]]]) @ CELL)
    result = ion_density(slanted(where, ["Li"], scale * CELL), "Li", spacing=2.0, drift=None)
    assert np.count_nonzero(result.density) == 1
    np.testing.assert_allclose(result.cell, 1.1 * CELL)


def test_a_drifting_framework_is_held():
    x = np.zeros((40, 2, 3)) + [[[1.1, 1.1, 1.1], [3.1, 3.1, 3.1]]] + 0.1 * np.arange(40)[:, None, None]
    source = trajectory(x, symbols=["Li", "S"])
    assert np.count_nonzero(ion_density(source, "Li", drift=[1]).density) == 1
    assert np.count_nonzero(ion_density(source, "Li", drift=None).density) > 10


@pytest.mark.parametrize("kind", ["cube", "xsf"])
def test_files(tmp_path, kind):
    result = ion_density(slanted(brownian(1, 30, 4), ["Li"] * 3 + ["Cl"]), "Li", spacing=1.5)
    path = tmp_path / f"li.{kind}"
    result.write(path)
    with open(path) as file:
        if kind == "cube":
            content = read_cube(file)
            data, atoms, origin = content["data"] / Bohr**3, content["atoms"], content["origin"]
        else:
            data, origin, _, atoms = read_xsf(file, read_data=True)
    np.testing.assert_allclose(data, result.density, rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(atoms.positions, result.positions, atol=1e-4)
    np.testing.assert_allclose(origin, 0.5 / np.array(result.density.shape) @ CELL, atol=1e-4)


def test_kept_in_a_file_and_drawn(tmp_path):
    result = ion_density(trajectory(brownian(2, 30, 4)), [0, 1], spacing=2.0)
    result.save(tmp_path / "density.npz")
    np.testing.assert_array_equal(IonDensity.load(tmp_path / "density.npz").density, result.density)
    image = result.plot(axis=1).get_images()[0].get_array()
    assert image.sum() * 400.0 / image.size == pytest.approx(2.0)  # ions per area


def test_bad_input(tmp_path):
    source = trajectory(brownian(0, 5, 2))
    with pytest.raises(ValueError, match="positive spacing"):
        ion_density(source, "Li", spacing=0.0)
    with pytest.raises(ValueError, match="selection is empty"):
        ion_density(source, [])
    cluster = Trajectory.from_arrays(brownian(0, 5, 2), symbols=["Li"] * 2, cell=np.zeros((3, 3)), pbc=False)
    with pytest.raises(ValueError, match="cell with three vectors"):
        ion_density(cluster, "Li")
    with pytest.raises(ValueError, match=r"\.cube or \.xsf"):
        ion_density(source, "Li").write(tmp_path / "density.txt")

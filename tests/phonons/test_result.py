"""What a `Phonons` answers."""

import numpy as np
import phonopy
import pytest
from ase import units
from ase.build import bulk
from ase_mlips.analysis import vdos
from support.harmonic import harmonic_crystal
from support.springs import Springs, rock_salt

from ase_mlips import SNAP
from ase_mlips.phonons import Bands, PhononDOS, Phonons, ThermalProperties, gruneisen, phonons

WIDE = 216.0  # A^3 per atom: meshes that are given as a length have few points


@pytest.fixture(scope="module")
def salt():
    return phonons(rock_salt(volume=WIDE), Springs(volume=WIDE), supercell=3)


@pytest.fixture(scope="module")
def silicon():
    return phonons(bulk("Si", a=5.4628), SNAP.embedded("Si"), supercell=4)


def test_bands_go_along_the_recommended_path(silicon, tmp_path):
    bands = silicon.bands()
    assert "".join(bands.labels) == "ΓXWKΓLUWLK|UX"
    at = {
        label: bands.frequencies[np.argmin(np.abs(bands.distances - tick))]
        for label, tick in zip(bands.labels, bands.ticks, strict=True)
    }
    np.testing.assert_allclose(at["X"], silicon.frequencies([0.5, 0, 0.5])[0], atol=1e-9)
    np.testing.assert_allclose(at["L"], silicon.frequencies([0.5, 0.5, 0.5])[0], atol=1e-9)
    np.testing.assert_allclose(silicon.frequencies(bands.q_points), bands.frequencies, atol=1e-6)
    bands.save(tmp_path / "bands.npz")
    assert Bands.load(tmp_path / "bands.npz").labels == bands.labels
    ax = bands.plot()
    assert [text.get_text() for text in ax.get_xticklabels()] == list(bands.labels)


def test_a_path_with_indices():
    assert "B₁|B" in phonons(bulk("Hg"), Free(), supercell=2).bands().labels


class Free(Springs):
    """No forces at all."""

    def calculate(self, *arguments, **options):
        super().calculate(*arguments, **options)
        self.results["forces"] *= 0.0


def test_yaml_goes_through_phonopy(silicon, tmp_path):
    silicon.save(tmp_path / "phonopy.yaml")
    loaded = phonopy.load(tmp_path / "phonopy.yaml", primitive_matrix=None, log_level=0)
    q = [[0.1, 0.2, 0.3], [0.5, 0, 0.5]]
    np.testing.assert_allclose(loaded.run_qpoints(q).frequencies, silicon.frequencies(q), atol=1e-6)
    again = Phonons.load(tmp_path / "phonopy.yaml")
    np.testing.assert_allclose(again.frequencies(q), silicon.frequencies(q), atol=1e-9)
    np.testing.assert_allclose(again.phonopy.forces, silicon.phonopy.forces, atol=1e-12)
    assert repr(again) == repr(silicon) == "Phonons(Si2, Fd-3m (227), 64 primitive cells)"


def test_force_constants_of_another_source(salt):
    given = Phonons.from_force_constants(rock_salt(volume=WIDE), salt.phonopy.force_constants, supercell=3)
    q = [[0.1, 0.2, 0.3]]
    np.testing.assert_allclose(given.frequencies(q), salt.frequencies(q), atol=1e-12)


def test_densities_of_states_count_the_modes(salt, silicon, tmp_path):
    for result, elements in ((salt, ["Na", "Cl"]), (silicon, ["Si"])):
        dos = result.dos()
        assert list(dos.partials) == elements
        assert np.trapezoid(dos.total, dos.frequencies) == pytest.approx(6.0, rel=0.01)
        for share in dos.partials.values():
            states = np.trapezoid(share, dos.frequencies)
            assert states == pytest.approx(6.0 / len(elements), rel=0.01)
        np.testing.assert_allclose(np.sum(list(dos.partials.values()), axis=0), dos.total, atol=1e-12)
        dos.save(tmp_path / "dos.npz")
        np.testing.assert_array_equal(PhononDOS.load(tmp_path / "dos.npz").total, dos.total)


def test_no_state_of_a_flat_band_is_missed():
    flat = np.einsum("ij,ab->ijab", np.eye(16), 3.0 * np.eye(3))
    for atoms, elements in ((rock_salt(), 2), (bulk("Si"), 1)):
        result = Phonons.from_force_constants(atoms, flat, supercell=2)
        dos = result.dos(mesh=(4, 4, 4))
        assert np.trapezoid(dos.total, dos.frequencies) == pytest.approx(6.0, rel=1e-9)
        for share in dos.partials.values():
            assert np.trapezoid(share, dos.frequencies) == pytest.approx(6.0 / elements, rel=1e-9)
        centre = np.trapezoid(dos.frequencies * dos.total, dos.frequencies) / 6.0
        pitch = dos.frequencies[1] - dos.frequencies[0]
        assert centre == pytest.approx(result.frequencies([0.1, 0.2, 0.3]).mean(), abs=pitch)


def test_figure_with_the_states_of_molecular_dynamics(salt):
    copper = bulk("Cu", a=3.7, cubic=True)
    figure = salt.plot(vdos=vdos(harmonic_crystal(copper, 2).trajectory(300, 10.0)))
    right = figure.axes[1]
    harmonic, dynamics = right.lines[0], right.lines[-1]
    assert dynamics.get_label() == "molecular dynamics"
    areas = [np.trapezoid(line.get_xdata(), line.get_ydata()) for line in (harmonic, dynamics)]
    assert areas[1] == pytest.approx(areas[0])


def test_thermal_properties_at_both_ends(salt, tmp_path):
    thermal = salt.thermal([0.0, 300.0, 3e4])
    assert thermal.free_energy[0] == pytest.approx(thermal.zero_point_energy, rel=1e-6)
    assert thermal.entropy[0] == thermal.heat_capacity[0] == 0.0
    assert thermal.heat_capacity[2] == pytest.approx(6.0 * units._k * units._Nav, rel=1e-3)
    _, weights, frequencies = salt.zone(100.0)
    energy = 0.5e12 * units._hplanck * units._Nav * (weights @ np.maximum(frequencies, 0.0)).sum() / 1e3
    assert thermal.zero_point_energy == pytest.approx(energy, rel=1e-6)
    thermal.save(tmp_path / "thermal.npz")
    np.testing.assert_array_equal(ThermalProperties.load(tmp_path / "thermal.npz").entropy, thermal.entropy)
    assert len(thermal.plot().lines) == 3


def test_a_mesh_of_less_symmetry_than_the_crystal(salt):
    """It takes longer, but phonopy's warning of that is not for the user, and pytest would turn it into an error."""
    mesh = (6, 6, 5)
    q_points, weights, frequencies = salt.zone(mesh)
    assert weights.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(salt.frequencies(q_points), frequencies, atol=1e-6)
    assert np.trapezoid(salt.dos(mesh).total, salt.dos(mesh).frequencies) == pytest.approx(6.0, rel=0.01)
    assert gruneisen(salt, Springs(gamma=1.5, volume=WIDE), mesh=mesh).mean(300.0) == pytest.approx(1.5, rel=2e-3)


def test_mean_squared_displacements_are_those_of_oscillators(salt):
    mesh, temperature = (9, 9, 9), 300.0
    found = salt.mean_squared_displacements([0.0, temperature], mesh=mesh)
    assert found.shape == (2, 2, 3)
    _, weights, frequencies = salt.zone(mesh)
    omega = 2e12 * np.pi * np.where(frequencies > 1e-3, frequencies, np.inf)
    quantum = units._hbar / 2.0 / omega
    expected = [quantum, quantum / np.tanh(units._hbar * omega / (2.0 * units._k * temperature))]
    expected = [np.nansum(weights @ np.nan_to_num(term)) * 1e20 / units._amu for term in expected]
    masses = salt.primitive.get_masses()
    np.testing.assert_allclose(np.einsum("n,tna->t", masses, found), expected, rtol=1e-5)


def test_group_velocities_are_slopes(silicon):
    q, step = np.array([0.11, 0.07, 0.23]), 1e-5
    reciprocal = silicon.primitive.cell.reciprocal().array
    fractional = step * np.linalg.inv(reciprocal)[0]  # along x
    ahead, behind = silicon.frequencies([q + fractional, q - fractional])
    np.testing.assert_allclose(silicon.group_velocities(q)[0, :, 0], (ahead - behind) / (2.0 * step), rtol=1e-4)


def test_an_unstable_crystal_names_its_modes():
    result = phonons(rock_salt(), Springs(along=5.0, across=-1.5), supercell=4)
    modes = result.imaginary_modes(mesh=(4, 4, 4))
    assert not result.stable
    assert modes[0].frequency == min(mode.frequency for mode in modes)
    assert {mode.label for mode in modes} > {"X", ""}
    worst = modes[0]
    assert result.frequencies(worst.q)[0, worst.branch] == pytest.approx(worst.frequency)
    assert str(worst).endswith(f"branch {worst.branch}: {-worst.frequency:.4g}i THz")
    with pytest.warns(UserWarning, match=f"leave out imaginary modes, the worst of {-worst.frequency:.1f}"):
        result.thermal([300.0], mesh=(4, 4, 4))


@pytest.mark.parametrize("cubic", [False, True])
def test_born_charges_split_the_optical_modes(cubic):
    result = phonons(rock_salt(cubic=cubic), Springs(), supercell=2 if cubic else 4)
    sign = np.where(result.atoms.numbers == 11, 1.0, -1.0)
    polar = result.with_born_charges(sign[:, None, None] * np.eye(3), 3.0 * np.eye(3))
    plain = result.frequencies([0, 0, 0])[0, 3:]
    near = polar.frequencies([1e-3, 0, 1e-3])[0, 3:]
    a, b = result.primitive.get_masses()
    coulomb = 14.399645  # eV A, e^2 / (4 pi epsilon_0)
    square = 4.0 * np.pi * coulomb * (a + b) / (a * b) / (result.primitive.get_volume() * 3.0)
    split = np.sqrt(plain[2] ** 2 + square * result.phonopy.unit_conversion_factor**2)
    np.testing.assert_allclose(near, [plain[0], plain[1], split], rtol=1e-4)
    bands = polar.bands(40)
    assert bands.labels[0] == "Γ"
    np.testing.assert_allclose(bands.frequencies[0, 3:], [plain[0], plain[1], split], rtol=1e-6)
    np.testing.assert_allclose(result.frequencies([0, 0, 0])[0, 3:], plain)

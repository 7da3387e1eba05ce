"""Radial distribution functions of systems whose g(r) is known."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell
from ase_mlips.analysis import RDF, rdf
from matplotlib.figure import Figure

FCC = {1: 12, 2: 6, 3: 24, 4: 12, 5: 24, 6: 8}  # neighbours at sqrt(k/2) lattice constants


def ideal_gas(symbols, box, frames, seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(frames):
        yield Atoms(symbols, positions=rng.uniform(0.0, box, (len(symbols), 3)), cell=[box] * 3, pbc=True)


def test_ideal_gas_is_one_within_its_statistics():
    atoms, box, frames = 400, 16.0, 30
    result = rdf(ideal_gas(["Ar"] * atoms, box, frames), r_max=8.0, bins=40)
    shells = 4.0 / 3.0 * np.pi * np.diff(result.edges**3)
    expected_pairs = frames * atoms * (atoms - 1) / 2.0 * shells / box**3
    deviations = (result.g / (1.0 - 1.0 / atoms) - 1.0) * np.sqrt(expected_pairs)
    assert 0.3 < np.mean(deviations**2) < 2.0  # chi^2 of 40 bins: 1 +- 0.22
    assert np.average(result.g, weights=expected_pairs) == pytest.approx(1.0 - 1.0 / atoms, abs=5e-3)


def test_fcc_coordination_numbers_in_the_primitive_cell():
    """One atom in a cell far smaller than r_max: its own images are its neighbours."""
    a = 3.6
    result = rdf(bulk("Cu", "fcc", a=a), r_max=2.0 * a, bins=720)
    running = result.coordination["Cu", "Cu"]
    total = 0
    for k, neighbours in FCC.items():
        total += neighbours
        shell = np.sqrt(k / 2.0) * a
        assert running[np.searchsorted(result.edges, shell + 0.05) - 1] == total


@pytest.mark.parametrize("matrix", [[[2, 0, 0], [0, 3, 0], [0, 0, 1]], [[1, 1, 0], [0, 1, 2], [1, 0, 1]]])
def test_supercell_changes_nothing(matrix):
    salt = bulk("NaCl", "rocksalt", a=5.6287)  # no shell on the edge of a bin
    small = rdf(salt, r_max=7.0, bins=70)
    large = rdf(make_supercell(salt, matrix), r_max=7.0, bins=70)
    np.testing.assert_allclose(large.g, small.g, rtol=1e-9)
    for pair, g in small.partials.items():
        np.testing.assert_allclose(large.partials[pair], g, rtol=1e-9)


def test_partials_add_up_to_the_total():
    symbols = ["O"] * 40 + ["H"] * 80 + ["Si"] * 10
    result = rdf(ideal_gas(symbols, 9.0, 3), r_max=6.0, bins=30)
    share = {"O": 40 / 130, "H": 80 / 130, "Si": 10 / 130}
    weights = {(a, b): share[a] * share[b] * (1.0 if a == b else 2.0) for a, b in result.partials}
    total = sum(weights[pair] * g for pair, g in result.partials.items())
    np.testing.assert_allclose(total, result.g, rtol=1e-12)
    assert list(result.partials) == [("H", "H"), ("H", "O"), ("H", "Si"), ("O", "O"), ("O", "Si"), ("Si", "Si")]


def test_coordination_has_a_direction():
    """A CsCl-like gas of 1:3: each A has three times as many B around it as each B has A."""
    result = rdf(ideal_gas(["Cs"] * 20 + ["Cl"] * 60, 8.0, 2), r_max=5.0)
    np.testing.assert_allclose(result.coordination["Cs", "Cl"], 3.0 * result.coordination["Cl", "Cs"], rtol=1e-12)


def test_axes_that_are_not_periodic_have_no_images():
    pair = Atoms("H2", positions=[[0.2, 0, 0], [9.8, 0, 0]], cell=[10, 10, 10], pbc=False)
    assert rdf(pair, r_max=5.0, bins=50).g.sum() == 0.0
    pair.pbc = [True, False, False]
    assert rdf(pair, r_max=5.0, bins=50).coordination["H", "H"][-1] == 1.0


def test_changing_cell_uses_the_density_of_each_frame():
    frames = [bulk("Cu", "fcc", a=a) * 2 for a in (3.5, 3.7)]
    both = rdf(frames, r_max=6.0, bins=60)
    single = [rdf(atoms, r_max=6.0, bins=60).g for atoms in frames]
    np.testing.assert_allclose(both.g, np.mean(single, axis=0), rtol=1e-12)


def test_input_is_not_changed_and_far_atoms_are_wrapped():
    atoms = bulk("NaCl", "rocksalt", a=5.6287) * 2
    moved = atoms.copy()
    moved.positions[3] += 7 * atoms.cell[0] - 2 * atoms.cell[2]
    before = moved.positions.copy()
    np.testing.assert_allclose(rdf(moved, r_max=5.0).g, rdf(atoms, r_max=5.0).g, atol=1e-9)
    np.testing.assert_array_equal(moved.positions, before)


def test_save_load_and_plot(tmp_path):
    result = rdf(bulk("NaCl", "rocksalt", a=5.6), r_max=6.0, bins=60)
    result.save(tmp_path / "rdf.npz")
    loaded = RDF.load(tmp_path / "rdf.npz")
    np.testing.assert_array_equal(loaded.g, result.g)
    np.testing.assert_array_equal(loaded.edges, result.edges)
    for name in ("partials", "coordination"):
        assert getattr(loaded, name).keys() == getattr(result, name).keys()
    np.testing.assert_array_equal(loaded.coordination["Na", "Cl"], result.coordination["Na", "Cl"])
    ax = loaded.plot(Figure().subplots())
    assert [line.get_label() for line in ax.lines] == ["total", "Na-Na", "Na-Cl", "Cl-Cl"]


@pytest.mark.parametrize(
    ("frames", "arguments", "message"),
    [
        ([], {}, "at least one frame"),
        (Atoms("H2", positions=[[0, 0, 0], [1, 0, 0]]), {}, "cell without volume"),
        (Atoms(cell=[5, 5, 5], pbc=True), {}, "no atoms"),
        (Atoms("H", positions=[[np.nan, 0, 0]], cell=[5, 5, 5], pbc=True), {}, "frame 0 has positions"),
        ([bulk("Cu"), bulk("Au")], {}, "frame 1 is Au, but the first one Cu"),
        (bulk("Cu"), {"r_max": 0.0}, "positive r_max"),
        (bulk("Cu"), {"r_max": np.inf}, "positive r_max"),
        (bulk("Cu"), {"bins": 0}, "at least one bin"),
    ],
)
def test_bad_input(frames, arguments, message):
    with pytest.raises(ValueError, match=message):
        rdf(frames, **arguments)

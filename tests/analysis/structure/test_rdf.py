"""Radial distribution functions of systems whose g(r) is known."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell
from ase_mlips.analysis import RDF, rdf
from ase_mlips.analysis.results import Interrupted
from ase_mlips.analysis.structure.kernels_histogram import count_listed, count_nearest_images
from ase_mlips.analysis.structure.rdf import _PairCounter
from ase_mlips.analysis.trajectories.trajectory import Trajectory
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from numba.core import config
from support.analysis_cells import cells, periodicities, vectors_within

FCC = {0.5: 12, 1.0: 18, 1.5: 42, 2.0: 54, 2.5: 78, 3.0: 86}  # squares of radii in lattice constants: neighbours so far
DIAMOND = {3 / 16: 4, 1 / 2: 16, 11 / 16: 28, 1: 34, 19 / 16: 46, 3 / 2: 70}
SYMBOLS = ("H", "C", "O", "Si")


def ideal_gas(symbols, box, frames, seed=0):
    rng = np.random.default_rng(seed)
    positions = rng.uniform(0.0, box, (frames, len(symbols), 3))
    return Trajectory.from_arrays(positions, symbols=symbols, cell=np.eye(3) * box)


def expected_pairs(result, atoms, box):
    return result.frames * atoms * (atoms - 1) / 2.0 * 4.0 / 3.0 * np.pi * np.diff(result.edges**3) / box**3


@pytest.mark.parametrize("box", [16.0, 15.9])
def test_ideal_gas_is_one_within_its_statistics(box):
    """In both ways of counting: nearest images in the larger box, all images in the one that is less than 2 r_max."""
    atoms, frames = 400, 60
    result = rdf(ideal_gas(["Ar"] * atoms, box, frames), r_max=8.0, bins=40)
    pairs = expected_pairs(result, atoms, box)
    deviations = (result.g / (1.0 - 1.0 / atoms) - 1.0) * np.sqrt(pairs)
    assert 0.5 < np.mean(deviations**2) < 1.6  # chi^2 of 40 bins: 1 +- 0.22
    assert np.average(result.g, weights=pairs) == pytest.approx(1.0 - 1.0 / atoms, abs=1e-3)
    assert np.mean(result.error**2 * pairs) == pytest.approx(1.0, abs=0.25)  # 14 degrees of freedom in each bin
    np.testing.assert_array_equal(result.error, result.partial_errors["Ar", "Ar"])


def test_finite_size_makes_an_ideal_gas_of_few_atoms_one():
    gas = ideal_gas(["Ar"] * 4 + ["Kr"] * 3, 12.0, 4000)
    plain, finite = (rdf(gas, r_max=6.0, bins=6, finite_size=flag) for flag in (False, True))
    np.testing.assert_allclose(finite.g, plain.g * 7 / 6, rtol=1e-12)
    np.testing.assert_allclose(finite.error, plain.error * 7 / 6, rtol=1e-12)
    np.testing.assert_allclose(finite.partials["Kr", "Kr"], plain.partials["Kr", "Kr"] * 3 / 2, rtol=1e-12)
    np.testing.assert_array_equal(finite.partials["Ar", "Kr"], plain.partials["Ar", "Kr"])
    np.testing.assert_allclose(finite.g[2:], 1.0, atol=0.03)


def test_finite_size_of_a_single_atom_is_not_defined():
    result = rdf(ideal_gas(["Ar"] * 5 + ["Kr"], 12.0, 3), r_max=6.0, finite_size=True)
    assert np.isnan(result.partials["Kr", "Kr"]).all()
    assert np.isfinite(result.partials["Ar", "Kr"]).all()


@pytest.mark.parametrize("repeat", [1, 6])
@pytest.mark.parametrize(("structure", "a", "shells"), [("fcc", 3.6, FCC), ("diamond", 5.43, DIAMOND)])
def test_coordination_numbers_of_crystals(structure, a, shells, repeat):
    """In the primitive cell, where an atom's own images are its neighbours, and in a supercell."""
    result = rdf(bulk("Si", structure, a=a) * repeat, r_max=1.75 * a, bins=700)
    running = result.coordination["Si", "Si"]
    for square, neighbours in shells.items():
        assert running[np.searchsorted(result.edges, np.sqrt(square) * a + 0.05) - 1] == neighbours


@pytest.mark.parametrize("matrix", [[[2, 0, 0], [0, 3, 0], [0, 0, 1]], [[1, 1, 0], [0, 1, 2], [1, 0, 1]]])
def test_supercell_changes_nothing(matrix):
    salt = bulk("NaCl", "rocksalt", a=5.6287)  # no shell on the edge of a bin
    small = rdf(salt, r_max=7.0, bins=70)
    large = rdf(make_supercell(salt, matrix), r_max=7.0, bins=70)
    np.testing.assert_allclose(large.g, small.g, rtol=1e-9)
    for pair, g in small.partials.items():
        np.testing.assert_allclose(large.partials[pair], g, rtol=1e-9)


def test_beyond_half_the_cell_equals_the_supercell():
    atoms = Atoms("CO7Si2", positions=np.random.default_rng(1).uniform(0.0, 6.0, (10, 3)), cell=[6, 5, 7], pbc=True)
    small, large = rdf(atoms, r_max=9.0), rdf(atoms * (3, 4, 3), r_max=9.0)
    np.testing.assert_allclose(large.g, small.g, rtol=1e-12)
    for pair, n in small.coordination.items():
        np.testing.assert_allclose(large.coordination[pair], n, rtol=1e-12)


def test_shift_order_and_rotation_change_nothing():
    rng = np.random.default_rng(2)
    cell = np.array([[7.0, 0.3, -1.0], [2.0, 6.5, 0.8], [-3.0, 1.0, 8.0]])
    atoms = Atoms("C10O20", positions=rng.uniform(-9.0, 9.0, (30, 3)), cell=cell, pbc=[True, True, False])
    expected = rdf(atoms, r_max=8.0)
    shifted, turned = atoms.copy(), atoms.copy()
    shifted.positions += [30.0, -2.0, 1.5]
    turned.rotate(67.0, (1, -2, 3), rotate_cell=True)
    mirrored = atoms.copy()
    mirrored.set_cell(-cell, scale_atoms=True)  # left-handed
    for other in (shifted, turned, mirrored, atoms[rng.permutation(30)]):
        result = rdf(other, r_max=8.0)
        np.testing.assert_allclose(result.g, expected.g, atol=1e-12)
        for pair, n in expected.coordination.items():
            np.testing.assert_allclose(result.coordination[pair], n, atol=1e-12)


@pytest.mark.parametrize("r_max", [4.0, 6.0])
def test_partials_add_up_to_the_total(r_max):
    symbols = ["O"] * 40 + ["H"] * 80 + ["Si"] * 10
    result = rdf(ideal_gas(symbols, 9.0, 3), r_max=r_max, bins=30)
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


@pytest.mark.parametrize("tilt", [0.0, 2.0])
def test_a_distance_on_an_edge_counts_above_it(tilt):
    cell = [[20.0, 0.0, 0.0], [tilt, 20.0, 0.0], [0.0, 0.0, 20.0]]
    pair = Atoms("H2", positions=[[0.5, 0, 0], [1.5, 0, 0]], cell=cell, pbc=True)
    counts = np.diff(rdf(pair, r_max=1.25, bins=5).coordination["H", "H"], prepend=0.0)
    np.testing.assert_array_equal(counts, [0, 0, 0, 0, 1])
    assert rdf(pair, r_max=1.0, bins=5).g.sum() == 0.0


def test_changing_cell_uses_the_density_of_each_frame():
    frames = [bulk("Cu", "fcc", a=a) * 2 for a in (3.5, 3.7)]
    both = rdf(frames, r_max=6.0, bins=60)
    single = [rdf(atoms, r_max=6.0, bins=60) for atoms in frames]
    np.testing.assert_allclose(both.g, np.mean([one.g for one in single], axis=0), rtol=1e-12)
    np.testing.assert_allclose(both.error, np.abs(single[0].g - single[1].g) / 2.0, atol=1e-12)
    assert np.isnan(single[0].error).all()
    assert both.frames == 2


def test_a_selection_is_as_if_the_other_atoms_were_absent():
    atoms = Atoms("HOHOHO", positions=np.random.default_rng(5).uniform(0.0, 8.0, (6, 3)), cell=[8, 8, 8], pbc=True)
    expected = rdf(atoms[[0, 1, 3, 5]], r_max=7.0)
    mask = np.array([True, True, False, True, False, True])
    for indices in ([5, 0, 1, 3], mask, np.array([0, 1, -3, -1])):
        result = rdf(atoms, r_max=7.0, indices=indices)
        np.testing.assert_array_equal(result.g, expected.g)
        np.testing.assert_array_equal(result.coordination["O", "O"], expected.coordination["O", "O"])


def test_input_is_not_changed_and_far_atoms_are_wrapped():
    atoms = bulk("NaCl", "rocksalt", a=5.6287) * 2
    moved = atoms.copy()
    moved.positions[3] += 7 * atoms.cell[0] - 2 * atoms.cell[2]
    before = moved.positions.copy()
    np.testing.assert_allclose(rdf(moved, r_max=5.0).g, rdf(atoms, r_max=5.0).g, atol=1e-9)
    np.testing.assert_array_equal(moved.positions, before)


@settings(max_examples=60, deadline=None)
@given(cells, periodicities, st.integers(1, 7), st.integers(0, 2**32 - 1))
def test_counts_of_any_cell_are_those_of_brute_force(cell, pbc, atoms, seed):
    rng = np.random.default_rng(seed)
    symbols = np.sort(rng.choice(SYMBOLS, atoms))
    positions = rng.uniform(-1.5, 1.5, (atoms, 3)) @ cell
    r_max, bins = rng.uniform(2.0, 9.0), 12
    result = rdf(Atoms(symbols, positions, cell=cell, pbc=pbc), r_max=r_max, bins=bins)
    i, j, vectors = vectors_within(positions, cell, pbc, r_max)
    slots = (np.linalg.norm(vectors, axis=1) * (bins / r_max)).astype(int)
    for a, b in product(set(symbols), repeat=2):
        chosen = (symbols[i] == a) & (symbols[j] == b)
        counts = np.bincount(slots[chosen], minlength=bins)
        np.testing.assert_allclose(result.coordination[a, b], np.cumsum(counts) / np.sum(symbols == a), rtol=1e-12)


@settings(max_examples=40, deadline=None)
@given(periodicities, st.lists(st.integers(0, 60), min_size=1, max_size=4), st.integers(0, 2**32 - 1))
def test_nearest_images_and_all_images_count_the_same(pbc, populations, seed):
    rng = np.random.default_rng(seed)
    lengths = rng.uniform(10.0, 14.0, 3) * rng.choice([-1, 1], 3)
    positions = rng.uniform(-2.0, 3.0, (sum(populations), 3)) * lengths
    counter = _PairCounter(np.array(populations), pbc, 5.0, 37)
    nearest = counter.count_nearest(positions, np.diag(lengths))
    everything = counter.count_all(positions, np.diag(lengths))
    np.testing.assert_array_equal(nearest, everything)
    np.testing.assert_array_equal(nearest, nearest.transpose(1, 0, 2))


def test_many_atoms_fill_the_buffer_many_times():
    rng = np.random.default_rng(3)
    counter = _PairCounter(np.array([700, 5, 200]), np.array([True] * 3), 10.0, 50)
    positions, cell = rng.uniform(0.0, 20.0, (905, 3)), np.eye(3) * 20.0
    nearest = counter.count_nearest(positions, cell)
    np.testing.assert_array_equal(nearest, counter.count_all(positions, cell))
    assert nearest.sum() > 100_000


def test_agrees_with_freud_and_mdtraj():
    reference = json.loads((Path(__file__).parents[2] / "reference" / "rdf" / "rdf.json").read_text())
    trajectory = Trajectory.from_arrays(reference["positions"], symbols=reference["symbols"], cell=reference["cell"])
    grid = {"r_max": reference["r_max"], "bins": reference["bins"]}
    result, finite = rdf(trajectory, **grid), rdf(trajectory, **grid, finite_size=True)
    np.testing.assert_allclose(finite.g, reference["mdtraj"], rtol=1e-12)
    partials = {"-".join(pair): g for pair, g in result.partials.items()}
    for name, g in reference["freud"].items():
        np.testing.assert_allclose(result.g if name == "total" else partials[name], g, rtol=1e-6)


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="nothing is compiled")
def test_kernels_are_compiled_once():
    for cell in ([30, 30, 30], [5, 5, 5]):
        for atoms in (Atoms("HO", positions=np.eye(3)[:2], cell=cell, pbc=True), Atoms("H", cell=cell, pbc=False)):
            rdf([atoms, atoms], r_max=6.0, bins=7)
    assert len(count_listed.signatures) == len(count_nearest_images.signatures) == 1


def test_mean_absolute_difference():
    one, other = (rdf(ideal_gas(["H"] * 30 + ["O"] * 20, 9.0, 2, seed), r_max=4.0, bins=20) for seed in (1, 2))
    assert one.mean_absolute_difference(one) == 0.0
    assert one.mean_absolute_difference(other) == np.abs(one.g - other.g).sum() / 20
    expected = np.abs(one.partials["H", "O"] - other.partials["H", "O"]).sum() / 20
    for pair in (("H", "O"), ("O", "H")):
        assert one.mean_absolute_difference(other, pair) == pytest.approx(expected, rel=1e-14)
    with pytest.raises(ValueError, match="no pair O-Si"):
        one.mean_absolute_difference(other, ("O", "Si"))
    with pytest.raises(ValueError, match="same grid"):
        one.mean_absolute_difference(rdf(ideal_gas(["H", "O"], 9.0, 2), r_max=4.0, bins=40))


@pytest.mark.parametrize("counted", [1, 3])
def test_an_interruption_keeps_the_frames_counted(monkeypatch, counted):
    gas = ideal_gas(["Ar"] * 20, 9.0, 10)
    count, calls = _PairCounter.count, []

    def interrupting(*arguments):
        calls.append(arguments)
        if len(calls) > counted:
            raise KeyboardInterrupt
        return count(*arguments)

    monkeypatch.setattr(_PairCounter, "count", interrupting)
    with pytest.raises(Interrupted) as caught:
        rdf(gas, r_max=4.0)
    monkeypatch.undo()
    expected = rdf(Trajectory(gas, frames=slice(counted)), r_max=4.0)
    assert caught.value.result.frames == counted
    np.testing.assert_array_equal(caught.value.result.g, expected.g)


def test_an_interruption_before_the_first_frame_has_no_result(monkeypatch):
    def interrupting(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(_PairCounter, "count", interrupting)
    with pytest.raises(KeyboardInterrupt) as caught:
        rdf(ideal_gas(["Ar"] * 20, 9.0, 2))
    assert caught.type is KeyboardInterrupt


def test_save_load_and_plot(tmp_path):
    result = rdf([bulk("NaCl", "rocksalt", a=a) for a in (5.6, 5.65)], r_max=6.0, bins=60)
    result.save(tmp_path / "rdf.npz")
    loaded = RDF.load(tmp_path / "rdf.npz")
    for name in ("g", "edges", "error", "frames"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(result, name))
    for name in ("partials", "coordination", "partial_errors"):
        assert getattr(loaded, name).keys() == getattr(result, name).keys()
        for pair, values in getattr(result, name).items():
            np.testing.assert_array_equal(getattr(loaded, name)[pair], values)
    ax = loaded.plot(Figure().subplots())
    assert [line.get_label() for line in ax.lines] == ["total", "Na-Na", "Na-Cl", "Cl-Cl"]
    assert len(ax.collections) == 4  # the bands of the errors
    assert repr(result) == "RDF(Na-Na, Na-Cl, Cl-Cl, 60 bins to 6 Å, 2 frames)"
    assert not rdf(bulk("Cu"), r_max=6.0).plot(Figure().subplots()).collections


@pytest.mark.parametrize(
    ("frames", "arguments", "message"),
    [
        ([], {}, "at least one frame"),
        (Atoms("H2", positions=[[0, 0, 0], [1, 0, 0]]), {}, "cell without volume"),
        (
            [Atoms("H", cell=[5, 5, 5]), Atoms("H")],
            {},
            r"expected the cell vectors of the first frame, got more or fewer \(frame 1\)",
        ),
        (Atoms(cell=[5, 5, 5], pbc=True), {}, "no atoms"),
        (
            bulk("Cu", cubic=True) * 3,
            {"r_max": 1000.0},
            "expected a smaller r_max: within 1000 A each of 108 atoms has",
        ),
        (Atoms("H", positions=[[np.nan, 0, 0]], cell=[5, 5, 5], pbc=True), {}, "frame 0 has positions"),
        ([bulk("Cu"), bulk("Au")], {}, "frame 1"),
        (bulk("Cu"), {"r_max": 0.0}, "positive r_max"),
        (bulk("Cu"), {"r_max": np.inf}, "positive r_max"),
        (bulk("Cu"), {"r_max": np.nan}, "positive r_max"),
        (bulk("Cu"), {"bins": 0}, "at least one bin"),
        (bulk("Cu"), {"indices": []}, "indices: expected at least one atom, the selection is empty"),
        (bulk("Cu"), {"indices": [False]}, "indices: expected at least one atom, the selection is empty"),
        (bulk("Cu"), {"indices": [1]}, "indices: expected indices from -1 to 0, got 1 to 1"),
        (bulk("Cu"), {"indices": [0.0]}, "indices: expected indices of atoms or a mask of 1 atoms"),
        (bulk("Cu"), {"indices": [True, False]}, "indices: expected a mask of 1 atoms, got one of 2"),
        (bulk("Cu"), {"indices": "Au"}, "indices: there is no Au among Cu"),
    ],
)
def test_bad_input(frames, arguments, message):
    with pytest.raises(ValueError, match=message):
        rdf(frames, **arguments)

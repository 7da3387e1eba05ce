"""Angular distributions of systems whose angles are known."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase_mlips.analysis.results import Interrupted
from ase_mlips.analysis.structure import angles
from ase_mlips.analysis.structure.angles import ADF, adf
from ase_mlips.analysis.trajectories.trajectory import Trajectory
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from support.analysis_cells import cells, periodicities, vectors_within

SYMBOLS = ("H", "C", "O")


@pytest.mark.parametrize("repeat", [1, 3])
def test_diamond_has_tetrahedral_angles_only(repeat):
    result = adf(bulk("Si", "diamond", a=5.43) * repeat, 2.6, bins=360)
    (occupied,) = np.nonzero(result.total)
    tetrahedral = np.degrees(np.arccos(-1.0 / 3.0))
    assert result.edges[occupied[0]] < tetrahedral < result.edges[occupied[0] + 1]
    assert len(occupied) == 1
    assert result.angles_per_frame == 6 * 2 * repeat**3


def test_angles_of_fcc():
    """Of the 66 pairs of 12 neighbours 24, 12, 24 and 6 make 60, 90, 120 and 180 degrees."""
    result = adf(bulk("Cu", "fcc", a=3.6), 2.9, bins=36)
    counts = result.total * 5.0 * 66
    near = {angle: counts[np.abs(result.angles - angle) < 3.0].sum() for angle in (60, 90, 120, 180)}
    assert near == pytest.approx({60: 24.0, 90: 12.0, 120: 24.0, 180: 6.0})
    assert counts.sum() == pytest.approx(66.0)


def test_water_in_a_corner_of_the_cell():
    water = molecule("H2O", cell=[9, 8, 7], pbc=True)
    expected = water.get_angle(1, 0, 2)
    water.wrap()
    result = adf(water, 1.2, bins=1800)
    assert list(result.partials) == [("H", "O", "H")]
    (slot,) = np.nonzero(result.total)[0]
    assert result.edges[slot] <= expected < result.edges[slot + 1]
    np.testing.assert_array_equal(result.partials["H", "O", "H"], result.total)
    assert result.angles_per_frame == 1.0
    longer = adf(water, 2.0, bins=1800)  # now the hydrogens are bonded to each other too
    assert {key: round(float(share.sum()) * 0.1, 12) for key, share in longer.partials.items()} == {
        ("H", "H", "O"): round(2 / 3, 12),
        ("H", "O", "H"): round(1 / 3, 12),
    }


def test_straight_and_folded_bonds_are_in_the_last_and_first_bin():
    dioxide = Atoms("COO", positions=[[0, 0, 0], [1.1, 1.1, 0.3], [-1.1, -1.1, -0.3]])
    assert np.nonzero(adf(dioxide, 2.0).total)[0].tolist() == [179]
    dioxide.positions[2] = 0.5 * dioxide.positions[1]
    result = adf(dioxide, {("C", "O"): 2.0})
    assert np.nonzero(result.total)[0].tolist() == [0]


def test_cutoffs_by_pair_in_any_order():
    silica = Atoms("SiOOSi", positions=[[0, 0, 0], [1.6, 0, 0], [0, 1.6, 0], [0, 3.2, 0]])
    result = adf(silica, {("O", "Si"): 1.8}, bins=4)
    assert set(result.partials) == {("O", "Si", "O"), ("Si", "O", "Si")}
    np.testing.assert_allclose(result.partials["O", "Si", "O"] * 45.0, [0, 0, 0.5, 0])
    np.testing.assert_allclose(result.partials["Si", "O", "Si"] * 45.0, [0, 0, 0, 0.5])


def test_atoms_at_one_place_make_no_angle():
    atoms = Atoms("H3", positions=[[0, 0, 0], [0, 0, 0], [1, 0, 0]])
    with pytest.raises(ValueError, match="no atom has two bonds"):
        adf(atoms[:2], 2.0)
    assert adf(atoms, 2.0).angles_per_frame == 1.0  # at the third atom


def test_random_directions_follow_the_sine():
    positions = np.random.default_rng(0).uniform(0.0, 12.0, (40, 60, 3))
    result = adf(Trajectory.from_arrays(positions, symbols=["Ar"] * 60, cell=np.eye(3) * 12.0), 5.0, bins=30)
    expected = -np.diff(np.cos(np.radians(result.edges))) / 2.0 / 6.0
    np.testing.assert_allclose(result.total, expected, atol=5.0 * result.error.max())
    assert np.mean(((result.total - expected) / result.error) ** 2) < 2.5
    assert np.sum(result.total) * 6.0 == pytest.approx(1.0)


def test_shares_add_up_and_errors_shrink():
    rng = np.random.default_rng(1)
    positions = rng.uniform(0.0, 8.0, (640, 12, 3))
    symbols = ["H"] * 3 + ["O"] * 5 + ["C"] * 4
    gas = Trajectory.from_arrays(positions, symbols=symbols, cell=np.eye(3) * 8.0)
    result, short = adf(gas, 3.5, bins=6), adf(Trajectory(gas, frames=slice(40)), 3.5, bins=6)
    np.testing.assert_allclose(sum(result.partials.values()), result.total, rtol=1e-12)
    assert len(result.partials) == 3 * 6
    assert np.mean(short.error**2) / np.mean(result.error**2) == pytest.approx(16.0, rel=0.8)


def test_a_varying_number_of_equal_angles_is_no_error_of_the_distribution():
    water = molecule("H2O").positions
    one, two = (Atoms("OH2OH2", positions=np.concatenate([water, factor * water + 20.0])) for factor in (3.0, 1.0))
    result = adf([one, two, one], 1.2)
    assert result.angles_per_frame == pytest.approx(4 / 3)
    np.testing.assert_allclose(result.error, 0.0, atol=1e-15)


@settings(max_examples=60, deadline=None)
@given(cells, periodicities, st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_counts_of_any_cell_are_those_of_brute_force(cell, pbc, atoms, seed):
    rng = np.random.default_rng(seed)
    symbols = np.append("H", rng.choice(SYMBOLS, atoms - 1))
    positions = rng.uniform(-1.5, 1.5, (atoms, 3)) @ cell
    lengths = {pair: rng.uniform(3.0, 6.5) for pair in (("H", "H"), ("C", "H"), ("O", "H"))}
    cutoffs = {pair: length for pair, length in lengths.items() if set(pair) <= set(symbols)}
    expected: dict[tuple[str, str, str], list[float]] = {}
    i, j, vectors = vectors_within(positions, cell, pbc, 6.5)
    for centre in range(atoms):
        bonds = []
        for end, vector in zip(j[i == centre], vectors[i == centre], strict=True):
            pair = tuple(sorted((symbols[centre], symbols[end])))
            limit = max(cutoffs.get(pair, 0.0), cutoffs.get(pair[::-1], 0.0))
            if np.linalg.norm(vector) < limit:
                bonds.append((SYMBOLS.index(symbols[end]), vector / np.linalg.norm(vector)))
        for k, (b, v) in enumerate(bonds):
            for a, u in bonds[:k]:
                key = SYMBOLS[min(a, b)], str(symbols[centre]), SYMBOLS[max(a, b)]
                expected.setdefault(key, []).append(np.degrees(np.arccos(np.clip(u @ v, -1.0, 1.0))))
    if not expected:
        with pytest.raises(ValueError, match="no atom has two bonds"):
            adf(Atoms(symbols, positions, cell=cell, pbc=pbc), cutoffs)
        return
    # rows and planes of images make angles of 60, 90 and 120 degrees: with 7 bins none of them is on an edge
    result = adf(Atoms(symbols, positions, cell=cell, pbc=pbc), cutoffs, bins=7)
    assert set(result.partials) == set(expected)
    assert result.angles_per_frame == sum(map(len, expected.values()))
    for key, values in expected.items():
        counts = np.histogram(values, bins=7, range=(0.0, 180.0))[0]
        width = 180.0 / 7
        np.testing.assert_allclose(result.partials[key] * width * result.angles_per_frame, counts, atol=1e-9)


def test_an_interruption_keeps_the_frames_counted(monkeypatch):
    count, calls = angles._count, []

    def interrupting(*arguments):
        calls.append(arguments)
        if len(calls) > 2:
            raise KeyboardInterrupt
        return count(*arguments)

    monkeypatch.setattr(angles, "_count", interrupting)
    frames = [bulk("Si", a=a) for a in (5.4, 5.5, 5.6)]
    with pytest.raises(Interrupted) as caught:
        adf(frames, 2.6)
    assert caught.value.result.frames == 2
    with pytest.raises(KeyboardInterrupt) as caught:
        adf(frames, 2.6)  # from the first frame on
    assert caught.type is KeyboardInterrupt


def test_ctrl_c_is_heard_between_atoms(monkeypatch):
    counted = []

    def counting(lists, species, cutoffs2, first, last, histogram, memory):
        counted.append((first, last))
        if len(counted) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(angles, "count_angles", counting)
    monkeypatch.setattr(angles, "_AT_ONCE", 1.0)
    with pytest.raises(KeyboardInterrupt):
        adf(bulk("Cu", cubic=True), 2.7)
    assert counted == [(0, 1), (1, 2)]


@pytest.mark.parametrize("at_once", [1.0, 1e3])
def test_parts_of_a_frame_add_up(monkeypatch, at_once):
    atoms = bulk("Cu", cubic=True) * 2
    atoms.rattle(0.1, seed=0)
    expected = adf(atoms, 3.0)
    monkeypatch.setattr(angles, "_AT_ONCE", at_once)
    np.testing.assert_array_equal(adf(atoms, 3.0).total, expected.total)


def test_save_load_and_plot(tmp_path):
    result = adf([molecule("H2O"), molecule("H2O")], 2.0)
    result.save(tmp_path / "adf.npz")
    loaded = ADF.load(tmp_path / "adf.npz")
    np.testing.assert_array_equal(loaded.total, result.total)
    np.testing.assert_array_equal(loaded.partials["H", "O", "H"], result.partials["H", "O", "H"])
    assert loaded.angles_per_frame == 3.0
    ax = loaded.plot(Figure().subplots())
    assert [line.get_label() for line in ax.lines] == ["total", "H-H-O", "H-O-H"]
    assert len(ax.collections) == 1
    assert repr(result) == "ADF(H-H-O, H-O-H, 180 bins, 2 frames)"
    assert not adf(molecule("H2O"), 1.2).plot(Figure().subplots()).collections


@pytest.mark.parametrize(
    ("frames", "arguments", "message"),
    [
        ([], {"cutoff": 2.0}, "at least one frame"),
        (Atoms(cell=[5, 5, 5], pbc=True), {"cutoff": 2.0}, "no atoms"),
        (bulk("Cu"), {"cutoff": 0.0}, "positive cutoff"),
        (bulk("Cu"), {"cutoff": np.nan}, "positive cutoff"),
        (bulk("Cu"), {"cutoff": {("Cu", "Cu"): -1.0}}, "positive cutoff"),
        (bulk("Cu"), {"cutoff": {}}, "at least one pair"),
        (bulk("Cu"), {"cutoff": {("Cu", "Si"): 2.0}}, "the pair Cu-Si, but the elements are Cu"),
        (bulk("Cu"), {"cutoff": 1.0}, "no atom has two bonds"),
        (bulk("Cu"), {"cutoff": 2.0, "bins": 0}, "at least one bin"),
        (bulk("Cu"), {"cutoff": "3"}, "expected a positive cutoff, got '3'"),
        (bulk("Cu"), {"cutoff": {"Cu": 3}}, r"expected cutoffs of pairs of elements such as .*, got one of 'Cu'"),
        (bulk("Cu"), {"cutoff": {("Cu",): 3}}, r"expected cutoffs of pairs of elements .* of \('Cu',\)"),
        (bulk("Cu", cubic=True) * 3, {"cutoff": 50.0}, r"a frame has up to 1.1e\+11 angles within 50 A"),
        (bulk("Cu"), {"cutoff": 1000.0}, "expected a smaller cutoff: within 1000 A each of 1 atoms has about"),
    ],
)
def test_bad_input(frames, arguments, message):
    with pytest.raises(ValueError, match=message):
        adf(frames, **arguments)

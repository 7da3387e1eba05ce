"""Reading labels whatever they are called, and splitting frames."""

from collections import Counter

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from hypothesis import given, settings
from hypothesis import strategies as st

from ase_mlips.fit import read_frames, split_frames
from ase_mlips.fit.dataset import random_parts, species_of

FORCES = np.arange(6.0).reshape(2, 3) / 7
STRESS = np.array([[1.0, 0.1, 0.2], [0.1, 2.0, 0.3], [0.2, 0.3, 3.0]]) / 10


def silicon(*, info=(), arrays=(), results=()):
    atoms = bulk("Si")
    atoms.info.update(info)
    for name, values in dict(arrays).items():
        atoms.set_array(name, values)
    if results:
        atoms.calc = SinglePointCalculator(atoms, **dict(results))
    return atoms


def complete(group="all", energy=-3.5):
    return silicon(info={"config_type": group}, results={"energy": energy, "forces": FORCES})


@pytest.mark.parametrize(
    ("energy", "forces"),
    [("energy", "forces"), ("Energy", "force"), ("REF_energy", "REF_forces"), ("dft_energy", "dft_force"),
     ("ENERGY", "Forces"), ("energy_ref", "forces_DFT")],
)  # fmt: skip
def test_labels_are_found_by_their_usual_names(tmp_path, energy, forces):
    path = tmp_path / "frames.extxyz"
    lattice = " ".join(map(str, bulk("Si").cell.array.ravel()))
    atoms = "".join(f"Si {k} 0 0 {f[0]} {f[1]} {f[2]}\n" for k, f in enumerate(FORCES))
    path.write_text(f'2\nLattice="{lattice}" Properties=species:S:1:pos:R:3:{forces}:R:3 {energy}=-3.5\n{atoms}')
    (frame,) = read_frames(path)
    assert frame.energy == -3.5
    np.testing.assert_allclose(frame.forces, FORCES, rtol=1e-15)
    assert frame.stress is None
    assert frame.group == "all"
    assert frame.source == f"{path}, frame 0"


def test_calculator_results_are_labels(tmp_path):
    path = tmp_path / "frames.traj"
    atoms = silicon(
        results={"energy": -3.5, "forces": FORCES, "stress": STRESS[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]}
    )
    write(path, [atoms])
    (frame,) = read_frames(path)
    np.testing.assert_allclose(frame.stress, STRESS)
    assert frame.atoms.calc is None
    assert atoms.calc is not None


@pytest.mark.parametrize("name", ["virial", "Virial", "REF_virial"])
@pytest.mark.parametrize("shape", [(9,), (3, 3)])
def test_a_virial_is_minus_volume_times_stress(name, shape):
    atoms = complete()
    atoms.info[name] = (-atoms.get_volume() * STRESS).reshape(shape)
    np.testing.assert_allclose(read_frames([atoms])[0].stress, STRESS)


def test_stress_without_three_periods_is_ignored():
    atoms = silicon(results={"energy": -3.5, "forces": FORCES}, info={"virial": np.eye(3)})
    atoms.pbc = False
    assert read_frames([atoms])[0].stress is None


def test_a_single_atom_needs_no_forces():
    atom = Atoms("Si")
    atom.info["energy"] = -0.8
    assert np.array_equal(read_frames([atom])[0].forces, np.zeros((1, 3)))


def test_own_names_replace_the_usual_ones():
    atoms = silicon(info={"energy": 1.0, "My_E": 2.0}, arrays={"forces": FORCES, "my_f": -FORCES})
    (frame,) = read_frames([atoms], keys={"energy": "my_e", "forces": "my_f"})
    assert frame.energy == 2.0
    assert np.array_equal(frame.forces, -FORCES)


def test_groups_come_from_the_usual_or_the_given_entry():
    atoms = complete()
    atoms.info |= {"Config_type": "liquid", "Origin": "md"}
    del atoms.info["config_type"]
    assert read_frames([atoms])[0].group == "liquid"
    assert read_frames([atoms], group_key="origin")[0].group == "md"
    assert read_frames([atoms], group_key="nothing")[0].group == "all"


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (silicon(info={"e0": 2}), "frame 1: no energy, forces or stress among e0; name them with keys"),
        (silicon(), "frame 1: no energy, forces or stress among no labels at all"),
        (Atoms(), "frame 1: no atoms"),
        (silicon(info={"energy": 1.0, "REF_energy": 2.0}), "frame 1: energy, ref_energy differ; choose one with keys"),
        (silicon(info={"energy": np.nan}, arrays={"forces": FORCES}), "frame 1: energy is not finite"),
        (silicon(info={"energy": "low"}, arrays={"forces": FORCES}), "frame 1: energy: expected numbers, got 'low'"),
        (silicon(info={"energy": [1.0, 2.0]}, arrays={"forces": FORCES}), "energy: expected one number, got 2"),
        (silicon(info={"energy": 1.0}, arrays={"forces": FORCES[:, :2]}), r"frame 1: forces: expected shape \(2, 3\)"),
        (silicon(info={"energy": 1.0, "stress": [1.0] * 5}, arrays={"forces": FORCES}), "stress: expected 6 or 9"),
        (silicon(info={"energy": 1.0, "virial": [1.0] * 5}, arrays={"forces": FORCES}), "virial: expected 6 or 9"),
    ],
)  # fmt: skip
def test_a_frame_that_cannot_be_used_is_named(bad, message):
    with pytest.raises(ValueError, match=f"^input, .*{message}"):
        read_frames([complete(), bad])


def test_the_same_value_under_two_names_is_no_conflict():
    atoms = silicon(info={"energy": 1.0, "REF_energy": 1.0}, arrays={"forces": FORCES})
    assert read_frames([atoms])[0].energy == 1.0


def test_an_unknown_label_and_an_empty_set_are_refused():
    with pytest.raises(ValueError, match=r"keys: expected some of energy, .*, polarizability, got charge"):
        read_frames([complete()], keys={"charge": "q"})
    with pytest.raises(ValueError, match="input: no frames"):
        read_frames([])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("empty.extxyz", "", r"empty\.extxyz: ASE does not know this file format"),
        ("x.cif", "no cif\n", r"x\.cif: cannot be read as structures \(AssertionError\)"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        read_frames(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        read_frames(tmp_path / "nowhere.extxyz")


def test_a_split_takes_the_same_share_of_every_group():
    frames = read_frames([complete(group) for group in "a" * 40 + "b" * 20 + "c" * 10])
    train, test = split_frames(frames, 0.1, seed=3)
    assert Counter(frame.group for frame in test) == {"a": 4, "b": 2, "c": 1}
    assert {id(frame) for frame in train} | {id(frame) for frame in test} == {id(frame) for frame in frames}
    assert len(train) + len(test) == len(frames)


def test_the_seed_decides_the_split():
    frames = read_frames([complete() for _ in range(50)])
    chosen = [[id(frame) for frame in split_frames(frames, 0.2, seed=seed)[1]] for seed in (1, 1, 2)]
    assert chosen[0] == chosen[1]
    assert chosen[0] != chosen[2]


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1])
def test_a_fraction_outside_its_range_is_refused(fraction):
    with pytest.raises(ValueError, match="fraction: expected above 0 and below 1"):
        split_frames(read_frames([complete()]), fraction)


@settings(deadline=None, max_examples=50)
@given(sizes=st.lists(st.integers(1, 12), min_size=1, max_size=5), count=st.integers(2, 8), seed=st.integers(0, 9))
def test_folds_are_equal_within_one_frame(sizes, count, seed):
    groups = [str(n) for n, size in enumerate(sizes) for _ in range(size)]
    frames = read_frames([complete(group) for group in groups])
    parts = random_parts(frames, 1.0 / count, count, seed)
    for members in (np.arange(len(groups)), *(np.flatnonzero(np.array(groups) == g) for g in set(groups))):
        numbers = np.bincount(parts[members], minlength=count)
        assert len(numbers) == count
        assert numbers.max() - numbers.min() <= 1


def test_species_count_in_the_order_of_the_model():
    (frame,) = read_frames([complete()])
    assert species_of(frame, ("Ge", "Si")).tolist() == [1, 1]
    with pytest.raises(ValueError, match="input, frame 0: Si not among the model's elements Ge, C"):
        species_of(frame, ("Ge", "C"))


def test_dipoles_and_polarizabilities_are_labels():
    atoms = complete()
    atoms.calc = None
    atoms.info = {"Dipole": [1.0, 2.0, 3.0], "pol": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]}
    frame = read_frames([atoms])[0]
    np.testing.assert_array_equal(frame.dipole, [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(frame.polarizability, [[1.0, 4.0, 6.0], [4.0, 2.0, 5.0], [6.0, 5.0, 3.0]])
    assert "dipole, polarizability" in repr(frame)
    other = complete()
    other.info |= {"dipole": 1.2, "pol": [1.0, 2.0]}  # something else, of no concern here
    frame = read_frames([other])[0]
    assert frame.dipole is frame.polarizability is None

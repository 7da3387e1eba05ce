"""Real data sets beside the checkout: that they are read, and that published errors are reached."""

import pytest
from benchmarks.fit import CASES, group_weights, run, verdict

from ase_mlips.fit import read_frames


@pytest.mark.parametrize(
    ("name", "frames", "groups", "stresses"),
    [
        ("mlearn/Si_train.extxyz", 214, 4, 214),
        ("fitsnap/Ta.extxyz", 363, 12, 363),
        ("fitsnap/InP.extxyz", 1894, 19, 1894),
        ("cu2se/Cu2Se_train_nep2.xyz", 180, 17, 180),  # capital and small letters, force and forces
        ("gpumd/PbTe_train.xyz", 25, 1, 0),
        ("si/autoplex_train_Si.extxyz", 17, 2, 17),  # REF_ before every label
        ("si/silicon_testing_database_castep.xyz", 28, 4, 28),  # dft_force
    ],
)
def test_labels_are_found(shared, name, frames, groups, stresses):
    found = read_frames(shared / "data" / name)
    assert len(found) == frames
    assert len({frame.group for frame in found}) == groups
    assert sum(frame.stress is not None for frame in found) == stresses


def test_weights_of_a_fitsnap_input_are_per_gigapascal(shared):
    weights = group_weights(shared / "data" / "fitsnap" / "Ta-example.in")
    assert len(weights) == 12
    assert weights["Liquid"] == pytest.approx((467.0, 1.0, 1e-4))


@pytest.mark.parametrize("name", ["Si linear", "Mo linear", "Li linear", "Ta linear"])
def test_published_errors_are_reached(shared, name):
    assert verdict(CASES[name], run(name, shared / "data"))

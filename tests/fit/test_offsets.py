"""Energies that differ by a constant for each element."""

from dataclasses import replace

import numpy as np
import pytest
from support.labelled import labelled_cells, random_model

from ase_mlips.fit import compare, read_frames
from ase_mlips.fit.offsets import energy_offsets
from ase_mlips.snap.potential import SnapPotential

SHIFTS = {"Ga": 2.5, "N": -0.75}


@pytest.fixture(scope="module")
def shifted():
    """A model, and frames whose energies lie lower than its own by a constant for each element."""
    model = random_model()
    frames = read_frames(labelled_cells(model, 9))
    below = [sum(SHIFTS[symbol] for symbol in frame.atoms.symbols) for frame in frames]
    return model, [replace(f, energy=f.energy - shift) for f, shift in zip(frames, below, strict=True)]


def test_constants_of_elements_are_found_over_all_sets(shifted):
    model, frames = shifted
    sets = {"a": frames[:4], "b": frames[4:]}
    report = compare(SnapPotential(model), sets)
    assert min(score.mae for score in report.scores() if score.quantity == "energy") > 0.1
    offsets = energy_offsets(report, sets)
    assert offsets.values == pytest.approx(SHIFTS, abs=1e-8)
    assert {parity.set for parity in offsets.report.parities} == {"a", "b"}
    assert max(score.largest for score in offsets.report.scores()) < 1e-8
    assert repr(offsets) == "EnergyOffsets(Ga +2.5, N -0.75 eV)"


def test_noise_is_left_over(shifted):
    model, frames = shifted
    noise = np.random.default_rng(0).normal(0.0, 0.01, len(frames))
    sets = {"a": [replace(f, energy=f.energy + e * len(f.atoms)) for f, e in zip(frames, noise, strict=True)]}
    score = energy_offsets(compare(SnapPotential(model), sets), sets).report.scores()[0]
    assert 0.5 * np.std(noise) < score.rmse < np.std(noise)


def test_as_many_constants_as_energies_say_nothing(shifted):
    model, frames = shifted
    sets = {"a": [next(f for f in frames if len(set(f.atoms.symbols)) == n) for n in (1, 2)]}
    assert energy_offsets(compare(SnapPotential(model), sets), sets) is None
    sets = {"a": [replace(frame, energy=None) for frame in frames]}
    assert energy_offsets(compare(SnapPotential(model), sets), sets) is None

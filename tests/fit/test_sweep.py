"""The weight sweep against explicit fits."""

import json

import numpy as np
import pytest
from support.labelled import labelled_cells, random_model

from ase_mlips.fit import Loss, compare, fit_snap, read_frames, weight_sweep
from ase_mlips.fit.dataset import random_parts
from ase_mlips.snap.potential import SnapPotential

RATIOS = (0.01, 1.0)


@pytest.fixture(scope="module")
def model():
    return random_model()


@pytest.fixture(scope="module")
def frames(model):
    """Labels of a quadratic model, which a linear one cannot reproduce."""
    return read_frames(labelled_cells(random_model(quadraticflag=True, seed=4), 15))


@pytest.fixture(scope="module")
def sweep(model, frames):
    return weight_sweep(model, frames, ratios=RATIOS, splits=3, seed=5)


def test_errors_are_those_of_separate_fits(sweep, model, frames):
    parts = random_parts(frames, 1 / 3, 3, seed=5)
    for split, ratio in np.ndindex(3, len(RATIOS)):
        train, held_out = ([f for f, p in zip(frames, parts, strict=True) if (p == split) == out] for out in (0, 1))
        fit = fit_snap(model, train, loss=Loss(force=100.0 * RATIOS[ratio]))
        report = compare(SnapPotential(fit.model), {"": held_out})
        assert sweep.energy_mae[split, ratio] == pytest.approx(report.parity("", "energy").score().mae, rel=1e-6)
        assert sweep.force_mae[split, ratio] == pytest.approx(report.parity("", "force").score().mae, rel=1e-6)


def test_ratio_sets_the_force_weights_of_groups_too():
    loss = Loss(energy=10.0, stress=2.0, groups={"a": (4.0, 1.0, 3.0)}).with_force_ratio(0.5)
    assert (loss.energy, loss.force, loss.stress) == (10.0, 5.0, 2.0)
    assert loss.groups == {"a": (4.0, 2.0, 3.0)}


def test_figure_has_one_point_for_each_ratio(sweep):
    ax = sweep.plot()
    points = ax.collections[-1]
    expected = 1000.0 * np.column_stack([sweep.energy_mae.mean(axis=0), sweep.force_mae.mean(axis=0)])
    np.testing.assert_allclose(points.get_offsets(), expected)
    assert points.get_array().tolist() == list(RATIOS)
    assert points.norm.__class__.__name__ == "LogNorm"


def test_numbers_are_saved(sweep, tmp_path):
    sweep.save(tmp_path / "sweep.json")
    content = json.loads((tmp_path / "sweep.json").read_text())
    assert content["ratios"] == list(RATIOS)
    np.testing.assert_array_equal(content["force_mae"], sweep.force_mae)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"splits": 1}, "splits: expected 2 to 15"), ({"splits": 16}, "splits: expected 2 to 15"),
     ({"ratios": [1.0, 0.0]}, "ratios: expected numbers above 0")],
)  # fmt: skip
def test_settings_without_meaning_are_refused(model, frames, arguments, message):
    with pytest.raises(ValueError, match=message):
        weight_sweep(model, frames, **arguments)

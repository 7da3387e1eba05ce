"""The trade-off of several models against explicit fits."""

import json
from functools import partial

import numpy as np
import pytest
from support.labelled import labelled_cells, random_model

from ase_mlips.fit import Loss, Training, compare, fit_network, fit_snap, read_frames, trade_off
from ase_mlips.fit.tradeoff import RATIOS as ALL
from ase_mlips.snap.potential import SnapPotential

RATIOS, TRAINED = (0.01, 1.0, 100.0), (0.1,)
LOSS = Loss(ridge=1e-8)
TRAINING = Training(hidden=(3,), epochs=1)


@pytest.fixture(scope="module")
def sets():
    """Labels of a quadratic model, which a linear one cannot reproduce."""
    frames = read_frames(labelled_cells(random_model(quadraticflag=True, seed=4), 12))
    return frames[:8], frames[8:]


@pytest.fixture(scope="module")
def curves(sets):
    model, (train, test) = random_model(), sets
    candidates = {
        "SNAP, linear": fit_snap(model, train),
        "SNAP, network": partial(network, model, train),
        "SNAP larger, linear": fit_snap(random_model(twojmax=4), train, loss=LOSS),
    }
    return trade_off(candidates, test, ratios=RATIOS, trained=TRAINED, loss=LOSS)


def network(model, train, loss):
    return fit_network(model, train, validation=0.0, loss=loss, training=TRAINING)


def scores(model, test):
    report = compare(SnapPotential(model), {"test": test})
    return [report.parity("test", quantity).score().mae for quantity in ("energy", "force")]


@pytest.mark.filterwarnings("ignore:the best model has a loss:UserWarning")
def test_errors_are_those_of_separate_fits(curves, sets):
    train, test = sets
    for k, ratio in enumerate(RATIOS):
        fit = fit_snap(random_model(), train, loss=Loss(force=100.0 * ratio, ridge=1e-8))
        found = curves.curves["SNAP, linear"]
        assert [found.energy_mae[0, k], found.force_mae[0, k]] == pytest.approx(scores(fit.model, test), rel=1e-6)
    found = curves.curves["SNAP, network"]
    fit = network(random_model(), train, Loss(force=10.0))
    assert found.ratios.tolist() == list(TRAINED)
    assert [found.energy_mae[0, 0], found.force_mae[0, 0]] == pytest.approx(scores(fit.model, test), rel=1e-9)


def test_the_least_error_with_a_bound_on_energies(curves):
    own = curves.curves["SNAP, linear"]
    assert curves.best()["SNAP, linear"] == own.force_mae.min()
    bound = float(np.sort(own.energy_mae[0])[0])
    assert curves.best(energy=bound)["SNAP, linear"] == own.force_mae[0, np.argmin(own.energy_mae[0])]
    assert curves.best(energy=0.0)["SNAP, linear"] == np.inf


def test_eight_decades():
    assert (min(ALL), max(ALL), len(ALL)) == pytest.approx((1e-4, 1e4, 17))


def test_picture_numbers_and_words(curves, tmp_path):
    ax = curves.plot()
    lines = {line.get_label(): line for line in ax.lines}
    assert list(lines) == list(curves.curves)
    linear, trained, larger = lines.values()
    assert linear.get_color() == trained.get_color() != larger.get_color()
    assert linear.get_marker() == larger.get_marker() != trained.get_marker()
    np.testing.assert_allclose(linear.get_ydata(), 1000.0 * curves.curves["SNAP, linear"].force_mae[0])
    curves.save(tmp_path / "x.json")
    assert json.loads((tmp_path / "x.json").read_text())["SNAP, linear"]["ratios"] == list(RATIOS)
    assert repr(curves) == "TradeOff(SNAP, linear; SNAP, network; SNAP larger, linear)"
    assert curves._repr_html_().count("<tr>") == 1 + 3 + 1 + 3


def test_what_has_no_meaning(sets):
    train, test = sets
    fits = {"SNAP": fit_snap(random_model(), train)}
    with pytest.raises(ValueError, match=r"^ratios, trained: expected numbers above 0"):
        trade_off(fits, test, ratios=[0.0])
    with pytest.raises(ValueError, match=r"^test: expected frames with energy, got none"):
        trade_off(fits, [])

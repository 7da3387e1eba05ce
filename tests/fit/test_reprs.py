"""What a prompt or a notebook shows of the public objects: a line or a small table, never their arrays."""

import pytest
from ase.io import write
from support.labelled import labelled_cells, random_model

import ase_mlips.fit as fitting
from ase_mlips import SNAP
from ase_mlips.fit import (
    Committee,
    FrameFile,
    FullBatch,
    Loss,
    MlipLoss,
    NepSettings,
    NepTraining,
    OverlayDesign,
    PodDesign,
    RmseLoss,
    SnapDesign,
    Training,
    ace_template,
    energy_offsets,
    fit_ace,
    fit_ace_network,
    fit_mtp,
    fit_nep,
    fit_network,
    fit_overlay,
    fit_pod,
    fit_pod_network,
    fit_snap,
    read_frames,
    snap_template,
    trade_off,
    weight_sweep,
)
from ase_mlips.pod import PodBasis


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    path = tmp_path_factory.mktemp("frames") / "data.xyz"
    write(path, labelled_cells(random_model(("Ga",)), 8))
    frames = read_frames(labelled_cells(random_model(("Ga",)), 8))
    template = snap_template(["Ga"], radii=[0.5], twojmax=2, rcutfac=4.0)
    basis = PodBasis(("Ga",), 1.0, 4.0, 2, 2, (2, 1, 0, 0, 0, 0), (1, 0, 0, 0, 0))
    linear = fit_snap(template, frames[:6], test=frames[6:])
    with pytest.warns(UserWarning, match="the best model has a loss of"):
        network = fit_network(template, frames, validation=0.25, training=Training(hidden=(2,), epochs=2))
    functions = ace_template(["Ga"], cutoff=4.0, nmax=[2], lmax=[0])
    settings = NepSettings(
        ("Ga",), cutoff=(4.0, 4.0), n_max=(1, 1), basis_size=(2, 2), l_max=1, invariants=(), neuron=2
    )
    with pytest.warns(UserWarning, match="the best model has a loss of"):
        ace = fit_ace_network(functions, frames, validation=0.25, training=Training(hidden=(2,), epochs=1))
    with pytest.warns(UserWarning, match="the best model has a loss of"):
        nep = fit_nep(settings, frames, validation=0.25, training=NepTraining(epochs=1))
    return {
        "AceFit": fit_ace(functions, frames),
        "AceNetworkFit": ace,
        "EnergyOffsets": energy_offsets(linear.report, linear.sets),
        "LabelledFrame": frames[0],
        "FrameFile": FrameFile(path),
        "Loss": Loss(),
        "MlipLoss": MlipLoss(),
        "FullBatch": FullBatch(),
        "MtpFit": fit_mtp(4, frames, training=FullBatch(iterations=1, starts=1)),
        "Training": Training(),
        "SnapDesign": SnapDesign(template, frames),
        "SnapEquations": linear.equations,
        "SnapFit": linear,
        "NetworkFit": network,
        "PodDesign": PodDesign(basis, frames),
        "PodFit": fit_pod(basis, frames[:6]),
        "PodNetworkFit": fit_pod_network(basis, frames, validation=0.25, training=Training(hidden=(2,), epochs=1)),
        "OverlayDesign": OverlayDesign([basis, template], frames),
        "OverlayFit": fit_overlay([basis, template], frames[:6]),
        "RmseLoss": RmseLoss(),
        "NepSettings": settings,
        "NepTraining": NepTraining(),
        "NepFit": nep,
        "Report": linear.report,
        "Parity": linear.report.parities[0],
        "Score": linear.report.scores()[0],
        "Solution": linear.solution,
        "Sweep": weight_sweep(template, frames, ratios=[0.01, 0.1], splits=2),
        "TradeOff": trade_off({"linear": linear}, frames[6:], ratios=[0.01, 0.1]),
        "Committee": Committee([SNAP(linear.model), SNAP(linear.model)]),
    }


def test_every_public_class_is_here(objects):
    classes = {name for name in fitting.__all__ if isinstance(getattr(fitting, name), type)}
    assert classes <= objects.keys()


def test_a_repr_is_one_short_line(objects):
    for name, thing in objects.items():
        text = repr(thing)
        assert text.startswith(f"{name}("), text
        assert "\n" not in text
        assert "array(" not in text
        assert len(text) < 500, text


def test_what_they_say(objects):
    assert repr(objects["LabelledFrame"]) == "LabelledFrame(Ga2, energy, forces, stress; group 'even'; input, frame 0)"
    assert repr(objects["SnapFit"]).startswith(
        "SnapFit(Ga, twojmax 2, cutoff 4 A; 6 train and 2 test frames; cholesky, "
    )
    assert "network 2, cutoff 4 A; 6 train and 2 validation frames; 2 epochs, loss " in repr(objects["NetworkFit"])
    assert repr(objects["Sweep"]) == "Sweep(2 ratios from 0.01 to 0.1, 2 splits)"


@pytest.mark.parametrize("name", ["SnapFit", "NetworkFit", "Report", "Sweep", "TradeOff"])
def test_a_notebook_shows_a_table(objects, name):
    html = objects[name]._repr_html_()
    assert html.count("<table>") == html.count("</table>") == 1
    header, *rows = html.split("<tr>")[1:]
    assert all(row.count("<td>") == header.count("<th>") for row in rows)
    found = objects[name]
    assert len(rows) == (2 if name in ("Sweep", "TradeOff") else len(getattr(found, "report", found).scores()))
    assert "<p><" not in html

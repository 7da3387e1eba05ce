"""Files of SNAP models with neural networks: ML-IAP's text, the own format, and both beside stored energies."""

import io
import math
import re
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list
from support import network_models, snap_lammps, snap_models, snap_oracle
from support.damage import beginnings, refusal, replaced
from support.lammps_peer import require_lammps
from support.network_models import DESCRIPTOR, EXPECTED, NETWORK
from support.network_oracle import energies_and_gradients
from support.synthetic_networks import random_network
from support.torch_files import zipped

from ase_mlips import SNAP, load
from ase_mlips.snap.files import read_snap, write_snap
from ase_mlips.snap.model import Zbl
from ase_mlips.snap.npz import npz_bytes

MODELS = network_models.models()
LINEAR = replace(EXPECTED, network=None, coefficients=[[1.0, 2.0], [3.0, 4.0]])


@pytest.fixture
def folder(tmp_path):
    """A folder with m.mliap.model, m.mliap.descriptor and two include files for them."""
    (tmp_path / "m.mliap.model").write_text(NETWORK)
    (tmp_path / "m.mliap.descriptor").write_text(DESCRIPTOR)
    style = "mliap model nn m.mliap.model descriptor sna m.mliap.descriptor"
    (tmp_path / "i.mliap").write_text(f"pair_style {style}\npair_coeff * * In P\n")
    zbl = "pair_coeff 1 1 zbl 15 15\npair_coeff 1 2 zbl 15 49\npair_coeff 2 2 zbl 49 49\n"
    (tmp_path / "z.snap").write_text(f"pair_style hybrid/overlay zbl 4 4.2 {style}\n{zbl}pair_coeff * * mliap P In\n")
    return tmp_path


def with_rows(model, order):
    network = model.network
    arrays = {name: getattr(network, name)[order] for name in ("parameters", "shift", "scale")}
    return replace(network, **arrays)


@pytest.mark.parametrize("name", ["m.mliap.model", "m.mliap.descriptor", "m", "i.mliap"])
def test_hand_written_network(folder, name):
    assert read_snap(folder / name) == EXPECTED


def test_energy_of_the_hand_written_network():
    """With tanh, relu and sigmoid written out for one atom of each element."""
    x = (0.7 + 0.5) / 4
    first = [math.tanh(1 + 2 * x), math.tanh(3 + 4 * x)]
    p = 1 / (1 + math.exp(-(8 + 9 * max(0.0, 5 + 6 * first[0] + 7 * first[1]))))
    x = (1.3 - 0.5) / 2
    first = [math.tanh(1 - 2 * x), math.tanh(0.25 + 3 * x)]
    indium = 1 / (1 + math.exp(-(4 + 5 * max(0.0, 0.5 - first[0] + 2 * first[1]))))
    energies, _ = energies_and_gradients(EXPECTED.network, np.array([[0.7], [1.3]]), [1, 0])
    np.testing.assert_allclose(energies, [p, indium], rtol=1e-15)


def test_gradients_of_the_oracle_are_those_of_its_energies():
    for activation in ("sigmoid", "tanh", "relu", "softplus"):
        network = random_network((4, 3, 2, 1), (activation, activation, "linear"), count=2)
        points, step = np.random.default_rng(0).normal(size=(6, 4)), 1e-6
        _, gradients = energies_and_gradients(network, points, [0, 1] * 3)
        for k, shift in enumerate(step * np.eye(4)):
            above, below = (energies_and_gradients(network, points + s, [0, 1] * 3)[0] for s in (shift, -shift))
            np.testing.assert_allclose(gradients[:, k], (above - below) / (2 * step), rtol=0, atol=1e-9)


def test_elements_select_and_order_the_networks(folder):
    model = read_snap(folder / "m", elements=["P", "In"])
    assert model.elements == ("P", "In")
    assert model.network == with_rows(EXPECTED, [1, 0])
    assert read_snap(folder / "m", elements=["P"]).network == with_rows(EXPECTED, [1])
    included = read_snap(folder / "z.snap")
    assert included == replace(model, zbl=Zbl(4.0, 4.2, (15.0, 49.0)))
    assert read_snap(folder / "z.snap", elements=["In", "P"]).zbl == Zbl(4.0, 4.2, (49.0, 15.0))


def test_a_shared_network_stays_when_elements_are_selected(tmp_path):
    model = MODELS["shared"]
    write_snap(tmp_path / "m.snap.npz", model)
    assert read_snap(tmp_path / "m", elements=["P"]).network == model.network
    with pytest.raises(ValueError, match=r"m\.snap\.npz: expected the element Ga, got only In, P"):
        read_snap(tmp_path / "m.snap.npz", elements=["Ga"])


@pytest.mark.parametrize("ending", [".mliap.model", ".snap.npz"])
def test_reordered_chem_network_gives_the_same_energies(tmp_path, ending):
    model = MODELS["chem"]
    write_snap(tmp_path / f"m{ending}", model)
    other = read_snap(tmp_path / f"m{ending}", elements=["P", "In"])
    B = np.random.default_rng(0).normal(size=(2, 2, 2, 5))
    expected, _ = energies_and_gradients(model.network, B.reshape(1, -1), [0])
    swapped, _ = energies_and_gradients(other.network, B[::-1, ::-1, ::-1].reshape(1, -1), [1])
    np.testing.assert_allclose(swapped, expected, rtol=1e-13)
    assert read_snap(tmp_path / f"m{ending}", elements=["In", "P"]) == model


@pytest.mark.parametrize("name", MODELS)
def test_own_format_holds_every_model_bit_by_bit(tmp_path, name):
    path = tmp_path / "x.snap.npz"
    assert write_snap(path, MODELS[name]) == (str(path),)
    assert read_snap(path) == read_snap(tmp_path / "x") == MODELS[name]
    with np.load(path, allow_pickle=False) as arrays:
        assert arrays["version"] == 1
        assert arrays["elements"].tolist() == ["In", "P"]
        assert arrays["network_parameters"].shape == MODELS[name].network.parameters.shape


@pytest.mark.parametrize("ending", [".mliap.model", ".mliap.descriptor", ".mliap", ".snap"])
@pytest.mark.parametrize("name", ["hand", "each", "chem", "zbl"])
def test_text_formats_hold_the_networks_of_lammps_bit_by_bit(tmp_path, name, ending):
    model, path = MODELS[name], tmp_path / f"x.y{ending}"
    if model.zbl is not None and "mliap." in ending:
        with pytest.raises(ValueError, match=r"expected a name that ends in .snap, .mliap or .snap.npz, which alone"):
            write_snap(path, model)
        return
    written = write_snap(path, model)
    assert sorted(written) == sorted(str(f) for f in tmp_path.iterdir())
    assert read_snap(path) == model


def test_a_shared_network_is_repeated_in_text(tmp_path):
    write_snap(tmp_path / "m.mliap", MODELS["shared"])
    assert read_snap(tmp_path / "m.mliap").network == with_rows(MODELS["shared"], [0, 0])


def test_formats_without_room_are_refused_and_the_right_one_is_named(tmp_path):
    for ending in (".mliap.model", ".mliap", ".snap"):
        with pytest.raises(ValueError, match=r"tanh, relu, got softplus, which a name that ends in .snap.npz can hold"):
            write_snap(tmp_path / f"m{ending}", MODELS["softplus"])
    for ending in ("", ".snapcoeff", ".snapparam"):
        with pytest.raises(ValueError, match=r"\.mliap\.model, .* or \.snap\.npz, which alone can hold a network"):
            write_snap(tmp_path / f"m{ending}", MODELS["shared"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("flags", [{}, {"quadraticflag": True, "coefficients": np.ones((2, 3))}])
def test_includes_of_polynomials_name_their_kind(tmp_path, flags):
    model = replace(LINEAR, zbl=Zbl(4.0, 4.2, (49.0, 15.0)), **flags)
    write_snap(tmp_path / "m.mliap", model)
    assert read_snap(tmp_path / "m.mliap") == model
    assert ("model quadratic" if flags else "model linear") in (tmp_path / "m.mliap").read_text()


def test_calculator_knows_the_endings(tmp_path):
    write_snap(tmp_path / "m.snap.npz", LINEAR)
    assert isinstance(load(tmp_path / "m.snap.npz"), SNAP)
    assert load(tmp_path / "m").model == LINEAR
    assert not SNAP.recognizes(tmp_path / "m.npz")


MALFORMED = [
    ("NET 1 3", "NET 2 3", ":5: expected 1 descriptors, as twojmax says, got 2"),
    ("NET 1 3", "NET one 3", ":5: expected an integer for the number of descriptors, got 'one'"),
    ("NET 1 3", "NET 1 4", ":5: expected an activation and a number of nodes for each of 4 layers, got 'NET"),
    ("NET 1 3", "NET 1 -1", ":5: expected an activation and a number of nodes for each of -1 layers, got 'NET"),
    (" 3 tanh 2 relu 1 sigmoid 2", " 0", ":5: expected 'NET descriptors layers activation nodes .*', got 'NET 1 0'"),
    (
        "relu",
        "softplus",
        r":5: expected an activation among linear, sigmoid, tanh, relu \(LAMMPS .*'softplus'",
    ),
    ("tanh 2", "tanh 0", ":5: expected layers of 1 to 4096 nodes, got 'NET"),
    ("tanh 2", "tanh 4097", ":5: expected layers of 1 to 4096 nodes, got 'NET"),
    ("tanh 2", "tanh 2.0", ":5: expected an integer for the number of nodes, got '2.0'"),
    ("tanh 2", "tanh 3", ":2: expected 14 parameters for each element, as line 5 says, got 11"),
    ("2 11", "2 12", ":2: expected 11 parameters for each element, as line 5 says, got 12"),
    ("2 11", "1 11", r":2: expected 2 elements as in .*m\.mliap\.descriptor, got 1"),
    ("0.5\n2\n", "nan\n2\n", ":7: expected a finite number for scale0 of element 1, got 'nan'"),
    ("0.5\n2\n", "0.5 2\n", ":7: expected the last 1 of 1 numbers of scale0 of element 1, got 2 numbers"),
    ("-0.5\n4\n", "-0.5\n0\n", ":14: expected scale1 of element 2 not to be zero, got 0"),
    ("0.5 -1 2", "0.5 -1 two", ":11: expected a finite number for parameters of element 1, got 'two'"),
    (
        "4 5 1e3 1e3\n",
        "4 5 1e3 1e3 1e3\n",
        ":12: expected the last 4 of 11 numbers of parameters of element 1, got 5",
    ),
    ("9\n1e3 1e3\n", "9\n1e3\n", ":17: expected number 11 of 11 of parameters of element 2, got the end of the file"),
    ("9\n1e3 1e3\n", "9\n1e3 1e3\n1\n", ":18: expected the end of the file after 2 times 11 parameters, got '1'"),
    ("NET", "NEXT", r":2: expected 2 \(linear\) or 3 \(quadratic\) coefficients for each element, got 11"),
]


@pytest.mark.parametrize(("old", "new", "message"), MALFORMED)
def test_malformed_networks_name_the_line(folder, old, new, message):
    damaged = replaced(NETWORK, old, new)
    assert re.search(rf"m\.mliap\.model{message}", refusal(read_snap, folder / "m.mliap.model", damaged))


def test_networks_truncated_at_any_line_are_refused(folder):
    for count, beginning in enumerate(beginnings(NETWORK)):
        message = refusal(read_snap, folder / "m.mliap.model", beginning)
        assert re.search(rf"model:({max(1, count)}: .*, got the end of the file|2: )", message)


def test_include_files_tell_networks_from_polynomials(folder):
    text = (folder / "i.mliap").read_text()
    (folder / "i.mliap").write_text(text.replace("model nn", "model linear"))
    with pytest.raises(ValueError, match=r"m\.mliap\.model:5: expected a linear model, got a neural network \(nn\)"):
        read_snap(folder / "i.mliap")
    (folder / "i.mliap").write_text(text)
    (folder / "m.mliap.model").write_text("2 2\n1\n2\n3\n4\n")
    with pytest.raises(ValueError, match=r"m\.mliap\.model:2: expected 'NET descriptors layers .*', got '1'"):
        read_snap(folder / "i.mliap")


def altered(**changes) -> bytes:
    """The own format of a model with some arrays replaced, or left out where None."""
    arrays = dict(np.load(io.BytesIO(npz_bytes(MODELS["shared_zbl"]))))
    stream = io.BytesIO()
    np.savez(stream, **{k: v for k, v in {**arrays, **changes}.items() if v is not None})
    return stream.getvalue()


NOT_THE_FORMAT = [
    (altered(version=2), "expected version 1 of the format, got 2"),
    (altered(version=None), "expected the array version of type <i8 with 0 axes, got none"),
    (altered(radii=None), "expected the array radii of type <f8 with 1 axes, got none"),
    (altered(network_scale=None), "expected the array network_scale of type <f8 with 2 axes, got none"),
    (altered(zbl_charges=None), "expected the array zbl_charges of type <f8 with 1 axes, got none"),
    (altered(radii=np.float32([0.5, 0.4])), "expected the array radii of type <f8 with 1 axes, got another"),
    (altered(radii=[[0.5, 0.4]]), "expected the array radii of type <f8 with 1 axes, got another"),
    (
        altered(network_parameters=np.ones((3, 1)).T),
        "expected network_?.* parameters of shape|expected parameters of shape",
    ),
    (
        altered(elements=np.array(["In", "P"], object)),
        "expected the array elements of type <U with 1 axes, got a",
    ),
    (altered(elements=np.array(["In", "\u00e9"])), "expected the array elements of type <U with 1 axes, got a"),
    (altered(elements=["In", "In"]), "expected elements to be distinct, got In twice"),
    (altered(network_activations=["softplus", "selu"]), "expected activations among linear, .*, got 'selu'"),
    (altered(network_sizes=[5, 3, 2]), "expected sizes of at least one layer, the last of one node, got"),
    (altered(network_scale=np.zeros((1, 5))), "expected scale not to be zero"),
    (altered(zbl_inner=9.0), "expected zbl cutoffs 0 < inner < outer"),
    (altered(switchinnerflag=True), "expected the array sinner of type <f8 with 1 axes, got none"),
    (altered(sinner=[1.0, 2.0]), "expected no array but those of the model, got 'sinner'"),
    (altered()[:-5], "expected a whole zip archive, got a damaged or other one"),
    (altered()[:500], "expected a whole zip archive, got a damaged or other one"),
    (b"", "expected a whole zip archive, got a damaged or other one"),
    (b"2 11\nNET 1 1 linear 1\n", "expected a whole zip archive, got a damaged or other one"),
    (zipped({"radii.npy": b""}), "expected the array version of type <i8 with 0 axes, got none"),
    (zipped({"version.npy": b"\x93NUMPY"}), "expected the array version of type <i8 with 0 axes, got another"),
    (
        zipped({"version.npy": b" " * 999}, zipfile.ZIP_DEFLATED),
        "expected an archive without compression, got 'v",
    ),
]


@pytest.mark.parametrize(("content", "message"), NOT_THE_FORMAT)
def test_malformed_own_format(tmp_path, content, message):
    assert re.search(rf"x\.snap\.npz: {message}", refusal(read_snap, tmp_path / "x.snap.npz", content))


def test_own_format_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_snap(tmp_path / "x.snap.npz")


@pytest.mark.parametrize("name", ["mliap_rnd_nn_2el", "mliap_ta06a_nn_linear", "mliappy_ta_fitsnap_nn"])
def test_energies_of_stored_descriptors(shared, name):
    folder = shared / "reference" / "snap"
    files = {
        "mliap_rnd_nn_2el": ("rnd_nn_2el.mliap.model", "WBe_Wood_PRB2019.mliap.descriptor"),
        "mliap_ta06a_nn_linear": ("Ta06A.nn.mliap.model", "Ta06A.mliap.descriptor"),
        "mliappy_ta_fitsnap_nn": ("Ta_fitsnap_nn.pt", "Ta_fitsnap_nn.mliap.descriptor"),
    }[name]
    model = read_snap(*(folder / "models" / file for file in files))
    data = np.load(folder / f"{name}.npz")
    species = [[{"W": 74, "Be": 4, "Ta": 73}[s] for s in model.elements].index(n) for n in data["numbers"]]
    energies, _ = energies_and_gradients(model.network, data["descriptors"], species)
    np.testing.assert_allclose(energies, data["energies"], rtol=0, atol=1e-10 * np.abs(data["energies"]).max())


@pytest.mark.peer
@pytest.mark.parametrize("name", ["each", "shared"])
def test_lammps_gets_the_same_energies_from_what_was_written(tmp_path, monkeypatch, name):
    require_lammps()
    monkeypatch.chdir(tmp_path)
    model = replace(MODELS[name], rcutfac=9.0, switchinnerflag=False, sinner=None, dinner=None)
    write_snap("m.snap", model)
    species, positions, cell, pbc = snap_models.rattled_cell(model)
    result = snap_lammps.evaluate("include m.snap", species, positions, cell, types=2)
    linear = replace(model, network=None, coefficients=np.zeros((2, 6)))
    i, j, D = neighbor_list("ijD", Atoms("X8", positions=positions, cell=cell, pbc=pbc), model.cutoff)
    B, _ = snap_oracle.descriptors_and_gradients(linear, i, j, D, species)
    expected, _ = energies_and_gradients(model.network, B, species)
    np.testing.assert_allclose(result.energies, expected, rtol=0, atol=1e-11)

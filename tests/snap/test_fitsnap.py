"""FitSNAP's PyTorch networks without PyTorch: what is read, and that nothing is executed."""

import os
import pickle
import struct
import zipfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from support.network_models import DESCRIPTOR
from support.network_oracle import energies_and_gradients
from support.torch_files import WRITER, Archive, Call, Global, module, pickled, zipped

from ase_mlips import SNAP, load
from ase_mlips.snap import Zbl, import_fitsnap, read_snap, write_snap

INPUTS = 5  # descriptors of twojmax 2
TWO = DESCRIPTOR.replace("twojmax 0", "twojmax 2")
ONE = TWO.replace("nelems 2\nelems In P\nradelems 0.5 0.4\nwelems 1 -0.9", "nelems 1\nelems In\nradelems 0.5\nwelems 1")


def random_layers(seed: int, dtype=np.float64):
    rng = np.random.default_rng(seed)
    sizes = [INPUTS, INPUTS, 4, 3, 1]
    return [(rng.normal(size=(b, a)).astype(dtype), rng.normal(size=b).astype(dtype)) for a, b in pairwise(sizes)]


def energy(layers, x):
    """FitSNAP's network: softplus after all layers but the first and the last."""
    for n, (weights, biases) in enumerate(layers):
        x = weights.astype(float) @ x + biases
        x = np.log1p(np.exp(x)) if 0 < n < len(layers) - 1 else x
    return x[0]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "one.mliap.descriptor").write_text(ONE)
    (tmp_path / "two.mliap.descriptor").write_text(TWO)
    return tmp_path


def saved(kind: str, networks, *, legacy: bool = False) -> bytes:
    archive = Archive()
    save = archive.legacy if legacy else archive.content
    if kind == "checkpoint":
        return save(archive.checkpoint(networks))
    modules = [archive.sequential(layers) for layers in networks]
    return save(archive.shared(modules[0]) if kind == "shared" else archive.elementwise(modules))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("kind", "count"), [("shared", 1), ("elementwise", 2), ("elementwise", 1), ("checkpoint", 2), ("checkpoint", 1)]
)
def test_every_form_gives_the_energies_of_its_layers(folder, kind, count, dtype):
    networks = [random_layers(seed, dtype) for seed in range(count)]
    (folder / "x.pt").write_bytes(saved(kind, networks))
    model = import_fitsnap(folder / "x.pt", folder / "two.mliap.descriptor")
    assert model.elements == ("In", "P")
    assert model.network.sizes == (INPUTS, INPUTS, 4, 3, 1)
    assert model.network.activations == ("linear", "softplus", "softplus", "linear")
    assert len(model.network.parameters) == count
    B = np.random.default_rng(9).normal(size=(2, INPUTS))
    energies, _ = energies_and_gradients(model.network, B, [0, 1])
    np.testing.assert_allclose(energies, [energy(networks[n % count], B[n]) for n in range(2)], rtol=1e-14)


@pytest.mark.parametrize("kind", ["shared", "elementwise", "checkpoint"])
def test_files_of_old_versions_of_pytorch(folder, kind):
    networks = [random_layers(seed, np.float32) for seed in range(1 if kind == "shared" else 2)]
    (folder / "new.pt").write_bytes(saved(kind, networks))
    (folder / "old.pt").write_bytes(saved(kind, networks, legacy=True))
    old, new = (import_fitsnap(folder / name, folder / "two.mliap.descriptor") for name in ("old.pt", "new.pt"))
    assert old == new


def test_old_files_that_are_damaged(folder):
    content = saved("elementwise", [random_layers(0), random_layers(1)], legacy=True)
    for length in range(0, len(content), 97):
        (folder / "x.pt").write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"^\S+x\.pt: expected .+, got .+"):
            import_fitsnap(folder / "x.pt", folder / "two.mliap.descriptor")
    for old, new in ((b"little_endian", b"little_indian"), (struct.pack("<i", 1001), struct.pack("<i", 1002))):
        (folder / "x.pt").write_bytes(content.replace(old, new))
        with pytest.raises(ValueError, match=r"x\.pt: expected "):
            import_fitsnap(folder / "x.pt", folder / "two.mliap.descriptor")
    end = len(content) - len(random_layers(1)[-1][1].tobytes()) - 8
    (folder / "x.pt").write_bytes(content[:end] + struct.pack("<q", 2**60) + content[end + 8 :])
    with pytest.raises(ValueError, match=r"x\.pt: expected the storage '15' of \d+ bytes, got 8"):
        import_fitsnap(folder / "x.pt", folder / "two.mliap.descriptor")


@pytest.mark.parametrize("kind", ["module", "checkpoint", "unnumbered"])
def test_a_single_linear_layer(folder, kind):
    rng = np.random.default_rng(4)
    weights, bias = rng.normal(size=(1, INPUTS)), rng.normal(size=1)
    archive = Archive()
    if kind == "module":
        parameters = {"weight": archive.tensor(weights), "bias": archive.tensor(bias)}
        content = archive.content(archive.shared(module("torch.nn.modules.linear Linear", parameters=parameters)))
    else:
        entries = archive.checkpoint([[(weights, bias)]])
        items = entries["model_state_dict"].items
        if kind == "unnumbered":
            entries["model_state_dict"].items = {key.replace("0.0.", "0."): value for key, value in items.items()}
        content = archive.content(entries)
    (folder / "x.pt").write_bytes(content)
    network = import_fitsnap(folder / "x.pt", folder / "one.mliap.descriptor").network
    assert network.sizes == (INPUTS, 1)
    assert network.activations == ("linear",)
    np.testing.assert_array_equal(network.parameters, [[bias[0], *weights[0]]])


def test_elements_take_their_networks_along(folder):
    (folder / "x.pt").write_bytes(saved("elementwise", [random_layers(0), random_layers(1)]))
    whole = import_fitsnap(folder / "x.pt", folder / "two.mliap.descriptor")
    swapped = import_fitsnap(folder / "x.pt", folder / "two.mliap.descriptor", elements=["P", "In"])
    np.testing.assert_array_equal(swapped.network.parameters, whole.network.parameters[::-1])
    with pytest.raises(ValueError, match=r"two.mliap.descriptor:4: expected the element Ga, got only In, P"):
        import_fitsnap(folder / "x.pt", folder / "two.mliap.descriptor", elements=["Ga"])


def test_calculator_and_include_files_read_networks(folder):
    (folder / "two.pt").write_bytes(saved("shared", [random_layers(0)]))
    model = import_fitsnap(folder / "two.pt", folder / "two.mliap.descriptor")
    assert read_snap(folder / "two.pt") == read_snap(folder / "two.pt", folder / "two.mliap.descriptor") == model
    assert SNAP.recognizes(folder / "two.pt")
    assert load(folder / "two.pt").model == model
    (folder / "other.pt").write_bytes(saved("shared", [random_layers(0)]))
    assert not SNAP.recognizes(folder / "other.pt")
    with pytest.raises(FileNotFoundError, match=r"looked for beside other.pt: '.*other.mliap.descriptor'"):
        read_snap(folder / "other.pt")
    (folder / "i.mliap").write_text(
        "pair_style hybrid/overlay zero 10.0 zbl 4.0 4.8 &\n"
        "mliap model mliappy two.pt descriptor sna two.mliap.descriptor\n"
        "pair_coeff * * zero\npair_coeff 1 1 zbl 49 49\npair_coeff 1 2 zbl 49 15\npair_coeff 2 2 zbl 15 15\n"
        "pair_coeff * * mliap In P\n"
    )
    assert read_snap(folder / "i.mliap") == replace(model, zbl=Zbl(4.0, 4.8, (49.0, 15.0)))
    write_snap(folder / "copy.snap.npz", model)
    assert read_snap(folder / "copy") == model


def test_strides_offsets_and_old_containers(folder):
    """A weight stored transposed, behind other numbers, in modules whose children are an OrderedDict."""
    archive, rng = Archive(), np.random.default_rng(0)
    stored, bias = rng.normal(size=11), np.array([0.5])
    weight = archive.tensor(stored, offset=1, shape=(1, INPUTS), strides=(1, 2))
    linear = module("torch.nn.modules.linear Linear", parameters={"weight": weight, "bias": archive.tensor(bias)})
    children = Call("collections OrderedDict", items={"0": linear})
    network = module("torch.nn.modules.container Sequential", children=children)
    subnets = module("torch.nn.modules.container ModuleList", children={"0": network, "1": network})
    model = module(f"{WRITER} ElemwiseModels", children={"subnets": subnets})
    (folder / "x.pt").write_bytes(archive.content(archive._wrapped(model)))
    read = import_fitsnap(folder / "x.pt", folder / "two.mliap.descriptor").network
    np.testing.assert_array_equal(read.parameters, [[0.5, *stored[1::2]]] * 2)


class Malicious:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def harmful(folder: Path):
    """Programs that would leave a file behind, by several ways of calling."""
    command = f"touch {folder / 'executed'}"
    yield pickle.dumps(Malicious(os.system, command), 2), "os|posix|nt.system"
    yield (
        pickle.dumps({"model_state_dict": Malicious(exec, f"import os; os.system({command!r})")}, 2),
        "__builtin__.exec",
    )
    yield pickle.dumps(Malicious(os.system, command), 4), "pickle instruction"
    yield f"cos\nsystem\n(S'{command}'\ntR.".encode(), "os.system"
    yield f"(S'{command}'\nios\nsystem\n.".encode(), "pickle instruction"
    yield pickled({"loss": Call("torch.load", (command,))}).replace(b"torch.load", b"torch\nload"), "torch.load"
    yield pickled(Call("torch.nn.modules.linear Linear.__init__.__globals__")), "Linear.__init__.__globals__"


def test_programs_in_pickles_are_refused_and_not_executed(folder):
    count = 0
    for content, name in harmful(folder):
        count += 1
        beginning = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickled(1001) + pickled({"little_endian": True})
        for file in (zipped({"x/data.pkl": content}), beginning + content):
            (folder / "x.pt").write_bytes(file)
            with pytest.raises(ValueError, match=rf"x\.pt: expected nothing but a network of FitSNAP, got .*({name})"):
                import_fitsnap(folder / "x.pt", folder / "one.mliap.descriptor")
            assert not (folder / "executed").exists()
    assert count == 7


def test_the_programs_of_that_test_do_harm(folder):
    content, _ = next(harmful(folder))
    pickle.loads(content)
    assert (folder / "executed").exists()


ZEROS = np.zeros((1, INPUTS))


def damaged(**changes) -> bytes:
    archive = Archive()
    return archive.content(archive.shared(archive.sequential(random_layers(0), **changes)))


def tensor_at(array=ZEROS, **changes) -> bytes:
    archive = Archive()
    values = {"weight": archive.tensor(array, **changes), "bias": archive.tensor(np.zeros(1))}
    linear = module("torch.nn.modules.linear Linear", parameters=values)
    sequential = module("torch.nn.modules.container Sequential", children={"0": linear})
    return archive.content(archive.shared(sequential))


def checkpoint_of(places: list[str]) -> bytes:
    archive = Archive()
    items = {place: archive.tensor(np.zeros((INPUTS, INPUTS))) for place in places}
    return archive.content({"model_state_dict": Call("collections OrderedDict", items=items)})


def raw(content: bytes, **members: bytes) -> bytes:
    return zipped({"x/data.pkl": content, **{f"x/{name}": data for name, data in members.items()}})


STRAY = "a tensor of float32 or float64 within its storage, got another"
REFUSED = [
    (b"", "a whole zip archive, got a damaged or other one"),
    (damaged()[:-30], "a whole zip archive, got a damaged or other one"),
    (
        zipped({"x/data.pkl": pickled({})}, zipfile.ZIP_DEFLATED),
        "an archive without compression, got 'x/data.pkl'",
    ),
    (zipped({"version": b"3"}), "an archive of torch.save with one data.pkl, got 0 of them"),
    (zipped({"x/data.pkl": b"", "y/data.pkl": b""}), "an archive of torch.save with one data.pkl, got 2 of them"),
    (raw(pickled({}), byteorder=b"big"), "numbers in little-endian order, got another"),
    (raw(b""), r"whole pickles, got a damaged one"),
    (raw(pickled({"a": 1})[:-4]), r"whole pickles, got a damaged one"),
    (raw(b"\x80\x02h\x05."), r"whole pickles, got a damaged one \(KeyError\)"),
    (raw(b"\x80\x02}(NNu."), r"whole pickles, got a damaged one \(TypeError\)"),
    (raw(b"\x80\x02" + b"r" + struct.pack("<I", 2**31) + b"."), r"whole pickles, got a damaged one"),
    (raw(pickled({"epoch": 3})), "a network as FitSNAP writes it, got other contents"),
    (raw(pickled([1, 2])), "a network as FitSNAP writes it, got other contents"),
    (raw(pickled(Global("torch float64"))), "a network as FitSNAP writes it, got other contents"),
    (raw(pickled(module(f"{WRITER} TorchWrapper"))), "a network as FitSNAP writes it, got other contents"),
    (raw(pickled(module("torch.nn.modules.activation ReLU"))), "nothing but a network .*activation.ReLU.*not executed"),
    (damaged(beta=2.0), "Softplus with beta 1 and threshold 20, got others"),
    (saved("elementwise", [random_layers(n) for n in range(3)]), "one network or one for each of 2 elements, got 3"),
    (tensor_at(np.zeros((1, 4))), "a network of 5 descriptors, got one of 4"),
    (tensor_at(np.zeros((2, INPUTS))), "weights and biases of 5 to 1 nodes, got"),
    (tensor_at(np.zeros(INPUTS)), "weights and biases of 5 to 1 nodes, got"),
    (tensor_at(np.full((1, INPUTS), np.nan)), "parameters to be finite, got nan"),
    (tensor_at(np.zeros((1, INPUTS), np.int64)), "nothing but a network of FitSNAP, .*torch.LongStorage"),
    (tensor_at(offset=1), STRAY),
    (tensor_at(offset=-1), STRAY),
    (tensor_at(strides=(5, -1)), STRAY),
    (tensor_at(shape=(10**9, 10**9), strides=(0, 0)), STRAY),
    (tensor_at(shape=(1, "5")), STRAY),
    (tensor_at(shape=(1, 5, 1)), STRAY),
    (tensor_at(shape=5), STRAY),
    (checkpoint_of(["model.0.weight"]), "network_architectureN.N.weight or bias, got 'model.0.weight'"),
    (checkpoint_of(["network_architecture1.0.weight"]), r"networks counted from 0, got \[1\]"),
    (checkpoint_of(["network_architecture0.1.weight"]), r"layers with at most one activation between .* places \[1\]"),
    (checkpoint_of(["network_architecture0.0.weight"]), "a network as FitSNAP writes it, got other contents"),
    (checkpoint_of([]), "one network or one for each of 2 elements, got 0"),
]


@pytest.mark.parametrize(("content", "message"), REFUSED)
def test_other_and_damaged_files_are_refused(folder, content, message):
    (folder / "x.pt").write_bytes(content)
    with pytest.raises(ValueError, match=rf"x\.pt: expected {message}"):
        import_fitsnap(folder / "x.pt", folder / "two.mliap.descriptor")

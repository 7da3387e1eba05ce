"""What the families have in common: one-line reprs, writing, and files that run nothing when they are read."""

import io
import os
import pickle
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from support.ace_models import synthetic_ace_models
from support.listing import listed
from support.mtp_models import synthetic_mtp_model
from support.nep_models import synthetic_nep_models
from support.pod_models import synthetic_pod_model
from support.snap_models import network_models, synthetic_models
from support.snap_texts import DESCRIPTOR
from support.torch_files import Archive, zipped

from ase_mlips import ACE, MTP, NEP, POD, SNAP, load
from ase_mlips.files.records import Record
from ase_mlips.mtp import untrained
from ase_mlips.mtp.grade import maxvol
from ase_mlips.mtp.model import ordered
from ase_mlips.snap import Zbl, read_snap, write_snap

PAIR = Atoms("CuNi", [[0, 0, 0], [2.4, 0, 0]])


def public_objects():
    snap = SNAP(synthetic_models()["two"], num_threads=1)
    atoms = PAIR.copy()
    yield from (snap, snap.model, snap.potential, synthetic_models()["zbl"].zbl, network_models()["network_two"])
    yield from (network_models()["network_two"].network, snap.get_descriptor_gradients(atoms))
    yield snap.potential.evaluate(*listed(snap, atoms))
    yield from (snap.get_heat_flux_parts(atoms), snap.get_heat_flux_parts(atoms, per_atom=True))
    nep = NEP(synthetic_nep_models()["charge1_zbl"])
    yield from (nep, nep.model, nep.potential, nep.model.network, nep.model.zbl)
    ace = ACE(synthetic_ace_models()["three"], num_threads=1)
    yield from (
        ace,
        ace.model,
        ace.potential,
        ace.model.bonds[0][1],
        ace.model.functions[0][0],
        ace.model.embeddings[0],
    )
    pod = POD(synthetic_pod_model("two_clusters"), num_threads=1)
    yield from (pod, pod.model, pod.model.basis, pod.potential, pod.get_descriptor_gradients(atoms))
    mtp = MTP(synthetic_mtp_model("l06"), num_threads=1)
    frames = [Atoms("CuZr", [[0, 0, 0], [d, 0, 0]]) for d in (2.2, 2.5, 3.0)]
    with pytest.warns(UserWarning, match="says nothing about"):
        mtp.select_active_set(frames)
    yield from (
        mtp,
        mtp.model,
        mtp.potential,
        mtp.active_set,
        mtp.get_extrapolation_grade(frames[0]),
        maxvol(np.eye(4)),
    )


def test_reprs_are_one_line():
    texts = list(map(repr, public_objects()))
    assert len(texts) == 32
    for text in texts:
        assert "\n" not in text
        assert "array(" not in text
        assert " object at " not in text
        assert len(text) < 200, text


def test_models_and_their_parts_are_records():
    """What differs is not equal, to the last bit, and copies are checked and read-only again."""
    found = {type(thing): thing for thing in public_objects() if isinstance(thing, Record)}
    assert {kind.__name__ for kind in found} >= {
        "SnapModel",
        "Zbl",
        "Network",
        "NepModel",
        "NepZbl",
        "NepNetwork",
        "MtpModel",
        "AceModel",
        "Bond",
        "Function",
        "Embedding",
        "PodModel",
        "PodBasis",
    }
    for thing in found.values():
        copied = pickle.loads(pickle.dumps(thing))
        assert copied == thing
        assert hash(copied) == hash(thing)
        assert all(not value.flags.writeable for value in vars(copied).values() if isinstance(value, np.ndarray))
    zbl = found[Zbl]
    assert replace(zbl, inner=np.nextafter(zbl.inner, 0.0)) != zbl


def test_what_a_repr_says_of_arrays():
    pairs = SNAP(synthetic_models()["two"], num_threads=1).get_descriptor_gradients(PAIR)
    assert repr(pairs) == (
        "PairGradients(centers=[0, 1], neighbors=[1, 0], vectors=array of shape (2, 3), "
        "gradients=array of shape (2, 3, 30), descriptors=array of shape (2, 30))"
    )
    assert (
        repr(network_models()["network_two"].network)
        == "Network(14-9-4-2-1, sigmoid linear relu linear, of 2 elements)"
    )


@pytest.mark.parametrize(
    ("calculator", "name"),
    [
        (lambda: SNAP(synthetic_models()["zbl"]), "a.snap"),
        (lambda: SNAP(synthetic_models()["two"]), "a.mliap.model"),
        (lambda: SNAP(network_models()["network_two"]), "a.snap.npz"),
        (lambda: ACE(synthetic_ace_models()["lopsided"]), "a.yace"),
        (lambda: ACE(synthetic_ace_models()["network_two"]), "a.ace.npz"),
        (lambda: NEP(synthetic_nep_models()["nep5"]), "nep.txt"),
        (lambda: MTP(synthetic_mtp_model("l08")), "a.mtp"),
        (lambda: POD(synthetic_pod_model("two_clusters")), "a_param.pod"),
    ],
)
def test_a_calculator_writes_its_model(tmp_path, calculator, name):
    calc = calculator()
    assert calc.write(tmp_path / name) is None
    options = {"species": calc.model.species} if name == "a.mtp" else {}
    assert load(tmp_path / name, **options).model == calc.model


class Harmful:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_harmful_objects_do_harm(tmp_path):
    pickle.loads(pickle.dumps(Harmful(tmp_path / "touched"))).close()
    assert (tmp_path / "touched").exists()


def harmful_files(touched):
    """By the name of the file, in every format that could hold a program."""
    program = pickle.dumps(Harmful(touched), 2)
    stream = io.BytesIO()
    np.savez(stream, elements=np.array([Harmful(touched)], dtype=object), version=np.int64(1))
    yield "x.snap.npz", stream.getvalue()
    stream = io.BytesIO()
    np.save(stream, np.array([Harmful(touched)], dtype=object))
    yield "x.snap.npz", stream.getvalue()
    yield "x.ace.npz", stream.getvalue()
    yield "x.pod.npz", stream.getvalue()
    yield "x.pt", program
    yield "x.pt", zipped({"x/data.pkl": program})
    yield "x.pt", Archive().legacy(None)[:-1] + program
    for name in (
        "nep.txt",
        "x.mtp",
        "x.almtp",
        "x.snapcoeff",
        "x.snap",
        "x.mliap",
        "x.mliap.model",
        "x.yace",
        "x.ace",
        "x_param.pod",
        "x_coeff.pod",
    ):
        yield name, program
    yield "x.yace", b"elements: !!python/object/apply:os.system [touch " + os.fsencode(touched) + b"]\n"
    yield "x.snap", b"shell touch " + os.fsencode(touched) + b"\n"
    yield "x.snap", b'python "open(%r, 1)"\n' % os.fsencode(touched)
    yield "x.mod", b"variable x equal `touch " + os.fsencode(touched) + b"`\npair_style ${x}\n"


def test_files_run_nothing(tmp_path):
    touched = tmp_path / "touched"
    for name, content in harmful_files(touched):
        folder = tmp_path / "files"
        folder.mkdir(exist_ok=True)
        for other in folder.iterdir():
            other.unlink()
        (folder / "x.mliap.descriptor").write_text(DESCRIPTOR)
        (folder / "x.snapparam").write_text("rcutfac 4.5\ntwojmax 2\n")
        (folder / "x_param.pod").write_text("species Cu\n")
        (folder / "x_coeff.pod").write_text("model_coefficients: 1 0 0\n1.0\n")
        (folder / name).write_bytes(content)
        with pytest.raises(ValueError, match="expected "):
            load(folder / name)
        assert not touched.exists(), name


def test_an_archive_takes_no_more_memory_than_its_file_has_bytes(tmp_path):
    """A compressed one, and one whose array says it has more numbers than there are."""
    write_snap(tmp_path / "x.snap.npz", synthetic_models()["two"])
    with np.load(tmp_path / "x.snap.npz") as archive:
        arrays = dict(archive)
    whole = (tmp_path / "x.snap.npz").read_bytes()
    np.savez_compressed(tmp_path / "x.snap.npz", **{**arrays, "coefficients": np.zeros((2, 10**6))})
    with pytest.raises(ValueError, match=r"x\.snap\.npz: expected an archive without compression, got '"):
        read_snap(tmp_path / "x.snap.npz")
    shape = f"({', '.join(map(str, arrays['coefficients'].shape))})".encode()
    assert shape in whole
    (tmp_path / "x.snap.npz").write_bytes(whole.replace(shape, b"(99999999, 9)".ljust(len(shape))[: len(shape)]))
    with pytest.raises(ValueError, match=r"x\.snap\.npz: expected "):
        read_snap(tmp_path / "x.snap.npz")


def test_species_of_an_mtp_have_an_order():
    model = replace(synthetic_mtp_model("l08"), species=(None, None))
    assert MTP(model, species={"O": 1, "Si": 0}).model.species == ("Si", "O")
    assert MTP(model, species={"O": 0, "Si": 1}.keys()).model.species == ("O", "Si")
    assert untrained(8, {"O": 1, "Si": 0}).species == ("Si", "O")
    for wrong in ({"Si", "O"}, frozenset({"Si", "O"})):
        with pytest.raises(ValueError, match="expected species in the order of their types, got a set of 2"):
            MTP(model, species=wrong)
    for wrong in ({"Si": 14, "O": 8}, {"Si": 0, "O": 0}, {"Si": 1, "O": 2}, {0: "Si", 1: "O"}):
        with pytest.raises(ValueError, match="expected the types of species to be 0 to 1, got"):
            MTP(model, species=wrong)
    assert ordered("Si") == ("Si",)


def test_elements_of_a_snap_file_have_an_order(tmp_path):
    write_snap(tmp_path / "x.snapcoeff", synthetic_models()["two"])
    for wrong in ({"Ni", "Cu"}, {"Ni": 0, "Cu": 1}):
        with pytest.raises(ValueError, match="expected elements as a sequence of distinct chemical symbols, got"):
            read_snap(tmp_path / "x.snapcoeff", elements=wrong)

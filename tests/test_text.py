"""What every reader of text does before it looks at a word: marks, compression, pipes, and files that were cut."""

import bz2
import gzip
import io
import lzma
import os
import re
import threading
from dataclasses import replace

import numpy as np
import pytest
from ase.io import read
from support.mtp_models import synthetic_mtp_model
from support.nep_models import synthetic_nep_models
from support.network_models import models as network_models
from support.snap_texts import COEFFICIENTS, EXPECTED, write_texts

from ase_mlips import load
from ase_mlips.files.text import Row, read_text, require_whole
from ase_mlips.mtp import read_active_set, read_mtp, write_mtp
from ase_mlips.nep import read_nep, write_nep
from ase_mlips.snap import import_fitsnap, read_snap, write_snap


@pytest.fixture
def models(tmp_path):
    """A file of every kind with its reader."""
    write_texts(tmp_path)
    write_nep(tmp_path / "nep.txt", synthetic_nep_models()["nep4"])
    write_mtp(tmp_path / "pot.mtp", synthetic_mtp_model("l08"))
    return tmp_path


READERS = {
    "nep.txt": read_nep,
    "pot.mtp": read_mtp,
    "m.snapcoeff": read_snap,
    "m.snapparam": read_snap,
    "i.snap": read_snap,
    "m.mliap.model": read_snap,
    "i.mliap": read_snap,
}


@pytest.mark.parametrize("name", READERS)
def test_a_byte_order_mark_is_no_part_of_the_text(models, name):
    path = models / name
    expected = READERS[name](path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert READERS[name](path) == expected
    options = {"species": ["Si", "Ge"]} if name == "pot.mtp" else {}
    assert load(path, **options).potential.elements[0] in ("Si", "In")


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    ("pack", "tool"), [(gzip.compress, "gunzip"), (bz2.compress, "bunzip2"), (lzma.compress, "unxz")]
)
def test_compressed_files_are_named_as_such(models, name, pack, tool):
    path = models / name
    content = pack(path.read_bytes())
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match=rf"{name}:1: expected text, got a compressed file, to be unpacked with {tool}"
    ):
        READERS[name](path)
    (models / "other.gz").write_bytes(content)
    with pytest.raises(ValueError, match=rf"expected a file of .*got a compressed one, to be unpacked with {tool}"):
        load(models / "other.gz")


def test_utf_16_is_named_as_such(models):
    (models / "nep.txt").write_bytes((models / "nep.txt").read_text().encode("utf-16"))
    with pytest.raises(ValueError, match=r"nep.txt:1: expected text in UTF-8, got UTF-16"):
        read_nep(models / "nep.txt")


@pytest.mark.parametrize("name", [*READERS, "x.snap.npz", "x.pt"])
def test_pipes_and_devices_are_refused_and_not_waited_for(models, name):
    (models / "x.mliap.descriptor").write_bytes((models / "m.mliap.descriptor").read_bytes())
    path = models / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    reader = READERS.get(name, read_snap)
    for read_one in (reader, load, *([read_active_set] if reader is read_mtp else [])):
        with pytest.raises(ValueError, match=rf"{name}: expected a file, got a pipe, a socket or a device"):
            read_one(path)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(ValueError, match="expected a file, got a pipe, a socket or a device"):
        reader(path)


def test_a_network_in_a_pipe(models):
    os.mkfifo(models / "x.pt")
    with pytest.raises(ValueError, match=r"x\.pt: expected a file, got a pipe"):
        import_fitsnap(models / "x.pt", models / "m.mliap.descriptor")


CFG = "BEGIN_CFG\n Size\n 1\n AtomData: id type cartes_x cartes_y cartes_z\n 1 14 0 0 0\nEND_CFG\n"


def test_configurations_from_pipes_and_devices(tmp_path):
    """ASE opens the file, and waits there for somebody to write into a pipe."""
    with pytest.raises(ValueError, match="/dev/zero: expected a file, got a pipe, a socket or a device"):
        read("/dev/zero", format="mlip-cfg")
    path = tmp_path / "pipe.cfg"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.open("w").close())
    writer.start()
    with pytest.raises(ValueError, match=r"pipe\.cfg: expected a file, got a pipe, a socket or a device"):
        read(path, format="mlip-cfg")
    writer.join()
    assert read(io.StringIO(CFG), format="mlip-cfg").symbols == "Si"


def test_configurations_with_a_byte_order_mark(tmp_path):
    (tmp_path / "a.cfg").write_text("\ufeff" + CFG)
    assert read(tmp_path / "a.cfg").symbols == "Si"
    assert read(tmp_path / "a.cfg", format="mlip-cfg").symbols == "Si"


FIXED = ["0.00205", "-2.92477", "0.03965", "0.01072"]
WHOLE = ["0.0010458619432982784", "0.006896454998006431", "-1.5034341539192112e-05", "12.003434153919211"]


@pytest.mark.parametrize(
    ("others", "last", "whole"),
    [
        (FIXED, "0.01072", True),
        (FIXED, "0.0107", False),
        (FIXED, "0.", False),
        (FIXED, "-13.01072", True),
        (FIXED, "-1", False),
        ([*FIXED, "0.0"], "0.0107", False),
        (WHOLE, "-0.0034341539192112164", True),
        (WHOLE, "-0.003434153919211", False),
        (WHOLE, "-3.4341539192112164e-05", True),
        (WHOLE, "-3.4341539192112164e-0", False),
        (["1.5000000e+00"] * 3, "1.2500000", False),
        (["1.5000000e+00"] * 3, "1.2500000e+0", False),
        (["1.5000000e+00"] * 3, "1.2500000e+00", True),
        (["1", "0.25", "-3E2"], "6", True),
        (["0.0", "0"], "6", True),
        ([], "6", True),
    ],
)
def test_a_number_that_was_cut(others, last, whole):
    row = Row("x", 7, (last,))
    if whole:
        require_whole(row, others)
        return
    with pytest.raises(
        ValueError, match=rf"x:7: expected as many digits as in the numbers above, .*, got '{re.escape(last)}'"
    ):
        require_whole(row, others)


@pytest.mark.parametrize("name", ["m.snapcoeff", "m.mliap.model", "n.mliap.model", "nep.txt"])
def test_files_that_end_within_their_last_number(models, name):
    """Whatever is lost of it, or its newline alone, which an editor may leave out."""
    precise = replace(EXPECTED, coefficients=np.random.default_rng(3).normal(size=(2, 6)))
    write_snap(models / "m.snapcoeff", precise)
    write_snap(models / "m.mliap.model", precise)
    write_snap(models / "n.mliap.model", network_models()["each"])
    reader, path = (read_nep if name == "nep.txt" else read_snap), models / name
    text = path.read_text().rstrip()
    expected = reader(path)
    last = text.split()[-1]
    for lost in range(4, len(last)):
        path.write_text(text[:-lost])
        with pytest.raises(ValueError, match=rf"{name}:\d+: expected (as many digits as|a finite number for)"):
            reader(path)
    for end in ("", " ", "\n", "\r\n", "\n\n# the end"):
        if name == "nep.txt" and "#" in end:
            continue
        path.write_text(text + end)
        assert reader(path) == expected


def test_a_short_number_without_a_newline_is_read_where_others_are_short(models):
    (models / "m.snapcoeff").write_text(COEFFICIENTS.removesuffix("\n# the end\n"))
    assert read_snap(models / "m.snapcoeff") == EXPECTED


def test_escaped_bytes(tmp_path):
    (tmp_path / "x").write_bytes(b"\xef\xbb\xbf\xe9\r\n")
    assert read_text(tmp_path / "x") == "\\xe9\n"

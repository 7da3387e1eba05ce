"""Frames of large files: the same as those of `read_frames`, and never many of them at once."""

import weakref

import numpy as np
import pytest
from ase.io import write
from support.labelled import labelled_cells, random_model

from ase_mlips.fit import (
    FrameFile,
    Loss,
    Training,
    compare,
    energy_offsets,
    fit_network,
    fit_snap,
    read_frames,
    split_frames,
    weight_sweep,
)
from ase_mlips.snap.potential import SnapPotential

pytestmark = pytest.mark.filterwarnings("ignore:the best model has a loss:UserWarning")


@pytest.fixture(scope="module")
def model():
    return random_model()


@pytest.fixture(scope="module")
def path(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("frames") / "data.xyz"
    write(path, labelled_cells(model, 12))
    return path


def assert_same(frames, others):
    assert len(frames) == len(others)
    for one, other in zip(frames, others, strict=True):
        assert one.atoms == other.atoms
        assert (one.energy, one.group, one.source) == (other.energy, other.group, other.source)
        np.testing.assert_array_equal(one.forces, other.forces)
        np.testing.assert_array_equal(one.stress, other.stress)


def test_frames_are_those_of_the_list(path):
    frames, listed = FrameFile(path, cache=3), read_frames(path)
    assert_same(frames, listed)
    assert_same(frames[2:9:3], listed[2:9:3])
    assert_same([frames[-1], frames[3], frames[-1]], [listed[-1], listed[3], listed[-1]])
    assert_same(frames[::-1][:2], listed[::-1][:2])
    with pytest.raises(IndexError):
        frames[12]
    assert repr(frames) == f"FrameFile(12 frames; {path})"


def test_splits_are_those_of_the_list_and_lazy(path):
    for lazy, listed in zip(split_frames(FrameFile(path), 0.3), split_frames(read_frames(path), 0.3), strict=True):
        assert not isinstance(lazy, list)
        assert isinstance(listed, list)
        assert_same(lazy, listed)


def test_fits_are_those_of_the_list(path, model):
    """Bit for bit, wherever a list of frames is taken."""
    results = []
    for frames in (FrameFile(path, cache=2), read_frames(path)):
        train, test = split_frames(frames, 0.25)
        fit = fit_snap(model, train, test=test)
        sweep = weight_sweep(model, frames, ratios=[0.1], splits=2, loss=Loss(ridge=1e-8))
        network = fit_network(model, train, validation=0.3, test=test, training=Training(hidden=(2,), epochs=2))
        report = compare(SnapPotential(fit.model), {"all": frames})
        offsets = energy_offsets(report, {"all": frames})
        results.append(
            [
                fit.model.coefficients,
                fit.report.parities[-1].predicted,
                sweep.force_mae,
                network.model.network.parameters,
                list(offsets.values.values()),
            ]
        )
    for lazy, listed in zip(*results, strict=True):
        np.testing.assert_array_equal(lazy, listed)


@pytest.mark.parametrize("cache", [0, 1, 3])
def test_no_more_frames_are_in_memory_than_were_allowed(path, cache):
    frames = FrameFile(path, cache=cache)
    seen = []
    for number in range(len(frames)):
        seen.append(weakref.ref(frames[number]))
        assert sum(frame() is not None for frame in seen) == min(cache, number + 1)


def test_a_cache_keeps_what_was_asked_for_last(path):
    frames = FrameFile(path, cache=2)
    first, second = frames[0], frames[1]
    assert frames[0] is first
    frames[5]
    assert frames[0] is first
    assert frames[1] is not second


@pytest.mark.parametrize("ending", ["\n", "\n \n\n"])
def test_blank_lines_at_the_end_are_no_frames(path, tmp_path, ending):
    other = tmp_path / "data.xyz"
    other.write_text(path.read_text() + ending)
    assert len(FrameFile(other)) == 12


FRAME = "2\nenergy=-1.0\nSi 0 0 0\nSi 0 0 2\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (FRAME * 2 + FRAME[:-9], ":11: expected a frame of 2 atoms, got the end of the file within it"),
        (FRAME * 2 + FRAME.replace("2\n", "two\n", 1), ":9: expected the number of atoms of a frame, got 'two'"),
        (FRAME + "\n" + FRAME, ":5: expected the number of atoms of a frame, got an empty line"),
        ("", ": ASE does not know this file format"),
    ],
    ids=["cut", "no number", "blank line", "empty"],
)
def test_damaged_files_are_refused_at_once(tmp_path, text, message):
    path = tmp_path / "data.xyz"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"{path}{message}"):
        FrameFile(path)


def test_a_file_that_changes_is_refused(path, tmp_path):
    other = tmp_path / "data.xyz"
    other.write_text(path.read_text())
    frames = FrameFile(other, cache=0)
    frames[0]
    other.write_text("\n" + path.read_text())
    with pytest.raises(ValueError, match="the file was changed"):
        frames[0]


def test_other_formats_are_refused(tmp_path, model):
    path = tmp_path / "POSCAR"
    write(path, labelled_cells(model, 1)[0], format="vasp")
    with pytest.raises(ValueError, match=f"{path}: expected an extended xyz file, got vasp"):
        FrameFile(path)
    with pytest.raises(ValueError, match="cache: expected"):
        FrameFile(path, cache=-1)


def test_a_bad_frame_is_named(path, tmp_path):
    other = tmp_path / "data.xyz"
    other.write_text(path.read_text().replace("energy=", "enthalpy=").replace("forces", "pulls").replace("stress", "s"))
    with pytest.raises(ValueError, match=f"{other}, frame 3: no energy, forces or stress"):
        FrameFile(other)[3]

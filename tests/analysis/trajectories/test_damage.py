"""Damaged files of every format: one sentence with the path and the line, or frames that are as they were."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from ase.io import write
from ase_mlips.analysis.heat.recorder import read_heat_flux
from ase_mlips.analysis.trajectories.trajectory import Trajectory
from hypothesis import given
from support.damage import edits, fuzz, put, tails
from support.trajectories import images, write_dump, write_flux, write_gpumd, write_xdatcar

NAMES = {"gpumd": "dump.xyz", "xyz": "md.xyz", "dump": "md.lammpstrj", "xdatcar": "XDATCAR", "traj": "md.traj"}
WORDS = ("Lattice", "pbc", "F", "ITEM:", "ATOMS", "id", "600000000", "1000000000", "1.5", "\r\n", '"', "'", "=", "Qq")


def content_of(kind: str, folder: Path) -> bytes:
    """A file with three frames."""
    path, frames = folder / NAMES.get(kind, "flux.txt"), images(3)
    path.unlink(missing_ok=True)
    if kind == "gpumd":
        write_gpumd(path, frames)
    elif kind == "dump":
        write_dump(path, frames, "id element x y z vx vy vz")
    elif kind == "xdatcar":
        write_xdatcar(path, frames, repeat_cell=True)
    elif kind == "flux":
        write_flux(path)
    else:
        write(path, frames)
    return path.read_bytes()


def everything(path: Path) -> list[np.ndarray]:
    """Positions, cells and velocities of all frames, or the columns of a flux."""
    if path.name == "flux.txt":
        series = read_heat_flux(path)
        return [series.convective, series.conductive, series.temperature, series.volume]
    trajectory = Trajectory(path)
    velocities = path.name not in ("XDATCAR",) and trajectory._reader.head.velocities
    arrays = []
    for chunk in trajectory.chunks(velocities=velocities):
        arrays += [chunk.positions, chunk.cells, *([chunk.velocities] if velocities else [])]
    return arrays


def check_sentence(message: str, path: Path) -> None:
    """It begins with the path and, in text, the line, unless it is about the frames."""
    assert message.startswith(str(path)), message
    assert "\n" not in message
    assert len(message) < 1000
    message.encode("utf-8")
    line = re.match(r":(\d+): ", message.removeprefix(str(path)))
    if line:
        content = path.read_bytes()
        assert 1 <= int(line[1]) <= content.count(b"\n") + 1


def outcome(path: Path, content: bytes) -> list[np.ndarray] | str:
    """What is read, all of it finite, or the sentence of the refusal."""
    put(path, content)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            arrays = everything(path)
        except ValueError as error:
            check_sentence(str(error), path)
            return str(error)
    for warning in caught:
        check_sentence(str(warning.message), path)
    assert all(np.isfinite(array).all() for array in arrays)
    return arrays


@pytest.mark.parametrize("kind", [*NAMES, "flux"])
@fuzz(150)
@given(change=edits(WORDS, front=0.4) | tails())
def test_any_damage_is_refused_in_one_sentence_or_does_not_matter(tmp_path_factory, kind, change):
    folder = tmp_path_factory.getbasetemp()
    outcome(folder / NAMES.get(kind, "flux.txt"), change(content_of(kind, folder)))

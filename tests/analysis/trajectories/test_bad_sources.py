"""Sources that cannot be read: one sentence that names them, whatever a reader stumbles over."""

import numpy as np
import pytest
from ase import Atoms
from ase.io import write
from ase_mlips.analysis.trajectories.trajectory import Trajectory
from support.trajectories import images, write_dump


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.cif", "this is\nno cif\n", r"x\.cif cannot be read as cif: AssertionError"),
        ("XDATCAR", "", r"XDATCAR is empty"),
        ("empty.extxyz", "", r"empty\.extxyz is empty"),
    ],
)
def test_files_that_are_not_what_their_name_says(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        Trajectory(tmp_path / name)


@pytest.mark.parametrize("size", [8, 30, 48, 60, 400])
def test_a_traj_file_cut_in_its_first_frame(tmp_path, size):
    path = tmp_path / "md.traj"
    write(path, images(2))
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match=r"md\.traj: the file ends before its first frame is complete"):
        Trajectory(path)


@pytest.mark.parametrize("name", ["md.traj", "md.xyz", "list"])
def test_frames_without_atoms(tmp_path, name):
    source = [Atoms(cell=np.eye(3))] * 5
    if name != "list":
        write(tmp_path / name, source)
        source = tmp_path / name
    with pytest.raises(ValueError, match=f"{name} has no atoms"):
        Trajectory(source)


def test_arrays_without_atoms():
    with pytest.raises(ValueError, match="arrays has no atoms"):
        Trajectory.from_arrays(np.zeros((5, 0, 3)), symbols=[], cell=np.eye(3))


def test_symbols_and_a_column_of_elements(tmp_path):
    """LAMMPS calls every element C unless it is told: what the user says counts."""
    path = tmp_path / "md.lammpstrj"
    write_dump(path, images(2), "id type element x y z")
    assert Trajectory(path, symbols=["Ge", "S", "Na"]).symbols == ["Ge", "Ge", "S", "Na", "Na", "Na"]
    with pytest.raises(ValueError, match="has atoms of type 3, but symbols= are 2: Ge, S"):
        Trajectory(path, symbols=["Ge", "S"])
    with pytest.raises(ValueError, match="symbols= is for LAMMPS dumps"):
        Trajectory(Trajectory(path), symbols=["Ge", "S", "Na"])
    write_dump(path, images(2), "id element x y z")
    with pytest.raises(ValueError, match="has atoms of element O and no types, but symbols= are Ge, S, Na"):
        Trajectory(path, symbols=["Ge", "S", "Na"])
    assert Trajectory(path, symbols=["Si", "O", "Li"]).symbols == ["Si", "Si", "O", "Li", "Li", "Li"]


DUMP = (
    "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n1\nITEM: BOX BOUNDS pp pp pp\n0 5\n0 5\n0 5\n"
    "ITEM: ATOMS id element x y z\n1 Ar 1 2 3\n"
)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("element x y z\n1 Ar", "type x y z\n1 1", "has no elements: give symbols= in the order of the atom types"),
        (
            "x y z",
            "fx fy fz",
            r"md\.lammpstrj:9: expected columns of species and x y z, got id element fx fy fz",
        ),
        ("Ar", "Qq", r"md\.lammpstrj:10: expected chemical symbols, got 'Qq' \(frame 0\)"),
        ("0 5\nITEM", "0 b\nITEM", r"md\.lammpstrj:8: expected a finite number, got 'b' \(frame 0\)"),
        ("ITEM: NUMBER", "ITEM: UNITS\nlj\nITEM: NUMBER", r"md\.lammpstrj:4: expected units metal or real, got 'lj'"),
        ("ITEM: NUMBER OF ATOMS", "ITEM: SURPRISE", "expected an item of a LAMMPS dump, got 'ITEM: SURPRISE'"),
    ],
)
def test_malformed_dump(tmp_path, old, new, message):
    path = tmp_path / "md.lammpstrj"
    path.write_text(DUMP.replace(old, new))
    with pytest.raises(ValueError, match=message):
        Trajectory(path)

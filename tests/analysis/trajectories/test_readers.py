"""Every format against what ASE reads from the same file, and the messages for files that are not right."""

import gzip
import re
import shutil

import numpy as np
import pytest
from ase import Atoms
from ase.io import read, write
from ase.io.trajectory import Trajectory as AseTrajectory
from ase_mlips.analysis.trajectories import kernels_text
from ase_mlips.analysis.trajectories.trajectory import Trajectory
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.trajectories import images, speeds, write_dump, write_gpumd, write_xdatcar

CELLS = {
    "triclinic": {},
    "changing": {"change": 0.01},
    "left-handed": {"cell": np.diag([5.0, -6.0, 7.0])},
    "slab": {"cell": np.diag([5.0, 6.0, 0.0]), "pbc": [True, True, False]},
    "no cell": {"cell": np.zeros((3, 3)), "pbc": False},
}


def everything(trajectory, *, velocities=False):
    """Positions, cells and velocities of all frames."""
    chunks = list(trajectory.chunks(velocities=velocities))
    speed = np.concatenate([chunk.velocities for chunk in chunks]) if velocities else None
    return np.concatenate([c.positions for c in chunks]), np.concatenate([c.cells for c in chunks]), speed


def assert_same(trajectory, frames, *, velocities=True, exact=True):
    """The trajectory holds what the Atoms hold."""
    tolerance = {"rtol": 0.0, "atol": 0.0} if exact else {"rtol": 1e-12, "atol": 1e-12}
    positions, cells, speed = everything(trajectory, velocities=velocities)
    np.testing.assert_array_equal(trajectory.numbers, frames[0].numbers)
    np.testing.assert_array_equal(trajectory.pbc, frames[0].pbc)
    np.testing.assert_allclose(trajectory.masses, frames[0].get_masses())
    np.testing.assert_allclose(positions, [atoms.positions for atoms in frames], **tolerance)
    np.testing.assert_allclose(cells, [atoms.cell.array for atoms in frames], **tolerance)
    if velocities:
        np.testing.assert_allclose(speed, [speeds(atoms) for atoms in frames], rtol=1e-12)


@pytest.mark.parametrize("case", CELLS)
@pytest.mark.parametrize("suffix", ["xyz", "traj", "xyz.gz", "json"])
def test_what_ase_writes(tmp_path, suffix, case):
    path = tmp_path / f"md.{suffix}"
    write(path, images(**CELLS[case]))
    trajectory = Trajectory(path)
    assert_same(trajectory, read(path, ":"), velocities=suffix != "json")
    assert trajectory.name == str(path)
    if suffix != "json":
        assert trajectory.timestep_fs == 2.5


@pytest.mark.parametrize("case", CELLS)
def test_gpumd(tmp_path, case):
    frames, path = images(**CELLS[case]), tmp_path / "dump.xyz"
    write_gpumd(path, frames)
    trajectory = Trajectory(path)
    assert_same(trajectory, read(path, ":"), velocities=False)
    np.testing.assert_allclose(everything(trajectory, velocities=True)[2], [speeds(a) for a in frames], atol=1e-8)
    np.testing.assert_allclose(
        everything(Trajectory(read(path, ":")), velocities=True)[2], [speeds(a) for a in frames], atol=1e-8
    )
    assert trajectory.timestep_fs == 2.5


def test_columns_anywhere(tmp_path):
    path = tmp_path / "any.xyz"
    path.write_text(
        "2\n"
        "Properties=tag:I:1:velo:R:3:id:S:1:species:S:1:flag:L:1:pos:R:3:forces:R:3 name='a b'"
        " Lattice={4,0,0,0,5,0,0,0,6}\n"
        "1 0.5 1e-3 -2E+2 abcdefghijkl Si T +1.25 .5 -3. 1 2 3\n"
        "2\t0 0 0  x  O F\t1e22 1e-22 123456789012345678901234567890  4 5 6\n\n"
    )
    positions, cells, speed = everything(Trajectory(path), velocities=True)
    np.testing.assert_array_equal(positions, [[[1.25, 0.5, -3.0], [1e22, 1e-22, 1.2345678901234568e29]]])
    np.testing.assert_array_equal(speed, [[[0.5, 1e-3, -200.0], [0.0, 0.0, 0.0]]])
    np.testing.assert_array_equal(cells, [np.diag([4.0, 5.0, 6.0])])
    np.testing.assert_array_equal(Trajectory(path).numbers, [14, 8])


def test_plain_xyz_and_windows_line_ends(tmp_path):
    path = tmp_path / "plain.xyz"
    path.write_bytes(b"1\r\nno keys here\r\nH 1.0 2.0 3.0\r\n1\r\n\r\nH 1.5 2.0 3.0\r\n")
    trajectory = Trajectory(path)
    np.testing.assert_array_equal(everything(trajectory)[0], [[[1.0, 2.0, 3.0]], [[1.5, 2.0, 3.0]]])
    assert not trajectory.pbc.any()


def test_a_time_that_is_no_number_is_none(tmp_path):
    path = tmp_path / "md.xyz"
    path.write_text("".join(f"1\nTime='{k} ps'\nH 0 0 0\n" for k in range(3)))
    trajectory = Trajectory(path)
    assert len(everything(trajectory)[0]) == 3
    with pytest.raises(ValueError, match=r"md\.xyz does not say how far apart its frames are: give timestep_fs="):
        _ = trajectory.timestep_fs


@pytest.mark.parametrize("case", ["triclinic", "changing"])
@pytest.mark.parametrize(
    "columns", ["id element x y z vx vy vz", "element ix iy iz xs ys zs id vx vy vz", "id mass xu yu zu vx vy vz"]
)
def test_lammps_dump(tmp_path, columns, case):
    frames, path = images(**CELLS[case]), tmp_path / "md.lammpstrj"
    write_dump(path, frames, columns)
    assert_same(Trajectory(path), frames, exact=False)
    assert_same(Trajectory(path), read(path, ":"), velocities=False, exact=False)


def test_lammps_units_time_types_and_origin(tmp_path):
    frames, path = images(pbc=[True, False, True]), tmp_path / "md.lammpstrj"
    write_dump(path, frames, "id type xs ys zs vx vy vz", header="ITEM: TIME\n{time}\n", origin=(1.0, -2.0, 3.0))
    trajectory = Trajectory(path, symbols=["Si", "O", "Li"])
    assert_same(trajectory, frames, exact=False)
    assert trajectory.timestep_fs == pytest.approx(2.5)
    write_dump(path, frames, "id element x y z vx vy vz", header="ITEM: UNITS\nreal\n", shuffle=False)
    speed = everything(Trajectory(path), velocities=True)[2]
    np.testing.assert_allclose(speed, [1000.0 * speeds(atoms) for atoms in frames], rtol=1e-12)
    assert isinstance(Trajectory(path), Trajectory)


def test_lammps_general_triclinic_box(tmp_path):
    path = tmp_path / "md.lammpstrj"
    path.write_text(
        "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n1\nITEM: BOX BOUNDS abc origin pp pp pp\n"
        "0 5 0 1\n6 0 0 2\n0 0 7 3\nITEM: ATOMS id element xs ys zs\n1 Ar 0.5 0.5 0.5\n"
    )
    positions, cells, _ = everything(Trajectory(path))
    np.testing.assert_array_equal(cells, [[[0, 5, 0], [6, 0, 0], [0, 0, 7]]])
    np.testing.assert_allclose(positions, [[[4.0, 4.5, 6.5]]])


@pytest.mark.parametrize("repeat_cell", [True, False])
def test_xdatcar(tmp_path, repeat_cell):
    frames, path = images(change=0.01 if repeat_cell else 0.0), tmp_path / "XDATCAR"
    write_xdatcar(path, frames, repeat_cell=repeat_cell)
    assert_same(Trajectory(path), read(path, ":"), velocities=False, exact=False)


def test_atoms_lists_generators_and_ase_trajectories(tmp_path):
    frames = images()
    write(tmp_path / "md.traj", frames)
    assert_same(Trajectory(frames), frames)
    assert_same(Trajectory(iter(frames)), frames)
    assert_same(Trajectory(frames[2]), frames[2:3])
    with AseTrajectory(tmp_path / "md.traj") as source:
        assert_same(Trajectory(source), frames)


def test_traj_with_a_header_in_every_frame(tmp_path):
    path = tmp_path / "md.traj"
    frames = images(5)
    frames[2].set_masses(np.arange(1.0, 7.0))  # from here on ASE writes numbers with every frame
    frames[3].numbers = frames[3].numbers[::-1]
    write(path, frames[:3])
    np.testing.assert_array_equal(everything(Trajectory(path))[0], [atoms.positions for atoms in frames[:3]])
    write(path, frames)
    with pytest.raises(ValueError, match=r"md\.traj: the species or their order in frame 3 differ"):
        everything(Trajectory(path))


NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(allow_nan=False, allow_infinity=False).map("{:.17g}".format),
    st.floats(-1e6, 1e6).map("{:16.8f}".format),
    st.floats(allow_nan=False, allow_infinity=False).map("{:+.16E}".format),
    st.tuples(st.integers(-(10**18), 10**18), st.integers(-340, 310)).map(lambda pair: "{}e{}".format(*pair)),
    st.tuples(st.integers(0, 10**12), st.integers(0, 10**25)).map(lambda pair: "{}.{}".format(*pair)),
    st.integers(2**52, 2**55).map(lambda n: f"{n}.5"),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(NUMBERS, min_size=3, max_size=3))
@example(["9007199254740993", "-0.0", "1e-5"])
@example(["9007199254740992.5", "4503599627370497.5", "2.2250738585072014e-308"])
@example(["1e400", "5e-324", "123456789012345678e5"])
@example(["6929495644600919.5", "3.3819331e22", "1.7976931348623157e308"])
def test_numbers_are_rounded_as_python_rounds_them(tmp_path_factory, words):
    path = tmp_path_factory.getbasetemp() / "numbers.xyz"
    path.write_text(f"1\n\nH 0 0 0\n1\n\nH {' '.join(words)}\n")
    expected = np.array([float(word) for word in words])
    second = Trajectory(path, frames=slice(1, None))
    if np.isfinite(expected).all():
        np.testing.assert_array_equal(everything(second)[0][0, 0], expected)
    else:
        with pytest.raises(ValueError, match=r"expected a finite number, got .* \(frame 1\)"):
            everything(second)


def refused_by_the_compiled_parser(words):
    """How many numbers it leaves to Python; the others must be rounded as Python rounds them."""
    text = np.frombuffer(("\n".join(words) + "\n").encode(), np.uint8)
    table, refused = np.empty((len(words), 1)), 0
    columns = np.array([0])
    row, position = kernels_text.parse_rows(text, 0, len(text), columns, table, 0)
    while row < len(words):
        table[row], refused = float(words[row]), refused + 1
        position = kernels_text.skip_rows(text, position, len(text), 1)
        row, position = kernels_text.parse_rows(text, position, len(text), columns, table, row + 1)
    assert position == len(text)
    np.testing.assert_array_equal(table[:, 0], [float(word) for word in words])
    return refused


def test_the_compiled_parser_takes_what_codes_write():
    rng = np.random.default_rng(0)
    values = rng.normal(size=20000) * 10.0 ** rng.uniform(-30, 8, size=20000)
    assert refused_by_the_compiled_parser([f"{x:16.8f}" for x in rng.normal(scale=50.0, size=20000)]) == 0
    assert refused_by_the_compiled_parser([f"{x:g}" for x in values]) == 0
    assert refused_by_the_compiled_parser([f"{x:.16e}" for x in values]) < 100
    assert refused_by_the_compiled_parser([repr(float(x)) for x in rng.normal(size=20000)]) < 200


@pytest.mark.skipif(not hasattr(kernels_text.parse_rows, "signatures"), reason="compilation is off")
def test_the_parser_is_compiled_once():
    assert refused_by_the_compiled_parser(["1.0"]) == 0
    assert len(kernels_text.parse_rows.signatures) == len(kernels_text.skip_rows.signatures) == 1


@pytest.mark.parametrize("suffix", ["xyz", "lammpstrj", "XDATCAR"])
def test_a_file_that_is_still_being_written(tmp_path, suffix):
    """Wherever the text is cut, what comes before the incomplete frame is read and the rest warned of."""
    frames, path = images(3), tmp_path / f"md.{suffix}"
    if suffix == "xyz":
        write(path, frames)
    elif suffix == "XDATCAR":
        write_xdatcar(path, frames, repeat_cell=True)
    else:
        write_dump(path, frames, "id element x y z vx vy vz")
    text = path.read_bytes()
    first = b"ITEM: TIMESTEP" if suffix == "lammpstrj" else b"a title" if suffix == "XDATCAR" else b"6\n"
    last = text.rfind(first)
    end = len(text.rstrip()) + (suffix == "lammpstrj")  # with the blank that LAMMPS writes behind a row
    for cut in (*range(last + 1, end, 7), *range(end - 20, end)):
        path.write_bytes(text[:cut])
        with pytest.warns(RuntimeWarning, match=rf"md\.{suffix}:[0-9]+: frame 2 is incomplete; it is left out"):
            assert len(everything(Trajectory(path))[0]) == 2
    path.write_bytes(text[:last])
    assert len(everything(Trajectory(path))[0]) == 2
    path.write_bytes(text[:end])
    np.testing.assert_allclose(everything(Trajectory(path))[0], [atoms.positions for atoms in frames], atol=1e-8)


def test_a_traj_that_is_cut(tmp_path):
    path = tmp_path / "md.traj"
    write(path, images(3))
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size - 200)
    with pytest.warns(RuntimeWarning, match=r"md\.traj: frame 2 is incomplete; it is left out"):
        assert len(everything(Trajectory(path))[0]) == 2


def changed_number(frames):
    frames[2] = frames[2][:-1]


def changed_species(frames):
    frames[2].symbols[0] = "Ge"


def swapped_species(frames):
    frames[2].numbers = frames[2].numbers[::-1]


def nan_position(frames):
    frames[2].positions[1, 1] = np.nan


def infinite_velocity(frames):
    frames[2].arrays["momenta"][0, 0] = np.inf


def no_velocity(frames):
    del frames[2].arrays["momenta"]


@pytest.mark.parametrize("source", ["list", "xyz", "traj", "lammpstrj"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed_number, "frame 2 has 5 atoms, but the first one 6|expected 6 atoms as in the first frame, got 5"),
        (changed_species, "species or their order.*differ"),
        (swapped_species, "species or their order.*differ"),
        (nan_position, "positions that are not finite|expected a finite number, got 'nan'"),
        (infinite_velocity, "velocities that are not finite|expected a finite number, got 'inf'"),
        (no_velocity, "velocities|momenta"),
    ],
)
def test_frames_that_do_not_belong_together(tmp_path, source, change, message):
    frames = images(4)
    change(frames)
    path = tmp_path / f"md.{source}"
    if source == "lammpstrj":
        if change is no_velocity:
            pytest.skip("the columns of this writer are the same in every frame")
        write_dump(path, frames, "id element x y z vx vy vz")
    elif source != "list":
        write(path, frames)
    with pytest.raises(ValueError, match=message) as caught:
        everything(Trajectory(frames if source == "list" else path), velocities=True)
    assert "frame 2" in str(caught.value)
    assert str(caught.value).startswith("list" if source == "list" else str(path))


GOOD = "1\nLattice='4 0 0 0 4 0 0 0 4' Properties=species:S:1:pos:R:3\nH 0 0 0\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "one\n", "md.xyz:4: expected the number of atoms, got 'one' (frame 1)"),
        (GOOD + GOOD.replace("4 0 0 0 4", "4 0 0"), "md.xyz:5: expected 9 numbers, got '4 0 0 0 0 0 4' (frame 1)"),
        (GOOD + GOOD.replace("H 0 0 0", "H 0 x 0"), "md.xyz:6: expected a finite number, got 'x' (frame 1)"),
        (GOOD + GOOD.replace("H 0 0 0", "H 0 0"), "md.xyz:6: expected 4 words, got 'H 0 0' (frame 1)"),
        (
            GOOD + GOOD.replace("H 0 0 0", "Hydrogen 0 0 0"),
            "md.xyz:6: expected a species of at most 6 letters, got 'Hydrogen'",
        ),
        (
            GOOD + GOOD.replace("pos:R:3", "pos:R:2"),
            "md.xyz:5: expected pos:R:3 in Properties, got 'species:S:1:pos:R:2'",
        ),
        (
            GOOD + GOOD.replace("pos:R:3", "pos:R"),
            "md.xyz:5: expected name:type:columns with the types R, I, S and L in",
        ),
        (GOOD + "VEC1 1 0 0\n", "md.xyz:4: expected the number of atoms, got 'VEC1 1 0 0' (frame 1)"),
        ("1\n\nH 0 0", "md.xyz:2: expected room for 1 atoms, got 5 bytes to the end of the file (frame 0)"),
        ("one\n", "md.xyz:1: expected the number of atoms, got 'one' (frame 0)"),
        ("1\n\nHy 0 0 0\n", "md.xyz:3: expected chemical symbols or atomic numbers, got 'Hy' (frame 0)"),
    ],
)
def test_malformed_xyz(tmp_path, text, message):
    path = tmp_path / "md.xyz"
    path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(message)):
        everything(Trajectory(path))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Direct", "Cartesian", "expected Direct configuration=, got 'Cartesian configuration=     1'"),
        ("  Si O Li", "  Si O Qq", "expected chemical symbols, got 'Si O Qq'"),
        ("  2 1 3", "  2 1", "expected 3 numbers of atoms, got '2 1'"),
    ],
)
def test_malformed_xdatcar(tmp_path, old, new, message):
    path = tmp_path / "XDATCAR"
    write_xdatcar(path, images(2), repeat_cell=True)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ValueError, match=message):
        Trajectory(path)


def test_sources_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.xyz does not exist"):
        Trajectory(tmp_path / "nothing.xyz")
    (tmp_path / "empty.xyz").write_text("")
    (tmp_path / "noise.bin").write_bytes(b"\x00\x01\x02")
    for name in ("empty.xyz", "noise.bin"):
        with pytest.raises(ValueError, match=name):
            Trajectory(tmp_path / name)
    with pytest.raises(ValueError, match="expected at least one frame, got an empty list"):
        Trajectory([])
    with pytest.raises(ValueError, match=r"expected Atoms in a ndarray, got ndarray; Trajectory\.from_arrays"):
        Trajectory(np.zeros((2, 3, 3)))
    with pytest.raises(ValueError, match="expected a file, Atoms or an iterable of Atoms, got int"):
        Trajectory(3)


def test_compressed_files_that_are_cut(tmp_path):
    write(tmp_path / "md.xyz", images(3))
    with open(tmp_path / "md.xyz", "rb") as source, gzip.open(tmp_path / "md.xyz.gz", "wb") as target:
        shutil.copyfileobj(source, target)
    data = (tmp_path / "md.xyz.gz").read_bytes()
    (tmp_path / "md.xyz.gz").write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=r"md\.xyz\.gz"):
        everything(Trajectory(tmp_path / "md.xyz.gz"))


def test_masses_of_the_source_make_the_velocities(tmp_path):
    atoms = Atoms("H2", [[0, 0, 0], [1, 0, 0]], masses=[2.0, 1.0], momenta=[[1, 0, 0], [1, 0, 0]])
    for name in ("md.traj", "md.xyz"):
        write(tmp_path / name, [atoms, atoms])
        assert_same(Trajectory(tmp_path / name), [atoms, atoms])

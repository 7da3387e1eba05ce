"""What files may be that are not as usual, and what must be refused before it is read wrongly."""

import os
import tracemalloc

import numpy as np
import pytest
from ase import Atoms
from ase.io import read, write
from ase_mlips.analysis import mean_squared_displacement, rdf, vacf
from ase_mlips.analysis.heat.recorder import read_heat_flux
from ase_mlips.analysis.structure.angles import adf
from ase_mlips.analysis.trajectories.trajectory import Trajectory
from support.trajectories import images, write_dump, write_flux, write_gpumd, write_xdatcar


def written(folder, kind, frames):
    """A file of these frames."""
    path = folder / {"xyz": "md.xyz", "gpumd": "dump.xyz", "dump": "md.lammpstrj", "xdatcar": "XDATCAR"}[kind]
    path.unlink(missing_ok=True)
    if kind == "gpumd":
        write_gpumd(path, frames)
    elif kind == "dump":
        write_dump(path, frames, "id element x y z vx vy vz")
    elif kind == "xdatcar":
        write_xdatcar(path, frames, repeat_cell=False)
    else:
        write(path, frames)
    return path


def positions_of(path):
    return np.concatenate([chunk.positions for chunk in Trajectory(path).chunks()])


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("kind", ["xyz", "gpumd", "dump", "xdatcar"])
def test_line_ends(tmp_path, kind, count):
    """Without a last newline, with the ends of Windows, and both."""
    path = written(tmp_path, kind, images(count))
    content, expected = path.read_bytes(), positions_of(path)
    assert len(expected) == count
    for changed in (
        content.rstrip(b"\n"),
        content.replace(b"\n", b"\r\n"),
        content.replace(b"\n", b"\r\n").rstrip(b"\r\n"),
    ):
        path.write_bytes(changed)
        np.testing.assert_array_equal(positions_of(path), expected)
    path.write_bytes(content.replace(b"\n", b"\r"))
    with pytest.raises(ValueError, match=rf"{path.name}"):
        positions_of(path)


def test_a_last_line_of_a_flux_without_an_end(tmp_path):
    path = tmp_path / "flux.txt"
    write_flux(path)
    content = path.read_bytes()
    expected = read_heat_flux(path).total
    for changed in (content.rstrip(b"\n"), content.replace(b"\n", b"\r\n"), content.replace(b"\n", b"\r\n").rstrip()):
        path.write_bytes(changed)
        np.testing.assert_array_equal(read_heat_flux(path).total, expected)
    path.write_bytes(content[:-3])
    assert len(read_heat_flux(path)) == len(expected) - 1


def test_a_last_number_that_may_be_cut_is_warned_of(tmp_path):
    path = tmp_path / "md.xyz"
    path.write_text("2\n\nH 0.25 1.5 1.125\nH 0.5 0.5 2.5")
    with pytest.warns(RuntimeWarning, match=r"md\.xyz:4: the last line has no end: .* its last number may be cut"):
        assert Trajectory(path).symbols == ["H", "H"]


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("md.xyz", "1000000000\n\nH 0 0 0\n", 2),
        ("XDATCAR", "t\n1.0\n5 0 0\n0 5 0\n0 0 5\nSi\n600000000\nDirect configuration= 1\n0 0 0\n", 8),
        (
            "md.lammpstrj",
            "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n1000000000\nITEM: BOX BOUNDS pp pp pp\n0 5\n0 5\n0 5\n"
            "ITEM: ATOMS id element x y z\n1 Ar 1 2 3\n",
            9,
        ),
    ],
)
def test_numbers_of_atoms_that_the_file_cannot_hold(tmp_path, name, text, line):
    (tmp_path / name).write_text(text)
    tracemalloc.start()
    with pytest.raises(ValueError, match=rf"{name}:{line}: expected room for \d+ atoms, got \d+ bytes to the end"):
        Trajectory(tmp_path / name)
    assert tracemalloc.get_traced_memory()[1] < 1 << 23
    tracemalloc.stop()


@pytest.mark.parametrize("read_it", [Trajectory, read_heat_flux])
def test_pipes_and_devices(tmp_path, read_it):
    pipe = tmp_path / "pipe.xyz"
    os.mkfifo(pipe)
    for path, kind in ((pipe, "a pipe"), ("/dev/zero", "a device or socket")):
        with pytest.raises(ValueError, match=f"{path}: expected a file, got {kind}"):
            read_it(path)


@pytest.mark.parametrize("scale", [-210.0, 2.0])
def test_the_scale_of_an_xdatcar(tmp_path, scale):
    """A negative one is the volume: ``(V / |det|)^(1/3)``."""
    path = tmp_path / "XDATCAR"
    write_xdatcar(path, images(2), repeat_cell=True)
    path.write_text(path.read_text().replace(" 1.0\n", f" {scale}\n"))
    chunk = next(Trajectory(path).chunks())
    cell = images(1)[0].cell.array
    if scale > 0.0:
        np.testing.assert_allclose(chunk.cells[0], 2.0 * cell, atol=1e-11)
    else:
        np.testing.assert_allclose(np.linalg.det(chunk.cells), 210.0, rtol=1e-10)
        np.testing.assert_allclose(chunk.cells[0] / chunk.cells[0, 0, 0], cell / cell[0, 0], atol=1e-11)
    expected = np.linalg.solve(cell.T, images(1)[0].positions.T).T @ chunk.cells[0]
    np.testing.assert_allclose(chunk.positions[0], expected, atol=1e-9)
    path.write_text(path.read_text().replace(f" {scale}\n", " 0.0\n"))
    with pytest.raises(ValueError, match=r"XDATCAR:5: expected a cell with a volume, got a scale of 0"):
        Trajectory(path)


def test_a_traj_with_impossible_atomic_numbers(tmp_path):
    path = tmp_path / "md.traj"
    write(path, images(2))
    content = path.read_bytes()
    numbers = images(1)[0].numbers.astype("<i8").tobytes()
    assert content.count(numbers) == 1
    path.write_bytes(content.replace(numbers, np.array([14, 14, 8, 3, 3, 3000], "<i8").tobytes()))
    for analysis in (rdf, vacf, mean_squared_displacement):
        with pytest.raises(ValueError, match=r"md\.traj: expected atomic numbers from 0 to 118, got 3000 \(frame 0\)"):
            analysis(path)
    atoms = Atoms("H")
    atoms.numbers[0] = -2
    with pytest.raises(ValueError, match=r"list: expected atomic numbers from 0 to 118, got -2 \(frame 0\)"):
        Trajectory([atoms])


def test_a_frame_of_a_traj_that_is_not_the_last(tmp_path):
    """Only a last frame can be incomplete; a place beyond the end before that is damage."""
    path = tmp_path / "md.traj"
    write(path, images(3))
    content = bytearray(path.read_bytes())
    table = int.from_bytes(content[40:48], "little")
    content[table + 8 : table + 16] = (10**9).to_bytes(8, "little")
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"md\.traj: expected frame 1 within the file, got one beyond its end"):
        positions_of(path)


def melt(frames=4):
    """Two species on sites, exchanged at random from frame to frame."""
    rng = np.random.default_rng(1)
    atoms = Atoms("Si8Ge8", rng.uniform(0.0, 8.0, (16, 3)), cell=np.eye(3) * 8.0, pbc=True)
    result = []
    for _ in range(frames):
        atoms = atoms[rng.permutation(16)]
        atoms.info["Time"] = 0.0
        atoms.positions[:] = rng.uniform(0.0, 8.0, (16, 3))
        result.append(atoms.copy())
    return result


@pytest.mark.parametrize("kind", ["list", "xyz", "traj", "dump", "dump without id"])
def test_species_that_are_exchanged(tmp_path, kind):
    frames, source = melt(), tmp_path / "md.traj"
    if kind.startswith("dump"):
        source = tmp_path / "md.lammpstrj"
        write_dump(source, frames, "id element x y z" if kind == "dump" else "element x y z")
    elif kind == "list":
        source = frames
    else:
        source = tmp_path / f"md.{kind}"
        write(source, frames)
    sorted_frames = [atoms[np.argsort(atoms.numbers)] for atoms in frames]
    expected, found = rdf(sorted_frames, r_max=6.0), rdf(source, r_max=6.0)
    for pair in expected.partials:
        np.testing.assert_allclose(found.partials[pair], expected.partials[pair], rtol=1e-7)
    np.testing.assert_allclose(rdf(source, indices="Si", r_max=6.0).g, expected.partials["Si", "Si"], rtol=1e-7)
    angles, bonds = adf(source, 4.0), adf(sorted_frames, 4.0)
    for triple in bonds.partials:
        np.testing.assert_allclose(angles.partials[triple], bonds.partials[triple], rtol=1e-7)
    message = "species or their order in frame 1 differ|expected a column id, without which atoms cannot be followed"
    for analysis in (mean_squared_displacement, vacf):
        with pytest.raises(ValueError, match=message):
            analysis(source, timestep_fs=1.0)
    with pytest.raises(ValueError, match="as many selected atoms of each element as in the first frame"):
        rdf(source, indices=[0, 1, 2, 3, 4, 5], r_max=6.0)
    other = [atoms.copy() for atoms in frames]
    other[2].numbers[:] = 14
    with pytest.raises(ValueError, match=r"list: the species in frame 2 differ from the first frame"):
        rdf(other)


def test_ids_twice_or_others(tmp_path):
    path = tmp_path / "md.lammpstrj"
    write_dump(path, images(2), "id element x y z", shuffle=False)
    text = path.read_text()
    path.write_text(text.replace("\n6 Li", "\n5 Li", 1))
    with pytest.raises(ValueError, match=r"expected each id once, got id 5 again \(frame 0\)"):
        Trajectory(path)
    last = text.rindex("\n6 Li")
    path.write_text(text[:last] + "\n7 Li" + text[last + 5 :])
    with pytest.raises(ValueError, match=r"expected the ids of the first frame, got others \(frame 1\)"):
        positions_of(path)


@pytest.mark.parametrize("suffix", ["xyz", "traj", "lammpstrj", "list"])
def test_periodic_boundaries_or_cells_that_change(tmp_path, suffix):
    for change, message in (
        (
            lambda atoms: atoms.set_pbc([True, True, False]),
            "expected the periodic boundaries of the first frame, T T T",
        ),
        (lambda atoms: atoms.set_cell(np.zeros((3, 3))), "expected the cell vectors of the first frame"),
    ):
        frames, source = images(3, cell=np.diag([5.0, 6.0, 7.0])), tmp_path / f"md.{suffix}"
        change(frames[2])
        if suffix == "lammpstrj":
            if not frames[2].cell.any():
                continue
            write_dump(source, frames, "id element x y z")
        elif suffix == "list":
            source = frames
        else:
            write(source, frames)
        with pytest.raises(ValueError, match=rf"{suffix}.*{message}.*\(frame 2\)"):
            positions_of(source)


def test_a_blank_line_between_frames(tmp_path):
    path = written(tmp_path, "gpumd", images(3))
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:8], "\n", *lines[8:]]))
    with pytest.raises(ValueError, match=r"dump\.xyz:9: expected the next frame, got a blank line \(frame 1\)"):
        positions_of(path)
    path.write_text("".join([*lines, "\n", " \n"]))
    assert len(positions_of(path)) == 3


@pytest.mark.parametrize("word", ["1_0", "1\r2", "nan", "0x10", "1e999", "1 2", "\u0663"])
def test_words_that_are_no_numbers(tmp_path, word):
    path = tmp_path / "md.xyz"
    path.write_bytes(f"1\nLattice='4 0 0 0 4 0 0 0 4' Properties=species:S:1:pos:R:3\nH 0 {word} 0\n".encode())
    with pytest.raises(ValueError, match=r"md\.xyz:3: expected (a finite number|text|4 words), got .* \(frame 0\)"):
        Trajectory(path)


def test_masses_and_symbols_are_those_of_ase(tmp_path):
    path = tmp_path / "md.xyz"
    path.write_text("2\nProperties=species:S:1:pos:R:3:masses:R:1\nSI 0 0 0 28.5\no 1 1 1 16.5\n")
    trajectory, atoms = Trajectory(path), read(path)
    np.testing.assert_array_equal(trajectory.numbers, atoms.numbers)
    np.testing.assert_array_equal(trajectory.masses, atoms.get_masses())

"""The comment line of an extended xyz file, against ASE's parser."""

import numpy as np
import pytest
from ase.io import read
from ase.io.extxyz import key_val_str_to_dict
from ase_mlips.analysis.trajectories.comment import looked_up, parsed
from ase_mlips.analysis.trajectories.trajectory import Trajectory
from hypothesis import example, given, settings
from hypothesis import strategies as st

QUOTES = st.sampled_from([('"', '"'), ("'", "'"), ("{", "}"), ("[", "]")])
KEYS = st.text("abcLPT_307", min_size=1, max_size=6)
PLAIN = st.text("abcT307.-:,", min_size=1, max_size=8)
ODD = st.text("ab =\"'{}[]\\\t7.", min_size=1, max_size=12)


@st.composite
def values(draw):
    """A value as it may stand in the line: plain, or in quotes, with anything but these in it."""
    if draw(st.booleans()):
        return draw(PLAIN)
    opening, closing = draw(QUOTES)
    inner = draw(ODD).replace("\\", "").replace(closing, "")
    return f"{opening}{inner or 'x'}{closing}"


@st.composite
def comments(draw):
    """Words and pairs, with blanks around some equality signs."""
    words = []
    for key in draw(st.lists(KEYS, max_size=5)):
        sign = draw(st.sampled_from(["=", " = ", "= ", " =", "\t=\t"]))
        words.append(draw(st.sampled_from([key, key + sign + draw(values())])))
    return " ".join(words)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(comments())
@example('lattice = "9 0 0" note="lattice=\'1 2 3\'"')
@example("a = b = c d e=f=g")
@example("don't stop = here")
@example('a\\=b=2 c="x\\"y" \\')
@example("a='open b=2")
@example("[a b]=c {d}=e")
def test_keys_and_values_are_those_of_ase(comment):
    ours = parsed(comment)
    theirs = key_val_str_to_dict(comment)
    if comment.strip():
        assert ours.keys() == theirs.keys()
    for key, value in ours.items():
        # what ASE makes of the value alone is what it makes of it within the line
        alone = key_val_str_to_dict('"x"="' + value.replace("\\", "\\\\").replace('"', '\\"') + '"')["x"]
        np.testing.assert_array_equal(alone, theirs[key])


LATTICE, CELL = "5 0 0 0 6 0 0 0 7", np.diag([5.0, 6.0, 7.0])
ROWS = "H 1 2 3 0.1 0.2 0.3\n"


def write_xyz(path, comment, rows=ROWS):
    path.write_text(f"1\n{comment}\n{rows}")
    return path


@pytest.mark.parametrize(
    ("comment", "rows"),
    [
        (f'Lattice = "{LATTICE}" Properties = species:S:1:pos:R:3:forces:R:3', ROWS),
        (f'Lattice= "{LATTICE}" Properties =species:S:1:forces:R:3:pos:R:3', "H 0.1 0.2 0.3 1 2 3\n"),
        (f'note="Lattice=\'9 0 0 0 9 0 0 0 9\'" Lattice="{LATTICE}" Properties=species:S:1:pos:R:3:forces:R:3', ROWS),
        (
            f'note="Properties=species:S:1:f:R:3:pos:R:3" Lattice="{LATTICE}" Properties=species:S:1:pos:R:3:f:R:3',
            ROWS,
        ),
        (f'xLattice="9 0 0 0 9 0 0 0 9" Lattice={{{LATTICE}}} Properties="species:S:1:pos:R:3:forces:R:3"', ROWS),
        (f"Lattice=[{LATTICE.replace(' ', ',')}] pbc=[T, F, T] Properties=species:S:1:pos:R:3:forces:R:3", ROWS),
        (f'Lattice="{LATTICE}" pbc = "1 1 0" Properties=species:S:1:pos:R:3:forces:R:3', ROWS),
        (f'Lattice="1 0 0 0 1 0 0 0 1" Lattice="{LATTICE}" Properties=Z:I:1:pos:R:3:forces:R:3', "1 1 2 3 0 0 0\n"),
    ],
)
def test_files_are_read_as_ase_reads_them(tmp_path, comment, rows):
    path = write_xyz(tmp_path / "md.xyz", comment, rows)
    trajectory, atoms = Trajectory(path), read(path)
    chunk = next(trajectory.chunks())
    np.testing.assert_array_equal(chunk.positions[0], atoms.positions)
    np.testing.assert_array_equal(chunk.cells[0], atoms.cell.array)
    np.testing.assert_array_equal(chunk.cells[0], CELL)
    np.testing.assert_array_equal(trajectory.pbc, atoms.pbc)
    np.testing.assert_array_equal(trajectory.numbers, atoms.numbers)


@pytest.mark.parametrize("keys", [("lattice", "properties", "pbc"), ("LATTICE", "PROPERTIES", "PBC")])
def test_keys_in_any_case(tmp_path, keys):
    """As GPUMD reads them; ASE takes only its own spelling."""
    lattice, properties, pbc = keys
    comment = f'{properties}=species:S:1:forces:R:3:pos:R:3 {pbc}="T F T" {lattice} = "{LATTICE}"'
    trajectory = Trajectory(write_xyz(tmp_path / "md.xyz", comment, "H 0.1 0.2 0.3 1 2 3\n"))
    chunk = next(trajectory.chunks())
    np.testing.assert_array_equal(chunk.positions, [[[1.0, 2.0, 3.0]]])
    np.testing.assert_array_equal(chunk.cells[0], CELL)
    assert trajectory.pbc.tolist() == [True, False, True]
    assert looked_up(parsed("lattice=1 Lattice=2 LATTICE=3"), "Lattice") == "2"


def test_a_time_in_a_quoted_value_is_none(tmp_path):
    path = tmp_path / "md.xyz"
    path.write_text("".join(f'1\nnote="Time={300 + 7 * k} K" n={k}\nH 0 0 0\n' for k in range(3)))
    with pytest.raises(ValueError, match="does not say how far apart its frames are"):
        _ = Trajectory(path).timestep_fs


@pytest.mark.parametrize("comment", ['pbc="T T T"', "pbc=T", 'pbc="T F F" Lattice="0 0 0 0 0 0 0 0 0"'])
def test_periodic_boundaries_without_a_cell(tmp_path, comment):
    path = write_xyz(tmp_path / "md.xyz", comment, "H 1 2 3\n")
    with pytest.raises(ValueError, match=r"md\.xyz: expected a cell along the periodic axes, got zeros \(frame 0\)"):
        list(Trajectory(path).chunks())


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        ('pbc="T T" Lattice="1 0 0 0 1 0 0 0 1"', r"md\.xyz:2: expected pbc as three of T and F, got 'T T'"),
        ('pbc="T T no"', r"md\.xyz:2: expected pbc as three of T and F, got 'T T no'"),
        ('Lattice="1 0 0"', r"md\.xyz:2: expected 9 numbers, got '1 0 0'"),
        ('Lattice="1_0 0 0 0 1 0 0 0 1"', r"md\.xyz:2: expected a finite number, got '1_0'"),
        ("Properties=pos:R:3", r"md\.xyz:2: expected species:S:1 in Properties, got 'pos:R:3'"),
    ],
)
def test_comments_that_say_something_impossible(tmp_path, comment, message):
    with pytest.raises(ValueError, match=message):
        Trajectory(write_xyz(tmp_path / "md.xyz", comment, "H 1 2 3\n"))

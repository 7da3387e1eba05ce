"""Damaged, incomplete and missing SNAP files: one sentence with the path and the line."""

import re

import pytest
from support.damage import beginnings, read_damaged, refusal, replaced
from support.snap_texts import write_texts

from ase_mlips.snap.files import read_snap


@pytest.fixture
def folder(tmp_path):
    """A folder with the same potential in every format."""
    return write_texts(tmp_path)


@pytest.mark.parametrize(
    "name", ["m.snapcoeff", "m.snapparam", "m.mliap.model", "m.mliap.descriptor", "i.snap", "i.mliap"]
)
def test_truncated_at_any_line(folder, name):
    """A shorter file is refused, or what it lost was optional."""
    path = folder / name
    text = path.read_text()
    whole = read_snap(path)
    refused = 0
    for beginning in beginnings(text):
        model = read_damaged(read_snap, path, beginning, beside=True)
        if model is None:
            refused += 1
        else:
            lost = text.removeprefix(beginning)
            assert model == whole if not re.sub(r"#.*", "", lost).strip() else "rfac0" in lost or "flag" in lost
    assert refused >= 2


MALFORMED = [
    ("m.snapcoeff", "2 6", "2", ":3: expected the numbers of elements and of coefficients, got '2'"),
    ("m.snapcoeff", "2 6", "2 six", ":3: expected an integer for the numbers of elements .*, got 'six'"),
    ("m.snapcoeff", "2 6", "0 6", ":3: expected the numbers of elements and of coefficients to be positive, got '0 6'"),
    ("m.snapcoeff", "2 6", "2 7", r":3: expected 6 coefficients for each element \(twojmax 2, quadraticflag 0, "),
    ("m.snapcoeff", "2 6", "3 6", ":18: expected element 3 of 3, got the end of the file"),
    ("m.snapcoeff", "2 6", "1 6", ":11: expected the end of the file after 1 times 6 coefficients, got 'P 0.4 -0.9'"),
    ("m.snapcoeff", "2 6", "999999999 6", ":18: expected element 3 of 999999999, got the end of the file"),
    ("m.snapcoeff", "6\n#", "#", ":17: expected coefficient 6 of 6 of P, got the end of the file"),
    ("m.snapcoeff", "6\n#", "6\n7\n#", ":18: expected the end of the file after 2 times 6 coefficients, got '7'"),
    ("m.snapcoeff", "In 0.5 1", "In 0.5", ":4: expected 'symbol radius weight' of element 1 of 2, got 'In 0.5'"),
    ("m.snapcoeff", "In 0.5 1", "49 0.5 1", ":4: expected 'symbol radius weight' of element 1 of 2, got '49 0.5 1'"),
    (
        "m.snapcoeff",
        "In 0.5 1",
        "NULL 0.5 1",
        ":4: expected 'symbol radius weight' of element 1 of 2, got 'NULL 0.5 1'",
    ),
    ("m.snapcoeff", "In 0.5 1", "In half 1", ":4: expected a finite number for radius and weight of In, got 'half'"),
    ("m.snapcoeff", "In 0.5 1", "In -0.5 1", ":4: expected a positive radius of In, got -0.5"),
    ("m.snapcoeff", "P 0.4", "In 0.4", ":11: expected an element that was not given before, got 'In'"),
    ("m.snapcoeff", " 1e-3", " 1e-3 2", ":6: expected coefficient 2 of 6 of In, got '1e-3 2'"),
    ("m.snapcoeff", " 1e-3", " nan", ":6: expected a finite number for coefficient 2 of 6 of In, got 'nan'"),
    ("m.snapcoeff", " 1e-3", " inf", ":6: expected a finite number for coefficient 2 of 6 of In, got 'inf'"),
    ("m.snapcoeff", " 1e-3", " 1e999", ":6: expected a finite number for coefficient 2 of 6 of In, got '1e999'"),
    ("m.snapcoeff", " 1e-3", " 1d-3", ":6: expected a finite number for coefficient 2 of 6 of In, got '1d-3'"),
    ("m.snapcoeff", " 1e-3", " 1_0", ":6: expected a finite number for coefficient 2 of 6 of In, got '1_0'"),
    ("m.snapcoeff", " 1e-3", " \0", ":6: expected text, got a binary file"),
    ("m.snapcoeff", " 1e-3", " " + 99 * "x", ":6: expected a finite number .*, got 'x{37}...'"),
    ("m.snapparam", "rcutfac 4.5", "", ":8: expected the keyword rcutfac, got the end of the file"),
    ("m.snapparam", "twojmax 2", "", ":8: expected the keyword twojmax, got the end of the file"),
    ("m.snapparam", "twojmax 2", "twojmax 2.0", ":3: expected an integer for twojmax, got '2.0'"),
    ("m.snapparam", "twojmax 2", "twojmax 21", ":3: expected twojmax between 0 and 20, got 21"),
    ("m.snapparam", "twojmax 2", "twojmax 99999999999", ":3: expected an integer for twojmax, got '99999999999'"),
    ("m.snapparam", "rcutfac 4.5", "rcutfac -4.5", ":2: expected rcutfac to be positive, got -4.5"),
    ("m.snapparam", "rcutfac 4.5", "rcutfac 4.5 4.6", ":2: expected one value of rcutfac, got 'rcutfac 4.5 4.6'"),
    ("m.snapparam", "rcutfac 4.5", "rcutfac", ":2: expected one value of rcutfac, got 'rcutfac'"),
    ("m.snapparam", "rmin0 0", "rmin0 9", ":6: expected rmin0 below the shortest cutoff 3.6, got 9.0"),
    ("m.snapparam", "rfac0 0.99", "rfac0 1.99", ":5: expected rfac0 between 0 and 1, got 1.99"),
    ("m.snapparam", "bzeroflag 0", "bzeroflag 2", ":7: expected bzeroflag to be 0 or 1, got '2'"),
    ("m.snapparam", "bzeroflag 0", "bzeroflag no", ":7: expected bzeroflag to be 0 or 1, got 'no'"),
    ("m.snapparam", "bzeroflag 0", "bzero 0", ":7: expected a known keyword, got 'bzero'"),
    ("m.snapparam", "bzeroflag 0", "rmin0 0", ":7: expected rmin0 once, got it again after line 6"),
    ("m.snapparam", "bzeroflag 0", "diagonalstyle 2", ":7: expected diagonalstyle 3, the only one .*, got 2"),
    (
        "m.snapparam",
        "bzeroflag 0",
        "sinner 1 2",
        ":7: expected sinner to be absent because switchinnerflag is 0, got 2",
    ),
    ("m.snapparam", "bzeroflag 0", "switchinnerflag 1", ":7: expected sinner because switchinnerflag is 1, got none"),
    ("m.snapparam", "bzeroflag 0", "sinner", ":7: expected a value of sinner for each element, got 'sinner'"),
    (
        "m.snapparam",
        "quadraticflag 0",
        "quadraticflag 1",
        "coeff:3: expected 21 coefficients for each element .*, got 6",
    ),
    ("m.snapparam", "quadraticflag 0", "chemflag 1", "coeff:3: expected 41 coefficients for each element .*, got 6"),
    ("m.mliap.model", "2 6", "1 6", ":1: expected 2 elements as in .*m.mliap.descriptor, got 1"),
    (
        "m.mliap.model",
        "2 6",
        "2 7",
        r":1: expected 6 \(linear\) or 21 \(quadratic\) coefficients for each element, got 7",
    ),
    ("m.mliap.model", "2 6", "2 21", ":13: expected coefficient 13 of 42, got the end of the file"),
    ("m.mliap.model", "2 6", "2 6\nNET 5 1 linear 1", ":8: expected scale1 of element 1 not to be zero, got 0.0"),
    ("m.mliap.model", "-1.5", "In 0.5 1\n-1.5", ":2: expected coefficient 1 of 12, got 'In 0.5 1'"),
    ("m.mliap.model", "6.0\n", "6.0\n7.0\n", ":14: expected the end of the file after 12 coefficients, got '7.0'"),
    ("m.mliap.descriptor", "twojmax 2", "nmax 3", ":2: expected a keyword of the descriptor sna, got 'nmax' of so3"),
    ("m.mliap.descriptor", "nelems 2", "", ":8: expected the keyword nelems, got the end of the file"),
    ("m.mliap.descriptor", "elems In P", "elems In", ":4: expected 2 values of elems as nelems says, got 'elems In'"),
    ("m.mliap.descriptor", "welems 1 -0.9", "welems 1", ":6: expected 2 values of welems as nelems says"),
    ("m.mliap.descriptor", "elems In P", "elems In In", ":4: expected elements to be distinct, got In twice"),
    ("m.mliap.descriptor", "radelems 0.5 0.4", "radelems 0.5 0", ":5: expected radii to be positive, got 0.0"),
    ("m.mliap.descriptor", "bzeroflag 0", "quadraticflag 0", ":8: expected a known keyword, got 'quadraticflag'"),
    ("i.snap", "variable z string 49", "", r":9: expected a variable that was defined above, got '\$z'"),
    ("i.snap", "equal 4", "equal v_x*2", r":2: expected a finite number for the variable zblcutinner \(formulas"),
    ("i.snap", "equal 4", "loop 4", ":2: expected 'variable name equal|index|string value', got 'variable zbl"),
    ("i.snap", "equal 4", "equal 5", ":6: expected zbl cutoffs 0 < inner < outer, got 5 and 4.2"),
    ("i.snap", "pair_style hybrid/overlay", "pair_style hybrid", ":6: expected the pair styles .*, got 'hybrid'"),
    ("i.snap", "\nsnap\n", "\nsnap table spline 9\n", ":6: expected the pair styles .*, got 'table'"),
    ("i.snap", "\nsnap\n", "\nsnap snap\n", ":6: expected one snap or mliap style, got a second one"),
    ("i.snap", "\nsnap\n", "\n\n", ":6: expected pair_style snap, mliap, or hybrid/overlay of one of them with zbl"),
    (
        "i.snap",
        "snap m.snapcoeff",
        "eam m.snapcoeff",
        ":12: expected pair_coeff of a style that pair_style names, got 'eam'",
    ),
    ("i.snap", "snap m.snapcoeff", "snap n.snapcoeff", r":12: expected the file \S+n.snapcoeff, got none there"),
    ("i.snap", "* * snap", "1 2 snap", r":12: expected 'pair_coeff \* \* snap COEFFICIENTS PARAMETERS ELEMENT ...'"),
    ("i.snap", " In P", " NULL NULL", ":12: expected an element beside NULL, got 'NULL NULL'"),
    ("i.snap", " In P", " P P", ":10: expected the nuclear charges 49 15 of types 1 2|:11: expected the nuclear"),
    ("i.snap", " In P", " In As", "m.snapcoeff:3: expected the element As, got only In, P"),
    ("i.snap", "pair_coeff 1 2 zbl ${z} 15", "", ":6: expected pair_coeff 1 2 zbl Z Z, got none"),
    ("i.snap", "zbl ${z} 15", "zbl ${z} 16", ":10: expected the nuclear charges 49 15 of types 1 2, got '1 2 49 16'"),
    ("i.snap", "zbl ${z} 15", "zbl ${z} 0", ":10: expected positive nuclear charges, got '1 2 49 0'"),
    ("i.snap", "zbl ${z} 15", "zbl ${z}", ":10: expected 'pair_coeff I J zbl Z Z', got 'pair_coeff 1 2 zbl 49'"),
    ("i.snap", "2 2 zbl", "2 3 zbl", ":11: expected atom types from 1 to 2, got '3'"),
    ("i.snap", "2 2 zbl", "2 B zbl", ":11: expected an atom type or a range of them, got 'B'"),
    ("i.snap", "pair_coeff 2 2", "run 2 2", ":11: expected the command variable, .*, got 'run'"),
    ("i.snap", "pair_coeff 2 2", "pair_style 2 2", ":11: expected one pair_style command, got a second one"),
    ("i.snap", " In P", " 'In P", ":12: expected a closing quote"),
    ("i.snap", "variable z string 49", "units real\n", ":4: expected units metal, got 'units real'"),
    (
        "i.mliap",
        "model linear",
        "model ace",
        ":3: expected a linear, quadratic, nn or mliappy model, got 'ace', which is not supported",
    ),
    (
        "i.mliap",
        "descriptor sna",
        "descriptor ace",
        ":3: expected the descriptor sna, got 'ace', which is not supported",
    ),
    (
        "i.mliap",
        "model linear",
        "model quadratic",
        r"m.mliap.model:1: expected 21 \(quadratic\) coefficients .*, got 6",
    ),
    ("i.mliap", "* * In P", "* * In Si", ":4: |m.mliap.descriptor:4: expected the element Si, got only In, P"),
]


@pytest.mark.parametrize(("name", "old", "new", "message"), MALFORMED)
def test_malformed_files_name_the_line(folder, name, old, new, message):
    path = folder / name
    damaged = replaced(path.read_text(), old, new)
    assert re.search(message, refusal(read_snap, path, damaged, beside=True))


@pytest.mark.parametrize("name", ["m.snapcoeff", "m.snapparam", "m.mliap.model", "m.mliap.descriptor", "i.snap"])
@pytest.mark.parametrize("content", [b"", b"\n\n", b"# nothing\n", bytes(range(256)), b"\xff\xfe\x80\n"])
def test_empty_and_binary_files(folder, name, content):
    refusal(read_snap, folder / name, content)


def test_elements_that_are_not_there_are_named(folder):
    with pytest.raises(ValueError, match=r"m.snapcoeff:3: expected the element Ga, got only In, P"):
        read_snap(folder / "m", elements=["In", "Ga"])
    with pytest.raises(ValueError, match=r"m.mliap.descriptor:4: expected the element Ga, got only In, P"):
        read_snap(folder / "m.mliap.model", elements=["In", "Ga"])
    for elements in ("In", [], ["In", "In"]):
        with pytest.raises(ValueError, match="expected elements as a sequence of distinct chemical symbols"):
            read_snap(folder / "m", elements=elements)


def test_missing_files_are_os_errors_that_name_what_was_looked_for(folder):
    (folder / "m.snapparam").unlink()
    with pytest.raises(FileNotFoundError, match=r"looked for beside m.snapcoeff: '.*m.snapparam'"):
        read_snap(folder / "m.snapcoeff")
    with pytest.raises(FileNotFoundError, match=r"no such file: '.*q.snapcoeff'"):
        read_snap(folder / "q.snapcoeff")
    with pytest.raises(
        FileNotFoundError, match=r"looked for .*q.snap, .*q.snap.npz, .*q.snapcoeff, .*q.mliap, .*q.mliap.model: '.*q'"
    ):
        read_snap(folder / "q")
    with pytest.raises(FileNotFoundError, match=r"q\.snap'"):
        read_snap(folder / "q.snap")
    (folder / "m.snapparam").mkdir()
    with pytest.raises(IsADirectoryError, match=r"m\.snapparam"):
        read_snap(folder / "m.snapcoeff")
    (folder / "notes.txt").write_text("hello\n")
    with pytest.raises(ValueError, match=r"notes.txt: expected a name that ends in .snapcoeff, .*, got another"):
        read_snap(folder / "notes.txt")


def test_nested_variables_cannot_grow_without_bound(folder):
    doubling = "".join(f"variable v{n} string ${{v{n - 1}}}${{v{n - 1}}}\n" for n in range(1, 60))
    (folder / "i.snap").write_text("variable v0 string aaaaaaaa\n" + doubling)
    with pytest.raises(ValueError, match=r"i.snap:8: expected one value of at most 1000 characters"):
        read_snap(folder / "i.snap")

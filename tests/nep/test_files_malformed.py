"""Damaged, incomplete, foreign and missing nep.txt files: one sentence with the path and the line."""

import re
import time

import numpy as np
import pytest
from support.damage import beginnings, refusal, replaced
from support.nep_models import synthetic_nep_models

from ase_mlips.files.elements import ELEMENTS as ALL_ELEMENTS
from ase_mlips.nep.files import read_nep, write_nep
from ase_mlips.nep.model import NepModel, NepNetwork

ELEMENTS = ALL_ELEMENTS[:94]  # as far as the tables of radii go

MODELS = synthetic_nep_models()
SMALL = """nep4_zbl 2 Si O
zbl 1 2
cutoff 5 4 100 60
n_max 1 0
basis_size 0 1
l_max 1 0 0
ANN 2 0
"""
NUMBERS = [f"{n:15.7e}\n" for n in range(1, 41)]
TEXT = SMALL + "".join(NUMBERS)
FORM = "cutoff <radial> <angular> [<number> <number>], or two cutoffs of each element and two numbers"


@pytest.fixture
def refused(tmp_path):
    """Read a text that is to be refused and return the message without the path."""

    path = tmp_path / "nep.txt"
    return lambda content: refusal(read_nep, path, content).removeprefix(f"{path}:")


def test_the_undamaged_text_is_a_model(tmp_path):
    (tmp_path / "nep.txt").write_text(TEXT)
    assert read_nep(tmp_path / "nep.txt").zbl.outer == 2.0


@pytest.mark.parametrize("name", ["nep3", "nep4_zbl_flexible", "nep5", "charge1_zbl", "polarizability", "typewise"])
def test_truncated_at_most_lines(tmp_path, refused, name):
    write_nep(tmp_path / "whole.txt", MODELS[name])
    text = (tmp_path / "whole.txt").read_text()
    start = len(re.findall(r"^[a-zA-Z]", text, re.M))
    length = text.count("\n") - start
    for count, beginning in enumerate(beginnings(text)):
        if count > start + 9 and count % 7 and count < start + length - 9:
            continue  # numbers like those before and behind
        message = refused(beginning)
        if count > start:
            expected = f"{count}: expected {length} numbers behind the header, got the end of the file after "
            assert message.removeprefix(expected).split(",")[0] == str(count - start)
        else:
            assert message.startswith(f"{max(count, 1)}: expected ")


def test_truncated_within_the_last_number(refused):
    """Seen where all numbers have as many digits, as GPUMD writes them."""
    last = NUMBERS[-1].strip()
    for length in range(1, len(last)):
        message = refused(TEXT.removesuffix(f"{last}\n") + last[:length])
        assert message.startswith(
            "47: expected as many digits as in the numbers above, or a newline behind the last"
        ) or (message == f"47: expected a finite number for a parameter, got '{last[:length]}'")
        assert message.endswith(f", got '{last[:length]}'")


MALFORMED = [
    (
        "nep4_zbl 2",
        "nep_zbl 2",
        "1: expected nep3_zbl or later, got 'nep_zbl', which versions of GPUMD evaluate in dif",
    ),
    ("nep4_zbl 2", "nep 2", "2: expected cutoff"),
    ("nep4_zbl 2", "nep2 2", "1: expected nep, nep3, nep4 or nep5.* got 'nep2'$"),
    ("nep4_zbl 2", "nep4_vdw 2", "1: expected nep, .* got 'nep4_vdw' .a model with learned dispersion, which is not"),
    ("nep4_zbl 2", "nep4_zbl_charge1_vdw 2", "1: expected .*_vdw' .a model with learned dispersion, which is not"),
    (
        "nep4_zbl 2",
        "nep4_zbl_temperature 2",
        r"1: expected a model of one temperature, or NEP\(..., temperature=<K>\),",
    ),
    ("nep4_zbl 2", "nep_temperature 2", "1: expected _temperature behind nep3 or nep4, got 'nep_temperature'"),
    ("nep4_zbl 2", "nep6 2", "1: expected nep, nep3, nep4 or nep5, maybe with _zbl, .* or _charge3, got 'nep6'$"),
    ("nep4_zbl 2", "nep4_charge4 2", "1: expected nep, .*, got 'nep4_charge4'$"),
    ("nep4_zbl 2", "nep4_charge1_zbl 2", "1: expected nep, .*, got 'nep4_charge1_zbl'$"),
    ("nep4_zbl 2", "NEP4 2", "1: expected nep, .*, got 'NEP4'$"),
    ("nep4_zbl 2", "the 2", "1: expected nep, .*, got 'the'$"),
    ("nep4_zbl 2", "nep5_dipole 2", "1: expected _dipole and _polarizability behind nep3 or nep4, .* 'nep5_dipole'$"),
    ("nep4_zbl 2", "nep4_zbl_dipole 2", "1: expected _dipole and .*, got 'nep4_zbl_dipole'$"),
    ("nep4_zbl 2", "nep3_charge1 2", "1: expected .* _charge behind nep4, got 'nep3_charge1'$"),
    ("nep4_zbl 2 Si O", "", "1: expected nep, .*, got ''$"),
    ("nep4_zbl 2 Si O", "nep4_zbl", "1: expected <token> <number of elements> <as many elements>, got 'nep4_zbl'"),
    ("nep4_zbl 2 Si O", "nep4_zbl 2 Si", "1: expected <token> <number of elements> <as many elements>, got "),
    ("nep4_zbl 2 Si O", "nep4_zbl 0", "1: expected <token> <number of elements> <as many elements>, got "),
    ("nep4_zbl 2 Si O", "nep4_zbl -2 Si O", "1: expected <token> .*, got 'nep4_zbl -2 Si O'"),
    ("nep4_zbl 2 Si O", "nep4_zbl 999999999 Si O", "1: expected <token> .*, got 'nep4_zbl 999999999 Si O'"),
    ("nep4_zbl 2 Si O", "nep4_zbl 9999999999 Si O", "1: expected an integer for the number of elements, got '9{10}'"),
    ("nep4_zbl 2 Si O", "nep4_zbl two Si O", "1: expected an integer for the number of elements, got 'two'"),
    ("nep4_zbl 2 Si O", "nep4_zbl 2 Si Si", "1: expected elements to be distinct, got Si twice"),
    ("nep4_zbl 2 Si O", "nep4_zbl 2 Si Zz", "1: expected elements to be chemical symbols from H to Pu, got 'Zz'"),
    ("zbl 1 2\n", "", r"2: expected zbl <inner> <outer> \[<factor>\], got 'cutoff 5 4 100 60'"),
    ("zbl 1 2", "zbl 1", "2: expected zbl <inner> .*, got 'zbl 1'"),
    ("zbl 1 2", "zbl 1 2 3 4", "2: expected zbl <inner> .*, got 'zbl 1 2 3 4'"),
    ("zbl 1 2", "zbl 1 b", "2: expected a finite number for zbl, got 'b'"),
    ("zbl 1 2", "zbl 2 1", "2: expected inner and outer of zbl as 0 <= inner < outer <= 100, got 2 and 1"),
    ("zbl 1 2", "zbl 1 2 0", "2: expected factor of zbl to be positive, got 0"),
    ("zbl 1 2", "zbl 0 0 0.7", "2: expected zbl 0 0, which makes the repulsion flexible, without a factor, got "),
    ("zbl 1 2", "zbl 0 0", "47: expected 70 numbers behind the header, got the end of the file after 40"),
    ("zbl 1 2\n", "zbl 1 2\n\n", r"3: expected cutoff <radial> .*, got ''"),
    ("cutoff 5 4 100 60", "cutoff 5", f"3: expected {re.escape(FORM)}, got 'cutoff 5'"),
    ("cutoff 5 4 100 60", "cutoff 5 4 100", "3: expected cutoff <radial> .*, got 'cutoff 5 4 100'"),
    ("cutoff 5 4 100 60", "cut 5 4 100 60", "3: expected cutoff <radial> .*, got 'cut 5 4 100 60'"),
    ("cutoff 5 4 100 60", "cutoff -5 4 100 60", "3: expected radial_cutoffs above 0 and up to 100, got -5"),
    ("cutoff 5 4 100 60", "cutoff 5 0 100 60", "3: expected angular_cutoffs above 0 and up to 100, got 0"),
    ("cutoff 5 4 100 60", "cutoff 4 5 100 60", "3: expected angular_cutoffs up to the radial ones, got 5 above 4"),
    ("cutoff 5 4 100 60", "cutoff 5 nan 100 60", "3: expected a finite number for a cutoff, got 'nan'"),
    ("cutoff 5 4 100 60", "cutoff 5 4 100 x", "3: expected an integer for the number of neighbors, got 'x'"),
    ("cutoff 5 4 100 60", "cutoff 5 4 -1 60", "3: expected the number of neighbors between 0 and 999999999, got -1"),
    ("cutoff 5 4 100 60", "cutoff 5 4 100 60 1 1 a", "3: expected a finite number for a typewise factor, got 'a'"),
    (
        "zbl 1 2\ncutoff 5 4 100 60",
        "zbl 1 2 0.7\ncutoff 5 4 100 60 0 0 0.7",
        "3: expected a typewise zbl factor only where the zbl line has cutoffs and no factor, got 'cutoff 5 4 100 60 0",
    ),
    (
        "zbl 1 2\ncutoff 5 4 100 60",
        "zbl 0 0\ncutoff 5 4 100 60 0 0 0.7",
        "3: expected a typewise zbl factor only where the zbl line has cutoffs and no factor, got 'cutoff 5 4 100 60 0",
    ),
    ("n_max 1 0", "n_max 1", "4: expected n_max <radial> <angular>, got 'n_max 1'"),
    ("n_max 1 0", "n_max 1 -1", "4: expected n_max between 0 and 32, got -1"),
    ("n_max 1 0", "n_max 999999999 0", "4: expected n_max between 0 and 32, got 999999999"),
    ("n_max 1 0", "n_max 99999999999 0", "4: expected an integer for n_max, got '99999999999'"),
    ("n_max 1 0", "n_max 1.5 0", "4: expected an integer for n_max, got '1.5'"),
    ("n_max 1 0", "n_max 32 32", "47: expected 735 numbers behind the header, got the end of the file after 40"),
    ("basis_size 0 1", "basis_size 0 1 1", "5: expected basis_size <radial> <angular>, got 'basis_size 0 1 1'"),
    ("basis_size 0 1", "basis_size 0 33", "5: expected basis_size between 0 and 32, got 33"),
    ("basis_size 0 1\n", "", "5: expected basis_size <radial> <angular>, got 'l_max 1 0 0'"),
    ("l_max 1 0 0", "l_max", r"6: expected l_max <l> \[<flag>\] up to 6 times, got 'l_max'"),
    ("l_max 1 0 0", "l_max 1 0 0 0 0 0 0 0", "6: expected l_max <l> .* got 'l_max 1 0 0 0 0 0 0 0'"),
    ("l_max 1 0 0", "l_max 9 0 0", "6: expected l_max between 0 and 8, got 9"),
    ("l_max 1 0 0", "l_max 1 a 0", "6: expected an integer for a flag of l_max, got 'a'"),
    ("ANN 2 0", "ANN 2 3", "7: expected ANN <neurons> 0 because a second hidden layer is not supported, got 'ANN 2 3'"),
    ("ANN 2 0", "ANN 2", "7: expected ANN <neurons> 0, got 'ANN 2'"),
    ("ANN 2 0", "ANN 0 0", "7: expected the number of neurons between 1 and 1000, got 0"),
    ("ANN 2 0", "ANN -2 0", "7: expected the number of neurons between 1 and 1000, got -2"),
    ("ANN 2 0", "ANN 1001 0", "7: expected the number of neurons between 1 and 1000, got 1001"),
    ("ANN 2 0", "ANN 3 0", "47: expected 50 numbers behind the header, got the end of the file after 40"),
    ("ANN 2 0", "ANN 1 0", "38: expected the end of the file after 30 numbers, got '3.1000000e\\+01'"),
    (NUMBERS[3], "  nan\n", "11: expected a finite number for a parameter, got 'nan'"),
    (NUMBERS[3], " -inf\n", "11: expected a finite number for a parameter, got '-inf'"),
    (NUMBERS[3], " 1e999\n", "11: expected a finite number for a parameter, got '1e999'"),
    (NUMBERS[3], " four\n", "11: expected a finite number for a parameter, got 'four'"),
    (NUMBERS[3], " 1_0\n", "11: expected a finite number for a parameter, got '1_0'"),
    (NUMBERS[3], " \u0663\n", "11: expected a finite number for a parameter, got '\u0663'"),
    (NUMBERS[3], " 0x1p3\n", "11: expected a finite number for a parameter, got '0x1p3'"),
    (NUMBERS[3], " 1.0d0\n", "11: expected a finite number for a parameter, got '1.0d0'"),
    (NUMBERS[3], " 1 2\n", "11: expected one number, got '1 2'"),
    (NUMBERS[3], "\n", "11: expected one number, got ''"),
    (NUMBERS[3], "\0\n", "11: expected text, got a binary file"),
    (NUMBERS[3], NUMBERS[3] + NUMBERS[3], "48: expected the end of the file after 40 numbers, got '4.0000000e\\+01'"),
    (NUMBERS[-1], NUMBERS[-1] + "end\n", "48: expected the end of the file after 40 numbers, got 'end'"),
    (NUMBERS[-1], "x" * 99 + "\n", "47: expected a finite number for a parameter, got 'x{37}...'"),
    (
        "".join(NUMBERS[:8]),
        "",
        "39: expected 40 numbers .* after 32, as many as a GPUMD compiled with USE_CJ writes, w",
    ),
]


@pytest.mark.parametrize(("old", "new", "message"), MALFORMED)
def test_one_sentence_says_what_is_wrong(refused, old, new, message):
    assert TEXT.count(old) == 1
    assert re.match(message, refused(replaced(TEXT, old, new)))


def test_invariants_beyond_l_max(refused):
    text = SMALL.replace("l_max 1 0 0", "l_max 1 2 0") + "".join(f"{n}.0\n" for n in range(1, 46))
    assert refused(text) == "6: expected l_max of at least 2 for the invariant 222, got 1"


def test_flexible_repulsions_that_are_not_in_order(refused):
    numbers = [*NUMBERS, *(f"{n}\n" for n in range(1, 31))]
    numbers[61] = "20.5\n"
    text = SMALL.replace("zbl 1 2", "zbl 0 0") + "".join(numbers)
    expected = "68: expected inner and outer of a flexible zbl as 0 <= inner < outer <= 100, got 21 and 20.5"
    assert refused(text) == expected


def test_other_files(refused, tmp_path):
    assert refused(b"") == (
        "1: expected nep, nep3, nep4 or nep5, maybe with _zbl, _dipole, _polarizability, _temperature, _charge1, "
        "_charge2 or _charge3 and the elements, got an empty file"
    )
    assert refused(b"\n \n").endswith("got an empty file")
    assert refused(b"\x7fELF\0\0") == "1: expected text, got a binary file"
    assert refused(b"nep4 1 Si\n\xff\xfe\n").startswith("2: expected cutoff ")
    assert refused(TEXT.replace("\n", "\r")).startswith("1: expected <token> ")
    with pytest.raises(FileNotFoundError):
        read_nep(tmp_path / "missing")
    with pytest.raises(IsADirectoryError):
        read_nep(tmp_path)


def test_absurd_sizes_cost_nothing(refused):
    elements = " ".join(ELEMENTS)
    text = f"nep4 94 {elements}\ncutoff 5 4\nn_max 32 32\nbasis_size 32 32\nl_max 8 2 1 1 1 1 1\nANN 1000 0\n1.0\n"
    started = time.thread_time()
    message = refused(text)
    assert time.thread_time() - started < 0.1
    assert re.fullmatch(r"7: expected \d{8} numbers behind the header, got the end of the file after 1", message)


def test_a_million_numbers_are_read_fast(tmp_path):
    count = 89
    rng = np.random.default_rng(0)
    table = np.round(rng.normal(size=(count, 80, 35)), 7)
    network = NepNetwork(w0=table, b0=table[:, :, 0], w1=table[:, :, 1], bias=1.5)
    coefficients = np.round(rng.normal(size=(5, 9, count, count)), 7)
    sizes = {"n_max": (4, 4), "basis_size": (8, 8), "l_max": 4, "invariants": ("222", "1111")}
    arrays = {"radial": coefficients, "angular": coefficients, "scaler": np.ones(35)}
    model = NepModel(4, "potential", ELEMENTS[:count], [6.0] * count, [5.0] * count, network=network, **sizes, **arrays)
    write_nep(tmp_path / "nep.txt", model)
    for _ in range(3):  # the machine may be busy once
        started = time.thread_time()
        assert read_nep(tmp_path / "nep.txt") == model
        if (seconds := time.thread_time() - started) < 1.5:
            break
    assert seconds < 1.5

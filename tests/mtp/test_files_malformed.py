"""Malformed MTP files: one ValueError each that says where and what."""

import re

import numpy as np
import pytest
from support.damage import refusal, replaced
from support.mtp_texts import SMALL, an_active_set

from ase_mlips.mtp.files import read_active_set, read_mtp, write_mtp

KEYS = [line.split("=")[0].strip() for line in SMALL.split("\n") if "=" in line]


WRONG = {
    "empty": (SMALL, "", 1, "MTP, got an empty file"),
    "other": ("MTP\n", "MTP2\n", 1, "MTP, got 'MTP2'"),
    "binary": ("species_count", "species\0count", 5, "text, got a binary file"),
    "version": ("1.1.0", "1.2.0", 2, "version = 1.1.0, got '1.2.0'"),
    "no_version": ("version = 1.1.0\n", "", 28, "version = <value>, got the end of the file without it"),
    "name_with_hash": ("MTP1m", "a#b", 3, "name to be one word without #, got 'a#b'"),
    "magnetic": ("\tradial_funcs", "magnetic_basis_type = X\nradial_funcs", 11, "a potential without magnetic moments"),
    "magnetic_motep": ("\tradial_funcs", "min_mag = 0\nradial_funcs", 11, "a potential without magnetic moments"),
    "envelope": ("\tmin_dist", "\tradial_envelope = x\n\tmin_dist", 8, "a potential without an envelope"),
    "unknown_key": ("potential_tag", "Potential_tag", 6, "a key of an MLIP potential, got 'Potential_tag'"),
    "no_key": ("\tmin_dist", "hello\n\tmin_dist", 8, "<key> = <value>, got 'hello'"),
    "key_twice": ("\tmin_dist", "\tmin_val = 1\n\tmin_dist", 9, "min_dist once, got it again after line 8"),
    "scaling_thrice": ("scaling", "scaling = 1\nscaling = 1\nscaling", 6, "scaling once, got it again after line 5"),
    "basis": (
        "RBChebyshev",
        "RBShapeev",
        7,
        "one of RBChebyshev, RBChebyshev_repuls, BChebyshev, BChebyshev_repuls, RBTaylor, got 'RBShapeev'",
    ),
    "scaling": ("2.500000000000000e-01", "nan", 4, "a finite number for scaling, got 'nan'"),
    "min_dist": ("min_dist = 1.5", "min_dist = -1.5", 8, "min_dist to be positive, got -1.5"),
    "max_dist": ("max_dist = 5.0", "max_dist = 1.0", 9, "max_dist above min_dist 1.5, got 1"),
    "size_zero": ("basis_size = 3", "basis_size = 0", 10, "radial_basis_size between 1 and 1000, got 0"),
    "size_two": ("basis_size = 3", "basis_size = 2", 14, "2 numbers in a row of radial_coeffs, got 3"),
    "functions": ("funcs_count = 1", "funcs_count = 2", 11, "1 radial functions for alpha_index_basic, got 2"),
    "functions_float": ("funcs_count = 1", "funcs_count = 1.0", 11, "an integer for radial_funcs_count, got '1.0'"),
    "species_three": ("count = 2\npot", "count = 3\npot", 28, "3 numbers for species_coeffs, got 2"),
    "species_many": ("count = 2\npot", "count = 119\npot", 5, "species_count between 1 and 118, got 119"),
    "no_species_count": ("species_count = 2\n", "", 28, "species_count, got the end of the file without it"),
    "pair_missing": ("\t\t1-1\n\t\t\t{7", "\t\t1-0\n\t\t\t{7", 19, "1-1 in radial_coeffs of 2 types, got '1-0'"),
    "pair_order": ("\t\t0-1", "\t\t1-0", 15, "a pair with another type, got '1-0'"),
    "pair_same": ("\t\t0-1", "\t\t0-0", 15, "a pair with another type, got '0-0'"),
    "pair_label": ("\t\t0-1", "\t\t0-x", 15, "{<number>, ...} for radial_coeffs, got '0-x'"),
    "row_first": ("\t\t0-0\n", "", 13, "<type>-<type>, {<number>, ...} or <key> = <value>, got '{1.0"),
    "row_extra": ("\t\t0-1", "\t\t\t{1, 2, 3}\n\t\t0-1", 13, "1 rows as radial_funcs_count says, got 2"),
    "row_open": ("e+00}\n\t\t0-1", "e+00\n\t\t0-1", 14, "{<number>, ...} for radial_coeffs, got '{1.0"),
    "row_word": ("4.000000000000000e+00", "4,0", 16, "3 numbers in a row of radial_coeffs, got 4"),
    "row_nan": ("4.000000000000000e+00", "inf", 16, "a finite number for radial_coeffs, got 'inf'"),
    "moments": ("moments_count = 2", "moments_count = 1", 25, "times with products between 1 and 0"),
    "moments_many": ("moments_count = 2", "moments_count = 2000000", 21, "alpha_moments_count between 1 and 1000000"),
    "basic_count": (
        "basic_count = 1",
        "basic_count = 2",
        23,
        "2 entries of alpha_index_basic as alpha_index_basic_count says, got 1",
    ),
    "basic_five": ("{{0, 0, 0, 0}}", "{{0, 0, 0, 0, 0}}", 23, "{{<four integers>}, ...} for alpha_index_basic, got"),
    "basic_merged": ("{{0, 0, 0, 0}}", "{{0, 0 0, 0, 0}}", 23, "{{<four integers>}, ...} for alpha_index_basic, got"),
    "basic_none": ("{{0, 0, 0, 0}}", "", 23, "{{<four integers>}, ...} for alpha_index_basic, got its end"),
    "times_open": ("1, 1}}", "1, 1}", 25, "{{<four integers>}, ...} for alpha_index_times, got '{0, 0, 1, 1}'"),
    "times_factor": ("0, 1, 1}}", "1, 1, 1}}", 25, "times with factors before the product, got [0, 1, 1, 1]"),
    "times_multiplicity": ("1, 1}}", "-1, 1}}", 25, "times with positive multiplicities"),
    "scalars": (
        "scalar_moments = 2",
        "scalar_moments = 3",
        27,
        "3 entries of alpha_moment_mapping as alpha_scalar_moments says, got 2",
    ),
    "mapping": ("{0, 1}", "{0, 2}", 27, "mapping with moments below 2, got 2 at 1"),
    "mapping_word": ("{0, 1}", "{0, x}", 27, "an integer for alpha_moment_mapping, got 'x'"),
    "mapping_braces": ("{0, 1}", "0, 1", 27, "alpha_moment_mapping = {<integer>, ...}, got '0, 1'"),
    "moment_coeffs": (", -2.000000000000000e-03", "", 29, "2 numbers for moment_coeffs, got 1"),
    "no_moment_coeffs": (
        "moment_coeffs = {1.000000000000000e-03, -2.000000000000000e-03}\n",
        "",
        28,
        "radial_coeffs, species_coeffs and moment_coeffs, or none of them, got only radial_coeffs and species_coeffs",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_malformed_files(case, tmp_path):
    old, new, line, message = WRONG[case]
    path = tmp_path / "pot.mtp"
    assert refusal(read_mtp, path, replaced(SMALL, old, new)).startswith(f"{path}:{line}: expected {message}")


@pytest.mark.parametrize("key", [key for key in KEYS if not key.startswith(("potential", "scaling"))])
def test_missing_keys(key, tmp_path):
    content = re.sub(rf"^\t*{key} =.*\n", "", SMALL, flags=re.M)
    message = refusal(read_mtp, tmp_path / "pot.mtp", content)
    assert re.search(rf"pot.mtp:\d+: expected .*({key}|{key.split('_')[0]}_coeffs).*, got ", message)


ACTIVE = {
    "title": (b"#MVS_v1.1", b"#MVS_v1.0", "#MVS_v1.1, got '#MVS_v1.0'"),
    "older": (b"#MVS_v1.1\n", b"#\n", "#MVS_v1.1, got "),
    "weight_name": (b"force_weight", b"Force_weight", "force_weight <number>, got 'Force_weight 0.0"),
    "weight": (b"stress_weight 1.0", b"stress_weight x1.0", "a finite number for stress_weight, got 'x1.0"),
    "scaling": (b"weight_scaling 2", b"weight_scaling 2.0", "an integer for weight_scaling, got '2.0'"),
    "scaling_large": (b"weight_scaling 2", b"weight_scaling 99", "weight_scaling between 0 and 10, got 99"),
    "no_hash": (b"weight_scaling 2\n#", b"weight_scaling 2\n?", "# before the matrices, got '?'"),
    "link_word": (b"\n-1 -1\n", b"\n-1 x\n", "an integer for the link of a row, got 'x'"),
    "link_half": (b"\n-1 -1\n", b"\n-1 0\n", "a link to one of 2 configurations, or -1 -1, got '-1 0'"),
    "link_short": (b"\n-1 -1\n", b"\n-1\n", "<configuration> <equation>, got '-1'"),
    "link_far": (b"\n-1 -1\n", b"\n2 0\n", "a link to one of 2 configurations, or -1 -1, got '2 0'"),
    "link_more": (b"\n-1 -1\n", b"\n-1 -1\n-1 -1\n", "# behind the links, got "),
    "begin": (b"\n\nBEGIN_CFG", b"\n\nBEGIN", "BEGIN_CFG, got 'BEGIN'"),
    "end": (b"END_CFG\n\nB", b"B", "END_CFG, got 'BEGIN_CFG'"),
    "no_end": (b"\r\nEND_CFG\n\n", b"\r\n\n", "END_CFG, got the end of the file"),
}


@pytest.mark.parametrize("case", ACTIVE)
def test_malformed_active_sets(case, tmp_path):
    model = read_mtp_of_small(tmp_path)
    write_mtp(tmp_path / "a", model, an_active_set(model.n_parameters))
    old, new, message = ACTIVE[case]
    damaged = replaced((tmp_path / "a").read_bytes(), old, new)
    assert re.search(rf"/a:\d+: expected {re.escape(message)}", refusal(read_active_set, tmp_path / "a", damaged))
    assert read_mtp(tmp_path / "a") == model


def test_lines_of_active_sets(tmp_path):
    model = read_mtp_of_small(tmp_path)
    write_mtp(tmp_path / "a", model, an_active_set(model.n_parameters))
    content = (tmp_path / "a").read_bytes()
    line = content[: content.index(b"\n-1 -1\n")].count(b"\n") + 2
    message = refusal(read_active_set, tmp_path / "a", replaced(content, b"\n-1 -1\n", b"\nx -1\n"))
    assert message.endswith(f"a:{line}: expected an integer for the link of a row, got 'x'")


def test_truncated_matrices(tmp_path):
    model = read_mtp_of_small(tmp_path)
    write_mtp(tmp_path / "a", model, an_active_set(model.n_parameters))
    content = (tmp_path / "a").read_bytes()
    end = content.index(b"weight_scaling 2\n#") + 18 + 2 * 16 * 16 * 8
    message = refusal(read_active_set, tmp_path / "a", content[: end - 1])
    assert "a:36: expected two matrices of 16 x 16 numbers, got the end of the file" in message
    nan = np.full(1, np.nan).tobytes()
    message = refusal(read_active_set, tmp_path / "a", content[: end - 8] + nan + content[end:])
    assert "a:36: expected two matrices of 16 x 16 finite numbers, got others" in message


def test_the_state_of_mlip_2_is_refused(tmp_path):
    message = refusal(read_active_set, tmp_path / "pot.mtp", SMALL + "\n^" + "\0" * 32 + "\n#")
    assert "pot.mtp:31: expected the active set of MLIP-3 (#MVS_v1.1), got that of MLIP-2" in message


def read_mtp_of_small(folder):
    (folder / "small").write_text(SMALL)
    return read_mtp(folder / "small")

"""ACE files: what is read from each format, what survives writing, and what is refused in one sentence."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.ace_models import synthetic_ace_models
from support.ace_texts import OLD, PACEMAKER, YACE
from support.damage import refusal, replaced

from ase_mlips import ACE, load
from ase_mlips.ace import read_ace, write_ace
from ase_mlips.ace.files import is_pacemaker

TEXTS = {"x.yace": YACE, "x.ace": OLD, "x.yaml": PACEMAKER}


def read(tmp_path: Path, name: str):
    (tmp_path / name).write_text(TEXTS[name])
    return read_ace(tmp_path / name)


def test_a_yace_file(tmp_path):
    model = read(tmp_path, "x.yace")
    assert model.elements == ("Cu", "Ni")
    assert model.energies.tolist() == [-1.5, 2.0]
    assert model.inner_cutoff_type == "distance"
    assert [bond.radial_basis for bond in model.bonds[1]] == ["SBessel", "SBessel"]
    assert model.bonds[0][0].coefficients.tolist() == [[[1.0, 0.25], [0.5, 2.0]]]
    assert (model.bonds[0][1].core.tolist(), model.bonds[1][0].core.tolist()) == ([10.0, 1.0], [0.0, 0.0])
    assert (model.bonds[0][0].inner_cutoff, model.bonds[0][0].inner_width) == (1.5, 0.2)
    assert [function.rank for function in model.functions[0]] == [1, 2]  # those of rank 1 come first
    assert model.functions[0][1].ms.tolist() == [[-1, 1], [0, 0], [1, -1]]
    assert model.functions[1][0].weights.tolist() == [[0.75, 1e-05]]
    assert model.embeddings[1].rho_core_cutoff == 1e5
    assert model.cutoff == 4.0
    assert repr(model) == "AceModel(Cu-Ni: 2+1 functions of rank <= 2, cutoff 4 A, 2 densities)"


def test_an_element_without_functions(tmp_path):
    (tmp_path / "x.yace").write_text(YACE[: YACE.index("  1:\n    - {mu0")])
    assert list(map(len, read_ace(tmp_path / "x.yace").functions)) == [2, 0]


def test_an_old_file(tmp_path):
    model = read(tmp_path, "x.ace")
    assert model.elements == ("Cu",)
    assert model.energies.tolist() == [0.25]
    assert model.bonds[0][0].coefficients.tolist() == [[[1.5, -0.25], [0.5, 0.75]]]
    assert model.bonds[0][0].core.tolist() == [400.0, 7.0]
    assert model.inner_cutoff_type == "density"
    assert model.functions[0][1].weights.tolist() == [[0.5, 0.125], [-0.25, 0.375]]


def test_a_pacemaker_file(tmp_path):
    model = read(tmp_path, "x.yaml")
    assert model.elements == ("Cu", "Ni")
    assert model.bonds[0][0].coefficients.tolist() == [[[1.0, 3.0], [2.0, 4.0]]]  # k, n, l in old files
    assert model.bonds[0][1].radial_basis == model.bonds[1][0].radial_basis == "SBessel"
    assert [function.rank for function in model.functions[1]] == [1, 2, 3]
    pair = model.functions[1][1]
    np.testing.assert_allclose(pair.couplings, [0.5773502692, -0.5773502692, 0.5773502692], rtol=1e-9)
    np.testing.assert_allclose(pair.weights[:, 0], 0.5 * pair.couplings)
    assert model.spline_bins == 0.002
    assert isinstance(load(tmp_path / "x.yaml"), ACE)


def test_other_yaml_files_are_not_ours(tmp_path):
    (tmp_path / "job.yaml").write_text("task: md\n")
    assert not is_pacemaker(tmp_path / "job.yaml")
    with pytest.raises(ValueError, match="got one that none of them recognises"):
        load(tmp_path / "job.yaml")


@pytest.mark.parametrize("ending", [".yace", ".ace.npz"])
def test_what_is_written_is_read_bit_by_bit(tmp_path, ending):
    for name, model in synthetic_ace_models().items():
        plain = replace(model, network=None, coefficients=None) if ending == ".yace" else model
        path = tmp_path / f"{name}{ending}"
        assert write_ace(path, plain) == (str(path),)
        found = read_ace(path)
        if ending == ".ace.npz":
            assert found == plain, name
        for own, right in zip(found.functions, plain.functions, strict=True):
            for one, other in zip(own, right, strict=True):
                np.testing.assert_array_equal(one.weights, other.weights)
        assert (found.bonds, found.embeddings) == (plain.bonds, plain.embeddings)
        assert found.energies.tobytes() == plain.energies.tobytes()


def test_what_cannot_be_written(tmp_path):
    models = synthetic_ace_models()
    with pytest.raises(ValueError, match=r"ends in \.ace\.npz, which alone can hold a network, got another"):
        write_ace(tmp_path / "x.yace", models["network"])
    with pytest.raises(ValueError, match=r"a name that ends in \.yace or \.ace\.npz, got another"):
        write_ace(tmp_path / "x.ace", models["exp_cos"])


def test_elements_that_are_asked_for(tmp_path):
    (tmp_path / "x.yace").write_text(YACE)
    assert ACE(tmp_path / "x.yace", elements=["Ni"]).model.elements == ("Cu", "Ni")
    with pytest.raises(ValueError, match="expected the element Au, got only Cu, Ni"):
        read_ace(tmp_path / "x.yace", elements=["Au"])


WRONG = {
    "empty": ("x.yace", YACE, "", 1, "keys and values, got an empty file"),
    "julia": ("x.yace", "ChebPow", "ACE.jl.base", 9, "ChebLinear, SBessel, got ACE.jl's ACE.jl.base"),
    "zero basis": ("x.yace", "TEST_SBessel", "TEST_X", 11, "radbasename to be one of"),
    "embedding": ("x.yace", "FinnisSinclair,", "Linear,", 5, "npoti to be FinnisSinclair or"),
    "parameters": ("x.yace", "[1, 1.0]", "[1]", 5, "2 FS_parameters as ndensity says, got 1"),
    "exponent": ("x.yace", "0.5, 0.5]", "0.5, -0.5]", 6, "exponents in FS_parameters above 0, got -0.5"),
    "missing bond": ("x.yace", "  [1, 0]:", "  [1, 2]:", 8, "[1,0]: a block of keys and values, got none"),
    "coefficients": ("x.yace", "[[[1, 0.25], [0.5, 2]]]", "[[[1, 0.25], [0.5]]]", 8, "radcoefficients of shape"),
    "cutoff": ("x.yace", "rcut: 4.0", "rcut: -4.0", 8, "rcut above 0 and below 1000 A, got -4.0"),
    "word": ("x.yace", "rcut: 4.0", "rcut: [4.0]", 8, "rcut: a word, got a list"),
    "number": ("x.yace", "rcut: 4.0", "rcut: nan", 8, "a finite number for rcut, got 'nan'"),
    "twice": ("x.yace", "prehc: 0", "rcut: 0", 8, "each key once, got 'rcut'"),
    "bracket": ("x.yace", "[-1.5, 2]", "[-1.5, 2", 2, "as many closing brackets as opening ones"),
    "brace": ("x.yace", "prehc: 0,", "prehc, 0,", 8, "'key: value' between braces, got 'prehc'"),
    "inner": ("x.yace", "rcut: 3.6, inner_cutoff_type: distance", "rcut: 3.6, inner_cutoff_type: x", 1,
              "inner_cutoff_type to be one of density, distance, zbl, got 'x'"),
    "mu0": ("x.yace", "mu0: 1", "mu0: 0", 17, "mu0 = 1 among the functions of that element, got 0"),
    "density": ("x.yace", "mu0: 1, rank: 1, ndensity: 2", "mu0: 1, rank: 1, ndensity: 1", 17, "ndensity 2 as in"),
    "ctildes": ("x.yace", "[0.5, -0.5, 0.5]", "[0.5, -0.5]", 14, "3 numbers in ctildes, got 2"),
    "ms": ("x.yace", "[-1, 1, 0, 0, 1, -1]", "[-1, 1, 0, 0, 1]", 14, "6 numbers in ms_combs, got 5"),
    "m": ("x.yace", "[-1, 1, 0, 0, 1, -1]", "[-1, 1, 0, 0, 1, -2]", 14, "ms_combs between -l and l, got 2"),
    "n": ("x.yace", "ns: [1, 1]", "ns: [1, 2]", 1, "n up to 1 and l below 2, got n = 2, l = 1"),
    "rank 1 n": ("x.yace", "ns: [2]", "ns: [3]", 1, "ns of rank 1 up to 2, got 3"),
    "indentation": ("x.yace", "  1: {nd", "   1: {nd", 6, "an indentation as above, got '1: {nd"),
    "tabulator": ("x.yace", "  1: {nd", "\t1: {nd", 6, "an indentation of blanks, got a tabulator"),
    "two elements": ("x.ace", "elements: Cu", "elements: Cu Ni", 4, "one element in this format"),
    "old name": ("x.ace", "radbasename=", "radname=", 28, "radbasename, got none"),
    "old crad": ("x.ace", " -0.25 0.75\n", " -0.25\n", 22, "4 numbers of crad, got 3"),
    "old row": ("x.ace", "< 0  0 >:  -0.25  0.375", "< 0  0 >:  -0.25", 41, "2 m and 2 coefficients, got '< 0"),
    "old end": ("x.ace", "< 0  0 >:  -0.25  0.375\n", "", 41, "'< m .. >: coefficients', got ''"),
    "old count": ("x.ace", "total_basis_size: 1", "total_basis_size: 2", 42, "3 functions as total_basis_size_rank1"),
    "no block": ("x.yaml", "speciesblock: Ni Cu", "speciesblock: Cu Cu", 1, "speciesblock: Cu Ni, got none"),
    "no element": ("x.yaml", "type: Cu Ni,", "type: Cu Au,", 37, "elements among Cu, Ni, got Au"),
    "center": ("x.yaml", "type: Cu Ni,", "type: Ni Cu,", 37, "the central element Cu first, got Ni"),
    "lint": ("x.yaml", "lint: [0]", "lint: [2]", 23, "momenta that couple to zero, got l = [1, 1, 0] with L = [2]"),
    "c": ("x.yaml", "c: [0.5, 0.25]", "c: [0.5]", 37, "2 coefficients c, one for each density, got 1"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_malformed_files(tmp_path, case):
    name, old, new, line, expected = WRONG[case]
    said = refusal(read_ace, tmp_path / name, replaced(TEXTS[name], old, new))
    assert said.startswith(f"{tmp_path / name}:{line}: expected "), said
    assert expected in said

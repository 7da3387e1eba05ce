"""Reading and writing of POD files: hand-written texts, round trips, and sentences about what is wrong."""

from dataclasses import replace

import numpy as np
import pytest
from support.damage import refusal, replaced
from support.pod_models import synthetic_pod_model, synthetic_pod_models

from ase_mlips import POD, load
from ase_mlips.files.elements import ELEMENTS
from ase_mlips.pod import PodBasis, PodModel, radial, read_pod, write_pod
from ase_mlips.pod.settings import DEFAULTS

PARAMETERS = """# two elements
species In 'P'   # in this order
pbc 1 1 0
rin 0.8
rcut 5.5
bessel_polynomial_degree 2
inverse_polynomial_degree 1
twobody_number_radial_basis_functions 2
threebody_number_radial_basis_functions 1
threebody_angular_degree 0
fourbody_number_radial_basis_functions 0
fourbody_angular_degree 0
"""
COEFFICIENTS = "\nmodel_coefficients: 16 0 0\n" + "".join(f"{k}.5\n" for k in range(16))
BASIS = PodBasis(("In", "P"), 0.8, 5.5, 2, 1, (2, 1, 0, 0, 0, 0), (0, 0, 0, 0, 0))
NUMBERS = np.arange(16.0).reshape(2, 8) + 0.5
EXPECTED = PodModel(BASIS, NUMBERS[:, 0], NUMBERS[:, None, 1:])
ENDINGS = ["", "_param.pod", "_coefficients.pod", "_coeff.pod", ".pod.npz"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "m_param.pod").write_text(PARAMETERS)
    (tmp_path / "m_coeff.pod").write_text(COEFFICIENTS)
    return tmp_path


@pytest.mark.parametrize("name", ["m", "m_param.pod", "m_coeff.pod"])
def test_every_name_of_a_potential_reads_it(folder, name):
    assert read_pod(folder / name) == EXPECTED
    assert load(folder / name).model == EXPECTED


def test_any_names_when_both_are_given(folder):
    (folder / "m_param.pod").rename(folder / "one.txt")
    (folder / "m_coeff.pod").rename(folder / "two")
    assert read_pod(folder / "one.txt", folder / "two") == EXPECTED
    assert POD(folder / "one.txt", folder / "two").model == EXPECTED
    with pytest.raises(ValueError, match=r"one\.txt: expected a name that ends in _param\.pod"):
        read_pod(folder / "one.txt")


def test_absent_keys_have_the_defaults_of_lammps(tmp_path):
    (tmp_path / "m_param.pod").write_text("species Si\n")
    (tmp_path / "m_coefficients.pod").write_text("model_coefficients: 67 0 0\n" + "1\n" * 67)
    basis = read_pod(tmp_path / "m").basis
    assert basis == PodBasis(("Si",), 0.5, 5.0, 4, 8, (8, 6, 4, 0, 0, 0), (4, 3, 0, 0, 0))
    assert basis.descriptor_counts == (8, 30, 28)
    assert DEFAULTS["onebody"] == 1


@pytest.mark.parametrize(
    ("elements", "radial_functions", "angular_degrees", "counts"),
    [
        (("Si",), (8, 6, 4, 0, 0, 0), (5, 3, 0, 0, 0), (8, 36, 28, 0, 0, 0)),
        (("Si",), (8, 6, 5, 4, 3, 2), (6, 4, 4, 3, 2), (8, 42, 55, 78, 52, 13)),
        (("In", "P"), (6, 4, 3, 2, 2, 1), (3, 3, 2, 2, 1), (12, 48, 84, 60, 108, 20)),
    ],
)
def test_numbers_of_descriptors(elements, radial_functions, angular_degrees, counts):
    basis = PodBasis(elements, 1.0, 4.5, 4, 8, radial_functions, angular_degrees)
    assert (*basis.descriptor_counts, *map(len, basis.products)) == counts
    assert basis.n_descriptors == sum(counts)


@pytest.mark.filterwarnings("ignore:.*onebody is 0")
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("name", synthetic_pod_models())
def test_round_trip(tmp_path, name, ending):
    model = synthetic_pod_model(name)
    written = write_pod(tmp_path / f"x{ending}", model)
    found = read_pod(tmp_path / f"x{ending}")
    if ending == ".pod.npz":
        assert written == (str(tmp_path / "x.pod.npz"),)
        np.testing.assert_array_equal(found.basis.expansion, radial.expansion(model.basis))
        found = replace(found, basis=replace(found.basis, expansion=None))
    assert found == model


def test_radial_functions_of_its_own_need_the_own_format(tmp_path):
    model = synthetic_pod_model("four")
    phi = radial.expansion(model.basis)
    write_pod(tmp_path / "same", replace(model, basis=replace(model.basis, expansion=phi)))
    other = replace(model, basis=replace(model.basis, expansion=phi[:, ::-1]))
    with pytest.raises(ValueError, match=r"x_param\.pod: expected radial functions that LAMMPS makes, got others"):
        write_pod(tmp_path / "x_param.pod", other)
    write_pod(tmp_path / "x.pod.npz", other)
    assert read_pod(tmp_path / "x.pod.npz") == other
    assert read_pod(tmp_path / "x") == other


def test_a_model_without_constants_is_read_as_documented(tmp_path):
    write_pod(tmp_path / "x", synthetic_pod_model("no_constant"))
    with pytest.warns(UserWarning, match="LAMMPS takes the first of these coefficients for a constant"):
        POD(tmp_path / "x_param.pod")


def test_missing_files(folder):
    with pytest.raises(FileNotFoundError, match=r"looked for absent_param\.pod.*absent_param\.pod"):
        read_pod(folder / "absent")
    (folder / "m_coeff.pod").unlink()
    with pytest.raises(FileNotFoundError, match=r"looked for beside m_param\.pod.*m_coefficients\.pod"):
        read_pod(folder / "m_param.pod")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("rin 0.8", "rin 0.8 1", ":4: expected one value of rin, got 'rin 0.8 1'"),
        ("rin 0.8", "rin x", ":4: expected a finite number for rin, got 'x'"),
        ("rin 0.8", "rin 6", ":5: expected rcut between rin = 6.0 and 1000, got 5.5"),
        ("rin 0.8", "rout 0.8", ":4: expected a keyword of POD, got 'rout'"),
        ("rin 0.8", "quadratic22_number 1", "expected a keyword of POD as LAMMPS has it since 2023, got 'quadratic22"),
        ("pbc 1 1 0", "pbc 1 1", ":3: expected pbc to be three times 0 or 1"),
        ("pbc 1 1 0", "rcut 5", ":5: expected rcut once, got it again after line 3"),
        ("species In 'P'", "species In Qq", ":2: expected elements to be chemical symbols, got 'Qq'"),
        ("species In 'P'", "species", ":2: expected elements, got none"),
        ("species In 'P'", "pbc 1 1 1 #", ":3: expected pbc once"),
        ("threebody_angular_degree 0", "threebody_angular_degree 13", "angular_degrees between 0 and 12, got 13"),
        ("fourbody_number_radial_basis_functions 0", "fourbody_number_radial_basis_functions 2", "of three >= four >="),
        ("twobody_number_radial_basis_functions 2", "twobody_number_radial_basis_functions 8", "0 and 7, got 8"),
        ("rin 0.8", "rin 0.8\nonebody 2", "expected onebody to be 0 or 1, got '2'"),
        ("rin 0.8", "rin 0.8\nnumber_of_environment_clusters 0", "between 1 and 10000, got 0"),
    ],
)  # fmt: skip
def test_malformed_parameters(folder, old, new, said):
    sentence = refusal(read_pod, folder / "m_param.pod", replaced(PARAMETERS, old, new), beside=True)
    assert said in sentence


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("model_coefficients: 16 0 0", "POD_coefficients: 16", ":2: expected model_coefficients: as LAMMPS writes"),
        ("model_coefficients: 16 0 0", "model_coefficients: 16 0", ":2: expected model_coefficients: and the numbers"),
        ("model_coefficients: 16 0 0", "model_coefficients: 17 0 0", "expected model_coefficients: 16 0 0 as the"),
        ("\n7.5\n", "\n7.5 3\n", ":10: expected coefficient 8 of 16, got '7.5 3'"),
        ("\n7.5\n", "\nnan\n", ":10: expected a finite number for coefficient 8 of 16, got 'nan'"),
        ("\n15.5\n", "\n", ":17: expected coefficient 16 of 16, got the end of the file"),
        ("\n15.5\n", "\n15.5\n1\n", ":19: expected the end of the file after 16 numbers, got '1'"),
    ],
)  # fmt: skip
def test_malformed_coefficients(folder, old, new, said):
    assert said in refusal(read_pod, folder / "m_coeff.pod", replaced(COEFFICIENTS, old, new), beside=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rin": 0.0}, "rin to be at least"),
        ({"elements": ("Cu", "Cu")}, "elements to be distinct, got Cu twice"),
        ({"elements": "Cu"}, "the string 'Cu'"),
        ({"radial_functions": (0, 0, 0, 0, 0, 0)}, "that make 1 to 20000 descriptors, got 0"),
        ({"elements": ELEMENTS[:20], "radial_functions": (9, 9, 9, 0, 0, 0),
          "angular_degrees": (6, 6, 0, 0, 0)}, "that make 1 to 20000 descriptors, got"),
        ({"radial_functions": (1, 1)}, "of two, three, four, five, six, seven bodies, got 2 numbers"),
        ({"expansion": np.zeros((3, 3))}, "expansion of shape"),
    ],
)  # fmt: skip
def test_descriptors_without_meaning(change, said):
    with pytest.raises(ValueError, match=r"^expected ") as caught:
        replace(synthetic_pod_model("four").basis, **change)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"constants": np.zeros(3)}, "constants of shape (2,), got (3,)"),
        ({"coefficients": np.zeros((2, 2, 5))}, "coefficients of shape"),
        ({"coefficients": np.zeros((2, 5))}, "coefficients of shape (2, clusters,"),
        ({"onebody": False}, "constants to be zero because onebody is 0"),
        ({"onebody": 2}, "onebody to be 0 or 1, got 2"),
        ({"centroids": None}, "projections and centroids if there are several clusters only, got 2"),
        ({"centroids": np.zeros((2, 3, 2))}, "centroids of shape (2, 2, 2), got (2, 3, 2)"),
    ],
)
def test_models_without_meaning(change, said):
    with pytest.raises(ValueError, match=r"^expected ") as caught:
        replace(synthetic_pod_model("two_clusters"), **change)
    assert said in str(caught.value)

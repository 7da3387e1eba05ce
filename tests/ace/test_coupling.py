"""Clebsch-Gordan coefficients, invariance of the coupled products, and how many of them are independent."""

import math
from itertools import islice, product

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support.ace_oracle import harmonic

from ase_mlips.ace import ace_template, read_ace
from ase_mlips.ace.coupling import clebsch_gordan, couplings, intermediates, tree


def test_known_coefficients():
    assert clebsch_gordan(1, 1, 1, -1, 0, 0) == pytest.approx(1 / math.sqrt(3))
    assert clebsch_gordan(1, 0, 1, 0, 2, 0) == pytest.approx(math.sqrt(2 / 3))
    assert clebsch_gordan(2, 1, 1, -1, 1, 0) == pytest.approx(math.sqrt(3 / 10))
    assert clebsch_gordan(1, 0, 1, 0, 1, 0) == 0.0
    assert clebsch_gordan(1, 1, 1, 1, 1, 2) == 0.0


@pytest.mark.parametrize(("j1", "j2"), [(1, 1), (2, 1), (3, 2), (4, 4)])
def test_they_are_orthonormal(j1, j2):
    states = [(J, M) for J in range(abs(j1 - j2), j1 + j2 + 1) for M in range(-J, J + 1)]
    pairs = list(product(range(-j1, j1 + 1), range(-j2, j2 + 1)))
    matrix = np.array([[clebsch_gordan(j1, m1, j2, m2, J, M) for m1, m2 in pairs] for J, M in states])
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(len(states)), atol=1e-13)


def test_trees():
    assert tree(3) == ((0, 1), (3, 2))
    assert tree(4) == ((0, 1), (2, 3), (4, 5))
    assert tree(5) == ((0, 1), (2, 3), (5, 6), (7, 4))
    assert tree(6) == ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9))


@pytest.mark.parametrize("ls", [(0,), (2, 2), (1, 2, 3), (1, 1, 2, 2), (1, 2, 1, 1, 1), (1, 1, 1, 1, 1, 1)])
def test_coupled_products_do_not_change_under_rotations(ls):
    rng = np.random.default_rng(1)
    points = rng.normal(size=(len(ls), 2, 3))
    turn = Rotation.random(rng=1).as_matrix()

    def value(points, inner):
        def harmonics(degree, vectors, m):
            return sum(harmonic(degree, m, v / np.linalg.norm(v)) for v in vectors)

        ms, values = couplings(ls, inner)
        return sum(
            c * math.prod(harmonics(degree, own, m) for degree, own, m in zip(ls, points, row, strict=True))
            for row, c in zip(ms.tolist(), values, strict=True)
        )

    for inner in islice(intermediates(ls), 2) if len(ls) > 1 else [()]:
        first = value(points, inner)
        assert abs(first.imag) < 1e-12
        assert value(points @ turn.T, inner) == pytest.approx(first, abs=1e-11)


def test_what_does_not_couple():
    for wrong in ((1, 2), (0,)), ((1, 1, 1), ()), ((1, 1, 2), (1,)), ((1,), ()):
        with pytest.raises(ValueError, match="expected "):
            couplings(*wrong)


def test_functions_of_a_template_are_independent_and_complete():
    """As many of four equal factors as there are invariants, and of silicon's list as FitSNAP-like tables have."""
    counts = {degree: len(ace_template(["Si"], cutoff=5.0, nmax=[1] * 4, lmax=[0, 0, 0, degree]).functions[0]) - 3
              for degree in (0, 1)}  # fmt: skip
    assert counts == {0: 1, 1: 3}  # 1; and (0011), (1111) beside (0000): two of four vectors and one of two
    ranks = [f.rank for f in ace_template(["Si"], cutoff=5.0, nmax=[8, 3, 2], lmax=[0, 4, 3]).functions[0]]
    assert [ranks.count(rank) for rank in (1, 2, 3)] == [8, 30, 46]


def test_the_template_has_the_functions_of_the_fitted_reference(shared):
    model = read_ace(shared / "reference" / "ace" / "models" / "si_fit.yace")
    template = ace_template(["Si"], cutoff=5.0, nmax=[8, 3, 2], lmax=[0, 4, 3])
    ours, theirs = ({(f.ns, f.ls) for f in found.functions[0] if f.rank < 4} for found in (template, model))
    assert {tuple(sorted(zip(*key, strict=True))) for key in ours} == {
        tuple(sorted(zip(*key, strict=True))) for key in theirs
    }


@pytest.mark.parametrize("wrong", [{"nmax": [1, 2]}, {"nmax": [1, 0], "lmax": [0, 1]}, {"nmax": [2], "lmax": [1]}])
def test_templates_that_have_no_meaning(wrong):
    with pytest.raises(ValueError, match="expected nmax >= 1 and lmax of as many ranks, the first 0, got"):
        ace_template(["Si"], cutoff=5.0, **{"nmax": [2], "lmax": [0], **wrong})

"""Grades from the terms of one pass are those from the gradients by all parameters."""

import numpy as np
import pytest
from support.graded_cells import rattled
from support.mtp_models import synthetic_mtp_model

from ase_mlips import MTP
from ase_mlips.mtp.grade import extrapolation_grade, grader

pytestmark = pytest.mark.filterwarnings("ignore:the training set of this active set")


@pytest.mark.parametrize("parameters", ["full", "linear"])
@pytest.mark.parametrize("name", ["l06", "l10_repuls", "l06_taylor"])
def test_grades_of_both_ways(name: str, parameters: str) -> None:
    calc = MTP(synthetic_mtp_model(name), num_threads=1)
    active_set = calc.select_active_set((rattled(calc, seed) for seed in range(20)), parameters=parameters)
    for seed, size in ((30, 0.1), (31, 0.3)):
        atoms = rattled(calc, seed, size)
        expected = extrapolation_grade(calc.model, active_set, calc.get_parameter_gradients(atoms))
        found = calc.get_extrapolation_grade(atoms)
        np.testing.assert_allclose(found.neighborhoods, expected.neighborhoods, rtol=1e-6)
        assert found.configuration == found.neighborhoods.max()


def test_a_new_active_set_takes_the_place_of_the_old_one() -> None:
    calc = MTP(synthetic_mtp_model("l06"), num_threads=1)
    atoms, grades = rattled(calc, 30, 0.3), []
    for seeds in (range(10), range(5, 25)):
        active_set = calc.select_active_set(rattled(calc, seed) for seed in seeds)
        grades.append(calc.get_extrapolation_grade(atoms).configuration)
        assert grades[-1] == pytest.approx(
            extrapolation_grade(calc.model, active_set, calc.get_parameter_gradients(atoms)).configuration, rel=1e-6
        )
    assert grades[0] != pytest.approx(grades[1], rel=1e-3)
    calc.select_active_set([rattled(calc, seed) for seed in range(20)], mode="configuration")
    assert grader(calc.model, calc.active_set) is None
    assert calc.get_extrapolation_grade(atoms).neighborhoods is None

"""Templates against the numbers of MLIP's own, and against every table that is at hand."""

import time

import numpy as np
import pytest

from ase_mlips.mtp.files import read_mtp
from ase_mlips.mtp.templates import moment_tables, untrained

# level: moments, basic ones, products, scalars, largest nu of each mu, scalars of 1, 2, 3, 4 factors
COUNTS = {
    2: (1, 1, 0, 1, (0,), (1, 0, 0, 0)),
    4: (2, 1, 1, 2, (0,), (1, 1, 0, 0)),
    6: (8, 5, 5, 5, (1, 0), (2, 2, 1, 0)),
    8: (18, 11, 14, 9, (2, 0), (2, 4, 2, 1)),
    10: (41, 25, 42, 16, (3, 1, 0), (3, 6, 5, 2)),
    12: (84, 46, 117, 29, (4, 2, 0), (3, 10, 10, 6)),
    14: (174, 81, 348, 52, (5, 3, 1, 0), (4, 14, 20, 14)),
    16: (350, 130, 969, 92, (6, 4, 2, 0), (4, 20, 35, 33)),
    18: (718, 201, 2634, 163, (7, 5, 3, 1, 0), (5, 26, 62, 70)),
    20: (1352, 295, 6349, 288, (8, 6, 4, 2, 0), (5, 35, 100, 148)),
    22: (2621, 421, 15431, 500, (9, 7, 5, 3, 1, 0), (6, 44, 160, 290)),
    24: (4991, 581, 36170, 864, (10, 8, 6, 4, 2, 0), (6, 56, 244, 558)),
    28: (17366, 866, 180069, 2445, (10, 10, 8, 6, 4, 2), (6, 81, 524, 1834)),
}


def factors(model) -> np.ndarray:
    """How many basic moments each moment is a product of."""
    result = np.ones(model.n_moments, dtype=int)
    for first, second, _, product in model.times:
        result[product] = result[first] + result[second]
    return result


@pytest.mark.parametrize("level", [level for level in COUNTS if level < 28])
def test_counts(level):
    require_counts(level)


def require_counts(level: int) -> None:
    moments, basic, times, scalars, highest, by_factors = COUNTS[level]
    model = untrained(level, ["Si"])
    assert (model.n_moments, len(model.basic), len(model.times), len(model.mapping)) == (moments, basic, times, scalars)
    assert model.radial_functions == len(highest)
    ranks = model.basic[:, 1:].sum(axis=1)
    assert tuple(ranks[model.basic[:, 0] == mu].max() for mu in range(len(highest))) == highest
    assert tuple(np.bincount(factors(model)[model.mapping], minlength=5)[1:]) == by_factors


def test_all_moments_are_used():
    model = untrained(16, ["Si"])
    used = {*model.times[:, :2].ravel().tolist(), *model.mapping.tolist()}
    assert set(range(len(model.basic), model.n_moments)) <= used
    assert np.all(model.times[:, 0] <= model.times[:, 1])


def test_tables_of_level_8():
    model = untrained(8, ["Si"])
    assert model.basic[:5].tolist() == [[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 2, 0, 0]]
    first = [[0, 0, 1, 11], [1, 1, 1, 12], [2, 2, 1, 12], [3, 3, 1, 12], [4, 4, 1, 13], [5, 5, 2, 13]]
    assert model.times[:6].tolist() == first
    assert model.mapping.tolist() == [0, 10, 11, 12, 13, 14, 15, 16, 17]


@pytest.mark.parametrize("folder", ["reference/mtp", "data"])
def test_tables_of_files(shared, folder):
    by_size = {counts[3]: level for level, counts in COUNTS.items()}
    levels = set()
    for path in sorted((shared / folder).rglob("*mtp")):
        model = read_mtp(path)
        level = by_size[len(model.mapping)]
        tables = moment_tables(level)
        for name in ("basic", "times", "mapping"):
            assert np.array_equal(getattr(model, name), getattr(tables, name)), (path, name)
        assert model.n_moments == tables.n_moments
        levels.add(level)
    assert levels == ({2, 8, 10, 12, 14, 16, 20, 22, 24} if folder != "data" else {6, 8, 10, 14, 16, 18, 20, 22, 24})


@pytest.mark.parametrize("level", [3, 9, 17])
def test_odd_levels_add_nothing(level):
    assert untrained(level, ["Si"]) == untrained(level - 1, ["Si"])


def test_arguments():
    model = untrained(6, ["Cu", "P"], min_dist=1.5, max_dist=6.5, radial_size=10)
    assert (model.species, model.min_dist, model.max_dist) == (("Cu", "P"), 1.5, 6.5)
    assert model.radial_coefficients.shape == (0, 0, 2, 10)
    assert (model.trained, model.name, model.radial_basis) == (False, "MTP1m", "RBChebyshev")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"level": 1}, "level between 2 and 28, got 1"),
        ({"level": 30}, "level between 2 and 28, got 30"),
        ({"level": 8.0}, "level to be an integer, got 8.0"),
        ({"species": []}, "species as chemical symbols, got none"),
        ({"species": ["Si", "Si"]}, "species to be distinct"),
        ({"radial_size": 0}, "radial_size between 1 and"),
        ({"max_dist": 2.0}, "max_dist above min_dist 2, got 2"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=f"^expected {message}"):
        untrained(**{"level": 8, "species": ["Si"], **arguments})


def test_the_largest_takes_seconds_once():
    """No other test asks for it, so that the first call here is the first of all."""
    misses, start = moment_tables.cache_info().misses, time.thread_time()
    untrained(28, ["Si"])
    assert time.thread_time() - start < 8.0
    assert moment_tables.cache_info().misses == misses + 1
    start = time.thread_time()
    untrained(28, ["Si", "O"])
    assert time.thread_time() - start < 0.5
    require_counts(28)

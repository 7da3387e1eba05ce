"""What results show of themselves: a line, a table, columns of text, and figures whose labels can be read."""

import html
from itertools import pairwise

import numpy as np
import pytest
from ase.build import bulk
from ase_mlips.analysis.tables import write_columns
from matplotlib import pyplot
from support.springs import Springs, rock_salt

from ase_mlips.phonons import (
    Bands,
    Gruneisen,
    QuasiHarmonic,
    ThermalConductivity,
    compare_phonons,
    gruneisen,
    phonons,
)
from ase_mlips.phonons.bands import recommended_path, special_points

T = np.array([0.0, 290.0, 600.0])


@pytest.fixture(scope="module")
def salt():
    return phonons(rock_salt(), Springs(), supercell=2, relaxed="positions")


@pytest.fixture(scope="module")
def results(salt):
    kappa = np.array([2.0, 1.0])[:, None, None] * np.eye(3)
    return {
        "Bands(path: Γ X W K Γ L U W L K|U X, frequencies: ": salt.bands(40),
        "PhononDOS(elements: Na, Cl, states: 6 per primitive cell, frequencies: ": salt.dos(mesh=(4, 4, 4)),
        "ThermalProperties(zero-point energy: ": salt.thermal(T, mesh=(4, 4, 4)),
        "Gruneisen(mean at 300 K: 1.701, parameters: 1.701)": gruneisen(salt, Springs(gamma=1.7), mesh=(3, 3, 3)),
        "QuasiHarmonic(volume at 290 K: 41 A^3, volume expansion at 290 K: 30e-6 /K, bulk modulus at 290 K: 50 GPa, "
        "C_p at 290 K: 49 J/(K mol))": QuasiHarmonic(T, T * 0 + 41.0, T * 0 + 3e-5, T * 0 + 50.0, T * 0 + 49.0, T, T),
        "ThermalConductivity(kappa at 290 K: 2 W/(m K), method: rta, mesh: 3 x 3 x 3, symmetrised: fc3 by 1.2 %)": (
            ThermalConductivity(T[1:], kappa, np.array([3, 3, 3]), "rta", symmetrised={"fc3": 0.012})
        ),
    }


def test_one_line_of_values_with_units(results):
    for line, result in results.items():
        assert repr(result).startswith(line)
        assert "\n" not in repr(result)


def test_tables_for_notebooks(results, salt):
    for result in results.values():
        table = html.unescape(result._repr_html_())
        assert table.startswith("<table><tr><th>")
        for name, value in result.facts().items():
            assert f"<th>{name}</th><td>{value}</td>" in table
    assert "<td>ClNa, Fm-3m (225)</td>" in salt._repr_html_()
    assert "<th>Born charges</th><td>no</td>" in salt._repr_html_()
    assert "<th>pressure</th><td>0 GPa</td>" in salt.relaxation._repr_html_()
    comparison = compare_phonons(salt, {"<a>": Springs(along=6.0)}, mesh=(2, 2, 2))
    assert "<td>&lt;a&gt;</td>" in comparison._repr_html_()
    assert repr(comparison) == f"PhononComparison(<a> on ClNa: {comparison.rmse['ClNa', '<a>']:.4f} THz)"


@pytest.mark.parametrize("ending", ["csv", "dat"])
def test_columns_of_text(results, ending, tmp_path):
    for result in results.values():
        path = tmp_path / f"columns.{ending}"
        result.write_text(path)
        columns = result.columns()
        rows = np.genfromtxt(path, delimiter="," if ending == "csv" else None, skip_header=ending == "csv")
        np.testing.assert_allclose(rows.T, list(columns.values()), rtol=1e-9)
        comments = [line for line in path.read_text().splitlines() if line.startswith("#")]
        assert comments[:-1] == [f"# {what}: {value}" for what, value in result.facts().items() if comments]
        header = comments[-1] if comments else path.read_text().splitlines()[0]
        if ending == "csv":
            assert header.split(",") == list(columns)
        else:
            assert header.startswith("#")
            positions = [header.index(name) for name in columns]
            assert positions == sorted(positions)
    assert list(tmp_path.iterdir()) == [path]


def test_a_table_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "old.dat"
    path.write_text("old")
    with pytest.raises(ValueError, match="shorter"):
        write_columns(path, {"a": np.arange(3.0), "b": np.arange(2.0)})
    assert path.read_text() == "old"


CELLS = {
    "cubic": bulk("Si").cell.array,
    "trigonal": bulk("Hg").cell.array,
    "triclinic": np.array([[3.0, 0.0, 0.0], [0.4, 4.0, 0.0], [0.9, 0.3, 5.0]]),
    "tetragonal": np.array([[-2.0, 2.0, 6.0], [2.0, -2.0, 6.0], [2.0, 2.0, -6.0]]),
}


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
@pytest.mark.parametrize("width", [3.5, 5.0, 9.0])
def test_labels_do_not_touch(cell, width):
    path = recommended_path(cell, 60)
    bands = Bands(path.q_points, path.distances, np.ones((len(path.distances), 1)), path.ticks, path.labels)
    figure = pyplot.figure(figsize=(width, 3.0), layout="constrained")
    ax = bands.plot(figure.subplots(1, 2, width_ratios=(3, 1))[0])
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.get_xticklabels()]
    rows = {round(box.y1) for box in boxes}
    assert len(rows) <= 2 if width > 4.0 else True
    for one, other in pairwise(boxes):
        assert not one.overlaps(other)
    assert all(box.y0 >= 0.0 for box in boxes)


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_names_of_special_points_are_plain(cell):
    assert not any(set("$_{}\\") & set(name) for name in [*special_points(cell), *recommended_path(cell).labels])


def test_no_mean_of_modes_that_are_not_there():
    still = Gruneisen(np.zeros((1, 3)), np.ones(1), np.zeros((1, 3)), np.full((1, 3), np.nan))
    assert repr(still) == "Gruneisen(mean at 300 K: not known, parameters: none)"

"""``ase-mlips phonons``."""

import warnings

import phonopy
import pytest
from ase.build import bulk
from support.command_line import table

from ase_mlips.cli import main


@pytest.fixture
def silicon(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bulk("Si", a=5.43).write("si.cif")
    return tmp_path


def test_figure_table_and_yaml(silicon, capsys):
    assert main(["phonons", "si.cif", "embedded:Si", "--supercell", "4", "-o", "out.d"]) == 0
    words = table(capsys.readouterr().out)
    assert words["space"][1:] == ["Fd-3m", "(227)"]
    assert words["supercells"][:4] == ["1", "of", "128", "atoms,"]
    assert words["stable"] == ["yes"]
    assert [float(f) for f in words["Γ"][:3]] == [0.0] * 3
    assert float(words["300.0000"][2]) == pytest.approx(40.256, abs=0.01)
    assert {path.name for path in silicon.iterdir()} == {
        "si.cif",
        *(f"out.d.{ending}" for ending in ("png", "yaml", "txt", "bands.dat", "dos.dat")),
    }
    loaded = phonopy.load("out.d.yaml", primitive_matrix=None, log_level=0)
    assert loaded.run_qpoints([[0, 0, 0]]).frequencies[0, 5] == pytest.approx(float(words["Γ"][5]), abs=1e-4)
    assert table((silicon / "out.d.txt").read_text())["300.0000"] == words["300.0000"]


@pytest.mark.parametrize("output", ["", ".", "sub/", "..", "missing/out"])
def test_names_of_files_are_checked_before_the_work(silicon, output, capsys):
    (silicon / "sub").mkdir()
    assert main(["phonons", "absent.cif", "embedded:Si", "-o", output]) == 2
    assert "absent.cif" not in capsys.readouterr().err
    assert [path.name for path in silicon.iterdir() if not path.is_dir()] == ["si.cif"]


def test_warnings_are_sentences(silicon, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert main(["phonons", "si.cif", "embedded:Si", "--supercell", "2"]) == 0
    error = capsys.readouterr().err
    assert "ase-mlips: the supercell is" in error
    assert ".py" not in error


def test_mistakes(silicon, capsys):
    assert main(["phonons", "si.cif", "embedded:Si", "--supercell", "4", "4"]) == 2
    assert "--supercell: expected one or three numbers, got 2" in capsys.readouterr().err
    slab = bulk("Si")
    slab.pbc = (True, True, False)
    slab.write("slab.xyz")
    assert main(["phonons", "slab.xyz", "embedded:Si", "--supercell", "4"]) == 2
    assert "periodic in three directions" in capsys.readouterr().err
    atoms = bulk("Si", a=5.46)
    atoms.positions[0, 0] += 0.1
    atoms.write("rattled.xyz")
    assert main(["phonons", "rattled.xyz", "embedded:Si", "--supercell", "4", "--relax", "none"]) == 2
    assert "not relaxed: the largest force is" in capsys.readouterr().err

"""``ase-mlips phonons``."""

import warnings

import numpy as np
import phonopy
import pytest
from ase.build import bulk
from support.command_line import table
from support.springs import Springs, rock_salt

from ase_mlips.cli import main
from ase_mlips.phonons import Phonons, conduct

phono3py = pytest.importorskip("phono3py")


@pytest.fixture
def silicon(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bulk("Si", a=5.43).write("si.cif")
    return tmp_path


def test_figure_table_and_yaml(silicon, capsys):
    assert main(["phonons", "embedded:Si", "si.cif", "--supercell", "4", "-o", "out.d"]) == 0
    words = table(capsys.readouterr().out)
    assert words["space"][1:] == ["Fd-3m", "(227)"]
    assert words["supercells"][:4] == ["1", "of", "128", "atoms,"]
    assert words["stable"] == ["yes"]
    assert [float(f) for f in words["Γ"][:3]] == [0.0] * 3
    assert float(words["300.0000"][2]) == pytest.approx(40.323, abs=0.01)
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
    assert main(["phonons", "embedded:Si", "absent.cif", "-o", output]) == 2
    assert "absent.cif" not in capsys.readouterr().err
    assert [path.name for path in silicon.iterdir() if not path.is_dir()] == ["si.cif"]


def test_warnings_are_sentences(silicon, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert main(["phonons", "embedded:Si", "si.cif", "--supercell", "2"]) == 0
    error = capsys.readouterr().err
    assert "ase-mlips: the supercell is" in error
    assert ".py" not in error


def test_mistakes(silicon, capsys):
    assert main(["phonons", "embedded:Si", "si.cif", "--supercell", "4", "4"]) == 2
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


def test_columns_of_bands_and_states(silicon):
    assert main(["phonons", "embedded:Si", "si.cif", "--supercell", "4", "--mesh", "6", "6", "6"]) == 0
    bands = np.loadtxt("phonons.bands.dat")
    assert bands.shape[1] == 4 + 6
    assert (np.diff(bands[:, 0]) >= 0.0).all()
    states = np.loadtxt("phonons.dos.dat")
    assert np.trapezoid(states[:, 1], states[:, 0]) == pytest.approx(6.0, rel=0.01)


@pytest.mark.filterwarnings("always::UserWarning")
def test_everything_beyond_the_harmonic_crystal(silicon, capsys):
    command = ["phonons", "embedded:Si", "si.cif", "--supercell", "2", "--mesh", "20", "-o", "si"]
    beyond = ["--gruneisen", "--qha", "--kappa", "rta", "--temperatures", "0", "300", "600"]
    assert main([*command, *beyond]) == 0
    captured = capsys.readouterr()
    words = table(captured.out)
    assert "0.0000" in words
    assert "100.0000" not in words
    assert "the supercell is too small" in captured.err
    written = {path.name for path in silicon.iterdir()}
    for ending in ("gruneisen.dat", "gruneisen.png", "qha.dat", "qha.png", "kappa.dat", "kappa.png", "phono3py.yaml"):
        assert f"si.{ending}" in written
    temperatures, mean, *tensor = np.loadtxt("si.kappa.dat").T
    assert temperatures.tolist() == [300.0, 600.0]
    np.testing.assert_allclose(tensor[:3], [mean] * 3, rtol=1e-6)
    for what in ("frequency", "path"):
        assert np.loadtxt(f"si.kappa-{what}.dat")[-1, 1] == pytest.approx(mean[0])
    assert np.loadtxt("si.qha.dat")[:, 0].tolist() == [0.0, 300.0, 600.0]
    again = phono3py.load("si.phono3py.yaml", log_level=0)
    result = conduct(again, mesh=20.0)
    # phono3py imposes the same symmetries by another algorithm.  A mesh of length 10 is too coarse to compare: there
    # noise of 1e-13 eV/A in the forces scatters the conductivity by 1.4 %, here by 0.2 %.
    assert result.mean[0] == pytest.approx(mean[0], rel=0.02)


def test_born_charges(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ase_mlips.cli.phonons.chosen_model", lambda args: Springs())
    rock_salt().write("salt.xyz")
    (tmp_path / "charges").write_text("14.4\n3 0 0 0 3 0 0 0 3\n1 0 0 0 1 0 0 0 1\n-1 0 0 0 -1 0 0 0 -1\n")
    (tmp_path / "BORN").write_text("14.4\n3 0 0 0 3 0 0 0 3\n9 0 0 0 9 0 0 0 9\n-9 0 0 0 -9 0 0 0 -9\n")
    command = ["phonons", "model", "salt.xyz", "--supercell", "2", "--mesh", "4", "4", "4", "--force"]
    top = []
    for born in ([], ["--born", "charges"]):
        assert main([*command, *born]) == 0
        top.append(np.loadtxt("phonons.bands.dat")[0, -1])
    assert top[1] > top[0] + 0.5
    assert Phonons.load("phonons.yaml").phonopy.nac_params["born"][0, 0, 0] == pytest.approx(1.0)
    assert main([*command, "--born", "missing"]) != 0
    assert "missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--mesh", "4", "4"], "--mesh: expected a length in A or three integers, got 4 4"),
        (["--mesh", "4", "4", "2.5"], "--mesh: expected a length in A or three integers, got 4 4 2.5"),
        (["--qha", "--mesh", "4", "4", "4"], "--mesh: with --qha, expected a length in A"),
        (["--kappa", "rta", "--temperatures", "0"], "temperatures: expected one or more in K that are positive"),
    ],
)
def test_options_are_checked_before_the_work(silicon, options, message, capsys):
    assert main(["phonons", "embedded:Si", "si.cif", *options]) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in silicon.iterdir()] == ["si.cif"]


def test_the_conductivity_without_phono3py(silicon, monkeypatch, capsys):
    monkeypatch.setattr("ase_mlips.cli.phonons.find_spec", lambda name: None)
    assert main(["phonons", "embedded:Si", "si.cif", "--kappa", "rta"]) == 2
    assert "pip install phono3py" in capsys.readouterr().err
    assert [path.name for path in silicon.iterdir()] == ["si.cif"]


@pytest.mark.filterwarnings("always::UserWarning")
def test_ctrl_c_during_the_conductivity_keeps_the_forces(silicon, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("ase_mlips.cli.phonons_beyond.conduct", interrupted)
    assert main(["phonons", "embedded:Si", "si.cif", "--supercell", "2", "--mesh", "10", "--kappa", "rta"]) == 130
    assert phono3py.load("phonons.phono3py.yaml", log_level=0, produce_fc=False).forces.shape[1:] == (16, 3)
    assert Phonons.load("phonons.yaml").frequencies([0, 0, 0])[0, 5] > 14.0
    assert not (silicon / "phonons.kappa.dat").exists()
    assert not [path for path in silicon.iterdir() if path.name.startswith(".")]

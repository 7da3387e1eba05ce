"""Files of every family in the hands of the command."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.io import read, write
from support import mtp_oracle, nep_oracle
from support.command_line import table
from support.mtp_cells import as_atoms, crystal
from support.mtp_models import synthetic_mtp_model
from support.nep_cells import rattled_cell
from support.nep_models import synthetic_nep_models

from ase_mlips import MTP, SNAP, load
from ase_mlips.cli import main
from ase_mlips.fit import snap_template
from ase_mlips.mtp import write_mtp
from ase_mlips.nep import write_nep
from ase_mlips.snap import write_snap


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_info_of_a_snap_file(here, capsys):
    write_snap("model.snapcoeff", snap_template(["Cu", "Ni"], radii=[2.2, 1.9], twojmax=6, rcutfac=1.0))
    assert main(["info", "model.snapcoeff"]) == 0
    said = table(capsys.readouterr().out)
    assert said["family"] == ["SNAP"]
    assert said["elements"] == ["Cu", "Ni"]
    assert said["cutoff"] == ["4.4", "Å"]
    assert said["twojmax"] == ["6"]
    assert said["radii"] == ["2.2", "1.9"]
    assert " ".join(said["coefficients"]) == "array of shape 2 x 31, from 0 to 0"
    assert "zbl" not in said


def test_info_of_a_nep_file(here, capsys):
    write_nep("nep.txt", synthetic_nep_models()["charge1_per_type_zbl_flexible"])
    assert main(["info", "nep.txt"]) == 0
    said = table(capsys.readouterr().out)
    assert said["family"] == ["NEP"]
    assert said["elements"] == ["Si", "O", "Al"]
    assert said["cutoff"] == ["5.6", "Å"]
    assert said["version"] == ["4"]
    assert said["charge_mode"] == ["1"]
    assert said["radial_cutoffs"] == ["5", "4.2", "5.6"]
    assert said["angular_cutoffs"] == ["4.1", "3.6", "4.4"]
    assert said["n_max"] == ["3", "2"]
    assert said["invariants"] == ["222"]
    assert " ".join(said["network"]) == "NepNetwork(3 of 10 neurons, 19 descriptors)"
    assert " ".join(said["zbl"]) == "NepZbl(flexible, 6 pairs)"
    assert "charges" in said["properties"]
    assert "scalar_network" not in said


def test_info_of_a_model_without_properties_of_ase(here, capsys):
    write_nep("nep.txt", synthetic_nep_models()["polarizability"])
    assert main(["info", "nep.txt"]) == 0
    said = table(capsys.readouterr().out)
    assert said["kind"] == ["polarizability"]
    assert "properties" not in said


def test_evaluate_with_a_nep_file(here, capsys):
    model = synthetic_nep_models()["charge1_zbl"]
    write_nep("nep.txt", model)
    species, positions, cell, pbc = rattled_cell(model)
    atoms = Atoms([model.elements[s] for s in species], positions, cell=cell, pbc=pbc)
    write("in.extxyz", atoms)
    assert main(["evaluate", "nep.txt", "in.extxyz", "-o", "out.extxyz"]) == 0
    expected = nep_oracle.evaluate(model, species, positions, cell, pbc)
    np.testing.assert_allclose(read("out.extxyz").get_forces(), expected.forces, atol=1e-5)
    write("cluster.extxyz", Atoms("Si2", positions=[[0, 0, 0], [2.5, 0, 0]]))
    capsys.readouterr()
    assert main(["evaluate", "nep.txt", "cluster.extxyz"]) == 2
    message = capsys.readouterr().err
    assert message.startswith("ase-mlips: cluster.extxyz: frame 0: a nep4_zbl_charge1 model sums its charges")
    assert message.count("\n") == 1


def test_embedded_model_by_name(here, capsys):
    assert main(["info", "embedded:Mo", "--threads", "1"]) == 0
    assert table(capsys.readouterr().out)["elements"] == ["Mo"]
    assert load("embedded:Mo", num_threads=1).model == SNAP("embedded:Mo").model == SNAP.embedded("Mo").model
    assert load("embedded:Mo").parameters["model"] == "embedded:Mo"
    with pytest.raises(ValueError, match="there is no embedded SNAP model 'Unobtainium'; expected one of Si, Mo"):
        load("embedded:Unobtainium")


@pytest.fixture
def mtp(here):
    """Atoms that model.mtp is for, a file that does not name its species: Si and Ge."""
    model = synthetic_mtp_model("l08")
    write_mtp("model.mtp", model)
    atoms = as_atoms(model, crystal(model))
    write("in.extxyz", atoms)
    return atoms


def test_info_of_an_mtp_file(mtp, capsys):
    assert main(["info", "model.mtp", "--species", "Si", "Ge"]) == 0
    said = table(capsys.readouterr().out)
    assert said["family"] == ["MTP"]
    assert said["elements"] == said["species"] == ["Si", "Ge"]
    assert said["cutoff"] == ["5", "Å"]
    assert said["radial_basis"] == ["RBChebyshev"]
    assert said["min_dist"] == ["1.9"]
    assert said["name"] == ["l08"]
    assert " ".join(said["radial_coefficients"]).startswith("array of shape 2 x 2 x 2 x 8, from ")
    assert "labels" not in said
    assert "tag" not in said


def test_species_in_another_file_are_named_by_their_numbers(here, capsys):
    write_mtp("model.mtp", replace(synthetic_mtp_model("l08"), labels=(14, 32)))
    assert main(["info", "model.mtp"]) == 0
    said = table(capsys.readouterr().out)
    assert said["elements"] == ["Si", "Ge"]
    assert said["labels"] == ["14", "32"]


def test_evaluate_and_relax_and_md_with_an_mtp_file(mtp):
    model = synthetic_mtp_model("l08")
    species = [model.species.index(symbol) for symbol in mtp.symbols]
    expected = mtp_oracle.evaluate(model, species, mtp.positions, mtp.cell.array, mtp.pbc)
    named = ["--species", "Si", "Ge", "--threads", "1"]
    assert main(["evaluate", "model.mtp", "in.extxyz", "-o", "out.extxyz", *named]) == 0
    np.testing.assert_allclose(read("out.extxyz").get_forces(), expected.forces, atol=1e-5)
    assert main(["relax", "model.mtp", "in.extxyz", "-o", "relaxed.extxyz", "--steps", "1", *named]) == 1
    assert len(read("relaxed.extxyz")) == 8
    assert main(["md", "model.mtp", "in.extxyz", "--steps", "2", "--interval", "1", "--timestep", "0.1", *named]) == 0
    first = read("md.traj@0")
    assert first.get_potential_energy() == pytest.approx(expected.energies.sum(), rel=1e-8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["model.mtp"], "the file does not name the 2 species of this MTP"),
        (["model.mtp", "--species", "Si"], "model.mtp:5: expected species as 2 chemical symbols, got Si"),
        (["model.mtp", "--species", "Si", "Qq"], "model.mtp:5: expected species to be chemical symbols"),
        (["untrained.mtp", "--species", "Si", "Ge"], "this MTP is untrained"),
        (["nep.txt", "--species", "Si", "Ge"], "nep.txt: --species is for MTP files, which do not name theirs"),
        (["embedded:Si", "--species", "Si"], "embedded:Si: --species is for MTP files"),
        (["none.mtp", "--species", "Si", "Ge"], "none.mtp: expected a file of "),
    ],
)
def test_species_that_do_not_fit_a_file_are_one_sentence(mtp, capsys, arguments, message):
    write_mtp("untrained.mtp", MTP.untrained(2, ["Si", "Ge"]))
    write_nep("nep.txt", synthetic_nep_models()["nep4"])
    assert main(["evaluate", arguments[0], "in.extxyz", *arguments[1:]]) == 2
    said = capsys.readouterr().err
    assert said.startswith("ase-mlips: ")
    assert message in said
    assert said.count("\n") == 1


TYPES = """BEGIN_CFG
 Size
    2
 Supercell
    6 0 0
    0 6 0
    0 0 6
 AtomData:  id type cartes_x cartes_y cartes_z fx fy fz
    2 1  2.5 0 0  0 0 0
    1 0  0 0 0  0 0 0
 Energy
    0.0
END_CFG
"""


@pytest.mark.parametrize("types", ["01", "ZZ"])
def test_species_reach_configurations_of_types(here, capsys, types):
    """Those of the types for any model; files with atomic numbers stay what they are."""
    write_mtp("pot.mtp", replace(synthetic_mtp_model("l08"), species=(None, None)))
    write_snap("cu.snapcoeff", snap_template(["Si", "Ge"], radii=[2.2, 1.9], twojmax=2, rcutfac=1.0))
    text = TYPES if types == "01" else TYPES.replace("2 1  2.5", "2 32  2.5").replace("1 0  0 0 0", "1 14  0 0 0")
    (here / "a.cfg").write_text(text)
    expected = MTP("pot.mtp", species=["Si", "Ge"]).get_potential_energy(read("a.cfg", species=["Si", "Ge"]))
    assert main(["evaluate", "pot.mtp", "a.cfg", "--species", "Si", "Ge", "-o", "out.xyz"]) == 0
    assert read("out.xyz").symbols.get_chemical_formula() == "GeSi"
    assert read("out.xyz").get_potential_energy() == pytest.approx(expected)
    assert main(["relax", "cu.snapcoeff", "a.cfg@-1", "--species", "Si", "Ge", "-o", "relaxed.xyz"]) == 0
    assert list(read("relaxed.xyz").symbols) == ["Si", "Ge"]
    capsys.readouterr()
    if types == "01":
        assert main(["relax", "cu.snapcoeff", "a.cfg", "-o", "again.xyz"]) == 2
        assert "or the elements of the types (species=[...], in the command --species)" in capsys.readouterr().err

"""What arguments are understood: in which order, under which names, and which frames."""

import numpy as np
import pytest
from ase import Atoms
from ase.io import read, write
from ase_mlips.analysis import RDF, Trajectory, rdf
from support.command_line import crystal, table
from support.morse import MorseCalculator
from support.mtp_cells import as_atoms
from support.mtp_cells import crystal as mtp_crystal
from support.mtp_models import synthetic_mtp_model

from ase_mlips.cli import main
from ase_mlips.mtp import write_mtp


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current directory, with a Morse model, an MTP that does not name its two species, and frames."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cu.morse").touch()
    write("in.xyz", [crystal(k) for k in range(6)])
    model = synthetic_mtp_model("l08")
    write_mtp("model.mtp", model)
    write("si.xyz", as_atoms(model, mtp_crystal(model)))
    return tmp_path


def test_model_and_structures_in_any_order(here):
    energies = []
    for k, names in enumerate((["cu.morse", "in.xyz"], ["in.xyz", "cu.morse"])):
        assert main(["relax", *names, "-o", f"{k}.xyz", "--fmax", "1"]) == 0
        assert main(["md", *names, "-o", f"{k}.traj", "--steps", "1", "--seed", "1"]) == 0
        energies.append((read(f"{k}.xyz").get_potential_energy(), read(f"{k}.traj").get_potential_energy()))
    assert energies[0] == energies[1]


def test_several_files_before_and_behind_the_model(here, capsys):
    write("other.xyz", crystal(7))
    rows = []
    for names in (
        ["cu.morse", "in.xyz@0", "other.xyz"],
        ["in.xyz@0", "cu.morse", "other.xyz"],
        ["in.xyz@0", "other.xyz", "cu.morse"],
    ):
        assert main(["evaluate", *names]) == 0
        rows.append(capsys.readouterr().out)
    assert rows[0] == rows[1] == rows[2]


@pytest.mark.parametrize("names", [["in.xyz", "in.xyz"], ["nothing.xyz", "in.xyz"]])
def test_without_a_model_the_first_name_is_called_one(here, names, capsys):
    assert main(["relax", *names]) == 2
    assert f"{names[0]}: expected a file of" in capsys.readouterr().err


@pytest.mark.parametrize("species", [["Si", "Ge"], ["Si,Ge"], ["Si,", "Ge"], ["Si,Ge,"]])
@pytest.mark.parametrize("first", [False, True])
def test_species_with_spaces_or_commas(here, capsys, species, first):
    if first and species != ["Si,Ge"]:
        return
    words = ["--species", *species, "model.mtp"] if first else ["model.mtp", "--species", *species]
    assert main(["info", *words]) == 0
    assert table(capsys.readouterr().out)["elements"] == ["Si", "Ge"]


def test_species_of_a_dump_and_elements_of_a_fit(here, capsys):
    lines = ["ITEM: TIMESTEP", "0", "ITEM: NUMBER OF ATOMS", "2", "ITEM: BOX BOUNDS pp pp pp"]
    lines += ["0 5", "0 5", "0 5", "ITEM: ATOMS id type x y z", "1 1 0 0 0", "2 2 2 0 0"]
    (here / "md.lammpstrj").write_text("\n".join(lines) + "\n")
    assert main(["rdf", "--species", "Li,O", "md.lammpstrj", "--r-max", "4"]) == 0
    assert "Li-O" in capsys.readouterr().out
    assert main(["fit", "snap", "in.xyz", "-o", "x.snap", "--elements", "Cu,Au", "--radii", "0.5"]) == 2
    assert "no energy" in capsys.readouterr().err


def test_info_of_an_mtp_says_how_many_types_it_has(here, capsys):
    assert main(["info", "model.mtp"]) == 0
    said = table(capsys.readouterr().out)
    assert said["family"] == ["MTP"]
    assert said["types"][0] == "2,"
    assert said["cutoff"] == ["5", "Å"]
    assert said["name"] == ["l08"]
    assert "species" not in said


@pytest.mark.parametrize(
    ("selection", "frames"),
    [("@::2", slice(None, None, 2)), ("@3", slice(3, 4)), ("@-1", slice(-1, None)), ("", slice(0, 4))],
)
def test_frames_of_an_analysis(here, selection, frames):
    options = ["--frames", ":4"] if selection == "" else []
    assert main(["rdf", f"in.xyz{selection}", "--r-max", "3", *options]) == 0
    np.testing.assert_array_equal(RDF.load("rdf.npz").g, rdf(Trajectory("in.xyz", frames=frames), r_max=3.0).g)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rdf", "in.xyz@x"], "in.xyz@x: expected INDEX or START:STOP:STEP behind @, got 'x'"),
        (["rdf", "in.xyz@::-1"], "in.xyz@::-1: expected INDEX or START:STOP:STEP"),
        (["rdf", "in.xyz@:3", "--frames", ":3"], "in.xyz@:3: expected frames once, behind @ or as --frames"),
        (["rdf", "none.xyz@:3"], "none.xyz"),
        (["msd", "in.xyz"], "give --frame-spacing"),
    ],
)
def test_selections_without_meaning(here, arguments, message, capsys):
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_a_name_with_an_at_sign(here):
    write("a@1.xyz", crystal(), format="extxyz")
    assert main(["rdf", "a@1.xyz", "--r-max", "3"]) == 0


def test_the_former_name_of_the_frame_spacing(here, capsys):
    for option in ("--frame-spacing", "--timestep"):
        assert main(["msd", "in.xyz", option, "10", "-o", f"{option.strip('-')}.npz"]) == 0
    with np.load("frame-spacing.npz") as new, np.load("timestep.npz") as old:
        assert all(np.array_equal(new[name], old[name]) for name in new if new[name].dtype.kind == "f")
    with pytest.raises(SystemExit):
        main(["msd", "--help"])
    said = capsys.readouterr().out
    assert "--frame-spacing FS" in said
    assert "--timestep" not in said


def test_a_collapsed_structure_is_one_sentence(here, monkeypatch, capsys):
    def evaluate(*_):
        raise OverflowError("an atom has some 2000000 neighbours: the cell or the structure has collapsed")

    monkeypatch.setattr(type(MorseCalculator().potential), "evaluate", evaluate)
    write("one.xyz", Atoms("Cu"))
    assert main(["evaluate", "cu.morse", "one.xyz"]) == 1
    assert capsys.readouterr().err.endswith(": the cell or the structure has collapsed\n")

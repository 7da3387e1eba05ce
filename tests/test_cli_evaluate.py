"""Errors that the command finds with the labels that fits use."""

import os

import numpy as np
import pytest
from ase.io import read, write
from ase.units import GPa
from support.command_line import labelled

from ase_mlips.cli import main


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty current directory with a Morse model, cu.morse."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cu.morse").touch()
    return tmp_path


def errors(text):
    """Numbers, MAE, RMSE and largest error, and the worst frame, by file, group and quantity."""
    lines = [line.split() for line in text.splitlines()]
    first = next(n for n, line in enumerate(lines) if line[:3] == ["file", "group", "quantity"])
    found = {}
    for line in lines[first + 1 :]:
        if line[0] in ("wrote", "offsets,"):
            break
        place = len(line) - 6  # of the count, from behind: "energy - offsets" has blanks
        found[(line[0], line[1], " ".join(line[2:place]))] = [float(line[k]) for k in (*range(place, place + 4), -1)]
    return found


def test_mean_and_root_mean_square_errors_and_the_worst_frame(here, capsys):
    write("in.extxyz", [labelled(0.4, 0.02, 0.5 * GPa, 0), labelled(-0.8, -0.04, 0.5 * GPa, 1)])
    assert main(["evaluate", "cu.morse", "in.extxyz"]) == 0
    found = errors(capsys.readouterr().out)
    assert found["in.extxyz", "all", "energy"] == pytest.approx([2, 150.0, 158.114, 200.0, 1], abs=2e-3)
    assert found["in.extxyz", "all", "force"] == pytest.approx([24, 30.0, 31.623, 40.0, 1], abs=2e-3)
    assert found["in.extxyz", "all", "stress"][:4] == pytest.approx([12, 0.5, 0.5, 0.5], abs=2e-3)
    assert found["in.extxyz", "all", "energy - offsets"][1:4] == pytest.approx([150.0, 150.0, 150.0], abs=2e-3)
    assert sorted(os.listdir()) == ["cu.morse", "in.extxyz"]


def gpumd(path, frames):
    """As GPUMD's users write: `force`, a virial of nine numbers, the lattice in lower case."""
    lines = []
    for atoms in frames:
        results, cell = atoms.calc.results, " ".join(map(str, atoms.cell.array.ravel()))
        xx, yy, zz, yz, xz, xy = -atoms.get_volume() * results["stress"]
        virial = f"{xx} {xy} {xz} {xy} {yy} {yz} {xz} {yz} {zz}"
        lines += [str(len(atoms)), f'Energy={results["energy"]} lattice="{cell}" virial="{virial}" '
                  "properties=species:S:1:pos:R:3:force:R:3"]  # fmt: skip
        rows = zip(atoms.positions, results["forces"], strict=True)
        lines += [" ".join(["Cu", *map(str, position), *map(str, force)]) for position, force in rows]
    path.write_text("\n".join(lines) + "\n")


def renamed(path, frames):
    """Labels with REF_ before their names, as other trainers want them."""
    copies = []
    for atoms in frames:
        copy = atoms.copy()
        copy.info |= {"REF_energy": atoms.calc.results["energy"], "REF_stress": atoms.calc.results["stress"]}
        copy.arrays["REF_forces"] = atoms.calc.results["forces"]
        copies.append(copy)
    write(path, copies)


@pytest.mark.parametrize("form", [gpumd, renamed])
def test_labels_that_a_fit_sees_are_seen(here, capsys, form):
    form(here / "in.xyz", [labelled(0.4, 0.02, 0.5 * GPa, seed) for seed in range(3)])
    assert main(["evaluate", "cu.morse", "in.xyz"]) == 0
    found = errors(capsys.readouterr().out)
    assert found["in.xyz", "all", "energy"][:3] == pytest.approx([3, 100.0, 100.0], abs=2e-3)
    assert found["in.xyz", "all", "energy - offsets"][1:4] == pytest.approx([0.0, 0.0, 0.0], abs=2e-3)
    assert found["in.xyz", "all", "force"][:3] == pytest.approx([36, 20.0, 20.0], abs=2e-3)
    assert found["in.xyz", "all", "stress"][:3] == pytest.approx([18, 0.5, 0.5], abs=2e-3)


def test_groups_and_files_have_their_own_lines_and_are_drawn(here, capsys):
    frames = [labelled(0.4 * seed, 0.0, 0.0, seed) for seed in range(4)]
    for atoms, group in zip(frames, "abab", strict=True):
        atoms.info["config_type"] = group
    write("one.extxyz", frames)
    write("two.extxyz", frames[:1])
    assert main(["evaluate", "cu.morse", "one.extxyz", "two.extxyz", "--parity", "parity.png"]) == 0
    said = capsys.readouterr().out
    found = errors(said)
    assert {key[:2] for key in found} == {
        ("one.extxyz", "all"), ("one.extxyz", "a"), ("one.extxyz", "b"), ("two.extxyz", "all"),
    }  # fmt: skip
    assert found["one.extxyz", "b", "energy"] == pytest.approx([2, 200.0, 223.607, 300.0, 3], abs=2e-3)
    assert "offsets, model - labels (eV/atom): Cu -0.1200" in said
    assert "wrote parity.png" in said
    assert (here / "parity.png").read_bytes().startswith(b"\x89PNG")


def test_labels_that_contradict_each_other_are_named(here, capsys):
    atoms = labelled(0.0, 0.0, 0.0, 0)
    atoms.info["virial"] = atoms.get_volume() * np.diag(atoms.calc.results["stress"][:3] + 0.01)
    write("in.extxyz", [labelled(0.0, 0.0, 0.0, 1), atoms])
    assert main(["evaluate", "cu.morse", "in.extxyz", "-o", "out.extxyz"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("ase-mlips: in.extxyz, frame 1: stress and virial contradict each other")
    assert "keys=" not in said
    assert said.endswith("; out.extxyz holds all frames until then, 1\n")
    assert said.count("\n") == 1
    assert sorted(os.listdir()) == ["cu.morse", "in.extxyz", "out.extxyz"]


def test_labels_stay_in_the_output(here):
    renamed(here / "in.xyz", [labelled(0.4, 0.0, 0.0, 0)])
    assert main(["evaluate", "cu.morse", "in.xyz", "-o", "out.xyz"]) == 0
    atoms = read("out.xyz")
    assert atoms.info["REF_energy"] - atoms.get_potential_energy() == pytest.approx(0.4, abs=1e-6)

"""The command, called in process; molecular dynamics, fits and the several kinds of models have files of their own."""

import os
import re
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import CalculationFailed
from ase.io import read, write
from ase_mlips.analysis import RDF, VDOS
from matplotlib.image import imread
from support.command_line import crystal, table
from support.morse import Morse, MorseCalculator

from ase_mlips.cli import main
from ase_mlips.cli.demo import Schedule
from ase_mlips.engine.jit import cache_directories
from ase_mlips.engine.kernel_cache import writable_directory
from ase_mlips.fit import snap_template
from ase_mlips.snap import write_snap


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty current directory with a Morse model, cu.morse."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cu.morse").touch()
    return tmp_path


def test_help_and_version_come_without_ase_and_numba():
    code = "import sys; from ase_mlips.cli import main\n"
    code += "try: main(['--help'])\nexcept SystemExit: pass\n"
    code += "print(sorted({'ase', 'numba', 'numpy', 'scipy', 'tqdm', 'matplotlib'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert all(name in done.stdout for name in ("info", "evaluate", "relax", "md", "fit", "demo", "compile"))


def test_installed_command_and_a_reader_that_leaves(here):
    command = [sys.executable, "-m", "ase_mlips.cli", "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.startswith("ase-mlips ")
    read_end, write_end = os.pipe()
    os.close(read_end)
    write_snap("model.snapcoeff", snap_template(["Cu"], radii=[0.5], twojmax=2, rcutfac=4.0))
    command[-1:] = ["info", "model.snapcoeff"]
    done = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write_end)
    assert (done.returncode, done.stderr) == (141, "")


def test_evaluate_writes_what_the_calculator_says(here, capsys):
    write("in.extxyz", [crystal(k) for k in range(3)])
    write("cluster.xyz", Atoms("Cu2", positions=[[0, 0, 0], [2.5, 0, 0]]))
    assert main(["evaluate", "cu.morse", "in.extxyz", "cluster.xyz", "in.extxyz@1", "-o", "out.extxyz"]) == 0
    frames = read("out.extxyz", ":")
    assert [len(atoms) for atoms in frames] == [4, 4, 4, 2, 4]
    for atoms in frames:
        results = atoms.calc.results
        atoms.calc = MorseCalculator()
        assert results["energy"] == pytest.approx(atoms.get_potential_energy(), abs=1e-6)
        np.testing.assert_allclose(results["forces"], atoms.get_forces(), atol=1e-6)
        assert ("stress" in results) == (atoms.cell.rank == 3)
    np.testing.assert_allclose(frames[1].calc.results["stress"], frames[4].calc.results["stress"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines[1:4]] == [
        ["in.extxyz", "3", "12"],
        ["cluster.xyz", "1", "2"],
        ["in.extxyz@1", "1", "4"],
    ]
    assert len(lines) == 5  # no errors, as there are no labels


def test_failed_evaluation_keeps_what_is_done(here, capsys):
    """But not in place of a file that only a complete output was to replace."""
    write("in.extxyz", [crystal(), Atoms("CuW", positions=[[0, 0, 0], [2, 0, 0]])])
    assert main(["evaluate", "cu.morse", "in.extxyz", "-o", "out.extxyz"]) == 2
    message = capsys.readouterr().err
    assert message.startswith("ase-mlips: in.extxyz: frame 1: ")
    assert message.endswith("; out.extxyz holds all frames until then, 1\n")
    assert " W" in message
    (here / "out.extxyz").write_text("precious")
    assert main(["evaluate", "cu.morse", "in.extxyz", "-o", "out.extxyz", "--force"]) == 2
    assert "; out-unfinished.extxyz holds all frames until then, 1" in capsys.readouterr().err
    assert (here / "out.extxyz").read_text() == "precious"
    np.testing.assert_allclose(read("out-unfinished.extxyz").positions, crystal().positions, atol=1e-7)
    assert sorted(os.listdir()) == ["cu.morse", "in.extxyz", "out-unfinished.extxyz", "out.extxyz"]


def test_relax_positions_and_cell(here, capsys):
    write("POSCAR", bulk("Cu", "fcc", a=3.5, cubic=True))
    arguments = ["relax", "cu.morse", "POSCAR", "-o", "CONTCAR", "--cell", "--fmax", "1e-3"]
    assert main([*arguments, "--trajectory", "relax.traj"]) == 0
    atoms = read("CONTCAR")
    atoms.calc = MorseCalculator()
    assert np.abs(atoms.get_stress()).max() < 1e-3
    assert atoms.cell.volume < 0.9 * 3.5**3
    steps = read("relax.traj", ":")
    assert len(steps) > 2
    assert steps[-1].get_volume() == pytest.approx(atoms.get_volume(), rel=1e-6)
    said = capsys.readouterr().out
    assert "pressure (GPa)" in said
    assert float(table(said)["energy"][0]) == pytest.approx(atoms.get_potential_energy(), abs=1e-5)


@pytest.mark.parametrize("optimizer", ["lbfgs", "bfgs", "fire"])
def test_relax_with_each_optimizer_keeps_the_cell(here, optimizer):
    write("in.xyz", crystal())
    assert main(["relax", "cu.morse", "in.xyz", "--optimizer", optimizer, "-o", "out.xyz"]) == 0
    atoms = read("out.xyz")
    assert np.linalg.norm(atoms.get_forces(), axis=1).max() < 0.01
    np.testing.assert_allclose(atoms.cell.array, np.diag([3.7] * 3))


def test_relax_that_does_not_converge(here, capsys):
    write("in.xyz", crystal())
    assert main(["relax", "cu.morse", "in.xyz", "--steps", "1", "--fmax", "1e-9", "-o", "out.xyz"]) == 1
    assert "NOT converged" in capsys.readouterr().out
    assert len(read("out.xyz")) == 4


def test_failed_calculation(here, monkeypatch, capsys):
    def fail(*_):
        raise CalculationFailed("forces are\nnot finite")

    monkeypatch.setattr(Morse, "evaluate", fail)
    write("in.xyz", crystal())
    assert main(["relax", "cu.morse", "in.xyz"]) == 1
    assert capsys.readouterr().err == "ase-mlips: forces are not finite\n"


def test_interrupt_between_frames(here, monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Morse, "evaluate", interrupt)
    write("in.xyz", crystal())
    assert main(["evaluate", "cu.morse", "in.xyz", "-o", "out.xyz"]) == 130
    assert capsys.readouterr().err == "ase-mlips: interrupted\n"
    assert sorted(os.listdir()) == ["cu.morse", "in.xyz"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "cu.morse", "none.xyz"], "none.xyz: No such file or directory"),
        (["evaluate", "cu.morse", "in.xyz@7"], "in.xyz@7: "),
        (["evaluate", "cu.morse", "in.xyz@5:"], "in.xyz@5:: no frames"),
        (["evaluate", "cu.morse", "words.xyz"], "words.xyz: cannot be read as a structure"),
        (["evaluate", "cu.morse", "words.blob"], "words.blob: ASE does not know this file format"),
        (["evaluate", "cu.morse", "nothing.xyz"], "nothing.xyz: "),
        (["evaluate", "cu.morse", "empty.extxyz"], "empty.extxyz: frame 0 has no atoms"),
        (["evaluate", "cu.morse", "nan.extxyz"], "nan.extxyz: frame 0 has positions or a cell that are not finite"),
        (["evaluate", "cu.morse", "in.xyz", "-o", "out.cif"], "out.cif: results are written as extended XYZ"),
        (["evaluate", "cu.morse", "in.xyz", "-o", "in.xyz"], "in.xyz: is an input too"),
        (["evaluate", "cu.morse", "in.xyz", "-o", "folder.xyz"], "folder.xyz: is a directory"),
        (["evaluate", "cu.morse", "in.xyz", "-o", "none/out.xyz"], "none: there is no such directory"),
        (
            ["evaluate", "cu.morse", "in.xyz", "--parity", "out.txt"],
            "--parity out.txt: expected a name that ends in .png",
        ),
        (["evaluate", "cu.morse", "in.xyz", "--parity", "none/out.png"], "there is no such directory"),
        (["evaluate", "none.snapcoeff", "in.xyz"], "none.snapcoeff"),
        (["evaluate", "words.blob", "in.xyz"], "words.blob: expected a file of"),
        (["evaluate", "embedded:Unobtainium", "in.xyz"], "'Unobtainium'"),
        (["relax", "cu.morse", "in.xyz@:"], "expected one structure, got 2"),
        (["relax", "cu.morse", "in.xyz", "-o", "out.blob"], "out.blob: ASE does not write files of this name"),
        (["relax", "cu.morse", "cluster.xyz", "--cell"], "cluster.xyz: --cell needs a cell"),
        (["relax", "cu.morse", "carbon.xyz"], "covers only Cu, Au"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning:ase")
def test_bad_input_is_one_sentence(here, capsys, arguments, message):
    write("in.xyz", [crystal(), crystal(1)])
    write("cluster.xyz", Atoms("Cu"))
    write("carbon.xyz", Atoms("C"))
    write("empty.extxyz", Atoms())
    write("nan.extxyz", Atoms("Cu", positions=[[np.nan, 0, 0]]))
    (here / "nothing.xyz").touch()
    (here / "folder.xyz").mkdir()
    for name in ("words.xyz", "words.blob"):
        (here / name).write_text("It was a dark and stormy night.\n")
    before = sorted(os.listdir())
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.err.startswith("ase-mlips: ")
    assert said.err.count("\n") == 1
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["cook"],
        ["relax", "cu.morse", "x.xyz", "--fmax", "0"],
        ["relax", "cu.morse", "x.xyz", "--fmax", "nan"],
        ["md", "cu.morse", "x.xyz", "--timestep", "-1"],
        ["md", "cu.morse", "x.xyz", "--steps", "0"],
        ["md", "cu.morse", "x.xyz", "--temperature", "-5"],
        ["md", "cu.morse", "x.xyz", "--seed", "-1"],
        ["fit", "snap", "x.xyz"],
    ],
)
def test_bad_arguments(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage: ase-mlips" in capsys.readouterr().err


def test_compile_says_where_the_kernels_are(monkeypatch, tmp_path, capsys):
    assert main(["compile"]) == 0
    said = capsys.readouterr().out
    assert all(
        kind in said
        for kind in (
            "SNAP quadratic",
            "SNAP chem",
            "SNAP fit",
            "NEP two elements",
            "NEP with charges",
            "MTP two elements",
            "MTP fit",
            "POD two elements",
            "ACE two elements",
        )
    )
    assert f"kept in {writable_directory(cache_directories())}" in said
    compile_command = import_module("ase_mlips.cli.compile")
    monkeypatch.setattr(compile_command, "_work", dict)
    monkeypatch.setattr(compile_command, "writable_directory", lambda places: None)
    assert main(["compile"]) == 1
    assert "no directory can be written" in capsys.readouterr().out


def test_compile_leaves_no_kernel_of_any_family_out(here):
    """In a process of its own, where nothing else has called a kernel."""
    code = """
import re, sys
from pathlib import Path
from ase_mlips import load
from ase_mlips.cli import main
assert main(["compile"]) == 0
modules = [module for name, module in sys.modules.items() if name.startswith("ase_mlips.") and module.__file__]
kernels = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in modules
    for name in re.findall(r"^@kernel\\ndef (\\w+)", Path(module.__file__).read_text(), re.M)
}
print("found", len(kernels))
print("left out", [name for name, function in kernels.items() if len(function.signatures) != 1])
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    found, left_out = done.stdout.splitlines()[-2:]
    assert int(found.removeprefix("found ")) > 10
    assert left_out == "left out []"


def test_demo_with_another_crystal(here, monkeypatch, capsys):
    demo = import_module("ase_mlips.cli.demo")
    monkeypatch.setattr(demo, "load_model", lambda name: MorseCalculator() if name == "embedded:Si" else None)
    monkeypatch.setattr(demo, "bulk", lambda *_, **__: bulk("Cu", "fcc", a=3.4, cubic=True))
    monkeypatch.setattr(demo, "Schedule", lambda: Schedule(1, 2, equilibration=40, production=80))
    assert main(["demo", "--output", "out/of/the/demo"]) == 0
    said = dict(re.findall(r"(\w+ \w+) +([-0-9.e]+) (?:Å|eV/atom|GPa|meV/atom/ps)", capsys.readouterr().out))
    assert float(said["lattice constant"]) == pytest.approx(3.3324, abs=2e-4)
    assert float(said["bulk energy"]) == pytest.approx(-0.86239, abs=2e-5)
    assert abs(float(said["energy drift"])) < 1.0
    folder = here / "out" / "of" / "the" / "demo"
    assert sorted(os.listdir(folder)) == ["demo.png", "demo.traj", "rdf.npz", "relaxed.extxyz", "vdos.npz"]
    assert np.ptp(imread(folder / "demo.png")) > 0.5
    spectrum = VDOS.load(folder / "vdos.npz")
    assert np.trapezoid(spectrum.total, spectrum.frequencies) == pytest.approx(3 * 32)
    assert RDF.load(folder / "rdf.npz").g.max() > 3.0

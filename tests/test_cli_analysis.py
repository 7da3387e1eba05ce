"""The commands that analyse trajectories: rdf, vdos and msd."""

import os
import re
import signal
from importlib import import_module

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.io import write
from ase_mlips.analysis.diffusion.diffusion import einstein_diffusion
from ase_mlips.analysis.diffusion.msd import MSD, mean_squared_displacement
from ase_mlips.analysis.formatting import with_error
from ase_mlips.analysis.results import Interrupted
from ase_mlips.analysis.structure.rdf import RDF, rdf
from ase_mlips.analysis.trajectories.trajectory import Trajectory
from ase_mlips.analysis.vibrations.thermodynamics import thermodynamics
from ase_mlips.analysis.vibrations.vdos import VDOS, vdos
from matplotlib.image import imread
from support.command_line import table
from support.harmonic import ordered_alloy

from ase_mlips.cli import main

STEP = 20.0  # fs


@pytest.fixture(scope="module")
def vibrations():
    """400 frames of a harmonic crystal with velocities."""
    crystal = ordered_alloy()
    (chunk,) = crystal.trajectory(400, STEP).chunks(velocities=True)
    frames = []
    for positions, velocities in zip(chunk.positions, chunk.velocities, strict=True):
        frames.append(crystal.atoms.copy())
        frames[-1].positions = positions
        frames[-1].set_velocities(velocities / units.fs)
    return frames


@pytest.fixture
def here(tmp_path, monkeypatch, vibrations):
    """The current directory, with this crystal in md.traj and lithium that diffuses at 0.25 A^2/ps in li.xyz."""
    monkeypatch.chdir(tmp_path)
    write("md.traj", vibrations)
    steps = np.random.default_rng(0).normal(scale=np.sqrt(2.0 * 0.25 * 0.1), size=(500, 40, 3))
    cell = np.diag([20.0, 20.0, 20.0])
    write("li.xyz", [Atoms("Li40", positions=r % 20.0, cell=cell, pbc=True) for r in np.cumsum(steps, axis=0)])
    return tmp_path


def test_rdf(here, capsys):
    assert main(["rdf", "md.traj", "--r-max", "5", "--bins", "100", "--frames", "10::40", "-o", "g.npz"]) == 0
    result = RDF.load("g.npz")
    expected = rdf(Trajectory("md.traj", frames=slice(10, None, 40)), r_max=5.0, bins=100)
    assert result.frames == expected.frames == 10
    np.testing.assert_array_equal(result.g, expected.g)
    assert np.ptp(imread("g.png")) > 0.5
    said = capsys.readouterr()
    rows = table(said.out)
    assert float(rows["Cu-Au"][0]) == pytest.approx(np.sqrt(0.5 * 2.68655**2 + 0.25 * 3.5313**2), abs=0.1)
    assert float(rows["Cu-Au"][1].split("(")[0]) == pytest.approx(expected.partials["Cu", "Au"].max(), rel=0.02)
    end, *around = (float(word) for word in rows["Cu-Au"][2:])
    assert end == pytest.approx(expected.first_minimum(("Cu", "Au")), abs=1e-3)
    assert around == pytest.approx(
        [expected.coordination_number(*pair) for pair in (("Cu", "Au"), ("Au", "Cu"))], abs=1e-3
    )
    assert rows["wrote"] == ["g.npz", "and", "g.png"]
    assert said.err == ""


def test_some_pairs(here, capsys):
    assert main(["rdf", "md.traj", "--frames", "::40", "--pairs", "Au-Cu,Au-Au", "-o", "g.csv"]) == 0
    result = RDF.load("g.npz")
    assert list(result.partials) == [("Cu", "Au"), ("Au", "Au")]
    rows = table(capsys.readouterr().out)
    assert [name for name in rows if "-" in name and "." not in name] == ["Cu-Au", "Au-Au"]
    assert [name for name in (here / "g.csv").read_text().splitlines()[0].split(",") if name.startswith("N(")] == [
        "N(Cu-Au)",
        "N(Au-Cu)",
        "N(Au-Au)",
    ]


def test_vdos(here, capsys):
    assert main(["vdos", "md.traj", "--frame-spacing", "20", "--frames", "::2", "--unit", "meV"]) == 0
    result = VDOS.load("vdos.npz")
    expected = vdos(Trajectory("md.traj", frames=slice(None, None, 2), timestep_fs=STEP))
    assert result.frequencies[-1] == pytest.approx(12.5)
    np.testing.assert_array_equal(result.total, expected.total)
    assert np.ptp(imread("vdos.png")) > 0.5
    said = capsys.readouterr().out
    rows = table(said)
    assert float(rows["total"][0]) == pytest.approx(162.0)
    assert float(rows["total"][1]) == pytest.approx(ordered_alloy().frequencies.mean(), abs=0.01)
    assert float(rows["Au"][1]) < float(rows["Cu"][1])
    assert float(re.search(r"300 K: ([\d.]+) k_B/atom", said)[1]) == pytest.approx(
        thermodynamics(ordered_alloy().frequencies, 300.0).heat_capacity[0] / (53 * units.kB), abs=2e-3
    )
    assert float(re.search(r"energy: ([\d.]+) meV/atom", said)[1]) == pytest.approx(20.12, abs=0.1)
    assert main(["vdos", "md.traj", "--frame-spacing", "20", "--correlation-time", "400", "--force"]) == 0
    assert len(VDOS.load("vdos.npz").frequencies) < len(result.frequencies)


def test_msd(here, capsys):
    assert main(["msd", "li.xyz", "--frame-spacing", "100"]) == 0
    result = MSD.load("msd.npz")
    np.testing.assert_array_equal(result.total, mean_squared_displacement("li.xyz", timestep_fs=100.0).total)
    assert np.ptp(imread("msd.png")) > 0.5
    atoms, found, *_, verdict = table(capsys.readouterr().out)["Li"]
    assert (atoms, verdict) == ("40", "diffuses")
    value, error = einstein_diffusion(result)["Li"]
    assert found == with_error(value, error)
    assert abs(value - 0.25e-4) < 4.0 * error  # cm^2/s
    assert 0.0 < error < 0.1 * value


def test_window_of_msd(here, capsys):
    assert main(["msd", "li.xyz", "--timestep", "100", "--window", "0.5", "5"]) == 0
    _, found, start, _, end, *verdict = table(capsys.readouterr().out)["Li"]
    assert (start, end, verdict) == ("0.5", "5", ["window", "given"])
    value, error = einstein_diffusion(MSD.load("msd.npz"), window_ps=(0.5, 5.0))["Li"]
    assert found == with_error(value, error)
    assert main(["msd", "li.xyz", "--timestep", "100", "--window", "5", "500", "--force"]) == 0
    said = capsys.readouterr().out
    assert "no diffusion coefficients: --window: expected a window of at least 3 lags within 0.1 to 49.9 ps" in said
    assert "wrote msd.npz" in said


def test_msd_of_a_crystal(here, capsys):
    assert main(["msd", "md.traj", "--timestep", "20"]) == 0
    rows = table(capsys.readouterr().out)
    for element in ("Cu", "Au"):
        assert rows[element][1] == "<"
        assert 0.0 < float(rows[element][2]) < 1e-4
        assert rows[element][-3:] == ["does", "not", "diffuse"]
    assert np.ptp(imread("msd.png")) > 0.5


def test_msd_of_a_run_that_is_too_short(here, capsys):
    assert main(["msd", "li.xyz", "--timestep", "1", "--frames", ":20"]) == 0
    said = capsys.readouterr().out
    assert table(said)["Li"][1:] == ["-", "-", "too", "short"]
    assert "note: too short to see a straight mean squared displacement; run longer, or give --window" in said


@pytest.mark.parametrize("ending", ["csv", "dat"])
@pytest.mark.parametrize(("command", "kind"), [("rdf", RDF), ("vdos", VDOS), ("msd", MSD)])
def test_numbers_as_text(here, capsys, command, kind, ending):
    options = [] if command == "rdf" else ["--frame-spacing", "20"]
    assert main([command, "md.traj", *options, "-o", f"x.{ending}"]) == 0
    assert f"wrote x.npz, x.{ending} and x.png" in capsys.readouterr().out
    columns = kind.load("x.npz").columns()
    csv = ending == "csv"
    numbers = np.loadtxt(f"x.{ending}", delimiter="," if csv else None, skiprows=int(csv))
    np.testing.assert_allclose(numbers.T, list(columns.values()), rtol=1e-9)
    names = [line for line in (here / f"x.{ending}").read_text(encoding="utf-8").splitlines() if csv or line[0] == "#"]
    assert names[0].split(",") == list(columns) if csv else all(name in names[-1] for name in columns)
    assert {path.name for path in here.glob("x.*")} == {"x.npz", f"x.{ending}", "x.png"}


def test_an_interrupted_analysis_replaces_none_of_its_files(here, monkeypatch, capsys):
    """Not even those whose names only follow from that of the table."""
    for name in ("x.npz", "x-unfinished.png"):
        (here / name).write_text("precious")

    def interrupted(trajectory, **_):
        raise Interrupted(rdf(Trajectory("md.traj", frames=slice(2)), r_max=3.0), 2)

    monkeypatch.setattr("ase_mlips.cli.analyse.rdf", interrupted)
    assert main(["rdf", "md.traj", "-o", "x.dat", "--force"]) == 130
    said = capsys.readouterr().err
    assert "x-unfinished1.npz, x-unfinished1.dat and x-unfinished1.png are of the first 2 frames" in said
    assert (here / "x.npz").read_text() == (here / "x-unfinished.png").read_text() == "precious"


def test_types_of_a_lammps_dump(here, capsys):
    lines = []
    for step in range(2):
        lines += ["ITEM: TIMESTEP", str(step), "ITEM: NUMBER OF ATOMS", "2", "ITEM: BOX BOUNDS pp pp pp"]
        lines += ["0 5", "0 5", "0 5", "ITEM: ATOMS id type x y z", "1 1 0 0 0", "2 2 2 0 0"]
    (here / "md.lammpstrj").write_text("\n".join(lines) + "\n")
    assert main(["rdf", "md.lammpstrj", "--species", "Li", "O", "--r-max", "4"]) == 0
    assert float(table(capsys.readouterr().out)["Li-O"][0]) == pytest.approx(2.0, abs=0.02)


@pytest.mark.parametrize(("command", "frames"), [("rdf", 4), ("vdos", 4), ("msd", 4)])
def test_interruption_keeps_what_has_been_read(here, command, frames, monkeypatch, capsys):
    """While the frames 0 to 3 have been counted."""
    chunks = Trajectory.chunks

    def interrupted(self, **options):
        def until_then(read):
            for chunk in read:
                if chunk.first == 4:
                    os.kill(os.getpid(), signal.SIGINT)
                yield chunk

        return until_then(chunks(self, **options))

    monkeypatch.setattr(import_module("ase_mlips.analysis.trajectories.trajectory"), "_CHUNK", 1)  # one frame each
    monkeypatch.setattr(Trajectory, "chunks", interrupted)
    options = [] if command == "rdf" else ["--frame-spacing", "20"]
    assert main([command, "md.traj", *options]) == 130
    said = capsys.readouterr()
    assert f"{command}.npz and {command}.png are of the first {frames} frames" in said.err
    monkeypatch.undo()
    monkeypatch.chdir(here)
    first = Trajectory("md.traj", frames=slice(frames), timestep_fs=STEP)
    if command == "rdf":
        np.testing.assert_array_equal(RDF.load("rdf.npz").g, rdf(first).g)
    elif command == "vdos":
        np.testing.assert_array_equal(VDOS.load("vdos.npz").total, vdos(first).total)
    else:
        np.testing.assert_array_equal(MSD.load("msd.npz").total, mean_squared_displacement(first).total)
    assert (here / f"{command}.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rdf", "nowhere.traj"], "nowhere.traj"),
        (["rdf", "md.traj", "-o", "g.txt"], "g.txt: expected a name that ends in .npz, or in .csv or .dat for a table"),
        (["rdf", "md.traj", "--frames", "1000:"], "md.traj"),
        (["rdf", "md.traj", "--pairs", "Cu-S"], "--pairs: there is no S in md.traj, only Cu, Au"),
        (["vdos", "md.traj"], "give --frame-spacing"),
        (["msd", "li.xyz"], "give --frame-spacing"),
        (["vdos", "md.traj", "--frame-spacing", "20", "--frames", ":2"], "at least 3 frames"),
        (["msd", "li.xyz", "--frame-spacing", "20", "--frames", ":1"], "at least 2 frames"),
        (["rdf", "text.xyz"], "text.xyz"),
        (["rdf", "md.traj", "--r-max", "1000"], "expected a smaller --r-max: within 1000 A"),
        (["rdf", "md.traj", "--species", "Cu"], "--species is for LAMMPS dumps, and md.traj is none"),
        (["msd", "text.cif"], "text.cif cannot be read as cif: AssertionError"),
        (["rdf", "md.traj", "-o", "none/g.npz"], "none: there is no such directory for none/g.npz"),
        (["rdf", "md.traj", "-o", "taken.npz"], "taken.png: is a directory"),
    ],
)
def test_input_that_cannot_be_used(here, arguments, message, capsys):
    for name in ("text.xyz", "text.cif"):
        (here / name).write_text("this is\nno trajectory\n")
    (here / "taken.png").mkdir()
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not list(here.glob("*.npz"))


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--frames", "7", "expected START:STOP or START:STOP:STEP, got '7'"),
        ("--frames", "a:b", "expected START:STOP or START:STOP:STEP, got 'a:b'"),
        ("--frames", "::-1", "expected a positive STEP, got '::-1'"),
        ("--bins", "x", "expected a positive integer, got 'x'"),
        ("--pairs", "Cu,S", "expected pairs of elements such as Cu-S,Cu-Cu, got 'Cu,S'"),
        ("--r-max", "x", "expected a positive number, got 'x'"),
    ],
)
def test_values_without_meaning(here, option, value, message, capsys):
    with pytest.raises(SystemExit):
        main(["rdf", "md.traj", f"{option}={value}"])
    assert f"argument {option}: {message}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["rdf", "md.traj", "-o", "none/g.npz"], ["msd", "li.xyz", "--frame-spacing", "1", "-o", "none/g.npz"]]
)
def test_a_place_is_asked_for_before_the_analysis(here, arguments, monkeypatch, capsys):
    monkeypatch.delattr("ase_mlips.cli.analyse.Trajectory")
    assert main(arguments) == 2
    assert "there is no such directory" in capsys.readouterr().err


@pytest.mark.filterwarnings("default::UserWarning")
def test_diffusing_atoms_are_no_oscillators(here, capsys):
    assert main(["vdos", "li.xyz", "--frame-spacing", "100"]) == 0
    said = capsys.readouterr()
    assert re.search(r"note: states at zero frequency.* Li \(\d\d%\); these atoms diffuse", said.out)
    assert re.fullmatch(r"ase-mlips: li.xyz: .*% of the states lie within 5% of 5 THz, .*\n", said.err)
    assert main(["vdos", "md.traj", "--frame-spacing", "20", "--force"]) == 0
    assert "note" not in capsys.readouterr().out


def test_too_few_frames_for_a_diffusion_coefficient(here, capsys):
    assert main(["msd", "li.xyz", "--frame-spacing", "100", "--frames", ":3", "-o", "short.npz"]) == 0
    assert "no diffusion coefficients: expected at least" in capsys.readouterr().out
    assert len(MSD.load("short.npz").times) == 3
    assert np.ptp(imread("short.png")) > 0.5


def test_help_names_the_analyses(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    assert all(re.search(rf"^ +{name} ", said, re.M) for name in ("rdf", "vdos", "msd"))


def test_a_run_of_ours_knows_its_time_step(here):
    write("si.xyz", bulk("Si", cubic=True))
    assert main(["md", "embedded:Si", "si.xyz", "--steps", "40", "--interval", "4", "-o", "own.traj"]) == 0
    assert Trajectory("own.traj").timestep_fs == pytest.approx(4.0)

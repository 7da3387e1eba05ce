"""``ase-mlips lammps`` on two ranks: files that it writes, inputs with a marked line, and what can go wrong."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.io import write
from ase_mlips.analysis import Trajectory, read_heat_flux
from support.lammps_launch import needs_lammps, on_ranks

from ase_mlips import SNAP
from ase_mlips.cli import main

pytestmark = needs_lammps

INPUT = """units metal
read_data si.data
pair_style snap  # ase-mlips
pair_coeff * * Si.snapcoeff Si.snapparam Si  # ase-mlips
fix 1 all nve
thermo 1
run ${steps}
print "done after ${steps} steps"
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current directory, with a crystal of silicon, si.xyz."""
    monkeypatch.chdir(tmp_path)
    atoms = bulk("Si", cubic=True) * (2, 1, 2)
    atoms.rattle(0.05, seed=0)
    write("si.xyz", atoms)
    return tmp_path


def lammps(here, *words):
    model = ["--model", "embedded:Si", "--elements", "Si"]
    return on_ranks(2, "ase_mlips.cli", "lammps", *words, *model, cwd=here)


def test_a_run_of_the_files_that_it_writes(here):
    words = "--steps 10 --interval 5 --temperature 900 --heat-flux flux.dat --seed 3"
    assert main(["lammps", "si.xyz", "--write", "si.data", *words.split()]) == 0
    done = lammps(here, "si.data.in")
    assert done.returncode == 0, done.stderr
    assert "for Si, ranks: 2" in done.stdout
    flux, trajectory = read_heat_flux("flux.dat"), Trajectory("si.data.lammpstrj")
    assert (flux.timestep_fs, trajectory.timestep_fs, flux.ensemble) == (5.0, 5.0, "NVE")
    frames = next(trajectory.chunks(velocities=True))
    calc = SNAP.embedded("Si", num_threads=1)
    for k in range(3):
        atoms = Atoms(trajectory.symbols, positions=frames.positions[k], cell=frames.cells[k], pbc=True)
        atoms.set_velocities(frames.velocities[k] / units.fs)
        right = calc.get_heat_flux_parts(atoms)
        np.testing.assert_allclose(flux.conductive[k], right.conductive * units.fs, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(flux.convective[k], right.convective * units.fs, rtol=1e-5, atol=1e-6)
        assert flux.temperature[k] == pytest.approx(atoms.get_temperature() * 32 / 31, rel=1e-5)


def test_marked_lines_variables_and_errors(here):
    assert main(["lammps", "si.xyz", "--write", "si.data"]) == 0
    (here / "in.si").write_text(INPUT)
    done = lammps(here, "in.si", "-var", "steps", "3", "--log", "run.log")
    assert done.returncode == 0, done.stderr
    assert "done after 3 steps" in done.stdout
    assert "Loop time of" in (here / "run.log").read_text()
    atoms = bulk("Si", cubic=True) * (2, 1, 2)
    atoms.positions[5] = atoms.positions[3]
    write("si.xyz", atoms)
    assert main(["lammps", "si.xyz", "--write", "si.data", "--force"]) == 0
    done = lammps(here, "in.si", "-var", "steps", "3")
    assert done.returncode not in (0, None)
    assert done.stderr.count("the model gave a value that is not finite, first for atom") == 1
    assert "done after" not in done.stdout


def test_what_is_not_there(here):
    (here / "in.si").write_text("units metal\nread_data nothing.data\npair_style none # ase-mlips\n")
    done = lammps(here, "in.si")
    assert done.returncode not in (0, None)
    assert "nothing.data" in done.stderr
    assert "Traceback" not in done.stderr

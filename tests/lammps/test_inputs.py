"""Data files and inputs of LAMMPS from ASE structures and settings; no LAMMPS is needed."""

from io import StringIO

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from ase.constraints import FixAtoms, FixedPlane
from ase.io import read, write
from ase.io.lammpsdata import read_lammps_data
from ase_mlips.analysis import read_heat_flux

from ase_mlips.cli import main
from ase_mlips.lammps.inputs import data_text, in_box, input_text, split_input
from ase_mlips.runs.settings import MDRun

FLUX = """# heat flux of LAMMPS, format 1; time step: 2 fs; ensemble: NVE; species: P 4 S 24
# TimeStep f_mlip[1] f_mlip[2] f_mlip[3] f_mlip[4] f_mlip[5] f_mlip[6] v_a v_b v_c v_d v_e v_f c_thermo_temp v_volume
0 1 2 3 4 5 6 7 8 9 10 11 12 300 90
5 2 2 3 4 5 6 7 8 9 10 11 12 301 90
10 3 2 3 4 5 6 7 8 9 10 11 12 302 90
15 4 2 3 4 5"""


def crystal() -> Atoms:
    atoms = bulk("Cu", cubic=True) * 2
    atoms.symbols[::3] = "Au"
    atoms.rattle(0.05, seed=0)
    return atoms


def commands(atoms: Atoms, **settings: object) -> list[str]:
    text = input_text(atoms, ["Cu", "Au"], MDRun(**settings), data="cu.data", dump="cu.dump")
    return [line for line in text.splitlines() if line]


def test_the_model_takes_the_place_of_the_marked_lines():
    text = "units metal\nread_data x\npair_style snap # ase-mlips\npair_coeff * * a b Cu  # ase-mlips, too\nrun 5\n"
    before, after = split_input(text, "in.cu")
    assert before.split("\n") == ["units metal", "read_data x", ""]
    assert [line for line in after.split("\n") if line] == ["run 5"]
    with pytest.raises(ValueError, match=r"^in\.cu: expected a line with the comment # ase-mlips where the model goes"):
        split_input("run 5\n# ase-mlipsy\n", "in.cu")


@pytest.mark.parametrize("tilted", [False, True])
def test_a_data_file_has_the_structure(tilted):
    atoms = crystal()
    atoms.set_cell(atoms.cell.array @ np.array([[1, 0.1, 0], [0, 1, 0.2], [0.1, 0, 1]]), scale_atoms=True)
    atoms.set_velocities(np.random.default_rng(0).normal(size=(len(atoms), 3)) * 0.01)
    found = read_lammps_data(
        StringIO(data_text(atoms, ["Cu", "Au"], tilted=tilted)), units="metal", atom_style="atomic"
    )
    assert list(found.symbols) == list(atoms.symbols)
    np.testing.assert_allclose(found.cell.lengths(), atoms.cell.lengths())
    np.testing.assert_allclose(found.get_all_distances(mic=True), atoms.get_all_distances(mic=True), atol=1e-7)
    kinetic = [0.5 * (a.get_masses()[:, None] * a.get_velocities() ** 2).sum() for a in (found, atoms)]
    assert kinetic[0] == pytest.approx(kinetic[1], rel=1e-6)
    with pytest.raises(ValueError, match="expected atoms of Cu, got Au"):
        data_text(atoms, ["Cu"])


def test_an_orthogonal_box_that_may_lean():
    assert "xy xz yz" not in data_text(crystal(), ["Cu", "Au"])
    assert "xy xz yz" in data_text(crystal(), ["Cu", "Au"], tilted=True)


def test_what_is_not_periodic_gets_a_box():
    slab = fcc111("Cu", (2, 2, 3), vacuum=None, orthogonal=True)
    cluster = Atoms("Cu2", [[0, 0, -4.0], [1, 2, 30.0]])
    for atoms in (slab, cluster):
        boxed = in_box(atoms)
        inside = boxed.get_scaled_positions(wrap=False)[:, ~atoms.pbc]
        assert inside.min() > 0.0
        assert inside.max() < 1.0
        np.testing.assert_allclose(boxed.get_all_distances(mic=True), atoms.get_all_distances(mic=True), atol=1e-9)
    leaning = slab.copy()
    leaning.cell[2] = [1.0, 0.0, 20.0]
    with pytest.raises(ValueError, match="at right angles"):
        in_box(leaning)


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        ({"ensemble": "nve"}, ["fix md1 all nve"]),
        ({"ensemble": "langevin", "temperature": 500}, ["fix md1 all nve", "fix md2 all langevin 500 500 0.1 "]),
        ({"ensemble": "bussi", "damping": 50}, ["fix md1 all nve", "fix md2 all temp/csvr 300 300 0.05 "]),
        ({"ensemble": "nose-hoover", "temperature_end": 900}, ["fix md1 all nvt temp 300 900 0.1"]),
        ({"ensemble": "npt", "pressure": 1.5}, ["fix md1 all npt temp 300 300 0.1 iso 15000 15000 1"]),
        ({"ensemble": "npt-full", "pressure_end": 2}, ["fix md1 all npt temp 300 300 0.1 tri 0 20000 1"]),
    ],
)
def test_ensembles(settings, lines):
    found = commands(crystal(), timestep=2.0, steps=50, seed=1, **settings)
    for line in ("units metal", "boundary p p p", "read_data cu.data", "timestep 0.002", "run 50"):
        assert line in found
    model = next(k for k, line in enumerate(found) if "# ase-mlips" in line)
    assert found.index("read_data cu.data") < model < next(k for k, line in enumerate(found) if line.startswith("fix"))
    for line in lines:
        assert any(each.startswith(line) for each in found), line


def test_seeds_and_velocities():
    one, same, other = ([line for line in commands(crystal(), seed=k) if "create" in line] for k in (1, 1, 2))
    assert one == same != other
    assert one[0].startswith("velocity all create 300 ")
    moving = crystal()
    moving.set_momenta(np.ones((len(moving), 3)))
    assert not any("velocity" in line for line in commands(moving))


def test_atoms_that_are_held():
    atoms = crystal()
    atoms.set_constraint(FixAtoms(range(14)))
    found = commands(atoms, ensemble="bussi")
    assert "group held id 13 14" in found
    assert "group mobile subtract all held" in found
    assert "velocity held set 0 0 0" in found
    assert not any(line.startswith("fix") and " all " in line for line in found)
    atoms.set_constraint(FixedPlane(0, (1, 0, 0)))
    with pytest.raises(ValueError, match="no constraints but FixAtoms, got FixedPlane"):
        commands(atoms)


def test_settings_without_a_counterpart():
    with pytest.raises(ValueError, match=r"^max_grade: is of ase-mlips md"):
        commands(crystal(), max_grade=2.0)
    with pytest.raises(ValueError, match="npt needs a periodic cell"):
        commands(Atoms("Cu2", [[0, 0, 0], [0, 0, 2]]), ensemble="npt")


def test_the_command_writes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write("cu.xyz", crystal())
    words = ["lammps", "cu.xyz", "--write", "cu.data", "--ensemble", "npt", "--temperature", "500"]
    words += ["--elements", "Cu", "Au", "--heat-flux", "flux.dat", "--steps", "7"]
    assert main(words) == 0
    script = (tmp_path / "cu.data.in").read_text()
    assert "fix flux all ave/time 5 1 5 f_mlip[1] " in script
    assert "ensemble: NPT; species: Cu 21 Au 11" in script
    assert len(read("cu.data", format="lammps-data", atom_style="atomic")) == 32
    assert "mpirun -np 2 ase-mlips lammps cu.data.in --model MODEL --elements Cu Au" in capsys.readouterr().out
    assert main(words) == 2
    assert "cu.data: exists; --force replaces it" in capsys.readouterr().err
    assert main([*words, "--force", "--timestep", "2"]) == 0
    assert "timestep 0.002" in (tmp_path / "cu.data.in").read_text()
    assert main([*words, "--force", "--ensemble", "nve", "--pressure", "1"]) == 2
    assert "--pressure is of npt" in capsys.readouterr().err


def test_the_command_says_what_it_needs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["lammps", "in.cu", "--elements", "Cu"]) == 2
    assert "in.cu: expected --model" in capsys.readouterr().err


def test_a_heat_flux_of_lammps(tmp_path):
    path = tmp_path / "flux.dat"
    path.write_text(FLUX)
    series = read_heat_flux(path)  # the last line is not complete
    assert (len(series), series.timestep_fs, series.ensemble) == (3, 10.0, "NVE")
    np.testing.assert_allclose(series.convective[:, 0], [1e-3, 2e-3, 3e-3])
    np.testing.assert_allclose(series.conductive[1], [4e-3, 5e-3, 6e-3])
    np.testing.assert_allclose(series.currents["S"][0], [10e-3, 11e-3, 12e-3])
    np.testing.assert_allclose(series.temperature, [300, 301, 302])
    np.testing.assert_allclose(series.volume, 90.0)
    for before, after, message in (
        ("\n10 3", "\n11 3", r"flux\.dat:5: expected lines 10 fs apart, got 10 and 22 fs"),
        ("species: P 4 S 24", "species: P 4", r"flux\.dat:2: expected 12 columns for P, got"),
        ("2 fs; ens", "fast; ens", r"flux\.dat:1: expected # heat flux of LAMMPS"),
        ("\n5 2", "\n0 2", r"flux\.dat:4: expected steps that increase"),
        (FLUX[150:], "", "only a part of its header"),
    ):
        path.write_text(FLUX.replace(before, after))
        with pytest.raises(ValueError, match=message):
            read_heat_flux(path)

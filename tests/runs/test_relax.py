"""One relaxation: pressure, constant volume, symmetry and optimizers."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms
from ase.io import read
from support.morse import MorseCalculator, crystal

from ase_mlips import SNAP
from ase_mlips.phonons import relax as relax_crystal
from ase_mlips.runs import RelaxResult, RelaxRun, relax


def test_positions_of_a_molecule_with_any_calculator():
    atoms = molecule("H2O")
    before = atoms.copy()
    result = relax(atoms, EMT(), RelaxRun(fmax=1e-3))
    assert result.converged
    assert atoms == before
    assert result.max_force < 1e-3
    assert result.energies[-1] < result.energies[0]
    assert result.pressures is None
    assert result.provenance["model"] == "EMT"


@pytest.mark.parametrize("pressure", [0.0, 10.0, -2.0])
def test_a_cell_goes_to_its_pressure(pressure):
    result = relax(bulk("Cu", a=3.4), MorseCalculator(), cell=True, pressure=pressure, fmax=1e-4)
    assert result.converged
    assert result.pressures is not None
    assert result.pressures[-1] == pytest.approx(pressure, abs=0.02)
    atoms = result.atoms
    atoms.calc = MorseCalculator()
    np.testing.assert_allclose(atoms.get_stress() / units.GPa, [-pressure] * 3 + [0.0] * 3, atol=0.02)


def test_the_shape_at_constant_volume():
    atoms = bulk("Cu", a=3.5, cubic=True)
    atoms.set_cell([3.6, 3.4, 3.5], scale_atoms=True)
    result = relax(atoms, MorseCalculator(), cell=True, constant_volume=True, fmax=1e-3)
    assert result.converged
    assert result.atoms.get_volume() == pytest.approx(atoms.get_volume(), rel=1e-6)
    assert np.ptp(result.atoms.cell.lengths()) < 1e-2


def test_crystals_are_relaxed_as_for_phonons():
    atoms = bulk("Si", a=5.3)
    kept = relax(atoms, SNAP.embedded("Si"), cell=True, symmetry=True, fmax=1e-4)
    other = relax_crystal(atoms, SNAP.embedded("Si"))
    assert kept.steps == other.steps
    np.testing.assert_array_equal(kept.atoms.positions, other.atoms.positions)
    np.testing.assert_array_equal(kept.atoms.cell.array, other.atoms.cell.array)
    ratios = kept.atoms.cell.array / kept.atoms.cell.array[0, 1]
    np.testing.assert_allclose(ratios, 1.0 - np.eye(3), atol=1e-9)


@pytest.mark.parametrize("optimizer", ["bfgs", "lbfgs", "fire"])
def test_each_optimizer_finds_the_same_energy(optimizer):
    atoms = bulk("Cu", a=3.35, cubic=True)
    atoms.rattle(0.05, seed=0)
    result = relax(atoms, MorseCalculator(), optimizer=optimizer, fmax=1e-4)
    perfect = bulk("Cu", a=3.35, cubic=True)
    perfect.calc = MorseCalculator()
    assert result.energy == pytest.approx(perfect.get_potential_energy(), abs=1e-5)


def test_constraints_hold(tmp_path):
    atoms = crystal()
    calc, atoms.calc = atoms.calc, None
    atoms.set_constraint(FixAtoms([0, 3]))
    result = relax(atoms, calc, fmax=0.05, trajectory=tmp_path / "x.traj")
    np.testing.assert_array_equal(result.atoms.positions[[0, 3]], atoms.positions[[0, 3]])
    steps = read(tmp_path / "x.traj", ":")
    assert len(steps) == len(result.energies) == result.steps + 1
    assert steps[-1].info["provenance"] == result.provenance


def test_what_does_not_converge_says_so_and_the_result_is_kept(tmp_path):
    atoms = crystal()
    result = relax(atoms, MorseCalculator(), steps=2, fmax=1e-9)
    assert not result.converged
    assert "converged: no" in repr(result)
    result.save(tmp_path / "x.npz")
    again = RelaxResult.load(tmp_path / "x.npz")
    assert again.atoms == result.atoms
    np.testing.assert_array_equal(again.columns()["step"], [0, 1, 2])
    assert len(result.plot().lines[0].get_xdata()) == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cell": True}, "cell: needs a cell with three vectors"),
        ({"symmetry": True}, "symmetry: needs a crystal that is periodic in three directions"),
    ],
)
def test_a_molecule_has_no_cell(settings, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        relax(Atoms("Cu2", [[0, 0, 0], [2.5, 0, 0]]), MorseCalculator(), **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pressure": 1.0}, "pressure: needs a cell whose volume is relaxed"),
        ({"cell": True, "constant_volume": True, "pressure": 1.0}, "pressure: needs a cell whose volume is relaxed"),
        ({"constant_volume": True}, "constant_volume: is of a cell that is relaxed"),
        ({"optimizer": "newton"}, "optimizer: expected 'bfgs' or 'lbfgs' or 'fire' or nothing, got 'newton'"),
    ],
)
def test_settings_that_mean_nothing(settings, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        RelaxRun(**settings)


def test_the_same_relaxation_reads_its_settings_from_a_file(tmp_path):
    Path(tmp_path / "x.yaml").write_text("cell: true\nfmax: 1e-3\n")
    assert RelaxRun.read(tmp_path / "x.yaml") == RelaxRun(cell=True, fmax=1e-3)

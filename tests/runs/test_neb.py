"""Bands: against ASE's own with the same images, and a barrier that is known."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import CalculationFailed
from ase.mep import NEB
from ase.optimize import BFGS, FIRE
from ase_mlips.analysis import Interrupted
from support.by_hand import vacancy_hop
from support.morse import MorseCalculator
from support.two_wells import BARRIER, REVERSE_BARRIER, SADDLE, TwoWells

from ase_mlips import SNAP
from ase_mlips.phonons import relax
from ase_mlips.runs import MinimumEnergyPath, NEBRun, minimum_energy_path


@pytest.fixture(scope="module")
def copper():
    return vacancy_hop(relax(bulk("Cu", a=3.6, cubic=True), MorseCalculator()).atoms * 2)


@pytest.fixture(scope="module")
def path(copper):
    return minimum_energy_path(*copper, MorseCalculator(), images=3, fmax=0.01)


def test_copper_as_ase_finds_it(copper, path):
    """A calculator for each image, another optimiser for the ends, and no band before the climbing one."""
    ends = [atoms.copy() for atoms in copper]
    images = [ends[0], *(ends[0].copy() for _ in range(3)), ends[1]]
    for image in images:
        image.calc = MorseCalculator()
    for end in ends:
        BFGS(end, logfile=None).run(fmax=1e-3)
    band = NEB(images, k=0.1, method="improvedtangent", climb=True)
    band.interpolate("idpp", mic=True)
    FIRE(band, logfile=None).run(fmax=0.01)
    energies = [image.get_potential_energy() for image in images]
    assert path.barrier == pytest.approx(max(energies) - energies[0], abs=1e-3)
    assert path.reverse_barrier == pytest.approx(max(energies) - energies[-1], abs=1e-3)
    assert path.energies == pytest.approx(energies, abs=2e-3)
    assert (path.converged, path.climbed) == (True, True)
    assert path.max_force < 0.01


def test_one_calculator_gives_what_one_for_each_image_gives(copper, path):
    ends = path.images()
    found = minimum_energy_path(
        ends[0], ends[-1], MorseCalculator(), images=3, relax_ends=False, climb=False, fmax=0.05
    )
    images = [ends[0].copy(), *(ends[0].copy() for _ in range(3)), ends[-1].copy()]
    for image in images:
        image.calc = MorseCalculator()
    band = NEB(images, k=0.1, method="improvedtangent")
    band.interpolate("idpp")
    FIRE(band, logfile=None).run(fmax=0.05)
    assert found.energies == pytest.approx([image.get_potential_energy() for image in images], abs=1e-9)
    assert not found.climbed


def test_the_way_there_and_back(copper, path):
    back = minimum_energy_path(copper[1], copper[0], MorseCalculator(), images=3, fmax=0.01)
    assert back.barrier == pytest.approx(path.reverse_barrier, abs=1e-3)


def test_a_barrier_in_closed_form():
    """Two wells with a curved path between them."""
    initial = Atoms("HHe", [[-1.0, 0.0, 0.0], [5.0, 5.0, 5.0]])
    final = Atoms("HHe", [[1.0, 0.0, 0.0], [5.0, 5.0, 5.0]])
    found = minimum_energy_path(initial, final, TwoWells(), images=3, interpolation="linear", fmax=3e-3, steps=2000)
    assert (found.barrier, found.reverse_barrier) == pytest.approx((BARRIER, REVERSE_BARRIER), abs=1e-3)
    saddle = found.positions[found.energies.argmax(), 0]
    assert saddle[:2] == pytest.approx(SADDLE, abs=0.02)
    spline = found.spline()
    line = np.linspace(0.0, found.distances[-1], 400)
    assert spline(line).max() == pytest.approx(BARRIER, abs=0.02)
    assert spline(found.distances) == pytest.approx(found.energies - found.energies[0])


def test_across_the_faces_of_the_cell(copper, path):
    """Wrapped atoms take the shortest way, as all do."""
    initial, final = copper[0].copy(), copper[1].copy()
    for atoms in (initial, final):
        atoms.positions += [0.9, 0.9, 0.9]
    final.wrap()
    initial.wrap()
    final.positions[3] += final.cell.array[0]
    found = minimum_energy_path(initial, final, MorseCalculator(), images=3, fmax=0.01)
    assert found.barrier == pytest.approx(path.barrier, abs=1e-3)
    assert found.distances[-1] == pytest.approx(path.distances[-1], abs=0.02)


def test_ends_as_they_are(copper):
    with pytest.warns(UserWarning, match=r"the (first|last) structure is not relaxed: its largest force is 0\.\d+"):
        found = minimum_energy_path(*copper, MorseCalculator(), images=1, relax_ends=False, fmax=0.05)
    assert (found.positions[0] == copper[0].positions).all()


def test_a_band_that_does_not_converge_is_no_loss(copper):
    with pytest.warns(UserWarning, match=r"not converged after 2 steps: its largest force is still .* eV/A"):
        found = minimum_energy_path(*copper, MorseCalculator(), images=3, steps=2, relax_ends=False, fmax=0.4)
    assert not found.converged
    assert found.facts()["converged"].startswith("NO, ")
    assert found.plot().get_title().endswith("NOT converged")
    with pytest.raises(CalculationFailed, match="the first structure: not relaxed after 1 steps"):
        minimum_energy_path(*copper, MorseCalculator(), steps=1)


def test_ends_that_cannot_be_ends(copper):
    initial, final = copper
    with pytest.raises(ValueError, match=r"the ends are the same: no atom moves by more than 0 A, and a hop needs"):
        minimum_energy_path(initial, initial, MorseCalculator())
    other = initial.copy()
    other.positions[3] += 0.3
    with pytest.raises(ValueError, match="after relaxation the ends are the same: no atom moves by more than "):
        minimum_energy_path(initial, other, MorseCalculator(), fmax=0.001)
    shifted = initial.copy()
    shifted.positions[3] += initial.cell.array[0]
    with pytest.raises(ValueError, match="the ends are the same"):
        minimum_energy_path(initial, shifted, MorseCalculator())
    with pytest.raises(ValueError, match="the ends have different atoms: 31 and 30"):
        minimum_energy_path(initial, final[:-1], MorseCalculator())
    exchanged = final.copy()
    exchanged.symbols[4] = "Au"
    with pytest.raises(ValueError, match="atom 4 is Cu in the first and Au in the last"):
        minimum_energy_path(initial, exchanged, MorseCalculator())
    larger = final.copy()
    larger.set_cell(final.cell.array * 1.01, scale_atoms=True)
    with pytest.raises(ValueError, match=r"different cells, by up to 0\.0666 A"):
        minimum_energy_path(initial, larger, MorseCalculator())
    with pytest.raises(ValueError, match="a hop needs at least two atoms, got 1"):
        minimum_energy_path(Atoms("Cu"), Atoms("Cu", [[1, 0, 0]]), MorseCalculator())
    open_ends = final.copy()
    open_ends.pbc = False
    with pytest.raises(ValueError, match="periodic along"):
        minimum_energy_path(initial, open_ends, MorseCalculator())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"images": 0}, "images: expected an integer of at least 1, got 0"),
        ({"interpolation": "cubic"}, "interpolation: expected 'idpp' or 'linear'"),
        ({"climb": 1}, "climb: expected true or false, got 1"),
        ({"spring": 0.0}, r"spring: expected a positive number in eV/A\^2"),
    ],
)
def test_settings_that_mean_nothing(fields, message):
    with pytest.raises(ValueError, match=message):
        NEBRun(**fields)


def test_with_a_potential_of_this_package():
    found = minimum_energy_path(*vacancy_hop(bulk("Mo", cubic=True) * 3), SNAP.embedded("Mo"), images=1)
    assert found.barrier == pytest.approx(found.reverse_barrier, abs=1e-3)
    assert 1.0 < found.barrier < 2.0
    assert found.facts()["hop"].startswith("Mo (atom ")


def test_a_path_without_barrier(path):
    downhill = replace(path, energies=np.linspace(0.0, -1.0, len(path.energies)))
    assert downhill.facts()["highest image"] == "0 of 0 to 4, an end: no barrier"
    assert (downhill.barrier, downhill.reverse_barrier) == (0.0, 1.0)


def test_the_result_is_kept_and_drawn(path, tmp_path):
    path.save(tmp_path / "neb.npz")
    again = MinimumEnergyPath.load(tmp_path / "neb.npz")
    assert repr(again) == repr(path)
    images = again.images()
    assert [image.get_potential_energy() for image in images] == path.energies.tolist()
    assert images[2].get_chemical_formula() == "Cu31"
    assert path.plot().get_ylabel() == "energy (eV)"
    assert {len(column) for column in path.columns().values()} == {5}


class Interrupting(MorseCalculator):
    """Ctrl-C at one of its calls."""

    def calculate(self, *args, **kwargs):
        self.left = getattr(self, "left", 40) - 1
        if self.left == 0:
            raise KeyboardInterrupt
        super().calculate(*args, **kwargs)


def test_a_band_that_is_interrupted_is_no_loss(copper, path):
    ends = path.images()
    with pytest.raises(Interrupted) as stopped:
        minimum_energy_path(ends[0], ends[-1], Interrupting(), images=3, relax_ends=False)
    assert stopped.value.frames > 0
    found = stopped.value.result
    assert not found.converged
    assert found.barrier == pytest.approx(path.barrier, abs=0.3)

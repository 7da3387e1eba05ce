"""Elastic constants: against strains by hand, energies, other axes, and what is known of crystal systems."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, make_supercell
from ase.calculators.emt import EMT
from ase.spacegroup import crystal as spacegroup_crystal
from scipy.linalg import sqrtm
from scipy.spatial.transform import Rotation
from support import three_body
from support.by_hand import elastic_tensor
from support.morse import MorseCalculator
from support.noisy_crystal import NoisyCrystal
from support.three_body import StillingerWeber
from support.without_stress import WithoutStress

from ase_mlips import SNAP
from ase_mlips.phonons import relax
from ase_mlips.runs import (
    ElasticConstants,
    ElasticRun,
    EOSRun,
    NEBRun,
    SurfaceRun,
    VacancyRun,
    elastic_constants,
)
from ase_mlips.runs.elastic_symmetry import invariant_tensors, strain_matrix


@pytest.fixture(scope="module")
def silicon():
    return elastic_constants(bulk("Si", a=5.47, cubic=True), SNAP.embedded("Si"))


@pytest.fixture(scope="module")
def alloy():
    """A relaxed crystal that has no symmetry but an inversion."""
    atoms = make_supercell(bulk("Cu", a=3.8), [[2, 1, 0], [0, 1, 1], [1, 0, 3]])
    atoms.symbols[[0, 1, 4]] = "Au"
    return relax(atoms, MorseCalculator(), fmax=1e-4).atoms


def test_published_constants_of_stillinger_and_weber():
    """To the digits that are printed, which are for relaxed ions; C44 lies on the edge between two of them."""
    found = elastic_constants(bulk("Si", a=5.43), StillingerWeber())
    printed = three_body.C11, three_body.C12, three_body.C44
    assert (found.tensor[0, 0], found.tensor[0, 1], found.tensor[3, 3]) == pytest.approx(printed, abs=0.051)
    assert found.clamped[3, 3] > 100.0


def test_silicon_relaxed_and_clamped(silicon):
    """The model card says 148, 57 and 77 GPa, and 103 with clamped ions."""
    assert (silicon.tensor[0, 0], silicon.tensor[0, 1], silicon.tensor[3, 3]) == pytest.approx((148, 57, 77), abs=0.6)
    assert silicon.clamped[3, 3] == pytest.approx(103.0, abs=0.6)
    assert silicon.clamped[0, 0] == pytest.approx(silicon.tensor[0, 0], abs=1e-3)
    assert (silicon.independent, silicon.stable, len(silicon.strains)) == (3, True, 8)
    assert "C44 clamped" in silicon.facts()


def test_silicon_by_hand(silicon):
    atoms = relax(bulk("Si", a=5.47, cubic=True), SNAP.embedded("Si")).atoms
    for found, relaxed in ((silicon.tensor, True), (silicon.clamped, False)):
        assert np.abs(found - elastic_tensor(atoms, SNAP.embedded("Si"), relaxed=relaxed)).max() < 0.1


def test_errors_are_those_of_finite_strains(silicon):
    """Large strains miss what small ones give by about the error that they say."""
    large = elastic_constants(bulk("Si", a=5.47), SNAP.embedded("Si"), strain=0.03)
    off = np.abs(large.tensor - silicon.tensor)
    for at in ((0, 0), (0, 1), (3, 3)):
        assert 0.3 * large.errors[at] < off[at] < 2.0 * large.errors[at]
    assert silicon.errors.max() < 0.1


def test_errors_cover_noise():
    """Of the stresses, as of a calculator in single precision; three constants from each of 60 runs."""
    atoms = bulk("Si", a=5.47)
    tensor = np.diag([93.0, 93.0, 93.0, 77.0, 77.0, 77.0])
    tensor[:3, :3] += 57.0
    hits = 0
    for seed in range(60):
        calc = NoisyCrystal(atoms, tensor, 0.001, seed)
        found = elastic_constants(atoms, calc, relax="none", ions="clamped")
        off = np.abs(found.tensor - tensor)
        hits += sum(off[at] < found.errors[at] for at in ((0, 0), (0, 1), (3, 3)))
        assert off.max() > 0.01  # GPa: this noise is seen
    assert 0.6 < hits / 180 < 0.92
    with pytest.warns(UserWarning, match="and more where strains are small: the stresses are noisy or the forces"):
        elastic_constants(atoms, NoisyCrystal(atoms, tensor, 0.02, 0), relax="none", ions="clamped")


def test_hexagonal_with_five_constants():
    crystal = relax(bulk("Cu", "hcp", a=2.56, c=4.18), EMT(), fmax=1e-5).atoms
    found = elastic_constants(crystal, EMT(), relax="none", strain=1e-3)
    assert (found.independent, len(found.strains)) == (5, 12)
    assert found.tensor[5, 5] == pytest.approx(0.5 * (found.tensor[0, 0] - found.tensor[0, 1]), abs=1e-9)
    assert np.abs(found.tensor - elastic_tensor(crystal, EMT())).max() < 0.1
    # Its two sublattices move apart in shears of the basal plane.
    assert found.clamped[5, 5] - found.tensor[5, 5] > 10.0


def test_triclinic_with_all_21(alloy):
    found = elastic_constants(alloy, MorseCalculator(), relax="none", strain=1e-3)
    assert (found.independent, len(found.strains)) == (21, 24)
    expected = elastic_tensor(alloy, MorseCalculator())
    assert np.abs(expected - expected.T).max() < 0.1
    assert np.abs(found.tensor - expected).max() < 0.1
    assert np.abs(found.clamped - elastic_tensor(alloy, MorseCalculator(), relaxed=False)).max() < 0.1
    assert np.abs(found.tensor[:3, 3:]).max() > 1.0  # none of these is zero by symmetry
    assert len(found.plot().get_legend().get_texts()) == 6


def test_axes_that_are_nearly_those_of_the_lattice():
    """A strain that hardly touches a constant is not what it is taken from."""
    atoms = bulk("Si", a=5.47)
    atoms.set_cell(atoms.cell.array @ Rotation.from_rotvec([0.0, 0.0, 0.03]).as_matrix(), scale_atoms=True)
    found = elastic_constants(atoms, SNAP.embedded("Si"), relax="positions")
    assert len(found.strains) == 8
    assert np.abs(found.tensor - elastic_tensor(atoms, SNAP.embedded("Si"))).max() < 0.05


@pytest.mark.parametrize("system", ["Si", "hcp"])
def test_in_other_axes(system):
    atoms, calc = {"Si": (bulk("Si", a=5.47), SNAP.embedded("Si")), "hcp": (bulk("Cu", "hcp", a=2.56, c=4.18), EMT())}[
        system
    ]
    turned = atoms.copy()
    turn = Rotation.from_rotvec([0.3, -0.7, 1.1]).as_matrix()
    turned.set_cell(atoms.cell.array @ turn.T, scale_atoms=True)
    first, second = (elastic_constants(crystal, calc, strain=1e-3) for crystal in (atoms, turned))
    assert second.independent == first.independent
    assert second.eigenvalues == pytest.approx(first.eigenvalues, abs=0.02)
    assert second.hill == pytest.approx(first.hill, abs=0.02)
    assert np.abs(second.tensor - first.tensor).max() > 1.0


def test_the_number_of_constants_of_each_crystal_system():
    """Nye, Physical Properties of Crystals, table 9."""
    place = [(0.11, 0.23, 0.37)]
    cells = {
        225: (3, [4, 4, 4, 90, 90, 90]),
        198: (3, [4, 4, 4, 90, 90, 90]),
        194: (5, [3, 3, 5, 90, 90, 120]),
        176: (5, [3, 3, 5, 90, 90, 120]),
        167: (6, [5, 5, 13, 90, 90, 120]),
        148: (7, [5, 5, 13, 90, 90, 120]),
        139: (6, [4, 4, 6, 90, 90, 90]),
        87: (7, [4, 4, 6, 90, 90, 90]),
        62: (9, [4, 5, 6, 90, 90, 90]),
        14: (13, [4, 5, 6, 90, 100, 90]),
        2: (21, [4, 5, 6, 80, 100, 95]),
    }
    for number, (constants, cellpar) in cells.items():
        atoms = spacegroup_crystal("Si", place, spacegroup=number, cellpar=cellpar)
        assert len(invariant_tensors(atoms, 1e-5)) == constants, number


def test_averages_of_an_isotropic_and_of_a_cubic_tensor():
    """Bounds of cubic crystals in closed form; Hill, Proc. Phys. Soc. A 65, 349 (1952)."""
    c11, c12, c44 = 170.0, 122.0, 76.0
    tensor = np.diag([c11 - c12] * 3 + [c44] * 3)
    tensor[:3, :3] += c12
    found = ElasticConstants(
        "Cu", "Fm-3m (225)", "relaxed", tensor, tensor, 0.0 * tensor, 3, np.zeros(6), np.eye(6), tensor, 0.0
    )
    assert (found.voigt.bulk, found.reuss.bulk) == pytest.approx([(c11 + 2 * c12) / 3] * 2)
    assert found.voigt.shear == pytest.approx((c11 - c12 + 3 * c44) / 5)
    assert found.reuss.shear == pytest.approx(5 * (c11 - c12) * c44 / (4 * c44 + 3 * (c11 - c12)))
    hill = found.hill
    assert hill.young == pytest.approx(2.0 * hill.shear * (1.0 + hill.poisson))
    assert hill.young == pytest.approx(3.0 * hill.bulk * (1.0 - 2.0 * hill.poisson))
    assert found.eigenvalues == pytest.approx([c11 - c12] * 2 + [2 * c44] * 3 + [c11 + 2 * c12])


def test_under_pressure_the_coefficients_of_stress_against_strain():
    """Second derivatives C of the energy by Lagrange's strain are C11 = B11 + p, C12 = B12 - p, C44 = B44 + p."""
    atoms, calc = bulk("Si", a=5.35), SNAP.embedded("Si")
    with pytest.warns(UserWarning, match="under a pressure of .* GPa"):
        found = elastic_constants(atoms, calc, relax="none", ions="clamped", strain=1e-3)

    def energy(lagrange):
        work = atoms.copy()
        work.set_cell(atoms.cell.array @ sqrtm(np.eye(3) + 2.0 * strain_matrix(lagrange)), scale_atoms=True)
        return calc.get_potential_energy(work)

    e, h = np.eye(6), 2e-3
    second = {}
    for name, strain in (("11", e[0]), ("1+2", e[0] + e[1]), ("44", e[3])):
        second[name] = (energy(h * strain) + energy(-h * strain) - 2.0 * energy(0.0 * strain)) / h**2
        second[name] /= atoms.get_volume() * units.GPa
    p = found.pressure
    assert p > 4.0
    assert found.tensor[0, 0] + p == pytest.approx(second["11"], abs=0.05)
    assert found.tensor[0, 1] - p == pytest.approx(0.5 * second["1+2"] - second["11"], abs=0.05)
    assert found.tensor[3, 3] + p == pytest.approx(second["44"], abs=0.05)
    assert found.facts()["pressure"].endswith("GPa")


def test_a_calculator_without_stress():
    crystal, calc = bulk("Si", a=5.4), SNAP.embedded("Si")
    with_it, without = (elastic_constants(crystal, potential) for potential in (calc, WithoutStress(calc)))
    assert np.abs(without.tensor - with_it.tensor).max() < 0.02


def test_an_unstable_crystal():
    """Body-centred copper shears by itself towards the face-centred one; that is a result, and no error."""
    found = elastic_constants(bulk("Cu", "bcc", a=2.87), EMT(), strain=1e-3)
    assert found.tensor[0, 0] < found.tensor[0, 1]
    assert not found.stable
    assert found.facts()["stable"].startswith("no, smallest stiffness -")
    assert "Hill" not in found.facts()


def test_strains_that_leave_the_elastic_range():
    with pytest.warns(UserWarning, match=r"strains of 0.1 leave the elastic range: the linear fit misses \d+ % of a"):
        found = elastic_constants(bulk("Si"), SNAP.embedded("Si"), strain=0.1)
    assert found.residual > 0.1


def test_settings_from_a_file():
    """They are what JSON and YAML hold, tuples as lists."""
    for kind in (ElasticRun, EOSRun, NEBRun, SurfaceRun, VacancyRun):
        assert kind(**json.loads(json.dumps(asdict(kind())))) == kind()


def test_structures_that_are_not_relaxed():
    atoms, calc = bulk("Si", a=5.47, cubic=True), SNAP.embedded("Si")
    pulled = atoms.copy()
    pulled.set_cell(atoms.cell.array @ np.diag([1.02, 1.0, 1.0]), scale_atoms=True)
    with pytest.raises(ValueError, match=r"the cell is not relaxed: its stress is 2\.\d+ 1\..* GPa \(xx yy zz"):
        elastic_constants(pulled, calc, relax="none")
    atoms.rattle(0.05)
    with pytest.raises(ValueError, match=r"largest force is \d.* eV/A, where 0.01 is allowed, and the stress is"):
        elastic_constants(atoms, calc, relax="none")


def test_atoms_that_do_not_interact():
    with pytest.raises(ValueError, match="strains cause no stress"):
        elastic_constants(bulk("Si", "sc", a=20.0), SNAP.embedded("Si"), relax="none")


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        (Atoms("Si2", [[0, 0, 0], [0, 0, 2.3]]), "elastic constants need a crystal that is periodic"),
        (Atoms("Si", pbc=True), "elastic constants need a cell"),
        (Atoms("Si2", cell=4.0 * np.eye(3), pbc=True), "atoms 0 and 1 are at the same place"),
    ],
)
def test_what_is_no_crystal(atoms, message):
    with pytest.raises(ValueError, match=message):
        elastic_constants(atoms, SNAP.embedded("Si"))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"strain": 0.0}, "strain: expected a positive number below 0.2, got 0.0"),
        ({"strain": "0.01 A"}, "strain: expected a finite number, got '0.01 A'"),
        ({"ions": "free"}, "ions: expected 'relaxed' or 'clamped', got 'free'"),
        ({"relax": True}, "relax: expected 'cell' or"),
        ({"symprec": -1.0}, "symprec: expected a positive number in A"),
    ],
)
def test_settings_that_mean_nothing(fields, message):
    with pytest.raises(ValueError, match=message):
        ElasticRun(**fields)


def test_the_result_is_kept_and_drawn(silicon, tmp_path):
    silicon.save(tmp_path / "elastic.npz")
    again = ElasticConstants.load(tmp_path / "elastic.npz")
    assert repr(again) == repr(silicon)
    assert (again.tensor == silicon.tensor).all()
    labels = sorted(text.get_text() for text in silicon.plot().get_legend().get_texts())
    assert [label[:3] for label in labels] == ["C11", "C12", "C44"]
    assert labels[-1].endswith("GPa, clamped 103.4 (dotted)")
    assert {len(column) for column in silicon.columns().values()} == {21}

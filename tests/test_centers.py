"""Central atoms and others that are neighbours only: a periodic crystal as a cluster in its own images."""

import numpy as np
import pytest
from scipy.spatial import cKDTree
from support.ace_models import synthetic_ace_models
from support.evaluations import Configuration, assert_close, evaluated, listed, scattered
from support.mtp_models import synthetic_mtp_model
from support.nep_models import synthetic_nep_models
from support.pod_models import synthetic_pod_model
from support.snap_models import synthetic_models

from ase_mlips.ace import AcePotential
from ase_mlips.engine.neighbors import NeighborList
from ase_mlips.engine.neighbors.joined import static_list
from ase_mlips.mtp.potential import MtpPotential
from ase_mlips.nep.potential import NepPotential
from ase_mlips.pod.potential import PodPotential
from ase_mlips.snap.potential import SnapPotential

POTENTIALS = {
    "ace": lambda: AcePotential(synthetic_ace_models()["two"]),
    "mtp": lambda: MtpPotential(synthetic_mtp_model("l16")),
    "nep": lambda: NepPotential(synthetic_nep_models()["nep4"]),
    "pod": lambda: PodPotential(synthetic_pod_model("two_seven")),
    "snap": lambda: SnapPotential(synthetic_models()["two"]),
    "quadratic": lambda: SnapPotential(synthetic_models()["quadratic"]),
}


def with_ghosts(crystal: Configuration, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Owner and position of the atoms, and behind them of every image that is nearer than `reach` to one of them."""
    _, positions, cell, _ = crystal
    spacings = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    most = np.ceil((reach + np.ptp(positions, axis=0).max()) / spacings).astype(int) + 1
    shifts = np.stack(np.meshgrid(*(np.arange(-m, m + 1) for m in most)), -1).reshape(-1, 3)
    shifts = shifts[np.any(shifts != 0, axis=1)] @ cell
    images = (positions[:, None] + shifts).reshape(-1, 3)
    owner = np.repeat(np.arange(len(positions)), len(shifts))
    near = cKDTree(positions).query(images)[0] < reach
    return np.concatenate([np.arange(len(positions)), owner[near]]), np.vstack([positions, images[near]])


@pytest.mark.parametrize("count", [1, 9, 260])
@pytest.mark.parametrize("name", POTENTIALS)
def test_the_images_as_ghosts_give_the_crystal(name, count):
    potential = POTENTIALS[name]()
    edge = max(6.0, 2.6 * count ** (1 / 3))
    crystal = scattered(len(potential.elements), count=count, edge=edge, pbc=(True,) * 3, seed=count)
    expected, n = evaluated(potential, crystal), len(crystal.species)
    owner, positions = with_ghosts(crystal, potential.cutoff + 0.4)
    neighbors = NeighborList(potential.cutoff, 0.3)
    neighbors.update(positions, np.zeros((3, 3)), np.zeros(3, bool), centers=n)
    found = potential.evaluate(neighbors, crystal.species[owner], 2 if count > 100 else 1)
    assert (neighbors.n, neighbors.centers) == (len(owner), n)
    assert not found.energies[n:].any()
    assert_close(found.energies[:n], expected.energies, 1e-11)
    for got, right in ((found.forces, expected.forces), (found.virials, expected.virials)):
        folded = np.zeros_like(right)
        np.add.at(folded, owner, got)
        assert_close(folded, right, 1e-11)


def test_a_list_of_central_atoms():
    rng = np.random.default_rng(0)
    positions, cell, pbc = rng.uniform(0, 8, (40, 3)), 8.0 * np.eye(3), np.ones(3, bool)
    whole, part = NeighborList(3.0, 0.5), NeighborList(3.0, 0.5)
    whole.update(positions, cell, pbc)
    for centers in (40, 13, 0, 13):
        assert part.update(positions, cell, pbc, centers=centers)
        assert not part.update(positions + 0.01, cell, pbc, centers=centers)
        part.update(positions, cell, pbc, centers=centers)
        for got, right in zip(part.pairs(), whole.pairs(), strict=True):
            np.testing.assert_array_equal(got, right[whole.pairs()[0] < centers])
        assert part.start.shape == (41,)
        assert np.all(part.start[centers:] == len(part.idx))
    for wrong in (-1, 41):
        with pytest.raises(ValueError, match=f"centers: expected 0 to 40 atoms, got {wrong}"):
            part.update(positions, cell, pbc, centers=wrong)
    assert whole.centers == 40


def test_charges_need_all_atoms():
    potential = NepPotential(synthetic_nep_models()["charge3"])
    neighbors = NeighborList(potential.cutoff)
    neighbors.update(np.eye(3), np.zeros((3, 3)), np.zeros(3, bool), centers=2)
    with pytest.raises(ValueError, match="the charges depend on all atoms"):
        potential.evaluate(neighbors, np.zeros(3, np.int32))


@pytest.mark.parametrize("name", POTENTIALS)
def test_a_list_of_arrays_is_as_good(name):
    potential = POTENTIALS[name]()
    crystal = scattered(len(potential.elements), count=19, edge=7.0, pbc=(True,) * 3, seed=1)
    neighbors = listed(potential.cutoff, crystal, skin=0.0)
    copied = static_list(neighbors.positions, neighbors.shifts, neighbors.start, neighbors.idx, neighbors.code)
    assert (copied.n, copied.centers, copied.longest) == (neighbors.n, neighbors.n, neighbors.longest)
    expected, found = (potential.evaluate(lists, crystal.species) for lists in (neighbors, copied))
    for mine, right in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine, right)

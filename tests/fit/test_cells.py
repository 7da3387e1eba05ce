"""What is said once of frames that other trainers take for periodic, or in which atoms meet their images."""

import pytest
from ase import Atoms
from ase.build import bulk

from ase_mlips.fit import fit_snap as fit
from ase_mlips.fit import read_frames, snap_template, warn_of_cells


def frames_of(*all_atoms):
    for atoms in all_atoms:
        atoms.info["energy"] = -1.0
    return read_frames(all_atoms)


def said(recorded):
    (warning,) = recorded
    return str(warning.message)


LARGE = bulk("Si", cubic=True) * 3  # 16.3 A
SHEARED = bulk("Si") * 5  # vectors of 19.2 A, but faces 15.7 A apart


def test_large_periodic_cells_and_clusters_without_a_lattice_are_nothing_to_say(recwarn):
    warn_of_cells(frames_of(LARGE, Atoms("Si2", positions=[(0, 0, 0), (0, 0, 2)])), 5.0)
    assert not recwarn


@pytest.mark.parametrize("pbc", [(False, False, False), (True, True, False)])
def test_frames_with_a_lattice_that_are_not_periodic_are_counted(recwarn, pbc):
    other = LARGE.copy()
    other.pbc = pbc
    warn_of_cells(frames_of(LARGE, other, other.copy()), 5.0)
    assert said(recwarn).startswith("of 3 frames 2 have a lattice but are not periodic in all directions (pbc)")


@pytest.mark.parametrize(("cutoff", "thin"), [(7.8, 0), (7.9, 1), (8.2, 2)])
def test_the_thickness_is_between_faces(recwarn, cutoff, thin):
    warn_of_cells(frames_of(LARGE, SHEARED), cutoff)
    assert len(recwarn) == bool(thin)
    if thin:
        assert f"of 2 frames {thin} have a cell thinner than twice the cutoff of {cutoff} A" in said(recwarn)


def test_both_are_said_in_one_warning(recwarn):
    cluster = bulk("Si", cubic=True)
    cluster.pbc = False
    warn_of_cells(frames_of(cluster), 5.0)
    assert "1 have a lattice" in (text := said(recwarn))
    assert "1 have a cell thinner" in text


def test_a_fit_of_snap_says_nothing_of_it(recwarn):
    cells = [bulk("Si", a=5.3 + 0.05 * n) for n in range(6)]
    cells[0].pbc = False
    template = snap_template(["Si"], radii=[0.5], twojmax=0, rcutfac=4.0)
    fit(template, frames_of(*cells))
    assert not [warning for warning in recwarn if "frames" in str(warning.message) and "cell" in str(warning.message)]

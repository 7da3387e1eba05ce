"""Sums of POD, SNAP and ACE models: evaluation, files, LAMMPS, and one fit for all coefficients."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from support.ace_models import synthetic_ace_models
from support.damage import refusal
from support.evaluations import Configuration, assert_close, assert_threads_change_nothing, evaluated, listed
from support.lammps_peer import Lammps, require_lammps
from support.pod_models import headed_pod_models, pod_crystal, synthetic_pod_model
from support.snap_models import network_models, synthetic_models

from ase_mlips import Overlay, load
from ase_mlips.ace import AcePotential
from ase_mlips.ace.fitting import weighted, without_coefficients
from ase_mlips.fit import Loss, fit_overlay, fit_pod, fit_snap, read_frames
from ase_mlips.overlay import OverlayModel, OverlayPotential, read_overlay, write_overlay
from ase_mlips.pod import PodPotential
from ase_mlips.snap import SnapPotential, Zbl
from ase_mlips.testing import check_calculator

POD_MODEL, SNAP_MODEL = synthetic_pod_model("two"), synthetic_models()["two"]  # cutoffs 4.3 A and, per pair, 3.8 to 4.4
FITTED = synthetic_models()["two_bzero0"]
ACE_MODEL = synthetic_ace_models()["two"]
MODEL = OverlayModel((POD_MODEL, replace(SNAP_MODEL, zbl=Zbl(1.5, 2.4, (29.0, 28.0)))))


def crystal(atoms: int = 8, seed: int = 0) -> Configuration:
    return Configuration(*pod_crystal(POD_MODEL, atoms=atoms, seed=seed))


def as_atoms(configuration: Configuration) -> Atoms:
    species, positions, cell, pbc = configuration
    return Atoms([MODEL.elements[s] for s in species], positions, cell=cell, pbc=pbc)


def test_energies_forces_virials_and_descriptors_are_those_of_the_parts() -> None:
    found = evaluated(OverlayPotential(MODEL), crystal())
    parts = [evaluated(PodPotential(MODEL.parts[0]), crystal()), evaluated(SnapPotential(MODEL.parts[1]), crystal())]
    for mine, own in zip(found, zip(*parts, strict=True), strict=True):
        assert_close(mine, sum(own), 1e-13)
    potential = OverlayPotential(MODEL)
    neighbors, species = listed(potential.cutoff, crystal()), crystal().species
    K = POD_MODEL.basis.n_descriptors
    B = potential.descriptors(neighbors, species)
    assert_close(B[:, :K], PodPotential(POD_MODEL).descriptors(neighbors, species), 1e-15)
    assert_close(B[:, K:], SnapPotential(SNAP_MODEL).descriptors(neighbors, species), 1e-15)


def test_gradients_of_the_parts_side_by_side() -> None:
    """The pairs of the one with the longer cutoff are there, too; forces of a linear model follow from them."""
    bare = OverlayModel((POD_MODEL, SNAP_MODEL))
    potential, species = OverlayPotential(bare), crystal().species
    neighbors = listed(potential.cutoff, crystal())
    pairs = potential.descriptor_gradients(neighbors, species)
    lengths = [len(part.descriptor_gradients(neighbors, species).centers) for part in potential.parts]
    assert len(pairs.centers) >= max(lengths) > min(lengths)
    assert np.all(np.diff(pairs.centers) >= 0)
    c = np.hstack([POD_MODEL.coefficients[:, 0], SNAP_MODEL.coefficients[:, 1:]])[species[pairs.centers]]
    pulls = np.einsum("pak,pk->pa", pairs.gradients, c)
    forces = np.zeros((8, 3))
    np.add.at(forces, pairs.centers, pulls)
    np.add.at(forces, pairs.neighbors, -pulls)
    assert_close(forces, evaluated(potential, crystal()).forces, 1e-10)


def test_the_calculator_keeps_its_promises() -> None:
    check_calculator(lambda: Overlay(MODEL), as_atoms(crystal(seed=2))).raise_on_failure()
    assert repr(Overlay(MODEL)) == "Overlay(Cu, Ni, POD + SNAP, cutoff=4.4 A)"
    assert_threads_change_nothing(OverlayPotential(MODEL), crystal(atoms=600))
    assert pickle.loads(pickle.dumps(OverlayPotential(MODEL))).model == MODEL


def test_one_file_holds_all_parts(tmp_path) -> None:
    Overlay(MODEL).write(tmp_path / "x.overlay.npz")
    calc = load(tmp_path / "x.overlay.npz")
    found = calc.model.parts[0]
    common = replace(found, basis=replace(found.basis, expansion=None))
    assert OverlayModel((common, calc.model.parts[1])) == MODEL
    assert_close(calc.get_forces(as_atoms(crystal())), evaluated(OverlayPotential(MODEL), crystal()).forces, 1e-14)
    content = (tmp_path / "x.overlay.npz").read_bytes()
    for damaged in (content[:-100], b"", content.replace(b"1.twojmax", b"1.twojmin")):
        assert "expected" in refusal(read_overlay, tmp_path / "damaged.overlay.npz", damaged)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"parts": np.array(["pod", "soap"])}, "at most 100 parts of the kinds pod, snap, ace, got 'soap'"),
        ({"parts": np.array(["pod"])}, "no array but those of the parts, got '1."),
        ({"version": np.int64(2)}, "version 1 of the format, got 2"),
        ({"0.rin": np.float64(0.0)}, "rin to be at least"),
        ({"1.elements": np.array(["Cu", "Zn"])}, "of the same elements in the same order, got Cu Ni and Cu Zn"),
    ],
)
def test_archives_of_something_else(tmp_path, change, said) -> None:
    write_overlay(tmp_path / "x.overlay.npz", MODEL)
    with np.load(tmp_path / "x.overlay.npz") as archive:
        arrays = {**archive, **change}
    np.savez(tmp_path / "other.overlay.npz", **arrays)
    with pytest.raises(ValueError, match=r"other\.overlay\.npz: expected ") as caught:
        read_overlay(tmp_path / "other.overlay.npz")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ((), "expected parts, got none"),
        ((POD_MODEL, "snap"), "to be POD, SNAP or ACE models, got str"),
        ((POD_MODEL, synthetic_models()["tj2"]), "of the same elements in the same order, got Cu Ni and Cu"),
    ],
)
def test_parts_without_meaning(parts, said) -> None:
    with pytest.raises(ValueError, match=r"^expected parts") as caught:
        OverlayModel(parts)
    assert said in str(caught.value)


def test_what_lammps_cannot_hold(tmp_path) -> None:
    network = network_models()["network_two"]
    for model, said in (
        (OverlayModel((SNAP_MODEL, SNAP_MODEL)), "one part of a kind"),
        (OverlayModel((POD_MODEL, network)), "without a network"),
        (OverlayModel((headed_pod_models()["quadratic_two"],)), "without quadratic coefficients of POD"),
    ):
        with pytest.raises(ValueError, match=rf"x\.overlay: expected .*{said}"):
            write_overlay(tmp_path / "x.overlay", model)
        write_overlay(tmp_path / "x.overlay.npz", model)
    with pytest.raises(ValueError, match=r"expected a name that ends in \.overlay\.npz or \.overlay, got another"):
        write_overlay(tmp_path / "x.snap", MODEL)


def test_files_for_lammps(tmp_path) -> None:
    written = write_overlay(tmp_path / "x.overlay", MODEL)
    names = ["x_param.pod", "x_coefficients.pod", "x.snapcoeff", "x.snapparam", "x.overlay"]
    assert [name.rsplit("/", 1)[1] for name in written] == names
    assert (tmp_path / "x.overlay").read_text().splitlines()[1:] == [
        "pair_style hybrid/overlay zbl 1.5 2.4 pod snap",
        "pair_coeff 1 1 zbl 29.0 29.0",
        "pair_coeff 1 2 zbl 29.0 28.0",
        "pair_coeff 2 2 zbl 28.0 28.0",
        "pair_coeff * * pod x_param.pod x_coefficients.pod Cu Ni",
        "pair_coeff * * snap x.snapcoeff x.snapparam Cu Ni",
    ]


@pytest.mark.peer
def test_live_against_lammps(tmp_path, monkeypatch) -> None:
    require_lammps()
    monkeypatch.chdir(tmp_path)
    write_overlay("x.overlay", MODEL)
    species, positions, cell, pbc = crystal()
    order = np.argsort(species, kind="stable")
    configuration = Configuration(species[order], positions[order], cell, pbc)
    peer = Lammps(as_atoms(configuration), list(MODEL.elements), ["include x.overlay"])
    result = evaluated(OverlayPotential(MODEL), configuration)
    assert_close(result.forces, peer.forces(), 1e-10)
    assert result.energies.sum() == pytest.approx(peer.energy(), rel=1e-10)
    peer.close()


@pytest.fixture(scope="module")
def frames():
    """Ten crystals with the energies and forces of a sum of linear models."""
    calc, labelled = Overlay(OverlayModel((POD_MODEL, FITTED))), []
    for seed in range(10):
        atoms = as_atoms(crystal(atoms=12, seed=seed))
        labels = {"energy": calc.get_potential_energy(atoms), "forces": calc.get_forces(atoms)}
        atoms.calc = SinglePointCalculator(atoms, **labels)
        labelled.append(atoms)
    return read_frames(labelled)


def test_a_sum_is_found_again_and_its_parts_alone_are_not_enough(frames, tmp_path) -> None:
    loss = Loss(energy=100.0, force=1.0)
    fit = fit_overlay([POD_MODEL.basis, FITTED], frames[:8], test=frames[8:], loss=loss)
    alone = [fit_pod(POD_MODEL.basis, frames[:8], test=frames[8:], loss=loss),
             fit_snap(FITTED, frames[:8], test=frames[8:], loss=loss)]  # fmt: skip

    def force_error(own) -> float:
        return next(s.mae for s in own.report.scores() if (s.set, s.quantity, s.group) == ("test", "force", "*all"))

    assert force_error(fit) < 1e-6
    assert min(map(force_error, alone)) > 1e-2
    fit.save(tmp_path / "x.overlay.npz")
    assert_close(load(tmp_path / "x.overlay.npz").get_forces(frames[9].atoms), frames[9].forces, 1e-5)


def test_isolated_atoms_keep_their_energies(frames) -> None:
    energies = {"Cu": -1.5, "Ni": 2.5}
    fit = fit_overlay([FITTED, POD_MODEL.basis], frames, atomic_energies=energies, loss=Loss(ridge=1e-6))
    calc = Overlay(fit.model)
    for symbol, energy in energies.items():
        assert calc.get_potential_energy(Atoms(symbol)) == pytest.approx(energy, abs=1e-9)
    with pytest.raises(ValueError, match="atomic_energies: Ni missing"):
        fit_overlay([POD_MODEL.basis], frames, atomic_energies={"Cu": 1.0})
    with pytest.raises(ValueError, match="templates: expected linear SNAP models"):
        fit_overlay([POD_MODEL.basis, synthetic_models()["quadratic_two"]], frames)


def test_ace_in_a_sum(tmp_path) -> None:
    """Its bonds have cutoffs of their own; the pairs are those of all parts together."""
    model = OverlayModel((ACE_MODEL, POD_MODEL, FITTED))
    configuration = crystal(seed=4)
    potential = OverlayPotential(model)
    parts = [AcePotential(ACE_MODEL), PodPotential(POD_MODEL), SnapPotential(FITTED)]
    found = evaluated(potential, configuration)
    for mine, own in zip(found, zip(*(evaluated(p, configuration) for p in parts), strict=True), strict=True):
        assert_close(mine, sum(own), 1e-13)
    write_overlay(tmp_path / "x.overlay.npz", model)
    assert read_overlay(tmp_path / "x.overlay.npz").parts[0] == ACE_MODEL
    assert_close(load(tmp_path / "x.overlay.npz").get_forces(as_atoms(configuration)), found.forces, 1e-14)
    content = (tmp_path / "x.overlay.npz").read_bytes()
    for damaged in (content.replace(b"0.ranks", b"0.ranky"), content[: len(content) // 2]):
        assert "expected" in refusal(read_overlay, tmp_path / "damaged.overlay.npz", damaged)
    write_overlay(tmp_path / "x.overlay", OverlayModel((ACE_MODEL, POD_MODEL)))
    assert (tmp_path / "x.overlay").read_text().splitlines()[1:] == [
        "pair_style hybrid/overlay pace pod",
        "pair_coeff * * pace x.yace Cu Ni",
        "pair_coeff * * pod x_param.pod x_coefficients.pod Cu Ni",
    ]
    assert load(tmp_path / "x.yace").model.elements == ACE_MODEL.elements


def test_a_sum_with_ace_is_found_again() -> None:
    """Forces, as nearly parallel descriptors leave the coefficients open; isolated atoms keep their energies."""
    bare = without_coefficients(ACE_MODEL, np.zeros(2))
    size = 0.1 / np.maximum(np.abs(AcePotential(bare).descriptors(listed(4.5, crystal()), crystal().species)), 1.0)
    ace = weighted(bare, np.zeros(2), size[:2] * np.random.default_rng(0).normal(size=size[:2].shape))
    calc, labelled = Overlay(OverlayModel((FITTED, ace))), []
    for seed in range(16):
        atoms = as_atoms(crystal(atoms=12, seed=seed))
        labels = {"energy": calc.get_potential_energy(atoms), "forces": calc.get_forces(atoms)}
        atoms.calc = SinglePointCalculator(atoms, **labels)
        labelled.append(atoms)
    frames = read_frames(labelled)
    fit = fit_overlay([FITTED, ace], frames[:14], test=frames[14:], loss=Loss(energy=100.0))
    alone = fit_snap(FITTED, frames[:14], test=frames[14:], loss=Loss(energy=100.0))
    errors = [own.report.parity("test", "force").score().mae for own in (fit, alone)]
    assert errors[0] < 1e-4 * errors[1]

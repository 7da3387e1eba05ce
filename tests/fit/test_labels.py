"""Labels that files spell, order and combine in their own ways."""

import bz2
import gzip
import lzma

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write
from ase.io.formats import define_io_format, ioformats
from ase.units import GPa
from support.labelled import labelled_cells, random_model

from ase_mlips.files.formats import MLIP_CFG
from ase_mlips.fit import compare, fit_snap, read_frames, snap_template
from ase_mlips.fit.labels import structures
from ase_mlips.mtp.configurations import write_mlip_cfg
from ase_mlips.snap.potential import SnapPotential

if "mlip-cfg" not in ioformats:  # an installation of before there was the entry point
    define_io_format("mlip-cfg", **MLIP_CFG._asdict(), external=True)

STRESS = np.array([[1.0, 0.1, 0.2], [0.1, 2.0, 0.3], [0.2, 0.3, 3.0]]) * GPa
FORCES = np.array([[0.1, -0.2, 0.3], [-0.1, 0.2, -0.3]])


def crystal(**info):
    atoms = bulk("Si")
    atoms.info |= {"energy": -10.0} | info
    return atoms


def virial(atoms, stress=STRESS):
    return -atoms.get_volume() * stress


@pytest.mark.parametrize(
    ("lattice", "properties", "energy", "forces"),
    [
        ("Lattice", "Properties", "energy", "forces"),
        ("lattice", "properties", "energy", "force"),
        ("LATTICE", "PROPERTIES", "Energy", "Force"),
        ("lattice", "Properties", "ENERGY", "REF_forces"),
    ],
)
def test_every_key_of_extended_xyz_is_known_in_any_case(tmp_path, lattice, properties, energy, forces):
    rows = "\n".join(f"Si {n} 0 0 {f[0]} {f[1]} {f[2]}" for n, f in enumerate(FORCES))
    text = f'2\n{lattice}="3 0 0 1 4 0 0 0 5" {properties}=species:S:1:pos:R:3:{forces}:R:3 {energy}=-10\n{rows}\n'
    (tmp_path / "frames.xyz").write_text(text)
    (frame,) = read_frames(tmp_path / "frames.xyz")
    assert frame.atoms.cell.array.tolist() == [[3, 0, 0], [1, 4, 0], [0, 0, 5]]
    assert frame.atoms.pbc.all()
    assert frame.energy == -10.0
    assert np.array_equal(frame.forces, FORCES)


def test_a_lattice_in_two_spellings_is_refused(tmp_path):
    (tmp_path / "frames.xyz").write_text(
        '1\nLattice="1 0 0 0 1 0 0 0 1" lattice="2 0 0 0 2 0 0 0 2" energy=1\nSi 0 0 0\n'
    )
    with pytest.raises(ValueError, match=r"frames\.xyz: cannot be read .*Lattice and lattice in one frame"):
        read_frames(tmp_path / "frames.xyz")


def test_a_file_of_mlip_has_labels(tmp_path):
    cells = labelled_cells(random_model(), 3)
    with open(tmp_path / "frames.cfg", "w") as file:
        write_mlip_cfg(file, cells, species=["Ga", "N"])
    frames = read_frames(tmp_path / "frames.cfg", species=["Ga", "N"])
    for frame, expected in zip(frames, read_frames(cells), strict=True):
        assert frame.atoms.get_chemical_symbols() == expected.atoms.get_chemical_symbols()
        assert frame.energy == pytest.approx(expected.energy, abs=1e-9)
        np.testing.assert_allclose(frame.forces, expected.forces, atol=1e-9)
        np.testing.assert_allclose(frame.stress, expected.stress, atol=1e-9)


def test_six_numbers_of_a_virial_are_in_the_order_of_gpumd():
    atoms = crystal()
    atoms.info["virial"] = virial(atoms)[[0, 1, 2, 0, 1, 2], [0, 1, 2, 1, 2, 0]]
    np.testing.assert_allclose(read_frames([atoms])[0].stress, STRESS)


@pytest.mark.parametrize("other", [-STRESS, 2.0 * STRESS, STRESS + 0.1 * GPa], ids=["sign", "factor", "offset"])
def test_a_stress_and_a_virial_that_contradict_each_other_are_refused(other):
    good = crystal(stress=STRESS)
    good.info["virial"] = virial(good) * 1.001  # as files round
    assert np.array_equal(read_frames([good])[0].stress, STRESS)
    bad = crystal(stress=STRESS)
    bad.info["virial"] = virial(bad, other)
    with pytest.raises(
        ValueError, match=r"^input, frame 1: stress and virial contradict each other, [xyz]* [13] GPa and"
    ) as error:
        read_frames([good, bad])
    assert str(error.value).count("\n") == 0
    np.testing.assert_allclose(read_frames([bad], keys={"virial": "virial"})[0].stress, other)
    np.testing.assert_allclose(read_frames([bad], keys={"stress": "stress"})[0].stress, STRESS)


@pytest.mark.parametrize("kept", ["energy", "forces", "stress"])
def test_a_frame_counts_with_the_label_that_it_has(kept):
    """A fit to complete frames and to the same with a label split off into frames of their own is the same."""
    model = random_model()
    whole = read_frames(labelled_cells(model, 12))
    assert {name for name in ("energy", "forces", "stress") if getattr(whole[0], name) is not None} == {
        "energy", "forces", "stress",
    }  # fmt: skip
    cells = labelled_cells(model, 12)
    alone, rest = [], []
    for atoms in cells:
        results = dict(atoms.calc.results)
        single = atoms.copy()
        (single.arrays if kept == "forces" else single.info)[kept] = results.pop(kept)
        alone.append(single)
        others = atoms.copy()
        for name, value in results.items():
            (others.arrays if name == "forces" else others.info)[name] = value
        rest.append(others)
    split = read_frames([*alone, *rest])
    assert sum(getattr(frame, kept) is not None for frame in split) == 12
    expected, found = fit_snap(model, whole), fit_snap(model, split)
    np.testing.assert_allclose(found.model.coefficients, expected.model.coefficients, rtol=1e-6, atol=1e-8)
    counts = {score.quantity: score.count for score in found.report.scores() if score.group == "*all"}
    assert counts == {s.quantity: s.count for s in expected.report.scores() if s.group == "*all"}


def test_forces_alone_are_enough_for_a_fit():
    model = random_model()
    frames = read_frames([
        atoms for atoms in labelled_cells(model, 12) if [atoms.calc.results.pop(name) for name in ("energy", "stress")]
    ])  # fmt: skip
    fit = fit_snap(
        snap_template(model.elements, radii=model.radii, weights=model.weights, twojmax=2, rcutfac=4.0), frames
    )
    scores = compare(SnapPotential(fit.model), {"train": frames}).scores()
    assert {score.quantity for score in scores} == {"force"}
    assert max(score.largest for score in scores) < 1e-6


def test_structures_come_one_at_a_time(tmp_path):
    path = tmp_path / "frames.xyz"
    path.write_text("1\nenergy=1\nSi 0 0 0\n" * 3 + "2\nenergy=1\nSi 0 0 0\nSi 0 x 0\n")
    frames = structures(path)
    assert [len(next(frames)) for _ in range(3)] == [1, 1, 1]
    with pytest.raises(ValueError, match=r"frames\.xyz: cannot be read as structures"):
        next(frames)


@pytest.mark.parametrize(("ending", "opener"), [("gz", gzip.GzipFile), ("xz", lzma.LZMAFile), ("bz2", bz2.BZ2File)])
def test_compressed_frames_are_unpacked_once(tmp_path, monkeypatch, ending, opener):
    """To go back in a compressed file is to begin anew, which takes minutes for some hundred frames."""
    for name in ("a.xyz", f"a.xyz.{ending}"):
        write(tmp_path / name, [crystal(energy=-float(n)) for n in range(5)], format="extxyz")

    def refused(*_):
        raise AssertionError("back to the beginning")

    monkeypatch.setattr(opener, "seek", refused)
    plain, packed = (read_frames(tmp_path / name, index="1:") for name in ("a.xyz", f"a.xyz.{ending}"))
    assert len(packed) == 4
    assert [frame.energy for frame in packed] == [frame.energy for frame in plain]
    whole = (tmp_path / f"a.xyz.{ending}").read_bytes()
    (tmp_path / f"a.xyz.{ending}").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=f"a.xyz.{ending}: cannot be read as structures"):
        read_frames(tmp_path / f"a.xyz.{ending}")


def test_a_label_that_is_no_number_is_named():
    with pytest.raises(ValueError, match=r"energy: expected numbers, got \{\}"):
        read_frames([crystal(energy={})])


@pytest.mark.parametrize(("key", "field"), [("weight", "weight"), ("Weight", "weight"), ("energy_weight",) * 2])
def test_weights_of_frames_are_read(key, field):
    frame, plain = read_frames([crystal(**{key: 2.5}), crystal()])
    assert (getattr(frame, field), getattr(plain, field)) == (2.5, 1.0)
    assert frame.energy == -10.0
    assert f"{field} 2.5" in repr(frame)


def test_a_weight_of_zero_leaves_out_the_labels_or_the_energy():
    atoms = [crystal(energy_weight=0, stress=STRESS), crystal(weight=0.0, stress=STRESS), crystal()]
    no_energy, nothing, plain = read_frames(atoms)
    assert no_energy.energy is None
    assert np.array_equal(no_energy.stress, STRESS)
    assert (nothing.energy, nothing.forces, nothing.stress) == (None, None, None)
    assert plain.energy == -10.0


def test_frames_of_weight_zero_do_not_change_a_fit():
    model = random_model()
    cells = labelled_cells(model, 10)
    unused = labelled_cells(random_model(seed=1), 3)
    for atoms in unused:
        atoms.info["weight"] = 0
    fits = [fit_snap(model, read_frames(own)) for own in (cells, [*cells, *unused])]
    np.testing.assert_array_equal(fits[0].model.coefficients, fits[1].model.coefficients)
    assert [score.count for score in fits[0].report.scores()] == [score.count for score in fits[1].report.scores()]


@pytest.mark.parametrize("value", [-1.0, "heavy", float("nan"), [1.0, 2.0]])
@pytest.mark.parametrize("key", ["weight", "energy_weight"])
def test_a_weight_that_is_none_is_refused(key, value):
    with pytest.raises(ValueError, match=f"input, frame 0: {key}: expected one number of at least 0, got "):
        read_frames([crystal(**{key: value})])

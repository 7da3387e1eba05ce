"""MLIP's configurations through `ase.io`."""

import io
import os
import subprocess
import sys
from importlib.metadata import entry_points

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io.formats import define_io_format, ioformats

from ase_mlips.files.formats import MLIP_CFG
from ase_mlips.mtp.configurations import read_mlip_cfg, write_mlip_cfg

if "mlip-cfg" not in ioformats:  # an installation of before there was the entry point
    define_io_format("mlip-cfg", **MLIP_CFG._asdict(), external=True)

FULL = """
BEGIN_CFG
 Size
    2
 Supercell
    4.0 0.0 0.0
    0.5 5.0 0.0
    0.0 1e0 6.0
 AtomData:  id type cartes_x cartes_y cartes_z site_en fx fy fz charge nbh_grades
    1 0  0.25 0.50 0.75  -1.5  1e-1 -0.2 0.3  0.7 1.25
    2 1  1.00 2.00 3.00  -2.5  -0.1 0.2 -0.3  -0.7 2.50
 Energy
    -4.0
 PlusStress:  xx          yy          zz          yz          xz          xy
    12. 24. -36. 1.2 2.4 3.6
 Feature   EFS_by\tMultiMTP9 of today
 Feature   MV_grade\t5.766847
 Feature   empty
 Feature   my\\_key\tone
 Feature   my\\_key\ttwo
END_CFG

"""
SPECIES = ["Si", "Ge"]
ROWS = " AtomData: id type cartes_x cartes_y cartes_z\n 1 0 0 0 0\n 2 1 1 1 1\n"


def parse(text: str, index=slice(None), species=SPECIES) -> list[Atoms]:
    return list(read_mlip_cfg(io.StringIO(text), index, species=species))


def one(text: str, species=SPECIES) -> Atoms:
    (atoms,) = parse(text, species=species)
    return atoms


def block(body: str) -> str:
    return f"BEGIN_CFG\n{body}END_CFG\n"


def written(images, species=SPECIES) -> str:
    file = io.StringIO()
    write_mlip_cfg(file, images, species=species)
    return file.getvalue()


def test_every_number_is_in_its_place():
    atoms = one(FULL)
    assert atoms.get_chemical_symbols() == SPECIES
    assert atoms.cell.array.tolist() == [[4.0, 0.0, 0.0], [0.5, 5.0, 0.0], [0.0, 1.0, 6.0]]
    assert atoms.pbc.all()
    assert atoms.positions.tolist() == [[0.25, 0.5, 0.75], [1.0, 2.0, 3.0]]
    assert atoms.get_potential_energy() == -4.0
    assert atoms.get_potential_energies().tolist() == [-1.5, -2.5]
    assert atoms.get_forces().tolist() == [[0.1, -0.2, 0.3], [-0.1, 0.2, -0.3]]
    assert np.allclose(atoms.get_stress(), [-0.1, -0.2, 0.3, -0.01, -0.02, -0.03], rtol=1e-14, atol=0.0)
    assert atoms.arrays["charge"].tolist() == [0.7, -0.7]
    assert atoms.arrays["nbh_grades"].tolist() == [1.25, 2.5]
    features = {"EFS_by": "MultiMTP9 of today", "MV_grade": 5.766847, "empty": "", "my key": "one\ntwo"}
    assert atoms.info == features


def test_stress_of_older_programs_has_the_opposite_sign():
    atoms, older = one(FULL), one(FULL.replace("PlusStress:", "Stress:"))
    assert older.get_stress().tolist() == (-atoms.get_stress()).tolist()
    cluster = FULL.replace(" Supercell\n    4.0 0.0 0.0\n    0.5 5.0 0.0\n    0.0 1e0 6.0\n", "").replace("Plus", "")
    assert one(cluster).info["PlusStress"].tolist() == [-12.0, -24.0, 36.0, -1.2, -2.4, -3.6]


def test_atoms_come_in_the_order_of_their_ids():
    lines = FULL.splitlines()
    first, second = (next(n for n, line in enumerate(lines) if line.startswith(f"    {i} {i - 1} ")) for i in (1, 2))
    lines[first], lines[second] = lines[second], lines[first]
    check_same(one("\n".join(lines)), one(FULL))
    with pytest.raises(ValueError, match=r"<text>:10: expected a finite number for fx, got 'x'"):
        one("\n".join(lines).replace("  -0.1 0.2 -0.3", "  x 0.2 -0.3"))


def test_species_and_atomic_numbers():
    """Species are those of the types, unless all types are atomic numbers of them."""
    numbered = FULL.replace("    1 0  0.25", "    1 14  0.25").replace("    2 1  1.00", "    2 32  1.00")
    check_same(one(numbered), one(FULL))
    check_same(one(numbered, species=None), one(FULL))
    with pytest.raises(ValueError, match="expected a type below 2, got type 14"):
        one(FULL.replace("    1 0  0.25", "    1 14  0.25"))
    hydrogen = block(" Size 1\n AtomData: id type cartes_x cartes_y cartes_z\n 1 1 0 0 0\n")
    water = hydrogen.replace("Size 1", "Size 2").replace("END", " 2 8 0 0 1\nEND")
    assert one(hydrogen, ["H", "O"]).symbols == "O"
    assert [str(atoms.symbols) for atoms in parse(hydrogen + water, species=["H", "O"])] == ["H", "HO"]
    assert [str(atoms.symbols) for atoms in parse(hydrogen + water, -1, species=["H", "O"])] == ["HO"]
    assert [str(atoms.symbols) for atoms in parse(hydrogen + water, 0, species=["H", "O"])] == ["H"]


def test_stress_is_the_derivative_of_the_energy():
    """PlusStress is what MLIP writes: minus the derivative of the energy by strain."""
    atoms = bulk("Cu") * (2, 2, 2)
    atoms.rattle(0.1, seed=1)
    atoms.calc = LennardJones(sigma=2.2, rc=3.5, smooth=True)
    atoms.get_stress()
    line = written(atoms, ["Cu"]).split("PlusStress")[1].split("\n")[1]
    for n, (i, j) in enumerate([(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]):
        energies = []
        for size in (1e-5, -1e-5):
            strain = np.eye(3)
            strain[i, j] += size / 2
            strain[j, i] += size / 2
            strained = atoms.copy()
            strained.set_cell(atoms.cell.array @ strain, scale_atoms=True)
            strained.calc = LennardJones(sigma=2.2, rc=3.5, smooth=True)
            energies.append(strained.get_potential_energy())
        assert float(line.split()[n]) == pytest.approx(-(energies[0] - energies[1]) / 2e-5, rel=1e-5, abs=1e-6)


def some_images() -> list[Atoms]:
    rng = np.random.default_rng(3)
    images = [Atoms("SiGe", positions=rng.normal(size=(2, 3)))]
    for pbc in np.ndindex(2, 2, 2):
        atoms = Atoms("GeSi2", positions=rng.normal(size=(3, 3)), cell=rng.normal(size=(3, 3)) + 4 * np.eye(3), pbc=pbc)
        atoms.cell[~atoms.pbc] = 0.0
        virial = rng.normal(size=6)
        results = {"energy": rng.normal(), "forces": rng.normal(size=(3, 3)), "energies": rng.normal(size=3)}
        if all(pbc):
            results["stress"] = virial
        else:
            atoms.info["PlusStress"] = virial
        atoms.calc = SinglePointCalculator(atoms, **results)
        atoms.arrays.update(nbh_grades=rng.normal(size=3), charge=rng.normal(size=3), ghost=rng.normal(size=3) > 0)
        atoms.arrays.update(magmom=rng.normal(size=(3, 3)), en_der_m=rng.normal(size=(3, 3)))
        atoms.info.update({"MV_grade": rng.normal(), "a\tb c\\": "two\nlines, é", "empty": ""})
        images.append(atoms)
    return images


def check_same(first: Atoms, second: Atoms) -> None:
    assert first == second
    assert set(first.arrays) == set(second.arrays)
    assert all(np.array_equal(values, second.arrays[name]) for name, values in first.arrays.items())
    assert set(first.info) == set(second.info)
    assert all(np.array_equal(value, second.info[key]) for key, value in first.info.items())
    results = [{} if atoms.calc is None else atoms.calc.results for atoms in (first, second)]
    assert set(results[0]) == set(results[1])
    for name, values in results[0].items():
        if name == "stress":
            assert np.allclose(values, results[1][name], rtol=1e-14, atol=0.0)
        else:
            assert np.array_equal(values, results[1][name])


def test_round_trip():
    images = some_images()
    again = parse(written(images))
    assert len(again) == len(images)
    for first, second in zip(images, again, strict=True):
        check_same(first, second)


def test_through_ase_io(tmp_path):
    images = some_images()
    path = tmp_path / "x.cfg"
    ase.io.write(path, images[:3], format="mlip-cfg", species=SPECIES)
    ase.io.write(path, images[3:], format="mlip-cfg", species=SPECIES, append=True)
    assert len(ase.io.read(path, ":", species=SPECIES)) == len(images)
    check_same(ase.io.read(path, species=SPECIES), images[-1])
    check_same(ase.io.read(path, 2, species=SPECIES), images[2])
    check_same(ase.io.read(f"{path}@-3:-1", species=SPECIES)[1], images[-2])
    check_same(next(ase.io.iread(path, species=SPECIES)), images[0])
    check_same(next(read_mlip_cfg(io.StringIO(path.read_text()), species=SPECIES)), images[-1])


def test_the_entry_point(tmp_path):
    """ASE finds the format by content in a new process, without the compiler being loaded."""
    (tmp_path / "x.cfg").write_text(FULL)
    code = "import sys; from ase.io import read; from ase.io.formats import filetype; print(filetype('x.cfg'));"
    code += "print('numba' in sys.modules); print(read('x.cfg', species=['Si', 'Ge']).get_potential_energy())"
    environment = dict(os.environ)
    if not entry_points(group="ase.ioformats", name="mlip-cfg"):
        folder = tmp_path / "site" / "trial-1.0.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: trial\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text("[ase.ioformats]\nmlip-cfg = ase_mlips.files.formats:MLIP_CFG\n")
        environment["PYTHONPATH"] = str(tmp_path / "site")
    command = [sys.executable, "-W", "error", "-c", code]
    answer = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["mlip-cfg", "False", "-4.0"]


def test_types():
    text = block(" Size 2\n AtomData: type cartes_x cartes_y cartes_z\n 14 0 0 0\n 6 1 1 1\n")
    assert one(text, None).get_chemical_symbols() == ["Si", "C"]
    assert written(one(text, None), None).count("\n    1 14 0.0") == 1
    assert one(text, ["H"] * 6 + ["Li"] + ["H"] * 7 + ["Be"]).get_chemical_symbols() == ["Be", "Li"]
    untyped = block(" Size 2\n AtomData: cartes_x cartes_y cartes_z\n 0 0 0\n 1 1 1\n")
    assert one(untyped).get_chemical_symbols() == ["Si", "Si"]
    with pytest.raises(
        ValueError, match=r"<text>:4: expected an atomic number, or the elements of the types .*, got type 0"
    ):
        one(untyped, None)


@pytest.mark.parametrize("species", ["SiGe", ["Si", "Qq"], [14]])
def test_wrong_species(species):
    with pytest.raises(ValueError, match=r"^expected species as a sequence of chemical symbols, got"):
        parse(FULL, species=species)
    with pytest.raises(ValueError, match="expected species as a sequence of chemical symbols, got"):
        written(one(FULL), species)


@pytest.mark.parametrize("pbc", list(np.ndindex(2, 2, 2)))
def test_periodic_directions(pbc):
    """A row for each direction up to the last periodic one, zeros where it is not periodic."""
    atoms = Atoms("Si", cell=[3.0, 4.0, 5.0], pbc=pbc)
    text = written(atoms)
    rows = [line.split() for line in text.split("AtomData")[0].split("\n") if len(line.split()) == 3]
    expected = np.diag([3.0, 4.0, 5.0]) * np.array(pbc)[:, None]
    last = max([n + 1 for n in range(3) if pbc[n]], default=0)
    assert np.array_equal(np.array(rows, dtype=float).reshape(-1, 3), expected[:last])
    again = one(text)
    assert np.array_equal(again.pbc, atoms.pbc)
    assert np.array_equal(again.cell.array, expected)


def test_a_periodic_direction_without_vector_is_none():
    assert "Supercell" not in written(Atoms("Si", pbc=True))


def test_one_and_two_rows():
    wire = one(block(" Size 2\n SuperCell\n 4 0 0\n" + ROWS))
    assert (wire.pbc.tolist(), wire.cell.rank) == ([True, False, False], 1)
    slab = one(block(" Size 2\n Supercell 4 0 0\n 0 5\n 0\n" + ROWS))
    assert (slab.pbc.tolist(), slab.cell.rank) == ([True, True, False], 2)
    assert not one(block(" Size 2\n Supercell\n" + ROWS)).pbc.any()


def test_direct_coordinates():
    body = " Size 1\n Supercell\n 4 0 0\n 1 5 0\n 0 0 6\n AtomData: id direct_x direct_y direct_z\n 1 0.5 0.5 -0.5\n"
    assert one(block(body)).positions.tolist() == [[2.5, 2.5, -3.0]]
    with pytest.raises(ValueError, match=r"<text>:6: expected a Supercell of three vectors for direct_x, got fewer"):
        one(block(body.replace(" 0 0 6\n", "")))


def test_freedom_of_form():
    text = FULL.replace("\n", "\r\n").replace("AtomData:", "Atomic_data:").replace(" Size\r\n    2", "Size 2\r\n\r\n")
    text = text.replace("xx          yy", "yy xx").replace("12. 24.", "24. 12.\n")
    check_same(one(text), one(FULL))


def test_older_features():
    atoms = one(block(" Size 2\n" + ROWS + " Features: a b\n 1 two\n"))
    assert atoms.info == {"a": "1", "b": "two"}
    assert atoms.calc is None


def test_labels_of_clusters_are_kept():
    atoms = one(FULL.replace("    0.0 1e0 6.0\n", ""))
    assert "stress" not in atoms.calc.results
    assert atoms.info["PlusStress"].tolist() == [12.0, 24.0, -36.0, 1.2, 2.4, 3.6]
    check_same(one(written(atoms)), atoms)


def test_a_cell_without_volume_has_no_stress():
    atoms = one(
        FULL.replace("    0.0 1e0 6.0\n", "    8.0 0.0 0.0\n").replace("    4.0 0.0 0.0\n", "    4.0 0.0 0.0\n")
    )
    assert "stress" not in atoms.calc.results
    assert atoms.info["PlusStress"].tolist() == [12.0, 24.0, -36.0, 1.2, 2.4, 3.6]


def test_no_atoms():
    check_same(one(written(Atoms())), Atoms())
    assert len(one(block(" Size 0\n"))) == 0


def test_no_configurations():
    assert parse(" \n\n") == []
    for index in (0, -1, slice(-1, None)):
        with pytest.raises(ValueError, match="<text>:1: expected BEGIN_CFG, got a file without configurations"):
            parse("", index)


def test_only_valid_results_are_written():
    atoms = molecule("CH4")
    atoms.calc = LennardJones(rc=3.0)
    assert "Energy" not in written(atoms, ["C", "H"])
    atoms.get_forces()
    assert "Energy" in written(atoms, ["C", "H"])
    atoms.rattle()
    assert "Energy" not in written(atoms, ["C", "H"])


def test_features_of_any_kind():
    atoms = Atoms("Si")
    atoms.info.update(
        {"n": 3, "x": 0.5, "flag": True, "list": [1], 5: "key", "": "no key", "cr": "a\rEND_CFG", "v\x0bt": "1"}
    )
    assert one(written(atoms)).info == {"n": "3", "x": "0.5", "flag": "True", "cr": "a\nEND_CFG", "v t": "1"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positions": [[np.nan] * 3] * 2}, "image 0: expected finite numbers for cartes_x, got nan"),
        ({"numbers": [14, 6]}, "image 0: expected only the species Si Ge, got C"),
        ({"numbers": [0, 0]}, "image 0: expected only the species Si Ge, got X"),
        ({"charge": np.zeros((2, 3))}, r"image 0: expected charge of shape \(2, 1\), got \(2, 3\)"),
        ({"magmom": np.array([["x"] * 3] * 2)}, r"image 0: expected magmom_x of shape \(2, 3\), got \(2, 3\)"),
    ],
)
def test_what_cannot_be_written(change, message):
    atoms = Atoms("SiGe", positions=[[0, 0, 0], [0, 0, 2]])
    atoms.arrays.update({name: np.array(values) for name, values in change.items()})
    file = io.StringIO()
    with pytest.raises(ValueError, match=f"^{message}"):
        write_mlip_cfg(file, atoms, species=SPECIES)
    assert not file.getvalue()


WRONG = {
    "begin": ("BEGIN_CFG", "BEGIN", 2, "BEGIN_CFG, got 'BEGIN'"),
    "binary": ("\nBEGIN_CFG", "n\x01\nBEGIN_CFG", 1, "BEGIN_CFG, got 'n\\x01'"),
    "begin_twice": (" Energy", "BEGIN_CFG\n Energy", 12, "END_CFG, got 'BEGIN_CFG'"),
    "no_end": ("END_CFG", "", 22, "END_CFG, got the end of the file"),
    "field": (" Energy", " Enthalpy", 12, "a field of a configuration, got 'Enthalpy'"),
    "virial": ("PlusStress:", "Virial:", 14, "PlusStress: instead, got 'Virial:'"),
    "both": (" Energy\n", " Stress: xx yy zz yz xz xy\n 1 2 3 4 5 6\n Energy\n", 16, "either PlusStress: or Stress:, "),
    "twice": (" Energy", " Size 2\n Energy", 12, "Size once, got it again after line 3"),
    "size": ("\n    2\n", "\n    x\n", 3, "one number of atoms for Size, got none"),
    "size_half": ("\n    2\n", "\n    2.5\n", 3, "one number of atoms for Size, got 2.5"),
    "size_less": ("\n    2\n", "\n    1\n", 11, "a field of a configuration, got '2'"),
    "size_more": ("\n    2\n", "\n    3\n", 12, "11 words as AtomData has columns, got 'Energy'"),
    "size_huge": ("\n    2\n", "\n    1e300\n", 12, "11 words as AtomData has columns, got 'Energy'"),
    "size_none": (" Size\n    2\n", "", 7, "Size before AtomData, got none"),
    "cell": ("0.0 1e0 6.0", "0.0 1e0", 5, "up to three rows of three numbers for Supercell, got 8 numbers"),
    "cell_nan": ("4.0 0.0 0.0", "4.0 nan 0.0", 6, "a finite number for Supercell, got 'nan'"),
    "column": ("charge", "Charge", 9, "known columns of AtomData, each once, got 'Charge'"),
    "column_twice": ("charge", "fx", 9, "known columns of AtomData, each once, got 'fx'"),
    "vector": (" fy", "", 9, "all of fx fy fz or none of them, got some"),
    "no_positions": ("cartes_x cartes_y cartes_z", "", 9, "either cartes_x or direct_x in AtomData, got none"),
    "id": ("    2 1  1.00", "    3 1  1.00", 11, "an id from 1 to 2, got '3'"),
    "id_twice": ("    2 1  1.00", "    1 1  1.00", 11, "each id once, got 1 again after line 10"),
    "id_word": ("    2 1  1.00", "    b 1  1.00", 11, "an integer for id, got 'b'"),
    "type": ("    2 1  1.00", "    2 -1  1.00", 11, "a type below 2, got type -1"),
    "type_high": ("    2 1  1.00", "    2 2  1.00", 11, "a type below 2, got type 2"),
    "type_word": ("    2 1  1.00", "    2 Ge  1.00", 11, "an integer for type, got 'Ge'"),
    "number": ("2.00 3.00", "2_00 3.00", 11, "a finite number for cartes_y, got '2_00'"),
    "infinite": ("2.00 3.00", "inf 3.00", 11, "a finite number for cartes_y, got 'inf'"),
    "word_missing": ("1.00 2.00 3.00", "1.00 2.00", 11, "11 words as AtomData has columns, got '2 1 1.00"),
    "energy": ("-4.0", "-4.0 1", 12, "one number for Energy, got 2 numbers"),
    "energy_none": ("    -4.0\n", "", 12, "one number for Energy, got 0 numbers"),
    "stress_five": (" 3.6\n", "\n", 14, "PlusStress: xx yy zz yz xz xy and six numbers, got"),
    "stress_names": (" xz ", " xx ", 14, "PlusStress: xx yy zz yz xz xy and six numbers, got"),
    "feature": (" Feature   empty", " Feature", 18, "Feature <key> <value>, got 'Feature'"),
    "grade": ("5.766847", "high", 17, "a finite number for MV_grade, got 'high'"),
    "features": (" Feature   empty", " Features: a b\n 1", 19, "2 values of Features, got 1"),
    "ghost": ("nbh_grades", "ghost", 10, "true or false for ghost, got '1.25'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_malformed_files(case):
    old, new, line, message = WRONG[case]
    assert old in FULL
    with pytest.raises(ValueError, match=r"^<text>:\d+: expected") as caught:
        parse(FULL.replace(old, new, 1))
    assert str(caught.value).startswith(f"<text>:{line}: expected {message}")


def test_the_name_of_the_file_is_told(tmp_path):
    path = tmp_path / "x.cfg"
    path.write_text(FULL.replace("Energy", "Enthalpy"))
    with pytest.raises(ValueError, match=r"x.cfg:12: expected a field"):
        ase.io.read(path, species=SPECIES)
    path.write_bytes(FULL.replace("today", "\xe9").encode("latin-1"))
    with pytest.raises(ValueError, match=r"x.cfg:16: expected text in UTF-8, got the byte 0xe9"):
        ase.io.read(path, species=SPECIES)


def test_only_the_chosen_configurations_are_examined():
    assert len(parse(FULL + block(" Nonsense\n") + FULL, slice(None, None, 2))) == 2


def test_files_of_mlip(shared):
    graded = ase.io.read(shared / "reference/mtp/si_l08_nbh_graded.cfg", ":", species=["Si"])
    reference = np.load(shared / "reference/mtp/si_l08_nbh_ref.npz")
    assert len(graded) == 6
    for n, atoms in enumerate(graded):
        assert np.allclose(atoms.positions, reference["positions"][n], rtol=0.0, atol=1e-6)
        assert np.allclose(atoms.cell.array, reference["cells"][n], rtol=0.0, atol=1e-6)
        assert np.allclose(atoms.arrays["nbh_grades"], reference["nbh_grades"][n], rtol=1e-12, atol=1e-5)
        assert atoms.info["MV_grade"] == pytest.approx(reference["grades"][n], abs=1e-6, rel=1e-12)
    for name, count, species in (
        ("motep/multi_training.cfg", 1001, ["H", "He", "Li"]),
        ("models/pyiron_test_train.cfg", 10, ["Al"]),
    ):
        images = ase.io.read(shared / "data" / name, ":", species=species)
        assert len(images) == count
        for first, second in zip(images[::50], parse(written(images[::50], species), species=species), strict=True):
            check_same(first, second)

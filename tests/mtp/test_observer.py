"""Active sets of the calculator, and molecular dynamics that leaves what they cover."""

from io import StringIO

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.io import read
from ase.md.verlet import VelocityVerlet
from support.mtp_models import synthetic_mtp_model

from ase_mlips import MTP, load
from ase_mlips.mtp import ExtrapolationError, ExtrapolationObserver
from ase_mlips.mtp.configurations import read_mlip_cfg

MODEL = synthetic_mtp_model("l06")  # Cu and Zr


def rattled(seed: int, size: float = 0.08) -> Atoms:
    """Eight atoms of an fcc alloy, each moved by about `size` in A along each axis."""
    atoms = bulk("Cu", "fcc", a=2.5 * np.sqrt(2.0), cubic=True) * (2, 1, 1)
    atoms.symbols = np.resize(MODEL.species, len(atoms))
    atoms.rattle(size, seed=seed)
    return atoms


FRAMES = [rattled(seed) for seed in range(20)]


@pytest.fixture(scope="module")
def trained() -> MTP:
    """A calculator whose active set is that of slightly disordered crystals."""
    calc = MTP(MODEL, num_threads=1)
    calc.select_active_set(FRAMES)
    return calc


@pytest.fixture
def hot(trained: MTP) -> VelocityVerlet:
    """A run at 600 K from one of these crystals; it meets grades of 3 after 28 steps and of 10 after 42."""
    atoms = rattled(0)
    speed = np.sqrt(units.kB * 600.0 / atoms.get_masses())[:, None]
    atoms.set_velocities(speed * np.random.default_rng(0).normal(size=(len(atoms), 3)))
    atoms.calc = trained
    return VelocityVerlet(atoms, 1.0 * units.fs)


def test_a_run_keeps_what_extrapolates_and_stops_where_nothing_can_be_trusted(hot: VelocityVerlet, tmp_path) -> None:
    path, seen = tmp_path / "kept.extxyz", []
    hot.attach(lambda: seen.append(hot.atoms.copy()), interval=2)
    observer = ExtrapolationObserver(hot.atoms, path)
    hot.attach(observer, interval=2)
    with pytest.raises(ExtrapolationError) as stopped:
        hot.run(200)
    assert str(stopped.value) == (
        f"extrapolation grade {observer.grades[-1]:.3g} is above 10: the configuration is in {path}"
    )
    assert hot.nsteps == 2 * (len(observer.grades) - 1) < 200
    assert all(grade <= 10.0 for grade in observer.grades[:-1])
    assert observer.grades[-1] > 10.0
    places = [k for k, grade in enumerate(observer.grades) if grade > 3.0]
    assert 1 < len(places) == observer.kept < len(observer.grades)
    kept = read(path, ":")
    assert len(kept) == len(places)
    for atoms, place in zip(kept, places, strict=True):
        assert np.array_equal(atoms.numbers, seen[place].numbers)
        assert atoms.info["extrapolation_grade"] == pytest.approx(observer.grades[place], rel=1e-6)
        assert atoms.arrays["extrapolation_grades"].max() == pytest.approx(observer.grades[place], rel=1e-6)
        np.testing.assert_allclose(atoms.positions, seen[place].positions, rtol=0, atol=1e-7)
        np.testing.assert_allclose(atoms.get_momenta(), seen[place].get_momenta(), rtol=0, atol=1e-7)
        np.testing.assert_allclose(atoms.cell, seen[place].cell, rtol=0, atol=1e-7)
        assert hot.atoms.calc.get_extrapolation_grade(atoms).configuration == pytest.approx(
            observer.grades[place], rel=1e-4
        )


def test_watching_does_not_change_the_run(hot: VelocityVerlet, tmp_path) -> None:
    alone = VelocityVerlet(hot.atoms.copy(), 1.0 * units.fs)
    alone.atoms.calc = MTP(MODEL, num_threads=1)
    hot.attach(ExtrapolationObserver(hot.atoms, tmp_path / "kept.extxyz", select=1.0, stop=1e9), interval=1)
    for dynamics in (alone, hot):
        dynamics.run(30)
    np.testing.assert_allclose(hot.atoms.positions, alone.atoms.positions, rtol=0, atol=1e-12)
    assert "extrapolation_grades" not in hot.atoms.arrays
    assert "extrapolation_grade" not in hot.atoms.info


def test_the_next_run_adds_to_the_file(hot: VelocityVerlet, tmp_path) -> None:
    path = tmp_path / "kept.extxyz"
    first = ExtrapolationObserver(hot.atoms, path)
    hot.attach(first, interval=2)
    hot.run(36)
    before = path.read_text()
    second = ExtrapolationObserver(hot.atoms, path)
    hot.observers.clear()
    hot.attach(second, interval=2)
    with pytest.raises(ExtrapolationError):
        hot.run(100)
    assert min(first.kept, second.kept) > 1
    assert path.read_text().startswith(before)
    grades = [atoms.info["extrapolation_grade"] for atoms in read(path, ":")]
    assert grades == pytest.approx([g for g in first.grades + second.grades if g > 3.0], rel=1e-6)


def test_nothing_is_written_within_the_active_set(trained: MTP, tmp_path) -> None:
    atoms = rattled(3)
    atoms.calc = trained
    observer = ExtrapolationObserver(atoms, tmp_path / "kept.extxyz")
    for _ in range(2):
        observer()
    assert observer.grades == [trained.get_extrapolation_grade(atoms).configuration] * 2
    assert observer.kept == 0
    assert list(tmp_path.iterdir()) == []


def test_configurations_graded_as_a_whole_have_no_grades_of_atoms(tmp_path) -> None:
    atoms = rattled(99, 0.3)
    atoms.calc = MTP(MODEL)
    with pytest.warns(UserWarning, match="says nothing about"):
        atoms.calc.select_active_set(FRAMES, mode="configuration")
    with pytest.raises(ExtrapolationError):
        ExtrapolationObserver(atoms, tmp_path / "kept.extxyz")()
    kept = read(tmp_path / "kept.extxyz")
    assert kept.info["extrapolation_grade"] > 10.0
    assert "extrapolation_grades" not in kept.arrays


def test_a_grade_that_is_no_number_stops_the_run(trained: MTP, tmp_path) -> None:
    atoms = rattled(0)
    atoms.positions[1] = atoms.positions[0]
    atoms.calc = trained
    observer = ExtrapolationObserver(atoms, tmp_path / "kept.extxyz")
    with pytest.raises(ExtrapolationError):
        observer()
    assert np.isnan(observer.grades).all()
    assert len(read(tmp_path / "kept.extxyz", ":")) == observer.kept == 1


@pytest.mark.parametrize(("select", "stop"), [(0.0, 10.0), (-1.0, 10.0), (5.0, 4.9), (np.nan, 10.0), (3.0, np.nan)])
def test_limits_without_meaning(trained: MTP, select: float, stop: float) -> None:
    with pytest.raises(ValueError, match=r"^select and stop: expected 0 < select <= stop, got "):
        ExtrapolationObserver(rattled(0), "kept.extxyz", select=select, stop=stop)


def test_without_an_active_set_there_is_no_grade(tmp_path) -> None:
    atoms = rattled(0)
    atoms.calc = MTP(MODEL)
    with pytest.raises(ValueError, match=r"^MTP\(Cu, Zr, .*\) has no active set: "):
        ExtrapolationObserver(atoms, tmp_path / "kept.extxyz")()
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------------------------------------------
# active sets


def grades(calc: MTP, frames: list[Atoms]) -> list[float]:
    return [calc.get_extrapolation_grade(atoms).configuration for atoms in frames]


@pytest.mark.parametrize("parameters", ["full", "linear"])
def test_what_was_selected_is_interpolated(parameters: str) -> None:
    calc = MTP(MODEL)
    active_set = calc.select_active_set(iter(FRAMES), parameters=parameters)
    assert active_set is calc.active_set
    assert len(active_set.A) == (MODEL.n_parameters if parameters == "full" else 2 + len(MODEL.mapping))
    found = grades(calc, FRAMES)
    assert 1.0 - 1e-6 < max(found) < 1.001 + 1e-6
    assert min(grades(calc, [rattled(seed, 0.3) for seed in range(100, 104)])) > 3.0
    whole = calc.get_extrapolation_grade(FRAMES[0])
    assert whole.neighborhoods is not None
    assert whole.neighborhoods.shape == (8,)
    assert whole.neighborhoods.max() == whole.configuration


def test_linear_parameters_see_less() -> None:
    """Radial functions may be extrapolated where the basis functions are not."""
    calc, strange = MTP(MODEL), [rattled(seed, 0.15) for seed in range(100, 104)]
    found = []
    for parameters in ("full", "linear"):
        calc.select_active_set(FRAMES, parameters=parameters)
        found.append(grades(calc, strange))
    assert all(linear < full for full, linear in zip(*found, strict=True))


@pytest.mark.parametrize("parameters", ["full", "linear"])
def test_moved_wrapped_and_repeated_atoms_have_the_same_grade(parameters: str) -> None:
    calc = MTP(MODEL)
    calc.select_active_set(FRAMES, parameters=parameters)
    atoms = rattled(7, 0.12)
    other = atoms.copy()
    other.positions += [11.0, -7.0, 3.0]
    other.wrap()
    expected = grades(calc, [atoms])[0]
    assert grades(calc, [other, atoms * 2]) == pytest.approx([expected] * 2, rel=1e-5)


def test_grades_outlive_a_file(trained: MTP, tmp_path) -> None:
    path = tmp_path / "model.almtp"
    trained.write(path)
    again = load(path, species=MODEL.species)
    assert again.active_set == trained.active_set
    frames = [*FRAMES[:3], rattled(100, 0.3)]
    assert grades(again, frames) == grades(trained, frames)


def test_the_selected_configurations_are_those_of_the_training_set(trained: MTP) -> None:
    assert trained.active_set is not None
    text = StringIO("\n\n".join(trained.active_set.configurations) + "\n")
    selected = list(read_mlip_cfg(text, index=slice(None), species=MODEL.species))
    assert 0 < len(selected) <= len(FRAMES)
    for atoms in selected:
        assert any(
            np.array_equal(atoms.positions, frame.positions) and np.array_equal(atoms.numbers, frame.numbers)
            for frame in FRAMES
        )


def test_a_given_active_set_takes_the_place_of_that_of_the_file(trained: MTP, tmp_path) -> None:
    calc = MTP(MODEL)
    linear = calc.select_active_set(FRAMES, parameters="linear")
    trained.write(tmp_path / "model.almtp")
    assert MTP(tmp_path / "model.almtp", MODEL.species, active_set=linear).active_set == linear
    assert MTP(MODEL, active_set=linear).get_extrapolation_grade(FRAMES[0]).configuration == pytest.approx(
        grades(calc, FRAMES[:1])[0], rel=1e-12
    )

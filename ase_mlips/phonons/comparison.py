"""How far the phonons of models are from those of a reference: the benchmark that papers on potentials show."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, TypeAlias

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from tqdm import tqdm

from ase_mlips.analysis.results import Result
from ase_mlips.analysis.tables import one_line

from ..arrays import FloatArray
from .arguments import Mesh, require_mesh
from .bands import Bands, recommended_path
from .cells import SYMPREC, Supercell
from .figures import new_figure
from .force_constants import produce_force_constants
from .forces import evaluate
from .harmonic import phonons
from .result import Phonons

Stored: TypeAlias = Phonons | str | os.PathLike[str]
Source: TypeAlias = BaseCalculator | Stored | Mapping[str, Stored]

REFERENCE = "reference"
_SLOWEST = 0.1  # THz: relative errors of slower modes are those of a ratio of two small numbers
_HEADER = ("structure", "model", "RMSE", "zone", "path", "worst", "branch", "forces")
_UNITS = ("", "", "(THz)", "(%)", "(%)", "(THz)", "", "(meV/A)")


@dataclass(frozen=True, eq=False, repr=False)
class PhononComparison(Result):
    """Errors of frequencies; the keys are pairs of the names of a structure and a model.

    Attributes
    ----------
    rmse : dict of float
        Root mean square error in THz over all modes of a mesh.
    percent_zone, percent_path : dict of float
        Mean of \\|f - f_ref\\| / f_ref in percent, of modes above 0.1 THz, on the mesh and along the path.
    worst : dict of (3n,) arrays
        Largest error in THz of each branch on the mesh.
    worst_q : dict of (3n, 3) arrays
        Where it is.
    force_rmse : dict of float
        Root mean square error of force components in eV/A; NaN where it is not known, also because forces are those of
        different displacements.
    paths : dict of tuples
        q points (Q, 3), distances (Q,), ticks (K,) and labels of each structure, as in `Bands`.
    frequencies : dict of (Q, 3n) arrays
        THz along the path; the model named "reference" is the reference.
    """

    rmse: dict[tuple[str, str], float]
    percent_zone: dict[tuple[str, str], float]
    percent_path: dict[tuple[str, str], float]
    worst: dict[tuple[str, str], FloatArray]
    worst_q: dict[tuple[str, str], FloatArray]
    force_rmse: dict[tuple[str, str], float]
    paths: dict[str, tuple[Any, ...]]
    frequencies: dict[tuple[str, str], FloatArray]

    @property
    def structures(self) -> tuple[str, ...]:
        """Names of the structures."""
        return tuple(self.paths)

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the candidates."""
        return tuple(dict.fromkeys(model for _, model in self.rmse))

    def bands(self, structure: str, model: str = REFERENCE) -> Bands:
        """The band structure of a model."""
        q_points, distances, ticks, labels = self.paths[structure]
        return Bands(q_points, distances, self.frequencies[structure, model], ticks, tuple(labels))

    def table(self) -> str:
        """Plain text: a row for each structure and model and, for several structures, one of all."""
        rows = self._rows()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(_aligned(k, cell, widths[k]) for k, cell in enumerate(row)) for row in rows]
        return "\n".join(line.rstrip() for line in lines)

    def __str__(self) -> str:
        return self.table()

    def __repr__(self) -> str:
        errors = {f"{model} on {structure}": f"{rmse:.4f} THz" for (structure, model), rmse in self.rmse.items()}
        return one_line(type(self).__name__, errors)

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in self._rows())
        return f"<table>{rows}</table>"

    def _rows(self) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = [_HEADER, _UNITS]
        rows += [self._row(structure, model) for structure in self.structures for model in self.models]
        if len(self.structures) > 1:
            rows += [self._row_of_all(model) for model in self.models]
        return rows

    def _row(self, structure: str, model: str) -> tuple[str, ...]:
        key = structure, model
        branch = int(np.argmax(self.worst[key]))
        values = (self.rmse[key], self.percent_zone[key], self.percent_path[key], float(self.worst[key][branch]))
        return (structure, model, *_formatted(values), str(branch), _meV(self.force_rmse[key]))

    def _row_of_all(self, model: str) -> tuple[str, ...]:
        keys = [(structure, model) for structure in self.structures]
        values = (
            _rms([self.rmse[key] for key in keys]),
            float(np.mean([self.percent_zone[key] for key in keys])),
            float(np.mean([self.percent_path[key] for key in keys])),
            max(float(self.worst[key].max()) for key in keys),
        )
        return ("all", model, *_formatted(values), "", _meV(_rms([self.force_rmse[key] for key in keys])))

    def plot(self, figure: Any = None) -> Any:
        """Draw the bands of every structure and the frequency error against the force error; returns the Figure."""
        return _figure(self, figure)


def compare_phonons(
    reference: Source,
    candidates: Mapping[str, Source],
    *,
    structures: Atoms | Mapping[str, Atoms] | None = None,
    supercell: Supercell | None = None,
    mesh: Mesh = 60.0,
    force_rmse: Mapping[str, float] | None = None,
) -> PhononComparison:
    """Errors of the frequencies of models, on the cells, displacements and q points of a reference.

    Frequencies are compared in ascending order at each q point.  Candidates get the structures of the reference, not
    relaxed again, and its Born charges, where it has any.

    Parameters
    ----------
    reference : ASE calculator, Phonons, path of a phonopy yaml file, or dict of the latter two
        The dict has a key for each structure.  For force constants see `Phonons.from_force_constants`.
    candidates : dict
        Models by name, each given in the same ways as the reference.
    structures : Atoms or dict of Atoms
        Relaxed crystals, needed where the reference is a calculator; else those of the reference are taken.
    supercell
        As in `phonons`, the same for all; needed where the reference is a calculator.
    mesh
        Of q points, see `Phonons`.
    force_rmse : dict of float, optional
        Force errors of the candidates in eV/A on a test set.  By default those on the displaced supercells, where
        both forces are known.

    Raises
    ------
    ValueError
        Structures, a supercell or candidates are missing, or the phonons of a candidate are those of another crystal.
    """
    if not candidates or REFERENCE in candidates:
        raise ValueError(f"candidates: expected at least one model, none of them named {REFERENCE!r}")
    require_mesh(mesh)
    references = _references(reference, structures, supercell)
    fields: dict[str, dict[Any, Any]] = {name: {} for name in PhononComparison.__dataclass_fields__}
    for structure, standard in references.items():
        path = recommended_path(standard.phonopy.primitive.cell)
        fields["paths"][structure] = (path.q_points, path.distances, path.ticks, path.labels)
        q_points, weights, exact = standard.zone(mesh)
        along = fields["frequencies"][structure, REFERENCE] = standard.frequencies(path.q_points)
        for model, source in tqdm(candidates.items(), desc=structure, leave=False, disable=None):
            key = structure, model
            found, force = _candidate(source, standard, key, several=len(references) > 1)
            found_along = fields["frequencies"][key] = found.frequencies(path.q_points)
            error = np.abs(found.frequencies(q_points) - exact)
            at = error.argmax(0)
            fields["rmse"][key] = float(np.sqrt(weights @ (error**2).mean(1)))
            fields["percent_zone"][key] = _percent(error, exact, weights)
            fields["percent_path"][key] = _percent(np.abs(found_along - along), along, np.ones(len(along)))
            fields["worst"][key], fields["worst_q"][key] = error.max(0), q_points[at]
            fields["force_rmse"][key] = force if force_rmse is None else float(force_rmse.get(model, np.nan))
    return PhononComparison(**fields)


def _references(
    reference: Source, structures: Atoms | Mapping[str, Atoms] | None, supercell: Supercell | None
) -> dict[str, Phonons]:
    if not isinstance(reference, BaseCalculator):
        if structures is not None or supercell is not None:
            raise ValueError("structures and supercell are for a reference that is a calculator; this one has its own")
        if isinstance(reference, Mapping):
            return {name: _stored(phonons_of) for name, phonons_of in reference.items()}
        only = _stored(reference)
        return {only.primitive.get_chemical_formula(): only}
    if not structures or supercell is None:
        raise ValueError("a reference that is a calculator needs structures and a supercell")
    named = {structures.get_chemical_formula(): structures} if isinstance(structures, Atoms) else structures
    made = {}
    for name, atoms in named.items():
        try:
            made[name] = phonons(atoms, reference, supercell=supercell)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    return made


def _stored(source: Stored) -> Phonons:
    return source if isinstance(source, Phonons) else Phonons.load(source)


def _candidate(source: Source, standard: Phonons, key: tuple[str, str], *, several: bool) -> tuple[Phonons, float]:
    """The phonons of a model, and the error of its forces on the reference's supercells, NaN where not known."""
    structure, model = key
    if isinstance(source, BaseCalculator):
        return _same_cells(standard, source)
    if isinstance(source, Mapping):
        if structure not in source:
            raise ValueError(f"{model}: phonons of {structure} are missing")
        source = source[structure]
    elif several:
        raise ValueError(f"{model}: expected a calculator, or a dict with the phonons of each structure")
    found = _stored(source)
    one, other = found.primitive, standard.primitive
    if (
        len(one) != len(other)
        or (one.numbers != other.numbers).any()
        or np.abs(one.cell.array - other.cell.array).max() > 0.05 * np.abs(other.cell.array).max()
    ):
        raise ValueError(f"{model}: its phonons of {structure} have another primitive cell than the reference")
    return found, _force_rmse(found.phonopy, standard.phonopy)


def _same_cells(standard: Phonons, calc: BaseCalculator) -> tuple[Phonons, float]:
    phonopy = standard.phonopy.replicate()
    phonopy.nac_params = standard.phonopy.nac_params
    if standard.phonopy.dataset is None:
        phonopy.generate_displacements()
    else:
        phonopy.dataset = _without_forces(standard.phonopy.dataset)
    phonopy.forces = evaluate(phonopy.supercells_with_displacements, calc)["forces"]
    produce_force_constants(phonopy, fitted="first_atoms" not in phonopy.dataset)
    return Phonons(phonopy), _force_rmse(phonopy, standard.phonopy)


def _without_forces(dataset: dict[str, Any]) -> dict[str, Any]:
    if "first_atoms" not in dataset:
        return {"displacements": dataset["displacements"]}
    atoms = [{"number": one["number"], "displacement": one["displacement"]} for one in dataset["first_atoms"]]
    return {"natom": dataset["natom"], "first_atoms": atoms}


def _force_rmse(found: Any, standard: Any) -> float:
    one, other = _forces(found), _forces(standard)
    if one is None or other is None or not _same_displacements(found, standard):
        return np.nan
    return float(np.sqrt(np.mean((one - other) ** 2)))


def _same_displacements(one: Any, other: Any) -> bool:
    pairs = zip(one.supercells_with_displacements, other.supercells_with_displacements, strict=False)
    return len(one.supercells_with_displacements) == len(other.supercells_with_displacements) and all(
        np.array_equal(a.numbers, b.numbers)
        and np.abs(a.cell - b.cell).max() < SYMPREC
        and np.abs(a.positions - b.positions).max() < SYMPREC
        for a, b in pairs
    )


def _forces(phonopy: Any) -> FloatArray | None:
    dataset = phonopy.dataset or {}
    if "first_atoms" in dataset:
        forces = [one.get("forces") for one in dataset["first_atoms"]]
        return None if any(force is None for force in forces) else np.array(forces)
    return np.asarray(dataset["forces"]) if "forces" in dataset else None


def _percent(error: FloatArray, exact: FloatArray, weights: FloatArray) -> float:
    there = exact > _SLOWEST
    ratio = np.where(there, error / np.where(there, exact, 1.0), 0.0)
    return float(100.0 * (weights @ ratio.sum(1)) / (weights @ there.sum(1)))


def _rms(values: Sequence[float]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def _formatted(values: tuple[float, float, float, float]) -> tuple[str, str, str, str]:
    rmse, zone, path, worst = values
    return f"{rmse:.4f}", f"{zone:.3f}", f"{path:.3f}", f"{worst:.4f}"


def _meV(force: float) -> str:
    return "-" if np.isnan(force) else f"{1e3 * force:.4g}"


def _aligned(column: int, cell: str, width: int) -> str:
    return cell.ljust(width) if column < 2 else cell.rjust(width)


def _figure(result: PhononComparison, figure: Any) -> Any:
    """A panel of bands for each structure, and one of the frequency errors against the force errors."""
    with_forces = any(_drawable(result, *key) for key in result.rmse)
    panels = len(result.structures) + with_forces
    columns = min(panels, 3)
    rows = -(-panels // columns)
    figure = new_figure(figure, 4.5 * columns, 3.6 * rows)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for k, structure in enumerate(result.structures):
        result.bands(structure).plot(axes[k], color="black", linewidth=1.5, label="reference")
        for m, model in enumerate(result.models):
            result.bands(structure, model).plot(axes[k], color=f"C{m}", linestyle="--", label=model)
        axes[k].set_title(structure)
    entries = [line for line in axes[0].lines if not line.get_label().startswith("_")]
    figure.legend(handles=entries, loc="outside upper center", ncols=4, frameon=False, fontsize="small")
    for ax in axes[panels:]:
        ax.remove()
    if with_forces:
        _against_forces(axes[panels - 1], result)
    return figure


def _drawable(result: PhononComparison, structure: str, model: str) -> bool:
    """Whether both errors are known and have a place on a logarithmic scale."""
    errors = result.force_rmse[structure, model], result.rmse[structure, model]
    return all(0.0 < error < np.inf for error in errors)


def _against_forces(ax: Any, result: PhononComparison) -> None:
    named = set()
    for k, structure in enumerate(result.structures):
        for m, model in enumerate(result.models):
            if not _drawable(result, structure, model):
                continue
            force = 1e3 * result.force_rmse[structure, model]
            ax.plot(force, result.rmse[structure, model], marker="os^Dv<>p*"[k % 9], color=f"C{m}", linestyle="")
            if model not in named:
                named.add(model)
                ax.annotate(model, (force, result.rmse[structure, model]), (4, 4), textcoords="offset points")
    ax.set(xlabel="RMSE of forces (meV/Å)", ylabel="RMSE of frequencies (THz)", xscale="log", yscale="log")

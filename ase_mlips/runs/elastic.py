"""Elastic constants of a crystal from the stresses of strained cells, with ions relaxed and with ions clamped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from ase_mlips.phonons.arguments import warn
from ase_mlips.phonons.cells import require_crystal, space_group

from ..arrays import FloatArray
from .crystals import Before, at_rest, in_words, located, relaxed_positions, stress_in_gpa
from .elastic_result import ElasticConstants
from .elastic_symmetry import enough_strains, invariant_tensors, strained
from .executors import with_calculator
from .fields import chosen, require_count, require_positive
from .settings import Settings
from .traced import origin_of
from .yaml_files import conform

_LARGEST_STRAIN = 0.2
_DEVIATORIC = 0.1  # GPa
_LINEAR = 0.1  # of the stress may be missed by the linear fit

Ions = Literal["relaxed", "clamped"]


@dataclass(frozen=True)
class ElasticRun(Settings):
    """Settings of `elastic_constants`.

    Attributes
    ----------
    strain : float
        Largest strain; cells with half of it, and with both of opposite sign, are computed too.
    ions : {"relaxed", "clamped"}
        Whether the atoms find new places in the strained cells.
    relax : {"cell", "shape", "positions", "none"}
        What is relaxed before, with the symmetry kept.
    fmax : float
        Largest force in eV/A at the end of a relaxation; the error that it makes in the constants is proportional to
        it.  Calculators in single precision may not reach the default.
    steps : int
        Give up a relaxation after so many.
    symprec : float
        Tolerance of the space group in A.
    """

    strain: float = 0.002
    ions: Ions = "relaxed"
    relax: Before = "cell"
    fmax: float = 1e-5
    steps: int = 500
    symprec: float = 1e-5

    def __post_init__(self) -> None:
        conform(self)
        require_positive("strain", self.strain, below=_LARGEST_STRAIN)
        require_positive("fmax", self.fmax, "eV/A")
        require_count("steps", self.steps)
        require_positive("symprec", self.symprec, "A")


def elastic_constants(
    atoms: Atoms, calc: BaseCalculator, settings: ElasticRun | None = None, **fields: Any
) -> ElasticConstants:
    """All elastic constants of a crystal, and what follows from them.

    The tensor is a linear least-squares fit, under the space group, to the stresses of cells that are strained without
    being turned.  Only as many kinds of strain are computed as the symmetry leaves necessary: two for a cubic crystal,
    six for a triclinic one.

    Parameters
    ----------
    atoms : Atoms
        Crystal, not changed; the tensor belongs to its Cartesian axes.
    calc : ASE calculator
        One without stresses gets them from differences of energies, which takes 13 times as long.
    settings : ElasticRun, optional
    **fields
        Those of `ElasticRun`, in place of `settings`.

    Raises
    ------
    ValueError
        `atoms` is not a crystal, has forces, or stresses that are not a pressure (see `ElasticConstants`), its atoms do
        not interact, or a setting is out of range.
    CalculationFailed
        A relaxation did not converge, or a stress is not finite.

    Warns
    -----
    UserWarning
        The linear fit misses more than 10 % of a stress, because strains leave the elastic range or because of noise;
        the crystal is under pressure.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from ase_mlips import SNAP
    >>> from ase_mlips.runs import elastic_constants
    >>> found = elastic_constants(bulk("Si", cubic=True), SNAP.embedded("Si"))
    >>> print(f"C44 {found.tensor[3, 3]:.0f} GPa, with clamped ions {found.clamped[3, 3]:.0f} GPa")
    C44 77 GPa, with clamped ions 103 GPa
    """
    run = chosen(ElasticRun, settings, fields)
    require_crystal(atoms, "elastic constants need")
    rest = at_rest(atoms, calc, run.relax, run.fmax, run.steps)
    before = stress_in_gpa(rest, calc)
    _require_pressure(before)
    basis = invariant_tensors(rest, run.symprec)
    unit_strains = np.eye(6)
    kinds = enough_strains(unit_strains, lambda strain: (basis @ strain).T, len(basis))
    scales = run.strain * np.array([-1.0, -0.5, 0.5, 1.0])
    strains = np.concatenate([np.outer(scales, unit_strains[kind]) for kind in kinds])
    clamped, relaxed = _stresses(rest, calc, run, strains)
    clamped, relaxed = clamped - before, relaxed - before
    tensor, large = _fit(basis, strains, relaxed), np.abs(strains).sum(1) > 0.75 * run.strain
    halved, missed = _fit(basis, strains[~large], relaxed[~large]), _missed(tensor, strains, relaxed)
    result = ElasticConstants(
        formula=rest.get_chemical_formula(),
        space_group=space_group(rest, run.symprec),
        ions=run.ions,
        tensor=tensor,
        clamped=_fit(basis, strains, clamped),
        errors=np.abs(_fit(basis, strains[large], relaxed[large]) - halved),
        independent=len(basis),
        stress=before,
        strains=strains,
        stresses=relaxed,
        residual=float(missed.max()),
        origin=origin_of(calc),
    )
    _warn(result, run, noisy=bool(missed[~large].max() > missed[large].max()))
    return result


def _stresses(rest: Atoms, calc: BaseCalculator, run: ElasticRun, strains: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Stresses (M, 6) in GPa with clamped ions, and with ions as the settings ask for."""
    tasks = [(rest, strain, run) for strain in strains]
    clamped, relaxed = zip(*with_calculator(_strained_stresses, calc, tasks, "strains"), strict=True)
    return np.array(clamped), np.array(relaxed)


def _strained_stresses(
    calc: BaseCalculator, task: tuple[Atoms, FloatArray, ElasticRun]
) -> tuple[FloatArray, FloatArray]:
    rest, strain, run = task
    cell = strained(rest, strain)
    clamped = stress_in_gpa(cell, calc)
    if run.ions != "relaxed":
        return clamped, clamped
    with located(f"in the cell strained by {np.array2string(strain)}"):
        return clamped, stress_in_gpa(relaxed_positions(cell, calc, run.fmax, run.steps), calc)


def _fit(basis: FloatArray, strains: FloatArray, stresses: FloatArray) -> FloatArray:
    """Tensor (6, 6) of the symmetry of the basis (K, 6, 6) for which strains give stresses."""
    design = np.einsum("kij,mj->mik", basis, strains).reshape(-1, len(basis))
    weights = np.linalg.lstsq(design, stresses.ravel())[0]
    tensor: FloatArray = np.tensordot(weights, basis, axes=1)
    return tensor


def _missed(tensor: FloatArray, strains: FloatArray, stresses: FloatArray) -> FloatArray:
    """Largest part (M,) of the stress that the linear fit misses, relative to the stress of that strain."""
    missed, sizes = np.abs(stresses - strains @ tensor).max(1), np.abs(stresses).max(1)
    if not sizes.any():
        raise ValueError("strains cause no stress: the atoms do not interact")
    relative: FloatArray = np.divide(missed, sizes, out=np.zeros_like(sizes), where=sizes > 0.0)
    return relative


def _require_pressure(stress: FloatArray) -> None:
    pressure = stress.copy()
    pressure[:3] = stress[:3].mean()
    pressure[3:] = 0.0
    if np.abs(stress - pressure).max() > _DEVIATORIC:
        raise ValueError(
            f"the cell is not relaxed: its stress is {in_words(stress)}, which differs by more than {_DEVIATORIC} GPa "
            "from a pressure; relax the cell or its shape first"
        )


def _warn(result: ElasticConstants, run: ElasticRun, *, noisy: bool) -> None:
    missed = f"the linear fit misses {100.0 * result.residual:.2g} % of a stress"
    if result.residual > _LINEAR and noisy:
        warn(
            f"{missed}, and more where strains are small: the stresses are noisy or the forces left too large; take "
            "larger strains or a smaller fmax"
        )
    elif result.residual > _LINEAR:
        warn(f"strains of {run.strain:g} leave the elastic range: {missed}; take smaller ones")
    if abs(result.pressure) > _DEVIATORIC:
        warn(
            f"the crystal is under a pressure of {result.pressure:.3g} GPa: the constants are the coefficients of "
            "stress against strain at this pressure, not second derivatives of the energy"
        )

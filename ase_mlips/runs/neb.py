"""The way of an ion from one site to another, and the barrier on it, by a nudged elastic band."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from ase.calculators.singlepoint import SinglePointCalculator
from ase.geometry import find_mic
from ase.mep import NEB
from ase.optimize import FIRE
from ase.parallel import DummyMPI
from tqdm import tqdm

from ase_mlips.analysis.results import Interrupted
from ase_mlips.phonons.arguments import warn
from ase_mlips.phonons.relaxation import max_force

from ..arrays import FloatArray
from .crystals import energy_of, located, relaxed_positions
from .executors import with_calculator
from .fields import chosen, require_count, require_positive
from .neb_result import MinimumEnergyPath
from .settings import Settings
from .traced import origin_of
from .yaml_files import conform

_SAME_CELL = 1e-6  # A
_SAME_PLACE = 0.1  # A
_ROUGH = 0.1  # eV/A, below which the highest image may climb

Interpolation = Literal["idpp", "linear"]


@dataclass(frozen=True)
class NEBRun(Settings):
    """Settings of `minimum_energy_path`.

    Attributes
    ----------
    images : int
        Number between the ends.
    interpolation : {"idpp", "linear"}
        First guess of the path: by the image-dependent pair potential of Smidstrup et al., J. Chem. Phys. 140, 214106
        (2014), which keeps atoms apart, or along straight lines.
    climb : bool
        Let the highest image climb to the saddle point; Henkelman et al., J. Chem. Phys. 113, 9901 (2000).
    relax_ends : bool
    spring : float
        Between images, in eV/A^2.
    fmax : float
        Largest force in eV/A on an atom of an image, and of the ends if they are relaxed.
    steps : int
        Give up after so many of all images.
    """

    images: int = 5
    interpolation: Interpolation = "idpp"
    climb: bool = True
    relax_ends: bool = True
    spring: float = 0.1
    fmax: float = 0.02
    steps: int = 500

    def __post_init__(self) -> None:
        conform(self)
        require_count("images", self.images)
        require_positive("spring", self.spring, "eV/A^2")
        require_positive("fmax", self.fmax, "eV/A")
        require_count("steps", self.steps)


def minimum_energy_path(
    initial: Atoms, final: Atoms, calc: BaseCalculator, settings: NEBRun | None = None, **fields: Any
) -> MinimumEnergyPath:
    """Path of least energy between two structures that differ by the hop of an ion.

    Atoms take the shortest way across the faces of the cell.  The band is that of `ase.mep.NEB` with the tangents of
    Henkelman and Jonsson, J. Chem. Phys. 113, 9978 (2000), and one calculator for all images.

    Parameters
    ----------
    initial, final : Atoms
        The same atoms in the same order and cell; not changed.
    calc : ASE calculator
    settings : NEBRun, optional
    **fields
        Those of `NEBRun`, in place of `settings`.

    Raises
    ------
    ValueError
        The ends have different atoms or cells, or are the same, before or after their relaxation; a structure of one
        atom; a setting is out of range.
    CalculationFailed
        The relaxation of an end did not converge, or an energy is not finite.
    Interrupted
        After Ctrl-C, with the band as it was.

    Warns
    -----
    UserWarning
        The band has not converged, see `MinimumEnergyPath.converged`, or ends are not relaxed.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from ase_mlips import SNAP
    >>> from ase_mlips.runs import minimum_energy_path
    >>> perfect = bulk("Mo", cubic=True) * 3
    >>> initial, final = perfect.copy(), perfect.copy()
    >>> final.positions[1] = perfect.positions[0]  # into the vacancy that atom 0 leaves
    >>> del initial[0], final[0]
    >>> path = minimum_energy_path(initial, final, SNAP.embedded("Mo"), images=3)
    >>> print(f"{path.barrier:.1f} eV, back {path.reverse_barrier:.1f} eV")
    1.7 eV, back 1.7 eV
    """
    run = chosen(NEBRun, settings, fields)
    _require_same_atoms(initial, final)
    _require_hop(initial, final, "the ends are the same")
    ends = [_at_rest(atoms, calc, run, name) for atoms, name in ((initial, "first"), (final, "last"))]
    first, last = ends
    _require_hop(first, last, "after relaxation the ends are the same")
    last.positions = first.positions + _shortest(first, last)
    images = [first, *(first.copy() for _ in range(run.images)), last]
    shared = {"allow_shared_calculator": True, "world": DummyMPI()}
    band = _Band(images, k=run.spring, method="improvedtangent", **shared)
    band.interpolate(method=run.interpolation, apply_constraint=False)
    band.calc = calc
    for end in ends:  # computed once, and not anew at each step
        energy, forces = energy_of(end, calc), calc.get_property("forces", end)
        end.calc = SinglePointCalculator(end, energy=energy, forces=forces)
    converged, steps, interrupted = _optimised(band, run)
    result = replace(_result(images, band, converged, steps), origin=origin_of(calc))
    if interrupted:
        raise Interrupted(result, steps)
    if not converged:
        warn(
            f"the band has not converged after {steps} steps: its largest force is still {result.max_force:.2g} eV/A, "
            "and the barrier is not final"
        )
    return result


class _Band(NEB):  # type: ignore[misc]
    """ASE's band, whose images are evaluated together: within `on_executor` all at once."""

    calc: BaseCalculator | None = None  # none while it is interpolated, when images have calculators of their own

    def get_forces(self) -> FloatArray:
        """Forces (images, N, 3) of potential and springs in eV/A."""
        inner = self.images[1:-1] if self.calc else []
        for image, (energy, forces) in zip(inner, with_calculator(_evaluated, self.calc, inner), strict=True):
            image.calc = SinglePointCalculator(image, energy=energy, forces=forces)
        found: FloatArray = super().get_forces()
        return found


def _evaluated(calc: BaseCalculator, image: Atoms) -> tuple[float, FloatArray]:
    return float(calc.get_property("energy", image)), calc.get_property("forces", image)


def _optimised(band: Any, run: NEBRun) -> tuple[bool, int, bool]:
    """Whether the forces on the band became small enough, the number of steps, and whether Ctrl-C has ended it.

    The highest image climbs at last.
    """
    steps = 0
    stages = [(False, max(run.fmax, _ROUGH)), (True, run.fmax)] if run.climb else [(False, run.fmax)]
    with tqdm(desc="band", unit="step", leave=False, disable=None) as bar:
        for climb, fmax in stages:
            band.climb = climb
            with FIRE(band, logfile=None, comm=DummyMPI()) as optimizer:
                optimizer.attach(bar.update)
                try:
                    converged = optimizer.run(fmax=fmax, steps=run.steps - steps)
                except KeyboardInterrupt:
                    return False, steps + optimizer.nsteps, True
                steps += optimizer.nsteps
            if not converged:
                return False, steps, False
    return True, steps, False


def _result(images: list[Atoms], band: Any, converged: bool, steps: int) -> MinimumEnergyPath:
    forces = np.asarray(band.get_forces())
    return MinimumEnergyPath(
        formula=images[0].get_chemical_formula(),
        numbers=images[0].numbers.copy(),
        cell=images[0].cell.array.copy(),
        pbc=images[0].pbc.copy(),
        positions=np.array([image.positions for image in images]),
        energies=np.array([image.get_potential_energy() for image in images]),
        forces=np.array([image.get_forces(apply_constraint=False) for image in images]),
        climbed=bool(band.climb),
        converged=converged,
        max_force=float(np.linalg.norm(forces, axis=1).max()),
        steps=steps,
    )


def _at_rest(atoms: Atoms, calc: BaseCalculator, run: NEBRun, name: str) -> Atoms:
    if run.relax_ends:
        with located(f"the {name} structure"):
            return relaxed_positions(atoms, calc, run.fmax, run.steps)
    force = max_force(atoms, calc)
    if force > run.fmax:
        warn(f"the {name} structure is not relaxed: its largest force is {force:.3g} eV/A, and it is no minimum")
    return atoms.copy()


def _shortest(initial: Atoms, final: Atoms) -> FloatArray:
    """Displacements (N, 3) by the shortest way across the faces of the cell."""
    displacements: FloatArray = find_mic(final.positions - initial.positions, initial.cell, initial.pbc)[0]
    return displacements


def _require_hop(initial: Atoms, final: Atoms, sentence: str) -> None:
    farthest = float(np.linalg.norm(_shortest(initial, final), axis=1).max())
    if farthest < _SAME_PLACE:
        raise ValueError(
            f"{sentence}: no atom moves by more than {farthest:.2g} A, and a hop needs at least {_SAME_PLACE} A"
        )


def _require_same_atoms(initial: Atoms, final: Atoms) -> None:
    if len(initial) != len(final):
        raise ValueError(f"the ends have different atoms: {len(initial)} and {len(final)}")
    if len(initial) < 2:
        raise ValueError(f"a hop needs at least two atoms, got {len(initial)}")
    other = np.flatnonzero(initial.numbers != final.numbers)
    if len(other):
        k = int(other[0])
        raise ValueError(
            f"the ends have different atoms: atom {k} is {initial.symbols[k]} in the first and {final.symbols[k]} in "
            "the last; the order must be the same"
        )
    if (initial.pbc != final.pbc).any():
        raise ValueError(f"the ends are periodic along {initial.pbc.tolist()} and {final.pbc.tolist()}")
    difference = float(np.abs(initial.cell.array - final.cell.array).max())
    if difference > _SAME_CELL:
        raise ValueError(f"the ends have different cells, by up to {difference:.3g} A: relax both in one cell")
    for atoms, name in ((initial, "first"), (final, "last")):
        if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
            raise ValueError(f"the {name} structure has positions or a cell that are not finite")

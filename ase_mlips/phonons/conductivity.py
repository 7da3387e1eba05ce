"""Lattice thermal conductivity from third-order force constants, by phono3py."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from numpy.typing import ArrayLike
from tqdm import tqdm

from ase_mlips.analysis.results import Interrupted

from ..arrays import FloatArray
from .arguments import Mesh, checked_temperatures, require_distance, require_mesh, require_word
from .cells import (
    Supercell,
    primitive_matrix,
    require_oscillators,
    supercell_matrix,
    to_phonopy,
    warn_of_small_supercell,
)
from .force_constants import produce_third_order
from .forces import evaluate
from .harmonic import require_relaxed
from .kappa import ThermalConductivity

Method = Literal["rta", "lbte"]

_DISTANCE = 0.03  # A


def thermal_conductivity(
    atoms: Atoms,
    calc: BaseCalculator,
    *,
    supercell: Supercell,
    mesh: Mesh = 50.0,
    temperatures: ArrayLike = (300.0,),
    method: Method = "rta",
) -> ThermalConductivity:
    """Lattice thermal conductivity of a relaxed crystal, limited by three-phonon scattering.

    The force constants of both orders are made to obey the sum rule and the exchange symmetry, as by phono3py's own
    command: noise in the forces breaks them, and would make the conductivity much too low.  The attribute `symmetrised`
    of the result says by how much they were changed.

    Parameters
    ----------
    atoms, calc, supercell
        As in `phonons`; the third order needs a few hundred supercells or more.
    mesh : float or three ints
        Of q points, see `Phonons`.  The time grows about as the square of their number.
    temperatures : (T,) array
        K, positive.
    method : {"rta", "lbte"}
        Relaxation-time approximation, or direct solution of the linearised Boltzmann equation (Chaput, Phys. Rev. Lett.
        110, 265506 (2013)), which needs much more memory.

    Raises
    ------
    ImportError
        phono3py is not installed.
    ValueError
        `atoms` is not a crystal or not relaxed, or an argument is out of range.
    Interrupted
        Ctrl-C after the forces were known; its attribute `result` is the ``Phono3py`` with the force constants, which
        `conduct` takes.

    Warns
    -----
    UserWarning
        Noise in the forces matters, or the supercell is small.
    """
    chosen = checked_temperatures(temperatures, positive=True)
    require_word("method", method, get_args(Method))
    require_mesh(mesh)
    made, changes = third_order_with_changes(atoms, calc, supercell, mesh=mesh)
    try:
        found = conduct(made, mesh=mesh, temperatures=chosen, method=method)
    except KeyboardInterrupt:
        raise Interrupted(made, len(made.supercells_with_displacements)) from None
    return replace(found, symmetrised=changes, phono3py=made)


def third_order(atoms: Atoms, calc: BaseCalculator, *, supercell: Supercell, distance: float = _DISTANCE) -> Any:
    """A ``Phono3py`` with second- and third-order force constants of a relaxed crystal, displaced by `distance` in A.

    They obey the sum rule and the exchange symmetry, see `thermal_conductivity`, as which it raises and warns.
    """
    return third_order_with_changes(atoms, calc, supercell, distance=distance)[0]


def third_order_with_changes(
    atoms: Atoms, calc: BaseCalculator, supercell: Supercell, *, distance: float = _DISTANCE, mesh: Mesh | None = None
) -> tuple[Any, dict[str, float]]:
    """What `third_order` returns, and by how much the symmetrisation changed it, see `ThermalConductivity`.

    A `mesh` that `conduct` would refuse is refused before the forces are computed.
    """
    try:
        from phono3py import Phono3py
    except ImportError as error:
        raise ImportError(
            "third-order force constants need phono3py, which is not here: pip install phono3py"
        ) from error

    require_oscillators(atoms)
    require_distance(distance)
    matrix = supercell_matrix(atoms, supercell)
    warn_of_small_supercell(atoms, matrix, calc)
    require_relaxed(atoms, calc)
    cell = to_phonopy(atoms)
    made = Phono3py(cell, supercell_matrix=matrix, primitive_matrix=primitive_matrix(cell))
    if mesh is not None:
        _set_mesh(made, mesh)
    made.generate_displacements(distance=distance)
    made.forces = evaluate(made.supercells_with_displacements, calc)["forces"]
    return made, produce_third_order(made)


def conduct(
    phono3py: Any, *, mesh: Mesh = 50.0, temperatures: ArrayLike = (300.0,), method: Method = "rta"
) -> ThermalConductivity:
    """Thermal conductivity of a ``Phono3py`` that has its force constants, which are taken as they are.

    Parameters and errors as in `thermal_conductivity`; also ValueError for force constants that are not there or not
    finite.
    """
    chosen = checked_temperatures(temperatures, positive=True)
    require_word("method", method, get_args(Method))
    require_mesh(mesh)
    for name in ("fc2", "fc3"):
        constants = getattr(phono3py, name)
        if constants is None or not np.isfinite(constants).all():
            raise ValueError(f"phono3py: expected force constants {name} that are there and finite")
    _set_mesh(phono3py, mesh)
    phono3py.init_phph_interaction()
    run = _solved(phono3py, chosen, method)
    kappa, modes = (_tensors(np.asarray(values)[0]) for values in (run.kappa, run.mode_kappa))
    return ThermalConductivity(
        chosen,
        kappa,
        np.asarray(phono3py.mesh_numbers),
        method,
        np.asarray(run.frequencies),
        _mean_free_paths(run),
        modes / np.prod(phono3py.mesh_numbers),
        phono3py=phono3py,
    )


def _set_mesh(phono3py: Any, mesh: Mesh) -> None:
    try:
        phono3py.mesh_numbers = mesh
    except RuntimeError as error:
        raise ValueError(
            f"mesh: expected one with the symmetry of the crystal, such as a length in A, got {mesh!r}"
        ) from error


def _solved(phono3py: Any, temperatures: FloatArray, method: Method) -> Any:
    """phono3py's own solution; its loop over q points is entered here for the sake of a progress bar."""
    from phono3py.conductivity.factory import conductivity_calculator

    run = conductivity_calculator(
        phono3py.phph_interaction, temperatures, phono3py.sigmas, method=f"std-{method}", log_level=0
    )
    with tqdm(total=len(run.grid_points), desc="conductivity", unit="q", leave=False, disable=None) as bar:
        run.run(on_grid_point=lambda _: bar.update())
    return run


def _mean_free_paths(run: Any) -> FloatArray:
    """(T, Q, 3n) in A."""
    from phono3py.conductivity.utils import get_mfp

    vectors = getattr(run, "mfp", None)
    if vectors is not None:
        lengths: FloatArray = np.linalg.norm(np.asarray(vectors)[0], axis=-1)
        return lengths
    return np.array([get_mfp(gamma, run.group_velocities) for gamma in np.asarray(run.gamma)[0]])


def _tensors(voigt: FloatArray) -> FloatArray:
    """(..., 3, 3) of the six components xx yy zz yz xz xy."""
    return voigt[..., [[0, 5, 4], [5, 1, 3], [4, 3, 2]]]

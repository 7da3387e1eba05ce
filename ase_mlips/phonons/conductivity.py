"""Lattice thermal conductivity from third-order force constants, by phono3py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from numpy.typing import ArrayLike, NDArray

from ase_mlips.analysis.results import Result, new_axes

from .arguments import Mesh, checked_temperatures, require_distance, require_mesh, require_word
from .cells import (
    Supercell,
    primitive_matrix,
    require_oscillators,
    supercell_matrix,
    to_phonopy,
    warn_of_small_supercell,
)
from .forces import evaluate
from .harmonic import require_relaxed

FloatArray = NDArray[np.float64]
Method = Literal["rta", "lbte"]


@dataclass(frozen=True, eq=False, repr=False)
class ThermalConductivity(Result):
    """Lattice thermal conductivity.

    Attributes
    ----------
    temperatures : (T,) array
        K.
    kappa : (T, 3, 3) array
        W/(m K).
    mesh : (3,) array
        Of q points.
    method : str
        "rta" or "lbte".
    """

    temperatures: FloatArray
    kappa: FloatArray
    mesh: NDArray[np.int64]
    method: str

    @property
    def mean(self) -> FloatArray:
        """A third of the trace, (T,), in W/(m K)."""
        third: FloatArray = np.trace(self.kappa, axis1=1, axis2=2) / 3.0
        return third

    def plot(self, ax: Any = None) -> Any:
        """Draw the diagonal of the tensor, or its mean where that is all, against the temperature; returns the Axes."""
        ax = new_axes(ax)
        diagonal = np.diagonal(self.kappa, axis1=1, axis2=2)
        if np.ptp(diagonal, axis=1).max() < 1e-3 * diagonal.max():
            ax.plot(self.temperatures, self.mean, marker="o", markersize=3.0)
        else:
            for k, name in enumerate(("xx", "yy", "zz")):
                ax.plot(self.temperatures, diagonal[:, k], marker="o", markersize=3.0, label=name)
            ax.legend(frameon=False)
        ax.set(xlabel="temperature (K)", ylabel="$\\kappa$ (W/m K)", xscale="log", yscale="log")
        return ax


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
    """
    chosen = checked_temperatures(temperatures, positive=True)
    require_word("method", method, get_args(Method))
    require_mesh(mesh)
    return conduct(third_order(atoms, calc, supercell=supercell), mesh=mesh, temperatures=chosen, method=method)


def third_order(atoms: Atoms, calc: BaseCalculator, *, supercell: Supercell, distance: float = 0.03) -> Any:
    """A ``Phono3py`` with second- and third-order force constants of a relaxed crystal, displaced by `distance` in A.

    Raises as `thermal_conductivity`.
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
    made.generate_displacements(distance=distance)
    made.forces = evaluate(made.supercells_with_displacements, calc)["forces"]
    made.produce_fc3()
    made.produce_fc2()
    return made


def conduct(phono3py: Any, *, mesh: Mesh, temperatures: FloatArray, method: Method) -> ThermalConductivity:
    """Thermal conductivity of a ``Phono3py`` that has its force constants."""
    phono3py.mesh_numbers = mesh
    phono3py.init_phph_interaction()
    phono3py.run_thermal_conductivity(is_LBTE=method == "lbte", temperatures=temperatures)
    voigt = np.asarray(phono3py.thermal_conductivity.kappa)[0]
    tensor: FloatArray = voigt[:, [[0, 5, 4], [5, 1, 3], [4, 3, 2]]]
    return ThermalConductivity(temperatures, tensor, np.asarray(phono3py.mesh_numbers), method)

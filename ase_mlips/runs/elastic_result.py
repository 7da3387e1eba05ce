"""The elastic tensor of a crystal, its averages and its stability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ase_mlips.analysis.formatting import with_error
from ase_mlips.analysis.results import new_axes

from ..arrays import BoolArray, FloatArray
from .traced import Traced

_KELVIN = np.array([1.0, 1.0, 1.0, np.sqrt(2.0), np.sqrt(2.0), np.sqrt(2.0)])


class Moduli(NamedTuple):
    """Moduli of a polycrystal without texture.

    Attributes
    ----------
    bulk, shear, young : float
        GPa.
    poisson : float
    """

    bulk: float
    shear: float
    young: float
    poisson: float


@dataclass(frozen=True, eq=False, repr=False)
class ElasticConstants(Traced):
    """Coefficients of stress against strain of a crystal, in GPa and in Voigt's notation.

    Rows and columns are xx, yy, zz, yz, xz, xy in the Cartesian axes of the structure; shear strains count twice.
    Stresses are Cauchy's.  Under a pressure p these are the coefficients B of Wallace, which decide whether the crystal
    is stable there (Wang et al., Phys. Rev. Lett. 71, 4182 (1993)); second derivatives C of the energy by Lagrange's
    strain follow from ``B_ijkl = C_ijkl - p (d_ik d_jl + d_il d_jk - d_ij d_kl)``.  Without pressure both are the same.

    Attributes
    ----------
    formula, space_group : str
    ions : {"relaxed", "clamped"}
        In `tensor`.
    tensor : (6, 6) array
    clamped : (6, 6) array
        With atoms that only follow the strain of the cell.
    errors : (6, 6) array
        By how much `tensor` changes when all strains are halved.  They stand for what makes a constant wrong: strains
        that are not small enough, forces that relaxations leave, and noise of the stresses, if there is any.
    independent : int
        Number of constants that the space group leaves.
    stress : (6,) array
        Of the cell without strain.
    strains : (M, 6) array
        Those that were computed, shears counted twice.
    stresses : (M, 6) array
        By how much the stress changes.
    residual : float
        Largest part of the stress that the linear fit misses, relative to the stress.
    origin : str
        `provenance_of` the calculator as JSON.
    """

    formula: str
    space_group: str
    ions: str
    tensor: FloatArray
    clamped: FloatArray
    errors: FloatArray
    independent: int
    stress: FloatArray
    strains: FloatArray
    stresses: FloatArray
    residual: float
    origin: str = "{}"

    @property
    def pressure(self) -> float:
        """Of the cell without strain, in GPa."""
        return float(-self.stress[:3].mean())

    @property
    def compliance(self) -> FloatArray:
        """Inverse (6, 6) of the tensor, in 1/GPa."""
        return np.asarray(np.linalg.inv(self.tensor), dtype=np.float64)

    @property
    def eigenvalues(self) -> FloatArray:
        """Stiffnesses (6,) in GPa, ascending, of the tensor in Kelvin's notation, which do not depend on the axes."""
        return np.asarray(np.linalg.eigvalsh(self.tensor * np.outer(_KELVIN, _KELVIN)), dtype=np.float64)

    @property
    def stable(self) -> bool:
        """Born's criterion: whether every homogeneous strain costs energy."""
        return bool(self.eigenvalues[0] > 0.0)

    @property
    def voigt(self) -> Moduli:
        """For the same strain in all grains: upper bounds."""
        c = self.tensor
        axial, mixed, shear = np.trace(c[:3, :3]), c[0, 1] + c[0, 2] + c[1, 2], np.trace(c[3:, 3:])
        return _moduli((axial + 2.0 * mixed) / 9.0, (axial - mixed + 3.0 * shear) / 15.0)

    @property
    def reuss(self) -> Moduli:
        """For the same stress in all grains: lower bounds."""
        s = self.compliance
        axial, mixed, shear = np.trace(s[:3, :3]), s[0, 1] + s[0, 2] + s[1, 2], np.trace(s[3:, 3:])
        return _moduli(1.0 / (axial + 2.0 * mixed), 15.0 / (4.0 * axial - 4.0 * mixed + 3.0 * shear))

    @property
    def hill(self) -> Moduli:
        """From the means of both bounds; Hill, Proc. Phys. Soc. A 65, 349 (1952)."""
        upper, lower = self.voigt, self.reuss
        return _moduli(0.5 * (upper.bulk + lower.bulk), 0.5 * (upper.shear + lower.shear))

    def constant(self, row: int, column: int) -> str:
        """A constant with its error in words; ``constant(4, 4)`` is C44."""
        return with_error(self.tensor[row - 1, column - 1], self.errors[row - 1, column - 1])

    def facts(self) -> dict[str, str]:
        """The symmetry, three constants, the averages and the stability."""
        constants = {f"C{i}{j}": f"{self.constant(i, j)} GPa" for i, j in ((1, 1), (1, 2), (4, 4))}
        clamped = {} if self.ions == "clamped" else {"C44 clamped": f"{self.clamped[3, 3]:.4g} GPa"}
        pressure = {"pressure": f"{self.pressure:.3g} GPa"} if abs(self.pressure) >= 0.1 else {}
        return {
            "crystal": f"{self.formula}, {self.space_group}, {self.independent} constants, ions {self.ions}",
            **constants,
            **clamped,
            **({"Hill": _in_words(self.hill)} if self.stable else {}),
            "stable": "yes" if self.stable else f"no, smallest stiffness {self.eigenvalues[0]:.3g} GPa",
            **pressure,
            "missed by linear fit": f"{100.0 * self.residual:.2g} %",
        }

    def columns(self) -> dict[str, FloatArray]:
        """The 21 constants with their errors, with ions as asked for and clamped."""
        i, j = np.triu_indices(6)
        return {
            "i": (i + 1).astype(np.float64),
            "j": (j + 1).astype(np.float64),
            "C_ij (GPa)": self.tensor[i, j],
            "error (GPa)": self.errors[i, j],
            "clamped (GPa)": self.clamped[i, j],
        }

    def plot(self, ax: Any = None) -> Any:
        """Draw stresses against strains, with the linear fits; returns the Axes.

        Each kind of strain is drawn with the stress of its own kind, and where there are no more than two kinds with
        all different stresses of at least a tenth of the largest one.  Dotted lines are those of clamped ions, where
        they differ.
        """
        ax = new_axes(ax)
        kinds = np.abs(self.strains).argmax(1)
        for kind in dict.fromkeys(kinds.tolist()):
            column = self.tensor[:, kind]
            large = np.flatnonzero(np.abs(column) >= 0.1 * np.abs(column).max())
            rows = (
                [kind]
                if len(set(kinds.tolist())) > 2
                else large[np.unique(column[large].round(6), return_index=True)[1]]
            )
            for row in rows:
                self._draw(ax, int(row), kind, kinds == kind)
        ax.set(xlabel="strain (%)", ylabel="stress (GPa)", title=f"{self.formula}, {self.space_group}")
        ax.legend(frameon=False, fontsize="small")
        return ax

    def _draw(self, ax: Any, row: int, kind: int, chosen: BoolArray) -> None:
        """Draw one component of the stress against one kind of strain."""
        strain, value, clamped = self.strains[chosen, kind], self.tensor[row, kind], self.clamped[row, kind]
        differs = abs(clamped - value) > 0.01 * abs(clamped)
        label = f"C{min(row, kind) + 1}{max(row, kind) + 1} = {self.constant(row + 1, kind + 1)} GPa"
        label += f", clamped {clamped:.4g} (dotted)" if differs else ""
        (points,) = ax.plot(100.0 * strain, self.stresses[chosen, row], "o", markersize=4.0)
        ax.plot(100.0 * strain, value * strain, color=points.get_color(), label=label)
        if differs:
            ax.plot(100.0 * strain, clamped * strain, ":", color=points.get_color())


def _moduli(bulk: float, shear: float) -> Moduli:
    young = 9.0 * bulk * shear / (3.0 * bulk + shear)
    poisson = (3.0 * bulk - 2.0 * shear) / (2.0 * (3.0 * bulk + shear))
    return Moduli(float(bulk), float(shear), float(young), float(poisson))


def _in_words(moduli: Moduli) -> str:
    bulk, shear, young, poisson = moduli
    return f"bulk {bulk:.4g}, shear {shear:.4g}, Young {young:.4g} GPa, Poisson {poisson:.3f}"

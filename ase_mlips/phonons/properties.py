"""What the frequencies of a crystal give: densities of states, thermal properties, displacements, instabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ase_mlips.analysis import VDOS
from ase_mlips.analysis.results import new_axes
from ase_mlips.analysis.tables import Tabulated

from ..arrays import FloatArray
from .tables import between, room

_INTERVALS = 400


@dataclass(frozen=True, eq=False, repr=False)
class PhononDOS(Tabulated):
    """Phonon density of states.

    Attributes
    ----------
    frequencies : (K,) array
        THz, equally spaced; imaginary ones are negative.
    total : (K,) array
        States per THz of a primitive cell; the integral is 3n for n atoms.
    partials : dict of (K,) arrays
        The share of each element; they add up to `total`.
    """

    frequencies: FloatArray
    total: FloatArray
    partials: dict[str, FloatArray]

    def facts(self) -> dict[str, str]:
        """Elements, number of states and where they are."""
        there = self.frequencies[self.total > 0.0]
        return {
            "elements": ", ".join(self.partials),
            "states": f"{np.trapezoid(self.total, self.frequencies):.4g} per primitive cell",
            "frequencies": between(there, "THz"),
        }

    def columns(self) -> dict[str, FloatArray]:
        """Frequencies, all states and the shares of several elements."""
        shares = {f"{element} (1/THz)": share for element, share in self.partials.items()}
        return {
            "frequency (THz)": self.frequencies,
            "total (1/THz)": self.total,
            **(shares if len(shares) > 1 else {}),
        }

    def plot(self, ax: Any = None, *, vdos: VDOS | None = None) -> Any:
        """Draw the total and, for several elements, their shares against THz; returns the Axes.

        Parameters
        ----------
        vdos : VDOS, optional
            From molecular dynamics, drawn over it and scaled to the same number of states.
        """
        ax = new_axes(ax)
        ax.plot(self.frequencies, self.total, color="C0", label="total" if vdos is None else "harmonic")
        if len(self.partials) > 1:
            for k, (element, share) in enumerate(self.partials.items(), start=2):
                ax.plot(self.frequencies, share, color=f"C{k}", linewidth=1.0, label=element)
        if vdos is not None:
            states = np.trapezoid(self.total, self.frequencies) / np.trapezoid(vdos.total, vdos.frequencies)
            ax.plot(vdos.frequencies, states * vdos.total, color="C1", label="molecular dynamics")
        if len(ax.lines) > 1:
            ax.legend(frameon=False)
        ax.set(xlabel="frequency (THz)", ylabel="states per THz", ylim=(0.0, None))
        ax.set_xlim(min(0.0, self.frequencies[0]), self.frequencies[-1])
        return ax


@dataclass(frozen=True, eq=False, repr=False)
class ThermalProperties(Tabulated):
    """Harmonic thermal properties of a primitive cell at constant volume.

    Attributes
    ----------
    temperatures : (T,) array
        K.
    free_energy : (T,) array
        Helmholtz free energy of the vibrations with the zero-point energy, in kJ/mol.
    entropy, heat_capacity : (T,) array
        J/(K mol).
    zero_point_energy : float
        kJ/mol.
    """

    temperatures: FloatArray
    free_energy: FloatArray
    entropy: FloatArray
    heat_capacity: FloatArray
    zero_point_energy: float

    def facts(self) -> dict[str, str]:
        """Values near 300 K, of a mole of primitive cells."""
        at = room(self.temperatures)
        kelvin = f"at {self.temperatures[at]:g} K"
        return {
            "zero-point energy": f"{self.zero_point_energy:.4g} kJ/mol",
            f"free energy {kelvin}": f"{self.free_energy[at]:.4g} kJ/mol",
            f"entropy {kelvin}": f"{self.entropy[at]:.4g} J/(K mol)",
            f"C_V {kelvin}": f"{self.heat_capacity[at]:.4g} J/(K mol)",
        }

    def columns(self) -> dict[str, FloatArray]:
        """Temperatures and the three properties."""
        return {
            "T (K)": self.temperatures,
            "F (kJ/mol)": self.free_energy,
            "S (J/K/mol)": self.entropy,
            "C_V (J/K/mol)": self.heat_capacity,
        }

    def plot(self, ax: Any = None) -> Any:
        """Draw all three against the temperature, as phonopy does; returns the Axes."""
        ax = new_axes(ax)
        ax.plot(self.temperatures, self.free_energy, label="free energy (kJ/mol)")
        ax.plot(self.temperatures, self.entropy, label="entropy (J/K/mol)")
        ax.plot(self.temperatures, self.heat_capacity, label="$C_V$ (J/K/mol)")
        ax.set(xlabel="temperature (K)", xlim=(self.temperatures[0], self.temperatures[-1]))
        ax.legend(frameon=False)
        return ax


@dataclass(frozen=True)
class ImaginaryMode:
    """A mode that lowers the energy.

    Attributes
    ----------
    q : tuple of 3 float
        In units of the reciprocal vectors of the primitive cell.
    branch : int
        From 0, in ascending order of frequency.
    frequency : float
        THz, negative: ``-sqrt(|omega^2|)``.
    label : str
        Name of the special point, empty elsewhere.
    """

    q: tuple[float, float, float]
    branch: int
    frequency: float
    label: str

    def __str__(self) -> str:
        at = f"{self.label} " if self.label else ""
        return f"{at}({', '.join(f'{x:.4g}' for x in self.q)}), branch {self.branch}: {abs(self.frequency):.4g}i THz"


def count_states(mesh: Any, shares: FloatArray | None) -> tuple[FloatArray, FloatArray]:
    """Frequencies (K,) in THz and densities of states (K, E) per THz that integrate to the number of states.

    Parameters
    ----------
    mesh
        Of phonopy, run.
    shares : (Q, 3n, E) array or None
        Of each mode; for a whole mesh without symmetry.  None counts the modes.
    """
    from phonopy.phonon.spectrum import TetrahedronDOSAccumulator

    top, bottom = float(mesh.frequencies.max()), float(mesh.frequencies.min())
    # Where all modes are zero any width will do.
    pitch = max(top, -bottom) / _INTERVALS or 1.0 / _INTERVALS
    # One more interval at both ends is empty, for the trapezoid rule.
    points = pitch * np.arange(np.floor(bottom / pitch) - 1, np.ceil(top / pitch) + 2)
    limits = np.append(points - 0.5 * pitch, points[-1] + 0.5 * pitch)
    symmetry = (
        {}
        if shares is not None
        else {
            "ir_grid_points": mesh.ir_grid_points,
            "ir_grid_weights": mesh.weights,
            "ir_grid_map": mesh.grid_mapping_table,
        }
    )
    states = TetrahedronDOSAccumulator(
        mesh.frequencies,
        mesh.bz_grid,
        mode_property=None if shares is None else shares[None],
        sampling_points=limits,
        **symmetry,
    ).result.cumulative[0]
    return points, np.diff(states, axis=0) / pitch


def imaginary_modes(
    q_points: FloatArray, frequencies: FloatArray, labels: dict[str, FloatArray], *, tolerance: float
) -> tuple[ImaginaryMode, ...]:
    """Modes below ``-tolerance`` in THz, the worst first.

    Parameters
    ----------
    q_points : (Q, 3) array
    frequencies : (Q, 3n) array
    labels : dict of (3,) arrays
        Points that have a name.
    """
    modes = []
    for k, branch in np.argwhere(frequencies < -tolerance):
        q = q_points[k]
        names = [name for name, point in labels.items() if np.abs(q - point - np.rint(q - point)).max() < 1e-6]
        place = (float(q[0]), float(q[1]), float(q[2]))
        modes.append(ImaginaryMode(place, int(branch), float(frequencies[k, branch]), "".join(names[:1])))
    return tuple(sorted(modes, key=lambda mode: mode.frequency))

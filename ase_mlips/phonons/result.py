"""The phonons of one crystal: a `Phonopy` with force constants, and the usual questions to it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import ArrayLike

from ase_mlips.analysis import VDOS
from ase_mlips.analysis.tables import html_table

from ..arrays import FloatArray, Int64Array
from .arguments import Mesh, any_mesh, checked_temperatures, require_mesh, warn
from .bands import Bands, recommended_path, special_points
from .cells import new_phonopy, require_oscillators, space_group, supercell_matrix, to_ase
from .figures import bands_and_dos
from .files import read_born, read_phonopy, write_phonopy
from .properties import ImaginaryMode, PhononDOS, ThermalProperties, count_states, imaginary_modes
from .relaxation import Relaxation

NOISE = 0.05  # THz: an imaginary frequency below this is interpolation, not an instability


@dataclass(frozen=True, eq=False, repr=False)
class Phonons:
    """Phonons of a crystal.

    Attributes
    ----------
    phonopy : Phonopy
        With force constants, for everything that is not here.
    max_force : float or None
        Largest force in eV/A on an atom of the undisplaced crystal, where known.
    relaxation : Relaxation or None
        What was done to the structure before.
    seconds : dict of float
        Wall time of each stage.

    Notes
    -----
    Meshes are a length in A, for which each reciprocal vector is divided into about ``length * |a*|`` parts, or
    three integers; they always contain Γ.
    """

    phonopy: Any
    max_force: float | None = None
    relaxation: Relaxation | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Phonons:
        """Read a phonopy yaml file with force constants or forces, whoever wrote it, also in .xz, .lzma, .gz or .bz2.

        Nothing but this file counts: no BORN, FORCE_SETS or FORCE_CONSTANTS in the working directory.

        Raises
        ------
        OSError, ValueError
            The file cannot be read, is no phonopy yaml file, has tags (which could run code), numbers that are not
            finite or sizes that do not fit each other, or neither force constants nor forces.
        """
        return cls(read_phonopy(path))

    @classmethod
    def from_force_constants(
        cls, atoms: Atoms, force_constants: ArrayLike, *, supercell: int | float | Sequence[Any]
    ) -> Phonons:
        """Phonons of given force constants.

        Parameters
        ----------
        force_constants : (n, N, 3, 3) or (N, N, 3, 3) array
            eV/A^2, of the atoms of phonopy's supercell, with all or with those of the primitive cell in the rows.
        supercell
            As in `phonons`.
        """
        require_oscillators(atoms)
        made = new_phonopy(atoms, supercell_matrix(atoms, supercell))
        given = np.array(force_constants, dtype=np.float64, order="C")
        rows, columns = (len(made.primitive), len(made.supercell)), len(made.supercell)
        if given.ndim != 4 or given.shape[0] not in rows or given.shape[1:] != (columns, 3, 3):
            raise ValueError(
                f"expected force constants of shape ({rows[0]} or {columns}, {columns}, 3, 3), got {given.shape}"
            )
        if not np.isfinite(given).all():
            raise ValueError("force_constants: expected finite numbers")
        made.force_constants = given
        return cls(made)

    def __repr__(self) -> str:
        cells = round(len(self.phonopy.supercell) / len(self.phonopy.primitive))
        return f"Phonons({self.atoms.get_chemical_formula()}, {self.space_group}, {cells} primitive cells)"

    def _repr_html_(self) -> str:
        force = "not known" if self.max_force is None else f"{self.max_force:.2g} eV/A"
        facts = {
            "crystal": f"{self.atoms.get_chemical_formula()}, {self.space_group}",
            "supercell": f"{len(self.phonopy.supercell)} atoms, primitive cell of {len(self.phonopy.primitive)}",
            "largest force before displacements": force,
            "Born charges": "no" if self.phonopy.nac_params is None else "yes",
        }
        return html_table(facts)

    @property
    def atoms(self) -> Atoms:
        """The unit cell from which the supercells were made."""
        return to_ase(self.phonopy.unitcell)

    @property
    def primitive(self) -> Atoms:
        """The primitive cell; q points refer to it."""
        return to_ase(self.phonopy.primitive)

    @property
    def supercell(self) -> Int64Array:
        """Matrix (3, 3) that makes the supercell of the unit cell."""
        matrix: Int64Array = self.phonopy.supercell_matrix
        return matrix

    @property
    def space_group(self) -> str:
        """International symbol and number."""
        return space_group(self.atoms)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a phonopy yaml file with displacements and forces, or else force constants; `phonopy.load` reads it.

        It is compressed where the name ends in .xz, .lzma, .gz or .bz2.  A file that exists is replaced only when the
        new one is whole.
        """
        write_phonopy(self.phonopy, path)

    def with_born_charges(self, charges: ArrayLike, dielectric: ArrayLike) -> Phonons:
        """The same crystal with the long-range part of Gonze and Lee, Phys. Rev. B 55, 10355 (1997).

        Parameters
        ----------
        charges : (N, 3, 3) or (n, 3, 3) array
            Born effective charges in e of the atoms of `atoms` or of `primitive`.
        dielectric : (3, 3) array
            Electronic dielectric tensor, positive definite.
        """
        tensor = _shaped(dielectric, (3, 3), "dielectric")
        if not np.linalg.eigvalsh(tensor + tensor.T).min() > 0.0:
            raise ValueError("dielectric: expected a positive definite tensor")
        return self._polar({"born": self._of_primitive(charges), "dielectric": tensor})

    def with_born_file(self, path: str | os.PathLike[str]) -> Phonons:
        """The same as `with_born_charges`, of a BORN file of phonopy for `primitive`.

        Raises
        ------
        OSError, ValueError
            The file cannot be read, is no such file, or has not as many charges as there are atoms that differ.
        """
        return self._polar(read_born(path, self.phonopy.primitive))

    def _polar(self, charges: dict[str, Any]) -> Phonons:
        from phonopy.physical_units import get_calculator_physical_units

        copy = self.phonopy.replicate()
        copy.dataset = self.phonopy.dataset
        copy.force_constants = self.phonopy.force_constants
        copy.nac_params = {"factor": get_calculator_physical_units().nac_factor, **charges}
        return Phonons(copy, self.max_force, self.relaxation, self.seconds)

    def _of_primitive(self, charges: ArrayLike) -> FloatArray:
        cell = self.phonopy.primitive
        if np.shape(charges) == (len(cell), 3, 3):
            return _shaped(charges, (len(cell), 3, 3), "charges")
        given = _shaped(charges, (len(self.phonopy.unitcell), 3, 3), "charges")
        supercell = self.phonopy.supercell
        return given[[supercell.u2u_map[supercell.s2u_map[k]] for k in cell.p2s_map]]

    def frequencies(self, q_points: ArrayLike) -> FloatArray:
        """Frequencies (Q, 3n) in THz at q points (Q, 3), ascending; imaginary ones are negative."""
        result: FloatArray = self.phonopy.run_qpoints(_q(q_points)).frequencies
        return result

    def group_velocities(self, q_points: ArrayLike) -> FloatArray:
        """Group velocities (Q, 3n, 3) in A/ps."""
        result: FloatArray = self.phonopy.run_qpoints(_q(q_points), with_group_velocities=True).group_velocities
        return result

    def bands(self, points: int = 300) -> Bands:
        """Frequencies along the recommended path of the primitive cell, about so many points."""
        path = recommended_path(self.phonopy.primitive.cell, points)
        found = [
            # At Γ the direction matters where there are Born charges.
            self.phonopy.run_qpoints(q, nac_q_direction=q[-1] - q[0]).frequencies
            for q in (path.q_points[piece] for piece in path.pieces)
        ]
        return Bands(path.q_points, path.distances, np.concatenate(found), path.ticks, path.labels)

    def zone(self, mesh: Mesh = 100.0) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Irreducible q points (Q, 3) of a mesh, their weights (Q,), which add up to 1, and frequencies (Q, 3n)."""
        run = self._run_mesh(mesh)
        return run.qpoints, run.weights / run.weights.sum(), run.frequencies

    def dos(self, mesh: Mesh = 60.0) -> PhononDOS:
        """Density of states by the tetrahedron method, with the shares of the elements.

        The states are counted up to the limits of intervals around the frequencies, so that none is missed, however
        flat the bands: a peak narrower than an interval is drawn as wide as that, with all its states.
        """
        symbols = np.array(self.phonopy.primitive.symbols)
        elements = list(dict.fromkeys(symbols))
        several = len(elements) > 1
        run = self._run_mesh(mesh, with_eigenvectors=several, is_mesh_symmetry=not several)
        shares = None
        if several:
            atoms = (np.abs(run.eigenvectors) ** 2).reshape(len(run.qpoints), len(symbols), 3, -1).sum(2)
            shares = np.stack([atoms[:, symbols == element].sum(1) for element in elements], axis=-1)
        frequencies, density = count_states(run, shares)
        partials = {str(element): density[:, k] for k, element in enumerate(elements)}
        return PhononDOS(frequencies, density.sum(1), partials)

    def thermal(self, temperatures: ArrayLike | None = None, *, mesh: Mesh = 100.0) -> ThermalProperties:
        """Harmonic thermal properties at `temperatures` in K, by default 0 to 1000 K; imaginary modes are left out."""
        chosen = checked_temperatures(np.linspace(0.0, 1000.0, 101) if temperatures is None else temperatures)
        lowest = self._run_mesh(mesh).frequencies.min()
        if lowest < -NOISE:
            warn(f"thermal properties leave out imaginary modes, the worst of {-lowest:.3g}i THz")
        run = self.phonopy.run_thermal_properties(temperatures=chosen, exclude_gamma_acoustic=True)
        return ThermalProperties(chosen, run.free_energy, run.entropy, run.heat_capacity, float(run.zero_point_energy))

    def mean_squared_displacements(self, temperatures: ArrayLike, *, mesh: Mesh = 60.0) -> FloatArray:
        """Thermal displacements (T, n, 3): mean squares along x, y and z in A^2 of the atoms of `primitive`."""
        chosen = checked_temperatures(temperatures)
        self._run_mesh(mesh, with_eigenvectors=True, is_mesh_symmetry=False)
        run = self.phonopy.run_thermal_displacements(temperatures=chosen, exclude_gamma_acoustic=True, freq_min=0.0)
        return np.asarray(run.thermal_displacements).reshape(-1, len(self.phonopy.primitive), 3)

    def imaginary_modes(self, mesh: Mesh = 60.0, *, tolerance: float = NOISE) -> tuple[ImaginaryMode, ...]:
        """Modes below ``-tolerance`` THz at the special points and on a mesh, the worst first; none if it is stable."""
        named = special_points(self.phonopy.primitive.cell)
        q_points = np.concatenate([np.array(list(named.values())), self._run_mesh(mesh).qpoints])
        _, first = np.unique(np.round(q_points - np.rint(q_points), 9), axis=0, return_index=True)
        q_points = q_points[np.sort(first)]
        return imaginary_modes(q_points, self.frequencies(q_points), named, tolerance=tolerance)

    @property
    def stable(self) -> bool:
        """Whether there are no imaginary modes."""
        return not self.imaginary_modes()

    def plot(self, figure: Any = None, *, vdos: VDOS | None = None) -> Any:
        """Draw band structure and density of states side by side; returns the Figure."""
        return bands_and_dos(self.bands(), self.dos(), figure=figure, vdos=vdos)

    def _run_mesh(self, mesh: Mesh, **options: Any) -> Any:
        require_mesh(mesh)
        with any_mesh():
            return self.phonopy.run_mesh(mesh, is_gamma_center=True, **options)


def _q(q_points: ArrayLike) -> FloatArray:
    given = np.atleast_2d(np.asarray(q_points, dtype=np.float64))
    if given.ndim != 2 or given.shape[1] != 3 or not np.isfinite(given).all():
        raise ValueError(f"expected finite q points of shape (Q, 3), got {given.shape}")
    return given


def _shaped(values: ArrayLike, shape: tuple[int, ...], name: str) -> FloatArray:
    given = np.asarray(values, dtype=np.float64)
    if given.shape != shape:
        raise ValueError(f"{name}: expected shape {shape}, got {given.shape}")
    if not np.isfinite(given).all():
        raise ValueError(f"{name}: expected finite numbers")
    return given

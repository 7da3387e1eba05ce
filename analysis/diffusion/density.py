"""Where ions are: their density on a grid, averaged over a trajectory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.geometry import complete_cell
from ase.io.cube import write_cube
from ase.io.xsf import write_xsf
from ase.units import Bohr
from numpy.typing import ArrayLike

from ase_mlips.arrays import FloatArray, Int64Array

from ..results import new_axes
from ..tables import Tabulated
from ..trajectories.atoms import selected_atoms
from ..trajectories.trajectory import Source, Trajectory, as_trajectory


@dataclass(frozen=True, eq=False, repr=False)
class IonDensity(Tabulated):
    """Number density of ions, periodic in the cell.

    Attributes
    ----------
    density : (A, B, C) array
        Ions per A^3 in the voxels; the sum times the volume of a voxel is the number of ions.
    cell : (3, 3) array
        Mean cell in A; voxel (a, b, c) reaches from a/A to (a + 1)/A of the first vector, and so on.
    numbers : (M,) array
        Atomic numbers of all other atoms.
    positions : (M, 3) array
        Their mean positions in A.
    """

    density: FloatArray
    cell: FloatArray
    numbers: Int64Array
    positions: FloatArray

    @property
    def voxel(self) -> float:
        """Volume of a voxel in A^3."""
        return float(abs(np.linalg.det(self.cell))) / self.density.size

    def facts(self) -> dict[str, str]:
        """The number of ions, the grid and the highest density."""
        return {
            "ions": f"{self.density.sum() * self.voxel:.4g}",
            "grid": " x ".join(map(str, self.density.shape)),
            "highest density": f"{self.density.max():.4g} 1/Å^3",
        }

    def columns(self) -> dict[str, FloatArray]:
        """Centres of the voxels and the densities there, the last cell vector running fastest."""
        fractions = (np.moveaxis(np.indices(self.density.shape), 0, -1) + 0.5) / self.density.shape
        x, y, z = (fractions.reshape(-1, 3) @ self.cell).T
        return {"x (Å)": x, "y (Å)": y, "z (Å)": z, "density (1/Å^3)": self.density.ravel()}

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a .cube file (density per bohr^3, as is usual there) or an .xsf file (per A^3), with the other atoms.

        Grid points are put at the centres of the voxels.

        Raises
        ------
        ValueError
            When the name ends in neither .cube nor .xsf.
        """
        atoms = Atoms(numbers=self.numbers, positions=self.positions, cell=self.cell, pbc=True)
        middle = 0.5 / np.array(self.density.shape) @ self.cell
        kind = os.path.splitext(path)[1].lower()
        if kind not in (".cube", ".xsf"):
            raise ValueError(f"expected a name that ends in .cube or .xsf, got {os.fspath(path)}")
        with open(path, "w", encoding="utf-8") as file:
            if kind == ".cube":
                write_cube(file, atoms, data=self.density * Bohr**3, origin=middle)
            else:
                write_xsf(file, [atoms], data=self.density, origin=middle)

    def plot(self, ax: Any = None, *, axis: int = 2) -> Any:
        """Draw the density summed along one cell vector, in fractions of the other two; returns the Axes."""
        ax = new_axes(ax)
        height = self.voxel * self.density.size / self.density.shape[axis]
        height /= float(np.linalg.norm(np.cross(*np.delete(self.cell, axis, axis=0))))
        image = ax.imshow(self.density.sum(axis=axis).T * height, origin="lower", extent=(0, 1, 0, 1), aspect="equal")
        names = [name for k, name in enumerate("abc") if k != axis]
        ax.set(xlabel=f"fraction of {names[0]}", ylabel=f"fraction of {names[1]}")
        ax.figure.colorbar(image, ax=ax, label="ions per Å²")
        return ax


def ion_density(
    trajectory: Source | Trajectory,
    atoms: str | ArrayLike,
    *,
    spacing: float = 0.25,
    drift: str | ArrayLike | None = "all",
) -> IonDensity:
    """Density of some ions on a grid, averaged over all frames.

    Atoms are counted by their fractional coordinates, so that a cell that changes is followed.

    Parameters
    ----------
    trajectory : path, Atoms objects or Trajectory
        Any trajectory with a cell of three vectors.
    atoms : symbol, indices or mask
        The ions.
    spacing : float
        Largest edge of a voxel in A.
    drift : "all", symbol, indices, mask or None
        Subtract the motion of the centre of mass of all atoms, of these atoms (a framework), or none.

    Raises
    ------
    ValueError
        When the selection is empty, `spacing` is not positive or the cell has no volume.
    Interrupted
        At Ctrl-C while reading, with the result of the frames read so far.
    """
    if not 0.0 < spacing < np.inf:
        raise ValueError(f"expected a positive spacing in A, got {spacing}")
    source = as_trajectory(trajectory)
    chosen = selected_atoms(atoms, source.symbols, name="atoms")
    series = source.series("positions", drift=drift)
    if series.volume <= 0.0:
        raise ValueError(f"{source.name}: a density on a grid needs a cell with three vectors")
    cell = series.cells.mean(axis=0)
    shape = np.maximum(1, np.ceil(np.linalg.norm(cell, axis=1) / spacing - 1e-9).astype(np.int64))
    inverses = np.linalg.inv(np.array([complete_cell(each) for each in series.cells]))
    counts = np.zeros(int(shape.prod()))
    for _, block in series.blocks(chosen):
        fractions = block @ inverses
        voxels = np.floor((fractions - np.floor(fractions)) * shape).astype(np.int64)
        np.minimum(voxels, shape - 1, out=voxels)  # a fraction of -1e-17 is 1 when wrapped
        flat = np.ravel_multi_index(tuple(np.moveaxis(voxels, -1, 0)), tuple(shape))
        counts += np.bincount(flat.ravel(), minlength=len(counts))
    density = counts.reshape(shape) * (np.prod(shape) / (series.shape[0] * series.volume))
    others = np.setdiff1d(np.arange(len(source.numbers)), chosen)
    means = [np.mean(block @ inverses, axis=0) for _, block in series.blocks(others)]
    positions = np.concatenate([np.empty((0, 3)), *means]) @ cell
    return series.deliver(IonDensity(density, cell, source.numbers[others], positions))

"""SNAP: spectral neighbour analysis potentials, linear, quadratic and with neural networks."""

from __future__ import annotations

import warnings
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from ase import Atoms

from ..arrays import FloatArray, IntArray
from ..graded import SpeciesGraded
from ..grades.active_rows import SpeciesActiveSet
from ..potential import PairGradients
from ..results import checked
from .active_set import read_active_set, write_active_set
from .files import read_snap, write_snap
from .fitsnap import import_fitsnap
from .model import SnapModel, Zbl
from .potential import SnapPotential

__all__ = ["SNAP", "PairGradients", "SnapModel", "SnapPotential", "Zbl", "import_fitsnap", "read_snap", "write_snap"]

EMBEDDED = {"Si": "silicon.snap", "Mo": "molybdenum.snap", "Cu7PS6": "copper_argyrodite.snap"}
_PREFIX = "embedded:"


class SNAP(SpeciesGraded):
    """ASE calculator for SNAP potentials in LAMMPS's and FitSNAP's files.

    Parameters
    ----------
    model : path or SnapModel
        ``X.snapcoeff`` (``X.snapparam`` is looked for beside it), their common stem, a LAMMPS include file ``X.snap``,
        ``X.mliap`` or ``X.mod``, ``X.mliap.model`` (with ``X.mliap.descriptor``), a network that FitSNAP trained with
        PyTorch, ``X.pt`` (with the same), ``X.snap.npz``, the own format, or ``embedded:Si``, see `embedded`.
    parameters : path, optional
        The ``.snapparam`` or ``.mliap.descriptor`` file where it has another name.
    elements : sequence of str, optional
        Elements to take from the files, in this order, as LAMMPS's ``pair_coeff`` does.  Default: all of the file.
    active_set : path or SpeciesActiveSet, optional
        What `get_extrapolation_grade` compares with: a file of `write_active_set`, or what `select_active_set` gave.
    **kwargs
        ``skin`` and ``num_threads``, see `PotentialCalculator`.

    Raises
    ------
    ValueError
        A malformed file; the message begins with ``path:line``, or with the path alone if the file is binary.

    References
    ----------
    Thompson et al., J. Comput. Phys. 285, 316 (2015); Wood and Thompson, J. Chem. Phys. 148, 241721 (2018).

    Examples
    --------
    >>> from ase.build import bulk
    >>> from ase_mlips import SNAP
    >>> atoms = bulk("Si", cubic=True)
    >>> atoms.rattle(0.05, seed=0)
    >>> atoms.calc = SNAP.embedded("Si")  # or SNAP("Si.snapcoeff")
    >>> atoms.calc
    SNAP(Si, twojmax=8, cutoff=5.1 A)
    >>> atoms.get_forces().shape, atoms.get_stress().shape, atoms.calc.get_descriptors(atoms).shape
    ((8, 3), (6,), (8, 55))
    """

    grade_rcond = 1e-5
    file_endings: ClassVar[tuple[str, ...]] = (
        ".snapcoeff",
        ".snapparam",
        ".snap",
        ".mliap",
        ".mod",
        ".mliap.model",
        ".mliap.descriptor",
        ".snap.npz",
    )

    def __init__(
        self,
        model: str | Path | SnapModel,
        parameters: str | Path | None = None,
        *,
        elements: list[str] | tuple[str, ...] | None = None,
        active_set: str | Path | SpeciesActiveSet | None = None,
        **kwargs: Any,
    ) -> None:
        snap = model if isinstance(model, SnapModel) else _read(model, parameters, elements)
        potential = SnapPotential(snap)
        if potential.inexact_flux:
            warnings.warn(
                "coefficients of equal descriptors differ: as in LAMMPS, forces are not the gradient of the energy",
                UserWarning,
                stacklevel=2,
            )
        super().__init__(potential, **kwargs)
        self._take_active_set(active_set, read_active_set)
        if not isinstance(model, SnapModel):
            self.parameters["model"] = str(model)

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        """Whether `path` is named like a SNAP file or is the common stem of two.

        As ``.pt`` files may be anybody's, one is recognised if an ``.mliap.descriptor`` file lies beside it.
        """
        if path.name.endswith(cls.file_endings) or str(path).startswith(_PREFIX):
            return True
        if path.suffix == ".pt":
            return path.with_suffix(".mliap.descriptor").exists()
        return any(
            path.with_name(path.name + ending).exists()
            for ending in (".snap", ".mliap", ".snapcoeff", ".mliap.model", ".snap.npz")
        )

    @classmethod
    def embedded(cls, name: str, **kwargs: Any) -> SNAP:
        """A model that this package fitted itself and carries with it: "Si", "Mo" or "Cu7PS6".

        See the README beside the files for data and errors.
        """
        return cls(_PREFIX + name, **kwargs)

    @property
    def model(self) -> SnapModel:
        """The model that is evaluated."""
        return self.potential.model  # type: ignore[attr-defined, no-any-return]

    def write(self, path: str | Path) -> None:
        """Write the model in the files that the name of `path` stands for, see `write_snap`."""
        write_snap(path, self.model)

    def write_active_set(self, path: str | Path) -> None:
        """Write the active set as one npz file; raises ValueError where there is none."""
        if self.active_set is None:
            raise ValueError(f"{path}: {self!r} has no active set to be written")
        write_active_set(path, self.active_set)

    @property
    def grade_length(self) -> int:
        """One, of the constant, and the number of descriptors."""
        return 1 + self.model.n_descriptors

    def _ungraded(self) -> str:
        return "" if self.model.network is None else "its energy is a network of the descriptors"

    def _grade_features(self, atoms: Atoms) -> tuple[IntArray, FloatArray]:
        with self._listed(atoms) as (neighbors, species):
            return species, checked("descriptors", self._snap.descriptors(neighbors, species))

    def _grade_rows(self, features: FloatArray, kind: int) -> FloatArray:
        """A one, for the constant, and the descriptors, of which quadratic terms are functions, too."""
        return np.hstack([np.ones((len(features), 1)), features])

    def get_descriptors(self, atoms: Atoms) -> FloatArray:
        """Bispectrum components B of every atom, (N, K), dimensionless, in the order of ``compute sna/atom``."""
        with self._listed(atoms) as (neighbors, species):
            return checked("descriptors", self._snap.descriptors(neighbors, species))

    def get_descriptor_gradients(self, atoms: Atoms) -> PairGradients:
        """Derivatives of the bispectrum components with respect to the neighbours' positions, pair by pair."""
        with self._listed(atoms) as (neighbors, species):
            pairs = self._snap.descriptor_gradients(neighbors, species)
        checked("descriptors", pairs.descriptors)
        checked("descriptor gradients", pairs.gradients, pairs.rows_of_atoms)
        return pairs

    @property
    def _snap(self) -> SnapPotential:
        return self.potential  # type: ignore[return-value]

    def _describe(self) -> str:
        model = self.model
        kind = ("quadratic, " if model.quadraticflag else "") + ("chem, " if model.chemflag else "")
        if model.network is not None:
            kind += f"network {'x'.join(map(str, model.network.sizes[1:]))}, "
        return f"{', '.join(model.elements)}, {kind}twojmax={model.twojmax}, cutoff={model.cutoff:.4g} A"


def _read(model: str | Path, parameters: str | Path | None, elements: list[str] | tuple[str, ...] | None) -> SnapModel:
    """The model of a file, or one of `EMBEDDED`."""
    name = str(model).removeprefix(_PREFIX)
    if name == str(model):
        return read_snap(model, parameters, elements=elements)
    if name not in EMBEDDED:
        raise ValueError(f"there is no embedded SNAP model {name!r}; expected one of {', '.join(EMBEDDED)}")
    with resources.as_file(resources.files("ase_mlips.data")) as folder:
        return read_snap(folder / EMBEDDED[name], parameters, elements=elements)

"""POD: proper orthogonal descriptors of LAMMPS's ML-POD, with linear, quadratic and network heads."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from ase import Atoms

from ..arrays import FloatArray
from ..calculator import PotentialCalculator
from ..potential import PairGradients
from ..results import checked
from .files import read_pod, write_pod
from .model import PodBasis, PodModel
from .potential import PodPotential

__all__ = ["POD", "PairGradients", "PodBasis", "PodModel", "PodPotential", "read_pod", "write_pod"]

_ENDINGS = ("_param.pod", "_coefficients.pod", "_coeff.pod", ".pod.npz")


class POD(PotentialCalculator):
    """ASE calculator for the potentials of LAMMPS's ``pair_style pod``, as it reads them since 2023.

    Elements are found by name, whatever their order in ``pair_coeff``.  As in LAMMPS, terms of n bodies are there from
    n - 1 neighbours on, so that the energy jumps where an almost isolated atom gets another neighbour.

    Parameters
    ----------
    model : path or PodModel
        ``X_param.pod``, ``X_coefficients.pod`` or ``X_coeff.pod`` (the other one is looked for beside it), their common
        stem, or ``X.pod.npz``, the own format.
    coefficients : path, optional
        The coefficient file where the two have other names; `model` then is the parameter file.
    **kwargs
        ``skin`` and ``num_threads``, see `PotentialCalculator`.

    Raises
    ------
    ValueError
        A malformed file; the message begins with ``path:line``, or with the path alone if the file is binary.

    References
    ----------
    N. C. Nguyen and A. Rohskopf, J. Comput. Phys. 480, 112030 (2023); N. C. Nguyen, Phys. Rev. B 107, 144103 (2023).
    """

    file_endings: ClassVar[tuple[str, ...]] = _ENDINGS

    def __init__(self, model: str | Path | PodModel, coefficients: str | Path | None = None, **kwargs: Any) -> None:
        super().__init__(
            PodPotential(model if isinstance(model, PodModel) else read_pod(model, coefficients)), **kwargs
        )
        if not isinstance(model, PodModel):
            self.parameters["model"] = str(model)

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        """Whether `path` is named like a POD file or is the common stem of two."""
        if path.name.endswith(cls.file_endings):
            return True
        return any(path.with_name(path.name + ending).exists() for ending in cls.file_endings)

    @property
    def model(self) -> PodModel:
        """The model that is evaluated."""
        return self._pod.model

    def write(self, path: str | Path) -> None:
        """Write the model in the files that the name of `path` stands for, see `write_pod`."""
        write_pod(path, self.model)

    def get_descriptors(self, atoms: Atoms) -> FloatArray:
        """Descriptors of every atom, (N, M C), as ``compute pod/atom`` gives them: P_k B_m in column m + M k."""
        with self._listed(atoms) as (neighbors, species):
            return checked("descriptors", self._pod.weighted_descriptors(neighbors, species))

    def get_descriptor_gradients(self, atoms: Atoms) -> PairGradients:
        """Derivatives of the descriptors B with respect to the neighbours' positions, pair by pair."""
        with self._listed(atoms) as (neighbors, species):
            pairs = self._pod.descriptor_gradients(neighbors, species)
        checked("descriptors", pairs.descriptors)
        checked("descriptor gradients", pairs.gradients, pairs.rows_of_atoms)
        return pairs

    @property
    def _pod(self) -> PodPotential:
        return self.potential  # type: ignore[return-value]

    def _describe(self) -> str:
        basis, head = self.model.basis, self.model.head.replace("environment ", "")
        kind = f", {head}" if head else ""
        return f"{', '.join(basis.elements)}, {basis.n_descriptors} descriptors{kind}, cutoff={basis.rcut:.4g} A"

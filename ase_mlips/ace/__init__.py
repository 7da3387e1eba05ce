"""ACE: atomic cluster expansion, linear, with Finnis-Sinclair embeddings and with neural networks."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, ClassVar

from ase import Atoms

from ..arrays import FloatArray
from ..calculator import PotentialCalculator
from ..potential import PairGradients
from ..results import checked
from .files import ENDINGS, is_pacemaker, read_ace
from .model import AceModel, Bond, Embedding, Function
from .potential import AcePotential
from .template import ace_template
from .writing import write_ace

__all__ = [
    "ACE",
    "AceModel",
    "AcePotential",
    "Bond",
    "Embedding",
    "Function",
    "ace_template",
    "read_ace",
    "write_ace",
]


class ACE(PotentialCalculator):
    """ASE calculator for ACE potentials in pacemaker's and FitSNAP's files.

    Radial functions are evaluated as they are defined.  LAMMPS's ``pair_style pace`` puts cubic splines in their place
    (``deltaSplineBins``): its energies differ by 1e-12 to 1e-8 eV/atom, its forces by 1e-10 to 1e-6 eV/A, the larger
    numbers with FitSNAP's files, and by up to 1e-4 eV/A near a cutoff that is not smooth.

    Parameters
    ----------
    model : path or AceModel
        ``X.yace``, pacemaker's ``X.yaml`` (B basis), an older ``X.ace``, or ``X.ace.npz``, the own format.
    elements : sequence of str, optional
        That the model must have.
    **kwargs
        ``skin`` and ``num_threads``, see `PotentialCalculator`.

    Raises
    ------
    ValueError
        A malformed file, or radial functions that are not supported (``ACE.jl.*``, ``TEST_*``); the message begins with
        ``path:line``, or with the path alone if the file is binary.

    Warns
    -----
    UserWarning
        Radial functions (ChebLinear) that jump at the cutoff.

    References
    ----------
    R. Drautz, Phys. Rev. B 99, 014104 (2019); Y. Lysogorskiy et al., npj Comput. Mater. 7, 97 (2021).
    """

    file_endings: ClassVar[tuple[str, ...]] = ENDINGS

    def __init__(
        self,
        model: str | Path | AceModel,
        *,
        elements: list[str] | tuple[str, ...] | None = None,
        **kwargs: Any,
    ) -> None:
        ace = model if isinstance(model, AceModel) else read_ace(model, elements=elements)
        if any(bond.radial_basis == "ChebLinear" for row in ace.bonds for bond in row):
            warnings.warn(
                "ChebLinear radial functions jump at the cutoff, and so does the energy", UserWarning, stacklevel=2
            )
        super().__init__(AcePotential(ace), **kwargs)
        if not isinstance(model, AceModel):
            self.parameters["model"] = str(model)

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        """Whether `path` is named like an ACE file; a ``.yaml`` file must begin like one of pacemaker's, too."""
        if path.name.endswith((".yaml", ".yml")):
            return is_pacemaker(path)
        return path.name.endswith(tuple(ending for ending in cls.file_endings if ending != ".yaml"))

    @property
    def model(self) -> AceModel:
        """The model that is evaluated."""
        return self.potential.model  # type: ignore[attr-defined, no-any-return]

    def write(self, path: str | Path) -> None:
        """Write the model in the format that the name of `path` stands for, see `write_ace`."""
        write_ace(path, self.model)

    def get_descriptors(self, atoms: Atoms) -> FloatArray:
        """Basis functions B of every atom, (N, K), dimensionless, without their coefficients where the file has these.

        A ``.yace`` file has not: there, a function is what it adds to the first density.  Elements with fewer functions
        than others have zeros behind theirs.
        """
        with self._listed(atoms) as (neighbors, species):
            return checked("descriptors", self._ace.descriptors(neighbors, species))

    def get_descriptor_gradients(self, atoms: Atoms) -> PairGradients:
        """Derivatives of the basis functions with respect to the neighbours' positions, pair by pair."""
        with self._listed(atoms) as (neighbors, species):
            pairs = self._ace.descriptor_gradients(neighbors, species)
        checked("descriptors", pairs.descriptors)
        checked("descriptor gradients", pairs.gradients, pairs.rows_of_atoms)
        return pairs

    @property
    def _ace(self) -> AcePotential:
        return self.potential  # type: ignore[return-value]

    def _describe(self) -> str:
        model = self.model
        count = "+".join(str(len(own)) for own in model.functions)
        kind = f"{count} functions" if model.network is None else f"network on {count} functions"
        return f"{', '.join(model.elements)}, {kind}, cutoff={model.cutoff:.4g} A"

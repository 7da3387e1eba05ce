"""NEP: neuroevolution potentials of GPUMD, with charges, dipoles and polarizabilities."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import CalculatorSetupError, PropertyNotImplementedError, all_changes
from numpy.typing import NDArray

from ..calculator import PotentialCalculator, checked
from ..engine.neighbors import NeighborList
from ..potential import Evaluation, IntArray
from .charges import require_cost
from .files import looks_like_nep, read_nep, write_nep
from .model import NepModel, Network, Zbl
from .potential import NepPotential

__all__ = ["NEP", "NepModel", "NepPotential", "Network", "Zbl", "read_nep", "write_nep"]

FloatArray = NDArray[np.float64]


class NEP(PotentialCalculator):
    """ASE calculator for NEP2, NEP3, NEP4 and NEP5 models, qNEP, and dipole and polarizability models.

    Parameters
    ----------
    model : path or NepModel
        A ``nep.txt`` as GPUMD, NEP_CPU or calorine write it.
    temperature : float, optional
        In K, of the electrons: needed by ``_temperature`` models, which `write` keeps as they are at this temperature.
    **kwargs
        ``skin`` and ``num_threads``, see `PotentialCalculator`.

    Raises
    ------
    ValueError
        A malformed file; the message begins with ``path:line``.

    References
    ----------
    Fan et al., Phys. Rev. B 104, 104309 (2021); J. Chem. Phys. 157, 114801 (2022); Song et al., Nat. Commun. 15, 10208
    (2024); Xu et al., J. Chem. Theory Comput. 20, 3273 (2024) (dipole and polarizability).
    """

    file_endings: ClassVar[tuple[str, ...]] = ("nep.txt", "any text file that begins with nep, nep3, nep4 or nep5")

    def __init__(self, model: str | Path | NepModel, *, temperature: float | None = None, **kwargs: Any) -> None:
        if isinstance(model, NepModel) and temperature is not None:
            raise ValueError("temperature: expected one only with the file of a _temperature model, got a NepModel")
        nep = model if isinstance(model, NepModel) else read_nep(model, temperature=temperature)
        super().__init__(NepPotential(nep), **kwargs)
        self.implemented_properties = _properties(nep)  # type: ignore[misc]  # per model, as ASE allows
        if not isinstance(model, NepModel):
            self.parameters["model"] = str(model)
        if temperature is not None:
            self.parameters["temperature"] = float(temperature)

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        """Whether the file at `path` begins like a NEP model."""
        return looks_like_nep(path)

    @property
    def model(self) -> NepModel:
        """The model that is evaluated."""
        return self._nep.model

    def write(self, path: str | Path) -> None:
        """Write the model as a ``nep.txt``."""
        write_nep(path, self.model)

    def subset(self, elements: list[str] | tuple[str, ...]) -> NEP:
        """The same potential for some of its elements only; energies and forces stay what they were."""
        return NEP(
            self.model.subset(elements), skin=self.parameters["skin"], num_threads=self.parameters["num_threads"]
        )

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Fill `results`; see `PotentialCalculator.calculate`.  A dipole model gives the dipole only.

        Raises
        ------
        CalculatorSetupError
            Also where a qNEP of mode 1 or 2 is to evaluate what is not periodic along three cell vectors, or so large
            that the sum over wave vectors would take too long.
        """
        if self.model.kind == "potential":
            with self._lock:
                self._check_cell(atoms)
                super().calculate(atoms, properties, system_changes)
            return
        with self._lock:
            atoms = self.atoms if atoms is None else atoms
            if atoms is None:
                raise CalculatorSetupError(
                    "there are no atoms to calculate: give them to the getter, or set atoms.calc"
                )
            self.reset()
            neighbors, species = self._neighbors(atoms)
            if self.model.kind == "dipole":
                dipole = self._nep.dipole(neighbors, species)
                self.results = {"dipole": checked("dipole", dipole, self._of_atoms(neighbors, species))}
            self.atoms = atoms

    def get_property(self, name: str, atoms: Atoms | None = None, allow_calculation: bool = True) -> Any:
        """One of `implemented_properties`; charges, which few ask for, are computed when asked for."""
        if name != "charges" or not self.model.charge_mode:
            return super().get_property(name, atoms, allow_calculation)
        with self._lock:
            if super().get_property("energy", atoms, allow_calculation) is None:
                return None
            if name not in self.results:
                if not allow_calculation:
                    return None
                charges = self._nep.charges(*self._neighbors(self.atoms if atoms is None else atoms))
                self.results[name] = checked(name, charges)
            return self.results[name].copy()

    def get_descriptors(self, atoms: Atoms) -> FloatArray:
        """Scaled descriptors of every atom, (N, D), dimensionless, in GPUMD's order."""
        with self._lock:
            return checked("descriptors", self._nep.outputs(*self._neighbors(atoms)).descriptors.copy())

    def get_latent_space(self, atoms: Atoms) -> FloatArray:
        """Weighted outputs w1 tanh(..) of the hidden layer for every atom, (N, H)."""
        with self._lock:
            return checked("latent space", self._nep.outputs(*self._neighbors(atoms)).latent.copy())

    def get_born_effective_charges(self, atoms: Atoms) -> FloatArray:
        """Born effective charges of a qNEP model, (N, 3, 3) in e: polarisation along a, displacement along b."""
        self._require(self.model.charge_mode > 0, "Born effective charges")
        with self._lock:
            listing = self._neighbors(atoms)
            charges = self._nep.born_effective_charges(*listing)
            return checked("Born effective charges", charges, self._of_atoms(*listing))

    def get_polarizability(self, atoms: Atoms) -> FloatArray:
        """Polarizability of the whole structure, (3, 3), in the units that the model was trained in."""
        self._require(self.model.kind == "polarizability", "a polarizability")
        with self._lock:
            listing = self._neighbors(atoms)
            return checked("polarizability", self._nep.polarizability(*listing), self._of_atoms(*listing))

    def _of_atoms(self, neighbors: NeighborList, species: IntArray) -> Callable[[], FloatArray]:
        """What tells the atom for which something is not finite."""
        return lambda: self._nep.outputs(neighbors, species).descriptors

    def _evaluated(self, atoms: Atoms) -> Evaluation:
        self._require(self.model.kind == "potential", "virials")
        return super()._evaluated(atoms)

    def _check_cell(self, atoms: Atoms | None) -> None:
        if self.model.charge_mode not in (1, 2):
            return
        atoms = self.atoms if atoms is None else atoms
        if atoms is not None and not (atoms.pbc.all() and atoms.cell.rank == 3):
            self.reset()
            raise CalculatorSetupError(
                f"a {self.model.token} model sums its charges in reciprocal space: it needs three periodic cell "
                f"vectors, got pbc {atoms.pbc.tolist()} and a cell of rank {atoms.cell.rank}"
            )
        if atoms is not None:
            try:
                require_cost(atoms.cell.volume, float(self.model.radial_cutoffs.max()), len(atoms))
            except ValueError as error:
                self.reset()
                raise CalculatorSetupError(str(error)) from None

    def _require(self, has: bool, what: str) -> None:
        if not has:
            raise PropertyNotImplementedError(f"{self!r} does not give {what}")

    @property
    def _nep(self) -> NepPotential:
        return self.potential  # type: ignore[return-value]

    def _describe(self) -> str:
        model = self.model
        return f"{', '.join(model.elements)}, {model.token}, cutoff={self.potential.cutoff:.4g} A"


def _properties(model: NepModel) -> list[str]:
    if model.kind == "dipole":
        return ["dipole"]
    if model.kind == "polarizability":
        return []
    return [*PotentialCalculator.implemented_properties, *(["charges"] if model.charge_mode else [])]

"""NEP: neuroevolution potentials of GPUMD, with charges, dipoles and polarizabilities."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Self, cast

from ase import Atoms
from ase.calculators.calculator import CalculatorSetupError, PropertyNotImplementedError, all_changes

from ..arrays import FloatArray, IntArray
from ..engine.neighbors import NeighborList
from ..graded import SpeciesGraded
from ..grades.active_rows import SpeciesActiveSet
from ..potential import Evaluation
from ..registry import register_name
from ..results import checked
from .active_set import read_asi, write_asi
from .charges import require_cost
from .files import first_word, looks_like_nep, read_nep, write_nep
from .grade import RCOND, row_length, weight_gradients
from .model import NepModel, NepNetwork, NepZbl
from .potential import NepPotential

__all__ = [
    "NEP",
    "QNEP",
    "NEPDipole",
    "NEPPolarizability",
    "NepModel",
    "NepNetwork",
    "NepPotential",
    "NepZbl",
    "read_asi",
    "read_nep",
    "write_asi",
    "write_nep",
]


class NEP(SpeciesGraded):
    """ASE calculator for NEP2, NEP3, NEP4 and NEP5 models; of the energy, unless the file is one of another quantity.

    ``NEP(model)`` makes a `QNEP` of a model with charges, a `NEPDipole` or a `NEPPolarizability`, which derive from it.

    Parameters
    ----------
    model : path or NepModel
        A ``nep.txt`` as GPUMD, NEP_CPU or calorine write it.
    temperature : float, optional
        In K, of the electrons: needed by ``_temperature`` models, which `write` keeps as they are at this temperature.
    active_set : path or SpeciesActiveSet, optional
        What `get_extrapolation_grade` compares with: an ``.asi`` file of GPUMD, or what `select_active_set` gave.
    **kwargs
        ``skin`` and ``num_threads``, see `PotentialCalculator`.

    Raises
    ------
    ValueError
        A malformed file; the message begins with ``path:line``.  A class other than `NEP` raises it for a model that
        is not its own.

    References
    ----------
    Fan et al., Phys. Rev. B 104, 104309 (2021); J. Chem. Phys. 157, 114801 (2022); Song et al., Nat. Commun. 15, 10208
    (2024).
    """

    grade_rcond = RCOND
    file_endings: ClassVar[tuple[str, ...]] = ("nep.txt", "any text file that begins with nep, nep3, nep4 or nep5")

    def __new__(cls, model: str | Path | NepModel | None = None, *args: Any, **kwargs: Any) -> Self:
        """An object of the class that the model calls for; without a model, as copies are made, of this one."""
        kind = cls
        if cls is NEP and model is not None:
            token = model.token if isinstance(model, NepModel) else first_word(model)
            kind = cast("type[Self]", _calculator_for(token))
        calculator: Self = super().__new__(kind)
        return calculator

    def __init__(
        self,
        model: str | Path | NepModel,
        *,
        temperature: float | None = None,
        active_set: str | Path | SpeciesActiveSet | None = None,
        **kwargs: Any,
    ) -> None:
        if isinstance(model, NepModel) and temperature is not None:
            raise ValueError("temperature: expected one only with the file of a _temperature model, got a NepModel")
        nep = model if isinstance(model, NepModel) else read_nep(model, temperature=temperature)
        own, right = next(c for c in type(self).__mro__ if c in _CALCULATORS.values()), _calculator_for(nep.token)
        if own is not right:
            raise ValueError(f"expected a model for {own.__name__}, got one for {right.__name__}: {nep.token}")
        super().__init__(NepPotential(nep), **kwargs)
        self._take_active_set(active_set, lambda path: read_asi(path, nep))
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

    def write_active_set(self, path: str | Path) -> None:
        """Write the active set as an ``.asi`` file of GPUMD; raises ValueError where there is none."""
        if self.active_set is None:
            raise ValueError(f"{path}: {self!r} has no active set to be written")
        write_asi(path, self.active_set)

    @property
    def grade_length(self) -> int:
        """How many weights of the network act on an atom."""
        return row_length(self.model)

    def _ungraded(self) -> str:
        if self.model.kind != "potential" or self.model.charge_mode:
            return f"there is none of a {self.model.token} model"
        return ""

    def _grade_features(self, atoms: Atoms) -> tuple[IntArray, FloatArray]:
        with self._listed(atoms) as (neighbors, species):
            return species, checked("descriptors", self._nep.outputs(neighbors, species).descriptors.copy())

    def _grade_rows(self, features: FloatArray, kind: int) -> FloatArray:
        return weight_gradients(self.model, features, kind)

    def subset(self, elements: list[str] | tuple[str, ...]) -> NEP:
        """The same potential for some of its elements only; energies and forces stay what they were."""
        return NEP(
            self.model.subset(elements), skin=self.parameters["skin"], num_threads=self.parameters["num_threads"]
        )

    def get_descriptors(self, atoms: Atoms) -> FloatArray:
        """Scaled descriptors of every atom, (N, D), dimensionless, in GPUMD's order."""
        with self._listed(atoms) as (neighbors, species):
            return checked("descriptors", self._nep.outputs(neighbors, species).descriptors.copy())

    def get_latent_space(self, atoms: Atoms) -> FloatArray:
        """Weighted outputs w1 tanh(..) of the hidden layer for every atom, (N, H)."""
        with self._listed(atoms) as (neighbors, species):
            return checked("latent space", self._nep.outputs(neighbors, species).latent.copy())

    def get_born_effective_charges(self, atoms: Atoms) -> FloatArray:
        """Born effective charges, which a `QNEP` gives; raises PropertyNotImplementedError elsewhere."""
        raise self._lacks("Born effective charges")

    def get_polarizability(self, atoms: Atoms) -> FloatArray:
        """The polarizability, which a `NEPPolarizability` gives; raises PropertyNotImplementedError elsewhere."""
        raise self._lacks("a polarizability")

    def _of_atoms(self, neighbors: NeighborList, species: IntArray) -> Callable[[], FloatArray]:
        """What tells the atom for which something is not finite."""
        return lambda: self._nep.outputs(neighbors, species).descriptors

    def _lacks(self, what: str) -> PropertyNotImplementedError:
        return PropertyNotImplementedError(f"{self!r} does not give {what}")

    @property
    def _nep(self) -> NepPotential:
        return self.potential  # type: ignore[return-value]

    def _describe(self) -> str:
        model = self.model
        return f"{', '.join(model.elements)}, {model.token}, cutoff={self.potential.cutoff:.4g} A"


class QNEP(NEP):
    """`NEP` with charges (qNEP): they add a Coulomb energy, and are given as well."""

    implemented_properties: ClassVar[list[str]] = [*NEP.implemented_properties, "charges"]

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Fill `results`; see `PotentialCalculator.calculate`.

        Raises
        ------
        CalculatorSetupError
            Also where a model of mode 1 or 2 is to evaluate what is not periodic along three cell vectors, or so large
            that the sum over wave vectors would take too long.
        """
        with self._lock:
            self._require_cell(atoms)
            super().calculate(atoms, properties, system_changes)

    def get_property(self, name: str, atoms: Atoms | None = None, allow_calculation: bool = True) -> Any:
        """One of `implemented_properties`; charges, which few ask for, are computed when asked for."""
        if name != "charges":
            return super().get_property(name, atoms, allow_calculation)
        with self._lock:
            if super().get_property("energy", atoms, allow_calculation) is None:
                return None
            if name not in self.results:
                if not allow_calculation:
                    return None
                with self._listed(self.atoms if atoms is None else atoms) as (neighbors, species):
                    self.results[name] = checked(name, self._nep.charges(neighbors, species))
            return self.results[name].copy()

    def get_born_effective_charges(self, atoms: Atoms) -> FloatArray:
        """Born effective charges, (N, 3, 3) in e: polarisation along a, displacement along b."""
        with self._listed(atoms) as (neighbors, species):
            charges = self._nep.born_effective_charges(neighbors, species)
            return checked("Born effective charges", charges, self._of_atoms(neighbors, species))

    def _require_cell(self, atoms: Atoms | None) -> None:
        atoms = self.atoms if atoms is None else atoms
        if self.model.charge_mode not in (1, 2) or atoms is None:
            return
        if not (atoms.pbc.all() and atoms.cell.rank == 3):
            self.reset()
            raise CalculatorSetupError(
                f"a {self.model.token} model sums its charges in reciprocal space: it needs three periodic cell "
                f"vectors, got pbc {atoms.pbc.tolist()} and a cell of rank {atoms.cell.rank}"
            )
        try:
            require_cost(atoms.cell.volume, float(self.model.radial_cutoffs.max()), len(atoms))
        except ValueError as error:
            self.reset()
            raise CalculatorSetupError(str(error)) from None


class _WithoutEnergy(NEP):
    """What models of another quantity have in common."""

    def _quantities(self, neighbors: NeighborList, species: IntArray) -> dict[str, Any]:
        """The `results`."""
        return {}

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Fill `results` with what the model gives; see `PotentialCalculator.calculate`."""
        with self._lock:
            atoms = self.atoms if atoms is None else atoms
            if atoms is None:
                raise CalculatorSetupError("no atoms to calculate: give them to the getter, or set atoms.calc")
            self.reset()
            with self._listed(atoms) as (neighbors, species):
                self.results = self._quantities(neighbors, species)
            self.atoms = atoms

    def _evaluated(self, atoms: Atoms) -> Evaluation:
        raise self._lacks("virials")


class NEPDipole(_WithoutEnergy):
    """ASE calculator for NEP models of the dipole moment (Xu et al., J. Chem. Theory Comput. 20, 3273 (2024)).

    ``atoms.get_dipole_moment()`` is in the units that the model was trained in.  Parameters are those of `NEP`.
    """

    implemented_properties: ClassVar[list[str]] = ["dipole"]

    def _quantities(self, neighbors: NeighborList, species: IntArray) -> dict[str, Any]:
        dipole = self._nep.dipole(neighbors, species)
        return {"dipole": checked("dipole", dipole, self._of_atoms(neighbors, species))}


class NEPPolarizability(_WithoutEnergy):
    """Calculator for NEP models of the polarizability (Xu et al., J. Chem. Theory Comput. 20, 3273 (2024)).

    As ASE has no name for that, it gives none of ASE's properties.  Parameters are those of `NEP`.
    """

    implemented_properties: ClassVar[list[str]] = []

    def get_polarizability(self, atoms: Atoms) -> FloatArray:
        """Polarizability of the whole structure, (3, 3), in the units that the model was trained in."""
        with self._listed(atoms) as (neighbors, species):
            polarizability = self._nep.polarizability(neighbors, species)
            return checked("polarizability", polarizability, self._of_atoms(neighbors, species))


_CALCULATORS = {"charge": QNEP, "dipole": NEPDipole, "polarizability": NEPPolarizability, "": NEP}
for _calculator in (QNEP, NEPDipole, NEPPolarizability):
    register_name(_calculator)


def _calculator_for(token: str) -> type[NEP]:
    """The class for a model with this first word, such as ``nep3_dipole``."""
    return next(found for word, found in _CALCULATORS.items() if word in token)

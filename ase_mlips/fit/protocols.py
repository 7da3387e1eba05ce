"""What a family of potentials gives to be fitted; `ase_mlips.snap.fitting` is one that does.

A `LinearModel` makes rows of a least-squares problem out of a frame.  A `TrainableModel` evaluates frames with any
parameters and carries the derivatives of a loss back to them.  A family may have either or both of them, and one whose
energy is linear in some of its parameters may be a `PartlyLinearModel`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from numpy.typing import NDArray

from ..arrays import BoolArray, FloatArray, Int64Array
from ..potential import Potential
from .dataset import LabelledFrame
from .linear import Solution

Model = TypeVar("Model")
Taken = TypeVar("Taken", contravariant=True)


class Family(Protocol[Taken]):
    """What is asked of every family: its elements, and what can be done with a model."""

    @property
    def elements(self) -> tuple[str, ...]:
        """Chemical symbols; species count in them."""

    @property
    def cutoff(self) -> float:
        """Distance in A from which on two atoms do not interact."""

    def ready(self, model: Taken) -> Potential:
        """The model, ready to be evaluated."""

    def write(self, path: Path, model: Taken) -> object:
        """Write the model; it may take several files in the folder of `path`."""

    def described(self, model: Taken) -> str:
        """The model in half a line."""


class LinearModel(Family[Model], Protocol[Model]):
    """A family whose energies, forces and stresses are linear in n unknowns."""

    @property
    def n_columns(self) -> int:
        """Number n of unknowns."""

    @property
    def pairs(self) -> int:
        """How many pairs of atoms the frames have had so far: none at all is an error of the user."""

    def rows(self, frame: LabelledFrame) -> Mapping[str, FloatArray]:
        """Rows ``[A | b]`` (m, n + 1) of each label of a frame, in the units and the order of `labels_of`.

        In ``b`` the label is less what the model has beside its unknowns.
        """

    def model(self, solution: FloatArray) -> Model:
        """The model with these unknowns (n,)."""

    def penalty(self, ridge: float) -> FloatArray:
        """Ridge of each unknown (n,), relative to the squared length of its column; 0 for those that stay free."""

    def extrapolating(self, solution: Solution) -> BoolArray:
        """Unknowns (n,) that the frames hardly determine, to be left out at zero before the rest is solved again."""

    def named(self, columns: BoolArray) -> str:
        """What the user calls these unknowns (n,); empty for none."""


class Slopes(NamedTuple):
    """Derivatives of a loss with respect to what `Evaluated` holds, in the same shapes."""

    energies: FloatArray
    forces: Sequence[FloatArray]
    strains: FloatArray


class Evaluated(Protocol):
    """F frames evaluated with certain parameters."""

    @property
    def energies(self) -> FloatArray:
        """(F,) total energies in eV, without what `TrainableModel.rest` has."""

    @property
    def forces(self) -> Sequence[FloatArray]:
        """(N, 3) of each frame in eV/A."""

    @property
    def strains(self) -> FloatArray:
        """(F, 3, 3) derivatives dE / d(strain) in eV; they need not be symmetric."""

    def gradient(self, slopes: Slopes) -> FloatArray:
        r"""Derivatives of the loss with respect to the parameters, in their shape.

        With a, u_i and e for the slopes of energy, forces and strain these are the derivatives of ``Phi = sum_i (a U_i
        + sum_j dU_i/dr_ij . d_ij)`` with ``d_ij = u_i - u_j + e r_ij`` held fixed: one pass of tangents along d and
        one reverse pass, for any number of parameters.
        """


class TrainableModel(Family[Model], Protocol[Model]):
    """A family with parameters, and the frames that it was given, which are called by their numbers."""

    @property
    def constants(self) -> Int64Array:
        """(E,) number of the constant in the energy of an atom that each element has: all 0 where they share one."""

    def rest(self, frame: LabelledFrame) -> Mapping[str, FloatArray]:
        """What the model has beside its parameters, as `predict` gives it; empty for nothing."""

    def start(self, seed: int, constants: FloatArray) -> FloatArray:
        """First parameters (R, P), in rows of any meaning; `constants` (C,) in eV fit the energies best."""

    def flat(self, parameters: FloatArray) -> FloatArray:
        """These parameters with an energy that is one constant for each element."""

    def evaluate(self, parameters: FloatArray, frames: Int64Array, *, gradient: bool = True) -> Evaluated:
        """Evaluate the frames of these numbers; without `gradient` the result will not be asked for it."""

    def model(self, parameters: FloatArray) -> Model:
        """The model with these parameters."""

    def seen(self) -> Sequence[NDArray[Any]]:
        """Arrays that stand for the frames and all else that the evaluation depends on."""


class PartlyLinearModel(TrainableModel[Model], Protocol[Model]):
    """A trainable model whose energy is linear in some of its parameters: those can be solved for exactly."""

    def linear(self, parameters: FloatArray) -> LinearModel[Model]:
        """The linear model in these parameters, all others held fixed."""

    def solved(self, parameters: FloatArray, solution: FloatArray) -> FloatArray:
        """The same parameters with the linear ones replaced by the unknowns of `linear`."""

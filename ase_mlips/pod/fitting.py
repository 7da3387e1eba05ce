"""POD to be fitted: linear and quadratic coefficients by least squares, networks by gradients.

N. C. Nguyen and A. Rohskopf, J. Comput. Phys. 480, 112030 (2023).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from ..arrays import FloatArray
from ..fit.dataset import LabelledFrame
from ..fit.design import DescriptorDesign, isolated_energies
from ..fit.equations import LinearEquations, LinearFit, fit_linear
from ..fit.linear import Solver
from ..fit.loss import Loss
from ..fit.networks import NetworksBesideLinear
from ..fit.problem import network_problem
from ..fit.results import checked_sets
from ..fit.trained import TrainedFit
from ..fit.trained import train as train_one
from ..fit.training import Training
from .files import write_pod
from .model import PodBasis, PodModel
from .potential import PodPotential

FARTHER_REACH = 1e7  # products of descriptors differ in size by orders of magnitude, and so do their coefficients


class PodFamily:
    """What fits ask of models of any kind; see `ase_mlips.fit.protocols.Family`."""

    def ready(self, model: PodModel) -> PodPotential:
        """The model, ready to be evaluated."""
        return PodPotential(model)

    def write(self, path: Path, model: PodModel) -> object:
        """Write the model as `write_pod` does."""
        return write_pod(path, model)

    def described(self, model: PodModel) -> str:
        """Elements, size, head and radii of a model."""
        basis, head = model.basis, f", {model.head}" if model.head else ""
        size = f"{basis.n_descriptors} descriptors{head}"
        return f"{' '.join(basis.elements)}, {size}, rin {basis.rin:g} A, rcut {basis.rcut:g} A"


class PodDesign(PodFamily, DescriptorDesign):
    """Turns frames into rows ``[A | b]`` whose unknowns give the coefficients of a POD model.

    Parameters
    ----------
    basis : PodBasis
    frames : sequence of LabelledFrame
        All that will be fitted: their compositions decide which constants can be told apart.
    atomic_energies : mapping, optional
        Energy of the isolated atom of each element in eV, which the model will have exactly; without it one
        constant per element is fitted.
    quadratic : bool
        Whether products of two descriptors have coefficients, too.
    """

    def __init__(
        self,
        basis: PodBasis,
        frames: Sequence[LabelledFrame],
        atomic_energies: Mapping[str, float] | None = None,
        *,
        quadratic: bool = False,
    ) -> None:
        E, M = len(basis.elements), basis.n_descriptors
        self.reference = PodModel(basis, isolated_energies(basis.elements, atomic_energies), np.zeros((E, 1, M)))
        super().__init__(
            PodPotential(self.reference),
            frames,
            equal=np.arange(M),
            quadratic=quadratic,
            constants=atomic_energies is None,
        )
        if quadratic:
            self.reach = FARTHER_REACH

    def model(self, solution: FloatArray) -> PodModel:
        """The model with the solved coefficients."""
        basis, found = self.reference.basis, self.coefficients(solution)
        constants, end = self.reference.constants + found[:, 0], 1 + basis.n_descriptors
        quadratic = found[:, end:] if self.quadratic else None
        return PodModel(basis, constants, found[:, None, 1:end], quadratic=quadratic)


class PodFit(LinearFit[PodModel]):
    """A fitted linear or quadratic POD model and how well it does."""


def fit_pod(
    basis: PodBasis,
    train: Sequence[LabelledFrame],
    *,
    test: Sequence[LabelledFrame] = (),
    loss: Loss | None = None,
    atomic_energies: Mapping[str, float] | None = None,
    quadratic: bool = False,
    solver: Solver | Literal["auto"] = "auto",
) -> PodFit:
    """Fit the coefficients of a POD model by weighted linear least squares.

    ``Loss(energy=100.0, force=1.0, stress=0.0)`` has the objective of LAMMPS's ``fitpod`` with its defaults.

    Parameters
    ----------
    basis : PodBasis
    train, test : sequence of LabelledFrame
        From `read_frames`; errors on `test` are reported.
    loss : Loss, optional
        Weights and ridge.
    atomic_energies : mapping, optional
        Energy of each isolated atom in eV; the model then has exactly these.  By default one constant per element is
        fitted.
    quadratic : bool
        Let products of two descriptors have coefficients, too; only ``X.pod.npz`` can hold such a model.
    solver : {"auto", "cholesky", "qr", "svd"}
        "cholesky" solves the normal equations; "qr" and "svd" work on a triangular factor of the rows, slower but
        without squaring the condition number.  "auto" takes "cholesky" and repeats with "qr" where that is needed.

    Raises
    ------
    ValueError
        No frames, an element that the descriptors lack, a missing atomic energy, weights of an unknown group or an
        unknown solver; found before the frames are described.
    numpy.linalg.LinAlgError
        "cholesky" was asked for and the normal equations are singular in double precision.

    Warns
    -----
    UserWarning
        Fewer labels than coefficients; coefficients that no training frame determines, which are zero then, or no
        energy at all.

    Examples
    --------
    Fitted to its own energies and forces, a model is found again:

    >>> import numpy as np
    >>> from ase.build import bulk
    >>> from ase.calculators.singlepoint import SinglePointCalculator
    >>> from ase_mlips import POD
    >>> from ase_mlips.fit import Loss, fit_pod, read_frames
    >>> from ase_mlips.pod import PodBasis, PodModel
    >>> basis = PodBasis(("Si",), 1.0, 5.0, 3, 6, (4, 3, 0, 0, 0, 0), (3, 0, 0, 0, 0))
    >>> c = np.random.default_rng(0).normal(scale=0.1, size=(1, 1, basis.n_descriptors))
    >>> calc, labelled = POD(PodModel(basis, np.zeros(1), c)), []
    >>> for seed in range(4):
    ...     atoms = bulk("Si", cubic=True)
    ...     atoms.rattle(0.2, seed=seed)
    ...     labels = {"energy": calc.get_potential_energy(atoms), "forces": calc.get_forces(atoms)}
    ...     atoms.calc = SinglePointCalculator(atoms, **labels)
    ...     labelled.append(atoms)
    >>> fit = fit_pod(basis, read_frames(labelled), loss=Loss(energy=100.0))
    >>> bool(abs(POD(fit.model).get_forces(atoms) - atoms.get_forces()).max() < 1e-5)
    True
    """
    loss = loss or Loss()
    sets = checked_sets(train, test, elements=basis.elements, loss=loss)
    design = PodDesign(basis, train, atomic_energies, quadratic=quadratic)
    fit = fit_linear(design, sets, loss, solver=solver, equations=LinearEquations[PodModel])
    return PodFit(fit.model, fit.sets, fit.solution, fit.loss, fit.equations)


class PodNetworks(PodFamily, NetworksBesideLinear):
    """Networks on proper orthogonal descriptors, beside a linear model that is fitted first.

    Parameters
    ----------
    basis : PodBasis
    frames, loss, training, count
        See `NetworksBesideLinear`.
    """

    def __init__(
        self, basis: PodBasis, frames: Sequence[LabelledFrame], loss: Loss, training: Training, count: int
    ) -> None:
        super().__init__(PodDesign(basis, frames[:count]), frames, loss, training, count)

    def model(self, parameters: FloatArray) -> PodModel:
        """The linear model with a network."""
        linear: PodModel = self.linear
        return replace(linear, network=replace(self.architecture, parameters=parameters))


class PodNetworkFit(TrainedFit[PodModel]):
    """A trained network on proper orthogonal descriptors and how well it does."""


def fit_pod_network(
    basis: PodBasis,
    train: Sequence[LabelledFrame],
    *,
    validation: Sequence[LabelledFrame] | float = 0.1,
    test: Sequence[LabelledFrame] = (),
    loss: Loss | None = None,
    training: Training | None = None,
) -> PodNetworkFit:
    """Train a network on proper orthogonal descriptors, added to a linear model that is fitted first.

    Ctrl-C ends it with the best network so far.  Only ``X.pod.npz`` can hold the model.

    Parameters
    ----------
    basis : PodBasis
    train, validation, test, loss, training
        As for `fit_network`.

    Raises
    ------
    KeyboardInterrupt, ValueError, OSError, FloatingPointError
        As `fit_network`.

    Warns
    -----
    UserWarning
        When the network is worse on the validation frames than a constant energy of each element.
    """
    loss, training = loss or Loss(), training or Training()
    problem = network_problem(PodNetworks, basis, train, validation=validation, loss=loss, training=training)
    return PodNetworkFit.of(train_one(problem, training, test=test))

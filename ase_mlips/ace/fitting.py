"""ACE to be fitted: linear coefficients by least squares, networks by gradients."""

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
from .model import AceModel, Embedding
from .potential import AcePotential
from .writing import write_ace

LEAST_CORE = 1e4  # eV, of the core repulsion that may switch the energy off in a model that is fitted


class AceFamily:
    """What fits ask of models of any kind; see `ase_mlips.fit.protocols.Family`."""

    def ready(self, model: AceModel) -> AcePotential:
        """The model, ready to be evaluated."""
        return AcePotential(model)

    def write(self, path: Path, model: AceModel) -> object:
        """Write the model as `write_ace` does."""
        return write_ace(path, model)

    def described(self, model: AceModel) -> str:
        """Elements, number of functions and cutoff of a model."""
        kind = f", network {'x'.join(map(str, model.network.sizes[1:-1]))}" if model.network is not None else ""
        return f"{' '.join(model.elements)}, {model.n_descriptors} functions{kind}, cutoff {model.cutoff:g} A"


def without_coefficients(template: AceModel, energies: FloatArray) -> AceModel:
    """The template with one density, a linear embedding and functions without weight.

    Raises
    ------
    ValueError
        Where its energy would not be linear in the descriptors, or elements differ in the number of functions.
    """
    if template.inner_cutoff_type == "zbl":
        raise ValueError("inner_cutoff_type: expected density or distance in a template, got zbl, which damps energies")
    cores = [embedding.rho_core_cutoff - embedding.drho_core_cutoff for embedding in template.embeddings]
    if min(cores) < LEAST_CORE and any(bond.core[0] != 0.0 for row in template.bonds for bond in row):
        raise ValueError(f"rho_core_cutoff: expected {LEAST_CORE:g} eV or more in a template, got {min(cores):g}")
    counts = [len(own) for own in template.functions]
    if len(set(counts)) > 1 or counts[0] == 0:
        raise ValueError(f"expected as many functions of each element in a template, got {counts}")
    functions = tuple(
        tuple(replace(function, weights=np.zeros((len(function.ms), 1))) for function in own)
        for own in template.functions
    )
    linear = tuple(
        Embedding("FinnisSinclair", np.ones(2), embedding.rho_core_cutoff, embedding.drho_core_cutoff)
        for embedding in template.embeddings
    )
    return replace(template, energies=energies, functions=functions, embeddings=linear, network=None)


def weighted(bare: AceModel, constants: FloatArray, coefficients: FloatArray) -> AceModel:
    """What `without_coefficients` makes, with constants (E,) added and with coefficients (E, K)."""
    functions = tuple(
        tuple(replace(f, weights=(c * f.couplings)[:, None]) for f, c in zip(own, row.tolist(), strict=True))
        for own, row in zip(bare.functions, coefficients, strict=True)
    )
    return replace(bare, energies=bare.energies + constants, functions=functions)


class AceDesign(AceFamily, DescriptorDesign):
    """Turns frames into rows ``[A | b]`` whose unknowns give the coefficients of a linear ACE model.

    Subtracted from the labels is what the template has beside them: its core repulsion and, where they are given, the
    energies of isolated atoms.

    Parameters
    ----------
    template : AceModel
        Everything but the coefficients.
    frames : sequence of LabelledFrame
        All that will be fitted: their compositions decide which constants can be told apart.
    atomic_energies : mapping, optional
        Energy of the isolated atom of each element in eV, which the model will have exactly; without it one constant
        per element is fitted.
    """

    reach = 1e7  # functions of neighbouring n are nearly parallel: large parts of them cancel

    def __init__(
        self, template: AceModel, frames: Sequence[LabelledFrame], atomic_energies: Mapping[str, float] | None = None
    ) -> None:
        self.reference = without_coefficients(template, isolated_energies(template.elements, atomic_energies))
        super().__init__(
            AcePotential(self.reference),
            frames,
            equal=np.arange(template.n_descriptors),
            quadratic=False,
            constants=atomic_energies is None,
        )

    def model(self, solution: FloatArray) -> AceModel:
        """The model with the solved coefficients."""
        coefficients = self.coefficients(solution)
        return weighted(self.reference, coefficients[:, 0], coefficients[:, 1:])


class AceEquations(LinearEquations[AceModel]):
    """The equations of an `AceDesign`."""


class AceFit(LinearFit[AceModel]):
    """A fitted linear ACE model and how well it does."""


def fit_ace(
    template: AceModel,
    train: Sequence[LabelledFrame],
    *,
    test: Sequence[LabelledFrame] = (),
    loss: Loss | None = None,
    atomic_energies: Mapping[str, float] | None = None,
    solver: Solver | Literal["auto"] = "auto",
) -> AceFit:
    """Fit the coefficients of a linear ACE model by weighted linear least squares.

    Parameters
    ----------
    template : AceModel
        Everything but the coefficients, which are ignored: from `ace_template`, or a file such as FitSNAP's
        ``coupling_coefficients.yace``.  Its core repulsion is kept and not fitted.
    train, test : sequence of LabelledFrame
        From `read_frames`; errors on `test` are reported.
    loss : Loss, optional
        Weights and ridge.
    atomic_energies : mapping, optional
        Energy of each isolated atom in eV; the model then has exactly these.  By default one constant per element is
        fitted.
    solver : {"auto", "cholesky", "qr", "svd"}
        See `fit_snap`.

    Raises
    ------
    ValueError
        As `fit_snap`, or a template whose energy is not linear in its functions near nuclei (zbl).
    numpy.linalg.LinAlgError
        "cholesky" was asked for and the normal equations are singular in double precision.

    Warns
    -----
    UserWarning
        As `fit_snap`.
    """
    loss = loss or Loss()
    sets = checked_sets(train, test, elements=template.elements, loss=loss)
    design = AceDesign(template, train, atomic_energies)
    fit = fit_linear(design, sets, loss, solver=solver, equations=AceEquations)
    return AceFit(fit.model, fit.sets, fit.solution, fit.loss, fit.equations)


class AceNetworks(AceFamily, NetworksBesideLinear):
    """Networks on the basis functions of an ACE model, beside a linear model that is fitted first.

    Parameters
    ----------
    template : AceModel
        Everything but the coefficients.  Its core repulsion is kept and not fitted.
    frames, loss, training, count
        See `NetworksBesideLinear`.
    """

    def __init__(
        self, template: AceModel, frames: Sequence[LabelledFrame], loss: Loss, training: Training, count: int
    ) -> None:
        design = AceDesign(template, frames[:count])
        super().__init__(design, frames, loss, training, count)
        self.template = replace(design.reference, energies=self.linear.energies)

    def model(self, parameters: FloatArray) -> AceModel:
        """The template with the linear coefficients and a network."""
        network = replace(self.architecture, parameters=parameters)
        return replace(self.template, coefficients=self.coefficients, network=network)


class AceNetworkFit(TrainedFit[AceModel]):
    """A trained network on ACE functions and how well it does."""


def fit_ace_network(
    template: AceModel,
    train: Sequence[LabelledFrame],
    *,
    validation: Sequence[LabelledFrame] | float = 0.1,
    test: Sequence[LabelledFrame] = (),
    loss: Loss | None = None,
    training: Training | None = None,
) -> AceNetworkFit:
    """Train a network on the functions of an ACE model, added to a linear model that is fitted first.

    Ctrl-C ends it with the best network so far.

    Parameters
    ----------
    template : AceModel
        As for `fit_ace`.
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
    problem = network_problem(AceNetworks, template, train, validation=validation, loss=loss, training=training)
    return AceNetworkFit.of(train_one(problem, training, test=test))

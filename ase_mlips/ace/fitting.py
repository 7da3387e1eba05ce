"""ACE to be fitted: linear coefficients by least squares, networks by gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from ..arrays import FloatArray, IntArray
from ..engine.neighbors import NeighborList
from ..files.places import require_place
from ..fit.dataset import LabelledFrame, species_of
from ..fit.descriptors import DescribedFrames
from ..fit.design import DescriptorDesign
from ..fit.equations import LinearEquations, LinearFit, fit_linear
from ..fit.linear import Solver
from ..fit.loss import Loss
from ..fit.networks import DescriptorNetworks, normalised
from ..fit.problem import TrainingProblem, every_frame, training_sets
from ..fit.report import predict
from ..fit.results import checked_sets
from ..fit.trained import TrainedFit
from ..fit.trained import train as train_one
from ..fit.training import Training
from ..heads.network import Network
from ..snap.potential import PairGradients
from .model import AceModel, Embedding
from .potential import AcePotential
from .writing import write_ace

SMALLEST = 1e-5  # of the largest standard deviation: combinations below are mostly noise
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

    def __init__(
        self, template: AceModel, frames: Sequence[LabelledFrame], atomic_energies: Mapping[str, float] | None = None
    ) -> None:
        energies = np.zeros(len(template.elements))
        if atomic_energies is not None:
            if missing := [element for element in template.elements if element not in atomic_energies]:
                raise ValueError(f"atomic_energies: {', '.join(missing)} missing")
            energies[:] = [atomic_energies[element] for element in template.elements]
        self.reference = without_coefficients(template, energies)
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
        functions = tuple(
            tuple(replace(f, weights=(c * f.couplings)[:, None]) for f, c in zip(own, row[1:].tolist(), strict=True))
            for own, row in zip(self.reference.functions, coefficients, strict=True)
        )
        energies = self.reference.energies + coefficients[:, 0]
        return replace(self.reference, energies=energies, functions=functions)


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


class Decorrelated:
    """Describes by combinations of basis functions that are uncorrelated and of unit variance.

    Basis functions of neighbouring n are nearly parallel: in terms of these a network hardly learns what tells them
    apart.

    Parameters
    ----------
    potential : AcePotential
    means : (C, K) array
    turns : (C, K, K) array
        For each network the combinations, in columns.
    """

    def __init__(self, potential: AcePotential, means: FloatArray, turns: FloatArray) -> None:
        self.elements, self.cutoff = potential.elements, potential.cutoff
        self._potential, self._means, self._turns = potential, means, turns

    def descriptor_gradients(self, neighbors: NeighborList, species: IntArray) -> PairGradients:
        """Combinations and their gradients of what the neighbour list holds."""
        found = self._potential.descriptor_gradients(neighbors, species)
        networks = species if len(self._turns) > 1 else np.zeros_like(species)
        descriptors, gradients = np.empty_like(found.descriptors), np.empty_like(found.gradients)
        for network, turn in enumerate(self._turns):
            atoms = networks == network
            pairs = atoms[found.centers]
            descriptors[atoms] = (found.descriptors[atoms] - self._means[network]) @ turn
            gradients[pairs] = found.gradients[pairs] @ turn
        return replace(found, descriptors=descriptors, gradients=gradients)


def decorrelation(
    potential: AcePotential, frames: Sequence[LabelledFrame], networks: int
) -> tuple[FloatArray, FloatArray]:
    """Means (C, K) and combinations (C, K, K) for `Decorrelated`, from the atoms of these frames.

    Combinations that vary less than `SMALLEST` of the largest one are not blown up to unit variance.
    """
    near, rows, owners = NeighborList(potential.cutoff, skin=0.0), [], []
    for frame in frames:
        near.update(frame.atoms.positions, frame.atoms.cell.array, frame.atoms.pbc)
        owners.append(species_of(frame, potential.elements))
        rows.append(potential.descriptors(near, owners[-1]))
    B, species = np.concatenate(rows), np.concatenate(owners)
    K = B.shape[1]
    means, turns = np.zeros((networks, K)), np.empty((networks, K, K))
    for network in range(networks):
        own = B[species == network] if networks > 1 else B
        means[network] = own.mean(axis=0)
        deviation = own.std(axis=0)
        deviation[deviation <= 1e-10 * np.abs(own).max(axis=0)] = 1.0
        values, vectors = np.linalg.eigh(np.cov((own - means[network]) / deviation, rowvar=False).reshape(K, K))
        spread = np.sqrt(np.maximum(values, SMALLEST**2 * max(values[-1], 1e-300)))
        turns[network] = vectors[:, ::-1] / deviation[:, None] / spread[::-1]
    return means, turns


class AceNetworks(AceFamily, DescriptorNetworks):
    """Networks on the basis functions of an ACE model, trained in terms of `Decorrelated` ones.

    Parameters
    ----------
    template : AceModel
        Everything but the coefficients.  Its core repulsion is kept and not fitted.
    frames : sequence of LabelledFrame
    training : Training
        The layers, and where to keep the gradients.
    count : int
        How many of the frames, from the first on, set mean and standard deviation of the descriptors.
    """

    def __init__(self, template: AceModel, frames: Sequence[LabelledFrame], training: Training, count: int) -> None:
        self.template = without_coefficients(template, np.zeros(len(template.elements)))
        self.elements, self.cutoff = template.elements, template.cutoff
        self.constants = np.zeros(len(self.elements), int) if training.shared else np.arange(len(self.elements))
        self._potential = AcePotential(self.template)
        networks = 1 if training.shared else len(self.elements)
        self._means, self._turns = decorrelation(self._potential, frames[:count], networks)
        describer = Decorrelated(self._potential, self._means, self._turns)
        data = DescribedFrames(describer, frames, memory=training.memory, disk=training.disk)
        super().__init__(data, normalised(data, training, len(self.elements), count))

    def rest(self, frame: LabelledFrame) -> dict[str, FloatArray]:
        """The core repulsion of the template."""
        if all(bond.core[0] == 0.0 for row in self.template.bonds for bond in row):
            return {}
        return predict(self._potential, frame, NeighborList(self.cutoff, skin=0.0))

    def model(self, parameters: FloatArray) -> AceModel:
        """The template with a network."""
        inner, networks = self.architecture, len(parameters)
        weights = self._turns.transpose(0, 2, 1) / inner.scale[:, :, None]
        biases = -inner.shift / inner.scale
        first = np.concatenate([biases[:, :, None], weights], axis=2).reshape(networks, -1)
        network = Network(
            (inner.sizes[0], *inner.sizes),
            ("linear", *inner.activations),
            np.concatenate([first, parameters], axis=1),
            self._means,
            np.ones_like(self._means),
        )
        return replace(self.template, network=network)


class AceNetworkProblem(TrainingProblem[AceModel]):
    """Described frames, ready for the training of one or several networks.

    Parameters
    ----------
    template, train, validation, loss, training
        See `fit_ace_network`.
    """

    def __init__(
        self,
        template: AceModel,
        train: Sequence[LabelledFrame],
        *,
        validation: Sequence[LabelledFrame] | float,
        loss: Loss,
        training: Training,
    ) -> None:
        if loss.ridge > 0.0:
            raise ValueError(f"ridge: expected 0 for a network, which stops early instead, got {loss.ridge}")
        if training.checkpoint:
            require_place(training.checkpoint)
        sets = training_sets(train, validation, elements=template.elements, loss=loss, seed=training.seed)
        networks = AceNetworks(template, every_frame(sets), training, len(sets["train"]))
        super().__init__(networks, sets, loss)


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
    """Train a network on the functions of an ACE model; Ctrl-C ends it with the best network so far.

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
    training = training or Training()
    problem = AceNetworkProblem(template, train, validation=validation, loss=loss or Loss(), training=training)
    fit = train_one(problem, training, test=test)
    return AceNetworkFit(fit.model, fit.sets, fit.history, fit.loss, fit.training, fit.interrupted, fit.family)

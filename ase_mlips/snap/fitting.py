"""SNAP to be fitted: linear and quadratic coefficients by least squares, networks by gradients.

The energy is linear in the coefficients (A. P. Thompson et al., J. Comput. Phys. 285, 316 (2015), eqs. 15-20;
M. A. Wood and A. P. Thompson, J. Chem. Phys. 148, 241721 (2018), eq. 7 for the quadratic terms).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Literal

import numpy as np

from ..arrays import FloatArray, Int64Array
from ..engine.neighbors import NeighborList
from ..fit.committee import train_members
from ..fit.dataset import LabelledFrame
from ..fit.descriptors import DescribedFrames
from ..fit.design import DescriptorDesign, distinct, isolated_energies
from ..fit.equations import LinearEquations, LinearFit, fit_linear
from ..fit.linear import Solver
from ..fit.loss import Loss
from ..fit.networks import DescriptorNetworks, normalised, spread_network
from ..fit.problem import TrainingProblem, every_frame, network_sets
from ..fit.report import predict
from ..fit.results import checked_sets
from ..fit.sweep import RATIOS, Sweep, sweep_weights
from ..fit.trained import TrainedFit
from ..fit.trained import train as train_one
from ..fit.training import Training
from .files import write_snap
from .model import SnapModel, bispectrum_labels
from .potential import SnapPotential


class SnapFamily:
    """What fits ask of models of any kind; see `ase_mlips.fit.protocols.Family`."""

    def ready(self, model: SnapModel) -> SnapPotential:
        """The model, ready to be evaluated."""
        return SnapPotential(model)

    def write(self, path: Path, model: SnapModel) -> object:
        """Write the model as `write_snap` does."""
        return write_snap(path, model)

    def described(self, model: SnapModel) -> str:
        """Elements, order and cutoff of a model."""
        kind = f", network {'x'.join(map(str, model.network.sizes[1:-1]))}" if model.network is not None else ""
        kind += ", quadratic" if model.quadraticflag else ""
        cutoff = 2.0 * model.rcutfac * float(model.radii.max())
        return f"{' '.join(model.elements)}, twojmax {model.twojmax}{kind}, cutoff {cutoff:g} A"


class SnapDesign(SnapFamily, DescriptorDesign):
    """Turns frames into rows ``[A | b]`` whose unknowns give the coefficients of a SNAP model.

    Subtracted from the labels is what the template has beside them: its ZBL repulsion and, where they are given, the
    energies of isolated atoms.

    Parameters
    ----------
    template : SnapModel
        Everything but the coefficients.
    frames : sequence of LabelledFrame
        All that will be fitted: their compositions decide which constants can be told apart.
    atomic_energies : mapping, optional
        Energy of the isolated atom of each element in eV, which the model will have exactly; without it one
        constant per element is fitted.
    """

    def __init__(
        self, template: SnapModel, frames: Sequence[LabelledFrame], atomic_energies: Mapping[str, float] | None = None
    ) -> None:
        coefficients = np.zeros_like(template.coefficients)
        coefficients[:, 0] = isolated_energies(template.elements, atomic_energies)
        self.reference = replace(template, coefficients=coefficients)
        super().__init__(
            SnapPotential(self.reference),
            frames,
            equal=equal_descriptors(template),
            quadratic=template.quadraticflag,
            constants=atomic_energies is None,
        )

    def model(self, solution: FloatArray) -> SnapModel:
        """The model with the solved coefficients."""
        coefficients = self.coefficients(solution)
        coefficients[:, 0] += self.reference.coefficients[:, 0]
        return replace(self.reference, coefficients=coefficients)


def equal_descriptors(model: SnapModel) -> Int64Array:
    """For each descriptor, the number of the distinct one that it equals.

    ``B^{e1 e2 e3}_{j1 j2 j}`` does not change when two of its pairs (e, j) with equal j are exchanged, so that many
    of the element triplets of `chemflag` occur two to six times.
    """
    channels = len(model.elements) if model.chemflag else 1
    triplets = product(np.ndindex(channels, channels, channels), bispectrum_labels(model.twojmax))
    names = [tuple(sorted(zip(js, es, strict=True))) for es, js in triplets]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([numbers[name] for name in names])


class SnapEquations(LinearEquations[SnapModel]):
    """The equations of a `SnapDesign`."""


class SnapFit(LinearFit[SnapModel]):
    """A fitted linear or quadratic SNAP model and how well it does."""


def fit_snap(
    template: SnapModel,
    train: Sequence[LabelledFrame],
    *,
    test: Sequence[LabelledFrame] = (),
    loss: Loss | None = None,
    atomic_energies: Mapping[str, float] | None = None,
    solver: Solver | Literal["auto"] = "auto",
) -> SnapFit:
    """Fit the coefficients of a SNAP model by weighted linear least squares.

    Parameters
    ----------
    template : SnapModel
        Everything but the coefficients, which are ignored.  Its ZBL repulsion is kept and not fitted.
    train, test : sequence of LabelledFrame
        From `read_frames`; errors on `test` are reported.
    loss : Loss, optional
        Weights and ridge.
    atomic_energies : mapping, optional
        Energy of each isolated atom in eV; the model then has exactly these.  By default one constant per element is
        fitted, with either value of ``bzeroflag``.
    solver : {"auto", "cholesky", "qr", "svd"}
        "cholesky" solves the normal equations; "qr" and "svd" work on a triangular factor of the rows, slower but
        without squaring the condition number.  "auto" takes "cholesky" and repeats with "qr" where that is needed.

    Raises
    ------
    ValueError
        No frames, an element that the template lacks, a missing atomic energy, weights of an unknown group or an
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

    >>> from ase.build import bulk
    >>> from ase.calculators.singlepoint import SinglePointCalculator
    >>> from ase_mlips import SNAP
    >>> from ase_mlips.fit import fit_snap, read_frames
    >>> calc, labelled = SNAP.embedded("Si"), []
    >>> for seed in range(4):
    ...     atoms = bulk("Si", cubic=True)
    ...     atoms.rattle(0.2, seed=seed)
    ...     labels = {"energy": calc.get_potential_energy(atoms), "forces": calc.get_forces(atoms)}
    ...     atoms.calc = SinglePointCalculator(atoms, **labels)
    ...     labelled.append(atoms)
    >>> fit = fit_snap(calc.model, read_frames(labelled))
    >>> bool(abs(SNAP(fit.model).get_forces(atoms) - atoms.get_forces()).max() < 1e-5)
    True
    """
    loss = loss or Loss()
    sets = checked_sets(train, test, elements=template.elements, loss=loss)
    design = SnapDesign(template, train, atomic_energies)
    fit = fit_linear(design, sets, loss, solver=solver, equations=SnapEquations)
    return SnapFit(fit.model, fit.sets, fit.solution, fit.loss, fit.equations)


def weight_sweep(
    template: SnapModel,
    frames: Sequence[LabelledFrame],
    *,
    ratios: Sequence[float] | FloatArray = RATIOS,
    loss: Loss | None = None,
    splits: int = 5,
    seed: int = 0,
) -> Sweep:
    """Fit for each ratio w_F / w_E and split, and measure the errors on the frames left out.

    The frames are described once; each further fit costs one solution of the normal equations.

    Parameters
    ----------
    template : SnapModel
    frames : sequence of LabelledFrame
    ratios : sequence of float
        Above 0.
    loss : Loss, optional
        Energy and stress weights (also of the groups) and ridge; its force weights are replaced.
    splits : int
        The frames of each group are dealt at random into so many parts; each is the validation set of one split.
    seed : int

    Raises
    ------
    ValueError
        Fewer than two splits, more splits than frames, a ratio that is not above 0, or validation frames without any
        energy or without any forces.
    numpy.linalg.LinAlgError
        The normal equations are singular in double precision; give `loss` a ridge.
    """
    design = SnapDesign(template, frames)
    return sweep_weights(design, frames, loss or Loss(), ratios=ratios, splits=splits, seed=seed)


class SnapNetworks(SnapFamily, DescriptorNetworks):
    """Networks on the descriptors of a SNAP model.

    Parameters
    ----------
    template : SnapModel
        Everything but the coefficients.  Its ZBL repulsion is kept and not fitted.
    frames : sequence of LabelledFrame
    training : Training
        The layers, and where to keep the gradients.
    count : int
        How many of the frames, from the first on, set mean and standard deviation of the descriptors.
    """

    def __init__(self, template: SnapModel, frames: Sequence[LabelledFrame], training: Training, count: int) -> None:
        zeros = np.zeros((len(template.elements), 1 + template.n_descriptors))
        self.template = replace(template, coefficients=zeros, network=None)
        self.elements, self.cutoff = template.elements, self.template.cutoff
        self.constants = np.zeros(len(self.elements), int) if training.shared else np.arange(len(self.elements))
        self._equal = equal_descriptors(template)
        self._potential = SnapPotential(self.template)
        bounds = {"memory": training.memory, "disk": training.disk}
        data = DescribedFrames(self._potential, frames, kept=distinct(self._equal), **bounds)
        super().__init__(data, normalised(data, training, len(self.elements), count))

    def rest(self, frame: LabelledFrame) -> dict[str, FloatArray]:
        """The repulsion of the template."""
        if self.template.zbl is None:
            return {}
        return predict(self._potential, frame, NeighborList(self.cutoff, skin=0.0))

    def model(self, parameters: FloatArray) -> SnapModel:
        """The template with a network; descriptors that are always equal share a weight."""
        network = spread_network(self.architecture, parameters, self._equal)
        return replace(self.template, coefficients=np.zeros((len(self.elements), 0)), network=network)


class NetworkProblem(TrainingProblem[SnapModel]):
    """Described frames, ready for the training of one or several networks.

    Parameters
    ----------
    template, train, validation, loss, training
        See `fit_network`.
    """

    def __init__(
        self,
        template: SnapModel,
        train: Sequence[LabelledFrame],
        *,
        validation: Sequence[LabelledFrame] | float,
        loss: Loss,
        training: Training,
    ) -> None:
        if template.quadraticflag:
            raise ValueError("quadraticflag: expected 0 in the template of a network, got 1")
        sets = network_sets(train, validation, elements=template.elements, loss=loss, training=training)
        networks = SnapNetworks(template, every_frame(sets), training, len(sets["train"]))
        super().__init__(networks, sets, loss)


class NetworkFit(TrainedFit[SnapModel]):
    """A trained network on SNAP descriptors and how well it does."""


def fit_network(
    template: SnapModel,
    train: Sequence[LabelledFrame],
    *,
    validation: Sequence[LabelledFrame] | float = 0.1,
    test: Sequence[LabelledFrame] = (),
    loss: Loss | None = None,
    training: Training | None = None,
) -> NetworkFit:
    """Train a network on the descriptors of a SNAP model; Ctrl-C ends it with the best network so far.

    Parameters
    ----------
    template : SnapModel
        Everything but the coefficients, which are ignored.  Its ZBL repulsion is kept and not fitted.
    train : sequence of LabelledFrame
        From `read_frames`.
    validation : sequence of LabelledFrame or float
        Frames that choose the epoch whose parameters are kept, or the share of each group of `train` to set aside for
        that; 0 for none.
    test : sequence of LabelledFrame
        Errors on these are reported.
    loss : Loss, optional
        Weights.
    training : Training, optional

    Raises
    ------
    KeyboardInterrupt
        Ctrl-C came before the end of the first epoch.
    ValueError
        No frames, an element without training frames or that the template lacks, a quadratic template, weights of an
        unknown group or none above zero, a ridge, two atoms on one site, no atoms within the cutoff of each other, or a
        checkpoint of another training or without a directory; found before the training.
    OSError
        The checkpoint cannot be read or written; found before the training, too.
    FloatingPointError
        The loss is no longer finite.

    Warns
    -----
    UserWarning
        When the network is worse on the validation frames than a constant energy of each element.
    """
    training = training or Training()
    problem = NetworkProblem(template, train, validation=validation, loss=loss or Loss(), training=training)
    return NetworkFit.of(train_one(problem, training, test=test))


def fit_committee(
    template: SnapModel,
    train: Sequence[LabelledFrame],
    *,
    members: int = 4,
    validation: Sequence[LabelledFrame] | float = 0.1,
    loss: Loss | None = None,
    training: Training | None = None,
) -> list[NetworkFit]:
    """Train several networks that differ in their seeds, which count upwards from that of `training`.

    The frames are described once.  ``training.bootstrap`` lets the members see different frames, too.  A checkpoint
    gets the number of the member before its ending.  Ctrl-C ends the member that is being trained and the list.
    Within `on_executor` members are trained in parallel.

    Parameters
    ----------
    template, train, validation, loss, training
        See `fit_network`.
    members : int
        Two or more.

    Raises
    ------
    ValueError
        From `fit_network`, or fewer than two members.
    """
    if members < 2:
        raise ValueError(f"members: expected two or more, got {members}")
    first = training or Training()
    problem = NetworkProblem(template, train, validation=validation, loss=loss or Loss(), training=first)
    return [NetworkFit.of(fit) for fit in train_members(problem, members, first)]

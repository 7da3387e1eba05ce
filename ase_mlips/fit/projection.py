"""Variable projection: the parameters that the energy is linear in, solved for exactly while the others change."""

from __future__ import annotations

from collections.abc import Sequence

from ..arrays import FloatArray
from .dataset import LabelledFrame
from .equations import LinearEquations
from .loss import Loss
from .protocols import Model, PartlyLinearModel


def project(
    family: PartlyLinearModel[Model], frames: Sequence[LabelledFrame], loss: Loss, parameters: FloatArray
) -> FloatArray:
    """The parameters with their linear part at the least loss of these frames.

    There the derivatives of the loss by the linear parameters vanish, so that those by the others are the gradient of
    the least loss (G. H. Golub and V. Pereyra, SIAM J. Numer. Anal. 10, 413 (1973)).

    Parameters
    ----------
    family : PartlyLinearModel
    frames : sequence of LabelledFrame
    loss : Loss
    parameters : array
        As from `TrainableModel.start`; they are not changed.

    Raises
    ------
    numpy.linalg.LinAlgError
        The normal equations are singular in double precision; a ridge may help.
    """
    _, solution = LinearEquations(family.linear(parameters), frames).solve(loss)
    return family.solved(parameters, solution.coefficients)

"""What an atom of a NEP is compared by: the derivatives of its energy by the weights of its network.

Linearised in them, the energy is a sum of these rows, as that of a moment tensor potential is of its own (Podryabinkin
and Shapeev, Comput. Mater. Sci. 140, 171 (2017)); GPUMD's ``compute_extrapolation`` takes the same.
"""

from __future__ import annotations

import numpy as np

from ..arrays import FloatArray
from .model import NepModel

RCOND = 1e-3  # of the active rows: below it, directions say more of rounding in training than of structures


def row_length(model: NepModel) -> int:
    """How many weights act on an atom: of each neuron those of the descriptors, the shift and that of its output."""
    _, neurons, descriptors = model.network.w0.shape
    return int(neurons * (descriptors + 2))


def weight_gradients(model: NepModel, descriptors: FloatArray, kind: int) -> FloatArray:
    """Derivatives of the energies of atoms of one element by the weights of its network.

    Parameters
    ----------
    model : NepModel
    descriptors : (P, D) array
        Scaled.
    kind : int
        Place of the element in the model.

    Returns
    -------
    (P, H (D + 2)) array
        Neuron by neuron ``w1 (1 - h^2) q``, ``-w1 (1 - h^2)`` and ``h`` with ``h = tanh(w0 . q - b0)``.
    """
    network = model.network
    place = kind if len(network.w0) > 1 else 0
    hidden = np.tanh(descriptors @ network.w0[place].T - network.b0[place])
    slopes = network.w1[place] * (1.0 - hidden**2)
    size = descriptors.shape[1]
    rows = np.empty((*hidden.shape, size + 2))
    np.multiply(slopes[:, :, None], descriptors[:, None, :], out=rows[:, :, :size])
    rows[:, :, size] = -slopes
    rows[:, :, size + 1] = hidden
    return rows.reshape(len(rows), -1)

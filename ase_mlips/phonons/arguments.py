"""Arguments that several functions take: one sentence for each that means nothing."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import FloatArray

Mesh = float | Sequence[int]

_LARGEST_DISTANCE = 1.0  # A


def as_array(values: Any) -> NDArray[Any]:
    """``np.asarray``, with an array of objects for rows of different lengths."""
    try:
        return np.asarray(values)
    except ValueError:
        return np.asarray(None, dtype=object)


def require_mesh(mesh: Mesh) -> None:
    """ValueError for what is neither a positive length nor three positive integers."""
    given = as_array(mesh)
    length = given.shape == () and given.dtype.kind in "iuf" and 0.0 < given < np.inf
    counts = given.shape == (3,) and given.dtype.kind in "iu" and given.min() > 0
    if not (length or counts):
        raise ValueError(f"mesh: expected a positive length in A or three integers that are positive, got {mesh!r}")


def checked_temperatures(temperatures: ArrayLike, *, positive: bool = False) -> FloatArray:
    """Temperatures (T,) in K; ValueError where there is none, or one that is not finite, negative or forbidden."""
    given = np.atleast_1d(as_array(temperatures))
    if given.ndim == 1 and len(given) > 0 and given.dtype.kind in "iuf":
        chosen = given.astype(np.float64)
        if np.isfinite(chosen).all() and (chosen > 0.0 if positive else chosen >= 0.0).all():
            return chosen
    wanted = "positive" if positive else "not negative"
    raise ValueError(f"temperatures: expected one or more in K that are {wanted}, got {temperatures!r}")


def require_word(name: str, given: Any, known: Sequence[str]) -> None:
    """ValueError for a word that is not known."""
    if given not in known:
        raise ValueError(f"{name}: expected {' or '.join(map(repr, known))}, got {given!r}")


def require_distance(distance: float) -> None:
    """ValueError for a displacement in A that is not small and positive."""
    if not 0.0 < distance < _LARGEST_DISTANCE:
        raise ValueError(f"distance: expected a displacement in A, small and positive, got {distance}")


@contextmanager
def any_mesh() -> Iterator[None]:
    """Meshes with less symmetry than the crystal, of which phonopy warns although they only take longer."""
    from phonopy.phonon.mesh import MeshSymmetryFallbackWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MeshSymmetryFallbackWarning)
        yield


def warn(message: str) -> None:
    """UserWarning at the line that called into this package."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("ase_mlips."):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, UserWarning, stacklevel=level)

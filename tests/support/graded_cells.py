"""Small crystals and the calculators of every family that grade them."""

from collections.abc import Callable
from functools import cache

import numpy as np
from ase import Atoms
from ase.build import bulk

from ase_mlips import MTP, NEP, SNAP

from .mtp_models import synthetic_mtp_model
from .nep_models import synthetic_nep_models
from .snap_models import synthetic_models


@cache
def _models() -> dict[str, Callable[[], object]]:
    return {
        "mtp": lambda: MTP(synthetic_mtp_model("l06"), num_threads=1),
        "nep": lambda: NEP(synthetic_nep_models()["nep4"], num_threads=1),
        "nep3": lambda: NEP(synthetic_nep_models()["nep3"], num_threads=1),
        "snap": lambda: SNAP(synthetic_models()["two"], num_threads=1),
        "quadratic": lambda: SNAP(synthetic_models()["quadratic_two"], num_threads=1),
    }


GRADED = tuple(_models())


def graded(name: str) -> MTP | NEP | SNAP:
    """A calculator of a synthetic model, without an active set."""
    return _models()[name]()  # type: ignore[return-value]


def rattled(calc: MTP | NEP | SNAP, seed: int, size: float = 0.08, *, repeat: int = 2) -> Atoms:
    """Atoms of an fcc alloy of all elements, each moved by about `size` in A along each axis."""
    atoms = bulk("Cu", "fcc", a=2.5 * np.sqrt(2.0), cubic=True) * (repeat, 1, 1)
    atoms.symbols = np.resize(calc.potential.elements, len(atoms))
    atoms.rattle(size, seed=seed)
    return atoms

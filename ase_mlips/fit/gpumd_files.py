"""The files that GPUMD's trainer leaves: loss.out, and predictions beside labels of every frame in its order."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from ase import units
from ase.stress import full_3x3_to_voigt_6_stress

from ..arrays import FloatArray
from ..engine.neighbors import NeighborList
from ..files.text import replace_files
from ..potential import Potential
from .dataset import QUANTITIES, LabelledFrame, species_of

MISSING = -1.0e6
ORDER = [0, 1, 2, 5, 3, 4]  # xx yy zz xy yz zx out of ASE's xx yy zz yz xz xy
_KINDS = ("energy", "force", "virial", "stress")


def gpumd_names(
    folder: str | os.PathLike[str], sets: Sequence[str], kinds: Sequence[str] = _KINDS
) -> list[Path]:  # fmt: skip
    """Names of the files that `write_gpumd_files` and, with one kind of response, `write_response_files` write."""
    names = ["loss.out", *(f"{kind}_{name}.out" for name in sets for kind in kinds)]
    return [Path(folder) / name for name in names]


def write_gpumd_files(
    folder: str | os.PathLike[str],
    potential: Potential,
    sets: Mapping[str, Sequence[LabelledFrame]],
    history: Mapping[str, FloatArray],
) -> None:
    """Write loss.out and, of each set, ``energy_<set>.out``, ``force_``, ``virial_`` and ``stress_``.

    Predictions stand first, labels behind them, -1e6 where there is none.  Energies and virials are in eV/atom, forces
    in eV/A, stresses in GPa with the sign of the virial (compression is positive); components xx yy zz xy yz zx.
    loss.out has a row for each epoch in place of every hundredth generation: its number, the loss, the parts that
    lambda_1 and lambda_2 add to it, and the root mean squares of energy, force and virial of the training and of the
    judging frames.

    Parameters
    ----------
    folder : path
    potential : Potential
    sets : mapping
        Frames by the name of their set.
    history : mapping
        Of `TrainedFit`.
    """
    texts = {os.fspath(Path(folder) / "loss.out"): _text(_losses(history))}
    neighbors = NeighborList(potential.cutoff, skin=0.0)
    for name, frames in sets.items():
        parts = [_predicted(potential, frame, neighbors) for frame in frames]
        for column, kind in enumerate(_KINDS):
            rows = np.concatenate([part[column] for part in parts])
            texts[os.fspath(Path(folder) / f"{kind}_{name}.out")] = _text(rows)
    replace_files(texts)


def write_response_files(
    folder: str | os.PathLike[str], kind: str, rows: Mapping[str, FloatArray], history: Mapping[str, FloatArray]
) -> None:
    """Write loss.out and, of each set, ``dipole_<set>.out`` or ``polarizability_<set>.out``.

    As in `write_gpumd_files`, but loss.out has one root mean square of the training and one of the judging frames.

    Parameters
    ----------
    folder : path
    kind : str
    rows : mapping
        By the name of each set, predictions and labels per atom of its frames.
    history : mapping
        Of `TrainedFit`.
    """
    texts = {os.fspath(Path(folder) / "loss.out"): _text(_losses(history, ("stress",)))}
    texts |= {os.fspath(Path(folder) / f"{kind}_{name}.out"): _text(own) for name, own in rows.items()}
    replace_files(texts)


def _losses(history: Mapping[str, FloatArray], quantities: Sequence[str] = QUANTITIES) -> FloatArray:
    names = ["loss", "first_penalty", "second_penalty"]
    names += [f"{own}{quantity}_rmse" for own in ("train_", "") for quantity in quantities]
    count = len(history["loss"])
    return np.nan_to_num(np.column_stack([np.arange(1.0, count + 1.0), *(history[name] for name in names)]))


def _predicted(
    potential: Potential, frame: LabelledFrame, neighbors: NeighborList
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Rows of each kind of file for one frame."""
    atoms, n = frame.atoms, len(frame.atoms)
    neighbors.update(atoms.positions, atoms.cell.array, atoms.pbc)
    found = potential.evaluate(neighbors, species_of(frame, potential.elements))
    energy = np.array([[found.energies.mean(), MISSING if frame.energy is None else frame.energy / n]])
    forces = np.full((n, 3), MISSING) if frame.forces is None else frame.forces
    virial, label = _voigt(found.virials.sum(axis=0)) / n, np.full(6, MISSING)
    pressure, target = np.full(6, MISSING), np.full(6, MISSING)
    if atoms.cell.rank == 3:
        scale = n / (atoms.get_volume() * units.GPa)
        pressure = virial * scale
        if frame.stress is not None:
            target = -_voigt(frame.stress) / units.GPa
            label = target / scale
    return (
        energy,
        np.hstack([found.forces, forces]),
        np.hstack([virial, label])[None],
        np.hstack([pressure, target])[None],
    )


def _voigt(tensor: FloatArray) -> FloatArray:
    six: FloatArray = full_3x3_to_voigt_6_stress(0.5 * (tensor + tensor.T))[ORDER]
    return six


def _text(rows: FloatArray) -> str:
    return "".join(" ".join(f"{value:.8g}" for value in row) + "\n" for row in rows.tolist())

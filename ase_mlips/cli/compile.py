"""``ase-mlips compile``: fill the cache of compiled kernels."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.io import write
from tqdm import tqdm

from ase_mlips.ace import ACE, AceModel, ace_template
from ase_mlips.analysis import Trajectory, adf, correlation, rdf, replay, van_hove
from ase_mlips.engine.jit import cache_directories
from ase_mlips.engine.kernel_cache import writable_directory
from ase_mlips.engine.neighbors import NeighborList
from ase_mlips.fit import (
    FullBatch,
    LabelledFrame,
    Training,
    fit_mtp,
    fit_network,
    fit_snap,
    snap_template,
)
from ase_mlips.fit.balanced import RmseLoss
from ase_mlips.lammps.checks import compile_exchange
from ase_mlips.mtp import MTP, MtpModel
from ase_mlips.nep import NEP, NepModel, NepNetwork
from ase_mlips.nep.fitting import NepProblem, NepTraining
from ase_mlips.pod import POD, PodBasis, PodModel
from ase_mlips.snap import SNAP, SnapModel

from .common import print_table


def run(args: Namespace) -> int:
    """Evaluate tiny systems with every family, and say where the machine code is kept and how long it took."""
    rows = []
    start = time.perf_counter()
    for label, work in tqdm(_work().items(), unit="kernel", disable=None, leave=False):
        before = time.perf_counter()
        work()
        rows.append([label, f"{time.perf_counter() - before:.1f}"])
    print_table(["kernels", "seconds"], rows)
    print(f"ready after {time.perf_counter() - start:.1f} s")
    directory = writable_directory(cache_directories())
    if directory is None:
        print("no directory can be written: the kernels are lost with this process and every run will compile them")
        return 1
    print(f"kept in {directory}")
    return 0


def _work() -> dict[str, Callable[[], Any]]:
    mixed = _snap("Cu", "Au")
    return {
        "neighbour lists": _pairs,
        "SNAP linear": lambda: _evaluate(SNAP(_snap("Cu"))),
        "SNAP quadratic": lambda: _evaluate(SNAP(_snap("Cu", quadraticflag=True))),
        "SNAP two elements": lambda: _evaluate(SNAP(mixed)),
        "SNAP chem": lambda: _evaluate(SNAP(_snap("Cu", "Au", chemflag=True))),
        "SNAP with ZBL": lambda: _evaluate(SNAP(_snap("Cu", zbl=(1.0, 2.0)))),
        "SNAP descriptors": lambda: SNAP(mixed).get_descriptor_gradients(_crystal(mixed.elements, 2)),
        "SNAP fit": lambda: fit_snap(mixed, [_labelled(mixed.elements)] * 4),
        "NEP": lambda: _evaluate(NEP(_nep("Cu"))),
        "NEP two elements": lambda: _evaluate(NEP(_nep("Cu", "Au"))),
        "NEP with charges": lambda: _evaluate(NEP(_nep("Cu", "Au", charge_mode=1))),
        "MTP": lambda: _evaluate(MTP(_mtp("Cu"))),
        "MTP two elements": lambda: _evaluate(MTP(_mtp("Cu", "Au"))),
        "POD": lambda: _evaluate(POD(_pod("Cu"))),
        "POD two elements": lambda: _evaluate(POD(_pod("Cu", "Au"))),
        "POD descriptors": lambda: POD(_pod("Cu", "Au")).get_descriptor_gradients(_crystal(mixed.elements, 2)),
        "ACE": lambda: _evaluate(ACE(_ace("Cu"))),
        "ACE two elements": lambda: _evaluate(ACE(_ace("Cu", "Au"))),
        "ACE descriptors": lambda: ACE(_ace("Cu")).get_descriptor_gradients(_crystal(("Cu",), 2)),
        "ghosts in LAMMPS": compile_exchange,
        "heat flux": lambda: replay([_crystal(mixed.elements, 2)] * 2, [SNAP(mixed)], timestep_fs=1.0),
        "correlation": lambda: correlation(np.zeros(1 << 15), max_lag=1),
        "network fit": lambda: fit_network(mixed, [_labelled(mixed.elements)] * 4, training=Training(epochs=1)),
        "NEP fit": _nep_fit,
        "MTP fit": lambda: fit_mtp(
            MTP.untrained(2, ["Cu"]), [_labelled(("Cu",))] * 2, training=FullBatch(iterations=0, starts=1)
        ),
        "RDF": lambda: [rdf(_crystal(("Cu",), 2), r_max=r_max) for r_max in (2.0, 6.0)],
        "angles": lambda: adf(_crystal(("Cu",), 2), 3.0),
        "van Hove functions": lambda: van_hove([_crystal(("Cu",), 2)] * 3, [1.0], timestep_fs=1000.0),
        "reading": _read,
    }


def _pairs() -> None:
    atoms, neighbors = _crystal(("Cu",), 2), NeighborList(3.0)
    neighbors.update(atoms.positions, atoms.cell.array, atoms.pbc)
    neighbors.pairs()


def _read() -> None:
    """A text file of frames with velocities."""
    with TemporaryDirectory() as folder:
        path = f"{folder}/frames.xyz"
        write(path, [_crystal(("Cu",), 2)] * 3, format="extxyz")
        Trajectory(path, frames=slice(1, None), timestep_fs=1.0).series()


def _snap(*elements: str, **flags: Any) -> SnapModel:
    """A model without coefficients: the machine code does not depend on them."""
    return snap_template(elements, radii=[0.5] * len(elements), twojmax=2, rcutfac=4.0, **flags)


def _pod(*elements: str) -> PodModel:
    """A model of few functions with all coefficients zero."""
    basis = PodBasis(elements, 1.0, 4.0, 2, 2, (1, 1, 1, 0, 0, 0), (1, 1, 0, 0, 0))
    count = len(elements)
    return PodModel(basis, np.zeros(count), np.zeros((count, 1, basis.n_descriptors)))


def _ace(*elements: str) -> AceModel:
    """A model without coefficients."""
    return ace_template(elements, cutoff=4.0, nmax=[1, 1], lmax=[0, 1])


def _nep(*elements: str, charge_mode: int = 0) -> NepModel:
    """The smallest model, with all parameters zero."""
    types = len(elements)
    weights = np.zeros((types, 1))
    return NepModel(
        version=4,
        kind="potential",
        elements=elements,
        radial_cutoffs=np.full(types, 4.0),
        angular_cutoffs=np.full(types, 4.0),
        n_max=(0, 0),
        basis_size=(0, 0),
        l_max=1,
        invariants=(),
        network=NepNetwork(np.zeros((types, 1, 2)), weights, weights, 0.0, weights if charge_mode else None),
        radial=np.zeros((1, 1, types, types)),
        angular=np.zeros((1, 1, types, types)),
        scaler=np.ones(2),
        charge_mode=charge_mode,
        sqrt_epsilon=1.0 if charge_mode else None,
    )


def _nep_fit() -> None:
    """The loss of a batch and its gradient."""
    training = NepTraining(epochs=1)
    frames = [_labelled(("Cu",))] * 2
    task = NepProblem(_nep("Cu"), frames, validation=0.0, loss=RmseLoss(), training=training).task(training)
    task.objective(task.start, [0, 1])


def _mtp(*elements: str) -> MtpModel:
    """A model of pairs alone, with all parameters zero."""
    template = MTP.untrained(2, elements)
    types, basis = len(elements), template.radial_coefficients.shape[2:]
    return replace(
        template,
        radial_coefficients=np.zeros((types, types, *basis)),
        species_coefficients=np.zeros(types),
        moment_coefficients=np.zeros(len(template.mapping)),
    )


def _evaluate(calculator: Calculator) -> None:
    """Few atoms, and more than one chunk of them: neighbour lists and kernels take other ways for many."""
    for repeats in (1, 7):
        atoms = _crystal(calculator.potential.elements, repeats)
        atoms.calc = calculator
        atoms.get_forces()


def _labelled(elements: tuple[str, ...]) -> LabelledFrame:
    atoms = _crystal(elements, 2)
    return LabelledFrame(atoms, 0.0, np.zeros((len(atoms), 3)), np.zeros((3, 3)), "all", "compile")


def _crystal(elements: tuple[str, ...], repeats: int) -> Atoms:
    sites = 2.5 * np.array(list(product(range(repeats), repeat=3)))
    symbols = [elements[k % len(elements)] for k in range(len(sites))]
    rest = np.zeros(sites.shape)
    return Atoms(symbols, positions=sites, velocities=rest, cell=[2.5 * repeats] * 3, pbc=True)

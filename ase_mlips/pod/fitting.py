"""POD to be fitted: the energy is linear in the coefficients, which follow by least squares.

N. C. Nguyen and A. Rohskopf, J. Comput. Phys. 480, 112030 (2023).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from ..arrays import FloatArray
from ..fit.dataset import LabelledFrame
from ..fit.design import DescriptorDesign, isolated_energies
from ..fit.equations import LinearEquations, LinearFit, fit_linear
from ..fit.linear import Solver
from ..fit.loss import Loss
from ..fit.results import checked_sets
from .files import write_pod
from .model import PodBasis, PodModel
from .potential import PodPotential


class PodDesign(DescriptorDesign):
    """Turns frames into rows ``[A | b]`` whose unknowns give the coefficients of a POD model.

    Parameters
    ----------
    basis : PodBasis
    frames : sequence of LabelledFrame
        All that will be fitted: their compositions decide which constants can be told apart.
    atomic_energies : mapping, optional
        Energy of the isolated atom of each element in eV, which the model will have exactly; without it one
        constant per element is fitted.
    """

    def __init__(
        self, basis: PodBasis, frames: Sequence[LabelledFrame], atomic_energies: Mapping[str, float] | None = None
    ) -> None:
        E, M = len(basis.elements), basis.n_descriptors
        self.reference = PodModel(basis, isolated_energies(basis.elements, atomic_energies), np.zeros((E, 1, M)))
        super().__init__(
            PodPotential(self.reference),
            frames,
            equal=np.arange(M),
            quadratic=False,
            constants=atomic_energies is None,
        )

    def model(self, solution: FloatArray) -> PodModel:
        """The model with the solved coefficients."""
        found = self.coefficients(solution)
        return PodModel(self.reference.basis, self.reference.constants + found[:, 0], found[:, None, 1:])

    def ready(self, model: PodModel) -> PodPotential:
        """The model, ready to be evaluated."""
        return PodPotential(model)

    def write(self, path: Path, model: PodModel) -> object:
        """Write the model as `write_pod` does."""
        return write_pod(path, model)

    def described(self, model: PodModel) -> str:
        """Elements, size and radii of a model."""
        basis = model.basis
        return (
            f"{' '.join(basis.elements)}, {basis.n_descriptors} descriptors, rin {basis.rin:g} A, rcut {basis.rcut:g} A"
        )


class PodFit(LinearFit[PodModel]):
    """A fitted POD model and how well it does."""


def fit_pod(
    basis: PodBasis,
    train: Sequence[LabelledFrame],
    *,
    test: Sequence[LabelledFrame] = (),
    loss: Loss | None = None,
    atomic_energies: Mapping[str, float] | None = None,
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
    design = PodDesign(basis, train, atomic_energies)
    fit = fit_linear(design, sets, loss, solver=solver, equations=LinearEquations[PodModel])
    return PodFit(fit.model, fit.sets, fit.solution, fit.loss, fit.equations)

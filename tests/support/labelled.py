"""Small configurations labelled by the SNAP oracle, for tests of the fitting code."""

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import full_3x3_to_voigt_6_stress
from support import snap_oracle

from ase_mlips.snap.model import SnapModel, Zbl, bispectrum_labels


def random_model(elements=("Ga", "N"), *, twojmax=2, seed=0, zbl=False, **flags) -> SnapModel:
    """A model with random coefficients of the order of 0.1 eV and a cutoff of at most 4 A.

    Coefficients of descriptors that are always equal are equal, too.
    """
    E = len(elements)
    average = _average_over_equals(E if flags.get("chemflag") else 1, twojmax)
    K = len(average)
    generator = np.random.default_rng(seed)
    coefficients = np.column_stack([generator.normal(0.0, 0.1, E), generator.normal(0.0, 0.1, (E, K)) @ average])
    if flags.get("quadraticflag"):
        curvature = generator.normal(0.0, 0.1, (E, K, K))
        curvature = average @ (curvature + np.swapaxes(curvature, 1, 2)) @ average
        coefficients = np.column_stack([coefficients, curvature[:, *np.triu_indices(K)]])
    return SnapModel(
        elements=elements,
        radii=np.linspace(0.5, 0.4, E),
        weights=np.linspace(1.0, 0.8, E),
        coefficients=coefficients,
        twojmax=twojmax,
        rcutfac=4.0,
        zbl=Zbl(2.0, 2.5, tuple(np.linspace(31.0, 7.0, E))) if zbl else None,
        **flags,
    )


def _average_over_equals(channels: int, twojmax: int):
    """Matrix (K, K) that replaces what belongs to a descriptor by the mean over those that are always equal to it."""
    names = [
        sorted(zip(js, es, strict=True))
        for es in np.ndindex(channels, channels, channels)
        for js in bispectrum_labels(twojmax)
    ]
    equal = np.array([[first == second for second in names] for first in names], dtype=float)
    return equal / equal.sum(axis=1)


def random_cell(elements, number: int, *, compound_only=False) -> Atoms:
    """Four atoms or fewer in a distorted periodic cell: a compound, or every third time the first element alone."""
    generator = np.random.default_rng(number)
    if len(elements) == 2 and (compound_only or number % 3):
        atoms = bulk("".join(elements), "zincblende", a=4.4)
    else:
        atoms = bulk(elements[0], "bcc", a=3.1, cubic=True)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + generator.normal(0.0, 0.03, (3, 3))), scale_atoms=True)
    atoms.positions += generator.normal(0.0, 0.15, atoms.positions.shape)
    return atoms


def label(atoms: Atoms, model: SnapModel, *, group="all") -> Atoms:
    """The same atoms with the energy, forces and stress that the oracle finds."""
    species = [model.elements.index(symbol) for symbol in atoms.get_chemical_symbols()]
    found = snap_oracle.evaluate(model, species, atoms.positions, atoms.cell.array, atoms.pbc)
    results = {"energy": float(found.energies.sum()), "forces": found.forces}
    if atoms.cell.rank == 3:
        results["stress"] = full_3x3_to_voigt_6_stress(-found.virials.sum(axis=0) / atoms.get_volume())
    atoms.calc = SinglePointCalculator(atoms, **results)
    atoms.info["config_type"] = group
    return atoms


def labelled_cells(model: SnapModel, count: int, *, compound_only=False) -> list[Atoms]:
    """`count` cells, in groups "even" and "odd"."""
    return [
        label(random_cell(model.elements, n, compound_only=compound_only), model, group=("even", "odd")[n % 2])
        for n in range(count)
    ]


def isolated_energies(model: SnapModel) -> dict[str, float]:
    """Energy of a single atom of each element."""
    zero = np.zeros((3, 3))
    return {
        element: float(snap_oracle.evaluate(model, [number], zero[:1], zero, False).energies[0])
        for number, element in enumerate(model.elements)
    }

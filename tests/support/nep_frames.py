"""Small frames for the training of NEP, and labels from a model."""

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from support.nep_models import Recipe, build_model

from ase_mlips import NEP
from ase_mlips.nep import NEPDipole, NEPPolarizability
from ase_mlips.nep.model import NepModel


def scattered(elements: tuple[str, ...], number: int, *, count: int = 6, pbc: bool = True) -> Atoms:
    """Atoms at random places of a distorted cell, 1.9 A and more apart; their elements are drawn, too."""
    rng = np.random.default_rng(number)
    cell = (16.0 * count) ** (1 / 3) * np.eye(3) + rng.normal(0.0, 0.2, (3, 3))
    places: list[np.ndarray] = []
    while len(places) < count:
        new = Atoms("H", positions=[rng.uniform(size=3) @ cell], cell=cell, pbc=pbc)
        there = Atoms(f"H{len(places)}" if places else "", positions=places or None, cell=cell, pbc=pbc) + new
        distances = there.get_all_distances(mic=pbc)[-1, :-1]
        if not distances.size or distances.min() > 1.9:
            places.append(new.positions[0])
    return Atoms(rng.choice(elements, count), positions=places, cell=cell, pbc=pbc)


def teacher(elements: tuple[str, ...] = ("Te", "Pb"), **recipe) -> NepModel:
    """A small random model whose energies are of the order of eV."""
    settings = {"neurons": 4, "radial": (4.5,), "angular": (4.0,), "n_max": (2, 2), "basis_size": (3, 3), "l_max": 2}
    return build_model(Recipe(elements=elements, **{**settings, "invariants": ("222",), **recipe}), 5)


def labelled_by(model: NepModel, count: int, *, shifts: dict[str, float] | None = None, first: int = 0) -> list[Atoms]:
    """Frames with energies, forces and stresses of a model; `shifts` in eV are added for each atom of an element."""
    frames = []
    for number in range(first, first + count):
        atoms = scattered(model.elements, number)
        calc = NEP(model)
        energy = calc.get_potential_energy(atoms) + sum((shifts or {}).get(s, 0.0) for s in atoms.symbols)
        results = {"energy": energy, "forces": calc.get_forces(atoms), "stress": calc.get_stress(atoms)}
        atoms.calc = SinglePointCalculator(atoms, **results)
        frames.append(atoms)
    return frames


def responding(model: NepModel, count: int, *, first: int = 0) -> list[Atoms]:
    """Frames with the dipole or the polarizability that a model gives them, as GPUMD reads these."""
    frames = []
    for number in range(first, first + count):
        atoms = scattered(model.elements, number)
        if model.kind == "dipole":
            atoms.info["dipole"] = NEPDipole(model).get_property("dipole", atoms)
        else:
            atoms.info["pol"] = NEPPolarizability(model).get_polarizability(atoms)
        frames.append(atoms)
    return frames

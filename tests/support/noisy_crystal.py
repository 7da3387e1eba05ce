"""A crystal whose stress is that of known elastic constants, with noise."""

import numpy as np
from ase import units
from ase.calculators.calculator import Calculator, all_changes

from ase_mlips.runs.elastic_symmetry import VOIGT


class NoisyCrystal(Calculator):
    """Stresses in GPa of a tensor (6, 6), by the strain from a reference, and normal noise of a width in GPa."""

    implemented_properties = ("energy", "free_energy", "forces", "stress")

    def __init__(self, reference, tensor, width, seed):
        super().__init__()
        self.reference, self.tensor, self.width = reference.cell.array, tensor, width
        self.rng = np.random.default_rng(seed)

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        gradient = np.linalg.solve(self.reference, self.atoms.cell.array) - np.eye(3)
        strain = np.array([gradient[a, b] * (1.0 if a == b else 2.0) for a, b in VOIGT])
        stress = self.tensor @ strain + self.rng.normal(scale=self.width, size=6)
        forces = np.zeros((len(self.atoms), 3))
        self.results = {"energy": 0.0, "free_energy": 0.0, "forces": forces, "stress": stress * units.GPa}

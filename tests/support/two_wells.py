"""A surface of energy with two minima and one saddle point between them that are known."""

import numpy as np
from ase.calculators.calculator import Calculator, all_changes

SADDLE = -0.075, 1.0 - 0.075**2  # x and y
HEIGHT = 1.25 * (0.075**2 - 1.0) ** 2 + 0.125 * (3.0 * 0.075 - 0.075**3)
BARRIER, REVERSE_BARRIER = HEIGHT - 0.25, HEIGHT + 0.25


class TwoWells(Calculator):
    """``E = 1.25 (x^2 - 1)^2 + 0.125 (x^3 - 3 x) + 5 (y + x^2 - 1)^2 + 5 z^2`` of the first atom, in eV and A.

    The minima are at x = -1 and 1 with y = 0, and the path between them is y = 1 - x^2: along it the slope is
    (x^2 - 1) (5 x + 0.375).
    """

    implemented_properties = ("energy", "free_energy", "forces")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        x, y, z = self.atoms.positions[0]
        off = y + x**2 - 1.0
        energy = 1.25 * (x**2 - 1.0) ** 2 + 0.125 * (x**3 - 3.0 * x) + 5.0 * off**2 + 5.0 * z**2
        forces = np.zeros((len(self.atoms), 3))
        forces[0] = -(x**2 - 1.0) * (5.0 * x + 0.375) - 20.0 * x * off, -10.0 * off, -10.0 * z
        self.results = {"energy": energy, "free_energy": energy, "forces": forces}

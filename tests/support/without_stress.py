"""A calculator that keeps the stress of another one to itself."""

from ase.calculators.calculator import Calculator, all_changes


class WithoutStress(Calculator):
    """Energies, multiplied by `factor`, and forces of another calculator."""

    implemented_properties = ("energy", "free_energy", "forces")

    def __init__(self, calc):
        super().__init__()
        self.inner, self.factor = calc, 1.0

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        energy = self.inner.get_potential_energy(atoms)
        self.results = {
            "energy": self.factor * energy,
            "free_energy": self.factor * energy,
            "forces": self.inner.get_forces(atoms),
        }

"""What tests of the command share: copper with labels, and tables that it prints."""

from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from support.morse import MorseCalculator


def crystal(seed: int = 0, repeats: int = 1) -> Atoms:
    """Rattled fcc copper, four atoms in each cell."""
    atoms = bulk("Cu", "fcc", a=3.7, cubic=True) * repeats
    atoms.rattle(0.05, seed=seed)
    return atoms


def labelled(energy_error: float, force_error: float, stress_error: float, seed: int) -> Atoms:
    """The same with what the Morse potential says, off by these errors."""
    atoms = crystal(seed)
    atoms.calc = MorseCalculator()
    results = {
        "energy": atoms.get_potential_energy() + energy_error,
        "forces": atoms.get_forces() + force_error,
        "stress": atoms.get_stress() - stress_error,
    }
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def table(text: str) -> dict[str, list[str]]:
    """Words of each line, by the first one."""
    lines = [line.split() for line in text.splitlines()]
    return {line[0]: line[1:] for line in lines}

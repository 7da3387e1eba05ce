"""Silicon of Stillinger and Weber in LAMMPS, and numbers that are known of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

LATTICE = 5.4309498
REFERENCE = {
    "Γ": ([0, 0, 0], {3: 17.8324, 4: 17.8324, 5: 17.8324}),
    "X": ([0.5, 0, 0.5], {0: 6.6514, 1: 6.6514, 2: 12.9934, 3: 12.9934, 4: 15.6286, 5: 15.6286}),
    "L": ([0.5, 0.5, 0.5], {0: 4.7032, 1: 4.7032, 2: 11.7682, 3: 13.3980, 4: 16.7667, 5: 16.7667}),
}
CAPACITY = 37.279  # J/(K mol) at 300 K, 32^3 q points
CONDUCTIVITY = {300.0: 567.0, 500.0: 309.0, 1000.0: 148.0}  # W/(m K), 2 x 2 x 2 cubic cells, 19^3 q points

# Stillinger and Weber, Phys. Rev. B 31, 5262 (1985): epsilon, sigma, a, lambda, gamma, cos, A, B, p, q, tolerance.
PARAMETERS = "Si Si Si 2.1683 2.0951 1.80 21.0 1.20 -0.333333333333 7.049556277 0.6022245584 4.0 0.0 0.0\n"


def stillinger_weber(folder: Path) -> Any:
    """LAMMPS with the potential of Stillinger and Weber."""
    from ase.calculators.lammpslib import LAMMPSlib

    (folder / "Si.sw").write_text(PARAMETERS)
    return LAMMPSlib(
        lmpcmds=["pair_style sw", f"pair_coeff * * {folder / 'Si.sw'} Si"],
        atom_types={"Si": 1},
        log_file=None,
        keep_alive=True,
    )


def displaced_silicon() -> Any:
    """A ``Phono3py`` of 2 x 2 x 2 cubic cells with displacements of 0.03 A for the third order."""
    from ase.build import bulk
    from phono3py import Phono3py
    from phonopy.structure.atoms import PhonopyAtoms

    atoms = bulk("Si", a=LATTICE, cubic=True)
    cell = PhonopyAtoms(symbols=atoms.get_chemical_symbols(), cell=atoms.cell.array, positions=atoms.positions)
    made = Phono3py(cell, supercell_matrix=[2, 2, 2], primitive_matrix="F")
    made.generate_displacements(distance=0.03)
    return made

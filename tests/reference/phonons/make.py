"""Forces of LAMMPS on the displaced supercells of phono3py; see README.md."""

import sys
import tempfile
from pathlib import Path

import numpy as np
from ase import Atoms

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from support.stillinger_weber import displaced_silicon, stillinger_weber

HERE = Path(__file__).resolve().parent

with tempfile.TemporaryDirectory() as folder:
    calc = stillinger_weber(Path(folder))
    forces = [
        calc.get_property("forces", Atoms(cell.symbols, positions=cell.positions, cell=cell.cell, pbc=True)).copy()
        for cell in displaced_silicon().supercells_with_displacements
    ]
np.savez_compressed(
    HERE / "silicon_stillinger_weber.npz", micro_ev_per_angstrom=np.rint(1e6 * np.array(forces)).astype(np.int32)
)

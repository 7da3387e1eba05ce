"""Potentials of this package in LAMMPS, on any number of ranks of MPI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..calculator import PotentialCalculator
from .attachment import Attachment, Timings
from .checks import (
    compile_kernels,
    require_calculator,
    require_ids,
    require_masses,
    require_order,
    require_suitable,
    species_of_types,
)
from .errors import raise_together, wait_for_all

__all__ = ["Attachment", "Timings", "attach"]


def attach(
    lmp: Any, calc: PotentialCalculator, elements: Sequence[str], *, skin: float | None = None, num_threads: int = 1
) -> Attachment:
    """Let a potential compute the forces in LAMMPS; all ranks call it together.

    The commands that it needs are issued: ``fix external`` for the forces, the distance of ghosts and the skin.  It
    replaces the pair style; a pair style that is defined afterwards adds to it.  Fixes that set forces, such as
    ``setforce``, come after it.

    Parameters
    ----------
    lmp : lammps.lammps
        Whose box exists, in ``units metal``.
    calc : PotentialCalculator
        Any NEP, MTP, SNAP, ...
    elements : sequence of str
        Of LAMMPS's atom types, in their order; ``NULL`` for a type without atoms.
    skin : float, optional
        Margin of the neighbour lists in A; by default that of `calc`.
    num_threads : int
        Of each rank.

    Raises
    ------
    ImportError
        mpi4py is absent, or uses another MPI than LAMMPS.
    ValueError
        What LAMMPS is set to does not suit; the model has sums over all atoms (qNEP) or gives no energy; or elements
        that are not as many as the types, or in another order than the types' masses.
    CalculatorSetupError
        The model lacks an element.

    Examples
    --------
    A script that is run by ``mpirun -np 2 python run.py``::

        from mpi4py import MPI
        from lammps import lammps
        from ase_mlips import load
        from ase_mlips.lammps import attach

        lmp = lammps()
        lmp.commands_string("units metal\\nread_data cu.data")
        attach(lmp, load("nep.txt"), ["Cu"])
        lmp.commands_string("fix 1 all nve\\nrun 1000")
    """
    comm = communicator(lmp)
    potential = require_calculator(calc)
    require_suitable(lmp)
    table = species_of_types(potential, elements, lmp.extract_setting("ntypes"))
    require_masses(lmp, elements)
    require_order(lmp, comm)
    margin = float(calc.parameters["skin"]) if skin is None else skin
    for mine in (comm.rank == 0, comm.rank != 0):  # the others find the machine code that the first one has kept
        error = None
        try:
            require_ids(lmp)
            if mine:
                compile_kernels(calc)
        except Exception as caught:
            error = caught
        wait_for_all(comm)
        raise_together(comm, error)
    attachment = Attachment(lmp, calc, elements, skin=margin, num_threads=num_threads, comm=comm)
    attachment.install(table)
    return attachment


def communicator(lmp: Any) -> Any:
    """The ranks of LAMMPS, as mpi4py knows them; ImportError without it."""
    comm = lmp.get_mpi_comm() if lmp.has_mpi_support else None
    if comm is None:
        raise ImportError(
            "the exchange between ranks needs mpi4py and a LAMMPS that is built with the same MPI: "
            'pip install "ase-mlips[lammps]"'
        )
    return comm

"""Arguments of ``ase-mlips lammps``."""

from __future__ import annotations

from typing import Any

from .arguments import Symbols, count, ensemble, not_negative, number, positive, seed
from .parser_parts import MODEL, add_force, command

_ENSEMBLES = ("nve", "langevin", "bussi", "nose-hoover", "npt", "npt-full")


def add_lammps(commands: Any) -> None:
    parser = command(
        commands, "lammps", "run LAMMPS with a potential on all ranks of mpirun, or write its input files", model=False
    )
    parser.add_argument(
        "input",
        metavar="INPUT",
        help="input file of LAMMPS, in which the comment '# ase-mlips' marks the line where the model goes; with "
        "--write any structure that ASE reads",
    )
    parser.add_argument("--model", metavar="MODEL", help=MODEL)
    parser.add_argument(
        "--elements", nargs="+", action=Symbols, metavar="X", help="of LAMMPS's atom types, in their order"
    )
    parser.add_argument(
        "--species", nargs="+", action=Symbols, metavar="X", help="elements of the types of an MTP file, in their order"
    )
    parser.add_argument("--threads", type=count, default=1, metavar="N", help="threads of each rank")
    parser.add_argument("--skin", type=not_negative, metavar="A", help="margin of the neighbour lists (1 A)")
    parser.add_argument(
        "-var", nargs="+", action="append", default=[], metavar="WORD", help="name and values of a variable of LAMMPS"
    )
    parser.add_argument("--log", default="log.lammps", metavar="FILE", help="of LAMMPS")
    _add_write(parser.add_argument_group("files to be written"))


def _add_write(parser: Any) -> None:
    parser.add_argument(
        "--write", metavar="DATA", help="write the structure as a data file, and an input beside it, DATA.in"
    )
    parser.add_argument("--ensemble", type=ensemble, choices=_ENSEMBLES, default="nve", help="as of ase-mlips md")
    parser.add_argument("--temperature", type=not_negative, default=300.0, metavar="K", help="also of velocities")
    parser.add_argument("--temperature-end", type=positive, metavar="K", help="of the thermostat at the end")
    parser.add_argument("--pressure", type=number, metavar="GPA", help="of npt (default: 0)")
    parser.add_argument("--pressure-end", type=number, metavar="GPA", help="of npt at the end")
    parser.add_argument("--timestep", type=positive, default=1.0, metavar="FS", help="of the integration")
    parser.add_argument("--steps", type=count, default=1000, metavar="N", help="of the run")
    parser.add_argument("--damping", type=positive, default=100.0, metavar="FS", help="time of the thermostat")
    parser.add_argument("--interval", type=count, default=10, metavar="N", help="steps from one frame to the next")
    parser.add_argument("--heat-flux", metavar="FILE", help="record the heat flux there, for ase-mlips kappa")
    parser.add_argument("--heat-interval", type=count, default=5, metavar="N", help="steps from one flux to the next")
    parser.add_argument("--seed", type=seed, metavar="N", help="of velocities and noise (default: a new one)")
    add_force(parser)

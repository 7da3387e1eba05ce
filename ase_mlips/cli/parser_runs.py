"""Arguments of the commands that run something: relaxation and molecular dynamics."""

from __future__ import annotations

from typing import Any

from .arguments import count, ensemble, not_negative, number, positive, seed
from .parser_parts import STRUCTURE, add_force, command


def add_relax(commands: Any) -> None:
    parser = command(commands, "relax", "relax the positions, and with --cell the cell, of a structure")
    parser.add_argument("structure", metavar="STRUCTURE", help=STRUCTURE)
    parser.add_argument("-o", "--output", default="relaxed.extxyz", help="final structure, in the format its name says")
    add_force(parser)
    parser.add_argument("--trajectory", metavar="FILE.traj", help="keep every step")
    parser.add_argument("--cell", action="store_true", help="relax the cell too")
    choices = ("lbfgs", "bfgs", "fire")
    parser.add_argument("--optimizer", choices=choices, help="method (lbfgs; with --cell bfgs)")
    parser.add_argument("--fmax", type=positive, default=0.01, metavar="EV/A", help="largest force allowed at the end")
    parser.add_argument("--steps", type=count, default=500, metavar="N", help="give up after so many steps")


def add_md(commands: Any) -> None:
    parser = command(commands, "md", "molecular dynamics")
    parser.add_argument("structure", metavar="STRUCTURE", help=f"{STRUCTURE}; its velocities are used if it has any")
    parser.add_argument(
        "--ensemble",
        type=ensemble,
        choices=("nve", "langevin", "bussi", "npt"),
        default="nve",
        help="velocity Verlet; NVT by friction and noise; NVT by rescaling, also called nvt; Martyna-Tobias-Klein, "
        "isotropic cell",
    )
    parser.add_argument(
        "--temperature", type=not_negative, default=300.0, metavar="K", help="of velocities and thermostat"
    )
    parser.add_argument("--pressure", type=number, metavar="GPA", help="of npt (default: 0)")
    parser.add_argument("--timestep", type=positive, default=1.0, metavar="FS", help="of the integration")
    parser.add_argument(
        "--steps", type=count, default=1000, metavar="N", help="length of the whole run, restarts included"
    )
    parser.add_argument(
        "--damping", type=positive, default=100.0, metavar="FS", help="thermostat time; npt: cell 10 times slower"
    )
    parser.add_argument(
        "--interval", type=count, default=10, metavar="N", help="steps from one saved frame to the next"
    )
    parser.add_argument(
        "-o", "--trajectory", default="md.traj", metavar="FILE.traj", help="frames with velocities and results"
    )
    parser.add_argument("--heat-flux", metavar="FILE", help="record the heat flux, for ase-mlips kappa")
    parser.add_argument(
        "--heat-interval", type=count, default=5, metavar="N", help="steps from one heat flux to the next"
    )
    parser.add_argument("--log", metavar="FILE", help="table of temperature and energies (default: md.log for md.traj)")
    again = parser.add_mutually_exclusive_group()
    again.add_argument(
        "--restart", action="store_true", help="continue the run of the trajectory; begin it if that holds no frame"
    )
    add_force(again)
    parser.add_argument("--seed", type=seed, metavar="N", help="of velocities and noise (default: a new one, printed)")

"""Arguments of the commands that run something: relaxation and molecular dynamics."""

from __future__ import annotations

from typing import Any

from .arguments import count, ensemble, not_negative, number, positive, seed
from .parser_parts import STRUCTURE, add_force, add_write_job, command


def add_relax(commands: Any) -> None:
    parser = command(commands, "relax", "relax the positions, and with --cell the cell, of a structure")
    parser.add_argument("structure", metavar="STRUCTURE", help=STRUCTURE)
    parser.add_argument("-o", "--output", default="relaxed.extxyz", help="final structure, in the format its name says")
    add_force(parser)
    parser.add_argument("--trajectory", metavar="FILE.traj", help="keep every step")
    parser.add_argument("--cell", action="store_true", help="relax the cell too")
    parser.add_argument("--constant-volume", action="store_true", help="with --cell: its shape only")
    parser.add_argument("--pressure", type=number, default=0.0, metavar="GPA", help="on the cell")
    parser.add_argument("--symmetry", action="store_true", help="keep the space group")
    choices = ("lbfgs", "bfgs", "fire")
    parser.add_argument("--optimizer", choices=choices, help="method (lbfgs; with --cell or --symmetry bfgs)")
    parser.add_argument("--fmax", type=positive, default=0.01, metavar="EV/A", help="largest force allowed at the end")
    parser.add_argument("--steps", type=count, default=500, metavar="N", help="give up after so many steps")
    add_write_job(parser)


def add_md(commands: Any) -> None:
    parser = command(commands, "md", "molecular dynamics")
    parser.add_argument("structure", metavar="STRUCTURE", help=f"{STRUCTURE}; its velocities are used if it has any")
    _add_dynamics(parser)
    parser.add_argument(
        "-o", "--trajectory", default="md.traj", metavar="FILE.traj", help="frames with velocities and results"
    )
    parser.add_argument("--heat-flux", metavar="FILE", help="record the heat flux, for ase-mlips kappa")
    parser.add_argument("--log", metavar="FILE", help="table of temperature and energies (default: md.log for md.traj)")
    parser.add_argument(
        "--selected", metavar="FILE", help="extended xyz of --grade-select (default: md.selected.extxyz for md.traj)"
    )
    parser.add_argument(
        "--active-set",
        metavar="FILE",
        help="of the grades: NEP .asi, SNAP .npz, or another .almtp (default: that of MODEL)",
    )
    again = parser.add_mutually_exclusive_group()
    again.add_argument(
        "--restart", action="store_true", help="continue the run of the trajectory; begin it if that holds no frame"
    )
    add_force(again)
    add_write_job(parser)


def add_ensemble(commands: Any) -> None:
    parser = command(commands, "ensemble", "many independent runs of molecular dynamics, which are continued if there")
    parser.add_argument(
        "structure", nargs="?", metavar="STRUCTURE", help=f"{STRUCTURE}; without one MODEL is a job of --write-job"
    )
    _add_dynamics(parser)
    parser.add_argument("--runs", type=count, default=10, metavar="N", help="at each temperature")
    parser.add_argument(
        "--temperatures", type=positive, nargs="+", default=(), metavar="K", help="in place of --temperature"
    )
    parser.add_argument("-o", "--folder", default="ensemble", metavar="FOLDER", help="trajectories and logs")
    parser.add_argument("--record-heat", action="store_true", help="record the heat flux of every run")
    parser.add_argument("--workers", type=count, metavar="N", help="processes (default: one for each processor)")
    add_force(parser)
    add_write_job(parser)


def _add_dynamics(parser: Any) -> None:
    """The settings of molecular dynamics."""
    parser.add_argument(
        "--ensemble",
        type=ensemble,
        choices=("nve", "langevin", "bussi", "nose-hoover", "npt", "npt-full"),
        default="nve",
        help="velocity Verlet; NVT by friction and noise; NVT by rescaling, also called nvt; NVT by a Nose-Hoover "
        "chain; Martyna-Tobias-Klein, isotropic cell; the same with all vectors of the cell free",
    )
    parser.add_argument(
        "--temperature", type=not_negative, default=300.0, metavar="K", help="of velocities and thermostat"
    )
    parser.add_argument(
        "--temperature-end", type=positive, metavar="K", help="ramp: the thermostat goes there from --temperature"
    )
    parser.add_argument("--pressure", type=number, metavar="GPA", help="of npt (default: 0)")
    parser.add_argument("--pressure-end", type=number, metavar="GPA", help="ramp: npt goes there from --pressure")
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
        "--heat-interval", type=count, default=5, metavar="N", help="steps from one heat flux to the next"
    )
    parser.add_argument(
        "--max-grade", type=positive, metavar="G", help="log the extrapolation grade, and fail above this one"
    )
    parser.add_argument(
        "--grade-select", type=positive, metavar="G", help="keep structures whose grade is above, e.g. 3"
    )
    parser.add_argument("--grade-break", type=positive, metavar="G", help="end the run above this grade, e.g. 10")
    parser.add_argument(
        "--grade-interval", type=count, default=10, metavar="N", help="steps from one of these grades to the next"
    )
    parser.add_argument(
        "--max-deviation",
        type=positive,
        metavar="EV/A",
        help="log the largest deviation of a force among the models of a committee, and end above this one",
    )
    parser.add_argument("--seed", type=seed, metavar="N", help="of velocities and noise (default: a new one, printed)")


def add_run(commands: Any) -> None:
    parser = command(commands, "run", "run the job of a file, which --write-job of a command has written", model=False)
    parser.add_argument("job", metavar="JOB.yaml", help="the kind of run, model, structure, files and settings")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--restart", action="store_true", help="continue a job of md")
    add_force(again)

"""What the command's arguments are; nothing here imports more than the standard library."""

from __future__ import annotations

from argparse import SUPPRESS, Action, ArgumentParser, Namespace
from typing import Any

from .arguments import (
    Symbols,
    charges,
    count,
    frame_range,
    not_negative,
    pairs,
    positive,
)
from .parser_active import add_active
from .parser_checks import add_checks
from .parser_fit import add_fit
from .parser_lammps import add_lammps
from .parser_parts import STRUCTURE, add_force, command
from .parser_runs import add_ensemble, add_md, add_relax, add_run

_TRAJECTORY = "any trajectory that ASE reads; file.xyz@::10 picks frames"


class _Version(Action):
    """Looks the version up only when it is asked for."""

    def __init__(self, option_strings: list[str], dest: str, **kwargs: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, help="show the version and exit")

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, option_string: str | None = None
    ) -> None:
        from importlib.metadata import version

        print(f"ase-mlips {version('ase-mlips')}")
        parser.exit()


def build_parser() -> ArgumentParser:
    """The parser; `Namespace.module` names the module of this package whose ``run(args)`` does the work."""
    parser = ArgumentParser(prog="ase-mlips", description="Machine-learned interatomic potentials for ASE.")
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    analyses = (_rdf, _vdos, _msd, _conductivity, _arrhenius, _kappa)
    for add in (
        _info,
        _evaluate,
        add_relax,
        add_md,
        add_ensemble,
        add_run,
        add_lammps,
        *analyses,
        _phonons,
        add_checks,
        add_fit,
        add_active,
        _demo,
        _compile,
    ):
        add(commands)
    return parser


def _info(commands: Any) -> None:
    command(commands, "info", "say what a model is: family, elements, cutoff, parameters")


def _evaluate(commands: Any) -> None:
    parser = command(
        commands, "evaluate", "energies, forces and stresses of structures, and errors where labels are given"
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="any file that ASE reads; file.xyz@::10 picks frames")
    parser.add_argument("-o", "--output", metavar="OUT.extxyz", help="write all frames with the results")
    add_force(parser)
    parser.add_argument("--parity", metavar="FILE.png", help="draw the results against the labels")


def _analysis(commands: Any, name: str, summary: str) -> ArgumentParser:
    parser = command(commands, name, summary, model=False)
    parser.set_defaults(module="analyse", analysis=name)
    parser.add_argument("trajectory", metavar="TRAJ", help=_TRAJECTORY)
    _add_outputs(parser, name)
    _add_selection(parser)
    return parser


def _add_outputs(parser: ArgumentParser, name: str) -> None:
    parser.add_argument(
        "-o",
        "--output",
        default=f"{name}.npz",
        metavar="OUT.npz",
        help="numbers; the picture beside it ends in .png, and OUT.csv or OUT.dat write a table of the curves, too",
    )
    add_force(parser)


def _add_selection(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--frames", type=frame_range, metavar="START:STOP:STEP", help="which frames to take, as in Python"
    )
    parser.add_argument(
        "--species", nargs="+", action=Symbols, metavar="X", help="elements of a LAMMPS dump, in the order of its types"
    )


def _add_spacing(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--frame-spacing",
        type=positive,
        metavar="FS",
        help="time from one frame of the file to the next (not the time step of the run), if it does not say it",
    )
    parser.add_argument("--timestep", dest="frame_spacing", type=positive, help=SUPPRESS)  # its former name


def _rdf(commands: Any) -> None:
    parser = _analysis(commands, "rdf", "radial distribution functions of a trajectory")
    parser.add_argument("--r-max", type=positive, default=10.0, metavar="A", help="largest distance")
    parser.add_argument("--bins", type=count, default=200, metavar="N", help="number of bins up to there")
    parser.add_argument("--pairs", type=pairs, metavar="Cu-S,Cu-Cu", help="keep only these pairs of elements")


def _vdos(commands: Any) -> None:
    parser = _analysis(commands, "vdos", "vibrational density of states of a trajectory")
    _add_spacing(parser)
    parser.add_argument(
        "--correlation-time", type=positive, metavar="FS", help="longest lag (default: a quarter of the trajectory)"
    )
    parser.add_argument(
        "--unit", choices=("THz", "meV", "1/cm"), default="THz", help="of the frequencies in the picture"
    )


def _msd(commands: Any) -> None:
    parser = _analysis(commands, "msd", "mean squared displacements and diffusion coefficients from a trajectory")
    _add_spacing(parser)
    _add_window(parser)


def _add_window(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--window",
        nargs=2,
        type=positive,
        metavar=("LO", "HI"),
        help="fit lines between these times in ps (default: where the atoms are seen to diffuse)",
    )


def _ions(commands: Any, name: str, summary: str, files: str) -> ArgumentParser:
    parser = command(commands, name, summary, model=False)
    parser.set_defaults(module="ions", analysis=name)
    parser.add_argument("files", nargs="+", metavar="TRAJ", help=f"{_TRAJECTORY}; {files}")
    _add_outputs(parser, name)
    _add_selection(parser)
    _add_spacing(parser)
    _add_window(parser)
    return parser


def _conductivity(commands: Any) -> None:
    summary = "ionic conductivity of a trajectory, or the mean of several runs"
    parser = _ions(commands, "conductivity", summary, "several are independent runs of one system")
    parser.add_argument(
        "--charges", required=True, type=charges, metavar="Li=1,S=-2", help="formal charges in e; other elements have 0"
    )
    parser.add_argument("--temperature", required=True, type=positive, metavar="K", help="of the runs")
    parser.add_argument(
        "--drift",
        default="framework",
        metavar="X",
        help="what is held at rest: framework (the elements that do not diffuse), all, none, or an element",
    )


def _arrhenius(commands: Any) -> None:
    summary = "diffusion coefficients at several temperatures and their activation energy"
    parser = _ions(commands, "arrhenius", summary, "at several temperatures")
    parser.add_argument(
        "--temperatures",
        required=True,
        nargs="+",
        type=positive,
        metavar="K",
        help="one for each trajectory; the same one twice for two runs",
    )
    parser.add_argument("--element", required=True, metavar="X", help="whose diffusion is wanted")
    parser.add_argument(
        "--at", nargs="+", type=positive, metavar="K", help="temperatures to which the coefficient is extrapolated"
    )


def _phonons(commands: Any) -> None:
    parser = command(commands, "phonons", "phonon bands, density of states and thermal properties")
    parser.add_argument("structure", metavar="STRUCTURE", help=STRUCTURE)
    parser.add_argument(
        "--supercell", nargs="+", type=count, metavar="N", help="repetitions, one or three (default: twice the cutoff)"
    )
    choices = ("cell", "shape", "positions", "none")
    parser.add_argument(
        "--relax", choices=choices, default="cell", help="cell and positions; at constant volume; positions; nothing"
    )
    parser.add_argument("--distance", type=positive, default=0.01, metavar="A", help="displacement")
    parser.add_argument("--snapshots", type=count, metavar="N", help="fit to so many random supercells (symfc)")
    parser.add_argument(
        "--mesh", nargs="+", type=positive, metavar="N", help="q points: a length in A, or three numbers"
    )
    parser.add_argument(
        "--temperatures", nargs="+", type=not_negative, metavar="K", help="of tables (default: 0 to 1000 K)"
    )
    parser.add_argument("--born", metavar="BORN", help="Born charges and dielectric tensor, as phonopy writes them")
    parser.add_argument("--gruneisen", action="store_true", help="mode Grüneisen parameters")
    parser.add_argument("--qha", action="store_true", help="thermal expansion in the quasi-harmonic approximation")
    parser.add_argument(
        "--kappa", choices=("rta", "lbte"), help="lattice thermal conductivity by phono3py, in either way of solving"
    )
    parser.add_argument(
        "-o", "--output", default="phonons", metavar="STEM", help="beginning of the names of .png, .yaml, .txt and .dat"
    )
    add_force(parser)


def _kappa(commands: Any) -> None:
    parser = command(
        commands, "kappa", "thermal conductivity by Green-Kubo from heat fluxes that md has recorded", model=False
    )
    parser.add_argument(
        "files", nargs="+", metavar="FLUX", help="files of md --heat-flux, independent runs of one system"
    )
    _add_outputs(parser, "kappa")
    parser.add_argument(
        "--discard", type=not_negative, default=0.0, metavar="PS", help="leave out the beginning of each run"
    )
    parser.add_argument(
        "--window", nargs=2, type=positive, metavar="PS", help="average over these lags (default: from the plateau)"
    )
    parser.add_argument("--max-lag", type=positive, metavar="PS", help="longest lag (default: four times the window)")
    parser.add_argument("--blocks", type=count, default=1, metavar="N", help="cut each run, for the error")


def _demo(commands: Any) -> None:
    parser = command(
        commands, "demo", "relax, run and analyse silicon with the embedded model, in about a minute", model=False
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        help="where the picture and the data go (default: ase-mlips-demo, done anew each time)",
    )
    add_force(parser)


def _compile(commands: Any) -> None:
    command(commands, "compile", "compile all kernels now, so that no later run has to wait for it", model=False)

"""What the command's arguments are; nothing here imports more than the standard library."""

from __future__ import annotations

from argparse import SUPPRESS, Action, ArgumentDefaultsHelpFormatter, ArgumentParser, Namespace
from typing import Any

from .arguments import (
    Symbols,
    charges,
    count,
    ensemble,
    frame_range,
    layers,
    not_negative,
    number,
    pairs,
    positive,
    seed,
)

_MODEL = "file of a potential (NEP: nep.txt; MTP: .mtp, .almtp; SNAP: .snapcoeff, .snap, .mod, ...), or embedded:Si"
_TRAJECTORY = "any trajectory that ASE reads; file.xyz@::10 picks frames"
_STRUCTURE = "any file that ASE reads; file.xyz@-1 picks a frame"


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


class _Formatter(ArgumentDefaultsHelpFormatter):
    """Shows the defaults that say something."""

    def _get_help_string(self, action: Action) -> str | None:
        return action.help if action.default in (None, False) else super()._get_help_string(action)


def build_parser() -> ArgumentParser:
    """The parser; `Namespace.module` names the module of this package whose ``run(args)`` does the work."""
    parser = ArgumentParser(prog="ase-mlips", description="Machine-learned interatomic potentials for ASE.")
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    analyses = (_rdf, _vdos, _msd, _conductivity, _arrhenius, _kappa)
    for add in (_info, _evaluate, _relax, _md, *analyses, _phonons, _fit, _demo, _compile):
        add(commands)
    return parser


def _command(commands: Any, name: str, summary: str, *, model: bool = True) -> ArgumentParser:
    parser: ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        formatter_class=_Formatter,
    )
    parser.set_defaults(module=name)
    if model:
        parser.add_argument("model", metavar="MODEL", help=_MODEL)
        parser.add_argument(
            "--species",
            nargs="+",
            action=Symbols,
            metavar="X",
            help="elements of the types of an MTP file or .cfg, in their order",
        )
        parser.add_argument("--threads", type=count, metavar="N", help="threads of a force call")
    return parser


def _add_force(parser: Any) -> None:
    parser.add_argument("--force", action="store_true", help="replace files that exist, which are refused otherwise")


def _info(commands: Any) -> None:
    _command(commands, "info", "say what a model is: family, elements, cutoff, parameters")


def _evaluate(commands: Any) -> None:
    parser = _command(
        commands, "evaluate", "energies, forces and stresses of structures, and errors where labels are given"
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="any file that ASE reads; file.xyz@::10 picks frames")
    parser.add_argument("-o", "--output", metavar="OUT.extxyz", help="write all frames with the results")
    _add_force(parser)
    parser.add_argument("--parity", metavar="FILE.png", help="draw the results against the labels")


def _relax(commands: Any) -> None:
    parser = _command(commands, "relax", "relax the positions, and with --cell the cell, of a structure")
    parser.add_argument("structure", metavar="STRUCTURE", help=_STRUCTURE)
    parser.add_argument("-o", "--output", default="relaxed.extxyz", help="final structure, in the format its name says")
    _add_force(parser)
    parser.add_argument("--trajectory", metavar="FILE.traj", help="keep every step")
    parser.add_argument("--cell", action="store_true", help="relax the cell too")
    choices = ("lbfgs", "bfgs", "fire")
    parser.add_argument("--optimizer", choices=choices, help="method (lbfgs; with --cell bfgs)")
    parser.add_argument("--fmax", type=positive, default=0.01, metavar="EV/A", help="largest force allowed at the end")
    parser.add_argument("--steps", type=count, default=500, metavar="N", help="give up after so many steps")


def _md(commands: Any) -> None:
    parser = _command(commands, "md", "molecular dynamics")
    parser.add_argument("structure", metavar="STRUCTURE", help=f"{_STRUCTURE}; its velocities are used if it has any")
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
    _add_force(again)
    parser.add_argument("--seed", type=seed, metavar="N", help="of velocities and noise (default: a new one, printed)")


def _analysis(commands: Any, name: str, summary: str) -> ArgumentParser:
    parser = _command(commands, name, summary, model=False)
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
    _add_force(parser)


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
    parser = _command(commands, name, summary, model=False)
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
    parser = _command(commands, "phonons", "phonon bands, density of states and thermal properties")
    parser.add_argument("structure", metavar="STRUCTURE", help=_STRUCTURE)
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
    _add_force(parser)


def _kappa(commands: Any) -> None:
    parser = _command(
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


def _fit(commands: Any) -> None:
    families = _command(commands, "fit", "fit a potential to labelled structures", model=False).add_subparsers(
        title="families", metavar="FAMILY", required=True
    )
    parser = _command(families, "snap", "fit a SNAP potential by least squares, or with --head a network", model=False)
    parser.set_defaults(module="fit")
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="structures with energies, forces and, if known, stresses"
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="OUT.snapcoeff", help="model; errors go to a report beside it"
    )
    _add_force(parser)
    parser.add_argument("--twojmax", type=seed, default=8, metavar="N", help="twice the largest angular momentum")
    parser.add_argument("--cutoff", type=positive, default=5.0, metavar="A", help="of a pair of the largest elements")
    parser.add_argument(
        "--elements", nargs="+", action=Symbols, metavar="X", help="their order in the model (default: alphabetical)"
    )
    parser.add_argument("--radii", nargs="+", type=positive, metavar="R", help="of the elements (default: all equal)")
    parser.add_argument("--quadratic", action="store_true", help="quadratic SNAP")
    parser.add_argument("--chem", action="store_true", help="descriptors for each triplet of elements")
    parser.add_argument(
        "--zbl",
        nargs=2,
        type=positive,
        metavar=("INNER", "OUTER"),
        help="add ZBL, switched off here (A); needs -o OUT.snap",
    )
    parser.add_argument("--energy-weight", type=not_negative, default=100.0, metavar="W", help="of 1 eV/atom")
    parser.add_argument("--force-weight", type=not_negative, default=1.0, metavar="W", help="of 1 eV/A")
    parser.add_argument("--stress-weight", type=not_negative, default=0.1, metavar="W", help="of 1 GPa")
    parser.add_argument(
        "--ridge", type=not_negative, default=0.0, metavar="X", help="regularisation, for example 1e-10"
    )
    parser.add_argument("--test", nargs="+", metavar="FILE", help="structures to test on")
    parser.add_argument(
        "--test-fraction", type=not_negative, default=0.1, metavar="X", help="without --test: held back"
    )
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="of what is held back and of a network")
    _head(parser)


def _head(parser: ArgumentParser) -> None:
    """Options of a network, None where they are not given."""
    group = parser.add_argument_group(
        "network", "train a network on the descriptors; Ctrl-C ends the training with the best one so far"
    )
    group.add_argument("--head", type=layers, metavar="32x32", help="nodes of its hidden layers")
    choices = ("linear", "sigmoid", "tanh", "relu", "softplus")
    group.add_argument("--activation", choices=choices, help="of these layers (tanh)")
    group.add_argument("--epochs", type=count, metavar="N", help="of Adam (500)")
    group.add_argument("--batch-size", type=count, metavar="N", help="frames per step of Adam (8)")
    group.add_argument("--learning-rate", type=positive, metavar="X", help="at the start (0.003)")
    group.add_argument("--lbfgs-steps", type=count, metavar="N", help="of L-BFGS after Adam (0)")
    group.add_argument("--patience", type=count, metavar="N", help="epochs without improvement that end it (all)")
    group.add_argument("--checkpoint", metavar="FILE.npz", help="keep the state here after every epoch; go on from it")


def _demo(commands: Any) -> None:
    parser = _command(
        commands, "demo", "relax, run and analyse silicon with the embedded model, in about a minute", model=False
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        help="where the picture and the data go (default: ase-mlips-demo, done anew each time)",
    )
    _add_force(parser)


def _compile(commands: Any) -> None:
    _command(commands, "compile", "compile all kernels now, so that no later run has to wait for it", model=False)

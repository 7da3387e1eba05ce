"""What the command's arguments are; nothing here imports more than the standard library."""

from __future__ import annotations

import math
from argparse import Action, ArgumentDefaultsHelpFormatter, ArgumentParser, ArgumentTypeError, Namespace
from typing import Any

_MODEL = "file of a potential (NEP: nep.txt; MTP: .mtp, .almtp; SNAP: .snapcoeff, .snap, ...), or embedded:Si"
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
    for add in (_info, _evaluate, _relax, _md, _rdf, _vdos, _msd, _kappa, _phonons, _fit, _demo, _compile):
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
        _add_model(parser)
    return parser


def _add_model(parser: ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help=_MODEL)
    parser.add_argument("--species", nargs="+", metavar="X", help="elements of an MTP file, in the order of its types")
    parser.add_argument("--threads", type=_count, metavar="N", help="threads of a force call")


def _info(commands: Any) -> None:
    _command(commands, "info", "say what a model is: family, elements, cutoff, parameters")


def _evaluate(commands: Any) -> None:
    parser = _command(
        commands, "evaluate", "energies, forces and stresses of structures, and errors where labels are given"
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="any file that ASE reads; file.xyz@::10 picks frames")
    parser.add_argument("-o", "--output", metavar="OUT.extxyz", help="write all frames with the results")
    parser.add_argument("--parity", metavar="FILE.png", help="draw the results against the labels")


def _relax(commands: Any) -> None:
    parser = _command(commands, "relax", "relax the positions, and with --cell the cell, of a structure")
    parser.add_argument("structure", metavar="STRUCTURE", help=_STRUCTURE)
    parser.add_argument("-o", "--output", default="relaxed.extxyz", help="final structure, in the format its name says")
    parser.add_argument("--trajectory", metavar="FILE.traj", help="keep every step")
    parser.add_argument("--cell", action="store_true", help="relax the cell too")
    choices = ("lbfgs", "bfgs", "fire")
    parser.add_argument("--optimizer", choices=choices, help="method (lbfgs; with --cell bfgs)")
    parser.add_argument("--fmax", type=_positive, default=0.01, metavar="EV/A", help="largest force allowed at the end")
    parser.add_argument("--steps", type=_count, default=500, metavar="N", help="give up after so many steps")


def _md(commands: Any) -> None:
    parser = _command(commands, "md", "molecular dynamics")
    parser.add_argument("structure", metavar="STRUCTURE", help=f"{_STRUCTURE}; its velocities are used if it has any")
    parser.add_argument(
        "--ensemble",
        choices=("nve", "langevin", "bussi", "npt"),
        default="nve",
        help="velocity Verlet; NVT by friction and noise; NVT by rescaling; Martyna-Tobias-Klein, isotropic cell",
    )
    parser.add_argument(
        "--temperature", type=_not_negative, default=300.0, metavar="K", help="of velocities and thermostat"
    )
    parser.add_argument("--pressure", type=_number, metavar="GPA", help="of npt (default: 0)")
    parser.add_argument("--timestep", type=_positive, default=1.0, metavar="FS", help="time step")
    parser.add_argument(
        "--steps", type=_count, default=1000, metavar="N", help="length of the whole run, restarts included"
    )
    parser.add_argument(
        "--damping", type=_positive, default=100.0, metavar="FS", help="thermostat time; npt: cell 10 times slower"
    )
    parser.add_argument(
        "--interval", type=_count, default=10, metavar="N", help="steps from one saved frame to the next"
    )
    parser.add_argument(
        "-o", "--trajectory", default="md.traj", metavar="FILE.traj", help="frames with velocities and results"
    )
    parser.add_argument("--heat-flux", metavar="FILE", help="record the heat flux, for ase-mlips kappa")
    parser.add_argument(
        "--heat-interval", type=_count, default=5, metavar="N", help="steps from one heat flux to the next"
    )
    parser.add_argument("--log", metavar="FILE", help="table of temperature and energies (default: md.log for md.traj)")
    parser.add_argument(
        "--restart", action="store_true", help="continue a run from the last complete frame of its trajectory"
    )
    parser.add_argument("--seed", type=_seed, metavar="N", help="of velocities and noise (default: a new one, printed)")


def _analysis(commands: Any, name: str, summary: str) -> ArgumentParser:
    parser = _command(commands, name, summary, model=False)
    parser.set_defaults(module="analyse", analysis=name)
    parser.add_argument("trajectory", metavar="TRAJ", help="any trajectory that ASE reads")
    parser.add_argument(
        "-o", "--output", default=f"{name}.npz", metavar="OUT.npz", help="numbers; the picture beside it ends in .png"
    )
    parser.add_argument("--frames", type=_slice, metavar="START:STOP:STEP", help="which frames to take, as in Python")
    parser.add_argument(
        "--species", nargs="+", metavar="X", help="elements of a LAMMPS dump, in the order of its types"
    )
    return parser


def _add_timestep(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--timestep", type=_positive, metavar="FS", help="from one frame of the file to the next, if it does not say it"
    )


def _rdf(commands: Any) -> None:
    parser = _analysis(commands, "rdf", "radial distribution functions of a trajectory")
    parser.add_argument("--r-max", type=_positive, default=10.0, metavar="A", help="largest distance")
    parser.add_argument("--bins", type=_count, default=200, metavar="N", help="number of bins up to there")


def _vdos(commands: Any) -> None:
    parser = _analysis(commands, "vdos", "vibrational density of states of a trajectory")
    _add_timestep(parser)
    parser.add_argument(
        "--correlation-time", type=_positive, metavar="FS", help="longest lag (default: a quarter of the trajectory)"
    )
    parser.add_argument(
        "--unit", choices=("THz", "meV", "1/cm"), default="THz", help="of the frequencies in the picture"
    )


def _msd(commands: Any) -> None:
    parser = _analysis(commands, "msd", "mean squared displacements and diffusion coefficients from a trajectory")
    _add_timestep(parser)


def _phonons(commands: Any) -> None:
    parser = _command(commands, "phonons", "phonon bands, density of states and thermal properties", model=False)
    parser.add_argument("structure", metavar="STRUCTURE", help=_STRUCTURE)
    _add_model(parser)
    parser.add_argument(
        "--supercell", nargs="+", type=_count, metavar="N", help="repetitions, one or three (default: twice the cutoff)"
    )
    choices = ("cell", "shape", "positions", "none")
    parser.add_argument(
        "--relax", choices=choices, default="cell", help="cell and positions; at constant volume; positions; nothing"
    )
    parser.add_argument("--distance", type=_positive, default=0.01, metavar="A", help="displacement")
    parser.add_argument("--snapshots", type=_count, metavar="N", help="fit to so many random supercells (symfc)")
    parser.add_argument(
        "-o", "--output", default="phonons", metavar="STEM", help="beginning of the names of .png, .yaml and .txt"
    )


def _kappa(commands: Any) -> None:
    parser = _command(
        commands, "kappa", "thermal conductivity by Green-Kubo from heat fluxes that md has recorded", model=False
    )
    parser.add_argument(
        "files", nargs="+", metavar="FLUX", help="files of md --heat-flux, independent runs of one system"
    )
    parser.add_argument(
        "-o", "--output", default="kappa.npz", metavar="OUT.npz", help="numbers; the picture beside it ends in .png"
    )
    parser.add_argument(
        "--discard", type=_not_negative, default=0.0, metavar="PS", help="leave out the beginning of each run"
    )
    parser.add_argument(
        "--window", nargs=2, type=_positive, metavar="PS", help="average over these lags (default: from the plateau)"
    )
    parser.add_argument("--max-lag", type=_positive, metavar="PS", help="longest lag (default: four times the window)")
    parser.add_argument("--blocks", type=_count, default=1, metavar="N", help="cut each run, for the error")


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
    parser.add_argument("--twojmax", type=_seed, default=8, metavar="N", help="twice the largest angular momentum")
    parser.add_argument("--cutoff", type=_positive, default=5.0, metavar="A", help="of a pair of the largest elements")
    parser.add_argument("--elements", nargs="+", metavar="X", help="their order in the model (default: alphabetical)")
    parser.add_argument("--radii", nargs="+", type=_positive, metavar="R", help="of the elements (default: all equal)")
    parser.add_argument("--quadratic", action="store_true", help="quadratic SNAP")
    parser.add_argument("--chem", action="store_true", help="descriptors for each triplet of elements")
    parser.add_argument(
        "--zbl",
        nargs=2,
        type=_positive,
        metavar=("INNER", "OUTER"),
        help="add ZBL, switched off here (A); needs -o OUT.snap",
    )
    parser.add_argument("--energy-weight", type=_not_negative, default=100.0, metavar="W", help="of 1 eV/atom")
    parser.add_argument("--force-weight", type=_not_negative, default=1.0, metavar="W", help="of 1 eV/A")
    parser.add_argument("--stress-weight", type=_not_negative, default=0.1, metavar="W", help="of 1 GPa")
    parser.add_argument(
        "--ridge", type=_not_negative, default=0.0, metavar="X", help="regularisation, for example 1e-10"
    )
    parser.add_argument("--test", nargs="+", metavar="FILE", help="structures to test on")
    parser.add_argument(
        "--test-fraction", type=_not_negative, default=0.1, metavar="X", help="without --test: held back"
    )
    parser.add_argument("--seed", type=_seed, default=0, metavar="N", help="of what is held back and of a network")
    _head(parser)


def _head(parser: ArgumentParser) -> None:
    """Options of a network, None where they are not given."""
    group = parser.add_argument_group(
        "network", "train a network on the descriptors; Ctrl-C ends the training with the best one so far"
    )
    group.add_argument("--head", type=_layers, metavar="32x32", help="nodes of its hidden layers")
    choices = ("linear", "sigmoid", "tanh", "relu", "softplus")
    group.add_argument("--activation", choices=choices, help="of these layers (tanh)")
    group.add_argument("--epochs", type=_count, metavar="N", help="of Adam (500)")
    group.add_argument("--batch-size", type=_count, metavar="N", help="frames per step of Adam (8)")
    group.add_argument("--learning-rate", type=_positive, metavar="X", help="at the start (0.003)")
    group.add_argument("--lbfgs-steps", type=_count, metavar="N", help="of L-BFGS after Adam (0)")
    group.add_argument("--patience", type=_count, metavar="N", help="epochs without improvement that end it (all)")
    group.add_argument("--checkpoint", metavar="FILE.npz", help="keep the state here after every epoch; go on from it")


def _demo(commands: Any) -> None:
    parser = _command(
        commands, "demo", "relax, run and analyse silicon with the embedded model, in about a minute", model=False
    )
    parser.add_argument("--output", default="ase-mlips-demo", metavar="DIR", help="where the picture and the data go")


def _compile(commands: Any) -> None:
    _command(commands, "compile", "compile all kernels now, so that no later run has to wait for it", model=False)


def _number(text: str, expected: str = "a finite number") -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ArgumentTypeError(f"expected {expected}, got {text!r}")
    return value


def _positive(text: str) -> float:
    value = _number(text, "a positive number")
    if value <= 0.0:
        raise ArgumentTypeError(f"expected a positive number, got {text!r}")
    return value


def _not_negative(text: str) -> float:
    value = _number(text, "zero or a positive number")
    if value < 0.0:
        raise ArgumentTypeError(f"expected zero or a positive number, got {text!r}")
    return value


def _whole(text: str, least: int, expected: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise ArgumentTypeError(f"expected {expected}, got {text!r}")
    return value


def _layers(text: str) -> tuple[int, ...]:
    expected = "nodes of the layers such as 32x32"
    try:
        return tuple(_whole(part, 1, expected) for part in text.split("x"))
    except ArgumentTypeError:
        raise ArgumentTypeError(f"expected {expected}, got {text!r}") from None


def _count(text: str) -> int:
    return _whole(text, 1, "a positive integer")


def _slice(text: str) -> slice:
    parts = text.split(":")
    try:
        values = [int(part) if part else None for part in parts]
    except ValueError:
        values = []
    if len(values) not in (2, 3):
        raise ArgumentTypeError(f"expected START:STOP or START:STOP:STEP, got {text!r}")
    if len(values) == 3 and values[2] is not None and values[2] < 1:
        raise ArgumentTypeError(f"expected a positive STEP, got {text!r}")
    return slice(*values)


def _seed(text: str) -> int:
    return _whole(text, 0, "zero or a positive integer")

"""Arguments of active learning; the options are the fields of `ase_mlips.active.ActiveRun`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from .arguments import Symbols, count, ensemble, not_negative, number, positive, seed
from .parser_parts import STRUCTURE, add_force, add_write_job, command

_EXPLORE = ("md", "relax", "strain", "defects", "displacements")


def add_active(commands: Any) -> None:
    parser = command(
        commands, "active", "let a potential ask for the labels that it needs, and train on them", model=False
    )
    parser.add_argument(
        "template",
        metavar="MODEL|JOB.yaml",
        help="mtp:LEVEL, or a file of a potential to begin with; or, alone, a job, which --write-job writes",
    )
    parser.add_argument("structure", nargs="?", metavar="STRUCTURES", help=f"explored, all frames: {STRUCTURE}")
    parser.add_argument(
        "start", nargs="?", metavar="START", help="5 to 10 different frames to begin with, with labels or without"
    )
    parser.add_argument(
        "-o",
        "--output",
        default="active",
        metavar="DIR",
        help="folder of everything; one that is there is gone on with",
    )
    parser.add_argument("--species", nargs="+", action=Symbols, metavar="X", help="elements, in the order of the types")
    parser.add_argument("--threads", type=count, metavar="N", help="threads of the training")
    add_force(parser)
    _add_labels(parser)
    _add_exploration(parser)
    _add_limits(parser)
    _add_training(parser)
    add_write_job(parser)


def _add_labels(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--labeller",
        default="files",
        metavar="X",
        help="a potential; a calculator of ASE such as ase.calculators.vasp:Vasp; or files, files:poscar or files:cfg: "
        "a folder for each structure, where labelled.extxyz, labelled.cfg, vasprun.xml or OUTCAR is to appear",
    )
    parser.add_argument(
        "--labeller-options", nargs="+", action=_Options, metavar="NAME=VALUE", help="arguments of the calculator"
    )
    parser.add_argument("--test", metavar="FILE", help="labelled frames on which errors are reported")


def _add_exploration(parser: ArgumentParser) -> None:
    parser.add_argument("--explore", nargs="+", choices=_EXPLORE, default=("md",), help="where the model is looked at")
    choices = ("nve", "langevin", "bussi", "nose-hoover", "npt", "npt-full")
    parser.add_argument("--ensemble", type=ensemble, choices=choices, default="langevin", help="of the dynamics")
    parser.add_argument(
        "--temperatures", nargs="+", type=positive, default=(300.0,), metavar="K", help="of the dynamics"
    )
    parser.add_argument("--pressures", nargs="+", type=number, default=(), metavar="GPA", help="of npt")
    parser.add_argument("--time", type=positive, default=3.0, metavar="PS", help="of each run")
    parser.add_argument(
        "--final-time", type=positive, metavar="PS", help="of a run at the highest temperature that must find nothing"
    )
    parser.add_argument("--timestep", type=positive, default=1.0, metavar="FS", help="of the integration")
    parser.add_argument("--damping", type=positive, default=100.0, metavar="FS", help="thermostat time")
    parser.add_argument("--interval", type=count, default=5, metavar="N", help="steps from one grade to the next")


def _add_limits(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--grade-select", type=positive, default=3.0, metavar="G", help="above, structures are candidates"
    )
    parser.add_argument("--grade-break", type=positive, default=10.0, metavar="G", help="above, a run ends")
    choices = ("neighborhood", "configuration")
    parser.add_argument("--mode", choices=choices, default="neighborhood", help="what is graded")
    parser.add_argument(
        "--members", type=count, metavar="N", help="a committee, whose grade is the deviation of a force in eV/A"
    )
    parser.add_argument("--max-rounds", type=count, default=20, metavar="N", help="at most so many rounds")
    parser.add_argument("--max-labels", type=count, default=500, metavar="N", help="at most so many labels")
    parser.add_argument("--labels-per-round", type=count, metavar="N", help="those of the largest grades")
    parser.add_argument(
        "--min-share", type=not_negative, default=0.01, metavar="X", help="fewer new frames than that are not needed"
    )
    parser.add_argument("--target-energy", type=positive, metavar="MEV", help="per atom: with such errors it is enough")
    parser.add_argument("--target-force", type=positive, metavar="EV/A", help="with such errors it is enough")


def _add_training(parser: ArgumentParser) -> None:
    parser.add_argument("--cutoff", type=positive, metavar="A", help="of mtp:LEVEL (default: 5)")
    parser.add_argument("--iterations", type=count, default=300, metavar="N", help="of each training")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="of everything")
    parser.add_argument("--workers", type=count, default=1, metavar="N", help="processes that explore and label")


class _Options(Symbols):
    """NAME=VALUE as a dictionary; values are numbers and words as in YAML."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        from yaml import YAMLError, safe_load

        found = {}
        for word in values:
            name, equals, text = word.partition("=")
            try:
                found[name] = safe_load(text) if name and equals else None
            except YAMLError:
                equals = ""
            if not (name and equals):
                parser.error(f"argument {option_string}: expected NAME=VALUE, got {word!r}")
        setattr(namespace, self.dest, found)

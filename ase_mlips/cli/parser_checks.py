"""Arguments of the commands that check a potential; the options are the fields of the settings in `ase_mlips.runs`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from .arguments import count, not_negative, number, positive
from .parser_parts import STRUCTURE, add_force, add_write_job, command

_BEFORE = ("cell", "shape", "positions", "none")


def add_checks(commands: Any) -> None:
    """Equation of state, elastic constants, vacancy, surface and hop."""
    for add in (_eos, _elastic, _vacancy, _surface, _neb):
        add(commands)


def _eos(commands: Any) -> None:
    parser = _check(commands, "eos", "equation of state by Birch and Murnaghan: volume, bulk modulus, its derivative")
    parser.add_argument(
        "--volume-change", type=positive, default=0.04, metavar="X", help="largest relative change, to both sides"
    )
    parser.add_argument("--points", type=count, default=11, metavar="N", help="number of volumes")
    choices = ("shape", "positions", "none")
    parser.add_argument("--relax", choices=choices, default="shape", help="at each volume: shape of the cell and atoms")
    _add_relaxation(parser, fmax=1e-3)


def _elastic(commands: Any) -> None:
    parser = _check(commands, "elastic", "elastic constants with relaxed and with clamped ions, moduli, stability")
    parser.add_argument("--strain", type=positive, default=0.002, metavar="X", help="largest strain, to both sides")
    choices = ("relaxed", "clamped")
    parser.add_argument("--ions", choices=choices, default="relaxed", help="whether atoms move in the strained cells")
    parser.add_argument("--symprec", type=positive, default=1e-5, metavar="A", help="tolerance of the space group")
    _add_before(parser)
    _add_relaxation(parser, fmax=1e-5)


def _vacancy(commands: Any) -> None:
    parser = _check(commands, "vacancy", "formation energy of a vacancy in supercells of several sizes")
    parser.add_argument(
        "--sizes",
        nargs="+",
        type=positive,
        default=(8.0, 11.0, 14.0),
        metavar="A",
        help="least distances between opposite faces of the supercells",
    )
    parser.add_argument("--atom", type=int, default=0, metavar="K", help="which atom is taken out, counted from 0")
    parser.add_argument(
        "--chemical-potential",
        type=number,
        metavar="EV",
        help="energy of the atom where it goes to (default: that of an atom of the crystal, if of one element)",
    )
    _add_before(parser)
    _add_relaxation(parser, fmax=0.005)


def _surface(commands: Any) -> None:
    parser = _check(commands, "surface", "energy of a surface from slabs of several thicknesses")
    parser.add_argument(
        "--miller", nargs=3, type=int, default=(1, 0, 0), metavar=("H", "K", "L"), help="in the cell of STRUCTURE"
    )
    parser.add_argument(
        "--thicknesses", nargs="+", type=positive, default=(8.0, 12.0, 16.0), metavar="A", help="of the slabs, at least"
    )
    parser.add_argument("--vacuum", type=positive, default=10.0, metavar="A", help="on each side of a slab")
    parser.add_argument(
        "--cut",
        type=not_negative,
        metavar="X",
        help="where to cut, from 0 to 1 in distances of lattice planes (default: in the widest gap between atoms)",
    )
    _add_before(parser)
    _add_relaxation(parser, fmax=0.005)


def _neb(commands: Any) -> None:
    parser = _check(commands, "neb", "barrier of an ion's hop by a nudged elastic band")
    parser.add_argument("final", metavar="FINAL", help="the same atoms after the hop, in the same order")
    parser.add_argument("--images", type=count, default=5, metavar="N", help="number between the ends")
    choices = ("idpp", "linear")
    parser.add_argument("--interpolation", choices=choices, default="idpp", help="first guess of the path")
    parser.add_argument("--no-climb", dest="climb", action="store_false", help="no climbing image")
    parser.add_argument("--keep-ends", dest="relax_ends", action="store_false", help="do not relax the ends")
    parser.add_argument("--spring", type=positive, default=0.1, metavar="EV/A^2", help="between images")
    _add_relaxation(parser, fmax=0.02)


def _check(commands: Any, name: str, summary: str) -> ArgumentParser:
    parser = command(commands, name, summary)
    parser.set_defaults(module="checks", check=name)
    parser.add_argument("structure", metavar="STRUCTURE", help=STRUCTURE)
    parser.add_argument(
        "-o",
        "--output",
        default=f"{name}.npz",
        metavar="OUT.npz",
        help="numbers; the picture beside it ends in .png, and OUT.csv or OUT.dat write a table, too",
    )
    add_force(parser)
    add_write_job(parser)
    return parser


def _add_before(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--relax", choices=_BEFORE, default="cell", help="first: cell and atoms; at constant volume; atoms; nothing"
    )


def _add_relaxation(parser: ArgumentParser, *, fmax: float) -> None:
    parser.add_argument("--fmax", type=positive, default=fmax, metavar="EV/A", help="largest force allowed at the end")
    parser.add_argument("--steps", type=count, default=500, metavar="N", help="give up after so many steps")

"""What the parsers of several commands share."""

from __future__ import annotations

from argparse import Action, ArgumentDefaultsHelpFormatter, ArgumentParser
from typing import Any

from .arguments import Symbols, count

MODEL = (
    "file of a potential (NEP: nep.txt; MTP: .mtp, .almtp; ACE: .yace, .yaml; POD: _param.pod; SNAP: .snapcoeff, .snap,"
    " .mod, ...), or"
    " embedded:Si"
)
STRUCTURE = "any file that ASE reads; file.xyz@-1 picks a frame"


class Formatter(ArgumentDefaultsHelpFormatter):
    """Shows the defaults that say something."""

    def _get_help_string(self, action: Action) -> str | None:
        if action.default is None or isinstance(action.default, bool):
            return action.help
        if isinstance(action.default, tuple):
            return f"{action.help} (default: {' '.join(f'{value:g}' for value in action.default)})"
        return super()._get_help_string(action)


def command(commands: Any, name: str, summary: str, *, model: bool = True) -> ArgumentParser:
    parser: ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        formatter_class=Formatter,
    )
    parser.set_defaults(module=name)
    if model:
        parser.add_argument("model", metavar="MODEL", help=MODEL)
        parser.add_argument(
            "--species",
            nargs="+",
            action=Symbols,
            metavar="X",
            help="elements of the types of an MTP file or .cfg, in their order",
        )
        parser.add_argument("--threads", type=count, metavar="N", help="threads of a force call")
    return parser


def add_force(parser: Any) -> None:
    parser.add_argument("--force", action="store_true", help="replace files that exist, which are refused otherwise")


def add_write_job(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--write-job", metavar="FILE.yaml", help="write what is asked for, for ase-mlips run, instead of doing it"
    )

"""The `ase-mlips` command.

Only the parser is loaded at first: ASE and Numba cost more than a second, which `--help` should not.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

from .arguments import joined_symbols
from .parser import build_parser
from .signals import INTERRUPTED, orderly_end


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments after the command's name; those of the process by default.

    Returns
    -------
    int
        0 when done, 1 when a calculation failed or did not converge, 2 for input that cannot be used, 130 after
        Ctrl-C, 143 after SIGTERM, 129 after SIGHUP and 141 when the reader of standard output has left.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = build_parser().parse_args(joined_symbols(arguments))
    args.arguments = arguments
    with orderly_end() as ending:
        try:
            code = _run(args)
            sys.stdout.flush()
        except BrokenPipeError:
            # Without this the interpreter would flush once more at exit, and complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 141
        except KeyboardInterrupt as error:
            code = _fail(_sentence(error), INTERRUPTED)
        return ending.code(code)


def _run(args: Namespace) -> int:
    from ase.calculators.calculator import CalculationFailed, CalculatorError, PropertyNotImplementedError

    from .common import tell_model_from_structure

    try:
        tell_model_from_structure(args)
        return int(import_module(f".{args.module}", __package__).run(args))
    except BrokenPipeError:
        raise
    except CalculationFailed as error:
        return _fail(_sentence(error), 1)
    except (OSError, ValueError, CalculatorError, PropertyNotImplementedError) as error:
        return _fail(_sentence(error), 2)


def _sentence(error: BaseException) -> str:
    """The message, after the notes that say where it happened and before those that begin with a semicolon."""
    message = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error)
    if isinstance(error, OSError) and error.filename is not None and error.strerror is not None:
        message = f"{error.filename}: {error.strerror}"
    notes = getattr(error, "__notes__", [])
    where = [note for note in notes if not note.startswith(";")]
    return "".join([": ".join([*where, message]), *(note for note in notes if note.startswith(";"))])


def _fail(message: str, code: int) -> int:
    with suppress(OSError):  # the terminal is gone after SIGHUP
        print(f"ase-mlips: {' '.join(message.split())}", file=sys.stderr)
    return code

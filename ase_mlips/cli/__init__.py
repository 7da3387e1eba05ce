"""The `ase-mlips` command.

Only the parser is loaded at first: ASE and Numba cost more than a second, which `--help` should not.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from importlib import import_module

from .parser import build_parser


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
        Ctrl-C and 141 when the reader of standard output has left.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = build_parser().parse_args(arguments)
    args.arguments = arguments
    try:
        code = _run(args)
        sys.stdout.flush()
    except BrokenPipeError:
        # Without this the interpreter would flush once more at exit, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    return code


def _run(args: Namespace) -> int:
    from ase.calculators.calculator import CalculationFailed, CalculatorError, PropertyNotImplementedError

    try:
        return int(import_module(f".{args.module}", __package__).run(args))
    except BrokenPipeError:
        raise
    except CalculationFailed as error:
        return _fail(_sentence(error), 1)
    except (OSError, ValueError, CalculatorError, PropertyNotImplementedError) as error:
        return _fail(_sentence(error), 2)


def _sentence(error: Exception) -> str:
    """The message, after the notes that say where it happened."""
    message = str(error)
    if isinstance(error, OSError) and error.filename is not None and error.strerror is not None:
        message = f"{error.filename}: {error.strerror}"
    return ": ".join([*getattr(error, "__notes__", []), message])


def _fail(message: str, code: int) -> int:
    print(f"ase-mlips: {' '.join(message.split())}", file=sys.stderr)
    return code

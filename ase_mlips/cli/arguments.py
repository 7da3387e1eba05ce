"""What the values of the command's arguments may be; nothing here imports more than the standard library."""

from __future__ import annotations

import math
from argparse import Action, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence
from typing import Any

_SYMBOL_OPTIONS = ("--species", "--elements")
_ENSEMBLES = {"nvt": "bussi"}


class Symbols(Action):
    """Chemical symbols, apart by spaces or commas."""

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, option_string: str | None = None
    ) -> None:
        setattr(namespace, self.dest, [symbol for word in values for symbol in word.split(",") if symbol])


def joined_symbols(arguments: Sequence[str]) -> list[str]:
    """Arguments in which ``--species Li,P,S`` ends with that word, so that MODEL and STRUCTURE may follow."""
    joined: list[str] = []
    for word in arguments:
        if joined and joined[-1] in _SYMBOL_OPTIONS and "," in word.strip(","):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def ensemble(text: str) -> str:
    """The name of an integrator; that of nvt is bussi, which hardly disturbs how atoms move."""
    return _ENSEMBLES.get(text, text)


def number(text: str, expected: str = "a finite number") -> float:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ArgumentTypeError(f"expected {expected}, got {text!r}")
    return value


def positive(text: str) -> float:
    """A positive number."""
    value = number(text, "a positive number")
    if value <= 0.0:
        raise ArgumentTypeError(f"expected a positive number, got {text!r}")
    return value


def not_negative(text: str) -> float:
    """Zero or a positive number."""
    value = number(text, "zero or a positive number")
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


def charges(text: str) -> dict[str, float]:
    """Charges of elements, such as Li=1,S=-2."""
    found: dict[str, float] = {}
    for part in text.split(","):
        symbol, equals, charge = part.partition("=")
        if not (symbol and equals) or symbol in found:
            raise ArgumentTypeError(f"expected each element once with its charge such as Li=1,S=-2, got {text!r}")
        found[symbol] = number(charge, f"a charge in e of {symbol}")
    return found


def pairs(text: str) -> list[tuple[str, str]]:
    """Pairs of elements, such as Cu-S,Cu-Cu."""
    found = [tuple(part.split("-")) for part in text.split(",")]
    if not all(len(pair) == 2 and all(pair) for pair in found):
        raise ArgumentTypeError(f"expected pairs of elements such as Cu-S,Cu-Cu, got {text!r}")
    return [(first, second) for first, second in found]


def layers(text: str) -> tuple[int, ...]:
    """Nodes of the layers of a network, such as 32x32."""
    expected = "nodes of the layers such as 32x32"
    try:
        return tuple(_whole(part, 1, expected) for part in text.split("x"))
    except ArgumentTypeError:
        raise ArgumentTypeError(f"expected {expected}, got {text!r}") from None


def count(text: str) -> int:
    """A positive integer."""
    return _whole(text, 1, "a positive integer")


def frame_range(text: str) -> slice:
    """START:STOP or START:STOP:STEP, as in Python."""
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


def seed(text: str) -> int:
    """Zero or a positive integer."""
    return _whole(text, 0, "zero or a positive integer")

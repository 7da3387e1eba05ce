"""The LAMMPS commands of a potential's include file: ``pair_style``, ``pair_coeff`` and ``variable``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations

from ..files.text import FilePath, Row, complaint, quoted, read_text
from .model import Zbl

_WORD = re.compile(r"\"[^\"]*\"|'[^']*'|[^\s\"']+|[\"']")
_COMMENT = re.compile(r"^((?:\"[^\"]*\"|'[^']*'|[^#\"'])*)#.*$", re.DOTALL)
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w)|)", re.ASCII)
_RANGE = re.compile(r"(\d{0,3})(\*?)(\d{0,3})", re.ASCII)
_LONGEST = 1000  # variables may contain others and would otherwise grow exponentially
_SUFFIX = re.compile(r"/(kk(/host|/device)?|intel|omp|gpu|opt)$")  # of the same style on other hardware
_NOT_ABOUT_ENERGIES = frozenset([
    "atom_modify", "atom_style", "boundary", "comm_modify", "comm_style", "dimension", "echo", "log", "mass",
    "neigh_modify", "neighbor", "newton", "package", "print", "processors", "suffix", "thermo", "thermo_modify",
    "thermo_style", "timestep",
])  # fmt: skip


@dataclass(frozen=True)
class Include:
    """What an include file asks for.

    Attributes
    ----------
    style : str
        ``snap``, or the kind of ML-IAP model: ``linear``, ``quadratic``, ``nn`` or ``mliappy``.
    model, parameters : str
        File names as written there.
    elements : tuple of str
        In the order of LAMMPS's atom types, each once and without NULL.
    zbl : Zbl or None
    files, mapping : Row
        The lines that name the files and the elements, for messages.
    """

    style: str
    model: str
    parameters: str
    elements: tuple[str, ...]
    zbl: Zbl | None
    files: Row
    mapping: Row


@dataclass
class _Commands:
    """Everything gathered so far from the commands."""

    style: Row | None = None
    hybrid: bool = False
    snap: tuple[str, str, str] | None = None
    cutoffs: tuple[float, float] | None = None
    mapping: Row | None = None
    charges: list[Row] = field(default_factory=list)


def parse_include(path: FilePath) -> Include:
    """Read an include file with ``pair_style snap`` or ``mliap``, alone or overlaid with ``zbl``.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        ``path:line: expected ..., got ...`` for a command that is malformed or changes energies in another way.
    """
    commands = _Commands()
    last = 1
    for row in _command_rows(path):
        last = row.line
        name, *arguments = row.words
        if name == "pair_style":
            _read_style(row, arguments, commands)
        elif name == "pair_coeff":
            _read_coefficients(row, arguments, commands)
        elif name == "units":
            if arguments != ["metal"]:
                raise row.error("units metal")
        else:
            raise row.error("the command variable, units, pair_style or pair_coeff", quoted(name))
    if commands.style is None:
        raise complaint(path, last, "a pair_style command", "the end of the file")
    if commands.mapping is None:
        raise complaint(path, last, "a pair_coeff * * command for snap or mliap", "the end of the file")
    return _assemble(commands, commands.style, commands.mapping)


def _command_rows(path: FilePath) -> Iterator[Row]:
    """Commands with continuation lines joined, comments removed and variables replaced."""
    variables: dict[str, str] = {}
    pending, first = "", 0
    lines = read_text(path).split("\n")
    for number, text in enumerate(lines, 1):
        first = first if pending else number
        pending += text
        if text.rstrip().endswith("&") and number < len(lines):
            pending = pending.rstrip()[:-1] + " "
            continue
        pending, command = "", _COMMENT.sub(r"\1", pending)
        if _NOT_ABOUT_ENERGIES.intersection(command.split(None, 1)[:1]):
            continue
        row = Row(path, first, (command.strip(),))
        words = _WORD.findall(_substituted(row, command, variables))
        if '"' in words or "'" in words:
            raise row.error("a closing quote")
        row = Row(path, first, tuple(word.strip("\"'") for word in words))
        if row.words and row.words[0] == "variable":
            _define(row, variables)
        elif row.words:
            yield row


def _substituted(row: Row, command: str, variables: dict[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name not in variables:
            raise row.error("a variable that was defined above", quoted(match[0] if name else command.strip()))
        return variables[name]

    return _VARIABLE.sub(value, command)


def _define(row: Row, variables: dict[str, str]) -> None:
    if len(row.words) < 4 or row.words[2] not in ("equal", "index", "string"):
        raise row.error("'variable name equal|index|string value'")
    _, name, kind, value, *more = row.words
    if kind == "equal":
        row.number(value, f"the variable {name} (formulas are not supported)")
    if (more and kind != "index") or len(value) > _LONGEST:
        raise row.error(f"one value of at most {_LONGEST} characters for the variable {name}")
    variables.setdefault(name, value) if kind == "index" else variables.update({name: value})


def _read_style(row: Row, arguments: list[str], commands: _Commands) -> None:
    if commands.style is not None:
        raise row.error("one pair_style command", "a second one")
    commands.style = row
    styles = arguments[:]
    commands.hybrid = bool(styles) and styles[0] == "hybrid/overlay"
    if commands.hybrid:
        del styles[0]
    found = 0
    while styles:
        found += 1
        _read_substyle(row, styles, commands)
    if commands.snap is None or (found > 1 and not commands.hybrid):
        raise row.error("pair_style snap, mliap, or hybrid/overlay of one of them with zbl")


def _read_substyle(row: Row, styles: list[str], commands: _Commands) -> None:
    """Take one style with its arguments off the front of `styles`."""
    style = _SUFFIX.sub("", styles.pop(0))
    if style in ("snap", "mliap") and commands.snap is not None:
        raise row.error("one snap or mliap style", "a second one")
    if style == "snap":
        commands.snap = ("snap", "", "")
    elif style == "mliap":
        commands.snap = _mliap_files(row, styles)
    elif style == "zbl" and commands.hybrid and commands.cutoffs is None and len(styles) >= 2:
        commands.cutoffs = (row.number(styles[0], "zbl inner"), row.number(styles[1], "zbl outer"))
        if not 0.0 < commands.cutoffs[0] < commands.cutoffs[1]:
            raise row.error("zbl cutoffs 0 < inner < outer", f"{styles[0]} and {styles[1]}")
        del styles[:2]
    elif style == "zero" and commands.hybrid and styles:
        row.number(styles.pop(0), "the cutoff of pair_style zero")
    else:
        raise row.error("the pair styles snap, mliap, zbl (inner, outer) or zero (cutoff)", quoted(style))


def _mliap_files(row: Row, styles: list[str]) -> tuple[str, str, str]:
    if len(styles) < 6 or styles[0] != "model" or styles[3] != "descriptor":
        raise row.error("'mliap model linear|quadratic|nn|mliappy FILE descriptor sna FILE'")
    _, kind, model, _, descriptor, parameters = styles[:6]
    if kind not in ("linear", "quadratic", "nn", "mliappy"):
        raise row.error("a linear, quadratic, nn or mliappy model", f"{quoted(kind)}, which is not supported")
    if descriptor != "sna":
        raise row.error("the descriptor sna", f"{quoted(descriptor)}, which is not supported")
    del styles[:6]
    return kind, model, parameters


def _read_coefficients(row: Row, arguments: list[str], commands: _Commands) -> None:
    if commands.style is None or commands.snap is None:
        raise row.error("pair_style before pair_coeff")
    own = "snap" if commands.snap[0] == "snap" else "mliap"
    if len(arguments) < 3 - (own == "snap" and not commands.hybrid) or (commands.hybrid and len(arguments) < 3):
        raise row.error("'pair_coeff I J ...'")
    style = _SUFFIX.sub("", arguments.pop(2)) if commands.hybrid else own
    if style == "zbl" and commands.cutoffs is not None:
        if len(arguments) != 4:
            raise row.error("'pair_coeff I J zbl Z Z'")
        commands.charges.append(Row(row.path, row.line, tuple(arguments)))
    elif style == own:
        if arguments[:2] != ["*", "*"] or len(arguments) < (5 if own == "snap" else 3):
            files = "COEFFICIENTS PARAMETERS " if own == "snap" else ""
            raise row.error(f"'pair_coeff * * {own + ' ' if commands.hybrid else ''}{files}ELEMENT ...'")
        if commands.mapping is not None:
            raise row.error(f"one pair_coeff command for {own}", "a second one")
        commands.mapping = Row(row.path, row.line, tuple(arguments[2:]))
    elif style != "zero":
        raise row.error("pair_coeff of a style that pair_style names", quoted(style))


def _assemble(commands: _Commands, style: Row, mapping: Row) -> Include:
    kind, model, parameters = commands.snap or ("", "", "")
    types, files = mapping.words, style
    if kind == "snap":
        (model, parameters), types, files = mapping.words[:2], mapping.words[2:], mapping
    elements = tuple(dict.fromkeys(symbol for symbol in types if symbol != "NULL"))
    if not elements:
        raise mapping.error("an element beside NULL", quoted(" ".join(types)))
    zbl = None
    if commands.cutoffs is not None:
        zbl = Zbl(*commands.cutoffs, _charges(commands.charges, types, style))
    return Include(kind, model, parameters, elements, zbl, files, mapping)


def _charges(rows: list[Row], types: tuple[str, ...], style: Row) -> tuple[float, ...]:
    """Nuclear charge of each element; every pair of atom types that have one must have been given its own two."""
    count = len(types)
    pairs: dict[tuple[int, int], tuple[Row, float, float]] = {}
    for row in rows:
        first, second = (row.number(w, "a nuclear charge") for w in row.words[2:])
        if min(first, second) <= 0.0:
            raise row.error("positive nuclear charges")
        for i in _types(row, row.words[0], count):
            for j in _types(row, row.words[1], count):
                if i <= j:
                    pairs[i, j] = (row, first, second)
    charges: dict[str, float] = {}
    named = [n for n in range(1, count + 1) if types[n - 1] != "NULL"]
    for i, j in [*zip(named, named, strict=True), *combinations(named, 2)]:
        if (i, j) not in pairs:
            raise style.error(f"pair_coeff {i} {j} zbl Z Z", "none")
        row, *given = pairs[i, j]
        own = [charges.setdefault(types[n - 1], charge) for n, charge in zip((i, j), given, strict=True)]
        if given != own:
            raise row.error(f"the nuclear charges {own[0]:g} {own[1]:g} of types {i} {j}")
    return tuple(charges.values())


def _types(row: Row, word: str, count: int) -> range:
    """Atom types that LAMMPS's notation ``3``, ``*``, ``2*``, ``*3`` or ``2*3`` stands for."""
    match = _RANGE.fullmatch(word)
    if match is None or not word:
        raise row.error("an atom type or a range of them", quoted(word))
    low = int(match[1] or 1)
    high = int(match[3] or count) if match[2] else low
    if not 1 <= low <= high <= count:
        raise row.error(f"atom types from 1 to {count}", quoted(word))
    return range(low, high + 1)

"""The part of YAML that ACE files use: blocks by indentation, and within a line ``{key: value}`` and ``[..]``.

PyYAML refuses keys such as ``[0, 0]``, takes ``1e-05`` for a word, and needs a second for 200 kB.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from ..files.text import FilePath, Row, read_text

Value = Any  # str, list of values, or Block
_DEEPEST = 12
_TOKEN = re.compile(r"\s*([\[\]{},]|\"[^\"]*\"|'[^']*'|[^\[\]{},:\s](?:[^\[\]{},:]|:(?!\s))*|:(?=\s|$))")
_KEY = re.compile(r"(\[[^\]]*\]|\"[^\"]*\"|'[^']*'|[^\s\[\]{},:#]+)\s*:(?:\s+(.*)|)$", re.DOTALL)


@contextmanager
def blamed(row: Row) -> Iterator[None]:
    """Put ``path:line:`` before a ValueError that is raised within, unless it has it already."""
    try:
        yield
    except ValueError as error:
        if str(error).startswith(f"{row.path}:"):
            raise
        raise row.error(*_parts(str(error))) from None


def _parts(message: str) -> tuple[str, str]:
    """What was expected, and what was there instead."""
    expected, _, got = message.removeprefix("expected ").rpartition(", got ")
    return expected, got


@dataclass
class Block:
    """Values by their keys; a missing or repeated key or a value of another kind is complained about with its line."""

    row: Row
    items: dict[str, tuple[Value, Row]] = field(default_factory=dict)

    def add(self, key: str, value: Value, row: Row) -> None:
        """Take a value; ValueError if there is one of that name."""
        if key in self.items:
            raise row.error("each key once", repr(key))
        self.items[key] = value, row

    def __contains__(self, key: str) -> bool:
        return key in self.items

    def _get(self, key: str, what: str) -> tuple[Value, Row]:
        if key not in self.items:
            raise self.row.error(f"{key}: {what}", "none")
        return self.items[key]

    def block(self, key: str) -> Block:
        """A nested block."""
        value, row = self._get(key, "a block of keys and values")
        if not isinstance(value, Block):
            raise row.error(f"{key}: a block of keys and values", _said(value))
        return value

    def blocks(self, key: str) -> list[Block]:
        """A list of blocks."""
        value, row = self._get(key, "a list of blocks")
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(entry, Block) for entry in value):
            raise row.error(f"{key}: a list of blocks", _said(value))
        return value

    def word(self, key: str, default: str | None = None) -> str:
        """A word, or `default` (if any) where the key is missing."""
        if default is not None and key not in self.items:
            return default
        value, row = self._get(key, "a word")
        if not isinstance(value, str):
            raise row.error(f"{key}: a word", _said(value))
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """A finite number, or `default`."""
        if default is not None and key not in self.items:
            return default
        word = self.word(key)
        return self.items[key][1].number(word, key)

    def integer(self, key: str) -> int:
        """An integer; ``2.0`` is one."""
        word = self.word(key)
        return self._whole(word, key)

    def words(self, key: str) -> list[str]:
        """A list of words."""
        value, row = self._get(key, "a list")
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise row.error(f"{key}: a list of words or numbers", _said(value))
        return value

    def numbers(self, key: str) -> list[float]:
        """A list of finite numbers."""
        words = self.words(key)
        row = self.items[key][1]
        return [row.number(word, key) for word in words]

    def integers(self, key: str) -> list[int]:
        """A list of integers."""
        words = self.words(key)
        return [self._whole(word, key) for word in words]

    def nested(self, key: str) -> Value:
        """Lists of lists of .. numbers, all as they are nested in the file."""
        value, row = self._get(key, "a list")

        def convert(part: Value) -> Value:
            if isinstance(part, list):
                return [convert(each) for each in part]
            if not isinstance(part, str):
                raise row.error(f"{key}: lists of numbers", _said(part))
            return row.number(part, key)

        if not isinstance(value, list):
            raise row.error(f"{key}: a list", _said(value))
        return convert(value)

    def _whole(self, word: str, key: str) -> int:
        row = self.items[key][1]
        number = row.number(word, key)
        if number != int(number) or abs(number) > 1e9:
            raise row.error(f"{key}: integers", repr(word[:20]))
        return int(number)


def _said(value: Value) -> str:
    kinds = {str: "a word", list: "a list", Block: "a block"}
    return kinds.get(type(value), "nothing")


def read_blocks(path: FilePath) -> Block:
    """The file as a block; ``#`` begins a comment.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        ``path:line: expected ..., got ...``.
    """
    lines = list(_logical_lines(path))
    if not lines:
        raise Row(path, 1, ()).error("keys and values", "an empty file")
    reader = _Reader(lines)
    found = reader.value(lines[0][0])
    if reader.place < len(lines):
        _, row, text = lines[reader.place]
        raise row.error("an indentation as above", repr(text[:40]))
    if not isinstance(found, Block):
        raise lines[0][1].error("keys and values", repr(lines[0][2][:40]))
    return found


def _logical_lines(path: FilePath) -> Iterator[tuple[int, Row, str]]:
    """Indentation, row and text of the lines, those joined that an open bracket needs."""
    text = read_text(path)
    pending, depth, first, indent = "", 0, 0, 0
    for number, line in enumerate(text.split("\n"), 1):
        if "#" in line:
            line = re.sub(r"(^|\s)#.*", "", line)
        if not line.strip() or (depth == 0 and line.strip() in ("---", "...")):
            continue
        if depth == 0:
            first, pending = number, ""
            indent = len(line) - len(line.lstrip(" "))
            if line.lstrip(" ")[0] == "\t":
                raise Row(path, number, ()).error("an indentation of blanks", "a tabulator")
        pending += line + " "
        depth += line.count("[") + line.count("{") - line.count("]") - line.count("}")
        if depth == 0:
            yield indent, Row(path, first, ()), pending.strip()
    if depth != 0:
        raise Row(path, first, ()).error("as many closing brackets as opening ones", "more or fewer")
    if text and not text[-1].isspace() and not pending.rstrip().endswith(("}", "]")):
        raise Row(path, max(first, 1), ()).error("a newline behind the last word", "the end of the file")


class _Reader:
    """Blocks by indentation."""

    def __init__(self, lines: list[tuple[int, Row, str]]) -> None:
        self.lines, self.place, self.depth = lines, 0, 0

    def value(self, indent: int) -> Value:
        """The block, list or word that begins here."""
        row = self.lines[self.place][1]
        self.depth += 1
        if self.depth > _DEEPEST:
            raise row.error(f"at most {_DEEPEST} levels", "more")
        found = self._list(indent) if self.lines[self.place][2].startswith("- ") else self._block(indent)
        self.depth -= 1
        return found

    def _block(self, indent: int) -> Block:
        block = Block(self.lines[self.place][1])
        while self.place < len(self.lines):
            at, row, text = self.lines[self.place]
            if at != indent or text.startswith("- "):
                if at > indent:
                    raise row.error("an indentation as above", repr(text[:40]))
                break
            match = _KEY.match(text)
            if match is None:
                raise row.error("'key: value'", repr(text[:40]))
            self.place += 1
            key, rest = match[1].strip("\"'").replace(" ", ""), match[2]
            block.add(key, parse_flow(rest, row) if rest and rest.strip() else self._below(indent), row)
        return block

    def _below(self, indent: int) -> Value:
        """What a key stands above; nothing if no line is further in."""
        if self.place == len(self.lines):
            return None
        at, _, text = self.lines[self.place]
        return self.value(at) if at > indent or (at == indent and text.startswith("- ")) else None

    def _list(self, indent: int) -> list[Value]:
        found: list[Value] = []
        while self.place < len(self.lines):
            at, row, text = self.lines[self.place]
            if at != indent or not text.startswith("- "):
                break
            rest = text[2:].lstrip()
            if _KEY.match(rest):  # a block that begins behind the dash
                inner = at + len(text) - len(rest)
                self.lines[self.place] = inner, row, rest
                found.append(self.value(inner))
            else:
                self.place += 1
                found.append(parse_flow(rest, row))
        return found


def parse_flow(text: str, row: Row) -> Value:
    """The value that a piece of a line is."""
    tokens = _tokens(text, row)
    found = _flow(next(tokens, None), tokens, row, 0)
    for extra in tokens:
        raise row.error("nothing behind the value", repr(extra[:40]))
    return found


def _tokens(text: str, row: Row) -> Iterator[str]:
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            if text[place:].strip():
                raise row.error("words, brackets, commas and colons", repr(text[place : place + 40]))
            return
        place = match.end()
        yield match[1].rstrip()


def _flow(token: str | None, tokens: Iterator[str], row: Row, depth: int) -> Value:
    if depth > _DEEPEST:
        raise row.error(f"at most {_DEEPEST} levels", "more")
    if token == "[":
        return _flow_list(tokens, row, depth)
    if token == "{":
        return _flow_block(tokens, row, depth)
    if token is None or token in "]},:":
        raise row.error("a value", repr(token or "the end of the line"))
    return token.strip("\"'")


def _flow_list(tokens: Iterator[str], row: Row, depth: int) -> list[Value]:
    found: list[Value] = []
    for token in tokens:
        if token == "]":
            return found
        found.append(_flow(token, tokens, row, depth + 1))
        token = next(tokens, "")
        if token == "]":
            return found
        if token != ",":
            raise row.error("a comma or ] in a list", repr(token[:40]))
    raise row.error("a list that is closed", "the end of the line")


def _flow_block(tokens: Iterator[str], row: Row, depth: int) -> Block:
    block = Block(row)
    for token in tokens:
        if token == "}":
            return block
        key = token.strip("\"'")
        if next(tokens, "") != ":":
            raise row.error("'key: value' between braces", repr(key[:40]))
        block.add(key, _flow(next(tokens, None), tokens, row, depth + 1), row)
        token = next(tokens, "")
        if token == "}":
            return block
        if token != ",":
            raise row.error("a comma or } between braces", repr(token[:40]))
    raise row.error("braces that are closed", "the end of the line")


def flat(values: Value) -> list[float]:
    """The numbers of lists of lists, in order."""
    return list(chain.from_iterable(flat(part) if isinstance(part, list) else [part] for part in values))

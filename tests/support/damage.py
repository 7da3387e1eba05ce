"""Damage to files, and the one sentence with which a reader has to refuse them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

Content = TypeVar("Content", str, bytes)
Model = TypeVar("Model")

ARCHIVES = (".npz", ".pt")  # have no lines
WORDS = ("", "nan", "-inf", "1e999", "1e-320", "0", "-1", "1", "2", "3", "99999999", "9999999999", "9" * 20, "0x10",
         "1_0", "x" * 5000, "\u0663", "#", "\n", "\r", "\t", "\0", "\x0b", "\u2028", "\udcff")  # fmt: skip
KINDS = ("word", "word", "word", "line", "drop", "repeat", "swap", "cut", "insert", "part")


def fuzz(max_examples: int) -> settings:
    """The same examples in every run; a file that takes 5 s to be read is a failure."""
    health = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(max_examples=max_examples, deadline=5000, derandomize=True, suppress_health_check=health)


def replaced(content: Content, old: Content, new: Content) -> Content:
    """The content with the first `old`, which has to be there, replaced."""
    assert old in content
    return content.replace(old, new, 1)


def beginnings(content: Content) -> Iterator[Content]:
    """What can be left of the content when whole lines are lost at its end, the shortest first."""
    end = 0
    for line in content.splitlines(keepends=True):
        yield content[:end]
        end += len(line)


def put(path: Path, content: str | bytes) -> None:
    """Make a new file: ext4 waits for the disk when one that is there gets other content."""
    path.unlink(missing_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape"))


def check_sentence(message: str, path: Path, beside: bool) -> None:
    """``path:line: expected ..., got ...`` of the file, or of one beside it where `beside`; no line in archives."""
    found = re.match(r"(.+?)(?::(\d+))?: expected .+, got .", message)
    assert found, message
    named = Path(found[1])
    assert named == path or (beside and named.parent == path.parent), message
    if named.suffix in ARCHIVES:
        assert found[2] is None, message
    else:
        content = named.read_bytes()
        assert 1 <= int(found[2]) <= content.count(b"\n") + content.count(b"\r") + 1, message
    assert len(message) < 1000
    assert "\n" not in message
    message.encode("utf-8")


def read_damaged(
    read: Callable[[Path], Model], path: Path, content: str | bytes, *, beside: bool = False
) -> Model | None:
    """What `read` makes of the content put at `path`, or None where it refuses that with one sentence."""
    put(path, content)
    try:
        return read(path)
    except ValueError as error:
        check_sentence(str(error), path, beside)
        return None


def refusal(read: Callable[[Path], object], path: Path, content: str | bytes, *, beside: bool = False) -> str:
    """The sentence with which `read` refuses the content put at `path`."""
    put(path, content)
    with pytest.raises(ValueError, match=": expected ") as caught:
        read(path)
    check_sentence(str(caught.value), path, beside)
    return str(caught.value)


@dataclass(frozen=True)
class Edit:
    """A change of a line, word or part of a content; places in it are from 0 to 1."""

    kind: str
    where: float
    other: float
    word: str

    def __call__(self, content: bytes) -> bytes:
        patch = self.word.encode("utf-8", "surrogateescape")
        if self.kind == "cut":
            return content[: int(self.other * len(content))]
        if self.kind == "part":
            start = int(self.other * len(content))
            return content[:start] + patch + content[start + int(self.where * 8) :]
        lines = content.split(b"\n")
        n, m = int(self.where * len(lines)), int(self.other * len(lines))
        if self.kind == "word":
            words = re.split(rb"([ ,]+)", lines[n])
            words[2 * int(self.other * (len(words) + 1) / 2)] = patch
            lines[n] = b"".join(words)
        elif self.kind == "line":
            lines[n] = patch
        elif self.kind == "drop":
            del lines[n]
        elif self.kind == "repeat":
            lines.insert(m, lines[n])
        elif self.kind == "swap":
            lines[n], lines[m] = lines[m], lines[n]
        else:
            lines.insert(n, patch)
        return b"\n".join(lines)


@dataclass(frozen=True)
class Tail:
    """Any bytes in place of the end of a content."""

    keep: float
    tail: bytes

    def __call__(self, content: bytes) -> bytes:
        return content[: int(self.keep * len(content))] + self.tail


def edits(words: Sequence[str], *, front: float = 1.0) -> st.SearchStrategy[Edit]:
    """Any edit with the usual words and these; half of them in the part `front` of the content."""
    place = st.floats(0, 1, exclude_max=True)
    word = st.sampled_from([*WORDS, *words]) | st.text(max_size=6) | st.floats().map(repr) | st.integers().map(str)
    return st.builds(Edit, st.sampled_from(KINDS), st.floats(0, front, exclude_max=True) | place, place, word)


def tails() -> st.SearchStrategy[Tail]:
    """Any end."""
    return st.builds(Tail, st.floats(0, 1), st.binary(max_size=60))

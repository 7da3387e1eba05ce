"""The comment line of an extended xyz file: keys and values."""

from __future__ import annotations

import re
from functools import lru_cache

_CLOSING = {"'": "'", '"': '"', "{": "}", "[": "]"}
# Anything but blanks and `=`; within quotes or brackets, and behind a backslash, anything.  A last quote may be open.
_PART = (
    r"""(?:[^\s='"{\[\\]++|\\.?|'(?:[^'\\]|\\.)*+(?:'|\\?$)|"(?:[^"\\]|\\.)*+(?:"|\\?$)"""
    r"""|\{(?:[^}\\]|\\.)*+(?:\}|\\?$)|\[(?:[^]\\]|\\.)*+(?:\]|\\?$))"""
)
_PAIR = re.compile(rf"({_PART}++)((?:\s*+=\s*+{_PART}*+)*+)", re.DOTALL)
_SPECIAL = re.compile(r"""['"{\[\\]""")


def parsed(comment: str) -> dict[str, str]:
    """Values by key as ASE divides the line, without their quotes; ``T`` for a key without a value.

    There may be blanks around ``=``; what stands between quotes or brackets is one value, whatever it contains.
    """
    return {_plain(key): _plain(value.strip()[1:].lstrip()) if value else "T" for key, value in _PAIR.findall(comment)}


def looked_up(pairs: dict[str, str], name: str) -> str:
    """The value of a key in any case, that of just this case first; empty where there is none."""
    if name in pairs:
        return pairs[name]
    small = name.lower()
    return next((value for key, value in pairs.items() if key.lower() == small), "")


@lru_cache(maxsize=64)  # keys and cells of one frame are often those of the next
def _plain(text: str) -> str:
    """Without the quotes and backslashes, and without blanks outside of quotes."""
    special = _SPECIAL.search(text)
    if special is None:
        return "".join(text.split())
    last = len(text) - 1
    if special.start() == 0 and text.find(_CLOSING.get(text[0], " "), 1) == last and not _SPECIAL.search(text, 1, last):
        return text[1:-1]
    closing, escaped, kept = "", False, []
    for char in text:
        if escaped or (closing and char not in (closing, "\\")):
            kept.append(char)
            escaped = False
        elif char == "\\":
            escaped = True
        elif closing:
            closing = ""
        elif char in _CLOSING:
            closing = _CLOSING[char]
        elif not char.isspace():
            kept.append(char)
    return "".join(kept)

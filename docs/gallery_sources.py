"""From the examples, scripts in percent format with Markdown cells, to what sphinx-gallery reads."""

import re
from pathlib import Path

HEADER = """Examples
========

Scripts of a minute each, which end with a figure and an asserted number; the tests run them. Each is a file of the
folder ``examples`` of the sources. Some repeat figures of papers: ``python examples/gallery.py`` runs these, at their
real size with ``--full``, and prints what each found beside what the paper has.
"""


def write_gallery_sources(examples: Path, target: Path) -> Path:
    """Write the numbered scripts of `examples` anew into `target`, which is returned; scripts that went are removed."""
    target.mkdir(exist_ok=True)
    texts = {path.name: as_gallery(path.read_text()) for path in sorted(examples.glob("[0-9]*.py"))}
    texts["GALLERY_HEADER.rst"] = HEADER
    for path in target.iterdir():
        if path.name not in texts:
            path.unlink()
    for name, text in texts.items():
        path = target / name
        if not path.exists() or path.read_text() != text:  # else nothing is built again
            path.write_text(text)
    return target


def as_gallery(script: str) -> str:
    """The script with its first cell as a docstring, and the other Markdown cells as reStructuredText."""
    first, *cells = re.split(r"^# %%", script, flags=re.MULTILINE)[1:]
    title, *lines = _prose(first)
    heading = title.removeprefix("# ")
    parts = ["\n".join(['r"""', heading, "=" * len(heading), *lines, '"""', ""])]
    for cell in cells:
        if cell.startswith(" [markdown]"):
            parts.append("\n".join(["# %%", *(f"# {line}".rstrip() for line in _prose(cell))]) + "\n")
        else:
            # cells without prose belong to the block before
            parts.append(cell.split("\n", 1)[1].rstrip("\n") + "\n")
    return "\n".join(parts)


def _prose(cell: str) -> list[str]:
    """The lines of a Markdown cell, with headings, code and links as in reStructuredText."""
    lines = [line.removeprefix("#").removeprefix(" ") for line in cell.strip().splitlines()[1:]]
    text = "\n".join(lines)
    text = re.sub(r"^##+ (.*)\n?", lambda found: f"{found[1]}\n{'-' * len(found[1])}\n", text, flags=re.MULTILINE)
    text = re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", text)
    text = re.sub(r"\[([^\]]+)\]\((http[^)]+)\)", r"`\1 <\2>`__", text)
    return text.splitlines()

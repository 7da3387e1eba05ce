"""Run the scripts that repeat figures of papers, and print what each found beside what the paper has.

``python examples/gallery.py [--full] [--only NAME ...] [--folder FOLDER]``

Scripts run one after the other, each in a process and a folder of its own, ``FOLDER/NAME`` (``gallery/NAME``), where
its figure and its output ``output.txt`` are left. ``--only 05 10`` takes those whose names begin with one of these.

What a script does for it:

* It is called with ``--full`` or without arguments, and computes at its real or at a reduced size: ``FULL = "--full" in
  sys.argv``. The reduced size takes at most 25 seconds on one slow core with compiled kernels.
* It writes one PNG file into the current folder, and asserts one number.
* Just before it asserts, it prints one or a few lines with three fields and two bars, which become rows of the table::

      FOUND: what was looked at | what was found here, with unit and error | what the paper has, or its order

  A value with its error reads ``0.31(2)``, a paper's value ``Fig. 2a: 0.3``, an order ``Fig. 2a: network < linear``.
* What cannot run here prints ``skipped: why`` as its first line, and ends.

A script that fails is a row with the last line of its error, and the gallery goes on and ends with status 1. A script
of the list that is not there is a row, too, and no failure.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

HERE = Path(__file__).parent
FIGURES = {
    "05_model_complexity": "Rohskopf et al., figs. 2, 3",
    "10_argyrodite_mtp_nep": "Liu et al., figs. 1-5",
    "11_descriptors_and_heads": "Rohskopf et al., table 1, figs. 4-7",
    "12_functionals_and_families": "Li6PS5Cl, functionals and families",
    "13_allotropes_workflow": "Ertural et al.",
    "14_gauge_of_nine_potentials": "Zhu et al., figs. 1-4",
}
MARK = "FOUND: "
WIDTHS = 30, 46, 34, 40


def run(name: str, folder: Path, arguments: list[str]) -> tuple[list[list[str]], bool]:
    """The rows of one script, and whether it has failed."""
    script = HERE / f"{name}.py"
    if not script.exists():
        return [["not in this folder", "", ""]], False
    folder.mkdir(parents=True, exist_ok=True)
    environment = {"MPLBACKEND": "Agg"} | os.environ
    done = subprocess.run(
        [sys.executable, script.resolve(), *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    (folder / "output.txt").write_text(done.stdout + done.stderr)
    rows = found(done.stdout)
    if done.returncode:
        rows.append([f"failed: {(done.stderr.strip().splitlines() or ['without a word'])[-1]}", "", ""])
    elif not rows:
        rows = [["it says nothing of what it found", "", ""]]
    return rows, done.returncode != 0 or "it says nothing" in rows[0][0]


def found(output: str) -> list[list[str]]:
    """What was looked at, found, and is in the paper, of each line of `output` that says so."""
    if output.startswith("skipped: "):
        return [[output.splitlines()[0], "", ""]]
    lines = [line.removeprefix(MARK) for line in output.splitlines() if line.startswith(MARK)]
    return [[*(field.strip() for field in line.split("|", 2)), "", ""][:3] for line in lines]


def print_row(*cells: str) -> None:
    """One row, with long cells on several lines."""
    columns = [textwrap.wrap(cell, width) or [""] for cell, width in zip(cells, WIDTHS, strict=True)]
    for k in range(max(map(len, columns))):
        parts = (column[k] if k < len(column) else "" for column in columns)
        print("  ".join(f"{part:<{width}}" for part, width in zip(parts, WIDTHS, strict=True)).rstrip(), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="the sizes of the papers, which take hours")
    parser.add_argument("--only", nargs="+", default=[""], metavar="NAME", help="names, or how they begin")
    parser.add_argument("--folder", type=Path, default=Path("gallery"), help="where figures and outputs go")
    options = parser.parse_args()
    names = [name for name in FIGURES if name.startswith(tuple(options.only))]
    if not names:
        parser.error(f"--only {' '.join(options.only)} fits none of {', '.join(FIGURES)}")
    print_row("script, paper, time", "looked at", "found", "paper")
    failed = False
    for name in names:
        start = time.perf_counter()
        rows, broken = run(name, options.folder / name, ["--full"] * options.full)
        failed |= broken
        first = f"{name}; {FIGURES[name]}; {time.perf_counter() - start:.0f} s"
        print("-" * (sum(WIDTHS) + 6))
        for label, row in zip([first] + [""] * (len(rows) - 1), rows, strict=True):
            print_row(label, *row)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

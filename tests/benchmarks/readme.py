"""Write the measured tables into the README, from what ``snap.py --json`` stored in ``results``."""

import json
import re
from pathlib import Path

HERE = Path(__file__).parent
README = HERE.parents[1] / "README.md"


def snap_table(results: dict) -> str:
    """The table of `snap.py`'s results."""
    before, after = results["fma"]
    lines = [
        "| model | atoms | us per atom | through ASE | LAMMPS | ratio | ratio through ASE |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in results["rows"]:
        lines.append(
            f"| {row['model']} | {row['atoms']} | {row['ours']:.2f} | {row['through ASE']:.2f}"
            f" | {row['LAMMPS with energy']:.0f} | {row['ratio']:.0f} | {row['ratio through ASE']:.0f} |"
        )
    lines += ["", f"A core of {min(before, after):.0f} GFlop/s (an FMA loop in double precision, before and after)."]
    return "\n".join(lines)


def with_tables(text: str) -> str:
    """The README with its tables as the stored results have them."""
    table = snap_table(json.loads((HERE / "results" / "snap.json").read_text()))
    return re.sub(r"<!-- snap -->.*<!-- /snap -->", f"<!-- snap -->\n{table}\n<!-- /snap -->", text, flags=re.DOTALL)


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text()))

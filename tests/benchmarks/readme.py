"""Write the measured tables into the README, from what the benchmarks' ``--json`` stored in ``results``."""

import json
import re
from pathlib import Path

HERE = Path(__file__).parent
README = HERE.parents[1] / "README.md"

# family: (peer's column in the results, its heading)
PEERS = {"snap": ("LAMMPS with energy", "LAMMPS"), "nep": ("calorine", "calorine"), "mtp": ("motep", "motep")}


def table(family: str) -> str:
    """The table of one family's results."""
    results = json.loads((HERE / "results" / f"{family}.json").read_text())
    column, heading = PEERS[family]
    lines = [f"| model | atoms | us per atom | {heading} | ratio |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| {row['model']} | {row['atoms']} | {row['ours']:.2f} | {row[column]:.1f} | {row['ratio']:.0f} |"
        for row in results["rows"]
    ]
    lines += ["", f"A core of {min(results['fma']):.0f} GFlop/s (an FMA loop in double precision, before and after)."]
    return "\n".join(lines)


def with_tables(text: str) -> str:
    """The README with its tables as the stored results have them."""
    for family in PEERS:
        block = f"<!-- {family} -->\n{table(family)}\n<!-- /{family} -->"
        text = re.sub(rf"<!-- {family} -->.*<!-- /{family} -->", lambda _, new=block: new, text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text()))

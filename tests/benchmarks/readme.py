"""Write the measured tables into README and manual, from what the benchmarks' ``--json`` stored in ``results``."""

import json
import re
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("[a-z]*.md")),
    *sorted((ROOT / "docs" / "families").glob("*.md")),
]

# family: (peer's column in the results, its heading)
PEERS = {"snap": ("LAMMPS with energy", "LAMMPS"), "nep": ("calorine", "calorine"), "mtp": ("motep", "motep")}
# one model of each family, 512 atoms of silicon, for the README
SUMMARY = {"snap": "Si linear, twojmax 8", "nep": "Si 2022, 5-body", "mtp": "level 16, 1 species"}


def stored(name: str) -> Any:
    """What a benchmark wrote."""
    return json.loads((HERE / "results" / f"{name}.json").read_text())


def table(family: str) -> str:
    """The table of one family's results."""
    results = stored(family)
    column, heading = PEERS[family]
    lines = [f"| model | atoms | us per atom | {heading} | ratio |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| {row['model']} | {row['atoms']} | {row['ours']:.2f} | {row[column]:.1f} | {row['ratio']:.0f} |"
        for row in results["rows"]
    ]
    lines += ["", f"A core of {min(results['fma']):.0f} GFlop/s (an FMA loop in double precision, before and after)."]
    return "\n".join(lines)


def summary_table() -> str:
    """A row of each family's table."""
    lines = ["| 512 atoms | us per atom | peer | ratio | measured by |", "| --- | --- | --- | --- | --- |"]
    for family, model in SUMMARY.items():
        column, peer = PEERS[family]
        row = next(row for row in stored(family)["rows"] if row["model"] == model and row["atoms"] == 512)
        times = f"{row['ours']:.2f} | {peer} {row[column]:.1f} | {row['ratio']:.0f}"
        lines.append(f"| {family.upper()}: {model} | {times} | `python tests/benchmarks/{family}.py` |")
    cores = [min(stored(family)["fma"]) for family in SUMMARY]
    lines += ["", f"A core of {min(cores):.0f} GFlop/s (an FMA loop in double precision, before and after)."]
    return "\n".join(lines)


def network_table() -> str:
    """Errors of linear, quadratic and network heads."""
    lines = ["| model | energy, meV/atom | force, eV/A | stress, GPa | s/epoch |", "| --- | --- | --- | --- | --- |"]
    for name, row in stored("fit_network").items():
        mae, epoch = row["mae"], f"{row['epoch_seconds']:.3f}" if "epoch_seconds" in row else ""
        lines.append(f"| {name} | {1e3 * mae['energy']:.1f} | {mae['force']:.3f} | {mae['stress']:.2f} | {epoch} |")
    return "\n".join(lines)


def analysis_table() -> str:
    """Times of the analyses and of the fastest peer of each."""
    lines = ["| what | ours | fastest peer | ratio |", "| --- | --- | --- | --- |"]
    for atoms in (512, 10_000):
        times = {row["code"]: row["ms"] for row in stored("rdf") if row["atoms"] == atoms}
        own = times.pop("ase_mlips")
        best = min(times, key=times.__getitem__)
        what = f"RDF and all partials, {atoms:,} atoms"
        lines.append(f"| {what} | {own:.2f} ms/frame | {best} {times[best]:.1f} ms/frame | {times[best] / own:.1f} |")
    for what, case in stored("correlation")["cases"].items():
        best, seconds = case["fastest_peer"], case["seconds"]
        lines.append(f"| {what} | {seconds['ours']:.3f} s | {best} {seconds[best]:.2f} s | {case['ratio']:.1f} |")
    for what, rates in stored("reading").items():
        own, ase = rates["velocities"], rates["ase"]
        lines.append(f"| reading {what}, 512 atoms | {own:.0f} frames/s | ASE {ase:.0f} frames/s | {own / ase:.1f} |")
    return "\n".join(lines)


def with_tables(text: str) -> str:
    """A page with its tables as the stored results have them."""
    tables = {family: table(family) for family in PEERS}
    tables |= {"summary": summary_table(), "fit_network": network_table(), "analysis": analysis_table()}
    for name, content in tables.items():
        block = f"<!-- {name} -->\n{content}\n<!-- /{name} -->"
        text = re.sub(rf"<!-- {name} -->.*<!-- /{name} -->", lambda _, new=block: new, text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(with_tables(page.read_text()))

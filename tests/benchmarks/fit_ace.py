"""Linear ACE and a network on its functions, fitted to silicon: ``python tests/benchmarks/fit_ace.py``.

The data are not part of this repository: Si of mlearn (Zuo et al., J. Phys. Chem. A 124, 731 (2020)), as extended xyz.
The errors are those on the test set, which no fit sees; the network sets a tenth of the training set aside to choose
the epoch.
"""

import argparse
import sys
import time
from pathlib import Path

from ase_mlips.ace import ace_template
from ase_mlips.ace.fitting import fit_ace, fit_ace_network
from ase_mlips.fit import Loss, Training, read_frames

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SHARE = 0.85  # of the force error of the linear model that the network may have
GOALS = {"energy": 0.0036, "force": 0.089}  # eV/atom, eV/A
TRAINING = Training(epochs=300, activation="softplus")
CASES = {
    "linear": lambda template, train, test: fit_ace(template, train, test=test, loss=Loss(stress=0.0)),
    "network": lambda template, train, test: fit_ace_network(template, train, test=test, training=TRAINING),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--data", type=Path, default=DATA, help="folder with mlearn/")
    options = parser.parse_args()
    if unknown := set(options.cases) - CASES.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    if not options.data.is_dir():
        print(f"no data in {options.data}; give their folder with --data")
        return 2
    train, test = (read_frames(options.data / f"mlearn/Si_{part}.extxyz") for part in ("train", "test"))
    template = ace_template(["Si"], cutoff=5.0, nmax=[8, 3, 2, 1], lmax=[0, 4, 3, 2])
    print(f"{template.n_descriptors} functions, {len(train)} training and {len(test)} test frames")
    layout = "{:<10}{:>8}{:>9}{:>8}{:>9}"
    print(layout.format("model", "E MAE", "F MAE", "S MAE", "seconds") + "   (meV/atom, eV/A, GPa; processor)")
    found, met = {}, []
    for name in options.cases or CASES:
        begin = time.process_time()
        fit = CASES[name](template, train, test)
        taken = time.process_time() - begin
        mae = found[name] = {q: fit.report.parity("test", q).score().mae for q in ("energy", "force", "stress")}
        errors = f"{1000.0 * mae['energy']:.2f}", f"{mae['force']:.4f}", f"{mae['stress']:.3f}"
        print(layout.format(name, *errors, f"{taken:.0f}"), flush=True)
    if "linear" in found:
        met.append(all(found["linear"][quantity] <= goal for quantity, goal in GOALS.items()))
    if len(found) == len(CASES):
        share = found["network"]["force"] / found["linear"]["force"]
        print(f"force error of the network: {share:.2f} of the linear model's")
        met.append(share <= SHARE)
    print("goals met" if all(met) else "goals NOT met")
    return int(not all(met))


if __name__ == "__main__":
    sys.exit(main())

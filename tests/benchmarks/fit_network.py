"""Networks on silicon beside linear and quadratic SNAP: ``python tests/benchmarks/fit_network.py``.

The data are not part of this repository: Si of mlearn (Zuo et al., J. Phys. Chem. A 124, 731 (2020)), as extended xyz.
Each fit runs in a process of its own, so that the peak memory is its own.  The errors are those on the test set, which
no fit sees; networks set a tenth of the training set aside to choose the epoch.
"""

import argparse
import json
import multiprocessing
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from ase_mlips.fit import Training, fit_network, fit_snap, read_frames, snap_template
from ase_mlips.fit.training import minimise
from ase_mlips.snap.fitting import NetworkProblem

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SHARE = 0.75  # of the force error of linear SNAP that the first network may have
CASES = {
    "linear": None,
    "quadratic": None,
    "32x32 tanh": Training(),
    "32x32 softplus": Training(activation="softplus"),
    "32x32 softplus, L-BFGS": Training(activation="softplus", epochs=300, lbfgs_steps=200),
}


def run(name: str, data: Path) -> dict:
    """Fit one case and measure it."""
    train, test = (read_frames(data / f"mlearn/Si_{part}.extxyz") for part in ("train", "test"))
    settings = {"radii": [0.5], "twojmax": 8, "rcutfac": 4.9, "bzeroflag": False}
    template = snap_template(["Si"], **settings, quadraticflag=name == "quadratic")
    training = CASES[name]
    start, cpu = time.perf_counter(), time.process_time()
    fit = (
        fit_network(template, train, test=test, training=training) if training else fit_snap(template, train, test=test)
    )
    result = {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "mae": {
            quantity: fit.report.parity("test", quantity).score().mae for quantity in ("energy", "force", "stress")
        },
        "rmse": {quantity: fit.report.parity("test", quantity).score().rmse for quantity in ("energy", "force")},
    }
    if training:
        result["epoch_seconds"] = epoch_seconds(template, train, fit.loss)
    return result


def epoch_seconds(template, train, loss, epochs=20) -> float:
    """Seconds that the processor needs for an epoch of Adam over all frames, compilation excluded."""
    training = Training(epochs=epochs)
    problem = NetworkProblem(template, train, validation=train[:1], loss=loss, training=training)
    start = time.thread_time()
    minimise(problem.task(training), training, "")
    return (time.thread_time() - start) / epochs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder with mlearn/")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers here")
    options = parser.parse_args()
    if not options.data.is_dir():
        print(f"no data in {options.data}; give their folder with --data")
        return 2
    layout = "{:<24}{:>8}{:>9}{:>8}{:>9}{:>10}{:>8}"
    print(layout.format("model", "E MAE", "F MAE", "S MAE", "seconds", "s/epoch", "MB") + "   (meV/atom, eV/A, GPa)")
    results = {}
    for name in CASES:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            results[name] = result = pool.submit(run, name, options.data).result()
        mae = result["mae"]
        epoch = f"{result['epoch_seconds']:.3f}" if "epoch_seconds" in result else ""
        errors = f"{1000.0 * mae['energy']:.2f}", f"{mae['force']:.4f}", f"{mae['stress']:.3f}"
        print(layout.format(name, *errors, f"{result['seconds']:.0f}", epoch, f"{result['megabytes']:.0f}"), flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    forces = [results[name]["mae"]["force"] for name in ("linear", "32x32 tanh")]
    met = forces[1] <= SHARE * forces[0]
    print(f"force error of the network: {forces[1] / forces[0]:.2f} of linear SNAP's, {'' if met else 'NOT '}met")
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())

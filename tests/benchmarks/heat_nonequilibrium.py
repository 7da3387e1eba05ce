"""Thermal conductivities of driven simulations against known ones; not a test of speed.

``python tests/benchmarks/heat_nonequilibrium.py fluid|silicon|argon|length [options]``, some minutes each:

* fluid: Lennard-Jones at density 0.6 and temperature 1.35 by both methods; 3.40 +- 0.12 by Green-Kubo, 3.39 to 3.45 by
  Mueller-Plathe in LAMMPS (its examples/KAPPA), all in reduced units (for argon 0.0188038 W/(m K)).
* silicon: the embedded SNAP at 1000 K by HNEMD, to be compared with Green-Kubo of the same cell (``--known``).
* argon: the solid at 69 K by HNEMD; 0.315 +- 0.018 W/(m K) by Green-Kubo.
* length: the same by Mueller-Plathe in cells of several lengths, extrapolated.

Each ends with an error if a value is more than three standard errors away from what it should be.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from ase import units
from ase.build import bulk
from ase.md.nose_hoover_chain import NoseHooverChainNVT
from ase.md.velocitydistribution import Stationary, thermalize_momenta
from ase_mlips.analysis.heat.hnemd import HNEMD
from ase_mlips.analysis.heat.muller_plathe import MullerPlathe, extrapolate_length
from ase_mlips.analysis.heat.nonequilibrium import WATTS

from ase_mlips import SNAP

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.lennard_jones import argon, equilibrate, fluid

ARGON = 0.315, 0.018  # W/(m K)
REDUCED = WATTS * units.fs * units.kB  # W/(m K) of one reduced unit where epsilon = 1 eV, sigma = 1 A, m = 1 amu


def compare(name: str, value: tuple[float, float], known: tuple[float, float], begin: float) -> None:
    """Print a value and its error beside the known ones; exit if they disagree."""
    score = abs(value[0] - known[0]) / np.hypot(value[1], known[1])
    print(f"{name}: {value[0]:.4g} +- {value[1]:.2g}, known {known[0]:.4g} +- {known[1]:.2g}", end="")
    print(f" ({score:.1f} standard errors), {time.perf_counter() - begin:.0f} s", flush=True)
    if not score < 3.0:
        raise SystemExit(f"{name}: disagrees")


def run_fluid(options: argparse.Namespace) -> None:
    temperature, known = 1.35 / units.kB, (3.40, 0.12)
    begin = time.perf_counter()
    atoms = fluid(0.6, 1.35, repeat=(5, 5, 10), seed=options.seed)
    dynamics = equilibrate(atoms, temperature, timestep=0.005, steps=5000, seed=options.seed)
    exchange = MullerPlathe(dynamics, slabs=20, interval=options.interval, equilibration=options.steps // 5)
    dynamics.run(options.steps)
    result = exchange.result()
    print("gradients on both sides:", result.gradients * units.kB, "+-", result.gradient_errors * units.kB, end=", ")
    print(f"T* {result.temperature.min() * units.kB:.2f} to {result.temperature.max() * units.kB:.2f}", flush=True)
    compare("fluid, Mueller-Plathe", (result.kappa / REDUCED, result.kappa_error / REDUCED), known, begin)

    begin = time.perf_counter()
    atoms = fluid(0.6, 1.35, repeat=5, seed=options.seed)
    equilibrate(atoms, temperature, timestep=0.005, steps=5000, seed=options.seed)
    for force in (0.05, 0.1):  # the same in the linear regime
        driven = atoms.copy()
        driven.calc = atoms.calc
        dynamics = NoseHooverChainNVT(driven, 0.005, temperature_K=temperature, tdamp=0.5)
        hnemd = HNEMD(dynamics, (force, 0.0, 0.0), equilibration=2000)
        dynamics.run(options.steps)
        flux = hnemd.result()
        value = flux.kappa / REDUCED, flux.kappa_error / REDUCED
        compare(f"fluid, HNEMD with {force} / sigma", value, known, begin)


def run_silicon(options: argparse.Namespace) -> None:
    begin = time.perf_counter()
    atoms = bulk("Si", cubic=True) * (3, 3, 3)
    atoms.calc = SNAP.embedded("Si")
    thermalize_momenta(atoms, temperature_K=2000, rng=np.random.default_rng(options.seed))
    Stationary(atoms)
    dynamics = NoseHooverChainNVT(atoms, units.fs, temperature_K=1000, tdamp=100 * units.fs)
    dynamics.run(5000)
    hnemd = HNEMD(dynamics, (options.force, 0.0, 0.0), equilibration=20_000)
    dynamics.run(20_000 + options.steps)
    result = hnemd.result()
    if options.save:
        result.save(options.save)
    print(f"silicon, {options.steps} fs, {options.force} / A, {result.temperature.mean():.0f} K:", end=" ")
    print(
        f"{result.kappa:.1f} +- {result.kappa_error:.1f} W/(m K), expected error {result.expected_error:.1f}",
        flush=True,
    )
    if options.known:
        compare("silicon, HNEMD", (result.kappa, result.kappa_error), tuple(options.known), begin)


def run_argon(options: argparse.Namespace) -> None:
    for force in (0.005, 0.01):
        begin = time.perf_counter()
        atoms = argon(69.2, seed=options.seed)
        equilibrate(atoms, 69.2, timestep=6 * units.fs, steps=5000, seed=options.seed)
        dynamics = NoseHooverChainNVT(atoms, 6 * units.fs, temperature_K=69.2, tdamp=600 * units.fs)
        hnemd = HNEMD(dynamics, (force, 0.0, 0.0), equilibration=5000)
        dynamics.run(options.steps)
        result = hnemd.result()
        compare(f"argon, HNEMD with {force} / A", (result.kappa, result.kappa_error), ARGON, begin)


def run_length(options: argparse.Namespace) -> None:
    begin, results = time.perf_counter(), []
    for cells in options.cells:
        atoms = argon(69.2, repeat=(4, 4, cells), seed=options.seed)
        atoms.translate([0.25 * 5.376] * 3)  # layers in the middle of slabs
        dynamics = equilibrate(atoms, 69.2, timestep=6 * units.fs, steps=5000, seed=options.seed)
        exchange = MullerPlathe(dynamics, slabs=cells, interval=3 * cells, equilibration=options.steps // 4)
        dynamics.run(options.steps)
        results.append(exchange.result())
        last = results[-1]
        print(f"argon, {last.length:.0f} A: {last.kappa:.4f} +- {last.kappa_error:.4f} W/(m K)", end="")
        print(f", {last.temperature.min():.0f} to {last.temperature.max():.0f} K", flush=True)
    line = extrapolate_length(results)
    print(f"slope {line.slope:.0f} +- {line.slope_error:.0f} A m K/W, chi2 {line.chi2:.1f}")
    compare("argon of infinite length", (line.kappa, line.kappa_error), ARGON, begin)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name, steps in (("fluid", 100_000), ("silicon", 200_000), ("argon", 100_000), ("length", 100_000)):
        command = commands.add_parser(name)
        command.add_argument("--steps", type=int, default=steps, help=f"default {steps}")
        command.add_argument("--seed", type=int, default=0)
    commands.choices["fluid"].add_argument(
        "--interval", type=int, default=60, help="steps between exchanges, default 60"
    )
    commands.choices["silicon"].add_argument("--force", type=float, default=1e-3, help="1/A, default 1e-3")
    commands.choices["silicon"].add_argument("--known", type=float, nargs=2, metavar=("KAPPA", "ERROR"))
    commands.choices["silicon"].add_argument("--save", type=Path, help="file for the result")
    commands.choices["length"].add_argument("--cells", type=int, nargs="+", default=[12, 16, 24, 32])
    options = parser.parse_args()
    runs = {"fluid": run_fluid, "silicon": run_silicon, "argon": run_argon, "length": run_length}
    runs[options.command](options)


if __name__ == "__main__":
    main()

"""Heat fluxes and thermal conductivity: ground truths of Lennard-Jones systems, and what recording costs.

``python tests/benchmarks/heat.py truths [fluid argon binary silicon] [--minutes 5] [--seed 0]`` runs molecular
dynamics for so many minutes of one core each; ``heat.py overhead`` takes a minute, on a quiet machine.
"""

import argparse
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.md.velocitydistribution import Stationary, thermalize_momenta
from ase.md.verlet import VelocityVerlet
from ase_mlips.analysis.heat.green_kubo import green_kubo
from ase_mlips.analysis.heat.green_kubo_result import GreenKubo
from ase_mlips.analysis.heat.recorder import HeatFluxRecorder, read_heat_flux
from ase_mlips.analysis.heat.series import HeatFluxSeries

from ase_mlips import MTP, NEP, SNAP

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support.lennard_jones import argon, equilibrate, fluid

Observer = Callable[[], None] | None

REDUCED = units._k / (1e-10 * 1e-15 / units.fs)  # W/(m K): k_B / (sigma tau) for 1 A, 1 eV and 1 amu


def sampled(
    atoms: Atoms, temperature: float, timestep: float, interval: int, minutes: float, *, observer: Observer = None
) -> HeatFluxSeries:
    """Heat flux of a run at constant energy that takes so long, after an equilibration of a tenth of that."""
    begin = time.process_time()
    while time.process_time() - begin < 6.0 * minutes:
        dynamics = equilibrate(atoms, temperature, timestep=timestep, steps=1000)
    with tempfile.TemporaryDirectory() as folder:
        recorder = HeatFluxRecorder(dynamics, atoms.calc, interval, path=Path(folder) / "flux.txt")
        if observer is not None:
            dynamics.attach(observer, interval=interval)
        energy = atoms.get_total_energy()
        begin = time.process_time()
        while time.process_time() - begin < 60.0 * minutes:
            dynamics.run(1000)
        recorder.close()
        series = read_heat_flux(Path(folder) / "flux.txt")
    taken = (time.process_time() - begin) / dynamics.nsteps
    drift = (atoms.get_total_energy() - energy) / atoms.get_kinetic_energy()
    print(f"  {dynamics.nsteps} steps, {1e6 * taken:.0f} us each; {drift:+.1e} of the kinetic energy gained")
    return series


def said(result: GreenKubo, unit: float = 1.0) -> str:
    """Values and errors, divided by a unit."""
    value, error = result.best
    window = f"window {result.window_ps[0]:.3g} ... {result.window_ps[1]:.3g} ps"
    spectral = f"cepstral {result.cepstral_kappa / unit:.3f} +- {result.cepstral_error / unit:.3f}"
    return f"{value / unit:.3f} +- {error / unit:.3f} ({window}; {spectral})"


def truth_fluid(minutes: float, seed: int) -> None:
    """500 atoms, density 0.6, temperature 1.35."""
    print("fluid, rho* 0.6, T* 1.35 (truth: kappa* 3.40 +- 0.12, LAMMPS Mueller-Plathe 3.4)")
    series = sampled(fluid(0.6, 1.35, seed=seed), 1.35 / units.kB, 0.005, 5, minutes)
    result = green_kubo(series, blocks=8)
    print(f"  T* {result.temperature * units.kB:.3f}, kappa* {said(result, REDUCED)}")
    shares = ", ".join(f"{name} {value / REDUCED:.3f}" for name, value in result.parts.items())
    print(f"  {shares}")


def truth_argon(minutes: float, seed: int) -> None:
    """256 atoms of solid argon."""
    print("solid argon, 70 K (truth: 0.29 to 0.32 W/(m K), of which 11 to 14 % is not conductive)")
    series = sampled(argon(70.0, seed=seed), 70.0, 4.0 * units.fs, 5, minutes)
    result = green_kubo(series, blocks=4)
    print(f"  {result.temperature:.1f} K, kappa {said(result)} W/(m K); not conductive {result.convective_share:.1%}")


def truth_binary(minutes: float, seed: int) -> None:
    """500 atoms of masses 1 and 2 in a liquid, also with velocities relative to their mean over the atoms.

    The naive value of a mixture depends on the frame of reference, too: seen from the centre of mass there is a current
    of atoms, which carries their enthalpy, and none relative to the mean velocity, for which the known values are.
    """
    print("binary liquid, rho* 0.8442, T* 0.722, masses 1 and 2 (truth: 5.18 naive, 10.5 shifted, 5.154 corrected)")
    atoms = fluid(0.8442, 0.722, elements=("Ar", "Kr"), seed=seed)
    light, rows = atoms.numbers == 18, []

    def relative_to_mean() -> None:
        velocities = atoms.get_velocities()
        velocities -= velocities.mean(axis=0)
        current = velocities[light].sum(axis=0)
        rows.append([*atoms.calc.get_heat_flux_parts(atoms, velocities), current, -current])

    series = sampled(atoms, 0.722 / units.kB, 0.005, 5, minutes, observer=relative_to_mean)
    convective, conductive, *currents = units.fs * np.swapaxes(rows, 0, 1)
    seen = replace(
        series, convective=convective, conductive=conductive, currents=dict(zip(("Ar", "Kr"), currents, strict=True))
    )
    print(f"  T* {series.temperature.mean() * units.kB:.3f}")
    for frame, fluxes in {"centre of mass": series, "mean velocity": seen}.items():
        print(f"  relative to the {frame}:")
        report_shifts(fluxes, (0.0, 5.0, 20.0, -20.0))


def report_shifts(series: HeatFluxSeries, shifts: Sequence[float]) -> None:
    """Naive and corrected values with the atomic energies of the lighter species shifted."""
    window, reference = None, np.nan
    for shift in shifts:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # it says what is shown here
            result = green_kubo(series.shifted({"Ar": shift}), window_ps=window)
        window = result.window_ps
        corrected = result.kappa_corrected or np.nan
        reference = corrected if shift == shifts[0] else reference
        print(
            f"    shift {shift:+5.1f} eps: naive kappa* {result.kappa / REDUCED:.3f} +- {result.error / REDUCED:.3f},"
            f" corrected {corrected / REDUCED:.3f} +- {(result.error_corrected or np.nan) / REDUCED:.3f}"
            f" ({corrected / reference - 1.0:+.0e}), corrected cepstral {result.cepstral_kappa / REDUCED:.3f}"
        )


def truth_silicon(minutes: float, seed: int) -> None:
    """216 atoms of the embedded SNAP at 1000 K, and what a shift of the atomic energies changes."""
    print("silicon, 1000 K (to be compared with HNEMD, heat_nonequilibrium.py silicon --known KAPPA ERROR)")
    atoms = bulk("Si", cubic=True) * 3
    atoms.calc = SNAP.embedded("Si")
    thermalize_momenta(atoms, temperature_K=2000.0, rng=np.random.default_rng(seed))
    Stationary(atoms)
    series = sampled(atoms, 1000.0, units.fs, 4, minutes)
    for shift in (0.0, 10.0):
        result = green_kubo(series.shifted({"Si": shift}), blocks=4)
        print(f"  shift {shift:+.0f} eV: {result.temperature:.0f} K, kappa {said(result)} W/(m K)")


TRUTHS = {"fluid": truth_fluid, "argon": truth_argon, "binary": truth_binary, "silicon": truth_silicon}


def overhead(interval: int = 10) -> None:
    """Time of the recorder itself against that of the steps between two of its calls."""
    from support.mtp_models import synthetic_mtp_model
    from support.nep_models import synthetic_nep_models

    silicon = bulk("Si", cubic=True)
    calculators = {
        "SNAP": SNAP.embedded("Si"),
        "NEP": NEP(synthetic_nep_models()["nep4_one"]),
        "MTP": MTP(synthetic_mtp_model("l16")),
    }
    print(f"{'':16}{'step (us)':>12}{'record (us)':>14}{'cost':>8}   of recording every {interval} steps")
    for repeat in (1, 2, 4):
        for name, calculator in calculators.items():
            atoms = silicon.repeat(repeat)
            atoms.rattle(0.03, seed=1)
            atoms.set_velocities(np.random.default_rng(0).normal(scale=0.03, size=(len(atoms), 3)))
            atoms.calc = calculator
            report(f"{name}, {len(atoms)} atoms", atoms, interval)
    report("LJ, 500 atoms", fluid(0.6, 1.35), interval)


def report(name: str, atoms: Atoms, interval: int) -> None:
    """The smallest of several times of steps, and of records right after a step."""
    dynamics = VelocityVerlet(atoms, 0.1 * units.fs)
    steps, records = [], []
    with tempfile.TemporaryDirectory() as folder:
        recorder = HeatFluxRecorder(dynamics, atoms.calc, 10**9, path=Path(folder) / "flux.txt")
        dynamics.run(1)
        for _ in range(40):
            begin = time.perf_counter()
            dynamics.run(interval)
            middle = time.perf_counter()
            recorder()
            records.append(time.perf_counter() - middle)
            steps.append((middle - begin) / interval)
    step, record = min(steps), min(records)
    print(f"{name:16}{1e6 * step:12.0f}{1e6 * record:14.0f}{record / (interval * step):8.1%}")


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    truths = commands.add_parser("truths")
    truths.add_argument("systems", nargs="*", metavar="SYSTEM", help=", ".join(TRUTHS))
    truths.add_argument("--minutes", type=float, default=5.0, help="of one core, for each system")
    truths.add_argument("--seed", type=int, default=0)
    commands.add_parser("overhead")
    args = parser.parse_args()
    if args.command == "overhead":
        overhead()
        return
    if unknown := set(args.systems) - TRUTHS.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    for name in args.systems or TRUTHS:
        TRUTHS[name](args.minutes, args.seed)


if __name__ == "__main__":
    main()

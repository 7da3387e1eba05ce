"""Molecular dynamics under pressure against what thermodynamics demands; not a test of speed.

``python tests/benchmarks/npt.py stress|melt [--steps N]``, some minutes each, with the embedded silicon:

* stress: an orthorhombic crystal of 64 atoms at 300 K and no pressure with all vectors of the cell free.  The means of
  all six stresses vanish, the kinetic temperature is that of the thermostat, and the fluctuations of the volume give
  the bulk modulus of the equation of state at the mean volume.
* melt: a ramp of the temperature from 300 K to 4000 K melts the crystal.

Each ends with an error if it is more than three standard errors away, or if the crystal has not melted.
"""

import argparse

import numpy as np
from ase import Atoms, units
from ase.build import bulk

from ase_mlips import SNAP
from ase_mlips.runs import MDRun, relax, run_md

BLOCKS = 20


def orthorhombic() -> Atoms:
    """64 atoms of silicon in a cell of 15.4 x 7.7 x 10.9 A."""
    cell = bulk("Si", cubic=True)
    a = cell.cell[0, 0]
    half = np.sqrt(0.5) * a
    basis = [[0, 0, 0], [0.5, 0, 0.25], [0.5, 0.5, 0.5], [0, 0.5, 0.75]]
    return Atoms("Si4", scaled_positions=basis, cell=[half, half, a], pbc=True) * (4, 2, 2)


def block_mean(values: np.ndarray) -> tuple[float, float]:
    """Mean and its standard error from blocks."""
    means = np.array([block.mean() for block in np.array_split(values, BLOCKS)])
    return float(means.mean()), float(means.std(ddof=1) / np.sqrt(BLOCKS))


def bulk_modulus(atoms: Atoms, volume: float) -> float:
    """Of the static crystal at a volume, in GPa: -V dP/dV."""
    pressures = []
    for strain in (-0.002, 0.002):
        strained = atoms.copy()
        strained.set_cell(atoms.cell * (volume * (1 + strain) / atoms.get_volume()) ** (1 / 3), scale_atoms=True)
        strained.calc = atoms.calc
        pressures.append(-strained.get_stress()[:3].mean() / units.GPa)
    return (pressures[0] - pressures[1]) / 0.004


def require(name: str, value: float, error: float, known: float) -> None:
    """Print a value beside the known one; exit if they disagree."""
    score = abs(value - known) / error
    print(f"{name:<24} {value:10.4f} +- {error:.4f}, known {known:.4f}: {score:.1f} standard errors", flush=True)
    if not score < 3.5:
        raise SystemExit(f"{name}: disagrees")


def stress(steps: int) -> None:
    calc = SNAP.embedded("Si", num_threads=1)
    start = relax(orthorhombic(), calc, cell=True, symmetry=True, fmax=1e-5).atoms
    settings = MDRun("npt-full", temperature=300.0, timestep=3.0, damping=30.0, steps=steps, interval=4, seed=1)
    result = run_md(start, calc, settings)
    log = {name: values[len(values) // 10 :] for name, values in result.columns().items()}
    print(result)
    for name in ("xx", "yy", "zz", "yz", "xz", "xy"):
        require(f"stress {name} (GPa)", *block_mean(log[f"{name}/GPa"]), 0.0)
    require("temperature (K)", *block_mean(log["temperature/K"]), 300.0)
    volumes = log["volume/A^3"]
    variance, error = block_mean((volumes - volumes.mean()) ** 2)
    modulus = units.kB * 300.0 * volumes.mean() / variance / units.GPa
    start.calc = calc
    require("bulk modulus (GPa)", modulus, modulus * error / variance, bulk_modulus(start, volumes.mean()))
    print(f"lengths at the end {np.round(result.atoms.cell.cellpar(), 3)}")


def order(atoms: Atoms) -> float:
    """Of the eight planes of the initial crystal along its third vector: 1 in a crystal, about 1/8 in a liquid."""
    phases = np.exp(2j * np.pi * 8 * atoms.get_scaled_positions(wrap=False)[:, 2])
    return float(abs(phases.mean()))


def melt(steps: int) -> None:
    calc = SNAP.embedded("Si", num_threads=1)
    start = orthorhombic()
    settings = MDRun("npt", temperature=300.0, temperature_end=4000.0, timestep=2.0, steps=steps, interval=20, seed=1)
    result = run_md(start, calc, settings)
    log = result.columns()
    print(result)
    for k in np.linspace(0, len(log["step"]) - 1, 12).astype(int):
        print(f"{log['time/ps'][k]:8.2f} ps {log['temperature/K'][k]:8.0f} K {log['volume/A^3'][k] / 64:8.3f} A^3/atom")
    print(f"order of the planes {order(start):.2f} before, {order(result.atoms):.2f} after")
    require("temperature at the end", float(log["temperature/K"][-50:].mean()), 4000.0 / np.sqrt(96 * 10), 4000.0)
    if not (order(start) > 0.99 and order(result.atoms) < 0.5):
        raise SystemExit("the crystal has not melted")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("stress", "melt"))
    parser.add_argument("--steps", type=int)
    options = parser.parse_args()
    if options.what == "stress":
        stress(options.steps or 40_000)
    else:
        melt(options.steps or 12_000)

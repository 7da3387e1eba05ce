"""``ase-mlips demo``: from a potential to properties of silicon."""

from __future__ import annotations

import time
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.constraints import FixCom
from ase.eos import EquationOfState
from ase.filters import FrechetCellFilter
from ase.io import write
from ase.md.langevin import Langevin
from ase.md.md import MolecularDynamics
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS, FIRE
from tqdm import tqdm

from ase_mlips.analysis import RDF, VDOS, rdf, vdos
from ase_mlips.arrays import FloatArray
from ase_mlips.runs.ensembles import draw_velocities
from ase_mlips.runs.results import energy_drift

from .common import load_model
from .demo_results import Equation, Run
from .outputs import claim, replacing

_FOLDER = "ase-mlips-demo"
_FILES = ("demo.png", "relaxed.extxyz", "demo.traj", "rdf.npz", "vdos.npz")
TEMPERATURE = 300.0  # K
TIMESTEP = 1.0  # fs
CORRELATION_TIME = 1200.0  # fs
_FRAMES_EVERY = 4  # steps
_APART = 10  # frames from one that is written, and counted in g(r), to the next


@dataclass(frozen=True)
class Schedule:
    """How much is computed: supercells and numbers of MD steps."""

    relaxed_repeats: int = 2
    md_repeats: int = 3
    equilibration: int = 1500
    production: int = 6000


def run(args: Namespace) -> int:
    """Run the demonstration with the embedded model of silicon."""
    folder = Path(args.output or _FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    # Nothing else is in a folder of that name, hence a second demonstration may take the place of the first.
    claim({"--output": [folder / name for name in _FILES]}, force=args.force or args.output is None)
    calculator = load_model("embedded:Si")
    demonstrate(calculator, bulk("Si", "diamond", a=5.43, cubic=True), folder, Schedule())
    return 0


def demonstrate(calculator: Calculator, crystal: Atoms, folder: Path, schedule: Schedule) -> None:
    """Relax `crystal`, a cubic cell, run and analyse it, print numbers, and write `_FILES` to `folder`."""
    from .demo_figure import draw

    start = time.perf_counter()
    print(f"model             {calculator!r}")
    crystal = crystal.copy()
    crystal.calc = calculator
    BFGS(FrechetCellFilter(crystal), logfile=None).run(fmax=1e-4, steps=200)
    with replacing(folder / "relaxed.extxyz", force=True) as path:
        write(path, crystal)
    print(f"lattice constant  {crystal.cell.lengths().mean():.4f} Å")
    print(f"bulk energy       {crystal.get_potential_energy() / len(crystal):.5f} eV/atom")
    equation = _equation_of_state(crystal)
    print(f"bulk modulus      {equation.bulk_modulus:.1f} GPa")
    _relax_supercell(crystal, schedule.relaxed_repeats)
    result = _run(crystal, schedule, folder / "demo.traj")
    radial = rdf(result.frames[::_APART], r_max=8.0, bins=320)
    spectrum = vdos(
        result.frames,
        timestep_fs=TIMESTEP * _FRAMES_EVERY,
        correlation_time_fs=min(CORRELATION_TIME, 0.5 * TIMESTEP * schedule.production),
    )
    _report(result, radial, spectrum)
    for name, analysed in (("rdf.npz", radial), ("vdos.npz", spectrum)):
        with replacing(folder / name, force=True) as path:
            analysed.save(path)
    with replacing(folder / "demo.png", force=True) as path:
        draw(path, crystal, equation, result, radial, spectrum)
    print(f"finished in {time.perf_counter() - start:.0f} s; look at {folder / 'demo.png'}")
    print(f"data: {', '.join(str(folder / name) for name in _FILES[1:])}")


def _equation_of_state(crystal: Atoms) -> Equation:
    volumes, energies = [], []
    for strain in np.linspace(-0.02, 0.02, 9):
        atoms = crystal.copy()
        atoms.calc = crystal.calc
        atoms.set_cell(crystal.cell * (1.0 + strain), scale_atoms=True)
        volumes.append(atoms.get_volume() / len(atoms))
        energies.append(atoms.get_potential_energy() / len(atoms))
    fit = EquationOfState(volumes, energies, eos="birchmurnaghan")
    volume, energy, modulus = fit.fit()
    x, y = fit.getplotdata()[4:6]
    return Equation(np.array(volumes), np.array(energies), (x, y), (volume, energy), modulus / units.GPa)


def _relax_supercell(crystal: Atoms, repeats: int) -> None:
    """Displace the atoms of a supercell, relax it, and say whether the crystal is found again."""
    atoms = crystal.repeat(repeats)
    atoms.rattle(0.1, seed=1)
    atoms.calc = crystal.calc
    optimizer = FIRE(atoms, logfile=None)
    optimizer.run(fmax=1e-3, steps=300)
    excess = atoms.get_potential_energy() / len(atoms) - crystal.get_potential_energy() / len(crystal)
    print(
        f"relaxation        {len(atoms)} atoms displaced by 0.1 Å are {1e3 * excess:.4f} meV/atom above the crystal "
        f"after {optimizer.nsteps} steps"
    )


def _run(crystal: Atoms, schedule: Schedule, path: Path) -> Run:
    """Equilibrate with Langevin noise, then follow the free motion."""
    atoms = crystal.repeat(schedule.md_repeats)
    atoms.set_constraint(FixCom())
    atoms.calc = crystal.calc
    rng = np.random.default_rng(2024)
    # A harmonic crystal at rest turns half of its kinetic energy into potential energy, hence twice the temperature.
    draw_velocities(atoms, 2.0 * TEMPERATURE, rng)
    step = TIMESTEP * units.fs
    langevin = Langevin(atoms, step, temperature_K=TEMPERATURE, friction=0.01 / units.fs, fixcm=False, rng=rng)
    frames: list[Atoms] = []
    with tqdm(total=schedule.equilibration + schedule.production, unit="step", disable=None, leave=False) as bar:
        equilibration = _follow(langevin, schedule.equilibration, bar)
        nve = VelocityVerlet(atoms, step)
        nve.attach(lambda: frames.append(atoms.copy()), interval=_FRAMES_EVERY)
        start = time.perf_counter()
        production = _follow(nve, schedule.production, bar)
        seconds = time.perf_counter() - start
    with replacing(path, force=True) as new:
        write(new, frames[::_APART])
    return Run(equilibration, production, frames, seconds)


def _follow(dynamics: MolecularDynamics, steps: int, bar: tqdm) -> FloatArray:
    rows = []
    atoms = dynamics.atoms

    def record() -> None:
        energies = np.array([atoms.get_potential_energy(), atoms.get_kinetic_energy()]) / len(atoms)
        rows.append([1e-3 * TIMESTEP * dynamics.nsteps, atoms.get_temperature(), *energies])
        bar.update(_FRAMES_EVERY if dynamics.nsteps else 0)

    dynamics.attach(record, interval=_FRAMES_EVERY)
    dynamics.run(steps)
    return np.array(rows)


def _report(result: Run, radial: RDF, spectrum: VDOS) -> None:
    rows = result.production
    atoms, steps = len(result.frames[0]), round(rows[-1, 0] * 1e3 / TIMESTEP)
    speed = f"{1e6 * result.seconds / (atoms * steps):.2f} µs/atom/step"
    speed += f", {steps * TIMESTEP * 1e-6 * 86400.0 / result.seconds:.1f} ns/day"
    print(f"dynamics          {atoms} atoms, {rows[-1, 0]:.1f} ps of NVE after Langevin: {speed}")
    print(f"temperature       {rows[:, 1].mean():.1f} ± {rows[:, 1].std():.1f} K")
    total = rows[:, 2] + rows[:, 3]
    drift = f"{energy_drift(rows[:, 0], total):.1e} meV/atom/ps"
    print(f"energy drift      {drift} (fluctuation {1e3 * total.std():.1e} meV/atom)")
    peak = np.argmax(radial.g)
    print(f"first neighbours  {radial.r[peak]:.3f} Å, highest of g(r): {radial.g[peak]:.1f}")
    optical = spectrum.frequencies[np.argmax(spectrum.total)]
    print(f"optical peak      {optical:.1f} THz ({spectrum.frequencies_cm1[np.argmax(spectrum.total)]:.0f} 1/cm)")

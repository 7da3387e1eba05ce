"""``ase-mlips md``: molecular dynamics that can be interrupted and continued."""

from __future__ import annotations

import os
import shlex
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import CalculationFailed, CalculatorError
from ase.constraints import FixCom
from ase.md.bussi import Bussi
from ase.md.langevin import Langevin
from ase.md.md import MolecularDynamics
from ase.md.nose_hoover_chain import IsotropicMTKNPT
from ase.md.verlet import VelocityVerlet
from tqdm import tqdm

from ase_mlips.analysis.heat.recorder import HeatFluxRecorder
from ase_mlips.arrays import FloatArray
from ase_mlips.files.appending import AppendedFile

from .common import (
    chosen_model,
    deferred_interrupt,
    plain_warnings,
    read_structure,
    results_frame,
    warn_if_not_periodic,
)
from .md_files import LogFile, Mode, TrajectoryFile
from .outputs import claim, file_of, model_files

_SAME_ENERGY = 1e-6  # eV/atom
_HOTTEST = 1e5  # K, or ten times what the run is to begin with: beyond, atoms no longer feel each other
_COLUMNS = ("step", "time/ps", "temperature/K", "potential/eV", "kinetic/eV", "total/eV")
_NPT_COLUMNS = ("pressure/GPa", "volume/A^3")
_KEPT = ("step", "time_fs", "run")  # what a frame's info says beyond the structure's own


def run(args: Namespace) -> int:
    """Run ``args.ensemble`` from ``args.structure``, or on from where ``args.trajectory`` ends."""
    log_path = args.log or os.path.splitext(args.trajectory)[0] + ".log"
    if not args.trajectory.endswith(".traj") or log_path.endswith(".traj"):
        raise ValueError(f"expected -o FILE.traj and another ending for the log, got {args.trajectory}, {log_path}")
    if os.path.isfile(args.trajectory) and not (args.restart or args.force):
        raise ValueError(f"{args.trajectory}: exists; use --restart to continue it, --force, or -o for another name")
    outputs = {"-o": args.trajectory, "--log": log_path, "--heat-flux": args.heat_flux}
    inputs = [file_of(args.structure), *model_files(args.model)]
    claim(outputs, inputs, force=args.force, going_on=outputs if args.restart else ())
    atoms = read_structure(args.structure, args.species)
    mode: Mode = "replace" if args.force else "continue" if args.restart else "new"
    with plain_warnings(), TrajectoryFile(args.trajectory, mode) as trajectory:
        last = trajectory.last_frame()
        if last is not None:
            atoms = _continued(args.trajectory, last, atoms, _settings(args))
        first = 0 if last is None else int(atoms.info["step"])
        if first >= args.steps:
            print(f"{args.trajectory} holds all {args.steps} steps already")
            return 0
        dynamics, own_constraints = _prepared(atoms, args, resumed=last is not None)
        after = None if last is None else (first, _row(dynamics, float(atoms.info["time_fs"])))
        columns = _COLUMNS + (_NPT_COLUMNS if args.ensemble == "npt" else ())
        with LogFile(log_path, columns, mode, after=after) as log, _heat_flux(dynamics, args, resumed=last is not None):
            return _advance(dynamics, _Recorder(dynamics, (trajectory, log), own_constraints, _settings(args)), args)


def _prepared(atoms: Atoms, args: Namespace, *, resumed: bool) -> tuple[MolecularDynamics, list[Any]]:
    """The dynamics, which has evaluated its first step, and the structure's own constraints."""
    first = int(atoms.info["step"]) if resumed else 0
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if args.seed is None else args.seed
    # With the step in the seed a continued run does not meet the noise of its beginning again.
    rng = np.random.default_rng([seed, first])
    own_constraints = _constrain(atoms, args)
    warn_if_not_periodic(atoms, args.structure)
    if not resumed and np.any(atoms.get_momenta()):
        print(f"velocities of {args.structure} are kept, {atoms.get_temperature():.0f} K; --temperature sets none")
    elif not resumed:
        draw_velocities(atoms, args.temperature, rng)
    stored = atoms.get_potential_energy() if resumed else None
    atoms.calc = chosen_model(args)
    try:
        atoms.get_forces()  # fails before any file is made, and compiles kernels, which is not to count as speed
    except (ValueError, CalculatorError) as error:
        if resumed:
            error.add_note(f"{args.trajectory}: last frame")
        raise
    if stored is not None and abs(atoms.get_potential_energy() - stored) > _SAME_ENERGY * len(atoms):
        raise ValueError(
            f"{args.trajectory}: its last frame has an energy of {stored:.6f} eV, and {args.model} gives "
            f"{atoms.get_potential_energy():.6f} eV: the file is damaged, or the model is another one"
        )
    dynamics = make_dynamics(atoms, args, rng)
    dynamics.nsteps = first
    hottest = max(_HOTTEST, 10.0 * max(args.temperature, atoms.get_temperature()))
    dynamics.attach(_stop_if_exploded, 1, dynamics, hottest)
    print(f"{args.ensemble}: {len(atoms)} atoms, steps {first} to {args.steps} of {args.timestep:g} fs, seed {seed}")
    return dynamics, own_constraints


def _settings(args: Namespace) -> str:
    """What two parts of one run must have in common."""
    return f"{args.ensemble} of {args.timestep:g} fs with {args.model}"


def _continued(path: str, atoms: Atoms, structure: Atoms, settings: str) -> Atoms:
    """The frame to continue from, after a check that it belongs to the structure and to the same kind of run."""
    if not np.array_equal(atoms.numbers, structure.numbers):
        raise ValueError(f"{path}: is a run of {atoms.symbols}, not of {structure.symbols}")
    if not all(key in atoms.info for key in _KEPT):
        raise ValueError(f"{path}: does not say at which step it ends; it was not written by ase-mlips md")
    if atoms.info["run"] != settings:
        raise ValueError(f"{path}: is {atoms.info['run']}; it cannot go on as {settings}")
    return atoms


def _constrain(atoms: Atoms, args: Namespace) -> list[Any]:
    """Check that the ensemble suits the structure, fix the centre of mass; returns the structure's own constraints."""
    if args.pressure is not None and args.ensemble != "npt":
        raise ValueError(f"--pressure is of npt, and has no meaning in {args.ensemble}")
    own = [constraint for constraint in atoms.constraints if not isinstance(constraint, FixCom)]
    if args.ensemble == "npt" and (own or atoms.cell.rank < 3 or not atoms.pbc.all()):
        raise ValueError(f"{args.structure}: npt needs a periodic cell and no constraints")
    if args.ensemble != "nve" and args.temperature == 0.0:
        raise ValueError(f"{args.ensemble} needs a temperature above zero")
    atoms.set_constraint(own)
    if not own and len(atoms) > 1 and args.ensemble != "npt":
        # Noise would let the whole system drift; ASE also counts the 3N - 3 degrees of freedom by it.
        atoms.set_constraint(FixCom())
    return own


def draw_velocities(atoms: Atoms, temperature: float, rng: np.random.Generator) -> None:
    """Maxwell-Boltzmann velocities of a temperature in K; the whole rests, if nothing holds it."""
    masses = atoms.get_masses()[:, None]
    momenta = np.sqrt(masses * units.kB * temperature) * rng.standard_normal((len(atoms), 3))
    if len(atoms) > 1 and all(isinstance(constraint, FixCom) for constraint in atoms.constraints):
        momenta -= masses * momenta.sum(axis=0) / masses.sum()
    atoms.set_momenta(momenta)


def make_dynamics(atoms: Atoms, args: Namespace, rng: np.random.Generator) -> MolecularDynamics:
    """ASE's integrator of ``args.ensemble``."""
    step = args.timestep * units.fs
    damping = args.damping * units.fs
    kelvin = {"temperature_K": args.temperature}
    if args.ensemble == "langevin":
        return Langevin(atoms, step, **kelvin, friction=1.0 / damping, fixcm=False, rng=rng)
    if args.ensemble == "bussi":
        return Bussi(atoms, step, **kelvin, taut=damping, rng=rng)
    if args.ensemble == "npt":
        pressure = (args.pressure or 0.0) * units.GPa
        return IsotropicMTKNPT(atoms, step, **kelvin, pressure_au=pressure, tdamp=damping, pdamp=10.0 * damping)
    return VelocityVerlet(atoms, step)


@contextmanager
def _heat_flux(dynamics: MolecularDynamics, args: Namespace, *, resumed: bool) -> Iterator[None]:
    """Record the heat flux of what is run meanwhile, if it is wanted."""
    if not args.heat_flux:
        yield
        return
    if args.ensemble != "nve":
        print(f"ase-mlips: {args.ensemble} disturbs the heat flux; Green-Kubo needs nve", file=sys.stderr)
    if not resumed and os.path.exists(args.heat_flux):
        _begin_anew(args.heat_flux, force=args.force)
    append = args.restart or args.force
    recorder = HeatFluxRecorder(dynamics, dynamics.atoms.calc, args.heat_interval, path=args.heat_flux, append=append)
    try:
        yield
    finally:
        recorder.close()


def _begin_anew(path: str, *, force: bool) -> None:
    """Empty a file of heat fluxes; without `force` only one that has not more than the first line."""
    with AppendedFile(path, new=False) as file:
        content = file.read()
        rows = [line for line in content.splitlines() if not line.startswith(b"#")]
        if not force and (len(rows) > 1 or not content.startswith(b"# heat flux"[: len(content)])):
            raise ValueError(f"{path}: is of a run whose trajectory is not there to be continued; choose another name")
        file.truncate(0)


def _stop_if_exploded(dynamics: MolecularDynamics, hottest: float) -> None:
    """End a run whose time step is too long, or whose atoms came too close, before such a frame is written."""
    temperature = dynamics.atoms.get_temperature()
    if not temperature <= hottest:  # not a number, too
        raise CalculationFailed(
            f"step {dynamics.nsteps}: the temperature is {temperature:.3g} K, above {hottest:.3g} K: the run has "
            f"exploded; take a time step shorter than {dynamics.dt / units.fs:g} fs, or another structure or model"
        )


def _row(dynamics: MolecularDynamics, time_fs: float) -> list[float]:
    """What the log says of the present step."""
    atoms = dynamics.atoms
    potential, kinetic = atoms.get_potential_energy(), atoms.get_kinetic_energy()
    row = [1e-3 * time_fs, atoms.get_temperature(), potential, kinetic, potential + kinetic]
    if isinstance(dynamics, IsotropicMTKNPT):
        stress = atoms.get_stress(include_ideal_gas=True)
        row += [-stress[:3].mean() / units.GPa, atoms.get_volume()]
    return row


class _Recorder:
    """Observer that writes log and trajectory and remembers the energies."""

    def __init__(
        self, dynamics: MolecularDynamics, files: tuple[TrajectoryFile, LogFile], constraints: list[Any], settings: str
    ) -> None:
        self._dynamics, self._constraints, self._settings = dynamics, constraints, settings
        self._trajectory, self._log = files
        info = dynamics.atoms.info
        self.last_step: int | None = info.get("step")
        self._origin = (dynamics.nsteps, float(info.get("time_fs", 0.0)))
        self.rows: list[list[float]] = []

    def __call__(self) -> None:
        """Write the present step, if it is not what the run was continued from."""
        atoms, step = self._dynamics.atoms, self._dynamics.nsteps
        if step == self.last_step:
            return
        time_fs = self._origin[1] + (step - self._origin[0]) * self._dynamics.dt / units.fs
        row = _row(self._dynamics, time_fs)
        frame = results_frame(atoms, atoms.calc.results)
        frame.set_constraint(self._constraints)
        frame.info |= dict(zip(_KEPT, (step, time_fs, self._settings), strict=True))
        self._log.write(step, row)
        self._trajectory.write(frame)
        self.last_step = step
        self.rows.append(row)


def _advance(dynamics: MolecularDynamics, recorder: _Recorder, args: Namespace) -> int:
    """Run to the end, to Ctrl-C, or to a full disk, and say what happened."""
    first, start = dynamics.nsteps, time.perf_counter()
    dynamics.attach(recorder, interval=args.interval)
    bar = tqdm(total=args.steps, initial=first, unit="step", disable=None)
    with bar, deferred_interrupt() as interrupted:
        try:
            for _ in dynamics.irun(args.steps - first):
                bar.set_postfix_str(f"{_speed(dynamics, first, start):.2f} ns/day", refresh=False)
                bar.update(dynamics.nsteps - bar.n)
                if interrupted.is_set():
                    break
            else:
                recorder()  # the last step, whatever the interval
        except OSError as error:
            raise OSError(
                error.errno, f"{error.strerror or error}; {_how_to_continue(recorder, args)}", error.filename
            ) from error
        except CalculationFailed as error:
            raise CalculationFailed(f"{error}; {_kept(recorder, args)}") from error
    if interrupted.is_set():
        print(f"ase-mlips: interrupted; {_how_to_continue(recorder, args)}", file=sys.stderr)
        return 130
    seconds, steps = time.perf_counter() - start, dynamics.nsteps - first
    speed = (
        f"{_speed(dynamics, first, start):.2f} ns/day, {1e6 * seconds / (steps * len(dynamics.atoms)):.2f} µs/atom/step"
    )
    print(f"{steps} steps in {seconds:.1f} s: {speed}")
    rows = np.array(recorder.rows)
    if len(rows):
        print(f"temperature {rows[:, 1].mean():.1f} ± {rows[:, 1].std():.1f} K")
    if len(rows) > 1 and args.ensemble == "nve":
        print(f"drift of the total energy {energy_drift(rows[:, 0], rows[:, 4]) / len(dynamics.atoms):.2e} meV/atom/ps")
    print(f"wrote {args.trajectory}")
    return 0


def energy_drift(times_ps: FloatArray, energies: FloatArray) -> float:
    """Slope of a straight line through the energies (eV), in meV/ps."""
    return float(1e3 * np.polyfit(times_ps - times_ps[0], energies - energies[0], 1)[0])


def _speed(dynamics: MolecularDynamics, first: int, start: float) -> float:
    """Nanoseconds of dynamics per day of computing."""
    nanoseconds = (dynamics.nsteps - first) * dynamics.dt / (1e6 * units.fs)
    return float(nanoseconds * 86400.0 / (time.perf_counter() - start))


def _kept(recorder: _Recorder, args: Namespace) -> str:
    if recorder.last_step is None:
        return f"{args.trajectory} holds no frame yet"
    return f"{args.trajectory} is complete up to step {recorder.last_step}"


def _how_to_continue(recorder: _Recorder, args: Namespace) -> str:
    if recorder.last_step is None:
        return _kept(recorder, args)
    given = [word for word in args.arguments if not word.startswith("--fo")]  # what --force was for is done
    command = [*given, *([] if args.restart else ["--restart"])]
    return f"{_kept(recorder, args)}; continue with: ase-mlips {shlex.join(command)}"

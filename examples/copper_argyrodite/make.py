"""Distil a potential of Cu7PS6 into a SNAP: ``python make.py TEACHER STRUCTURE OUT.snap [STRUCTURES]``.

The teacher is any potential that `ase_mlips.load` reads.  Its molecular dynamics, and structures that it labels, give
the first frames; then the student runs, its frames are labelled by the teacher and join the training.  A run ends where
both disagree, or where atoms come closer than the teacher can be trusted.
"""

import sys

import numpy as np
from ase import units
from ase.io import read
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import thermalize_momenta
from ase.md.verlet import VelocityVerlet

from ase_mlips import SNAP, load
from ase_mlips.fit import Loss, fit_snap, read_frames, snap_template, split_frames

TEMPERATURES = 300, 450, 600, 750
STRAINS = -0.01, 0.0, 0.02
STEP, INTERVAL = 2.0, 20  # fs, steps
ASTRAY = 3.0  # eV/A, a force error that ends a run
CLOSEST = {"CuCu": 2.05, "CuP": 2.2, "CuS": 1.85, "PP": 5.0, "PS": 1.8, "SS": 2.7}  # A
GENERATIONS = 9

teacher, start = load(sys.argv[1]), read(sys.argv[2])
rng = np.random.default_rng(0)


def label(atoms):
    """The structure with what the teacher says of it, and its forces."""
    frame = atoms.copy()
    frame.calc = teacher
    energy, forces, stress = frame.get_potential_energy(), frame.get_forces(), frame.get_stress(voigt=False)
    frame.calc = None
    frame.info["energy"], frame.info["stress"], frame.arrays["forces"] = energy, stress, forces
    return frame


def closest(atoms):
    """Least distance of each kind of pair, as in `CLOSEST`."""
    distances = atoms.get_all_distances(mic=True) + 9.0 * np.eye(len(atoms))
    of = {name: np.flatnonzero(np.array(atoms.get_chemical_symbols()) == name) for name in ("Cu", "P", "S")}
    return {a + b: distances[np.ix_(of[a], of[b])].min() for a in of for b in of if a + b in CLOSEST}


def prepared(calc, temperature, strain=0.0):
    """The structure with a calculator and velocities, and its Langevin dynamics."""
    atoms = start.copy()
    atoms.set_cell(atoms.cell * (1.0 + strain), scale_atoms=True)
    atoms.calc = calc
    thermalize_momenta(atoms, temperature_K=temperature, rng=rng)
    bath = {"temperature_K": temperature, "friction": 0.01 / units.fs}
    return atoms, Langevin(atoms, STEP * units.fs, **bath, fixcm=False, rng=rng)


def run(calc, temperature, strain, steps):
    """Labelled frames of a run until it goes astray, and whether it did not."""
    atoms, dynamics = prepared(calc, temperature, strain)
    found = []
    for _ in range(steps // INTERVAL):
        dynamics.run(INTERVAL)
        if any(distance < CLOSEST[pair] for pair, distance in closest(atoms).items()):
            return found, False
        found.append(label(atoms))
        if np.abs(found[-1].arrays["forces"] - atoms.get_forces()).max() > ASTRAY:
            return found, False
    return found, True


frames = [label(atoms) for path in sys.argv[4:] for atoms in read(path, ":")]
for temperature in TEMPERATURES:
    for strain in STRAINS:
        frames += run(teacher, temperature, strain, 2500)[0][::10]
template = snap_template(["Cu", "P", "S"], radii=[0.5] * 3, twojmax=4, rcutfac=5.0, zbl=(1.5, 1.9), chemflag=True)
for generation in range(GENERATIONS):
    train, test = split_frames(read_frames(frames), 0.08)
    fit = fit_snap(template, train, test=test, loss=Loss(ridge=1e-5))
    print(f"generation {generation}, {len(frames)} frames")
    print(*(score for score in fit.report.scores() if score.group == "all"), sep="\n", flush=True)
    fit.save(sys.argv[3])
    student = SNAP(fit.model)
    for temperature in TEMPERATURES[2:]:
        for strain in STRAINS:
            more, kept = run(student, temperature, strain, 10_000)
            print(f"{temperature} K, strain {strain}: {1e-3 * STEP * INTERVAL * len(more):.1f} ps, {kept=}", flush=True)
            frames += more[::60] if kept else [*more[-60:-16:8], *more[-16::4]]

for temperature in TEMPERATURES[2:] * 3:
    atoms, bath = prepared(student, temperature)
    bath.run(1000)
    dynamics, energy = VelocityVerlet(atoms, STEP * units.fs), atoms.get_total_energy()
    dynamics.run(40_000)
    change = 1e3 * (atoms.get_total_energy() - energy) / len(atoms)
    print(f"80 ps from {temperature} K: {atoms.get_temperature():.0f} K, {change:+.2f} meV/atom,", closest(atoms))

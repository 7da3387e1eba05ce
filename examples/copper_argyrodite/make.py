"""Distil a potential of Cu7PS6 into a SNAP with a network: ``python make.py TEACHER STRUCTURE OUT.snap.npz``.

The teacher is any potential that `ase_mlips.load` reads.  Its molecular dynamics gives the first frames; then the
student runs, its frames are labelled by the teacher and join the training, until no run of it goes astray.
"""

import sys

import numpy as np
from ase import units
from ase.io import read
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import thermalize_momenta

from ase_mlips import SNAP, load
from ase_mlips.fit import Loss, Training, fit_network, read_frames, snap_template, split_frames

TEMPERATURES = 300, 450, 600, 750
STRAINS = -0.01, 0.0, 0.02
STEP, INTERVAL = 2.0, 100  # fs, steps
ASTRAY = 3.0  # eV/A, a force error that ends a run

teacher, start = load(sys.argv[1]), read(sys.argv[2])
rng = np.random.default_rng(0)
TRAINING = Training(activation="softplus", epochs=120, batch_size=2, learning_rate=4e-3)


def label(atoms):
    """The structure with what the teacher says of it, and its forces."""
    frame = atoms.copy()
    frame.calc = teacher
    energy, forces, stress = frame.get_potential_energy(), frame.get_forces(), frame.get_stress(voigt=False)
    frame.calc = None
    frame.info["energy"], frame.info["stress"], frame.arrays["forces"] = energy, stress, forces
    return frame


def run(calc, temperature, strain, steps):
    """Labelled frames of a run, until it goes astray."""
    atoms = start.copy()
    atoms.set_cell(atoms.cell * (1.0 + strain), scale_atoms=True)
    atoms.calc = calc
    thermalize_momenta(atoms, temperature_K=temperature, rng=rng)
    found = []
    dynamics = Langevin(
        atoms, STEP * units.fs, temperature_K=temperature, friction=0.01 / units.fs, fixcm=False, rng=rng
    )
    for _ in range(steps // INTERVAL):
        dynamics.run(INTERVAL)
        frame = label(atoms)
        error = np.abs(frame.arrays["forces"] - atoms.get_forces()).max()
        if np.abs(frame.arrays["forces"]).max() < 15.0:
            found.append(frame)
        if error > ASTRAY:
            return found, False
    return found, True


frames = []
for temperature in TEMPERATURES:
    for strain in STRAINS:
        frames += run(teacher, temperature, strain, 2500)[0]
template = snap_template(
    ["Cu", "P", "S"], radii=[0.5] * 3, weights=[1.0, 0.6, -0.8], twojmax=6, rcutfac=5.0, zbl=(1.0, 1.7)
)
for generation in range(6):
    train, test = split_frames(read_frames(frames), 0.1)
    fit = fit_network(template, train, test=test, loss=Loss(energy=30, force=1, stress=0.05), training=TRAINING)
    print(generation, len(frames), [str(s) for s in fit.report.scores() if s.group in ("all", "*all")], flush=True)
    fit.save(sys.argv[3])
    student, good = SNAP(fit.model), 0
    for temperature in TEMPERATURES[2:]:
        for strain in STRAINS:
            more, kept = run(student, temperature, strain, 4000)
            frames += more[::2] if kept else more[-12:]
            good += kept
    print("runs kept", good, "of", 6, flush=True)

"""Write vacf.npz: velocities of four atoms, and what dynasor and tidynamics find in them."""

from pathlib import Path

import numpy as np
import tidynamics
from dynasor.tools.acfs import compute_acf

FRAMES, ATOMS = 240, 4

rng = np.random.default_rng(2718)
velocities = rng.normal(scale=0.01, size=(FRAMES, ATOMS, 3))  # A/fs
for t in range(1, FRAMES):
    velocities[t] += 0.9 * velocities[t - 1]
velocities[:, 1:, 2] += 0.02 * np.sin(0.3 * np.arange(FRAMES))[:, None]

by_dynasor = np.zeros((3, FRAMES))
for axis in range(3):
    for atom in range(ATOMS):
        column = velocities[:, atom, axis]
        by_dynasor[axis] += compute_acf(column)[1] * np.mean(column**2) / ATOMS  # dynasor divides by <v^2>
by_tidynamics = np.mean([tidynamics.acf(velocities[:, atom]) for atom in range(ATOMS)], axis=0)

np.savez(Path(__file__).with_name("vacf.npz"), velocities=velocities, dynasor=by_dynasor, tidynamics=by_tidynamics)

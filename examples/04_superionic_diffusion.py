# %% [markdown]
# # Diffusion in a superionic conductor, from many short trajectories
#
# Copper in the argyrodite Cu7PS6 with the embedded SNAP. As in studies of superionic conductors, the mean
# squared displacement is averaged over independent short runs, each with velocities of its own: the standard error
# of the diffusion coefficient is that of the mean of the runs, and supposes nothing about the motion. Several
# temperatures give the activation energy. With `--full` there are three of them and more and longer runs.

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from ase import units
from ase.io import read
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import thermalize_momenta
from ase.md.verlet import VelocityVerlet
from ase_mlips.analysis import arrhenius, average, einstein_diffusion, mean_squared_displacement

from ase_mlips import SNAP

FULL = "--full" in sys.argv
TEMPERATURES = (450, 550, 700) if FULL else (450, 700)
RUNS, STEPS = (6, 1500) if FULL else (3, 700)  # steps of 2 fs
INTERVAL = 10
calc = SNAP.embedded("Cu7PS6")
start = read(Path(__file__).parent / "copper_argyrodite" / "structure.extxyz")


# %%
def displacements(temperature, seed):
    """Mean squared displacement in a run at constant energy, after 0.6 ps with a thermostat."""
    rng = np.random.default_rng([temperature, seed])
    atoms = start.copy()
    atoms.calc = calc
    thermalize_momenta(atoms, temperature_K=temperature, rng=rng)
    bath = {"temperature_K": temperature, "friction": 0.02 / units.fs}
    Langevin(atoms, 2 * units.fs, **bath, fixcm=False, rng=rng).run(300)
    frames = []
    run = VelocityVerlet(atoms, 2 * units.fs)
    run.attach(lambda: frames.append(atoms.copy()), interval=INTERVAL)
    run.run(STEPS)
    return mean_squared_displacement(frames, timestep_fs=2.0 * INTERVAL)


runs = {temperature: [displacements(temperature, seed) for seed in range(RUNS)] for temperature in TEMPERATURES}

# %%
coefficients = [
    average([einstein_diffusion(msd, window_ps=(0.4, 1.0)) for msd in runs[temperature]])
    for temperature in TEMPERATURES
]
activation = arrhenius(TEMPERATURES, coefficients, symbol="Cu")

fig, ax = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for k, (temperature, several) in enumerate(runs.items()):
    for msd in several:
        ax[0].plot(msd.times, msd.partials["Cu"], color=f"C{k}", linewidth=0.5, alpha=0.5)
    mean = average(several)
    ax[0].plot(mean.times, mean.partials["Cu"], color=f"C{k}", linewidth=2, label=f"Cu, {temperature} K")
    ax[0].plot(mean.times, mean.partials["S"], color=f"C{k}", linestyle=":", label=f"S, {temperature} K")
ax[0].set(xlabel="time (ps)", ylabel="mean squared displacement (Å²)", xlim=(0, 1.3), ylim=(0, 3))
ax[0].legend(frameon=False, fontsize="small")
activation.plot(ax[1])
plt.savefig("superionic_diffusion.png", dpi=150)

# %%
for temperature, diffusion in zip(TEMPERATURES, coefficients, strict=True):
    print(f"{temperature} K: {diffusion.describe('Cu')}")
print(activation)
assert 0.0 < activation.activation_energy < 0.3

# %% [markdown]
# # Thermal conductivity from driven simulations
#
# Two ways to what the atoms of liquid silicon conduct at 2500 K (its electrons conduct far more). Mueller-Plathe:
# velocities are exchanged between a cold and a hot slab, and the temperature gradient is measured. HNEMD: a force on
# all atoms drives a heat flux through a small periodic cell, and the flux is measured. With `--full` both runs last
# longer, and the cell of the first one is larger.

# %%
import sys

import matplotlib.pyplot as plt
import numpy as np
from ase import units
from ase.build import bulk
from ase.md.langevin import Langevin
from ase.md.nose_hoover_chain import NoseHooverChainNVT
from ase.md.velocitydistribution import Stationary
from ase.md.verlet import VelocityVerlet
from ase_mlips.analysis import HNEMD, MullerPlathe

from ase_mlips import SNAP

FULL = "--full" in sys.argv
LENGTH, HEATING = (6, 500) if FULL else (4, 200)  # unit cells along the exchange; steps of each stage of melting
EXCHANGE, DRIVEN = (7000, 8000) if FULL else (1500, 1500)  # steps
rng = np.random.default_rng(0)
timestep = 2 * units.fs


def liquid(repeat):
    atoms = bulk("Si", cubic=True, a=5.25) * repeat
    atoms.calc = SNAP.embedded("Si")
    for temperature in (5000, 2500):
        Langevin(atoms, timestep, temperature_K=temperature, friction=0.02 / units.fs, rng=rng, fixcm=False).run(
            HEATING
        )
    Stationary(atoms)
    return atoms


# %%
dynamics = VelocityVerlet(liquid((2, 2, LENGTH)), timestep)
exchange = MullerPlathe(dynamics, axis=2, slabs=12, interval=40, equilibration=EXCHANGE // 5)
dynamics.run(EXCHANGE)
profile = exchange.result()

# %%
dynamics = NoseHooverChainNVT(liquid((2, 2, 2)), timestep, temperature_K=2500, tdamp=100 * units.fs)
hnemd = HNEMD(dynamics, (0.03, 0.0, 0.0), equilibration=500, sampling=5)
dynamics.run(DRIVEN)
driven = hnemd.result()

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
profile.plot(axes[0])
driven.plot(axes[1])
plt.savefig("nonequilibrium.png", dpi=150)
weights = np.array([profile.kappa_error, driven.kappa_error]) ** -2
kappa = float(weights @ [profile.kappa, driven.kappa] / weights.sum())
error = weights.sum() ** -0.5
print(profile, driven, f"together {kappa:.2f} +- {error:.2f} W/(m K)", sep="\n")
assert error < 0.25
assert abs(kappa - 0.60) < 3.0 * error  # the mean of long runs

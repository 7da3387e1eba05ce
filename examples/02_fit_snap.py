# %% [markdown]
# # Fit a SNAP to labelled structures
#
# The labels come from ASE's EMT for copper, so that nothing needs to be downloaded; with DFT data the first cell is
# `frames = read_frames("data.extxyz")`.

# %%
import matplotlib.pyplot as plt
import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from ase_mlips.fit import Loss, fit_snap, read_frames, snap_template, split_frames

rng = np.random.default_rng(0)
structures = []
for _ in range(60):
    atoms = bulk("Cu", cubic=True) * (2, 2, 2)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + rng.uniform(-0.03, 0.03, (3, 3))), scale_atoms=True)
    atoms.rattle(rng.uniform(0.02, 0.2), rng=rng)
    calc = EMT()
    labels = {
        "energy": calc.get_potential_energy(atoms),
        "forces": calc.get_forces(atoms),
        "stress": calc.get_stress(atoms),
    }
    atoms.calc = SinglePointCalculator(atoms, **labels)
    structures.append(atoms)

# %%
train, test = split_frames(read_frames(structures), fraction=0.2)
template = snap_template(["Cu"], radii=[0.5], twojmax=6, rcutfac=5.0)
fit = fit_snap(template, train, test=test, loss=Loss(energy=100, force=1, stress=0.1))
fit.save("copper.snapcoeff")

# %%
fit.plot()
plt.savefig("copper_parity.png", dpi=150)
error = next(s.mae for s in fit.report.scores() if (s.set, s.group, s.quantity) == ("test", "*all", "force"))
size = float(np.mean([np.abs(atoms.get_forces()).mean() for atoms in structures]))
print(f"force error on the test set: {error:.4f} eV/A, {100 * error / size:.1f} % of the forces")
assert error < 0.1 * size

# %% [markdown]
# # Molecular dynamics of silicon and its radial distribution function
#
# The embedded SNAP of silicon as an ASE calculator: a Langevin run at 600 K, and g(r) of its second half.

# %%
import matplotlib.pyplot as plt
import numpy as np
from ase import units
from ase.build import bulk
from ase.constraints import FixCom
from ase.md.langevin import Langevin
from ase_mlips.analysis import rdf

from ase_mlips import SNAP

rng = np.random.default_rng(0)
atoms = bulk("Si", cubic=True) * (2, 2, 2)
atoms.calc = SNAP.embedded("Si")
atoms.set_constraint(FixCom())

# %%
frames = []
dynamics = Langevin(atoms, 2 * units.fs, temperature_K=600, friction=0.02 / units.fs, rng=rng, fixcm=False)
dynamics.run(300)
dynamics.attach(lambda: frames.append(atoms.copy()), interval=10)
dynamics.run(600)

# %%
g = rdf(frames, r_max=8.0)
g.plot()
plt.savefig("silicon_rdf.png", dpi=150)
peak = float(g.r[np.argmax(g.g)])
print(f"first neighbours at {peak:.2f} A")
assert abs(peak - 2.37) < 0.05

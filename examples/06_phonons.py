# %% [markdown]
# # Phonons of silicon
#
# The embedded SNAP of silicon: relax the cell, displace one atom of a supercell of 128, and ask for everything that
# force constants give.  `result.phonopy` is the instance of phonopy, for all that is not shown here.

# %%
import matplotlib.pyplot as plt
from ase.build import bulk

from ase_mlips import SNAP
from ase_mlips.phonons import gruneisen, phonons

calc = SNAP.embedded("Si")
result = phonons(bulk("Si", a=5.43), calc, supercell=4, relaxed="cell")
print(result, result.relaxation)
assert result.stable

# %% [markdown]
# Thermal properties, and how frequencies change with the volume; the mean parameter drives the thermal expansion.

# %%
capacity = result.thermal([300]).heat_capacity[0]
parameter = gruneisen(result, calc).mean(300)
print(f"at 300 K: C_V = {capacity:.2f} J/K/mol, Grüneisen parameter {parameter:.2f}")
result.save("silicon.yaml")  # any tool of phonopy goes on from here

# %%
result.plot()
plt.savefig("silicon_phonons.png", dpi=150)
optical = result.frequencies([0, 0, 0]).max()
print(f"optical modes at Γ: {optical:.2f} THz")
assert abs(optical - 14.89) < 0.05

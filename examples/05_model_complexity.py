# %% [markdown]
# # How complex should the model be?
#
# Linear SNAP, quadratic SNAP and a network of 32 x 32 nodes on the same descriptors of silicon, in two sizes: force
# and energy errors on frames that no fit has seen, for three ratios of their weights, and the errors of two properties,
# g(r) of the melt and phonons. The paper (A. Rohskopf et al., J. Mater. Res. 38, 5136 (2023)) finds a linear model
# behind a quadratic one and a network, which are alike. The labels here are those of the Stillinger-Weber potential,
# see `silicon_sw`; any labelled silicon can take their place as the first argument. A run of 2 ps gives g(r) only
# within the bars that are drawn, too wide to tell these models apart.

# %%
import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from ase import units
from ase.io import read
from ase.md.langevin import Langevin
from ase_mlips.analysis import rdf

from ase_mlips import SNAP
from ase_mlips.fit import Loss, Training, compare, fit_network, fit_snap, read_frames, snap_template, split_frames
from ase_mlips.phonons import compare_phonons
from ase_mlips.snap import SnapPotential

REFERENCE = Path(__file__).parent / "silicon_sw"
RATIOS = 3e-3, 1e-2, 1e-1  # force to energy weight; the second one is used for the properties
HEADS = "linear", "quadratic", "network"
TRAINING = Training(activation="softplus", epochs=100, batch_size=2, learning_rate=5e-3, lbfgs_steps=300)

frames = read_frames(sys.argv[1] if len(sys.argv) > 1 else REFERENCE / "labels.extxyz")
train, test = split_frames(frames, 0.25)


# %%
def models(head, twojmax):
    """One model for each ratio."""
    template = snap_template(["Si"], radii=[0.5], twojmax=twojmax, rcutfac=4.2, quadraticflag=head == "quadratic")
    losses = [Loss(ridge=0.0 if head == "network" else 1e-7).with_force_ratio(ratio) for ratio in RATIOS]
    if head == "network":
        return [fit_network(template, train, loss=loss, training=TRAINING).model for loss in losses]
    equations = fit_snap(template, train, loss=losses[0]).equations
    return [equations.solve(loss)[0] for loss in losses]


fitted = {(head, twojmax): models(head, twojmax) for twojmax in (6, 8) for head in HEADS}

# %%
liquid = json.loads((REFERENCE / "liquid.json").read_text())


def liquid_error(model):
    """Mean absolute error of g(r) over 2 ps, after one that does not count, and its statistical part."""
    rng = np.random.default_rng(0)
    atoms = read(REFERENCE / "labels.extxyz")  # the last frame, a melt
    atoms.calc = SNAP(model)
    bath = {"temperature_K": liquid["temperature"], "friction": 0.01 / units.fs}
    run = Langevin(atoms, 2.0 * units.fs, **bath, fixcm=False, rng=rng)
    seen = []
    run.run(500)
    run.attach(lambda: seen.append(atoms.copy()), interval=10)
    run.run(1000)
    g = rdf(seen, r_max=liquid["r_max"], bins=len(liquid["g"]), finite_size=True)
    return np.mean(np.abs(g.g - liquid["g"])), np.mean(g.error)


# %%
fig, ax = plt.subplots(1, 3, figsize=(15, 4.5), layout="constrained")
models_at = {f"{head}, 2J = {twojmax}": versions[1] for (head, twojmax), versions in fitted.items()}
phonons = compare_phonons(REFERENCE / "phonons.yaml", {name: SNAP(model) for name, model in models_at.items()})
force = {}
for name, (key, versions) in zip(models_at, fitted.items(), strict=True):
    style = {"color": f"C{HEADS.index(key[0])}", "marker": "s" if key[1] == 6 else "o", "label": name}
    reports = [compare(SnapPotential(model), {"test": test}) for model in versions]
    energies, forces = ([1e3 * r.parity("test", q).score().mae for r in reports] for q in ("energy", "force"))
    force[key] = forces[1]
    ax[0].loglog(energies, forces, **style)
    melt, noise = liquid_error(models_at[name])
    ax[1].errorbar(force[key], melt, noise, **style)
    ax[2].plot(force[key], phonons.rmse["Si2", name], **style)
    print(f"{name:<18} forces {force[key]:.1f} meV/A, g(r) {melt:.3f}, phonons {phonons.rmse['Si2', name]:.2f} THz")
ax[0].set(xlabel="energy MAE (meV/atom)", ylabel="force MAE (meV/A)")
ax[1].set(xlabel="force MAE (meV/A)", ylabel="mean error of g(r) of the melt", ylim=0.0)
ax[2].set(xlabel="force MAE (meV/A)", ylabel="phonon RMSE (THz)", ylim=0.0)
ax[0].legend()
plt.savefig("model_complexity.png", dpi=150)

# %%
ratio = force["network", 8] / force["linear", 8]
print(f"the network has {ratio:.2f} of the force error of the linear model")
assert ratio < 0.85
assert force["quadratic", 8] < force["linear", 8]

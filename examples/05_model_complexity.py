# %% [markdown]
# # How complex should the model be?
#
# A teacher stands in for DFT: the labels are those of the potential of Stillinger and Weber (Phys. Rev. B 31, 5262
# (1985)), see `silicon_sw`; a file of other labels can be an argument. Linear SNAP, quadratic SNAP and a network of
# 32 x 32 nodes on the same descriptors of silicon: force and energy errors on frames that no fit has seen, for several
# ratios of their weights, and the errors of three properties, g(r) of the melt, phonons, and the thermal conductivity
# of the crystal by phono3py. The paper (A. Rohskopf et al., J. Mater. Res. 38, 5136 (2023)) finds a linear model behind
# a quadratic one and a network, which are alike, and asks why, by the derivatives of the energy of an atom with
# respect to its descriptors. A short run gives g(r) only within the bars that are drawn, too wide to tell these models
# apart. With `--full`: two sizes of the descriptors, longer trainings and runs, a finer mesh for the conductivity.

# %%
import json
import runpy
import sys
from importlib.util import find_spec
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from ase import units
from ase.build import bulk
from ase.io import read
from ase.md.langevin import Langevin
from ase_mlips.analysis import rdf

from ase_mlips import SNAP
from ase_mlips.fit import Loss, Training, compare, fit_network, fit_snap, read_frames, snap_template, split_frames
from ase_mlips.phonons import compare_phonons, thermal_conductivity
from ase_mlips.snap import SnapPotential

REFERENCE = Path(__file__).parent / "silicon_sw"
FULL = "--full" in sys.argv
SIZES = (6, 8) if FULL else (6,)  # 2J
RATIOS = (3e-3, 1e-2, 1e-1) if FULL else (3e-3, 1e-2)  # force to energy weight; the second is used for the properties
HEADS = "linear", "quadratic", "network"
TRAINING = Training(
    activation="softplus",
    epochs=100 if FULL else 40,
    batch_size=2,
    learning_rate=5e-3,
    lbfgs_steps=300 if FULL else 80,
)
STEPS = 1000 if FULL else 300  # of 2 fs, of the melt
MESH, DENSITY = ((15, 15, 15), 60.0) if FULL else ((5, 5, 5), 20.0)  # of q points: for kappa, for frequencies

files = [argument for argument in sys.argv[1:] if argument != "--full"]
frames = read_frames(files[0] if files else REFERENCE / "labels.extxyz")
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


fitted = {(head, twojmax): models(head, twojmax) for twojmax in SIZES for head in HEADS}

# %%
liquid = json.loads((REFERENCE / "liquid.json").read_text())


def liquid_error(model):
    """Mean absolute error of g(r), after half of the time that does not count, and its statistical part."""
    rng = np.random.default_rng(0)
    atoms = read(REFERENCE / "labels.extxyz")  # the last frame, a melt
    atoms.calc = SNAP(model)
    bath = {"temperature_K": liquid["temperature"], "friction": 0.01 / units.fs}
    run = Langevin(atoms, 2.0 * units.fs, **bath, fixcm=False, rng=rng)
    seen = []
    run.run(STEPS // 2)
    run.attach(lambda: seen.append(atoms.copy()), interval=10)
    run.run(STEPS)
    g = rdf(seen, r_max=liquid["r_max"], bins=len(liquid["g"]), finite_size=True)
    return np.mean(np.abs(g.g - liquid["g"])), np.mean(g.error)


def conductivity(calc):
    """Of the crystal at 300 K in W/(m K), relaxation-time approximation; NaN without phono3py."""
    if find_spec("phono3py") is None:
        return np.nan
    crystal = bulk("Si", a=5.43095, cubic=True)
    return thermal_conductivity(crystal, calc, supercell=2, mesh=MESH, temperatures=[300.0]).mean[0]


# %%
fig, axes = plt.subplots(2, 3, figsize=(15, 9), layout="constrained")
ax = axes.ravel()
models_at = {f"{head}, 2J = {twojmax}": versions[1] for (head, twojmax), versions in fitted.items()}
calculators = {name: SNAP(model) for name, model in models_at.items()}
phonons = compare_phonons(REFERENCE / "phonons.yaml", calculators, mesh=DENSITY)
teacher = conductivity(runpy.run_path(str(REFERENCE / "stillinger_weber.py"))["StillingerWeber"]())
force, kappa = {}, {}
for name, (key, versions) in zip(models_at, fitted.items(), strict=True):
    style = {"color": f"C{HEADS.index(key[0])}", "marker": "s" if key[1] == 6 else "o", "label": name}
    reports = [compare(SnapPotential(model), {"test": test}) for model in versions]
    energies, forces = ([1e3 * r.parity("test", q).score().mae for r in reports] for q in ("energy", "force"))
    force[key], kappa[key] = forces[1], conductivity(calculators[name])
    ax[0].loglog(energies, forces, **style)
    melt, noise = liquid_error(models_at[name])
    ax[1].errorbar(force[key], melt, noise, **style)
    ax[2].plot(force[key], phonons.rmse["Si2", name], **style)
    ax[3].plot(force[key], 100 * abs(kappa[key] / teacher - 1.0), **style)
    found = f"forces {force[key]:.1f} meV/A, g(r) {melt:.3f}({1e3 * noise:.0f}), phonons"
    found += f" {phonons.rmse['Si2', name]:.2f} THz, kappa {kappa[key]:.0f} of {teacher:.0f} W/(m K)"
    print(f"FOUND: {name}, errors | {found} | Fig. 2: network, quadratic < linear")
ax[0].set(xlabel="energy MAE (meV/atom)", ylabel="force MAE (meV/A)")
for axis, label in zip(
    ax[1:], ("mean error of g(r) of the melt", "phonon RMSE (THz)", "error of kappa (%)"), strict=False
):
    axis.set(xlabel="force MAE (meV/A)", ylabel=label, ylim=0.0)
ax[0].legend()

# %% [markdown]
# ## Derivatives of the energy of an atom
#
# With respect to its descriptors, along the principal directions of these over the test frames and in units of their
# standard deviations: what lies along a direction that hardly varies is no property of a model. The first derivatives
# of a linear model are constants, and its second ones zero; those of a quadratic model are constants.


# %%
def of_quadratic(model, descriptors):
    """First (N, K) and second (N, K, K) derivatives of the energies of atoms in eV."""
    count = descriptors.shape[1]
    upper = np.zeros((count, count))
    upper[np.triu_indices(count)] = model.coefficients[0, 1 + count :]
    second = upper + np.triu(upper, 1).T
    return model.coefficients[0, 1 : 1 + count] + descriptors @ second, np.broadcast_to(
        second, (len(descriptors), *second.shape)
    )


def of_network(model, descriptors):
    """The same, of two hidden layers of softplus; its first derivative is s, and its second s (1 - s)."""
    (first, a), (second, b), (last, _) = ((w[0], c[0]) for w, c in model.network.layers())
    first = first / model.network.scale[0]
    one = descriptors @ first.T + a - first @ model.network.shift[0]
    s = 1.0 / (1.0 + np.exp(-one))
    t = 1.0 / (1.0 + np.exp(-(np.logaddexp(0.0, one) @ second.T + b)))
    inner = (last[0] * t) @ second
    through = np.einsum("nh,gh,hk->ngk", s, second, first, optimize=True)  # of the inputs of the second layer
    curved = np.einsum("ng,ngk,ngl->nkl", last[0] * t * (1.0 - t), through, through, optimize=True)
    curved += np.einsum("nh,hk,hl->nkl", inner * s * (1.0 - s), first, first, optimize=True)
    return (inner * s) @ first, curved


DIRECTIONS = 6
size = SIZES[-1]
quadratic, network = fitted["quadratic", size][1], fitted["network", size][1]
descriptors = np.concatenate([SNAP(quadratic).get_descriptors(frame.atoms) for frame in test])
_, spread, axes_of = np.linalg.svd(descriptors - descriptors.mean(0), full_matrices=False)
along = axes_of[:DIRECTIONS] * spread[:DIRECTIONS, None] / np.sqrt(len(descriptors))
first, second = {}, {}
for name, (gradient, hessian) in {
    "quadratic": of_quadratic(quadratic, descriptors),
    "network": of_network(network, descriptors),
}.items():
    first[name] = gradient @ along.T
    second[name] = np.einsum("ik,nkl,jl->nij", along, hessian, along, optimize=True)
for k in range(DIRECTIONS):
    ax[4].plot(first["quadratic"][:, k], first["network"][:, k], ".", markersize=2, label=f"direction {k + 1}")
mean, deviation = second["network"].mean(0), second["network"].std(0)
upper = np.triu_indices(DIRECTIONS)
ax[5].errorbar(second["quadratic"][0][upper], mean[upper], deviation[upper], fmt=".", capsize=2)
ax[4].set(xlabel="dU/dz of the quadratic model (eV)", ylabel="dU/dz of the network (eV)")
ax[5].set(xlabel="d$^2$U/dz$^2$ of the quadratic model (eV)", ylabel="of the network, mean and deviation (eV)")
for axis in ax[4:]:
    axis.axline((0.0, 0.0), slope=1.0, color="0.7", zorder=0)
ax[4].legend(fontsize="small", markerscale=4)
plt.savefig("model_complexity.png", dpi=120)

# %%
likeness = np.corrcoef(first["quadratic"].ravel(), first["network"].ravel())[0, 1]
print(f"FOUND: first derivatives of quadratic model and network, correlation | {likeness:.3f} | Fig. 3: alike")
varies = np.linalg.norm(deviation) / np.linalg.norm(mean)
print(f"FOUND: second derivatives of the network, deviation over mean | {varies:.2f} | Fig. 3: 0 for a quadratic model")
ratio = force["network", size] / force["linear", size]
print(f"FOUND: force error, network over linear model | {ratio:.2f} | Fig. 2a: below 1")
assert ratio < 0.9

# %% [markdown]
# # Which descriptors, and which head?
#
# SNAP, ACE and POD with linear and quadratic heads and with networks, on gallium nitride and on a lithium-ion conductor
# of four elements: force against energy errors on frames that no fit has seen, for ratios of their weights over eight
# decades. The labels are those of published potentials, which stand in for DFT: the Tersoff potential of Nord et al.
# for GaN and a neuroevolution potential of GPUMD's tutorials for Li7La3Zr2O12, see `gallium_nitride` and `garnet`. The
# paper (A. Rohskopf et al., J. Mater. Res. 38, 5136 (2023)) finds that ACE needs a network less than SNAP does, and for
# four elements that POD is better than a network on SNAP, and POD + SNAP the best. `--full` takes all frames and longer
# trainings, and fits more heads.

# %%
import json
import sys
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from ase import units
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import thermalize_momenta
from ase_mlips.analysis import mean_squared_displacement, rdf

from ase_mlips import POD, SNAP, Overlay
from ase_mlips.fit import (
    Loss,
    Training,
    ace_template,
    fit_ace,
    fit_ace_network,
    fit_network,
    fit_overlay,
    fit_pod,
    fit_pod_network,
    fit_snap,
    read_frames,
    snap_template,
    trade_off,
)
from ase_mlips.pod import PodBasis

FULL = "--full" in sys.argv
HERE = Path(__file__).parent
NETWORK = {"activation": "softplus", "batch_size": 2, "learning_rate": 5e-3}
if FULL:
    STEP, TRAINED = 1, [1e-4, 1e-2, 1e4]
    TRAINING = Training(hidden=(16, 16), epochs=80, lbfgs_steps=120, **NETWORK)
else:
    STEP, TRAINED = 4, [1e-2]
    TRAINING = Training(hidden=(16, 16), epochs=25, lbfgs_steps=60, **NETWORK)
RATIOS = [10.0**exponent for exponent in range(-4, 5)]
LOSS = Loss(stress=0.0, ridge=1e-10)
warnings.filterwarnings("ignore", "no training frame determines these coefficients")


def data(material):
    """Training and test frames."""
    return [read_frames(HERE / material / f"{part}.extxyz.gz")[::STEP] for part in ("train", "test")]


def trained(fit, template, train):
    """What `trade_off` calls with the weights of each ratio."""
    return lambda loss: fit(template, train, loss=loss, training=TRAINING)


def report(curves):
    """Print the least errors over all ratios; returns those of the forces, in meV/A."""
    for name, curve in curves.curves.items():
        energy, force = 1000.0 * curve.energy_mae[0], 1000.0 * curve.force_mae[0]
        print(f"  {name:<22} forces {force.min():6.1f} meV/A, energies {energy.min():5.2f} meV/atom")
    return {name: 1000.0 * force for name, force in curves.best().items()}


# %% [markdown]
# Gallium nitride. The bonds of the Tersoff potential end at 3.1 A, and the descriptors not far beyond. A linear ACE of
# 122 functions is better than a linear SNAP of 30 components. With all frames, a network takes more off the error of
# SNAP than off that of ACE; with few frames it learns little in either case.

# %%
train, test = data("gallium_nitride")
cutoff = {"radii": [0.5, 0.5], "weights": [1.0, 0.5], "rcutfac": 3.4}
snap = snap_template(["Ga", "N"], twojmax=6, **cutoff)
ace = ace_template(["Ga", "N"], cutoff=3.4, nmax=[6, 3, 1], lmax=[0, 3, 2], scale=2.0)
pod = PodBasis(("Ga", "N"), 1.0, 3.4, 4, 8, (8, 5, 0, 0, 0, 0), (4, 0, 0, 0, 0))
candidates = {
    "SNAP, linear": fit_snap(snap, train, loss=LOSS),
    "SNAP, network": trained(fit_network, snap, train),
    "ACE, linear": fit_ace(ace, train, loss=LOSS),
    "ACE, network": trained(fit_ace_network, ace, train),
    "POD, linear": fit_pod(pod, train, loss=LOSS),
}
if FULL:
    quadratic = snap_template(["Ga", "N"], twojmax=6, quadraticflag=True, **cutoff)
    small = PodBasis(("Ga", "N"), 1.0, 3.4, 4, 8, (4, 3, 0, 0, 0, 0), (2, 0, 0, 0, 0))
    candidates |= {
        "SNAP, quadratic": fit_snap(quadratic, train, loss=LOSS),
        "POD, quadratic": fit_pod(small, train, loss=LOSS, quadratic=True),
        "POD, network": trained(fit_pod_network, pod, train),
    }
nitride = trade_off(candidates, test, ratios=RATIOS, trained=TRAINED, loss=LOSS)
print(f"GaN, {len(train)} training frames, {len(test)} test frames")
force = report(nitride)
gains = {name: force[f"{name}, network"] / force[f"{name}, linear"] for name in ("SNAP", "ACE")}
print(", ".join(f"a network has {gain:.2f} of the force error of linear {name}" for name, gain in gains.items()))

# %% [markdown]
# Four elements. SNAP tells elements apart by one weight each only; POD has terms of its own for each pair of them. Sums
# of both are one linear model, fitted together.

# %%
train, test = data("garnet")
elements = ["Li", "La", "Zr", "O"]
snap = snap_template(elements, radii=[0.5] * 4, weights=[0.4, 1.0, 0.8, -0.6], twojmax=6, rcutfac=5.0)
pod = PodBasis(tuple(elements), 1.0, 5.0, 4, 8, (8, 4, 0, 0, 0, 0), (3, 0, 0, 0, 0))
candidates = {
    "SNAP, linear": fit_snap(snap, train, loss=LOSS),
    "SNAP, network": trained(fit_network, snap, train),
    "POD, linear": fit_pod(pod, train, loss=LOSS),
    "POD + SNAP, linear": fit_overlay([pod, snap], train, loss=LOSS),
}
garnet = trade_off(candidates, test, ratios=RATIOS, trained=TRAINED, loss=LOSS)
print(f"Li7La3Zr2O12, {len(train)} training frames, {len(test)} test frames")
conductor = report(garnet)

# %% [markdown]
# What such errors mean for what moves: g(r) of lithium and oxygen and the displacement of lithium at 1200 K, with
# `--full`, beside those of the teacher (`garnet/motion.json`). The run of 8 ps is the same for all; displacements of 28
# ions in it agree within some tens of percent at best. The models of least error are not always those that run: where
# ions meet as in no frame, POD blew up after 4 ps, and POD + SNAP with ridges of 1e-7 and 1e-6 after 7 to 8 ps. Both
# run here with a ridge of 1e-5, which costs a tenth of the accuracy; SNAP, which blows up with that, has 1e-10.


# %%
def motion(calc, wanted):
    """g(r) of Li-O, and the mean squared displacement of Li."""
    hot = [frame.atoms for frame in read_frames(HERE / "garnet" / "test.extxyz.gz") if frame.group == "1200 K"]
    atoms, rng, seen = hot[2].copy(), np.random.default_rng(0), []
    atoms.calc = calc
    thermalize_momenta(atoms, temperature_K=wanted["temperature"], rng=rng)
    bath = {"temperature_K": wanted["temperature"], "friction": 0.005 / units.fs}
    run = Langevin(atoms, 2.0 * units.fs, **bath, fixcm=False, rng=rng)
    run.run(500)
    run.attach(lambda: seen.append(atoms.copy()), interval=wanted["interval"])
    run.run(wanted["steps"])
    g = rdf(seen, r_max=wanted["r_max"], bins=wanted["bins"]).partials["Li", "O"]
    return g, mean_squared_displacement(seen, timestep_fs=2.0 * wanted["interval"], max_lag_ps=2.0).partials["Li"]


teacher = json.loads((HERE / "garnet" / "motion.json").read_text())
moved = {"teacher": (np.array(teacher["g"]), np.array(teacher["msd"]))}
if FULL:
    makers = {"SNAP, linear": (SNAP, 1e-10), "POD, linear": (POD, 1e-5), "POD + SNAP, linear": (Overlay, 1e-5)}
    for name, (maker, ridge) in makers.items():
        model, _ = candidates[name].equations.solve(Loss(stress=0.0, ridge=ridge))
        g, msd = moved[name] = motion(maker(model), teacher)
        away = np.mean(np.abs(g - teacher["g"]))
        print(
            f"  {name:<22} g(r) off by {away:.3f}, <r^2> of Li {msd[-1]:.2f} A^2 after 2 ps ({teacher['msd'][-1]:.2f})"
        )

# %%
fig, ax = plt.subplots(1, 4 if FULL else 2, figsize=(24 if FULL else 13, 4.5), layout="constrained")
for panel, curves, title in zip(ax, (nitride, garnet), ("GaN", "Li$_7$La$_3$Zr$_2$O$_{12}$"), strict=False):
    curves.plot(panel)
    panel.set_title(title)
for name, (g, msd) in moved.items() if FULL else ():
    ax[2].plot((np.arange(len(g)) + 0.5) * teacher["r_max"] / len(g), g, label=name)
    ax[3].plot(2e-3 * teacher["interval"] * np.arange(len(msd)), msd, label=name)
if FULL:
    ax[2].set(xlabel="r (A)", ylabel="g(r) of Li-O at 1200 K")
    ax[3].set(xlabel="time (ps)", ylabel="mean squared displacement of Li (A$^2$)")
    ax[3].legend()
plt.savefig("descriptors_and_heads.png", dpi=150)

# %%
order = " < ".join(f"{name} {conductor[name]:.0f}" for name in sorted(conductor, key=conductor.__getitem__))
linear = ", ".join(f"{name} {force[f'{name}, linear']:.0f}" for name in ("ACE", "SNAP"))
print(f"FOUND: GaN, force MAE of linear models | {linear} meV/A | Fig. 4: ACE < SNAP")
print(
    f"FOUND: GaN, network over linear model | SNAP {gains['SNAP']:.2f}, ACE {gains['ACE']:.2f}"
    " | Fig. 4: SNAP gains more (with all frames)"
)
print(f"FOUND: four elements, force MAE | {order} meV/A | Table 1: POD + SNAP < POD < network SNAP < SNAP")
assert force["ACE, linear"] < force["SNAP, linear"]
expected = "POD + SNAP, linear", "POD, linear", "SNAP, network", "SNAP, linear"
assert sorted(conductor, key=conductor.__getitem__) == list(expected)
if FULL:
    assert gains["SNAP"] < gains["ACE"]

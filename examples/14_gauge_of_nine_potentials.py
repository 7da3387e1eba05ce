# %% [markdown]
# # How much does the thermal conductivity depend on the model?
#
# A teacher stands in for DFT: the labels are those of a published NEP of Cu2Se (file `Cu2Se_nep2.txt` of
# github.com/tang070205/Cu2Se), see `copper_selenide`. Zhu et al., Phys. Rev. B 108, 014108 (2023), trained nine MTPs of
# levels 8 to 24 on one data set of Cu2Se. Their forces agreed and their thermal conductivities from the Green-Kubo
# formula did not, since each divides the energy among the atoms in its own way, and copper carries its share along when
# it diffuses. Here the nine are trained anew. Beside the plain value stands the one without a current of particles
# (Onsager), which no such division changes (Bertossa et al., Phys. Rev. Lett. 122, 255901 (2019)). With `--full`: nine
# models at 300 and 600 K; else two small ones at 600 K, for a time from which nothing can be published.

# %%
import sys
import warnings
from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from ase import units
from ase.build import bulk
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import Stationary, thermalize_momenta
from ase.md.verlet import VelocityVerlet
from ase_mlips.analysis import MullerPlathe, einstein_diffusion, green_kubo, mean_squared_displacement, replay
from ase_mlips.analysis.formatting import with_error

from ase_mlips import MTP
from ase_mlips.fit import FullBatch, compare, fit_mtp, read_frames, split_frames
from ase_mlips.mtp import MtpPotential

FULL = "--full" in sys.argv
LEVELS = tuple(range(8, 26, 2)) if FULL else (4, 6)
ITERATIONS = 60 if FULL else 25
TEMPERATURES = (300, 600) if FULL else (600,)
BEFORE, STEPS = (5000, 6000) if FULL else (1000, 2000)  # of 2 fs, with a thermostat and of each equilibrium run
LENGTHS, EXCHANGES = ((6, 9, 12), 6000) if FULL else ((6,), 1500)  # cells of Mueller-Plathe, and steps
HOT = (600, 700, 800, 900) if FULL else (600, 800)  # for D(T)
MASSES = 1, 4, 16  # of Cu, in its own
SPACING = 20.0  # fs between stored frames
STEP = 2.0 * units.fs
WINDOW = (1.0, 2.0)  # ps, of upper limits of the Green-Kubo integral
warnings.filterwarnings("ignore", "no thermal conductivity")  # of short runs none is to be published

# %% [markdown]
# ## Models of growing complexity on the same data

# %%
frames = read_frames(Path(__file__).parent / "copper_selenide" / "labels.extxyz.gz")
train, test = split_frames(frames, 0.17)


def trained(level):
    """An MTP of its own random start; a file in this folder is taken as it is."""
    path = Path(f"level_{level}.almtp")
    if not path.exists():
        training = FullBatch(iterations=ITERATIONS, starts=1, seed=level)
        MTP(fit_mtp(MTP.untrained(level, ["Cu", "Se"]), train, training=training).model).write(path)
    model = MTP(path, species=["Cu", "Se"])
    errors = compare(MtpPotential(model.model), {"test": test})
    energy, force = (1e3 * errors.parity("test", quantity).score().rmse for quantity in ("energy", "force"))
    print(f"level {level:2}: energy {energy:5.2f} meV/atom, forces {force:5.1f} meV/A on the test set", flush=True)
    return model


models = {level: trained(level) for level in LEVELS}

# %% [markdown]
# ## Figure 1: each model in a run of its own
#
# The parts of the conductivity (convective with itself, conductive with itself, and the cross term that completes the
# sum) have no meaning of their own: all of them depend on how the energy is divided.


# %%
def prepared(level, temperature, repeat=(2, 2, 2), copper=1):
    """Cu2Se after a time with a thermostat; `copper` multiplies the mass of Cu."""
    rng = np.random.default_rng(temperature)
    atoms = bulk("SeCu2", "fluorite", a=5.85, cubic=True) * repeat
    atoms.set_masses(atoms.get_masses() * np.where(atoms.symbols == "Cu", copper, 1.0))
    atoms.calc = models[level]
    thermalize_momenta(atoms, temperature_K=2 * temperature, rng=rng)
    Langevin(atoms, STEP, temperature_K=temperature, friction=0.02 / units.fs, fixcm=False, rng=rng).run(BEFORE)
    Stationary(atoms)
    return atoms


@cache
def equilibrium(level, temperature, copper=1):
    """Frames at constant energy."""
    seen = []
    run = VelocityVerlet(prepared(level, temperature, copper=copper), STEP)
    run.attach(lambda: seen.append(run.atoms.copy()), interval=round(SPACING * units.fs / STEP))
    run.run(STEPS)
    return seen


own = {}
for temperature in TEMPERATURES:
    for level, model in models.items():
        flux = replay(equilibrium(level, temperature), [model], timestep_fs=SPACING)
        own[level, temperature] = found = green_kubo(flux, window_ps=WINDOW)
        parts = ", ".join(f"{name} {found.parts[name]:6.2f}" for name in ("convective", "conductive", "cross"))
        print(
            f"level {level:2}, {temperature} K: kappa {found.kappa:5.2f}+-{found.error:.2f} ({parts}), "
            f"corrected {found.kappa_corrected:5.2f}+-{found.error_corrected:.2f} W/(m K)",
            flush=True,
        )

# %% [markdown]
# ## Figure 3: all models on the same positions and velocities
#
# Statistical noise is common to all now. What differs between models is how they divide the energy.

# %%
first = LEVELS[0]
again = dict(zip(LEVELS, replay(equilibrium(first, 600), list(models.values()), timestep_fs=SPACING), strict=True))
fixed = {level: green_kubo(series, window_ps=WINDOW) for level, series in again.items()}
energies = {level: {name: u.mean() for name, u in series.energies.items()} for level, series in again.items()}
for level, found in fixed.items():
    of_species = ", ".join(f"U({name}) {u:6.3f} eV" for name, u in energies[level].items())
    print(f"level {level:2}, replayed: kappa {found.kappa:5.2f}, corrected {found.kappa_corrected:5.2f}; {of_species}")

# %% [markdown]
# ## Figure 2: Mueller-Plathe, which needs no energies of atoms


# %%
def driven(level, length):
    """Conductivity of a cell of this length by exchange of velocities at 600 K."""
    run = VelocityVerlet(prepared(level, 600, (2, 2, length)), STEP)
    exchange = MullerPlathe(run, axis=2, slabs=2 * length, interval=25, equilibration=EXCHANGES // 3)
    run.run(EXCHANGES)
    result = exchange.result()
    print(
        f"level {level:2}, {result.length:.1f} A, Mueller-Plathe: {result.kappa:.2f}+-{result.kappa_error:.2f} W/(m K)"
    )
    return result


profiles = {level: [driven(level, length) for length in LENGTHS] for level in (LEVELS[0], LEVELS[len(LEVELS) // 2])}

# %% [markdown]
# ## Figure 4: copper diffuses
#
# Heavier copper moves more slowly, and gains and loses its place less often within a given time.


# %%
def coefficient(level, temperature):
    """D of Cu in 1e-5 cm^2/s and its error."""
    msd = mean_squared_displacement(equilibrium(level, temperature), timestep_fs=SPACING)
    found = einstein_diffusion(msd, window_ps=WINDOW)["Cu"]
    return 1e5 * np.array(found)


pair = LEVELS[0], LEVELS[-1]
spread = {m: mean_squared_displacement(equilibrium(first, 800, m), timestep_fs=SPACING) for m in MASSES}
diffusion = {level: np.array([coefficient(level, temperature) for temperature in HOT]) for level in pair}

# %%
fig, axes = plt.subplots(2, 4, figsize=(21, 9), layout="constrained")
for k, temperature in enumerate(TEMPERATURES):
    ax = axes[0, k if FULL else 0]
    results = [own[level, temperature] for level in LEVELS]
    for name, marker in (("convective", "v"), ("conductive", "^"), ("total", "o")):
        ax.plot(LEVELS, [found.parts[name] for found in results], marker=marker, ls=":", label=name)
    values, errors = ([getattr(found, name) for found in results] for name in ("kappa_corrected", "error_corrected"))
    ax.errorbar(LEVELS, values, errors, marker="s", ls=":", capsize=3, label="corrected")
    ax.set(title=f"own run, {temperature} K", xlabel="level of the MTP", ylabel="thermal conductivity (W/(m K))")
    ax.margins(y=0.3)
    ax.legend(frameon=False, ncols=2, loc="upper center")
axes[0, 1].set(visible=FULL)
ax = axes[0, 2]
for k, (level, found) in enumerate(fixed.items()):
    plain = np.trace(found.running["total"], axis1=1, axis2=2) / 3
    ax.plot(found.times, plain, color=f"C{k}", ls=":")
    ax.plot(found.times, found.running_corrected, color=f"C{k}", label=f"level {level}")
    for name, style in (("Cu", "-"), ("Se", "--")):
        density, edges = np.histogram(again[level].energies[name], bins=80, density=True)
        axes[0, 3].plot(0.5 * (edges[1:] + edges[:-1]), density, style, color=f"C{k}")
ax.axvspan(*WINDOW, color="0.9", zorder=0)
ax.set(title="replay at 600 K: plain (dotted), corrected", xlabel="time (ps)", ylabel="kappa (W/(m K))", xlim=(0, 2.5))
ax.legend(frameon=False, fontsize="small", ncols=2)
axes[0, 3].set(title="replay: energies of Cu (solid), Se (dashed)", xlabel="U (eV)", ylabel="density (1/eV)")
for level, results in profiles.items():
    inverse = [10.0 / result.length for result in results]
    kappas, errors = ([getattr(result, name) for result in results] for name in ("kappa", "kappa_error"))
    axes[1, 0].errorbar(inverse, kappas, errors, marker="o", ls=":", capsize=3, label=f"level {level}")
axes[1, 0].set(title="Mueller-Plathe, 600 K", xlabel="1/length (1/nm)", ylabel="kappa (W/(m K))", ylim=0.0, xlim=0.0)
for copper, msd in spread.items():
    axes[1, 1].plot(msd.times, msd.partials["Cu"], label=f"{copper:g} m(Cu)")
axes[1, 1].set(title="Cu at 800 K", xlabel="time (ps)", ylabel="mean squared displacement (A$^2$)", xlim=(0, 2.5))
axes[1, 1].set_ylim(0, 1.1 * max(np.interp(2.5, msd.times, msd.partials["Cu"]) for msd in spread.values()))
path = np.array([atoms.positions for atoms in equilibrium(first, 800)])
se = equilibrium(first, 800)[0].symbols == "Se"
for k in np.flatnonzero(~se)[:12]:
    axes[1, 2].plot(path[:, k, 0], path[:, k, 1], lw=0.5)
axes[1, 2].plot(*path[:, se, :2].mean(0).T, "ks", ms=4)
axes[1, 2].set(title="12 Cu at 800 K, and the places of Se", xlabel="x (A)", ylabel="y (A)", aspect="equal")
for level, found in diffusion.items():
    axes[1, 3].errorbar(1000 / np.array(HOT), *found.T, marker="o", ls=":", capsize=3, label=f"level {level}")
axes[1, 3].set(xlabel="1000 K / T", ylabel="D of Cu (1e-5 cm$^2$/s)", yscale="log")
for ax in axes[1, [0, 1, 3]]:
    ax.legend(frameon=False)
plt.savefig("gauge_of_nine_potentials.png", dpi=120)

# %% [markdown]
# ## What was found
#
# All models agree on the energy of the crystal, and none knows from it how much of that is copper's.

# %%
plain = np.array([found.kappa for found in fixed.values()])
corrected = np.array([found.kappa_corrected for found in fixed.values()])
ranges = [f"{values.min():.2f} to {values.max():.2f} W/(m K)" for values in (plain, corrected)]
print(f"FOUND: Green-Kubo of {len(LEVELS)} MTPs, one trajectory, plain | {ranges[0]} | Fig. 1, 3: differs")
print(f"FOUND: the same without a current of particles | {ranges[1]} | not in the paper; theory: does not differ")
share = np.ptp([u["Cu"] for u in energies.values()])
whole = np.ptp([(2.0 * u["Cu"] + u["Se"]) / 3.0 for u in energies.values()])
print(
    f"FOUND: spread of mean U(Cu) | {1e3 * share:.0f} meV, of the crystal {1e3 * whole:.1f} meV/atom | Fig. 3: differs"
)
lightest, *_, heaviest = (np.interp(2.0, msd.times, msd.partials["Cu"]) for msd in spread.values())
print(f"FOUND: MSD of Cu after 2 ps, mass times 16 | {heaviest / lightest:.2f} of its own | Fig. 4: falls with mass")
low, high = (with_error(*diffusion[level][-1]) for level in pair)
name = f"D of Cu at {HOT[-1]} K, levels {pair[0]} and {pair[1]}"
print(f"FOUND: {name} | {low} and {high} 1e-5 cm^2/s | Fig. 4: of one order")
assert share > 5.0 * whole

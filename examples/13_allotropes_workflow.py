# %% [markdown]
# # From a list of crystals to models and their phonons, in one call
#
# A teacher stands in for DFT: the potential of Stillinger and Weber (Phys. Rev. B 31, 5262 (1985)), in
# `silicon_sw/stillinger_weber.py`. As in the automated workflows of Ertural et al., a list of allotropes of silicon is
# all that goes in: each is relaxed, strained and rattled copies of it are labelled, potentials of one family are fitted
# for several values of a hyperparameter, and their phonons are compared with the teacher's. Two questions of that work
# are asked of the result: how the error of phonons falls with the hyperparameter, and whether the force error predicts
# it. With `--full`: six allotropes, more copies, and MTPs beside SNAP.

# %%
import runpy
import sys
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import spglib
from ase import Atoms
from ase.build import bulk
from ase.spacegroup import crystal

from ase_mlips import MTP, SNAP
from ase_mlips.fit import FullBatch, Loss, compare, fit_mtp, fit_snap, read_frames, snap_template, split_frames
from ase_mlips.mtp import MtpPotential
from ase_mlips.phonons import PhononComparison, compare_phonons, phonons, relax
from ase_mlips.runs import evaluate_all
from ase_mlips.snap import SnapPotential

FULL = "--full" in sys.argv
COPIES = 24 if FULL else 6  # of each allotrope
TEACHER = runpy.run_path(str(Path(__file__).parent / "silicon_sw" / "stillinger_weber.py"))["StillingerWeber"]()

# %% [markdown]
# ## The allotropes
#
# Lattice constants near those of density functional theory, and Wyckoff positions; spglib checks the space group.

# %%
GROUPS = {"diamond": 227, "lonsdaleite": 194, "BC8": 206, "clathrate II": 227, "clathrate I": 223, "Si24": 63}


def allotrope(name):
    """A primitive cell."""
    if name == "diamond":
        return bulk("Si", a=5.43095)
    if name == "lonsdaleite":
        a, c, u = 3.84026, 6.27112, 0.0625
        basis = [(1 / 3, 2 / 3, u), (2 / 3, 1 / 3, 0.5 + u), (2 / 3, 1 / 3, -u), (1 / 3, 2 / 3, 0.5 - u)]
        cell = [(a, 0, 0), (-a / 2, a * 3**0.5 / 2, 0), (0, 0, c)]
        return Atoms("Si4", scaled_positions=basis, cell=cell, pbc=True)
    basis, cell = {
        "BC8": ([(0.1003, 0.1003, 0.1003)], [6.636] * 3),
        "clathrate II": ([(1 / 8, 1 / 8, 1 / 8), (0.218, 0.218, 0.218), (0.182, 0.182, 0.371)], [14.6285] * 3),
        "clathrate I": ([(0.25, 0.0, 0.5), (0.1837, 0.1837, 0.1837), (0.0, 0.3077, 0.1173)], [10.227] * 3),
        "Si24": ([(0.0, 0.2430, 0.5549), (0.0, 0.5708, 0.3412), (0.0, 0.0295, 0.5903)], [3.822, 10.701, 12.626]),
    }[name]
    kind = {"setting": 2} if name == "clathrate II" else {}
    return crystal(
        ["Si"] * 3, basis[:3], spacegroup=GROUPS[name], cellpar=[*cell, 90, 90, 90], primitive_cell=True, **kind
    )


NAMES = list(GROUPS) if FULL else ["diamond", "lonsdaleite", "clathrate II"]
allotropes = {name: allotrope(name) for name in NAMES}
for name, atoms in allotropes.items():
    found = spglib.get_spacegroup((atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers), 1e-3)
    assert found.endswith(f"({GROUPS[name]})"), f"{name}: {found}"

# %% [markdown]
# ## The workflow
#
# A family is a function from its hyperparameter and frames to a potential, so that other families need one line.


# %%
def snap(twojmax, frames):
    """Linear SNAP."""
    template = snap_template(["Si"], radii=[0.5], twojmax=twojmax, rcutfac=4.6)
    model = fit_snap(template, frames, loss=Loss(energy=30.0, ridge=1e-8)).model
    return SNAP(model), SnapPotential(model)


def mtp(level, frames):
    """MTP from one random start."""
    training = FullBatch(iterations=80, starts=1)
    model = fit_mtp(MTP.untrained(level, ["Si"], max_dist=4.6), frames, training=training).model
    return MTP(model), MtpPotential(model)


FAMILIES = {"SNAP": (snap, (2, 4, 6, 8) if FULL else (2, 4, 6))} | ({"MTP": (mtp, (4, 6, 8, 10, 12))} if FULL else {})


@dataclass(frozen=True)
class Study:
    """Models by family and hyperparameter, their force errors in meV/A on test copies, and their phonons."""

    models: dict
    force_rmse: dict
    phonons: PhononComparison

    def phonon_rmse(self, key):
        """Over all allotropes, THz."""
        return np.sqrt(np.mean([self.phonons.rmse[name, key] ** 2 for name in self.phonons.structures]))


def copies(name, atoms, count):
    """Strained and rattled supercells of about 16 atoms or more."""
    rng = np.random.default_rng(len(atoms))
    repeat = max(1, round((20 / len(atoms)) ** (1 / 3)))
    for _ in range(count):
        copy = atoms * repeat
        strain = rng.normal(0.0, 0.01, (3, 3))
        copy.set_cell(copy.cell.array @ (np.eye(3) + 0.5 * (strain + strain.T)), scale_atoms=True)
        copy.rattle(rng.uniform(0.01, 0.12), rng=rng)
        copy.info["config_type"] = name
        yield copy


def study(structures, teacher, families, *, count, drawn, thickness):
    """All of it: relaxation, labels, fits, phonons of those allotropes that are `drawn`."""
    relaxed = {name: relax(atoms, teacher, fmax=1e-3).atoms for name, atoms in structures.items()}
    wanted = [copy for name, atoms in relaxed.items() for copy in copies(name, atoms, count)]
    train, test = split_frames(read_frames(evaluate_all(wanted, teacher)), 0.25)
    models, errors = {}, {}
    for family, (fit, values) in families.items():
        for value in values:
            models[f"{family} {value}"], potential = fit(value, train)
            errors[f"{family} {value}"] = compare(potential, {"test": test}).parity("test", "force").score().rmse
    reference = {name: phonons(relaxed[name], teacher, supercell=thickness) for name in drawn}
    compared = compare_phonons(reference, models, mesh=20.0, force_rmse=errors)
    return Study(models, {key: 1e3 * error for key, error in errors.items()}, compared)


drawn = ["diamond", "lonsdaleite", "clathrate II"]  # the teacher finds BC8 unstable
done = study(allotropes, TEACHER, FAMILIES, count=COPIES, drawn=drawn, thickness=11.0 if FULL else 8.0)
print(done.phonons)

# %%
fig, axes = plt.subplots(1, 5, figsize=(24, 4.8), layout="constrained", width_ratios=[1.3, 1.3, 1.3, 1, 1])
for ax, name in zip(axes, drawn, strict=False):
    done.phonons.bands(name).plot(ax, color="k", label="teacher")
    for k, key in enumerate(("SNAP 4", list(done.models)[-1])):
        done.phonons.bands(name, key).plot(ax, color=f"C{k}", linestyle="--", linewidth=0.7, label=key)
    ax.set(title=name)
axes[0].legend(frameon=False, fontsize="small", loc="lower right")
for family, (_, values) in FAMILIES.items():
    errors = [done.phonon_rmse(f"{family} {value}") for value in values]
    axes[3].semilogy(values, errors, "o:", label=family)
    axes[4].loglog([done.force_rmse[f"{family} {value}"] for value in values], errors, "o:", label=family)
axes[3].set(xlabel="2J of SNAP, level of MTP", ylabel="phonon RMSE, three allotropes (THz)")
axes[4].set(xlabel="force RMSE of the test set (meV/A)", ylabel="phonon RMSE, three allotropes (THz)")
axes[4].legend(frameon=False)
axes[4].xaxis.set_minor_formatter("")
plt.savefig("allotropes_workflow.png", dpi=120)

# %%
keys = list(done.models)
pairs = np.array([[done.force_rmse[key], done.phonon_rmse(key)] for key in keys])
for family, (_, values) in FAMILIES.items():
    first, last = (done.phonon_rmse(f"{family} {values[k]}") for k in (0, -1))
    name = f"{family} of {values[0]} to {values[-1]}, RMSE of phonons of {len(drawn)} allotropes"
    print(f"FOUND: {name} | {first:.2f} to {last:.2f} THz | falls with the hyperparameter")
ratio = done.phonon_rmse(f"SNAP {FAMILIES['SNAP'][1][-1]}") / done.phonon_rmse(f"SNAP {FAMILIES['SNAP'][1][0]}")
correlation = np.corrcoef(np.log(pairs.T))[0, 1]
print(f"FOUND: correlation of the logarithms of force and phonon RMSE | {correlation:.2f} | falls together, roughly")
assert ratio < 0.5

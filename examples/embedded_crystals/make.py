"""Fit the embedded models of silicon and molybdenum: ``python make.py DATA``, a folder with Si_train.extxyz etc.

Prints errors, elastic constants and phonons beside those of DFT, which the frames hold.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from ase import units
from ase.build import bulk
from ase.optimize import BFGS
from phonopy import Phonopy
from phonopy.structure.atoms import PhonopyAtoms
from scipy.optimize import brentq

from ase_mlips import SNAP
from ase_mlips.fit import Loss, fit_snap, read_frames, snap_template

MODELS = {"Si": ("silicon.snap", "diamond", 5.1), "Mo": ("molybdenum.snap", "bcc", 4.6)}
# of eV/atom, eV/A and GPa; the usual weights leave elastic constants and the softest phonons to chance
LOSS = Loss(100.0, 1.0, 0.1, groups={"cold": (3000.0, 1.0, 0.1), "strained": (100.0, 1.0, 10.0)})


def grouped(path):
    """Frames in our own groups, and their descriptions."""
    frames = read_frames(path, group_key="description")
    descriptions = [frame.group for frame in frames]
    return [relabelled(frame, path.name) for frame in frames], descriptions


def group(description):
    """Cells strained by at most 6 %, perfect crystals at 300 K, and the rest."""
    if ("strain" in description and abs(float(description.split()[-1])) < 0.065) or "Ground state" in description:
        return "strained"
    return "cold" if description.endswith(" 300 K") and "acancy" not in description else "others"


def relabelled(frame, name):
    """The frame in its group, with yz and xz of its stress exchanged except in the strained cells of silicon.

    The files call yz what is xz: a cell of molybdenum sheared in yz has a stress in xz, and in all other frames each
    component of a fit to the forces alone goes with the other one of the labels (correlation 0.97 in place of 0.05).
    """
    stress = frame.stress.copy()
    if not (name.startswith("Si") and ("strain" in frame.group or "Ground state" in frame.group)):
        stress[[0, 2], [2, 0]], stress[[1, 2], [2, 1]] = frame.stress[1, 2], frame.stress[0, 2]
    return replace(frame, group=group(frame.group), stress=stress)


def labelled_elasticity(frames, descriptions, stress):
    """C11, C12 and C44 (GPa) of the cells strained by 2 %, with unrelaxed atoms and this stress of each frame."""
    uniaxial, shear = [], []
    for number, described in enumerate(descriptions):
        opposite = described.replace("strain 0.02", "strain -0.02")
        if "strain 0.02" not in described or opposite not in descriptions:
            continue
        other = descriptions.index(opposite)
        apart = np.linalg.solve(frames[other].atoms.cell.array, frames[number].atoms.cell.array) - np.eye(3)
        strain, change = 0.5 * (apart + apart.T), (stress[number] - stress[other]) / units.GPa
        row, column = np.unravel_index(np.argmax(np.abs(strain)), (3, 3))
        ratio = change / strain[row, column]
        if row == column:
            uniaxial.append([ratio[row, row], np.delete(np.diag(ratio), row).mean()])
        else:
            shear.append(0.5 * ratio[row, column])
    return *np.mean(uniaxial, axis=0), np.mean(shear)


def elasticity(calc, element, lattice, guess, strain=0.003):
    """Lattice constant (A), C11, C12 and C44 (GPa) of the relaxed crystal."""
    atoms = bulk(element, lattice, a=guess, cubic=True)

    def stress(cell, relax=False):
        strained = atoms.copy()
        strained.set_cell(cell, scale_atoms=True)
        strained.calc = calc
        if relax:
            BFGS(strained, logfile=None).run(fmax=1e-4)
        return strained.get_stress() / units.GPa

    a = brentq(lambda a: stress(a * np.eye(3))[0], 0.97 * guess, 1.03 * guess, xtol=1e-6)
    pull, slide = np.zeros((3, 3)), np.zeros((3, 3))
    pull[0, 0], slide[1, 2], slide[2, 1] = strain, 0.5 * strain, 0.5 * strain
    pulled = (stress(a * (np.eye(3) + pull)) - stress(a * (np.eye(3) - pull))) / (2.0 * strain)
    slid = (stress(a * (np.eye(3) + slide), True) - stress(a * (np.eye(3) - slide), True)) / (2.0 * strain)
    return a, pulled[0], pulled[1], slid[3]


def displacements(positions, sites):
    """Nearest atom of each site and the way to it, both fractional, for the origin that makes these shortest."""
    found = []
    for site in sites:
        apart = (positions - positions[0] + site)[:, None] - sites
        apart -= np.round(apart)
        nearest = np.linalg.norm(apart, axis=2).argmin(axis=0)
        move = apart[nearest, np.arange(len(sites))]
        found.append((np.linalg.norm(move - move.mean(axis=0)), nearest, move - move.mean(axis=0)))
    return min(found, key=lambda one: one[0])[1:]


def frequencies(frames, forces):
    """Frequencies (THz) at Gamma and X of diamond from the harmonic force constants that fit these forces best."""
    cell = bulk("Si", a=frames[0].atoms.cell.lengths()[0] / 2, cubic=True)
    unit = PhonopyAtoms(symbols=["Si"] * 8, cell=cell.cell.array, scaled_positions=cell.get_scaled_positions())
    phonon = Phonopy(unit, 2 * np.eye(3, dtype=int), primitive_matrix="F")
    pairs = [displacements(f.atoms.get_scaled_positions(), phonon.supercell.scaled_positions) for f in frames]
    phonon.dataset = {
        "displacements": np.array([move @ phonon.supercell.cell for _, move in pairs]),
        "forces": np.array([own[nearest] - own.mean(axis=0) for own, (nearest, _) in zip(forces, pairs, strict=True)]),
    }
    phonon.produce_force_constants(fc_calculator="symfc")
    center, edge = phonon.run_qpoints([[0.0, 0.0, 0.0], [0.5, 0.0, 0.5]]).frequencies
    return center[3], edge[0], edge[2], edge[4]


def compare_with_dft(calc, element, frames, descriptions):
    """Print elastic constants of the strained cells and phonons of the crystals at 300 K, by DFT and by the model."""
    tensors = [calc.get_stress(frame.atoms)[[[0, 5, 4], [5, 1, 3], [4, 3, 2]]] for frame in frames]
    cold = [number for number, frame in enumerate(frames) if frame.group == "cold"]
    for name, stress in (("DFT", [frame.stress for frame in frames]), ("SNAP", tensors)):
        constants = labelled_elasticity(frames, descriptions, stress)
        print(
            f"{element} {name}, +-2 %, atoms not relaxed: C11 {{:.0f}}, C12 {{:.0f}}, C44 {{:.0f}} GPa".format(
                *constants
            )
        )
        if element == "Si":
            forces = [frames[n].forces if name == "DFT" else calc.get_forces(frames[n].atoms) for n in cold]
            found = frequencies([frames[number] for number in cold], forces)
            print("  from forces at 300 K: Gamma {:.2f}, X: TA {:.2f}, LA {:.2f}, TO {:.2f} THz".format(*found))


for element, (name, lattice, cutoff) in MODELS.items():
    (train, descriptions), (test, others) = (
        grouped(Path(sys.argv[1]) / f"{element}_{part}.extxyz") for part in ("train", "test")
    )
    template = snap_template([element], radii=[0.5], twojmax=8, rcutfac=cutoff, zbl=(1.0, 1.8))
    fit = fit_snap(template, train, test=test, loss=LOSS)
    fit.save(name)
    print(*(score for score in fit.report.scores() if (score.set, score.group) == ("test", "*all")), sep="\n")
    calc = SNAP(fit.model)
    compare_with_dft(calc, element, [*train, *test], [*descriptions, *others])
    ground = next(f.atoms for f, said in zip(train, descriptions, strict=True) if "Ground state" in said)
    guess = (ground.get_volume() / len(ground) * {"diamond": 8, "bcc": 2}[lattice]) ** (1.0 / 3.0)
    found = elasticity(calc, element, lattice, guess)
    print(f"{element} SNAP, relaxed: a {{:.3f}} A, C11 {{:.0f}}, C12 {{:.0f}}, C44 {{:.0f}} GPa".format(*found))

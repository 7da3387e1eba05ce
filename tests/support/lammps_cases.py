"""What LAMMPS offers around a potential, each as a case that compares with the ASE calculator; a program of any ranks.

``mpirun -np 2 python -m support.lammps_cases RESULTS.json [CASE ..]`` writes for each case its numbers with their
limits, or the traceback of rank 0.
"""

import json
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.geometry import find_mic

from . import lammps_faults  # noqa: F401
from .ace_models import synthetic_ace_models
from .lammps_world import (
    CASES,
    Numbers,
    attached,
    case,
    differences,
    fresh,
    gathered,
    prefixed,
    present,
    ran,
    silicon,
    silicon_model,
    started,
    world,
)
from .mtp_models import synthetic_mtp_model
from .nep_models import synthetic_nep_models
from .pod_models import synthetic_pod_model
from .snap_models import synthetic_models

FOUR = ("empty_ranks", "changing_ranks")  # those that four ranks do, too; few, since they outnumber the processors


@case
def families() -> Numbers:
    from ase_mlips import ACE, MTP, NEP, POD, SNAP

    found = {}
    for name, make in {
        "ace": lambda: ACE(synthetic_ace_models()["two"], num_threads=1),
        "pod": lambda: POD(synthetic_pod_model("two_seven"), num_threads=1),
        "linear": lambda: SNAP(synthetic_models()["two"], num_threads=1),
        "quadratic": lambda: SNAP(synthetic_models()["quadratic"], num_threads=1),
        "zbl": lambda: SNAP(synthetic_models()["zbl"], num_threads=1),
        "nep": lambda: NEP(synthetic_nep_models()["nep4"], num_threads=1),
        "mtp": lambda: MTP(synthetic_mtp_model("l16"), num_threads=1),
    }.items():
        calc = make()
        elements = calc.potential.elements
        atoms = bulk("Cu", a=4.2, cubic=True) * (2, 2, 3)
        atoms.symbols = [elements[k % len(elements)] for k in range(len(atoms))]
        atoms.rattle(0.2, seed=2)
        lmp = started(atoms, elements)
        attached(lmp, calc, *elements)
        ran(lmp, "velocity all create 300 7", "fix 1 all nve", "timestep 1e-5", "run 2")
        found |= prefixed(**{name: differences(lmp, calc, elements)})
        lmp.close()
    return found


@case
def changing_ranks() -> Numbers:
    """100 steps at 2000 K against velocity Verlet in NumPy, with LAMMPS's constants."""
    calc, atoms, dt = silicon_model(), silicon(2, 2, 3), 1e-3
    lmp = started(atoms, ("Si",))
    attachment = attached(lmp, calc, "Si")
    ran(lmp, "velocity all create 4000 11", "fix 1 all nve", "run 0")
    v, ours = gathered(lmp, "v"), present(lmp, ("Si",), calc)
    before = set(lmp.numpy.extract_atom("id", nelem=lmp.extract_setting("nlocal")).tolist())
    ran(lmp, "run 100")
    push = 0.5 * dt * lmp.extract_global("ftm2v") / Atoms("Si").get_masses()[0].round(6)
    for _ in range(100):
        v += push * ours.get_forces()
        ours.positions += dt * v
        v += push * ours.get_forces()
    moved = find_mic(gathered(lmp, "x") - ours.positions, ours.cell)[0]
    after = set(lmp.numpy.extract_atom("id", nelem=lmp.extract_setting("nlocal")).tolist())
    changed = world().allreduce(len(after - before))
    lmp.close()
    return {
        "positions": (float(np.abs(moved).max()), 1e-9),
        "atoms that stayed": (float(world().size > 1 and changed == 0), 0.0),
        "lists that were kept": (attachment.timings.steps, 103 + 0.0),
        "no rebuild": (float(attachment.timings.rebuilds < 2), 0.0),
    }


@case
def per_atom() -> Numbers:
    """Energies and stresses of atoms, and the heat flux at the full step."""
    calc = silicon_model()
    lmp = started(silicon(2, 2, 2, rattle=0.1), ("Si",))
    attachment = attached(lmp, calc, "Si")
    ran(lmp, "compute e all pe/atom", "compute s all stress/atom NULL virial", "velocity all create 1500 5")
    ran(lmp, "fix 1 all nve", "variable flux equal f_mlip[6]", "thermo_style custom step pe press v_flux")
    found: Numbers = {}
    for steps in (0, 7):
        ran(lmp, f"run {steps}")
        atoms = present(lmp, ("Si",), calc)
        w = calc.get_virials(atoms)
        right = np.stack(
            [w[:, 0, 0], w[:, 1, 1], w[:, 2, 2], *((w + w.swapaxes(1, 2))[:, [0, 0, 1], [1, 2, 2]].T / 2)], 1
        )
        stress = -gathered(lmp, "c_s", 6) / lmp.extract_global("nktv2p")
        flux = calc.get_heat_flux_parts(atoms, gathered(lmp, "v"))
        v = gathered(lmp, "v")
        kinetic = 0.5 * Atoms("Si").get_masses()[0].round(6) * lmp.extract_global("mvv2e") * (v**2).sum(axis=1)
        convective = ((kinetic + atoms.get_potential_energies())[:, None] * v).sum(axis=0)
        scale = np.abs(flux.conductive).max()
        found |= prefixed(
            **{
                f"{steps}": {
                    "energies": (float(np.abs(gathered(lmp, "c_e", 1) - atoms.get_potential_energies()).max()), 1e-10),
                    "stresses": (float(np.abs(stress - right).max()), 1e-9),
                    "conductive": (
                        float(np.abs(attachment.heat_flux.conductive - flux.conductive).max()) / scale,
                        1e-10,
                    ),
                    "convective": (float(np.abs(attachment.heat_flux.convective / convective - 1).max()), 1e-9),
                    "vector": (abs(lmp.extract_variable("flux") - attachment.heat_flux.conductive[2]), 1e-12),
                }
            }
        )
    lmp.close()
    return found


@case
def thermostat_and_barostat() -> Numbers:
    found = {}
    for name, fix in {
        "nvt": "nvt temp 900 900 0.1",
        "iso": "npt temp 900 900 0.1 iso 0 0 0.2",
        "tri": "npt temp 900 900 0.1 tri 0 0 0.2",
    }.items():
        calc, atoms = silicon_model(), silicon(2, 2, 2)
        if name == "tri":
            atoms.set_cell([[10.86, 0, 0], [2.0, 10.86, 0], [-1.0, 3.0, 10.86]], scale_atoms=True)
        lmp = started(atoms, ("Si",))
        attached(lmp, calc, "Si")
        volume = lmp.get_thermo("vol")
        ran(lmp, "velocity all create 1800 3", f"fix 1 all {fix}", "run 20")
        rest = "fixed" if (lmp.get_thermo("vol") == volume) != (name == "nvt") else ""
        found |= prefixed(**{name: {**differences(lmp, calc, ("Si",)), "cell": (float(bool(rest)), 0.0)}})
        lmp.close()
    return found


@case
def mean_pressure() -> Numbers:
    """The barostat finds the volume at which the virial pressure balances the kinetic one."""
    calc, atoms = silicon_model(), silicon(2, 2, 2)
    lmp = started(atoms, ("Si",))
    attached(lmp, calc, "Si")
    ran(lmp, "velocity all create 1200 3", "fix 1 all npt temp 600 600 0.05 iso 0 0 0.1", "timestep 0.002", "run 100")
    ran(lmp, "fix p all ave/time 1 150 300 c_thermo_press", "run 200")
    mean = lmp.extract_fix("p", 0, 0)
    lmp.close()
    return {"bar": (abs(mean), 2500.0)}


@case
def minimise() -> Numbers:
    """Positions and the box: with a wrong energy or virial the two would not agree on where the minimum is."""
    calc = silicon_model()
    lmp = started(silicon(2, 2, 1, rattle=0.1), ("Si",))
    attached(lmp, calc, "Si")
    ran(lmp, "fix box all box/relax iso 0 vmax 0.01", "min_style cg", "minimize 0 1e-6 500 2000")
    found = {**differences(lmp, calc, ("Si",)), "bar": (abs(lmp.get_thermo("press")), 5.0)}
    found["eV/A"] = (float(np.abs(gathered(lmp, "f")).max()), 1e-3)
    lmp.close()
    return found


@case
def shapes() -> Numbers:
    """Triclinic cells, slabs, clusters in a box that follows them, cells below the cutoff, and rods."""
    skewed = bulk("Si") * (3, 3, 3)
    skewed.set_cell(skewed.cell.standard_form()[0], scale_atoms=True)
    small = bulk("Si", cubic=True)
    small.set_cell(small.cell.array @ np.diag([0.99, 1.0, 1.02]), scale_atoms=True)
    tiny = Atoms("Si", [[0.1, 0.2, 0.3]], cell=np.diag([2.6, 2.7, 2.8]), pbc=True)
    found = {}
    for name, atoms, boundary, size in (
        ("triclinic", skewed, "p p p", None),
        ("slab", silicon(2, 2, 1), "p p f", np.diag([10.86, 10.86, 40.0])),
        ("cluster", silicon(1, 1, 2), "s s s", np.diag([10.0, 10.0, 17.0])),
        ("small", small, "p p p", None),
        ("tiny", tiny, "p p p", None),
        ("rod", silicon(6, 1, 1), "p p p", None),
    ):
        calc, atoms = silicon_model(), atoms.copy()
        atoms.rattle(0.1, seed=4)
        if boundary != "p p p":
            atoms.positions += 3.0
        lmp = started(atoms, ("Si",), boundary=boundary, size=size)
        attached(lmp, calc, "Si")
        velocities = "create 900 3" if len(atoms) > 1 else "set 3 2 1"
        ran(lmp, f"velocity all {velocities}", "fix 1 all nve", "run 10")
        found |= prefixed(**{name: differences(lmp, calc, ("Si",))})
        lmp.close()
    return found


@case
def empty_ranks() -> Numbers:
    """All atoms in one corner of the box, and one atom alone."""
    found = {}
    for name, atoms in {"corner": silicon(1, 1, 1), "alone": Atoms("Si", [[1.0, 1.0, 1.0]])}.items():
        calc = silicon_model()
        atoms.positions += 1.0
        lmp = started(atoms, ("Si",), boundary="f f f", size=np.diag([60.0, 60.0, 60.0]))
        attached(lmp, calc, "Si")
        ran(lmp, "velocity all set 1 1 0", "fix 1 all nve", "run 10")
        local = world().allgather(lmp.extract_setting("nlocal"))
        numbers = differences(lmp, calc, ("Si",)) if len(atoms) > 1 else {}
        numbers["full ranks"] = (float(np.count_nonzero(local)), 1.0)
        numbers["energy"] = (abs(lmp.get_thermo("pe") - present(lmp, ("Si",), calc).get_potential_energy()), 1e-9)
        found |= prefixed(**{name: numbers})
        lmp.close()
    return found


@case
def communication() -> Numbers:
    """Domains of other shapes that move, and Newton's third law across ranks off."""
    found = {}
    for name, before, after in (
        ("tiled", ("comm_style tiled",), ("fix balance all balance 5 1.0 rcb",)),
        ("shifted", (), ("fix balance all balance 5 1.0 shift xyz 5 1.0",)),
        ("newton off", ("newton off",), ()),
        ("mapped", ("atom_modify map hash",), ("atom_modify sort 3 4.0",)),
        ("charges", ("atom_style charge",), ()),
    ):
        calc = silicon_model()
        atoms = silicon(2, 2, 3)
        del atoms[[k for k, z in enumerate(atoms.positions[:, 2]) if z > 9.0]]
        lmp = started(atoms, ("Si",), *before)
        attached(lmp, calc, "Si", skin=0.4)
        ran(lmp, "velocity all create 2500 3", "fix 1 all nve", *after, "run 30")
        found |= prefixed(**{name: differences(lmp, calc, ("Si",))})
        lmp.close()
    return found


@case
def groups() -> Numbers:
    """A group that is held by a fix, and an atom that a fix pulls: both act on the forces of the model."""
    calc, atoms = silicon_model(), silicon(2, 2, 2, rattle=0.1)
    lmp = started(atoms, ("Si",))
    attached(lmp, calc, "Si")
    ran(lmp, "group held id 1:20", "group free subtract all held", "velocity free create 900 3", "fix 1 free nve")
    x = gathered(lmp, "x")
    ran(lmp, "fix hold held setforce 0 0 0", "fix pull free addforce 0.1 0 0", "run 10")
    now = present(lmp, ("Si",), calc)
    right = now.get_forces()
    right[20:, 0] += 0.1
    right[:20] = 0.0
    numbers = {
        "forces": (float(np.abs(gathered(lmp, "f") - right).max()), 1e-10),
        "held": (float(np.abs((gathered(lmp, "x") - x)[:20]).max()), 0.0),
    }
    lmp.close()
    return numbers


@case
def restart() -> Numbers:
    """Continued from a file, by a new LAMMPS, a run ends where it would have ended."""
    folder = world().bcast(tempfile.mkdtemp() if world().rank == 0 else None)
    calc = silicon_model()
    lmp = started(silicon(2, 2, 2), ("Si",))
    attached(lmp, calc, "Si")
    ran(lmp, "velocity all create 1500 3", "fix 1 all nve", "run 10", f"write_restart {folder}/r", "run 15")
    expected = gathered(lmp, "x")
    lmp.close()
    lmp = fresh()
    lmp.command(f"read_restart {folder}/r")
    attached(lmp, calc, "Si")
    ran(lmp, "fix 1 all nve", "run 15")
    moved = find_mic(gathered(lmp, "x") - expected, present(lmp, ("Si",)).cell)[0]
    lmp.close()
    return {"positions": (float(np.abs(moved).max()), 1e-10)}


@case
def dump() -> Numbers:
    from ase_mlips.analysis import Trajectory

    folder = world().bcast(tempfile.mkdtemp() if world().rank == 0 else None)
    calc = silicon_model()
    lmp = started(silicon(2, 2, 1), ("Si",))
    attached(lmp, calc, "Si")
    ran(lmp, "velocity all create 900 3", "fix 1 all nve")
    ran(lmp, f"dump d all custom 5 {folder}/d id type element x y z vx vy vz fx fy fz")
    ran(lmp, "dump_modify d element Si sort id time yes units yes", "run 10", "undump d")
    now, trajectory = present(lmp, ("Si",), calc), Trajectory(f"{folder}/d")
    last = [chunk.positions for chunk in trajectory.chunks()][-1][-1]
    lmp.close()
    moved = find_mic(last - now.positions, now.cell)[0]
    return {
        "positions": (float(np.abs(moved).max()), 1e-4),
        "time step": (abs(trajectory.timestep_fs - 5.0), 1e-9),
        "symbols": (float(trajectory.symbols != list(now.symbols)), 0.0),
    }


@case
def another_model() -> Numbers:
    """Attached again after another one, and under a pair style that adds to it."""
    from ase_mlips import SNAP

    calc, other = silicon_model(), SNAP.embedded("Si", num_threads=1)
    other = type(other)(other.model)
    lmp = started(silicon(2, 2, 1), ("Si",))
    first = attached(lmp, calc, "Si")
    ran(lmp, "fix 1 all nve", "run 1")
    first.detach()
    ran(lmp, "run 0")
    nothing = float(np.abs(gathered(lmp, "f")).max()) + abs(lmp.get_thermo("pe"))
    attached(lmp, other, "Si", skin=0.5)
    ran(lmp, "run 3")
    found = {**differences(lmp, other, ("Si",)), "without": (nothing, 0.0)}
    ran(lmp, "pair_style zbl 2.0 2.8", "pair_coeff * * 14 14", "run 0")
    both = lmp.get_thermo("pe")
    alone = present(lmp, ("Si",), other).get_potential_energy()
    lmp.close()
    return found | {"overlay": (float(not both > alone + 0.1), 0.0)}


def main() -> None:
    """Run the cases that are asked for, or all."""
    output, *names = sys.argv[1:]
    results: dict[str, Any] = {}
    for name in names or CASES:
        try:
            results[name] = CASES[name]()
        except Exception:
            results[name] = traceback.format_exc()
            if world().rank:
                print(f"rank {world().rank}: {results[name]}", file=sys.stderr)
    if world().rank == 0:
        Path(output).write_text(json.dumps(results))


if __name__ == "__main__":
    main()

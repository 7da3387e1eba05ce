"""Active learning: ``python tests/benchmarks/active.py [--only NAME ...] [--json FILE] [--data DIR]``.

A published moment tensor potential of level 24 for silicon (Zuo et al., J. Phys. Chem. A 124, 731 (2020)) stands in for
first principles; it is not part of this repository.  A pupil of level 8 begins with five rattled and strained crystals
of 64 atoms and meets 3 ps at 600, 1500 and 2500 K in each round, and 100 ps at 2500 K at the end.

silicon : by the grade of neighbourhoods, until nothing is selected
configuration : by the grade of configurations, twelve rounds at most
random : the pupil trained on frames of the teacher's dynamics drawn at random; their number is compared with the labels
    of `silicon` at equal force error
chance : the same, but the frames are of the pupil's own dynamics, of which eight are drawn in each round
kill : a small learning that is killed at 20 random moments, beside one that is not

Errors are root mean squares on dynamics of the teacher that no training saw: in eV/A, at the three temperatures.
What is drawn has the standard error of three draws behind it.  Times are those of the clock, and of one process.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.io import read

from ase_mlips import MTP
from ase_mlips.active import (
    ActiveLearning,
    ActiveRun,
    CalculatorLabeller,
    Dynamics,
    MtpLearner,
    explorers,
    final_explorers,
)
from ase_mlips.active.exploring import Watch, outcome
from ase_mlips.active.frames import errors
from ase_mlips.active.labelling import labelled
from ase_mlips.fit import LabelledFrame, read_frames
from ase_mlips.runs import MDFiles, MDRun, run_md

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
TEMPERATURES = (600.0, 1500.0, 2500.0)
SETTINGS = ActiveRun(temperatures=TEMPERATURES, time=3.0, final_time=100.0, interval=10, max_rounds=12, max_labels=120)
MOST_LABELS, MOST_MINUTES, LEAST_RATIO = 60, 15.0, 2.0
DRAWS, SIZES = 3, (5, 10, 20, 40)
TURNS, PER_TURN = 10, 8
LONG = MDRun(ensemble="langevin", temperature=2500.0, steps=10000, interval=10)
PARTS = ("silicon", "configuration", "random", "chance", "kill")


def cell() -> Atoms:
    """64 atoms of silicon."""
    return bulk("Si", cubic=True) * (2, 2, 2)


def start() -> list[Atoms]:
    """Five crystals, each strained and rattled otherwise."""
    cells = []
    for seed in range(5):
        atoms, rng = cell(), np.random.default_rng(seed)
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + rng.uniform(-0.03, 0.03, (3, 3))), scale_atoms=True)
        atoms.rattle(0.1, seed=seed)
        cells.append(atoms)
    return cells


def dynamics(teacher: MTP, folder: Path, seed: int, *, steps: int, interval: int) -> list[list[Atoms]]:
    """Frames of the teacher's dynamics at each temperature, without the first."""
    found = []
    for k, temperature in enumerate(TEMPERATURES):
        path = folder / f"{seed}-{temperature:g}.traj"
        if not path.exists():
            run = MDRun(ensemble="langevin", temperature=temperature, steps=steps, interval=interval, seed=seed + k)
            run_md(cell(), teacher, run, files=MDFiles(path))
        frames = read(path, "1:")
        for atoms in frames:
            atoms.info = {}
        found.append(frames)
    return found


def learner(mode: str = "neighborhood") -> MtpLearner:
    """The pupil."""
    return MtpLearner(MTP.untrained(8, ["Si"], max_dist=4.7), iterations=SETTINGS.iterations, mode=mode)


def learned(teacher: MTP, folder: Path, mode: str, tests: Sequence[Sequence[LabelledFrame]]) -> dict[str, object]:
    """What the loop comes to, and what it costs."""
    settings = ActiveRun(**{**vars(SETTINGS), "mode": mode})
    learning = ActiveLearning(
        folder / mode,
        learner(mode),
        CalculatorLabeller(teacher),
        explorers=explorers(settings, [cell()]),
        final=final_explorers(settings, [cell()]),
        settings=settings,
    )
    clock, process = time.perf_counter(), time.process_time()
    everything = [frame for test in tests for frame in test]
    result = learning.run(start(), test=everything, tell=lambda said: print(f"  {said}", flush=True))
    clock, process = time.perf_counter() - clock, time.process_time() - process
    calc = learner(mode).calculator(folder / mode / "model.almtp")
    return {
        "ended": result.reason,
        "converged": result.converged,
        "rounds": len(result.rounds),
        "labels": int(result.labels[-1]),
        "candidates": result.candidates.astype(int).tolist(),
        "new": result.new.astype(int).tolist(),
        "largest grades": [float(f"{value:.3g}") for value in result.grades],
        "test": [float(f"{value:.4g}") for value in result.test_forces],
        "train": [float(f"{value:.4g}") for value in result.train_forces],
        "force by temperature": [float(f"{errors(calc, test)['force']:.4g}") for test in tests],
        "final": list(result.final),
        "trusted": result.trusted,
        "minutes": round(clock / 60.0, 2),
        "processor minutes": round(process / 60.0, 2),
    }


def drawn(teacher: MTP, folder: Path, tests: Sequence[Sequence[LabelledFrame]]) -> dict[str, object]:
    """Force errors of the pupil by the number of random frames of the teacher's dynamics, and how its own goes."""
    pool = [frame for frames in dynamics(teacher, folder, 500, steps=3000, interval=30) for frame in frames]
    everything = [frame for test in tests for frame in test]
    found: dict[str, object] = {}
    for size in SIZES:
        values, grades = [], []
        for draw in range(DRAWS):
            chosen = np.random.default_rng([draw, size]).choice(len(pool), size, replace=False)
            calc = trained(folder / "drawn.almtp", [pool[k] for k in chosen], draw)
            values.append(errors(calc, everything)["force"])
            watch = Watch(calc, (np.inf, np.inf), 0.0)
            outcome(Dynamics(cell(), LONG), calc, watch, draw)
            grades.append(float(f"{watch.largest:.3g}"))
        found[str(size)] = {"force": mean(values), "largest grades of its own 10 ps at 2500 K": grades}
        print(f"  {size} random frames: {found[str(size)]}", flush=True)
    return found


def by_chance(teacher: MTP, folder: Path, tests: Sequence[Sequence[LabelledFrame]]) -> dict[str, object]:
    """Force errors of a pupil that explores as in `silicon`, but of whose frames any have the same chance."""
    everything = [frame for test in tests for frame in test]
    rows: dict[int, list[float]] = {}
    for draw in range(DRAWS):
        rng = np.random.default_rng(draw)
        frames = [labelled(teacher, atoms) for atoms in start()]
        for turn in range(TURNS):
            calc = trained(folder / "chance.almtp", frames, turn)
            rows.setdefault(len(frames), []).append(errors(calc, everything)["force"])
            seen: list[Atoms] = []
            for k, explorer in enumerate(explorers(SETTINGS, [cell()])):
                watch = Watch(calc, (-1.0, np.inf), 1.5)
                outcome(explorer, calc, watch, 100 * draw + 10 * turn + k)
                seen += watch.kept
            frames += [labelled(teacher, seen[k]) for k in rng.choice(len(seen), PER_TURN, replace=False)]
    found: dict[str, object] = {str(size): {"force": mean(values)} for size, values in rows.items()}
    for size, row in found.items():
        print(f"  {size} frames: {row}", flush=True)
    return found


def trained(path: Path, frames: Sequence[Atoms], seed: int) -> MTP:
    """The pupil after a training from several seeds."""
    learner().train(read_frames(frames), path, start=None, seed=seed, afresh=True)
    return learner().calculator(path)


def mean(values: Sequence[float]) -> list[float]:
    """Mean and standard error."""
    return [float(f"{np.mean(values):.4g}"), float(f"{np.std(values, ddof=1) / len(values) ** 0.5:.2g}")]


def labels_for(force: float, found: dict[str, dict[str, list[float]]]) -> float:
    """How many random frames have this error, between the sizes that were tried; infinite where none has."""
    sizes = np.log([float(size) for size in found])
    values = np.minimum.accumulate([row["force"][0] for row in found.values()])
    if force < values[-1]:
        return np.inf
    return float(np.exp(np.interp(-force, -values, sizes)))


def killed(folder: Path) -> dict[str, object]:
    """Twenty kills at random moments."""
    program = ROOT / "tests" / "support" / "killed_learning.py"
    run = subprocess.run(
        [sys.executable, str(program), str(folder / "kill"), "20", "0"], check=True, text=True, capture_output=True
    )
    print(run.stdout)
    words = run.stdout.split()
    return {"kills": int(words[5]), "labelled twice": int(words[9]), "same": "same data set" in run.stdout}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--folder", type=Path, help="keep everything there, and go on with what is there")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    teacher = MTP(args.data / "models" / "mvl" / "Si_mtp.mtp", species=["Si"])
    folder = args.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    tests = [read_frames(frames) for frames in dynamics(teacher, folder, 100, steps=4000, interval=200)]
    found: dict[str, object] = {}
    for name in args.only:
        print(name, flush=True)
        if name == "kill":
            found[name] = killed(folder)
        elif name == "random":
            found[name] = drawn(teacher, folder, tests)
        elif name == "chance":
            found[name] = by_chance(teacher, folder, tests)
        else:
            mode = "neighborhood" if name == "silicon" else name
            found[name] = learned(teacher, folder, mode, tests)
        print(json.dumps(found[name], indent=1), flush=True)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")
    failed = judged(found)
    print("\n".join(failed) or "all as wanted")
    sys.exit(bool(failed))


def judged(found: dict[str, object]) -> list[str]:
    """What is not as it was wanted."""
    failed = []
    if own := found.get("silicon"):
        if not (own["converged"] and own["trusted"]):
            failed.append(f"silicon: {own['ended']}; {own['final']}")
        if own["labels"] > MOST_LABELS:
            failed.append(f"silicon: {own['labels']} labels, at most {MOST_LABELS} were wanted")
        if own["minutes"] > MOST_MINUTES:
            failed.append(f"silicon: {own['minutes']} minutes, at most {MOST_MINUTES} were wanted")
        for name in ("random", "chance"):
            if name in found:
                needed = labels_for(own["test"][-1], found[name])
                print(f"{name}: {needed:.0f} frames for the force error of {own['labels']} labels of the loop")
                if needed < LEAST_RATIO * own["labels"]:
                    failed.append(f"{name}: {needed:.0f} frames, {LEAST_RATIO:g} times as many labels were wanted")
    if (own := found.get("kill")) and not own["same"]:
        failed.append("kill: another data set")
    return failed


if __name__ == "__main__":
    main()

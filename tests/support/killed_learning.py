"""Active learning that is killed (SIGKILL) again and again: ``python killed_learning.py FOLDER KILLS SEED``.

Prints the number of rounds and labels, of calls of the labeller, and whether the data set is the one of a learning that
nobody disturbed.  The processes are forks of one in which everything is compiled.
"""

import os
import random
import signal
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

from ase import Atoms
from ase.build import bulk

from ase_mlips import SNAP
from ase_mlips.active import ActiveLearning, ActiveRun, CalculatorLabeller, MtpLearner, explorers

SETTINGS = ActiveRun(temperatures=(300.0, 1800.0), time=0.05, max_rounds=4, iterations=6, seed=3)


class Counted(SNAP):
    """The embedded model for silicon, which writes a line to a file for each calculation that is done."""

    def __init__(self, path: Path) -> None:
        super().__init__(SNAP.embedded("Si").model)
        self.path = path

    def calculate(self, atoms: Atoms | None = None, *args: object, **kwargs: object) -> None:
        super().calculate(atoms, *args, **kwargs)
        time.sleep(0.02)  # so that some are killed between two labels
        with self.path.open("a") as file:
            file.write(f"{atoms.positions.sum():.12f}\n")


def start() -> list[Atoms]:
    """Four rattled crystals of eight atoms."""
    cells = []
    for seed in range(4):
        cells.append(bulk("Si", cubic=True))
        cells[-1].rattle(0.05, seed=seed)
    return cells


def learn(folder: Path, settings: ActiveRun = SETTINGS) -> object:
    """Run, or go on."""
    folder.mkdir(parents=True, exist_ok=True)
    learning = ActiveLearning(
        folder / "run",
        MtpLearner(4, iterations=SETTINGS.iterations),
        CalculatorLabeller(Counted(folder / "calls.txt")),
        explorers=explorers(settings, [bulk("Si", cubic=True)]),
        settings=settings,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return learning.run(start())


def killed_after(folder: Path, seconds: float) -> bool:
    """Whether a process that runs the learning was still alive after so long; then it is killed."""
    child = os.fork()
    if child == 0:
        learn(folder)
        os._exit(0)
    ended, limit = 0, time.monotonic() + seconds
    while not ended and time.monotonic() < limit:
        time.sleep(0.002)
        ended, _ = os.waitpid(child, os.WNOHANG)
    if ended:
        return False
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def main(folder: Path, kills: int, seed: int) -> None:
    """Compare a learning that is killed so often with one that is not."""
    learn(folder / "first", replace(SETTINGS, max_rounds=1, temperatures=(300.0,)))  # loads what is compiled
    began = time.monotonic()
    whole = learn(folder / "whole")
    duration = time.monotonic() - began
    chance, done, place = random.Random(seed), 0, folder / "killed"
    number = 0
    while done < kills:
        # Each learning is disturbed a few times on its way to the end.
        if killed_after(place / str(number), chance.uniform(0.02, 0.6) * duration):
            done += 1
        else:
            number += 1
    for n in range(number + 1):
        learn(place / str(n))
    data = (folder / "whole" / "run" / "data.extxyz").read_bytes()
    found = [place / str(n) for n in range(number + 1)]
    same = all((path / "run" / "data.extxyz").read_bytes() == data for path in found)
    calls = sum(len((path / "calls.txt").read_text().splitlines()) for path in found)
    twice = calls - len(found) * len((folder / "whole" / "calls.txt").read_text().splitlines())
    print(f"rounds {len(whole.rounds)} frames {whole.frames[-1]:g} kills {done} learnings {len(found)} twice {twice}")
    print("same data set" if same else "another data set")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))

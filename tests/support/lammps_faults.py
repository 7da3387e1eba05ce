"""What can go wrong while LAMMPS runs, as cases: all ranks stop, and raise what happened on one."""

import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .lammps_world import (
    Numbers,
    attached,
    case,
    differences,
    fresh,
    prefixed,
    ran,
    refused,
    silicon,
    silicon_model,
    started,
    world,
)
from .nep_models import synthetic_nep_models
from .snap_models import synthetic_models


class Faulty:
    """A potential that does something on the last rank at its n-th call within LAMMPS."""

    def __init__(self, potential: Any, call: int, action: Callable[[], None]) -> None:
        self._potential, self._left, self._action = potential, call, action
        self.elements, self.cutoff = potential.elements, potential.cutoff

    def evaluate(self, neighbors: Any, species: Any, num_threads: int = 1) -> Any:
        self._left -= 1
        if self._left == 0 and world().rank == world().size - 1:
            self._action()
        return self._potential.evaluate(neighbors, species, num_threads)


def _raise() -> None:
    raise ArithmeticError("out of luck")


def stopped(action: Callable[[], None], kind: type[BaseException], words: str, *, minimising: bool = False) -> Numbers:
    """Whether all ranks stop at the sixth force call, two of which compile, and raise what happened on one."""
    from ase_mlips.calculator import PotentialCalculator

    calc = PotentialCalculator(Faulty(silicon_model().potential, 2 + 6, action), num_threads=1)
    lmp = started(silicon(2, 2, 1), ("Si",))
    attached(lmp, calc, "Si")
    ran(lmp, "velocity all create 900 3", "fix 1 all nve")
    raised: BaseException | None = None
    try:
        lmp.command("minimize 0 0 50 100" if minimising else "run 50")
    except BaseException as error:
        raised = error
    right = isinstance(raised, kind) and words in str(raised)
    step = lmp.extract_global("ntimestep")
    lmp.command("run 3")  # and LAMMPS is still of use
    found = differences(lmp, calc, ("Si",))
    lmp.close()
    late = 0.0 if minimising else abs(step - 5)
    return found | {"raised": (float(not all(world().allgather(right))), 0.0), "step": (float(late), 0.0)}


@case
def errors() -> Numbers:
    def interrupt() -> None:
        signal.raise_signal(signal.SIGINT)

    return prefixed(
        exception=stopped(_raise, ArithmeticError, "out of luck"),
        minimising=stopped(_raise, ArithmeticError, "out of luck", minimising=True),
    )


@case
def interrupt() -> Numbers:
    """Ctrl-C while LAMMPS computes: all ranks end with the step after it."""
    calc_calls = 2 + 6

    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)

    from ase_mlips.calculator import PotentialCalculator

    calc = PotentialCalculator(Faulty(silicon_model().potential, calc_calls, interrupt), num_threads=1)
    lmp = started(silicon(2, 2, 1), ("Si",))
    attached(lmp, calc, "Si")
    ran(lmp, "fix 1 all nve")
    right = False
    try:
        lmp.command("run 50")
    except KeyboardInterrupt:
        right = True
    step = lmp.extract_global("ntimestep")
    lmp.close()
    return {"raised": (float(not all(world().allgather(right))), 0.0), "step": (abs(step - 6.0), 0.0)}


@case
def no_element() -> Numbers:
    """An atom of a type without a model, and two atoms on top of each other: in the first force call."""
    from ase.calculators.calculator import CalculationFailed, CalculatorSetupError

    found = {}
    for name, kind, words in (
        ("element", CalculatorSetupError, "atoms of type 2"),
        ("coincident", CalculationFailed, "not finite, first for atom"),
    ):
        atoms = silicon(2, 2, 1)
        if name == "element":
            atoms.symbols[3] = "Ge"
        else:
            atoms.positions[7] = atoms.positions[2]
        lmp = started(atoms, ("Si", "Ge"))
        attached(lmp, silicon_model(), "Si", "NULL")
        ran(lmp, "fix 1 all nve")
        folder = world().bcast(tempfile.mkdtemp() if world().rank == 0 else None)
        if world().rank == 0:
            Path(folder, "in").write_text(f"run 20\nrun 20\nshell touch {folder}/reached\n")
        world().Barrier()
        right = False
        try:
            lmp.file(f"{folder}/in")
        except kind as error:
            right = words in str(error)
        steps = lmp.extract_global("ntimestep")
        found |= prefixed(
            **{
                name: {
                    "raised": (float(not all(world().allgather(right))), 0.0),
                    "steps": (float(steps), 1.0),
                    "went on": (float(Path(folder, "reached").exists()), 0.0),
                }
            }
        )
        lmp.close()
    return found


@case
def refusals() -> Numbers:
    from ase.calculators.calculator import CalculatorSetupError
    from ase.calculators.emt import EMT

    from ase_mlips import NEP, SNAP

    calc = silicon_model()
    charged, dipole = (NEP(synthetic_nep_models()[name], num_threads=1) for name in ("charge3", "dipole"))
    empty, lmp = fresh(), started(silicon(1, 1, 1), ("Si",))
    found = {
        "no box": refused(ValueError, "needs a simulation box", lambda: attached(empty, calc, "Si")),
        "charges": refused(ValueError, "nep4_charge3, cutoff", lambda: attached(lmp, charged, "Te")),
        "dipole": refused(ValueError, "gives no energy", lambda: attached(lmp, dipole, "Si")),
        "other": refused(ValueError, "expected a calculator of ase_mlips", lambda: attached(lmp, EMT(), "Si")),
        "types": refused(ValueError, "LAMMPS's 1 atom types", lambda: attached(lmp, calc, "Si", "Ge")),
        "element": refused(CalculatorSetupError, "covers only Si, not Ge", lambda: attached(lmp, calc, "Ge")),
    }
    lmp.command("fix early all setforce 0 0 0")
    found["order"] = refused(ValueError, "fix early (setforce) would act", lambda: attached(lmp, calc, "Si"))
    lmp.command("unfix early")
    both = started(silicon(1, 1, 1), ("Si", "Ge"))
    again = started(silicon(1, 1, 1), ("Si",))
    attached(again, calc, "Si")
    found["twice"] = refused(ValueError, "a model is attached already", lambda: attached(again, calc, "Si"))
    again.close()
    swapped = SNAP(synthetic_models()["three"], num_threads=1)
    words = "type 1 has the mass 28.085 of Si, not that of Ge"
    found["masses of types"] = refused(ValueError, words, lambda: attached(both, swapped, "Ge", "Si"))
    both.close()
    attached(lmp, calc, "Si")
    found["skin"] = refused(ValueError, "has set the skin", lambda: lmp.command("neighbor 2.0 bin"))
    text = "timestep 0.001\ncomm_modify cutoff 3.0"
    found["cutoff"] = refused(ValueError, "has set the skin", lambda: lmp.commands_string(text))
    found["LAMMPS's own"] = refused(Exception, "Unknown command", lambda: lmp.command("no_such_command"))
    for name, words, lines in (
        ("units", "expected units metal, got real", ["units real"]),
        ("IDs", "atom_modify id yes", ["units metal", "atom_modify id no"]),
        ("masses", "one mass for each type", ["units metal", "atom_style sphere"]),
    ):
        other = fresh()
        box = ["region b block 0 9 0 9 0 9", "create_box 1 b", "create_atoms 1 single 1 1 1"]
        for line in [*lines, *box]:
            other.command(line)
        found[name] = refused(ValueError, words, lambda other=other: attached(other, calc, "Si"))
        other.close()
    empty.close()
    lmp.close()
    return found

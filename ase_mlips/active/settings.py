"""What active learning is to do: frozen settings that read and write YAML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ase_mlips.runs.fields import require_count, require_positive
from ase_mlips.runs.settings import Ensemble, Settings
from ase_mlips.runs.yaml_files import conform

Exploration = Literal["md", "relax", "strain", "defects", "displacements"]
Option = bool | int | float | str | tuple[bool | int | float | str, ...] | None

FILES = "files"
_POSITIVE = ("time", "final_time", "timestep", "damping", "grade_select", "target_energy", "target_force", "cutoff")
_COUNTS = ("interval", "max_rounds", "max_labels", "labels_per_round", "iterations", "workers")


@dataclass(frozen=True)
class ActiveRun(Settings):
    """Settings of active learning.

    Parameters
    ----------
    explore : tuple of {"md", "relax", "strain", "defects", "displacements"}
        Where the model is looked at in each round, see `ase_mlips.active.exploring`.
    ensemble : {"nve", "langevin", "bussi", "nose-hoover", "npt", "npt-full"}
        Of the molecular dynamics, as in `MDRun`.
    temperatures : tuple of float
        K; there is a run of each structure at each temperature and pressure.
    pressures : tuple of float, optional
        GPa, of npt; 0 by default.
    time, final_time : float
        ps of each run; and of one at the highest temperature, once the others find nothing, which may find more.
    timestep, damping : float
        fs, of the integration and of the thermostat.
    interval : int
        Steps from one grade to the next.
    grade_select, grade_break : float
        Structures of a grade above the first are candidates for labels, and one above the second ends its run.
    mode : {"neighborhood", "configuration"}
        What is graded, atoms or whole structures.
    members : int, optional
        Train a committee of so many MTP or NEP; grades are then the largest deviation of a force among them, in eV/A.
    max_rounds, max_labels : int
        Give up after so many rounds, or when so many structures were labelled, those of the beginning included.
    labels_per_round : int, optional
        At most so many, those of the largest grades; by default all that the selection takes.
    min_share : float
        It is enough when a round would add less than this share to the frames that are there.
    target_energy, target_force : float, optional
        meV/atom and eV/A; it is enough when root mean square errors are below all that are given, on the test frames
        or, without any, on new frames before the model has seen them.
    labeller : str
        A potential, such as ``embedded:Si`` or a file; a calculator of ASE, such as ``ase.calculators.vasp:Vasp``; or
        ``files``, ``files:poscar`` or ``files:cfg`` where labels are made elsewhere.
    labeller_options : dict
        Arguments of the calculator.
    test : str, optional
        File of labelled frames on which errors are reported.
    cutoff : float, optional
        A, of an MTP whose level alone is given.
    iterations : int
        Of each training, or the epochs of a network.
    seed : int
    workers : int
        Processes that explore and label.

    Raises
    ------
    ValueError
        A value that means nothing.
    """

    explore: tuple[Exploration, ...] = ("md",)
    ensemble: Ensemble = "langevin"
    temperatures: tuple[float, ...] = (300.0,)
    pressures: tuple[float, ...] = ()
    time: float = 3.0
    final_time: float | None = None
    timestep: float = 1.0
    damping: float = 100.0
    interval: int = 5
    grade_select: float = 3.0
    grade_break: float = 10.0
    mode: Literal["neighborhood", "configuration"] = "neighborhood"
    members: int | None = None
    max_rounds: int = 20
    max_labels: int = 500
    labels_per_round: int | None = None
    min_share: float = 0.01
    target_energy: float | None = None
    target_force: float | None = None
    labeller: str = FILES
    labeller_options: dict[str, Option] | None = None
    test: str | None = None
    cutoff: float | None = None
    iterations: int = 300
    seed: int = 0
    workers: int = 1

    def __post_init__(self) -> None:
        conform(self)
        for name in _POSITIVE:
            if (value := getattr(self, name)) is not None:
                require_positive(name, value)
        for name in _COUNTS:
            if (value := getattr(self, name)) is not None:
                require_count(name, value)
        require_count("seed", self.seed, 0)
        if not self.explore:
            raise ValueError("explore: expected at least one of md, relax, strain, defects and displacements")
        if not self.temperatures or min(self.temperatures) <= 0.0:
            raise ValueError(f"temperatures: expected positive numbers in K, got {self.temperatures!r}")
        if self.pressures and not self.has_pressure:
            raise ValueError(f"pressures: are of npt, and have no meaning in {self.ensemble}")
        if self.grade_break < self.grade_select:
            raise ValueError(f"grade_break: expected at least grade_select, {self.grade_select:g}")
        if not 0.0 <= self.min_share < 1.0:
            raise ValueError(f"min_share: expected at least 0 and below 1, got {self.min_share:g}")
        if self.labeller_options is not None and self.labeller.partition(":")[0] == FILES:
            raise ValueError("labeller_options: are of a calculator, which labeller does not name")

    @property
    def has_pressure(self) -> bool:
        """Whether cells move in the dynamics."""
        return self.ensemble.startswith("npt")

    def steps_of(self, picoseconds: float) -> int:
        """Time steps in a time, at least one."""
        return max(1, round(1e3 * picoseconds / self.timestep))

"""Recording the heat flux of a running molecular dynamics simulation, and reading what was recorded."""

from __future__ import annotations

import os
import weakref
from pathlib import Path

import numpy as np
from ase import units
from ase.constraints import FixCom
from ase.md.md import MolecularDynamics
from ase.md.verlet import VelocityVerlet

from ase_mlips.places import require_place

from .nonequilibrium import check_steps, check_timestep
from .series import UNKNOWN, FloatArray, HeatFluxCalculator, HeatFluxSeries, Meter, require_heat_flux, series_of

_TITLE = "# heat flux, format"
_FORMATS = ("1", "2")  # the first one does not say the ensemble
_SPECIES = "# species:"
_SPACING = "# time step:"
_ENSEMBLE = "# ensemble:"
_UNITS = "# fs, then eV A/fs (convective, conductive), A/fs (sum of the velocities of each species), K, A^3"
_EVEN = 1e-3  # by how much of a time step a time may be off

_Path = str | os.PathLike[str]


class HeatFluxRecorder:
    """Writes the heat flux of a molecular dynamics run to a text file, line by line, as the run proceeds.

    The recorder attaches itself to the dynamics.  Each line is written at once, so that the file can be read by
    `read_heat_flux` (or ``numpy.loadtxt``) while it grows and whatever ends the run.  The flux is that of velocities
    relative to the centre of mass.  The header says the ensemble: NVE for
    VelocityVerlet, else the name of the dynamics.

    Parameters
    ----------
    dynamics : MolecularDynamics
        ASE's dynamics, at constant energy (VelocityVerlet) where a thermal conductivity is wanted.
    calculator : PotentialCalculator
        Usually that of the atoms, which has then computed all that is needed.
    interval : int
        Steps from one line to the next; a few fs resolve the flux.
    path : path
        The file.
    append : bool
        Continue a file of as many atoms of each species, of the same spacing and ensemble: lines from the time of the
        next one on are replaced, and a broken last line is dropped.  Without it the file must not exist.
    time_fs : float, optional
        Time of the present configuration.  By default that of ``dynamics.nsteps``; where that is 0 and a file is
        continued, that of its last line.

    Raises
    ------
    FileExistsError
        The file exists and `append` is not given.
    ValueError
        No dynamics, an `interval` that is no positive integer, constraints other than `FixCom` (their forces carry
        heat, too), a calculator that gives no heat flux, or a file that is none to continue: of other atoms, another
        spacing or ensemble, or where the next line would not follow.  During the run: another time step.

    Examples
    --------
    >>> recorder = HeatFluxRecorder(dynamics, atoms.calc, 10, path="flux.txt")  # doctest: +SKIP
    >>> dynamics.run(100_000)  # doctest: +SKIP
    >>> kappa = green_kubo(read_heat_flux("flux.txt"))  # doctest: +SKIP
    """

    def __init__(
        self,
        dynamics: MolecularDynamics,
        calculator: HeatFluxCalculator,
        interval: int = 10,
        *,
        path: _Path,
        append: bool = False,
        time_fs: float | None = None,
    ) -> None:
        if not isinstance(dynamics, MolecularDynamics):
            raise ValueError(f"expected dynamics of ase.md, got {type(dynamics).__name__}")
        check_steps(interval=interval)
        require_heat_flux(calculator)
        require_place(path, append=True)
        atoms = dynamics.atoms
        held = [type(constraint).__name__ for constraint in atoms.constraints if not isinstance(constraint, FixCom)]
        if held:
            raise ValueError(f"a heat flux needs atoms that are free to move: remove the constraints ({held[0]})")
        self._dynamics, self._calculator = dynamics, calculator
        self._meter = Meter(atoms.numbers)
        self._timestep = dynamics.dt
        self._step_fs = float(dynamics.dt / units.fs)
        self._format = " ".join(["%.6f"] + ["%.12e"] * (8 + 3 * len(self._meter.species))) + "\n"
        spacing = interval * self._step_fs
        header = _header(self._meter, spacing, _ensemble(dynamics))
        begun = append and os.path.exists(path)
        now = dynamics.nsteps * self._step_fs if time_fs is None and dynamics.nsteps else time_fs
        # ASE calls observers at the start of a run only when it begins with step 0.
        ahead = interval - dynamics.nsteps % interval if dynamics.nsteps else 0
        last = _continued(Path(path), header, spacing, now=now, ahead=ahead * self._step_fs) if begun else None
        try:
            self._file = open(path, "ab" if begun else "xb", buffering=0)  # noqa: SIM115 -- closed with this object
        except FileExistsError:
            raise FileExistsError(f"{path}: exists; continue it with append=True, or choose another name") from None
        weakref.finalize(self, self._file.close)
        if not begun:
            self._file.write(header.encode())
        self._last = -np.inf if last is None else last
        self._origin = ((last or 0.0) if now is None else now) - dynamics.nsteps * self._step_fs
        dynamics.attach(self, interval=interval)

    def __call__(self) -> None:
        """Add a line for the present configuration, unless the file has one of its time."""
        check_timestep(self._dynamics, self._timestep)
        time = self._origin + self._dynamics.nsteps * self._step_fs
        if time <= self._last + _EVEN * self._step_fs:
            return
        row = self._meter.measure(self._calculator, self._dynamics.atoms)
        self._file.write((self._format % (time, *row.tolist())).encode())
        self._last = time

    def close(self) -> None:
        """Close the file; the dynamics must not go on after that."""
        self._file.close()


def read_heat_flux(path: _Path) -> HeatFluxSeries:
    """Read what `HeatFluxRecorder` has written; the file may still grow, and an incomplete last line is ignored.

    The header is ``# heat flux, format 2``, then lines of the species with their numbers of atoms, the time step, the
    ensemble, the units and the columns.  Files of format 1 have no ensemble; that of the series is then "unknown".

    Raises
    ------
    ValueError
        The file is of another kind, has a broken line before the last, fewer than two lines, or uneven times.
    """
    species, spacing, ensemble, rows = _parsed(Path(path))
    if len(rows) < 2:
        raise ValueError(f"{path}: expected at least 2 lines of a heat flux, got {len(rows)}")
    uneven = np.abs(np.diff(rows[:, 0]) - spacing) > _EVEN * spacing
    if uneven.any():
        k = int(np.argmax(uneven))
        raise ValueError(f"{path}: expected lines {spacing:g} fs apart, got {rows[k, 0]:g} and {rows[k + 1, 0]:g} fs")
    return series_of(rows[:, 1:], species, spacing, ensemble)


def _header(meter: Meter, spacing: float, ensemble: str) -> str:
    names = ["time", *(f"{part}_{x}" for part in ("convective", "conductive", *meter.species) for x in "xyz")]
    columns = " ".join([*names, "temperature", "volume"])
    species = " ".join(f"{name} {count}" for name, count in zip(meter.species, np.bincount(meter.kinds), strict=True))
    title, spaced = f"{_TITLE} {_FORMATS[-1]}", f"{_SPACING} {spacing:.9g} fs"
    return "\n".join([title, f"{_SPECIES} {species}", spaced, f"{_ENSEMBLE} {ensemble}", _UNITS, f"# {columns}\n"])


def _ensemble(dynamics: MolecularDynamics) -> str:
    return "NVE" if type(dynamics) is VelocityVerlet else type(dynamics).__name__


def _without_ensemble(header: str) -> str:
    """The header of format 1 that says the same."""
    lines = header.split("\n")
    return "\n".join([f"{_TITLE} {_FORMATS[0]}", *lines[1:3], *lines[4:]])


def _parsed(path: Path) -> tuple[tuple[str, ...], float, str, FloatArray]:
    """Species, time step, ensemble and complete rows of a file."""
    content = path.read_bytes()
    text = content[: content.rfind(b"\n") + 1].decode("ascii", errors="replace")
    marks = [_TITLE, _SPECIES, _SPACING]
    if not text.startswith(f"{_TITLE} {_FORMATS[0]}\n"):
        marks.append(_ENSEMBLE)
    size = len(marks) + 2  # of the header, with units and columns
    lines = text.split("\n", size)
    version = lines[0].removeprefix(_TITLE).strip()
    if lines[0].startswith(_TITLE) and version not in _FORMATS:
        raise ValueError(
            f"{path}:1: expected a heat flux of format {' or '.join(_FORMATS)}, got format {version[:40]!r}"
        )
    if len(lines) <= size or not all(line.startswith(mark) for line, mark in zip(lines, marks, strict=False)):
        raise ValueError(f"{path}: expected a file of HeatFluxRecorder, which begins with {_TITLE!r}")
    ensemble = lines[3].removeprefix(_ENSEMBLE).strip() if _ENSEMBLE in marks else UNKNOWN
    words = lines[1].removeprefix(_SPECIES).split()
    species = tuple(word for word in words if not word.isdigit())  # each has its number of atoms behind it
    try:
        spacing = float(lines[2].removeprefix(_SPACING).removesuffix(" fs"))
    except ValueError:
        raise ValueError(f"{path}:3: expected a time step in fs, got {lines[2][:40]!r}") from None
    width = 9 + 3 * len(species)
    body = lines[size].split("\n")[:-1]
    try:
        rows = np.loadtxt(body, ndmin=2) if body else np.empty((0, width))
        if rows.shape != (len(body), width):
            raise ValueError
    except ValueError:
        number = next(k for k, line in enumerate(body) if not _is_row(line, width))
        raise ValueError(f"{path}:{number + size + 1}: expected {width} numbers, got {body[number][:40]!r}") from None
    return species, spacing, ensemble, rows


def _is_row(line: str, width: int) -> bool:
    try:
        return len([float(word) for word in line.split()]) == width
    except ValueError:
        return False


def _continued(path: Path, header: str, spacing: float, *, now: float | None, ahead: float) -> float | None:
    """Cut a file behind the last complete line before the next one, and return the time of that line.

    The next line will be that of `ahead` fs after the present time; where that is `now`, the file may have it already.
    """
    content = path.read_bytes()
    known = next((text for text in (header, _without_ensemble(header)) if content.startswith(text.encode())), None)
    if known is None:
        if header.encode().startswith(content):  # ended before anything was written
            path.write_text(header)
            return None
        raise ValueError(f"{path}: is not of these atoms, this time step and this ensemble, and cannot be continued")
    rows = _parsed(path)[-1]
    if now is not None and len(rows):
        place = (now + ahead - rows[0, 0]) / spacing  # of the next line among those of the file
        if not (-_EVEN <= place <= len(rows) + _EVEN and abs(place - round(place)) <= _EVEN):
            raise ValueError(
                f"{path}: has lines every {spacing:g} fs from {rows[0, 0]:g} to {rows[-1, 0]:g} fs, and cannot go on "
                f"with one at {now + ahead:g} fs: continue with a new file of heat fluxes"
            )
        rows = rows[: round(place) + (ahead == 0.0)]  # that of now is as the next would be
    lines = content.splitlines(keepends=True)
    with open(path, "r+b") as file:
        file.truncate(sum(len(line) for line in lines[: known.count("\n") + len(rows)]))
    return float(rows[-1, 0]) if len(rows) else None

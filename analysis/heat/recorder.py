"""Recording the heat flux of a running molecular dynamics simulation, and reading what was recorded."""

from __future__ import annotations

import os
import re
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from ase import units
from ase.constraints import FixCom
from ase.md.md import MolecularDynamics
from ase.md.verlet import VelocityVerlet

from ase_mlips.files.appending import AppendedFile
from ase_mlips.files.places import require_place

from ..trajectories.frame import TruncatedError, require_regular
from ..trajectories.text_readers import Header, Text
from .lammps_flux import TITLE, Recorded, parsed_lammps
from .nonequilibrium import check_steps, check_timestep
from .series import UNKNOWN, HeatFluxCalculator, HeatFluxSeries, Meter, require_heat_flux, series_of

_TITLE = "# heat flux, format"
_FORMATS = ("1", "2")  # the first one does not say the ensemble
_SPECIES = "# species:"
_SPACING = "# time step:"
_ENSEMBLE = "# ensemble:"
_UNITS = "# fs, then eV A/fs (convective, conductive), A/fs (sum of the velocities of each species), K, A^3"
_SAME = 1e-4  # by how much a temperature may differ, relatively, where coordinates were rounded
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
    OSError
        Another run is writing the file, or an earlier recorder that has not been closed.  During the run: a line could
        not be written, on a full disk for example; the file then ends with the line before.
    ValueError
        No dynamics, an `interval` that is no positive integer, constraints other than `FixCom` (their forces carry
        heat, too), a calculator that gives no heat flux, or a file that is none to continue: of other atoms, another
        spacing or ensemble, of another run, or where the next line would not follow.  During the run: another time
        step.

    Examples
    --------
    >>> import numpy as np
    >>> from ase import units
    >>> from ase.build import bulk
    >>> from ase.md.velocitydistribution import thermalize_momenta
    >>> from ase.md.verlet import VelocityVerlet
    >>> from ase_mlips import SNAP
    >>> from ase_mlips.analysis import HeatFluxRecorder, read_heat_flux
    >>> atoms = bulk("Si", cubic=True)
    >>> atoms.calc = SNAP.embedded("Si")
    >>> thermalize_momenta(atoms, temperature_K=600, rng=np.random.default_rng(0))
    >>> dynamics = VelocityVerlet(atoms, 2 * units.fs)
    >>> recorder = HeatFluxRecorder(dynamics, atoms.calc, 2, path="flux.txt")
    >>> _ = dynamics.run(100)  # 100,000 and more for `green_kubo`
    >>> series = read_heat_flux("flux.txt")
    >>> series.total.shape, series.timestep_fs, series.ensemble
    ((51, 3), 4.0, 'NVE')
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
        # Weak: with the dynamics, which holds this object, the file is released at once and not some time later.
        self._dynamics: MolecularDynamics = weakref.proxy(dynamics)
        self._calculator = calculator
        self._meter = Meter(atoms.numbers)
        self._timestep = dynamics.dt
        self._step_fs = float(dynamics.dt / units.fs)
        self._format = " ".join(["%.6f"] + ["%.12e"] * (8 + 3 * len(self._meter.species))) + "\n"
        spacing = interval * self._step_fs
        header = _header(self._meter, spacing, _ensemble(dynamics))
        now = dynamics.nsteps * self._step_fs if time_fs is None and dynamics.nsteps else time_fs
        # ASE calls observers at the start of a run only when it begins with step 0.
        ahead = interval - dynamics.nsteps % interval if dynamics.nsteps else 0
        if append and os.path.exists(path):
            require_regular(Path(path))
        try:
            self._file = AppendedFile(path, new=not append)  # closed with this object
        except FileExistsError:
            raise FileExistsError(f"{path}: exists; continue it with append=True, or choose another name") from None
        try:
            last = _continued(
                self._file, header, spacing, now=now, ahead=ahead * self._step_fs, temperature=self._temperature
            )
            if self._file.size == 0:
                self._file.append(header.encode())
        except BaseException:
            self._file.close()
            raise
        weakref.finalize(self, self._file.close)
        self._last = -np.inf if last is None else last
        self._shown = f"{os.fspath(path)}, every {spacing:g} fs"
        self._origin = ((last or 0.0) if now is None else now) - dynamics.nsteps * self._step_fs
        dynamics.attach(self, interval=interval)

    def __repr__(self) -> str:
        return f"HeatFluxRecorder({self._shown})"

    def __call__(self) -> None:
        """Add a line for the present configuration, unless the file has one of its time."""
        check_timestep(self._dynamics, self._timestep)
        time = self._origin + self._dynamics.nsteps * self._step_fs
        if time <= self._last + _EVEN * self._step_fs:
            return
        row = self._meter.measure(self._calculator, self._dynamics.atoms)
        self._file.append((self._format % (time, *row.tolist())).encode())
        self._last = time

    def _temperature(self) -> float:
        """That of the present configuration, in K."""
        return float(self._meter.measure(self._calculator, self._dynamics.atoms)[-2])

    def close(self) -> None:
        """Close the file; the dynamics must not go on after that."""
        self._file.close()


def read_heat_flux(path: _Path) -> HeatFluxSeries:
    """Read what `HeatFluxRecorder` has written; the file may still grow, and an incomplete last line is ignored.

    Files of LAMMPS are read, too, where ``ase-mlips lammps --write`` has made the input.

    The header is ``# heat flux, format 2``, then lines of the species with their numbers of atoms, the time step, the
    ensemble, the units and the columns.  Files of format 1 have no ensemble; that of the series is then "unknown".

    Raises
    ------
    ValueError
        The file is of another kind or a pipe, has a broken line or a value that is not finite before the last one,
        fewer than two lines, or uneven times.
    """
    species, spacing, ensemble, rows, header = _parsed(Path(path))
    if len(rows) < 2:
        raise ValueError(f"{path}: expected at least 2 lines of a heat flux, got {len(rows)}")
    uneven = np.abs(np.diff(rows[:, 0]) - spacing) > _EVEN * spacing
    if uneven.any():
        k = int(np.argmax(uneven))
        raise ValueError(
            f"{path}:{header + k + 2}: expected lines {spacing:g} fs apart, got {rows[k, 0]:g} and"
            f" {rows[k + 1, 0]:g} fs"
        )
    return series_of(rows[:, 1:], species, spacing, ensemble)


def _header(meter: Meter, spacing: float, ensemble: str) -> str:
    species = " ".join(f"{name} {count}" for name, count in zip(meter.species, np.bincount(meter.kinds), strict=True))
    title, spaced = f"{_TITLE} {_FORMATS[-1]}", f"{_SPACING} {spacing:.9g} fs"
    lines = [title, f"{_SPECIES} {species}", spaced, f"{_ENSEMBLE} {ensemble}", _UNITS, _columns(meter.species)]
    return "".join(f"{line}\n" for line in lines)


def _columns(species: Sequence[str]) -> str:
    """The line that names the columns."""
    names = (f"{part}_{x}" for part in ("convective", "conductive", *species) for x in "xyz")
    return " ".join(["# time", *names, "temperature volume"])


def _ensemble(dynamics: MolecularDynamics) -> str:
    return "NVE" if type(dynamics) is VelocityVerlet else type(dynamics).__name__


def _without_ensemble(header: str) -> str:
    """The header of format 1 that says the same."""
    lines = header.split("\n")
    return "\n".join([f"{_TITLE} {_FORMATS[0]}", *lines[1:3], *lines[4:]])


def _parsed(path: Path) -> Recorded:
    """Species, time step, ensemble and complete rows of a file."""
    text, position = Text(str(path), alike=1), 0
    text.frame = None
    if text.map[: len(TITLE)] == TITLE.encode():
        return parsed_lammps(text)
    if text.map[: len(_TITLE)] != _TITLE.encode():
        raise ValueError(f"{path}: expected a file of HeatFluxRecorder, which begins with {_TITLE!r}")
    ensemble = UNKNOWN
    try:
        line, position = text.line(position)
        version = line.decode(errors="replace").removeprefix(_TITLE).strip()
        if version not in _FORMATS:
            raise text.error(f"a heat flux of format {' or '.join(_FORMATS)}", f"format {version}")
        line, position = text.line(position)
        species = _species(text, line.decode(errors="replace"))
        line, position = text.line(position)
        spacing = _spacing(text, line.decode(errors="replace"))
        if version != _FORMATS[0]:
            line, position = text.line(position)
            ensemble = _ensemble_of(text, line.decode(errors="replace"))
        _, position = text.line(position)  # the units
        line, position = text.line(position)
    except TruncatedError:
        raise ValueError(f"{path}: expected a file of HeatFluxRecorder, got only a part of its header") from None
    if line.decode(errors="replace") != _columns(species):
        raise text.error(f"columns of {' '.join(species)}", line)
    width = 9 + 3 * len(species)
    rows = np.empty((text.rows_left(position), width))
    try:
        text.parse(Header(len(rows), position, 2 * np.arange(width), np.zeros((3, 3)), ()), rows)
    except TruncatedError:
        rows = rows[:-1]
    return Recorded(species, spacing, ensemble, rows, 6 if version != _FORMATS[0] else 5)


def _species(text: Text, line: str) -> tuple[str, ...]:
    """Species, each of which has its number of atoms behind it."""
    words = line.removeprefix(_SPECIES).split()
    if not line.startswith(_SPECIES) or not words or not all(word.isdigit() for word in words[1::2]):
        raise text.error(f"{_SPECIES} and for each one a symbol and a number", line.encode())
    return tuple(words[::2])


def _ensemble_of(text: Text, line: str) -> str:
    if not line.startswith(_ENSEMBLE):
        raise text.error(f"{_ENSEMBLE} and its name", line.encode())
    return line.removeprefix(_ENSEMBLE).strip()


def _spacing(text: Text, line: str) -> float:
    word = line.removeprefix(_SPACING).removesuffix("fs").strip().encode()
    if (
        not line.startswith(_SPACING)
        or not re.fullmatch(rb"[0-9.]+(e[+-]?[0-9]+)?", word)
        or not text.number(word) > 0.0
    ):
        raise text.error("a time step in fs", line.encode())
    return text.number(word)


def _continued(
    file: AppendedFile,
    header: str,
    spacing: float,
    *,
    now: float | None,
    ahead: float,
    temperature: Callable[[], float],
) -> float | None:
    """Cut a file behind the last complete line before the next one, and return the time of that line.

    The next line will be that of `ahead` fs after the present time; where that is `now`, the file may have it already.
    """
    path, content = file.path, file.read()
    known = next((text for text in (header, _without_ensemble(header)) if content.startswith(text.encode())), None)
    if known is None:
        if header.encode().startswith(content):  # ended before anything was written
            file.truncate(0)
            return None
        raise ValueError(f"{path}: is not of these atoms, this time step and this ensemble, and cannot be continued")
    whole = content[: content.rfind(b"\n") + 1]
    if b"\0" in content[len(whole) :]:  # what a power failure leaves
        file.truncate(len(whole))
        content = whole
    rows = _parsed(Path(path)).rows
    if now is not None and len(rows):
        place = (now + ahead - rows[0, 0]) / spacing  # of the next line among those of the file
        if not (-_EVEN <= place <= len(rows) + _EVEN and abs(place - round(place)) <= _EVEN):
            raise ValueError(
                f"{path}: has lines every {spacing:g} fs from {rows[0, 0]:g} to {rows[-1, 0]:g} fs, and cannot go on "
                f"with one at {now + ahead:g} fs: continue with a new file of heat fluxes"
            )
        present = round((now - rows[0, 0]) / spacing)
        if 0 <= present < len(rows) - 1 and abs(rows[0, 0] + present * spacing - now) <= _EVEN * spacing:
            there, here = float(rows[present, -2]), temperature()
            if abs(there - here) > _SAME * here:
                raise ValueError(
                    f"{path}: is of another run, which has {there:.6g} K at {now:g} fs in place of {here:.6g} K"
                )
        rows = rows[: round(place) + (ahead == 0.0)]  # that of now is as the next would be
    lines = content.splitlines(keepends=True)
    kept = b"".join(lines[: known.count("\n") + len(rows)])
    file.truncate(len(kept))
    if not kept.endswith(b"\n"):
        file.append(b"\n")
    return float(rows[-1, 0]) if len(rows) else None

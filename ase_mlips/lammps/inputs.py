"""From an ASE structure and the settings of a run to LAMMPS's data file and input."""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import StringIO

import numpy as np
from ase import Atoms
from ase.calculators.lammps import Prism
from ase.constraints import FixAtoms
from ase.io.lammpsdata import write_lammps_data

from ..runs.ensembles import own_constraints, require_suitable
from ..runs.settings import MDRun

MARK = "# ase-mlips"
_MARKED = re.compile(r"#\s*ase-mlips\b")
_MARGIN = 5.0  # A of vacuum around what is not periodic
_SEEDS = 900_000_000  # LAMMPS takes seeds up to here
_BAR = 1e4  # per GPa
_SLOWER = 10.0  # the cell than the thermostat, as in `ase-mlips md`


def split_input(text: str, name: str) -> tuple[str, str]:
    """The commands before the model and those after it.

    The model takes the place of the first line that has the comment ``# ase-mlips``; further ones, such as the
    pair_coeff of a pair style, are left out.

    Raises
    ------
    ValueError
        There is no such line.
    """
    lines = text.splitlines()
    marked = [number for number, line in enumerate(lines) if _MARKED.search(line)]
    if not marked:
        raise ValueError(
            f"{name}: expected a line with the comment {MARK} where the model goes, such as that of pair_style"
        )
    rest = ["" if number in marked else line for number, line in enumerate(lines)]
    return "\n".join(rest[: marked[0]]) + "\n", "\n".join(rest[marked[0] :]) + "\n"


def data_text(atoms: Atoms, elements: Sequence[str], *, tilted: bool = False) -> str:
    """The structure as a data file of ``atom_style atomic``, with masses, and velocities where it has any.

    With `tilted` the box may lean later on, as npt-full lets it.  Where the structure is not periodic, the box gets
    some vacuum, since LAMMPS loses atoms outside of it.

    Raises
    ------
    ValueError
        An element that is not among `elements`, or a cell that leans towards a direction that is not periodic.
    """
    unknown = sorted(set(atoms.symbols) - set(elements))
    if unknown:
        raise ValueError(f"expected atoms of {', '.join(elements)}, got {', '.join(unknown)}")
    boxed = in_box(atoms)
    text = StringIO()
    moving = bool(np.any(boxed.get_momenta()))
    options = {"specorder": list(elements), "masses": True, "velocities": moving, "force_skew": tilted}
    write_lammps_data(text, boxed, **options)
    return text.getvalue()


def in_box(atoms: Atoms) -> Atoms:
    """A copy whose cell has three vectors and holds what is not periodic."""
    boxed = atoms.copy()
    boxed.set_constraint()
    if atoms.pbc.all():
        boxed.wrap()
        return boxed
    cell = atoms.cell.complete().array.copy()
    for axis in np.flatnonzero(~atoms.pbc):
        direction = cell[axis] / np.linalg.norm(cell[axis])
        along = atoms.positions @ direction
        cell[axis] = direction * (np.ptp(along) + 2 * _MARGIN)
        boxed.positions += direction * (_MARGIN - along.min())
        lean = np.abs(cell[[k for k in range(3) if k != axis]] @ direction)
        if (lean > 1e-8 * np.linalg.norm(cell)).any():
            raise ValueError("expected directions that are not periodic at right angles to the others")
    boxed.set_cell(cell)
    boxed.wrap()
    return boxed


def input_text(
    atoms: Atoms, elements: Sequence[str], settings: MDRun, *, data: str, dump: str, heat_flux: str | None = None
) -> str:
    """An input that does in LAMMPS what ``ase-mlips md`` does with these settings.

    Parameters
    ----------
    atoms : Atoms
        The structure of the data file; its `FixAtoms` are kept.
    elements : sequence of str
        Of the atom types, in their order.
    settings : MDRun
    data, dump, heat_flux : str
        Names of the data file, of the trajectory, and of the file of the heat flux if there is to be one.

    Raises
    ------
    ValueError
        The ensemble does not suit the structure, constraints other than `FixAtoms`, or settings that LAMMPS has no
        counterpart of.
    """
    require_suitable(settings, atoms)
    for name in ("max_grade", "max_deviation"):
        if getattr(settings, name) is not None:
            raise ValueError(f"{name}: is of ase-mlips md, and LAMMPS does not know it")
    held = _held(atoms)
    seed = np.random.SeedSequence(settings.seed).generate_state(2) % _SEEDS + 1
    lines = [
        "units metal",
        "atom_style atomic",
        f"boundary {' '.join('p' if periodic else 's' for periodic in atoms.pbc)}",
        *(["box tilt large"] if Prism(atoms.cell.complete(), atoms.pbc).is_skewed() else []),
        f"read_data {data}",
        "",
        f"pair_style none {MARK}: the model takes the place of this line",
        "",
        *_groups(held),
        *_velocities(atoms, settings, int(seed[0]), bool(held)),
        *_integrators(settings, int(seed[1]), bool(held)),
        *_output(atoms, elements, settings, dump=dump),
        *([] if heat_flux is None else _flux(atoms, elements, settings, heat_flux)),
        f"run {settings.steps}",
    ]
    return "\n".join(lines) + "\n"


def _held(atoms: Atoms) -> list[int]:
    """Atoms that do not move, counted from 1."""
    held: set[int] = set()
    for constraint in own_constraints(atoms):
        if not isinstance(constraint, FixAtoms):
            raise ValueError(f"expected no constraints but FixAtoms, got {type(constraint).__name__}")
        held.update(int(index) + 1 for index in constraint.index)
    return sorted(held)


def _groups(held: Sequence[int]) -> list[str]:
    if not held:
        return []
    some = [held[k : k + 12] for k in range(0, len(held), 12)]
    return [*(f"group held id {' '.join(map(str, part))}" for part in some), "group mobile subtract all held", ""]


def _velocities(atoms: Atoms, settings: MDRun, seed: int, held: bool) -> list[str]:
    group = "mobile" if held else "all"
    rest = ["velocity held set 0 0 0"] if held else []
    if np.any(atoms.get_momenta()):
        return rest
    still = "no" if held else "yes"
    return [*rest, f"velocity {group} create {settings.temperature:g} {seed} mom {still} rot no dist gaussian loop all"]


def _integrators(settings: MDRun, seed: int, held: bool) -> list[str]:
    group = "mobile" if held else "all"
    start = settings.temperature
    end = start if settings.temperature_end is None else settings.temperature_end
    heat, damping = f"{start:g} {end:g}", 1e-3 * settings.damping
    pressures = [_BAR * (settings.pressure or 0.0)]
    pressures.append(pressures[0] if settings.pressure_end is None else _BAR * settings.pressure_end)
    squeeze = f"{pressures[0]:g} {pressures[1]:g} {_SLOWER * damping:g}"
    integrators = {
        "nve": ["nve"],
        "langevin": ["nve", f"langevin {heat} {damping:g} {seed}" + ("" if held else " zero yes")],
        "bussi": ["nve", f"temp/csvr {heat} {damping:g} {seed}"],
        "nose-hoover": [f"nvt temp {heat} {damping:g}"],
        "npt": [f"npt temp {heat} {damping:g} iso {squeeze}"],
        "npt-full": [f"npt temp {heat} {damping:g} tri {squeeze}"],
    }[settings.ensemble]
    lines = [f"fix md{k} {group} {style}" for k, style in enumerate(integrators, 1)]
    return [f"timestep {1e-3 * settings.timestep:g}", *lines, ""]


def _output(atoms: Atoms, elements: Sequence[str], settings: MDRun, *, dump: str) -> list[str]:
    return [
        f"thermo {settings.interval}",
        "thermo_style custom step time temp pe etotal press vol",
        f"dump frames all custom {settings.interval} {dump} id type element x y z vx vy vz",
        f"dump_modify frames element {' '.join(elements)} sort id time yes units yes"
        ' format line "%d %d %s %.10g %.10g %.10g %.10g %.10g %.10g"',
        "",
    ]


def _flux(atoms: Atoms, elements: Sequence[str], settings: MDRun, path: str) -> list[str]:
    """Lines that record the heat flux for `ase_mlips.analysis.read_heat_flux`."""
    present = [(k, symbol) for k, symbol in enumerate(elements, 1) if symbol in set(atoms.symbols)]
    counts = " ".join(f"{symbol} {np.count_nonzero(atoms.symbols == symbol)}" for _, symbol in present)
    every = settings.heat_interval
    title = (
        f"# heat flux of LAMMPS, format 1; time step: {settings.timestep:.9g} fs; ensemble:"
        f" {settings.ensemble.upper()}; species: {counts}"
    )
    lines = [f"group only_{symbol} type {k}" for k, symbol in present]
    names = [f"v_current_{symbol}_{x}" for _, symbol in present for x in "xyz"]
    lines += [
        f"variable current_{symbol}_{x} equal count(only_{symbol})*vcm(only_{symbol},{x})"
        for _, symbol in present
        for x in "xyz"
    ]
    lines.append("variable box_volume equal vol")
    columns = " ".join([*(f"f_mlip[{k}]" for k in range(1, 7)), *names, "c_thermo_temp", "v_box_volume"])
    lines.append(f'fix flux all ave/time {every} 1 {every} {columns} file {path} format " %.12g" title1 "{title}"')
    return [*lines, ""]

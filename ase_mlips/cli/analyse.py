"""``ase-mlips rdf``, ``vdos`` and ``msd``: from a trajectory to numbers and a picture."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from ase import units

from ase_mlips.analysis import (
    MSD,
    RDF,
    VDOS,
    Interrupted,
    Trajectory,
    einstein_diffusion,
    mean_squared_displacement,
    rdf,
    thermodynamics,
    vdos,
)
from ase_mlips.analysis.formatting import below, with_error
from ase_mlips.analysis.tables import Tabulated
from ase_mlips.files.signals import deferred_interrupt

from .arguments import frame_range
from .common import plain_warnings, print_table, with_options
from .outputs import claim_numbers, file_of, save_result
from .signals import INTERRUPTED

ROOM_TEMPERATURE = 300.0  # K

OPTIONS = {
    "timestep_fs=": "--frame-spacing",
    "symbols=": "--species",
    "frames=": "--frames",
    "r_max": "--r-max",
    "drift=": "--drift",
}
_TOO_SHORT = "too short"  # verdict of einstein_diffusion
_DIFFUSING = 0.05  # density of states at zero frequency, of its maximum, from which atoms count as diffusing

_Draw = Callable[[Any], Any]


def run(args: Namespace) -> int:
    """Do ``args.analysis`` of ``args.trajectory``, print what matters, and write numbers and a picture."""
    claim_numbers(args, [file_of(args.trajectory)])
    analysis, describe = _ANALYSES[args.analysis]
    with plain_warnings():
        trajectory, result, interrupted = _analyse(args, analysis)
    # A result that is there gets written, and without the picture it would not be complete.
    with deferred_interrupt() as later, plain_warnings():
        draw = describe(result, trajectory, args)
        names = save_result(result, draw, args.output, force=args.force, beginning=bool(interrupted))
    if interrupted:
        print(f"ase-mlips: interrupted; {names} are of the first {interrupted} frames", file=sys.stderr)
        return INTERRUPTED
    print(f"wrote {names}")
    return INTERRUPTED if later.is_set() else 0


def _analyse(args: Namespace, analysis: Callable[[Trajectory, Namespace], Any]) -> tuple[Trajectory, Tabulated, int]:
    """What was analysed, the result, and the number of frames read before Ctrl-C, or zero."""
    name, frames = chosen_frames(args.trajectory, args.frames)
    options = {"timestep_fs": getattr(args, "frame_spacing", None), "symbols": args.species}
    with in_words_of_the_command():
        trajectory = Trajectory(name, frames=frames, **options)
        try:
            return trajectory, analysis(trajectory, args), 0
        except Interrupted as interruption:
            return trajectory, interruption.result, interruption.frames


@contextmanager
def in_words_of_the_command() -> Iterator[None]:
    """Put options in the place of arguments of functions in messages of a ValueError."""
    try:
        yield
    except ValueError as error:
        raise ValueError(with_options(str(error), OPTIONS)) from error


def chosen_frames(specification: str, frames: slice | None) -> tuple[str, slice]:
    """The file, and which of its frames ``file@START:STOP:STEP``, ``file@INDEX`` or ``--frames`` ask for."""
    name = file_of(specification)
    index = specification[len(name) + 1 :]
    if name == specification:
        return name, frames or slice(None)
    if frames is not None:
        raise ValueError(f"{specification}: expected frames once, behind @ or as --frames")
    try:
        if ":" in index:
            return name, frame_range(index)
        return name, slice(int(index), int(index) + 1 or None)
    except (ValueError, ArgumentTypeError):
        raise ValueError(f"{specification}: expected INDEX or START:STOP:STEP behind @, got {index!r}") from None


def _rdf(trajectory: Trajectory, args: Namespace) -> RDF:
    there = dict.fromkeys(trajectory.symbols)
    for symbol in (symbol for pair in args.pairs or () for symbol in pair):
        if symbol not in there:
            raise ValueError(f"--pairs: there is no {symbol} in {trajectory.name}, only {', '.join(there)}")
    try:
        result = rdf(trajectory, r_max=args.r_max, bins=args.bins)
    except Interrupted as interruption:
        raise Interrupted(_selected(interruption.result, args), interruption.frames) from None
    return _selected(result, args)


def _selected(result: RDF, args: Namespace) -> RDF:
    return result.selected(args.pairs) if args.pairs else result


def _describe_rdf(result: RDF, trajectory: Trajectory, args: Namespace) -> _Draw:
    rows = []
    for (a, b), g in result.partials.items():
        peak = int(np.argmax(g))
        height = with_error(float(g[peak]), float(result.partial_errors[a, b][peak]))
        around = [result.coordination_number(a, b), result.coordination_number(b, a)]
        numbers = [result.r[peak], result.first_minimum((a, b)), *around]
        highest, minimum, *shown = (f"{number:.3f}" if np.isfinite(number) else "-" for number in numbers)
        rows.append([f"{a}-{b}", highest, height, minimum, *shown])
    print_table(["pair A-B", "highest at (Å)", "g(r)", "first minimum (Å)", "B around A", "A around B"], rows)
    return result.plot


def _describe_vdos(result: VDOS, trajectory: Trajectory, args: Namespace) -> _Draw:
    rows = []
    for name, density in {"total": result.total, **result.partials}.items():
        mean, highest = density @ result.frequencies / density.sum(), result.frequencies[np.argmax(density)]
        rows.append([name, f"{np.trapezoid(density, result.frequencies):.1f}", f"{mean:.3f}", f"{highest:.3f}"])
    print_table(["element", "states", "mean (THz)", "highest at (THz)"], rows)
    quantum, atoms = thermodynamics(result, ROOM_TEMPERATURE), len(trajectory.numbers)
    capacity = quantum.heat_capacity[0] / (atoms * units.kB)
    print(f"C_V of harmonic vibrations at {ROOM_TEMPERATURE:.0f} K: {capacity:.4f} k_B/atom (classical: 3)")
    print(f"zero-point energy: {1e3 * quantum.zero_point_energy / atoms:.2f} meV/atom")
    shares = {name: density[0] / density.max() for name, density in result.partials.items()}
    if moving := [f"{name} ({share:.0%})" for name, share in shares.items() if share > _DIFFUSING]:
        print(
            f"note: states at zero frequency, as a share of the highest density: {', '.join(moving)}; these atoms"
            " diffuse or the correlation time is too short, and the harmonic values above have no meaning for them"
        )
    return partial(result.plot, unit=args.unit)


def _describe_msd(result: MSD, trajectory: Trajectory, args: Namespace) -> _Draw:
    try:
        diffusion = einstein_diffusion(result, window_ps=tuple(args.window) if args.window else None)
    except ValueError as error:
        print(f"no diffusion coefficients: {'--window: ' if args.window else ''}{error}")
        return result.plot
    rows = []
    for k, (symbol, count) in enumerate(zip(result.symbols, result.counts, strict=True)):
        value, bound, (start, end) = diffusion[symbol], diffusion.bounds[k], diffusion.windows[k]
        coefficient = below(bound) if np.isfinite(bound) else with_error(*value)
        window = f"{start:g} to {end:g}" if np.isfinite(start) else "-"
        rows.append([symbol, str(count), coefficient, window, diffusion.verdicts[k]])
    print_table(["element", "atoms", "D (cm^2/s)", "fitted from (ps)", "verdict"], rows)
    if _TOO_SHORT in diffusion.verdicts:
        print("note: too short to see a straight mean squared displacement; run longer, or give --window to insist")
    return diffusion.plot


_Compute = Callable[[Trajectory, Namespace], Any]
_Describe = Callable[[Any, Trajectory, Namespace], _Draw]
_ANALYSES: dict[str, tuple[_Compute, _Describe]] = {
    "rdf": (_rdf, _describe_rdf),
    "vdos": (lambda trajectory, args: vdos(trajectory, correlation_time_fs=args.correlation_time), _describe_vdos),
    "msd": (lambda trajectory, args: mean_squared_displacement(trajectory), _describe_msd),
}

"""``ase-mlips rdf``, ``vdos`` and ``msd``: from a trajectory to numbers and a picture."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable
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
from ase_mlips.analysis.results import Result

from .arguments import frame_range
from .common import deferred_interrupt, plain_warnings, print_table
from .outputs import claim_numbers, file_of, replacing, save_picture, unfinished
from .signals import INTERRUPTED

ROOM_TEMPERATURE = 300.0  # K

_OPTIONS = {"timestep_fs=": "--frame-spacing", "symbols=": "--species", "frames=": "--frames", "r_max": "--r-max"}
_DIFFUSING = 0.05  # density of states at zero frequency, of its maximum, from which atoms count as diffusing

_Draw = Callable[[Any], Any]


def run(args: Namespace) -> int:
    """Do ``args.analysis`` of ``args.trajectory``, print what matters, and write numbers and a picture."""
    claim_numbers(args, [file_of(args.trajectory)])
    analysis, describe = _ANALYSES[args.analysis]
    with plain_warnings():
        trajectory, result, interrupted = _analyse(args, analysis)
    output, force = (unfinished(args.output), False) if interrupted else (args.output, args.force)
    # A result that is there gets written, and without the picture it would not be complete.
    with deferred_interrupt() as later, plain_warnings():
        with replacing(output, force=force) as written:
            result.save(written)
        picture = save_picture(describe(result, trajectory, args), output, force=force)
    if interrupted:
        of = f"{output} and {picture} are of the first {interrupted} frames"
        print(f"ase-mlips: interrupted; {of}", file=sys.stderr)
        return INTERRUPTED
    print(f"wrote {output} and {picture}")
    return INTERRUPTED if later.is_set() else 0


def _analyse(args: Namespace, analysis: Callable[[Trajectory, Namespace], Any]) -> tuple[Trajectory, Result, int]:
    """What was analysed, the result, and the number of frames read before Ctrl-C, or zero."""
    name, frames = _selection(args)
    options = {"timestep_fs": getattr(args, "frame_spacing", None), "symbols": args.species}
    try:
        trajectory = Trajectory(name, frames=frames, **options)
        try:
            return trajectory, analysis(trajectory, args), 0
        except Interrupted as interruption:
            return trajectory, interruption.result, interruption.frames
    except ValueError as error:
        message = str(error)
        for argument, option in _OPTIONS.items():
            message = message.replace(argument, option)
        raise ValueError(message) from error


def _selection(args: Namespace) -> tuple[str, slice]:
    """The file, and which of its frames ``file@START:STOP:STEP``, ``file@INDEX`` or ``--frames`` ask for."""
    name = file_of(args.trajectory)
    index = args.trajectory[len(name) + 1 :]
    if name == args.trajectory:
        return name, args.frames or slice(None)
    if args.frames is not None:
        raise ValueError(f"{args.trajectory}: expected frames once, behind @ or as --frames")
    try:
        if ":" in index:
            return name, frame_range(index)
        return name, slice(int(index), int(index) + 1 or None)
    except (ValueError, ArgumentTypeError):
        raise ValueError(f"{args.trajectory}: expected INDEX or START:STOP:STEP behind @, got {index!r}") from None


def _describe_rdf(result: RDF, trajectory: Trajectory, args: Namespace) -> _Draw:
    rows = []
    for (a, b), g in result.partials.items():
        peak = int(np.argmax(g))
        rows.append([f"{a}-{b}", f"{result.r[peak]:.3f}", f"{g[peak]:.3f}"])
    print_table(["pair", "highest at (Å)", "g(r)"], rows)
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
        diffusion = einstein_diffusion(result)
    except ValueError as error:
        print(f"no diffusion coefficients: {error}")
        return result.plot
    rows = []
    for symbol, count, (start, end) in zip(result.symbols, result.counts, diffusion.windows, strict=True):
        value, error_bar = diffusion[symbol]
        rows.append([symbol, str(count), f"{value:.3e}", f"{error_bar:.1e}", f"{start:g} to {end:g}"])
    print_table(["element", "atoms", "D (cm²/s)", "standard error", "fitted from (ps)"], rows)
    return diffusion.plot


_Compute = Callable[[Trajectory, Namespace], Any]
_Describe = Callable[[Any, Trajectory, Namespace], _Draw]
_ANALYSES: dict[str, tuple[_Compute, _Describe]] = {
    "rdf": (lambda trajectory, args: rdf(trajectory, r_max=args.r_max, bins=args.bins), _describe_rdf),
    "vdos": (lambda trajectory, args: vdos(trajectory, correlation_time_fs=args.correlation_time), _describe_vdos),
    "msd": (lambda trajectory, args: mean_squared_displacement(trajectory), _describe_msd),
}

"""``ase-mlips rdf``, ``vdos`` and ``msd``: from a trajectory to numbers and a picture."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from ase import units
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ase_mlips.analysis.diffusion import einstein_diffusion
from ase_mlips.analysis.msd import mean_squared_displacement
from ase_mlips.analysis.rdf import rdf
from ase_mlips.analysis.results import Interrupted, Result
from ase_mlips.analysis.thermodynamics import thermodynamics
from ase_mlips.analysis.trajectory import Frames, Trajectory
from ase_mlips.analysis.vdos import vdos

from .common import deferred_interrupt, print_table, replacing

ROOM_TEMPERATURE = 300.0  # K

_Draw = Callable[[Any], Any]


class _Stoppable(Trajectory):
    """Ends early when `stop` is set, so that what has been read is analysed."""

    stop: Event
    read = 0

    def chunks(self, *, velocities: bool = False, progress: str = "reading") -> Iterator[Frames]:
        """Those of the whole trajectory, up to the one in which `stop` is set."""
        return self._until_stopped(super().chunks(velocities=velocities, progress=progress))

    def _until_stopped(self, chunks: Iterator[Frames]) -> Iterator[Frames]:
        for chunk in chunks:
            self.read = chunk.first + len(chunk)
            yield chunk
            if self.stop.is_set():
                return


def run(args: Namespace) -> int:
    """Do ``args.analysis`` of ``args.trajectory``, print what matters, and write numbers and a picture."""
    picture = Path(args.output).with_suffix(".png")
    if not args.output.endswith(".npz"):
        raise ValueError(f"{args.output}: numbers are written as NumPy arrays, expected a name that ends in .npz")
    # g(r) keeps what it has counted by itself; the others need all that has been read, and time for it.
    with nullcontext(Event()) if args.analysis == "rdf" else deferred_interrupt() as stop:
        result, draw, read = _analyse(args, stop)
    with replacing(args.output) as path:
        result.save(path)
    figure = Figure(figsize=(6.0, 4.0), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    draw(figure.subplots())
    with replacing(picture) as path:
        figure.savefig(path)
    if stop.is_set():
        print(f"ase-mlips: interrupted; {args.output} and {picture} are of the first {read} frames", file=sys.stderr)
        return 130
    print(f"wrote {args.output} and {picture}")
    return 0


def _analyse(args: Namespace, stop: Event) -> tuple[Result, _Draw, int]:
    options = {"timestep_fs": getattr(args, "timestep", None), "symbols": args.species}
    try:
        trajectory = _Stoppable(args.trajectory, frames=args.frames or slice(None), **options)
        trajectory.stop = stop
        result, draw = _ANALYSES[args.analysis](trajectory, args)
    except ValueError as error:
        raise ValueError(str(error).replace("timestep_fs=", "--timestep")) from error
    return result, draw, trajectory.read


def _rdf(trajectory: _Stoppable, args: Namespace) -> tuple[Result, _Draw]:
    try:
        result = rdf(trajectory, r_max=args.r_max, bins=args.bins)
    except Interrupted as interruption:
        result = interruption.result
        trajectory.read = result.frames
        trajectory.stop.set()
    rows = []
    for (a, b), g in result.partials.items():
        peak = int(np.argmax(g))
        rows.append([f"{a}-{b}", f"{result.r[peak]:.3f}", f"{g[peak]:.3f}"])
    print_table(["pair", "highest at (Å)", "g(r)"], rows)
    return result, result.plot


def _vdos(trajectory: _Stoppable, args: Namespace) -> tuple[Result, _Draw]:
    result = vdos(trajectory, correlation_time_fs=args.correlation_time)
    rows = []
    for name, density in {"total": result.total, **result.partials}.items():
        mean, highest = density @ result.frequencies / density.sum(), result.frequencies[np.argmax(density)]
        rows.append([name, f"{np.trapezoid(density, result.frequencies):.1f}", f"{mean:.3f}", f"{highest:.3f}"])
    print_table(["element", "states", "mean (THz)", "highest at (THz)"], rows)
    quantum, atoms = thermodynamics(result, ROOM_TEMPERATURE), len(trajectory.numbers)
    capacity = quantum.heat_capacity[0] / (atoms * units.kB)
    print(f"C_V of harmonic vibrations at {ROOM_TEMPERATURE:.0f} K: {capacity:.4f} k_B/atom (classical: 3)")
    print(f"zero-point energy: {1e3 * quantum.zero_point_energy / atoms:.2f} meV/atom")
    return result, partial(result.plot, unit=args.unit)


def _msd(trajectory: _Stoppable, args: Namespace) -> tuple[Result, _Draw]:
    result = mean_squared_displacement(trajectory)
    try:
        diffusion = einstein_diffusion(result)
    except ValueError as error:
        print(f"no diffusion coefficients: {error}")
        return result, result.plot
    rows = []
    for symbol, count, (start, end) in zip(result.symbols, result.counts, diffusion.windows, strict=True):
        value, error_bar = diffusion[symbol]
        rows.append([symbol, str(count), f"{value:.3e}", f"{error_bar:.1e}", f"{start:g} to {end:g}"])
    print_table(["element", "atoms", "D (cm²/s)", "standard error", "fitted from (ps)"], rows)
    return result, diffusion.plot


_ANALYSES: dict[str, Callable[[_Stoppable, Namespace], tuple[Result, _Draw]]] = {
    "rdf": _rdf,
    "vdos": _vdos,
    "msd": _msd,
}

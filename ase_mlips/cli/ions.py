"""``ase-mlips conductivity`` and ``arrhenius``: from trajectories of ions to numbers and a picture."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from ase_mlips.analysis import (
    Arrhenius,
    Conductivity,
    Diffusion,
    Trajectory,
    arrhenius,
    average,
    einstein_diffusion,
    ionic_conductivity,
    mean_squared_displacement,
)
from ase_mlips.analysis.formatting import below, with_error
from ase_mlips.analysis.tables import Tabulated
from ase_mlips.files.signals import deferred_interrupt

from .analyse import OPTIONS, chosen_frames, in_words_of_the_command
from .common import plain_warnings, print_table
from .outputs import claim_numbers, file_of, save_result
from .signals import INTERRUPTED

_CM = 100.0  # in a metre


def run(args: Namespace) -> int:
    """Do ``args.analysis`` of ``args.files``, print what matters, and write numbers and a picture.

    Returns 0, or 1 where there is no conductivity to write down; all files are written then, too.
    """
    claim_numbers(args, [file_of(name) for name in args.files])
    twice = [name for k, name in enumerate(args.files) if name in args.files[:k]]
    if twice:
        raise ValueError(f"expected independent runs, got {twice[0]} twice")
    compute, describe = _ANALYSES[args.analysis]
    with plain_warnings(OPTIONS), in_words_of_the_command():
        result = compute(args)
    # A result that is there gets written, and without the picture it would not be complete.
    with deferred_interrupt() as interrupted, plain_warnings():
        draw, found = describe(result, args)
        names = save_result(result, draw, args.output, force=args.force)
    print(f"wrote {names}")
    return INTERRUPTED if interrupted.is_set() else int(not found)


def _trajectories(args: Namespace) -> Iterable[Trajectory]:
    """One after the other, as each is read only when its turn comes."""
    for specification in args.files:
        name, frames = chosen_frames(specification, args.frames)
        yield Trajectory(name, frames=frames, timestep_fs=args.frame_spacing, symbols=args.species)


def _conductivity(args: Namespace) -> Conductivity:
    options = {"temperature": args.temperature, "window_ps": args.window and tuple(args.window)}
    drift = None if args.drift == "none" else args.drift
    results = []
    for name, trajectory in zip(args.files, _trajectories(args), strict=True):
        results.append(ionic_conductivity(trajectory, args.charges, drift=drift, **options))
        if len(args.files) > 1:
            print(f"{name}: {_siemens(results[-1].collective, results[-1].collective_error)}")
    return average(results) if len(results) > 1 else results[0]


def _describe_conductivity(result: Conductivity, args: Namespace) -> tuple[Callable[[Any], Any], bool]:
    print(f"{result.temperature:g} K" + (f", mean of {result.runs} runs" if result.runs > 1 else ""))
    charges = zip(result.symbols, result.charges, result.verdicts, strict=True)
    print_table(["species", "charge (e)", "verdict"], [[symbol, f"{q:+g}", verdict] for symbol, q, verdict in charges])
    rows = [
        ["collective", *_both(result.collective, result.collective_error)],
        ["Nernst-Einstein", *_both(result.nernst_einstein, result.nernst_einstein_error)],
    ]
    print_table(["conductivity", "S/m", "S/cm"], rows)
    print(f"Haven ratio: {with_error(result.haven, result.haven_error)}")
    if result.bound:
        print(f"species that do not diffuse add to Nernst-Einstein: {below(result.bound)} S/m")
    found = bool(np.isfinite(result.collective))
    if not found:
        print("note: no ionic conductivity, as the verdicts say; run longer, or give --window to insist")
    return result.plot, found


def _both(value: float, error: float) -> tuple[str, str]:
    """In S/m and in S/cm."""
    return with_error(value, error), with_error(value / _CM, error / _CM)


def _siemens(value: float, error: float) -> str:
    meters, centimeters = _both(value, error)
    return f"{meters} S/m = {centimeters} S/cm" if np.isfinite(value) else "no conductivity"


def _arrhenius(args: Namespace) -> Arrhenius:
    if len(args.temperatures) != len(args.files):
        raise ValueError(
            f"--temperatures: expected one for each of {len(args.files)} trajectories, got {len(args.temperatures)}"
        )
    window = args.window and tuple(args.window)
    results: list[Diffusion] = []
    for name, temperature, trajectory in zip(args.files, args.temperatures, _trajectories(args), strict=True):
        msd = mean_squared_displacement(trajectory, atoms=args.element)
        results.append(einstein_diffusion(msd, window_ps=window))
        print(f"{name}: {temperature:g} K, {results[-1].describe(args.element)}")
    return arrhenius(args.temperatures, results, symbol=args.element)


def _describe_arrhenius(result: Arrhenius, args: Namespace) -> tuple[Callable[[Any], Any], bool]:
    print(f"activation energy: {with_error(result.activation_energy, result.activation_energy_error)} eV")
    print(f"prefactor: {with_error(result.prefactor, result.prefactor_error)} cm^2/s")
    if args.at:
        rows = [[f"{temperature:g}", with_error(*result.extrapolate(temperature))] for temperature in args.at]
        print_table(["at (K)", "D (cm^2/s)"], rows)
    return partial(result.plot, at=args.at or ()), True


_Describe = Callable[[Any, Namespace], tuple[Callable[[Any], Any], bool]]
_ANALYSES: dict[str, tuple[Callable[[Namespace], Tabulated], _Describe]] = {
    "conductivity": (_conductivity, _describe_conductivity),
    "arrhenius": (_arrhenius, _describe_arrhenius),
}

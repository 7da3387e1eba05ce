"""``ase-mlips kappa``: from recorded heat fluxes to a thermal conductivity and a picture."""

from __future__ import annotations

import sys
import warnings
from argparse import Namespace

from ase_mlips.analysis.heat.green_kubo import GreenKubo, green_kubo
from ase_mlips.analysis.heat.recorder import read_heat_flux
from ase_mlips.analysis.heat.series import HeatFluxSeries

from .common import deferred_interrupt, print_table
from .outputs import claim_numbers, replacing, save_picture
from .signals import INTERRUPTED


def run(args: Namespace) -> int:
    """Analyse ``args.files`` as independent runs, print what matters, and write numbers and a picture."""
    claim_numbers(args, args.files)
    runs = [_read(path, args.discard) for path in args.files]
    options = {"window_ps": args.window and tuple(args.window), "max_lag_ps": args.max_lag, "blocks": args.blocks}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        result = green_kubo(runs, **options)
    # A result that is there gets written, and without the picture it would not be complete.
    with deferred_interrupt() as interrupted:
        with replacing(args.output, force=args.force) as path:
            result.save(path)
        picture = save_picture(result.plot, args.output, force=args.force)
    _print(result, runs, args.blocks)
    for warning in caught:
        print(f"ase-mlips: {warning.message}", file=sys.stderr)
    print(f"wrote {args.output} and {picture}")
    return INTERRUPTED if interrupted.is_set() else 0


def _read(path: str, discard_ps: float) -> HeatFluxSeries:
    series = read_heat_flux(path)
    first = round(1e3 * discard_ps / series.timestep_fs)
    if first >= len(series):
        length = 1e-3 * series.timestep_fs * (len(series) - 1)
        raise ValueError(f"{path}: nothing is left of {length:g} ps after --discard {discard_ps:g}")
    return series[first:]


def _print(result: GreenKubo, runs: list[HeatFluxSeries], blocks: int) -> None:
    length = 1e-3 * sum(len(run) * run.timestep_fs for run in runs)
    first, last = result.window_ps
    print(f"{len(runs)} runs, {length:g} ps in all, {result.temperature:.1f} K, {result.volume:.1f} Å^3")
    print(f"correlations integrated up to a window from {first:.4g} to {last:.4g} ps")
    axes = ("xx", "yy", "zz", "yz", "xz", "xy")
    places = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
    print_table(["W/(m K)", "kappa"], [[name, f"{value:.4g}"] for name, value in result.parts.items()])
    print_table(["tensor", *axes], [["kappa", *(f"{result.tensor[place]:.4g}" for place in places)]])
    rows = [["Green-Kubo", f"{result.kappa:.4g}", _error(result, result.error)]]
    if result.kappa_corrected is not None and result.error_corrected is not None:
        rows.append(["Onsager-corrected", f"{result.kappa_corrected:.4g}", _error(result, result.error_corrected)])
    kind = "cepstral, corrected" if result.publish == "kappa_corrected" else "cepstral"
    rows.append([kind, f"{result.cepstral_kappa:.4g}", f"{result.cepstral_error:.2g}"])
    print_table(["method", "kappa", "error"], rows)
    value, error = result.best
    shortest = 1e-3 * runs[0].timestep_fs * (min(len(run) for run in runs) // blocks)
    if result.converged:
        print(f"thermal conductivity: {value:.4g} ± {error:.2g} W/(m K)")
    elif last > 0.25 * shortest:
        print(
            f"thermal conductivity: not converged; the window ends beyond a quarter of the {shortest:.4g} ps of a run "
            "or block, where the integral is noise; a longer run is needed, or an earlier --window"
        )
    else:
        print(
            f"thermal conductivity: not converged; the integral has no plateau before {last:.4g} ps, the end of the "
            "window; a longer run is needed, or a later --window"
        )


def _error(result: GreenKubo, error: float) -> str:
    return f"{error:.2g}" if result.converged else "not converged"

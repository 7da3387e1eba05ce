"""``ase-mlips kappa``: from recorded heat fluxes to a thermal conductivity and a picture."""

from __future__ import annotations

import sys
import warnings
from argparse import Namespace

from ase_mlips.analysis.formatting import with_error
from ase_mlips.analysis.heat.green_kubo import green_kubo
from ase_mlips.analysis.heat.green_kubo_result import GreenKubo
from ase_mlips.analysis.heat.recorder import read_heat_flux
from ase_mlips.analysis.heat.series import HeatFluxSeries
from ase_mlips.files.signals import deferred_interrupt

from .common import print_table
from .outputs import claim_numbers, save_result
from .signals import INTERRUPTED


def run(args: Namespace) -> int:
    """Analyse ``args.files`` as independent runs, print what matters, and write numbers and a picture.

    Returns 0, or 1 where the runs give no thermal conductivity that can be published; all files are written then, too.
    """
    claim_numbers(args, args.files)
    runs = [_read(path, args.discard) for path in args.files]
    options = {"window_ps": args.window and tuple(args.window), "max_lag_ps": args.max_lag, "blocks": args.blocks}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        result = green_kubo(runs, **options)
    # A result that is there gets written, and without the picture it would not be complete.
    with deferred_interrupt() as interrupted:
        names = save_result(result, result.plot, args.output, force=args.force)
    _print(result, runs)
    for warning in caught:
        if result.verdict not in str(warning.message):  # the last line of the output says it
            print(f"ase-mlips: {warning.message}", file=sys.stderr)
    print(f"wrote {names}")
    return INTERRUPTED if interrupted.is_set() else int(not result.converged)


def _read(path: str, discard_ps: float) -> HeatFluxSeries:
    series = read_heat_flux(path)
    first = round(1e3 * discard_ps / series.timestep_fs)
    if first >= len(series):
        length = 1e-3 * series.timestep_fs * (len(series) - 1)
        raise ValueError(f"{path}: nothing is left of {length:g} ps after --discard {discard_ps:g}")
    return series[first:]


def _print(result: GreenKubo, runs: list[HeatFluxSeries]) -> None:
    length = 1e-3 * sum(len(run) * run.timestep_fs for run in runs)
    first, last = result.window_ps
    print(f"{len(runs)} runs, {length:g} ps in all, {result.temperature:.1f} K, {result.volume:.1f} Å^3")
    print(f"ensemble: {', '.join(dict.fromkeys(run.ensemble for run in runs))}")
    print(f"correlations integrated up to a window from {first:.4g} to {last:.4g} ps")
    axes = ("xx", "yy", "zz", "yz", "xz", "xy")
    places = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
    print_table(["W/(m K)", "kappa"], [[name, f"{value:.4g}"] for name, value in result.parts.items()])
    print_table(["tensor", *axes], [["kappa", *(f"{result.tensor[place]:.4g}" for place in places)]])
    rows = [["Green-Kubo", _shown(result, result.kappa, result.error)]]
    if result.kappa_corrected is not None:
        rows.append(["Onsager-corrected", _shown(result, result.kappa_corrected, result.error_corrected)])
    kind = "cepstral, corrected" if result.publish == "kappa_corrected" else "cepstral"
    rows.append([kind, _shown(result, result.cepstral_kappa, result.cepstral_error)])
    print_table(["method", "W/(m K)"], rows)
    print(f"thermal conductivity: {result.facts()['thermal conductivity']}")


def _shown(result: GreenKubo, value: float, error: float | None) -> str:
    return with_error(value, error) if result.converged else f"{value:.2g}, not converged"

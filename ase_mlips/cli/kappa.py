"""``ase-mlips kappa``: from recorded heat fluxes to a thermal conductivity and a picture."""

from __future__ import annotations

import sys
import warnings
from argparse import Namespace
from pathlib import Path

import numpy as np

from ase_mlips.analysis.formatting import with_error
from ase_mlips.analysis.heat.green_kubo import green_kubo
from ase_mlips.analysis.heat.green_kubo_result import GreenKubo
from ase_mlips.analysis.heat.recorder import read_heat_flux
from ase_mlips.analysis.heat.series import HeatFluxSeries, in_watts

from .common import deferred_interrupt, print_table
from .outputs import SEPARATORS, claim_numbers, replacing, save_picture
from .signals import INTERRUPTED


def run(args: Namespace) -> int:
    """Analyse ``args.files`` as independent runs, print what matters, and write numbers and a picture.

    Returns 0, or 1 where the runs give no thermal conductivity that can be published; all files are written then, too.
    """
    numbers, table = claim_numbers(args, args.files)
    runs = [_read(path, args.discard) for path in args.files]
    options = {"window_ps": args.window and tuple(args.window), "max_lag_ps": args.max_lag, "blocks": args.blocks}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        result = green_kubo(runs, **options)
    # A result that is there gets written, and without the picture it would not be complete.
    with deferred_interrupt() as interrupted:
        with replacing(numbers, force=args.force) as path:
            result.save(path)
        if table is not None:
            with replacing(table, force=args.force) as path:
                _write_table(result, path, SEPARATORS[table.suffix])
        picture = save_picture(result.plot, args.output, force=args.force)
    _print(result, runs)
    for warning in caught:
        if result.verdict not in str(warning.message):  # the last line of the output says it
            print(f"ase-mlips: {warning.message}", file=sys.stderr)
    print(f"wrote {', '.join(str(name) for name in (numbers, table) if name)} and {picture}")
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
    print(f"thermal conductivity: {_conclusion(result)}")


def _conclusion(result: GreenKubo) -> str:
    return in_watts(*result.best) if result.converged else f"none; {result.verdict}"


def _shown(result: GreenKubo, value: float, error: float | None) -> str:
    return with_error(value, error) if result.converged else f"{value:.2g}, not converged"


def _write_table(result: GreenKubo, path: Path, separator: str) -> None:
    """The running integrals, averaged over x, y and z, below a commented header."""
    columns = {"time_ps": result.times}
    columns |= {name: np.trace(curve, axis1=1, axis2=2) / 3.0 for name, curve in result.running.items()}
    if result.running_corrected is not None:
        columns["corrected"] = result.running_corrected
    first, last = result.window_ps
    lines = [
        f"thermal conductivity: {_conclusion(result)}",
        f"window {first:.6g} to {last:.6g} ps; below: ps, and running integrals in W/(m K)",
        separator.join(columns),
    ]
    np.savetxt(path, np.column_stack(list(columns.values())), "%.8g", separator, header="\n".join(lines))

"""Heat fluxes of known thermal conductivity."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from ase_mlips.analysis.heat.series import KAPPA, HeatFluxSeries
from scipy.signal import lfilter


def ornstein_uhlenbeck(
    frames: int, *, decay: float = 20.0, seed: int = 0, kappa: float = 2.5, timestep_fs: float = 4.0
) -> HeatFluxSeries:
    """Flux of one species with ``<J(0) J(t)>`` falling by e in `decay` frames, and `kappa` by the trapezoidal rule.

    A tenth of its amplitude is convective.
    """
    phi = np.exp(-1.0 / decay)
    noise = np.random.default_rng(seed).normal(size=(frames, 3)) * np.sqrt(1.0 - phi**2)
    noise[0] /= np.sqrt(1.0 - phi**2)
    temperature, volume = 300.0, 8000.0
    variance = kappa * temperature**2 * volume / (KAPPA * timestep_fs * (1.0 + phi) / (2.0 * (1.0 - phi)))
    flux = np.sqrt(variance) * lfilter([1.0], [1.0, -phi], noise, axis=0)
    constant = np.ones(frames)
    return HeatFluxSeries(
        timestep_fs, 0.1 * flux, 0.9 * flux, {"Ar": np.zeros((frames, 3))}, temperature * constant, volume * constant
    )


def mixture(
    frames: int, *, shifts: tuple[float, ...] = (0.0, 0.0), kappa: float = 2.5, diffuses: bool = True, seed: int = 0
) -> HeatFluxSeries:
    """Flux whose Onsager-corrected conductivity is `kappa`: independent currents times `shifts` (eV) are added to it.

    The species have equal masses, so that their currents add up to zero.  Currents that do not diffuse are
    derivatives of bounded ones.
    """
    series = ornstein_uhlenbeck(frames, seed=1000 + seed, kappa=kappa)
    names = ("Ar", "Kr", "Xe", "Ne")[: len(shifts)]
    others = [
        0.3 / (1.0 + k) * ornstein_uhlenbeck(frames, decay=8.0, seed=(k + 2) * 100_000 + seed).total
        for k in range(len(shifts) - 1)
    ]
    if not diffuses:
        others = [np.diff(current, axis=0, prepend=current[:1]) for current in others]
    currents = dict(zip(names, [*others, -sum(others)], strict=True))
    return replace(series, currents=currents).shifted(dict(zip(names, shifts, strict=True)))


def write_heat_flux(path: Path, series: HeatFluxSeries) -> None:
    """The file that a recorder would have written, in its first format where the ensemble is unknown."""
    times = series.timestep_fs * np.arange(len(series))
    vectors = [series.convective, series.conductive, *series.currents.values()]
    rows = np.column_stack([times, *vectors, series.temperature, series.volume])
    species = " ".join(f"{name} 1" for name in series.currents)
    known = series.ensemble != "unknown"
    head = f"# heat flux, format {1 + known}\n# species: {species}\n# time step: {series.timestep_fs} fs\n"
    head += f"# ensemble: {series.ensemble}\n" * known + "# units\n"
    names = (f"{part}_{x}" for part in ("convective", "conductive", *series.currents) for x in "xyz")
    head += f"# time {' '.join(names)} temperature volume\n"
    with open(path, "w") as file:
        file.write(head)
        np.savetxt(file, rows, fmt="%.12e")

"""What ``ase-mlips phonons`` does beyond the harmonic crystal, where it is asked to."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass, replace
from typing import Any

from ase.calculators.calculator import Calculator

from ase_mlips.analysis.tables import Tabulated
from ase_mlips.arrays import FloatArray
from ase_mlips.phonons import (
    CumulativeConductivity,
    Gruneisen,
    Phonons,
    QuasiHarmonic,
    ThermalConductivity,
    conduct,
    gruneisen,
    quasi_harmonic,
)
from ase_mlips.phonons.conductivity import Method, third_order_with_changes
from ase_mlips.phonons.files import write_phonopy

from .common import print_table
from .outputs import replacing
from .pictures import saved_figure, write_columns

_ENDINGS = {
    "gruneisen": (".gruneisen.dat", ".gruneisen.png"),
    "qha": (".qha.dat", ".qha.png"),
    "kappa": (".phono3py.yaml", ".kappa.dat", ".kappa-frequency.dat", ".kappa-path.dat", ".kappa.png"),
}


def endings(args: Namespace) -> tuple[str, ...]:
    """Of the files that will be written."""
    return tuple(ending for what, some in _ENDINGS.items() if getattr(args, what) for ending in some)


@dataclass(frozen=True)
class Settings:
    """What the calculations share; `mesh` is the argument of that name, if one was given, `force` replaces files."""

    supercell: float | list[int]
    mesh: dict[str, Any]
    temperatures: FloatArray
    force: bool


def run(args: Namespace, result: Phonons, calc: Calculator, stem: str, settings: Settings) -> None:
    """Print and write what was asked for, one after the other, so that what is found is kept if the next one fails."""
    if args.gruneisen:
        _report("gruneisen", gruneisen(result, calc, **settings.mesh), stem, settings)
    if args.qha:
        found = quasi_harmonic(
            result.atoms, calc, supercell=settings.supercell, temperatures=settings.temperatures, **settings.mesh
        )
        _report("qha", found, stem, settings)
    if args.kappa:
        _report_conductivity(_conductivity(args.kappa, result, calc, stem, settings), stem, settings)


def _report(what: str, found: Gruneisen | QuasiHarmonic, stem: str, settings: Settings) -> None:
    table, picture = (f"{stem}{ending}" for ending in _ENDINGS[what])
    write_columns({table: found}, force=settings.force)
    with saved_figure(picture, 5.0, 4.0, force=settings.force) as figure:
        found.plot(figure.subplots())
    _print(found, table, picture)


def _conductivity(
    method: Method, result: Phonons, calc: Calculator, stem: str, settings: Settings
) -> ThermalConductivity:
    made, changes = third_order_with_changes(result.atoms, calc, settings.supercell, **settings.mesh)
    made.nac_params = result.phonopy.nac_params
    kept = f"{stem}{_ENDINGS['kappa'][0]}"
    with replacing(kept, force=settings.force) as path:
        write_phonopy(made, path)  # the forces, before the conductivity, which may take long
    print(f"written: {kept} (for phono3py)")
    warm = settings.temperatures[settings.temperatures > 0.0]
    return replace(conduct(made, temperatures=warm, method=method, **settings.mesh), symmetrised=changes, phono3py=made)


def _report_conductivity(found: ThermalConductivity, stem: str, settings: Settings) -> None:
    tables = [f"{stem}{ending}" for ending in _ENDINGS["kappa"][1:4]]
    parts: list[ThermalConductivity | CumulativeConductivity] = [
        found,
        found.cumulative("frequency"),
        found.cumulative("mean free path"),
    ]
    write_columns(dict(zip(tables, parts, strict=True)), force=settings.force)
    picture = f"{stem}{_ENDINGS['kappa'][4]}"
    with saved_figure(picture, 11.0, 3.6, force=settings.force) as figure:
        for part, ax in zip(parts, figure.subplots(1, 3), strict=True):
            part.plot(ax)
    print_table(
        ("T (K)", "kappa (W/(m K))"),
        [(f"{t:g}", f"{k:.4g}") for t, k in zip(found.temperatures, found.mean, strict=True)],
    )
    for part in parts[1:]:
        print(*list(part.facts().items())[-1], sep="  ")
    _print(found, *tables, picture)


def _print(found: Tabulated, *written: str) -> None:
    for name, value in found.facts().items():
        print(f"{name}  {value}")
    if written:
        print(f"written: {', '.join(written)}")

"""``ase-mlips phonons``: band structure, density of states and thermal properties of a crystal."""

from __future__ import annotations

import os
from argparse import Namespace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from ase.calculators.calculator import Calculator

from ase_mlips.arrays import FloatArray
from ase_mlips.files.signals import deferred_interrupt
from ase_mlips.files.text import read_text
from ase_mlips.phonons import Phonons, phonons
from ase_mlips.phonons.arguments import Mesh, checked_temperatures, require_mesh
from ase_mlips.phonons.bands import special_points
from ase_mlips.phonons.figures import bands_and_dos

from . import phonons_beyond
from .common import chosen_model, plain_warnings, print_table, read_structure
from .outputs import claim, file_of, model_files, replacing
from .pictures import saved_figure, write_columns
from .signals import INTERRUPTED

_TEMPERATURES = np.arange(0.0, 1001.0, 100.0)  # K
_ENDINGS = (".txt", ".yaml", ".png", ".bands.dat", ".dos.dat")


def run(args: Namespace) -> int:
    """Write files whose names begin with ``args.output``; 0 also where the crystal is not stable, which is a result."""
    stem = _stem(args.output)
    outputs = [f"{stem}{ending}" for ending in (*_ENDINGS, *phonons_beyond.endings(args))]
    inputs = [file_of(args.structure), *model_files(args.model)]
    if args.born is not None:
        read_text(args.born)
        inputs.append(args.born)
    claim({"-o": outputs}, inputs, force=args.force)
    with plain_warnings():
        return _run(args, stem)


def _stem(output: str) -> str:
    """The beginning of the names of the files."""
    if Path(output).name in ("", "..") or output.endswith(os.sep):
        raise ValueError(f"--output: expected the beginning of the names of files, got {output!r}")
    return output


def _run(args: Namespace, stem: str) -> int:
    mesh, temperatures = _mesh(args.mesh), _temperatures(args.temperatures)
    if args.qha and isinstance(mesh.get("mesh"), list):
        raise ValueError("--mesh: with --qha, expected a length in A, for cells of several volumes")
    if args.kappa:
        if find_spec("phono3py") is None:
            raise ValueError("--kappa needs phono3py, which is not here: pip install phono3py")
        checked_temperatures(temperatures[temperatures > 0.0], positive=True)
    atoms, calc = read_structure(args.structure, args.species), chosen_model(args)
    supercell = _supercell(args, calc)
    result = phonons(
        atoms,
        calc,
        supercell=supercell,
        relaxed=None if args.relax == "none" else args.relax,
        distance=args.distance,
        snapshots=args.snapshots,
    )
    if args.born is not None:
        result = result.with_born_file(args.born)
    table = _thermal_table(result, mesh, temperatures)
    # A result that is there gets written, and without the others no file would be complete.
    with deferred_interrupt() as interrupted:
        _write(result, table, stem, mesh, force=args.force)
    _describe(result, mesh)
    print_table(table[0], table[1:])
    print(f"written: {', '.join(f'{stem}{ending}' for ending in _ENDINGS)}")
    if interrupted.is_set():
        return INTERRUPTED
    settings = phonons_beyond.Settings(supercell, mesh, temperatures, args.force)
    phonons_beyond.run(args, result, calc, stem, settings)
    return 0


def _write(result: Phonons, table: list[list[str]], stem: str, mesh: dict[str, Any], *, force: bool) -> None:
    with replacing(f"{stem}.txt", force=force) as path:
        path.write_text("".join("  ".join(row) + "\n" for row in table))
    with replacing(f"{stem}.yaml", force=force) as path:
        result.save(path)
    bands, dos = result.bands(), result.dos(**mesh)
    with saved_figure(f"{stem}.png", 7.0, 4.0, force=force) as figure:
        bands_and_dos(bands, dos, figure=figure)
    write_columns({f"{stem}.bands.dat": bands, f"{stem}.dos.dat": dos}, force=force)


def _mesh(given: list[float] | None) -> dict[str, Any]:
    """The argument ``mesh`` of what takes one; nothing where each has its own default."""
    if given is None:
        return {}
    if len(given) not in (1, 3) or (len(given) == 3 and any(count % 1.0 for count in given)):
        words = " ".join(f"{value:g}" for value in given)
        raise ValueError(f"--mesh: expected a length in A or three integers, got {words}")
    mesh: Mesh = given[0] if len(given) == 1 else [int(count) for count in given]
    require_mesh(mesh)
    return {"mesh": mesh}


def _temperatures(given: list[float] | None) -> FloatArray:
    return _TEMPERATURES if given is None else np.unique(given)


def _supercell(args: Namespace, calc: Calculator) -> float | list[int]:
    if args.supercell is None:
        return float(2.0 * calc.potential.cutoff)
    if len(args.supercell) not in (1, 3):
        raise ValueError(f"--supercell: expected one or three numbers, got {len(args.supercell)}")
    counts: list[int] = args.supercell * (3 // len(args.supercell))
    return counts


def _describe(result: Phonons, mesh: dict[str, Any]) -> None:
    supercell = len(result.phonopy.supercell)
    displaced = len(result.phonopy.supercells_with_displacements)
    print(f"space group  {result.space_group}")
    print(f"supercells   {displaced} of {supercell} atoms, primitive cell of {len(result.primitive)}")
    print(f"forces       largest before displacements {result.max_force:.2g} eV/Å")
    if result.relaxation is not None:
        lengths = " ".join(f"{value:.5f}" for value in result.atoms.cell.cellpar())
        print(f"relaxed      in {result.relaxation.steps} steps, cell {lengths}  (Å, degrees)")
    for label, q in special_points(result.primitive.cell.array).items():
        at = np.round(result.frequencies(q)[0], 4) + 0.0  # no minus before zero
        print(f"{label:<12} {' '.join(f'{f:.4f}' for f in at)}  THz")
    modes = result.imaginary_modes(**mesh)
    print(f"stable       {'no' if modes else 'yes'}")
    for mode in modes[:5]:
        print(f"imaginary    {mode}")
    if len(modes) > 5:
        print(f"imaginary    and {len(modes) - 5} more")


def _thermal_table(result: Phonons, mesh: dict[str, Any], temperatures: FloatArray) -> list[list[str]]:
    columns = result.thermal(temperatures, **mesh).columns()
    return [list(columns), *([f"{value:.4f}" for value in row] for row in zip(*columns.values(), strict=True))]

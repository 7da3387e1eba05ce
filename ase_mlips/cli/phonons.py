"""``ase-mlips phonons``: band structure, density of states and thermal properties of a crystal."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path

import numpy as np
from ase.calculators.calculator import Calculator

from ase_mlips.phonons import Phonons, phonons
from ase_mlips.phonons.bands import special_points

from .common import chosen_model, deferred_interrupt, plain_warnings, print_table, read_structure
from .outputs import claim, file_of, model_files, replacing
from .signals import INTERRUPTED

_TEMPERATURES = np.arange(0.0, 1001.0, 100.0)  # K


def run(args: Namespace) -> int:
    """Write ``args.output`` with .png, .yaml and .txt; 0 also where the crystal is not stable, which is a result."""
    outputs = _outputs(args.output)
    claim({"-o": outputs}, [file_of(args.structure), *model_files(args.model)], force=args.force)
    with plain_warnings():
        return _run(args, outputs)


def _outputs(stem: str) -> tuple[Path, Path, Path]:
    """The .txt, .yaml and .png of a stem, which is the beginning of a name."""
    path = Path(stem)
    if path.name in ("", "..") or stem.endswith(os.sep):
        raise ValueError(f"--output: expected the beginning of the names of files, got {stem!r}")
    txt, yaml, png = (path.with_name(path.name + ending) for ending in (".txt", ".yaml", ".png"))
    return txt, yaml, png


def _run(args: Namespace, outputs: tuple[Path, Path, Path]) -> int:
    atoms, calc = read_structure(args.structure, args.species), chosen_model(args)
    result = phonons(
        atoms,
        calc,
        supercell=_supercell(args, calc),
        relaxed=None if args.relax == "none" else args.relax,
        distance=args.distance,
        snapshots=args.snapshots,
    )
    table = _thermal_table(result)
    txt, yaml, png = outputs
    # A result that is there gets written, and without the others no file would be complete.
    with deferred_interrupt() as interrupted:
        with replacing(txt, force=args.force) as path:
            path.write_text("".join("  ".join(row) + "\n" for row in table))
        with replacing(yaml, force=args.force) as path:
            result.save(path)
        with replacing(png, force=args.force) as path:
            _draw(result, path)
    _describe(result)
    print_table(table[0], table[1:])
    print(f"written: {png}, {yaml} (for phonopy), {txt}")
    return INTERRUPTED if interrupted.is_set() else 0


def _supercell(args: Namespace, calc: Calculator) -> float | list[int]:
    if args.supercell is None:
        return float(2.0 * calc.potential.cutoff)
    if len(args.supercell) not in (1, 3):
        raise ValueError(f"--supercell: expected one or three numbers, got {len(args.supercell)}")
    counts: list[int] = args.supercell * (3 // len(args.supercell))
    return counts


def _describe(result: Phonons) -> None:
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
    modes = result.imaginary_modes()
    print(f"stable       {'no' if modes else 'yes'}")
    for mode in modes[:5]:
        print(f"imaginary    {mode}")
    if len(modes) > 5:
        print(f"imaginary    and {len(modes) - 5} more")


def _thermal_table(result: Phonons) -> list[list[str]]:
    thermal = result.thermal(_TEMPERATURES)
    columns = (thermal.temperatures, thermal.free_energy, thermal.entropy, thermal.heat_capacity)
    header = ["T (K)", "F (kJ/mol)", "S (J/K/mol)", "C_V (J/K/mol)"]
    return [header, *([f"{value:.4f}" for value in row] for row in zip(*columns, strict=True))]


def _draw(result: Phonons, path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    result.plot(figure)
    figure.savefig(path, dpi=150)

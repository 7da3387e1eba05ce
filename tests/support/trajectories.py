"""Synthetic trajectories and writers of the formats that ASE does not write."""

from pathlib import Path

import numpy as np
from ase import Atoms, units


def images(frames=7, *, cell=None, pbc=True, symbols="Si2OLi3", seed=0, change=0.0):
    """Frames with momenta and times, atoms outside the cell too; `change` strains the cell from frame to frame."""
    rng = np.random.default_rng(seed)
    cell = np.array([[6.0, 0.0, 0.0], [1.5, 5.0, 0.0], [-1.0, 0.7, 7.0]]) if cell is None else np.asarray(cell)
    atoms = Atoms(symbols, pbc=pbc, cell=cell)
    result = []
    for k in range(frames):
        frame = atoms.copy()
        frame.set_cell(cell * (1.0 + change * k))
        frame.positions = rng.uniform(-8.0, 12.0, (len(atoms), 3))
        frame.set_momenta(rng.normal(size=(len(atoms), 3)))
        frame.info["Time"] = 2.5 * k
        result.append(frame)
    return result


def speeds(atoms: Atoms) -> np.ndarray:
    """Velocities in A/fs."""
    return atoms.get_velocities() * units.fs


def write_gpumd(path: Path, frames: list[Atoms], *, velocities=True) -> None:
    """As GPUMD's dump_exyz does: Time in fs, velocities in A/fs, eight decimals, a force after them."""
    with path.open("w") as file:
        for atoms in frames:
            pbc = " ".join("FT"[int(periodic)] for periodic in atoms.pbc)
            cell = " ".join(f"{x:.8f}" for x in atoms.cell.array.ravel())
            file.write(f'{len(atoms)}\nTime={atoms.info["Time"]:.8f} pbc="{pbc}" Lattice="{cell}" energy=-1.5 ')
            file.write(f"Properties=species:S:1:pos:R:3{':vel:R:3' if velocities else ''}:forces:R:3\n")
            table = [atoms.positions, *([speeds(atoms)] if velocities else []), np.ones((len(atoms), 3))]
            for symbol, row in zip(atoms.symbols, np.hstack(table), strict=True):
                file.write(f"{symbol} {' '.join(f'{x:.8f}' for x in row)}\n")


def write_dump(path: Path, frames: list[Atoms], columns: str, *, header="", origin=(0.0, 0.0, 0.0), shuffle=True):
    """A LAMMPS text dump with these columns; the cell must be lower triangular."""
    types = {symbol: k + 1 for k, symbol in enumerate(dict.fromkeys(frames[0].symbols))}
    with path.open("w") as file:
        for k, atoms in enumerate(frames):
            xy, xz, yz = atoms.cell[1, 0], atoms.cell[2, 0], atoms.cell[2, 1]
            low = np.add(origin, [min(0.0, xy, xz, xy + xz), min(0.0, yz), 0.0])
            high = np.diag(atoms.cell) + np.add(origin, [max(0.0, xy, xz, xy + xz), max(0.0, yz), 0.0])
            file.write(header.format(time=atoms.info["Time"] / 1000.0))
            file.write(f"ITEM: TIMESTEP\n{k}\nITEM: NUMBER OF ATOMS\n{len(atoms)}\nITEM: BOX BOUNDS xy xz yz")
            file.write(f" {' '.join('pp' if periodic else 'ff' for periodic in atoms.pbc)}\n")
            file.writelines(f"{a:.16g} {b:.16g} {c:.16g}\n" for a, b, c in zip(low, high, (xy, xz, yz), strict=True))
            file.write(f"ITEM: ATOMS {columns}\n")
            for n in np.random.default_rng(k).permutation(len(atoms)) if shuffle else range(len(atoms)):
                values = _dump_row(atoms, n, np.array(origin)) | {"type": types.get(atoms.symbols[n], 0)}
                words = (f"{values[name]:.16g}" if name in _REAL else str(values[name]) for name in columns.split())
                file.write(f"{' '.join(words)} \n")


_REAL = {"x", "y", "z", "xs", "ys", "zs", "xu", "yu", "zu", "vx", "vy", "vz", "mass"}


def _dump_row(atoms, n, origin):
    scaled = np.linalg.solve(atoms.cell.array.T, atoms.positions[n] - origin)
    values = {"id": n + 1, "element": atoms.symbols[n], "mass": atoms.get_masses()[n], "ix": 0, "iy": 1, "iz": -1}
    for axis, name in enumerate("xyz"):
        values |= {name: atoms.positions[n, axis], f"{name}u": atoms.positions[n, axis], f"{name}s": scaled[axis]}
        values[f"v{name}"] = 1000.0 * speeds(atoms)[n, axis]
    return values


def write_xdatcar(path: Path, frames: list[Atoms], *, repeat_cell: bool) -> None:
    """A VASP XDATCAR; the cell before every frame, or before the first only.  Atoms of a kind must be together."""
    with path.open("w") as file:
        for k, atoms in enumerate(frames):
            if k == 0 or repeat_cell:
                kinds = list(dict.fromkeys(atoms.symbols))
                counts = [str(list(atoms.symbols).count(kind)) for kind in kinds]
                file.write("a title\n 1.0\n")
                file.writelines(f"  {' '.join(f'{x:.12f}' for x in row)}\n" for row in atoms.cell)
                file.write(f"  {' '.join(kinds)}\n  {' '.join(counts)}\n")
            file.write(f"Direct configuration= {k + 1:5d}\n")
            file.writelines(
                f" {' '.join(f'{x:.12f}' for x in row)}\n" for row in atoms.get_scaled_positions(wrap=False)
            )


FLUX = (
    "# heat flux, format 1\n# species: Ar 2 Kr 3\n# time step: 2.5 fs\n# units\n"
    "# time convective_x convective_y convective_z conductive_x conductive_y conductive_z"
    " Ar_x Ar_y Ar_z Kr_x Kr_y Kr_z temperature volume\n"
)


def write_flux(path: Path, lines=5) -> None:
    """Heat fluxes as the recorder writes them, of noise."""
    with path.open("w") as file:
        file.write(FLUX)
        for k, row in enumerate(np.random.default_rng(0).normal(size=(lines, 14))):
            file.write(f"{2.5 * k:.6f} {' '.join(f'{x:.12e}' for x in row)}\n")

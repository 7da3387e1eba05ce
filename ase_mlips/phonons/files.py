"""Files of phonopy, read so that none can run code, claim sizes that it does not hold, or draw in another file."""

from __future__ import annotations

import bz2
import gzip
import lzma
import math
import operator
import os
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml

from ..arrays import FloatArray, Int64Array
from ..files.text import read_text, replace_files
from .force_constants import produce_force_constants

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:
    from yaml import SafeLoader

FilePath = str | os.PathLike[str]

_SKEWEST = 1000  # so many times a supercell's volume has the box of unit cells out of which phonopy cuts it
_OPENERS: dict[str, Any] = {".xz": lzma.open, ".lzma": lzma.open, ".gz": gzip.open, ".bz2": bz2.open}
_COMPRESSORS: dict[str, Any] = {
    ".xz": lzma.compress,
    ".lzma": lzma.compress,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
}


class _PlainLoader(SafeLoader):  # type: ignore[misc]
    """Numbers, words, lists and mappings: a tag or an alias, neither of which phonopy writes, is refused."""

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        # Few bytes of aliases to aliases stand for more numbers than any memory holds.
        if node in self.constructed_objects:
            raise yaml.constructor.ConstructorError(None, None, "found an alias", node.start_mark)
        return super().construct_object(node, deep=deep)


def read_phonopy(path: FilePath) -> Any:
    """A ``Phonopy`` with full force constants, of a yaml file of phonopy, also one in .xz, .lzma, .gz or .bz2.

    Nothing but this file is looked at, whatever lies in the working directory.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It is no such file, has tags, numbers that are not finite or sizes that do not fit each other, or neither
        force constants nor forces.
    """
    content = read_plain_yaml(path)
    name = os.fspath(path)
    if not isinstance(content, dict):
        raise ValueError(f"{name}: cannot be read as a phonopy yaml file (it is no mapping)")
    try:
        return _made(content)
    except Exception as error:  # phonopy fails on other files in every conceivable way
        if isinstance(error, _RefusedError):
            raise ValueError(f"{name}: {error}") from None
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"{name}: cannot be read as a phonopy yaml file ({reason})") from error


def read_plain_yaml(path: FilePath) -> Any:
    """What a yaml file holds, without tags and aliases; ValueError names the line of what is not allowed."""
    name = os.fspath(path)
    try:
        with _OPENERS.get(Path(path).suffix, open)(path, "rb") as file:
            return yaml.load(file, Loader=_PlainLoader)
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f"{error.problem_mark.line + 1}:"
        raise ValueError(f"{name}:{line} expected yaml without tags and aliases, {error.problem}") from None
    except (yaml.YAMLError, EOFError, lzma.LZMAError, zlib.error, ValueError, RecursionError) as error:
        raise ValueError(f"{name}: cannot be read as yaml ({' '.join(str(error).split())})") from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise ValueError(f"{name}: cannot be read as a compressed file ({error})") from None


def read_born(path: FilePath, primitive: Any) -> dict[str, Any]:
    """Born charges, dielectric tensor and, if given, unit conversion factor of a BORN file for a primitive cell.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It is no such file, or its numbers are not finite or those of another cell.
    """
    from phonopy.exception import BORNFileParseError
    from phonopy.file_IO import parse_BORN_from_strings

    name, text = os.fspath(path), read_text(path)
    try:
        given = _checked_charges(parse_BORN_from_strings(text, primitive), len(primitive))
    except (BORNFileParseError, ValueError) as error:
        raise ValueError(f"{name}: cannot be read as a BORN file ({error})") from None
    if not np.linalg.eigvalsh(given["dielectric"] + given["dielectric"].T).min() > 0.0:
        raise ValueError(f"{name}: expected a dielectric tensor that is positive definite")
    return given


def write_phonopy(made: Any, path: FilePath) -> None:
    """Write a ``Phonopy`` or ``Phono3py`` to a yaml file, whole or not at all, compressed as the name says."""
    from phonopy.structure.dataset import forces_in_dataset

    settings = None if forces_in_dataset(made.dataset) else {"force_constants": True}
    with TemporaryDirectory() as folder:
        plain = Path(folder, "phonopy.yaml")
        made.save(plain, settings=settings)
        content = plain.read_bytes()
    replace_files({os.fspath(path): _COMPRESSORS.get(Path(path).suffix, bytes)(content)})


class _RefusedError(ValueError):
    """A sentence about the file that says all."""


def _made(content: dict[str, Any]) -> Any:
    from phonopy import Phonopy
    from phonopy.harmonic.force_constants import compact_fc_to_full_fc
    from phonopy.interface.phonopy_yaml import load_phonopy_yaml
    from phonopy.physical_units import get_calculator_physical_units

    _require_rows(content)
    data = load_phonopy_yaml(content)
    units = get_calculator_physical_units(data.calculator)
    if units.length_unit != "angstrom":
        raise _RefusedError(f"expected lengths in angstrom, got {units.length_unit} of {data.calculator}")
    matrix = np.eye(3, dtype=np.int64) if data.supercell_matrix is None else data.supercell_matrix
    _require_crystal(data, matrix)
    primitive = "auto" if data.primitive_matrix is None else data.primitive_matrix
    made = Phonopy(data.unitcell, matrix, primitive_matrix=primitive, calculator=data.calculator)
    if data.nac_params is not None:
        made.nac_params = {"factor": units.nac_factor, **_checked_charges(data.nac_params, len(made.primitive))}
    if data.dataset is not None:
        made.dataset = data.dataset
    constants = data.force_constants
    if constants is None:
        produce_force_constants(made, fitted="first_atoms" not in data.dataset)
    elif len(constants) == len(made.supercell):
        made.force_constants = constants
    elif len(constants) == len(made.primitive):
        made.force_constants = compact_fc_to_full_fc(made.primitive, constants)
    else:
        raise _RefusedError(
            f"expected {len(made.primitive)} or {len(made.supercell)} rows of force constants, got {len(constants)}"
        )
    return made


def _require_rows(content: dict[str, Any]) -> None:
    """Refuse lists of different lengths, and a shape that is not that of the elements, before arrays are made."""
    sets = content.get("displacements") or []
    if len({len(one) for one in sets if isinstance(one, list)}) > 1:
        raise _RefusedError("expected displacements of the same number of atoms in all supercells")
    constants = content.get("force_constants")
    if isinstance(constants, dict):
        rows, columns = (operator.index(size) for size in constants["shape"])
        if rows * columns != len(constants["elements"]):
            raise _RefusedError(f"expected {rows} x {columns} force constants, got {len(constants['elements'])}")


def _require_crystal(data: Any, matrix: Int64Array) -> None:
    """Refuse what is not finite or does not fit each other, before phonopy takes memory for it."""
    cell = data.unitcell
    if cell is None:
        raise _RefusedError("expected a unit cell, got none")
    if getattr(cell, "has_weighted_species", False):
        raise _RefusedError("expected one element on each site, got a mixture")
    for what, values in (("lattice", cell.cell), ("coordinates", cell.positions), ("masses", cell.masses)):
        _require_finite(what, values)
    if matrix.shape != (3, 3) or (cells := _determinant(matrix)) < 1:
        raise _RefusedError(
            f"expected a supercell matrix of 3 x 3 integers with a positive determinant, got {matrix.tolist()}"
        )
    if math.prod(sum(map(abs, row)) for row in matrix.tolist()) > _SKEWEST * cells:
        raise _RefusedError(f"expected a supercell that is less skewed than by {matrix.tolist()}")
    atoms = len(cell) * cells
    if data.primitive_matrix is not None:
        _require_shape("primitive matrix", data.primitive_matrix, (3, 3))
    if data.supercell is not None and len(data.supercell) != atoms:
        raise _RefusedError(f"expected a supercell of {atoms} atoms, as its matrix says, got {len(data.supercell)}")
    if data.force_constants is not None:
        rows = len(data.force_constants)
        _require_shape("force constants", data.force_constants, (rows, atoms, 3, 3))
    forces = _require_forces(data.dataset or {}, atoms)
    if data.force_constants is None and not forces:
        raise _RefusedError("has neither force constants nor the forces to make them from")


def _determinant(matrix: Int64Array) -> int:
    """Exact, however large."""
    (a, b, c), (d, e, f), (g, h, i) = matrix.tolist()
    return int(a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g))


def _require_forces(dataset: dict[str, Any], atoms: int) -> bool:
    """Whether all supercells have forces; refuse those of another number of atoms."""
    if "first_atoms" not in dataset:
        there = [name for name in ("displacements", "forces") if name in dataset]
        for name in there:
            _require_shape(name, dataset[name], (len(dataset["displacements"]), atoms, 3))
        return "forces" in there
    for k, one in enumerate(dataset["first_atoms"], start=1):
        if not 0 <= one["number"] < atoms:
            raise _RefusedError(f"displacement {k}: expected an atom from 1 to {atoms}, got {one['number'] + 1}")
        _require_shape(f"displacement {k}", one["displacement"], (3,))
        if "forces" in one:
            _require_shape(f"forces of displacement {k}", one["forces"], (atoms, 3))
    dataset["natom"] = atoms
    return all("forces" in one for one in dataset["first_atoms"])


def _checked_charges(given: dict[str, Any], atoms: int) -> dict[str, Any]:
    _require_shape("Born charges", given["born"], (atoms, 3, 3))
    _require_shape("dielectric tensor", given["dielectric"], (3, 3))
    if "factor" in given:
        _require_finite("unit conversion factor", given["factor"])
    return given


def _require_shape(what: str, values: FloatArray, shape: tuple[int, ...]) -> None:
    if np.shape(values) != shape:
        raise _RefusedError(f"{what}: expected shape {shape}, got {np.shape(values)}")
    _require_finite(what, values)


def _require_finite(what: str, values: Any) -> None:
    bad = np.argwhere(~np.isfinite(np.asarray(values, dtype=np.float64)))
    if len(bad):
        at = f" at {tuple(int(k) + 1 for k in bad[0])}" if bad.shape[1] else ""
        raise _RefusedError(f"{what}: expected finite numbers, got {np.asarray(values)[tuple(bad[0])]}{at}")

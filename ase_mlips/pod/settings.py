"""The parameter file of LAMMPS's ``pair_style pod``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..files.lammps_text import Rows
from ..files.text import FilePath, Row, complaint, quoted
from .model import BODIES, PodBasis

RADIAL_KEYS = tuple(f"{body}body_number_radial_basis_functions" for body in BODIES)
ANGULAR_KEYS = tuple(f"{body}body_angular_degree" for body in BODIES[1:])
CLUSTERS, COMPONENTS = "number_of_environment_clusters", "number_of_principal_components"
DEFAULTS: dict[str, Any] = {  # of LAMMPS's code, not of its documentation, which has others
    "pbc": (1, 1, 1),
    "rin": 0.5,
    "rcut": 5.0,
    "bessel_polynomial_degree": 4,
    "inverse_polynomial_degree": 8,
    "onebody": 1,
    **dict(zip(RADIAL_KEYS, (8, 6, 4, 0, 0, 0), strict=True)),
    **dict(zip(ANGULAR_KEYS, (4, 3, 0, 0, 0), strict=True)),
    CLUSTERS: 1,
    COMPONENTS: 1,
}
_FIELDS = {
    "species": "elements",
    "bessel_polynomial_degree": "bessel_degree",
    "inverse_polynomial_degree": "inverse_degree",
    **dict.fromkeys(RADIAL_KEYS, "radial_functions"),
    **dict.fromkeys(ANGULAR_KEYS, "angular_degrees"),
}
_OLD = ("quadratic", "cubic", "fourbody_snap", "threebody_number_angular", "fourbody_number_angular")
MOST = 10_000  # clusters, components


@dataclass(frozen=True)
class Settings:
    """What a parameter file says.

    Attributes
    ----------
    path : path
    elements : tuple of str
    values : dict
        Of every other keyword, defaults included.
    rows : dict
        The lines of the keywords that the file has.
    """

    path: FilePath
    elements: tuple[str, ...]
    values: dict[str, Any]
    rows: dict[str, Row]

    def basis(self) -> PodBasis:
        """The descriptors of these settings.

        Raises
        ------
        ValueError
            ``path:line: expected ..., got ...`` where a value has no meaning.
        """
        values = self.values
        fields: dict[str, Any] = {
            "elements": self.elements,
            "rin": values["rin"],
            "rcut": values["rcut"],
            "bessel_degree": values["bessel_polynomial_degree"],
            "inverse_degree": values["inverse_polynomial_degree"],
            "radial_functions": tuple(values[key] for key in RADIAL_KEYS),
            "angular_degrees": tuple(values[key] for key in ANGULAR_KEYS),
        }
        try:
            return PodBasis(**fields)
        except ValueError as error:
            raise ValueError(f"{self.path}:{self._line(str(error).split()[1])}: {error}") from None

    def _line(self, field: str) -> int:
        """The last line that a field comes from; that of the species where all of it is by default."""
        lines = [row.line for key, row in self.rows.items() if _FIELDS.get(key, key) == field]
        return max(lines, default=self.rows["species"].line)


def read_settings(path: FilePath) -> Settings:
    """Read a parameter file.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        ``path:line: expected ..., got ...`` if it is malformed or of the format of 2022.
    """
    values, found = dict(DEFAULTS), dict[str, Row]()
    rows = Rows(path)
    elements: tuple[str, ...] = ()
    for row in rows:
        key = row.words[0]
        if key.startswith(_OLD):
            raise row.error("a keyword of POD as LAMMPS has it since 2023", f"{quoted(key)} of the format before")
        if key != "species" and key not in DEFAULTS:
            raise row.error("a keyword of POD", quoted(key))
        if key in found:
            raise row.error(f"{key} once", f"it again after line {found[key].line}")
        found[key] = row
        if key == "species":
            elements = row.words[1:]
        else:
            values[key] = _value(row, key)
    if "species" not in found:
        raise complaint(path, rows.last_line, "the keyword species", "the end of the file")
    return Settings(path, elements, values, found)


def _value(row: Row, key: str) -> Any:
    words = row.words[1:]
    if key == "pbc":
        if len(words) != 3 or not set(words) <= {"0", "1"}:
            raise row.error("pbc to be three times 0 or 1")
        return tuple(map(int, words))
    if len(words) != 1:
        raise row.error(f"one value of {key}")
    if key in ("rin", "rcut"):
        return row.number(words[0], key)
    if key == "onebody" and words[0] not in ("0", "1"):
        raise row.error("onebody to be 0 or 1", quoted(words[0]))
    number = row.integer(words[0], key)
    least = 1 if key in (CLUSTERS, COMPONENTS) else 0
    if not least <= number <= MOST:
        raise row.error(f"{key} between {least} and {MOST}", words[0])
    return number

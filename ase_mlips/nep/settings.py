"""What a nep.in file asks of a training: hyperparameters by GPUMD's names."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..files.records import Record
from ..files.text import FilePath, Row, read_text
from .model import INVARIANTS, KINDS, NepModel, NepNetwork, NepZbl, count_descriptors

_STRATEGY = (
    "batch", "generation", "population", "sigma0", "output_interval", "save_potential", "checkpoint", "lambda_q",
    "lambda_z", "lr", "epoch", "start_lr", "stop_lr", "lr_scheduler", "scheduler_patience", "scheduler_factor",
)  # fmt: skip
_TYPEWISE_ZBL = 0.65  # factor of use_typewise_cutoff_zbl without a number


@dataclass(frozen=True, eq=False)
class NepSettings(Record):
    """Hyperparameters of a NEP potential and of its loss, with the defaults of GPUMD.

    Attributes
    ----------
    elements : tuple of str
        ``type``.
    model_type : int
        0 for a potential, 1 for dipoles, 2 for polarizabilities.
    version : int
        3, 4 or 5.
    cutoff : tuple of float
        Radial and angular cutoff in A, or both for each element in turn.
    n_max, basis_size : (int, int)
        Highest indices of the radial and of the angular functions.
    l_max : int
    invariants : tuple of str
        Of `ase_mlips.nep.model.INVARIANTS`.
    neuron : int
    zbl : NepZbl, optional
        Kept as it is.
    lambda_e, lambda_f, lambda_v : float
        Weights of the root mean squares of energy (eV/atom), force (eV/A) and virial (eV/atom).  With a `model_type`
        above 0 the last one is that of the response per atom and the only one, 1 where a nep.in file does not give it.
    lambda_shear : float
        Factor of the residuals of shear components of the virial.
    lambda_1, lambda_2 : float
        Of the penalties of large parameters.  GPUMD's own default, made for the evolution strategy, is above 0.
    force_delta : float
        eV/A; above 0 it makes small forces count more.
    type_weight : tuple of float
        Factor of the residuals of forces on the atoms of each element; empty for 1.
    seed : int

    Raises
    ------
    ValueError
        Where a field has no meaning, or does not go with another one.
    """

    elements: tuple[str, ...]
    version: int = 4
    cutoff: tuple[float, ...] = (8.0, 4.0)
    n_max: tuple[int, int] = (6, 6)
    basis_size: tuple[int, int] = (6, 6)
    l_max: int = 4
    invariants: tuple[str, ...] = ("222",)
    neuron: int = 30
    zbl: NepZbl | None = None
    lambda_e: float = 1.0
    lambda_f: float = 1.0
    lambda_v: float = 0.1
    lambda_shear: float = 1.0
    lambda_1: float = 0.0
    lambda_2: float = 0.0
    force_delta: float = 0.0
    type_weight: tuple[float, ...] = ()
    seed: int = 0
    model_type: int = 0

    def __post_init__(self) -> None:
        count = len(self.elements)
        if len(self.cutoff) not in (2, 2 * count):
            raise ValueError(f"cutoff: expected 2 or {2 * count} numbers, got {len(self.cutoff)}")
        if len(self.type_weight) not in (0, count):
            raise ValueError(f"type_weight: expected {count} numbers, got {len(self.type_weight)}")
        if not 0 <= self.model_type < len(KINDS):
            raise ValueError(f"model_type: expected 0, 1 or 2, got {self.model_type}")
        if self.model_type and self.zbl is not None:
            raise ValueError("zbl: expected none in a model of dipoles or polarizabilities")
        self.template()

    def template(self) -> NepModel:
        """The model without parameters (they are zero)."""
        count = len(self.elements)
        cutoffs = np.broadcast_to(np.reshape(self.cutoff, (-1, 2)), (count, 2))
        nets, size = (1 if self.version == 3 else count), count_descriptors(self.n_max, self.l_max, self.invariants)
        (n_r, n_a), (k_r, k_a) = self.n_max, self.basis_size
        network = NepNetwork(
            np.zeros((nets, self.neuron, size)),
            np.zeros((nets, self.neuron)),
            np.zeros((nets, self.neuron)),
            0.0,
            type_bias=np.zeros(count) if self.version == 5 else None,
        )
        return NepModel(
            version=self.version,
            kind=KINDS[self.model_type],
            elements=self.elements,
            radial_cutoffs=cutoffs[:, 0],
            angular_cutoffs=cutoffs[:, 1],
            n_max=self.n_max,
            basis_size=self.basis_size,
            l_max=self.l_max,
            invariants=self.invariants,
            network=network,
            scalar_network=network if KINDS[self.model_type] == "polarizability" else None,
            radial=np.zeros((n_r + 1, k_r + 1, count, count)),
            angular=np.zeros((n_a + 1, k_a + 1, count, count)),
            scaler=np.ones(size),
            zbl=self.zbl,
        )


def read_nep_in(path: FilePath) -> NepSettings:
    """Read a nep.in file of GPUMD; what belongs to its evolution strategy is ignored.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        ``path:line: expected ..., got ...`` for an unknown keyword, one that is given twice, a wrong number of values,
        values without meaning, a feature that is not supported, or if ``type`` is missing.

    Warns
    -----
    UserWarning
        For keywords that are ignored.
    """
    fields: dict[str, Any] = {}
    rows: dict[str, Row] = {}
    ignored = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        words = tuple(line.split("#")[0].split())
        if not words:
            continue
        row, keyword = Row(path, number, words), words[0].lower()
        if keyword in rows:
            raise row.error(f"{keyword} once, after line {rows[keyword].line}")
        rows[keyword] = row
        if keyword in _STRATEGY or keyword.startswith("stage2"):
            ignored.append(keyword)
        elif keyword in _READERS:
            with row.blamed():
                fields.update(_READERS[keyword](row))
        else:
            known = ", ".join(sorted(_READERS))
            raise row.error(f"one of the keywords {known}", repr(words[0]))
    if "type" not in rows:
        raise ValueError(f"{path}: expected a line with the keyword type, got none")
    factor = fields.pop("zbl_factor", None)
    if factor is not None and fields.get("zbl") is not None:
        outer = fields["zbl"].outer
        fields["zbl"] = NepZbl(0.0, outer, factor, typewise_inner_half=True)
    if ignored:
        text = f"{path}: {', '.join(ignored)}: of other training methods, ignored"
        warnings.warn(text, UserWarning, stacklevel=2)
    if fields.get("model_type"):
        fields.setdefault("lambda_v", 1.0)
    try:
        return NepSettings(**fields)
    except ValueError as error:
        keyword = str(error).split(":")[0]
        row = rows.get(keyword, rows["type"])
        raise ValueError(f"{path}:{row.line}: {error}") from None


# ---------------------------------------------------------------------------------------------------
# keywords


def _numbers(row: Row, *lengths: int) -> list[float]:
    words = row.words[1:]
    if lengths and len(words) not in lengths:
        raise row.error(f"{row.words[0]} and {' or '.join(map(str, lengths))} numbers")
    return [row.number(word, row.words[0]) for word in words]


def _integers(row: Row, *lengths: int) -> list[int]:
    words = row.words[1:]
    if len(words) not in lengths:
        raise row.error(f"{row.words[0]} and {' or '.join(map(str, lengths))} integers")
    return [row.integer(word, row.words[0]) for word in words]


def _type(row: Row) -> dict[str, Any]:
    words = row.words[1:]
    if not words or row.integer(words[0], "the number of elements") != len(words) - 1:
        raise row.error("type <number of elements> <as many elements>")
    return {"elements": words[1:]}


def _zbl(row: Row) -> dict[str, Any]:
    outer, *rest = _numbers(row, 1, 2)
    return {"zbl": NepZbl(0.0, outer, rest[0]) if rest else NepZbl(outer / 2, outer)}


def _zbl_factor(row: Row) -> dict[str, Any]:
    return {"zbl_factor": (_numbers(row, 0, 1) or [_TYPEWISE_ZBL])[0]}


def _l_max(row: Row) -> dict[str, Any]:
    top, *flags = _integers(row, *range(1, 2 + len(INVARIANTS)))
    return {"l_max": top, "invariants": tuple(name for name, flag in zip(INVARIANTS, flags, strict=False) if flag)}


def _number(name: str) -> Callable[[Row], dict[str, Any]]:
    return lambda row: {name: _numbers(row, 1)[0]}


def _integer(name: str) -> Callable[[Row], dict[str, Any]]:
    return lambda row: {name: _integers(row, 1)[0]}


def _only(value: int, reason: str) -> Callable[[Row], dict[str, Any]]:
    def read(row: Row) -> dict[str, Any]:
        if _integers(row, 1) != [value]:
            raise row.error(f"{row.words[0]} {value} because {reason}")
        return {}

    return read


def _pair(name: str) -> Callable[[Row], dict[str, Any]]:
    return lambda row: {name: tuple(_integers(row, 2))}


_READERS: dict[str, Callable[[Row], dict[str, Any]]] = {
    "type": _type,
    "version": _integer("version"),
    "zbl": _zbl,
    "use_typewise_cutoff_zbl": _zbl_factor,
    "cutoff": lambda row: {"cutoff": tuple(_numbers(row))},
    "n_max": _pair("n_max"),
    "basis_size": _pair("basis_size"),
    "l_max": _l_max,
    "neuron": _integer("neuron"),
    **{name: _number(name) for name in ("lambda_e", "lambda_f", "lambda_v", "lambda_shear", "lambda_1", "lambda_2")},
    "force_delta": _number("force_delta"),
    "type_weight": lambda row: {"type_weight": tuple(_numbers(row))},
    "seed": _integer("seed"),
    "model_type": _integer("model_type"),
    "charge_mode": _only(0, "models with charges (qNEP) are not trained"),
    "prediction": _only(0, "this is a training"),
    "loss_mode": _only(0, "the loss is that of root mean squares"),
}

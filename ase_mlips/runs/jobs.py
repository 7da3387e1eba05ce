"""A run with its model and files, as a YAML file that ``ase-mlips run`` takes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib import import_module
from typing import Any, TypeAlias

from ase_mlips.files.text import replace_files

from .yaml_files import (
    Entry,
    as_mapping,
    converted,
    expected,
    plain,
    read_mapping,
    require_known,
    settings_from,
    yaml_text,
)

_Path: TypeAlias = str | os.PathLike[str]


@dataclass(frozen=True)
class Kind:
    """What a kind of run is made of.

    Attributes
    ----------
    settings : str
        Module and name of the dataclass, which is imported when it is needed.
    outputs : tuple of str
        Keys of the files that it writes.
    inputs : tuple of str
        Keys of the structures that it reads, in the order of the command.
    """

    settings: str
    outputs: tuple[str, ...] = ("output",)
    inputs: tuple[str, ...] = ("structure",)

    def settings_class(self) -> type[Any]:
        """The dataclass of the settings."""
        module, _, name = self.settings.partition(":")
        found: type[Any] = getattr(import_module(module), name)
        return found


# The name of a kind is that of its command, and its keys are the options of that command.
KINDS: dict[str, Kind] = {
    "md": Kind("ase_mlips.runs.settings:MDRun", ("trajectory", "log", "heat_flux", "selected")),
    "ensemble": Kind("ase_mlips.runs.many:EnsembleRun", ("folder",)),
    "relax": Kind("ase_mlips.runs.settings:RelaxRun", ("output", "trajectory")),
    "eos": Kind("ase_mlips.runs.eos:EOSRun"),
    "elastic": Kind("ase_mlips.runs.elastic:ElasticRun"),
    "vacancy": Kind("ase_mlips.runs.defects:VacancyRun"),
    "surface": Kind("ase_mlips.runs.surfaces:SurfaceRun"),
    "neb": Kind("ase_mlips.runs.neb:NEBRun", inputs=("structure", "final")),
    "active": Kind("ase_mlips.active.settings:ActiveRun", inputs=("structure", "start")),
}


@dataclass(frozen=True)
class Job:
    """A run with all that it needs.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    model : str
        A file of a potential, or ``embedded:Si``.
    settings : dataclass
        Those of the kind.
    inputs, outputs : mapping of str to str
        Files, from the directory in which the job is run.
    species : tuple of str, optional
        Elements of the types of an MTP file, in their order.
    threads : int, optional
        Of a force call.
    active_set : str, optional
        File of the active set that extrapolation grades refer to.
    """

    kind: str
    model: str
    settings: Any
    inputs: Mapping[str, str]
    outputs: Mapping[str, str] = field(default_factory=dict)
    species: tuple[str, ...] | None = None
    threads: int | None = None
    active_set: str | None = None

    def options(self) -> dict[str, Any]:
        """Everything but the kind, by the names that the options of the command have."""
        own = {"model": self.model, "threads": self.threads, "active_set": self.active_set}
        species = None if self.species is None else list(self.species)
        chosen = {entry.name: getattr(self.settings, entry.name) for entry in fields(self.settings)}
        return {**own, "species": species, **self.inputs, **self.outputs, **chosen}

    def write(self, path: _Path) -> None:
        """Write the job as YAML; a file that exists is replaced."""
        replace_files({os.fspath(path): self.text().encode()})

    def text(self) -> str:
        """The job as YAML."""
        shared = {
            "model": self.model,
            "species": self.species,
            "threads": self.threads,
            "active_set": self.active_set,
        }
        given = {name: plain(value) for name, value in shared.items() if value is not None}
        return yaml_text({"run": self.kind, **given, **self.inputs, **self.outputs, **as_mapping(self.settings)})


def read_job(path: _Path) -> Job:
    """Read a job.

    The keys are ``run`` (the kind, such as md), ``model``, ``structure``, the files that are written and the settings
    of the kind, all by the names of the command's options with ``_`` for ``-``.  What has a default may be missing.

    Raises
    ------
    OSError, ValueError
        The file cannot be read; a key that is unknown or missing, or a value that means nothing, with file and line.
    """
    entries = read_mapping(path)
    name = _value(entries, "run", str, path)
    if name not in KINDS:
        raise ValueError(
            f"{os.fspath(path)}:{entries['run'].line}: run: expected {' or '.join(sorted(KINDS))}, got {name!r}"
        )
    kind = KINDS[name]
    settings = kind.settings_class()
    own = ("run", "model", "species", "threads", "active_set")
    require_known(entries, [*own, *kind.inputs, *kind.outputs, *(entry.name for entry in fields(settings))], path)
    threads = _optional(entries, "threads", int, path)
    if threads is not None and threads < 1:
        raise ValueError(f"{os.fspath(path)}:{entries['threads'].line}: threads: expected a positive number")
    outputs = {key: _value(entries, key, str, path) for key in kind.outputs if key in entries}
    return Job(
        kind=name,
        model=_value(entries, "model", str, path),
        settings=settings_from(settings, entries, path),
        inputs={key: _value(entries, key, str, path) for key in kind.inputs},
        outputs=outputs,
        species=_optional(entries, "species", tuple[str, ...], path),
        threads=threads,
        active_set=_optional(entries, "active_set", str, path),
    )


def _optional(entries: Mapping[str, Entry], key: str, hint: Any, path: _Path) -> Any:
    return _value(entries, key, hint, path) if key in entries else None


def _value(entries: Mapping[str, Entry], key: str, hint: Any, path: _Path) -> Any:
    if key not in entries:
        raise ValueError(f"{os.fspath(path)}: expected the key {key}, {expected(hint)}")
    try:
        return converted(entries[key].value, hint)
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)}:{entries[key].line}: {key}: {error}") from None

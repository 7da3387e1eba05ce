"""What every result of an analysis can do: be kept in a file, show itself, and survive an interruption."""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import fields
from importlib import import_module
from io import BytesIO
from typing import Any, Self

import numpy as np

from ase_mlips.files.text import replace_files

_SHORT = 6  # numbers of an array that are printed
_HEADER = "header of the result"  # member of the file that holds everything but the arrays
_PACKAGE = __name__.partition(".")[0]
_Path = str | os.PathLike[str]


class Result:
    """Base of the frozen dataclasses that analyses return.

    A subclass is declared with ``@dataclass(frozen=True, eq=False, repr=False)``.  Its fields may be arrays, numbers,
    str, bool, None, other results, tuples of those, and dicts whose keys are str or tuples of str and whose values are
    any of these.
    """

    def __repr__(self) -> str:
        parts = (f"{field.name}: {_summary(getattr(self, field.name))}" for field in fields(self))  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(parts)})"

    def save(self, path: _Path) -> None:
        """Write everything to a NumPy .npz file, from which `load` makes an equal object.

        A file that exists is replaced only when the new one is whole.  ``numpy.load`` reads it, too: the key of an
        array is the name of the attribute, of the arrays in a dict or tuple ``name.0``, ``name.1`` and so on, in its
        order.  Numbers and words are in the key ``header of the result``, as JSON.

        Raises
        ------
        TypeError
            For a field of another kind than those that a result may have; the file is then not touched.
        """
        arrays: dict[str, Any] = {}
        content = _encoded_fields(self, "", arrays)
        arrays[_HEADER] = json.dumps({"class": type(self).__name__, "fields": content})
        file = BytesIO()
        np.savez(file, **arrays)
        replace_files({os.fspath(path): file.getvalue()})

    @classmethod
    def load(cls, path: _Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            When the file is not a result of this class.
        """
        try:
            with open(path, "rb") as file, np.load(file) as data:
                arrays = {name: data[name] for name in data.files}
            header = json.loads(str(arrays[_HEADER]))
        except (ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
            raise ValueError(f"{os.fspath(path)} is not a saved {cls.__name__}") from error
        names = {field.name for field in fields(cls)}  # type: ignore[arg-type]
        if header["class"] != cls.__name__ or header["fields"].keys() != names:
            raise ValueError(f"{os.fspath(path)} holds a {header['class']} and not a {cls.__name__} of this version")
        return cls(**{name: _decoded(value, arrays) for name, value in header["fields"].items()})


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during an analysis of many frames.

    Attributes
    ----------
    result : Result
        That of the frames read so far.
    frames : int
        Their number.
    """

    def __init__(self, result: Any, frames: int) -> None:
        super().__init__(result, frames)
        self.result, self.frames = result, frames

    def __str__(self) -> str:
        return f"interrupted; the attribute `result` of this exception is what was found so far: {self.result!r}"


def new_axes(ax: Any = None) -> Any:
    """The given matplotlib Axes, or those of a new figure."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.subplots()[1]


def _encoded_fields(result: Result, prefix: str, arrays: dict[str, Any]) -> dict[str, Any]:
    names = [field.name for field in fields(result)]  # type: ignore[arg-type]
    return {name: _encoded(getattr(result, name), f"{prefix}{name}", arrays) for name in names}


def _encoded(value: Any, name: str, arrays: dict[str, Any]) -> Any:
    """Value for the JSON header; arrays go to `arrays`, and their name to the header."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            raise TypeError(f"{name} is an array of objects, which a result cannot hold")
        arrays[name] = value
        return {"array": name}
    if isinstance(value, tuple):
        return {"tuple": [_encoded(item, f"{name}.{k}", arrays) for k, item in enumerate(value)]}
    if isinstance(value, dict):
        keys = [list(key) if isinstance(key, tuple) else key for key in value]
        values = [_encoded(item, f"{name}.{k}", arrays) for k, item in enumerate(value.values())]
        return {"keys": keys, "values": values}
    if isinstance(value, Result):
        kind = type(value)
        return {"result": f"{kind.__module__}:{kind.__name__}", "fields": _encoded_fields(value, f"{name}.", arrays)}
    raise TypeError(f"{name} is a {type(value).__name__}, which a result cannot hold")


def _decoded(value: Any, arrays: dict[str, Any]) -> Any:
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return arrays[value["array"]]
    if "tuple" in value:
        return tuple(_decoded(item, arrays) for item in value["tuple"])
    if "result" in value:
        return _inner(value["result"])(**{name: _decoded(item, arrays) for name, item in value["fields"].items()})
    keys = [tuple(key) if isinstance(key, list) else key for key in value["keys"]]
    return dict(zip(keys, (_decoded(item, arrays) for item in value["values"]), strict=True))


def _inner(name: str) -> type[Result]:
    """The class of a result within a result; a file can name none but those of this package."""
    module, _, kind = name.partition(":")
    found = getattr(import_module(module), kind, None) if module.startswith(f"{_PACKAGE}.") else None
    if not (isinstance(found, type) and issubclass(found, Result)):
        raise ValueError(f"{name} is no result of this package")
    return found


def _summary(value: Any) -> str:
    if isinstance(value, np.ndarray):
        if not 0 < value.size <= _SHORT:
            return f"array {value.shape}"
        text = np.array2string(value, max_line_width=1000, formatter={"float_kind": lambda number: f"{number:.6g}"})
        return text.replace("\n", "")
    if isinstance(value, dict):
        return "{" + ", ".join("-".join(key) if isinstance(key, tuple) else str(key) for key in value) + "}"
    return f"{value:.6g}" if isinstance(value, float) else repr(value)

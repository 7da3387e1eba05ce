"""Fields of settings: of the type that the dataclass says, and in YAML files of which each error names its line."""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

_Path = str | os.PathLike[str]
_S = TypeVar("_S")
_WORDS = {float: "a finite number", int: "an integer", bool: "true or false", str: "a word", NoneType: "nothing"}


@dataclass(frozen=True)
class Entry:
    """A value in a file and the line of its key."""

    value: Any
    line: int


def conform(settings: Any) -> None:
    """Give every field of a frozen dataclass the type of its annotation: 300 becomes 300.0, a list a tuple.

    Raises
    ------
    ValueError
        A value that is of another type, with the name of its field before it.
    """
    for name, hint in get_type_hints(type(settings)).items():
        try:
            object.__setattr__(settings, name, converted(getattr(settings, name), hint))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None


def converted(value: Any, hint: Any) -> Any:
    """`value` as `hint` has it; ValueError where that cannot be without changing what it says."""
    if hint is Any:
        return value
    found = _converted(value, hint)
    if found is MISSING:
        raise ValueError(f"expected {expected(hint)}, got {value!r}")
    return found


def expected(hint: Any) -> str:
    """The values of a type in words."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return " or ".join(map(repr, arguments))
    if origin in (Union, UnionType):
        return " or ".join(expected(part) for part in arguments)
    if origin is tuple and Ellipsis not in arguments:
        return f"a list of {len(arguments)}: " + ", ".join(map(expected, arguments))
    if origin in (tuple, list):
        return f"a list of which each is {expected(arguments[0])}"
    if origin in (dict, Mapping):
        return f"names with values, each {expected(arguments[1])}"
    return _WORDS.get(hint, f"a value of the type {getattr(hint, '__name__', hint)}")


def _converted(value: Any, hint: Any) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return value if value in arguments and not isinstance(value, bool) else MISSING
    if origin in (Union, UnionType):
        # An exact type first, so that 1 stays an integer where integers and floats are allowed.
        ordered = sorted(arguments, key=lambda part: type(value) is not part)
        return next((found for part in ordered if (found := _converted(value, part)) is not MISSING), MISSING)
    if origin in (tuple, list):
        return _sequence(value, origin, arguments)
    if origin in (dict, Mapping):
        if not isinstance(value, Mapping):
            return MISSING
        items = {_converted(key, arguments[0]): _converted(item, arguments[1]) for key, item in value.items()}
        return MISSING if MISSING in items or any(item is MISSING for item in items.values()) else items
    return _scalar(value, hint)


def _sequence(value: Any, origin: Any, arguments: tuple[Any, ...]) -> Any:
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        return MISSING
    items = list(value)
    hints = arguments if origin is tuple and Ellipsis not in arguments else arguments[:1] * len(items)
    if len(hints) != len(items):
        return MISSING
    found = [_converted(item, hint) for item, hint in zip(items, hints, strict=True)]
    return MISSING if any(item is MISSING for item in found) else origin(found)


def _scalar(value: Any, hint: Any) -> Any:
    if hint is float:
        return _finite(value)
    if hint is int:
        whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
        return int(value) if whole else MISSING
    if hint is NoneType:
        return None if value is None else MISSING
    return value if isinstance(value, hint) else MISSING


def _finite(value: Any) -> Any:
    if isinstance(value, str):  # YAML takes 1e-4, which has no point, for a word
        try:
            value = float(value)
        except ValueError:
            return MISSING
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return float(value) if real and math.isfinite(value) else MISSING


def read_mapping(path: _Path) -> dict[str, Entry]:
    """The keys of a YAML file, each with its value and line.

    Raises
    ------
    OSError, ValueError
        It cannot be read; it is no YAML, no list of ``key: value``, or has a key twice.
    """
    name = os.fspath(path)
    with open(path, encoding="utf-8") as file:
        try:
            loader = yaml.SafeLoader(file.read())
            node = loader.get_single_node()
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            mark = getattr(error, "problem_mark", None)
            where = f"{name}:{mark.line + 1}" if mark else name
            raise ValueError(f"{where}: expected YAML, got {getattr(error, 'problem', None) or error}") from None
    if not isinstance(node, yaml.MappingNode):
        raise ValueError(f"{name}:1: expected lines of the form key: value")
    found: dict[str, Entry] = {}
    for key_node, value_node in node.value:
        key, line = str(key_node.value), key_node.start_mark.line + 1
        if key in found:
            raise ValueError(f"{name}:{line}: {key} is there twice; line {found[key].line} has it, too")
        try:
            found[key] = Entry(loader.construct_object(value_node, deep=True), line)
        except (yaml.YAMLError, TypeError, ValueError) as error:
            problem = getattr(error, "problem", None) or error
            raise ValueError(f"{name}:{line}: {key}: expected a plain value, got {problem}") from None
    return found


def require_known(entries: Mapping[str, Entry], known: Iterable[str], path: _Path) -> None:
    """ValueError for the first key that is not known, with its line and the key that was probably meant."""
    names = sorted(known)
    for key, entry in entries.items():
        if key not in names:
            near = get_close_matches(key, names, n=1)
            meant = f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}"
            raise ValueError(f"{os.fspath(path)}:{entry.line}: {key} is no key of such a file; {meant}")


def settings_from(cls: type[_S], entries: Mapping[str, Entry], path: _Path) -> _S:
    """The settings that the entries of a file stand for; every field may be missing that has a default.

    Raises
    ------
    ValueError
        A value that a field cannot have, with file and line, or a field that is missing.
    """
    hints = get_type_hints(cls)
    values: dict[str, Any] = {}
    for field in fields(cls):  # type: ignore[arg-type]
        if field.name in entries:
            try:
                values[field.name] = converted(entries[field.name].value, hints[field.name])
            except ValueError as error:
                raise _at(entries, path, f"{field.name}: {error}") from None
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"{os.fspath(path)}: expected the key {field.name}, {expected(hints[field.name])}")
    try:
        return cls(**values)
    except ValueError as error:
        raise _at(entries, path, str(error)) from None


def _at(entries: Mapping[str, Entry], path: _Path, message: str) -> ValueError:
    """An error with the line of the key that the message begins with."""
    entry = entries.get(message.partition(":")[0])
    where = os.fspath(path) if entry is None else f"{os.fspath(path)}:{entry.line}"
    return ValueError(f"{where}: {message}")


def as_mapping(settings: Any) -> dict[str, Any]:
    """The fields of a dataclass that say something, as values that YAML and JSON have; None is left out."""
    items = ((field.name, getattr(settings, field.name)) for field in fields(settings))
    return {name: plain(value) for name, value in items if value is not None}


def plain(value: Any) -> Any:
    """Tuples as lists, at any depth."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, tuple | list) else value


def yaml_text(content: Mapping[str, Any]) -> str:
    """A mapping as YAML, in its order; numbers are written in full."""
    text: str = yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True, default_flow_style=False)
    return text

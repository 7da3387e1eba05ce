"""Reading of PyTorch's ``.pt`` files without PyTorch: the pickles in them are described, never executed.

A pickle is a program whose instructions may call anything.  Here a small interpreter follows only those instructions
that PyTorch's own files need, and where one would call or construct something it notes down what: `Call`.
"""

from __future__ import annotations

import io
import math
import pickletools
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..files.archive import read_members, refusal
from ..files.text import FilePath, read_content

_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # a number that is pickled first where the file is no archive
_LEGACY_VERSION = 1001
_STORAGES = {"torch FloatStorage": "<f4", "torch DoubleStorage": "<f8"}
_PUSHED = ("GLOBAL", "BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT")
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_MALFORMED = (ValueError, KeyError, IndexError, TypeError, AttributeError)


@dataclass(frozen=True)
class Name:
    """A class or function that a pickle names, as ``module name``."""

    name: str


@dataclass(eq=False)
class Call:
    """An object that a pickle asks for by calling `name`, with the attributes it is then given."""

    name: str
    arguments: tuple[Any, ...]
    state: dict[str, Any] = field(default_factory=dict)
    items: dict[Any, Any] = field(default_factory=dict)


def read_torch(path: FilePath, allowed: frozenset[str]) -> tuple[Any, dict[str, bytes]]:
    """What ``torch.save`` put into a file, as `Call` in place of objects, and the raw storages of its tensors.

    Parameters
    ----------
    path : path
    allowed : set of str
        The classes and functions, ``module name``, that may occur.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        ``path: expected ..., got ...`` if it is no archive of PyTorch's or names anything else.
    """
    try:
        with warnings.catch_warnings():  # about backslashes in a damaged name
            warnings.simplefilter("ignore", DeprecationWarning)
            content = read_content(path)
            return _of_stream(path, content, allowed) if content.startswith(_LEGACY) else _of_archive(path, allowed)
    except _RefusedError as error:
        raise refusal(path, "nothing but a network of FitSNAP", str(error)) from None
    except _MALFORMED as error:
        if str(error).startswith(f"{path}: "):
            raise
        raise refusal(path, "whole pickles", f"a damaged one ({type(error).__name__})") from None


def _of_archive(path: FilePath, allowed: frozenset[str]) -> tuple[Any, dict[str, bytes]]:
    """The form since PyTorch 1.6."""
    members = read_members(path)
    pickles = [name for name in members if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise refusal(path, "an archive of torch.save with one data.pkl", f"{len(pickles)} of them")
    folder = pickles[0].removesuffix("data.pkl")
    if members.get(f"{folder}byteorder", b"little") != b"little":
        raise refusal(path, "numbers in little-endian order", "another")
    storages = {name.removeprefix(f"{folder}data/"): data for name, data in members.items()}
    return _Machine(allowed).run(io.BytesIO(members[pickles[0]])), storages


def _of_stream(path: FilePath, content: bytes, allowed: frozenset[str]) -> tuple[Any, dict[str, bytes]]:
    """The form before: five pickles, then each storage behind its number of elements."""
    stream, machine = io.BytesIO(content[len(_LEGACY) :]), _Machine(allowed)
    version, system = _Machine(allowed).run(stream), _checked(_Machine(allowed).run(stream), dict)
    if version != _LEGACY_VERSION or system["little_endian"] is not True:
        raise refusal(path, f"version {_LEGACY_VERSION} in little-endian order", "another")
    found, keys = machine.run(stream), _checked(_Machine(allowed).run(stream), list)
    storages = {}
    for key in keys:
        size = np.dtype(_STORAGES[machine.storages[key]]).itemsize * int.from_bytes(stream.read(8), "little")
        storages[key] = stream.read(min(size, len(content)))
        if len(storages[key]) != size:
            raise refusal(path, f"the storage {key!r} of {size} bytes", f"{len(storages[key])}")
    return found, storages


class _RefusedError(Exception):
    """What the pickle holds is not allowed."""


class _Machine:
    """The stack machine of pickle, protocol 2, without the ability to call."""

    def __init__(self, allowed: frozenset[str]) -> None:
        self._allowed = allowed
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self.storages: dict[str, str] = {}  # their types

    def run(self, stream: io.BytesIO) -> Any:
        """Follow the instructions up to the end of a pickle, where the stream then stands."""
        argument: Any
        for opcode, argument, _ in pickletools.genops(stream):
            name = opcode.name
            if name == "STOP":
                return self._stack.pop()
            if name in _PUSHED:
                self._stack.append(self._named(argument) if name == "GLOBAL" else argument)
            elif name in _CONSTANTS:
                self._stack.append(_CONSTANTS[name])
            elif name in ("BINPUT", "LONG_BINPUT"):
                self._memo[argument] = self._stack[-1]
            elif name in ("BINGET", "LONG_BINGET"):
                self._stack.append(self._memo[argument])
            elif name != "PROTO":
                self._build(name)
        raise IndexError("no end")

    def _named(self, name: str) -> Name:
        if name not in self._allowed:
            raise _RefusedError(f"the class or function {'.'.join(name.split())[:80]!r}, which was not executed")
        return Name(name)

    def _build(self, opcode: str) -> None:
        stack = self._stack
        if opcode == "MARK":
            self._below.append(stack)
            self._stack = []
        elif opcode in ("EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE"):
            stack.append({"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}[opcode]())
        elif opcode in _TUPLES:
            stack[-_TUPLES[opcode] :] = [tuple(stack[-_TUPLES[opcode] :])]
        elif opcode == "TUPLE":
            items = self._pop_mark()
            self._stack.append(tuple(items))
        elif opcode in ("APPENDS", "SETITEMS"):
            items = self._pop_mark()
            self._add(items)
        elif opcode in ("APPEND", "SETITEM"):
            count = 1 if opcode == "APPEND" else 2
            items = stack[-count:]
            del stack[-count:]
            self._add(items)
        elif opcode in ("REDUCE", "NEWOBJ"):
            arguments = _checked(stack.pop(), tuple)
            stack.append(Call(_checked(stack.pop(), Name).name, arguments))
        elif opcode == "BINPERSID":
            stack.append(self._persistent(_checked(stack.pop(), tuple)))
        elif opcode == "BUILD":
            state = _checked(stack.pop(), dict)
            _checked(stack[-1], Call).state = state
        else:
            raise _RefusedError(f"the pickle instruction {opcode}")

    def _persistent(self, arguments: tuple[Any, ...]) -> Name | Call:
        """A storage, or the class of a module together with its source, which is left alone."""
        if arguments[0] == "module":
            return Name(_checked(arguments[1], Name).name)
        self.storages[_checked(arguments[2], str)] = _checked(arguments[1], Name).name
        return Call("storage", arguments)

    def _pop_mark(self) -> list[Any]:
        items = self._stack
        self._stack = self._below.pop()
        return items

    def _add(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, list):
            target.extend(items)
            return
        entries = target.items if isinstance(target, Call) else _checked(target, dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            entries[_checked(key, str | int)] = value


def _checked(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{kind} expected")
    return value


def tensor(value: Any, storages: dict[str, bytes]) -> FloatArray:
    """The numbers of a tensor or parameter of `read_torch`.

    Raises
    ------
    ValueError
        ``expected ..., got ...`` if it is none of floating-point numbers, or does not fit its storage.
    """
    try:
        while value.name == "torch._utils _rebuild_parameter":
            value = value.arguments[0]
        if value.name != "torch._utils _rebuild_tensor_v2":
            raise TypeError("another object")
        storage, offset, shape, strides = value.arguments[:4]
        _, kind, key, *_ = storage.arguments
        return _strided(np.frombuffer(storages[key], _STORAGES[kind.name]), offset, shape, strides)
    except _MALFORMED:
        raise ValueError("expected a tensor of float32 or float64 within its storage, got another") from None


def _strided(numbers: NDArray[Any], offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> FloatArray:
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if not 0 <= min(offset, *shape, *strides) <= last < len(numbers) or math.prod(shape) > len(numbers):
        raise IndexError("beyond the storage")
    size = numbers.itemsize
    return np.ndarray(shape, numbers.dtype, numbers, size * offset, [size * n for n in strides]).astype(np.float64)

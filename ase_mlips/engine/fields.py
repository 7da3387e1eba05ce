"""Integers of an array under the names of a NamedTuple: ``view(ptr(array), Head).slots`` is one load.

One declaration serves the code that fills the array (`packing.flatten`) and the kernels that read it.  Its fields are
integers or again NamedTuples of them.  Kernels pass a view on like a pointer, and it is nothing else.
"""

from __future__ import annotations

from itertools import count
from typing import Any, TypeVar, get_type_hints

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import config
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import intrinsic, lower_getattr_generic, models, register_model

from .packing import named

T = TypeVar("T", bound=tuple[Any, ...])

_I32, _I64 = ir.IntType(32), ir.IntType(64)


def _places(kind: type[Any]) -> tuple[dict[str, tuple[int, type[Any] | None]], int]:
    """Where each field begins, with its class if it is a NamedTuple, and the number of integers."""
    places, size = {}, 0
    for name, declared in get_type_hints(kind).items():
        group = declared if issubclass(declared, tuple) else None
        places[name] = size, group
        size += _places(group)[1] if group else 1
    return places, size


class FieldsType(types.Type):  # type: ignore[misc]
    """Numba type of the address of integers that a NamedTuple names."""

    def __init__(self, kind: type[Any]) -> None:
        self.kind = kind
        self.places = _places(kind)[0]
        super().__init__(name=f"fields({kind.__module__}.{kind.__qualname__})")


@register_model(FieldsType)
class _FieldsModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, _I32.as_pointer())


@infer_getattr
class _FieldsAttributes(AttributeTemplate):  # type: ignore[misc]
    key = FieldsType

    def generic_resolve(self, fields: Any, name: str) -> Any:
        if name not in fields.places:
            return None
        group = fields.places[name][1]
        return types.int64 if group is None else FieldsType(group)


@lower_getattr_generic(FieldsType)  # type: ignore[untyped-decorator]
def _lower_attribute(context: Any, builder: Any, fields: Any, address: Any, name: str) -> Any:
    place, group = fields.places[name]
    at = builder.gep(address, [ir.Constant(_I64, place)])
    return at if group else builder.sext(builder.load(at), _I64)


@intrinsic  # type: ignore[untyped-decorator]
def _view(typingctx: Any, p: Any, kind: Any) -> Any:
    """view(p, kind): the int32 integers from p on, under the names of the NamedTuple `kind`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return args[0]

    return FieldsType(kind.instance_class)(types.CPointer(types.int32), kind), codegen


def _read(p: Any, kind: type[T]) -> T:
    """`view` where compilation is off: all integers at once."""
    return named(kind, (p.window(k, 1, np.int32)[0] for k in count()))


view = _read if config.DISABLE_JIT else _view

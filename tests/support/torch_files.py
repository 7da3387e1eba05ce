"""Files as ``torch.save`` writes them, made without PyTorch: an archive of a pickle and of the tensors' numbers."""

import io
import pickle
import struct
import zipfile
from dataclasses import dataclass, field
from typing import Any

import numpy as np

WRITER = "fitsnap3lib.lib.neural_networks.write"
STORAGES = {"f4": "FloatStorage", "f8": "DoubleStorage", "f2": "HalfStorage", "i8": "LongStorage"}


@dataclass
class Global:
    """``module name`` of a class or function."""

    name: str


@dataclass
class Call:
    """The result of calling a class or function, with attributes to be set and items to be put in."""

    name: str
    arguments: tuple[Any, ...] = ()
    state: dict[str, Any] | None = None
    items: dict[str, Any] = field(default_factory=dict)
    opcode: bytes = b"R"


@dataclass
class Persistent:
    """What the pickle leaves to the reader: the storage of a tensor."""

    arguments: tuple[Any, ...]


def module(name: str, *, children: dict[str, Any] | None = None, parameters: Any = None, **state: Any) -> Call:
    """A torch module that is pickled as such."""
    ordered = Call("collections OrderedDict")
    everything = {
        "training": True,
        "_parameters": parameters or {},
        "_buffers": {},
        "_non_persistent_buffers_set": Call("__builtin__ set", ([],)),
        "_forward_hooks": ordered,
        "_is_full_backward_hook": None,
        "_modules": children or {},
        **state,
    }
    return Call(name, (), everything, opcode=b"\x81")


class Archive:
    """Collects the tensors' numbers while what refers to them is made."""

    def __init__(self) -> None:
        self.storages: list[bytes] = []
        self.lengths: list[int] = []

    def tensor(self, array: np.ndarray, **changes: Any) -> Call:
        """A parameter that holds `array`; `changes` are to offset, shape and strides."""
        self.storages.append(np.ascontiguousarray(array).tobytes())
        self.lengths.append(array.size)
        name = Global(f"torch {STORAGES[array.dtype.str[1:]]}")
        storage = Persistent(("storage", name, str(len(self.storages) - 1), "cpu", array.size))
        strides = tuple(step // array.itemsize for step in np.ascontiguousarray(array).strides)
        place = {"offset": 0, "shape": array.shape, "strides": strides, **changes}
        hooks = Call("collections OrderedDict")
        data = Call("torch._utils _rebuild_tensor_v2", (storage, *place.values(), False, hooks))
        return Call("torch._utils _rebuild_parameter", (data, True, hooks))

    def sequential(self, layers: list[tuple[np.ndarray, np.ndarray]], **softplus: Any) -> Call:
        """Layers (weights, biases) as FitSNAP arranges them: no activation after the first and the last."""
        children: dict[str, Any] = {}
        for n, (weights, biases) in enumerate(layers):
            parameters = {"weight": self.tensor(weights), "bias": self.tensor(biases)}
            children[str(len(children))] = module("torch.nn.modules.linear Linear", parameters=parameters)
            if 0 < n < len(layers) - 1:
                state = {"beta": 1.0, "threshold": 20.0, **softplus}
                children[str(len(children))] = module("torch.nn.modules.activation Softplus", **state)
        return module("torch.nn.modules.container Sequential", children=children)

    def shared(self, network: Call) -> Call:
        """One network for all elements."""
        return self._wrapped(module(f"{WRITER} IgnoreElems", children={"subnet": network}))

    def elementwise(self, networks: list[Call]) -> Call:
        """One network for each element."""
        return self._wrapped(module(f"{WRITER} ElemwiseModels", subnets=networks, n_types=len(networks)))

    def _wrapped(self, model: Call) -> Call:
        children = {"model": model}
        return module(f"{WRITER} TorchWrapper", children=children, dtype=Global("torch float64"), n_descriptors=1.0)

    def checkpoint(self, networks: list[list[tuple[np.ndarray, np.ndarray]]]) -> dict[str, Any]:
        """The dictionary that is saved while FitSNAP trains."""
        items = {}
        for t, layers in enumerate(networks):
            for n, (weights, biases) in enumerate(layers):
                place = f"network_architecture{t}.{max(n, 2 * n - 1)}"
                items |= {f"{place}.weight": self.tensor(weights), f"{place}.bias": self.tensor(biases)}
        state = Call("collections OrderedDict", (), {"_metadata": Call("collections OrderedDict")}, items)
        return {"epoch": 7, "model_state_dict": state, "optimizer_state_dict": {"state": {0: {}}}, "loss": None}

    def content(self, found: Any) -> bytes:
        """The file in which `found` is saved."""
        members = {"data.pkl": pickled(found), "byteorder": b"little", "version": b"3\n"}
        members |= {f"data/{n}": data for n, data in enumerate(self.storages)}
        return zipped({f"Some_Name/{name}": data for name, data in members.items()})

    def legacy(self, found: Any) -> bytes:
        """The file in which PyTorch before version 1.6 saves `found`."""
        system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
        keys = [str(n) for n in range(len(self.storages))]
        content = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickled(1001) + pickled(system)
        content += pickled(found, sources=True) + pickled(keys)
        for length, data in zip(self.lengths, self.storages, strict=True):
            content += struct.pack("<q", length) + data
        return content


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def pickled(found: Any, *, sources: bool = False) -> bytes:
    """Protocol 2, text being written once and then referred to; `sources` puts the source of modules beside them."""
    memo: dict[str, int] = {}
    return b"\x80\x02" + _instructions(found, memo, sources) + b"."


def _instructions(found: Any, memo: dict[str, int], sources: bool) -> bytes:
    def each(values: Any) -> bytes:
        return b"".join(_instructions(value, memo, sources) for value in values)

    match found:
        case None | True | False:
            return {None: b"N", True: b"\x88", False: b"\x89"}[found]
        case int():
            return b"J" + struct.pack("<i", found)
        case float():
            return b"G" + struct.pack(">d", found)
        case str():
            if found in memo:
                return b"h" + bytes([memo[found]])
            memo[found] = len(memo)
            return b"X" + struct.pack("<I", len(found)) + found.encode() + b"q" + bytes([memo[found]])
        case tuple():
            return b"(" + each(found) + b"t"
        case list():
            return b"](" + each(found) + b"e"
        case dict():
            return b"}(" + each(part for item in found.items() for part in item) + b"u"
        case Global():
            return b"c" + found.name.replace(" ", "\n").encode() + b"\n"
        case Persistent():
            return _instructions(found.arguments, memo, sources) + b"Q"
        case Call():
            name: Any = Global(found.name)
            if sources and "_modules" in (found.state or {}):
                name = Persistent(("module", name, "source.py", "raise SystemExit('executed')"))
            made = each((name, found.arguments)) + found.opcode
            made += b"(" + each(part for item in found.items.items() for part in item) + b"u"
            return made if found.state is None else made + each((found.state,)) + b"b"
    raise TypeError(type(found))

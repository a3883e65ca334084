"""A hash of the content of an object: equal for equal settings, tensors and code in every process, different for any that differ.

    number, word, None      type and value
    tensor, array           dtype, shape and every byte
    function, class         module and qualified name; outside of the package and PyTorch also the code: the bytes of its source file, or,
                            where there is none (a notebook), its instructions, its attributes, and what it uses of its module
    module (`nn.Module`)    class, weights and buffers, and its other public attributes
    any other object        class, and what it is made of: the fields of a dataclass, else what `copy` would copy

The `repr` of an object says what a reader needs, and may leave out or shorten values, so nothing here depends on it.
"""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from latentlink.numerics.parts import parts_of

_OURS = ("latentlink", "torch", "numpy", *sys.stdlib_module_names)  # code that a version pins; `__main__` is no name of these
_PLAIN = (type(None), type(...), bool, int, float, complex, str, bytes)
_NOT_CODE = {"__dict__", "__weakref__", "__doc__", "__module__", "__firstlineno__", "__static_attributes__"}


def identity_of(*parts: object) -> str:
    """A hash of objects by their content.

    Args:
        parts: settings, tensors, modules, functions and any object made of such.

    Raises:
        ValueError: an object has no content that distinguishes it from others, such as a lock or an open file.
    """
    digest = hashlib.sha256()
    for fact in _facts(parts, ()):
        digest.update(len(fact).to_bytes(8, "little") + fact)
    return digest.hexdigest()


def _facts(whole: Any, within: tuple[object, ...]) -> Iterator[bytes]:
    """The content of an object, part by part; one that lies within itself is its depth."""
    if isinstance(whole, _PLAIN):
        yield f"{type(whole).__name__} {whole!r}".encode()
        return
    depth = next((number for number, outer in enumerate(within) if outer is whole), None)
    if depth is not None:
        yield f"again {depth}".encode()
    elif isinstance(whole, Tensor):
        yield from _tensor(whole)
    elif isinstance(whole, np.ndarray) and whole.dtype.kind in "biufc":
        yield b"numpy"
        yield from _tensor(torch.from_numpy(np.array(whole, order="C")))
    else:
        yield from _code(whole if isinstance(whole, type | FunctionType) else type(whole), (*within, whole))
        for name, part in _content(whole):
            yield name.encode()
            yield from _facts(part, (*within, whole))


def _tensor(tensor: Tensor) -> Iterator[bytes]:
    yield repr((str(tensor.dtype), tuple(tensor.shape))).encode()
    values = tensor.detach().cpu().resolve_conj().resolve_neg().flatten()
    yield values.clone(memory_format=torch.contiguous_format).view(torch.uint8).numpy().tobytes()


def _code(code: Any, within: tuple[object, ...]) -> Iterator[bytes]:
    """The name of a class or a function, and what it does where no version pins that."""
    for one in code.__mro__ if isinstance(code, type) else (code,):
        yield f"{one.__module__}:{one.__qualname__}".encode()
        if (one.__module__ or "").partition(".")[0] not in _OURS:
            path = Path(getattr(sys.modules.get(one.__module__), "__file__", None) or "")
            yield from [path.read_bytes()] if path.is_file() else _facts(_without_a_file(one), (*within, one))


def _without_a_file(code: Any) -> dict[str, Any]:
    """The content of a class or a function that has no source file."""
    if isinstance(code, type):
        return {name: _unwrapped(value) for name, value in sorted(vars(code).items()) if name not in _NOT_CODE}
    nested = _nested(code.__code__)
    used = sorted({name for each in nested for name in each.co_names if name in code.__globals__})
    return {
        "instructions": [(each.co_code, each.co_names, each.co_varnames) for each in nested],
        "constants": [value for each in nested for value in each.co_consts if not isinstance(value, CodeType)],
        "used": {name: code.__globals__[name] for name in used},
    }


def _nested(code: CodeType) -> list[CodeType]:
    """Code, and that of the functions within it."""
    return [code, *(inner for value in code.co_consts if isinstance(value, CodeType) for inner in _nested(value))]


def _unwrapped(value: Any) -> Any:
    return [value.fget, value.fset, value.fdel] if isinstance(value, property) else getattr(value, "__func__", value)


def _content(whole: Any) -> list[tuple[str, Any]]:
    """The parts of an object by name."""
    if isinstance(whole, type):
        return []
    if isinstance(whole, FunctionType):
        enclosed = [cell.cell_contents for cell in whole.__closure__ or ()]
        return [("defaults", whole.__defaults__), ("keywords", whole.__kwdefaults__), ("enclosed", enclosed)]
    if isinstance(whole, nn.Module):
        own = {name: value for name, value in vars(whole).items() if not name.startswith("_") and name != "training"}
        return [*sorted(own.items()), *whole._parameters.items(), *whole._buffers.items(), *whole._modules.items()]
    if isinstance(whole, MethodType):
        return [("self", whole.__self__), ("function", whole.__func__)]
    if isinstance(whole, ModuleType):
        return [("name", whole.__name__)]
    if isinstance(whole, dict):
        return [(str(number), pair) for number, pair in enumerate(whole.items())]
    if isinstance(whole, set | frozenset):
        return sorted((identity_of(part), None) for part in whole)
    if (parts := parts_of(whole)) is not None:
        return list(parts.items())
    try:
        reduced = whole.__reduce_ex__(2)
    except TypeError as error:
        name = f"{type(whole).__module__}.{type(whole).__qualname__}"
        raise ValueError(
            f"{name} cannot be distinguished from others of its kind ({error}): leave out what it is an attribute of"
        ) from error
    if isinstance(reduced, str):
        return [("name", reduced)]
    return [(str(number), list(part or ()) if number in (3, 4) else part) for number, part in enumerate(reduced)]

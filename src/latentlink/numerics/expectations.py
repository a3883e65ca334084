"""What an argument should be and what came instead, in words: the halves of every message about a wrong argument."""

import numbers
import os
import types
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import numpy as np
import torch
from jaxtyping import AbstractArray
from torch import Tensor

K = TypeVar("K", bound=type)
_WORDS = {int: "an integer", float: "a number", bool: "True or False", str: "a word", type(None): "None"}
_SEVERAL: dict[Any, str] = {int: "integers", float: "numbers", bool: "truth values", str: "words"}
_MADE_BY: dict[type, str] = {
    torch.nn.Module: "fit_head(y, labels)",
    torch.Generator: "torch.Generator().manual_seed(0)",
    torch.dtype: "torch.float64",
}


def made_by(example: str) -> Callable[[K], K]:
    """Class decorator: messages say how an object of the class, or of a protocol, is made."""

    def register(kind: K) -> K:
        _MADE_BY[kind] = example
        return kind

    return register


def is_array(hint: Any) -> bool:
    """Return True for the annotation of a tensor with its kind and shape."""
    return isinstance(hint, type) and issubclass(hint, AbstractArray)


def expected(hint: Any) -> str:
    """The kinds that an annotation allows, in words."""
    origin, options = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return expected(options[0])
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(expected(option) for option in options))
    if origin is Literal:
        return f"one of {', '.join(map(str, options))}"
    if isinstance(hint, TypeVar):
        return expected(hint.__bound__)
    if hint in _WORDS or hint is None:
        return _WORDS[type(None) if hint is None else hint]
    if is_array(hint):
        return f"a {hint.__name__.partition('[')[0].lower()} tensor of shape ({', '.join(hint.dim_str.split())})"
    if origin is not None:
        return _expected_container(origin, options)
    return _expected_instance(hint) if isinstance(hint, type) else str(hint)


def _expected_container(origin: Any, options: tuple[Any, ...]) -> str:
    if origin is np.ndarray:
        return "an array"
    if origin is os.PathLike:
        return "a path"
    if isinstance(origin, type) and issubclass(origin, Collection) and not issubclass(origin, Mapping) and options:
        kinds = dict.fromkeys(_SEVERAL.get(option) or expected(option) for option in options if option is not ...)
        return f"a sequence of {' and '.join(kinds)}"
    return "a function" if origin is Callable else _expected_instance(origin)


def _expected_instance(kind: type) -> str:
    example = _MADE_BY.get(kind, "")
    name = "tensor" if kind is Tensor else kind.__name__
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}{f', such as {example}' if example else ''}"


def shown(value: Any) -> str:
    """A value in a message: short ones as they are, others by their type."""
    if isinstance(value, Tensor) and value.is_nested:
        return f"a nested tensor {str(value.dtype).removeprefix('torch.')} of {value.size(0)} parts"
    if isinstance(value, Tensor):
        kind = "" if value.layout == torch.strided else f" ({str(value.layout).removeprefix('torch.')})"
        return f"a tensor {str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}{kind}{' on meta' if value.is_meta else ''}"
    if isinstance(value, np.ndarray):
        return f"{type(value).__name__} {value.dtype} {value.shape}"
    if value is None or isinstance(value, str | numbers.Number | type):
        text = repr(value) if not isinstance(value, int) or abs(value) < 10**20 else f"an integer of {value.bit_length()} bits"
        return text if len(text) <= 80 else f"{text[:77]}…"
    return type(value).__name__

"""The fields of what was read from a file, held to the shapes and types that their class declares."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

import torch
from jaxtyping import jaxtyped
from torch import Tensor

from latentlink.numerics.expectations import expected, shown
from latentlink.numerics.validation import fits

_PRECISIONS = (torch.float32, torch.float64)


def check_fields(whole: object, name: str = "") -> None:
    """Hold an object and its parts to the annotations of their fields, one axis of a name having one size within an object.

    A file whose digest is right may still be forged, or come from a faulty writer.

    Raises:
        ValueError: a field has another shape or type; naming the field.
    """
    if is_dataclass(whole) and not isinstance(whole, type):
        hints = get_type_hints(type(whole))
        with jaxtyped("context"):
            for field in fields(whole):
                if field.init:
                    _check(getattr(whole, field.name), hints[field.name], f"{name}{field.name}")
        _check_precision(whole, name)
    for key, part in _parts(whole):
        check_fields(part, f"{name}{key}.")


def _check_precision(whole: Any, name: str) -> None:
    """Hold the real and complex tensors of an object to one precision, in which they can be multiplied."""
    tensors = {field.name: getattr(whole, field.name) for field in fields(whole) if isinstance(getattr(whole, field.name, None), Tensor)}
    found = {key: value.dtype.to_real() for key, value in tensors.items() if value.is_floating_point() or value.is_complex()}
    other = [f"{name}{key}" for key, dtype in found.items() if dtype not in _PRECISIONS or len(set(found.values())) > 1]
    if other:
        raise ValueError(f"{', '.join(other)} must be in one precision, float32 or float64, got {', '.join(map(str, found.values()))}")


def _check(value: object, hint: Any, name: str) -> None:
    if not fits(value, hint):
        raise ValueError(f"{name} must be {expected(hint)}, got {shown(value)}")


def _parts(whole: object) -> Iterator[tuple[str, object]]:
    """The parts of an object that may have fields of their own."""
    if is_dataclass(whole) and not isinstance(whole, type):
        yield from ((field.name, getattr(whole, field.name)) for field in fields(whole) if field.init)
    elif isinstance(whole, tuple | list):
        yield from ((str(number), part) for number, part in enumerate(whole))

"""The fields of what was read from a file, held to the shapes and types that their class declares."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

from jaxtyping import AbstractArray, jaxtyped
from torch import Tensor


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
    for key, part in _parts(whole):
        check_fields(part, f"{name}{key}.")


def _check(value: object, hint: Any, name: str) -> None:
    if not isinstance(value, Tensor):
        return
    options = [option for option in (get_args(hint) or (hint,)) if isinstance(option, type) and issubclass(option, AbstractArray)]
    if options and not any(isinstance(value, option) for option in options):
        expected = " or ".join(f"{option.__name__}" for option in options)
        raise ValueError(f"{name} is {value.dtype} {tuple(value.shape)}, expected {expected}")


def _parts(whole: object) -> Iterator[tuple[str, object]]:
    """The parts of an object that may have fields of their own."""
    if is_dataclass(whole) and not isinstance(whole, type):
        yield from ((field.name, getattr(whole, field.name)) for field in fields(whole) if field.init)
    elif isinstance(whole, tuple | list):
        yield from ((str(number), part) for number, part in enumerate(whole))

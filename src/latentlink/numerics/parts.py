"""Frozen objects as trees of their parts: every tensor in one is changed, moved or named at once.

A part is a field of a dataclass, an entry of a tuple, list or dict, or a module. Everything else is left as it is.
"""

import copy
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from latentlink.numerics.doors import device_or_precision
from latentlink.numerics.validation import validate_call

T = TypeVar("T")


class Parts:
    """A frozen object that is handled as its tensors are: what is done to it is done to every tensor in it."""

    @validate_call
    def each(self: T, change: Callable[[Tensor], Tensor]) -> T:
        """The object with every tensor changed."""

        def changed(value: Tensor) -> Tensor:
            result: object = change(value)
            if not isinstance(result, Tensor):
                raise TypeError(f"change must return a tensor for each tensor, got {type(result).__name__}")
            return result

        return change_tensors(self, changed)

    @validate_call
    def to(self: T, target: torch.device | torch.dtype | str) -> T:
        """The object on another device, or in the precision of a real dtype.

        Raises:
            ValueError: it is neither, or this machine does not have the device.
        """
        place = device_or_precision("target", target)
        return change_tensors(self, lambda value: move_tensor(value, place))


def move_tensor(value: Tensor, target: torch.device | torch.dtype | str) -> Tensor:
    """The tensor on another device, or in the precision of a real dtype, which leaves integers alone and complex numbers complex."""
    if not isinstance(target, torch.dtype):
        return value.to(target)
    if value.is_complex():
        return value.to(target.to_complex())
    return value.to(target) if value.is_floating_point() else value


def change_tensors(whole: T, change: Callable[[Any], Any]) -> T:
    """The object with every tensor in it changed; modules are copied."""
    if isinstance(whole, Tensor):
        return change(whole)
    if isinstance(whole, nn.Module):
        module = copy.deepcopy(whole)
        module.load_state_dict({name: change(value) for name, value in whole.state_dict().items()}, assign=True)
        return module
    parts = parts_of(whole)
    return whole if parts is None else from_parts(type(whole), {name: change_tensors(part, change) for name, part in parts.items()})


def named_tensors(whole: object, prefix: str = "") -> dict[str, Tensor]:
    """The tensors in an object, named by their way through its parts: "beams.transmit", "ends.scale.0"."""
    if isinstance(whole, Tensor):
        return {prefix.removesuffix("."): whole}
    parts = whole.state_dict() if isinstance(whole, nn.Module) else parts_of(whole) or {}
    return {name: value for key, part in parts.items() for name, value in named_tensors(part, f"{prefix}{key}.").items()}


def parts_of(whole: object) -> dict[str, Any] | None:
    """The parts of an object by name; None where it is no dataclass, tuple, list or dict."""
    if is_dataclass(whole) and not isinstance(whole, type):
        return {field.name: getattr(whole, field.name) for field in fields(whole)}
    if isinstance(whole, tuple | list):
        return {str(number): part for number, part in enumerate(whole)}
    return whole if isinstance(whole, dict) and all(isinstance(key, str) for key in whole) else None


def from_parts(kind: type[T], parts: dict[str, Any]) -> T:
    """The object of these parts, without the checks of its constructor, which have passed before."""
    if issubclass(kind, tuple | list):
        values = [parts[str(number)] for number in range(len(parts))]
        return kind(*values) if hasattr(kind, "_fields") else kind(values)
    if issubclass(kind, dict):
        return parts  # type: ignore[return-value]
    whole = object.__new__(kind)
    for name, part in parts.items():
        object.__setattr__(whole, name, part)
    return whole

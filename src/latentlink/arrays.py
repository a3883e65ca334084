"""NumPy arrays at the public door (inside, everything is a tensor), and division where nothing may be divided by."""

import operator
from typing import Any

import numpy as np
import torch
from torch import Tensor


def as_tensor(name: str, value: Any) -> Tensor:
    """A tensor of any array, copied only where PyTorch cannot share it (read-only, reversed).

    Raises:
        ValueError: naming `name`, for what is no array of numbers.
    """
    if isinstance(value, np.ndarray) and (not value.flags.writeable or min(value.strides, default=0) < 0):
        value = value.copy()
    try:
        return torch.as_tensor(value)
    except (TypeError, RuntimeError, ValueError) as error:
        raise ValueError(f"{name} must be a tensor or an array of numbers, got {type(value).__name__} ({error})") from error


def finite(name: str, value: Any) -> Tensor:
    """A real or complex floating-point tensor of an array, checked at the public door; whole numbers become float64.

    Raises:
        ValueError: naming `name`, for NaN or infinite entries.
    """
    tensor = as_tensor(name, value)
    tensor = tensor if tensor.is_floating_point() or tensor.is_complex() else tensor.double()
    if not bool(tensor.isfinite().all()):
        raise ValueError(f"{name} has NaN or infinite entries")
    return tensor


def ratio(a: Tensor, b: Tensor) -> Tensor:
    """a / b where b > 0, else 0, with finite derivatives everywhere."""
    return torch.where(b > 0, a / torch.where(b > 0, b, 1.0), 0.0)


def root(a: Tensor) -> Tensor:
    """√a, with a finite derivative at 0."""
    return torch.where(a > 0, torch.where(a > 0, a, 1.0).sqrt(), 0.0)


def whole(name: str, value: object, least: int = 1) -> int:
    """A whole number, NumPy's too.

    Raises:
        ValueError: it is none, or below `least`.
    """
    if not isinstance(value, bool) and hasattr(value, "__index__"):
        number = operator.index(value)
        if number >= least:
            return number
    raise ValueError(f"{name} must be a whole number from {least}, got {value!r}")

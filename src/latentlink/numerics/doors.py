"""Argument checks of the public functions: arrays, numbers, objects, choices and sources of randomness, each in one function.

A public function checks its arguments once, here; inside, everything is a tensor or a Python number and nothing is checked again. What
does not pass a check is a ValueError that names the argument, its value and what was expected.
"""

import math
import mmap
import operator
from collections.abc import Collection
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlink.numerics.seeds import stream_generator

AnyArray = Tensor | NDArray[Any]  # what public functions take as an array of numbers


_LARGE = 1 << 26  # bytes from which a read-only array is lent to PyTorch, and no longer copied
_CHECKED = 1 << 20  # numbers that are checked at a time


def as_tensor(name: str, value: Any) -> Tensor:
    """The tensor of any array of numbers, copied only where its memory cannot be shared: reversed, big-endian and small read-only ones.

    The memory of a large read-only array, such as a mapped file, is shared: nothing here writes into what it was given.
    """
    if isinstance(value, np.ndarray) and min(value.strides, default=0) < 0:
        value = value.copy()
    if isinstance(value, np.ndarray) and not value.dtype.isnative:
        value = value.astype(value.dtype.newbyteorder("="))
    if isinstance(value, np.ndarray) and not value.flags.writeable:
        value = np.asarray(_Lent(value)) if value.nbytes > _LARGE and value.dtype.kind in "biufc" else value.copy()
    try:
        return torch.as_tensor(np.asarray(value) if isinstance(value, float | list | tuple) else value)  # Python's numbers are float64
    except (TypeError, RuntimeError, ValueError) as error:
        raise ValueError(f"{name} must be a tensor or an array of numbers, got {type(value).__name__} ({error})") from error


class _Lent:
    """A read-only array under an interface that does not say so: PyTorch has no read-only tensors, and warns of them."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array  # lives as long as what is made of it
        self.__array_interface__ = {**array.__array_interface__, "data": (array.ctypes.data, False)}


def as_array(name: str, value: Any) -> AnyArray:
    """An array of numbers whose parts can be taken one by one: a tensor, or a NumPy array as it is, which no part of is converted yet."""
    if isinstance(value, np.ndarray) and type(value) in (np.ndarray, np.memmap) and value.ndim > 0:
        as_tensor(name, value[:1])
        return value
    return as_tensor(name, value)


def release(value: object) -> None:
    """Let go of the memory in which a file was looked at that is mapped to be read; it is read again where it is looked at again."""
    while isinstance(value, np.ndarray):
        value = value.base
    if isinstance(value, mmap.mmap) and memoryview(value).readonly and hasattr(mmap, "MADV_DONTNEED"):
        value.madvise(mmap.MADV_DONTNEED)


def finite(name: str, value: Any) -> Tensor:
    """The real or complex floating-point tensor of a finite array; integers become float64."""
    tensor = as_tensor(name, value)
    tensor = tensor if tensor.is_floating_point() or tensor.is_complex() else tensor.double()
    rows = max(1, _CHECKED * len(tensor) // tensor.numel()) if tensor.numel() > _CHECKED else 0
    if not all(bool(part.isfinite().all()) for part in (tensor.split(rows) if rows else [tensor])):
        raise ValueError(f"{name} has NaN or infinite entries")
    return tensor


def integer(name: str, value: object, least: int = 1, most: int | None = None) -> int:
    """An integer between `least` and `most`, NumPy's integers included and booleans refused."""
    if not isinstance(value, bool | np.bool_) and hasattr(value, "__index__") and not (isinstance(value, Tensor) and value.numel() != 1):
        number = operator.index(value)
        if number >= least and (most is None or number <= most):
            return number
    bound = f"an integer >= {least}" if most is None else f"an integer from {least} to {most}"
    raise ValueError(f"{name} must be {bound}, got {value!r}")


def real(
    name: str, value: object, *, least: float = -math.inf, above: float = -math.inf, most: float = math.inf, below: float = math.inf
) -> float:
    """A finite real number in the interval that `least` or `above` and `most` or `below` describe; booleans are refused."""
    number = math.nan
    if (isinstance(value, int | float | np.number) and not isinstance(value, bool)) or (isinstance(value, Tensor) and value.numel() == 1):
        try:
            number = float(value)
        except (TypeError, OverflowError):
            number = math.nan
    if math.isfinite(number) and least <= number <= most and above < number < below:
        return number
    limits = [f"{sign} {bound:g}" for sign, bound in ((">=", least), (">", above), ("<=", most), ("<", below)) if math.isfinite(bound)]
    raise ValueError(f"{name} must be a finite number{' ' if limits else ''}{' and '.join(limits)}, got {value!r}")


def flag(name: str, value: object) -> bool:
    """A truth value, NumPy's included; numbers and words are refused, since every word would be true."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise ValueError(f"{name} must be True or False, got {value!r}")


def check_instance(name: str, value: object, kind: type, remedy: str) -> None:
    """Refuse anything but an object of a class or a protocol; the error says how such an object is made, the remedy."""
    if isinstance(value, type) or not isinstance(value, kind):
        what = f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}"
        got = value if value is None or isinstance(value, type) else type(value).__name__
        raise ValueError(f"{name} must be {what}, such as {remedy}, got {got}")


def choice(name: str, value: object, options: Collection[str]) -> str:
    """One of several words."""
    if isinstance(value, str) and value in options:
        return value
    raise ValueError(f"{name} must be one of {', '.join(options)}, got {value!r}")


def as_generator(
    seed: int | torch.Generator | None, drawn: str, device: torch.device | str | None = "cpu", name: str = "generator"
) -> torch.Generator | None:
    """The generator of a seed >= 0, or a generator, which must be on the device if one is given; None is PyTorch's global one.

    A seed stands for a stream of its own for each kind of what is `drawn`: a channel and the noise on it may have the same seed.
    """
    if seed is None:
        return None
    if isinstance(seed, torch.Generator):
        if device is not None and seed.device.type != torch.device(device).type:
            raise ValueError(f"{name} must be on {device}, got one on {seed.device}: torch.Generator({str(device)!r})")
        return seed
    if isinstance(seed, bool) or not hasattr(seed, "__index__"):
        raise ValueError(f"{name} must be a seed (an integer >= 0) or a torch.Generator, got {seed!r}")
    return stream_generator(integer(name, seed, 0, 2**64 - 1), drawn, device=device or "cpu")


def device_named(name: str | torch.device) -> torch.device:
    """The torch device of a name, such as cpu or cuda:0; a ValueError if it is unknown, or this machine does not have it."""
    try:
        torch.ones(1, device=name).item()  # the meta device holds nothing
        return torch.device(name)
    except (RuntimeError, TypeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"device {name!r} cannot be used here: {str(error).splitlines()[0]}") from error

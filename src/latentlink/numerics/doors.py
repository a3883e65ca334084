"""Argument checks of the public functions: arrays, numbers, objects, choices and sources of randomness, each in one function.

A public function checks its arguments once, here; inside, everything is a tensor or a Python number and nothing is checked again. What
does not pass a check is a ValueError that names the argument, its value and what was expected.
"""

import math
import mmap
from collections.abc import Collection
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlink.numerics.expectations import shown
from latentlink.numerics.seeds import stream_generator
from latentlink.numerics.validation import real_number, whole_number

MOST = 2**31 - 1  # of anything that is counted here
AnyArray = Tensor | NDArray[Any]  # what public functions take as an array of numbers


_LARGE = 1 << 26  # bytes from which a read-only array is lent to PyTorch, and no longer copied
_CHECKED = 1 << 20  # numbers that are checked at a time


def as_tensor(name: str, value: Any) -> Tensor:
    """The tensor of any array of numbers, copied only where its memory cannot be shared: reversed, big-endian and small read-only ones.

    The memory of a large read-only array, such as a mapped file, is shared: nothing here writes into what it was given.

    Raises:
        ValueError: it is no array of numbers, or its entries are not all there (masked, sparse, nested, meta); with the remedy.
    """
    if type(value).__module__.partition(".")[0] in ("pandas", "polars") and len(getattr(value, "shape", ())) == 1:
        value = value.to_numpy()  # a column
    _refuse_other_arrays(name, value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "fc" and value.dtype.char in "gG":  # PyTorch has no long double
        value = value.astype(np.float64 if value.dtype.kind == "f" else np.complex128)
    if isinstance(value, np.ndarray) and min(value.strides, default=0) < 0:
        value = value.copy()
    if isinstance(value, np.ndarray) and not value.dtype.isnative:
        value = value.astype(value.dtype.newbyteorder("="))
    if isinstance(value, np.ndarray) and not value.flags.writeable:
        value = np.asarray(_Lent(value)) if value.nbytes > _LARGE and value.dtype.kind in "biufc" else value.copy()
    try:
        numbers = np.asarray(value) if isinstance(value, float | list | tuple) else value  # Python's numbers are float64
        if isinstance(numbers, np.ndarray) and numbers.dtype.kind not in "biufc":
            raise TypeError(f"of {', '.join(dict.fromkeys(type(entry).__name__ for entry in value))}")
        return numbers if isinstance(numbers, Tensor) else torch.as_tensor(numbers, device="cpu")
    except (TypeError, RuntimeError, ValueError, OverflowError) as error:
        reason = f" ({str(error).splitlines()[0]})" if str(error) else ""
        raise ValueError(f"{name} must be a tensor or an array of numbers, got {type(value).__name__}{reason}") from error


def _refuse_other_arrays(name: str, value: Any) -> None:
    """Refuse what looks like an array and does not store a number for each entry, with what makes an array of it."""
    home, kind = type(value).__module__.partition(".")[0], type(value).__name__
    if isinstance(value, Tensor) and (kind == "MaskedTensor" or value.is_nested):
        remedy = "pad them, torch.nested.to_padded_tensor, or torch.stack those of one length"
        if kind == "MaskedTensor":
            remedy = f"drop the rows of masked entries in all arrays, or {name}.to_tensor(value) sets one"
        raise ValueError(
            f"{name} must be a tensor with a number for each entry, got a {'nested' if value.is_nested else 'masked'} one: {remedy}"
        )
    if isinstance(value, Tensor) and not (value.layout == torch.strided and not value.is_meta and not value.is_quantized):
        if value.is_meta:
            raise ValueError(f"{name} must be a tensor with its numbers, got one on the meta device, which holds none")
        remedy = f"{name}.dequantize()" if value.is_quantized else f"{name}.to_dense()"
        raise ValueError(f"{name} must be a dense tensor, got {'a quantised one' if value.is_quantized else value.layout}: {remedy}")
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        missing = int(np.ma.getmaskarray(value).sum())
        raise ValueError(
            f"{name} has {missing} masked entries, which hold no number: drop their rows in all arrays, or {name}.filled(value) sets one"
        )
    if isinstance(value, np.ndarray) and value.dtype.kind not in "biufc":
        kinds = {"O": "objects: np.stack(rows), or astype(float)", "U": "words", "S": "bytes", "M": "dates", "m": "durations"}
        raise ValueError(f"{name} must be an array of numbers, got one of {kinds.get(value.dtype.kind, f'records, {value.dtype}')}")
    if home in ("pandas", "polars", "pyarrow"):
        raise ValueError(f"{name} must be an array of numbers, got a {kind} of {home}: latentlink.read_latents({name}) reads it")
    if home == "scipy" and hasattr(value, "toarray"):
        raise ValueError(f"{name} must be a dense array, got a {kind} of scipy: {name}.toarray()")


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


def integer(name: str, value: object, least: int = 1, most: int = MOST) -> int:
    """An integer between `least` and `most`, NumPy's integers included and booleans refused."""
    number = whole_number(value)
    if number is not None and least <= number <= most:
        return number
    small = number < least if number is not None else not isinstance(value, int) or value < least  # beyond 64 bits there is no number
    bound = f"an integer >= {least}" if most >= MOST and small else f"an integer from {least} to {most}"
    raise ValueError(f"{name} must be {bound}, got {shown(value)}")


def real(
    name: str, value: object, *, least: float = -math.inf, above: float = -math.inf, most: float = math.inf, below: float = math.inf
) -> float:
    """A finite real number in the interval that `least` or `above` and `most` or `below` describe; booleans are refused."""
    number = real_number(value)
    if math.isfinite(number) and least <= number <= most and above < number < below:
        return number
    limits = [f"{sign} {bound:g}" for sign, bound in ((">=", least), (">", above), ("<=", most), ("<", below)) if math.isfinite(bound)]
    raise ValueError(f"{name} must be a finite number{' ' if limits else ''}{' and '.join(limits)}, got {shown(value)}")


def flag(name: str, value: object) -> bool:
    """A truth value, NumPy's included; numbers and words are refused, since every word would be true."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise ValueError(f"{name} must be True or False, got {shown(value)}")


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
    raise ValueError(f"{name} must be one of {', '.join(options)}, got {shown(value)}")


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
        raise ValueError(f"{name} must be a seed (an integer >= 0) or a torch.Generator, got {shown(seed)}")
    return stream_generator(integer(name, seed, 0, 2**64 - 1), drawn, device=device or "cpu")


def device_named(name: str | torch.device) -> torch.device:
    """The torch device of a name, such as cpu or cuda:0; a ValueError if it is unknown, or this machine does not have it."""
    try:
        torch.ones(1, device=name).item()  # the meta device holds nothing
        return torch.device(name)
    except (RuntimeError, TypeError, ValueError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        if "backend" in reason:  # of an operator, which says nothing of the device
            reason = "this build of PyTorch does not have it, or this machine lacks it; cpu is always there"
        raise ValueError(f"device {str(name)!r} cannot be used here: {reason}") from error


def device_or_precision(name: str, target: torch.device | torch.dtype | str) -> torch.device | torch.dtype:
    """What `to` may be given: a device of this machine, or float32 or float64 (or a shorter real dtype)."""
    if isinstance(target, torch.dtype):
        if not target.is_floating_point:
            raise ValueError(f"{name} must be a device or a real floating dtype, such as torch.float32, got {target}")
        return target
    try:
        return device_named(target)
    except ValueError as error:
        raise ValueError(f"{name} must be a device or a real floating dtype: {error}") from error

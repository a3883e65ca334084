"""What channels are made of, checked: complex matrices, numbers that are not negative, and batches that broadcast."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latentlink.numerics.doors import AnyArray, as_tensor

Scalars = AnyArray | float | np.number[Any] | Sequence[Any]


def complex_matrices(name: str, value: AnyArray, ndim: int, shape: str) -> Tensor:
    """Finite complex matrices of at least `ndim` axes, none of the last ones empty; ValueError naming `name` for others."""
    matrices = as_tensor(name, value)
    if not matrices.is_complex():
        raise ValueError(f"{name} must be complex baseband coefficients, amplitudes with phases, got {matrices.dtype}, which has no phases")
    if matrices.ndim < ndim or 0 in matrices.shape[-ndim:]:
        remedy = f": give its uses an axis, {name}.unsqueeze(-3) for one" if matrices.ndim == ndim - 1 and "uses" in shape else ""
        raise ValueError(f"{name} must have shape {shape}, got {tuple(matrices.shape)}{remedy}")
    # of real and imaginary parts, since absolute values of complex numbers take several times as long
    largest = float(torch.view_as_real(matrices.detach().resolve_conj()).abs().max()) if matrices.numel() else 0.0
    if not math.isfinite(largest):
        raise ValueError(f"{name} has NaN or infinite entries")
    if largest > (torch.finfo(matrices.real.dtype).max / matrices.shape[-ndim:].numel() / 2) ** 0.5 and matrices.dtype != torch.complex32:
        raise ValueError(f"{name} has entries up to {largest:.1e}, whose squares overflow {matrices.real.dtype}: bring it to mean |h|² = 1")
    return matrices


def not_negative(name: str, value: Scalars, like: Tensor) -> Tensor:
    """Finite real numbers >= 0 in the precision and on the device of a tensor; ValueError naming `name` for others."""
    values = real_numbers(name, value, like)
    if not values.isfinite().all() or (values < 0).any():
        raise ValueError(f"{name} must be finite and not negative, got {values.tolist() if values.numel() < 9 else tuple(values.shape)}")
    return values


def real_numbers(name: str, value: Scalars, like: Tensor) -> Tensor:
    """Real numbers in the precision and on the device of a tensor; ValueError naming `name` for others."""
    if isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be a number or an array of numbers, got {value}")
    values = as_tensor(name, value)
    if values.is_complex():
        raise ValueError(f"{name} must be real, got complex numbers")
    return values.to(dtype=like.real.dtype, device=like.device)


def broadcast(**shapes: torch.Size) -> torch.Size:
    """The common batch of shapes; a ValueError names those that do not broadcast."""
    try:
        return torch.Size(torch.broadcast_shapes(*shapes.values()))
    except RuntimeError as error:
        got = ", ".join(f"{name} {tuple(shape)}" for name, shape in shapes.items())
        raise ValueError(f"batch shapes must broadcast, got {got}") from error

"""Rows of latents at the public door: what every function that takes latents asks of them, and how they are taken a chunk at a time."""

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.numerics.doors import AnyArray, as_array, finite, release

CHUNK = 4096  # rows centred at a time: large enough for the matrix products, small beside the data


def as_latents(name: str, value: AnyArray) -> Float[Tensor, "n d"]:
    """Check latents at the public door: a real, finite, non-empty matrix, tensor or NumPy array.

    Raises:
        ValueError: naming `name`, for complex, non-matrix, empty, NaN or infinite input.
    """
    latents = finite(name, value).detach()  # latents that an encoder computed with gradients would keep its graph in memory
    _check_shape(name, tuple(latents.shape), latents.is_complex())
    return latents


def _check_shape(name: str, shape: tuple[int, ...], is_complex: bool) -> None:
    if is_complex:
        raise ValueError(f"{name} must be real latents of shape (n, dim), got complex {shape}")
    if len(shape) != 2:
        several = f": pool its axes, {name}.mean(1), {name}[:, 0] or {name}.flatten(1)" if len(shape) > 2 else ""
        raise ValueError(f"{name} must have shape (n, dim), got {shape}{several}")
    if 0 in shape:
        raise ValueError(f"{name} is empty, got shape {shape}; at least one latent of one dimension is needed")


class LatentChunks:
    """Latents at the public door that are looked at, converted and checked a chunk of rows at a time.

    Attributes:
        count: n, number of rows.
        dimension: d of a latent.

    Raises:
        ValueError: as `as_latents`; for NaN and infinite entries when their chunk is taken.
    """

    def __init__(self, name: str, value: AnyArray) -> None:
        self.name, self.value = name, as_array(name, value)
        shape = tuple(self.value.shape)
        _check_shape(name, shape, self.value.is_complex() if isinstance(self.value, Tensor) else self.value.dtype.kind == "c")
        self.count, self.dimension = shape

    def __getitem__(self, rows: slice) -> Float[Tensor, "rows d"]:
        return finite(self.name, self.value[rows]).detach()

    def taken(self, numbers: list[int]) -> Float[Tensor, "rows d"]:
        """Copies of some of the rows, without looking at all of a file at once; at least one number."""
        parts = [self[slice(number, number + 1)].clone() for number in numbers]
        self.release()
        return torch.cat(parts)

    def release(self) -> None:
        """Let go of the memory in which a mapped file was looked at so far."""
        release(self.value)


def as_pairs(x: AnyArray, y: AnyArray) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n m"]]:
    """Check paired latents at the public door; raises as `as_latents`, and where x and y differ in length."""
    x, y = as_latents("x", x), as_latents("y", y)
    if len(x) != len(y):
        raise ValueError(f"x and y must pair row by row, got {len(x)} and {len(y)} rows")
    return x, y


def paired_chunks(x: AnyArray, y: AnyArray) -> tuple[LatentChunks, LatentChunks]:
    """Take paired latents at the public door a chunk at a time; raises as `LatentChunks`, and where x and y differ in length."""
    ends = LatentChunks("x", x), LatentChunks("y", y)
    if ends[0].count != ends[1].count:
        raise ValueError(f"x and y must pair row by row, got {ends[0].count} and {ends[1].count} rows")
    return ends

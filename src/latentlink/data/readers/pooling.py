"""Pooling: one vector an observation from token latents (n, T, d) and feature maps (n, C, H, W)."""

from typing import Literal, get_args

import numpy as np

from latentlink.data.readers.content import Array, FileContentError

Pooling = Literal["cls", "mean", "max", "flatten"]


def pool_latents(origin: str, array: Array, pool: Pooling | None) -> Array:
    """Bring an array to (n, d).

    Args:
        origin: where it comes from, for messages.
        array: (n, d), tokens (n, T, d), or feature maps (n, C, H, W) as PyTorch lays them out, channels first.
        pool: "cls" takes the first token, "mean" and "max" pool over all tokens or all positions, and "flatten" makes one vector of
            everything. Not needed for (n, d), nor where there is a single token (n, 1, d) or position (n, C, 1, 1).

    Returns:
        Latents (n, d); for (n, d) the array itself.

    Raises:
        FileContentError: another number of axes, tokens without `pool`, or "cls" for feature maps, which have no class token.
    """
    if pool is not None and pool not in get_args(Pooling):
        raise ValueError(f"pool must be one of {', '.join(get_args(Pooling))} or None, got {pool!r}")
    if array.ndim == 2:
        return array
    if array.ndim not in (3, 4):
        remedy = "; rows that were saved one by one are joined by torch.stack or np.stack before" if array.ndim == 1 else ""
        raise FileContentError(f"{origin}: got shape {array.shape}, expected (n, d), tokens (n, T, d) or feature maps (n, C, H, W){remedy}")
    if pool == "flatten":
        return array.reshape(len(array), -1)
    if array.ndim == 3 and array.shape[1] == 1:
        return array[:, 0]
    if array.ndim == 4 and array.shape[2:] == (1, 1):
        return array[:, :, 0, 0]
    if pool is None:
        tokens = "tokens (n, T, d): choose pool='cls', 'mean', 'max' or 'flatten'"
        maps = "feature maps (n, C, H, W): choose pool='mean', 'max' or 'flatten'"
        what = tokens if array.ndim == 3 else maps
        raise FileContentError(f"{origin}: got shape {array.shape}, {what} (--pool on the command line)")
    if pool == "cls":
        if array.ndim == 4:
            raise FileContentError(f"{origin}: got feature maps {array.shape}, which have no class token: pool by mean, max or flatten")
        return array[:, 0]
    axes = (1,) if array.ndim == 3 else (2, 3)
    return _mean(array, axes) if pool == "mean" else array.max(axes)


def _mean(array: Array, axes: tuple[int, ...]) -> Array:
    """Means in at least single precision, which half precision would overflow."""
    narrow = array.dtype.kind != "f" or array.dtype.itemsize < 4
    return array.mean(axes, dtype=np.float32 if narrow else array.dtype)

"""What every link offers: encode at the transmitter, receive and decode at the receiver, and a head that is folded into the decoder."""

from abc import ABC, abstractmethod
from math import isfinite
from typing import Any

import numpy as np

from latentlink_runtime.tasks.head import Head

Array = np.ndarray[Any, Any]


class Link(ABC):
    """A semantic precoder and decoder for a batch `...` of channels of u uses.

    Attributes:
        synthesis: Ψ (m, s), directions of the coefficients at the receiver.
        mean_x: μx (d,), mean of the transmitter's latents.
        mean_y: μy (m,), mean of the receiver's latents.
    """

    synthesis: Array
    mean_x: Array
    mean_y: Array

    @abstractmethod
    def encode(self, x: Array) -> Array:
        """Channel symbols s (…, n, u, n_tx), complex, of latents x (n, d) or (…, n, d)."""

    @abstractmethod
    def receive(self, r: Array) -> Array:
        """Coefficients ẑ (…, n, s) of received symbols r (…, n, u, n_rx)."""

    def decode(self, r: Array) -> Array:
        """Latents ŷ = μy + Ψ ẑ (…, n, m) of received symbols r (…, n, u, n_rx); raises as `receive`."""
        return self.receive(r) @ self.synthesis.T + self.mean_y

    def folded(self, head: Head) -> Head:
        """The head on coefficients in place of latents, (W Ψ) ẑ + W μy + b: a receiver that only decides never forms a latent.

        Its outputs, `link.folded(head)(link.receive(r))`, are those of `head(link.decode(r))`.

        Raises:
            ValueError: the head takes latents of another dimension.
        """
        if head.weight.shape[1] != len(self.mean_y):
            raise ValueError(f"head must take latents of {len(self.mean_y)} dimensions, got {head.weight.shape[1]}")
        dtype = self.synthesis.dtype
        weight, bias = head.weight @ self.synthesis, head.weight @ self.mean_y + head.bias
        return Head(np.ascontiguousarray(weight, dtype), bias.astype(dtype), head.classes)


def check_latents(x: Any, d: int, dtype: Any) -> Array:
    """Latents (…, n, d) in the precision of a link; ValueError for others."""
    x = np.asarray(x)
    if x.dtype.kind == "c" or x.ndim < 2 or x.shape[-1] != d:
        raise ValueError(f"x must be real latents of shape (..., n, {d}), got {x.dtype} {x.shape}")
    x = x.astype(dtype, copy=False)
    if not isfinite(x.sum()) and not np.isfinite(x).all():
        raise ValueError("x has NaN or infinite entries, or entries beyond the precision of the link")
    return x


def check_received(r: Any, uses: int, n_rx: int, dtype: Any) -> Array:
    """Received symbols (…, n, u, n_rx) as interleaved real and imaginary parts (…, n, 2 u n_rx); ValueError for others."""
    r = np.asarray(r)
    if r.dtype.kind != "c" or r.ndim < 3 or r.shape[-2:] != (uses, n_rx):
        raise ValueError(f"r must be complex symbols of shape (..., n, {uses}, {n_rx}), got {r.dtype} {r.shape}")
    pairs = np.complex64 if dtype == np.float32 else np.complex128
    flat = np.ascontiguousarray(r, pairs).reshape(*r.shape[:-2], uses * n_rx).view(dtype)
    if not isfinite(flat.sum()) and not np.isfinite(flat).all():
        raise ValueError("r has NaN or infinite entries")
    return flat


def interleave(beams: Array) -> Array:
    """Real and imaginary parts beside each other (…, 2 a) of complex entries (…, a)."""
    return np.ascontiguousarray(beams).view(beams.real.dtype)

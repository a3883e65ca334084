"""Spatial modes: the parallel symbols that the SVD of every channel use offers, H_u = U_u diag(h_u) V_uᴴ, pooled over the uses."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from latentlink_runtime.channels.channel import Channel

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class SpatialModes:
    """q = min(n_rx, n_tx) symbols in each of u uses.

    Attributes:
        amplitude: h ≥ 0 (…, u, q); values below the numerical rank are zero.
        transmit: V (…, u, n_tx, q), a beam for each symbol.
        receive: U (…, u, n_rx, q), a combiner for each symbol.
    """

    amplitude: Array
    transmit: Array
    receive: Array

    @classmethod
    def of(cls, channel: Channel) -> "SpatialModes":
        """The SVD of every use; its phases make the largest entry of each beam real and positive."""
        once = channel.h[..., :1, :, :] if channel.is_block_fading else channel.h
        U, amplitude, Vh = np.linalg.svd(once, full_matrices=False)
        V = np.conj(np.swapaxes(Vh, -1, -2))
        largest = np.take_along_axis(V, np.abs(V).argmax(-2, keepdims=True), -2)
        phase = np.conj(largest / np.abs(largest))
        cut = max(channel.n_rx, channel.n_tx) * np.finfo(amplitude.dtype).eps * amplitude[..., :1]
        uses = channel.h.shape[:-2]
        return cls(
            np.broadcast_to(np.where(amplitude > cut, amplitude, 0.0), (*uses, amplitude.shape[-1])),
            np.broadcast_to(V * phase, (*uses, *V.shape[-2:])),
            np.broadcast_to(U * phase, (*uses, *U.shape[-2:])),
        )

    def pooled(self) -> tuple[Array, Array]:
        """The amplitudes (…, u q) of the symbols of all uses, strongest first, and the number of each among u × q."""
        flat = self.amplitude.reshape(*self.amplitude.shape[:-2], -1)
        order = np.argsort(-flat, -1, kind="stable")
        return np.take_along_axis(flat, order, -1), order


def beams_of_uses(beams: Array, order: Array) -> Array:
    """Beams (…, u a, u q) over the antennas of all uses, each within its own use, in this order, of beams (…, u, a, q)."""
    uses, antennas, q = beams.shape[-3:]
    every = np.zeros((*beams.shape[:-3], uses, antennas, uses, q), beams.dtype)
    for use in range(uses):
        every[..., use, :, use, :] = beams[..., use, :, :]
    every = every.reshape(*beams.shape[:-3], uses * antennas, uses * q)
    return np.take_along_axis(every, order[..., None, :], -1)

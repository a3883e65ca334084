"""The exact linear design for a channel, from the semantic modes of a pair file.

With the modes (Φ, Ψ, b) and the spatial modes H = U diag(h) Vᴴ, N = σ²/2 (an error of the channel counts as noise),

    F = V diag(√p) Φ,        G = Ψ diag( h √p / (h² p + N) ) Uᴴ,        p by MSE water-filling of u·P over b_i and h_i,

strongest with strongest. This minimises the (weighted) error of the latent under a budget on the mean power of the message.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from latentlink_runtime.artifacts.artifact_file import Tensors, check_arrays, whole
from latentlink_runtime.channels.channel import Channel
from latentlink_runtime.channels.spatial import SpatialModes
from latentlink_runtime.linear.link import LinearLink
from latentlink_runtime.numerics.waterfilling import mse_waterfilling, ratio

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class LinearDesign:
    """Semantic modes of a pair of devices; `design` makes a link for any channel in microseconds.

    Attributes:
        analysis: Φ (k, d), directions at the transmitter.
        synthesis: Ψ (m, k), directions at the receiver.
        strength: b (k,), falling.
        mean_x: μx (d,).
        mean_y: μy (m,).
        most: number of real streams at most, two a symbol, where modes beyond it were left out; None where the pair has all its modes.

    Example:
        >>> import numpy as np, latentlink_runtime as lr
        >>> pair = lr.load("runtime/conformance/pair.safetensors")
        >>> link = pair.design(lr.Channel(np.eye(2, dtype=complex)[None], noise_variance=0.01))
        >>> link.encode(np.zeros((5, 24))).shape  # five messages, one use, two antennas
        (5, 1, 2)
    """

    analysis: Array
    synthesis: Array
    strength: Array
    mean_x: Array
    mean_y: Array
    most: int | None = None

    @classmethod
    def from_file(cls, tensors: Tensors, manifest: dict[str, Any]) -> "LinearDesign":
        """The modes of a file of the kind "pair" or "device pair"; ValueError where its arrays do not fit together."""
        k, d, m = (whole(manifest, name) for name in ("modes", "tx_dim", "rx_dim"))
        check_arrays(tensors, {"analysis": (k, d), "synthesis": (m, k), "strength": (k,), "mean_x": (d,), "mean_y": (m,)})
        cut = manifest["kind"] == "device pair" and "max_symbols" in manifest
        return cls(
            **{name: tensors[name] for name in ("analysis", "synthesis", "strength", "mean_x", "mean_y")},
            most=2 * whole(manifest, "max_symbols") if cut else None,
        )

    def design(self, channel: Channel, spatial: SpatialModes | None = None) -> LinearLink:
        """The exact linear link for every channel (…, u, n_rx, n_tx) of a batch, in float32; `spatial` has its modes, or else the SVD.

        Raises:
            ValueError: the channel has more symbols than the modes of a file for devices were kept for.
        """
        channel = channel.astype(np.float64)
        spatial = SpatialModes.of(channel) if spatial is None else spatial
        uses, q = spatial.amplitude.shape[-2:]
        if self.most is not None and 2 * uses * q > self.most:
            raise ValueError(f"channel must have at most {self.most // 2} symbols for this file, got {uses * q}; export it for more")
        pooled, order = spatial.pooled()
        count = min(len(self.strength), 2 * uses * q)
        h = np.repeat(pooled[..., : -(-count // 2)], 2, -1)[..., :count]
        N = channel.effective_noise / 2
        p = mse_waterfilling(np.broadcast_to(self.strength[:count], h.shape), h, N, uses * channel.power)
        first = order // q * 2 * q + order % q  # slot of the real part; the imaginary part is q further
        streams = np.stack([first, first + q], -1).reshape(*order.shape[:-1], -1)[..., :count]
        gain = ratio(h * np.sqrt(p), h**2 * p + N[..., None])

        def on_slots(values: Array) -> Array:
            slots = np.zeros((*values.shape[:-1], uses * 2 * q))
            np.put_along_axis(slots, streams, values, -1)
            return slots.reshape(*values.shape[:-1], uses, 2 * q)

        precoder = _embedded(spatial.transmit) * on_slots(np.sqrt(p))[..., None, :]
        decoder = np.swapaxes(_embedded(spatial.receive) * on_slots(gain)[..., None, :], -1, -2)
        return LinearLink(
            analysis=np.ascontiguousarray(self.analysis[:count], np.float32),
            synthesis=np.ascontiguousarray(self.synthesis[:, :count], np.float32),
            mean_x=self.mean_x.astype(np.float32),
            mean_y=self.mean_y.astype(np.float32),
            streams=streams,
            precoder=np.ascontiguousarray(precoder, np.float32),
            decoder=np.ascontiguousarray(decoder, np.float32),
            channel=channel.astype(np.float32),
        )


def _embedded(beams: Array) -> Array:
    """Real matrices [[Re, −Im], [Im, Re]] (…, 2 a, 2 q) of complex beams (…, a, q)."""
    upper, lower = np.concatenate([beams.real, -beams.imag], -1), np.concatenate([beams.imag, beams.real], -1)
    return np.concatenate([upper, lower], -2)

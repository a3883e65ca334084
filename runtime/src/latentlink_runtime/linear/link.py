"""The linear link: one pair of matrices for each channel.

It sends s = F̃ z with the coefficients z = Φ (x − μx), and receives ŷ = μy + Ψ ẑ with ẑ = G̃ r. F̃ and G̃ are real, acting on real
and imaginary parts (widely linear), and block-diagonal over groups of channel uses; `streams` says which slot of which group carries which
mode.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from latentlink_runtime.artifacts.artifact_file import Tensors, check_arrays, whole
from latentlink_runtime.channels.channel import Channel
from latentlink_runtime.linear.base import Link, check_latents, check_received, interleave
from latentlink_runtime.linear.limit import Limit

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class LinearLink(Link):
    """Semantic precoder and decoder (see the module); s streams, g groups of w channel uses, q symbols a group.

    Attributes:
        analysis: Φ (s, d).
        synthesis: Ψ (m, s).
        mean_x: μx (d,).
        mean_y: μy (m,).
        streams: (…, s), the slot of each mode among g × 2q, real parts before imaginary parts in each group.
        precoder: F̃ (…, g, 2 w n_tx, 2q).
        decoder: G̃ (…, g, 2q, 2 w n_rx).
        channel: what the decoder is matched to; its power is the budget.
        moments_zz: E[z' z'ᵀ] (…, g, 2q, 2q) of the coefficients that are sent; None where it is I.
        moments_tz: E[t z'ᵀ] (…, g, 2q, 2q) with the coefficients that the receiver wants; None where it is I.
        limit: what the budget limits.
        awaits_channel: True if the decoder has to be matched to what the receiver measures before anything is received.

    Example:
        >>> import numpy as np, latentlink_runtime as lr
        >>> link = lr.load("runtime/conformance/link-mean-4x4-2.safetensors")
        >>> s = link.encode(np.zeros((5, 24)))
        >>> s.shape, link.decode(s).shape
        ((5, 2, 4), (5, 18))
    """

    analysis: Array
    synthesis: Array
    mean_x: Array
    mean_y: Array
    streams: Array
    precoder: Array
    decoder: Array
    channel: Channel
    moments_zz: Array | None = None
    moments_tz: Array | None = None
    limit: Limit = field(default_factory=Limit)
    awaits_channel: bool = False

    def __post_init__(self) -> None:
        groups, slots = self.precoder.shape[-3], self.precoder.shape[-1]
        if self.streams.size and not 0 <= self.streams.min() <= self.streams.max() < groups * slots:
            raise ValueError(
                f"streams must be numbers of the {groups * slots} real streams, got {self.streams.min()} to {self.streams.max()}"
            )
        object.__setattr__(self, "_sent", interleave(self._of_streams(self._beams())))
        parts = self.decoder.reshape(*self.decoder.shape[:-1], 2, -1, self.channel.n_rx)  # (…, g, 2q, 2, w, n_rx)
        weights = np.moveaxis(parts[..., 0, :, :] - 1j * parts[..., 1, :, :], -3, -1)  # ẑ = Re Σ G r
        received = interleave(np.conj(self._of_streams(weights)))
        object.__setattr__(self, "_received", np.swapaxes(received, -1, -2))

    @classmethod
    def from_file(cls, tensors: Tensors, manifest: dict[str, Any]) -> "LinearLink":
        """The link of a file of the kind "link"."""
        names = ("analysis", "synthesis", "mean_x", "mean_y", "streams", "precoder", "decoder")
        channel = channel_from(tensors, manifest)
        s, d, m = whole(manifest, "streams"), whole(manifest, "tx_dim"), whole(manifest, "rx_dim")
        check_arrays(tensors, {"analysis": (s, d), "synthesis": (m, s), "mean_x": (d,), "mean_y": (m,)})
        check_arrays(tensors, {"streams": (s,)}, (np.int64,), channel.batch)
        groups, slots = tensors["precoder"].shape[-3], tensors["precoder"].shape[-1]
        if groups < 1 or channel.uses % groups:
            raise ValueError(f"precoder must have groups of the {channel.uses} uses, got {groups} of them")
        width = 2 * channel.uses // groups
        shapes = {"precoder": (groups, width * channel.n_tx, slots), "decoder": (groups, slots, width * channel.n_rx)}
        shapes |= {name: (groups, slots, slots) for name in ("moments_zz", "moments_tz") if name in tensors}
        check_arrays(tensors, shapes, batch=channel.batch)
        return cls(
            **{name: tensors[name] for name in names},
            channel=channel,
            moments_zz=tensors.get("moments_zz"),
            moments_tz=tensors.get("moments_tz"),
            limit=Limit.from_manifest(manifest),
            awaits_channel=bool(manifest.get("awaits_channel", False)),
        )

    def encode(self, x: Array) -> Array:
        """Channel symbols s (…, n, u, n_tx) of latents x (n, d) or (…, n, d), in the link's precision.

        Raises:
            ValueError: x is complex or not finite, or its last dimension is not d.
        """
        x = check_latents(x, len(self.mean_x), self.analysis.dtype)
        sent: Array = ((x - self.mean_x) @ self.analysis.T) @ self._sent  # type: ignore[attr-defined]
        s = sent.view(np.result_type(sent.dtype, np.complex64)).reshape(*sent.shape[:-1], self.channel.uses, self.channel.n_tx)
        if not self.limit.limits_messages:
            return s
        budget = (self.channel.uses * self.channel.power)[..., None]
        return s * self.limit.gain((sent**2).sum(-1), budget.astype(sent.dtype))[..., None, None].astype(sent.dtype)

    def receive(self, r: Array) -> Array:
        """Coefficients ẑ (…, n, s) of received symbols r (…, n, u, n_rx).

        Raises:
            ValueError: r is real or not finite, its uses or antennas are not the channel's, or the decoder has not been matched yet.
        """
        if self.awaits_channel:
            raise ValueError("link must be matched to the channel that its receiver measures: link.matched_to(channel)")
        flat = check_received(r, self.channel.uses, self.channel.n_rx, self.decoder.dtype)
        received: Array = flat @ self._received  # type: ignore[attr-defined]
        return received

    def matched_to(self, channel: Channel) -> "LinearLink":
        """The same precoder with the LMMSE decoder for another channel, G = E[t z'ᵀ] Mᵀ (M E[z' z'ᵀ] Mᵀ + C)^{-1}, M = H F̃.

        C is the covariance of the noise and, where the channel is known only up to an error E, of E s, that error times the signal.

        Raises:
            ValueError: the transmit antennas or uses differ from the precoder's.
        """
        if (channel.uses, channel.n_tx) != (self.channel.uses, self.channel.n_tx):
            raise ValueError(
                f"channel must have {self.channel.uses} uses of {self.channel.n_tx} transmit antennas, got {channel.uses} of {channel.n_tx}"
            )
        dtype, channel = self.precoder.dtype, channel.astype(np.float64)
        batch = np.broadcast_shapes(channel.batch, self.streams.shape[:-1])
        M = self._effective(channel)
        sent = M if self.moments_zz is None else M @ self.moments_zz
        wanted = _transposed(M) if self.moments_tz is None else self.moments_tz @ _transposed(M)
        covariance = sent @ _transposed(M) + self._disturbance(channel)
        size = covariance.shape[-1]
        loading = np.finfo(np.float64).eps * np.trace(covariance, axis1=-2, axis2=-1)  # keeps it definite where there is no noise
        covariance = covariance + np.where(loading > 0, loading, 1)[..., None, None] * np.eye(size)
        decoder = np.ascontiguousarray(_transposed(np.linalg.solve(covariance, _transposed(wanted))), dtype)
        known = channel.astype(dtype).with_power(self.channel.power)
        changed: dict[str, Any] = {"decoder": decoder, "channel": known, "awaits_channel": False}
        for name, own in (("streams", 1), ("precoder", 3), ("moments_zz", 3), ("moments_tz", 3)):
            if (value := getattr(self, name)) is not None:
                changed[name] = np.broadcast_to(value, (*batch, *value.shape[value.ndim - own :]))
        return replace(self, **changed)

    def _beams(self) -> Array:
        """F̃ as complex beams (…, g, w, n_tx, 2q), one for each real slot, group and use."""
        parts = self.precoder.reshape(*self.precoder.shape[:-2], 2, -1, self.channel.n_tx, self.precoder.shape[-1])
        beams: Array = parts[..., 0, :, :, :] + 1j * parts[..., 1, :, :, :]
        return beams.astype(np.result_type(self.precoder.dtype, np.complex64))

    def _of_streams(self, weights: Array) -> Array:
        """Weights (…, s, u a) of the streams on the antennas of all uses, of weights (…, g, w, a, 2q) of the slots of each group."""
        groups, width, antennas, slots = weights.shape[-4:]
        every = np.zeros((*weights.shape[:-4], groups, slots, groups, width * antennas), weights.dtype)
        for group in range(groups):
            every[..., group, :, group, :] = np.swapaxes(weights[..., group, :, :, :].reshape(*weights.shape[:-4], -1, slots), -1, -2)
        every = every.reshape(*weights.shape[:-4], groups * slots, groups * width * antennas)
        return np.take_along_axis(every, self.streams[..., None], -2)

    def _effective(self, channel: Channel) -> Array:
        """M = H F̃ (…, g, 2 w n_rx, 2q) of each group of uses, in real coordinates."""
        F = self._beams()
        received = channel.h.reshape(*channel.batch, *F.shape[-4:-2], channel.n_rx, channel.n_tx) @ F
        flat = received.reshape(*received.shape[:-3], -1, received.shape[-1])
        return np.concatenate([flat.real, flat.imag], -2)

    def _disturbance(self, channel: Channel) -> Array:
        """C: σ²/2 I plus the covariance of E s for a channel error of variance τ, correlated over uses that share one error."""
        F = self._beams()
        width = F.shape[-3]
        sent = F if self.moments_zz is None else F @ self.moments_zz[..., None, :, :]
        if channel.is_block_fading:
            flat = F.reshape(*F.shape[:-2], -1)
            correlation = sent.reshape(*sent.shape[:-2], -1) @ np.conj(np.swapaxes(flat, -1, -2))
        else:
            correlation = (sent * F.conj()).sum((-2, -1))[..., None] * np.eye(width, dtype=F.dtype)
        noise = channel.noise_variance[..., None, None, None] * np.eye(width) + channel.error_variance[..., None, None, None] * correlation
        per_antenna = np.kron(noise, np.eye(channel.n_rx)) if noise.ndim == 2 else _kron_eye(noise, channel.n_rx)
        embedded = np.block([[per_antenna.real, -per_antenna.imag], [per_antenna.imag, per_antenna.real]])
        disturbance: Array = embedded / 2
        return disturbance


def channel_from(tensors: Tensors, manifest: dict[str, Any]) -> Channel:
    """The channel of a saved link; complex matrices are stored as pairs of real numbers.

    Raises:
        ValueError: an array has another shape, or the link was designed for interference, which devices do not serve.
    """
    if "channel.interference" in tensors:
        raise ValueError(
            "channel.interference must not be in the file of a device's link: the runtime serves white noise only; design the link without "
            "it, with its mean power in noise_variance"
        )
    sizes, batch = (whole(manifest, name) for name in ("channel_uses", "n_rx", "n_tx")), tuple(manifest["channels"])
    check_arrays(tensors, {"channel.h": (*batch, *sizes, 2)})
    numbers = ("noise_variance", "power", "error_variance")
    check_arrays(tensors, {f"channel.{name}": () for name in numbers}, batch=batch)
    noise_variance, power, error_variance = (tensors[f"channel.{name}"] for name in numbers)
    return Channel(complex_from(tensors["channel.h"]), noise_variance, power, error_variance=error_variance)


def complex_from(pairs: Array) -> Array:
    """Complex numbers of pairs of real ones in the last axis."""
    return np.ascontiguousarray(pairs).view(np.result_type(pairs.dtype, np.complex64))[..., 0]


def _kron_eye(matrix: Array, size: int) -> Array:
    """The Kronecker product with the identity (…, w size, w size) of matrices (…, w, w)."""
    product = matrix[..., :, None, :, None] * np.eye(size)[None, :, None, :]
    return product.reshape(*matrix.shape[:-2], matrix.shape[-2] * size, -1)


def _transposed(matrix: Array) -> Array:
    return np.swapaxes(matrix, -1, -2)

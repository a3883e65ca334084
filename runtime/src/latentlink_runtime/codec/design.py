"""The codec's design for a channel: the linear design's streams, the networks at their SNRs, a gate, and the power at the budget."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from latentlink_runtime.artifacts.artifact_file import Tensors, check_arrays, whole
from latentlink_runtime.channels.channel import Channel
from latentlink_runtime.codec.ends import Ends, carry, precode
from latentlink_runtime.codec.link import CodecLink
from latentlink_runtime.codec.network import Network
from latentlink_runtime.codec.power_fit import PowerFit
from latentlink_runtime.codec.streams import Beams, Streams, place_streams
from latentlink_runtime.linear.design import LinearDesign
from latentlink_runtime.linear.limit import Limit
from latentlink_runtime.numerics.waterfilling import ratio

Array = np.ndarray[Any, Any]

SYMBOLS = (1, 2, 3, 4, 6, 8, 12)  # a channel's kind counts how many of these numbers its symbols are above
BITS = (0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0, 8.0)  # per symbol, likewise


@dataclass(frozen=True, eq=False)
class CodecDesign:
    """Networks for every channel of up to `most` real streams.

    Attributes:
        modes: the semantic modes that the codec works in; of a file for devices Φ and Ψ are zero where the networks do not use them.
        covariance: variances (k,) of their coefficients.
        encoder: the transmitter's network.
        decoder: the receiver's network.
        inputs: modes that the encoder reads.
        outputs: modes that the decoder gives.
        latents: coordinates (c, k) of pilots, by which the mean energy of the symbols at a channel is set.
        gate: which kinds of channels the networks serve (symbols, bits).
        limit: the power limit.
        ceiling: strongest amplitude that the networks were trained on, by number of symbols.
        most: number of streams at most.
        power: what the networks spend as a function of the channel; None measures it on the latents, at every channel.

    Example:
        >>> import numpy as np, latentlink_runtime as lr
        >>> codec = lr.load("runtime/conformance/codec-mean.safetensors")
        >>> carriers = np.broadcast_to(np.eye(2, dtype=complex), (48, 1, 2, 2))  # a link for each of 48 carriers, in one call
        >>> codec.design(lr.Channel(carriers, noise_variance=0.01)).encode(np.zeros((5, 24))).shape
        (48, 5, 1, 2)
    """

    modes: LinearDesign
    covariance: Array
    encoder: Network
    decoder: Network
    inputs: Array
    outputs: Array
    latents: Array
    gate: Array
    limit: Limit
    ceiling: Array
    most: int
    power: PowerFit | None = None

    @classmethod
    def from_file(cls, tensors: Tensors, manifest: dict[str, Any]) -> "CodecDesign":
        """The codec of a file of the kind "codec" or "device codec"; ValueError where its arrays do not fit together."""
        encoder, decoder = (Network.from_tensors(tensors, f"{end}.") for end in ("encoder", "decoder"))
        symbols, modes = whole(manifest, "max_symbols"), _modes_of(tensors, manifest, encoder, decoder)
        most, k = 2 * symbols, len(modes.strength)
        Network.check_told(encoder, decoder, manifest)
        if encoder.outputs != most:
            raise ValueError(f"networks must have two streams for each of {symbols} symbols, got {encoder.outputs}")
        check_arrays(tensors, {"ceiling": (symbols + 1,), "calibration.z": (len(tensors["calibration.z"]), k)}, (np.float32,))
        check_arrays(tensors, {"gate.open": (len(SYMBOLS) + 1, len(BITS) + 1)}, (np.bool_,))
        return cls(
            modes=modes,
            covariance=np.diagonal(tensors["modes.covariance"]) if tensors["modes.covariance"].ndim == 2 else tensors["modes.covariance"],
            encoder=encoder,
            decoder=decoder,
            inputs=tensors["inputs"],
            outputs=tensors["outputs"],
            latents=tensors["calibration.z"],
            gate=tensors["gate.open"],
            limit=Limit.from_manifest(manifest),
            ceiling=tensors["ceiling"],
            most=most,
            power=PowerFit.from_tensors(tensors, symbols, encoder.units),
        )

    @cached_property
    def analysis(self) -> Array:
        """Φ (i, d) of the modes that the encoder reads, in float32."""
        return np.ascontiguousarray(_taken(self.modes.analysis, self.inputs), np.float32)

    @cached_property
    def synthesis(self) -> Array:
        """Ψ (m, o) of the modes that the decoder gives, in float32."""
        return np.ascontiguousarray(_taken(self.modes.synthesis.T, self.outputs).T, np.float32)

    def design(self, channel: Channel) -> CodecLink:
        """Both ends for every channel (…, u, n_rx, n_tx) of a batch; nothing is trained.

        Raises:
            ValueError: the channel has more symbols than the codec was trained for.
        """
        channel = channel.astype(np.float64)
        streams, beams = place_streams(self.modes.strength, channel, self.most)
        return self._link(channel, streams, beams, self._serves(streams))

    def of_streams(self, channel: Channel, streams: Streams, beams: Beams) -> CodecLink:
        """Both ends for streams (in float64) that are known without an SVD, as of a report; the gate sees bits in steps of 10⁻⁶."""
        return self._link(channel.astype(np.float64), streams, beams, self._serves(streams, decimals=6))

    def _link(self, channel: Channel, streams: Streams, beams: Beams, serves: Array) -> CodecLink:
        active = serves & (streams.share.sum(-1) > 0)
        streams = streams.astype(np.float32)
        ends, energy = self._at_budget(streams, active)
        beams = replace(beams, transmit=beams.transmit.astype(np.complex64), receive=beams.receive.astype(np.complex64))
        return CodecLink(
            analysis=self.analysis,
            synthesis=self.synthesis,
            mean_x=self.modes.mean_x.astype(np.float32),
            mean_y=self.modes.mean_y.astype(np.float32),
            beams=beams,
            streams=streams,
            energy=energy,
            channel=channel.astype(np.float32),
            encoder=self.encoder,
            decoder=self.decoder,
            ends=ends.first(2 * beams.transmit.shape[-1]),
            limit=self.limit,
            ceiling=self.ceiling,
            active=active,
        )

    def _serves(self, streams: Streams, decimals: int | None = None) -> Array:
        """True for the channels that the networks serve, by the number of symbols and the bits of a symbol."""
        symbols = streams.symbols
        size = np.searchsorted(SYMBOLS, symbols, side="left")
        bits = streams.bits / np.maximum(symbols, 1)
        rate = np.searchsorted(BITS, bits if decimals is None else np.round(bits, decimals), side="left")
        serves: Array = self.gate[size, rate]
        return serves

    def _at_budget(self, streams: Streams, active: Array) -> tuple[Ends, Array]:
        """Both ends at the power budget, and the energy (…, S) of each stream: by the fit of the power where it covers the channel."""
        ends = Ends.of(self.encoder, self.decoder, streams, active, self.ceiling)
        if self.limit.limits_messages:
            return self._measured(ends, streams)
        budget = streams.share * carry(self.covariance[: self.most].astype(streams.share.dtype), self.most)
        covered = ~active if self.power is None else ~active | self.power.covers(streams)
        scale, energy = np.ones(active.shape, budget.dtype), budget
        if self.power is not None and active.any():
            spent, sent = self.power.predict(self.encoder, streams, self.ceiling)
            scale = np.where(active, 1 / np.sqrt(spent), scale)
            energy = np.where(active[..., None], sent * ratio(budget.sum(-1), sent.sum(-1))[..., None], energy)
        predicted = ends.scaled(scale[..., None, None])
        if covered.all():
            return predicted, energy
        measured, spent_each = self._measured(ends, streams)
        where = covered[..., None, None]
        both = {name: np.where(where, getattr(predicted, name), getattr(measured, name)) for name in ("direct_tx", "residual_tx")}
        return replace(ends, **both), np.where(covered[..., None], energy, spent_each)

    def _measured(self, ends: Ends, streams: Streams) -> tuple[Ends, Array]:
        """Both ends at the budget by the calibration latents, and the energy of each stream."""
        direct = np.sqrt(streams.share)[..., None, :] * carry(self.latents, self.most)
        k = min(self.most, len(self.modes.strength))
        budget = streams.share[..., :k] @ self.covariance[:k].astype(streams.share.dtype)
        raw = precode(self.encoder, ends, self.latents[:, self.inputs])
        scale = np.ones_like(budget) if self.limit.word == "per-message" else np.sqrt(ratio(budget, mean_energy(raw, direct, budget)))
        scale = scale[..., None, None].astype(raw.dtype)
        t = raw * scale
        if self.limit.limits_messages:
            energy = (t**2).sum(-1)
            t = t * self.limit.gain(energy, np.ones_like(energy))[..., None].astype(t.dtype)
            ends = self._refitted(ends, t, streams)
        return ends.scaled(scale), (t**2).mean(-2)

    def _refitted(self, ends: Ends, t: Array, streams: Streams) -> Ends:
        """Where the codec is off, the linear decoder refitted to symbols t as they are sent, stream by stream."""
        a = streams.amplitude
        gain = a * (carry(self.latents, t.shape[-1]) * t).mean(-2) / (a**2 * (t**2).mean(-2) + 1)
        return replace(ends, direct_rx=np.where(ends.residual_rx > 0, ends.direct_rx, gain[..., None, :]))


def _modes_of(tensors: Tensors, manifest: dict[str, Any], encoder: Network, decoder: Network) -> LinearDesign:
    """The modes of a codec's file; one for devices has Φ (i, d) and Ψ (m, o) of those alone that the networks read and give."""
    own = {name.removeprefix("modes."): value for name, value in tensors.items() if name.startswith("modes.")}
    k, d, m = len(own["strength"]), whole(manifest, "tx_dim"), whole(manifest, "rx_dim")
    for name, width in (("inputs", encoder.inputs), ("outputs", decoder.outputs)):
        check_arrays(tensors, {name: (width,)}, (np.int64,))
        if width and not 0 <= tensors[name].min() <= tensors[name].max() < k:
            raise ValueError(f"{name} must be numbers of {k} modes, got {tensors[name].min()} to {tensors[name].max()}")
    if manifest["kind"] == "codec":
        check_arrays(own, {"covariance": (k, k)})
        return LinearDesign.from_file(own, manifest)
    inputs, outputs = tensors["inputs"], tensors["outputs"]
    check_arrays(own, {"analysis": (len(inputs), d), "synthesis": (m, len(outputs)), "covariance": (k,)})
    own |= {"analysis": _spread(own["analysis"], inputs, k), "synthesis": _spread(own["synthesis"].T, outputs, k).T}
    return LinearDesign.from_file(own, manifest)


def _taken(rows: Array, at: Array) -> Array:
    return rows if np.array_equal(at, np.arange(len(rows))) else rows[at]


def _spread(rows: Array, at: Array, count: int) -> Array:
    """Rows at their places among `count` of them, the others zero."""
    if np.array_equal(at, np.arange(count)):
        return rows
    every = np.zeros((count, rows.shape[1]), rows.dtype)
    every[at] = rows
    return every


def mean_energy(raw: Array, direct: Array, linear: Array) -> Array:
    """Mean energy (…) of n messages; symbols and known mean energy of the linear design, for the same latents, are a control variate."""
    e, f = (raw**2).sum(-1), (direct**2).sum(-1)
    apart = f - f.mean(-1, keepdims=True)
    slope = ratio((apart * e).sum(-1), (apart**2).sum(-1))
    mean = e.mean(-1)
    return np.maximum(mean - slope * (f.mean(-1) - linear), mean / 2)

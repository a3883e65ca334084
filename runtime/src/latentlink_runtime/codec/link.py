"""The codec's link at given channels: small networks in mode coordinates between Φ and the channel, and between the channel and Ψ.

z = Φ (x − μx),      t = limit( precode z ),      s = √(u P) V t,      w = Uᴴ r / √N,      ŷ = μy + Ψ decode w
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from latentlink_runtime.artifacts.artifact_file import Tensors, check_arrays, whole
from latentlink_runtime.channels.channel import Channel
from latentlink_runtime.codec.ends import Ends, decode, precode
from latentlink_runtime.codec.network import Modulation, Network
from latentlink_runtime.codec.streams import Beams, Streams, rematch_streams
from latentlink_runtime.linear.base import Link, check_latents, check_received
from latentlink_runtime.linear.limit import Limit
from latentlink_runtime.linear.link import channel_from, complex_from

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class CodecLink(Link):
    """Both ends for a batch `...` of channels, in float32 (see the module).

    Attributes:
        analysis: Φ (i, d) of the modes that the encoder reads.
        synthesis: Ψ (m, o) of the modes that the decoder gives.
        mean_x: μx (d,).
        mean_y: μy (m,).
        beams: transmit and receive vectors of the streams.
        streams: the streams as they are received.
        energy: E t² of each stream as it is sent (…, S).
        channel: that the receiver is matched to; its power is the budget.
        encoder: the transmitter's network.
        decoder: the receiver's network.
        ends: both ends as they are at these channels.
        limit: the power limit.
        ceiling: strongest amplitudes that the networks were trained on, by number of symbols.
        active: (…) True where the codec is on, False where the linear design is alone.

    Example:
        >>> import numpy as np, latentlink_runtime as lr
        >>> link = lr.load("runtime/conformance/codec-link-on.safetensors")
        >>> s = link.encode(np.zeros((5, 24)))
        >>> s.shape, link.decode(s).shape
        ((5, 1, 4), (5, 18))
    """

    analysis: Array
    synthesis: Array
    mean_x: Array
    mean_y: Array
    beams: Beams
    streams: Streams
    energy: Array
    channel: Channel
    encoder: Network
    decoder: Network
    ends: Ends
    limit: Limit
    ceiling: Array
    active: Array

    @classmethod
    def from_file(cls, tensors: Tensors, manifest: dict[str, Any]) -> "CodecLink":
        """The link of a file of the kind "codec link"."""
        encoder, decoder = (Network.from_tensors(tensors, f"{end}.") for end in ("encoder", "decoder"))
        Network.check_told(encoder, decoder, manifest)
        channel = channel_from(tensors, manifest)
        _check(tensors, manifest, encoder, decoder, channel)

        def modulation(end: str, network: Network) -> Modulation:
            numbers = range(len(network.layers))
            scale, shift = (tuple(tensors[f"ends.{end}.{kind}.{number}"] for number in numbers) for kind in ("scale", "shift"))
            return network.modulated(scale, shift, tensors[f"ends.{end}.offset"], tensors[f"ends.{end}.direct"])

        parts = ("direct_tx", "residual_tx", "direct_rx", "evened", "residual_rx")
        ends = {name: tensors[f"ends.{name}"] for name in parts}
        return cls(
            **{name: tensors[name] for name in ("analysis", "synthesis", "mean_x", "mean_y", "energy", "ceiling", "active")},
            beams=Beams(complex_from(tensors["beams.transmit"]), complex_from(tensors["beams.receive"]), whole(manifest, "channel_uses")),
            streams=Streams(*(tensors[f"streams.{name}"] for name in ("amplitude", "share", "gain"))),
            channel=channel,
            encoder=encoder,
            decoder=decoder,
            ends=Ends(modulation("precoding", encoder), modulation("decoding", decoder), **ends),
            limit=Limit.from_manifest(manifest),
        )

    def encode(self, x: Array) -> Array:
        """Channel symbols s (…, n, u, n_tx), complex64, of latents x (n, d) or (…, n, d).

        Raises:
            ValueError: x is complex or not finite, or its last dimension is not d.
        """
        x = check_latents(x, len(self.mean_x), self.analysis.dtype)
        t = precode(self.encoder, self.ends, (x - self.mean_x) @ self.analysis.T)
        if self.limit.limits_messages:
            energy = (t**2).sum(-1)
            t = t * self.limit.gain(energy, np.ones_like(energy))[..., None].astype(t.dtype)
        return self.beams.symbols(t)

    def receive(self, r: Array) -> Array:
        """Coefficients ẑ (…, n, o) of received symbols r (…, n, u, n_rx).

        Raises:
            ValueError: r is real or not finite, or its uses or antennas are not the channel's.
        """
        flat = check_received(r, self.channel.uses, self.channel.n_rx, self.analysis.dtype)
        symbols = flat.view(np.complex64).reshape(*flat.shape[:-1], self.channel.uses, self.channel.n_rx)
        return decode(self.decoder, self.ends, self.beams.streams(symbols))

    def matched_to(self, channel: Channel) -> "CodecLink":
        """The same transmitter with the receiver matched to the channels that it measures.

        Raises:
            ValueError: the transmit antennas or uses differ from the transmitter's.
        """
        if (channel.uses, channel.n_tx) != (self.channel.uses, self.channel.n_tx):
            raise ValueError(
                f"channel must have {self.channel.uses} uses of {self.channel.n_tx} transmit antennas, got {channel.uses} of {channel.n_tx}"
            )
        measured = channel.astype(np.float64).with_power(self.channel.power)
        streams, beams = rematch_streams(self.streams, self.beams, self.energy, measured)
        ends = self.ends.matched_to(self.decoder, streams, self.ceiling)
        return replace(self, streams=streams, beams=beams, ends=ends, channel=measured.astype(np.float32))


def _check(tensors: Tensors, manifest: dict[str, Any], encoder: Network, decoder: Network, channel: Channel) -> None:
    """ValueError unless the arrays of a saved link have the sizes that its manifest, its networks and its channel say."""
    d, m, most, q = whole(manifest, "tx_dim"), whole(manifest, "rx_dim"), encoder.outputs, tensors["beams.transmit"].shape[-2]
    if 2 * q > most:
        raise ValueError(f"beams.transmit must have at most {most // 2} symbols, got {q}")
    fixed = {"analysis": (encoder.inputs, d), "synthesis": (m, decoder.outputs), "mean_x": (d,), "mean_y": (m,)}
    check_arrays(tensors, {**fixed, "ceiling": (most // 2 + 1,)}, (np.float32,))
    shapes: dict[str, tuple[int, ...]] = {f"streams.{name}": (most,) for name in ("amplitude", "share", "gain")}
    shapes |= {"beams.transmit": (channel.uses * channel.n_tx, q, 2), "beams.receive": (channel.uses * channel.n_rx, q, 2)}
    shapes |= {f"ends.{name}": (1, 2 * q) for name in ("direct_tx", "residual_tx", "direct_rx", "evened")}
    shapes |= {"energy": (most,), "ends.residual_rx": (1, 1)}
    for end, network in (("precoding", encoder), ("decoding", decoder)):
        shapes |= {f"ends.{end}.offset": (1, network.outputs), f"ends.{end}.direct": (1, 1)}
        for number, (_, bias) in enumerate(network.layers):
            shapes |= {f"ends.{end}.{kind}.{number}": (1, len(bias)) for kind in ("scale", "shift")}
    check_arrays(tensors, shapes, (np.float32,), channel.batch)
    check_arrays(tensors, {"active": ()}, (np.bool_,), channel.batch)

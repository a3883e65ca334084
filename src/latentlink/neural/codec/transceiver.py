"""The codec's transceiver at given channels: small networks in mode coordinates between Φ and the channel, and between the channel and Ψ.

    z = Φ (x − μx),      t = limit( precode z ),      s = √(u P) V t,      w = Uᴴ r / √N,      ŷ = μy + Ψ decode w

`ends.py` has precode and decode. Where the codec is off this is the exact linear design, F = √(u P) V √q Φ.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.links.link_file import channel_from, limit_from, link_facts, saved_tensors, series_from, taken_out
from latentlink.links.operation_count import REAL_WEIGHT, LayerFlops, OperationCount
from latentlink.links.shapes import broadcast_batch, check_factor, check_latents, check_received, check_same_transmitter
from latentlink.links.transceiver import BaseTransceiver
from latentlink.neural.codec.ends import Ends, decode, limit_messages, precode
from latentlink.neural.codec.networks import ModulatedMlp, Modulation, networks_facts, networks_from
from latentlink.neural.codec.streams import Beams, Streams, rematch_streams
from latentlink.numerics.doors import AnyArray
from latentlink.power import Mean, PowerLimit
from latentlink.storage.artifacts import artifact

GELU_FLOPS = 5  # argument of erf 1, erf 1, Φ from it 2, product 1
_ENTRIES = 2**24  # hidden values held at a time


@artifact("codec link")
@dataclass(frozen=True, eq=False, repr=False)
class CodecTransceiver(BaseTransceiver):
    """Both ends for a batch `...` of channels, in float32 (see the module).

    Attributes:
        analysis: Φ (i, d) of the modes that the encoder reads, those that the linear design sends first.
        synthesis: Ψ (m, o) of the modes that the decoder gives, the same first.
        mean_x: μx (d,).
        mean_y: μy (m,).
        beams: transmit and receive vectors of the streams.
        streams: the streams as they are received.
        energy: E t² of each stream as it is sent.
        channel: that the receiver is matched to; its power is the budget.
        encoder: the transmitter's network, shared by all channels.
        decoder: the receiver's network, shared by all channels.
        ends: both ends as they are at these channels.
        limit: the power limit, Mean or PerMessage.
        ceiling: strongest amplitudes that the networks were trained on (`Codec.ceiling`).
        active: (…) True where the codec is on, False where the linear design is alone.
        encoders: names of the transmitter's and the receiver's encoder, for the record.
    """

    analysis: Float[Tensor, "i d"]
    synthesis: Float[Tensor, "m o"]
    mean_x: Float[Tensor, "d"]
    mean_y: Float[Tensor, "m"]
    beams: Beams
    streams: Streams
    energy: Float[Tensor, "*batch S"]
    channel: Channel
    encoder: ModulatedMlp
    decoder: ModulatedMlp
    ends: Ends
    limit: PowerLimit
    ceiling: Float[Tensor, "c"]
    active: Bool[Tensor, "*batch"]
    encoders: tuple[str, str] = ("unnamed", "unnamed")

    def encode(self, x: AnyArray) -> Complex[Tensor, "*batch n u t"]:
        """Channel symbols s (…, n, u, n_tx) of latents x (n, d) or (…, n, d), in float32; raises as `Transceiver.encode`."""
        x = check_latents(x, len(self.mean_x), self.batch)
        z = (x.to(self.analysis) - self.mean_x) @ self.analysis.mT
        sent = []
        for rows in z.split(self._chunk(), -2):
            t = limit_messages(self.limit, precode(self.encoder, self.ends, rows))
            sent.append(self.beams.symbols(t))
        return torch.cat(sent, -3)

    def receive(self, r: AnyArray) -> Float[Tensor, "*batch n k"]:
        """Mode coefficients ẑ (…, n, k), from which ŷ = μy + Ψ ẑ, of received symbols r; raises as `Transceiver.receive`."""
        r = check_received(r, self.channel, self.batch)
        w = self.beams.streams(r.to(self.beams.receive))
        return torch.cat([decode(self.decoder, self.ends, rows) for rows in w.split(self._chunk(), -2)], -2)

    @torch.no_grad()
    def matched_to(self, channel: Channel) -> "CodecTransceiver":
        """The same transmitter with the receiver matched to the channels that it measures.

        Raises:
            ValueError: the antennas or uses differ from the transmitter's, or the batches do not broadcast.
        """
        check_same_transmitter(channel, self.channel)
        batch = broadcast_batch("channel", channel.batch, self.batch)
        power = self.channel.power.double().expand(batch)
        measured = channel.to(torch.float64).with_power(power)
        streams, beams = rematch_streams(self.streams, self.beams, self.energy, measured)
        ends = self.ends.matched_to(self.decoder, streams, self.ceiling)
        energy, active = self.energy.expand(streams.amplitude.shape), self.active.expand(batch)
        return replace(self, streams=streams, beams=beams, ends=ends, energy=energy, active=active, channel=measured.to(torch.float32))

    @property
    def scalable(self) -> bool:  # type: ignore[override]
        """True unless all messages have the same energy, which spend the budget on any latents."""
        return isinstance(self.limit, Mean)

    def scaled(self, factor: Float[Tensor, "*batch"]) -> "CodecTransceiver":
        """The same networks at powers times a factor (…), below a peak if there is one; the receiver divides by its root.

        Raises:
            ValueError: all messages have the same energy, or the factor is negative, not finite or of another shape.
        """
        if not self.scalable:
            return super().scaled(factor)  # type: ignore[return-value]
        factor = check_factor(factor, self.energy, self.batch)
        root = factor.sqrt()[..., None, None]
        beams = replace(self.beams, receive=self.beams.receive / torch.where(root > 0, root, 1.0))
        return replace(self, ends=self.ends.scaled(root), beams=beams, energy=self.energy * factor.unsqueeze(-1))

    def _chunk(self) -> int:
        """Number of messages at a time, so that the hidden values of all channels fit."""
        widest = max(*self.encoder.widths, *self.decoder.widths)
        return max(1, _ENTRIES // (widest * max(1, self.batch.numel())))

    def for_clock(self, x: Tensor, messages: int) -> "CodecTransceiver":
        """The link of the first channel alone: a device runs the networks for one channel at a time."""
        if self.batch.numel() < 2:
            return self
        first = (0,) * len(self.batch)
        shared = {name: getattr(self, name)[first] for name in ("energy", "active", "channel")}
        parts = {name: getattr(self, name).each(lambda value: value[first]) for name in ("beams", "streams", "ends")}
        return replace(self, **shared, **parts)

    def layer_flops(self) -> list[LayerFlops]:
        """Real operations for one message at one channel, by device and layer; what is computed once per channel costs nothing here."""
        (d, k), m = self.analysis.T.shape, len(self.mean_y)
        streams = self.ends.direct_tx.shape[-1]
        antennas = 2 * self.channel.uses * self.channel.n_tx, 2 * self.channel.uses * self.channel.n_rx
        limit = 3 * streams + 2 if self.limit.limits_messages else 0
        return [
            LayerFlops("precoder: centre", d),
            LayerFlops("precoder: modes", REAL_WEIGHT * k * d, k * d),
            *_network("precoder", self.encoder.widths),
            LayerFlops("precoder: linear part", 3 * streams + limit),
            LayerFlops("precoder: beams", REAL_WEIGHT * antennas[0] * streams),
            LayerFlops("decoder: beams", REAL_WEIGHT * antennas[1] * streams),
            *_network("decoder", self.decoder.widths),
            LayerFlops("decoder: linear part", 3 * streams),
            LayerFlops("decoder: modes", REAL_WEIGHT * m * self.synthesis.shape[1], m * self.synthesis.shape[1]),
        ]

    @property
    def flops(self) -> OperationCount:
        """Real operations for one message, with the codec on."""
        return OperationCount.of(self.layer_flops())

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        return saved_tensors(self), {
            **link_facts(self.channel, len(self.mean_x), len(self.mean_y), self.limit),
            "networks": networks_facts(self.encoder, self.decoder),
            "encoders": list(self.encoders),
        }

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], manifest: dict[str, Any]) -> "CodecTransceiver":
        transmitter, receiver = manifest["encoders"]
        encoder, decoder = networks_from(tensors, manifest["networks"])
        if tensors["analysis"].shape[0] != encoder.widths[0]:
            raise ValueError(f"analysis must have {encoder.widths[0]} modes, which the encoder reads, got {len(tensors['analysis'])}")

        def modulation(end: str, network: ModulatedMlp) -> Modulation:
            scale, shift = (series_from(tensors, f"ends.{end}.{kind}.") for kind in ("scale", "shift"))
            read = Modulation(scale, shift, **taken_out(tensors, f"ends.{end}."))
            *hidden, out = ((*read.offset.shape[:-1], width) for width in network.widths[1:])
            if read.offset.shape != out or any([layer.shape for layer in layers] != hidden for layers in (scale, shift)):
                raise ValueError(f"ends.{end} must modulate layers of {network.widths[1:]} units")
            return read

        return cls(
            beams=Beams(**taken_out(tensors, "beams.", "transmit", "receive"), uses=manifest["channel_uses"]),
            streams=Streams(**taken_out(tensors, "streams.")),
            channel=channel_from(tensors),
            encoder=encoder,
            decoder=decoder,
            ends=Ends(modulation("precoding", encoder), modulation("decoding", decoder), **taken_out(tensors, "ends.")),
            limit=limit_from(tensors, manifest),
            encoders=(transmitter, receiver),
            **tensors,
        )


def _network(end: str, widths: list[int]) -> list[LayerFlops]:
    """Layers of a network: products, then α and β, then GELU."""
    table = []
    for number, (inputs, outputs) in enumerate(pairwise(widths), 1):
        table.append(LayerFlops(f"{end}: layer {number}", REAL_WEIGHT * inputs * outputs, inputs * outputs))
        if number < len(widths) - 1:
            table.append(LayerFlops(f"{end}: activation {number}", (2 + GELU_FLOPS) * outputs))
    return table

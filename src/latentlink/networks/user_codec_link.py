"""A codec's link to one user of a network: beams before it, whitening behind it.

    s = T s̃(x),      r̃ = Q^{-1/2} r,      Q = E v vᴴ      (noise and what others are sent, in each use)

with a codec's link from s̃ to r̃, which was told the channel Q^{-1/2} H T with noise of variance 1, and runs on its streams as on those of
any channel. What others are sent is interference of `channel`; its real and imaginary parts count alike, and uses one by one.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.links.link_file import channel_from, link_facts, saved_tensors, taken_out
from latentlink.links.operation_count import LayerFlops, OperationCount
from latentlink.links.shapes import broadcast_batch, check_received, check_same_transmitter
from latentlink.links.transceiver import BaseTransceiver
from latentlink.networks.user_metric import noise_by_use
from latentlink.neural.codec.transceiver import CodecTransceiver
from latentlink.numerics.doors import AnyArray
from latentlink.storage.artifacts import artifact

_FLOOR = 1e-15  # of what arrives: noise of this share keeps a noise-free receiver's covariance definite


@artifact("user codec link")
@dataclass(frozen=True, eq=False, repr=False)
class UserCodecLink(BaseTransceiver):
    """Both ends of one user for a batch `...` of networks (see the module).

    Attributes:
        codec: the link from s̃ to r̃; its power is that of s̃.
        beams: T (…, u, n_tx, n_tx).
        whitening: Q^{-1/2} (…, u, n_rx, n_rx).
        channel: of the user, with what others are sent as interference; its power is that of s.

    Example:
        >>> import torch, latentlink as ll
        >>> x = [torch.randn(500, 8, generator=torch.Generator().manual_seed(k)) for k in range(2)]
        >>> pair = ll.semantic_modes(ll.Moments.from_pairs(x[0], x[0].tanh()))
        >>> codec = ll.CodecTraining(modes=8, width=8, layers=1, max_symbols=4).untrained(pair, ll.Pilots(x[0], x[0].tanh()))
        >>> moments = ll.networks.NetworkMoments.from_pilots(x=x, y=[each.tanh() for each in x], observations="own")
        >>> links = ll.networks.Links.from_snr([[ll.rayleigh(2, 4, generator=k)] for k in range(2)], snr_db=10.0, transmitter_of=(0, 0))
        >>> solution = ll.networks.UserCodecs([codec, codec]).design(ll.networks.network_modes(moments), links)
        >>> link = solution.user(1)
        >>> ll.transmit(link, x[1], link.channel, generator=0).shape  # what others are sent drawn from its covariance
        torch.Size([500, 8])
    """

    codec: CodecTransceiver
    beams: Complex[Tensor, "*batch u t t"]
    whitening: Complex[Tensor, "*batch u r r"]
    channel: Channel

    @property
    def mean_y(self) -> Float[Tensor, "m"]:
        """μy (m,)."""
        return self.codec.mean_y

    @property
    def synthesis(self) -> Float[Tensor, "m o"]:
        """Ψ (m, o)."""
        return self.codec.synthesis

    @property
    def active(self) -> Tensor:
        """True where the codec's networks are on, False where the linear design is alone (…)."""
        return self.codec.active

    def encode(self, x: AnyArray) -> Complex[Tensor, "*batch n u t"]:
        """Channel symbols s (…, n, u, n_tx) of latents x (n, d) or (…, n, d), in float32; raises as `Transceiver.encode`."""
        return _by_uses(self.beams, self.codec.encode(x))

    def receive(self, r: AnyArray) -> Float[Tensor, "*batch n o"]:
        """Mode coefficients ẑ (…, n, o) of received symbols r (…, n, u, n_rx); raises as `Transceiver.receive`."""
        r = check_received(r, self.channel, self.batch)
        return self.codec.receive(_by_uses(self.whitening, r.to(self.whitening)))

    def matched_to(self, channel: Channel) -> "UserCodecLink":
        """The same transmitter with the receiver for the channel, noise and interference that it measures.

        Raises:
            ValueError: the antennas or uses differ from the transmitter's, or the batches do not broadcast.
        """
        check_same_transmitter(channel, self.channel, coloured=True)
        batch = broadcast_batch("channel", channel.batch, self.batch)
        measured = channel.to(torch.float64).with_power(self.channel.power.double().expand(batch))
        whitening, told = told_channel(measured, self.beams.to(torch.complex128), self.codec.channel.power.double())
        return replace(
            self, codec=self.codec.matched_to(told), beams=self.beams.expand(*batch, *self.beams.shape[-3:]),
            whitening=whitening.to(self.whitening), channel=measured.to(torch.float32),
        )  # fmt: skip

    @property
    def scalable(self) -> bool:  # type: ignore[override]
        """True: codecs of networks limit the mean power only."""
        return self.codec.scalable

    def scaled(self, factor: Float[Tensor, "*batch"]) -> "UserCodecLink":
        """The same networks at powers times a factor (…); the receiver divides by its root. Raises as `Transceiver.scaled`."""
        return replace(self, codec=self.codec.scaled(factor))

    def for_clock(self, x: Tensor, messages: int) -> "UserCodecLink":
        """The link of the first channel alone."""
        first = (0,) * len(self.batch)
        own = {name: getattr(self, name)[first] for name in ("beams", "whitening", "channel")}
        return replace(self, codec=self.codec.for_clock(x, messages), **own)

    def layer_flops(self) -> list[LayerFlops]:
        """Real operations for one message, by device and layer; beams and the codec's own are one matrix on a device."""
        return self.codec.layer_flops()

    @property
    def flops(self) -> OperationCount:
        """Real operations for one message, with the codec on."""
        return OperationCount.of(self.layer_flops())

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensors, facts = self.codec.to_tensors()
        own = saved_tensors({"beams": self.beams, "whitening": self.whitening, "channel": self.channel})
        limits = link_facts(self.channel, facts["tx_dim"], facts["rx_dim"], self.codec.limit)
        return {**own, **{f"codec.{name}": value for name, value in tensors.items()}}, {**limits, "codec": facts}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], manifest: dict[str, Any]) -> "UserCodecLink":
        """The link of a saved file."""
        codec = CodecTransceiver.from_tensors(taken_out(tensors, "codec."), manifest["codec"])
        channel = channel_from(tensors)
        sizes = {"beams": channel.n_tx, "whitening": channel.n_rx}
        for name, size in sizes.items():
            if tensors[name].shape != (*codec.batch, channel.uses, size, size, 2) or codec.batch != channel.batch:
                raise ValueError(f"{name} must have shape {(*codec.batch, channel.uses, size, size, 2)}, got {tuple(tensors[name].shape)}")
        return cls(codec, channel=channel, **{name: torch.view_as_complex(value) for name, value in tensors.items()})


def told_channel(
    channel: Channel, beams: Complex[Tensor, "*batch u t t"], power: Float[Tensor, "*batch"]
) -> tuple[Complex[Tensor, "*batch u r r"], Channel]:
    """Q^{-1/2} (…, u, r, r), and the channel Q^{-1/2} H T with noise of variance 1 that a codec is told of, at the power of s̃."""
    Q = noise_by_use((channel,))
    arriving = channel.h @ beams
    level = arriving.abs().square().sum((-2, -1)) * power.unsqueeze(-1) / channel.n_rx + Q.diagonal(dim1=-2, dim2=-1).real.mean(-1)
    floor = _FLOOR * torch.where(level > 0, level, 1.0)
    values, vectors = torch.linalg.eigh(Q)
    root = (values.clamp(min=0) + floor.unsqueeze(-1)).rsqrt()
    whitening = (vectors * root.unsqueeze(-2).to(vectors)) @ vectors.mH
    return whitening, Channel(whitening @ arriving, 1.0, power)


def _by_uses(matrices: Complex[Tensor, "*batch u i j"], symbols: Complex[Tensor, "*b n u j"]) -> Complex[Tensor, "*batch n u i"]:
    """A matrix of each use times the symbols of that use."""
    return (symbols.transpose(-3, -2) @ matrices.mT).transpose(-3, -2)

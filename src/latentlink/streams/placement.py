"""Placement: the real precoders, and the decoders where they have a closed form, of modes on channels within a power limit.

Streams stay apart where each goes over a symbol of its own (`ParallelStreams`); where uses that differ are limited one by one, the best
precoder mixes streams over symbols (`CoupledStreams`).
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.latents.packing import real_embedding
from latentlink.numerics.division import root
from latentlink.streams.allocation import Allocation
from latentlink.streams.spatial import SpatialModes, embedded


class Response(NamedTuple):
    """The estimate t z + noise of each stream's coefficient z, after the decoder.

    Attributes:
        t: gain (…, s) of each coefficient.
        noise: variance (…, s) of the noise.
    """

    t: Float[Tensor, "*batch s"]
    noise: Float[Tensor, "*batch s"]


@runtime_checkable
class Placement(Protocol):
    """The placement of modes on the antennas and uses of a batch of channels."""

    @property
    def streams(self) -> Int[Tensor, "*batch s"]:
        """Slot (…, s) of each mode."""

    @property
    def power(self) -> Float[Tensor, "*batch s"]:
        """Power (…, s) of each mode."""

    @property
    def gap(self) -> Float[Tensor, "*batch"] | None:
        """Relative distance (…) of the weighted error to a lower bound; None where the placement is optimal by theory."""

    @property
    def settled(self) -> Bool[Tensor, "*batch"] | None:
        """True where the gap is within tolerance; None without a gap."""

    def precoder(self) -> Float[Tensor, "*batch g t2 q2"]:
        """F̃ (…, g, 2 w n_tx, 2q)."""

    def decoder(self, noise: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch g q2 r2"] | None:
        """G̃ (…, g, 2q, 2 w n_rx), LMMSE in noise N (…) per real dimension; None where it has no closed form."""

    def response(self, noise: Float[Tensor, "*batch"]) -> Response | None:
        """Gain and noise of each stream after that decoder; None where the decoder's output mixes the streams."""


@dataclass(frozen=True, eq=False)
class ParallelStreams:
    """The placement of each stream on a spatial mode of its own: F̃ = V √p, G̃ = diag(h √p / (h² p + N)) Uᴴ.

    Attributes:
        spatial: spatial modes of the channels.
        allocation: the spatial mode and the power of each stream.
        gap: None, since the placement is optimal by theory.
        settled: None, since there is no gap.
    """

    spatial: SpatialModes
    allocation: Allocation
    gap: None = None
    settled: None = None

    @classmethod
    def pooled(cls, strength: Float[Tensor, "k"], spatial: SpatialModes, channel: Channel) -> "ParallelStreams":
        """Place modes by MSE water-filling of u·P over the symbols of all uses, in the channel's effective noise."""
        budget = channel.uses * channel.power
        return cls(spatial, Allocation.of(strength, spatial.amplitude, channel.effective_noise / 2, budget))

    @classmethod
    def use_by_use(cls, strength: Float[Tensor, "k"], channel: Channel, *, pooled_order: bool) -> "ParallelStreams":
        """Place modes by MSE water-filling of P within each use (see `Allocation.use_by_use`)."""
        spatial = SpatialModes.of(channel.h)
        noise, budget = channel.effective_noise / 2, channel.uses * channel.power
        allocation = Allocation.use_by_use(strength, spatial.amplitude, noise, budget, pooled_order=pooled_order)
        return cls(spatial, allocation)

    @property
    def streams(self) -> Int[Tensor, "*batch s"]:
        """Slot (…, s) of each mode."""
        return self.allocation.streams

    @property
    def power(self) -> Float[Tensor, "*batch s"]:
        """Power (…, s) of each mode."""
        return self.allocation.power

    def precoder(self) -> Float[Tensor, "*batch g t2 q2"]:
        """F̃ (…, g, 2 w n_tx, 2q)."""
        return embedded(self.spatial.transmit, self.allocation.on_slots(root(self.allocation.power)))

    def decoder(self, noise: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch g q2 r2"]:
        """G̃ (…, g, 2q, 2 w n_rx), LMMSE in noise N (…) per real dimension."""
        return embedded(self.spatial.receive, self.allocation.on_slots(self.allocation.gain(noise.unsqueeze(-1)))).mT

    def response(self, noise: Float[Tensor, "*batch"]) -> Response:
        """Gain and noise of each stream after that decoder."""
        gain = self.allocation.gain(noise.unsqueeze(-1))
        return Response(gain * self.allocation.amplitude * root(self.allocation.power), noise.unsqueeze(-1) * gain.square())


@dataclass(frozen=True, eq=False)
class CoupledStreams:
    """The placement of streams that are mixed over the symbols of all uses.

    Attributes:
        spatial: spatial modes of the channels.
        mixing: F̃ in their coordinates (…, u, 2q, s).
        gap: relative distance (…) of the weighted error to the dual bound.
        settled: True (…) where the gap is within tolerance.
    """

    spatial: SpatialModes
    mixing: Float[Tensor, "*batch u q2 s"]
    gap: Float[Tensor, "*batch"]
    settled: Bool[Tensor, "*batch"]

    @property
    def streams(self) -> Int[Tensor, "*batch s"]:
        """Slot (…, s) of each mode: one group of all uses, a slot for each."""
        return torch.arange(self.mixing.shape[-1], device=self.mixing.device).expand(*self.gap.shape, -1)

    @property
    def power(self) -> Float[Tensor, "*batch s"]:
        """Power (…, s) of each mode."""
        return self.mixing.square().sum((-3, -2))

    def precoder(self) -> Float[Tensor, "*batch 1 t2 s"]:
        """F̃ (…, 1, 2 u n_tx, s), all uses in one group."""
        antennas = (real_embedding(self.spatial.transmit) @ self.mixing).unflatten(-2, (2, -1))  # (…, u, 2, n_tx, s)
        return antennas.movedim(-3, -4).flatten(-4, -2).unsqueeze(-3)

    def decoder(self, noise: Float[Tensor, "*batch"]) -> None:
        """Return None: the LMMSE decoder of mixed streams has no closed form by symbol."""

    def response(self, noise: Float[Tensor, "*batch"]) -> None:
        """Return None: the decoder's output mixes the streams."""

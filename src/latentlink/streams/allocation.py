"""Allocation: which semantic mode goes over which symbol, with how much power, and the real precoders and decoders that follow.

All symbols of a message are pooled; the i-th best one carries semantic modes 2i and 2i + 1 in its real and imaginary part. Stream i, of
strength b_i, power p_i and amplitude h_i, meets noise of variance N per real dimension and is decoded by the LMMSE gain

    ẑ_i = h_i √p_i / (h_i² p_i + N) · r_i,        which leaves the error  b_i² / (1 + p_i h_i² / N).
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.numerics.division import ratio, root
from latentlink.streams.spatial import SpatialModes, embed_beams, pool
from latentlink.streams.waterfilling import mse_waterfilling


class Response(NamedTuple):
    """The estimate t z + noise of each stream's coefficient z, after a decoder that treats each stream by itself.

    Attributes:
        gain: gain (…, s) of the decoder.
        t: gain (…, s) of each coefficient.
        noise: variance (…, s) of the noise.
    """

    gain: Float[Tensor, "*batch s"]
    t: Float[Tensor, "*batch s"]
    noise: Float[Tensor, "*batch s"]


@dataclass(frozen=True, eq=False)
class Allocation:
    """The slot, the amplitude and the power of each of s semantic modes.

    Attributes:
        streams: number (…, s) of each mode's slot among g × 2q, real parts before imaginary parts in each group.
        amplitude: h (…, s) of the symbol that carries each mode.
        power: p (…, s) of each mode.
        slots: (g, 2q), the number of groups and of slots in a group.
    """

    streams: Int[Tensor, "*batch s"]
    amplitude: Float[Tensor, "*batch s"]
    power: Float[Tensor, "*batch s"]
    slots: tuple[int, int]

    @classmethod
    def of(
        cls,
        strength: Float[Tensor, "k"],
        amplitude: Float[Tensor, "*batch g q"],
        noise: Float[Tensor, "*batch"],
        power: Float[Tensor, "*batch"],
    ) -> "Allocation":
        """The optimal allocation: strongest mode over strongest symbol, with MSE water-filling of the pooled budget."""
        streams, h = _slots_of(pool(amplitude).order, amplitude, len(strength))
        p = mse_waterfilling(strength[: h.shape[-1]].expand_as(h), h, noise, power)
        return cls(streams, h, p, (amplitude.shape[-2], 2 * amplitude.shape[-1]))

    @classmethod
    def use_by_use(
        cls,
        strength: Float[Tensor, "k"],
        amplitude: Float[Tensor, "*batch g q"],
        noise: Float[Tensor, "*batch"],
        power: Float[Tensor, "*batch"],
        *,
        pooled_order: bool,
    ) -> "Allocation":
        """The allocation with the same budget for each group, and MSE water-filling within the group.

        The strongest modes go over the strongest symbols of all groups (`pooled_order`), or over one group after the other.
        """
        groups, q = amplitude.shape[-2:]
        everyone = torch.arange(groups * q, device=amplitude.device)
        order = pool(amplitude).order if pooled_order else everyone.expand(*amplitude.shape[:-2], -1)
        streams, h = _slots_of(order, amplitude, len(strength))
        rank = torch.empty_like(order).scatter(-1, order, everyone.expand(order.shape))
        b = torch.nn.functional.pad(strength[: 2 * groups * q], (0, max(0, 2 * groups * q - len(strength))))
        within = b.unflatten(0, (-1, 2))[rank].unflatten(-2, (groups, q)).flatten(-2)  # (…, g, 2q), falling in each group
        N, budget = (value.unsqueeze(-1).expand(*value.shape, groups) for value in (noise, power / groups))
        each = mse_waterfilling(within, amplitude.repeat_interleave(2, -1), N, budget)
        p = each.unflatten(-1, (q, 2)).flatten(-3, -2).gather(-2, order.unsqueeze(-1).expand(*order.shape, 2))
        return cls(streams, h, p.flatten(-2)[..., : h.shape[-1]], (groups, 2 * q))

    def on_slots(self, values: Float[Tensor, "*batch s"]) -> Float[Tensor, "*batch g q2"]:
        """Values (…, s) of the streams at their slots (…, g, 2q); slots without a stream are zero."""
        slots: Tensor = values.new_zeros(*values.shape[:-1], self.slots[0] * self.slots[1]).scatter(-1, self.streams, values)
        return slots.reshape(*values.shape[:-1], *self.slots)

    def of_uses(self, values: Float[Tensor, "*batch g"]) -> Float[Tensor, "*batch s"]:
        """Values (…, g) of the uses for each stream (…, s): that of the use which carries it."""
        return values.expand(*self.streams.shape[:-1], -1).gather(-1, self.streams // self.slots[1])

    def use_power(self, variance: Float[Tensor, "s"] | None = None) -> Float[Tensor, "*batch g"]:
        """Power (…, g) of each use, for modes with these variances (s,), or with variance 1 if none are given."""
        return self.on_slots(self.power if variance is None else self.power * variance).sum(-1)

    def response(self, expected: Float[Tensor, "*batch #s"], noise: Float[Tensor, "*batch #s"] | None = None) -> Response:
        """The response to noise N (…, s) or (…, 1) of LMMSE decoders that expect other noise, or this one if none is given."""
        received = self.amplitude * root(self.power)
        gain = ratio(received, self.amplitude.square() * self.power + expected)
        return Response(gain, gain * received, (expected if noise is None else noise) * gain.square())

    def explained(self, strength: Float[Tensor, "k"], noise: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch s"]:
        """Share x / (1 + x) (…, s) of each stream's error that it removes, with its SNR x = p h² / N, times that error b²."""
        signal = self.power * self.amplitude.square()
        return strength[: signal.shape[-1]].square() * ratio(signal, signal + noise.unsqueeze(-1))

    def where(self, chosen: Bool[Tensor, "*batch"], other: "Allocation") -> "Allocation":
        """This allocation for the chosen channels of the batch, the other one elsewhere."""
        mask = chosen.unsqueeze(-1)
        names = ("streams", "amplitude", "power")
        changed: dict[str, Any] = {name: torch.where(mask, getattr(self, name), getattr(other, name)) for name in names}
        return replace(self, **changed)


def _slots_of(
    order: Int[Tensor, "*batch gq"], amplitude: Float[Tensor, "*batch g q"], modes: int
) -> tuple[Int[Tensor, "*batch s"], Float[Tensor, "*batch s"]]:
    """Slot and amplitude of each stream when modes 2i and 2i + 1 take symbol order[i]."""
    groups, q = amplitude.shape[-2:]
    count = min(modes, 2 * groups * q)
    ranked = amplitude.flatten(-2).gather(-1, order)
    h = ranked[..., : -(-count // 2)].repeat_interleave(2, -1)[..., :count]
    first = order // q * 2 * q + order % q  # slot of the real part; the imaginary part is q further
    return torch.stack([first, first + q], -1).flatten(-2)[..., :count], h


@dataclass(frozen=True, eq=False)
class Placement:
    """The placement of modes on the antennas and uses of a batch of channels within a power limit.

    Attributes:
        streams: slot (…, s) of each mode.
        power: power (…, s) of each mode.
        precoder: F̃ (…, g, 2 w n_tx, 2q).
        decoder: G̃ (…, g, 2q, 2 w n_rx), LMMSE; None where it has no closed form: for mixed streams, or an uncertain channel.
        response: gain and noise of each stream after that decoder; None without it.
        gap: relative distance (…) of the weighted error to a lower bound; None where the placement is optimal by theory.
        settled: True (…) where the gap is within tolerance; None without a gap.
    """

    streams: Int[Tensor, "*batch s"]
    power: Float[Tensor, "*batch s"]
    precoder: Float[Tensor, "*batch g t2 q2"]
    decoder: Float[Tensor, "*batch g q2 r2"] | None = None
    response: Response | None = None
    gap: Float[Tensor, "*batch"] | None = None
    settled: Bool[Tensor, "*batch"] | None = None

    @classmethod
    def parallel(cls, spatial: SpatialModes, used: Allocation, channel: Channel) -> "Placement":
        """Place each stream on a spatial mode of its own: F̃ = V √p, G̃ = diag(h √p / (h² p + N)) Uᴴ."""
        precoder = embed_beams(spatial.transmit, used.on_slots(root(used.power)))
        if channel.uncertain:
            return cls(used.streams, used.power, precoder)
        response = used.response(channel.effective_noise.unsqueeze(-1) / 2)
        decoder = embed_beams(spatial.receive, used.on_slots(response.gain)).mT
        return cls(used.streams, used.power, precoder, decoder, response)

    @classmethod
    def pooled(cls, strength: Float[Tensor, "k"], spatial: SpatialModes, channel: Channel) -> "Placement":
        """Place modes by MSE water-filling of u·P over the symbols of all uses, in the channel's effective noise."""
        used = Allocation.of(strength, spatial.amplitude, channel.effective_noise / 2, channel.uses * channel.power)
        return cls.parallel(spatial, used, channel)

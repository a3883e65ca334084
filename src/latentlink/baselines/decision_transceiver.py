"""The transceiver of a transmitter that decides for itself: its class is one of few points, and the receiver takes the class mean."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.links.link_file import channel_from, limit_from, link_facts, saved_tensors
from latentlink.links.operation_count import REAL_WEIGHT, OperationCount
from latentlink.links.shapes import broadcast_batch, check_factor, check_latents, check_received, check_same_transmitter
from latentlink.links.transceiver import BaseTransceiver
from latentlink.numerics.doors import AnyArray
from latentlink.power import Mean
from latentlink.storage.artifacts import artifact


@artifact("decision link")
@dataclass(frozen=True, eq=False, repr=False)
class DecisionTransceiver(BaseTransceiver):
    """Sends the transmitter's decision among c classes (see `DecisionLink`), for a batch `...` of channels.

    Attributes:
        weight: classifier of the transmitter (c, d).
        bias: (c,).
        probability: shares π (c,) of the decisions.
        means: E[y | decision] (c, m), what the receiver makes of each.
        points: channel symbols (…, c, u, n_tx) of each decision.
        channel: what the receiver believes of the channel; its power is the budget.
        averages: True if the receiver averages the means by their probability, False if it takes the mean of the most probable decision.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> pilots = ll.Pilots(x, x[:, :6].tanh(), (x[:, 0] > 0).long())
        >>> channel = ll.Channel.from_snr(ll.rayleigh(1, 1, generator=0), snr_db=20.0)
        >>> link = ll.baselines.DecisionLink().design(pilots, channel).transceiver
        >>> link.decide(x).shape, ll.transmit(link, x, channel, generator=0).shape
        (torch.Size([500]), torch.Size([500, 6]))
    """

    weight: Float[Tensor, "c d"]
    bias: Float[Tensor, "c"]
    probability: Float[Tensor, "c"]
    means: Float[Tensor, "c m"]
    points: Complex[Tensor, "*batch c u t"]
    channel: Channel
    averages: bool = False

    has_rates = True  # a new design at another power may place its points otherwise

    @property
    def mean_y(self) -> Float[Tensor, "m"]:
        """Σ π_c E[y | c] (m,)."""
        return self.probability @ self.means

    @property
    def synthesis(self) -> Float[Tensor, "m c"]:
        """The means (m, c) of the decisions about `mean_y`."""
        return (self.means - self.mean_y).mT

    @property
    def flops(self) -> OperationCount:
        """The operations for one message: c scores of d numbers, c distances of 2 u n_rx numbers, and a sum of means where it averages."""
        c, m = self.means.shape
        distances = REAL_WEIGHT * c * 2 * self.channel.uses * self.channel.n_rx
        return OperationCount(REAL_WEIGHT * self.weight.numel(), distances + (REAL_WEIGHT * c * m if self.averages else 0))

    def decide(self, x: AnyArray) -> Tensor:
        """The class number (…, n) that the transmitter decides for, of latents x (…, n, d).

        Raises:
            ValueError: x is complex or not finite, its last dimension is not d, or it has no message axis.
        """
        x = check_latents(x, self.weight.shape[1])
        return (x.to(self.weight) @ self.weight.mT + self.bias).argmax(-1)

    def encode(self, x: AnyArray) -> Complex[Tensor, "*batch n u t"]:
        """Channel symbols s (…, n, u, n_tx) of latents x (n, d) or (…, n, d); raises as `Transceiver.encode`."""
        x = check_latents(x, self.weight.shape[1], self.batch)
        chosen = self.decide(x)
        batch = broadcast_batch("x", chosen.shape[:-1], self.batch)
        index = chosen.expand(*batch, -1)[..., None, None].expand(*batch, chosen.shape[-1], *self.points.shape[-2:])
        return self.points.expand(*batch, *self.points.shape[-3:]).gather(-3, index)

    def receive(self, r: AnyArray) -> Float[Tensor, "*batch n c"]:
        """The probability (…, n, c) of each decision given the received symbols r (…, n, u, n_rx), or 1 for the most probable one.

        Raises:
            ValueError: r is real or not finite, its uses or antennas are not the channel's, or its batch does not fit.
        """
        r = check_received(r, self.channel, self.batch).to(self.points)
        arrived = torch.einsum("...urt,...cut->...cur", self.channel.h.to(self.points), self.points)
        apart = (r.unsqueeze(-3) - arrived.unsqueeze(-4)).abs().square().sum((-2, -1))
        noise = self.channel.noise_variance + self.channel.error_variance * self.channel.power
        tiny = torch.finfo(self.bias.dtype)
        least = tiny.eps * self.channel.power * self.channel.h.abs().square().sum((-2, -1)).amax(-1)
        variance = torch.maximum(noise, least).clamp(min=tiny.tiny**0.5).to(self.bias)[..., None, None]
        score = self.probability.clamp(min=tiny.tiny).log() - apart / variance
        if self.averages:
            return torch.softmax(score, -1)
        return torch.nn.functional.one_hot(score.argmax(-1), score.shape[-1]).to(score)

    def matched_to(self, channel: Channel) -> "DecisionTransceiver":
        """The same points, with the receiver for this channel; raises as `LinearTransceiver.matched_to`."""
        check_same_transmitter(channel, self.channel)
        batch = broadcast_batch("channel", channel.batch, self.batch)
        channel = channel.to(self.bias.dtype)
        points = self.points.expand(*batch, *self.points.shape[-3:])
        return replace(self, points=points, channel=replace(channel, power=self.channel.power.expand(batch)))

    @property
    def scalable(self) -> bool:  # type: ignore[override]
        """True: the points are scaled."""
        return True

    def scaled(self, factor: Float[Tensor, "*batch"]) -> "DecisionTransceiver":
        """The same decisions at powers times a factor (…), known at both ends; a ValueError where it is negative or of another shape."""
        root = check_factor(factor, self.bias, self.batch).sqrt()
        return replace(self, points=self.points * root[..., None, None, None])

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        facts = link_facts(self.channel, self.weight.shape[1], self.means.shape[1], Mean())
        return saved_tensors(self), {**facts, "classes": len(self.bias), "averages": self.averages}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], manifest: dict[str, Any]) -> "DecisionTransceiver":
        """The link of a saved file."""
        channel, averages = channel_from(tensors), manifest["averages"]
        limit_from(tensors, manifest)
        points = torch.view_as_complex(tensors.pop("points").contiguous())
        classes = len(tensors["bias"])
        if not (classes == len(tensors["weight"]) == len(tensors["means"]) == len(tensors["probability"]) == points.shape[-3]):
            raise ValueError(f"weight, bias, probability, means and points must be of as many classes, got {classes} numbers in bias")
        if averages not in (True, False):
            raise ValueError(f"averages must be true or false, got {averages!r}")
        return cls(**tensors, points=points, channel=channel, averages=averages)

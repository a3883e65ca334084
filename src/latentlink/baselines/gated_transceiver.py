"""A link that is one of several at each channel: which one serves is known to both ends, since both know the channel.

    s = s_i(x),      ŷ = μ_i + Ψ_i ẑ_i(r),      i the link that serves the channel.

Coefficients of all links stand side by side, those of links that do not serve being zero, with one more for each link but the first:

    ŷ = μ_0 + [Ψ_0, Ψ_1, μ_1 − μ_0, …] [ẑ_0; ẑ_1; 1; …].
"""

from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Complex, Float, Int
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.links.link_file import taken_out
from latentlink.links.operation_count import OperationCount
from latentlink.links.shapes import broadcast_batch
from latentlink.links.transceiver import BaseTransceiver
from latentlink.numerics.doors import AnyArray
from latentlink.storage.artifacts import artifact, content_of

_COMMON = ("tx_dim", "rx_dim", "channel_uses", "n_tx", "n_rx", "channels", "power", "snr_db", "power_limit")  # facts of every link


@artifact("gated link")
@dataclass(frozen=True, eq=False, repr=False)
class GatedTransceiver(BaseTransceiver):
    """One of several links at each of a batch `...` of channels (see the module and `Gated`).

    All of them are held for all channels, and compute for all of them.

    Attributes:
        links: of the same channels and latents, without side information; the first one's precision is that of what is sent and received.
        serves: number of the link that serves each channel (…).

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> pilots = ll.Pilots(x, x[:, :6].tanh(), (x[:, 0] > 0).long())
        >>> channel = ll.Channel.from_snr(ll.rayleigh(1, 1, batch=(2,), generator=0), snr_db=20.0)
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(pilots.x, pilots.y))
        >>> linear = ll.ClosedForm().design(modes, channel).transceiver
        >>> decision = ll.baselines.DecisionLink().design(pilots, channel).transceiver
        >>> link = ll.baselines.GatedTransceiver((linear, decision), torch.tensor([0, 1]))
        >>> [bool(torch.equal(link.encode(x)[i], one.encode(x)[i])) for i, one in enumerate(link.links)]
        [True, True]
    """

    artifact_kind: ClassVar[str]
    links: tuple[BaseTransceiver, ...]
    serves: Int[Tensor, "*batch"]

    @property
    def channel(self) -> Channel:
        """The channel that the first link was designed for, as all others were."""
        return self.links[0].channel

    @property
    def mean_y(self) -> Float[Tensor, "m"]:
        """μ_0 (m,)."""
        return self.links[0].mean_y

    @property
    def synthesis(self) -> Float[Tensor, "m s"]:
        """[Ψ_0, Ψ_1, μ_1 − μ_0, …] (m, s)."""
        first, *others = self.links
        parts = [part for link in others for part in (link.synthesis, (link.mean_y.to(first.mean_y) - first.mean_y).unsqueeze(-1))]
        return torch.cat([first.synthesis, *(part.to(first.synthesis) for part in parts)], -1)

    @property
    def flops(self) -> OperationCount | None:
        """The operations for one message by the link that takes most of them among those that serve; None if one is not counted."""
        counts = [self.links[number].flops for number in self.serves.unique().tolist()] or [self.links[0].flops]
        known = [count for count in counts if count is not None]
        return max(known, key=lambda count: count.total) if len(known) == len(counts) else None

    def encode(self, x: AnyArray) -> Complex[Tensor, "*batch n u t"]:
        """Channel symbols s (…, n, u, n_tx) of latents x (n, d) or (…, n, d); raises as `Transceiver.encode`."""
        sent = [link.encode(x) for link in self.links]
        numbered = enumerate(sent[1:], 1)
        return reduce(lambda s, one: torch.where(self._by(one[0], 3), one[1].to(s), s), numbered, sent[0])

    def receive(self, r: AnyArray) -> Float[Tensor, "*batch n s"]:
        """Coefficients (…, n, s) of all links, zero but for the one that serves; raises as `Transceiver.receive`."""
        first = self.links[0].receive(r)
        parts = [torch.where(self._by(0, 2), first, 0.0)]
        for number, link in enumerate(self.links[1:], 1):
            found = link.receive(r).to(first)
            parts.append(torch.where(self._by(number, 2), torch.cat([found, torch.ones_like(found[..., :1])], -1), 0.0))
        return torch.cat(parts, -1)

    def _by(self, number: int, axes: int) -> Bool[Tensor, "*batch_and_axes"]:
        """True for channels that a link serves, with further axes of size 1."""
        return (self.serves == number)[(..., *[None] * axes)]

    def matched_to(self, channel: Channel) -> "GatedTransceiver":
        """The same transmitters with the receivers for this channel; a ValueError where one of them takes a new design."""
        links: Any = tuple(link.matched_to(channel) for link in self.links)
        return GatedTransceiver(links, self.serves.expand(broadcast_batch("channel", channel.batch, self.batch)))

    @property
    def scalable(self) -> bool:  # type: ignore[override]
        """True where all links are."""
        return all(link.scalable for link in self.links)

    @property
    def has_rates(self) -> bool:  # type: ignore[override]
        """True where a link has, or a new design might choose others."""
        return True

    def scaled(self, factor: Float[Tensor, "*batch"]) -> "GatedTransceiver":
        """The same links at powers times a factor (…), known at both ends; a ValueError where one of them cannot be scaled."""
        links: Any = tuple(link.scaled(factor) for link in self.links)
        return replace(self, links=links)

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        parts = [link.to_tensors() for link in self.links]
        named = {f"links.{number}.{name}": value for number, (tensors, _) in enumerate(parts) for name, value in tensors.items()}
        facts = [{**own, "kind": link.artifact_kind} for link, (_, own) in zip(self.links, parts, strict=True)]
        return {"serves": self.serves, **named}, {**{name: facts[0][name] for name in _COMMON}, "links": facts}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], manifest: dict[str, Any]) -> "GatedTransceiver":
        """The link of a saved file."""
        kinds = [facts["kind"] for facts in manifest["links"]]
        if not kinds or any(kind.split()[-1:] != ["link"] or kind == cls.artifact_kind for kind in kinds):
            raise ValueError(f"links must be of kinds of links, at least one, got {kinds}")
        parts = [taken_out(tensors, f"links.{number}.") for number in range(len(kinds))]
        links = tuple(content_of(facts["kind"], part, facts) for part, facts in zip(parts, manifest["links"], strict=True))
        made = cls(links=links, **tensors)
        sizes = {(link.batch, len(link.mean_y), link.channel.h.shape) for link in links}
        serves = made.serves
        if len(sizes) > 1 or serves.shape != made.batch or not bool(((serves >= 0) & (serves < len(links))).all()):
            raise ValueError(f"serves must number {len(links)} links of the same channels, got shape {tuple(serves.shape)}")
        return made

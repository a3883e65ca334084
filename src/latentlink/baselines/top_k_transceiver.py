"""The transceiver of Top-K: it sends the largest entries of each message, and its receiver is told which they are."""

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor

from latentlink.baselines.first_k_eigen_k import sends
from latentlink.channels.channel import Channel
from latentlink.linear.transceiver import LinearTransceiver
from latentlink.links.link_file import saved_tensors, taken_out
from latentlink.links.operation_count import REAL_WEIGHT, OperationCount
from latentlink.links.shapes import check_latents
from latentlink.links.transceiver import BaseTransceiver
from latentlink.numerics.doors import AnyArray
from latentlink.storage.artifacts import artifact


@artifact("top-k link")
@dataclass(frozen=True, eq=False, repr=False)
class TopKTransceiver(BaseTransceiver):
    """Sends the k largest entries of each message (see `top_k`); c entries to choose from, a batch `...` of channels.

    Attributes:
        alignment: A (m, d).
        aligned_before: True if the transmitter applies A, so that c = m; False if the receiver does, so that c = d.
        mean_x: μx (d,).
        mean_y: μy (m,).
        offsets: a (c,).
        link: carries v (k) over the channel.
        indices: I (…, n, k) of the messages that are received; None until `informed_by`.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> moments = ll.Moments.from_pairs(x, x[:, :6].tanh())
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0)
        >>> link = ll.baselines.TopK(k=2, expects=False).design(moments, channel).transceiver
        >>> indices, values = link.choose(x)
        >>> indices.shape, ll.transmit(link, x, channel, generator=0).shape
        (torch.Size([500, 2]), torch.Size([500, 6]))
    """

    alignment: Float[Tensor, "m d"]
    aligned_before: bool
    mean_x: Float[Tensor, "d"]
    mean_y: Float[Tensor, "m"]
    offsets: Float[Tensor, "c"]
    link: LinearTransceiver
    indices: Int[Tensor, "*more n k"] | None = None

    @property
    def k(self) -> int:
        """Entries sent of each message."""
        return len(self.link.mean_x)

    @property
    def channel(self) -> Channel:
        """The channel that the decoder was made for; its power is the budget."""
        return self.link.channel

    @property
    def synthesis(self) -> Float[Tensor, "m s"]:
        """Ψ (m, c): A where the receiver aligns, else the identity."""
        return torch.diag(torch.ones_like(self.mean_y)) if self.aligned_before else self.alignment

    @property
    def side_symbols(self) -> int:  # type: ignore[override]
        """Complex symbols to add for the indices at one real number each, as many as carry the values [pandolfo2025latent]."""
        return -(-self.k // 2)

    @property
    def side_bits(self) -> float:  # type: ignore[override]
        """Bits per message for the set of k among c indices, all sets being equally likely: log2 of their number."""
        return math.log2(math.comb(len(self.offsets), self.k))

    @property
    def flops(self) -> OperationCount:
        """The operations for one message, by dense real matrices and the k columns of Ψ that it needs; comparisons are not counted."""
        align = REAL_WEIGHT * self.alignment.numel() if self.aligned_before else 0
        restore = 0 if self.aligned_before else REAL_WEIGHT * self.k * len(self.mean_y)
        return OperationCount(align + self.link.flops.encode, self.link.flops.decode + restore)

    def choose(self, x: AnyArray) -> tuple[Int[Tensor, "*a n k"], Float[Tensor, "*a n k"]]:
        """The indices I (…, n, k), rising, and the entries c_I (…, n, k) of latents x (…, n, d).

        Raises:
            ValueError: x is complex or not finite, its last dimension is not d, or it has no message axis.
        """
        x = check_latents(x, len(self.mean_x))
        c = x.to(self.alignment) - self.mean_x
        return largest(c @ self.alignment.mT if self.aligned_before else c, self.k)

    def encode(self, x: AnyArray) -> Complex[Tensor, "*batch n u t"]:
        """Channel symbols s (…, n, u, n_tx) of latents x (n, d) or (…, n, d); raises as `Transceiver.encode`."""
        chosen, entries = self.choose(x)
        return self.link.encode(entries - self.offsets[chosen])

    def informed_by(self, x: AnyArray) -> "TopKTransceiver":
        """The same transceiver, whose receiver knows the indices of these messages x (n, d) or (…, n, d); raises as `choose`."""
        return replace(self, indices=self.choose(x)[0])

    def receive(self, r: AnyArray) -> Float[Tensor, "*batch n s"]:
        """Entries ĉ (…, n, c), zero where nothing was sent, of the received symbols r (…, n, u, n_rx).

        Raises:
            ValueError: the receiver does not know the indices, or those of another number of messages, or r does not fit.
        """
        if self.indices is None:
            raise ValueError("a Top-K receiver must know the indices: decode with transceiver.informed_by(x), or let ll.transmit do it")
        v, indices = self.link.decode(r), self.indices
        if indices.shape[-2] != v.shape[-2]:
            raise ValueError(f"r must hold the {indices.shape[-2]} messages whose indices the receiver knows, got {v.shape[-2]}")
        sent = sends(self.link)[..., None, None]  # a silent link carries nothing, not even the offsets
        entries = torch.where(sent, self.offsets[indices] + v, 0.0)
        empty = entries.new_zeros(*entries.shape[:-1], len(self.offsets))
        return empty.scatter(-1, indices.expand(entries.shape), entries)

    def decode(self, r: AnyArray) -> Float[Tensor, "*batch n m"]:
        """Latents ŷ (…, n, m) of received symbols r (…, n, u, n_rx); raises as `receive`."""
        return self.mean_y + self.receive(r) if self.aligned_before else super().decode(r)

    @property
    def scalable(self) -> bool:  # type: ignore[override]
        """True where the link of its values is."""
        return self.link.scalable

    def scaled(self, factor: Float[Tensor, "*batch"]) -> "TopKTransceiver":
        """The same values at powers times a factor (…), as `LinearTransceiver.scaled`."""
        return replace(self, link=self.link.scaled(factor))

    def matched_to(self, channel: Channel) -> "TopKTransceiver":
        """The same precoder, with the LMMSE decoder of the values for this channel; raises as `LinearTransceiver.matched_to`."""
        return replace(self, link=self.link.matched_to(channel))

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        _, facts = self.link.to_tensors()
        own = {"tx_dim": len(self.mean_x), "rx_dim": len(self.mean_y), "k": self.k, "aligned_before": self.aligned_before}
        return saved_tensors(replace(self, indices=None)), facts | own

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], manifest: dict[str, Any]) -> "TopKTransceiver":
        """The link of a saved file."""
        link = LinearTransceiver.from_tensors(taken_out(tensors, "link."), manifest)
        entries, end = len(tensors["offsets"]), int(not manifest["aligned_before"])
        if entries != tensors["alignment"].shape[end] or not 0 < len(link.mean_x) <= entries:
            raise ValueError(f"offsets must be those of all entries, of which {len(link.mean_x)} are sent, got {entries}")
        return cls(**tensors, aligned_before=manifest["aligned_before"], link=link)


def largest(c: Float[Tensor, "*a n c"], k: int) -> tuple[Int[Tensor, "*a n k"], Float[Tensor, "*a n k"]]:
    """The indices of the k entries of greatest magnitude, in rising order, and the entries."""
    chosen = c.abs().topk(k, dim=-1, sorted=False).indices.sort(-1).values
    return chosen, c.gather(-1, chosen)

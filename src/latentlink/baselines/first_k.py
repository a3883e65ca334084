"""First-K: the first k entries of the latent are sent, the others are left at their mean.

Aligned after transmission, ŷ = μy + A [ĉ; 0] with c the first k entries of x − μx; aligned before it, ŷ = μy + [ĉ; 0] with c the first k
of A (x − μx). In its fair form: means cost no power, the entries are whitened, the whitening is undone at the receiver, and the decoder
adds μy [pandolfo2025latent].
"""

from dataclasses import dataclass

import torch

from latentlink.baselines.alignment import Alignment
from latentlink.baselines.whitened import LinearBaseline, Sent
from latentlink.channels.channel import Channel
from latentlink.numerics.doors import choice


@dataclass(frozen=True, kw_only=True)
class FirstK(LinearBaseline):
    """The first k entries, aligned after or before transmission (see `Baseline`).

    Attributes:
        align: "after" transmission, by the receiver, or "before" it, by the transmitter.

    References:
        [pandolfo2025latent]
    """

    align: str = "after"

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("align", self.align, ("after", "before"))

    def sent(self, aligned: Alignment, channel: Channel) -> Sent:
        """The first entries of the latent, or of the aligned one."""
        A, after = aligned.matrix, self.align == "after"
        eye = torch.eye(A.shape[1] if after else A.shape[0], dtype=A.dtype, device=A.device)
        k = self.number_sent(len(eye), channel)
        c, synthesis = (eye[:k], A[:, :k]) if after else (A[:k], eye[:, :k])
        return Sent(c, synthesis, aligned.components(c), k)

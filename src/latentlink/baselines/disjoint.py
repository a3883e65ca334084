"""Disjoint design: alignment, compression and equalisation, each the best of its kind, none knowing of the others.

The transmitter aligns, u = A (x − μx); compresses, keeping the k principal components of u (the Karhunen–Loève transform, no linear
compression loses less of u); whitens them, and sends them with equal power over an equalised channel. With a perfect channel and k = m
this is alignment itself; what the joint design gains elsewhere is power and streams spent where they matter for y over this channel.
"""

from dataclasses import dataclass

import torch

from latentlink.baselines.alignment import Alignment
from latentlink.baselines.whitened import LinearBaseline, Sent
from latentlink.channels.channel import Channel


@dataclass(frozen=True, kw_only=True)
class Disjoint(LinearBaseline):
    """Alignment, compression and equalisation designed apart: k principal components are kept, at most min(d, m) (see `Baseline`)."""

    def sent(self, aligned: Alignment, channel: Channel) -> Sent:
        """The aligned latent, and its principal components."""
        A = aligned.matrix
        eye = torch.eye(len(A), dtype=A.dtype, device=A.device)
        return Sent(A, eye, aligned.principal, self.number_sent(min(A.shape), channel))

"""The rank of the right latent of a gallery by its cosine with ŷ, in bounded memory."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from latentlink.evaluation.figures import RetrievalFigures

_FIRST = (1, 10)  # k of recall@k
_ROUNDING = 1e-12  # of cosines in float64, within which two are equal


class Ranks:
    """Counts of messages whose own latent of a gallery g_1 … g_G is among the k nearest to ŷ.

    For one message all cosines have the same ||ŷ||, so that ranks are those of ⟨g_j / ||g_j||, μy⟩ + ⟨Ψᵀ g_j / ||g_j||, ẑ⟩: ŷ is never
    formed, and at most `entries` of these numbers are held at a time. Where e of them equal that of the right latent (itself included) and
    a are above it, it is among the first k in a share (k − a) / e of their orders, cut to 0 … 1.
    """

    def __init__(self, gallery: Float[Tensor, "g m"], synthesis: Float[Tensor, "m s"], mean_y: Float[Tensor, "m"], entries: int) -> None:
        self.entries, self.count = entries, len(gallery)
        psi, mean = synthesis.double(), mean_y.double()
        levels, across = [], []
        for some in gallery.split(max(1, entries // gallery.shape[1])):
            directions = nn.functional.normalize(some.to(psi), dim=-1)
            levels.append(directions @ mean)
            across.append(directions @ psi)
        self.level, self.across = torch.cat(levels), torch.cat(across)
        self.longest = self.across.norm(dim=-1).amax()
        self.hits: list[Tensor] = [torch.zeros((), dtype=torch.float64, device=psi.device) for _ in _FIRST]

    def add(self, numbers: Int[Tensor, "n"], z: Float[Tensor, "*batch n s"]) -> None:
        """Count messages whose own latents have these numbers in the gallery, received as coefficients ẑ."""
        z = z.double()
        own = self.level[numbers] + (z * self.across[numbers]).sum(-1)  # (…, n)
        slack = _ROUNDING * (z.norm(dim=-1) * self.longest + self.level.abs().amax())
        above, equal = torch.zeros_like(own), torch.zeros_like(own)
        chunk = max(1, self.entries // max(1, own.numel()))
        for level, across in zip(self.level.split(chunk), self.across.split(chunk), strict=True):
            lead = level + z @ across.mT - own.unsqueeze(-1)
            above += (lead > slack.unsqueeze(-1)).sum(-1)
            equal += (lead.abs() <= slack.unsqueeze(-1)).sum(-1)
        self.hits = [hits + ((k - above) / equal).clamp(0, 1).sum(-1) for hits, k in zip(self.hits, _FIRST, strict=True)]

    def figures(self, messages: int, like: Tensor) -> RetrievalFigures:
        """The shares of so many messages, in the precision of a tensor."""
        first, tenth = ((hits / messages).to(like) for hits in self.hits)
        return RetrievalFigures(first, tenth, self.count)

"""The rank of the right latent of a gallery by its cosine with ŷ, in bounded memory."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from latentlink.evaluation.figures import RetrievalFigures

_FIRST = (1, 10)  # k of recall@k
_TILE, _COLUMNS = 2**17, 2**12  # numbers that are compared at a time, and latents of the gallery among them: they stay in a CPU's cache
_ROUNDING = 1e-12  # of cosines in float64, within which two are equal


class Ranks:
    """Counts of messages whose own latent of a gallery g_1 … g_G is among the k nearest to ŷ.

    For one message all cosines have the same ||ŷ||, so that ranks are those of ⟨g_j / ||g_j||, μy⟩ + ⟨Ψᵀ g_j / ||g_j||, ẑ⟩: ŷ is never
    formed, and few of these numbers are held at a time. Where e of them equal that of the right latent (itself included) and
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
        above, equal = self._compare(z.flatten(0, -2), (own - slack).flatten(), (own + slack).flatten())
        shares = (((k - above) / equal).clamp(0, 1).reshape(own.shape) for k in _FIRST)
        self.hits = [hits + share.sum(-1) for hits, share in zip(self.hits, shares, strict=True)]

    def _compare(
        self, z: Float[Tensor, "a s"], low: Float[Tensor, "a"], high: Float[Tensor, "a"]
    ) -> tuple[Float[Tensor, "a"], Float[Tensor, "a"]]:
        """How many latents of the gallery are above `high`, and how many from `low` to it, for each message."""
        above, from_low = torch.zeros_like(low), torch.zeros_like(low)
        columns = min(self.count, _COLUMNS)
        tile = min(self.entries, _TILE) if z.device.type == "cpu" else self.entries
        for rows in torch.arange(len(z), device=z.device).split(max(1, tile // columns)):
            for level, across in zip(self.level.split(columns), self.across.split(columns), strict=True):
                near = torch.addmm(level, z[rows], across.mT)
                above[rows] += torch.count_nonzero(near > high[rows].unsqueeze(-1), -1)
                from_low[rows] += torch.count_nonzero(near >= low[rows].unsqueeze(-1), -1)
        return above, from_low - above

    def figures(self, messages: int, like: Tensor) -> RetrievalFigures:
        """The shares of so many messages, in the precision of a tensor."""
        first, tenth = ((hits / messages).to(like) for hits in self.hits)
        return RetrievalFigures(first, tenth, self.count)

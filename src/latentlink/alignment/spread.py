"""What is known of few observations, spread over the transmitter's own latents by a graph of neighbours.

Latents in their leading principal components are joined to their nearest neighbours by weights exp(−||x_i − x_j||² / σ_i σ_j), σ_i the
distance to the last neighbour of i [zelnik2004selftuning], symmetrically. What is known at some nodes, S, is spread [zhou2004learning] by

    Z ← α D^{-1/2} W D^{-1/2} Z + (1 − α) S,

so that each latent has a share of each pilot. It is taken for the pilot of its largest share, if any reaches it: the rule of that paper,
argmax over the columns of Z, with each pilot for a class of its own. (The mean of the pilots by their shares pulls every y towards the mean
of all, the more the farther a latent is from its pilot; `docs/without-pairs.md` has both, on images that no head was fitted on.)
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlink.latents.representatives import COMPONENTS, evenly
from latentlink.latents.rows import LatentChunks
from latentlink.latents.whitening import Spectrum
from latentlink.numerics.doors import AnyArray, integer, real
from latentlink.numerics.reprs import Summarised

_MOST = 20_000  # latents in the graph; of more, as many at equal steps
_ROWS = 1024  # whose distances to all others are in memory at a time
_STEPS = 40


class OwnLatents(NamedTuple):
    """The transmitter's latents, centred, and what the graph is made of.

    Attributes:
        centred: x − mean (n, d).
        mean: (d,).
        spectrum: of their covariance.
        components: their coordinates (n, c) in the leading principal components.
    """

    centred: Float[Tensor, "n d"]
    mean: Float[Tensor, "d"]
    spectrum: Spectrum
    components: Float[Tensor, "n c"]


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Spread(Summarised):
    """A prior for `FewPairs`: pilots are spread over the transmitter's own latents, which need neither partners nor labels.

    Latents that are near each other at the transmitter have y that are alike; so each gets the y of the pilot of which it has the largest
    share, and a ridge of these on x is the prior mean of the map. The graph is made once, and serves many sets of pilots.

    Attributes:
        x: own latents (n, d); of more than 20,000 rows as many are taken at equal steps.
        neighbours: of each latent in the graph.
        reach: α in (0, 1), how much of what a latent has comes from its neighbours.

    Raises:
        ValueError: x is malformed or has too few rows, neighbours is no integer ≥ 1, or reach is not between 0 and 1.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> spread = ll.alignment.Spread(x)
        >>> spread
        Spread(500 latents, 8 dimensions, 10 neighbours, reach 0.97)
        >>> spread.shares(x[:20]).shape
        torch.Size([500, 20])
    """

    x: Float[Tensor, "n d"]
    neighbours: int
    reach: float

    def __init__(self, x: AnyArray, neighbours: int = 10, reach: float = 0.97) -> None:
        rows = LatentChunks("x", x)
        integer("neighbours", neighbours)
        if rows.count <= neighbours:
            raise ValueError(f"x must have more rows than a latent has neighbours, got {rows.count} rows and {neighbours} neighbours")
        chosen = evenly(rows.count, _MOST, torch.device("cpu")).tolist()
        taken = rows[slice(None)] if len(chosen) == rows.count else rows.taken(chosen)
        object.__setattr__(self, "x", taken)
        object.__setattr__(self, "neighbours", neighbours)
        object.__setattr__(self, "reach", real("reach", reach, above=0.0, below=1.0))

    def _facts(self) -> dict[str, str]:
        size = {"count": f"{len(self.x)} latents", "dimension": f"{self.x.shape[1]} dimensions"}
        return {**size, "neighbours": f"{self.neighbours} neighbours", "reach": f"reach {self.reach:g}"}

    @cached_property
    def own(self) -> OwnLatents:
        """The latents as the graph and the ridge need them."""
        x = self.x.double()
        mean = x.mean(0)
        centred = x - mean
        spectrum = Spectrum.of(centred.mT @ centred / len(x))
        return OwnLatents(centred, mean, spectrum, centred @ spectrum.vectors[:, : min(COMPONENTS, x.shape[1])])

    @cached_property
    def graph(self) -> Tensor:
        """The weights D^{-1/2} W D^{-1/2}, a sparse matrix (n, n)."""
        z, n, k = self.own.components, len(self.x), self.neighbours
        nearest = [_nearest(rows, z, k + 1) for rows in z.split(_ROWS)]
        distance, column = (torch.cat([part[number] for part in nearest]) for number in (0, 1))
        row = torch.arange(n, device=z.device).unsqueeze(-1).expand_as(column)
        other = column != row
        other &= other.cumsum(1) <= k  # where copies of a row stand before it
        scale = distance[:, -1].clamp(min=torch.finfo(z.dtype).tiny ** 0.5)
        weight = (-distance.square() / (scale[row] * scale[column])).exp()[other]
        row, column = row[other], column[other]
        pairs = torch.cat([torch.stack([row, column]), torch.stack([column, row])], 1)
        W = torch.sparse_coo_tensor(pairs, torch.cat([weight, weight]) / 2, (n, n), check_invariants=False).coalesce()
        degree = torch.zeros(n, dtype=z.dtype, device=z.device).index_add_(0, W.indices()[0], W.values())
        root = degree.clamp(min=torch.finfo(z.dtype).tiny).rsqrt()
        return torch.sparse_coo_tensor(W.indices(), root[W.indices()].prod(0) * W.values(), (n, n), check_invariants=False).coalesce()

    def nodes(self, x: Float[Tensor, "k d"]) -> Int[Tensor, "k"]:
        """The own latent (k,) that is nearest to each of the observations x (k, d); a ValueError if x is of another dimension."""
        if x.shape[-1] != self.x.shape[1]:
            raise ValueError(f"x must be of the graph's latents of dimension {self.x.shape[1]}, got {x.shape[-1]}")
        own = self.own
        z = (x.to(own.mean) - own.mean) @ own.spectrum.vectors[:, : own.components.shape[1]]
        return torch.cat([_nearest(rows, own.components, 1)[1].squeeze(1) for rows in z.split(_ROWS)])

    def shares(self, x: Float[Tensor, "k d"]) -> Float[Tensor, "n k"]:
        """The share (n, k) that each own latent has of each of the observations x (k, d); zeros where none reaches it.

        Raises:
            ValueError: x is of another dimension.
        """
        nodes = self.nodes(x)
        start = torch.zeros(len(self.x), len(x), dtype=self.own.mean.dtype, device=nodes.device)
        start[nodes, torch.arange(len(x), device=nodes.device)] = 1 - self.reach
        spread = start
        for _ in range(_STEPS):
            spread = torch.sparse.mm(self.graph, spread).mul_(self.reach).add_(start)
        return spread


def taken_for(shares: Float[Tensor, "n k"]) -> Int[Tensor, "n"]:
    """The number of the largest share of each latent, and k where it has none."""
    largest, number = shares.max(1)
    return torch.where(largest > 0, number, shares.shape[1])


def _nearest(rows: Float[Tensor, "b c"], z: Float[Tensor, "n c"], count: int) -> tuple[Float[Tensor, "b k"], Int[Tensor, "b k"]]:
    found = torch.cdist(rows, z).topk(count, dim=1, largest=False)
    return found.values, found.indices

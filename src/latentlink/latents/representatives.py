"""Rows that stand for all others without regard to classes: medoids of clusters, and herding.

Latents are looked at in their leading principal components. Medoids are the rows nearest to the centres of as many clusters (k-means).
Herding chooses row after row, so that the mean of a Gaussian kernel over the chosen rows approaches that over all of them
[chen2010supersamples]:

    i_{t+1} = argmax_i  mean_j k(x_i, x_j) − 1/(t + 1) Σ_{s ≤ t} k(x_i, x_{i_s}),      k(x, x') = exp(−||x − x'||² / 2σ²),

with σ the median distance. It draws no random numbers, and fewer rows are the first of more.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

COMPONENTS = 50  # leading principal components, in which distances tell more of the content than in all of them
_ROWS = 1024  # rows whose distances to all others are in memory at a time
_MOST = 20_000  # rows over which the kernel is averaged; of more, as many at equal steps
_MEDIAN = 1000  # rows whose distances have the median


def leading_components(x: Float[Tensor, "n d"], count: int = COMPONENTS) -> Float[Tensor, "n k"]:
    """Coordinates (n, k) of latents in their leading principal components, k = min(count, n, d)."""
    centred = x.double() - x.double().mean(0)
    vectors = torch.linalg.eigh(centred.mT @ centred).eigenvectors.flip(-1)
    return centred @ vectors[:, : min(count, *x.shape)]


def evenly(count: int, most: int, device: torch.device) -> Int[Tensor, "k"]:
    """At most so many of `count` row numbers, at equal steps."""
    return torch.arange(min(count, most), device=device) * count // min(count, most)


def median_distance(x: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    """The median distance of different rows, in float64; 1 where all are alike."""
    apart = torch.pdist(x.double())
    apart = apart[apart > 0]
    return apart.median() if len(apart) else apart.new_ones(())


def herd(x: Float[Tensor, "n d"], count: int) -> Int[Tensor, "count"]:
    """Choose rows by herding, in the order in which they are found.

    Args:
        x: latents.
        count: of rows, at most n.
    """
    z = leading_components(x)
    width = 2 * median_distance(z[evenly(len(z), _MEDIAN, z.device)]).square()
    others = z[evenly(len(z), _MOST, z.device)]
    density = torch.cat([(-torch.cdist(rows, others).square() / width).exp().mean(1) for rows in z.split(_ROWS)])
    covered, free, chosen = torch.zeros_like(density), torch.ones_like(density, dtype=torch.bool), []
    for found in range(count):
        score = torch.where(free, density - covered / (found + 1), -torch.inf)
        chosen.append(int(score.argmax()))
        free[chosen[-1]] = False
        covered += (-(z - z[chosen[-1]]).square().sum(1) / width).exp()
    return torch.tensor(chosen, device=x.device)

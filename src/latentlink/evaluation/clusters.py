"""How well the clusters of decoded latents agree with those of the receiver's own: what is left of the structure that no label names.

Both are grouped by k-means into as many clusters, each by itself and in its 50 leading principal components, and the two groupings of the
same messages are compared by the adjusted Rand index and by their mutual information [hubert1985comparing, vinh2010information]:

    ARI = (Σ_ij C(n_ij, 2) − E) / ((Σ_i C(a_i, 2) + Σ_j C(b_j, 2)) / 2 − E),   E = Σ_i C(a_i, 2) Σ_j C(b_j, 2) / C(n, 2),
    NMI = 2 I(A; B) / (H(A) + H(B)),

n_ij messages being in cluster i of one and j of the other, a and b their sums, and C(n, 2) = n(n − 1)/2. ARI is 0 in the mean for clusters
that have nothing in common and 1 for the same; the names of clusters do not matter.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlink.evaluation.figures import ClusteringFigures
from latentlink.latents.k_means import FewLatents, group_by_k_means
from latentlink.latents.representatives import leading_components
from latentlink.latents.rows import as_latents
from latentlink.numerics.doors import AnyArray, finite, integer
from latentlink.numerics.extras import import_extra
from latentlink.numerics.validation import validate_call

_STARTS = 4  # of k-means, whose clusters depend on where it begins
_SEED = 0


@validate_call
def clustering(y_hat: AnyArray, y: AnyArray, clusters: int = 10) -> ClusteringFigures:
    """Compare the clusters of decoded latents with those of the receiver's own.

    Args:
        y_hat: decoded latents (…, n, m).
        y: the receiver's latents (n, m) of the same messages.
        clusters: number of clusters, at most n.

    Returns:
        The agreement, of both measures 1 where the clusters are the same and about 0 where they have nothing in common.

    Raises:
        ValueError: the shapes do not fit, squares of latents overflow, or there are fewer messages than clusters.
        ImportError: scikit-learn is not installed (extra `eval`).

    Example:
        >>> import torch, latentlink as ll
        >>> y = torch.randn(500, 6, generator=torch.Generator().manual_seed(0))
        >>> float(ll.metrics.clustering(2 * y + 1, y, clusters=5).adjusted_rand)
        1.0
    """
    wanted, found = as_latents("y", y), finite("y_hat", y_hat)
    if found.is_complex() or found.ndim < 2 or found.shape[-2:] != wanted.shape:
        raise ValueError(f"y_hat must be real, (..., n, m) with y (n, m), got {tuple(found.shape)} and {tuple(wanted.shape)}")
    for name, latents in (("y_hat", found), ("y", wanted)):
        if not bool(torch.isfinite(latents.double().square().sum())):
            raise ValueError(f"{name} is too large: its squares overflow float64; scale the latents down")
    groups = Clusters(integer("clusters", clusters, 1, len(wanted)))
    groups.add(found, wanted)
    return groups.figures(found if found.is_floating_point() else found.double())


@dataclass(eq=False)
class Clusters:
    """Decoded and wanted latents of messages that come in parts, whose clusters are compared in the end.

    Attributes:
        count: number of clusters.
        synthesis: Ψ (m, s), with which coefficients ẑ are added; None where latents themselves are. Distances of ŷ are those of R ẑ, with
            the triangle R of Ψ = QR.
    """

    count: int
    synthesis: Float[Tensor, "m s"] | None = None

    def __post_init__(self) -> None:
        self.decoded: list[Tensor] = []
        self.wanted: list[Tensor] = []
        self.triangle = None if self.synthesis is None else torch.linalg.qr(self.synthesis.double()).R

    def add(self, z: Float[Tensor, "*batch n s"], y: Float[Tensor, "n m"]) -> None:
        """Keep messages of latents y, received as coefficients ẑ, or as latents where there is no synthesis."""
        self.decoded.append(z)
        self.wanted.append(y)

    def figures(self, like: Tensor) -> ClusteringFigures:
        """The agreement of the clusters of all messages so far, for each channel, in the precision of a tensor."""
        z, own = torch.cat(self.decoded, -2), self._group(torch.cat(self.wanted))
        if not z.shape[:-2].numel():
            return ClusteringFigures(like.new_zeros(z.shape[:-2]), like.new_zeros(z.shape[:-2]), self.count)
        each = (
            [agreement(self._group(self._place(some)), own) for some in z.flatten(0, -3)]
            if z.ndim > 2
            else [agreement(self._group(self._place(z)), own)]
        )
        rand, information = (like.new_tensor(values).reshape(z.shape[:-2]) for values in zip(*each, strict=True))
        return ClusteringFigures(rand, information, self.count)

    def _place(self, z: Float[Tensor, "n s"]) -> Tensor:
        return z if self.triangle is None else z.double() @ self.triangle.mT

    def _group(self, x: Float[Tensor, "n d"]) -> Int[Tensor, "n"]:
        """The cluster of each latent; one for all, where fewer differ than there are clusters, as where nothing was sent."""
        try:
            return group_by_k_means(leading_components(x), self.count, _SEED, _STARTS)
        except FewLatents:
            return torch.zeros(len(x), dtype=torch.int64, device=x.device)


def agreement(one: Int[Tensor, "n"], other: Int[Tensor, "n"]) -> tuple[float, float]:
    """The adjusted Rand index and the normalised mutual information of two groupings."""
    scores, pair = import_extra("sklearn.metrics", "eval"), (one.cpu().numpy(), other.cpu().numpy())
    return float(scores.adjusted_rand_score(*pair)), float(scores.normalized_mutual_info_score(*pair))

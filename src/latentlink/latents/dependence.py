"""Dependence: how far the latents of the two ends explain each other, held against rows that are permuted on purpose.

Standardised latents x and y are reduced to their leading principal components, and y is regressed on x by a ridge whose strength has the
least generalised cross-validation error [golub1979generalized]. With X = U diag(s) Vᵀ and the filter w = s² / (s² + λ),

    RSS(λ) = ||Y||² − Σ (2 w_j − w_j²) ||u_jᵀ Y||²,      GCV(λ) = RSS(λ) / (1 − (c + Σ w_j) / n)²,      R² = 1 − min GCV / GCV(∞),

where c means are removed: one, or one for each class. Rows of Y that are permuted have an R² about 0; the threshold is the largest of 99
such draws plus their range. R² below it means that the rows are not paired: no design can use them. With classes, permutations stay within
them, so that rows that are paired by their class alone are found as well.

The share of unpaired rows is Storey's estimate [storey2002direct]: a row's rank among 50 others, by the angle to its leave-one-out
prediction, is uniform where it is unpaired and small where it is paired. (By the distance, rows of large norm rank far behind also where
they are paired, and of weakly dependent pairs a quarter or more would look unpaired.)

Moments alone tell less, but at once (`evidence`). Under permutations of the rows ||Ryx||² has the mean tr Rx tr Ry / (n − 1) and, but for
a term of the kurtosis, the variance that [kazi1995refined] give, so that with v(R) = (n − 1) ||R||² − (tr R)² of standardised dimensions

    ρ = ((n − 1) ||Ryx||² − tr Rx tr Ry) / √(v(Rx) v(Ry)),      z = ρ √((n + 1) (n − 2) / 2)

has mean 0 and variance 1 where rows are not paired, and ρ = 1 for y = x. With a single direction at each end, z is below 4 in 99 of 100
draws of unpaired rows.
"""

import math
import warnings
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlink.latents.moments import Moments
from latentlink.numerics.reprs import Summarised, counted
from latentlink.numerics.seeds import stream_generator

ROWS, PARTS_X, PARTS_Y = 1000, 128, 32  # rows and principal components that are looked at
LEAST_ROWS = 16  # with fewer, permuted rows explain as much
LEAST_EVIDENCE = 4.0  # deviations of chance, below which moments look like those of permuted rows
_FEWEST = 4  # pairs: two lie on a line in any two spaces, and three in a plane
_DRAWS = 99
_OTHERS = 50
_RIDGES = 10.0 ** torch.linspace(-4, 3, 22, dtype=torch.float64, device="cpu")  # relative to the mean of s²
_LEAST_FREEDOM = 0.02  # of n, below which a fit says nothing


@dataclass(frozen=True)
class Dependence(Summarised):
    """How far y is explained by x.

    Attributes:
        r2: share of the variance of y's leading components that x explains, by generalised cross-validation; 0 where it explains none.
        threshold: what permuted rows reach at most.
        unpaired: estimated share of rows that are not paired, from 0 to 1.
    """

    r2: float
    threshold: float
    unpaired: float

    @property
    def is_paired(self) -> bool:
        """True where x explains y better than permuted rows do."""
        return self.r2 > self.threshold


def measure_dependence(x: Float[Tensor, "n d"], y: Float[Tensor, "n m"], labels: Int[Tensor, "n"] | None, seed: int = 0) -> Dependence:
    """Measure how far y is explained by x, against permuted rows; with labels, beyond what the class of a row explains.

    Args:
        x: latents at the transmitter, at least `LEAST_ROWS` of them; of more than `ROWS` a random part is looked at.
        y: latents at the receiver.
        labels: the classes, whose means are removed and within which rows are permuted; None permutes all rows.
        seed: of the rows and permutations.
    """
    generator = stream_generator(seed, "dependence")
    rows = torch.randperm(len(x), generator=generator, device="cpu")[:ROWS]
    classes = None if labels is None else labels[rows].cpu().unique(return_inverse=True)[1]
    x, y = (_centred(latents[rows].cpu().double(), classes) for latents in (x, y))
    means = 1 if classes is None else int(classes.max()) + 1
    u, s = _components(x, min(PARTS_X, len(rows) // 2))
    left, strengths = _components(y, PARTS_Y)
    y = left * strengths
    r2, strength = _best_fit(u, s, y, means)
    permuted = torch.stack([_best_fit(u, s, y[_permutation(len(rows), classes, generator)], means)[0] for _ in range(_DRAWS)])
    threshold = float(permuted.max() + (permuted.max() - permuted.min()))
    return Dependence(max(0.0, float(r2)), threshold, _unpaired_share(u, s, y, strength, means, generator))


class ChanceWarning(UserWarning):
    """In these pairs x and y depend on each other no more than permuted rows do."""


def warn_of_chance(moments: Moments, stacklevel: int) -> None:
    """Tell where a design for these moments would fit chance: the pairs are few, or their rows look permuted."""
    if moments.count < _FEWEST:
        warnings.warn(
            f"moments are of {counted(moments.count, 'pair')}, which a linear map nearly always fits without an error: what is "
            "expected, and what is optimal, holds for these alone; take more, such as ten for each dimension of x",
            UserWarning,
            stacklevel=stacklevel + 1,
        )
    elif evidence(moments) < LEAST_EVIDENCE:
        warnings.warn(
            f"in these {moments.count} pairs x and y depend on each other no more than permuted rows do: what is called optimal fits "
            "chance. Was one end shuffled, shifted or sorted? Join both on the observation's id (read_pairs does), and look(x, y) at them",
            ChanceWarning,
            stacklevel=stacklevel + 1,
        )


def evidence(moments: Moments) -> float:
    """How many deviations x and y depend more on each other than permuted rows do, z of the module.

    Args:
        moments: of paired latents.

    Returns:
        z; infinite for fewer than twice as many pairs as x has effective dimensions, where paired rows would look permuted, too.
    """
    moments, n = moments.without_rounding(), moments.count
    dx, dy = (covariance.diagonal().clamp(min=0).sqrt() for covariance in (moments.cov_x, moments.cov_y))
    inverse_x, inverse_y = (torch.where(d > 0, 1 / d, 0.0) for d in (dx, dy))
    cross = (moments.cov_yx * inverse_x * inverse_y.unsqueeze(-1)).square().sum()
    spread = [
        (n - 1) * (covariance * inverse.outer(inverse)).square().sum() - (inverse > 0).sum().square()
        for covariance, inverse in ((moments.cov_x, inverse_x), (moments.cov_y, inverse_y))
    ]
    scale = (spread[0].clamp(min=0) * spread[1].clamp(min=0)).sqrt()
    excess = (n - 1) * cross - (inverse_x > 0).sum() * (inverse_y > 0).sum()
    rank = (inverse_x > 0).sum().square() / (spread[0] + (inverse_x > 0).sum().square()) * (n - 1)  # participation ratio of x
    if n < LEAST_ROWS or n < 2 * rank or scale <= 1e-9 * n * cross:
        return math.inf
    return float(excess / scale) * ((n + 1) * (n - 2) / 2) ** 0.5


def _centred(latents: Float[Tensor, "n d"], classes: Int[Tensor, "n"] | None) -> Float[Tensor, "n k"]:
    """Standardise each dimension and remove the mean of each class; dimensions that do not vary are left out."""
    latents = latents - latents.mean(0)
    deviation = latents.square().mean(0).sqrt()
    varying = deviation > 1e-12 * latents.abs().amax(0).clamp(min=1e-300)
    latents = latents[:, varying] / deviation[varying]
    if classes is None:
        return latents
    classes = classes.unique(return_inverse=True)[1]  # whose numbers may be far apart
    counts = classes.bincount().unsqueeze(-1)
    means = torch.zeros(len(counts), latents.shape[1], dtype=latents.dtype, device="cpu").index_add_(0, classes, latents) / counts
    return latents - means[classes]


def _components(latents: Float[Tensor, "n d"], count: int) -> tuple[Float[Tensor, "n k"], Float[Tensor, "k"]]:
    """The leading left singular vectors and singular values, of the smaller Gram matrix, which is exact to 1e-8 of the largest."""
    if not latents.numel():
        return latents.new_zeros(len(latents), 0), latents.new_zeros(0)
    wide = latents.shape[0] < latents.shape[1]
    values, vectors = torch.linalg.eigh(latents @ latents.mT if wide else latents.mT @ latents)
    s = values.flip(0).clamp(min=0).sqrt()[:count]
    kept = int((s > 1e-6 * s.max().clamp(min=1e-300)).sum())
    s, vectors = s[:kept], vectors.flip(1)[:, :kept]
    return (vectors if wide else latents @ (vectors / s)), s


def _best_fit(u: Float[Tensor, "n k"], s: Float[Tensor, "k"], y: Float[Tensor, "n m"], means: int) -> tuple[Tensor, Tensor]:
    """R² of the ridge of least GCV error, and its λ."""
    if not len(s) or not y.numel():
        return torch.zeros((), dtype=torch.float64, device="cpu"), torch.ones((), dtype=torch.float64, device="cpu")
    n = len(y)
    ridge = _RIDGES * s.square().mean()
    w = s.square() / (s.square() + ridge.unsqueeze(-1))
    total = y.square().sum()
    rss = total - ((2 * w - w.square()) * (u.mT @ y).square().sum(-1)).sum(-1)
    freedom = 1 - (means + w.sum(-1)) / n
    gcv = torch.where(freedom > _LEAST_FREEDOM, rss / freedom.square(), torch.inf)
    return 1 - gcv.min() / (total / (1 - means / n) ** 2), ridge[gcv.argmin()]


def _permutation(n: int, classes: Int[Tensor, "n"] | None, generator: torch.Generator) -> Int[Tensor, "n"]:
    """A permutation of all rows, or one that leaves each row in its class."""
    shuffled = torch.randperm(n, generator=generator, device="cpu")
    if classes is None:
        return shuffled
    permutation = torch.empty(n, dtype=torch.long, device="cpu")
    permutation[classes.argsort(stable=True)] = shuffled[classes[shuffled].argsort(stable=True)]
    return permutation


def _unpaired_share(u: Tensor, s: Tensor, y: Tensor, ridge: Tensor, means: int, generator: torch.Generator) -> float:
    """Storey's estimate of the share of rows whose partner points no more along their leave-one-out prediction than other rows do."""
    if not len(s) or not y.numel():
        return 1.0
    n = len(y)
    w = s.square() / (s.square() + ridge)
    leverage = u.square() @ w + means / n
    predicted = y - (y - (u * w) @ (u.mT @ y)) / (1 - leverage.clamp(max=1 - _LEAST_FREEDOM)).unsqueeze(-1)
    directions, y = (torch.nn.functional.normalize(rows, dim=-1) for rows in (predicted, y))
    own = (directions * y).sum(-1, keepdim=True)
    others = torch.randint(n, (n, _OTHERS), generator=generator, device="cpu")
    rank = torch.stack([(directions * y[column]).sum(-1) for column in others.T], 1).ge(own).double().mean(1)
    return min(1.0, 2 * float((rank > 0.5).double().mean()))

"""Published aligners that take few pairs, as linear maps under what both ends know of all their latents: baselines for `FewPairs`.

Each reads its source's idea linearly, with the means and covariances of all latents; none is the authors' code.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.alignment.centred import Centred
from latentlink.latents.concepts import Concepts
from latentlink.latents.folds import fold_numbers
from latentlink.latents.marginal import Marginal
from latentlink.latents.moments import Moments
from latentlink.latents.pilots import Pilots
from latentlink.latents.whitening import Spectrum
from latentlink.latents.without_pairs import Weighing
from latentlink.numerics.doors import integer, real
from latentlink.numerics.reprs import Summarised

_COMPONENTS = (5, 10, 20, 50, 100)
_SHRINKAGES = tuple(10.0**power for power in range(-6, 2))
_FOLDS = 5

Map = Callable[[Float[Tensor, "k d"], Float[Tensor, "k m"]], Float[Tensor, "m d"]]


@dataclass(frozen=True)
class WhitenedProcrustes(Summarised):
    """The rotation between whitened principal components that fits the pairs best [schonemann1966generalized].

    With the leading r principal components of each end's own covariance, whitened as x̃ and ỹ, Q = U Vᵀ of Σ ỹ_i x̃_iᵀ = U S Vᵀ, and the map
    gives Q x̃ the variances of y.

    Attributes:
        components: r; None for that of 5, 10, 20, 50 and 100 which predicts held-out pairs best.

    Raises:
        ValueError: components is no integer ≥ 1.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> tx, rx = ll.alignment.Marginal.from_latents(x), ll.alignment.Marginal.from_latents(y)
        >>> ll.alignment.WhitenedProcrustes(5).fit(ll.Pilots(x[:42], y[:42]), tx, rx)
        Moments(estimated, as 42 pairs, 8 → 6)
    """

    components: int | None = None

    def __post_init__(self) -> None:
        if self.components is not None:
            integer("components", self.components)

    def fit(self, pilots: Pilots, tx: Marginal | Concepts, rx: Marginal | Concepts, goal: Weighing | None = None) -> Moments:
        """Estimate the moments; arguments and errors are those of `FewPairs.fit`."""
        pairs = Centred.of(pilots, tx, rx, goal)
        ends = Spectrum.of(pairs.tx.covariance), Spectrum.of(pairs.rx.covariance)
        most = min(len(end.kept(0.0)[0]) for end in ends)
        counts = _COMPONENTS if self.components is None else (self.components,)
        return pairs.moments(_best([_rotation(*ends, count) for count in sorted({min(count, most) for count in counts})], pairs))


def _rotation(a: Spectrum, b: Spectrum, r: int) -> Map:
    def fit(x: Float[Tensor, "k d"], y: Float[Tensor, "k m"]) -> Float[Tensor, "m d"]:
        whitening = a.vectors[:, :r] * a.values[:r].rsqrt()
        U, _, Vh = torch.linalg.svd((y @ b.vectors[:, :r] * b.values[:r].rsqrt()).mT @ (x @ whitening))
        return b.vectors[:, :r] * b.values[:r].sqrt() @ (U @ Vh) @ whitening.mT

    return fit


@dataclass(frozen=True)
class ParsevalFrame(Summarised):
    """Coordinates of x by the pairs' frame at the transmitter, read by their frame at the receiver [fiorellino2025frame].

    The pairs' latents are the anchors A_x and A_y. Their frames are made Parseval, F = A (AᵀA)^{-1/2}, so that ŷ = c F_yᵀ F_x x, c of least
    error over the pairs.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> tx, rx = ll.alignment.Marginal.from_latents(x), ll.alignment.Marginal.from_latents(y)
        >>> ll.alignment.ParsevalFrame().fit(ll.Pilots(x[:42], y[:42]), tx, rx)
        Moments(estimated, as 42 pairs, 8 → 6)
    """

    def fit(self, pilots: Pilots, tx: Marginal | Concepts, rx: Marginal | Concepts, goal: Weighing | None = None) -> Moments:
        """Estimate the moments; arguments and errors are those of `FewPairs.fit`."""
        pairs = Centred.of(pilots, tx, rx, goal)
        T = _parseval(pairs.y).mT @ _parseval(pairs.x)
        return pairs.moments(T * _scale(T, pairs.x, pairs.y))


def _parseval(anchors: Float[Tensor, "k d"]) -> Float[Tensor, "k d"]:
    """The frame F = A (AᵀA)^{-1/2} (K, d), of orthonormal columns or rows on what the anchors span."""
    U, s, Vh = torch.linalg.svd(anchors, full_matrices=False)
    kept = s > 1e-9 * s.max().clamp(min=torch.finfo(s.dtype).tiny)
    return U[:, kept] @ Vh[kept]


@dataclass(frozen=True)
class RelativeRepresentation(Summarised):
    """Cosines to the pairs' latents as coordinates that both ends share [moschella2023relative].

    The transmitter's r = N_x x / √tr Rx, with rows of N_x the anchors of length one, is read by the receiver's own regression of y on
    N_y y / √tr Ry, of strength λ.

    Attributes:
        shrinkage: λ > 0 relative to the mean variance of r; None for that of 10⁻⁶ to 10 which predicts held-out pairs best.

    Raises:
        ValueError: the shrinkage is not above 0.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> tx, rx = ll.alignment.Marginal.from_latents(x), ll.alignment.Marginal.from_latents(y)
        >>> ll.alignment.RelativeRepresentation(0.1).fit(ll.Pilots(x[:42], y[:42]), tx, rx)
        Moments(estimated, as 42 pairs, 8 → 6)
    """

    shrinkage: float | None = None

    def __post_init__(self) -> None:
        if self.shrinkage is not None:
            real("shrinkage", self.shrinkage, above=0.0)

    def fit(self, pilots: Pilots, tx: Marginal | Concepts, rx: Marginal | Concepts, goal: Weighing | None = None) -> Moments:
        """Estimate the moments; arguments and errors are those of `FewPairs.fit`."""
        pairs = Centred.of(pilots, tx, rx, goal)
        Ry = pairs.rx.covariance
        scale = float((Ry.trace() / pairs.tx.covariance.trace().clamp(min=torch.finfo(Ry.dtype).tiny)).sqrt())
        strengths = _SHRINKAGES if self.shrinkage is None else (self.shrinkage,)
        return pairs.moments(_best([_relative(Ry, scale, strength) for strength in strengths], pairs))


def _relative(Ry: Float[Tensor, "m m"], scale: float, strength: float) -> Map:
    def fit(x: Float[Tensor, "k d"], y: Float[Tensor, "k m"]) -> Float[Tensor, "m d"]:
        Nx, Ny = (torch.nn.functional.normalize(anchors, dim=1) for anchors in (x, y))
        crossed = Ny @ Ry
        gram = crossed @ Ny.mT
        regular = gram + strength * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
        return scale * torch.linalg.solve(regular, crossed).mT @ Nx

    return fit


def _scale(T: Float[Tensor, "m d"], x: Float[Tensor, "k d"], y: Float[Tensor, "k m"]) -> float:
    """The factor c ≥ 0 of least error of c T x over the pairs."""
    predicted = x @ T.mT
    return max(0.0, float((predicted * y).sum() / predicted.square().sum().clamp(min=torch.finfo(x.dtype).tiny)))


def _best(maps: Sequence[Map], pairs: Centred) -> Float[Tensor, "m d"]:
    """The map of all pairs, of the kind that predicts held-out pairs best, in the goal's metric if there is one."""
    if len(maps) > 1 and len(pairs.x) > 1:
        count = len(pairs.x)
        folds = min(_FOLDS, count)
        numbers = fold_numbers(0, count, count, folds).to(pairs.x.device)
        errors = [sum(_held_out(fit, pairs, numbers != fold) for fold in range(folds)) for fit in maps]
        maps = [maps[min(range(len(maps)), key=errors.__getitem__)]]
    return maps[0](pairs.x, pairs.y)


def _held_out(fit: Map, pairs: Centred, known: Tensor) -> float:
    """The squared error of the pairs that are not known."""
    error = pairs.y[~known] - pairs.x[~known] @ fit(pairs.x[known], pairs.y[known]).mT
    return float((error if pairs.weight is None else error @ pairs.weight.mT).square().sum())

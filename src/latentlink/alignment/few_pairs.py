"""Moments of few pairs, with what each end knows of all its latents, and a prior mean of the map between them.

For pilots (X, Y), centred on the means of all latents at both ends, and a prior mean T₀ of the map, independent Gaussian entries around it
give the posterior mean T = T₀ + (Y − X T₀ᵀ)ᵀ (X Xᵀ + κ I)⁻¹ X of `residual_ridge`; the strength κ has the least error when each pilot is
predicted by all others. Moments are Ryx = T Rx with the covariances of all latents, by the theorem of `latents.without_pairs`.

With a goal W the strength is chosen twice: once for the error W (y − ŷ) that the goal sees, and once for y; the first map fills the rows
that the goal sees and the second one the rest.
"""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from latentlink.alignment.centred import Centred
from latentlink.alignment.residual_ridge import ResidualRidge
from latentlink.alignment.spread import Spread
from latentlink.alignment.spread_prior import SpreadPrior
from latentlink.latents.concepts import Concepts
from latentlink.latents.marginal import Marginal
from latentlink.latents.moments import Moments
from latentlink.latents.pilots import Pilots
from latentlink.latents.without_pairs import Weighing, filled
from latentlink.numerics.doors import choice, real
from latentlink.numerics.reprs import Summarised


@dataclass(frozen=True, eq=False)
class FewPairs(Summarised):
    """An estimator of moments from few pairs and the latents that each end has without partners.

    Attributes:
        prior: what is believed before the pairs: nothing (a map of zeros), moments such as those of an older link or of class means, or a
            `Spread` of the pilots over the transmitter's own latents, which is used as far as it predicts pilots that are held out.
        shrinkage: λ ≥ 0, the weight of the prior, relative to the mean variance of x, or "loo" for that of least leave-one-out error.

    Raises:
        ValueError: the prior is of another kind, or the shrinkage is neither "loo" nor a finite number ≥ 0.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> tx, rx = ll.alignment.Marginal.from_latents(x), ll.alignment.Marginal.from_latents(y)
        >>> ll.alignment.FewPairs(ll.alignment.Spread(x)).fit(ll.Pilots(x[:42], y[:42]), tx, rx)
        Moments(estimated, as 42 pairs, 8 → 6)
    """

    prior: "Moments | Spread | None" = None
    shrinkage: float | str = "loo"

    def __post_init__(self) -> None:
        if self.prior is not None and not isinstance(self.prior, Moments | Spread):
            raise ValueError(f"prior must be Moments, alignment.Spread(x) or None, got {type(self.prior).__name__}")
        if isinstance(self.shrinkage, str):
            choice("shrinkage", self.shrinkage, ("loo",))
        else:
            real("shrinkage", self.shrinkage, least=0.0)

    def fit(self, pilots: Pilots, tx: Marginal | Concepts, rx: Marginal | Concepts, goal: Weighing | None = None) -> Moments:
        """Estimate the moments.

        Args:
            pilots: the pairs.
            tx: what the transmitter knows of its latents.
            rx: what the receiver knows of its latents.
            goal: in whose metric the strength is chosen for the rows that it sees.

        Raises:
            ValueError: dimensions differ, or one of these is of another kind.
        """
        pairs = Centred.of(pilots, tx, rx, goal)
        estimator = SpreadPrior.of(self.prior, pairs) if isinstance(self.prior, Spread) else PriorMean.of(self.prior, pairs)
        plain = estimator.fitted(None, self.shrinkage)
        seen = plain if pairs.weight is None else filled(estimator.fitted(pairs.weight, self.shrinkage), plain, pairs.weight)
        return pairs.moments(seen)


@dataclass(frozen=True, eq=False)
class PriorMean:
    """Pilots around a prior mean of the map.

    Attributes:
        mean: T₀ (m, d).
        ridge: of the residuals.
    """

    mean: Float[Tensor, "m d"]
    ridge: ResidualRidge

    @classmethod
    def of(cls, prior: Moments | None, pairs: Centred) -> "PriorMean":
        """The map of these moments, or zeros, beside the pilots; a ValueError unless both are of the same latents."""
        shape = (pairs.y.shape[1], pairs.x.shape[1])
        if prior is not None and prior.cov_yx.shape != shape:
            raise ValueError(f"prior must be moments of the pilots' latents (m, d) = {shape}, got {tuple(prior.cov_yx.shape)}")
        mean = pairs.x.new_zeros(shape) if prior is None else prior.regression().to(pairs.x)
        return cls(mean, pairs.ridge(mean))

    def fitted(self, weight: Float[Tensor, "q m"] | None, shrinkage: float | str) -> Float[Tensor, "m d"]:
        """The map whose strength, unless it is given, suits the goal's weight."""
        if isinstance(shrinkage, str):
            shrinkage, _ = (self.ridge if weight is None else self.ridge.weighed(weight)).best_shrinkage()
        return self.mean + self.ridge.correction(shrinkage)

"""Pilots around the means of all latents of both ends: what every estimator from few pairs begins and ends with."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from latentlink.alignment.residual_ridge import ResidualRidge
from latentlink.latents.concepts import Concepts
from latentlink.latents.marginal import Marginal
from latentlink.latents.moments import Moments
from latentlink.latents.pilots import Pilots
from latentlink.latents.without_pairs import Weighing
from latentlink.numerics.doors import check_instance


@dataclass(frozen=True, eq=False)
class Centred:
    """Pilots around the means of all latents, checked against both ends.

    Attributes:
        x: X (K, d).
        y: Y (K, m).
        tx: marginal of the transmitter.
        rx: marginal of the receiver.
        weight: W (q, m) of the goal, if there is one.
    """

    x: Float[Tensor, "k d"]
    y: Float[Tensor, "k m"]
    tx: Marginal
    rx: Marginal
    weight: Float[Tensor, "q m"] | None

    @classmethod
    def of(cls, pilots: Pilots, tx: Marginal | Concepts, rx: Marginal | Concepts, goal: Weighing | None) -> "Centred":
        """Check and centre them; a ValueError names what does not fit."""
        check_instance("pilots", pilots, Pilots, "Pilots(x, y)")
        ends = [each.marginal if isinstance(each, Concepts) else each for each in (tx, rx)]
        for name, end, latents in zip(("tx", "rx"), ends, (pilots.x, pilots.y), strict=True):
            check_instance(name, end, Marginal, f"alignment.Marginal.from_latents({name[0]}) makes one")
            if len(end.mean) != latents.shape[1]:
                raise ValueError(f"{name} must be of the pilots' latents of dimension {latents.shape[1]}, got {len(end.mean)} dimensions")
        weight = None if goal is None else goal.weight.to(ends[1].mean)
        if weight is not None and weight.shape[1] != pilots.y.shape[1]:
            raise ValueError(f"goal must weigh latents of dimension {pilots.y.shape[1]}, got a weight of shape {tuple(weight.shape)}")
        x, y = (latents.to(end.mean) - end.mean for latents, end in zip((pilots.x, pilots.y), ends, strict=True))
        return cls(x, y, ends[0], ends[1], weight)

    @property
    def mean_variance(self) -> float:
        """The mean variance of a dimension of x, over all latents."""
        return float(self.tx.covariance.diagonal().mean())

    def ridge(self, T0: Float[Tensor, "m d"]) -> ResidualRidge:
        """The ridge of the residuals of a map."""
        return ResidualRidge.of(self.x, self.y - self.x @ T0.mT, self.mean_variance)

    def moments(self, T: Float[Tensor, "m d"]) -> Moments:
        """The moments of this map, counted as so many pairs as there are pilots.

        No regression explains more than the variance of y, which is known of all latents: a map of few pilots that does is scaled down.
        """
        explained, variance = (T @ self.tx.covariance * T).sum(), self.rx.covariance.trace()
        scale = (variance / explained).sqrt() if explained > variance else 1.0
        return Moments.from_aligner(scale * T, self.tx, self.rx).counted_as(len(self.x))

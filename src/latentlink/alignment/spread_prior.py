"""The prior mean that a neighbour graph gives, used as far as it predicts pilots that were held out.

With Z (n × K) one where the transmitter's latents X_o are taken for a pilot (see `spread`), and zero elsewhere, the prior mean is the ridge
of Z Y on them,

    T₀ = (Z Y)ᵀ X_o (X_oᵀ X_o + n λ₀ v I)⁻¹,

v their mean variance and λ₀ of least generalised cross-validation error. Pilots are held out in up to ten folds, spread without them, and
predicted by γ T₀ and the ridge of the residuals, with γ from 0 (no graph) to 1; γ and the strength have the least error. So a graph that
misleads is not used, and at γ = 0 the estimate is that without a graph.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlink.alignment.centred import Centred
from latentlink.alignment.residual_ridge import STRENGTHS, ResidualRidge
from latentlink.alignment.spread import Spread, taken_for
from latentlink.latents.folds import fold_numbers
from latentlink.latents.representatives import evenly
from latentlink.latents.whitening import gcv_shrinkage

_FOLDS = 10
_PARTS = (0.0, 0.25, 0.5, 0.75, 1.0)  # γ
_MOST = 1000  # pilots that are spread; of more, as many at equal steps: by then the graph adds next to nothing


class HeldOut(NamedTuple):
    """A fold of pilots, and what the others say of it.

    Attributes:
        ridge: of the others' y, and beside it in further columns of their residuals of the prior.
        x: coordinates of the pilots held out (h, r).
        y: the same columns (h, 2 m) for these: y, and residuals of the prior.
    """

    ridge: ResidualRidge
    x: Float[Tensor, "h r"]
    y: Float[Tensor, "h m2"]

    def errors(self, strengths: list[float], weight: Float[Tensor, "q m"] | None) -> Float[Tensor, "s g"]:
        """Squared errors for each strength and each part γ of the prior."""
        ridge, y = self.ridge, self.y.unflatten(1, (2, -1))
        inside = ridge.inside.unflatten(1, (2, -1))
        if weight is not None:
            y, inside = y @ weight.mT, inside @ weight.mT
        found = []
        for strength in strengths:
            filtered = ridge.singular / (ridge.singular.square() + strength * ridge.unit)
            without, beside = (y - torch.einsum("hr,rpm->hpm", self.x @ ridge.right * filtered, inside)).unbind(1)
            found.append(torch.stack([((1 - part) * without + part * beside).square().sum() for part in _PARTS]))
        return torch.stack(found)


@dataclass(frozen=True, eq=False)
class SpreadPrior:
    """A graph, pilots, and folds of these.

    Attributes:
        pairs: the centred pilots.
        prior: T₀ (m, d) of all pilots.
        folds: pilots held out; none for a single pilot, whose graph is trusted.
    """

    pairs: Centred
    prior: Float[Tensor, "m d"]
    folds: tuple[HeldOut, ...]

    @classmethod
    def of(cls, spread: Spread, pairs: Centred) -> "SpreadPrior":
        """Spread the pilots, and once more without each fold of them."""
        own, count = spread.own, len(pairs.x)
        chosen = evenly(count, _MOST, pairs.x.device)
        reached = spread.shares(pairs.x[chosen] + pairs.tx.mean)
        targets = torch.cat([pairs.y[chosen], torch.zeros_like(pairs.y[:1])])[taken_for(reached)]
        crossed = own.spectrum.vectors.mT @ own.centred.mT / len(own.centred)
        explained = crossed @ targets
        variance = (targets - targets.mean(0)).square().sum() / len(targets)
        strength = gcv_shrinkage(own.spectrum, explained.square().sum(1), variance, len(targets))
        values, vectors = own.spectrum.kept(strength)
        solved = crossed[: len(values)] / values.unsqueeze(-1)
        prior = (vectors @ (solved @ targets)).mT
        at_pilots = pairs.x @ vectors @ solved
        return cls(pairs, prior, tuple(_folds(pairs, chosen, reached, at_pilots)))

    def fitted(self, weight: Float[Tensor, "q m"] | None, shrinkage: float | str) -> Float[Tensor, "m d"]:
        """The map whose part of the prior, and whose strength unless it is given, suit the goal's weight."""
        strengths = [*STRENGTHS.tolist(), torch.inf] if isinstance(shrinkage, str) else [shrinkage]
        best, part = (0, len(_PARTS) - 1)
        if self.folds:
            errors = torch.stack([fold.errors(strengths, weight) for fold in self.folds]).sum(0)
            best, part = divmod(int(errors.argmin()), len(_PARTS))
        T0 = _PARTS[part] * self.prior
        ridge, strength = self.pairs.ridge(T0), strengths[best]
        if part == 0 and isinstance(shrinkage, str):  # no graph: the same as without one
            strength, _ = (ridge if weight is None else ridge.weighed(weight)).best_shrinkage()
        return T0 + ridge.correction(strength)


def _folds(pairs: Centred, chosen: Int[Tensor, "c"], reached: Float[Tensor, "n c"], at_pilots: Float[Tensor, "k n"]) -> "list[HeldOut]":
    """Hold out each fold of the pilots.

    Args:
        pairs: all K pilots.
        chosen: numbers of those that are spread.
        reached: their shares.
        at_pilots: the ridge's prediction (K, n) at the pilots of what the own latents have.
    """
    count = len(pairs.x)
    if count < 2:
        return []
    left, singular, _ = torch.linalg.svd(pairs.x, full_matrices=False)
    coordinates = left * singular  # all that inner products of pilots depend on
    numbers = fold_numbers(0, count, count, min(_FOLDS, count)).to(chosen.device)
    found = []
    for fold in range(min(_FOLDS, count)):
        known = numbers != fold
        spread = known[chosen]
        numbered = taken_for(reached[:, spread])
        sums = at_pilots.new_zeros(count, int(spread.sum()) + 1).index_add_(1, numbered, at_pilots)[:, :-1]
        prior = sums @ pairs.y[chosen[spread]]
        both = torch.cat([pairs.y, pairs.y - prior], 1)
        ridge = ResidualRidge.of(coordinates[known], both[known], pairs.mean_variance)
        found.append(HeldOut(ridge, coordinates[~known], both[~known]))
    return found

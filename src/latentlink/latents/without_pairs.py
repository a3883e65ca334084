"""Moments that no pairs were counted for: what each end knows by itself, and a linear map for how the ends belong together.

For given precoder and decoder the MSE is affine in Ryx. So whatever is known of how y follows from x, the link of least expected MSE is the
closed form with the expectation of Ryx in the place of Ryx, and the true Rx and Ry of the marginals; the same holds in a goal's metric.
Every estimator therefore ends in moments, and designs, codecs, limits and cases of CSI need nothing new.
"""

import warnings
from dataclasses import replace
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.latents.class_regression import regress_on_classes
from latentlink.latents.concepts import Concepts
from latentlink.latents.marginal import Marginal
from latentlink.latents.whitening import Spectrum, gcv_shrinkage
from latentlink.numerics.doors import AnyArray, check_instance, finite, integer

_SEEN = 1e-12  # singular values of a goal's weight below this share of the largest are rounding
_EXPLAINED = 1.02  # of the variance of y, beyond which a map is no regression, rounding and sampling aside


@runtime_checkable
class LinearMap(Protocol):
    """The part of an alignment that is asked for here."""

    @property
    def matrix(self) -> Tensor:
        """A (m, d)."""


@runtime_checkable
class Weighing(Protocol):
    """The part of a goal that is asked for here."""

    @property
    def weight(self) -> Tensor:
        """W (q, m)."""


P = TypeVar("P", bound="WithoutPairs")


class WithoutPairs:
    """The constructors of moments that need no pairs, and what is asked of such moments; the base of `Moments`."""

    count: int
    cov_x: Float[Tensor, "d d"]
    cov_yx: Float[Tensor, "m d"]
    cov_y: Float[Tensor, "m m"]
    estimated: bool
    squared_weights: float | None

    @property
    def effective_count(self) -> float:
        """(Σ w)² / Σ w², the number of equal pairs that chance affects as much; the count, where all pairs count alike."""
        return self.count if self.squared_weights is None else self.count**2 / self.squared_weights

    @classmethod
    def from_aligner(cls: type[P], A: AnyArray | LinearMap, tx: Marginal | Concepts, rx: Marginal | Concepts) -> P:
        """Take the word of a linear map for how y follows from x, with what each end knows by itself: Ryx = A Rx.

        So every aligner, of whatever paper, gets our designs, channels and limits.

        Args:
            A: map (m, d) of centred latents, y − μy ≈ A (x − μx); or an `Alignment`.
            tx: what the transmitter knows of its latents.
            rx: what the receiver knows of its latents.

        Raises:
            ValueError: A is not finite and real of this shape.

        Warns:
            UserWarning: A gives more variance than y has; errors that are expected of its designs are then not to be trusted.

        Example:
            >>> import torch, latentlink as ll
            >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
            >>> tx, rx = ll.alignment.Marginal.from_latents(x[:250]), ll.alignment.Marginal.from_latents(x[250:, :6].tanh())
            >>> ll.Moments.from_aligner(0.6 * torch.eye(6, 8), tx, rx)
            Moments(estimated, as 250 pairs, 8 → 6)
        """
        ends = [each.marginal if isinstance(each, Concepts) else each for each in (tx, rx)]
        for name, end in zip(("tx", "rx"), ends, strict=True):
            check_instance(name, end, Marginal, f"alignment.Marginal.from_latents({name[0]}) makes one")
        x, y = ends
        matrix = finite("A", getattr(A, "matrix", A)).to(x.covariance)
        if matrix.is_complex() or matrix.shape != (len(y.mean), len(x.mean)):
            raise ValueError(f"A must be real of shape ({len(y.mean)}, {len(x.mean)}), got {matrix.dtype} {tuple(matrix.shape)}")
        cov_yx = matrix @ x.covariance
        explained, variance = float((cov_yx * matrix).sum()), float(y.covariance.trace())
        if explained > _EXPLAINED * variance:
            warnings.warn(
                f"A gives {explained / max(variance, 1e-300):.2g} times the variance that y has: it is no regression, and errors that are "
                "expected of its designs are too small; measure them, or scale A down",
                UserWarning,
                stacklevel=2,
            )
        make: Any = cls
        found: P = make(min(x.count, y.count), x.mean, y.mean, x.covariance, cov_yx, y.covariance, estimated=True)
        return found

    @classmethod
    def from_concepts(
        cls: type[P],
        tx: Concepts,
        rx: Concepts,
        rest: "WithoutPairs | None" = None,
        *,
        goal: Weighing | None = None,
        shrinkage: float | str = "auto",
        probability: AnyArray | None = None,
    ) -> P:
        """Estimate moments without any pair, from the class means at both ends: Ryx = T Rx with T = B R_λ⁻¹ of `class_regression`.

        Such a link carries the classes and nothing else of y. With pairs as `rest`, these fill what the goal leaves open,

            T = T₀ + (I − W⁺W) (T_rest − T₀),

        so that decisions come from the classes, W T = W T₀, and the rest of the latent from the pairs.

        Args:
            tx: class means of the transmitter.
            rx: class means of the receiver, of the same classes.
            rest: moments of pairs, or of an estimator such as `alignment.FewPairs`, for what the goal leaves open; needs a goal.
            goal: in whose metric the shrinkage is chosen.
            shrinkage: λ ≥ 0 relative to the mean variance of x, or "auto" (generalised cross-validation).
            probability: π (c,) of the classes; their share of the latents of both ends if None.

        Raises:
            ValueError: a class is missing at one end, the sizes do not fit each other, or there are pairs and no goal.

        Example:
            >>> import torch, latentlink as ll
            >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
            >>> y, labels = x[:, :6].tanh(), (x[:, 0] > 0).long()
            >>> tx = ll.alignment.Concepts.from_labels(x[:250], labels[:250])  # of other observations
            >>> rx = ll.alignment.Concepts.from_labels(y[250:], labels[250:])  # than these
            >>> ll.semantic_modes(ll.Moments.from_concepts(tx, rx))
            SemanticModes(1 mode, 8 → 6, MSE, shrinkage 0)
        """
        for name, end in (("tx", tx), ("rx", rx)):
            check_instance(name, end, Concepts, f"alignment.Concepts.from_labels({name[0]}, labels) makes them")
        if goal is not None and not isinstance(getattr(goal, "weight", None), Tensor):
            raise ValueError(f"goal must be a Goal, such as Goal.fisher(head, y), got {type(goal).__name__}")
        shared, x = tx.shared_with(rx, probability), tx.marginal
        if goal is not None and goal.weight.shape[1] != shared.means_y.shape[1]:
            dim, got = shared.means_y.shape[1], tuple(goal.weight.shape)
            raise ValueError(f"goal must weigh latents of dimension {dim}, got a weight of shape {got}")
        T = regress_on_classes(x.covariance, shared, x.count, shrinkage, None if goal is None else goal.weight)
        if rest is None:
            return cls.from_aligner(T, tx, rx)
        if goal is None:
            raise ValueError("rest needs a goal, whose complement the pairs fill: give goal=, or leave rest out")
        check_instance("rest", rest, WithoutPairs, "Moments.from_pairs(x, y) or alignment.FewPairs().fit(pilots, tx, rx) makes them")
        if rest.cov_yx.shape != T.shape:
            raise ValueError(f"rest must be moments of the same latents (m, d) = {tuple(T.shape)}, got {tuple(rest.cov_yx.shape)}")
        return cls.from_aligner(filled(T, rest.regression(), goal.weight), tx, rx)

    def regression(self) -> Float[Tensor, "m d"]:
        """The map T (m, d) of y on x: Ryx R_λ⁻¹, λ by generalised cross-validation, or 0 where `cov_yx` was estimated."""
        spectrum = Spectrum.of(self.cov_x)
        explained = (self.cov_yx @ spectrum.vectors).square().sum(0)
        shrinkage = 0.0 if self.estimated else gcv_shrinkage(spectrum, explained, self.cov_y.trace(), self.effective_count)
        values, vectors = spectrum.kept(shrinkage)
        return self.cov_yx @ vectors / values @ vectors.mT

    def counted_as(self: P, count: int) -> P:
        """The same means and covariances as if of so many pairs: memory of the past, `old.counted_as(84) + new`; without folds.

        How sure they are is not forgotten: shrinkage is chosen for as many equal pairs as chance affects as much (`effective_count`).

        Raises:
            ValueError: count is no integer >= 1.

        Example:
            >>> import torch, latentlink as ll
            >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
            >>> old, new = ll.Moments.from_pairs(x[:460], x[:460].tanh()), ll.Moments.from_pairs(x[460:], x[460:].tanh())
            >>> old.counted_as(80) + new  # the past counts twice as much as 40 new pairs
            Moments(120 pairs, 8 → 8)
        """
        own: Any = self
        number = integer("count", count)
        squares = (float(self.count) if self.squared_weights is None else self.squared_weights) * (number / self.count) ** 2
        counted: P = replace(own, count=number, folds=(), squared_weights=squares)
        return counted


def filled(T: Float[Tensor, "m d"], rest: Float[Tensor, "m d"], weight: Float[Tensor, "q m"]) -> Float[Tensor, "m d"]:
    """The map that is T in what the goal W sees and `rest` in what it leaves open: T + (I − W⁺W) (rest − T).

    Args:
        T: map (m, d) of x.
        rest: another.
        weight: W (q, m) of the goal.
    """
    _, strengths, rows = torch.linalg.svd(weight.to(T), full_matrices=False)
    seen = rows[strengths > _SEEN * strengths.max()]
    beside = rest - T
    return T + beside - seen.mT @ (seen @ beside)

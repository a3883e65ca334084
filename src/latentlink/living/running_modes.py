"""Modes that follow every new pair at the cost of a few matrix-vector products, where a refit takes an eigendecomposition.

With the scatter matrices S = Σ (x − μx)(x − μx)ᵀ and C = Σ (y − μy)(x − μx)ᵀ of all pairs so far, W the goal's weight and a ridge c,

    P = (S + c I)⁻¹,      T = W C P,      n B Bᵀ = T (W C)ᵀ   (q × q),      B the whitened cross-covariance in the goal's metric.

New pairs, centred on their own mean, and the step between both means √(nk / (n + k)) δ make up the rows of Z_x and Z_y. They change S by
Z_xᵀ Z_x and C by Z_yᵀ Z_x (Chan's formula), so that P and T follow by Woodbury's identity, which is recursive least squares,

    K = P Z_xᵀ (I + Z_x P Z_xᵀ)⁻¹,      P ← P − K Z_x P,      T ← T + (Z_y Wᵀ − Z_x Tᵀ)ᵀ Kᵀ.

From B Bᵀ = U diag(b²) Uᵀ the modes are Φ = diag(1/b) Uᵀ T and Ψ = C Φᵀ / n, those of `semantic_modes` with the shrinkage that c stands for
at n pairs.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.latents.moments import Moments
from latentlink.latents.rows import as_pairs
from latentlink.latents.whitening import Spectrum, check_shrinkage, gcv_shrinkage
from latentlink.linear.goal import Goal
from latentlink.linear.modes import SemanticModes
from latentlink.numerics.doors import AnyArray, integer, real
from latentlink.numerics.expectations import made_by
from latentlink.numerics.parts import Parts
from latentlink.numerics.reprs import Summarised, counted
from latentlink.numerics.validation import validate_call
from latentlink.storage.artifacts import Saved, artifact

_TENSORS = (
    *("mean_x", "mean_y", "precision", "scatter", "weight", "regression"),
    *("variance_x", "variance", "weighted_variance"),
)
_LEAST = 1e-10  # ridge, relative to the largest eigenvalue of Rx: what designs drop as rounding


@made_by("living.RunningModes.of(moments, goal)")
@artifact("running modes")
@dataclass(frozen=True, eq=False, repr=False)
class RunningModes(Summarised, Parts, Saved):
    """All that modes for a goal need of the pairs so far; `update` returns those with further pairs, and leaves this one as it is.

    In float32 (`.to(torch.float32)`) an update takes less than half the time. Rounding adds up: slowly (4e-7 of the strengths over 1,000
    pairs in 1,280 dimensions), but begin anew by `of` now and then. They are saved by `save`, read back by `latentlink.load`, and go on as
    if they had never been away.

    Attributes:
        count: n, number of pairs that count.
        mean_x: μx (d,).
        mean_y: μy (m,).
        precision: P (d, d).
        scatter: C (m, d).
        weight: W (q, m) of the goal.
        regression: T (q, d).
        variance_x: Σ ||x − μx||².
        variance: Σ ||y − μy||².
        weighted_variance: Σ ||W (y − μy)||².
        ridge: c, which fades with the past where `update` is given a memory.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> running = ll.living.RunningModes.of(ll.Moments.from_pairs(x[:400], y[:400]), ll.Goal(torch.eye(2, 6)))
        >>> running.update(x[400:], y[400:])
        RunningModes(500 pairs, 8 → 6, goal of 2 directions)
        >>> running.update(x[400:], y[400:]).modes()
        SemanticModes(2 modes, 8 → 6, goal of 2 directions, shrinkage ...)
    """

    count: float
    mean_x: Float[Tensor, "d"]
    mean_y: Float[Tensor, "m"]
    precision: Float[Tensor, "d d"]
    scatter: Float[Tensor, "m d"]
    weight: Float[Tensor, "q m"]
    regression: Float[Tensor, "q d"]
    variance_x: Float[Tensor, ""]
    variance: Float[Tensor, ""]
    weighted_variance: Float[Tensor, ""]
    ridge: float

    def _facts(self) -> dict[str, str]:
        return {
            "count": f"{self.count:g} pairs",
            "dimensions": f"{len(self.mean_x)} → {len(self.mean_y)}",
            "goal": f"goal of {counted(len(self.weight), 'direction')}",
        }

    @classmethod
    @validate_call
    def of(cls, moments: Moments, goal: Goal, shrinkage: float | str = "auto") -> "RunningModes":
        """Begin with the moments of past pairs.

        Args:
            moments: of pairs; of an estimate too, which then counts as regularised pairs.
            goal: a goal without fidelity, whose few directions are what is followed.
            shrinkage: λ as in `semantic_modes`, at least 1e-10 of the largest eigenvalue of Rx over the mean one.

        Raises:
            ValueError: the goal has a fidelity or another dimension, the shrinkage is no such number, or x does not vary.
        """
        shrinkage = check_shrinkage(shrinkage)
        if goal.fidelity > 0:
            raise ValueError(f"goal must have no fidelity, which takes all modes, got {goal.fidelity:g}: Goal(goal.weight)")
        if goal.weight.shape[1] != len(moments.mean_y):
            raise ValueError(
                f"goal must weigh latents of dimension {len(moments.mean_y)}, got a weight of shape {tuple(goal.weight.shape)}"
            )
        n, W = moments.count, goal.weight.to(moments.cov_yx)
        spectrum, weighted = Spectrum.of(moments.cov_x), (W @ moments.cov_y * W).sum()
        if not spectrum.mean_variance > 0:
            raise ValueError("moments must be of latents x that vary, got a covariance of zeros")
        if isinstance(shrinkage, str):
            explained = (W @ moments.cov_yx @ spectrum.vectors).square().sum(0)
            shrinkage = 0.0 if moments.estimated else gcv_shrinkage(spectrum, explained, weighted, n)
        ridge = max(float(shrinkage * spectrum.mean_variance), _LEAST * float(spectrum.values[0]))
        inverse = spectrum.vectors / (spectrum.values + ridge) @ spectrum.vectors.mT
        regression = W @ moments.cov_yx @ inverse
        variances = {"variance_x": n * moments.cov_x.trace(), "variance": n * moments.cov_y.trace(), "weighted_variance": n * weighted}
        sums: dict[str, Any] = {**variances, "ridge": n * ridge}
        return cls(n, moments.mean_x, moments.mean_y, inverse / n, n * moments.cov_yx, W, regression, **sums)

    def remembering(self, memory: int) -> "RunningModes":
        """The same as if of `memory` pairs only, with their means and covariances; raises a ValueError if it is no integer >= 1."""
        share = integer("memory", memory) / self.count
        sums = {name: share * getattr(self, name) for name in ("scatter", "variance_x", "variance", "weighted_variance", "ridge", "count")}
        return replace(self, precision=self.precision / share, **sums)

    def update(self, x: AnyArray, y: AnyArray, memory: int | None = None) -> "RunningModes":
        """The same with further pairs.

        Args:
            x: latents (k, d) of the transmitter; one pair or a block of them.
            y: latents (k, m) of the receiver.
            memory: pairs that all past ones count as together; all that they are if None. Given each time, it is exponential forgetting.

        Raises:
            ValueError: x or y is malformed, of another dimension or so large that its squares overflow, or memory is no integer >= 1.
        """
        x, y = (each.to(self.precision) for each in as_pairs(x, y))
        if (x.shape[1], y.shape[1]) != (len(self.mean_x), len(self.mean_y)):
            expected = (len(self.mean_x), len(self.mean_y))
            raise ValueError(f"x and y must be of the dimensions {expected} of these modes, got {(x.shape[1], y.shape[1])}")
        past = self if memory is None else self.remembering(memory)
        k, n, mean_x, mean_y = len(x), past.count, x.mean(0), y.mean(0)
        dx, dy, step = mean_x - past.mean_x, mean_y - past.mean_y, (n * k / (n + k)) ** 0.5
        Zx, Zy = (step * dx).unsqueeze(0), (step * dy).unsqueeze(0)
        if k > 1:
            Zx, Zy = torch.cat([Zx, x - mean_x]), torch.cat([Zy, y - mean_y])
        projected, weighted = Zx @ past.precision, Zy @ past.weight.mT
        inner = torch.addmm(torch.diag(Zx.new_ones(len(Zx))), projected, Zx.mT)
        if not bool(torch.isfinite(inner).all() & torch.isfinite(weighted).all()):
            raise ValueError(f"x or y is too large: its squares overflow {inner.dtype}; scale the latents down")
        gain = torch.linalg.solve(inner, projected)
        share = k / (n + k)
        return RunningModes(
            count=n + k,
            mean_x=past.mean_x + share * dx,
            mean_y=past.mean_y + share * dy,
            precision=torch.addmm(past.precision, gain.mT, projected, alpha=-1),
            scatter=torch.addmm(past.scatter, Zy.mT, Zx),
            weight=past.weight,
            regression=torch.addmm(past.regression, (weighted - Zx @ past.regression.mT).mT, gain),
            variance_x=past.variance_x + Zx.square().sum(),
            variance=past.variance + Zy.square().sum(),
            weighted_variance=past.weighted_variance + weighted.square().sum(),
            ridge=past.ridge,
        )

    def modes(self) -> SemanticModes:
        """The semantic modes of the goal, strongest first; at most q, and none where x says nothing of the goal."""
        n, T = self.count, self.regression
        squared = T @ (self.weight @ self.scatter).mT / n
        values, vectors = torch.linalg.eigh((squared + squared.mT) / 2)
        values, vectors = values.flip(-1), vectors.flip(-1)
        present = values > len(values) * torch.finfo(values.dtype).eps * values[0].clamp(min=0)  # others are rounding
        strength = values[present].sqrt()
        analysis = vectors[:, present].mT @ T / strength.unsqueeze(-1)
        synthesis = self.scatter @ analysis.mT / n
        gram = synthesis.mT @ synthesis
        white = torch.diag(torch.ones_like(strength)) - self.ridge / n * (analysis @ analysis.mT)
        return SemanticModes(
            analysis=analysis,
            synthesis=synthesis,
            strength=strength,
            mean_x=self.mean_x,
            mean_y=self.mean_y,
            gram=gram,
            cross=gram,
            covariance=white,
            variance=self.variance / n,
            weighted_variance=self.weighted_variance / n,
            task_weight=self.weight,
            plain_share=0.0,
            shrinkage=float(self.ridge * len(self.mean_x) / self.variance_x),
            widely_linear=True,
        )

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        return {name: getattr(self, name) for name in _TENSORS}, {"count": float(self.count), "ridge": float(self.ridge)}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], manifest: dict[str, Any]) -> "RunningModes":
        """The modes of a saved file; a ValueError names what cannot be."""
        if bool((tensors["precision"].diagonal() < 0).any()):
            raise ValueError("precision must have no negative entry on its diagonal")
        for name in ("variance_x", "variance", "weighted_variance"):
            real(name, float(tensors[name]), least=0.0)
        count, ridge = (real(name, manifest[name], above=0.0) for name in ("count", "ridge"))
        return cls(count=count, ridge=ridge, **{name: tensors[name] for name in _TENSORS})

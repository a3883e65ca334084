"""Ridge of few centred pairs in dual form, with the exact error of leaving each pair out, for every strength at once.

With X = U diag(s) Vᵀ (K × d) and residuals R = Y − X T₀ᵀ of a prior mean, the posterior mean of the map under independent entries is

    T = T₀ + Rᵀ (X Xᵀ + κ I)⁻¹ X = T₀ + (V diag(s / (s² + κ)) Uᵀ R)ᵀ,

and the residual of row i, predicted by all other rows, is ((X Xᵀ + κ I)⁻¹ R)_i / ((X Xᵀ + κ I)⁻¹)_ii, which the thin decomposition gives as
(R − U diag(s² / (s² + κ)) Uᵀ R)_i over 1 − Σ U_ij² s_j² / (s_j² + κ). No d × d matrix is made.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

_KEPT = 1e-9  # singular values below this share of the largest are rounding: their squares are those that `whitening` drops
STRENGTHS = 10.0 ** torch.linspace(-6, 4, 41, dtype=torch.float64, device="cpu")  # λ, four a decade: the error is flat around its minimum


@dataclass(frozen=True, eq=False)
class ResidualRidge:
    """The thin decomposition of X, and residuals in it.

    Attributes:
        left: U (K, r).
        singular: s (r,).
        right: V (d, r).
        inside: Uᵀ R (r, m).
        outside: R − U Uᵀ R (K, m); exact zeros where U is square.
        unit: κ of λ = 1, K times the mean variance of x.
    """

    left: Float[Tensor, "k r"]
    singular: Float[Tensor, "r"]
    right: Float[Tensor, "d r"]
    inside: Float[Tensor, "r m"]
    outside: Float[Tensor, "k m"]
    unit: float

    @classmethod
    def of(cls, X: Float[Tensor, "k d"], R: Float[Tensor, "k m"], mean_variance: float) -> "ResidualRidge":
        """Decompose centred x, for residuals of y, with the mean variance of all x."""
        left, singular, right = torch.linalg.svd(X, full_matrices=False)
        kept = singular > _KEPT * singular.max().clamp(min=torch.finfo(singular.dtype).tiny)
        left, singular, right = left[:, kept], singular[kept], right[kept].mT
        inside = left.mT @ R
        outside = torch.zeros_like(R) if left.shape[0] == left.shape[1] else R - left @ inside
        return cls(left, singular, right, inside, outside, len(X) * max(mean_variance, torch.finfo(X.dtype).tiny))

    def weighed(self, W: Float[Tensor, "q m"]) -> "ResidualRidge":
        """The ridge of the residuals W r, as a goal sees them."""
        return ResidualRidge(self.left, self.singular, self.right, self.inside @ W.mT, self.outside @ W.mT, self.unit)

    def correction(self, shrinkage: float) -> Float[Tensor, "m d"]:
        """The map T − T₀ (m, d) of strength λ; of infinite strength it is zero."""
        filtered = self.singular / (self.singular.square() + shrinkage * self.unit)
        return (self.right * filtered @ self.inside).mT

    def left_out(self, shrinkage: float) -> Float[Tensor, "k m"]:
        """Residuals (K, m), each predicted by all other rows."""
        beside = 1 / (1 + self.singular.square() / (shrinkage * self.unit))
        leverage = self.left.square()
        remaining = (1 - leverage.sum(1)).clamp(min=0) if len(self.left) > len(self.singular) else torch.zeros_like(leverage[:, 0])
        return (self.outside + self.left * beside @ self.inside) / (remaining + leverage @ beside).unsqueeze(-1)

    def best_shrinkage(self) -> tuple[float, float]:
        """The λ of least squared left-out residual, infinity included, and that error over all rows."""
        errors = [float(self.left_out(value).square().sum()) for value in STRENGTHS.tolist()]
        alone = float(self.inside.square().sum() + self.outside.square().sum())
        best = min(range(len(errors)), key=errors.__getitem__)
        return (float(STRENGTHS[best]), errors[best]) if errors[best] < alone else (torch.inf, alone)

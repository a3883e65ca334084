"""Aligners: the linear map between two latent spaces, with no channel in mind; and the floor, no alignment at all.

With the pilots' covariances, R_λ = Rx + λ (tr Rx / d) I and the singular value decomposition Ryx = U S Vᵀ,

    least squares   A = Ryx R_λ^{-1}                    min E||y − A x||² (+ λ (tr Rx / d) ||A||²) over all A;
    Procrustes      Q = U Vᵀ,   A = c Q                 max tr Q Rxy over all partial isometries Q,   c = tr S / tr(Q Rx Qᵀ).

For d ≤ m every isometry keeps the energy of x, so that Q also has the least error E||y − Q x||² of them all, and c Q that of all scaled
ones [schonemann1966generalized]. For d > m it is the projection of greatest correlation, with its best scale.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.latents.moments import Moments
from latentlink.latents.rows import as_latents
from latentlink.latents.whitening import Spectrum, check_shrinkage, gcv_shrinkage, regularise
from latentlink.numerics.division import ratio
from latentlink.numerics.doors import AnyArray, integer
from latentlink.numerics.expectations import made_by
from latentlink.numerics.reprs import Summarised
from latentlink.numerics.validation import validate_call


@dataclass(frozen=True, eq=False)
class Alignment(Summarised):
    """The map that an aligner found, for centred latents; itself an aligner, so that a fit made once serves many designs.

    Attributes:
        matrix: A (m, d), y − μy ≈ A (x − μx).
        covariance: R_λ (d, d), the covariance of x that designs are made under.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> moments = ll.Moments.from_pairs(x, x[:, :6].tanh())
        >>> alignment = ll.baselines.LeastSquares().fit(moments)  # once, for many designs
        >>> alignment.matrix.shape, ll.baselines.EigenK(aligner=alignment).aligner is alignment
        (torch.Size([6, 8]), True)
    """

    matrix: Float[Tensor, "m d"]
    covariance: Float[Tensor, "d d"]

    @cached_property
    def svd(self) -> tuple[Float[Tensor, "m r"], Float[Tensor, "r"], Float[Tensor, "r d"]]:
        """U, S and Vᵀ of A."""
        return torch.linalg.svd(self.matrix, full_matrices=False)

    @cached_property
    def principal(self) -> Spectrum:
        """Principal components of the aligned latent A x under R_λ."""
        return self.components(self.matrix)

    def components(self, coefficients: Float[Tensor, "c d"]) -> Spectrum:
        """Principal components of coefficients B x under R_λ, for B (c, d)."""
        return Spectrum.of(coefficients @ self.covariance @ coefficients.mT)

    def fit(self, moments: Moments) -> "Alignment":
        """The alignment itself, whatever the moments of these latents.

        Raises:
            ValueError: the latents have other dimensions.
        """
        if self.matrix.shape != moments.cov_yx.shape:
            raise ValueError(f"aligner was fitted to latents (m, d) = {tuple(self.matrix.shape)}, got {tuple(moments.cov_yx.shape)}")
        return self


@made_by("LeastSquares() or Procrustes()")
@runtime_checkable
class Aligner(Protocol):
    """The part of a baseline that finds an alignment from second moments."""

    def fit(self, moments: Moments) -> Alignment:
        """The alignment of the two latent spaces."""


@dataclass(frozen=True)
class LeastSquares(Summarised):
    """The linear regression of y on x, A = Ryx R_λ^{-1}.

    Attributes:
        shrinkage: λ ≥ 0 relative to the mean variance of x, or "auto" (generalised cross-validation [golub1979generalized]), as in
            `semantic_modes`; at 0 directions that do not vary are left out.

    Raises:
        ValueError: the shrinkage is neither "auto" nor a finite number ≥ 0.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> moments = ll.Moments.from_pairs(x, x[:, :6].tanh())
        >>> ll.baselines.LeastSquares(shrinkage=0.01).fit(moments).matrix.shape
        torch.Size([6, 8])
    """

    shrinkage: float | str = "auto"

    def __post_init__(self) -> None:
        check_shrinkage(self.shrinkage)

    def fit(self, moments: Moments) -> Alignment:
        """A = Ryx R_λ^{-1} of the pilots' moments."""
        spectrum, shrinkage = _spectrum_with_shrinkage(moments, self.shrinkage)
        values, vectors = spectrum.kept(shrinkage)
        return Alignment(moments.cov_yx @ vectors / values @ vectors.mT, regularise(moments.cov_x, shrinkage))


@dataclass(frozen=True)
class Procrustes(Summarised):
    """A rotation (partial isometry where d ≠ m) from the singular vectors of Ryx, by default with its best scale.

    Attributes:
        scaled: True scales the rotation for the least error.
        shrinkage: λ of the covariance under which power is allocated, as for `LeastSquares`; the rotation needs none.

    Raises:
        ValueError: the shrinkage is neither "auto" nor a finite number ≥ 0.

    References:
        [schonemann1966generalized]

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> moments = ll.Moments.from_pairs(x, x[:, :6].tanh())
        >>> A = ll.baselines.Procrustes(scaled=False).fit(moments).matrix
        >>> bool((A @ A.T - torch.eye(6)).abs().max() < 1e-6)  # orthonormal rows
        True
    """

    scaled: bool = True
    shrinkage: float | str = "auto"

    def __post_init__(self) -> None:
        check_shrinkage(self.shrinkage)

    def fit(self, moments: Moments) -> Alignment:
        """A = c U Vᵀ of the pilots' moments."""
        _, shrinkage = _spectrum_with_shrinkage(moments, self.shrinkage)
        U, S, Vt = torch.linalg.svd(moments.cov_yx, full_matrices=False)
        Q = U @ Vt
        c = ratio(S.sum(), (Q @ moments.cov_x * Q).sum()) if self.scaled else 1.0
        return Alignment(c * Q, regularise(moments.cov_x, shrinkage))


@validate_call
def unaligned(x: AnyArray, dim: int) -> Float[Tensor, "n m"]:
    """Read the transmitter's latents as if they were the receiver's, cut or padded with zeros to its dimension: the floor of all links.

    The ceilings are the receiver's own latents y, and `SemanticModes.align(x)`, linear alignment with no channel between.

    Args:
        x: latents (n, d) of the transmitter.
        dim: m, the receiver's dimension.

    Returns:
        Latents (n, m).

    Raises:
        ValueError: x is malformed, or dim is no integer >= 1.

    Example:
        >>> import torch, latentlink as ll
        >>> ll.baselines.unaligned(torch.tensor([[1.0, 2.0, 3.0]]), 2), ll.baselines.unaligned(torch.tensor([[1.0]]), 2)
        (tensor([[1., 2.]]), tensor([[1., 0.]]))
    """
    x = as_latents("x", x)
    return torch.nn.functional.pad(x, (0, integer("dim", dim) - x.shape[1]))


def _spectrum_with_shrinkage(moments: Moments, shrinkage: float | str) -> tuple[Spectrum, float]:
    """The spectrum of Rx, and the shrinkage λ, chosen by generalised cross-validation where it is "auto"."""
    spectrum = Spectrum.of(moments.cov_x)
    if not isinstance(shrinkage, str) or moments.estimated:  # which are regularised already
        return spectrum, 0.0 if isinstance(shrinkage, str) else float(shrinkage)
    explained = (moments.cov_yx @ spectrum.vectors).square().sum(0)
    return spectrum, gcv_shrinkage(spectrum, explained, moments.cov_y.trace(), moments.effective_count)

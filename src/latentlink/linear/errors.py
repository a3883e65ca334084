"""The mean squared error of a linear link from second moments alone.

A link that returns ẑ = T z + n for the coefficients z of the semantic modes, noise covariance C_n, leaves with any moments of (x, y)

    E||y − μy − Ψ ẑ||² = tr Ry − 2 tr(T Φ Rxy Ψ) + tr(ΨᵀΨ (T (Φ Rx Φᵀ) Tᵀ + C_n)).
"""

from jaxtyping import Float
from torch import Tensor

from latentlink.linear.modes import SemanticModes


def total_mse(modes: SemanticModes, T: Float[Tensor, "*batch s s"], noise: Float[Tensor, "*batch s s"]) -> Float[Tensor, "*batch"]:
    """Total unweighted MSE (…) for full T and noise covariance on the s strongest modes."""
    s = T.shape[-1]
    gram, cross, covariance = modes.gram[:s, :s], modes.cross[:s, :s], modes.covariance[:s, :s]
    received = T @ covariance @ T.mT + noise
    return modes.variance - 2 * (T * cross.mT).sum((-2, -1)) + (gram * received).sum((-2, -1))


def parallel_mse(modes: SemanticModes, t: Float[Tensor, "*batch s"], noise: Float[Tensor, "*batch s"]) -> Float[Tensor, "*batch"]:
    """The same (…) where T and the noise covariance are diagonal: t (…, s) and noise (…, s)."""
    s = t.shape[-1]
    gram, cross, covariance = modes.gram[:s, :s], modes.cross[:s, :s], modes.covariance[:s, :s]
    return modes.variance - 2 * t @ cross.diagonal() + (t @ (gram * covariance) * t).sum(-1) + noise @ gram.diagonal()

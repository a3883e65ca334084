"""Regularised whitening: a root of the inverse covariance that few pilots and condition numbers of 1e6 do not spoil.

With Rx = V diag(e) Vᴴ and a shrinkage λ relative to the mean variance,

    R_λ = Rx + λ (tr Rx / d) I,        S = diag(e + λ tr Rx / d)^{-1/2} Vᴴ,        S R_λ Sᴴ = I.

Eigenvalues of R_λ below 1e-10 of the largest are dropped (at λ = 0 this is the pseudo-inverse root). Where that would drop dimensions
whose units are small, all dimensions are brought to one deviation before (`units_of`), and λ is relative to that. λ is chosen from the
moments alone by generalised cross-validation [golub1979generalized] of the regression of y on x,

    GCV(λ) = RSS(λ) / (1 − (df + 1) / n)²,      RSS(λ) = RSS(0) + Σ c_i λ'² / (e_i (e_i + λ')²),      n − df = n − r + Σ λ' / (e_i + λ'),

with λ' = λ tr Rx / d and c_i = ||Ryx v_i||² over the r directions that are not dropped, RSS(0) = tr Ry − Σ c_i / e_i, and 0 where r = n −
1: in this form nothing cancels where few pilots are fitted exactly, and RSS and freedom both vanish with λ.
"""

import warnings
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from latentlink.numerics.doors import choice, real

_DROPPED = 1e-10  # relative to the largest eigenvalue: below it eigenvectors are rounding
_SAME_UNITS = 1e4  # ratio of variances up to which the units of dimensions do not matter
_LOST = 0.01  # share of y that dropped directions explain, from which it is told
_CHANCE = 4.0  # times what as many directions explain of noise, which is one pilot's share each
_CANDIDATES = 10.0 ** torch.linspace(-8, 2, 161, dtype=torch.float64, device="cpu")  # λ, 16 a decade: GCV is flat around its minimum


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The eigendecomposition of a covariance.

    Attributes:
        values: eigenvalues e (r,), decreasing and not negative.
        vectors: eigenvectors V (d, r).
        mean_variance: tr R / d.
    """

    values: Float[Tensor, "r"]
    vectors: Float[Tensor, "d r"] | Complex[Tensor, "d r"]
    mean_variance: Float[Tensor, ""]

    @classmethod
    def of(cls, covariance: Float[Tensor, "d d"] | Complex[Tensor, "d d"]) -> "Spectrum":
        """Decompose a real or complex covariance; eigenvalues that are not positive count as zero."""
        values, vectors = torch.linalg.eigh(covariance)
        mean = covariance.diagonal().real.mean()
        return cls(values.clamp(min=0).flip(-1), vectors.flip(-1), mean)

    def kept(self, shrinkage: float) -> tuple[Float[Tensor, "k"], Float[Tensor, "d k"] | Complex[Tensor, "d k"]]:
        """Select the eigenvalues (k) of R_λ that are not dropped, decreasing, and their eigenvectors (d, k); none of a zero covariance."""
        values = self.values + shrinkage * self.mean_variance
        count = int((values > _DROPPED * values[0]).sum())
        return values[:count], self.vectors[:, :count]

    def root_inverse(self, shrinkage: float) -> Float[Tensor, "k d"] | Complex[Tensor, "k d"]:
        """Compute S (k, d) with S R_λ Sᴴ = I_k."""
        values, vectors = self.kept(shrinkage)
        return values.rsqrt().unsqueeze(-1) * vectors.mH


def units_of(covariance: Float[Tensor, "d d"] | Complex[Tensor, "d d"], spectrum: Spectrum) -> Float[Tensor, "d"] | None:
    """The deviations (d,) to divide latents by, where their units are so different that directions would be dropped as rounding; else None.

    Args:
        covariance: of the latents.
        spectrum: its eigendecomposition.
    """
    variances = covariance.diagonal().real
    visible = len(spectrum.kept(0.0)[0])
    varying = variances > 0
    if visible == int(varying.sum()) or variances.max() <= _SAME_UNITS * variances[varying].min():
        return None
    deviations = torch.where(varying, variances, 1.0).sqrt()
    standardised = Spectrum.of(covariance / deviations.outer(deviations))
    return deviations if len(standardised.kept(0.0)[0]) > visible else None


def regularise(covariance: Tensor, shrinkage: float) -> Tensor:
    """Compute R_λ (d, d) of a real or complex covariance."""
    diagonal = covariance.diagonal()
    return covariance + shrinkage * diagonal.real.mean() * torch.diag(torch.ones_like(diagonal))


def settle_shrinkage(
    shrinkage: float | str, spectrum: Spectrum, explained: Float[Tensor, "r"], variance: Float[Tensor, ""], count: float, warns: bool = True
) -> float:
    """The shrinkage as a number, "auto" by `gcv_shrinkage`, whose arguments the others are.

    A warning tells where directions are dropped that explain y, unless a shrinkage above zero asks for that, or `warns` is False.
    """
    if warns and (isinstance(shrinkage, str) or shrinkage == 0):
        _warn_of_dropped(spectrum, explained, variance, count)
    return gcv_shrinkage(spectrum, explained, variance, count) if isinstance(shrinkage, str) else float(shrinkage)


def _warn_of_dropped(spectrum: Spectrum, explained: Float[Tensor, "r"], variance: Float[Tensor, ""], count: float) -> None:
    """Tell where directions of x that are dropped as rounding explain a part of y that chance does not, such as of mixed units.

    An eigenvalue e is known up to d eps of the largest, δ, so that c / (e + δ) is the least that its direction explains.

    Args:
        spectrum: the eigendecomposition of Rx.
        explained: c_i = ||Ryx v_i||² (or ||W Ryx v_i||² for a goal).
        variance: tr Ry (or tr W Ry Wᵀ).
        count: n, number of pilots.
    """
    kept = len(spectrum.kept(0.0)[0])
    e, c = spectrum.values[kept:], explained[kept:]
    if len(e) == 0 or not spectrum.values[0] > 0 or not variance > 0:
        return
    doubt = len(spectrum.values) * torch.finfo(e.dtype).eps * spectrum.values[0]
    share = float((c / (e + doubt)).sum() / variance)
    if share > max(_LOST, _CHANCE * len(e) / count):
        warnings.warn(
            f"x has {len(e)} directions whose variances are below {_DROPPED:g} of the largest, which are dropped as rounding and explain "
            f"at least {share:.0%} of y: what is called optimal lacks them; whiten x by an SVD of the centred latents before, or "
            "standardise it before what mixed its units",
            UserWarning,
            stacklevel=5,
        )


def check_shrinkage(shrinkage: float | str) -> float | str:
    """A shrinkage λ: "auto", or a finite number >= 0; a ValueError for anything else."""
    return choice("shrinkage", shrinkage, ("auto",)) if isinstance(shrinkage, str) else real("shrinkage", shrinkage, least=0.0)


def gcv_shrinkage(
    spectrum: Spectrum,
    explained: Float[Tensor, "r"],
    variance: Float[Tensor, ""],
    count: float,
) -> float:
    """Find the shrinkage λ of least generalised cross-validation error, among 0 and a logarithmic grid from 1e-8 to 100.

    Args:
        spectrum: the eigendecomposition of Rx.
        explained: c_i = ||Ryx v_i||² (or ||W Ryx v_i||² for a goal).
        variance: tr Ry (or tr W Ry Wᵀ).
        count: n, number of pilots; λ = 0 is a candidate only where they outnumber these directions.
    """
    visible = spectrum.values > _DROPPED * spectrum.values[0]
    e, c = spectrum.values[visible], explained[visible]
    ridge = torch.cat([torch.zeros(1, dtype=e.dtype, device="cpu"), _CANDIDATES.to(e.dtype)]).to(e.device)
    bias = ridge.unsqueeze(-1) * spectrum.mean_variance / (e + ridge.unsqueeze(-1) * spectrum.mean_variance)
    unfitted = count - 1 - len(e)  # degrees of freedom at λ = 0
    residual = (variance - (c / e).sum()).clamp(min=0) if unfitted > 0 else torch.zeros_like(variance)
    rss = residual + bias.square() @ (c / e)
    freedom = (unfitted + bias.sum(-1)) / count
    score = torch.where(freedom > 0, rss / freedom.clamp(min=1e-300).square(), torch.inf)
    if score.isinf().all():
        return float(ridge[-1])  # one or two pilots: trust them as little as possible
    return float(ridge[score.argmin()])

"""Cross-fitting: coordinates of pilots, each by modes that were made without it.

With M = WᵀW the metric of the modes, Φ is the ridge regression of the coordinates c that y itself has, on x,

    c = diag(b)⁻² Ψᵀ M (y − μy),        Φ = E[c (x − μx)ᵀ] R_λ⁻¹,

so that on the pilots it was made of, z = Φ (x − μx) predicts y better than it will for unseen ones, most where pilots are few. Networks
that are trained and judged on such z trust it too much. Here the pilots are cut into folds, and the z of each fold is by the regression on
all others. Modes of moments that no pairs were counted for have no λ of their own (`shrinkage` 0). Their regression, around whatever it was
told before, is undone by its residuals: with X the latents, X_k those of a fold, and H_k the fold's block of the hat matrix,

    z_k(without k) = c_k − (I − H_k)⁻¹ (c_k − z_k),        H_k = X_k (XᵀX + n λ v I)⁻¹ X_kᵀ,

v the mean variance of x, and λ of least generalised cross-validation error of the goal's part of y, as `Moments.from_concepts` chooses it.
It is exact where Φ is a ridge regression of that λ around any map; a part of y that is a linear map of x stays as it is.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlink.latents.pilots import Pilots
from latentlink.latents.whitening import Spectrum, gcv_shrinkage
from latentlink.linear.modes import SemanticModes

_LEAST_SHRINKAGE = 1e-6  # where modes and folds have none


def cross_fitted_coordinates(modes: SemanticModes, pilots: Pilots, folds: int, generator: torch.Generator) -> Float[Tensor, "n k"]:
    """z (n, k) of all pilots, which the modes were made of, each by modes that were made without it.

    Raises:
        ValueError: the modes are complex-linear, or there are more folds than pilots.
    """
    if not modes.widely_linear:
        raise ValueError("folds must be 1 for complex-linear modes, whose coordinates are no real regression")
    if folds > len(pilots):
        raise ValueError(f"folds must be at most the number of pilots, {len(pilots)}, got {folds}")
    x, y = pilots.x.double() - modes.mean_x.double(), pilots.y.double() - modes.mean_y.double()
    W, Psi, b = modes.weight, modes.synthesis.double(), modes.strength.double()
    M_Psi = Psi if W is None else W.double().mT @ (W.double() @ Psi)
    c = y @ M_Psi / b.square()
    part = torch.randperm(len(x), generator=generator, device="cpu").to(x.device) % folds
    if modes.shrinkage == 0:
        return _without_residuals(x, c, x @ modes.analysis.double().mT, part, _chosen_shrinkage(modes, x, y))
    return _regressed_anew(x, c, part, modes.shrinkage)


def _regressed_anew(x: Float[Tensor, "n d"], c: Float[Tensor, "n k"], part: Int[Tensor, "n"], shrinkage: float) -> Float[Tensor, "n k"]:
    """The z of each fold by the ridge regression of c on all other folds."""
    z = torch.empty_like(c)
    gram, cross = x.mT @ x, x.mT @ c
    for fold in range(int(part.max()) + 1):
        own = part == fold
        n = int((~own).sum())
        R, C = (gram - x[own].mT @ x[own]) / n, (cross - x[own].mT @ c[own]) / n
        ridge = max(shrinkage, _LEAST_SHRINKAGE) * R.diagonal().mean()
        z[own] = x[own] @ torch.cholesky_solve(C, torch.linalg.cholesky(R + ridge * torch.eye(len(R), dtype=R.dtype, device=R.device)))
    return z


def _without_residuals(
    x: Float[Tensor, "n d"], c: Float[Tensor, "n k"], z: Float[Tensor, "n k"], part: Int[Tensor, "n"], shrinkage: float
) -> Float[Tensor, "n k"]:
    """The z of each fold without what its own residuals c − z had added to it."""
    gram = x.mT @ x
    ridge = max(shrinkage, _LEAST_SHRINKAGE) * gram.diagonal().mean()
    factor = torch.linalg.cholesky(gram + ridge * torch.eye(len(gram), dtype=gram.dtype, device=gram.device))
    left = torch.empty_like(z)
    for fold in range(int(part.max()) + 1):
        own = part == fold
        H = x[own] @ torch.cholesky_solve(x[own].mT, factor)
        left[own] = c[own] - torch.linalg.solve(torch.eye(len(H), dtype=H.dtype, device=H.device) - H, c[own] - z[own])
    return left


def _chosen_shrinkage(modes: SemanticModes, x: Float[Tensor, "n d"], y: Float[Tensor, "n m"]) -> float:
    """λ of least generalised cross-validation error of what the goal sees of y, on x."""
    wanted = y if modes.task_weight is None else y @ modes.task_weight.double().mT
    spectrum = Spectrum.of(x.mT @ x / len(x))
    explained = (wanted.mT @ (x @ spectrum.vectors) / len(x)).square().sum(0)
    return gcv_shrinkage(spectrum, explained, wanted.square().sum() / len(x), len(x))

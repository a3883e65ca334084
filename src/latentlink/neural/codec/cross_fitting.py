"""Cross-fitting: coordinates of pilots as unseen latents have them, each by modes that were made without it.

With M = WᵀW the metric of the modes, Φ is the ridge regression of the coordinates c that y itself has, on x,

    c = diag(b)⁻² Ψᵀ M (y − μy),        Φ = E[c (x − μx)ᵀ] R_λ⁻¹,

so that on the pilots it was made of, z = Φ (x − μx) predicts y better than it will for unseen ones, most where pilots are few. Networks
that are trained and judged on such z trust it too much. Here the pilots are cut into folds, and the z of each fold is by the regression on
all others.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.latents.pilots import Pilots
from latentlink.linear.modes import SemanticModes

_LEAST_SHRINKAGE = 1e-6  # of a fold, where the modes have none


def cross_fitted_coordinates(modes: SemanticModes, pilots: Pilots, folds: int, seed: int) -> Float[Tensor, "n k"]:
    """z (n, k) of all pilots, which the modes were made of, by regressions on the pilots of other folds.

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
    part = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed)).to(x.device) % folds
    z = x.new_zeros(len(x), len(b))
    gram, cross = x.mT @ x, x.mT @ c
    for fold in range(folds):
        own = part == fold
        n = int((~own).sum())
        R, C = (gram - x[own].mT @ x[own]) / n, (cross - x[own].mT @ c[own]) / n
        ridge = max(modes.shrinkage, _LEAST_SHRINKAGE) * R.diagonal().mean()
        z[own] = x[own] @ torch.cholesky_solve(C, torch.linalg.cholesky(R + ridge * torch.eye(len(R), dtype=R.dtype, device=R.device)))
    return z

"""The regression of class means of y on x: a map between two latent spaces that no pair was seen for.

With B = Σ π_c (μy_c − μy)(μx_c − μx)ᵀ, the cross-covariance of x and of y's class means, and Rx of all latents of the transmitter,

    T = B R_λ⁻¹,      R_λ = Rx + λ (tr Rx / d) I,

is Fisher's discriminant of x, written in y's class means, and the ridge regression of y wherever x says nothing of y but the class. λ is
chosen by generalised cross-validation of the class means as targets, in the metric of the goal where there is one.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.latents.concepts import SharedClasses
from latentlink.latents.whitening import Spectrum, check_shrinkage, gcv_shrinkage, units_of


def regress_on_classes(
    covariance: Float[Tensor, "d d"], shared: SharedClasses, count: int, shrinkage: float | str = "auto", weight: Tensor | None = None
) -> Float[Tensor, "m d"]:
    """T (m, d), from x to the class means of y.

    Args:
        covariance: Rx of all latents of the transmitter.
        shared: the classes of both ends.
        count: latents of the transmitter that have labels.
        shrinkage: λ ≥ 0, or "auto".
        weight: W (q, m) of the goal, in whose metric λ is chosen; None is plain MSE.
    """
    shrinkage = check_shrinkage(shrinkage)
    deviations_x, deviations_y = ((means - shared.probability @ means) for means in (shared.means_x, shared.means_y))
    weighed = shared.probability.unsqueeze(-1) * deviations_y
    B, By = weighed.mT @ deviations_x, weighed.mT @ deviations_y
    spectrum = Spectrum.of(covariance)
    units = units_of(covariance, spectrum)
    if units is not None:
        B, spectrum = B / units, Spectrum.of(covariance / units.outer(units))
    BV = B @ spectrum.vectors
    if isinstance(shrinkage, str):
        W = torch.eye(len(B), dtype=B.dtype, device=B.device) if weight is None else weight.to(B)
        shrinkage = gcv_shrinkage(spectrum, (W @ BV).square().sum(0), (W @ By * W).sum(), count)
    values, vectors = spectrum.kept(shrinkage)
    T = BV[:, : len(values)] / values @ vectors.mT
    return T if units is None else T / units

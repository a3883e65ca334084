"""Imperfect channel state information: the posterior of a channel given its estimate.

An entry h with prior CN(0, γ), seen as ĥ = h + e' with e' ~ CN(0, σ_e²), is a posteriori

    h | ĥ ~ CN( γ / (γ + σ_e²) · ĥ,  τ ),      τ = γ σ_e² / (γ + σ_e²),

so a design that takes ĥ for h is wrong twice: the estimate is too large on average, and its error acts as noise.
"""

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from latentlink.channels.snr import mean_square, warn_of_prior
from latentlink.numerics.doors import real


def posterior(
    estimate: Complex[Tensor, "*batch u r t"], error_variance: Float[Tensor, "*#batch"], gain: float = 1.0
) -> tuple[Complex[Tensor, "*batch u r t"], Float[Tensor, "*#batch"]]:
    """Compute the posterior mean (…, u, r, t) and variance τ (…) of channel entries from ĥ, its error variance σ_e² (…) and the prior γ.

    Raises:
        ValueError: the gain is not positive and finite.
    """
    gain = real("gain", gain, above=0.0)
    warn_of_prior(float(mean_square(estimate).mean()), gain + float(error_variance.mean()), gain)
    trust = gain / (gain + error_variance)
    return trust[..., None, None, None] * estimate, trust * error_variance


def inflate(
    mean: Complex[Tensor, "*batch u r t"], error_variance: Float[Tensor, "*batch"]
) -> tuple[Float[Tensor, "*batch u t"], Complex[Tensor, "*batch u t t"]]:
    """Compute the amplitudes and right singular vectors of a square root of E[Hᴴ H] = H̄ᴴ H̄ + n_rx τ I, strongest first."""
    n_rx, n_tx = mean.shape[-2:]
    eye = torch.eye(n_tx, dtype=mean.dtype, device=mean.device)
    second = mean.mH @ mean + (n_rx * error_variance)[..., None, None, None] * eye
    values, vectors = torch.linalg.eigh(second)
    return values.clamp(min=0).sqrt().flip(-1), vectors.flip(-1)

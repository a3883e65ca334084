"""Finite length: separate source and channel coding of one message at a time.

Over n complex symbols of SNR γ_i, a channel code that is as long as one message carries about

    R(ε) = C − √V Q⁻¹(ε) + ½ log2 n,      V = Σ (1 − (1 + γ_i)⁻²) (log2 e)²      (normal approximation [polyanskiy2010channel])

bits with block error probability ε. The error is then (1 − ε) D*(R(ε)) + ε tr(W Ry Wᵀ), minimised over ε (`separation`).
"""

import math
from statistics import NormalDist

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.bounds.capacity import capacity, capacity_gains
from latentlink.bounds.opta import least_error
from latentlink.channels.channel import Channel
from latentlink.linear.modes import SemanticModes
from latentlink.numerics.doors import real
from latentlink.numerics.validation import validate_call

_BLOCK_ERRORS = tuple(10 ** (-k / 4) for k in range(1, 21))  # 0.56 … 1e-5


@validate_call
def finite_length_bits(channel: Channel, error: float) -> Float[Tensor, "*batch"]:
    """Bits (…) that the uses of one message carry at a block error probability, by the normal approximation; at least 0.

    Args:
        channel: batch of channels.
        error: block error probability ε.

    Returns:
        Bits (…) per message.

    Raises:
        ValueError: error is not between 0 and 1.

    Example:
        >>> import torch, latentlink as ll
        >>> channel = ll.Channel.from_snr(torch.ones(1, 1, dtype=torch.complex128), snr_db=10.0).repeated(100)
        >>> round(float(ll.bounds.capacity(channel))), round(float(ll.bounds.finite_length_bits(channel, error=0.01)))
        (346, 316)
    """
    error = real("error", error, above=1e-300, below=1.0)
    gain = capacity_gains(channel)
    dispersion = (1 - gain.square().reciprocal()).sum(-1) / math.log(2) ** 2
    symbols = (gain > 1).sum(-1).clamp(min=1)
    bits = gain.log2().sum(-1) - dispersion.sqrt() * NormalDist().inv_cdf(1 - error) + symbols.log2() / 2
    return bits.clamp(min=0)


@validate_call
def separation(modes: SemanticModes, channel: Channel) -> Float[Tensor, "*batch"]:
    """Error (…) of a separate Gaussian source code and a channel code as long as one message, at the best block error probability.

    A block that fails has the whole variance as its error. The channel code is that of the normal approximation, the source code an ideal
    one (rate-distortion function, no finite-length loss): the error of digital links that code each message alone is expected to be larger
    for Gaussian latents, but this is no strict bound for few symbols, where the approximation is crude.

    Args:
        modes: all modes of the moments in question, widely linear and without shrinkage.
        channel: batch of channels.

    Returns:
        Errors (…) in the units of `modes.weighted_variance`.

    Raises:
        ValueError: the modes were made with shrinkage, or are complex-linear.

    References:
        [polyanskiy2010channel], parallel channels.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> moments = ll.Moments.from_pairs(x, x[:, :6].tanh())
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0)
        >>> modes = ll.semantic_modes(moments, shrinkage=0.0)
        >>> round(float(ll.bounds.opta(modes, channel)), 2), round(float(ll.bounds.separation(modes, channel)), 2)
        (0.31, 0.52)
    """
    most = capacity(channel)
    best = modes.weighted_variance.expand(channel.batch)
    for error in _BLOCK_ERRORS:
        whole = least_error(modes, torch.minimum(finite_length_bits(channel, error), most))  # OPTA holds for digital links too
        best = torch.minimum(best, (1 - error) * whole + error * modes.weighted_variance)
    return best

"""What no link can pass: capacity, Gaussian OPTA, ceilings and floor.

The capacity of all uses of a message, with the pooled budget u·P over the singular values h_i of the channel, is

    C = Σ log2(1 + p_i h_i² / σ²)  bits per message,      p_i = (μ − σ² / h_i²)⁺,   Σ p_i = u·P       (water-filling).

At that rate the least weighted error that any scheme of any length and complexity can reach for *Gaussian* latents with these moments
(optimal performance theoretically attainable: indirect rate distortion, reverse water-filling [dobrushin1962information,
wolf1970transmission]) is

    D* = tr(W Ry Wᵀ) − Σ b_i² + Σ min(θ, b_i²),        ½ Σ log2⁺(b_i² / θ) = C.

For other latents with the same moments D* is an upper bound of the true limit: a good nonlinear scheme may go below it. Of all *affine*
pairs the closed form is the limit, whatever the distribution.

A separate digital link that codes one message at a time has no such capacity: over n complex symbols of SNR γ_i it carries about

    R(ε) = C − √V Q⁻¹(ε) + ½ log2 n,      V = Σ (1 − (1 + γ_i)⁻²) (log2 e)²                        (normal approximation
                                                                                              [polyanskiy2010channel])

bits with block error probability ε, and leaves (1 − ε) D*(R(ε)) + ε tr(W Ry Wᵀ), least over ε (`separation`).

In accuracy: a receiver that hears at most C bits of the class that its head would have decided, c, guesses the true one, l, with

    A(C) = max over p(l̂ | c), I(c; l̂) ≤ C, of  P(l̂ = l)  =  min over β > 0 of  F(β) + C / β,
    F(β) = max over q of  1/β Σ_c p(c) log Σ_l̂ q(l̂) e^{β P(l = l̂ | c)}          (Blahut–Arimoto [blahut1972computation]),

C in nats; by the data processing inequality this bounds links of any complexity, also those that code each message alone. At C = ∞ it is
the ceiling of the receiver's own latents. A transmitter that knows more of the true class than the receiver's head is not bound by it.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.latents.moments import as_latents
from latentlink.latents.pilots import as_labels
from latentlink.linear.modes import SemanticModes
from latentlink.linear.spatial import SpatialModes

_SLOPES, _STEPS = 400, 400  # values of β, and steps of Blahut–Arimoto for each at most
_CERTAIN = 1e-7  # what F(β) may still grow by, in accuracy, when Blahut–Arimoto stops
_BLOCK_ERRORS = tuple(10 ** (-k / 4) for k in range(1, 21))  # 0.56 … 1e-5
_ENTRIES = 2**22  # values held at a time


def capacity(channel: Channel) -> Float[Tensor, "*batch"]:
    """C (…), bits per message (all uses of the channel together), at known channel and pooled budget; inf without noise, 0 where h = 0."""
    return _gains(channel).log2().sum(-1)


def _gains(channel: Channel) -> Float[Tensor, "*batch s"]:
    """1 + p_i h_i² / σ² of each symbol of a message (…, s), by water-filling."""
    h = SpatialModes.of(channel.h).amplitude.flatten(-2).sort(-1, descending=True).values
    noise, budget = channel.noise_variance.unsqueeze(-1), (channel.uses * channel.power).unsqueeze(-1)
    alive = (h > 0) & (h.square() * torch.finfo(h.dtype).max > noise)
    c = torch.where(alive, noise / torch.where(alive, h, 1.0).square(), torch.inf)
    count = torch.arange(1, h.shape[-1] + 1, dtype=h.dtype, device=h.device)
    level = (budget + torch.where(alive, c, 0.0).cumsum(-1)) / count
    active = (alive & (level > c)).sum(-1, keepdim=True)
    water = level.gather(-1, (active - 1).clamp(min=0))
    return torch.where(alive & (water > c), water / c, 1.0)


def finite_length_bits(channel: Channel, error: float) -> Float[Tensor, "*batch"]:
    """Bits (…) that the uses of one message carry at a block error probability, by the normal approximation; at least 0.

    Raises:
        ValueError: error is not between 0 and 1.
    """
    if not 0 < error < 1:
        raise ValueError(f"error must be between 0 and 1, got {error}")
    gain = _gains(channel)
    dispersion = (1 - gain.square().reciprocal()).sum(-1) / math.log(2) ** 2
    symbols = (gain > 1).sum(-1).clamp(min=1)
    bits = gain.log2().sum(-1) - dispersion.sqrt() * NormalDist().inv_cdf(1 - error) + symbols.log2() / 2
    return bits.clamp(min=0)


def separation(modes: SemanticModes, channel: Channel) -> Float[Tensor, "*batch"]:
    """Error (…) of a separate Gaussian source code and a channel code no longer than one message, at its best block error probability.

    What a failed block leaves is the whole variance. The channel code is that of the normal approximation, the source code an ideal one
    (rate-distortion function, no finite-length loss): digital links that code each message alone are not expected below it for Gaussian
    latents, while it is no strict bound for a handful of symbols, where the approximation is crude.

    Args:
        modes, channel: as in `opta`.

    Raises:
        ValueError: as `opta`.

    References:
        [polyanskiy2010channel], parallel channels.
    """
    best, most = modes.weighted_variance.expand(channel.batch), capacity(channel)
    for error in _BLOCK_ERRORS:
        whole = _left(modes, torch.minimum(finite_length_bits(channel, error), most))  # OPTA holds for digital links too
        best = torch.minimum(best, (1 - error) * whole + error * modes.weighted_variance)
    return best


def opta(modes: SemanticModes, channel: Channel) -> Float[Tensor, "*batch"]:
    """Gaussian OPTA D* (…): least total weighted MSE (unweighted for modes without a goal) at the channel's capacity.

    Args:
        modes: all modes of the moments in question, widely linear and without shrinkage: `semantic_modes(moments, shrinkage=0.0)`; for a
            statement on test data, of the test data's moments.
        channel: batch of channels.

    Raises:
        ValueError: the modes were made with shrinkage, or are complex-linear.
    """
    return _left(modes, capacity(channel))


def _left(modes: SemanticModes, bits: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Least error (…) at a rate in bits per message."""
    if modes.shrinkage != 0:
        raise ValueError(f"modes must be made with shrinkage=0.0 for a bound, got {modes.shrinkage:g}")
    if not modes.widely_linear:
        raise ValueError("modes must be widely linear for a bound: complex-linear ones leave out what improper latents tell")
    energy = modes.strength.square()
    if len(energy) == 0:
        return modes.weighted_variance.expand(bits.shape)
    rest = (modes.weighted_variance - energy.sum()).clamp(min=0)  # what x does not tell, up to rounding
    return rest + _reverse_waterfilling(energy, bits).to(energy)


def _reverse_waterfilling(energy: Float[Tensor, "k"], bits: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Σ min(θ, b_i²) (…) with ½ Σ log2⁺(b_i² / θ) = bits; energy b² is sorted, strongest first, and positive."""
    count = torch.arange(1, len(energy) + 1, dtype=energy.dtype, device=energy.device)
    log_theta = (energy.log().cumsum(-1) - 2 * math.log(2) * bits.unsqueeze(-1)) / count
    active = (energy.log() > log_theta).sum(-1, keepdim=True)  # a prefix: θ of j modes is below b_j² until it is not
    theta = log_theta.gather(-1, (active - 1).clamp(min=0)).exp()
    return torch.minimum(energy, theta).sum(-1)


def accuracy_bound(bits: Float[Tensor, "*batch"], decisions: Int[Tensor, "n"], labels: Int[Tensor, "l"]) -> Float[Tensor, "*batch"]:
    """Best accuracy A(C) (…) of a receiver that hears C bits per message of what its head decides on its own latents.

    Args:
        bits: C ≥ 0, such as `capacity(channel)`; inf gives the ceiling.
        decisions: of the head on the receiver's own latents (n,), such as `head(y).argmax(-1)`.
        labels: true classes (n,).

    Raises:
        ValueError: bits are negative or NaN, or decisions and labels are not class numbers of the same length.
    """
    return AccuracyBound.of(decisions, labels).at(bits)


@dataclass(frozen=True, eq=False)
class AccuracyBound:
    """A(C) for a head and classes, as the least of many lines: what `accuracy_bound` makes once for any number of channels.

    Attributes:
        best: F(β) of each line (b,). slope: 1/β (b,), in accuracy per bit; the last line is the ceiling, flat.
    """

    best: Float[Tensor, "b"]
    slope: Float[Tensor, "b"]

    @classmethod
    def of(cls, decisions: Int[Tensor, "n"], labels: Int[Tensor, "l"]) -> "AccuracyBound":
        """From a head's decisions and the true classes; raises as `accuracy_bound`."""
        if labels.ndim != 1 or len(labels) == 0:
            raise ValueError(f"labels must be class numbers (n,), n from 1, got shape {tuple(labels.shape)}")
        labels = as_labels(labels, len(labels))
        if decisions.shape != labels.shape:
            raise ValueError(f"decisions must have shape {tuple(labels.shape)}, one per label, got {tuple(decisions.shape)}")
        decisions = as_labels(decisions, len(labels)).to(labels.device)
        classes = int(torch.maximum(decisions.max(), labels.max())) + 1
        joint = torch.zeros(classes, classes, dtype=torch.float64, device=labels.device)
        joint.index_put_((decisions, labels), joint.new_ones(()) / len(labels), accumulate=True)
        known = joint.sum(-1) > 0
        p = joint[known].sum(-1)
        reward = joint[known] / p.unsqueeze(-1)  # P(l | c)
        beta = torch.logspace(-3, 4, _SLOPES, dtype=torch.float64, device=labels.device)
        chunks = beta.split(max(1, _ENTRIES // reward.numel()))
        best = torch.cat([*(_informed(p, reward, some) for some in chunks), (p * reward.amax(-1)).sum().unsqueeze(0)])
        return cls(best, torch.cat([1 / beta, beta.new_zeros(1)]) * math.log(2))

    def at(self, bits: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """A(C) (…) at C bits (…); raises as `accuracy_bound`."""
        if not bool((bits >= 0).all()):
            raise ValueError("bits must not be negative or NaN")
        bits = bits.double()
        most = torch.where(bits.isinf(), 0.0, bits).unsqueeze(-1)
        return torch.where(bits.isinf(), self.best[-1], (self.best + self.slope * most).amin(-1))


def _informed(p: Float[Tensor, "c"], reward: Float[Tensor, "c l"], beta: Float[Tensor, "b"]) -> Float[Tensor, "b"]:
    """F(β) (b,), from above: Blahut–Arimoto's value plus the most that it may still grow."""
    weight = beta[:, None, None] * reward
    q = torch.full((len(beta), reward.shape[1]), 1 / reward.shape[1], dtype=p.dtype, device=p.device)
    for _ in range(_STEPS):
        heard = torch.logsumexp(q.log().unsqueeze(1) + weight, -1, keepdim=True)
        grown = (p[:, None] * (weight - heard).exp()).sum(1)
        missing = grown.amax(-1).log().clamp(min=0)
        if bool((missing <= _CERTAIN * beta).all()):
            break
        q = (q * grown).clamp(min=torch.finfo(q.dtype).tiny)
    return ((p * heard.squeeze(-1)).sum(-1) + missing) / beta


def unaligned(x: Tensor | NDArray[Any], dim: int) -> Float[Tensor, "n m"]:
    """The floor: the transmitter's latents read as if they were the receiver's, cut or padded with zeros to its dimension (n, dim).

    The ceilings are the receiver's own latents y, and `SemanticModes.align(x)`, linear alignment with no channel between.
    """
    x = as_latents("x", x)
    if dim < 1:
        raise ValueError(f"dim must be at least 1, got {dim}")
    return torch.nn.functional.pad(x, (0, dim - x.shape[1]))

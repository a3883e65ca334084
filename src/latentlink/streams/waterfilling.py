"""The three water-fillings: of power for the least error, of power for the most bits, and of error at a rate (reverse).

MSE. Stream i carries a semantic mode of strength b_i (the square root of its share of the weighted error) over a channel mode of amplitude
h_i, in noise of variance N per real dimension. Sent with power p_i it leaves the error b_i² / (1 + p_i h_i² / N). The allocation that
minimises the sum,

    min over p ≥ 0, Σ p_i = P of  Σ b_i² / (1 + p_i h_i² / N)      ⇒      p_i = ( t_i (P + T) − S c_i )⁺ / S,

with t_i = b_i / h_i, c_i = N / h_i² and S, T the sums of t and c over the active modes, needs no iteration: with b_i h_i decreasing, mode
i is active exactly if b_i h_i (P + T_i) > N S_i, S_i and T_i being the sums over the modes before it [palomar2003joint]. At N = 0 it is
p_i ∝ b_i / h_i.

Capacity. With c_i = σ² / h_i², the power that an SNR of 1 costs on symbol i,

    max over p ≥ 0, Σ p_i = P of  Σ log2(1 + p_i / c_i)      ⇒      p_i = ( μ − c_i )⁺.

Reverse. At a rate of C bits, components of energies b_i² are reconstructed with the errors

    min over D, Σ ½ log2(b_i² / D_i) = C of  Σ D_i      ⇒      D_i = min(θ, b_i²).
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.numerics.division import ratio


def mse_waterfilling(
    strength: Float[Tensor, "*batch k"],
    amplitude: Float[Tensor, "*batch k"],
    noise: Float[Tensor, "*batch"],
    power: Float[Tensor, "*batch"],
) -> Float[Tensor, "*batch k"]:
    """Split a power budget over modes so that the sum of their errors is least.

    Args:
        strength: b ≥ 0, paired with `amplitude` so that b·h decreases along the last axis.
        amplitude: h ≥ 0, singular value of the channel that carries the mode.
        noise: N ≥ 0, noise variance per real dimension.
        power: P ≥ 0, total transmit power of the message.

    Returns:
        p ≥ 0 (…, k) with sum P; all zero where b·h = 0 for all modes, or P = 0.
    """
    if strength.shape[-1] == 0:
        return strength * amplitude
    noise, power = noise.unsqueeze(-1), power.unsqueeze(-1)
    worth = strength * amplitude
    alive = (worth > 0) & (power > 0) & (amplitude.square() * torch.finfo(worth.dtype).max > noise)
    h = torch.where(alive, amplitude, 1.0)  # no division by zero: its gradient would be NaN
    t = torch.where(alive, strength / h, 0.0)
    c = torch.where(alive, noise / h.square(), 0.0)
    S, T = t.cumsum(-1), c.cumsum(-1)
    before = torch.nn.functional.pad(torch.stack([S, T])[..., :-1], (1, 0))  # a weak mode's own c would drown the comparison
    active = alive & (worth * (power + before[1]) > noise * before[0])
    active = active.cumprod(-1).bool()
    last = active.sum(-1, keepdim=True).sub(1).clamp(min=0)
    S, T = S.gather(-1, last), T.gather(-1, last)
    S = torch.where(S > 0, S, 1.0)
    share = t / S  # before the products: t·T overflows where h is tiny
    p = torch.where(active, share * power + (share * T - c), 0.0).clamp(min=0)
    return p * ratio(power, p.sum(-1, keepdim=True))


def capacity_waterfilling(cost: Float[Tensor, "*batch k"], power: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch k"]:
    """Split a power budget over symbols so that they carry the most bits.

    Args:
        cost: c = σ² / h² ≥ 0, increasing along the last axis; infinite where h = 0.
        power: P ≥ 0, total transmit power of the message.

    Returns:
        p ≥ 0 (…, k) with sum P; all zero where every c is infinite.
    """
    alive = cost.isfinite()
    count = torch.arange(1, cost.shape[-1] + 1, dtype=cost.dtype, device=cost.device)
    level = (power.unsqueeze(-1) + torch.where(alive, cost, 0.0).cumsum(-1)) / count
    last = (alive & (level > cost)).sum(-1, keepdim=True).clamp(min=1) - 1
    return torch.where(alive, level.gather(-1, last) - cost, 0.0).clamp(min=0)


def reverse_waterfilling(energy: Float[Tensor, "k"], bits: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch k"]:
    """Split a number of bits over Gaussian components so that the sum of their errors is least.

    Args:
        energy: b² > 0, decreasing.
        bits: C ≥ 0 (…) for all components together; may be infinite.

    Returns:
        Errors D = min(θ, b²) (…, k), with ½ Σ log2⁺(b² / θ) = C.
    """
    count = torch.arange(1, len(energy) + 1, dtype=energy.dtype, device=energy.device)
    log_theta = (energy.log().cumsum(-1) - 2 * math.log(2) * bits.unsqueeze(-1)) / count
    active = (energy.log() > log_theta).sum(-1, keepdim=True)  # a prefix: θ of j modes is below b_j² until it is not
    theta = log_theta.gather(-1, (active - 1).clamp(min=0)).exp()
    return torch.minimum(energy, theta)

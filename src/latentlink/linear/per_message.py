"""Messages that are scaled one by one, and the decoder that is refitted to them.

Scaling every message, s' = s √(u P) / ||s||, is not linear, so second moments of x no longer give those of s'. They are measured on the
pilots, in mode coordinates: with z' = z √(u P) / ||F̃ z|| and t = diag(b)^{-2} (W Ψ)ᵀ W (y − μy), the coefficients that best represent W y,
the decoder for messages that are each scaled to the whole budget is

    G = E[t z'ᵀ] Mᵀ (M E[z' z'ᵀ] Mᵀ + N I)^{-1},        M = H F̃.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.latents.packing import alternating, complex_linear_part, halves
from latentlink.linear.modes import SemanticModes
from latentlink.linear.transceiver import LinearTransceiver
from latentlink.links.solution import Solution
from latentlink.links.status import Status
from latentlink.numerics.division import ratio
from latentlink.power import PerMessage, PowerLimit

REFITTED = Status(
    "refitted", "feasible: the precoder is that of mean power scaled per message, the decoder is refitted to it; no optimum is known"
)


_ENTRIES = 2**24  # scaled coefficients in memory at a time


def refit_per_message(modes: SemanticModes, mean_power: LinearTransceiver, limit: PowerLimit) -> Solution[LinearTransceiver]:
    """Refit the decoder of a link for the mean power to messages that are scaled one by one; the expected MSE is that on the pilots."""
    pilots = limit
    if not isinstance(pilots, PerMessage) or pilots.x is None or pilots.y is None:
        raise ValueError(f"power must hold the pilots that the decoder is refitted to, PerMessage(x=x, y=y), got {limit!r}")
    got, expected = (pilots.x.shape[1], pilots.y.shape[1]), (len(modes.mean_x), len(modes.mean_y))
    if got != expected:
        raise ValueError(f"power must hold pilots of the modes' dimensions {expected}, got {got}")
    s, channel = mean_power.streams.shape[-1], mean_power.channel
    y = pilots.y.to(modes.mean_y) - modes.mean_y
    z = modes.coefficients(pilots.x.to(modes.mean_x.device))[:, :s]
    explained = y @ modes.synthesis[:, :s]
    wanted = modes.plain_share * explained
    if (W := modes.task_weight) is not None:
        wanted = wanted + y @ W.mT @ (W @ modes.synthesis[:, :s])
    wanted = wanted / modes.strength[:s].square()
    budget = channel.uses * channel.power
    zz, tz, yz = _scaled_moments(z, wanted, explained, mean_power.stream_gram().diagonal(dim1=-2, dim2=-1), budget)
    sent_zz, sent_tz = (zz, tz) if modes.widely_linear else (_complex_linear(zz), _complex_linear(tz))
    columns = mean_power.symbols(torch.eye(s, dtype=zz.dtype, device=zz.device)).flatten(-2).mT  # (…, u t, s): all uses in one group
    transceiver = modes.transceiver(
        channel,
        torch.arange(s, device=zz.device).expand(mean_power.streams.shape),
        torch.cat([columns.real, columns.imag], -2).unsqueeze(-3),
        moments_zz=sent_zz.unsqueeze(-3),
        moments_tz=sent_tz.unsqueeze(-3),
        power_limit=PerMessage(),
    )
    R, noise = transceiver.response(covariance=zz)
    mse = y.square().sum(-1).mean() - 2 * (R * yz).sum((-2, -1)) + (modes.gram[:s, :s] * (R @ zz @ R.mT + noise)).sum((-2, -1))
    sent = zz.flatten(-2).abs().sum(-1) > 0
    trace = {"stream_power": mean_power.stream_gram().diagonal(dim1=-2, dim2=-1)}
    return Solution(transceiver, REFITTED.where(sent), mse, torch.where(sent, channel.power, 0.0), trace)


def _scaled_moments(
    z: Float[Tensor, "n s"],
    wanted: Float[Tensor, "n s"],
    explained: Float[Tensor, "n s"],
    stream_power: Float[Tensor, "*batch s"],
    budget: Float[Tensor, "*batch"],
) -> tuple[Float[Tensor, "*batch s s"], Float[Tensor, "*batch s s"], Float[Tensor, "*batch s s"]]:
    """E[z' z'ᵀ], E[t z'ᵀ] and E[Ψᵀ(y − μy) z'ᵀ] over the pilots, for every channel."""
    n, s = z.shape
    sums = [z.new_zeros(*budget.shape, s, s) for _ in range(3)]
    rows = max(1, _ENTRIES // max(1, budget.numel() * s))
    for zi, ti, yi in zip(z.split(rows), wanted.split(rows), explained.split(rows), strict=True):
        energy = stream_power @ zi.square().mT  # (…, n): ||F̃ z||², the streams being orthogonal
        scale = ratio(budget.unsqueeze(-1), energy).sqrt()
        scaled = zi * scale.unsqueeze(-1)
        for total, left in zip(sums, (scaled, ti, yi), strict=True):
            total += left.mT @ scaled
    return sums[0] / n, sums[1] / n, sums[2] / n


def _complex_linear(moments: Float[Tensor, "*batch s s"]) -> Float[Tensor, "*batch s s"]:
    """The complex-linear part of moments of coefficients, whose real and imaginary parts alternate."""
    part = complex_linear_part(halves(halves(moments).mT).mT)
    return alternating(alternating(part).mT).mT

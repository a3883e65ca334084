"""Per-message power: the decoder for messages that are each scaled to the whole budget.

Scaling every message, s' = s √(u P) / ||s||, is not linear, so second moments of x no longer give those of s'. They are measured on the
pilots, in mode coordinates: with z' = z √(u P) / ||F̃ z|| and t = diag(b)^{-2} (W Ψ)ᵀ W (y − μy), the coefficients that best represent W y,

    G = E[t z'ᵀ] Mᵀ (M E[z' z'ᵀ] Mᵀ + N I)^{-1},        M = H F̃.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.linear.modes import SemanticModes
from latentlink.linear.transceiver import LinearTransceiver
from latentlink.links.solution import Solution, Status
from latentlink.numerics.division import ratio
from latentlink.power import PerMessage, PowerLimit

REFITTED = Status(
    "refitted", "feasible: the precoder is that of mean power scaled per message, the decoder is refitted to it; no optimum is known"
)
_ENTRIES = 2**24  # scaled coefficients in memory at a time


def refit_per_message(modes: SemanticModes, mean_power: LinearTransceiver, limit: PowerLimit) -> Solution[LinearTransceiver]:
    """Refit the decoder of a mean-power link to messages that are scaled one by one; the expected MSE is that on the pilots.

    Args:
        modes: semantic modes of the pair of devices.
        mean_power: link designed for the mean power.
        limit: per-message power limit, which holds the pilots.

    Raises:
        ValueError: the limit holds no pilots, or their dimensions are not the modes'.
    """
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
    sent_zz, sent_tz = (zz, tz) if modes.widely_linear else (_complex_linear_part(zz), _complex_linear_part(tz))
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
    status = torch.where(sent, REFITTED.code, Status.NOTHING_TO_SEND.code)
    trace = {"stream_power": mean_power.stream_gram().diagonal(dim1=-2, dim2=-1)}
    return Solution(transceiver, status, mse, torch.where(sent, channel.power, 0.0), trace)


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


def _complex_linear_part(matrix: Float[Tensor, "*batch s s"]) -> Float[Tensor, "*batch s s"]:
    """The complex-linear part of a matrix: its mean with its image under multiplication by j; real and imaginary parts alternate."""
    X = matrix.unflatten(-2, (-1, 2)).unflatten(-1, (-1, 2))
    real, imag = (X[..., 0, :, 0] + X[..., 1, :, 1]) / 2, (X[..., 1, :, 0] - X[..., 0, :, 1]) / 2
    blocks = torch.stack([torch.stack([real, -imag], -1), torch.stack([imag, real], -1)], -3)
    return blocks.flatten(-2).flatten(-3, -2)

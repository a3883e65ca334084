"""Games of powers on parallel channels: a condition under which all schedules end in one equilibrium.

Pair k sends mode i of strength b_i on use i, one antenna at either end, with power p_i in each half of the symbol. With g_kj,i the gains
|h_kj,i|² and N_k the noise of a half,

    c_i = (N_k + Σ_{j≠k} g_kj,i p_ji) / g_kk,i,
    min over Σ_i p_i ≤ P_k of Σ_i b_i² / (1 + p_i / c_i):      p_i = (b_i √(c_i / μ) − c_i)⁺.

Where the same modes stay active, x_i = p_i + c_i for these and 0 for others, the answer moves with c by

    dp = a − (x / Σ_i x_i) Σ_i a_i,      a_i = ½ (p_i − c_i) dc_i / c_i      (i active),
    ||dp||₁ ≤ 2 ||a||₁ ≤ Σ_i max(1, p_i / c_i) |dc_i|,

and p_i / c_i ≤ P_k g_kk,i / N_k, so that ||dp_k||₁ ≤ Σ_j S_kj ||dp_j||₁ with

    S_kj = max_i max( g_kj,i / g_kk,i ,  P_k g_kj,i / N_k ).

If the spectral radius of S is below 1 the answers contract: there is one equilibrium, and sequential, simultaneous and any other schedules
reach it. It is sufficient, far from necessary, whatever the strengths are. It is about the second ratio too, which no condition on games
of rates has: a strong mode answers interference with more power. It holds for a fixed pairing of modes and uses; `SemanticGame`, whose
pairs choose the pairing as well, does not use it.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.networks.links import Links
from latentlink.numerics.validation import validate_call
from latentlink.streams.waterfilling import mse_waterfilling


@validate_call
def power_game_contraction(links: Links) -> Float[Tensor, "*batch"]:
    """The spectral radius of S (see the module): below 1 a game of powers has one equilibrium, which every schedule reaches.

    Args:
        links: as many transmitters as receivers, of one antenna each; one channel use for each mode.

    Returns:
        ρ(S) ≥ 0 (…); infinity where there is interference and no noise.

    Raises:
        ValueError: a device has several antennas, receivers and transmitters differ in number, or there is interference from outside.

    Example:
        >>> import latentlink as ll
        >>> h = [[(1.0 if k == t else 0.1) * ll.rayleigh(1, 1, batch=(4,), generator=2 * k + t) for t in range(2)] for k in range(2)]
        >>> bool(ll.networks.power_game_contraction(ll.networks.Links.from_snr(h, snr_db=0.0)) < 1)
        True
    """
    if links.receivers != links.transmitters or any(each.n_rx > 1 or each.n_tx > 1 for row in links.table for each in row):
        raise ValueError(
            f"links must have pairs of one antenna each for a game of powers, got {links.receivers} receivers and {links.transmitters} "
            "transmitters of several antennas or different number: SemanticGame tells an equilibrium of others by what is left to gain"
        )
    if any(each.interference is not None for row in links.table for each in row):
        raise ValueError("links must have no interference from outside for a game of powers: count it as noise_variance")
    rows = []
    for k, row in enumerate(links.table):
        noise = row[0].noise_variance + sum(each.error_variance * each.power for each in row)
        budget = links.uses * row[k].power
        direct = row[k].h.abs().square().flatten(-3)
        bounds = [_most(each.h.abs().square().flatten(-3), direct, (budget / noise)[..., None]) for each in row]
        rows.append(torch.stack([torch.zeros_like(most) if t == k else most for t, most in enumerate(bounds)], -1))
    S = torch.stack(rows, -2)
    finite = torch.linalg.eigvals(S.nan_to_num(posinf=0.0)).abs().amax(-1)
    return torch.where(S.isinf().any(-1).any(-1), torch.inf, finite)


def power_answer(b: Float[Tensor, "*batch u"], c: Float[Tensor, "*batch u"], power: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch u"]:
    """The best powers p (…, u) for strengths b and costs c > 0, each mode on the use that it has."""
    order = (b * c.rsqrt()).argsort(dim=-1, descending=True)
    sorted_b, sorted_c = b.gather(-1, order), c.gather(-1, order)
    p = mse_waterfilling(sorted_b, sorted_c.rsqrt(), torch.ones_like(power), power)
    return torch.zeros_like(p).scatter(-1, order, p)


def power_slope(p: Float[Tensor, "*batch u"], c: Float[Tensor, "*batch u"]) -> Float[Tensor, "*batch u u"]:
    """The slope ∂p / ∂c (…, u, u) of the best powers p at costs c, where the active modes stay the same."""
    active = (p > 0).to(p)
    a = active * (p - c) / (2 * c)
    x = active * (p + c)
    total = x.sum(-1, keepdim=True)
    return torch.diag_embed(a) - (x / torch.where(total > 0, total, 1.0)).unsqueeze(-1) * a.unsqueeze(-2)


def _most(cross: Float[Tensor, "*batch u"], direct: Float[Tensor, "*batch u"], loud: Float[Tensor, "*batch 1"]) -> Float[Tensor, "*batch"]:
    """max_i max(γ_i, INR_i) over the uses that the pair can be heard on, and those where it is disturbed."""
    heard = (direct > 0) & (cross > 0)
    ratio = torch.where(heard, cross / torch.where(direct > 0, direct, 1.0), 0.0)
    return torch.maximum(ratio, torch.where(heard, cross * loud, 0.0)).amax(-1)

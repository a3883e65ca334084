"""What no phases can exceed: the gain of a surface, and what any channel of such a gain could be worth.

*Gain.* With v_i = e^{jθ_i}, v_{n+1} = 1 and W the matrix whose columns are vec(h_{2,i} h_{1,i}ᵀ) of the elements and vec(H_d),

    ||H(θ)||² = ||W v||²  ≤  ||W D^{-1/2}||₂² Σ_i d_i      for every D = diag(d), d > 0, since |v_i| = 1.

This is weak duality of max ||W v||² over |v_i| = 1. Its multipliers at phases that maximise the gain are λ_i = Re v_i* (WᴴW v)_i, so that
d = λ + ε is nearly the best. Layers A_0, …, A_L have unitary matrices between them, so that ||H(θ)||² ≤ Σ_i Π_l σ_i²(A_l)
[horn1950singular].

*Worth.* The streams of a channel of gain g over all uses, with powers p and noise N, have x_i = √(p_i g_i / N), and by Cauchy and Schwarz
Σ x_i ≤ X = √(Σ p Σ g / N). So the best split of X bounds every channel, where 1 / (1 + x²) is replaced by its convex envelope

    e(x) = 1 − x/2 for x ≤ 1,      1 / (1 + x²) beyond,

and log(1 + x²) by its concave one, which is linear up to x₀, (1 + x₀²) log(1 + x₀²) = 2 x₀².
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Complex, Float
from torch import Tensor

_SHARES = (1e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)  # ε as a share of the mean multiplier; every one is valid, and the least bound is kept
_TANGENT = 1.980291  # x₀
_NEWTON, _HALVINGS = 8, 80


def gain_over_phases(W: Complex[Tensor, "*batch m n"], v: Complex[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
    """At least ||W v||² for all v with |v_i| = 1, the closer the nearer the given v is to the greatest."""
    multipliers = (v.conj() * (W.mH @ (W @ v.unsqueeze(-1))).squeeze(-1)).real.clamp(min=0)
    mean = multipliers.mean(-1, keepdim=True)
    unit = torch.where(mean > 0, mean, 1.0)
    bounds = []
    for share in _SHARES:
        d = multipliers + share * unit
        bounds.append(torch.linalg.matrix_norm(W * d.rsqrt().unsqueeze(-2), 2).square() * d.sum(-1))
    return torch.stack(bounds).amin(0)


def gain_of_layers(layers: Sequence[Complex[Tensor, "*batch u _n _m"]]) -> Float[Tensor, "*batch"]:
    """Σ_i Π_l σ_i²(A_l) over all uses, which the product with any unitary matrices between the layers does not exceed."""
    values = [torch.linalg.svdvals(each) for each in layers]
    least = min(each.shape[-1] for each in values)
    return torch.stack([each[..., :least] for each in values]).prod(0).square().sum((-2, -1))


def least_error(
    strength: Float[Tensor, " k"],
    noise: Float[Tensor, "*batch"],
    budget: Float[Tensor, "*batch"],
    gain: Float[Tensor, "*batch"],
    streams: int,
) -> Float[Tensor, "*batch"]:
    """At most Σ_i b_i² / (1 + p_i g_i / N) of every channel of such a gain with so many complex streams, N = σ²/2.

    The best split of X has one slope ν = −b_i² e'(x_i) for all streams, found by bisection. Every ν gives a bound,
    Σ_i min_x (b_i² e(x) + ν x) − ν X.
    """
    s = min(len(strength), 2 * streams)
    if s == 0:
        return torch.zeros_like(gain)
    b2, rest = strength[:s].square(), strength[s:].square().sum()
    X = torch.where(gain > 0, 2 * budget * gain / (noise / 2), 0.0).sqrt().clamp(max=1e12).unsqueeze(-1)  # each g_i is that of two halves
    b2 = b2.expand(*X.shape[:-1], s)
    low, high = torch.full_like(X, -80.0), torch.zeros_like(X)  # log ν, as a share of the first stream's b²/2
    first = b2.amax(-1, keepdim=True) / 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        spent = _where_slopes_are(first * middle.exp() / b2).sum(-1, keepdim=True)
        low, high = torch.where(spent > X, middle, low), torch.where(spent > X, high, middle)
    slope = first * high.exp()
    x = _where_slopes_are(slope / b2)
    left = torch.where(x <= 1, 1 - x / 2, 1 / (1 + x.square()))
    return ((b2 * left + slope * x).sum(-1) - (slope * X).squeeze(-1)).clamp(min=0) + rest


def most_capacity(
    noise: Float[Tensor, "*batch"], budget: Float[Tensor, "*batch"], gain: Float[Tensor, "*batch"], streams: int
) -> Float[Tensor, "*batch"]:
    """At least Σ_i log2(1 + p_i g_i / σ²) of every channel of such a gain with so many streams: all get the same."""
    x = torch.where(gain > 0, budget * gain / noise, 0.0).sqrt() / streams
    chord = x * math.log2(1 + _TANGENT**2) / _TANGENT
    return streams * torch.where(x < _TANGENT, chord, (1 + x.square()).log2())


def _where_slopes_are(y: Float[Tensor, "*batch s"]) -> Float[Tensor, "*batch s"]:
    """x ≥ 1 where −e'(x) = 2x / (1 + x²)² = y by Newton's method on logarithms, and 0 where y is at least the first slope, 1/2."""
    inside = y < 0.5
    safe = torch.where(inside, y, 0.25)
    t = ((2 / safe).log() / 3).clamp(min=0.0)  # log x, as for large x
    for _ in range(_NEWTON):
        x2 = (2 * t).exp()
        t = (t + (math.log(2) + t - 2 * torch.log1p(x2) - safe.log()) * (1 + x2) / (3 * x2 - 1)).clamp(min=0.0)
    return torch.where(inside, t.exp(), 0.0)

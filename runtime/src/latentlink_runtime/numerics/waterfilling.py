"""MSE water-filling: the split of a power budget over parallel streams whose errors sum to the least.

Stream i carries a coefficient of strength b_i over an amplitude h_i in noise of variance N, and leaves the error b_i² / (1 + p_i h_i² / N):

    min over p ≥ 0, Σ p_i = P of  Σ b_i² / (1 + p_i h_i² / N)      ⇒      p_i = ( t_i (P + T) − S c_i )⁺ / S,

with t_i = b_i / h_i, c_i = N / h_i² and S, T the sums of t and c over the active streams. With b_i h_i decreasing, stream i is active
exactly if b_i h_i (P + T_i) > N S_i, S_i and T_i being the sums over the streams before it.
"""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def mse_waterfilling(strength: Array, amplitude: Array, noise: Array, power: Array) -> Array:
    """Powers p (…, k) of streams of strengths b (…, k) over amplitudes h (…, k), b h falling, in noise N (…) with budget P (…)."""
    if strength.shape[-1] == 0:
        return strength * amplitude
    noise, power = noise[..., None], power[..., None]
    worth = strength * amplitude
    alive = (worth > 0) & (power > 0) & (amplitude**2 > noise / np.finfo(worth.dtype).max)
    h = np.where(alive, amplitude, 1.0)
    t, c = np.where(alive, strength / h, 0.0), np.where(alive, noise / h**2, 0.0)
    S, T = t.cumsum(-1), c.cumsum(-1)
    before_s, before_t = S - t, T - c
    before_s[..., 0] = before_t[..., 0] = 0.0
    before_s[..., 1:], before_t[..., 1:] = S[..., :-1], T[..., :-1]  # a weak stream's own c would drown the comparison
    active = np.logical_and.accumulate(alive & (worth * (power + before_t) > noise * before_s), -1)
    last = np.maximum(active.sum(-1, keepdims=True) - 1, 0)
    S, T = np.take_along_axis(S, last, -1), np.take_along_axis(T, last, -1)
    share = t / np.where(S > 0, S, 1.0)  # before the products: t T overflows where h is tiny
    p = np.where(active, share * power + (share * T - c), 0.0).clip(0)
    return p * ratio(power, p.sum(-1, keepdims=True))


def ratio(a: Array, b: Array) -> Array:
    """a / b where b > 0, else 0."""
    return np.where(b > 0, a / np.where(b > 0, b, 1.0), 0.0)

"""Confidence intervals of means over seeds and channel draws.

Draws of one seed share its pilots and are not independent, so they are averaged first: with v_s the mean of seed s and S seeds, the mean
v̄ of the v_s lies, with 95 % confidence, within

    S ≥ 3    v̄ ± t_{0.975, S−1} · std(v_s) / √S        Student's t over seeds
    S = 2    [min v_s, max v_s]                         two seeds say too little for an interval
    S = 1    the same two rules over its draws, which say nothing of other pilots.
"""

import math
from functools import lru_cache
from statistics import NormalDist, fmean, stdev
from typing import Any

_NORMAL_FROM = 10_000  # degrees of freedom, from which Student's t is the normal distribution to 1e-4


def interval_of(seeds: list[Any], values: list[float]) -> tuple[float, float | None, float | None, str]:
    """Mean, lower and upper end, and the rule they follow: "t", "range", or "none" for a single value; each row has a seed and a value."""
    by_seed: dict[Any, list[float]] = {}
    for seed, one in zip(seeds, values, strict=True):
        by_seed.setdefault(seed, []).append(one)
    means = [fmean(group) for group in by_seed.values()]
    mean = fmean(means)
    samples = sorted(means if len(means) > 1 else values)
    if len(samples) == 1:
        return mean, None, None, "none"
    if len(samples) == 2:
        return mean, samples[0], samples[1], "range"
    half = student(len(samples) - 1) * stdev(samples) / math.sqrt(len(samples))
    return mean, mean - half, mean + half, "t"


@lru_cache
def student(freedom: int, share: float = 0.975) -> float:
    """The quantile of Student's t with an integer `freedom` ≥ 1, for a `share` in [0.5, 1), by bisection of its distribution function."""
    low, high = 0.0, 1.0
    while _within(high, freedom) < 2 * share - 1:
        low, high = high, 2 * high
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _within(middle, freedom) < 2 * share - 1 else (low, middle)
    return high


def _within(t: float, n: int) -> float:
    """P(|T| ≤ t) with n degrees of freedom, a finite sum in θ = arctan(t / √n) [Abramowitz & Stegun 26.7.3, 26.7.4]."""
    if n > _NORMAL_FROM:
        return 2 * NormalDist().cdf(t) - 1
    theta = math.atan(t / math.sqrt(n))
    cos = math.cos(theta)
    odd = n % 2
    term, total = cos if odd else 1.0, 0.0
    for k in range(odd, n - 1, 2):
        total += term
        term *= cos * cos * (k + 1) / (k + 2)
    if odd:
        return 2 / math.pi * (theta + math.sin(theta) * total)
    return math.sin(theta) * total


def worst(values: list[float], per_cent: int) -> float | None:
    """Mean over the worst share of the values, rounded up to whole ones; None where the share is less than one of them."""
    if len(values) * per_cent < 100:
        return None
    return fmean(sorted(values)[: -(-len(values) * per_cent // 100)])

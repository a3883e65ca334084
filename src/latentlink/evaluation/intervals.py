"""Confidence intervals of means over seeds and channel draws.

Draws of one seed share its pilots and are not independent, so they are averaged first: with v_s the mean of seed s and S seeds, the mean
v̄ of the v_s lies, with 95 % confidence, within

    S ≥ 3    v̄ ± t_{0.975, S−1} · std(v_s) / √S        Student's t over seeds
    S = 2    [min v_s, max v_s]                         two seeds say too little for an interval
    S = 1    the same two rules over its draws, which say nothing of other pilots.
"""

import math
from statistics import NormalDist, fmean, stdev
from typing import Any

_Z = NormalDist().inv_cdf(0.975)


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


def student(freedom: int) -> float:
    """t_{0.975} with `freedom` ≥ 1 degrees: exact for 1 and 2, else Cornish and Fisher's expansion about the normal (to 4e-3)."""
    if freedom < 3:
        return math.tan(0.475 * math.pi) if freedom == 1 else 0.475 * math.sqrt(2 / (0.975 * 0.025))
    z, n = _Z, float(freedom)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / n ** (power + 1) for power, term in enumerate(terms))


def worst(values: list[float], per_cent: int) -> float | None:
    """Mean over the worst share of the values, rounded up to whole ones; None where the share is less than one of them."""
    if len(values) * per_cent < 100:
        return None
    return fmean(sorted(values)[: -(-len(values) * per_cent // 100)])

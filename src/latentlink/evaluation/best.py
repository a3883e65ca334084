"""Which method is the best: paired differences to the one with the best mean, with intervals that hold for all of them together.

With v_{m,u} the value of method m in unit u (a seed, or a channel of a single seed), b the method with the best mean, and K methods,

    d_m = mean over u of (v_{b,u} − v_{m,u}),        d_m ± t_{1 − α / (2 (K − 1)), U − 1} · std_u / √U,        α = 0.05.

Units are paired: all methods meet the same pilots, channels, noise and messages in one, so that what a unit has in common cancels. These
are multiple comparisons with the best [hsu1984constrained], by Bonferroni. If the truly best method is not b, b is found to be better than
it with a probability of at most α, whichever method the data made b: so b is called the only winner wrongly at most that often. A method
ties where its interval holds zero, which is no evidence that there is no difference.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from latentlink.evaluation.intervals import student

_ERROR = 0.05  # probability that any of the comparisons of one call is wrong


@dataclass(frozen=True)
class Behind:
    """The distance of a method to the best one, positive where it is worse.

    Attributes:
        difference: mean of the paired differences.
        low: lower end of its interval; None where there are too few units for one.
        high: upper end of it.
    """

    difference: float
    low: float | None = None
    high: float | None = None

    @property
    def ties(self) -> bool:
        """True where zero lies within the interval, or there is none."""
        return self.low is None or self.low <= 0


@dataclass(frozen=True)
class Ranking:
    """The methods by their means.

    Attributes:
        means: of each method, the best first.
        behind: of each method but the best, in the same order.
    """

    means: dict[str, float]
    behind: dict[str, Behind]

    @property
    def best(self) -> str:
        """The method with the best mean."""
        return next(iter(self.means))

    @property
    def tied(self) -> list[str]:
        """The methods among which the best one is, the one with the best mean first."""
        return [self.best, *(name for name, behind in self.behind.items() if behind.ties)]


def rank(values: Mapping[str, Sequence[float]], *, largest: bool = True, rounding: float = 0.0) -> Ranking:
    """Rank methods by their means, with the paired distance of each to the best.

    Args:
        values: of each method one for each unit, the units in the same order.
        largest: the largest mean is the best; else the smallest.
        rounding: standard deviation that the values have by being counted on a finite number of messages, which a few units may not show.

    Raises:
        ValueError: there is no method or no unit, or methods have different numbers of units.

    Example:
        >>> from latentlink.evaluation.best import rank
        >>> found = rank({"a": [0.80, 0.90, 0.70], "b": [0.70, 0.81, 0.59]})
        >>> found.tied, round(found.behind["b"].difference, 3)
        (['a'], 0.1)
    """
    counts = {len(series) for series in values.values()}
    if len(counts) != 1 or not max(counts):
        raise ValueError(f"values must have the same units for every method, at least one, got {sorted(counts)}")
    sign = 1 if largest else -1
    means = dict(sorted(((name, fmean(series)) for name, series in values.items()), key=lambda pair: (-sign * pair[1], pair[0])))
    best, units = values[next(iter(means))], max(counts)
    share = 1 - _ERROR / (2 * max(1, len(values) - 1))
    behind = {}
    for name in [*means][1:]:
        paired = [sign * (one - other) for one, other in zip(best, values[name], strict=True)]
        mean = fmean(paired)
        if units < 2:
            behind[name] = Behind(mean)
            continue
        half = student(units - 1, share) * max(stdev(paired), rounding) / math.sqrt(units)
        behind[name] = Behind(mean, mean - half, mean + half)
    return Ranking(means, behind)

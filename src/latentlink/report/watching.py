"""The figure of a watch: its statistic with the threshold and the alarms, above the entropy of decisions that it adds up.

However long the stream is, it is kept as some thousand stretches of equal length, each of which knows the largest statistic and the sum of
the standardised entropies of its messages; where they would become more, two and two become one.
"""

import math
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentlink.living.watch import Watch
from latentlink.report.axes import abbreviate
from latentlink.report.palette import Look
from latentlink.report.plots import Frame, Line, Plot, Scale

_STRETCHES = 2048  # at most, and an even number
_MEANS = 80  # of the entropy that are drawn, at most
_LEAST = 10  # messages of such a mean
_RED, _BLUE, _INK = "#d1495b", "#0072b2", ""


class Alarm(NamedTuple):
    """An alarm.

    Attributes:
        at: number of its message.
        since: number of the message with which the statistic began to rise.
        statistic: that passed the threshold.
    """

    at: int
    since: int
    statistic: float


class Trace:
    """What a watch saw, in memory that does not grow with the stream.

    Attributes:
        first: number of the first message.
        count: messages so far.
        span: messages of a stretch.
    """

    def __init__(self, first: int = 1) -> None:
        self.first, self.count, self.span = first, 0, 1
        self._highest, self._sums = np.zeros(_STRETCHES), np.zeros(_STRETCHES)

    def add(self, statistics: NDArray[Any], z: NDArray[Any]) -> None:
        """Add messages by the statistic after each of them and by its standardised entropy."""
        while self.count + len(z) > self.span * _STRETCHES:
            nothing = np.zeros(_STRETCHES // 2)
            self._highest = np.concatenate([self._highest.reshape(-1, 2).max(1), nothing])
            self._sums = np.concatenate([self._sums.reshape(-1, 2).sum(1), nothing])
            self.span *= 2
        place = (self.count + np.arange(len(z))) // self.span
        np.maximum.at(self._highest, place, statistics)
        np.add.at(self._sums, place, z)
        self.count += len(z)

    @property
    def statistics(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Numbers of messages in the middle of each stretch, and the largest statistic within it."""
        used = math.ceil(self.count / self.span)
        return self._ends(used, 1)[1], self._highest[:used]

    @property
    def entropies(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """For some eighty parts of the stream: the numbers of their middle messages, mean standardised entropies, and messages of each."""
        used = math.ceil(self.count / self.span)
        together = max(1, math.ceil(_LEAST / self.span), math.ceil(used / _MEANS))
        sums = np.add.reduceat(self._sums[:used], np.arange(0, used, together)) if used else np.zeros(0)
        counts, middles = self._ends(used, together)
        return middles, sums / counts, counts

    def _ends(self, used: int, together: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """How many messages there are in so many stretches together, and the numbers of those in their middle."""
        starts = np.arange(0, used, together) * self.span
        ends = np.minimum(starts + together * self.span, self.count)
        return ends - starts, self.first + (starts + ends - 1) / 2


def plot_watch(trace: Trace, watch: Watch, alarms: Sequence[Alarm]) -> Plot:
    """The plot of what a watch saw: the statistic above the mean entropy, whose band is of two standard errors while all is well."""
    x = Scale("message", ticks=_ticks(trace))
    places, highest = trace.statistics
    rate = f"threshold: a false alarm in {1 / watch.false_alarms:,.0f} messages"
    lines = [
        Line(rate, Look(_INK, 0.9, ("--", "dash")), (), (watch.threshold,)),
        Line("statistic", Look(_BLUE, 1.0), tuple(places.tolist()), tuple(highest.tolist())),
    ]
    if alarms:
        mark = Look(_RED, 1.0, ("none", "solid"), marker="v", size=1.6, front=True)
        lines.append(Line("alarm", mark, tuple(float(each.at) for each in alarms), tuple(each.statistic for each in alarms)))
        rise = Look(_RED, 1.0, ("none", "solid"), marker="|", size=2.2, front=True)
        lines.append(Line("it has been rising since", rise, tuple(float(each.since) for each in alarms), (0.0,) * len(alarms)))
    sums = Frame(x, Scale("cumulative sum\n(deviations)"), tuple(lines))
    return Plot((), (sums, Frame(x, Scale("entropy of decisions\n(nats)"), tuple(_entropy_lines(trace, watch)))))


def _entropy_lines(trace: Trace, watch: Watch) -> list[Line]:
    """Mean entropies of the parts of the stream, and the mean while all is well with the band in which they then are."""
    places, means, counts = trace.entropies
    nats = watch.mean + watch.deviation * means
    errors = 2 * watch.deviation * np.sqrt(watch.correlation_time / counts)
    many = counts[0] if len(counts) else 0
    band = tuple((float(place), watch.mean - float(error), watch.mean + float(error)) for place, error in zip(places, errors, strict=True))
    flat = (watch.mean,) * len(places)
    return [
        Line("while all is well, ±2 standard errors", Look("#777777", 0.9), tuple(places.tolist()), flat, band=band),
        Line(f"mean of {many:,} messages", Look(_BLUE, 1.0, marker="o", size=0.7), tuple(places.tolist()), tuple(nats.tolist())),
    ]


def _ticks(trace: Trace) -> dict[float, str]:
    """Round numbers of messages, at most seven."""
    length = max(1, trace.count)
    power = 10 ** math.floor(math.log10(length))
    step = max(1, next(int(power * factor) or 1 for factor in (0.2, 0.5, 1, 2) if length / (power * factor) <= 6))
    first = math.ceil(trace.first / step) * step
    return {float(place): abbreviate(place) for place in range(first, trace.first + trace.count, step)}


def check_figure(path: str | os.PathLike[str]) -> None:
    """Refuse a file that no figure is written to; raises a ValueError."""
    if not os.fspath(path).lower().endswith((".png", ".pdf", ".svg")):
        raise ValueError(f"--plot must be a file NAME.png, .pdf or .svg, got {os.fspath(path)}")

"""The axes that results may be drawn against: where a row lies on one, and how its ticks are worded.

On some axes null is a setting of its own, the absence of what the axis limits (a quantiser, a clipped amplifier). It lies to the right
of all numbers, as far from the last one as numbers lie from each other in the mean, and has a name in place of a number. On a logarithmic
axis of counts, zero lies to the left of all of them in the same way.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import polars as pl

from latentlink.report.columns import KNOWN, format_percent


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        name: in study files.
        column: of the rows, that it shows.
        words: in a heading, after "against".
        ratio: whether it is logarithmic.
        unlimited: what null is called on it; where this is empty, rows with null take no part.
        own_places: whether each method has places of its own, so that no two methods share one.
        from_zero: whether it is logarithmic and yet has a place for zero.
        parameters: of methods, that lie on it and so are in no label.
    """

    name: str
    column: str
    words: str
    ratio: bool = False
    unlimited: str = ""
    own_places: bool = False
    from_zero: bool = False
    parameters: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Return the axis's label, with the unit."""
        return KNOWN[self.column].label

    @property
    def place(self) -> str:
        """Return the column of a row's place: `column`, or the one that `place_rows` adds."""
        return f"{self.column}_place" if self.unlimited or self.from_zero else self.column

    def place_rows(self, links: pl.DataFrame) -> pl.DataFrame:
        """Add the column `place` to the rows where null, or zero, has a place of its own on the axis."""
        if self.from_zero:
            counts = links.filter(pl.col(self.column) > 0)[self.column].unique().sort().to_list()
            ratio = (counts[-1] / counts[0]) ** (1 / (len(counts) - 1)) if len(counts) > 1 else 2.0
            before = counts[0] / ratio if counts else 1.0
            return links.with_columns(pl.col(self.column).replace(0.0, before).alias(self.place))
        if not self.unlimited:
            return links
        numbers = links[self.column].drop_nulls().unique().sort().to_list()
        if self.ratio:
            beyond = numbers[-1] * 2.0 if numbers else 1.0
        else:
            step = (numbers[-1] - numbers[0]) / (len(numbers) - 1) if len(numbers) > 1 else 1.0
            beyond = numbers[-1] + step if numbers else 0.0
        return links.with_columns(pl.col(self.column).fill_null(beyond).alias(self.place))

    def name_tick(self, x: float, at: dict[str, Any]) -> str:
        """Word the place of a point with the settings `at`."""
        if self.name == "compression":
            return format_percent(x)
        if self.name == "antennas":
            return at.get("antennas") or f"{x:g}"
        if self.unlimited and at.get(self.column) is None:
            return self.unlimited
        if self.from_zero and at.get(self.column) == 0:
            return "0"
        return f"{x:g}".replace("-", "−")

    def ticks(self, points: Iterable[tuple[float, dict[str, Any]]]) -> dict[float, str]:
        """Find where ticks may stand and what they say: at the points, or at round numbers where methods share no places."""
        places = dict(points)
        if not self.own_places:
            return {x: self.name_tick(x, places[x]) for x in sorted(places)}
        return choose_round_ticks(min(places), max(places)) if places and min(places) > 0 else {}


AXES = {
    axis.name: axis
    for axis in (
        Axis("compression", "compression", "compression", ratio=True),
        Axis("antennas", "n_tx", "antennas", ratio=True),
        Axis("snr", "snr_db", "SNR"),
        Axis("flops", "flops", "FLOPs", ratio=True, own_places=True),
        Axis("pairs", "pilot_count", "pairs", ratio=True, from_zero=True),
        Axis("new", "new_observations", "new observations", ratio=True, from_zero=True),
        Axis("alarms", "alarm_every", "messages between false alarms", ratio=True),
        Axis("uses", "uses", "channel uses", ratio=True),
        Axis("pilot-snr", "pilot_snr_db", "the SNR of the channel's pilots"),
        Axis("delay", "delay_ms", "the age of the channel estimate"),
        Axis("speed", "speed_kmh", "speed"),
        Axis("feedback", "feedback_bits", "feedback bits", unlimited="∞"),
        Axis("clipping", "clipping_db", "the clipping level", unlimited="none"),
        Axis("users", "users", "users"),
        Axis("inr", "inr_db", "the INR of other pairs", unlimited="as own"),
        Axis("phase-error", "phase_error_deg", "the phase error of sensors"),
        Axis("elements", "elements", "elements of a surface", ratio=True),
        Axis("bits", "bits", "bits of a surface's phases", unlimited="∞"),
        Axis("iterations", "iterations", "iterations of the design", ratio=True, unlimited="default", parameters=("rounds", "steps")),
        Axis("outage", "accuracy", "outage"),  # a point is a condition: the distribution over its channels
    )
}


def thin_out(places: list[float], room: float = 0.09, ratio: bool = True) -> list[float]:
    """Select those of the sorted places that leave each other `room`, a share of the axis (logarithmic for a ratio); the last one stays."""

    def distance(low: float, high: float) -> float:
        return math.log(high / low) if ratio else high - low

    if not places:
        return []
    span = distance(places[0], places[-1]) or 1.0
    kept = [places[-1]]
    for x in reversed(places[:-1]):
        if distance(x, kept[-1]) >= room * span:
            kept.append(x)
    return kept[::-1]


def choose_round_ticks(low: float, high: float) -> dict[float, str]:
    """Choose ticks of a logarithmic axis that has no points in common: powers of ten, with 2 and 5 between them on a short axis.

    Where fewer than two of them lie between the lowest and the highest place, ticks are multiples of a round step instead.
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1, 2, 5) if last - first < 3 else (1,)
    places = [factor * 10.0**power for power in range(first, last + 1) for factor in factors]
    if low < high and sum(low <= x <= high for x in places) < 2:
        places = _step_through(low, high)
    return {x: abbreviate(x) for x in places if low / 1.6 <= x <= high * 1.6}


def _step_through(low: float, high: float) -> list[float]:
    """Find the multiples, from `low` to `high`, of the largest step among 1, 2, 5, 10, … of which at least two lie there."""
    power = math.floor(math.log10(high - low))
    for step in (factor * 10.0**exponent for exponent in (power, power - 1) for factor in (5, 2, 1)):
        numbers = range(math.ceil(low / step), math.floor(high / step) + 1)
        if len(numbers) >= 2:
            return [number * step for number in numbers]
    return [low, high]


def abbreviate(number: float) -> str:
    """Write a number with a letter for its thousands, millions or milliards."""
    for power, unit in ((9, "G"), (6, "M"), (3, "k")):
        if number >= 10**power:
            return f"{number / 10**power:.10g} {unit}"
    return f"{number:.10g}"

"""What results may be drawn against: where a row lies on an axis, and what is said of its places.

On some axes null is a setting of its own, the absence of what the axis limits (a quantiser, a clipped amplifier). It lies to the right
of all numbers, as far from the last one as numbers lie from each other in the mean, and has a name in place of a number.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import polars as pl


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        column: of the rows, that it shows. label: below it, with the unit. words: in a heading, after "against".
        ratio: whether it is logarithmic. unlimited: what null is called on it; where this is empty, rows with null take no part.
        marked: whether its ticks are where the points are.
    """

    column: str
    label: str
    words: str
    ratio: bool = False
    unlimited: str = ""
    marked: bool = False

    @property
    def place(self) -> str:
        """The column of a row's place: `column`, or the one that `placed` adds."""
        return f"{self.column}_place" if self.unlimited else self.column


AXES = {
    "compression": Axis("compression", "compression factor ζ (%)", "compression", ratio=True, marked=True),
    "snr": Axis("snr_db", "SNR (dB)", "SNR"),
    "flops": Axis("flops", "operations per message, both devices (FLOPs)", "FLOPs", ratio=True),
    "uses": Axis("uses", "channel uses per message", "channel uses", ratio=True, marked=True),
    "pilot-snr": Axis("pilot_snr_db", "SNR of the channel's pilots (dB)", "the SNR of the channel's pilots"),
    "delay": Axis("delay_ms", "age of the channel estimate (ms)", "the age of the channel estimate"),
    "speed": Axis("speed_kmh", "speed (km/h)", "speed"),
    "feedback": Axis("feedback_bits", "feedback per angle of the precoder (bits)", "feedback bits", unlimited="∞", marked=True),
    "clipping": Axis("clipping_db", "clipping over the mean power (dB)", "the clipping level", unlimited="none", marked=True),
    "outage": Axis("accuracy", "accuracy", "outage"),  # a point a panel: the distribution over its channels
}


def placed(links: pl.DataFrame, axis: str) -> pl.DataFrame:
    """The rows with the column `place` of an axis on which null has one."""
    what = AXES[axis]
    if not what.unlimited:
        return links
    numbers = links[what.column].drop_nulls().unique().sort().to_list()
    step = (numbers[-1] - numbers[0]) / (len(numbers) - 1) if len(numbers) > 1 else 1.0
    beyond = numbers[-1] + step if numbers else 0.0
    return links.with_columns(pl.col(what.column).fill_null(beyond).alias(what.place))


def ticks(axis: str, points: Iterable[tuple[float, Any]], room: float = 0.09) -> dict[float, str]:
    """Ticks where the points are, as far as there is room: their words by place.

    Args:
        axis: one whose ticks are marked. points: place on it, and value of its column (null where it is unlimited).
        room: that ticks leave each other, a share of the axis; the last one always stays.
    """
    what, values = AXES[axis], dict(points)
    said = {
        x: percent(x) if axis == "compression" else what.unlimited if value is None and what.unlimited else f"{x:g}"
        for x, value in values.items()
    }
    return {x: said[x] for x in spaced(sorted(values), room, what.ratio)} if values else {}


def spaced(places: list[float], room: float = 0.09, ratio: bool = True) -> list[float]:
    """Those of the sorted places that leave each other `room`, a share of the axis (logarithmic for a ratio); the last one always stays."""

    def distance(low: float, high: float) -> float:
        return math.log(high / low) if ratio else high - low

    span = distance(places[0], places[-1]) or 1.0
    kept = [places[-1]]
    for x in reversed(places[:-1]):
        if distance(x, kept[-1]) >= room * span:
            kept.append(x)
    return kept[::-1]


def percent(share: float) -> str:
    """A share in percent, three significant places."""
    return f"{100 * share:.3g}"

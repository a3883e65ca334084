"""From arranged rows to curves: means over seeds and channel draws, with bands, one curve for each thing that differs.

A point is the mean over seeds of the mean over draws, and its band the interval of `evaluation.intervals`; of a single draw it is the
interval over the test messages (accuracy only). Bands of shares stay in [0, 1], those of errors and costs above 0. Where the spread of the
channels is asked for instead, the band holds 95 % of the rows of a point (2.5 % and 97.5 % quantiles).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from latentlink.evaluation.intervals import interval_of
from latentlink.report.arrange import Arranged
from latentlink.report.columns import KNOWN, Condition, list_settings

REFERENCES = ("receiver's latents", "aligned, no channel", "unaligned")
EXACT, OPTA, SEPARATION, BUDGET = "exact optimum", "Gaussian OPTA", "separation at finite length", "best network within the budget"
CAPACITY = "bound by capacity"
BOUND = "bound on all linear designs"
BANDS = {
    "t": "95 % of the mean over {over} (Student's t)",
    "range": "lowest and highest, of two, over {over}",
    "messages": "95 % over the test messages (Wilson), one seed and draw",
    "channels": "95 % of the channels",
    "none": "no band",
}
LIMITS = {
    "nmse": ((EXACT, "exact_nmse"), (OPTA, "opta_nmse"), (SEPARATION, "separation_nmse")),
    "accuracy": ((CAPACITY, "accuracy_bound"),),
}  # what limits a value: its name, and the column that has it
_CURVE = ("label", "suffix", "family", "knowledge")
_RANGES = {"share": (0.0, 1.0), "positive": (0.0, math.inf), "real": (-math.inf, math.inf)}


@dataclass(frozen=True)
class Estimate:
    """A mean and its band.

    Attributes:
        mean: of the rows of a point.
        low: lower end of the band, None where there is none.
        high: upper end of the band, None where there is none.
        band: its rule, a key of BANDS.
    """

    mean: float
    low: float | None
    high: float | None
    band: str

    def write_band(self, form: str = "{:.3f}") -> str:
        """Write the ends of the band; empty where there is none."""
        return "" if self.low is None or self.high is None else f"[{form.format(self.low)}, {form.format(self.high)}]"


@dataclass(frozen=True)
class CurvePoint(Estimate):
    """One point of a curve: an estimate and where it lies.

    Attributes:
        x: on the axis.
        at: the point's settings (n_tx, uses, snr_db, parameters, …).
        seeds: number of seeds behind it.
        rows: number of rows behind it.
    """

    x: float
    at: dict[str, Any]
    seeds: int
    rows: int


@dataclass(frozen=True)
class Curve:
    """A method along an axis, everything else being equal.

    Attributes:
        label: name of the method.
        family: kind of method, such as exact, admm, neural or baseline, "limit" for a bound; unknown families are drawn too.
        knowledge: "aware" or "unaware" of the channel.
        condition: settings, by name, that it shares with the curves it may be compared with.
        points: by increasing x; () where the value does not depend on the axis.
        level: that value, of a ceiling, the floor or a limit; None for all other curves.
    """

    label: str
    family: str
    knowledge: str
    condition: Condition
    points: tuple[CurvePoint, ...]
    level: float | None = None

    @property
    def is_unaware(self) -> bool:
        """Return True if the design does not know the channel."""
        return self.knowledge == "unaware"

    @property
    def name(self) -> str:
        """Return the label as tables and the page's legends have it."""
        return f"{self.label}, unaware" if self.is_unaware else self.label


def average_curves(table: Arranged, value: str, channels: bool = False) -> list[Curve]:
    """Average a column along the axis: a curve for each method and everything else in which rows differ.

    Rows whose place or value is null take no part; `channels` makes bands that show the spread of the channels in place of the interval of
    the mean.
    """
    x = table.axis.place
    links = table.links.filter(pl.col(x).is_not_null() & pl.col(value).is_not_null())
    at = list(dict.fromkeys([*table.points, "antennas", "uses", "snr_db", "pruning"]))
    columns = {"x": pl.col(x).mean(), "seeds": pl.col("seed"), "values": pl.col(value)}
    columns |= {side: pl.col(f"accuracy_{side}").first() for side in ("low", "high")} | {f"at_{name}": pl.col(name).first() for name in at}
    grouped = links.group_by(*_CURVE, *table.fixed, *table.points, maintain_order=True).agg(**columns)
    found: dict[tuple[str, str, str, Condition], list[CurvePoint]] = {}
    for row in grouped.iter_rows(named=True):
        key = (row["label"] + row["suffix"], row["family"], row["knowledge"], table.condition_of(row))
        seeds, values = row["seeds"], row["values"]
        if channels:
            estimate = estimate_spread(values)
        else:
            interval = (row["low"], row["high"]) if value == "accuracy" else (None, None)
            estimate = estimate_mean(seeds, values, interval, value)
        settings = {name: row[f"at_{name}"] for name in at}
        point = CurvePoint(**vars(estimate), x=row["x"], at=settings, seeds=len(set(seeds)), rows=len(values))
        found.setdefault(key, []).append(point)
    return [Curve(*key, tuple(sorted(points, key=lambda point: point.x))) for key, points in found.items()]


def average_limits(table: Arranged, value: str) -> list[Curve]:
    """Average what limits the NMSE (exact optimum, Gaussian OPTA, separation) or the accuracy (capacity) along the axis.

    There are none where methods share no places on the axis: limits are then levels.
    """
    if table.axis.own_places:
        return []
    own = table.links.filter(pl.col("suffix") == "").with_columns(knowledge=pl.lit("aware"), compression=pl.col("symbols"))
    point = [*table.fixed, *table.points, "seed", "channel"]
    found = []
    for label, column in LIMITS[value]:
        once = own.filter(pl.col(column).is_not_null()).unique(point, keep="first", maintain_order=True)  # all methods there say the same
        named = once.with_columns(label=pl.lit(label), family=pl.lit("limit"))
        found += average_curves(replace(table, links=named), column)
    return found


def find_best_within_budget(curves: list[Curve]) -> list[Curve]:
    """Find the best accuracy of the networks of each condition within each number of FLOPs: the running maximum over their pruned forms."""
    found = []
    for condition in dict.fromkeys(curve.condition for curve in curves):
        networks = [curve for curve in curves if curve.condition == condition and curve.family == "neural"]
        points = sorted((point for curve in networks for point in curve.points), key=lambda point: point.x)
        best: list[CurvePoint] = []
        for point in points:
            if not best or point.mean > best[-1].mean:
                best.append(point)
        if len(points) > 1:  # the best stays the best up to the most operations
            end = replace(best[-1], x=points[-1].x)
            found.append(Curve(BUDGET, "limit", "aware", condition, (*best, *[end] * (end.x > best[-1].x))))
    return found


def average_levels(table: Arranged, value: str) -> list[Curve]:
    """Average the ceilings and the floor of each condition (accuracy), or what alignment without a channel leaves (NMSE).

    References of all pairs stand beside every condition of pilots that has none of its own.
    """
    found = []
    for condition in table.conditions:
        pilots = [pl.col(name).eq_missing(pl.lit(setting)) for name, setting in condition if name in list_settings("pilots")]
        here = table.references.filter(pl.lit(True), *pilots)
        if here.is_empty():
            here = table.references.filter(pl.col("pilots_per_class").is_null() & pl.col("pilot_count").is_null())
        labels = REFERENCES[1:2] if value == "nmse" else REFERENCES
        means = {label: here.filter(pl.col("method") == label)[value].mean() for label in labels}
        if table.axis.own_places:
            links = table.within(condition).filter(pl.col("suffix") == "")
            means |= {label: links[column].mean() for label, column in LIMITS.get(value, ())}
        found += [Curve(label, "limit", "aware", condition, (), mean) for label, mean in means.items() if isinstance(mean, float)]
    return found


def estimate_mean(seeds: list[Any], values: list[float], interval: tuple[float | None, float | None], value: str) -> Estimate:
    """Estimate the mean of the rows of a point and its band; `interval` is that of the first row over the test messages."""
    mean, low, high, band = interval_of(seeds, values)
    if low is None or high is None:
        return Estimate(mean, *interval, "none" if None in interval else "messages")
    if band == "range":
        return Estimate(mean, low, high, band)
    floor, top = _RANGES[KNOWN[value].range if value in KNOWN else "real"]
    return Estimate(mean, max(floor, low), min(top, high), band)


def list_bands(points: Iterable[CurvePoint]) -> list[str]:
    """Word the rules of the bands of points: over the seeds, or over the channels of a point with a single seed."""
    found = {(point.band, "seeds" if point.seeds > 1 else "the channels of one seed") for point in points}
    return list(dict.fromkeys(words.format(over=over) for rule, words in BANDS.items() for band, over in sorted(found) if band == rule))


def estimate_spread(values: Iterable[float]) -> Estimate:
    """Estimate the mean of one point and the interval that holds 95 % of its rows."""
    column = pl.Series(list(values), dtype=pl.Float64)
    low, high = (column.quantile(share, "linear") for share in (0.025, 0.975))
    return Estimate(float(column.mean()), low, high, "channels" if len(column) > 1 else "none")  # type: ignore[arg-type]

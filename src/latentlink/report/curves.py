"""From rows to curves: means over seeds and channel draws, with bands, one curve for each thing that differs.

With v_sc the value of draw c at seed s, v_s = mean_c v_sc and S seeds, a point of a curve is the mean v̄ of the v_s and its band is

    S ≥ 3    v̄ ± t_{0.975, S−1} · std(v_s) / √S        95 % of the mean, Student's t over seeds
    S = 2    [min v_s, max v_s]                         two seeds say too little for an interval
    S = 1    the same two rules over its draws; of a single draw, the interval over the test messages (accuracy only)

because draws of one seed share its pilots and are not independent. Bands of shares stay in [0, 1], those of errors and costs above 0.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from latentlink.evaluation.intervals import interval_of
from latentlink.report.arrange import PILOTS, Arranged, arranged, panel_of
from latentlink.report.look.axes import AXES
from latentlink.report.look.wording import Panel

REFERENCES = ("receiver's latents", "aligned, no channel", "unaligned")
EXACT, OPTA, SEPARATION, BUDGET = "exact optimum", "Gaussian OPTA", "separation bound", "best network within the budget"
CAPACITY = "bound by capacity"
BANDS = {
    "t": "95 % of the mean over seeds (Student's t)",
    "range": "lowest and highest of two",
    "messages": "95 % over the test messages (Wilson), one seed and draw",
    "none": "no band",
}
LIMITS = {
    "nmse": ((EXACT, "exact_nmse"), (OPTA, "opta_nmse"), (SEPARATION, "separation_nmse")),
    "accuracy": ((CAPACITY, "accuracy_bound"),),
}  # what limits a value: its name, and the column that has it
_SHARES = ("accuracy", "agreement", "accuracy_bound", "block_error")
_SIGNED = ("exact_db", "opta_db", "separation_db", "papr_db")
_CURVE = ("label", "suffix", "family", "knowledge")
_Key = tuple[str, str, str, Panel]


@dataclass(frozen=True)
class Point:
    """One point of a curve.

    Attributes:
        x: on the axis. mean, low, high: value and band, None where there is none. band: "t", "range", "messages" or "none".
        at: the point's settings (n_tx, uses, snr_db, parameters, …). seeds, rows: how many are behind it.
    """

    x: float
    mean: float
    low: float | None
    high: float | None
    band: str
    at: dict[str, Any]
    seeds: int
    rows: int


@dataclass(frozen=True)
class Curve:
    """A method along an axis, everything else being equal.

    Attributes:
        label: what it is called. family: exact, admm, neural, baseline or limit. knowledge: aware or unaware of the channel.
        panel: settings, by name, that it shares with the curves it may be compared with. points: by increasing x.
    """

    label: str
    family: str
    knowledge: str
    panel: Panel
    points: tuple[Point, ...]

    @property
    def name(self) -> str:
        """Label for a legend."""
        return self.label if self.knowledge != "unaware" else f"{self.label}, unaware"


@dataclass(frozen=True)
class Level:
    """A value that does not depend on the axis: a ceiling, a floor, or a limit."""

    label: str
    panel: Panel
    value: float


def curves(rows: pl.DataFrame, axis: str, value: str) -> list[Curve]:
    """Mean and band of a column along an axis: a curve for each method and everything else in which rows differ.

    Args:
        rows: results, a row for each cell and channel draw.
        axis: one of AXES.
        value: a column, or one of those that `prepared` adds.

    Returns:
        Curves by panel, in the order of the rows; rows whose x or value is null take no part.

    Raises:
        ValueError: there is no such axis.
    """
    table = arranged(rows, axis)
    return _drawn(table, table.links, axis, value)


def limits(rows: pl.DataFrame, axis: str, value: str = "nmse") -> list[Curve]:
    """NMSE of the exact optimum, Gaussian OPTA and separation, or accuracy at capacity, along the axis; against FLOPs they are `levels`."""
    if axis == "flops":
        return []
    table = arranged(rows, axis)
    own = table.links.filter(pl.col("suffix") == "").with_columns(knowledge=pl.lit("aware"), compression=pl.col("symbols"))
    point = [*table.panel, *table.points, "seed", "channel"]
    found = []
    for label, column in LIMITS[value]:
        once = own.filter(pl.col(column).is_not_null()).unique(point, keep="first", maintain_order=True)  # all methods there say the same
        named = once.with_columns(label=pl.lit(label), family=pl.lit("limit"))
        found += _drawn(table, named, axis, column)
    return found


def within_budget(drawn: list[Curve]) -> list[Curve]:
    """The best that the networks of each panel reach with at most so many FLOPs: the running maximum over their pruned forms."""
    found = []
    for panel in dict.fromkeys(curve.panel for curve in drawn):
        networks = [curve for curve in drawn if curve.panel == panel and curve.family == "neural"]
        points = sorted((point for curve in networks for point in curve.points), key=lambda point: point.x)
        best: list[Point] = []
        for point in points:
            if not best or point.mean > best[-1].mean:
                best.append(point)
        if len(points) > 1:  # the best stays the best up to the dearest
            end = replace(best[-1], x=points[-1].x)
            found.append(Curve(BUDGET, "limit", "aware", panel, (*best, *[end] * (end.x > best[-1].x))))
    return found


def levels(rows: pl.DataFrame, axis: str, value: str) -> list[Level]:
    """Ceilings and floor of a panel (`accuracy`), or what alignment without a channel leaves (`nmse`)."""
    table = arranged(rows, axis)
    found = []
    for panel in table.panels:
        here = table.references
        for name, setting in panel:
            if name in PILOTS:
                here = here.filter(pl.col(name).eq_missing(pl.lit(setting)))
        for label in REFERENCES if value == "accuracy" else REFERENCES[1:2]:
            mean = here.filter(pl.col("method") == label)[value].mean()
            found += [Level(label, panel, mean)] if isinstance(mean, float) else []
        if axis == "flops":
            mine = [pl.col(name).eq_missing(pl.lit(setting)) for name, setting in panel]
            links = table.links.filter(pl.col("suffix") == "", *mine)
            means = {label: links[column].mean() for label, column in LIMITS[value]}
            found += [Level(label, panel, mean) for label, mean in means.items() if isinstance(mean, float)]
    return found


def _drawn(table: Arranged, links: pl.DataFrame, axis: str, value: str) -> list[Curve]:
    x = AXES[axis].place
    links = links.filter(pl.col(x).is_not_null() & pl.col(value).is_not_null())
    at = list(dict.fromkeys([*table.points, "antennas", "uses", "snr_db", "pruning"]))
    columns = {"x": pl.col(x).mean(), "seeds": pl.col("seed"), "values": pl.col(value)}
    columns |= {side: pl.col(f"accuracy_{side}").first() for side in ("low", "high")} | {f"at_{name}": pl.col(name).first() for name in at}
    grouped = links.group_by(*_CURVE, *table.panel, *table.points, maintain_order=True).agg(**columns)
    found: dict[_Key, list[Point]] = {}
    for row in grouped.iter_rows(named=True):
        key: _Key = (row["label"] + row["suffix"], row["family"] or "", row["knowledge"], panel_of(row, table.panel))
        interval = (row["low"], row["high"]) if value == "accuracy" else (None, None)
        mean, low, high, band = banded(row["seeds"], row["values"], interval, value)
        settings = {name: row[f"at_{name}"] for name in at}
        point = Point(row["x"], mean, low, high, band, settings, len(set(row["seeds"])), len(row["values"]))
        found.setdefault(key, []).append(point)
    return [Curve(*key, tuple(sorted(points, key=lambda point: point.x))) for key, points in found.items()]


def banded(
    seeds: list[Any], values: list[float], interval: tuple[float | None, float | None], value: str
) -> tuple[float, float | None, float | None, str]:
    """Mean, low, high and kind of band of one point.

    Args:
        seeds, values: of its rows. interval: of the first row over the test messages. value: the column, which says where bands end.
    """
    mean, low, high, band = interval_of(seeds, values)
    if low is None or high is None:
        return (mean, *interval, "none" if None in interval else "messages")
    if band == "range":
        return mean, low, high, band
    least, most = -math.inf if value in _SIGNED else 0.0, 1.0 if value in _SHARES else math.inf
    return mean, max(least, low), min(most, high), band

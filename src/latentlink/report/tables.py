"""Tables of the page, as plain values for its template: how values are worded, which is the best, and which are missing."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from latentlink.numerics.reprs import counted
from latentlink.report.arrange import Arranged
from latentlink.report.axes import Axis
from latentlink.report.columns import describe, describe_condition, format_percent
from latentlink.report.curves import Curve, CurvePoint, average_curves
from latentlink.report.palette import sort_curves


@dataclass(frozen=True)
class Measure:
    """The form in which tables show a column of results.

    Attributes:
        heading: of a table of it.
        short: of a column of it.
        form: of a value.
        best: the largest or the smallest value; "" where no value is better than another.
    """

    heading: str
    short: str
    form: str
    best: Literal["largest", "smallest", ""] = "smallest"

    def find_best(self, values: Iterable[float]) -> float | None:
        """Find the best value; None where values do not differ or none is better."""
        distinct = set(values)
        if len(distinct) < 2 or not self.best:
            return None
        return max(distinct) if self.best == "largest" else min(distinct)


MEASURES = {
    "accuracy": Measure("Accuracy", "accuracy", "{:.3f}", "largest"),
    "r2": Measure("R² of the targets", "R²", "{:.3f}", "largest"),
    "output_nmse": Measure("NMSE of the head's outputs", "NMSE of outputs", "{:.3g}"),
    "recall_at_1": Measure("Recall@1", "recall@1", "{:.3f}", "largest"),
    "recall_at_10": Measure("Recall@10", "recall@10", "{:.3f}", "largest"),
    "adjusted_rand": Measure("Adjusted Rand index of clusters", "adjusted Rand", "{:.3f}", "largest"),
    "mutual_information": Measure("Mutual information of clusters, normalised", "mutual information", "{:.3f}", "largest"),
    "cosine": Measure("Cosine similarity of the latent", "cosine", "{:.3f}", "largest"),
    "worst_accuracy": Measure("Accuracy of the worst user", "worst user", "{:.3f}", "largest"),
    "nmse": Measure("NMSE of the latent", "NMSE", "{:.3f}"),
    "objective": Measure("Weighted errors of all users, above what no channel could avoid", "weighted errors", "{:.4f}"),
    "worst_error": Measure("Weighted error of the worst user", "worst error", "{:.4f}"),
    "flops": Measure("FLOPs", "FLOPs", "{:,.0f}"),
    "density": Measure("Weights left", "weights left", "{:.1%}", ""),
    "latency_us": Measure("Latency, one message (µs)", "latency, one message (µs)", "{:,.0f}"),
    "latency_batch_us": Measure("Latency per message, batched (µs)", "latency, batched (µs)", "{:,.1f}"),
    "exact_db": Measure("Distance to the exact optimum: MSE over the least of all linear links (dB)", "to exact (dB)", "{:+.2f}"),
    "opta_db": Measure("Distance to Gaussian OPTA: MSE over it (dB)", "to OPTA (dB)", "{:+.2f}"),
    "separation_db": Measure("Distance to separation at finite length: MSE over it (dB)", "to separation (dB)", "{:+.2f}"),
    "block_error": Measure("Block error rate", "block error", "{:.3g}"),
    "message_bits": Measure("Bits per message", "bits per message", "{:,.1f}", ""),
}
_TASKS = ("accuracy", "r2", "output_nmse", "recall_at_1", "recall_at_10", "adjusted_rand", "mutual_information", "cosine")
_OF_NETWORKS = ("worst_accuracy", "objective", "worst_error")
_ALONG = (*_TASKS, "nmse", *_OF_NETWORKS, "exact_db", "opta_db", "separation_db", "block_error", "message_bits")  # a table of each
ABSENT = "–"
TOLERANCE = 0.05  # how far from the budget, P = 1 in every study, a link may spend before it is flagged


@dataclass(frozen=True)
class Entry:
    """A cell of a table.

    Attributes:
        text: its value.
        remark: its interval, or another remark.
        best: whether it is the best of its column.
        flagged: whether it should be looked at.
    """

    text: str
    remark: str = ""
    best: bool = False
    flagged: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of entries under columns.

    Attributes:
        title: above it.
        columns: their headings.
        rows: the name of a method, and its entries.
        open: whether the page shows it at once.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Entry, ...]], ...]
    open: bool = False


@dataclass(frozen=True)
class Comparison:
    """Tables of one condition under its title."""

    title: str
    tables: tuple[Table, ...]


def compare_methods(table: Arranged) -> list[Comparison]:
    """Compare methods at the points of each condition: accuracy, NMSE and the distances to the exact optimum and to OPTA."""
    values = tuple(MEASURES) if table.axis.own_places else _ALONG
    curves = {value: sort_curves(average_curves(table, value)) for value in values}
    found = []
    for condition in table.conditions:
        mine = {value: [curve for curve in curves[value] if curve.condition == condition] for value in values}
        if table.axis.own_places:
            tables = [_list_points(mine)]
        else:
            tables = [_tabulate_points(value, mine[value], table.axis) for value in values if mine[value]]
        found.append(Comparison(describe_condition(condition), tuple(each for each in tables if each.rows)))
    return [comparison for comparison in found if comparison.tables]


def mark_best(values: Sequence[float | None], measure: Measure, remarks: Sequence[str] = ()) -> list[Entry]:
    """Write a column of values as their measure has it, and mark the best."""
    best = measure.find_best(value for value in values if value is not None)
    pairs = zip(values, remarks or [""] * len(values), strict=True)
    return [Entry(ABSENT) if value is None else Entry(measure.form.format(value), remark, value == best) for value, remark in pairs]


def make_table(title: str, names: Iterable[str], headings: Iterable[str], columns: Iterable[list[Entry]], is_open: bool = True) -> Table:
    """Make a table of columns that have an entry for each name."""
    return Table(title, tuple(headings), tuple(zip(names, zip(*columns, strict=True), strict=True)), is_open)


def _tabulate_points(value: str, curves: list[Curve], axis: Axis) -> Table:
    """Tabulate one measure with a column for each place on the axis."""
    measure, headings, columns = MEASURES[value], [], []
    cells = {(curve.name, make_key(point, axis)): point for curve in curves for point in curve.points}
    for key in sorted({key for _, key in cells}):
        points = [cells.get((curve.name, key)) for curve in curves]
        there = [point for point in points if point is not None]
        usual = min(point.x for point in there)
        longer = [axis.name == "compression" and point is not None and point.x > 1.001 * usual for point in points]
        remarks = [
            point.write_band(measure.form) + (f" at ζ {format_percent(point.x)} %" if more else "") if point else ""
            for point, more in zip(points, longer, strict=True)
        ]
        headings.append(_make_heading(there[-1], usual, axis))
        columns.append(mark_best([point.mean if point else None for point in points], measure, remarks))
    return make_table(measure.heading, (curve.name for curve in curves), headings, columns, is_open=value == "accuracy")


def _list_points(curves: dict[str, list[Curve]]) -> Table:
    """List every point in a row of its own, with a column for each measure: on this axis no two methods share a place."""
    points = {
        value: {(curve.name, str(point.at["parameters"])): point for curve in mine for point in curve.points}
        for value, mine in curves.items()
    }
    shown, columns = [value for value in points if points[value]], []
    for value in shown:
        found = [points[value].get(key) for key in points["flops"]]
        banded = value in ("accuracy", "nmse")
        remarks = [point.write_band(MEASURES[value].form) if banded and point else "" for point in found]
        columns.append(mark_best([point.mean if point else None for point in found], MEASURES[value], remarks))
    pruned = {key: point.at["pruning"] for key, point in points["flops"].items()}
    names = [f"{key[0]}, λ = {pruning:g}" if pruning is not None else key[0] for key, pruning in pruned.items()]
    return make_table("Every point", names, (MEASURES[value].short for value in shown), columns)


def make_key(point: CurvePoint, axis: Axis) -> tuple[float, ...]:
    """Return the key of a column: the place on the axis, or the shape of the channel (Top-K has another ζ on the same shape)."""
    if axis.name != "compression":
        return () if axis.name == "outage" else (point.x,)
    n_rx, n_tx = (float(number) for number in (point.at["antennas"] or "0×0").split("×"))
    uses = point.at["uses"] or 1
    return (n_tx * uses, n_tx, n_rx, uses)


def _make_heading(point: CurvePoint, x: float, axis: Axis) -> str:
    """Write the heading of a point's column, in which most methods are at x."""
    if axis.name != "compression":
        return describe_place(point, axis)
    _, n_tx, n_rx, uses = make_key(point, axis)
    return f"{n_rx:g}×{n_tx:g}{f', {uses:g} uses' if uses > 1 else ''}\nζ {format_percent(x)} %"


def describe_place(point: CurvePoint, axis: Axis) -> str:
    """Word the place of a point."""
    if axis.name == "outage":
        return "all channels"
    if axis.name in ("compression", "antennas") or (axis.own_places and point.at["pruning"] is None):
        return str(point.at["antennas"])
    if axis.own_places:
        return f"λ = {point.at['pruning']:g}"
    return describe(axis.column, point.at.get(axis.column))


def find_gaps(table: Arranged) -> list[str]:
    """List, in a line each, the rows without a value, the points with fewer seeds than others, and points that only others have."""
    axis = table.axis
    value, words = ("accuracy", "an accuracy") if table.links["accuracy"].is_not_null().any() else ("nmse", "an error")
    valued = pl.col(value).is_not_null()
    lines = _count_rows(table.links.filter(~valued), f"without {words}")
    placeless = table.links.filter(valued & pl.col(axis.place).is_null())
    lines += _count_rows(placeless, f"without a place on this axis ({axis.label})")
    curves = sort_curves(average_curves(table, value))
    seeds = max((point.seeds for curve in curves for point in curve.points), default=0)
    for condition in dict.fromkeys(curve.condition for curve in curves):
        mine = [curve for curve in curves if curve.condition == condition]
        names = {make_key(point, axis): _make_heading(point, 0.0, axis).split("\n")[0] for curve in mine for point in curve.points}
        for curve in mine:
            lines += _find_gaps_of(curve, axis, {} if axis.own_places else names, seeds)
    return lines


def _find_gaps_of(curve: Curve, axis: Axis, places: dict[tuple[float, ...], str], seeds: int) -> list[str]:
    """Find the points of a curve with too few seeds, and the places of others that it lacks."""
    name = f"{curve.name} ({describe_condition(curve.condition)})" if curve.condition else curve.name
    few = [f"{describe_place(point, axis)}: {point.seeds} of {seeds} seeds" for point in curve.points if point.seeds < seeds]
    own = {make_key(point, axis) for point in curve.points} if places else set()
    lacking = [places[key] for key in sorted(places) if key not in own]
    lines = [f"{name}: {', '.join(few)}"] if few else []
    return lines + ([f"{name}: no result at {', '.join(lacking)}"] if lacking else [])


def _count_rows(rows: pl.DataFrame, lacking: str) -> list[str]:
    counts = rows.group_by("label", maintain_order=True).len().sort("label")
    return [f"{method}: {counted(number, 'row')} {lacking}" for method, number in counts.iter_rows()]


def tabulate_power(table: Arranged) -> Table:
    """Tabulate the power measured on the test messages, in units of the budget, of each method over all of its rows."""
    body = []
    for name, mine in _group_by_method(table.links.filter(pl.col("power").is_not_null())):
        power = mine["power"]
        off = ((power - 1).abs() > TOLERANCE).sum()
        numbers = (power.mean(), power.min(), power.max(), mine["antenna_power"].list.max().mean())
        flag = Entry(f"{off} of {len(power)} rows" if off else "no", flagged=off > 0)
        body.append((name, (*(_write(number, ".3f") for number in numbers), _write(mine["peak_power"].max(), ".1f"), flag)))
    columns = ("mean", "lowest", "highest", "strongest antenna", "peak message", f"off by more than {TOLERANCE:.0%}")
    return Table("Power measured on the test messages, in units of the budget P", columns, tuple(body), open=True)


def tabulate_papr(table: Arranged) -> Table:
    """Tabulate peak over mean power of what is sent, of each method over all of its rows, and of its calmest and wildest antenna."""
    level, antenna = pl.col("antenna_papr_db"), pl.int_ranges(pl.col("antenna_papr_db").list.len()).alias("antenna")
    body = []
    for name, mine in _group_by_method(table.links.filter(pl.col("papr_db").is_not_null())):
        papr = mine["papr_db"]
        single = mine.select(level, antenna).drop_nulls().explode("antenna_papr_db", "antenna").filter(level.is_finite())
        means = single.group_by("antenna").agg(level.mean())["antenna_papr_db"]  # rows may have different numbers of antennas
        numbers = (papr.mean(), papr.max(), means.min(), means.max())
        body.append((name, (*(_write(number, ".2f") for number in numbers), _write(mine["peak_power"].max(), ".1f"))))
    columns = ("mean over channels (dB)", "highest channel (dB)", "lowest antenna (dB)", "highest antenna (dB)", "peak message (of P)")
    return Table("Peak-to-average power ratio of what is sent", columns, tuple(body), open=True)


def tabulate_statuses(table: Arranged) -> Table:
    """Tabulate how the designs ended, as names of statuses with the number of channels of each, and how long they took."""
    body = []
    for name, mine in _group_by_method(table.links):
        statuses = Counter(mine["status"].drop_nulls()).most_common()
        words = "; ".join(f"{status} ({number})" for status, number in statuses) or ABSENT
        body.append((name, (Entry(str(len(mine))), _write(mine["design_s"].mean(), ".3g"), Entry(words))))
    return Table("How the designs ended", ("rows", "design time (s)", "status"), tuple(body))


def _write(number: Any, form: str) -> Entry:
    return Entry(ABSENT if number is None else format(number, form))


def _group_by_method(links: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield the name and the rows of each method, in the order of legends."""
    groups = links.partition_by("label", "knowledge", as_dict=True, maintain_order=True)
    order = sort_curves(Curve(str(label), frame["family"][0], str(knowledge), (), ()) for (label, knowledge), frame in groups.items())
    for curve in order:
        yield curve.name, groups[curve.label, curve.knowledge]

"""The tables of the page, as plain values for its template: who is best where, who spent what, and what is not there."""

import json
import math
from collections import Counter
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

import polars as pl

from latentlink.report.arrange import arranged, prepared
from latentlink.report.curves import Curve, Point, curves
from latentlink.report.look.axes import AXES, percent
from latentlink.report.look.palette import in_order
from latentlink.report.look.wording import Panel, described, panel_title

BUDGET_POWER, TOLERANCE = 1.0, 0.05  # P of every study, and how far from it a link may spend before it is flagged
METRICS: dict[str, tuple[str, str, bool | None]] = {  # column: title, format, the best is the largest (None: no value is better)
    "accuracy": ("Accuracy", "{:.3f}", True),
    "nmse": ("NMSE of the latent", "{:.3f}", False),
    "exact_db": ("Distance to the exact optimum: MSE over the least of all linear links (dB)", "{:+.2f}", False),
    "opta_db": ("Distance to Gaussian OPTA: MSE over it (dB)", "{:+.2f}", False),
    "separation_db": ("Distance to the separation bound: MSE over it (dB)", "{:+.2f}", False),
    "block_error": ("Block error rate", "{:.3g}", False),
    "message_bits": ("Bits per message", "{:,.1f}", None),
}
_RADIO = {"csi": "channel state information", "normalisation": "channel gains", "carrier_ghz": "carrier (GHz)", "speed_kmh": "speed (km/h)",
          "delay_spread_ns": "delay spread (ns)", "subcarriers": "subcarriers", "clipping_db": "clipping (dB)"}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """A cell of a table: a value, its interval or another remark, and whether it is the best of its column or should be looked at."""

    text: str
    remark: str = ""
    best: bool = False
    flagged: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of entries under columns; `open` says whether the page shows it at once."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Entry, ...]], ...]
    open: bool = False


@dataclass(frozen=True)
class Comparison:
    """Tables of one panel."""

    title: str
    tables: tuple[Table, ...] = field(default_factory=tuple)


def comparisons(rows: pl.DataFrame, axis: str) -> list[Comparison]:
    """Methods × points of each panel: accuracy, NMSE and the distances to the exact optimum and to OPTA."""
    found = {value: in_order(curves(rows, axis, value)) for value in METRICS}
    tables = []
    for panel in arranged(rows, axis).panels:
        mine = {value: [curve for curve in found[value] if curve.panel == panel] for value in METRICS}
        if axis == "flops":
            listed = [_listing(rows, axis, panel)]
        else:
            listed = [_matrix(value, mine[value], axis, value == "accuracy") for value in METRICS if mine[value]]
        tables.append(Comparison(panel_title(panel), tuple(table for table in listed if table.rows)))
    return [comparison for comparison in tables if comparison.tables]


def _matrix(value: str, drawn: list[Curve], axis: str, shown: bool) -> Table:
    title, form, largest = METRICS[value]
    keys = sorted({key_of(point, axis) for curve in drawn for point in curve.points})
    cells = {(curve.name, key_of(point, axis)): point for curve in drawn for point in curve.points}
    usual = {key: min(point.x for (_, at), point in cells.items() if at == key) for key in keys}
    means = {key: [point.mean for (_, at), point in cells.items() if at == key] for key in keys}
    best = {key: (max if largest else min)(there) for key, there in means.items() if len(set(there)) > 1 and largest is not None}
    body = []
    for curve in drawn:
        entries = []
        for key in keys:
            point = cells.get((curve.name, key))
            if point is None:
                entries.append(Entry("–"))
                continue
            dearer = axis == "compression" and point.x > 1.001 * usual[key]
            remark = _interval(point, form) + (f" at ζ {percent(point.x)} %" if dearer else "")
            entries.append(Entry(form.format(point.mean), remark, point.mean == best.get(key)))
        body.append((curve.name, tuple(entries)))
    headings = {key_of(point, axis): _heading(point, usual[key_of(point, axis)], axis) for curve in drawn for point in curve.points}
    return Table(title, tuple(headings[key] for key in keys), tuple(body), shown)


def key_of(point: Point, axis: str) -> tuple[float, ...]:
    """What a column stands for: a place on the axis, or a shape of the channel (Top-K has another ζ on the same one)."""
    if axis != "compression":
        return () if axis == "outage" else (point.x,)
    n_rx, n_tx = (float(number) for number in (point.at["antennas"] or "0×0").split("×"))
    return (n_tx * (point.at["uses"] or 1), n_tx, n_rx, point.at["uses"] or 1)


def _heading(point: Point, x: float, axis: str) -> str:
    """What a point of a column is called, whose methods are mostly at x."""
    if axis != "compression":
        return where(point, axis)
    _, n_tx, n_rx, uses = key_of(point, axis)
    return f"{n_rx:g}×{n_tx:g}{f', {uses:g} uses' if uses > 1 else ''}\nζ {percent(x)} %"


def _interval(point: Point, form: str) -> str:
    return f"[{form.format(point.low)}, {form.format(point.high)}]" if point.low is not None and point.high is not None else ""


def _listing(rows: pl.DataFrame, axis: str, panel: Panel) -> Table:
    """Along the FLOPs axis each point is a row: no two methods share their FLOPs."""
    columns = {
        "accuracy": ("accuracy", "{:.3f}", max), "nmse": ("NMSE", "{:.3f}", min), "flops": ("FLOPs", "{:,.0f}", min),
        "density": ("weights left", "{:.1%}", None), "latency_us": ("latency, one message (µs)", "{:,.0f}", min),
        "latency_batch_us": ("latency, batched (µs)", "{:,.1f}", min), "exact_db": ("to exact (dB)", "{:+.2f}", min),
        "opta_db": ("to OPTA (dB)", "{:+.2f}", min), "separation_db": ("to separation (dB)", "{:+.2f}", min),
        "block_error": ("block error", "{:.3g}", min), "message_bits": ("bits per message", "{:,.1f}", None),
    }  # fmt: skip
    found: dict[str, dict[tuple[str, str], Point]] = {}
    for value in columns:
        mine = [curve for curve in in_order(curves(rows, axis, value)) if curve.panel == panel]
        found[value] = {(curve.name, str(point.at["parameters"])): point for curve in mine for point in curve.points}
    columns = {value: column for value, column in columns.items() if found[value]}
    means = {value: {p.mean for p in found[value].values()} for value in columns}
    best = {value: pick(means[value]) for value, (_, _, pick) in columns.items() if pick is not None and len(means[value]) > 1}
    body = []
    for (name, parameters), counted in found["flops"].items():
        entries = []
        for value, (_, form, _) in columns.items():
            point = found[value].get((name, parameters))
            remark = _interval(point, form) if point is not None and value in ("accuracy", "nmse") else ""
            entries.append(Entry("–") if point is None else Entry(form.format(point.mean), remark, point.mean == best.get(value)))
        pruning = counted.at["pruning"]
        body.append((f"{name}, λ = {pruning:g}" if pruning is not None else name, tuple(entries)))
    return Table("Every point", tuple(title for title, _, _ in columns.values()), tuple(body), True)


def power_table(rows: pl.DataFrame, axis: str) -> Table:
    """Power measured on the test messages, in units of the budget, for each method over all of its rows."""
    links = arranged(rows, axis).links.filter(pl.col("power").is_not_null())
    body = []
    for (name, knowledge), mine in _by_method(links):
        power = [spent / BUDGET_POWER for spent in mine["power"]]
        off = sum(abs(spent - 1) > TOLERANCE for spent in power)
        antennas = [max(each) for each in mine["antenna_power"].drop_nulls().to_list() if each] if "antenna_power" in mine.columns else []
        strongest = f"{fmean(antennas) / BUDGET_POWER:.3f}" if antennas else "–"
        peaks = mine["peak_power"].drop_nulls().to_list()
        body.append((
            name if knowledge != "unaware" else f"{name}, unaware",
            (
                Entry(f"{fmean(power):.3f}"), Entry(f"{min(power):.3f}"), Entry(f"{max(power):.3f}"), Entry(strongest),
                Entry(f"{max(peaks) / BUDGET_POWER:.1f}" if peaks else "–"),
                Entry("no" if not off else f"{off} of {len(power)} rows", flagged=off > 0),
            ),
        ))  # fmt: skip
    columns = ("mean", "lowest", "highest", "strongest antenna", "peak message", f"off by more than {TOLERANCE:.0%}")
    return Table("Power measured on the test messages, in units of the budget P", columns, tuple(body), True)


def papr_table(rows: pl.DataFrame, axis: str) -> Table:
    """Peak over mean power of what is sent, of each method over all of its rows, and of its calmest and wildest antenna."""
    links = arranged(rows, axis).links.filter(pl.col("papr_db").is_not_null())
    body = []
    for (name, knowledge), mine in _by_method(links):
        papr, peaks = mine["papr_db"].to_list(), mine["peak_power"].drop_nulls().to_list()
        lists = mine["antenna_papr_db"].drop_nulls().to_list() if "antenna_papr_db" in mine.columns else []
        each: dict[int, list[float]] = {}  # of an antenna, over channels; rows may have different numbers of them
        for antennas in lists:
            for number, level in enumerate(antennas):
                each.setdefault(number, []).extend([level] if level is not None and math.isfinite(level) else [])
        means = [fmean(levels) for levels in each.values() if levels]
        entries = (
            Entry(f"{fmean(papr):.2f}"), Entry(f"{max(papr):.2f}"), Entry(f"{min(means):.2f}" if means else "–"),
            Entry(f"{max(means):.2f}" if means else "–"), Entry(f"{max(peaks) / BUDGET_POWER:.1f}" if peaks else "–"),
        )  # fmt: skip
        body.append((name if knowledge != "unaware" else f"{name}, unaware", entries))
    columns = ("mean over channels (dB)", "highest channel (dB)", "lowest antenna (dB)", "highest antenna (dB)", "peak message (of P)")
    return Table("Peak-to-average power ratio of what is sent", columns, tuple(body), True)


def _by_method(links: pl.DataFrame) -> list[tuple[tuple[Any, ...], pl.DataFrame]]:
    groups = links.partition_by("label", "knowledge", as_dict=True, maintain_order=True)
    families = {key: frame["family"][0] or "" for key, frame in groups.items()}
    order = in_order(Curve(str(key[0]), families[key], str(key[1]), (), ()) for key in groups)
    return [((curve.label, curve.knowledge), groups[curve.label, curve.knowledge]) for curve in order]


def status_table(rows: pl.DataFrame, axis: str) -> Table:
    """How the designs ended, and what they took."""
    body = []
    for (name, knowledge), mine in _by_method(arranged(rows, axis).links):
        statuses = Counter(mine["status"].drop_nulls())
        said = "; ".join(f"{status} ({count})" for status, count in statuses.most_common()) or "–"
        seconds = mine["design_s"].drop_nulls().to_list()
        entries = (Entry(str(len(mine))), Entry(f"{fmean(seconds):.3g}" if seconds else "–"), Entry(said))
        body.append((name if knowledge != "unaware" else f"{name}, unaware", entries))
    return Table("How the designs ended", ("rows", "design time (s)", "status"), tuple(body))


def gaps(rows: pl.DataFrame, axis: str) -> list[str]:
    """What is not there, one line each: rows without a value, points with fewer seeds than others, points that others have."""
    drawn, found = in_order(curves(rows, axis, "accuracy")), []
    empty = arranged(rows, axis).links.filter(pl.col("accuracy").is_null())
    for method, count in empty.group_by("label", maintain_order=True).len().sort("label").iter_rows():
        found.append(f"{method}: {count} {'row' if count == 1 else 'rows'} without an accuracy")
    placeless = arranged(rows, axis).links.filter(pl.col("accuracy").is_not_null() & pl.col(AXES[axis].place).is_null())
    for method, count in placeless.group_by("label", maintain_order=True).len().sort("label").iter_rows():
        found.append(f"{method}: {count} {'row' if count == 1 else 'rows'} without a place on this axis ({AXES[axis].label})")
    seeds = max((point.seeds for curve in drawn for point in curve.points), default=0)
    for panel in dict.fromkeys(curve.panel for curve in drawn):
        mine = [curve for curve in drawn if curve.panel == panel]
        names = {key_of(point, axis): _heading(point, 0.0, axis).split("\n")[0] for curve in mine for point in curve.points}
        keys = sorted(names) if axis != "flops" else []
        for curve in mine:
            aside = f" ({panel_title(panel)})" if panel else ""
            few = [f"{where(point, axis)}: {point.seeds} of {seeds} seeds" for point in curve.points if point.seeds < seeds]
            have = {key_of(point, axis) for point in curve.points} if keys else set()
            lacking = [names[key] for key in keys if key not in have]
            found += [f"{curve.name}{aside}: {', '.join(few)}"] if few else []
            found += [f"{curve.name}{aside}: no result at {', '.join(lacking)}"] if lacking else []
    return found


def where(point: Point, axis: str) -> str:
    """The place of a point in words."""
    if axis in ("compression", "flops"):
        return str(point.at["antennas"]) if axis == "compression" or point.at["pruning"] is None else f"λ = {point.at['pruning']:g}"
    return described(AXES[axis].column, point.at.get(AXES[axis].column)) if axis != "outage" else "all channels"


def facts(rows: pl.DataFrame) -> list[tuple[str, str]]:
    """What all rows together say of how they came about."""
    rows = prepared(rows)
    versions: dict[str, set[str]] = {}
    for text in rows["versions"].drop_nulls().unique():
        for package, number in json.loads(text).items():
            versions.setdefault(package, set()).add(str(number))
    times, links = rows["started"], rows.filter(pl.col("family").ne_missing("reference"))
    said = [
        ("data", _values(rows, "dataset")),
        ("encoders", f"{_values(rows, 'transmitter')} → {_values(rows, 'receiver')}"),
        ("latent dimensions", f"d = {_values(rows, 'd')}, m = {_values(rows, 'm')}"),
        ("pilots", _values(rows, "pilots")),
        ("test messages", _values(rows, "messages")),
        ("channel", f"{_values(links, 'channel_model')}, gain {_values(links, 'gain')}"),
        ("seeds", _values(rows, "seed")),
        ("channel draws per seed", str(rows["channel"].n_unique()) if rows["channel"].drop_nulls().len() else "unknown"),
        ("rows", f"{len(rows)} from {rows['cell'].n_unique()} cells" if len(rows) else "0"),
        ("measured", " to ".join(dict.fromkeys(str(time) for time in (times.min(), times.max()) if time is not None)) or "unknown"),
        ("cells' own time", f"{rows.unique('cell')['wall_s'].sum():.1f} s in all"),
    ]
    said += [(title, _values(links, name)) for name, title in _RADIO.items() if links[name].is_not_null().any()]
    said += [(package, ", ".join(sorted(numbers))) for package, numbers in sorted(versions.items())]
    return said


def _values(rows: pl.DataFrame, name: str) -> str:
    values = rows[name].drop_nulls().unique().sort().to_list()
    return ", ".join(f"{value:g}" if isinstance(value, float) and value < 1e5 else str(value) for value in values) or "unknown"

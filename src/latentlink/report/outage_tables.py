"""Tables of fading: the mean and the tail of each method's accuracy over channels, and how fair a cell is to its users."""

from statistics import fmean, median

import polars as pl

from latentlink.evaluation.intervals import interval_of, worst
from latentlink.report.curves import REFERENCES, levels
from latentlink.report.look.wording import Panel, panel_title
from latentlink.report.outage import LEAST, Fading, jain, outage, quantile
from latentlink.report.tables import Comparison, Entry, Table

_PATH_LOSS = "path-loss"  # the normalisation under which a channel is a user, near or far
_ALSO = {"nmse": ("mean NMSE", "{:.3f}"), "opta_db": ("to OPTA (dB)", "{:+.2f}"), "separation_db": ("to separation (dB)", "{:+.2f}"),
         "block_error": ("mean block error", "{:.3g}"), "message_bits": ("bits per message", "{:,.1f}")}  # fmt: skip
_Columns = dict[str, list[tuple[Entry, float | None]]]


def fading_tables(points: dict[Panel, list[Fading]]) -> list[Comparison]:
    """Mean with its interval, outage accuracies and means over the worst channels, a table for each point; the best is marked."""
    found = []
    for panel, methods in points.items():
        columns: _Columns = {
            "channels": [(Entry(str(len(method.values))), None) for method in methods],
            "mean (ergodic)": [_mean(method) for method in methods],
        }
        for name, measure in (("outage accuracy", quantile), ("mean of the worst", worst)):
            for per_cent in (5, 1):
                columns[f"{name}, {per_cent}\u00a0%"] = [_number(measure(method.values, per_cent)) for method in methods]
        for name, (title, form) in _ALSO.items():
            if any(method.rows[name].is_not_null().any() for method in methods):
                columns[title] = [(_number(_average(method.rows[name]), form)[0], None) for method in methods]
        found.append(Comparison(panel_title(panel), (_table("Accuracy over channels", methods, columns),)))
    return found


def _table(title: str, methods: list[Fading], columns: _Columns) -> Table:
    marked: dict[str, list[Entry]] = {}
    for name, entries in columns.items():
        known = [value for _, value in entries if value is not None]
        best = max(known) if len(set(known)) > 1 else None
        marked[name] = [Entry(e.text, e.remark, best=value is not None and value == best) for e, value in entries]
    body = tuple((method.curve.name, tuple(marked[name][i] for name in marked)) for i, method in enumerate(methods))
    return Table(title, tuple(marked), body, True)


def _mean(method: Fading) -> tuple[Entry, float]:
    """The mean, its interval and the rule of that."""
    seeds = method.rows["seed"].to_list()
    mean, low, high, rule = interval_of(seeds, method.rows["accuracy"].to_list())
    several = len(set(seeds))
    over = f"{several} seeds" if several > 1 else f"{len(seeds)} channels"
    said = {"t": f"95 %, t over {over}", "range": f"lowest, highest of {over}", "none": ""}[rule]
    interval = f"[{max(low, 0):.3f}, {min(high, 1):.3f}] {said}" if low is not None and high is not None else ""
    return Entry(f"{mean:.3f}", interval), mean


def _number(value: float | None, form: str = "{:.3f}") -> tuple[Entry, float | None]:
    return Entry("–" if value is None else form.format(value)), value


def _average(column: pl.Series) -> float | None:
    known = column.drop_nulls().to_list()
    return fmean(known) if known else None


def fairness_tables(rows: pl.DataFrame, points: dict[Panel, list[Fading]]) -> list[Comparison]:
    """Of drops of users with path loss, how the accuracy and the capacity are shared among them."""
    ceilings = {level.panel: level.value for level in levels(rows, "outage", "accuracy") if level.label == REFERENCES[0]}
    found = []
    for panel, everyone in points.items():
        methods = [method for method in everyone if method.rows["normalisation"][0] == _PATH_LOSS and len(method.values) >= LEAST]
        if not methods:
            continue
        ceiling = ceilings.get(panel)
        columns: _Columns = {
            "users": [(Entry(str(len(method.values))), None) for method in methods],
            "Jain's index, accuracy": [_number(jain(method.values)) for method in methods],
            "Jain's index, capacity": [(_number(jain(method.rows["capacity"].drop_nulls().to_list()))[0], None) for method in methods],
            "5 %-ile user": [_number(quantile(method.values, 5)) for method in methods],
            "median user": [_number(median(method.values)) for method in methods],
            "under half of the ceiling": [
                (Entry(f"{outage(method.values, ceiling / 2):.1%}" if ceiling else "–"), None) for method in methods
            ],
        }
        found.append(Comparison(panel_title(panel), (_table("Users of a cell", methods, columns),)))
    return found

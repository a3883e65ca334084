"""Figures and tables of networks: errors beside their bound, each user by itself, and what it costs that pairs are selfish.

In the plane of anarchy a point is one network: across, the weighted errors of its users when they cooperate, up, those in the game. Its
ratio, up over across, is the price of anarchy.
"""

from dataclasses import replace
from typing import Any, NamedTuple

import polars as pl

from latentlink.report.arrange import Arranged
from latentlink.report.axes import choose_round_ticks
from latentlink.report.columns import describe
from latentlink.report.curves import BOUND, Curve, CurvePoint, average_curves
from latentlink.report.palette import Look, assign_looks, sort_curves
from latentlink.report.plots import Frame, Line, Plot, Scale, plot_conditions
from latentlink.report.tables import Entry, Table, make_table

MOST_USERS = 6  # that have a figure each
_ERRORS = ("objective", "worst_error")
_SAME = "as good"
_GOAL = ("goal", "temperature", "fidelity", "shrinkage")  # parameters that say what errors are weighted by


def plot_errors(table: Arranged) -> list[Plot]:
    """Plot the weighted errors of all users and of the worst one along the axis beside the bound of linear designs; nothing of one link."""
    curves = {value: sort_curves(average_curves(table, value)) for value in _ERRORS}
    if not any(curves.values()):
        return []
    looks = assign_looks([*average_curves(table, "accuracy"), *curves["objective"]])
    return plot_conditions(table, {**curves, "objective": [*_bound(table), *curves["objective"]]}, looks)


def _bound(table: Arranged) -> list[Curve]:
    """The largest bound of all methods at each point, which is the closest; none where methods have errors or channels of their own.

    The bound of one goal says nothing of another's errors, and that of a surface's phases nothing of designs with other phases.
    """
    measured = table.links.filter(pl.col("objective").is_not_null())
    alike = measured.select(_asked(*_GOAL)).n_unique() <= 1
    if not alike or (measured["elements"].fill_null(0) > 0).any():
        return []
    found: dict[Any, dict[float, CurvePoint]] = {}
    for curve in average_curves(table, "objective_bound"):
        best = found.setdefault(curve.condition, {})
        for point in curve.points:
            if point.x not in best or point.mean > best[point.x].mean:
                best[point.x] = point
    return [
        Curve(BOUND, "limit", "aware", condition, tuple(best[x] for x in sorted(best)))
        for condition, best in found.items()
    ]  # fmt: skip


def plot_users(table: Arranged) -> list[Plot]:
    """Plot accuracy and weighted error of each user along the axis, users beside each other; none of networks of one or very many."""
    sizes = table.links["user_error"].list.len().drop_nulls().unique().sort().to_list()
    if not sizes or not 1 < sizes[-1] <= MOST_USERS:
        return []
    looks = assign_looks([*average_curves(table, "accuracy"), *average_curves(table, "objective")])
    found = []
    for user in range(sizes[-1]):
        own = table.links.with_columns(
            pl.col("user_accuracy").list.get(user, null_on_oob=True).alias("accuracy"),
            pl.col("user_error").list.get(user, null_on_oob=True).alias("weighted_error"),
        )
        measured = [value for value in ("accuracy", "weighted_error") if own[value].is_not_null().any()]
        of_user = replace(table, links=own)
        curves = {value: sort_curves(average_curves(of_user, value)) for value in measured}
        found += [replace(plot, condition=(("user", user + 1), *plot.condition)) for plot in plot_conditions(of_user, curves, looks)]
    return found


class Anarchy(NamedTuple):
    """Games beside cooperation, network by network.

    Attributes:
        plots: the plane, one for each condition.
        tables: the price of anarchy, at each place of the axis; none where a study lacks games or cooperation.
    """

    plots: tuple[Plot, ...] = ()
    tables: tuple[Table, ...] = ()


def compare_games(table: Arranged) -> Anarchy:
    """Compare every game with the first cooperative design of the study for its goal (and phases of a surface) on the same networks."""
    joined = _join(table)
    if joined.is_empty():
        return Anarchy()
    plots, names, columns = [], [], {"mean": [], "largest": [], "cooperation": [], "worse": []}  # type: ignore[var-annotated]
    for condition in table.conditions:
        here = joined.filter(pl.lit(True), *(pl.col(name).eq_missing(pl.lit(value)) for name, value in condition))
        lines = []
        groups = here.partition_by("label", table.axis.place, as_dict=True)
        for (label, _), part in sorted(groups.items(), key=lambda item: str(item[0])):
            at = describe(table.axis.column, part[table.axis.column][0]) or table.axis.unlimited
            name = ", ".join(filter(None, (str(label), at)))
            lines.append((name, part))
            names.append(", ".join(filter(None, (name, *(describe(*setting) for setting in condition)))))
            _add(columns, part)
        if lines:
            plots.append(Plot(condition, (_plane(lines),)))
    headings = ("mean ratio", "largest ratio", "networks where cooperation is better", "users whom it serves worse")
    return Anarchy(tuple(plots), (make_table("Price of anarchy", names, headings, columns.values()),))


def _join(table: Arranged) -> pl.DataFrame:
    """Rows of games with the errors of cooperation on the same networks, `together` and `errors_together`."""
    named = table.links.with_columns(_asked("name").struct.field("name").alias("design"), asked=_asked(*_GOAL, "phases"))
    where = ["asked", "seed", "channel", *table.fixed, *([table.axis.column] if table.axis.name != "iterations" else [])]
    cooperative = named.filter((pl.col("design") == "cooperative") & pl.col("objective").is_not_null())
    if cooperative.is_empty():
        return cooperative
    first = cooperative.filter(pl.col("label") == pl.col("label").first().over("asked")).unique(where, keep="last", maintain_order=True)
    others = first.select(*dict.fromkeys(where), together="objective", errors_together="user_error")
    games = named.filter((pl.col("design") == "game") & pl.col("objective").is_not_null() & pl.col(table.axis.place).is_not_null())
    return games.join(others, on=list(dict.fromkeys(where)), nulls_equal=True, maintain_order="left")


def _asked(*names: str) -> pl.Expr:
    """These parameters of the methods."""
    return pl.struct(pl.col("parameters").str.json_path_match(f"$.{name}").fill_null("").alias(name) for name in names)


def _add(columns: dict[str, list[Entry]], part: pl.DataFrame) -> None:
    """Add a row on some networks to the table."""
    ratios = [game / together for game, together in part.select("objective", "together").iter_rows()]
    pairs = part.select("user_error", "errors_together").explode("user_error", "errors_together").iter_rows()
    worse = [together > game * (1 + 1e-6) for game, together in pairs]
    columns["mean"].append(Entry(f"{sum(ratios) / len(ratios):.3f}"))
    columns["largest"].append(Entry(f"{max(ratios):.3f}"))
    columns["cooperation"].append(Entry(f"{sum(ratio > 1 for ratio in ratios) / len(ratios):.1%}"))
    columns["worse"].append(Entry(f"{sum(worse) / len(worse):.1%}"))


def _plane(lines: list[tuple[str, pl.DataFrame]]) -> Frame:
    """The plane of anarchy: marks of networks, and the line on which both are as good."""
    values = [value for _, part in lines for name in ("together", "objective") for value in part[name].to_list()]
    low, high = min(values), max(values)
    logarithmic = low > 0
    ends = (low / 1.1, high * 1.1) if logarithmic else (0.0, high * 1.05 or 1.0)
    looks = assign_looks(Curve(name, "network", "aware", (), ()) for name, _ in lines)
    marks = tuple(
        Line(name, replace(looks[name], width=0.0), tuple(part["together"]), tuple(part["objective"]),
             hover=tuple((f"{b:.4f} / {a:.4f} = {b / a:.3f}",) for a, b in zip(part["together"], part["objective"], strict=True)))
        for name, part in lines
    )  # fmt: skip
    same = Line(_SAME, Look("", 0.8, (":", "dot")), ends, ends, template=_SAME)
    ticks = choose_round_ticks(low, high) if logarithmic else {}
    x, y = (Scale(f"weighted errors, {name}", logarithmic, ends, ticks) for name in ("cooperative", "game"))
    return Frame(x, y, (same, *marks))

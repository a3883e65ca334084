"""From rows to what may be compared along an axis: labels, points and conditions. It is done once for each axis.

A condition is what a reader compares within: the settings that all curves of one figure share. Of the settings that vary in a study, what
lies on the axis makes the points of a curve, what some method sweeps makes conditions, and what methods merely differ in goes into their
labels (Top-K on 4×4 antennas beside others on 8×8). Methods of one name and different parameters are distinguished by these, so that rows
that differ are never averaged.
"""

import math
from dataclasses import dataclass
from typing import Any

import polars as pl

from latentlink.report.axes import AXES, Axis
from latentlink.report.columns import Condition, describe, describe_code, format_value, list_settings, prepare, select_methods
from latentlink.studies.averages import find_differing

MOST_CONDITIONS = 6  # along an axis that is drawn beside the study's own
_LATE = ("snr_db", "antennas", "n_tx", "n_rx", "uses")  # of the channel's settings, those that a title names last


@dataclass(frozen=True)
class Arranged:
    """The rows of a study along one axis.

    Attributes:
        axis: that the points lie on.
        links: rows of methods, with the columns label and suffix, and the axis's place.
        references: rows of the ceilings and the floor.
        points: columns that change along a curve.
        fixed: columns of the settings that make conditions.
    """

    axis: Axis
    links: pl.DataFrame
    references: pl.DataFrame
    points: tuple[str, ...]
    fixed: tuple[str, ...]

    @property
    def conditions(self) -> list[Condition]:
        """Return all conditions, in order."""
        if not self.fixed:
            return [()] if len(self.links) else []
        found = {self.condition_of(row) for row in self.links.select(self.fixed).unique().iter_rows(named=True)}
        return sorted(found, key=_rank)

    def condition_of(self, row: dict[str, Any]) -> Condition:
        """Return the condition that a row belongs to."""
        return tuple((name, row[name]) for name in self.fixed)

    def within(self, condition: Condition) -> pl.DataFrame:
        """Return the rows of methods under a condition."""
        return self.links.filter(pl.lit(True), *(pl.col(name).eq_missing(pl.lit(value)) for name, value in condition))


def arrange(rows: pl.DataFrame, axis: str) -> Arranged:
    """Label the rows and say what makes a point and a condition on an axis; a ValueError where AXES has no axis of that name."""
    if axis not in AXES:
        raise ValueError(f"axis must be one of {', '.join(AXES)}, got {axis!r}")
    along = AXES[axis]
    rows = prepare(rows)
    methods = select_methods(rows)
    links = along.place_rows(_label(methods, along))
    points = _choose_points(links, along)
    varying = _find_varying(links, along, points)
    swept = [name for name in varying if max(links.group_by("label").agg(pl.col(name).n_unique())[name]) > 1]
    links = links.with_columns(_word_differences(links, [name for name in varying if name not in swept]))
    return Arranged(along, links, rows.filter(pl.col("family") == "reference"), points, tuple(swept))


@dataclass(frozen=True)
class Arrangements:
    """The rows of a study along all axes of its report.

    Attributes:
        rows: all rows, prepared.
        main: along the study's axis.
        over_channels: for distributions over channels.
        drawn: along every axis that is drawn, the study's first; outage has figures of its own.
    """

    rows: pl.DataFrame
    main: Arranged
    over_channels: Arranged
    drawn: list[Arranged]


def arrange_all(rows: pl.DataFrame, axis: str) -> Arrangements:
    """Arrange rows along the study's axis, and along others on which some method has at least three points."""
    main = arrange(rows, axis)
    over_channels = main if axis == "outage" else arrange(rows, "outage")
    drawn = [main] if axis != "outage" else []
    for other in AXES.values():
        if _is_swept(main.links, other) and not _is_drawn(main.links, other, drawn):
            table = arrange(rows, other.name)
            drawn += [table] if len(table.conditions) <= MOST_CONDITIONS else []
    return Arrangements(prepare(rows), main, over_channels, drawn)


def _is_swept(links: pl.DataFrame, axis: Axis) -> bool:
    """Say whether a method has at least three points on an axis, FLOPs by pruning."""
    name = "pruning" if axis.own_places else axis.column
    counts = links.filter(pl.col(name).is_not_null()).group_by("method").agg(pl.col(name).n_unique())[name]
    return len(counts) > 0 and max(counts) > 2


def _is_drawn(links: pl.DataFrame, axis: Axis, drawn: list[Arranged]) -> bool:
    """Say whether an axis has figures already, or is the same as one that has: with the uses or the antennas held, compression is."""
    names = {table.axis.name for table in drawn}
    if axis.name in (*names, "outage", "antennas"):
        return True
    if axis.name == "compression" and "antennas" in names:
        return True
    return axis.name in ("uses", "compression") and links["n_tx"].n_unique() == 1 and bool(names & {"compression", "uses"})


def _choose_points(links: pl.DataFrame, axis: Axis) -> tuple[str, ...]:
    """Name the columns that change along a curve."""
    if axis.name == "outage":
        return ()
    if axis.own_places:
        return ("parameters",)
    if axis.name not in ("compression", "antennas"):
        return (axis.column,)
    if axis.name == "compression" and links["n_tx"].n_unique() == 1 and links["uses"].n_unique() > 1:
        return ("uses",)
    return ("n_tx", "n_rx") if (links["n_tx"] == links["n_rx"]).all() else ("n_tx",)


def _find_varying(links: pl.DataFrame, axis: Axis, points: tuple[str, ...]) -> list[str]:
    """Name the settings beside the points in which rows differ, without radio settings that others determine."""
    antennas = ["n_tx", "n_rx"] if axis.name in ("compression", "antennas") else ["antennas"]
    channel = [name for name in list_settings("channel") if name not in ("knowledge", "n_tx", "n_rx")]
    channel = sorted([*channel, *antennas], key=lambda name: _LATE.index(name) + 1 if name in _LATE else 0)
    found: list[str] = []
    for name in [*list_settings("pilots"), *channel, *list_settings("radio")]:
        values = links.group_by("knowledge", *found).agg(pl.col(name).n_unique())[name]
        implied = name in list_settings("radio") and values.max() == 1  # as a flat channel implies that there is no carrier
        if name not in points and not implied and links[name].n_unique() > 1:
            found.append(name)
    return found


def _word_differences(links: pl.DataFrame, differing: list[str]) -> pl.Series:
    """Word what a label adds where methods merely differ in a setting: those with an uncommon value say so, unless the label does."""
    labels, suffixes = links["label"].to_list(), [""] * len(links)
    for name in differing:
        values = links[name].to_list()
        usual = links[name].drop_nulls().mode(maintain_order=True)
        common = usual[0] if len(usual) else None
        words = {value: describe(name, value) for value in set(values)}
        for number, value in enumerate(values):
            if value != common and words[value] and words[value] not in labels[number]:
                suffixes[number] += f", {words[value]}"
    return pl.Series("suffix", suffixes, dtype=pl.String)


def _label(links: pl.DataFrame, axis: Axis) -> pl.DataFrame:
    """Add the column label: methods by name and by the parameters in which they differ, numbers only where these sweep no curve."""
    methods = list(links.select("method", "parameters").iter_rows())
    names = _shorten_names(list(dict.fromkeys(method for method, _ in methods)))
    labels: dict[tuple[str, str], str] = {}
    for (method, text), parameters in find_differing(methods).items():
        apart = [key for key in sorted(parameters) if key not in axis.parameters]
        named = [key for key in apart if not axis.own_places or isinstance(parameters[key], str | bool | list | dict)]
        facts = ", ".join(f"{key.replace('_', ' ')} {format_value(parameters[key])}" for key in named)
        labels[method, text] = f"{names[method]} ({facts})" if facts else names[method]
    return links.with_columns(pl.Series("label", [labels[method] for method in methods], dtype=pl.String))


def _shorten_names(methods: list[str]) -> dict[str, str]:
    """Call a method of a laboratory by its class where no other method has that name, else by class and module."""
    short = {method: describe_code(method).split(" (")[0] if ":" in method else method for method in methods}
    shared = list(short.values())
    return {method: name if shared.count(name) == 1 else describe_code(method) for method, name in short.items()}


def _rank(condition: Condition) -> tuple[tuple[float, str], ...]:
    """Rank a condition: numbers by size, antennas by their number, the paper's SNR first, unknown values last."""

    def rank(value: Any) -> float:
        if isinstance(value, str) and value.split("×")[-1].isdigit():
            return float(value.split("×")[-1])
        return value if isinstance(value, float) else math.inf if value is None else -float(value == "transmit")

    return tuple((rank(value), str(value)) for _, value in condition)

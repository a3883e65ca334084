"""The values of methods under one condition, paired: by place on the axis, and by seed or channel.

A unit of the pairing is a seed, whose channels are averaged first; of a study with a single seed it is a channel, which says nothing of
other pilots.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import polars as pl

from latentlink.evaluation.best import Ranking, rank
from latentlink.report.arrange import Arranged
from latentlink.report.columns import Condition, describe
from latentlink.report.digital import GENIE
from latentlink.report.tables import MEASURES

Place = tuple[Any, ...]
Unit = tuple[Any, Any]  # seed and, of a single seed, channel


@dataclass(frozen=True)
class Paired:
    """A measure of all methods under one condition.

    Attributes:
        value: its column.
        table: the arranged rows.
        links: the rows under the condition, with the column name.
        at: by method and place, the value of each unit.
        places: of all methods, in order.
        units: of all methods, in order.
        rounding: standard deviation of a difference of two values by the number of messages that they are counted on.
    """

    value: str
    table: Arranged
    links: pl.DataFrame
    at: dict[str, dict[Place, dict[Unit, float]]]
    places: list[Place]
    units: list[Unit]
    rounding: float

    @property
    def largest(self) -> bool:
        """Return True if the largest value is the best."""
        return MEASURES[self.value].best == "largest"

    def rank(self, places: Sequence[Place]) -> Ranking | None:
        """Rank the methods that were measured in all units at all of these places; None where there is none."""
        found = {name: series for name in self.at if (series := self._average(name, places)) is not None}
        return rank(found, largest=self.largest, rounding=self.rounding / math.sqrt(len(places))) if found else None

    def list_incomplete(self) -> list[str]:
        """List the methods that lack a place or a unit."""
        return [name for name in self.at if self._average(name, self.places) is None]

    def list_means(self, name: str) -> list[tuple[Place, float]]:
        """List the places of a method, in order, with its mean there."""
        return [(place, fmean(self.at[name][place].values())) for place in self.places if place in self.at[name]]

    def describe(self, place: Place) -> str:
        """Word a place: antennas, or the value on the axis."""
        names = self.table.points
        if names == ("n_tx", "n_rx"):
            return f"{place[1]:g}×{place[0]:g}"
        axis = self.table.axis
        absent = [axis.unlimited if value is None else "" for value in place]
        return ", ".join(none or describe(name, value) for name, value, none in zip(names, place, absent, strict=True))

    def _average(self, name: str, places: Sequence[Place]) -> list[float] | None:
        """Average each unit over places; None where one is missing."""
        mine = [self.at[name].get(place, {}) for place in places]
        if not all(unit in there for there in mine for unit in self.units):
            return None
        return [fmean(there[unit] for there in mine) for unit in self.units]


def pair(table: Arranged, condition: Condition, value: str) -> Paired | None:
    """Pair a measure of the methods under a condition; None where fewer than two have it. Bounds that are no links are left out.

    Where each method has places of its own on the axis, each of its points is a method, and there is one place.
    """
    links = table.within(condition).filter(~pl.col("parameters").str.contains(GENIE, literal=True) & pl.col(value).is_not_null())
    own = ["label", "suffix", "knowledge", *(["pruning"] if table.axis.own_places else [])]
    names = links.select(own).unique(maintain_order=True)
    if len(names) < 2:
        return None
    names = names.with_columns(pl.Series("name", [_name(row) for row in names.iter_rows(named=True)], dtype=pl.String))
    links = links.join(names, on=own, nulls_equal=True, how="left", maintain_order="left")
    single = links["seed"].n_unique() == 1
    points = () if table.axis.own_places else table.points
    grouped = links.group_by("name", *points, "seed", *(["channel"] if single else []), maintain_order=True).agg(
        pl.col(value).mean(), pl.len().alias("rows")
    )
    at: dict[str, dict[Place, dict[Unit, float]]] = {}
    for row in grouped.iter_rows(named=True):
        place = tuple(row[name] for name in points)
        at.setdefault(row["name"], {}).setdefault(place, {})[row["seed"], row["channel"] if single else None] = row[value]
    places = sorted({place for mine in at.values() for place in mine}, key=lambda place: [(one is None, one) for one in place])
    units = sorted({unit for mine in at.values() for there in mine.values() for unit in there}, key=str)
    messages: Any = links["messages"].min()
    fewest: Any = grouped["rows"].min()
    rounding = 1 / (messages * math.sqrt(6 * fewest)) if value == "accuracy" and messages else 0.0
    return Paired(value, table, links, at, places, units, rounding)


def _name(row: dict[str, Any]) -> str:
    strength = f", λ = {row['pruning']:g}" if row.get("pruning") is not None else ""
    return f"{row['label']}{row['suffix']}{strength}" + (", unaware" if row["knowledge"] == "unaware" else "")

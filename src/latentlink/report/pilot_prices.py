"""What pilots cost, from a study that has several numbers of them: the price in dB of each number, and the handshake that brings them.

As in `bounds.pilot_price`, the mean NMSE of a method over its test messages at n pilots is fitted by a + c / n and by a + c / √n, between
which the truth was found, and the price of n pilots is its NMSE over the error a that unlimited ones would leave. A study with fewer than
three numbers of pilots tells none: fits of two points have no freedom left.

A handshake answers each pilot with the receiver's latent. Going from one number of pilots to the next pays after as many messages as its
further channel uses over the gain in accuracy, a correct decision more being worth what a message costs.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import polars as pl
import torch

from latentlink.bounds.handshake import uses_of_numbers
from latentlink.bounds.pilot_price import EXPONENTS, price_in_db
from latentlink.report.arrange import Arranged
from latentlink.report.tables import ABSENT, Entry, Table, make_table

_ENOUGH = 3  # numbers of pilots
_POINTS = ("n_tx", "n_rx", "uses", "snr_db", "channel_model", "knowledge", "seed", "channel")  # alike at all numbers of pilots


class PilotCosts(NamedTuple):
    """The part of the page on pilots; empty tables where the study has too few numbers of them.

    Attributes:
        prices: of each number of pilots by method, in dB.
        handshakes: from each number to the next, by method.
    """

    prices: tuple[Table, ...] = ()
    handshakes: tuple[Table, ...] = ()


def tabulate_pilot_costs(table: Arranged) -> PilotCosts:
    """Tabulate what pilots cost, a row for each method, over the points that it has at every number of pilots."""
    links = table.links.drop_nulls(["pilots", "nmse"]).with_columns((pl.col("label") + pl.col("suffix")).alias("name"))
    counts = links["pilots"].unique().sort().to_list()
    if len(counts) < _ENOUGH:
        return PilotCosts()
    measured = dict(_by_method(links, counts))
    if not measured:
        return PilotCosts()
    prices = [_price(found, counts) for found in measured.values()]
    headings = [f"{count:,.0f} pilots" for count in counts]
    columns = [[price[place] for price in prices] for place in range(len(counts))]
    title = f"Price of pilots in dB of NMSE, against unlimited ones, told from {len(counts)} numbers of them"
    shown = make_table(title, measured, headings, columns)
    steps = [_steps(found, counts) for found in measured.values()]
    if not any(step.text for row in steps for step in row):
        return PilotCosts((shown,))
    headings = [f"{few:,.0f} → {many:,.0f} pilots" for few, many in pairwise(counts)]
    columns = [[row[place] for row in steps] for place in range(len(counts) - 1)]
    return PilotCosts((shown,), (make_table("Messages after which further pilots have paid", measured, headings, columns),))


def _by_method(links: pl.DataFrame, counts: list[float]) -> Iterator[tuple[str, pl.DataFrame]]:
    """The means of each method at all numbers of pilots, over the points that it has at each; methods that lack a number are left out."""
    for (name,), rows in links.group_by("name", maintain_order=True):
        everywhere = pl.col("pilots").n_unique().over(_POINTS) == len(counts)
        common = rows.filter(everywhere)
        if common["pilots"].n_unique() == len(counts):
            means = [pl.col(column).mean() for column in ("nmse", "accuracy", "m", "uses")]
            symbols = pl.min_horizontal("n_tx", "n_rx").mean().alias("symbols")
            yield str(name), common.group_by("pilots").agg(*means, symbols).sort("pilots")


def _price(found: pl.DataFrame, counts: list[float]) -> list[Entry]:
    """The price of each number of pilots."""
    nmse, n = (torch.tensor(found[name].to_list(), dtype=torch.float64, device="cpu") for name in ("nmse", "pilots"))
    if not nmse[-1] < nmse[0]:
        return [Entry(ABSENT, "no gain")] * len(counts)
    ends = [[max(0.0, float(price_in_db(nmse, n, count, exponent))) for exponent in EXPONENTS] for count in counts]
    return [Entry(f"{low:.2f} to {high:.2f}" if high < 99 else f"{low:.2f} or more") for low, high in ends]


def _steps(found: pl.DataFrame, counts: list[float]) -> list[Entry]:
    """The messages after which each step to more pilots pays, with the channel uses that it takes."""
    rows: list[dict[str, Any]] = found.to_dicts()
    entries = []
    for less, more in pairwise(rows):
        if any(less[name] is None for name in ("accuracy", "m", "symbols", "uses")):
            entries.append(Entry(""))
            continue
        uses = uses_of_numbers(round(more["pilots"] - less["pilots"]), round(more["m"]), max(1, round(more["symbols"])))
        gain = more["accuracy"] - less["accuracy"]
        after = f"{uses / (gain * more['uses']):,.0f}" if gain > 0 else "never"
        entries.append(Entry(after, f"{uses:,} uses, {gain:+.3f}".replace("-", "−")))
    return entries

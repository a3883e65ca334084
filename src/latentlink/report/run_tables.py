"""Tables of a study's run: power, peaks, how designs ended, and under which settings it was measured. Rows are prepared results."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import polars as pl

from latentlink.report.arrange import Arranged, select_methods
from latentlink.report.columns import KNOWN, describe, format_value, list_settings
from latentlink.report.curves import Curve
from latentlink.report.palette import sort_curves
from latentlink.report.tables import ABSENT, Entry, Table

TOLERANCE = 0.05  # how far from the budget, P = 1 in every study, a link may spend before it is flagged


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
    """Tabulate how the designs ended, and how long they took."""
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


def list_setup(rows: pl.DataFrame) -> list[tuple[str, str]]:
    """List for the head of the page: encoders, data, pilots, channel, seeds and messages."""
    links = select_methods(rows)
    models = [describe("channel_model", model) for model in links["channel_model"].drop_nulls().unique().sort()]
    return [
        ("encoders", f"{list_values(rows, 'transmitter')} → {list_values(rows, 'receiver')}"),
        ("data", list_values(rows, "dataset")),
        ("pilots", list_values(rows, "pilots")),
        ("test messages", list_values(rows, "messages")),
        ("channel", f"{', '.join(models) or 'unknown'}, gain {list_values(links, 'gain')}"),
        ("seeds", list_values(rows, "seed")),
    ]


def list_facts(rows: pl.DataFrame) -> list[tuple[str, str]]:
    """List the setup, sizes, times and versions of all rows together."""
    links = select_methods(rows)
    times = [str(time) for time in (rows["started"].min(), rows["started"].max()) if time is not None]
    facts = [
        *list_setup(rows),
        ("latent dimensions", f"d = {list_values(rows, 'd')}, m = {list_values(rows, 'm')}"),
        ("channel draws per seed", str(rows["channel"].n_unique()) if rows["channel"].drop_nulls().len() else "unknown"),
        ("rows", f"{len(rows)} from {rows['cell'].n_unique()} cells" if len(rows) else "0"),
        ("measured", " to ".join(dict.fromkeys(times)) or "unknown"),
        ("cells' own time", f"{rows.unique('cell')['wall_s'].sum():.1f} s in all"),
    ]
    facts += [(KNOWN[name].label, list_values(links, name)) for name in list_settings("radio") if links[name].is_not_null().any()]
    return facts + _list_versions(rows)


def _list_versions(rows: pl.DataFrame) -> list[tuple[str, str]]:
    versions: dict[str, set[str]] = {}
    for text in rows["versions"].drop_nulls().unique():
        for package, number in json.loads(text).items():
            versions.setdefault(package, set()).add(str(number))
    return [(package, ", ".join(sorted(numbers))) for package, numbers in sorted(versions.items())]


def list_values(rows: pl.DataFrame, name: str) -> str:
    """List the values of a column, "unknown" where it has none."""
    values = rows[name].drop_nulls().unique().sort().to_list()
    return ", ".join(format_value(value) if not isinstance(value, float) or value < 1e5 else str(value) for value in values) or "unknown"


def describe_source(rows: pl.DataFrame) -> str:
    """Word, in small print, the encoders, data, pilots, channels and seeds that figures show."""
    setup = [(name, words) for name, words in list_setup(rows) if "unknown" not in words and name != "test messages"]
    return ", ".join(words if name in ("encoders", "data") else f"{name}: {words}" for name, words in setup)

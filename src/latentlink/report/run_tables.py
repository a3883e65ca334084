"""What all rows of a study together say of its run: power, peaks, how designs ended, and under which settings it was measured."""

import json
import math
from collections import Counter
from collections.abc import Iterator
from statistics import fmean

import polars as pl

from latentlink.report.arrange import Arranged, select_methods
from latentlink.report.columns import KNOWN, list_settings
from latentlink.report.curves import Curve
from latentlink.report.look.palette import sort_curves
from latentlink.report.look.wording import describe, format_value
from latentlink.report.tables import ABSENT, Entry, Table

BUDGET, TOLERANCE = 1.0, 0.05  # P of every study, and how far from it a link may spend before it is flagged


def tabulate_power(table: Arranged) -> Table:
    """Tabulate the power measured on the test messages, in units of the budget, of each method over all of its rows."""
    body = []
    for name, mine in _group_by_method(table.links.filter(pl.col("power").is_not_null())):
        power = [spent / BUDGET for spent in mine["power"]]
        off = sum(abs(spent - 1) > TOLERANCE for spent in power)
        strongest = [max(each) / BUDGET for each in mine["antenna_power"].drop_nulls().to_list() if each]
        entries = (
            Entry(f"{fmean(power):.3f}"),
            Entry(f"{min(power):.3f}"),
            Entry(f"{max(power):.3f}"),
            Entry(f"{fmean(strongest):.3f}" if strongest else ABSENT),
            _write_peak(mine),
            Entry(f"{off} of {len(power)} rows" if off else "no", flagged=off > 0),
        )
        body.append((name, entries))
    columns = ("mean", "lowest", "highest", "strongest antenna", "peak message", f"off by more than {TOLERANCE:.0%}")
    return Table("Power measured on the test messages, in units of the budget P", columns, tuple(body), open=True)


def tabulate_papr(table: Arranged) -> Table:
    """Tabulate peak over mean power of what is sent, of each method over all of its rows, and of its calmest and wildest antenna."""
    body = []
    for name, mine in _group_by_method(table.links.filter(pl.col("papr_db").is_not_null())):
        papr = mine["papr_db"].to_list()
        antennas: dict[int, list[float]] = {}  # of an antenna, over channels; rows may have different numbers of them
        for levels in mine["antenna_papr_db"].drop_nulls().to_list():
            for number, level in enumerate(levels):
                antennas.setdefault(number, []).extend([level] if level is not None and math.isfinite(level) else [])
        means = [fmean(levels) for levels in antennas.values() if levels]
        entries = (
            Entry(f"{fmean(papr):.2f}"),
            Entry(f"{max(papr):.2f}"),
            Entry(f"{min(means):.2f}" if means else ABSENT),
            Entry(f"{max(means):.2f}" if means else ABSENT),
            _write_peak(mine),
        )
        body.append((name, entries))
    columns = ("mean over channels (dB)", "highest channel (dB)", "lowest antenna (dB)", "highest antenna (dB)", "peak message (of P)")
    return Table("Peak-to-average power ratio of what is sent", columns, tuple(body), open=True)


def _write_peak(rows: pl.DataFrame) -> Entry:
    peaks = rows["peak_power"].drop_nulls().to_list()
    return Entry(f"{max(peaks) / BUDGET:.1f}" if peaks else ABSENT)


def tabulate_statuses(table: Arranged) -> Table:
    """Tabulate how the designs ended, and what they took."""
    body = []
    for name, mine in _group_by_method(table.links):
        statuses = Counter(mine["status"].drop_nulls()).most_common()
        words = "; ".join(f"{status} ({number})" for status, number in statuses) or ABSENT
        seconds = mine["design_s"].drop_nulls().to_list()
        body.append((name, (Entry(str(len(mine))), Entry(f"{fmean(seconds):.3g}" if seconds else ABSENT), Entry(words))))
    return Table("How the designs ended", ("rows", "design time (s)", "status"), tuple(body))


def _group_by_method(links: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield the name and the rows of each method, in the order of legends."""
    groups = links.partition_by("label", "knowledge", as_dict=True, maintain_order=True)
    order = sort_curves(Curve(str(label), frame["family"][0], str(knowledge), (), ()) for (label, knowledge), frame in groups.items())
    for curve in order:
        yield curve.name, groups[curve.label, curve.knowledge]


def list_setup(rows: pl.DataFrame) -> list[tuple[str, str]]:
    """List what was measured, for the head of the page: encoders, data, pilots, channel, seeds and messages.

    Args:
        rows: prepared results.
    """
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
    """List what all rows together say of how they came about.

    Args:
        rows: prepared results.
    """
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
    """Word what the figures of a study show, in small print: encoders, data, pilots, channels and seeds.

    Args:
        rows: prepared results.
    """
    setup = [(name, words) for name, words in list_setup(rows) if "unknown" not in words and name != "test messages"]
    return ", ".join(words if name in ("encoders", "data") else f"{name}: {words}" for name, words in setup)

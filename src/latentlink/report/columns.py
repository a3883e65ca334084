"""The columns of result rows as a report reads and words them: those that studies write, and those that are derived from them.

A setting that studies declare is worded as it is declared there. Any other one is worded by its name, and a value that names code of a
laboratory (`my_lab.channels:draw`) by what it is called in its module.
"""

import json
import re
from typing import Any

import polars as pl

from latentlink.studies.rows import COLUMNS, TEXT, Column

Condition = tuple[tuple[str, Any], ...]  # settings, by name, that all curves of a figure share
DERIVED = {
    column.name: column
    for column in (
        Column("antennas", TEXT, "channel", phrase="{} antennas"),
        Column("symbols"),
        Column("exact_nmse"),
        Column("exact_db", range="real"),
        Column("separation_db", range="real"),
        Column("weighted_error", label="weighted error"),
        Column("latency_us"),
        Column("latency_batch_us"),
    )
}
KNOWN = {**COLUMNS, **DERIVED}
_LISTED = 8  # values that are listed one by one
_CODE = re.compile(r"(?P<module>[A-Za-z_][\w.]*):(?P<name>[A-Za-z_][\w.]*)")


def list_settings(role: str) -> list[str]:
    """Name the settings of one role ("pilots", "channel" or "radio") that studies declare."""
    return [column.name for column in COLUMNS.values() if column.role == role]


def prepare(rows: pl.DataFrame) -> pl.DataFrame:
    """Give rows every declared and derived column; a value that is absent or not finite becomes null, numbers become floats.

    Derived are antennas ("n_rx×n_tx"), the number of complex symbols, exact_nmse, exact_db = 10 log10(mse / exact_mse), opta_db and
    separation_db likewise, and the latencies of both devices together. Columns that nobody declared stay as they are.
    """
    if not rows.width:
        rows = pl.DataFrame(schema={"method": pl.String})
    kinds = {name: pl.Float64() if column.dtype.is_numeric() else column.dtype for name, column in COLUMNS.items()}
    declared = [(pl.col(name) if name in rows.columns else pl.lit(None)).cast(kind, strict=False) for name, kind in kinds.items()]
    named = [column.alias(name) for column, name in zip(declared, kinds, strict=True)]
    rows = rows.with_columns(named).with_columns(pl.when(pl.col(pl.Float64).is_finite()).then(pl.col(pl.Float64)))
    return _derive(rows)


def _derive(rows: pl.DataFrame) -> pl.DataFrame:
    symbols = pl.col("uses") * pl.col("n_tx") / (pl.col("d") / 2).ceil()
    variance = pl.coalesce(_divide("mse", "nmse"), _divide("opta", "opta_nmse"))
    n_rx, n_tx = (pl.col(name).cast(pl.Int64).cast(pl.String) for name in ("n_rx", "n_tx"))
    return rows.with_columns(
        pl.coalesce("compression", symbols).alias("compression"),
        symbols.alias("symbols"),
        pl.format("{}×{}", n_rx, n_tx).alias("antennas"),
        pl.col("knowledge").fill_null("aware"),
        pl.col("parameters").fill_null("{}"),
        pl.col("family").fill_null(""),
        (pl.col("exact_mse") / variance).alias("exact_nmse"),
        _to_decibel("mse", "exact_mse").alias("exact_db"),
        pl.coalesce(_to_decibel("mse", "opta"), "opta_db").alias("opta_db"),
        _to_decibel("mse", "separation").alias("separation_db"),
        (pl.col("encode_us") + pl.col("decode_us")).alias("latency_us"),
        (pl.col("encode_batch_us") + pl.col("decode_batch_us")).alias("latency_batch_us"),
    )


def _divide(above: str, below: str) -> pl.Expr:
    return pl.when(pl.col(below) > 0).then(pl.col(above) / pl.col(below))


def _to_decibel(above: str, below: str) -> pl.Expr:
    positive = (pl.col(above) > 0) & (pl.col(below) > 0)
    return pl.when(positive).then(10 * (pl.col(above) / pl.col(below)).log10())


def describe(name: str, value: Any) -> str:
    """Word a setting; empty for one that does not apply, such as an estimator where the channel is known perfectly."""
    value = describe_code(value) if isinstance(value, str) else value
    if name in KNOWN:
        return KNOWN[name].describe(value)
    words = name.replace("_", " ")
    return f"{words} unknown" if value is None else f"{words} {format_value(value)}"


def describe_code(text: str) -> str:
    """Word `module:attribute` as "attribute (module)"; any other text stays as it is."""
    found = _CODE.fullmatch(text)
    return f"{found['name']} ({found['module']})" if found else text


def describe_condition(condition: Condition) -> str:
    """Word the settings of a condition; empty where there is only one condition."""
    return ", ".join(filter(None, (describe(name, value) for name, value in condition)))


def format_value(value: Any) -> str:
    """Write a value of a setting or parameter."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def format_percent(share: float) -> str:
    """Write a share in percent with three significant places."""
    return f"{100 * share:.3g}"


def select_methods(rows: pl.DataFrame) -> pl.DataFrame:
    """Leave out the ceilings and the floor from prepared rows."""
    return rows.filter(pl.col("method").is_not_null() & (pl.col("family") != "reference"))


def list_setup(rows: pl.DataFrame) -> list[tuple[str, str]]:
    """List for the head of the page: encoders, data, pilots, test messages, channel, SNR and seeds."""
    links = select_methods(rows)
    seeds = rows["seed"].drop_nulls().n_unique()
    return [
        ("encoders", f"{list_values(rows, 'transmitter')} → {list_values(rows, 'receiver')}"),
        ("data", list_values(rows, "dataset")),
        ("pilots", _word_pilots(rows)),
        ("test messages", list_values(rows, "messages")),
        ("channel", _word_channels(links)),
        ("SNR", _word_snr(links)),
        ("seeds", f"{seeds} ({list_values(rows, 'seed')})" if seeds > 1 else list_values(rows, "seed")),
    ]


def _word_pilots(rows: pl.DataFrame) -> str:
    """Word the number of pilots, and how many of each class they are where they are chosen so."""
    columns = ("pilots", "pilots_per_class", "pilot_count")
    chosen = rows.select(columns).drop_nulls("pilots").unique().sort(columns)
    if chosen.is_empty():
        return "unknown"

    def worded(pilots: float, each: float | None, count: float | None) -> str:
        how = "" if count is not None else f" ({each:g} per class)" if each else " (the whole training set)"
        return f"{pilots:g}{how}"

    return ", ".join(worded(*row) for row in chosen.iter_rows())


def _word_channels(links: pl.DataFrame) -> str:
    """Word the models or files of the channels, with antennas, gain and draws."""
    models = [describe("channel_model", model) for model in links["channel_model"].drop_nulls().unique().sort()]
    draws = links.group_by("cell").len()["len"].max()
    facts = [
        ", ".join(models) or "unknown",
        f"gain {list_values(links, 'gain')}",
        f"{_list_few(links, 'antennas', 'sizes')} antennas" if links["antennas"].drop_nulls().len() else "",
        f"{draws} per seed" if isinstance(draws, int) and draws > 1 else "",
    ]
    return ", ".join(fact for fact in facts if fact)


def _word_snr(links: pl.DataFrame) -> str:
    """Word the SNRs and what they are relative to."""
    meant = {"transmit": "per transmit antenna, P / (n_tx σ²)", "receive": "per receive antenna, gain · P / σ²"}
    references = [meant.get(name, name) for name in links["snr_reference"].drop_nulls().unique().sort(descending=True)]
    values = _list_few(links, "snr_db", "values")
    return f"{values} dB {' and '.join(references)}".strip() if values else "unknown"


def _list_few(rows: pl.DataFrame, name: str, noun: str) -> str:
    """List the values of a column, of many the first and the last; empty where it has none."""
    values = (
        rows.select(name, "n_tx").drop_nulls().unique(name).sort("n_tx", name)
        if name == "antennas"
        else rows.select(name).drop_nulls().unique().sort(name)
    )
    words = [format_value(value).replace("-", "−") for value in values[name]]
    return ", ".join(words) if len(words) <= _LISTED else f"{words[0]} to {words[-1]} ({len(words)} {noun})"


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
    setup = [(name, words) for name, words in list_setup(rows) if "unknown" not in words and name not in ("test messages", "SNR")]
    return ", ".join(words if name in ("encoders", "data") else f"{name}: {words}" for name, words in setup)

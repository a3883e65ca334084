"""Means over seeds and channels, a row for each method and point: as tables show them, and all that a clone holds of a study."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from latentlink.evaluation.intervals import interval_of
from latentlink.numerics.validation import validate_call
from latentlink.studies.rows import AVERAGED, COLUMNS, SETTINGS

_MANY, _VERY_MANY = 20, 100  # channels of a cell from which the mean over the worst 5 % and 1 % of them is reported


@validate_call
def summarise(rows: pl.DataFrame) -> pl.DataFrame:
    """Average over seeds and channel draws, a row for each method and point; rows that differ in more than these are never averaged.

    Args:
        rows: rows of `run` or `results`.

    Returns:
        The method, with those of its parameters in which it differs from others of its name; the settings that vary; the number of rows;
        means; and the standard deviation of the accuracy over rows. With 20 channels a cell also accuracy_worst, the mean over the worst
        5 % of a point's channels; with 100 also accuracy_worst_1, over the worst 1 %, and mean_low and mean_high, the 95 % interval of
        the mean over all of them (see `evaluation.intervals`).

    Raises:
        ValueError: rows are not those of a study.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> for split in ("train", "test"):
        ...     ll.data.write_array(f"{split}-transmitter.npy", x)
        ...     ll.data.write_array(f"{split}-receiver.npy", x[:, :6].tanh())
        >>> study = {"name": "mine", "data": {"dataset": "files"}, "methods": [{"name": "closed-form"}], "seeds": 1, "metrics": ["mse"]}
        >>> means = ll.studies.summarise(ll.studies.run(study, ["channel.draws=3"]))
        >>> means["method", "rows"].rows()
        [('exact, widely linear', 3), ("receiver's latents", 1), ('aligned, no channel', 1), ('unaligned', 1)]
    """
    missing = sorted({"method", "family", "parameters"} - set(rows.columns))
    if missing:
        raise ValueError(f"rows must be those of `results`, got a frame without the columns {', '.join(missing)}")
    methods = list(rows.select("method", "parameters").iter_rows())
    facts = {key: ", ".join(f"{name} {value}" for name, value in some.items()) for key, some in find_differing(methods).items()}
    names = [f"{method[0]} ({facts[method]})" if facts[method] else method[0] for method in methods]
    rows = rows.with_columns(pl.Series("method", names, dtype=pl.String))
    means = [name for name in AVERAGED if name in rows.columns and rows[name].is_not_null().any()]
    spread = [pl.col("accuracy").std().alias("accuracy_std"), *_fading(rows)] if "accuracy" in means else []
    averages = [pl.col(name).mean().round().cast(pl.Int64) if COLUMNS[name].dtype == pl.Int64 else pl.col(name).mean() for name in means]
    return rows.group_by("method", *_varying(rows), maintain_order=True).agg(pl.len().alias("rows"), *spread, *averages)


def summarise_points(rows: pl.DataFrame) -> pl.DataFrame:
    """Average every measured column over the seeds and channels of a point, a row for each method and point.

    Beside the settings that differ within the study, `rows` and the means there are accuracy_worst (mean over the worst 5 % of the
    channels), peak_power_max, and exact_nmse (mean of exact_mse over the energy of the latents).
    """
    numbers = [name for name, column in COLUMNS.items() if column.role == "result" and column.dtype.is_numeric()]
    points = rows.group_by("method", "family", "parameters", *_varying(rows), maintain_order=True).agg(
        pl.len().alias("rows"),
        pl.col(numbers).mean(),
        _worst_accuracy(_MANY).alias("accuracy_worst"),
        pl.col("peak_power").max().alias("peak_power_max"),
        (pl.col("exact_mse") * pl.col("opta_nmse") / pl.col("opta")).mean().alias("exact_nmse"),
    )
    return points.select(name for name in points.columns if points[name].is_not_null().any())


def _varying(rows: pl.DataFrame) -> list[str]:
    """The settings that differ between links, and so distinguish points."""
    links = rows.filter(pl.col("family") != "reference")
    return [name for name in SETTINGS if name in rows.columns and links[name].n_unique() > 1]


def _worst_accuracy(share: int) -> pl.Expr:
    """Mean over the worst 1 / share of the channels."""
    return pl.col("accuracy").bottom_k((pl.len() / share).ceil().cast(pl.UInt32)).mean()


def _fading(rows: pl.DataFrame) -> list[pl.Expr]:
    """The columns on the spread of the accuracy over many channels."""
    most: int = rows.group_by("cell").len()["len"].max() if len(rows) else 0  # type: ignore[assignment]
    if most < _MANY:
        return []

    def ends(group: Sequence[pl.Series]) -> pl.Series:
        seeds, values = (column.to_list() for column in group)
        measured = [(seed, value) for seed, value in zip(seeds, values, strict=True) if value is not None]
        low, high = interval_of(*map(list, zip(*measured, strict=True)))[1:3] if measured else (None, None)
        return pl.Series([{"mean_low": low, "mean_high": high}], dtype=kind)

    def worst(share: int) -> pl.Expr:
        return pl.when(pl.len() >= share).then(_worst_accuracy(share))

    kind = pl.Struct({"mean_low": pl.Float64, "mean_high": pl.Float64})
    seed = pl.col("seed") if "seed" in rows.columns else pl.col("accuracy") * 0
    interval = pl.map_groups([seed, "accuracy"], ends, return_dtype=kind, returns_scalar=True)
    found = [worst(_MANY).alias("accuracy_worst")]
    if most >= _VERY_MANY:
        found += [interval.struct.field(name).alias(name) for name in ("mean_low", "mean_high")]
        found.append(worst(_VERY_MANY).alias("accuracy_worst_1"))
    return found


def find_differing(methods: Iterable[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Find the parameters (JSON) in which methods of one name differ, with their values, by name and parameters."""
    variants: dict[str, dict[str, dict[str, Any]]] = {}
    for name, text in dict.fromkeys(methods):
        variants.setdefault(name, {})[text] = json.loads(text)
    found = {}
    for name, contents in variants.items():
        keys = dict.fromkeys(key for content in contents.values() for key in content)
        differing = [key for key in keys if len({repr(content.get(key)) for content in contents.values()}) > 1]
        for text, content in contents.items():
            found[name, text] = {key: content[key] for key in differing if key in content}
    return found


def as_text(row: tuple[object, ...], columns: Sequence[str]) -> list[str]:
    """The values of a row as text: settings as given, means with three decimals, or three significant places where that says more."""

    def text(value: object, column: str) -> str:
        if not isinstance(value, float):
            return "" if value is None else str(value)
        if column in SETTINGS:
            return f"{value:g}"
        return f"{value:.3f}" if 0.1 <= abs(value) < 1e4 or value == 0 else f"{value:.3g}"

    return [text(value, column) for value, column in zip(row, columns, strict=True)]


def as_markdown(table: pl.DataFrame) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(table.columns) + " |", "|" + "---|" * len(table.columns)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in as_text(row, table.columns)) + " |" for row in table.iter_rows()]
    return "\n".join(lines) + "\n"

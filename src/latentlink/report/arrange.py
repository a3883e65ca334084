"""From rows to what may be compared: labels, points and panels.

A panel is what a reader compares within. Of the settings that vary in a study, what lies on the axis makes the points of a curve, what
some method sweeps makes panels, and what methods merely differ in goes into their labels (Top-K on 4×4 antennas beside others on 8×8).
Methods of one name and different parameters are told apart by those, so that rows that differ are never averaged.
"""

import json
import math
from dataclasses import dataclass
from typing import Any

import polars as pl

from latentlink.report.look.axes import AXES, placed
from latentlink.report.look.wording import Panel, described

_PILOT_NAMES = ("dataset", "folder", "transmitter", "receiver", "selection", "grouping")
_PILOT_NUMBERS = ("train", "image_size_px", "pilots_per_class")
PILOTS = (*_PILOT_NAMES, *_PILOT_NUMBERS)
_TEXT = ("study", "cell", "method", "family", "parameters", "channel_model", "knowledge", "snr_reference", "status", "versions",
         "started", "placement", "polarisation", "pattern", "normalisation", "csi", "estimator")  # fmt: skip
_NUMBERS = (
    "d", "m", "pilots", "gain", "k_factor", "correlation", "n_tx", "n_rx", "uses", "snr_db", "noise_variance", "seed", "channel",
    "compression", "accuracy", "accuracy_low", "accuracy_high", "agreement", "mse", "nmse", "expected_mse", "exact_mse", "opta",
    "opta_nmse", "accuracy_bound", "power", "peak_power", "flops_encode", "flops_decode", "flops", "density", "pruning", "design_s",
    "encode_us", "decode_us", "encode_batch_us", "decode_batch_us", "messages", "wall_s",
    "subcarriers", "slots", "pilot_spacing", "feedback_bits", "carrier_ghz",
    "delay_spread_ns", "speed_kmh", "spacing_khz", "pilot_snr_db", "delay_ms", "clipping_db", "capacity", "opta_db", "separation",
    "separation_nmse", "papr_db", "block_error", "message_bits",
)  # fmt: skip
_RADIO = (
    "placement", "polarisation", "pattern", "normalisation", "csi", "estimator", "subcarriers", "slots", "pilot_spacing", "feedback_bits",
    "carrier_ghz", "delay_spread_ns", "speed_kmh", "spacing_khz", "pilot_snr_db", "delay_ms", "clipping_db",
)  # fmt: skip


@dataclass(frozen=True)
class Arranged:
    """Rows with their labels, and what makes a point and a panel among them."""

    links: pl.DataFrame
    references: pl.DataFrame
    points: tuple[str, ...]
    panel: tuple[str, ...]

    @property
    def panels(self) -> list[Panel]:
        """All panels, in order."""
        if not self.panel:
            return [()] if len(self.links) else []
        return sorted({panel_of(row, self.panel) for row in self.links.select(self.panel).unique().iter_rows(named=True)}, key=_order)


def prepared(rows: pl.DataFrame) -> pl.DataFrame:
    """Every column of the schema, null where it is absent or not finite, and the quantities derived from them.

    Adds antennas ("n_rx×n_tx"), exact_nmse, exact_db = 10 log10(mse / exact_mse), and opta_db and separation_db likewise, and latencies
    of both devices together, latency_us and latency_batch_us.
    """
    absent = {name: pl.lit(None, pl.String) for name in (*_TEXT, *_PILOT_NAMES) if name not in rows.columns}
    absent |= {name: pl.lit(None, pl.Float64) for name in (*_NUMBERS, *_PILOT_NUMBERS) if name not in rows.columns}
    rows = rows.with_columns(**absent)
    wide = [pl.col(name).cast(pl.Float64, strict=False) for name in (*_NUMBERS, *_PILOT_NUMBERS)]
    rows = rows.with_columns(wide).with_columns(pl.when(pl.col(pl.Float64).is_finite()).then(pl.col(pl.Float64)))
    symbols = (pl.col("d") / 2).ceil()
    variance = pl.coalesce(_share("mse", "nmse"), _share("opta", "opta_nmse"))
    whole = {name: pl.col(name).cast(pl.Int64).cast(pl.String) for name in ("n_rx", "n_tx")}
    return rows.with_columns(
        pl.coalesce("compression", pl.col("uses") * pl.col("n_tx") / symbols).alias("compression"),
        (pl.col("uses") * pl.col("n_tx") / symbols).alias("symbols"),
        pl.format("{}×{}", whole["n_rx"], whole["n_tx"]).alias("antennas"),
        pl.col("knowledge").fill_null("aware"),
        pl.col("parameters").fill_null("{}"),
        (pl.col("exact_mse") / variance).alias("exact_nmse"),
        _decibel("mse", "exact_mse").alias("exact_db"),
        pl.coalesce(_decibel("mse", "opta"), "opta_db").alias("opta_db"),
        _decibel("mse", "separation").alias("separation_db"),
        (pl.col("encode_us") + pl.col("decode_us")).alias("latency_us"),
        (pl.col("encode_batch_us") + pl.col("decode_batch_us")).alias("latency_batch_us"),
    )


def _share(above: str, below: str) -> pl.Expr:
    return pl.when(pl.col(below) > 0).then(pl.col(above) / pl.col(below))


def _decibel(above: str, below: str) -> pl.Expr:
    positive = (pl.col(above) > 0) & (pl.col(below) > 0)
    return pl.when(positive).then(10 * (pl.col(above) / pl.col(below)).log10())


def arranged(rows: pl.DataFrame, axis: str) -> Arranged:
    """Label the rows and say what makes a point and a panel on this axis.

    Raises:
        ValueError: there is no such axis.
    """
    if axis not in AXES:
        raise ValueError(f"axis must be one of {', '.join(AXES)}, got {axis!r}")
    rows = prepared(rows)
    references = rows.filter(pl.col("family") == "reference")
    links = rows.filter(pl.col("method").is_not_null() & pl.col("family").ne_missing("reference"))
    links = placed(_labelled(links, axis), axis)
    points = _points(links, axis)
    square = axis == "compression" and "n_rx" in points
    channel = () if square else (("n_tx", "n_rx") if axis == "compression" else ("antennas",))
    settings = [*PILOTS, "channel_model", "k_factor", "correlation", "gain", "snr_reference", "snr_db", *channel, "uses", *_RADIO]
    varying = [name for name in settings if name not in points and links[name].n_unique() > 1]
    varying = [name for number, name in enumerate(varying) if not (name in _RADIO and _implied(links, name, varying[:number]))]
    panel = [name for name in varying if links.group_by("label").agg(pl.col(name).n_unique())[name].max() > 1]
    links = links.with_columns(pl.lit("").alias("suffix"))
    for name in varying:
        if name not in panel:  # methods merely differ in it: the odd ones say so
            common = links[name].drop_nulls().mode(maintain_order=True)
            odd = pl.col(name).ne_missing(common[0] if len(common) else None)
            words = {value: described(name, value) for value in links[name].unique()}
            said = pl.Series([f", {word}" if word else "" for word in words.values()], dtype=pl.String)
            told = pl.col(name).replace_strict(pl.Series(list(words), dtype=links[name].dtype), said, return_dtype=pl.String)
            links = links.with_columns(pl.col("suffix") + pl.when(odd).then(told).otherwise(pl.lit("")))
    return Arranged(links, references, points, tuple(panel))


def _implied(links: pl.DataFrame, name: str, others: list[str]) -> bool:
    """Whether other settings determine this one, as a flat channel does that it has no carrier."""
    return bool(others) and bool(links.group_by(others).agg(pl.col(name).n_unique())[name].max() == 1)


def _points(links: pl.DataFrame, axis: str) -> tuple[str, ...]:
    """What changes along a curve."""
    if axis in ("flops", "outage"):
        return ("parameters",) if axis == "flops" else ()
    if axis != "compression":
        return (AXES[axis].column,)
    if links["n_tx"].n_unique() == 1 and links["uses"].n_unique() > 1:
        return ("uses",)
    return ("n_tx", "n_rx") if (links["n_tx"] == links["n_rx"]).all() else ("n_tx",)


def _labelled(links: pl.DataFrame, axis: str) -> pl.DataFrame:
    """Rows with their label: methods by name, and by those parameters in which they differ; along the FLOPs axis numbers sweep a curve."""
    parameters: dict[str, dict[str, Any]] = {}
    for method, text in links.select("method", "parameters").unique(maintain_order=True).iter_rows():
        parameters.setdefault(method, {})[text] = _read(text)
    names: dict[tuple[str, str], str] = {}
    for method, variants in parameters.items():
        keys = sorted({key for content in variants.values() for key in content})
        values = {key: [content.get(key) for content in variants.values()] for key in keys}
        differing = [key for key in keys if any(value != values[key][0] for value in values[key])]
        if axis == "flops":
            differing = [key for key in differing if not all(_numeric(value) for value in values[key])]
        for text, content in variants.items():
            told = ", ".join(f"{key.replace('_', ' ')} {_plain(content.get(key))}" for key in differing)
            names[method, text] = f"{method} ({told})" if told else method
    by = pl.DataFrame(
        [(*key, name) for key, name in names.items()], schema=dict.fromkeys(("method", "parameters", "label"), pl.String), orient="row"
    )
    return links.join(by, on=["method", "parameters"], how="left", maintain_order="left")


def _read(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except ValueError:
        return {"parameters": text}
    return content if isinstance(content, dict) else {"parameters": text}


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _numeric(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def panel_of(row: dict[str, Any], names: tuple[str, ...]) -> Panel:
    """The panel that a row belongs to."""
    return tuple((name, row[name]) for name in names)


def _order(panel: Panel) -> tuple[tuple[float, str], ...]:
    """Numbers by size, antennas by their number, the paper's SNR first, what is unknown last."""

    def rank(value: Any) -> float:
        if isinstance(value, str) and value.split("×")[-1].isdigit():
            return float(value.split("×")[-1])
        return value if isinstance(value, float) else math.inf if value is None else -float(value == "transmit")

    return tuple((rank(value), str(value)) for _, value in panel)

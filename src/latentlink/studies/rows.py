"""Rows of results: which columns there are, of what type, and which of them a metric asks for."""

from typing import Any

import polars as pl
from torch import Tensor

from latentlink.tasks.metrics import Rate


def frame(columns: dict[str, Any], draws: int, metrics: tuple[str, ...]) -> pl.DataFrame:
    """One row for each channel; what is one value for all of them is repeated."""

    def column(value: Any) -> list[Any]:
        values = value.detach().cpu().tolist() if isinstance(value, Tensor) else value
        return values if isinstance(values, list) and len(values) == draws else [values] * draws

    rows = {name: column(value) for name, value in columns.items()}
    intervals = [Rate.of_share(share, columns["messages"]) for share in rows["accuracy"]]
    rows |= {
        "channel": list(range(draws)),
        "accuracy_low": [rate.low for rate in intervals],
        "accuracy_high": [rate.high for rate in intervals],
    }
    asked = {name: kind for name, kind in SCHEMA.items() if name in rows and _METRIC_OF.get(name, "") in ("", *metrics)}
    return pl.DataFrame({name: pl.Series(name, rows[name], dtype=kind) for name, kind in asked.items()})


_TEXT = ("cell", "method", "family", "parameters", "dataset", "folder", "transmitter", "receiver", "selection", "grouping", "channel_model",
         "knowledge", "snr_reference", "placement", "polarisation", "pattern", "normalisation", "csi", "estimator", "status", "versions",
         "started", "form_us", "form_batch_us")  # fmt: skip
_WHOLE = (
    "d",
    "m",
    "train",
    "image_size_px",
    "pilots_per_class",
    "pilots",
    "n_tx",
    "n_rx",
    "uses",
    "seed",
    "channel",
    "messages",
    "flops_encode",
    "flops_decode",
    "flops",
    "subcarriers",
    "slots",
    "pilot_spacing",
    "feedback_bits",
)
_REAL = ("gain", "k_factor", "correlation", "snr_db", "noise_variance", "compression", "accuracy", "accuracy_low", "accuracy_high",
         "agreement", "mse", "nmse", "expected_mse", "gap", "exact_mse", "opta", "opta_nmse", "accuracy_bound", "power", "peak_power",
         "budget", "density", "pruning", "design_s", "encode_us", "decode_us", "encode_batch_us", "decode_batch_us", "wall_s",
         "carrier_ghz", "delay_spread_ns", "speed_kmh", "spacing_khz", "pilot_snr_db", "delay_ms", "error_variance", "clipping_db",
         "capacity", "opta_db", "separation", "separation_nmse", "papr_db", "block_error", "message_bits")  # fmt: skip
_METRIC_OF = {
    **dict.fromkeys(("accuracy", "accuracy_low", "accuracy_high", "agreement"), "accuracy"),
    **dict.fromkeys(("mse", "nmse", "expected_mse"), "mse"),
    **dict.fromkeys(("power", "peak_power", "antenna_power", "budget"), "power"),
}  # the other metrics are only measured where they are asked for
SCHEMA: dict[str, Any] = {
    **dict.fromkeys(_TEXT, pl.String),
    **dict.fromkeys(_WHOLE, pl.Int64),
    **dict.fromkeys(_REAL, pl.Float64),
    "antenna_power": pl.List(pl.Float64),
    "antenna_papr_db": pl.List(pl.Float64),
}

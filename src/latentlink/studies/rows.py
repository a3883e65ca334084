"""The columns of a result row, each declared once: its type, the metric it belongs to, how it is averaged, and how it is worded.

A row is one channel of one cell. `COLUMNS` is read by `frame` (what a cell writes), by `averages.summarise` (what is averaged and what
distinguishes points) and by the report (words, labels and bands).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import polars as pl
from torch import Tensor

from latentlink.tasks.metrics import Rate

Role = Literal["identity", "pilots", "channel", "radio", "result"]
Range = Literal["share", "positive", "real"]
TEXT, INTEGER, REAL = pl.String(), pl.Int64(), pl.Float64()
UNKNOWN = "{name} unknown"


@dataclass(frozen=True)
class Column:
    """One column of a result row.

    Attributes:
        name: of the column.
        dtype: in Parquet files.
        role: "identity" says which cell it is and how it went (`status` is the name of the channel's own `Status`); "pilots", "channel" and
            "radio" are settings, which distinguish points; "result" is what was measured.
        metric: the study's metric that asks for it; "" is always written.
        averaged: whether summaries show its mean.
        range: of a result: shares lie in [0, 1], positive numbers above 0; bands of figures end there.
        phrase: a setting in words, `{}` being its value.
        one: the phrase for the value 1, where it differs.
        values: words for single values.
        absent: words for null; "" where null means that the setting does not apply.
        label: the column's name in words with its unit, as axes and lists of facts have it.
    """

    name: str
    dtype: Any = REAL  # a polars data type
    role: Role = "result"
    metric: str = ""
    averaged: bool = False
    range: Range = "positive"
    phrase: str = "{}"
    one: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    absent: str = UNKNOWN
    label: str = ""

    def describe(self, value: Any) -> str:
        """The value in words; "" for a setting that does not apply, such as an estimator where the channel is known perfectly."""
        if value is None:
            return self.absent.format(name=self.name)
        text = f"{value:g}" if isinstance(value, float) else str(value)
        if text in self.values:
            return self.values[text]
        if text == "1" and self.one:
            return self.one
        return self.phrase.format(text.replace("-", "−") if isinstance(value, int | float) else text)


_IDENTITY = (
    *(Column(name, TEXT, "identity") for name in ("cell", "method", "family", "parameters", "status", "versions", "started")),
    *(Column(name, INTEGER, "identity") for name in ("seed", "channel", "d", "m", "pilots", "messages")),
    *(Column(name, REAL, "identity") for name in ("dependence", "wall_s", "noise_variance", "error_variance")),
)
_PILOTS = (
    Column("dataset", TEXT, "pilots"),
    Column("folder", TEXT, "pilots"),
    Column("train", INTEGER, "pilots", phrase="pilots among {}"),
    Column("transmitter", TEXT, "pilots", phrase="from {}"),
    Column("receiver", TEXT, "pilots", phrase="to {}"),
    Column("image_size_px", INTEGER, "pilots", phrase="images of {} px"),
    Column("pilots_per_class", INTEGER, "pilots", phrase="{} pilots per class", absent="whole training set as pilots"),
    Column("selection", TEXT, "pilots", phrase="{} pilots"),
    Column("grouping", TEXT, "pilots", phrase="grouped by {}"),
    Column("pilot_count", INTEGER, "pilots", phrase="{} pilots", one="1 pilot", absent="", label="pairs"),
    Column("unpaired", TEXT, "pilots", absent="", values={
        "all": "own latents of all training observations", "halves": "own latents of half of the training set at each end",
    }),
)  # fmt: skip
_CHANNEL = (
    Column("channel_model", TEXT, "channel", values={
        "rayleigh": "Rayleigh", "rician": "Rician", "kronecker": "Kronecker", "umi": "UMi", "uma": "UMa", "rma": "RMa", "inh": "InH",
        **{f"{kind}-{profile}": f"{kind.upper()}-{profile.upper()}" for kind in ("tdl", "cdl") for profile in "abcde"},
    }),
    Column("k_factor", REAL, "channel", phrase="K-factor {}", absent=""),
    Column("correlation", REAL, "channel", absent=""),
    Column("gain", REAL, "channel", phrase="channel gain {}"),
    Column("knowledge", TEXT, "channel"),
    Column("n_tx", INTEGER, "channel", phrase="{} transmit antennas", label="antennas"),
    Column("n_rx", INTEGER, "channel", phrase="{} receive antennas"),
    Column("uses", INTEGER, "channel", phrase="{} channel uses", one="1 channel use", label="channel uses per message"),
    Column("drift", TEXT, "channel", absent=""),
    Column("new_observations", INTEGER, "channel", phrase="{} new observations", one="1 new observation", absent="",
           label="new observations"),
    Column("alarm_every", INTEGER, "channel", phrase="a false alarm in {}", absent="", label="messages between false alarms, as meant"),
    Column("scenario", TEXT, "channel", absent="", values={
        "common": "one latent for all users", "private": "a message for each user", "sensors": "sensors that report to one receiver",
        "pairs": "pairs on one band",
    }),
    Column("users", INTEGER, "channel", phrase="{} users", one="1 user", absent="", label="users"),
    Column("sees", TEXT, "channel", absent="", values={"whole": "whole images", "parts": "strips of images"}),
    Column("user_gains_db", TEXT, "channel", phrase="users at {} dB", absent=""),
    Column("inr_db", REAL, "channel", phrase="INR {} dB", absent="", label="INR of each other pair (dB)"),
    Column("phase_error_deg", REAL, "channel", phrase="phase error {}°", absent="", label="phase error of sensors (degrees)"),
    Column("elements", INTEGER, "channel", phrase="{} elements", absent="", values={"0": "no surface"}, label="elements of the surface"),
    Column("bits", INTEGER, "channel", phrase="phases of {} bits", one="phases of 1 bit", absent="continuous phases",
           label="bits of each phase"),
    Column("direct_db", REAL, "channel", phrase="direct paths at {} dB", absent=""),
    Column("element_db", REAL, "channel", phrase="paths over an element at {} dB", absent=""),
    Column("iterations", INTEGER, "channel", phrase="{} iterations", one="1 iteration", absent="", label="iterations of the design"),
    Column("snr_db", REAL, "channel", phrase="{} dB", label="SNR (dB)"),
    Column("snr_reference", TEXT, "channel", absent="SNR reference unknown", values={
        "transmit": "SNR per transmit antenna", "receive": "SNR per receive antenna",
    }),
)  # fmt: skip
_RADIO = (
    Column("placement", TEXT, "radio", absent="", values={
        "contiguous": "neighbouring subcarriers", "frequency": "spread over the band", "slots": "spread over the slots",
    }, label="resource elements"),
    Column("polarisation", TEXT, "radio", phrase="{} polarisation", absent="", label="polarisation"),
    Column("pattern", TEXT, "radio", absent="", label="antenna elements",
           values={"omni": "omnidirectional elements", "38.901": "38.901 elements"}),
    Column("normalisation", TEXT, "radio", absent="", values={
        "mean": "mean gain held", "each": "gain of each channel held", "path-loss": "with path loss",
    }, label="channel gains"),
    Column("csi", TEXT, "radio", absent="", values={
        "perfect": "perfect CSI",
        "both-ends": "one estimate at both ends",
        "transmitter": "estimated CSI at the transmitter",
        "transmitter-only": "CSI at the transmitter only",
        "receiver-only": "CSI at the receiver only",
        "unaware": "CSI at neither end",
    }, label="channel state information"),
    Column("estimator", TEXT, "radio", phrase="{} estimate", absent="", label="channel estimator",
           values={"ls": "LS estimate", "lmmse": "LMMSE estimate"}),
    Column("subcarriers", INTEGER, "radio", phrase="{} subcarriers", absent="", label="subcarriers"),
    Column("slots", INTEGER, "radio", phrase="{} slots", one="1 slot", absent="", label="slots"),
    Column("pilot_spacing", INTEGER, "radio", phrase="a pilot every {} subcarriers", one="a pilot on every subcarrier", absent="",
           label="subcarriers between channel pilots"),
    Column("feedback_bits", INTEGER, "radio", phrase="{} feedback bits an angle", one="1 feedback bit an angle",
           absent="feedback not quantised", label="feedback per angle of the precoder (bits)"),
    Column("carrier_ghz", REAL, "radio", phrase="{} GHz", absent="", label="carrier (GHz)"),
    Column("delay_spread_ns", REAL, "radio", phrase="delay spread {} ns", absent="", label="delay spread (ns)"),
    Column("speed_kmh", REAL, "radio", phrase="{} km/h", absent="", label="speed (km/h)"),
    Column("spacing_khz", REAL, "radio", phrase="subcarriers {} kHz apart", absent="", label="subcarrier spacing (kHz)"),
    Column("pilot_snr_db", REAL, "radio", phrase="channel pilots at {} dB", absent="", label="SNR of the channel's pilots (dB)"),
    Column("delay_ms", REAL, "radio", phrase="estimate {} ms old", absent="", label="age of the channel estimate (ms)"),
    Column("clipping_db", REAL, "radio", phrase="clipped at {} dB", absent="not clipped", label="clipping over the mean power (dB)"),
)  # fmt: skip
_RESULTS = (
    Column("compression", label="compression factor ζ (%)"),
    Column("accuracy", metric="accuracy", averaged=True, range="share", label="accuracy"),
    *(Column(name, metric="accuracy", range="share") for name in ("accuracy_low", "accuracy_high", "agreement", "largest_class")),
    Column("r2", metric="accuracy", averaged=True, range="real", label="R² of the targets"),
    Column("task_mse", metric="accuracy", averaged=True),
    Column("output_nmse", metric="accuracy", averaged=True, label="NMSE of the head's outputs"),
    Column("recall_at_1", metric="recall", averaged=True, range="share", label="recall@1"),
    Column("recall_at_10", metric="recall", averaged=True, range="share", label="recall@10"),
    Column("adjusted_rand", metric="clustering", averaged=True, range="real", label="adjusted Rand index of clusters"),
    Column("mutual_information", metric="clustering", averaged=True, range="share", label="mutual information of clusters, normalised"),
    Column("cosine", metric="cosine", averaged=True, range="real", label="cosine similarity of the latent"),
    Column("worst_accuracy", metric="accuracy", averaged=True, range="share", label="accuracy of the worst user"),
    Column("user_accuracy", pl.List(pl.Float64()), metric="accuracy", range="share"),
    Column("user_nmse", pl.List(pl.Float64()), metric="mse"),
    Column("user_error", pl.List(pl.Float64())),
    Column("worst_error", averaged=True, label="weighted error, worst user"),
    Column("objective", averaged=True, label="weighted errors, all users"),
    Column("objective_bound", averaged=True, label="bound on the weighted errors"),
    Column("mse", metric="mse"),
    Column("nmse", metric="mse", averaged=True, label="NMSE of the latent"),
    Column("expected_mse", metric="mse"),
    *(Column(name, metric="limits") for name in ("exact_mse", "opta", "opta_nmse")),
    Column("opta_db", metric="limits", averaged=True, range="real", label="MSE over Gaussian OPTA (dB)"),
    *(Column(name, metric="limits") for name in ("separation", "separation_nmse", "capacity")),
    Column("accuracy_bound", metric="limits", range="share"),
    Column("block_error", averaged=True, range="share"),
    Column("message_bits", averaged=True),
    Column("alarm_delay", metric="alarms", averaged=True, label="messages until the alarm"),
    Column("alarm_interval", metric="alarms", averaged=True, label="messages between false alarms"),
    Column("power", metric="power", averaged=True),
    Column("peak_power", metric="power"),
    Column("antenna_power", pl.List(pl.Float64()), metric="power"),
    Column("budget", metric="power"),
    Column("papr_db", metric="papr", averaged=True, range="real"),
    Column("antenna_papr_db", pl.List(pl.Float64()), metric="papr", range="real"),
    Column("gap", averaged=True),
    Column("flops", INTEGER, metric="flops", averaged=True, label="operations per message, both devices (FLOPs)"),
    Column("flops_encode", INTEGER, metric="flops"),
    Column("flops_decode", INTEGER, metric="flops"),
    Column("density", metric="flops", averaged=True, range="share"),
    Column("pruning", metric="flops"),
    Column("design_s", averaged=True),
    *(Column(name, metric="latency", averaged=True) for name in ("encode_us", "decode_us")),
    *(Column(name, metric="latency") for name in ("encode_batch_us", "decode_batch_us")),
    *(Column(name, TEXT, metric="latency") for name in ("form_us", "form_batch_us")),
)
COLUMNS: dict[str, Column] = {column.name: column for column in (*_IDENTITY, *_PILOTS, *_CHANNEL, *_RADIO, *_RESULTS)}
SCHEMA: dict[str, Any] = {column.name: column.dtype for column in COLUMNS.values()}
SETTINGS: tuple[str, ...] = tuple(column.name for column in COLUMNS.values() if column.role in ("pilots", "channel", "radio"))
AVERAGED: tuple[str, ...] = tuple(column.name for column in COLUMNS.values() if column.averaged)


def frame(values: dict[str, Any], draws: int, metrics: tuple[str, ...]) -> pl.DataFrame:
    """The rows of a cell, one for each of `draws` channels, without the columns of metrics that the study does not ask for.

    `values` has by column a value for each channel or one for all.
    """

    def repeat(value: Any) -> list[Any]:
        listed = value.detach().cpu().tolist() if isinstance(value, Tensor) else value
        return listed if isinstance(listed, list) and len(listed) == draws else [listed] * draws

    rows = {name: repeat(value) for name, value in values.items()}
    shares = rows.setdefault("accuracy", [None] * draws)
    intervals = [None if share is None else Rate.of_share(share, values["messages"]) for share in shares]
    rows["channel"] = list(range(draws))
    rows["accuracy_low"] = [None if interval is None else interval.low for interval in intervals]
    rows["accuracy_high"] = [None if interval is None else interval.high for interval in intervals]
    asked = [column for column in COLUMNS.values() if column.name in rows and column.metric in ("", *metrics)]
    found = pl.DataFrame({column.name: pl.Series(column.name, rows[column.name], dtype=column.dtype) for column in asked})
    unknown = ("alarm_delay", "alarm_interval", "objective_bound", "gap")
    return found.with_columns(pl.col(name).fill_nan(None) for name in unknown if name in found.columns)

"""From the rows of a study to curves: means with bands, nothing mixed that differs.

A row is one cell on one channel draw. At a point x of a curve let v_sc be the value for seed s and draw c. With v_s the mean over the
draws of a seed, the curve shows

    v̄ = (1/S) Σ_s v_s        and        v̄ ± t_{0.975, S−1} · σ_S / √S,   σ_S² = Σ_s (v_s − v̄)² / (S − 1),

the 95 % t-interval of the mean over seeds (draws of one seed share pilots and noise, so they are not further samples). One seed has no
band. A curve is what agrees in everything but the axis: method and parameters, pilots, knowledge, SNR reference, antennas (but for the
compression axis, which sweeps them), data, encoders and channel model. Values that are missing or not finite are left out.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import polars as pl

AXES = ("compression", "snr", "flops")
EXACT_OPTIMUM, OPTA = "exact optimum, expected", "Gaussian OPTA"
FAMILIES = ("exact", "neural", "admm", "baseline", "reference")
_TEXT = ("cell", "method", "family", "parameters", "dataset", "transmitter", "receiver", "selection", "grouping", "channel_model",
         "knowledge", "snr_reference", "status", "versions", "started")  # fmt: skip
_WHOLE = ("d", "m", "pilots_per_class", "n_tx", "n_rx", "uses", "seed", "channel", "messages")
_REAL = ("gain", "snr_db", "compression", "accuracy", "agreement", "mse", "nmse", "exact_mse", "opta", "opta_nmse", "power", "peak_power",
         "flops", "pruning", "design_s", "encode_us", "decode_us", "encode_batch_us", "decode_batch_us", "wall_s")  # fmt: skip
_DATA = ("dataset", "transmitter", "receiver", "d", "m", "selection", "grouping")
_SWEPT = ("strength",)  # parameters that the column `pruning` holds: the FLOPs axis runs along them


@dataclass(frozen=True)
class Point:
    """A mean at x; `half` is the half width of its band, NaN for one seed; `at` names the point apart from x (antennas, SNR or λ)."""

    x: float
    mean: float
    half: float
    seeds: int
    rows: int
    at: str
    order: tuple[float, ...] = ()


@dataclass(frozen=True)
class Curve:
    """Points of one setting. `antennas` is empty where the axis sweeps them; `detail` tells what else differs in this study."""

    method: str
    family: str
    pilots: int | None
    knowledge: str
    snr_reference: str
    antennas: str
    detail: str
    points: tuple[Point, ...]
    key: str = ""

    @property
    def x(self) -> list[float]:
        """Abscissae."""
        return [point.x for point in self.points]

    @property
    def mean(self) -> list[float]:
        """Means."""
        return [point.mean for point in self.points]

    @property
    def half(self) -> list[float]:
        """Half widths of the band, NaN where one seed leaves none."""
        return [point.half for point in self.points]


def t_quantile(freedom: int) -> float:
    """The 97.5 % quantile of Student's t with ν degrees of freedom, from its finite sums for whole ν, by bisection."""

    def inside(t: float) -> float:  # P(|T| ≤ t)
        cos, odd = math.cos(math.atan(t / math.sqrt(freedom))), freedom % 2
        sin, term, total = math.sqrt(1 - cos * cos), cos if odd else 1.0, 0.0
        for k in range(1 + odd, freedom, 2):
            total, term = total + term, term * cos * cos * k / (k + 1)
        return 2 / math.pi * (math.acos(cos) + sin * total) if odd else sin * total

    low, high = 1.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if inside(middle) < 0.95 else (low, middle)
    return (low + high) / 2


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean over seeds and half width of its 95 % t-interval (NaN for one seed)."""
    mean = fmean(values)
    return mean, t_quantile(len(values) - 1) * stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan


def pilots_text(pilots: int | None) -> str:
    """A pilots setting in words."""
    return "all pilots" if pilots is None else f"{pilots} pilots per class"


def prepared(rows: pl.DataFrame, axis: str) -> pl.DataFrame:
    """All columns that a report reads, in their type, null where missing; with x, `at`, and the parts of a curve's key; in a fixed order.

    Raises:
        ValueError: the axis is not one of compression, snr, flops.
    """
    if axis not in AXES:
        raise ValueError(f"axis must be one of {', '.join(AXES)}, got {axis!r}")
    wanted = {**dict.fromkeys(_TEXT, pl.String), **dict.fromkeys(_WHOLE, pl.Int64), **dict.fromkeys(_REAL, pl.Float64)}
    have = set(rows.columns)
    table = rows.select(
        [(pl.col(name).cast(kind, strict=False) if name in have else pl.lit(None, dtype=kind)).alias(name) for name, kind in wanted.items()]
    ).with_columns(
        pl.col("method").fill_null("unnamed"), pl.col("family").fill_null("baseline"),
        pl.col("knowledge").fill_null("aware"), pl.col("snr_reference").fill_null("transmit"), pl.col("parameters").fill_null("{}"),
        *[pl.when(pl.col(name).is_finite()).then(pl.col(name)) for name in _REAL],
    )  # fmt: skip
    if len(table) and table["cell"].null_count() == 0:
        table = table.unique(["cell", "channel"], keep="first", maintain_order=True)
    return _keyed(_derived(table, axis), axis).sort([*_TEXT, *_WHOLE, *_REAL])


def _derived(table: pl.DataFrame, axis: str) -> pl.DataFrame:
    """What follows from a row alone: distances in dB, latencies, the exact optimum as an NMSE, antennas."""
    variance = pl.coalesce(_positive("opta") / _positive("opta_nmse"), _positive("mse") / _positive("nmse"))
    antennas = pl.format("{}×{}", pl.col("n_tx").cast(pl.String).fill_null("?"), pl.col("n_rx").cast(pl.String).fill_null("?"))
    return table.with_columns(
        (pl.col("exact_mse") / variance).alias("exact_nmse"),
        (10 * (_positive("mse") / _positive("exact_mse")).log10()).alias("exact_db"),
        (10 * (_positive("mse") / _positive("opta")).log10()).alias("opta_db"),
        (pl.col("encode_us") + pl.col("decode_us")).alias("latency_us"),
        (pl.col("encode_batch_us") + pl.col("decode_batch_us")).alias("latency_batch_us"),
        antennas.alias("link"),
        pl.col({"compression": "compression", "snr": "snr_db", "flops": "flops"}[axis]).alias("x"),
    )


def _positive(name: str) -> pl.Expr:
    return pl.when(pl.col(name) > 0).then(pl.col(name))


def _keyed(table: pl.DataFrame, axis: str) -> pl.DataFrame:
    """The curve (`antennas`, `setting`, `variant`) and the point (`at`) that every row belongs to."""
    links = table.filter(pl.col("family") != "reference")
    square, several = bool(links["n_tx"].eq_missing(links["n_rx"]).all()), links["n_tx"].n_unique() > 1
    setting = ["gain", "channel_model"] + ([] if axis == "snr" else ["snr_db"])
    if axis == "compression":  # n_tx is swept, and n_rx with it where they are equal; else uses are
        setting += ([] if square else ["n_rx"]) + (["uses"] if several else [])
        antennas, at = pl.lit(""), pl.format("{}, {} uses", "link", pl.col("uses").fill_null(1))
    else:
        setting += ["uses"]
        antennas = pl.col("link")
        shown = pl.col("snr_db" if axis == "snr" else "pruning").map_elements(lambda value: f"{value:g}", pl.String)
        at = shown.add(" dB").fill_null("?") if axis == "snr" else pl.lit("λ ").add(shown).fill_null("unpruned")
    variants = {text: _variant(text, axis) for text in table["parameters"].unique()}
    return table.with_columns(
        antennas.alias("antennas"),
        at.str.replace(", 1 uses", "", literal=True).alias("at"),
        pl.col("parameters").replace_strict(variants, return_dtype=pl.String, default="{}").alias("variant"),
        _detail(links, [*_DATA, *setting]).alias("detail"),
        pl.concat_str([pl.col(name).cast(pl.String).fill_null("?") for name in (*_DATA, *setting)], separator="|").alias("setting"),
    )


def _variant(text: str, axis: str) -> str:
    """Parameters in one spelling, without those that the axis runs along."""
    try:
        found = json.loads(text)
    except ValueError:
        return text
    dropped = _SWEPT if axis == "flops" and isinstance(found, dict) else ()
    return json.dumps({key: found[key] for key in found if key not in dropped} if dropped else found, sort_keys=True, ensure_ascii=False)


def _detail(links: pl.DataFrame, columns: Iterable[str]) -> pl.Expr:
    """What differs in this study beyond the named parts of a key, in words."""
    varied = [name for name in columns if links[name].n_unique() > 1]
    named = [pl.format("{} {}", pl.lit(name.replace("_", " ")), pl.col(name).cast(pl.String).fill_null("?")) for name in varied]
    return pl.concat_str(named, separator=", ") if named else pl.lit("")


def _parted(table: pl.DataFrame, names: Sequence[str]) -> list[pl.DataFrame]:
    return table.partition_by(list(names), maintain_order=True) if len(table) else []


def _point(part: pl.DataFrame, value: str, x: float | None = None) -> Point | None:
    held = part.filter(pl.col(value).is_finite() & (pl.col("x").is_finite() if x is None else True))
    if held.is_empty():
        return None
    means = held.group_by(pl.col("seed"), maintain_order=True).agg(pl.col(value).mean())[value].to_list()
    mean, half = interval(means)
    first = held.row(0, named=True)
    order = tuple(float(first[name] or 0) for name in ("n_tx", "n_rx", "uses", "snr_db", "pruning"))
    place = float(held["x"].to_numpy().mean()) if x is None else x
    return Point(place, mean, half, len(means), len(held), first["at"], order)


def curves(rows: pl.DataFrame, axis: str, value: str) -> list[Curve]:
    """Every curve of a study.

    Args:
        rows: one row for each cell and draw.
        axis: compression (x = ζ), snr (x = dB) or flops (x = mean FLOPs of the point, whose place on the curve is its λ).
        value: a column, or exact_db, opta_db, latency_us, latency_batch_us.

    Returns:
        Curves with at least one point, exact designs first, then by name and setting; points by x.

    Raises:
        ValueError: the axis is unknown.
    """
    return curves_of(prepared(rows, axis), value)


def curves_of(table: pl.DataFrame, value: str) -> list[Curve]:
    """`curves` of rows that are prepared already."""
    links = table.filter(pl.col("family") != "reference")
    told = _told_apart(links)
    names = ("method", "family", "variant", "pilots_per_class", "knowledge", "snr_reference", "antennas", "setting", "detail")
    found = []
    for part in _parted(links, names):
        points = [point for at in _parted(part, ("at",)) if (point := _point(at, value)) is not None]
        if points:
            found.append(_curve(part, points, told))
    return sorted(found, key=lambda curve: (_rank(curve.family), curve.method, -(curve.pilots or 10**9), curve.key))


def _curve(part: pl.DataFrame, points: list[Point], told: dict[tuple[str, str], str]) -> Curve:
    first = part.row(0, named=True)
    detail = ", ".join(filter(None, (told.get((first["method"], first["variant"]), ""), first["detail"])))
    key = "|".join(str(first[name]) for name in ("knowledge", "snr_reference", "antennas", "setting", "variant", "family"))
    return Curve(
        first["method"], first["family"], first["pilots_per_class"], first["knowledge"], first["snr_reference"],
        first["antennas"], detail, tuple(sorted(points, key=lambda point: (point.x, point.order))), key,
    )  # fmt: skip


def _rank(family: str) -> int:
    return FAMILIES.index(family) if family in FAMILIES else len(FAMILIES)


def _told_apart(links: pl.DataFrame) -> dict[tuple[str, str], str]:
    """For methods of one label and several parameters: the parameters that differ."""
    told = {}
    for part in _parted(links.select("method", "variant").unique().sort("method", "variant"), ("method",)):
        texts = part["variant"].to_list()
        found = [value if isinstance(value := json.loads(text) if text[:1] == "{" else {"": text}, dict) else {} for text in texts]
        names = sorted({name for one in found for name in one if any(other.get(name) != one[name] for other in found)})
        for text, one in zip(texts, found, strict=True):
            told[part["method"][0], text] = ", ".join(f"{name} {one[name]}" for name in names if name in one) if len(texts) > 1 else ""
    return told


def levels_of(table: pl.DataFrame, value: str) -> list[Curve]:
    """Ceilings and floor: one point each, x meaningless; settings of the pilots that change nothing are one."""
    found: list[Curve] = []
    for part in _parted(table.filter(pl.col("family") == "reference"), ("method", "pilots_per_class", *_DATA)):
        point = _point(part, value, 0.0)
        if point is not None:
            first = part.row(0, named=True)
            key = "|".join(str(first[name]) for name in _DATA)
            found.append(Curve(first["method"], "reference", first["pilots_per_class"], "", "", "", "", (point,), key))
    alike = {(one.method, one.key): [other for other in found if (other.method, other.key) == (one.method, one.key)] for one in found}
    heights = {name: [one.mean[0] for one in group] for name, group in alike.items()}
    merged = [group[:1] if max(heights[name]) - min(heights[name]) < 1e-9 else group for name, group in alike.items()]
    return sorted((curve for group in merged for curve in group), key=lambda one: -one.mean[0])


def limits_of(table: pl.DataFrame, axis: str) -> list[Curve]:
    """The exact optimum (on the pilots' moments, so one for each pilots setting) and the Gaussian OPTA (on the test latents'), as NMSE.

    Neither depends on a method's FLOPs: on that axis each is level over the whole width.
    """
    links = table.filter(pl.col("family") != "reference")
    found = []
    for method, value, pilots in ((EXACT_OPTIMUM, "exact_nmse", ("pilots_per_class",)), (OPTA, "opta_nmse", ())):
        held = links.filter(pl.col(value).is_finite() & pl.col("x").is_finite())
        for part in _parted(held, ("snr_reference", "antennas", "setting", *pilots)):
            if axis == "flops":
                points = [_limit(part, value, float(x)) for x in sorted({held["x"].to_numpy().min(), held["x"].to_numpy().max()})]
            else:  # Top-K's indices lengthen its ζ, not the channel uses that the limits are for: the least ζ is theirs
                points = [_limit(spot, value, float(spot["x"].to_numpy().min())) for spot in _parted(part, ("at",))]
            first = part.row(0, named=True)
            key = f"{first['setting']}|{first['antennas']}"
            found.append(
                Curve(method, "limit", first["pilots_per_class"] if pilots else None, "", first["snr_reference"], first["antennas"],
                      first["detail"], tuple(sorted((one for one in points if one), key=lambda one: (one.x, one.order))), key)
            )  # fmt: skip
    return found


def _limit(part: pl.DataFrame, value: str, x: float) -> Point | None:
    """A limit at a point; methods that meet the same channels tell it only once."""
    return _point(part.unique(["seed", "channel", "n_tx", "n_rx", "uses"], keep="first", maintain_order=True), value, x)

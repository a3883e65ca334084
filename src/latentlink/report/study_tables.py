"""The tables of a study's page, as HTML: accuracy by point, distances to the limits, measured power, and how it was run.

Every text from outside is escaped. A row carries its pilots, SNR reference, antennas and knowledge, so that the page's buttons choose
among rows as they choose among curves.
"""

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from html import escape
from statistics import median

import polars as pl

from latentlink.report.study_curves import Curve, Point, curves_of, pilots_text
from latentlink.report.study_figures import REFERENCE_NAMES, colours, reference_groups, short

_POWER_TOLERANCE = 0.02
CONVENTIONS = (
    ("SNR", "per transmit antenna, P/(n_tx σ²), where the reference is <i>transmit</i> (the paper's axis: the noise falls as antennas are "
     "added, so it is confounded with compression); per stream received, gain·P/σ², where it is <i>receive</i>."),
    ("Power", "the budget is P = 1 per channel use, mean over messages. Pilots predict it only nearly; the measured power of each link is "
     "brought to the budget by one gain-control scalar, from the transmitter's latents alone. The table above says what was measured."),
    ("FLOPs", "real operations for one message through encoder and decoder: a complex product counts 6, the addition after it 2. Pruned "
     "weights are not counted; unstructured zeros need not save time, hence the latency beside it."),
    ("Latency", "median time per message on one thread, encode + decode, for one message at a time and in batches."),
    ("Compression", "ζ = u·n_tx/⌈d/2⌉, complex symbols sent (u channel uses) over complex symbols of the latent; Top-K's index symbols are "
     "added."),
    ("Bands", "the mean over seeds of the mean over a seed's channel draws, ± the half width of the 95 % t-interval of the mean over "
     "seeds. One seed has no band; two or three have wide ones."),
    ("Exact optimum", "the MSE that the closed-form widely linear design expects by the pilots' moments, over the measured variance. With "
     "few pilots it expects too much, and what is measured lies above it; a goal-oriented design serves the task first and lies above it."),
    ("Gaussian OPTA", "the least MSE that any code reaches for Gaussian latents with the moments of the test latents over this channel."),
)  # fmt: skip


def point_names(axis: str, curves: Sequence[Curve]) -> dict[str, str]:
    """The points of a study in order, with the head of their column: `at` and ζ, SNR or λ."""
    found: dict[str, Point] = {}
    for curve in curves:
        for point in curve.points:
            if point.at not in found or point.x < found[point.at].x:
                found[point.at] = point
    ordered = sorted(found.values(), key=lambda point: (point.order, point.at) if axis != "compression" else ((point.x,), point.at))
    if axis == "compression":
        return {point.at: f"{point.at}, ζ {short(100 * point.x)} %" for point in ordered}
    return {point.at: point.at for point in sorted(ordered, key=lambda point: point.at != "unpruned")}


def setting(curve: Curve) -> str:
    """The data attributes by which the page shows or hides a row."""
    values = {
        "pilots": pilots_text(curve.pilots),
        "reference": curve.snr_reference,
        "antennas": curve.antennas,
        "knowledge": curve.knowledge,
    }
    return "".join(f' data-{name}="{escape(value)}"' for name, value in values.items())


def _name(curve: Curve, paint: dict[str, str]) -> str:
    told = ", ".join(filter(None, (curve.antennas, curve.detail)))
    return (
        f'<th scope="row"><i class="dot" style="background:{paint.get(curve.method, "#888")}"></i>{escape(curve.method)}'
        f"{f' <small>{escape(told)}</small>' if told else ''}</th>"
    )


def blocks(curves: Sequence[Curve]) -> list[tuple[str, list[Curve]]]:
    """Curves that compete: equal SNR reference, pilots and knowledge."""
    found: dict[tuple[str, int | None, str], list[Curve]] = {}
    for reference in reference_groups(curves):
        for knowledge in sorted({curve.knowledge for curve in curves}):
            for curve in sorted(curves, key=lambda one: -(one.pilots or 10**9)):
                if (curve.snr_reference, curve.knowledge) == (reference, knowledge):
                    found.setdefault((reference, curve.pilots, knowledge), []).append(curve)
    heads = {
        key: f"{pilots_text(key[1])}, {REFERENCE_NAMES.get(key[0], key[0])}, channel {'unknown' if key[2] == 'unaware' else 'known'}"
        for key in found
    }
    return [(heads[key], group) for key, group in found.items()]


def _table(axis: str, curves: Sequence[Curve], cell: Callable[[Curve, Point, bool], str]) -> str:
    """Curves × points in blocks; `cell` writes one, told whether it is the best of its column in its block."""
    if not curves:
        return "<p>No cell has been measured yet.</p>"
    names, paint = point_names(axis, curves), colours(curves)
    body = []
    for head, group in blocks(curves):
        best: dict[str, float] = {}
        for curve in group:
            for point in curve.points:
                best[point.at] = max(point.mean, best.get(point.at, -math.inf))
        rows = []
        for curve in group:
            at = {point.at: point for point in curve.points}
            cells = "".join(cell(curve, at[name], at[name].mean >= best[name]) if name in at else "<td>–</td>" for name in names)
            rows.append(f"<tr{setting(curve)}>{_name(curve, paint)}{cells}</tr>")
        body.append(f'<tbody><tr class="block"><th colspan="{len(names) + 1}">{escape(head)}</th></tr>{"".join(rows)}</tbody>')
    heads = "".join(f"<th>{escape(text)}</th>" for text in names.values())
    return f'<div class="wide"><table><thead><tr><th>method</th>{heads}</tr></thead>{"".join(body)}</table></div>'


def accuracy_table(table: pl.DataFrame, axis: str) -> str:
    """Methods × points: mean accuracy ± half width of its band."""

    def cell(_: Curve, point: Point, best: bool) -> str:
        text = f"<b>{point.mean:.3f}</b>" if best else f"{point.mean:.3f}"
        band = "" if math.isnan(point.half) else f" <small>± {point.half:.3f}</small>"
        flops = f"<br><small>{short(point.x)}</small>" if axis == "flops" else ""
        return f'<td title="{point.seeds} seeds, {point.rows} channels, x = {point.x:.5g}">{text}{band}{flops}</td>'

    return _table(axis, curves_of(table, "accuracy"), cell)


def distance_table(table: pl.DataFrame, axis: str) -> str:
    """Methods × points: dB of MSE above the exact optimum and above OPTA."""
    to_opta = {_identity(curve): {point.at: point.mean for point in curve.points} for curve in curves_of(table, "opta_db")}

    def cell(curve: Curve, point: Point, _: bool) -> str:
        bound = to_opta.get(_identity(curve), {}).get(point.at)
        return f"<td>{signed(point.mean)}<br><small>{'–' if bound is None else signed(bound)}</small></td>"

    return _table(axis, curves_of(table, "exact_db"), cell)


def signed(value: float) -> str:
    """A number of dB with its sign."""
    return f"{value + 0.0:+.2f}".replace("-", "−").replace("+0.00", "0.00").replace("−0.00", "0.00")


def _identity(curve: Curve) -> tuple[str, int | None, str]:
    return curve.method, curve.pilots, curve.key


def power_table(table: pl.DataFrame, axis: str) -> str:
    """Mean power over the budget of every method, and where it is more than 2 % off."""
    curves = curves_of(table, "power")
    if not curves:
        return "<p>No power was measured.</p>"
    paint, peaks = colours(curves), {_identity(curve): max(curve.mean) for curve in curves_of(table, "peak_power")}
    rows = []
    for _, group in blocks(curves):
        for curve in group:
            low, high = min(curve.mean), max(curve.mean)
            off = [point.at for point in curve.points if abs(point.mean - 1) > _POWER_TOLERANCE]
            peak = peaks.get(_identity(curve))
            flag = f'<td class="flag">⚠ off by more than 2 % at {escape(", ".join(off))}</td>' if off else "<td>within 2 %</td>"
            told = f"{pilots_text(curve.pilots)}, {curve.snr_reference}, {curve.knowledge}"
            numbers = f"<td>{sum(curve.mean) / len(curve.mean):.4f}</td><td>{low:.4f} … {high:.4f}</td>"
            numbers += f"<td>{'–' if peak is None else f'{peak:.2f}'}</td>"
            rows.append(f"<tr{setting(curve)}>{_name(curve, paint)}<td>{escape(told)}</td>{numbers}{flag}</tr>")
    heads = "<th>method</th><th>setting</th><th>mean power / budget</th><th>over the points</th><th>peak</th><th></th>"
    return f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def facts(every: pl.DataFrame) -> list[tuple[str, str]]:
    """What the rows say of how they came about: data, encoders, seeds, draws, messages, versions, dates, warnings of the designs."""
    links = every.filter(pl.col("family") != "reference")

    def values(name: str) -> str:
        table = links if len(links) else every  # ceilings and floor see no channel
        return ", ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in table[name].drop_nulls().unique().sort())

    versions: dict[str, set[str]] = {}
    for text in every["versions"].drop_nulls().unique().sort():
        for name, value in _versions(text).items():
            versions.setdefault(name, set()).add(str(value))
    draws = links.group_by("cell").len()["len"].max() if links["cell"].null_count() < len(links) else None
    started, designs = sorted(every["started"].drop_nulls()), sorted(links["design_s"].drop_nulls())
    statuses = Counter(text.split(":")[0] for text in links["status"].drop_nulls())
    found = [
        ("data", values("dataset")), ("encoders", f"{values('transmitter')} → {values('receiver')} (d = {values('d')}, m = {values('m')})"),
        ("pilots per class", ", ".join(map(_pilots, links["pilots_per_class"].unique().sort(nulls_last=True)))),
        ("pilots chosen", f"{values('selection')}, grouped by {values('grouping')}"),
        ("channel", f"{values('channel_model')}, gain {values('gain')}"), ("seeds", values("seed")),
        ("channel draws per seed", str(draws or "")), ("test messages", values("messages")),
        ("versions", ", ".join(f"{name} {' and '.join(sorted(held))}" for name, held in sorted(versions.items()))),
        ("started", f"{started[0]} … {started[-1]}" if started else ""),
        ("design time", f"median {median(designs):.3g} s, longest {designs[-1]:.3g} s" if designs else ""),
        ("designs say", "; ".join(f"{text} ({statuses[text]} rows)" for text in sorted(statuses, key=lambda one: (-statuses[one], one)))),
    ]  # fmt: skip
    return [(name, text) for name, text in found if text.strip(" →(),=dm")]


def _pilots(pilots: int | None) -> str:
    return "all" if pilots is None else str(pilots)


def _versions(text: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except ValueError:
        return {"versions": text}
    return found if isinstance(found, dict) else {"versions": text}

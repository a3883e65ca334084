"""A study's report as one HTML file that needs nothing else: interactive figures (plotly inside), tables, and how it was run.

The page holds its curves as data and draws them when it opens. Every trace and row says its pilots, SNR reference, antennas and knowledge;
plain buttons choose among them. Same rows and same facts give the same bytes.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import polars as pl

from latentlink.extras import import_extra
from latentlink.io.atomic import write_atomically
from latentlink.report.study_curves import AXES, Curve, curves_of, pilots_text, prepared
from latentlink.report.study_figures import AXIS_NAMES, REFERENCE_NAMES, draw_study, reference_groups
from latentlink.report.study_tables import CONVENTIONS, accuracy_table, distance_table, facts, power_table
from latentlink.report.study_traces import panels, trade_off

_ALL = "all"


@dataclass(frozen=True)
class ReportMeta:
    """What a report says of its study beyond the rows; `wall_s` is the time of the run, done, missing and failed count its cells."""

    name: str
    title: str
    description: str
    axis: str
    study_text: str
    command: str
    wall_s: float
    done: int
    missing: int
    failed: int


def write_report(rows: pl.DataFrame, meta: ReportMeta, folder: Path) -> list[Path]:
    """Write report.html and the paper figures (PDF, PNG) of a study, each atomically.

    Args:
        rows: one row for each cell and channel draw; columns and cells may be missing.
        meta: the study's name, text, axis and how its run stands.
        folder: made where it is absent.

    Returns:
        The files, the page first.

    Raises:
        ValueError: `meta.axis` is not compression, snr or flops.
        ImportError: plotly or matplotlib is not installed (extra `report`).
        OSError: a file cannot be written; the one that stood there is as it was.
    """
    if meta.axis not in AXES:
        raise ValueError(f"axis must be one of {', '.join(AXES)}, got {meta.axis!r}")
    plotly = import_extra("plotly.offline", "report")
    figures = draw_study(rows, meta.axis, meta.name, meta.title, folder)
    page = report_page(rows, meta, [path.name for path in figures], plotly.get_plotlyjs())
    write_atomically(folder / "report.html", page.encode())
    return [folder / "report.html", *figures]


def report_page(rows: pl.DataFrame, meta: ReportMeta, files: Sequence[str], plotly_js: str) -> str:
    """The text of the page."""
    table = prepared(rows, meta.axis)
    accuracy, nmse = curves_of(table, "accuracy"), curves_of(table, "nmse")
    choices = _choices([*accuracy, *nmse])
    chosen = {name: options[0] for name, options in choices.items()}
    payload = {"main": panels(table, meta.axis, accuracy, nmse), "trade": trade_off(table, accuracy), "chosen": chosen}
    figures = ", ".join(f'<a href="{escape(name)}">{escape(name)}</a>' for name in files)
    buttons = "".join(_buttons(name, options) for name, options in choices.items())
    told = [
        ("cells", f"{meta.done} done, {meta.missing} missing, {meta.failed} failed"),
        ("wall time", duration(meta.wall_s)),
        *facts(table),
    ]
    heads = f"<p class=lead>{escape(meta.description)}</p>" if meta.description else ""
    state = f"{meta.done} cells done" + "".join(f", {n} {what}" for n, what in ((meta.missing, "missing"), (meta.failed, "failed")) if n)
    warn = ' class="flag"' if meta.missing or meta.failed else ""
    return _PAGE.format(
        title=escape(meta.title), style=_STYLE, heads=heads, state=f"<span{warn}>{state}</span>", buttons=buttons,
        figures=figures or "none",
        axis=escape(AXIS_NAMES[meta.axis]), accuracy=accuracy_table(table, meta.axis), distance=distance_table(table, meta.axis),
        power=power_table(table, meta.axis), facts=_definitions([(name, escape(text)) for name, text in told]),
        conventions=_definitions(CONVENTIONS), study=escape(meta.study_text), command=escape(meta.command), plotly=plotly_js,
        payload=_embedded(payload), script=_SCRIPT,
    )  # fmt: skip


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if not math.isfinite(seconds):
        return "unknown"
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min {rest % 60} s" if rest >= 60 else f"{seconds:.3g} s"


def _embedded(payload: Any) -> str:
    """JSON that no label can break out of."""
    return json.dumps(payload, ensure_ascii=False, allow_nan=False, sort_keys=True).replace("<", "\\u003c").replace("\u2028", "\\u2028")


def _definitions(pairs: Sequence[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{text}</dd>" for name, text in pairs) + "</dl>"


def _choices(curves: Sequence[Curve]) -> dict[str, list[str]]:
    """What the buttons choose among, the first being chosen at the start; only what has several values."""
    pilots = sorted({curve.pilots for curve in curves}, key=lambda value: -(value or 10**9))
    found = {
        "pilots": [*map(pilots_text, pilots), _ALL],
        "reference": reference_groups(curves),
        "antennas": [_ALL, *sorted({curve.antennas for curve in curves}, key=lambda text: (len(text), text))],
        "knowledge": ["aware", "unaware", _ALL] if len({curve.knowledge for curve in curves}) > 1 else [],
    }
    return {name: options for name, options in found.items() if len(set(options) - {_ALL}) > 1}


def _buttons(name: str, options: Sequence[str]) -> str:
    words = {**REFERENCE_NAMES, "aware": "known", "unaware": "unknown"}
    label = {"pilots": "pilots", "reference": "SNR axis", "antennas": "antennas (tx×rx)", "knowledge": "channel"}[name]
    made = "".join(
        f'<button type="button" data-choice="{name}" data-value="{escape(option)}" aria-pressed="{str(number == 0).lower()}">'
        f"{escape(words.get(option, option))}</button>"
        for number, option in enumerate(options)
    )
    return f'<div class="group" role="group"><span>{label}</span>{made}</div>'


_STYLE = """
:root{color-scheme:light dark;--ink:#1d2329;--soft:#5b6570;--paper:#fff;--line:#d9dee3;--tint:#f3f5f7;--mark:#b3400a}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ec;--soft:#a2abb5;--paper:#15181c;--line:#343a41;--tint:#1e2329;--mark:#ff9d66}}
body{margin:0 auto;max-width:1180px;padding:1.5rem;background:var(--paper);color:var(--ink);
  font:15px/1.5 system-ui,"DejaVu Sans",sans-serif}
h1{font-size:1.55rem;margin:0}h2{font-size:1.15rem;margin:2.2rem 0 .4rem;border-bottom:1px solid var(--line);padding-bottom:.2rem}
p{margin:.4rem 0;max-width:75rem}.note,small{color:var(--soft)}.note{font-size:.86rem}a{color:inherit}
.flag{color:var(--mark);font-weight:600}.wide{overflow-x:auto}
.bar{position:sticky;top:0;background:var(--paper);padding:.5rem 0;z-index:5;display:flex;flex-wrap:wrap;
  gap:.4rem 1.4rem;border-bottom:1px solid var(--line)}
.bar:empty{display:none}.group span{color:var(--soft);font-size:.82rem;margin-right:.5rem}
button{font:inherit;font-size:.82rem;padding:.15rem .6rem;border:1px solid var(--line);background:var(--tint);
  color:var(--ink);cursor:pointer}
button[aria-pressed=true]{background:var(--ink);color:var(--paper);border-color:var(--ink)}
table{border-collapse:collapse;font-size:.83rem;font-variant-numeric:tabular-nums;margin:.5rem 0}
td,th{padding:.2rem .7rem .2rem 0;text-align:left;vertical-align:top;white-space:nowrap;font-weight:normal}
thead th{color:var(--soft);border-bottom:1px solid var(--line)}tbody tr{border-bottom:1px solid var(--line)}
.block th{padding-top:.8rem;font-weight:600}b{font-weight:700}.hidden{display:none}
.dot{display:inline-block;width:.7em;height:.7em;border-radius:50%;margin-right:.5em}
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.2rem 1.2rem;font-size:.9rem}
dt{color:var(--soft)}dd{margin:0;max-width:60rem}
pre{background:var(--tint);padding:.8rem;overflow-x:auto;font-size:.8rem;white-space:pre-wrap}
"""

_SCRIPT = """
const data = JSON.parse(document.getElementById('curves').textContent), chosen = data.chosen;
const fits = tags => Object.entries(chosen).every(([name, value]) => value === 'all' || !tags[name] || tags[name] === value);
const ink = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const buttons = document.querySelectorAll('button');
function drawn(id, figure, height) {
  const text = ink('--ink'), grid = ink('--line'), count = figure.scales.length, gap = count > 2 ? 0.06 : 0.08;
  const traces = figure.traces.map(trace => ({...trace, visible: fits(trace.meta),
    line: {...trace.line, color: trace.line.color === 'ink' ? text : trace.line.color}}));
  const clear = 'rgba(0,0,0,0)';
  const layout = {height, margin: {l: 55, r: 10, t: 30, b: 45}, paper_bgcolor: clear, plot_bgcolor: clear, uirevision: 'kept',
    modebar: {bgcolor: clear, color: ink('--soft'), activecolor: text}, font: {color: text, size: 12}, hoverlabel: {namelength: -1},
    legend: {uirevision: JSON.stringify(chosen), orientation: 'h', y: -0.17, yanchor: 'top', font: {size: 11}}};
  figure.scales.forEach((type, i) => {
    const n = i ? i + 1 : '', width = (1 - gap * (count - 1)) / count, left = i * (width + gap);
    const axis = {gridcolor: grid, linecolor: grid, zeroline: false, automargin: true};
    layout['xaxis' + n] = {...axis, type, domain: [left, left + width], anchor: 'y' + n, title: {text: figure.titles[2 * i]},
      ...(figure.ticks ? {tickvals: figure.ticks, ticktext: figure.ticks.map(x => String(Number(x.toPrecision(3))))}
        : type === 'log' ? {exponentformat: 'SI', dtick: 'D2', minexponent: 3, tickangle: 0} : {})};
    layout['yaxis' + n] = {...axis, anchor: 'x' + n, title: {text: figure.titles[2 * i + 1], standoff: 4}, range: figure.ranges[i]};
  });
  return Plotly.react(id, traces, layout, {responsive: true, displayModeBar: 'hover', displaylogo: false,
    plotlyServerURL: '', modeBarButtonsToRemove: ['lasso2d', 'select2d', 'sendChartToCloud']});
}
function show() {
  document.querySelectorAll('tr[data-pilots]').forEach(row => row.classList.toggle('hidden', !fits(row.dataset)));
  document.querySelectorAll('tbody').forEach(body => {
    const rows = [...body.querySelectorAll('tr[data-pilots]')];
    body.classList.toggle('hidden', rows.length > 0 && rows.every(row => row.classList.contains('hidden')));
  });
  buttons.forEach(one => one.setAttribute('aria-pressed', String(chosen[one.dataset.choice] === one.dataset.value)));
  return Promise.all([drawn('main', data.main, 620), drawn('trade', data.trade, 520)]);
}
buttons.forEach(one => one.addEventListener('click', () => { chosen[one.dataset.choice] = one.dataset.value; show(); }));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', show);
show().then(() => { document.body.dataset.ready = 'yes'; });
"""

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><link rel="icon" href="data:,"><style>{style}</style>
<script>
const failures = [];
function failed(text) {{ failures.push(String(text)); document.documentElement.dataset.errors = failures.join(' | '); }}
window.onerror = (message, source, line) => failed(message + ' (line ' + line + ')');
window.addEventListener('unhandledrejection', event => failed(event.reason));
</script></head><body>
<h1>{title}</h1>{heads}<p class="note">{state}. Figures for print: {figures}.</p>
<div class="bar">{buttons}</div>
<h2>Accuracy and error</h2>
<p class="note">Against {axis}. Bands: 95 % t-interval of the mean over seeds (none for one seed). Grey lines on the left are the ceilings
and the floor, on the right what the exact design expects and the Gaussian OPTA. A click on a name hides it, a double click leaves it
alone. Designs that do not know the channel may lie far above the NMSE shown: drag the axis.</p>
<div id="main"></div>
<h2>Accuracy by method and point</h2>
<p class="note">Mean ± half width of the 95 % interval over seeds; bold is the best of its column within a block.</p>{accuracy}
<h2>Distance to the exact optimum and to OPTA</h2>
<p class="note">dB of MSE above what the exact design expects at the same point; small, above the Gaussian OPTA.</p>{distance}
<h2>Accuracy against what it costs</h2>
<p class="note">Operations counted, and time measured (encode + decode, one thread). Methods keep their colours.</p>
<div id="trade"></div>
<h2>Measured power</h2>{power}
<h2>How it was run</h2>{facts}
<h3>Conventions</h3>{conventions}
<h3>Command</h3><pre>{command}</pre>
<h3>Study file</h3><pre>{study}</pre>
<script>{plotly}</script>
<script type="application/json" id="curves">{payload}</script>
<script>{script}</script>
</body></html>
"""

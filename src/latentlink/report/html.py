"""The report of a study: one HTML file that carries all it needs, and figures for a paper beside it.

It is made of the result rows and of what is handed over about the study; the same rows give the same bytes.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from latentlink.extras import import_extra
from latentlink.io.atomic import write_atomically
from latentlink.report.arranging import arranged, prepared
from latentlink.report.axes import AXES
from latentlink.report.curves import BANDS, curves
from latentlink.report.interactive import figures, trade_off
from latentlink.report.paper_figures import draw_paper_figures
from latentlink.report.tables import TOLERANCE, comparisons, facts, gaps, power_table, status_table

_MOST_PANELS = 6  # of a figure that the study did not ask for
_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class ReportMeta:
    """What a report says of its study besides the results.

    Attributes:
        name, title, description: of the study. axis: "compression", "snr" or "flops". study_text: the study's file. command: what ran it.
        wall_s: seconds that its runs took. done, missing, failed: cells. absent: what is missing or failed, in words, one line each.
    """

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
    absent: tuple[str, ...] = ()


def write_report(rows: pl.DataFrame, meta: ReportMeta, folder: str | Path) -> list[Path]:
    """Write report.html and the figures accuracy-vs-AXIS[-PANEL].pdf and .png into a folder, each whole or not at all.

    The axis of the study is always drawn; another one where the study sweeps it too and few panels come of it.

    Args:
        rows: results, a row for each cell and channel draw; columns that are absent are taken as unknown.
        meta: about the study. folder: made if it is absent.

    Returns:
        The files, the page first.

    Raises:
        ValueError: `rows` is no data frame, or meta.axis is none.
        ImportError: plotly, jinja2 (extra `report`) or matplotlib (extra `plot`) is not installed.
        OSError: a file cannot be written.
    """
    if not isinstance(rows, pl.DataFrame):
        raise ValueError(f"rows must be a polars DataFrame, got {type(rows).__name__}")
    if meta.axis not in AXES:
        raise ValueError(f"meta.axis must be one of {', '.join(AXES)}, got {meta.axis!r}")
    folder = Path(folder)
    axes = axes_of(rows, meta.axis)
    drawn = [path for axis in axes for path in draw_paper_figures(rows, axis, folder)]
    page = folder / "report.html"
    write_atomically(page, render(rows, meta, axes, [path.name for path in drawn]).encode())
    return [page, *drawn]


def axes_of(rows: pl.DataFrame, axis: str) -> list[str]:
    """The study's axis, and others along which some method has at least three points: compression, SNR, or FLOPs by pruning."""
    rows = prepared(rows)
    links = rows.filter(pl.col("family").ne_missing("reference"))
    found = [axis]
    for other, name in (("compression", "compression"), ("snr", "snr_db"), ("flops", "pruning")):
        counts = links.filter(pl.col(name).is_not_null()).group_by("method").agg(pl.col(name).n_unique())[name]
        swept = len(counts) > 0 and max(counts) > 2
        if other != axis and swept and len(arranged(rows, other).panels) <= _MOST_PANELS:
            found.append(other)
    return found


def render(rows: pl.DataFrame, meta: ReportMeta, axes: list[str], files: list[str]) -> str:
    """The page.

    Args:
        rows: results. meta: about the study. axes: to draw. files: figures beside the page, to link to.
    """
    jinja2 = import_extra("jinja2", "report")
    offline = import_extra("plotly.offline", "report")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    sections: list[dict[str, Any]] = []
    charts: dict[str, Any] = {}
    for axis in axes:
        shown = []
        for number, (title, reference, chart) in enumerate(figures(rows, axis)):
            charts[f"{axis}-{number}"] = chart
            columns = sum(name.startswith("xaxis") for name in chart["layout"]) // 2
            here = {"id": f"{axis}-{number}", "title": title, "reference": reference, "columns": columns}
            shown.append(here | {"height": chart["layout"]["height"]})
        sections.append({"axis": AXES[axis].words, "figures": shown, "comparisons": comparisons(rows, axis)})
    traded, setting = trade_off(rows, meta.axis)
    if traded is not None:
        charts["trade-off"] = traded
    references = {figure["reference"] for section in sections for figure in section["figures"]} - {""}
    bands = {point.band for axis in axes for curve in curves(rows, axis, "accuracy") for point in curve.points}
    text: str = environment.get_template("report.html").render(
        meta=meta, sections=sections, traded=traded, setting=setting, references=sorted(references, reverse=True),
        power=power_table(rows, meta.axis), statuses=status_table(rows, meta.axis), gaps=gaps(rows, meta.axis), facts=facts(rows),
        bands=[BANDS[band] for band in BANDS if band in bands], tolerance=TOLERANCE, files=files, unmeasured=_unmeasured(rows),
        charts=_in_script(charts), plotly=offline.get_plotlyjs(),
        style=(_TEMPLATES / "report.css").read_text("utf-8"), script=(_TEMPLATES / "report.js").read_text("utf-8"),
    )  # fmt: skip
    return text


def _unmeasured(rows: pl.DataFrame) -> list[str]:
    """What the study did not measure, in words."""
    rows = prepared(rows).filter(pl.col("family").ne_missing("reference"))
    asked = {"accuracy": "accuracy", "nmse": "NMSE", "exact_mse": "the exact optimum", "opta": "OPTA", "power": "power",
             "flops": "FLOPs", "latency_us": "latency"}  # fmt: skip
    return [said for name, said in asked.items() if not rows[name].drop_nulls().len()]


def _in_script(charts: dict[str, Any]) -> str:
    """JSON that may stand within a script element."""
    return json.dumps(charts, allow_nan=False, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c").replace("&", "\\u0026")

"""The report of a study: one HTML file that carries all it needs, and figures for a paper beside it.

It is made of the result rows and of what is handed over about the study; the same rows give the same bytes.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from latentlink.numerics.extras import import_extra
from latentlink.report.arrange import arranged, prepared
from latentlink.report.curves import BANDS, curves
from latentlink.report.digital import digital_wins
from latentlink.report.distance import distance_charts, draw_distances
from latentlink.report.figures import draw_paper_figures
from latentlink.report.interactive import Chart, figures, trade_off
from latentlink.report.look.axes import AXES
from latentlink.report.outage import MOST_PANELS, fadings
from latentlink.report.outage_figures import draw_outage, outage_charts
from latentlink.report.outage_tables import fading_tables, fairness_tables
from latentlink.report.tables import TOLERANCE, comparisons, facts, gaps, papr_table, power_table, status_table
from latentlink.storage.atomic import write_atomically

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class ReportMeta:
    """What a report says of its study besides the results.

    Attributes:
        name, title, description: of the study. axis: one of AXES. study_text: the study's file. command: what ran it.
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
    """Write report.html and its figures as .pdf and .png into a folder, each whole or not at all.

    Figures are accuracy-vs-AXIS[-PANEL], distance-vs-AXIS[-PANEL] (to Gaussian OPTA) and, of 100 channels a cell, outage[-PANEL]. The axis
    of the study is always drawn; another one where the study sweeps it too and few panels come of it.

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
    along = [(draw_paper_figures(rows, axis, folder), draw_distances(rows, axis, folder)) for axis in axes]
    sections = [path for figures, distances in along for path in figures + distances]
    outage = draw_outage(rows, folder)
    drawn = outage + sections if meta.axis == "outage" else sections + outage
    page = folder / "report.html"
    write_atomically(page, render(rows, meta, axes, [path.name for path in drawn]).encode())
    return [page, *drawn]


def axes_of(rows: pl.DataFrame, axis: str) -> list[str]:
    """The study's axis, and others along which some method has at least three points, FLOPs by pruning; outage has figures of its own."""
    rows = prepared(rows)
    links = rows.filter(pl.col("family").ne_missing("reference"))
    found = [axis] if axis != "outage" else []
    for other in AXES:
        if other in (*found, "outage") or (other in ("uses", "compression") and _same_places(links, found)):
            continue
        name = "pruning" if other == "flops" else AXES[other].column
        counts = links.filter(pl.col(name).is_not_null()).group_by("method").agg(pl.col(name).n_unique())[name]
        swept = len(counts) > 0 and max(counts) > 2
        if swept and len(arranged(rows, other).panels) <= MOST_PANELS:
            found.append(other)
    return found


def _same_places(links: pl.DataFrame, drawn: list[str]) -> bool:
    """Whether compression and uses are the same axis, with one number of antennas, and one of them is drawn already."""
    return links["n_tx"].n_unique() == 1 and any(axis in drawn for axis in ("compression", "uses"))


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
    charts: dict[str, Any] = {}
    sections = [
        {
            "words": AXES[axis].words,
            "figures": _listed(charts, axis, figures(rows, axis)),
            "distances": _listed(charts, f"distance-{axis}", distance_charts(rows, axis)),
            "comparisons": comparisons(rows, axis),
        }
        for axis in axes
    ]
    traded, setting = trade_off(rows, meta.axis)
    if traded is not None:
        charts["trade-off"] = traded
    fading = _fading(rows, charts)
    listed = [figure for section in sections for figure in section["figures"]] + fading["figures"]
    references = {figure["reference"] for figure in listed} - {""}
    bands = {point.band for axis in axes for curve in curves(rows, axis, "accuracy") for point in curve.points}
    text: str = environment.get_template("report.html").render(
        meta=meta, sections=sections, traded=traded, setting=setting, references=sorted(references, reverse=True),
        power=power_table(rows, meta.axis), papr=papr_table(rows, meta.axis), fading=fading,
        digital=digital_wins(rows, meta.axis), statuses=status_table(rows, meta.axis), gaps=gaps(rows, meta.axis), facts=facts(rows),
        bands=[BANDS[band] for band in BANDS if band in bands], tolerance=TOLERANCE, files=files, unmeasured=_unmeasured(rows),
        separated=bool(prepared(rows)["separation_nmse"].is_not_null().any()),
        charts=_in_script(charts), plotly=offline.get_plotlyjs(),
        style=(_TEMPLATES / "report.css").read_text("utf-8"), script=(_TEMPLATES / "report.js").read_text("utf-8"),
    )  # fmt: skip
    return text


def _listed(charts: dict[str, Any], name: str, found: list[tuple[str, str, Chart]]) -> list[dict[str, Any]]:
    """What the template must know of figures, whose specifications are put among the others."""
    listed = []
    for number, (title, reference, chart) in enumerate(found):
        charts[f"{name}-{number}"] = chart
        rows = len({tuple(axis["domain"]) for place, axis in chart["layout"].items() if place.startswith("yaxis")})
        columns = sum(place.startswith("xaxis") for place in chart["layout"]) // rows
        here = {"id": f"{name}-{number}", "title": title, "reference": reference, "columns": columns}
        listed.append(here | {"height": chart["layout"]["height"]})
    return listed


def _fading(rows: pl.DataFrame, charts: dict[str, Any]) -> dict[str, Any]:
    """Figures and tables of the channels of each point."""
    points = fadings(rows)
    return {
        "figures": _listed(charts, "outage", outage_charts(rows)),
        "points": len(points),
        "most": MOST_PANELS,
        "tables": fading_tables(points),
        "fairness": fairness_tables(rows, points),
    }


def _unmeasured(rows: pl.DataFrame) -> list[str]:
    """What the study did not measure, in words."""
    rows = prepared(rows).filter(pl.col("family").ne_missing("reference"))
    asked = {"accuracy": "accuracy", "nmse": "NMSE", "exact_mse": "the exact optimum", "opta": "OPTA", "power": "power",
             "flops": "FLOPs", "latency_us": "latency"}  # fmt: skip
    return [said for name, said in asked.items() if not rows[name].drop_nulls().len()]


def _in_script(charts: dict[str, Any]) -> str:
    """JSON that may stand within a script element."""
    return json.dumps(charts, allow_nan=False, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c").replace("&", "\\u0026")

"""The report of a study: one HTML file that carries all it needs, and figures for a paper beside it.

It is made of the result rows and of what is handed over about the study; the same rows give the same bytes.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from latentlink.numerics.extras import import_extra
from latentlink.report.arrange import MOST_CONDITIONS, Arranged, Arrangements, arrange_all
from latentlink.report.curves import BANDS, average_curves
from latentlink.report.digital import DigitalWins, find_digital_wins
from latentlink.report.distributions import collect_distributions
from latentlink.report.figures import draw_figures
from latentlink.report.interactive import Chart, make_chart, make_charts
from latentlink.report.look.axes import AXES
from latentlink.report.outage import plot_outage, tabulate_fairness, tabulate_outage
from latentlink.report.plots import Plot, plot_accuracy, plot_distance
from latentlink.report.run_tables import (
    TOLERANCE,
    describe_source,
    list_facts,
    list_setup,
    tabulate_papr,
    tabulate_power,
    tabulate_statuses,
)
from latentlink.report.tables import Comparison, Table, compare_methods, find_gaps
from latentlink.report.trade_off import plot_trade_off
from latentlink.storage.atomic import write_atomically

_TEMPLATES = Path(__file__).parent / "templates"
_MEASURED = {
    "accuracy": "accuracy",
    "nmse": "NMSE",
    "exact_mse": "the exact optimum",
    "opta": "OPTA",
    "power": "power",
    "flops": "FLOPs",
    "latency_us": "latency",
}


@dataclass(frozen=True)
class ReportMeta:
    """Facts on a study that its report states beside the results.

    Attributes:
        name: of the study.
        title: of the study.
        description: of the study.
        axis: the name of one of AXES.
        study_text: the study's file.
        command: what ran it.
        wall_s: seconds that its runs took.
        done: number of cells that are finished.
        missing: number of cells without a result.
        failed: number of cells that failed.
        absent: what is missing or failed, in words, one line each.
        quick: whether it is the study's small form.
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
    quick: bool = False


@dataclass(frozen=True)
class Section:
    """The part of the page along one axis.

    Attributes:
        words: what values are drawn against.
        charts: accuracy and NMSE.
        distances: distances to Gaussian OPTA.
        comparisons: tables.
    """

    words: str
    charts: list[Chart]
    distances: list[Chart]
    comparisons: list[Comparison]


@dataclass(frozen=True)
class Outage:
    """The part of the page on the distribution over channels.

    Attributes:
        charts: outage curves.
        conditions: number of conditions that have enough channels.
        tables: of the mean and the worst channels.
        fairness: tables among the users of a cell.
        most: number of conditions that are drawn at most.
    """

    charts: list[Chart]
    conditions: int
    tables: list[Comparison]
    fairness: list[Comparison]
    most: int = MOST_CONDITIONS


@dataclass(frozen=True)
class Page:
    """Everything that the template shows.

    Attributes:
        meta: about the study.
        setup: what was measured, for the head of the page.
        sections: one for each axis.
        outage: the distribution over channels.
        traded: accuracy against costs; None where no cost was measured.
        setting: which part of the rows that chart shows.
        power: table of the power that was measured.
        papr: table of peak-to-average power ratios.
        digital: where digital methods win.
        statuses: table of how the designs ended.
        gaps: what is not there, one line each.
        facts: how the results came about.
        bands: rules of the bands that occur.
        unmeasured: what no row has, in words.
        separated: whether the separation bound was computed.
        files: names of the figures beside the page.
        tolerance: share of the budget by which power may be off before it is marked.
    """

    meta: ReportMeta
    setup: list[tuple[str, str]]
    sections: list[Section]
    outage: Outage
    traded: Chart | None
    setting: str
    power: Table
    papr: Table
    digital: DigitalWins
    statuses: Table
    gaps: list[str]
    facts: list[tuple[str, str]]
    bands: list[str]
    unmeasured: list[str]
    separated: bool
    files: list[str]
    tolerance: float = TOLERANCE

    @property
    def charts(self) -> list[Chart]:
        """Return all charts."""
        along = [chart for section in self.sections for chart in section.charts + section.distances]
        return along + self.outage.charts + ([self.traded] if self.traded else [])

    @property
    def references(self) -> list[str]:
        """Return the SNR references that occur, the paper's first."""
        return sorted({chart.reference for chart in self.charts} - {""}, reverse=True)


def write_report(rows: pl.DataFrame, meta: ReportMeta, folder: str | Path) -> list[Path]:
    """Write report.html and its figures as .pdf and .png into a folder, each whole or not at all.

    Figures are accuracy-vs-AXIS[-CONDITION], distance-vs-AXIS[-CONDITION] (to Gaussian OPTA) and, of 100 channels a cell,
    outage[-CONDITION]. The axis of the study is always drawn; another one where the study sweeps it too and few conditions come of it.

    Args:
        rows: results, a row for each cell and channel draw; columns that are absent are taken as unknown, others do no harm.
        meta: about the study.
        folder: where files go; made if it is absent.

    Returns:
        The files, the page first.

    Raises:
        ValueError: `rows` is no data frame, or meta.axis is no axis.
        ImportError: plotly, jinja2 (extra `report`) or matplotlib (extra `plot`) is not installed.
        OSError: a file cannot be written.
    """
    if not isinstance(rows, pl.DataFrame):
        raise ValueError(f"rows must be a polars DataFrame, got {type(rows).__name__}")
    if meta.axis not in AXES:
        raise ValueError(f"meta.axis must be one of {', '.join(AXES)}, got {meta.axis!r}")
    folder = Path(folder)
    study = arrange_all(rows, meta.axis)
    plots = plot_all(study)
    note = describe_source(study.rows) + (", quick form" if meta.quick else "")
    drawn = [path for stem, some in plots.items() for path in draw_figures(some, folder / stem, note)]
    page = folder / "report.html"
    write_atomically(page, render_page(make_page(study, meta, plots, [path.name for path in drawn])).encode())
    return [page, *drawn]


def plot_all(study: Arrangements) -> dict[str, list[Plot]]:
    """Plot everything that a report draws, by the names of its files; outage is first where it is the study's axis."""
    plots: dict[str, list[Plot]] = {}
    outage = {"outage": plot_outage(collect_distributions(study.over_channels))}
    for table in study.drawn:
        plots[f"accuracy-vs-{table.axis.name}"] = plot_accuracy(table)
        plots[f"distance-vs-{table.axis.name}"] = plot_distance(table)
    return outage | plots if study.main.axis.name == "outage" else plots | outage


def make_page(study: Arrangements, meta: ReportMeta, plots: dict[str, list[Plot]], files: list[str]) -> Page:
    """Make the charts, tables and sentences of the page.

    Args:
        study: its rows, arranged.
        meta: about the study.
        plots: what `plot_all` gives.
        files: names of the figures beside the page, to link to.
    """
    main = study.main
    charts = {name: make_charts(some, name) for name, some in plots.items()}
    sections = [
        Section(
            words=table.axis.words,
            charts=charts[f"accuracy-vs-{table.axis.name}"],
            distances=charts[f"distance-vs-{table.axis.name}"],
            comparisons=compare_methods(table),
        )
        for table in study.drawn
    ]
    traded = plot_trade_off(main)
    return Page(
        meta=meta,
        setup=list_setup(study.rows),
        sections=sections,
        outage=_make_outage(study.over_channels, charts["outage"]),
        traded=make_chart(traded.plots, [""] * len(traded.plots), "trade-off", same_x=False) if traded.plots else None,
        setting=traded.setting,
        power=tabulate_power(main),
        papr=tabulate_papr(main),
        digital=find_digital_wins(main),
        statuses=tabulate_statuses(main),
        gaps=find_gaps(main),
        facts=list_facts(study.rows),
        bands=_list_bands(study.drawn),
        unmeasured=[words for name, words in _MEASURED.items() if main.links[name].is_null().all()],
        separated=bool(study.rows["separation_nmse"].is_not_null().any()),
        files=files,
    )


def _make_outage(table: Arranged, charts: list[Chart]) -> Outage:
    found = collect_distributions(table)
    return Outage(charts, len(found), tabulate_outage(found), tabulate_fairness(table, found))


def _list_bands(tables: list[Arranged]) -> list[str]:
    """Word the rules of the bands of accuracy that occur."""
    found = {point.band for table in tables for curve in average_curves(table, "accuracy") for point in curve.points}
    return [words for band, words in BANDS.items() if band in found]


def render_page(page: Page) -> str:
    """Render the page as HTML that asks for nothing outside of itself."""
    jinja2 = import_extra("jinja2", "report")
    offline = import_extra("plotly.offline", "report")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    text: str = environment.get_template("report.html").render(
        page=page,
        charts=_write_script_data({chart.id: {"data": chart.data, "layout": chart.layout} for chart in page.charts}),
        plotly=offline.get_plotlyjs(),
        style=(_TEMPLATES / "report.css").read_text("utf-8"),
        script=(_TEMPLATES / "report.js").read_text("utf-8"),
    )
    return text


def _write_script_data(charts: dict[str, Any]) -> str:
    """Write JSON that may stand within a script element."""
    return json.dumps(charts, allow_nan=False, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c").replace("&", "\\u0026")

"""The report of a study: one HTML file that carries all it needs, and figures for a paper beside it; the same rows give the same bytes."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from latentlink.numerics.extras import import_extra
from latentlink.report.arrange import MOST_CONDITIONS, Arranged, Arrangements, arrange_all
from latentlink.report.changes import list_changes
from latentlink.report.columns import describe_source, list_facts, list_setup
from latentlink.report.curves import CAPACITY, average_curves, list_bands
from latentlink.report.digital import find_digital_wins
from latentlink.report.figures import WIDTH_IN, draw_figures
from latentlink.report.findings import describe_intervals, find_all
from latentlink.report.interactive import Chart, make_chart, make_charts
from latentlink.report.networks import compare_games, plot_errors, plot_users
from latentlink.report.outage import collect_distributions, plot_outage, tabulate_fairness, tabulate_outage
from latentlink.report.pilot_prices import tabulate_pilot_costs
from latentlink.report.plots import Plot, choose_frames, plot_accuracy, plot_distance, plot_tasks, plot_trade_off
from latentlink.report.tables import TOLERANCE, compare_methods, find_gaps, tabulate_papr, tabulate_power, tabulate_statuses
from latentlink.storage.atomic import write_atomically
from latentlink.studies.experiments import Experiment

_NARROWEST_IN, _WIDEST_IN = 2.0, 20.0  # figures
_LISTED = 20  # failed cells that the page names
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
        changes: what was run otherwise than the study file says, in words.
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
    changes: tuple[str, ...] = ()


def write_report(
    rows: pl.DataFrame, meta: ReportMeta, folder: str | Path, *, panel: str | None = None, width_in: float = WIDTH_IN
) -> list[Path]:
    """Write report.html and its figures as .pdf and .png into a folder, each whole or not at all; the page is the first file returned.

    Figures are accuracy-vs-AXIS[-CONDITION], distance-vs-AXIS[-CONDITION] (to Gaussian OPTA), of 100 channels a cell outage[-CONDITION],
    and of networks errors-vs-AXIS[-CONDITION], users-vs-AXIS-user-K[-CONDITION] and anarchy[-CONDITION]. The axis of the study is always
    drawn; another one where the study sweeps it too and few conditions come of it.

    Args:
        rows: results, a row for each cell and channel draw; absent columns count as unknown, further ones are ignored.
        meta: about the study.
        folder: where files go; made if it is absent.
        panel: a column, such as accuracy or nmse, of which there are figures of its own, too: PANEL-alone-vs-AXIS[-CONDITION].
        width_in: width of the figures in inches.

    Raises:
        ValueError: `rows` is no data frame, meta.axis is no axis, nothing draws the panel, or the width is too small or large.
        ImportError: plotly, jinja2 (extra `report`) or matplotlib (extra `plot`) is not installed.
        OSError: a file cannot be written.
    """
    if not isinstance(rows, pl.DataFrame):
        raise ValueError(f"rows must be a polars DataFrame, got {type(rows).__name__}")
    if not _NARROWEST_IN <= width_in <= _WIDEST_IN:
        raise ValueError(f"width must be between {_NARROWEST_IN:g} and {_WIDEST_IN:g} inches, got {width_in:g}: a paper's column has 3.5")
    folder = Path(folder)
    study = arrange_all(rows, meta.axis)
    plots = plot_all(study)
    note = describe_source(study.rows) + (", quick form" if meta.quick else "")
    figures = plots if panel is None else plots | plot_alone(plots, panel)
    drawn = [path for stem, some in figures.items() for path in draw_figures(some, folder / stem, note, width_in)]
    page = folder / "report.html"
    write_atomically(page, render_page(make_page(study, meta, plots, [path.name for path in drawn])).encode())
    return [page, *drawn]


def plot_all(study: Arrangements) -> dict[str, list[Plot]]:
    """Plot everything that a report draws, by the names of its files; outage is first where it is the study's axis."""
    plots: dict[str, list[Plot]] = {}
    outage = {"outage": plot_outage(collect_distributions(study.over_channels))}
    for table in study.drawn:
        plots[f"accuracy-vs-{table.axis.name}"] = plot_accuracy(table)
        plots[f"tasks-vs-{table.axis.name}"] = plot_tasks(table)
        plots[f"distance-vs-{table.axis.name}"] = plot_distance(table)
        plots[f"errors-vs-{table.axis.name}"] = plot_errors(table)
        plots[f"users-vs-{table.axis.name}"] = plot_users(table)
    plots["anarchy"] = list(compare_games(study.main).plots)
    return outage | plots if study.main.axis.name == "outage" else plots | outage


def plot_alone(plots: dict[str, list[Plot]], panel: str) -> dict[str, list[Plot]]:
    """Plot one panel without those above and below it, by the names of its files."""
    alone = {stem: choose_frames(some, panel) for stem, some in plots.items()}
    found = {f"{panel}-alone-{stem.partition('-')[2]}": some for stem, some in alone.items() if some}
    if not found:
        drawn = dict.fromkeys(frame.value for some in plots.values() for plot in some for frame in plot.frames if frame.value)
        raise ValueError(f"panel must be one that the report of this study draws ({', '.join(drawn) or 'none'}), got {panel!r}")
    return found


def make_page(study: Arrangements, meta: ReportMeta, plots: dict[str, list[Plot]], files: list[str]) -> dict[str, Any]:
    """Make the charts, tables and sentences of the page, by the names under which its template shows them; `files` are linked to."""
    main, rows = study.main, study.rows
    charts = {name: make_charts(some, name) for name, some in plots.items()}
    traded, setting = plot_trade_off(main)
    trade_off = [make_chart(traded, [""] * len(traded), "trade-off", same_x=False)] if traded else []
    points = [point for table in study.drawn for curve in average_curves(table, "accuracy") for point in curve.points]
    other_task = ("accuracy",) if main.links["r2"].is_not_null().any() else ()  # a regression has none
    everything = [*(chart for some in charts.values() for chart in some), *trade_off]
    return {
        "meta": meta,
        "charts": everything,
        "references": sorted({chart.reference for chart in everything} - {""}, reverse=True),  # the paper's first
        "setup": [*list_setup(rows), ("form", word_form(meta))],
        "findings": find_all(main),
        "intervals": describe_intervals(main),
        "sections": [_make_section(table, charts) for table in study.drawn],
        "outage": _make_outage(study.over_channels, charts["outage"]),
        "trade_off": trade_off,
        "setting": setting,
        "power": tabulate_power(main),
        "papr": tabulate_papr(main),
        "digital": find_digital_wins(main),
        "pilot_costs": tabulate_pilot_costs(main),
        "network": _make_network(study, charts),
        "statuses": tabulate_statuses(main),
        "gaps": find_gaps(main),
        "facts": list_facts(rows),
        "bands": list_bands(points),
        "unmeasured": [words for name, words in _MEASURED.items() if name not in other_task and main.links[name].is_null().all()],
        "accurate": main.links["accuracy"].is_not_null().any(),
        "separated": bool(rows["separation_nmse"].is_not_null().any()),
        "files": files,
        "tolerance": TOLERANCE,
    }


def word_form(meta: ReportMeta) -> str:
    """Say whether this is the study as its file has it, its quick form, or one changed by overrides, with what was changed."""
    changes = "; ".join(meta.changes)
    if meta.quick:
        return f"QUICK, smaller than the study: {changes}" if changes else "QUICK, smaller than the study"
    return f"not as in the study file: {changes}" if changes else "in full, as in the study file"


def _make_section(table: Arranged, charts: dict[str, list[Chart]]) -> dict[str, Any]:
    """Make the part of the page along one axis: accuracy and NMSE, distances to Gaussian OPTA, and tables."""
    along = f"vs-{table.axis.name}"
    drawn = charts[f"accuracy-{along}"] + charts[f"tasks-{along}"]
    return {
        "words": table.axis.words,
        "charts": drawn,
        "bounded": any(trace["name"] == CAPACITY for chart in drawn for trace in chart.data),
        "distances": charts[f"distance-{along}"],
        "comparisons": compare_methods(table),
    }


def _make_network(study: Arrangements, charts: dict[str, list[Chart]]) -> dict[str, Any]:
    """Make the part of the page on networks: errors, users, and games beside cooperation."""
    along = [f"vs-{table.axis.name}" for table in study.drawn]
    return {
        "errors": [chart for name in along for chart in charts[f"errors-{name}"]],
        "users": [chart for name in along for chart in charts[f"users-{name}"]],
        "anarchy": charts["anarchy"],
        "prices": compare_games(study.main).tables,
    }


def _make_outage(table: Arranged, charts: list[Chart]) -> dict[str, Any]:
    """Make the part of the page on the distribution over channels."""
    found = collect_distributions(table)
    return {
        "charts": charts,
        "conditions": len(found),
        "tables": tabulate_outage(found),
        "fairness": tabulate_fairness(table, found),
        "most": MOST_CONDITIONS,
    }


@cache
def _templates() -> Any:
    """The templates, which jinja compiles where they are asked for first."""
    jinja2 = import_extra("jinja2", "report")
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )


def render_page(page: dict[str, Any]) -> str:
    """Render the page as HTML that asks for nothing outside of itself."""
    offline = import_extra("plotly.offline", "report")
    charts = {chart.id: {"data": chart.data, "layout": chart.layout} for chart in page["charts"]}
    data = json.dumps(charts, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    return (
        _templates()
        .get_template("report.html")
        .render(
            page=page,
            charts=data.replace("<", "\\u003c").replace("&", "\\u0026"),  # may stand within a script element
            plotly=offline.get_plotlyjs(),
            style=(_TEMPLATES / "report.css").read_text("utf-8"),
            script=(_TEMPLATES / "report.js").read_text("utf-8"),
        )
    )


def report_study(experiment: Experiment, panel: str | None = None, width_in: float = WIDTH_IN) -> list[Path]:
    """Write report.html and the figures of an experiment into its folder; takes, returns and raises as `write_report`."""
    study, results = experiment.study, experiment.results
    runs = results.runs()
    missing = experiment.missing
    failed = [cell for cell in missing if results.failure(cell).is_file()]
    meta = ReportMeta(
        name=study.name,
        title=study.title or study.name,
        description=study.description,
        axis=study.axis,
        study_text=experiment.text,
        command=runs[-1]["command"] if runs else "",
        wall_s=sum(run["seconds"] for run in runs),
        done=len(experiment.cells) - len(missing),
        missing=len(missing) - len(failed),
        failed=len(failed),
        absent=tuple(f"{cell.method.title}, seed {cell.seed}: failed" for cell in failed[:_LISTED]),
        quick=experiment.quick,
        changes=tuple(list_changes(experiment)),
    )
    return write_report(experiment.rows(), meta, results.folder, panel=panel, width_in=width_in)

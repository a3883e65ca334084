"""The report of a study as the room of studies keeps it: its rows, and what is said of how it was run."""

from pathlib import Path

from latentlink.report.page import ReportMeta, write_report
from latentlink.studies.experiments import Experiment

_LISTED = 20  # failed cells that the page names


def report_study(experiment: Experiment) -> list[Path]:
    """Write report.html and the figures of an experiment into its folder; returns and raises as `write_report`."""
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
        command=runs[-1]["command"] if runs else f"latentlink.studies.run({study.name!r})",
        wall_s=sum(run["seconds"] for run in runs),
        done=len(experiment.cells) - len(missing),
        missing=len(missing) - len(failed),
        failed=len(failed),
        absent=tuple(f"{cell.method.title}, seed {cell.seed}: failed" for cell in failed[:_LISTED]),
        quick=experiment.quick,
    )
    return write_report(experiment.rows(), meta, results.folder)

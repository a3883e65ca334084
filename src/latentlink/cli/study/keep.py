"""`latentlink study keep`: what the documentation shows of studies."""

import fnmatch
import io
import shutil
from pathlib import Path

from latentlink.cli.console import messages, write_table, wrote
from latentlink.cli.study.run import run_experiment
from latentlink.report.study import report_study
from latentlink.storage.atomic import write_atomically
from latentlink.studies.archive import note_old_limits, summarise_points
from latentlink.studies.averages import as_markdown, summarise
from latentlink.studies.experiments import Experiment, open_experiment
from latentlink.studies.spec.reading import read_study


def keep(
    *files: Path,
    jobs: int = 2,
    device: str = "cpu",
    output: Path = Path("results"),
    docs: Path = Path("docs/results"),
    archive: Path = Path("results/archive"),
) -> None:
    """Run studies and put their tables and figures where the documentation shows them, and their rows into an archive.

    Each study is run with the overrides of its `docs` section. DOCS/NAME.md is the table, DOCS/NAME.csv the means of all that was
    measured, DOCS/NAME-FIGURE.png each figure that the section names; ARCHIVE/NAME.parquet holds all rows.

    Example: `latentlink study keep studies/comparison.yaml studies/codec/*.yaml`

    Parameters
    ----------
    files
        Studies, YAML files.
    jobs
        Cells at a time; the results do not depend on it.
    device
        Torch device, "cpu" or "cuda".
    output
        Folder under which the results of studies are kept.
    docs
        Folder for tables and figures.
    archive
        Folder for the rows.
    """
    if not files:
        raise ValueError("name at least one study file")
    for file in files:
        experiment = open_experiment(file, read_study(file).docs.overrides, output=output)
        messages.print(f"{file}", highlight=False, markup=False)
        run_experiment(experiment, jobs, device)
        keep_experiment(experiment, docs, archive)


def keep_experiment(experiment: Experiment, docs: Path, archive: Path) -> None:
    """Write the table, the means and the figures of a finished experiment to `docs`, and its rows to `archive`."""
    name, rows = experiment.study.name, experiment.rows()
    table, means, kept = docs / f"{name}.md", docs / f"{name}.csv", archive / f"{name}.parquet"
    note = note_old_limits(rows)
    write_atomically(table, (as_markdown(summarise(rows)) + (f"\n{note}\n" if note else "")).encode())
    text = io.StringIO()
    summarise_points(rows).write_csv(text)
    write_atomically(means, text.getvalue().encode())
    write_table(kept, rows)
    wrote(table, means, kept)
    wanted = experiment.study.docs.figures
    for figure in report_study(experiment) if wanted else ():
        if any(fnmatch.fnmatch(figure.name, pattern) for pattern in wanted):
            target = docs / f"{name}-{figure.name}"
            shutil.copyfile(figure, target)
            wrote(target)

"""`latentlink study keep` and `archive`: what the documentation shows of studies, and their rows as one file."""

import fnmatch
import shutil
from pathlib import Path

from latentlink.cli.console import messages, out, wrote
from latentlink.cli.options import KEPT, Device, Jobs, Results, StudyFile
from latentlink.cli.study import run_experiment
from latentlink.report.page import report_study
from latentlink.storage.atomic import atomic_path, write_atomically
from latentlink.studies.averages import as_markdown, summarise, summarise_points
from latentlink.studies.experiments import Experiment, open_experiment
from latentlink.studies.result_files import write_archive
from latentlink.studies.spec.reading import read_study


def keep(
    *files: StudyFile,
    jobs: Jobs = 2,
    device: Device = "cpu",
    output: Results = KEPT,
    docs: Path = Path("docs/results"),
    archive: Path = Path("results/archive"),
) -> None:
    """Run studies and put their tables and figures where the documentation shows them, and their rows into an archive.

    Each study is run with the overrides of its `docs` section. DOCS/NAME.md is the table, DOCS/NAME.csv the means of all that was
    measured, DOCS/NAME-FIGURE.png each figure that the section names; ARCHIVE/NAME.parquet holds all rows.

    Example: `latentlink study keep studies/comparison.yaml studies/codec/*.yaml`

    Parameters
    ----------
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
    write_atomically(table, as_markdown(summarise(rows)).encode())
    write_atomically(means, summarise_points(rows).write_csv().encode())
    with atomic_path(kept) as draft:
        rows.write_parquet(draft)
    wrote(table, means, kept)
    wanted = experiment.study.docs.figures
    for figure in report_study(experiment) if wanted else ():
        if any(fnmatch.fnmatch(figure.name, pattern) for pattern in wanted):
            target = docs / f"{name}-{figure.name}"
            shutil.copyfile(figure, target)
            wrote(target)


def archive(folder: Path, path: Path) -> None:
    """Write the rows of studies into one archive, and print its SHA-256; the same rows give the same archive.

    Parameters
    ----------
    folder
        Folder of the rows, NAME.parquet, as `latentlink study keep` writes them.
    path
        The archive to write, a .tar file.
    """
    digest = write_archive(folder, path)
    wrote(path)
    out.print(f"SHA-256 {digest}", highlight=False, markup=False, soft_wrap=True)

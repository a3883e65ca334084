"""`latentlink study status`: how far a study is."""

from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from latentlink.cli.console import facts, out
from latentlink.studies.experiments import open_experiment


def status(file: Path, *overrides: str, quick: bool = False, output: Path = Path("results")) -> None:
    """List how many cells of each method are done, missing or failed.

    Parameters
    ----------
    file
        The study, a YAML file.
    overrides
        Other values, `key=value` by dotted name, as for `run`.
    quick
        Take the study's small form.
    output
        Folder under which the results of studies are kept.
    """
    experiment = open_experiment(file, overrides, quick=quick, output=output)
    study, results = experiment.study, experiment.results
    table = Table(title=escape(f"{study.name}: {study.title}"), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("method", overflow="fold")
    for column in ("done", "missing", "failed"):
        table.add_column(column, justify="right", no_wrap=True)
    for title in dict.fromkeys(cell.method.title for cell in experiment.cells):
        mine = [cell for cell in experiment.cells if cell.method.title == title]
        done = sum(results.done(cell) for cell in mine)
        failed = sum(results.failure(cell).is_file() and not results.done(cell) for cell in mine)
        table.add_row(escape(title), str(done), str(len(mine) - done - failed), str(failed))
    out.print(table)
    facts("", [("results", results.folder), ("cells", len(experiment.cells))])

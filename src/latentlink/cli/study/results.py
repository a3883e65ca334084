"""`latentlink study results`: the table of a study."""

from pathlib import Path

from latentlink.cli.console import print_table, wrote
from latentlink.storage.atomic import write_atomically
from latentlink.studies.averages import as_markdown, as_text, summarise
from latentlink.studies.experiments import open_experiment
from latentlink.studies.rows import SETTINGS


def results(file: Path, *overrides: str, quick: bool = False, output: Path = Path("results"), markdown: Path | None = None) -> None:
    """Print the means over seeds of every method and point, and write all rows as one Parquet file.

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
    markdown
        Also write the printed table as Markdown into this file.
    """
    experiment = open_experiment(file, overrides, quick=quick, output=output)
    rows = experiment.rows()
    table = summarise(rows)
    shown = [as_text(row, table.columns) for row in table.iter_rows()]
    settings = sum(name in SETTINGS for name in table.columns)
    print_table(f"{experiment.study.name}: {experiment.study.title}", table.columns, shown, fixed=1 + settings)
    wrote(experiment.results.write_table(rows))
    if markdown is not None:
        write_atomically(markdown, as_markdown(table).encode())
        wrote(markdown)

"""`latentlink study report`: the page and the figures of a study."""

from pathlib import Path

from latentlink.cli.console import wrote
from latentlink.report.study import report_study
from latentlink.studies.experiments import open_experiment


def report(file: Path, *overrides: str, quick: bool = False, output: Path = Path("results")) -> None:
    """Write the report of a study, report.html, and its figures, from its result files alone.

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
    wrote(*report_study(open_experiment(file, overrides, quick=quick, output=output)))

"""`latentlink study`: experiments as files, from which every table and figure is made; a file for each command."""

import cyclopts

_COMMANDS = {
    "run": "Run the cells of a study that have no result yet; an interruption loses at most the cells under way.",
    "status": "List how many cells of each method are done, missing or failed.",
    "results": "Print the means over seeds of every method and point, and write all rows as one Parquet file.",
    "report": "Write the report of a study and its figures, from its result files alone.",
    "keep": "Run studies and put their tables and figures where the documentation shows them, and their rows into an archive.",
    "archive": "Write the rows of studies into one archive, and print its SHA-256.",
    "schema": "Write the JSON Schema of study files, by which editors complete and check them.",
}

app = cyclopts.App(name="study", help="Run experiments that are described by a YAML file, and look at them.")
for _name, _help in _COMMANDS.items():
    app.command(f"latentlink.cli.study.{_name}:{_name}", name=_name, help=_help)

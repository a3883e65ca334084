"""`latentlink study`: experiments as files, from which every table and figure is made; a file for each command.

Read `run` (and `status`), `results`, `report`, `keep` and `archive`, `schema`.
"""

import cyclopts

from latentlink.cli.lazy import register

app = cyclopts.App(name="study", help="Run experiments that are described by a YAML file, and look at them.")
for _name in ("run", "status", "results", "report", "keep", "archive", "schema"):
    register(app, "latentlink.cli.study", _name)

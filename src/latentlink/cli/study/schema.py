"""`latentlink study schema`: the JSON Schema of study files."""

import json
from pathlib import Path

from latentlink.cli.console import wrote
from latentlink.storage.atomic import write_atomically
from latentlink.studies.spec.study import Study


def schema(path: Path) -> None:
    """Write the JSON Schema of study files, by which editors complete and check them.

    Parameters
    ----------
    path
        The file to write, studies/study.schema.json in this repository.
    """
    write_atomically(path, json.dumps(Study.model_json_schema(), indent=1).encode())
    wrote(path)

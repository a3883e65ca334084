"""Arguments that several commands have, each with its help: they are the types of the commands' parameters."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

StudyFile = Annotated[Path, Parameter(help="The study, a YAML file.")]
Overrides = Annotated[
    str,
    Parameter(
        help="Other values, `key=value` by dotted name; `key=a,b,c` sweeps. Entries of `methods` go by name: `methods.neural.epochs=5`."
    ),
]
Quick = Annotated[bool, Parameter(help="Take the study's small form.")]
Jobs = Annotated[int, Parameter(help="Cells at a time; the results do not depend on it.")]
Results = Annotated[Path, Parameter(help="Folder under which the results of studies are stored.")]
Device = Annotated[str, Parameter(help='Torch device, "cpu" or "cuda".')]
KEPT = Path("results")

"""Arguments that several commands have, each with its help: they are the types of the commands' parameters."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from latentlink.data.readers.pooling import Pooling

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
Cluster = Annotated[
    str | None,
    Parameter(help="Compute on a Dask cluster: the address of its scheduler, tcp://HOST:PORT, or a number of workers to start here."),
]
Device = Annotated[str, Parameter(help='Torch device, "cpu" or "cuda".')]
KEPT = Path("results")


@dataclass(frozen=True)
class Reading:
    """How files of latents, labels and channels are read.

    Parameters
    ----------
    columns
        Names or patterns, such as "f*", of the columns of a table that are features.
    pool
        How token latents (n, T, d) and feature maps (n, C, H, W) become vectors.
    on
        The column of both tables that names the observation; `id` where both have it, else rows are paired by their order.
    axes
        What the axes of --channel count: latentlink, matlab, quadriga, deepmimo, sionna, or names in order such as "rx tx n".
    """

    columns: tuple[str, ...] = ()
    pool: Pooling | None = None
    on: str | None = None
    axes: str | None = None


USUAL_READING = Reading()
ReadingOptions = Annotated[Reading, Parameter(name="*", group="Reading")]

"""Arguments that several commands have, each with its help: they are the types of the commands' parameters."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter, Token

from latentlink.data.readers.pooling import Pooling


def _whole(kind: Any, tokens: Sequence[Token]) -> int:
    """Read an integer as it is written: 1.5 is none, nor are 0x10 and 1_000."""
    text = tokens[0].value.strip()
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        limit = " of at most 18 digits" if re.fullmatch(r"[+-]?[0-9]+", text) else ""
        raise ValueError(f"must be an integer{limit}, got {text[:80]!r}")
    return int(text)


def _real(kind: Any, tokens: Sequence[Token]) -> float:
    """Read a number; infinite ones only where they are written so, and for the command to judge."""
    text = tokens[0].value.strip()
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if math.isnan(number) or "_" in text or (math.isinf(number) and "inf" not in text.lower()):
        raise ValueError(f"must be a number, got {text!r}")
    return number


def _auto_or_real(kind: Any, tokens: Sequence[Token]) -> float | str:
    return "auto" if tokens[0].value == "auto" else _real(kind, tokens)


Integer = Annotated[int, Parameter(converter=_whole)]
Number = Annotated[float, Parameter(converter=_real)]
AutoOrNumber = Annotated[Literal["auto"] | float, Parameter(converter=_auto_or_real)]
StudyFile = Annotated[Path, Parameter(help="The study, a YAML file.")]
Overrides = Annotated[
    str,
    Parameter(
        help="Other values, `key=value` by dotted name; `key=a,b,c` sweeps. Entries of `methods` go by name: `methods.neural.epochs=5`."
    ),
]
Quick = Annotated[bool, Parameter(help="Take the study's small form.")]
Jobs = Annotated[int, Parameter(converter=_whole, help="Cells at a time; the results do not depend on it.")]
Results = Annotated[Path, Parameter(help="Folder under which the results of studies are stored.")]
Cluster = Annotated[
    str | None,
    Parameter(help="Compute on a Dask cluster: the address of its scheduler, tcp://HOST:PORT, or a number of workers to start here."),
]
Together = Annotated[
    int | None,
    Parameter(
        converter=_whole,
        help="Train the networks of the method `neural` in batches of at most so many, on all cores, before their cells are run. Their "
        "numbers differ in the last digits from those of a run without it. Not with --cluster.",
    ),
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

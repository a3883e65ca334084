"""Paths of the Hugging Face Hub: their data set, or one sentence with the path, whatever went wrong on the way there."""

import os
from typing import Any

from latentlink.numerics.extras import import_extra

_HUB = "hf://"


def is_on_hub(source: object) -> bool:
    """Tell whether a source is a path of the Hub."""
    return isinstance(source, str | os.PathLike) and os.fspath(source).startswith(_HUB)


def load_from_hub(address: str) -> Any:
    """Load the Parquet files at a path of the Hub as a data set of Hugging Face.

    Raises:
        OSError: the Hub cannot be reached, or has no such file; its libraries raise errors of many kinds.
        ImportError: the package `datasets` is not installed.
    """
    load_dataset = import_extra("datasets", "huggingface").load_dataset
    try:
        return load_dataset("parquet", data_files=address, split="train")
    except Exception as error:
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise OSError(
            f"{address}: cannot be read from the Hugging Face Hub ({reason}): look at the network and at the path, "
            "hf://datasets/OWNER/NAME/FILE.parquet"
        ) from error

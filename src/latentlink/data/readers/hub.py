"""Paths of the Hugging Face Hub: whatever goes wrong on the way there is told in one sentence, with the path."""

from collections.abc import Iterator
from contextlib import contextmanager

from latentlink.data.readers.content import FileContentError

HUB = "hf://"


@contextmanager
def told_of_hub(source: object) -> Iterator[None]:
    """Raise an OSError that names a path of the Hub for whatever its libraries raise within; other sources are left alone."""
    try:
        yield
    except (ImportError, FileContentError):
        raise
    except Exception as error:
        if not str(source).startswith(HUB):
            raise
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise OSError(
            f"{source}: cannot be read from the Hugging Face Hub ({reason}): look at the network and at the path, "
            "hf://datasets/OWNER/NAME/FILE.parquet"
        ) from error

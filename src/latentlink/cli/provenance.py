"""What the provenance of an artifact says of the files that a command was given."""

from pathlib import PurePath

from latentlink.latents.pilots import Pilots
from latentlink.storage.provenance import DataRecord

_WILD = set("*?[")


def data_records(pilots: Pilots, transmitter: str, receiver: str, labels: str | None) -> tuple[DataRecord, ...]:
    """The records of pilots that were read from files: latents of both ends, and labels where there are any."""
    named = [("pilots at the transmitter", transmitter, pilots.x), ("pilots at the receiver", receiver, pilots.y)]
    if pilots.labels is not None:
        named.append(("labels of the pilots", receiver if labels is None else labels, pilots.labels))
    return tuple(DataRecord.of(role, file_name(source), values) for role, source, values in named)


def channel_name(channel: str | None, seed: int | None) -> str:
    """Where the channels come from."""
    return f"a Rayleigh draw of seed {seed or 0}" if channel is None else file_name(channel)


def file_name(source: str) -> str:
    """The name of a source without the folders of this machine; a pattern keeps the one that it lies in."""
    path, _, key = source.partition("::")
    parts = PurePath(path).parts
    kept = parts[-2:] if _WILD & set(parts[-1] if parts else "") else parts[-1:]
    return "/".join(kept) + (f"::{key}" if key else "")

"""Checkpoints of what is computed block by block: a file that says how far it is, and of what.

It is written atomically every few seconds, when the work is interrupted and when it is done, and holds the very numbers, so that what is
computed after an interruption is equal to the bit. It is taken up only where it is whole and the sources and settings are the same;
otherwise it is refused, and left as it is.

Sources are taken for the same where their names, sizes and times are. Where only a time differs, as after a copy, the rows that were read
are read again, and their digest decides; rows that were not read yet may have changed, for the result is that of what they are now.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from latentlink.storage.artifacts import ArtifactError, read, save
from latentlink.storage.provenance import digest_of

_EVERY_S = 5.0  # seconds between two files, of which writing takes at most a twentieth
_SHARE = 20.0
_NAMED = 5  # touched files that a message names


class CheckpointError(ValueError):
    """A checkpoint cannot be taken up; the message says why, and that deleting it begins anew.

    Example:
        >>> import torch, latentlink as ll
        >>> ll.data.write_array("x.npy", torch.eye(100, 8))
        >>> marginal = ll.data.marginal_of_shards("x.npy", checkpoint="half.safetensors")
        >>> ll.data.moments_of_shards("x.npy", "x.npy", checkpoint="half.safetensors")
        Traceback (most recent call last):
            ...
        latentlink.data.sharded.checkpoint.CheckpointError: half.safetensors: is a marginal, and no checkpoint of moments. ...
    """


@dataclass(frozen=True)
class _Content:
    tensors: dict[str, Tensor]
    facts: dict[str, Any]

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        return self.tensors, self.facts


class Stored(NamedTuple):
    """What a checkpoint holds.

    Attributes:
        tensors: by name.
        facts: plain values by name.
        finished: True where the work was done.
        touched: files of the same name and size whose time differs, so that the rows that were read of them have to be compared.
    """

    tensors: dict[str, Tensor]
    facts: dict[str, Any]
    finished: bool
    touched: tuple[str, ...] = ()


class Checkpoint:
    """The file of a computation that may be interrupted.

    Attributes:
        path: the file.
        kind: the kind of artifact that it becomes.
        work: sources and settings by name, as plain values: what the result depends on.
    """

    def __init__(self, path: str | os.PathLike[str], kind: str, work: dict[str, Any]) -> None:
        self.path, self.kind, self.work = Path(path), kind, work
        self._due = time.monotonic() + _EVERY_S

    def read(self) -> Stored | None:
        """Read what was stored; None where there is no file.

        Raises:
            CheckpointError: it is damaged, of another kind, or of other sources or settings.
        """
        try:
            tensors, facts = read(self.path)
        except FileNotFoundError:
            return None
        except ArtifactError as error:
            raise self.refused(str(error)) from error
        if facts["kind"] not in (self.kind, f"unfinished {self.kind}") or not isinstance(facts.get("work"), dict):
            raise self.refused(f"{self.path}: is a {facts['kind']}, and no checkpoint of {self.kind}")
        changed = [name for name, value in self.work.items() if facts["work"].get(name) != value]
        touched = [_list_touched(facts["work"].get(name), self.work[name]) for name in changed]
        if not all(touched) or (changed and "rows_read" not in facts):
            details = "; ".join(_difference(name, facts["work"].get(name), self.work[name]) for name in changed)
            raise self.refused(f"{self.path}: is of other work: {details}")
        return Stored(tensors, facts, facts["kind"] == self.kind, tuple(file for files in touched for file in files))

    def check_rows(self, stored: Stored, digest: Callable[[], str]) -> None:
        """Compare the rows that were read before with those of now, where any file was touched; `digest` reads them again.

        Raises:
            CheckpointError: they are not the same.
        """
        if stored.touched and digest() != stored.facts["rows_read"]:
            files = ", ".join(stored.touched[:_NAMED]) + (", …" if len(stored.touched) > _NAMED else "")
            several = "one of " if len(stored.touched) > 1 else ""
            raise self.refused(f"{self.path}: is of other work: rows that were read have changed in {several}{files}")

    def refused(self, reason: str) -> CheckpointError:
        """The error of a checkpoint that cannot be taken up."""
        return CheckpointError(f"{reason}. Delete it to begin anew, or name another file")

    def write(self, tensors: dict[str, Tensor], facts: dict[str, Any], rows_read: str, *, finished: bool = False) -> None:
        """Write atomically, with the digest of all rows that were read; raises an OSError where that is not possible."""
        began = time.monotonic()
        content = _Content(tensors, facts | {"work": self.work, "rows_read": rows_read})
        save(self.kind if finished else f"unfinished {self.kind}", content, self.path)
        now = time.monotonic()
        self._due = now + max(_EVERY_S, _SHARE * (now - began))

    def is_due(self) -> bool:
        """True where the last file is some seconds old."""
        return time.monotonic() >= self._due


def digest_of_block(latents: Sequence[Tensor]) -> str:
    """The digest of a block of rows."""
    return " ".join(map(digest_of, latents))


def digest_of_blocks(blocks: Iterable[str], before: str = "") -> str:
    """The digest of all blocks so far, in order, of their own digests; `before` is that of the blocks before them."""
    for block in blocks:
        before = hashlib.sha256(f"{before} {block}".encode()).hexdigest()
    return before


def _list_touched(before: Any, now: Any) -> list[str]:
    """The files of which nothing but the time differs; [] where anything else does."""
    if not isinstance(before, list) or not isinstance(now, list) or len(before) != len(now):
        return []
    for a, b in zip(before, now, strict=True):
        same = isinstance(a, list) and isinstance(b, list) and len(a) == len(b) == 3 and a[:2] == b[:2]
        if not same or not (isinstance(a[2], int) and isinstance(b[2], int)):
            return []
    return [str(b[0]) for a, b in zip(before, now, strict=True) if a != b]


def _difference(name: str, before: Any, now: Any) -> str:
    if isinstance(before, list) and isinstance(now, list):
        odd = next((a or b for a, b in zip(before, now, strict=False) if a != b), None)
        what = f"{odd[0]} differs" if isinstance(odd, list) and odd else f"{len(before)} files became {len(now)}"
        return f"{name}: {what}"
    return f"{name} was {before!r} and is {now!r}"

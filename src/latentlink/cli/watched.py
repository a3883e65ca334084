"""What `latentlink watch` begins with and leaves behind: a watch that is calibrated or goes on, and how far its source was read.

A source is known by its first message and by the last one that was read of it: received latents have noise, and none come twice. So the
same command goes on in a file that has grown, and reads another file from its beginning.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from latentlink.cli.options import Reading
from latentlink.cli.provenance import file_name
from latentlink.data.readers.content import Array
from latentlink.data.readers.following import name_of
from latentlink.data.readers.streams import Arrived, stream_latents
from latentlink.living.watch import Watch
from latentlink.storage.artifacts import load, read
from latentlink.storage.provenance import DataRecord, Plain, Provenance
from latentlink.tasks.heads import SoftmaxHead

_ROLE = "calibrating messages"
_READ, _FIRST, _LAST = "messages read of the last source", "SHA-256 of its first message", "SHA-256 of the last one read"
_MOST = 4096  # messages of a block


class Request(NamedTuple):
    """What a watch is to be calibrated on; None for what was not said.

    Attributes:
        head: the receiver's head.
        logits: True where messages are a head's outputs.
        calibrate: messages that arrived while all was well.
        false_alarms: mean number of messages between false alarms.
        shift: that is to be found soonest.
    """

    head: Path | None = None
    logits: bool = False
    calibrate: str | None = None
    false_alarms: float | None = None
    shift: float | None = None


@dataclass
class Session:
    """A watch with how it was made, and how far its source was read.

    Attributes:
        watch: as it is now.
        made: of what it was calibrated, and with which settings.
        read: messages of the source, watched now or before.
        first: digest of the first of them; "" before there is one.
        last: digest of the last of them.
    """

    watch: Watch
    made: Provenance
    read: int = 0
    first: str = ""
    last: str = ""
    _known: tuple[int, str, str] = field(default=(0, "", ""))

    @property
    def dimension(self) -> int:
        """Numbers of a message."""
        return self.made.data[0].shape[1]

    def save(self, path: Path) -> None:
        """Write the watch with how far its source was read."""
        place: dict[str, Plain] = {_READ: self.read, _FIRST: self.first, _LAST: self.last}
        self.watch.save(path, replace(self.made, settings={**self.made.settings, **place}))

    def unread(self, source: str, blocks: Iterator[Arrived]) -> Iterator[Arrived]:
        """The messages of a source that were not watched before, in blocks; `read`, `first` and `last` follow them.

        Raises:
            ValueError: they are of another dimension, or the source is the one that was watched, and what was watched of it is gone.
        """
        known, first, last = self._known
        name = name_of(source)
        for latents, times in blocks:
            if latents.shape[1] != self.dimension:
                raise ValueError(f"{name}: holds messages of {latents.shape[1]} numbers, expected {self.dimension} as in calibration")
            if not self.read:
                self.first = _digest(latents[0])
                known = known if self.first == first else 0
            start, self.read = self.read, self.read + len(latents)
            self.last = _digest(latents[-1])
            if start < known <= self.read and _digest(latents[known - start - 1]) != last:
                raise ValueError(
                    f"{name}: begins as what --state has watched, and message {known} is another: rename --state to begin anew"
                )
            skipped = min(max(0, known - start), len(latents))
            if skipped < len(latents):
                yield Arrived(latents[skipped:], None if times is None else times[skipped:])
        if self.read < known:
            raise ValueError(f"{name}: has {self.read} messages, fewer than the {known} of it that --state has watched: was it cut short?")


def begin(request: Request, state: Path | None, reading: Reading) -> Session:
    """A watch that goes on from its file where there is one, and else is calibrated.

    Raises:
        ValueError: there is too little to calibrate on, or the file is of a watch that was calibrated otherwise.
        OSError: a file cannot be read.
    """
    if state is None or not state.exists():
        return _calibrated(request, state, reading)
    watch = load(state, Watch)
    made = Provenance.from_facts(read(state)[1].get("provenance", Provenance().as_facts()))
    if not any(record.role == _ROLE for record in made.data):
        raise ValueError(
            f"{state}: is a watch that no `latentlink watch` has written, which does not say what a message is: load it in Python"
        )
    settings = dict(made.settings)
    known = int(settings.pop(_READ, 0)), str(settings.pop(_FIRST, "")), str(settings.pop(_LAST, ""))
    made = replace(made, settings=settings)
    _check_same(state, request, made, reading)
    return Session(watch, made, _known=known)


def _calibrated(request: Request, state: Path | None, reading: Reading) -> Session:
    """A watch from messages that arrived while all was well."""
    where = "" if state is None else f" (there is no {state} yet)"
    if request.calibrate is None:
        raise ValueError(f"--calibrate must name messages that arrived while all was well{where}: about 2000 or more, seen by no design")
    if (request.head is None) == (not request.logits):
        raise ValueError(f"give --head, the receiver's head, or else --logits where messages are its outputs already{where}")
    head: nn.Module = nn.Identity() if request.head is None else load(request.head, SoftmaxHead)
    clean = _clean(request.calibrate, reading)
    if isinstance(head, SoftmaxHead) and clean.shape[1] != head.in_features:
        raise ValueError(f"{request.calibrate}: holds messages of {clean.shape[1]} numbers, and {request.head} reads {head.in_features}")
    record = DataRecord.of(_ROLE, file_name(request.calibrate), clean)
    settings = _settings(request)
    watch = Watch.calibrated(head, clean, false_alarms=1 / float(settings["false alarms"]), shift=float(settings["shift"]))
    return Session(watch, Provenance((record,), settings))


def _clean(source: str, reading: Reading) -> Tensor:
    """All messages of a source to calibrate on; a ValueError where there are none, or none that came whole."""
    found = [each.latents for each in messages_of(source, reading)]
    if not found:
        raise ValueError(f"--calibrate {source}: holds no messages, or none that came whole; name about 2000 of when all was well")
    return torch.from_numpy(np.concatenate(found))


def _settings(request: Request) -> dict[str, Plain]:
    return {
        "head": "its outputs" if request.head is None else str(read(request.head)[1]["sha256"]),
        "false alarms": 2500.0 if request.false_alarms is None else request.false_alarms,
        "shift": 0.5 if request.shift is None else request.shift,
    }


def _check_same(state: Path, request: Request, made: Provenance, reading: Reading) -> None:
    """Refuse to go on with a watch that was calibrated otherwise than is asked for."""
    wanted = _settings(request)
    given = {"head": request.head is not None or request.logits, "false alarms": request.false_alarms is not None}
    given["shift"] = request.shift is not None
    other = [name for name, said in given.items() if said and made.settings.get(name) != wanted[name]]
    if request.calibrate is not None:
        clean = _clean(request.calibrate, reading)
        record = DataRecord.of(_ROLE, file_name(request.calibrate), clean)
        other += [_ROLE] if record.sha256 != made.data[0].sha256 else []
    if other:
        raise ValueError(
            f"{state}: is a watch of another {' and another '.join(other)}; name another --state, or remove it to calibrate anew"
        )


def messages_of(source: str, reading: Reading, time: str | None = None, follow: bool = False) -> Iterator[Arrived]:
    """The messages of a source in blocks, without those that a receiver marked as damaged in NAME.rows.npy beside NAME.npy.

    Raises:
        ValueError: as `stream_latents`, or the marks are not those of the messages.
    """
    whole = None if follow else _whole(Path(source))
    start = 0
    for latents, times in stream_latents(source, columns=reading.columns or None, pool=reading.pool, time=time, follow=follow):
        for first in range(0, len(latents), _MOST):
            part = slice(first, first + _MOST)
            block = Arrived(latents[part], None if times is None else times[part])
            if whole is not None:
                kept = whole[start : start + len(block.latents)]
                if len(kept) < len(block.latents):
                    raise ValueError(f"{Path(source).with_suffix('.rows.npy')}: has {len(whole)} numbers, fewer than {source} has messages")
                block = Arrived(block.latents[kept])
            start += len(latents[part])
            if len(block.latents):
                yield block


def _whole(source: Path) -> Array | None:
    """True for messages that came whole, by the numbers that a receiver wrote beside them; None where there are none."""
    if source.suffix.lower() != ".npy" or not (beside := source.with_suffix(".rows.npy")).is_file():
        return None
    try:
        rows = np.load(beside, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{beside}: cannot be read as .npy, it is damaged or something else ({error})") from error
    if rows.ndim != 1 or rows.dtype.kind != "i":
        raise ValueError(f"{beside}: must be whole numbers (n,), −1 for damaged messages, got {rows.dtype} {rows.shape}")
    return np.asarray(rows >= 0)


def _digest(message: Array) -> str:
    return hashlib.sha256(np.ascontiguousarray(message).tobytes()).hexdigest()

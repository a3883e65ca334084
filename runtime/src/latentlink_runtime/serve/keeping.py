"""What a receiver keeps of what it decoded: the values, at the end or as they come, a line of each frame, and a recording of the samples.

Values as they come are arrays in NumPy's format one after the other, so that whoever follows them knows what is complete.
"""

import csv
import io
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import numpy as np

from latentlink_runtime.iq.protocol import Block
from latentlink_runtime.iq.sigmf import SigMFSink
from latentlink_runtime.iq.sigmf_metadata import MAX_ANNOTATIONS
from latentlink_runtime.serve.decoded import Decoded

Array = np.ndarray[Any, Any]

COLUMNS = (
    "seconds",
    "sequence",
    "epoch",
    "messages",
    "lost_messages",
    "symbols",
    "lost_symbols",
    "noise_variance",
    "error_variance",
    "snr_db",
    "frequency",
    "clock_ppm",
)


class Kept:
    """What was decoded, for a file NAME.npy, and the number of each message, for NAME.rows.npy; −1 if it was lost.

    Numbers go on where the transmitter begins its file of n rows again, and count frames that only sounded the channel: message r is row
    r mod n.

    Attributes:
        path: NAME.npy, or None to keep nothing.
        most: messages that are kept.

    Raises:
        ValueError: the path does not end in .npy.
        FileNotFoundError: its folder is not there.
    """

    def __init__(self, path: Path | None, per_frame: int, most: int) -> None:
        if path is not None and path.suffix != ".npy":
            raise ValueError(f"--out must be a file NAME.npy, got {path}")
        if path is not None and not path.parent.is_dir():
            raise FileNotFoundError(f"{path}: there is no folder {path.parent}; make it first")
        self.path, self.most, self._per_frame, self._count = path, most, per_frame, 0
        self._values: list[Array] = []
        self._rows: list[Array] = []

    def __call__(self, decoded: Decoded) -> None:
        """Keep the messages of a frame."""
        if self.path is None or self._count >= self.most:
            return
        rows = decoded.sequence * self._per_frame + np.arange(len(decoded.values))
        self._values.append(decoded.values.astype(np.float32))
        self._rows.append(np.where(decoded.lost, -1, rows))
        self._count += len(rows)

    def close(self) -> None:
        """Write both files, if anything came."""
        if self.path is None or not self._values:
            return
        for path, parts in ((self.path, self._values), (self.path.with_suffix(".rows.npy"), self._rows)):
            draft = path.with_suffix(".part")
            with draft.open("wb") as file:
                np.save(file, np.concatenate(parts))
            draft.replace(path)


class ValueStream:
    """What was decoded, as it comes: for each frame an array (n, m) of its messages that were not damaged, in NumPy's format.

    An existing file is replaced. `latentlink watch` follows it, and `numpy.load` reads one frame after the other from the open file.

    Args:
        path: of the file; "-" is standard output, and None writes nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._file: BinaryIO | None = None if path is None else sys.stdout.buffer if str(path) == "-" else path.open("wb")

    def __call__(self, decoded: Decoded) -> None:
        """Write the messages of a frame, if any came whole."""
        if self._file is None or decoded.lost.all():
            return
        content = io.BytesIO()
        np.save(content, decoded.values[~decoded.lost].astype(np.float32))
        self._file.write(content.getvalue())
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None and self._file is not sys.stdout.buffer:
            self._file.close()


class FrameLog:
    """A CSV file with a line of each frame of messages, written as they come; columns are `COLUMNS`.

    Seconds count from the first frame. An existing file is replaced.

    Args:
        path: of the file; None writes nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._file: TextIO | None = None if path is None else path.open("w", newline="", encoding="utf-8")
        self._started: float | None = None
        if self._file is not None:
            csv.writer(self._file).writerow(COLUMNS)

    def __call__(self, decoded: Decoded) -> None:
        """Write the line of a frame."""
        if self._file is None:
            return
        now, frame = time.monotonic(), decoded.frame
        self._started = now if self._started is None else self._started
        counts = len(decoded.lost), int(decoded.lost.sum()), len(frame.lost), int(frame.lost.sum())
        numbers = frame.noise_variance, float(frame.error_variance.mean()), frame.snr_db, frame.frequency, frame.clock_ppm
        written = (f"{number:.6g}" for number in (now - self._started, *numbers))
        seconds, *rest = written
        csv.writer(self._file).writerow([seconds, decoded.sequence, decoded.epoch, *counts, *rest])
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


class Recording:
    """A SigMF recording of all samples, in which each frame of messages is an annotation with its sequence number and its epoch.

    Args:
        sink: of the recording.

    Attributes:
        unmarked: frames that have no annotation, since a recording has room for so many.
    """

    def __init__(self, sink: SigMFSink) -> None:
        self._sink, self._ahead, self._marked, self.unmarked = sink, 0, 0, 0

    def block(self, block: Block) -> None:
        """Record a block of samples."""
        self._ahead = block.first - self._sink.written
        self._sink.write(block.samples)

    def __call__(self, decoded: Decoded) -> None:
        """Mark a frame of the samples that were recorded."""
        start = decoded.start - self._ahead
        if start < 0 or self._marked >= MAX_ANNOTATIONS:
            self.unmarked += 1
            return
        self._marked += 1
        self._sink.annotate(start, decoded.count, "frame", sequence=decoded.sequence, epoch=decoded.epoch)

    def close(self) -> None:
        """Write the metadata, which completes the recording."""
        self._sink.close()

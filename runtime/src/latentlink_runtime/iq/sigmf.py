"""Recordings in the Signal Metadata Format, by JSON and NumPy: NAME.sigmf-data has the samples, NAME.sigmf-meta says what they are.

Samples are cf32_le or ci16_le (±1 being ±32767), antennas interleaved. Annotations may have fields of our own, such as
`latentlink:sequence` and `latentlink:epoch` of a frame. A recording is complete once its metadata are there: they are written last, at
`close`. `core:sha512` vouches for every byte of the samples, and `latentlink:sha256`, which every recording of ours has, for what the
metadata say.
"""

import hashlib
import json
import os
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from latentlink_runtime.iq.protocol import TIMEOUT_S, Block, IQError, check_most, check_samples, check_stream, finite, from_ci16, to_ci16
from latentlink_runtime.iq.sigmf_metadata import MAX_ANNOTATIONS, MAX_META_BYTES, OWN, RECORDER, SAMPLE_BYTES, digest_of, parse_metadata

Array = np.ndarray[Any, Any]

VERSION = "1.2.0"
_EXTENSION = {"name": "latentlink", "version": "1.0.0", "optional": True}


class SigMFSink:
    """A recording that is written.

    Attributes:
        rate: samples a second of each antenna.
        antennas: number of antennas.
        written: samples so far.
        clipped: real and imaginary parts above ±1, of a ci16_le.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        rate: float,
        antennas: int,
        *,
        datatype: str = "cf32_le",
        frequency: float | None = None,
        fields: dict[str, Any] | None = None,
        most: int = 2**31,
    ) -> None:
        check_stream(rate, antennas)
        if datatype not in SAMPLE_BYTES:
            raise ValueError(f"datatype must be one of {', '.join(SAMPLE_BYTES)}, got {datatype!r}")
        self.rate, self.antennas, self.written, self.clipped = rate, antennas, 0, 0
        self._datatype, self._frequency, self._most = datatype, frequency, most
        self._fields = {OWN + name: value for name, value in (fields or {}).items()}
        self._annotations: list[dict[str, Any]] = []
        data, self._meta = _paths(path)
        self._digest = hashlib.sha512()
        if self._meta.exists():
            raise FileExistsError(f"{self._meta}: there is a recording already; choose another name or remove it")
        self._file: BinaryIO | None = data.open("xb")

    def write(self, samples: Array, timeout: float = TIMEOUT_S) -> None:
        """Append samples (n, antennas).

        Raises:
            ValueError: the recording is closed, or would be longer than it may be.
        """
        samples = check_samples(samples, self.antennas)
        if self._file is None or self.written + len(samples) > self._most:
            raise ValueError(f"recording must be open and have at most {self._most} samples, got {self.written} and {len(samples)} more")
        if self._datatype == "cf32_le":
            content = samples.astype("<c8").tobytes()
        else:
            parts, clipped = to_ci16(samples)
            self.clipped += clipped
            content = parts.tobytes()
        self._file.write(content)
        self._digest.update(content)
        self.written += len(samples)

    def annotate(self, start: int, count: int, label: str = "", **fields: Any) -> None:
        """Say what `count` samples from `start` are; fields become `latentlink:NAME`."""
        if start < 0 or count < 0 or len(self._annotations) >= MAX_ANNOTATIONS:
            raise ValueError(
                f"annotations must be at most {MAX_ANNOTATIONS} of samples from 0, got number {len(self._annotations)} at {start}"
            )
        named = {"core:label": label} if label else {}
        own = {OWN + name: value for name, value in fields.items()}
        self._annotations.append({"core:sample_start": start, "core:sample_count": count, **named, **own})

    def close(self) -> None:
        """Write the metadata; a second call does nothing."""
        if self._file is None:
            return
        self._file.close()
        self._file = None
        capture: dict[str, Any] = {"core:sample_start": 0}
        if self._frequency is not None:
            capture["core:frequency"] = self._frequency
        content: dict[str, Any] = {
            "global": {
                "core:datatype": self._datatype,
                "core:sample_rate": self.rate,
                "core:num_channels": self.antennas,
                "core:version": VERSION,
                "core:sha512": self._digest.hexdigest(),
                "core:recorder": RECORDER,
                "core:extensions": [_EXTENSION],
                **self._fields,
            },
            "captures": [capture],
            "annotations": sorted(self._annotations, key=lambda annotation: int(annotation["core:sample_start"])),
        }
        content["global"]["latentlink:sha256"] = digest_of(content)
        part = self._meta.with_name(self._meta.name + ".part")
        part.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        part.replace(self._meta)


class SigMFSource:
    """A recording that is read, every byte having been checked.

    Attributes:
        rate: samples a second of each antenna.
        antennas: number of antennas.
        samples: number of them.
        fields: those of our own, without "latentlink:".
        annotations: as they are in the metadata.
        nonfinite: samples that were NaN or infinite, read as zeros.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        data, meta = _paths(path)
        with meta.open("rb") as file:
            described, self.annotations = parse_metadata(file.read(MAX_META_BYTES + 1), meta)
        channels = described.get("core:num_channels")
        self.rate, self.antennas = float(described["core:sample_rate"]), 1 if channels is None else int(channels)
        self.fields = {name.removeprefix(OWN): value for name, value in described.items() if name.startswith(OWN)}
        self.nonfinite, self._at = 0, 0
        self._datatype = described["core:datatype"]
        self._size = SAMPLE_BYTES[self._datatype] * self.antennas
        self._file: BufferedReader | None = data.open("rb")
        try:
            self.samples = self._checked(data, described["core:sha512"])
        except BaseException:
            self.close()
            raise

    def read(self, most: int, timeout: float = TIMEOUT_S) -> Block:
        """The next 1 to `most` samples; EOFError after the last."""
        check_most(most)
        if self._file is None or self._at >= self.samples:
            raise EOFError("the recording has ended")
        content = self._file.read(self._size * min(most, self.samples - self._at))
        if not content or len(content) % self._size:
            raise IQError("the recording was cut while it was read; read it anew")
        if self._datatype == "cf32_le":
            samples = np.frombuffer(content, "<c8").reshape(-1, self.antennas)
        else:
            samples = from_ci16(np.frombuffer(content, "<i2").reshape(-1, self.antennas, 2))
        samples, wrong = finite(samples)
        self.nonfinite += wrong
        block = Block(samples, self._at)
        self._at += len(samples)
        return block

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _checked(self, data: Path, digest: str) -> int:
        """The number of samples of the data, whose digest is the given one."""
        assert self._file is not None
        if hashlib.file_digest(self._file, "sha512").hexdigest() != digest:
            raise IQError(f"{data}: its SHA-512 is not that of the metadata, it was changed or cut after it was recorded")
        size = self._file.tell()
        if size % self._size:
            raise IQError(f"{data}: has {size} bytes, expected whole samples of {self._size}")
        self._file.seek(0)
        return size // self._size


def _paths(path: str | os.PathLike[str]) -> tuple[Path, Path]:
    """The files of samples and of metadata, of either's name or the name without its end."""
    path = Path(path)
    stem = path.with_suffix("") if path.suffix in (".sigmf-data", ".sigmf-meta") else path
    return stem.with_name(stem.name + ".sigmf-data"), stem.with_name(stem.name + ".sigmf-meta")

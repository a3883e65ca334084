"""CIFAR-10 from its published archives [krizhevsky2009learning], the Python version or the binary one, packed or unpacked.

An image is 3072 bytes, 32 rows of 32 pixels of red, then of green, then of blue. The binary version puts its label before it, one byte;
the Python version pickles {"data": (n, 3072), "labels": [...]}. Pickles could run any code, so these are read by an unpickler that
knows only plain values and arrays. Archives are read in memory: nothing is written, wherever their members point.
"""

import codecs
import io
import pickle
import pickletools
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, get_args

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from latentlink.data.datasets.images import DATA_VARIABLE, DatasetNotFound, ImageSet, Split, places_of
from latentlink.numerics.doors import choice
from latentlink.numerics.validation import validate_call

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIDE = 32  # pixels
PIXELS = 3 * SIDE * SIDE
LARGEST = 2**28  # bytes of a member: published batches have 31 MB, a much larger member is no batch

Records = tuple[UInt8[Tensor, "n 3072"], Int64[Tensor, "n"]]


@validate_call
def cifar10(split: Split, folder: Path | str | None = None) -> ImageSet:
    """CIFAR-10's 60,000 colour 32x32 pictures of animals and vehicles in ten classes [krizhevsky2009learning].

    Args:
        split: "train" (50,000) or "test" (10,000).
        folder: where `cifar-10-python.tar.gz`, `cifar-10-binary.tar.gz`, `cifar-10-batches-py` or `cifar-10-batches-bin` is, or one of
            these itself. Without it: the folder that the environment variable LATENTLINK_DATA names, or its `cifar-10`.

    Returns:
        Images (n, 32, 32, 3) with labels and the names of the classes.

    Raises:
        DatasetNotFound: none of them exists; the message lists the searched folders.
        ValueError: an archive or a batch is damaged, incomplete or something else; the message names it.

    Example:
        >>> import latentlink as ll
        >>> ll.data.cifar10("test").images.shape  # doctest: +SKIP
        torch.Size([10000, 32, 32, 3])
    """
    choice("split", split, get_args(Split))
    places = places_of("cifar-10", folder)
    for place in places:
        for version in VERSIONS:
            found = _members(place, version, version.batches(split))
            if found is not None:
                read = [version.read(name, content) for name, content in found]
                images = torch.cat([pixels for pixels, _ in read]).reshape(-1, 3, SIDE, SIDE).permute(0, 2, 3, 1).contiguous()
                return ImageSet(f"cifar-10-{split}", images, torch.cat([labels for _, labels in read]), CIFAR10_CLASSES)
    names = ", ".join(name for version in VERSIONS for name in (version.archive, version.folder))
    where = f"was not found in {', '.join(str(place) for place in places)}" if places else "has no folder to be read from"
    raise DatasetNotFound(
        f"CIFAR-10 {where}: expected one of {names}, as published at https://www.cs.toronto.edu/~kriz/cifar.html; "
        f"give `folder`, or point the environment variable {DATA_VARIABLE} to it"
    )


def _binary(where: str, content: bytes) -> Records:
    """Read a batch of the binary version: records of a label and an image."""
    if not content or len(content) % (1 + PIXELS):
        raise ValueError(f"{where}: {len(content)} bytes, expected a multiple of {1 + PIXELS} (a label and an image of 32x32 colours)")
    records = torch.frombuffer(bytearray(content), dtype=torch.uint8).reshape(-1, 1 + PIXELS)
    return records[:, 1:], _labels(where, records[:, 0].tolist(), len(records))


def _pickled(where: str, content: bytes) -> Records:
    """Read a batch of the Python version: a pickled dict; its keys are bytes in the published files, which Python 2 wrote."""
    try:
        _check_memo(content)
        batch = _PlainUnpickler(io.BytesIO(content), encoding="bytes").load()
    except _Refused as refused:
        raise ValueError(f"{where}: refused: {refused}") from None
    except Exception as error:  # a damaged pickle makes its machine fail in nearly any way
        raise ValueError(f"{where}: cannot be unpickled, it is damaged or something else ({error})") from error
    if not isinstance(batch, dict):
        raise ValueError(f"{where}: holds a {type(batch).__name__}, expected a dict with data and labels")
    data, labels = (batch.get(name.encode(), batch.get(name)) for name in ("data", "labels"))
    if not isinstance(data, np.ndarray) or not isinstance(labels, list):
        held = ", ".join(sorted(key.decode("latin-1") if isinstance(key, bytes) else str(key) for key in batch)) or "nothing"
        raise ValueError(f"{where}: holds {held}, expected data, an array (n, {PIXELS}) of bytes, and labels, a list")
    if data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != PIXELS or data.size == 0:
        raise ValueError(f"{where}: data has shape {data.shape}, expected (n, {PIXELS}) unsigned bytes, n at least 1")
    return torch.from_numpy(np.require(data, requirements=["C", "W"])), _labels(where, labels, len(data))


def _check_memo(content: bytes) -> None:
    """Refuse memo numbers beyond the length of the pickle: they are counted from 0, and a huge one would exhaust the memory."""
    for operation, argument, _ in pickletools.genops(content):
        if operation.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(argument or 0) > len(content):
            raise _Refused(f"memo number {argument} in {len(content)} bytes")


def _labels(where: str, labels: list[Any], count: int) -> Int64[Tensor, "n"]:
    if len(labels) != count:
        raise ValueError(f"{where}: {len(labels)} labels for {count} images")
    wrong = next((label for label in labels if type(label) is not int or not 0 <= label < len(CIFAR10_CLASSES)), None)
    if wrong is not None:
        raise ValueError(f"{where}: holds label {wrong!r}, CIFAR-10 has 0 to {len(CIFAR10_CLASSES) - 1}")
    return torch.tensor(labels, dtype=torch.int64, device="cpu")


@dataclass(frozen=True)
class Version:
    """One of the published versions.

    Attributes:
        archive: name of the archive.
        folder: name of the folder that it unpacks to.
        ending: suffix of its batches.
        read: function that reads the content of a batch; its first argument names the batch in errors.
    """

    archive: str
    folder: str
    ending: str
    read: Callable[[str, bytes], Records]

    def batches(self, split: Split) -> list[str]:
        """Return the file names of a split, in the published order."""
        return [f"data_batch_{number}{self.ending}" for number in range(1, 6)] if split == "train" else [f"test_batch{self.ending}"]


VERSIONS = (
    Version("cifar-10-python.tar.gz", "cifar-10-batches-py", "", _pickled),
    Version("cifar-10-binary.tar.gz", "cifar-10-batches-bin", ".bin", _binary),
)


def _members(place: Path, version: Version, batches: list[str]) -> list[tuple[str, bytes]] | None:
    """Name for errors and content of each batch, or None if this version is not in this place; refused where some are missing."""
    for source in (place / version.folder, place, place / version.archive):
        packed = source.is_file()
        files = {name: source / name for name in batches}
        found = _unpacked(source, batches) if packed else {name: file.read_bytes() for name, file in files.items() if file.is_file()}
        # an archive that was named itself may hold any version; the last one reports what is missing
        if found or (packed and (source != place or version is VERSIONS[-1])):
            missing = next((name for name in batches if name not in found), None)
            if missing is not None:
                raise ValueError(f"{source}: has no {missing}, expected {', '.join(batches)}")
            return [(f"{source}: {name}", found[name]) for name in batches]
    return None


def _unpacked(archive: Path, batches: list[str]) -> dict[str, bytes]:
    """The batches in an archive, by name, whatever folder they are in."""
    content = {}
    try:
        with tarfile.open(archive, "r:*") as packed:
            for member in packed:
                name = PurePosixPath(member.name).name
                if name not in batches or not member.isreg():
                    continue
                if member.size > LARGEST:
                    raise tarfile.TarError(f"{member.name} has {member.size} bytes, more than {LARGEST}")
                file = packed.extractfile(member)
                content[name] = file.read() if file is not None else b""
            while packed.fileobj is not None and packed.fileobj.read(2**20):
                pass  # to the end, where gzip has its CRC
    except PermissionError:
        raise
    except Exception as error:  # each compression fails in its own ways
        raise ValueError(f"{archive}: cannot be read as an archive, it is damaged or something else ({error})") from error
    return content


class _Refused(Exception):  # noqa: N818 (named for its use)
    """A pickle asks for something that no batch of CIFAR needs."""


class _PlainUnpickler(pickle.Unpickler):
    """Reads plain values and NumPy's arrays only; nothing is imported by name."""

    KNOWN: ClassVar[dict[str, Any]] = {
        "multiarray._reconstruct": np.empty(0).__reduce__()[0],
        "numeric._frombuffer": np.empty(0).__reduce_ex__(5)[0],
        "numpy.ndarray": np.ndarray,
        "numpy.dtype": np.dtype,
        "_codecs.encode": codecs.encode,  # how Python 3 writes bytes for Python 2
    }

    def find_class(self, module: str, name: str) -> Any:
        """Return what builds an array, whatever version of NumPy wrote it."""
        short = f"{module.removeprefix('numpy.core.').removeprefix('numpy._core.')}.{name}"
        if short not in self.KNOWN:
            raise _Refused(f"it asks for {module}.{name}, which no batch of CIFAR needs")
        return self.KNOWN[short]

"""The file of a link, pair, codec or head: safetensors with a manifest, whose SHA-256 vouches for every byte.

The metadata of the safetensors header has one entry, "manifest", a JSON object with at least `format_version`, `kind` and `sha256`. The
digest is taken over the whole file with its own 64 hexadecimal digits replaced by zeros, so that no changed, truncated or foreign file
passes. `latentlink` writes and reads its artifacts by these functions, too: there is no second implementation.

A file for devices holds what they need of another one, whose SHA-256 its manifest has as `pair_sha256`: both are files of the same pair,
and `pair_digest` is one for both.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import safetensors
import safetensors.numpy

FORMAT_VERSION = 1
MAX_FILE_BYTES = 256 * 2**20
MAX_HEADER_BYTES = 2**20
BLANK = "0" * 64
_PIECE = 2**20
UNBOUNDED = "ceiling"  # of the streams that a codec takes: infinite where there is none
DEVICE = "device "  # begins the kinds of files for devices

Tensors = dict[str, np.ndarray[Any, Any]]


class ArtifactError(ValueError):
    """The file is not a whole, unchanged latentlink artifact of a known kind and version; the message says which.

    Example:
        >>> from pathlib import Path
        >>> import latentlink_runtime as lr
        >>> size = Path("link.safetensors").write_text("no link")
        >>> lr.load("link.safetensors")
        Traceback (most recent call last):
            ...
        latentlink_runtime.artifacts.artifact_file.ArtifactError: link.safetensors: not a safetensors file, or cut short (7 bytes)
    """


def seal(blank: bytes) -> bytes:
    """The file with its digest in place of the 64 zeros of its manifest."""
    return _with_digest(blank, BLANK, hashlib.sha256(blank).hexdigest())


def verify(content: bytes, name: str | os.PathLike[str], most_header: int | None = None) -> dict[str, Any]:
    """The manifest of a file that is whole and unchanged.

    Args:
        content: every byte of the file.
        name: the file's name, for messages.
        most_header: bytes that its header may have; None for any number.

    Raises:
        ArtifactError: it is no safetensors file, has no manifest, was changed or cut, or is of a newer format version.
    """
    text = _metadata(content, name, most_header).get("manifest")
    if not isinstance(text, str):
        raise ArtifactError(f"{name}: a safetensors file, but without a latentlink manifest (a foreign file, or its header was changed)")
    manifest = _manifest(text, name)
    digest, version = manifest["sha256"], manifest["format_version"]
    if _digest_of(content, digest) != digest:
        raise ArtifactError(f"{name}: the SHA-256 does not match, the file was changed or cut after it was saved")
    if version < 1:
        raise ArtifactError(f"{name}: format version {version} does not exist")
    if version > FORMAT_VERSION:
        raise ArtifactError(f"{name}: format version {version} is newer than {FORMAT_VERSION}; update latentlink")
    if manifest["kind"].startswith(DEVICE) and not re.fullmatch("[0-9a-f]{64}", str(manifest.get("pair_sha256"))):
        raise ArtifactError(f"{name}: pair_sha256 must be the 64 digits of the file that it was made of; export it again")
    return manifest


def read(path: str | os.PathLike[str], most: int = MAX_FILE_BYTES) -> tuple[Tensors, dict[str, Any]]:
    """The verified arrays and the manifest of an artifact, whatever its kind.

    Args:
        path: the file.
        most: bytes that it may have.

    Raises:
        OSError: there is no such file, or the system refuses to open it.
        ArtifactError: as `verify`, or it is larger than `most`, or its tensors are malformed or not finite.
    """
    content = _content(Path(path), most)
    manifest = verify(content, path, MAX_HEADER_BYTES)
    try:
        tensors = safetensors.numpy.load(content)
    except (safetensors.SafetensorError, LookupError, TypeError, ValueError, OverflowError) as error:
        raise ArtifactError(f"{path}: its tensors are malformed ({error})") from error
    del content  # of which the tensors are a copy
    wrong = [name for name, value in tensors.items() if not _is_finite(name, value)]
    if wrong:
        raise ArtifactError(f"{path}: NaN or infinite entries in {', '.join(sorted(wrong))}, which no artifact has")
    return tensors, manifest


def pair_digest(path: str | os.PathLike[str], most: int = MAX_FILE_BYTES) -> str:
    """The SHA-256 by which two ends know that they have files of the same pair, as 64 hexadecimal digits.

    That of the file itself, or, for a file for devices, that of the file which it was made of: an end with the one and an end with the
    other agree.

    Args:
        path: the file of a pair, a codec or a link, or one for devices.
        most: bytes that it may have.

    Raises:
        OSError: there is no such file, or the system refuses to open it.
        ArtifactError: it is not a whole, unchanged artifact; see `verify`.
    """
    content = _content(Path(path), most)
    manifest = verify(content, path, MAX_HEADER_BYTES)
    return str(manifest["pair_sha256"]) if manifest["kind"].startswith(DEVICE) else hashlib.sha256(content).hexdigest()


def whole(manifest: dict[str, Any], name: str) -> int:
    """A size that a manifest tells; ValueError where it is none."""
    value = manifest[name]
    if type(value) is not int or value < 0:
        raise ValueError(f"{name} must be a whole number, got {value!r}")
    return value


def check_arrays(
    tensors: Tensors,
    shapes: Mapping[str, tuple[int, ...]],
    dtypes: tuple[Any, ...] = (np.float32, np.float64),
    batch: tuple[int, ...] | None = None,
) -> None:
    """ValueError, by name, unless arrays have these shapes, and one of these types.

    Args:
        tensors: of a file.
        shapes: by name; with a batch the last axes alone.
        dtypes: those that an array may have.
        batch: the axes of channels, to which the first axes of an array have to broadcast; None where arrays have no such axes.
    """
    for name, shape in shapes.items():
        value = tensors[name]
        lead, own = value.shape[: value.ndim - len(shape)], value.shape[value.ndim - len(shape) :]
        fits = value.ndim >= len(shape) and own == shape and _reaches(lead, batch or ())
        if not fits or value.dtype not in dtypes:
            kinds = " or ".join(np.dtype(dtype).name for dtype in dtypes)
            axes = "" if batch is None else f"(a batch that broadcasts to {batch}, and) "
            raise ValueError(f"{name} must be {kinds} of shape {axes}{shape}, got {value.dtype} {value.shape}")


def _reaches(lead: tuple[int, ...], batch: tuple[int, ...]) -> bool:
    """True if axes broadcast to those of a batch."""
    return len(lead) <= len(batch) and all(size in (1, wanted) for size, wanted in zip(lead[::-1], batch[::-1], strict=False))


def _content(path: Path, most: int) -> bytes:
    """All bytes of a file, of which no more are read than it may have."""
    if path.is_dir():
        raise ArtifactError(f"{path}: a folder, not a file; name the .safetensors file in it")
    size, content = path.stat().st_size, b""
    if size <= most:
        with path.open("rb") as file:
            content = _pieces(file, size, most)
    if max(size, len(content)) > most:
        found = max(size, len(content))
        raise ArtifactError(f"{path}: has {found} bytes or more, expected at most {most}; no link, pair or codec is as large")
    return content


def _pieces(file: BinaryIO, size: int, most: int) -> bytes:
    """What a file has, in one piece as large as it says it is; of one that has no size, such as a pipe, little more than `most`."""
    content = file.read(size + 1)
    if len(content) <= size:
        return content
    parts = [content]
    while parts[-1] and sum(map(len, parts)) <= most:
        parts.append(file.read(_PIECE))
    return b"".join(parts)


def _is_finite(name: str, value: np.ndarray[Any, Any]) -> bool:
    if not np.issubdtype(value.dtype, np.floating):
        return True
    return not np.isnan(value).any() if name.endswith(UNBOUNDED) else bool(np.isfinite(value).all())


def _metadata(content: bytes, name: str | os.PathLike[str], most: int | None) -> dict[str, Any]:
    """The metadata of a safetensors file."""
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > len(content) - 8:
        raise ArtifactError(f"{name}: not a safetensors file, or cut short ({len(content)} bytes)")
    if most is not None and length > most:
        raise ArtifactError(f"{name}: its header has {length} bytes, expected at most {most}")
    try:
        header = json.loads(content[8 : 8 + length])
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{name}: not a safetensors file, or its header was changed ({error})") from error
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    return metadata if isinstance(metadata, dict) else {}


def _manifest(text: str, name: str | os.PathLike[str]) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{name}: its manifest is not JSON ({error})") from error
    kinds = {"format_version": int, "kind": str, "sha256": str}
    is_whole = isinstance(manifest, dict) and all(isinstance(manifest.get(key), kind) for key, kind in kinds.items())
    if not is_whole or not re.fullmatch(r"[0-9a-f]{64}", manifest["sha256"]):
        raise ArtifactError(f"{name}: its manifest is not that of a latentlink artifact")
    return manifest


def _with_digest(content: bytes, old: str, new: str) -> bytes:
    """The file with another digest in its manifest, which is JSON within the header's JSON."""
    return content.replace(_entry(old), _entry(new), 1)


def _digest_of(content: bytes, told: str) -> str:
    """SHA-256 of the file with zeros in place of the digest that it tells, without a copy of it."""
    whole, entry = memoryview(content), _entry(told)
    place = content.find(entry)
    if place < 0:
        return ""
    hasher = hashlib.sha256(whole[:place])
    hasher.update(_entry(BLANK))
    hasher.update(whole[place + len(entry) :])
    return hasher.hexdigest()


def _entry(digest: str) -> bytes:
    return rf"\"sha256\": \"{digest}\"".encode()

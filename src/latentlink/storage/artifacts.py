"""Saved pairs, links and heads: one safetensors file each, with a manifest that vouches for every byte.

The safetensors header carries a JSON manifest (format version, kind, dimensions, conventions, …) and a SHA-256, taken over the whole file
with the digest's own place filled with zeros. Safetensors has no checksum of its own; with this one no changed, truncated or foreign file
is ever taken for a link.
"""

import hashlib
import importlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import safetensors.torch
from torch import Tensor

from latentlink.storage.atomic import write_atomically

FORMAT_VERSION = 1
CONVENTIONS = {
    "snr_db": "sigma^2 = power / (n_tx * 10^(snr_db/10))",
    "noise": "CN(0, sigma^2) per receive antenna, sigma^2/2 per real dimension",
    "packing": "halves: [real; imaginary] per channel use",
    "power": "budget per channel use; power_limit says what it limits",
}
_BLANK = "0" * 64


class ArtifactError(ValueError):
    """The file is not a whole, unchanged latentlink artifact of a known kind and version; the message says which."""


@runtime_checkable
class Artifact(Protocol):
    """What can be saved: tensors by name and a manifest of plain JSON values."""

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]: ...


_READERS: dict[str, Callable[[dict[str, Tensor], dict[str, Any]], Any]] = {}
_HOMES = {  # the module that registers a kind, imported when a file of that kind is first read
    "pair": "latentlink.linear.modes",
    "link": "latentlink.linear.transceiver",
    "head": "latentlink.tasks.heads",
    "top-k link": "latentlink.baselines.top_k_transceiver",
    "digital link": "latentlink.digital.transceiver",
    "genie link": "latentlink.digital.genie",
    "neural link": "latentlink.neural.paper.transceiver",
    "codec": "latentlink.neural.codec.design",
    "codec link": "latentlink.neural.codec.transceiver",
    "channels": "latentlink.channels.tr38901.banks",
}
A = TypeVar("A", bound=type)
T = TypeVar("T")


def artifact(kind: str) -> Callable[[A], A]:
    """Class decorator: `load` gives files of this kind to the class's `from_tensors(tensors, manifest)`."""

    def register(cls: A) -> A:
        _READERS[kind] = cls.from_tensors  # type: ignore[attr-defined]
        return cls

    return register


def save(kind: str, content: Artifact, path: str | os.PathLike[str]) -> None:
    """Write an artifact atomically; `path` holds either its old content or the whole new one.

    Raises:
        OSError: the folder cannot be written or the disk is full; the message names the file.
    """
    tensors, facts = content.to_tensors()
    manifest = {
        "format": "latentlink",
        "format_version": FORMAT_VERSION,
        "kind": kind,
        "sha256": _BLANK,
        "conventions": CONVENTIONS,
        **facts,
    }
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    blank = safetensors.torch.save(tensors, {"manifest": json.dumps(manifest, sort_keys=True)})  # one key: their order is not kept
    digest = hashlib.sha256(blank).hexdigest()
    write_atomically(path, _with_digest(blank, _BLANK, digest))


def load(path: str | os.PathLike[str]) -> Any:
    """Read a saved pair (`SemanticModes`), link (`LinearTransceiver`) or head (`SoftmaxHead`), after checking every byte of it.

    Raises:
        FileNotFoundError: there is no such file.
        ArtifactError: it is foreign, truncated, changed, of a newer format version or of an unknown kind.
    """
    tensors, manifest = read(path)
    kind = manifest["kind"]
    if kind not in _HOMES:
        raise ArtifactError(f"{path}: unknown kind {kind!r}, expected one of {sorted(_HOMES)}")
    importlib.import_module(_HOMES[kind])
    try:
        return _READERS[kind](tensors, manifest)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ArtifactError(f"{path}: not what a {manifest['kind']} is made of ({error!r})") from error


def kept(path: str | os.PathLike[str], kind: type[T]) -> T | None:
    """The artifact of a class in a file, or None where it is absent, damaged or another."""
    try:
        content = load(path)
    except (FileNotFoundError, ArtifactError):
        return None
    return content if isinstance(content, kind) else None


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The verified tensors and manifest of an artifact, whatever its kind; raises as `load` does."""
    content = Path(path).read_bytes()
    text = _header(path, content).get("manifest")
    if not isinstance(text, str):
        raise ArtifactError(f"{path}: a safetensors file, but without a latentlink manifest (a foreign file, or its header was changed)")
    manifest = _manifest(path, text)
    digest = manifest["sha256"]
    if hashlib.sha256(_with_digest(content, digest, _BLANK)).hexdigest() != digest:
        raise ArtifactError(f"{path}: the SHA-256 does not match, the file was changed or cut after it was saved")
    if manifest["format_version"] > FORMAT_VERSION:
        raise ArtifactError(f"{path}: format version {manifest['format_version']} is newer than {FORMAT_VERSION}; update latentlink")
    return safetensors.torch.load(content), manifest


def _manifest(path: str | os.PathLike[str], text: str) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: its manifest is not JSON ({error})") from error
    kinds = {"format_version": int, "kind": str, "sha256": str}
    if not isinstance(manifest, dict) or not all(isinstance(manifest.get(name), kind) for name, kind in kinds.items()):
        raise ArtifactError(f"{path}: its manifest is not that of a latentlink artifact")
    return manifest


def _header(path: str | os.PathLike[str], content: bytes) -> dict[str, Any]:
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > len(content) - 8:
        raise ArtifactError(f"{path}: not a safetensors file, or cut short ({len(content)} bytes)")
    try:
        header = json.loads(content[8 : 8 + length])
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: not a safetensors file, or its header was changed ({error})") from error
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    return metadata if isinstance(metadata, dict) else {}


def _with_digest(content: bytes, old: str, new: str) -> bytes:
    """The file with another digest in its manifest, which is JSON within the header's JSON."""
    return content.replace(rf"\"sha256\": \"{old}\"".encode(), rf"\"sha256\": \"{new}\"".encode(), 1)

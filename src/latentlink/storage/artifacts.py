"""Saved pairs, links and heads: one safetensors file each, with a manifest that vouches for every byte.

The safetensors header carries a JSON manifest (format version, kind, dimensions, conventions, …) with a SHA-256 of the whole file.
Safetensors has no checksum of its own; with this one no changed, truncated or foreign file is ever loaded as a link. The digest's one
implementation is that of the runtime on devices, `latentlink_runtime.artifacts`.
"""

import importlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import UnionType
from typing import Any, ClassVar, Protocol, TypeVar, overload, runtime_checkable

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from latentlink.numerics.expectations import shown
from latentlink.numerics.validation import validate_call
from latentlink.storage.atomic import write_atomically
from latentlink.storage.fields import check_fields
from latentlink.storage.provenance import Provenance
from latentlink.storage.refusals import naming_refusals
from latentlink_runtime.artifacts.artifact_file import BLANK, DEVICE, FORMAT_VERSION, UNBOUNDED, seal, verify
from latentlink_runtime.artifacts.artifact_file import ArtifactError as ArtifactError  # one class for both distributions

CONVENTIONS = {
    "snr_db": "sigma^2 = power / (n_tx * 10^(snr_db/10))",
    "noise": "CN(0, sigma^2) per receive antenna, sigma^2/2 per real dimension",
    "packing": "halves: [real; imaginary] per channel use",
    "power": "budget per channel use; power_limit says what it limits",
}
_PACKAGES = ("latentlink", "torch")  # whose versions a manifest names


@runtime_checkable
class Artifact(Protocol):
    """The protocol of what can be saved: tensors by name and a manifest of plain JSON values."""

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and facts of the saved file."""


class Saved:
    """The base of what is saved as an `artifact` of its class."""

    artifact_kind: ClassVar[str]

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and facts of the saved file."""
        raise NotImplementedError

    @validate_call
    def save(self, path: str | os.PathLike[str], provenance: Provenance | None = None) -> None:
        """Write it atomically, with how it was made where that is told; `latentlink.load` reads it back.

        Side information on messages is not stored.
        """
        save(self.artifact_kind, self, path, provenance)


_READERS: dict[str, Any] = {}  # the class of each kind
_HOMES = {  # the module that registers a kind, imported when a file of that kind is first read
    "moments": "latentlink.latents.moments",
    "marginal": "latentlink.latents.marginal",
    "concepts": "latentlink.latents.concepts",
    "pair": "latentlink.linear.modes",
    "link": "latentlink.linear.transceiver",
    "running modes": "latentlink.living.running_modes",
    "watch": "latentlink.living.watch",
    "lifted latents": "latentlink.nonlinear.lifted",
    "lifted link": "latentlink.nonlinear.lifted_transceiver",
    "mixture": "latentlink.nonlinear.mixture",
    "mixture link": "latentlink.nonlinear.mixture_transceiver",
    "head": "latentlink.tasks.heads",
    "regression head": "latentlink.tasks.regression",
    "top-k link": "latentlink.baselines.top_k_transceiver",
    "decision link": "latentlink.baselines.decision_transceiver",
    "digital link": "latentlink.digital.transceiver",
    "genie link": "latentlink.digital.genie",
    "neural link": "latentlink.neural.paper.transceiver",
    "codec": "latentlink.neural.codec.design",
    "gated link": "latentlink.baselines.gated_transceiver",
    "codec link": "latentlink.neural.codec.transceiver",
    "user codec link": "latentlink.networks.user_codec_link",
    "channels": "latentlink.channels.tr38901.generate",
}
A = TypeVar("A", bound=type)
T = TypeVar("T")


def artifact(kind: str) -> Callable[[A], A]:
    """Class decorator: `load` gives files of this kind, the class's `artifact_kind`, to its `from_tensors(tensors, manifest)`."""

    def register(cls: A) -> A:
        _READERS[kind] = cls
        cls.artifact_kind = kind  # type: ignore[attr-defined]
        return cls

    return register


def save(kind: str, content: Artifact, path: str | os.PathLike[str], provenance: Provenance | None = None) -> None:
    """Write an artifact atomically; `path` holds either its old content or the whole new one.

    Raises:
        OSError: the folder cannot be written or the disk is full; the message names the file.
    """
    tensors, facts = content.to_tensors()
    manifest = {
        "format": "latentlink",
        "format_version": FORMAT_VERSION,
        "kind": kind,
        "sha256": BLANK,
        "conventions": CONVENTIONS,
        "versions": {name: str(importlib.import_module(name).__version__) for name in _PACKAGES},
        **({} if provenance is None else {"provenance": provenance.as_facts()}),
        **facts,
    }
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    blank = safetensors.torch.save(tensors, {"manifest": json.dumps(manifest, sort_keys=True)})  # one key, since their order is lost
    write_atomically(path, seal(blank))


@overload
def load(path: str | os.PathLike[str]) -> Any: ...
@overload
def load(path: str | os.PathLike[str], expected: type[T]) -> T: ...
@validate_call
def load(path: str | os.PathLike[str], expected: type[Any] | UnionType = object) -> Any:
    """Read a saved link (of any kind), pair (`SemanticModes`), codec, head, moments or bank of channels, after checking every byte of it.

    Args:
        path: the file.
        expected: the class that it must hold, such as `LinearTransceiver`; editors and type checkers then know what is returned.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: the system refuses to open it; PermissionError where the right to read it is lacking.
        ArtifactError: it is no file, or foreign, truncated, changed, of a newer format version, of an unknown kind, malformed, or holds
            another class than expected.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, x[:, :6].tanh()))
        >>> modes.save("pair.safetensors")
        >>> ll.load("pair.safetensors", ll.SemanticModes)
        SemanticModes(6 modes, 8 → 6, MSE, shrinkage ...)
    """
    tensors, manifest = read(path)
    kind = manifest["kind"]
    if kind.startswith(DEVICE):
        raise ArtifactError(f"{path}: a {kind}, which latentlink_runtime.load reads; latentlink needs the file that it was made of")
    if kind not in _HOMES:
        raise ArtifactError(f"{path}: unknown kind {kind!r}, expected one of {sorted(_HOMES)}")
    try:
        content = content_of(kind, dict(tensors), manifest)
        check_fields(content)
        _check_same(tensors, manifest, *content.to_tensors())
    except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise ArtifactError(f"{path}: not what a {kind} is made of ({error!r})") from error
    if not isinstance(content, expected):
        raise ArtifactError(f"{path}: expected a {getattr(expected, '__name__', expected)}, got a {kind} ({type(content).__name__})")
    return content


def content_of(kind: str, tensors: dict[str, Tensor], manifest: dict[str, Any]) -> Any:
    """The artifact of a kind from its tensors and facts, which may be a part of a file; raises what its class does, or a LookupError."""
    importlib.import_module(_HOMES[kind])
    return _READERS[kind].from_tensors(tensors, manifest)


def _check_same(tensors: dict[str, Tensor], manifest: dict[str, Any], again: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Refuse a file that its content would not be saved as: a tensor or a fact of it was not what was read."""
    for name in sorted(tensors.keys() | again.keys()):
        if name not in tensors or name not in again:
            raise ValueError(f"{name} is {'missing' if name in again else 'no part of it'}")
        found, made = tensors[name], again[name]
        if found.dtype != made.dtype or not torch.equal(found, made.detach().cpu()):
            raise ValueError(f"{name} is a {shown(found)} that is read as another")
    for name, fact in facts.items():
        if name in manifest and json.dumps(manifest[name], sort_keys=True) != json.dumps(fact, sort_keys=True):
            raise ValueError(f"{name} must be {fact!r}, as its tensors say, got {shown(manifest[name])}")


def load_if_there(path: str | os.PathLike[str], expected: type[T]) -> T | None:
    """Read the artifact of a class, or None where the file is absent, damaged or holds another."""
    try:
        return load(path, expected)
    except (FileNotFoundError, ArtifactError):
        return None


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The verified tensors and manifest of an artifact, whatever its kind; raises as `load` does."""
    content = _content(path)
    manifest = verify(content, path)
    try:
        tensors = safetensors.torch.load(content)
    except (safetensors.SafetensorError, LookupError, TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise ArtifactError(f"{path}: its tensors are malformed ({error})") from error
    numbers = {name: value for name, value in tensors.items() if value.is_floating_point()}
    finite = {name: value.nan_to_num(posinf=0.0) if name.endswith(UNBOUNDED) else value for name, value in numbers.items()}
    wrong = [name for name, value in finite.items() if not value.isfinite().all() or numbers[name].isnan().any()]
    if wrong:
        raise ArtifactError(f"{path}: NaN or infinite entries in {', '.join(sorted(wrong))}, which no artifact has")
    return tensors, manifest


def _content(path: str | os.PathLike[str]) -> bytes:
    try:
        with naming_refusals(path):
            return Path(path).read_bytes()
    except IsADirectoryError as error:
        raise ArtifactError(f"{path}: a folder, not a file; name the .safetensors file in it") from error
    except ValueError as error:
        raise ArtifactError(f"{path!r}: not a path ({error})") from error

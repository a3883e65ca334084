"""Files by their kind: what a device can make of each."""

import os
from collections.abc import Callable
from typing import Any

from latentlink_runtime.artifacts.artifact_file import ArtifactError, Tensors, read
from latentlink_runtime.codec.design import CodecDesign
from latentlink_runtime.codec.link import CodecLink
from latentlink_runtime.linear.design import LinearDesign
from latentlink_runtime.linear.link import LinearLink
from latentlink_runtime.tasks.head import Head

_READERS: dict[str, Callable[[Tensors, dict[str, Any]], Any]] = {
    "link": LinearLink.from_file,
    "pair": LinearDesign.from_file,
    "codec link": CodecLink.from_file,
    "codec": CodecDesign.from_file,
    "head": Head.from_file,
    "regression head": Head.from_file,
    "device pair": LinearDesign.from_file,
    "device codec": CodecDesign.from_file,
    "device head": Head.from_file,
}


def load(path: str | os.PathLike[str]) -> Any:
    """Read a link, a pair, a codec or a head that `latentlink` saved, or made for devices, after checking every byte of it.

    Args:
        path: the file.

    Returns:
        `LinearLink`, `CodecLink`, `LinearDesign` (of a pair), `CodecDesign` (of a codec) or `Head`.

    Raises:
        OSError: there is no such file, or the system refuses to open it.
        ArtifactError: it is foreign, truncated, changed, too large, of a newer format version, malformed, or of a kind that needs
            `latentlink`.

    Example:
        >>> import latentlink_runtime as lr
        >>> link = lr.load("runtime/conformance/link-mean-4x4-2.safetensors")
        >>> link.channel.n_tx, link.channel.uses, len(link.mean_x)
        (4, 2, 24)
    """
    tensors, manifest = read(path)
    kind = manifest["kind"]
    if kind not in _READERS:
        raise ArtifactError(
            f"{path}: a {kind}, which the runtime does not read, expected one of {', '.join(_READERS)}; latentlink.load may"
        )
    try:
        return _READERS[kind](tensors, manifest)
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        raise ArtifactError(f"{path}: not what a {kind} is made of ({error!r})") from error

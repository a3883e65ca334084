"""Files for devices: what `latentlink_runtime` needs of a saved pair, codec or head, as one smaller file.

Matrices are in float32, in which the runtime computes messages, so that links are bit for bit those of the full file. The strengths of the
modes stay in float64: the precoder depends on them, and both ends must make the same of them. Left out are Gram matrices, the off-diagonal
covariances, modes that the networks do not use, calibration that only expected errors need, and how the file was made.

The manifest has the kind, `pair_sha256` (of the full file, see `latentlink_runtime.artifacts.artifact_file.pair_digest`), the sizes and the
power limit.
"""

import json
import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from latentlink.numerics.validation import validate_call
from latentlink.storage.artifacts import CONVENTIONS
from latentlink.storage.atomic import write_atomically
from latentlink_runtime.artifacts.artifact_file import BLANK, DEVICE, FORMAT_VERSION, Tensors, pair_digest, read, seal
from latentlink_runtime.loading import load

_FACTS = ("tx_dim", "rx_dim", "modes", "max_symbols", "networks", "power_limit", "peak", "latent_dim", "outputs", "classes", "class_names")


@validate_call
def export_device(source: str | os.PathLike[str], path: str | os.PathLike[str], max_symbols: int | None = None) -> Path:
    """Write the file that a device needs of a saved pair, codec or head; `latentlink_runtime.load` reads it as it reads the full one.

    A transmitter with the full file and a receiver with the device's, or the other way round, agree: both have one `pair_digest`.

    Args:
        source: the file of a pair, a codec or a head.
        path: where the file goes, whole or not at all.
        max_symbols: of a pair, symbols of the largest message, uses × min(n_rx, n_tx); modes beyond two a symbol are left out. None keeps
            all of them. A codec has a number of its own.

    Returns:
        The path.

    Raises:
        OSError: a file cannot be read or written.
        ArtifactError: the source is no whole artifact.
        ValueError: it is an artifact of another kind, or `max_symbols` is below 1 or given where the source is no pair.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> ll.semantic_modes(ll.Moments.from_pairs(x, x[:, :6].tanh())).save("pair.safetensors")
        >>> ll.deploy.export_device("pair.safetensors", "pair.device.safetensors", max_symbols=2).name
        'pair.device.safetensors'
    """
    load(source)  # what a device could not read is told here
    tensors, manifest = read(source)
    kind = manifest["kind"]
    if kind not in _MAKERS:
        raise ValueError(f"source must be the file of a {', a '.join(_MAKERS)}, got {os.fspath(source)}, a {kind}")
    if max_symbols is not None and (kind != "pair" or max_symbols < 1):
        raise ValueError(f"max_symbols must be at least 1, and is for pairs alone, got {max_symbols} for a {kind}")
    if max_symbols is not None and 2 * max_symbols < len(tensors["strength"]):
        manifest |= {"max_symbols": max_symbols, "modes": 2 * max_symbols}
    kept = _MAKERS[kind](tensors, manifest)
    facts = {
        "format": "latentlink",
        "format_version": FORMAT_VERSION,
        "kind": f"{DEVICE}{kind.removeprefix('regression ')}",
        "sha256": BLANK,
        "pair_sha256": pair_digest(source),
        "conventions": CONVENTIONS,
        "versions": {"latentlink": import_module("latentlink").__version__},
        **{name: manifest[name] for name in _FACTS if name in manifest},
    }
    blank = safetensors.numpy.save(kept, {"manifest": json.dumps(facts, sort_keys=True)})
    write_atomically(path, seal(blank))
    return Path(path)


def _pair(tensors: Tensors, manifest: dict[str, Any]) -> Tensors:
    k = manifest["modes"]
    return {
        "analysis": _single(tensors["analysis"][:k]),
        "synthesis": _single(tensors["synthesis"][:, :k]),
        "strength": tensors["strength"][:k].astype(np.float64),
        **{name: _single(tensors[name]) for name in ("mean_x", "mean_y")},
    }


def _codec(tensors: Tensors, manifest: dict[str, Any]) -> Tensors:
    kept = {name: value for name, value in tensors.items() if not name.startswith(("modes.", "calibration."))}
    kept["calibration.z"] = tensors["calibration.z"]
    modes = {name.removeprefix("modes."): value for name, value in tensors.items() if name.startswith("modes.")}
    modes = {
        "analysis": _single(modes["analysis"][tensors["inputs"]]),
        "synthesis": _single(modes["synthesis"][:, tensors["outputs"]]),
        "strength": modes["strength"].astype(np.float64),
        "covariance": _single(np.diagonal(modes["covariance"])),
        **{name: _single(modes[name]) for name in ("mean_x", "mean_y")},
    }
    return kept | {f"modes.{name}": value for name, value in modes.items()}


def _head(tensors: Tensors, manifest: dict[str, Any]) -> Tensors:
    return {name: _single(tensors[name]) for name in ("weight", "bias")}


def _single(value: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.ascontiguousarray(value, np.float32)


_MAKERS: dict[str, Callable[[Tensors, dict[str, Any]], Tensors]] = {
    "pair": _pair,
    "codec": _codec,
    "head": _head,
    "regression head": _head,
}

"""Which shapes the arrays of each kind of file have, so that none is used before all of them belong together.

A digest says that a file is whole, not that its parts fit: whoever writes a file can compute its digest. Shapes are written as names of
sizes, each of which is the same wherever it stands: "k d" is a matrix of k modes and d dimensions, "2s" and "o+1" are twice a size and one
more, and "..." is the batch of channels, to whose shape what stands for it broadcasts.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from latentlink_runtime.artifacts.artifact_file import Tensors

_TERM = re.compile(r"(\d*)([a-zA-Z_]*\w*?)(?:\+(\d+))?")
_PAIR = {"analysis": "k d", "synthesis": "m k", "strength": "k", "mean_x": "d", "mean_y": "m"}
_CHANNEL = {"h": "... u n_rx n_tx 2", "noise_variance": "...", "power": "...", "error_variance": "..."}
_LINK = {
    "analysis": "s d",
    "synthesis": "m s",
    "mean_x": "d",
    "mean_y": "m",
    "streams": "... s",
    "precoder": "... g a slots",
    "decoder": "... g slots b",
    "moments_zz?": "... g slots slots",
    "moments_tz?": "... g slots slots",
}
_CODEC_LINK = {
    "analysis": "k d",
    "synthesis": "m o",
    "mean_x": "d",
    "mean_y": "m",
    "streams.amplitude": "... S",
    "streams.share": "... S",
    "streams.gain": "... S",
    "energy": "... S",
    "active": "...",
    "ceiling": "c",
    "beams.transmit": "... a q 2",
    "beams.receive": "... b q 2",
    "ends.direct_tx": "... 1 2q",
    "ends.residual_tx": "... 1 2q",
    "ends.direct_rx": "... 1 2q",
    "ends.evened": "... 1 2q",
    "ends.residual_rx": "... 1 1",
}
_CODEC = {
    **{f"modes.{name}": shape for name, shape in _PAIR.items()},
    "modes.covariance": "k k",
    "ceiling": "c",
    "calibration.z": "n k",
    "gate.open": "gate_symbols gate_bits",
    "power.mean?": "statistics",
    "power.scale?": "statistics",
    "power.weight?": "statistics+1 S+2",
    "power.least?": "c",
    "power.most?": "c",
}
_WHOLE, _LOGICAL = ("streams", "inputs", "outputs"), ("active", "gate.open")  # arrays of integers, and of truth values
_MANIFEST = {"tx_dim": "d", "rx_dim": "m", "modes": "k", "n_tx": "n_tx", "n_rx": "n_rx", "channel_uses": "u", "latent_dim": "m"}


def check_shapes(kind: str, tensors: Tensors, manifest: Mapping[str, Any]) -> None:
    """ValueError unless the arrays of a file have the shapes and types of their kind, and the sizes that its manifest tells.

    Args:
        kind: of the file; of another kind than those with links, designs and heads nothing is checked.
        tensors: of the file.
        manifest: of the file.
    """
    spec = _specification(kind, tensors)
    if not spec:
        return
    sizes = {own: manifest[name] for name, own in _MANIFEST.items() if name in manifest}
    if not all(type(size) is int for size in sizes.values()):
        raise ValueError(f"sizes in a manifest must be integers, got {str(sizes)[:200]}")
    if kind.endswith("link"):
        sizes["..."] = tensors["channel.h"].shape[:-4]
    for name, shape in spec.items():
        if not name.endswith("?") or name[:-1] in tensors:
            _check(name.rstrip("?"), tensors[name.rstrip("?")], shape.split(), sizes)
    _check_sums(kind, tensors, sizes)


def _specification(kind: str, tensors: Tensors) -> dict[str, str]:
    """The shapes of a kind's arrays by name; those of networks follow from their layers."""
    channel = {f"channel.{name}": shape for name, shape in _CHANNEL.items()}
    if kind == "link":
        return channel | _LINK
    if kind == "codec link":
        ends = {**_ends("precoding", "encoder", "S", tensors), **_ends("decoding", "decoder", "o", tensors)}
        return channel | _CODEC_LINK | _network("encoder", "k", "S", tensors) | _network("decoder", "S", "o", tensors) | ends
    if kind == "codec":
        return {"inputs": "i", "outputs": "o", **_network("encoder", "i", "S", tensors), **_network("decoder", "S", "o", tensors), **_CODEC}
    return _PAIR if kind == "pair" else {"weight": "classes m", "bias": "classes"} if kind.endswith("head") else {}


def _layers(end: str, tensors: Tensors) -> int:
    return sum(name.startswith(f"{end}.layers.") and name.endswith(".weight") for name in tensors)


def _network(end: str, inputs: str, outputs: str, tensors: Tensors) -> dict[str, str]:
    count = _layers(end, tensors)
    widths = [inputs, *(f"{end}_{number}" for number in range(count))]
    shapes = {f"{end}.layers.{number}": f"{widths[number + 1]} {widths[number]}" for number in range(count)}
    shapes |= {f"{end}.out": f"{outputs} {widths[-1]}"}
    shapes |= {f"{end}.reader.0": f"{end}_read 2S", f"{end}.reader.2": f"{end}_units {end}_read"}
    shapes |= {f"{end}.modulators.{number}": f"2{widths[number + 1]} {end}_units" for number in range(count)}
    shapes |= {f"{end}.last": f"{outputs}+1 {end}_units"}
    weights = {f"{name}.weight": shape for name, shape in shapes.items()}
    return weights | {f"{name}.bias": shape.split()[0] for name, shape in shapes.items()}


def _ends(end: str, network: str, outputs: str, tensors: Tensors) -> dict[str, str]:
    layers = range(_layers(network, tensors))
    shapes = {f"ends.{end}.{part}.{number}": f"... 1 {network}_{number}" for number in layers for part in ("scale", "shift")}
    return {**shapes, f"ends.{end}.offset": f"... 1 {outputs}", f"ends.{end}.direct": "... 1 1"}


def _check(name: str, value: np.ndarray[Any, Any], terms: list[str], sizes: dict[str, Any]) -> None:
    """Compare an array with its shape, and learn the sizes that are not known yet."""
    last = name.rpartition(".")[2] if name != "gate.open" else name
    wanted = np.integer if last in _WHOLE else np.bool_ if last in _LOGICAL else np.floating
    if not np.issubdtype(value.dtype, wanted) or (wanted is np.floating and value.dtype.itemsize < 4):
        raise ValueError(f"{name} must have a dtype of {wanted.__name__}, of 32 bits at least where it is floating, got {value.dtype}")
    own = [term for term in terms if term != "..."]
    before = value.ndim - len(own)
    batch = value.shape[:before] if before > 0 else ()
    if before < 0 or (len(own) == len(terms) and batch) or (batch and not _broadcasts(batch, sizes["..."])):
        raise ValueError(f"{name} must have shape ({', '.join(terms)}), got {value.shape}")
    for term, size in zip(own, value.shape[before:], strict=True):
        times, key, more = _TERM.fullmatch(term).groups()  # type: ignore[union-attr]
        factor, add = int(times or 1), int(more or 0)
        if key and key not in sizes and size > add and (size - add) % factor == 0:
            sizes[key] = (size - add) // factor
        if size != (factor * sizes.get(key, 0) + add if key else int(times)) or size < 1:
            known = {key: sizes[key]} if key in sizes else {}
            raise ValueError(f"{name} must have shape ({', '.join(terms)}) with {known}, got {value.shape}")


def _broadcasts(own: tuple[int, ...], batch: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(own, batch) == batch
    except ValueError:
        return False


def _check_sums(kind: str, tensors: Tensors, sizes: Mapping[str, Any]) -> None:
    """What sizes have to do with each other, and numbers that count others."""
    if kind == "link" and (sizes["g"] * sizes["a"], sizes["g"] * sizes["b"]) != tuple(2 * sizes["u"] * sizes[n] for n in ("n_tx", "n_rx")):
        raise ValueError(f"precoder and decoder must be of {sizes['u']} uses of {sizes['n_tx']} and {sizes['n_rx']} antennas")
    if kind == "codec link" and (sizes["a"], sizes["b"]) != (sizes["u"] * sizes["n_tx"], sizes["u"] * sizes["n_rx"]):
        raise ValueError(f"beams must be of {sizes['u']} uses of {sizes['n_tx']} and {sizes['n_rx']} antennas")
    if "c" in sizes and 2 * (sizes["c"] - 1) != sizes["S"]:
        raise ValueError(f"ceiling must have {sizes['S'] // 2 + 1} entries, one for each number of symbols, got {sizes['c']}")
    for name in ("inputs", "outputs"):
        if kind == "codec" and not 0 <= tensors[name].min() <= tensors[name].max() < sizes["k"]:
            raise ValueError(f"{name} must be numbers of the {sizes['k']} modes, got {tensors[name].min()} to {tensors[name].max()}")
    if math.prod(sizes.get("...", ())) < 1:
        raise ValueError("channel.h must have at least one channel")

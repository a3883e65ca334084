"""The sums of a measurement under way as tensors and plain values, from which another process goes on with the same numbers."""

from typing import Any

import torch
from torch import Tensor

from latentlink.evaluation.measurement import Measurement
from latentlink.evaluation.spread import Spread
from latentlink.numerics.doors import integer

_SUMS = ("error", "cosine", "peak", "energy", "squares", "antennas")
_SPREAD = ("mean", "each", "total")


def pack_sums(measurement: Measurement) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The sums over all messages so far, and where the noise is; a gallery is not part of them."""
    tensors = {name: getattr(measurement, name) for name in _SUMS}
    facts: dict[str, Any] = {"count": measurement.count}
    spreads = {"variance": measurement.variance}
    if measurement.noise is not None:
        tensors["noise"] = measurement.noise.get_state()
    if (found := measurement.decisions) is not None:
        facts["members"] = [[c, found.members[c]] for c in sorted(found.hits)]
        tensors |= {"same": found.same} | {f"hits.{c}": found.hits[c] for c in found.hits}
    if (read := measurement.outputs) is not None:
        spreads |= {"own": read.own, "wanted": read.wanted}
        tensors |= {"changed": torch.as_tensor(read.changed, device="cpu"), "missed": torch.as_tensor(read.missed, device="cpu")}
    for name, spread in spreads.items():
        facts[name] = spread.count
        tensors |= {f"{name}.{part}": getattr(spread, part) for part in _SPREAD}
    return {name: value.clone() for name, value in tensors.items()}, facts  # the sums themselves go on changing


def unpack_sums(measurement: Measurement, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Go on from sums that were stored of the same link, channel and head, of which none has been sent a message yet.

    Raises:
        ValueError: sums of other shapes, or not finite.
        LookupError: some are missing.
    """
    if not all(bool(value.isfinite().all()) for value in tensors.values()):
        raise ValueError("sums must be finite")
    device = measurement.error.device
    for name in _SUMS:
        if tensors[name].shape != getattr(measurement, name).shape:
            raise ValueError(f"{name} must have shape {tuple(getattr(measurement, name).shape)}, got {tuple(tensors[name].shape)}")
        setattr(measurement, name, tensors[name].to(device))
    measurement.count = integer("count", facts["count"])
    measurement.variance = _spread("variance", tensors, facts, device)
    if measurement.noise is not None:
        measurement.noise.set_state(tensors["noise"])
    if (found := measurement.decisions) is not None:
        found.same = tensors["same"].to(device)
        found.members = {integer("class", c, 0): integer("members", count) for c, count in facts["members"]}
        found.hits = {c: tensors[f"hits.{c}"].to(device) for c in found.members}
    if (read := measurement.outputs) is not None:
        read.own, read.wanted = (_spread(name, tensors, facts, device) for name in ("own", "wanted"))
        read.changed, read.missed = tensors["changed"].to(device), tensors["missed"].to(device)


def _spread(name: str, tensors: dict[str, Tensor], facts: dict[str, Any], device: torch.device) -> Spread:
    spread = Spread()
    spread.count = integer(name, facts[name], 0)
    spread.mean, spread.each, spread.total = (tensors[f"{name}.{part}"].to(device) for part in _SPREAD)
    return spread

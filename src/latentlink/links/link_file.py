"""The common parts of all saved links: tensors by name, channel, power limit, and the facts of the manifest."""

from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.numerics.parts import named_tensors
from latentlink.power import NAMES, PowerLimit, named


def saved_tensors(link: object) -> dict[str, Tensor]:
    """The tensors in a link by name, such as "channel.h", complex ones as real pairs: safetensors has no complex128."""
    return {name: torch.view_as_real(value.resolve_conj()) if value.is_complex() else value for name, value in named_tensors(link).items()}


def taken_out(tensors: dict[str, Tensor], prefix: str, *pairs: str) -> dict[str, Tensor]:
    """The tensors whose names begin with a prefix, without it; they are removed from `tensors`.

    `pairs` names those, without the prefix, that are complex numbers stored as real pairs.
    """
    taken = {name.removeprefix(prefix): tensors.pop(name) for name in list(tensors) if name.startswith(prefix)}
    return taken | {name: torch.view_as_complex(taken[name].contiguous()) for name in pairs}


def series_from(tensors: dict[str, Tensor], prefix: str) -> tuple[Tensor, ...]:
    """The tensors of a prefix that are numbered 0, 1, …, in order; they are removed from `tensors`."""
    taken = taken_out(tensors, prefix)
    return tuple(taken[str(number)] for number in range(len(taken)))


def channel_from(tensors: dict[str, Tensor]) -> Channel:
    """The channel of a saved link, whose tensors are removed from `tensors`."""
    return Channel(**taken_out(tensors, "channel.", "h"))


def link_facts(channel: Channel, tx_dim: int, rx_dim: int, limit: PowerLimit) -> dict[str, Any]:
    """The facts that the manifest of every link states: its channel, dimensions d and m of the latents, and what the budget limits."""
    snr_db = channel.snr_db.flatten()
    return {
        "tx_dim": tx_dim,
        "rx_dim": rx_dim,
        "channel_uses": channel.uses,
        "n_tx": channel.n_tx,
        "n_rx": channel.n_rx,
        "channels": list(channel.batch),
        "power": _range(channel.power),
        "snr_db": _range(snr_db[snr_db.isfinite()]) or "noise-free",
        **limit_facts(limit),
    }


def limit_facts(limit: PowerLimit) -> dict[str, Any]:
    """The word and the numbers of a power limit in a manifest; a ValueError for an own limit, which `load` could not make again."""
    if NAMES.get(getattr(limit, "word", "")) is not type(limit):
        raise ValueError(
            f"power_limit must be one of latentlink.power to be saved, {', '.join(NAMES)}, got {limit!r}: no other device could load it; "
            "pickle the link instead, where its class can be imported"
        )
    numbers = {name: value for name, value in vars(limit).items() if value is not None and not isinstance(value, Tensor)}
    return {"power_limit": limit.word, **numbers}


def limit_from(tensors: dict[str, Tensor], manifest: dict[str, Any]) -> PowerLimit:
    """The power limit of a saved link, whose tensors are removed from `tensors`."""
    word = manifest["power_limit"]
    numbers = {field.name: manifest[field.name] for field in fields(NAMES[word]) if field.name in manifest}  # type: ignore[arg-type]
    return named(word, **numbers, **taken_out(tensors, "power_limit."))


def _range(values: Tensor) -> list[float]:
    """The least and the greatest of the values of a batch."""
    return [float(values.min()), float(values.max())] if values.numel() else []

"""What all saved links have in common: their channel, and the facts of their manifest."""

from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

from latentlink.channels.channel import Channel


def channel_tensors(channel: Channel) -> dict[str, Tensor]:
    """The tensors of a channel by name, "channel.h" as real pairs: safetensors has no complex128."""
    tensors = {f"channel.{field.name}": getattr(channel, field.name) for field in fields(channel) if field.name != "h"}
    return tensors | {"channel.h": torch.view_as_real(channel.h.resolve_conj())}


def channel_from(tensors: dict[str, Tensor]) -> Channel:
    """The channel of a saved link, whose tensors are taken out of `tensors`."""
    parts = taken_out(tensors, "channel.")
    return Channel(torch.view_as_complex(parts.pop("h").contiguous()), **parts)


def taken_out(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with a prefix, without it; they are taken out of `tensors`."""
    return {name.removeprefix(prefix): tensors.pop(name) for name in list(tensors) if name.startswith(prefix)}


def link_facts(channel: Channel, tx_dim: int, rx_dim: int, power_limit: str) -> dict[str, Any]:
    """The facts that the manifest of every link states.

    Args:
        channel: that it was designed for.
        tx_dim: d, of the transmitter's latents.
        rx_dim: m, of the receiver's latents.
        power_limit: what the budget limits.
    """
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
        "power_limit": power_limit,
    }


def _range(values: Tensor) -> list[float]:
    """The least and the greatest of the values of a batch."""
    return [float(values.min()), float(values.max())] if values.numel() else []

"""The doors of every transceiver: latents, received symbols, channels and batches that do not fit are a ValueError."""

import torch
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.channels.interference import no_interference
from latentlink.numerics.doors import AnyArray, check_instance, finite


def check_latents(x: AnyArray, dimension: int, batch: torch.Size | None = None, name: str = "x") -> Tensor:
    """The real latents (…, n, d) of an array, d the dimension; leading dimensions must broadcast with the batch, if one is given."""
    x = finite(name, x)
    if x.is_complex() or x.ndim < 2 or x.shape[-1] != dimension:
        raise ValueError(f"{name} must have shape (..., n, {dimension}) and be real, got {x.dtype} {tuple(x.shape)}")
    if batch is not None:
        broadcast_batch(name, x.shape[:-2], batch)
    return x


def check_received(r: AnyArray, channel: Channel, batch: torch.Size | None = None) -> Tensor:
    """The complex received symbols (…, n, u, n_rx) of an array, for a channel and, if given, the batch of a transceiver."""
    r = finite("r", r)
    if not r.is_complex() or r.ndim < 3 or r.shape[-2:] != (channel.uses, channel.n_rx):
        raise ValueError(f"r must be complex of shape (..., n, {channel.uses}, {channel.n_rx}), got {r.dtype} {tuple(r.shape)}")
    if batch is not None:
        broadcast_batch("r", r.shape[:-3], batch)
    return r


def check_channel(channel: object, like: Tensor | None = None, coloured: bool = False) -> None:
    """Check that the argument is a channel, on the device of a tensor if one is given, and without interference unless that is served."""
    check_instance("channel", channel, Channel, "Channel.from_snr(h, snr_db)")
    if isinstance(channel, Channel) and not coloured:
        no_interference(channel.interference)
    if isinstance(channel, Channel) and like is not None and channel.h.device != like.device:
        raise ValueError(f"channel must be on {like.device}, where the latents are, got {channel.h.device}")


def check_same_transmitter(channel: Channel, designed: Channel, coloured: bool = False) -> None:
    """Check that a channel has the transmit antennas and uses that a transmitter was designed for (`coloured` as in `check_channel`)."""
    check_channel(channel, coloured=coloured)
    got, expected = (channel.uses, channel.n_tx), (designed.uses, designed.n_tx)
    if got != expected:
        raise ValueError(f"channel must have (uses, n_tx) = {expected} as the precoder has, got {got}")


def broadcast_batch(name: str, got: torch.Size, expected: torch.Size) -> torch.Size:
    """The common batch of leading dimensions and of a transceiver."""
    try:
        return torch.Size(torch.broadcast_shapes(got, expected))
    except RuntimeError as error:
        raise ValueError(f"{name} must have a batch that broadcasts with {tuple(expected)}, got {tuple(got)}") from error


def expanded(name: str, values: Tensor, batch: torch.Size) -> Tensor:
    """The values (…) for each member of a batch; a ValueError that names them where they do not fit it."""
    try:
        return values.expand(batch)
    except RuntimeError as error:
        raise ValueError(f"{name} must have a shape that expands to {tuple(batch)}, got {tuple(values.shape)}") from error


def check_factor(factor: AnyArray | float, like: Tensor, batch: torch.Size) -> Tensor:
    """The factor (…) of a power, finite and not negative, for each member of a batch, in the precision and on the device of a tensor."""
    values = finite("factor", factor).to(like)
    if bool((values < 0).any()):
        raise ValueError(f"factor must not be negative, got {float(values.min()):g}")
    return expanded("factor", values, batch)

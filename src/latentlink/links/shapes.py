"""The doors of every transceiver: what latents, received symbols and batches must look like, each checked in one place."""

import torch
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.numerics.doors import AnyArray, check_instance, finite


def check_latents(x: AnyArray, dimension: int, batch: torch.Size | None = None, name: str = "x") -> Tensor:
    """The real latents (…, n, d) of an array.

    Args:
        x: what a user handed over.
        dimension: d.
        batch: of the transceiver, with which the leading dimensions of x must broadcast; None where any will do.
        name: of the argument.

    Raises:
        ValueError: x is complex or not finite, its last dimension is not d, it has no message axis, or its batch does not fit.
    """
    x = finite(name, x)
    if x.is_complex() or x.ndim < 2 or x.shape[-1] != dimension:
        raise ValueError(f"{name} must have shape (..., n, {dimension}) and be real, got {x.dtype} {tuple(x.shape)}")
    if batch is not None:
        broadcast_batch(name, x.shape[:-2], batch)
    return x


def check_received(r: AnyArray, channel: Channel, batch: torch.Size | None = None) -> Tensor:
    """The received symbols (…, n, u, n_rx) of an array.

    Args:
        r: what a user handed over.
        channel: whose uses u and receive antennas n_rx the symbols must have.
        batch: of the transceiver, with which the leading dimensions of r must broadcast; None where any will do.

    Raises:
        ValueError: r is real or not finite, its uses or antennas are not the channel's, or its batch does not fit.
    """
    r = finite("r", r)
    if not r.is_complex() or r.ndim < 3 or r.shape[-2:] != (channel.uses, channel.n_rx):
        raise ValueError(f"r must be complex of shape (..., n, {channel.uses}, {channel.n_rx}), got {r.dtype} {tuple(r.shape)}")
    if batch is not None:
        broadcast_batch("r", r.shape[:-3], batch)
    return r


def check_channel(channel: object, like: Tensor | None = None) -> None:
    """Refuse what is no channel, or one that is on another device than a tensor of what is known of the latents.

    Raises:
        ValueError: it is so.
    """
    check_instance("channel", channel, Channel, "Channel.from_snr(h, snr_db)")
    if isinstance(channel, Channel) and like is not None and channel.h.device != like.device:
        raise ValueError(f"channel must be on {like.device}, where the latents are, got {channel.h.device}")


def check_same_transmitter(channel: Channel, designed: Channel) -> None:
    """Refuse a channel that another transmitter would be needed for.

    Raises:
        ValueError: its type, transmit antennas or uses are not those of the channel that the transmitter was designed for.
    """
    check_channel(channel)
    got, expected = (channel.uses, channel.n_tx), (designed.uses, designed.n_tx)
    if got != expected:
        raise ValueError(f"channel must have (uses, n_tx) = {expected} as the precoder has, got {got}")


def broadcast_batch(name: str, got: torch.Size, expected: torch.Size) -> torch.Size:
    """The batch that leading dimensions and the batch of a transceiver make together.

    Raises:
        ValueError: they do not broadcast.
    """
    try:
        return torch.Size(torch.broadcast_shapes(got, expected))
    except RuntimeError as error:
        raise ValueError(f"{name} must have a batch that broadcasts with {tuple(expected)}, got {tuple(got)}") from error

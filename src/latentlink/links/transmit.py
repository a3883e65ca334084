"""Sending latents over a channel: encode, channel, decode."""

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.links.own import AnyLink, as_transceiver
from latentlink.numerics.doors import AnyArray, as_generator, as_tensor
from latentlink.numerics.validation import validate_call


@validate_call
def transmit(
    transceiver: AnyLink,
    x: AnyArray,
    channel: Channel,
    *,
    generator: int | torch.Generator | None = None,
) -> Float[Tensor, "*batch n m"]:
    """Send latents over a channel: encode x, send its symbols through the channel with fresh noise, decode what arrives.

    Args:
        transceiver: the link: a transceiver, a `Solution`, or any object with `encode` and `decode`.
        x: latents (n, d) or (…, n, d) of the transmitter.
        channel: the channels that they really pass, which need not be those of the design.
        generator: a seed or the source of the noise.

    Returns:
        Latents ŷ (…, n, m) at the receiver, `...` being the batch of channels.

    Raises:
        ValueError: the link cannot encode and decode, or shapes do not fit (see `encode`, `Channel.apply`, `decode`).

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, x[:, :6].tanh()))
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0)
        >>> link = ll.ClosedForm().design(modes, channel).transceiver
        >>> ll.transmit(link, x, channel, generator=0).shape
        torch.Size([500, 6])
    """
    link, x = as_transceiver(transceiver, channel), as_tensor("x", x)
    noise = as_generator(generator, "noise", channel.h.device)
    return link.informed_by(x).decode(channel.apply(link.encode(x), noise))

"""The design of a digital link: align, transform-code, protect, adapt; every bit counted.

    x  →  weighted coefficients  →  payload of B bits  →  5G LDPC code  →  QAM over the singular vectors  →  …  →  ŷ = μy + Ψ ẑ.

It has the same channel uses, the same power and the same pilots as the analogue designs; docs/digital.md gives the choices and omissions.
"""

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch

from latentlink.channels.channel import Channel
from latentlink.digital.adaptation import BlockError, LinkAdaptation, error_of_lost
from latentlink.digital.source.latent_code import Coordinates, LatentCode
from latentlink.digital.transceiver import DigitalTransceiver
from latentlink.latents.moments import Moments
from latentlink.latents.pilots import Pilots
from latentlink.linear.modes import SemanticModes, check_pair
from latentlink.links.shapes import check_channel
from latentlink.links.solution import Solution
from latentlink.links.status import Status
from latentlink.numerics.expectations import made_by
from latentlink.numerics.reprs import Summarised


@made_by("AtTransmitter() or AtReceiver()")
@runtime_checkable
class CodedSide(Protocol):
    """The choice of the coefficients that are coded."""

    def coordinates(self, modes: SemanticModes, pilots: Pilots) -> Coordinates:
        """The coefficients that are coded, given semantic modes and pilots."""


@dataclass(frozen=True)
class AtTransmitter(Summarised):
    """The transmitter aligns: the semantic modes are coded, the Karhunen–Loève transform of the linear estimate of y (or of W y).

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, y))
        >>> ll.digital.Digital(alignment=ll.digital.AtTransmitter()).code(modes, ll.Pilots(x, y))
        LatentCode(6 coefficients, learnt from 425 pilots, judged on 75 pilots)
    """

    def coordinates(self, modes: SemanticModes, pilots: Pilots) -> Coordinates:
        """The semantic modes."""
        return Coordinates(modes.analysis, modes.synthesis, modes.strength, modes.mean_x, modes.mean_y)


@dataclass(frozen=True)
class AtReceiver(Summarised):
    """The receiver aligns what it has decoded: the principal components of x are coded, which know nothing of y.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, y))
        >>> ll.digital.Digital(alignment=ll.digital.AtReceiver()).code(modes, ll.Pilots(x, y))  # all 8 components of x
        LatentCode(8 coefficients, learnt from 425 pilots, judged on 75 pilots)
    """

    def coordinates(self, modes: SemanticModes, pilots: Pilots) -> Coordinates:
        """The principal components of x, whitened with the shrinkage of the modes."""
        return Coordinates.of_moments(Moments.from_pairs(pilots.x, pilots.y), modes.shrinkage)


@dataclass(frozen=True, kw_only=True)
class Digital(Summarised):
    """A separate digital link: one payload per message, one block over all its channel uses.

    What is known of the latents is a `LatentCode`, learnt once by `code` and good for any channel, as a trained codec is; what is known
    of the channel is its h, exactly and at both ends.

    Attributes:
        alignment: AtTransmitter() codes the semantic modes, AtReceiver() the principal components of x, and aligns what was decoded.
        adaptation: BlockError(0.1) takes the best block of that predicted error; Genie() knows each message's noise (a reference).

    Raises:
        ValueError: naming the attribute that is something else.

    References:
        [3gpp38212] for the code, [polyanskiy2010channel] for its adaptation, [bamler2022constriction] for the range coder.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, y))
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0).repeated(4)
        >>> digital = ll.digital.Digital(adaptation=ll.digital.BlockError(0.01))
        >>> solution = digital.design(digital.code(modes, ll.Pilots(x, y)), channel)
        >>> solution, solution.trace["message_bits"].shape
        (Solution(1 channel, 2×2, 4 uses, baseline), torch.Size([]))
    """

    alignment: CodedSide = field(default_factory=AtTransmitter)
    adaptation: LinkAdaptation = field(default_factory=BlockError)

    def code(self, modes: SemanticModes, pilots: Pilots) -> LatentCode:
        """Learn the code of the latents that both devices hold, for any channel; its tables are made when first needed.

        Args:
            modes: coded if the transmitter aligns; if the receiver does, only their shrinkage is used.
            pilots: for the statistics; labels are not used.

        Returns:
            The code, for `design`.

        Raises:
            ValueError: modes or pilots are of another type or dimension, or there are no modes.
        """
        check_pair(modes, pilots)
        return LatentCode.of_pilots(self.alignment.coordinates(modes, pilots), pilots)

    def design(self, code: LatentCode, channel: Channel) -> Solution[DigitalTransceiver]:
        """The link for every channel of the batch, with h known exactly at both ends.

        Args:
            code: what is known of the latents, made by `code`; its tables serve further designs too.
            channel: (…, u, n_rx, n_tx).

        Returns:
            Solution with a `DigitalTransceiver` (`GenieTransceiver`). `trace` has "message_bits" (…), the payload with header and indices;
            "block_error" (…), the predicted probability of losing a block, 1 where none is sent; "code_bits" (…), the payload with its
            CRC; "coded_bits" (…), bits on the channel. `expected_mse` is that of held-back pilots by ordinary adaptation, which a genie
            does not exceed.

        Raises:
            ValueError: code or channel are of another type or on different devices, or the channel is known up to an error only.
            ImportError: the extra `digital` is not installed.
        """
        like = code.coordinates.mean_x
        check_channel(channel, like)
        if bool((channel.error_variance > 0).any()):
            raise ValueError(
                "channel must be known exactly, got an error_variance above 0: neither rates nor demappers allow for one; "
                "channel.without_error() takes the estimate for the channel, at the price of lost blocks"
            )
        return _solution(self.adaptation.link(code, channel.to(like.dtype)), code)


def _solution(link: DigitalTransceiver, code: LatentCode) -> Solution[DigitalTransceiver]:
    """The link with what is expected of it by ordinary adaptation."""
    sent, lost = link.message_bits > 0, link.block_error
    errors = [code.variance if block is None else code.remaining(block.payload).mse for block in link.blocks]
    pairs = zip(link.blocks, errors, strict=True)
    received = link.per_channel(errors)
    missed = link.per_channel([error if block is None else error_of_lost(block, code.variance, error) for block, error in pairs])
    trace = {
        "message_bits": link.message_bits,
        "block_error": lost,
        "code_bits": link.per_channel([0.0 if block is None else block.information_bits for block in link.blocks]),
        "coded_bits": link.per_channel([0.0 if block is None else len(block.order) for block in link.blocks]),
    }
    power = torch.where(sent, link.channel.power, 0.0)
    return Solution(link, Status.BASELINE.where(sent), (1 - lost) * received + lost * missed, power, trace)

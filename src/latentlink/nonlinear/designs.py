"""The designs of this room: another design's link on lifted latents, or with the decoder of a mixture."""

from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

from latentlink.channels.channel import Channel
from latentlink.linear.closed_form import mark_status
from latentlink.linear.design import ClosedForm
from latentlink.linear.modes import SemanticModes
from latentlink.linear.transceiver import LinearTransceiver
from latentlink.links.shapes import check_channel
from latentlink.links.solution import Solution
from latentlink.links.status import Status
from latentlink.nonlinear.lifted import Lifted
from latentlink.nonlinear.lifted_transceiver import LiftedTransceiver, checked
from latentlink.nonlinear.mixture import MixtureDecoder, same_mode
from latentlink.nonlinear.mixture_transceiver import MixtureTransceiver
from latentlink.numerics.doors import check_instance
from latentlink.numerics.reprs import Summarised

MIXTURE = Status(
    "mixture", "feasible: the precoder is that of a linear design, the decoder averages over classes; its error is to be measured"
)


@runtime_checkable
class ModesDesign(Protocol):
    """A design from modes, such as `ClosedForm` or `Admm`."""

    def design(self, modes: SemanticModes, known: Channel) -> Solution[Any]:
        """Design a link for every channel of the batch."""


@dataclass(frozen=True)
class LiftedLink(Summarised):
    """A design on lifted latents: the optimum among maps of x that are linear in x and in its random features.

    Attributes:
        lifted: the features.
        by: the design that is taken on them; its links must be linear, or those of a `MixtureLink`.

    Raises:
        ValueError: lifted is no Lifted, or by has no `design`.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> lifted = ll.nonlinear.Lifted.of_latents(x, features=64)
        >>> modes = ll.semantic_modes(lifted.moments(x, x[:, :2] * x[:, 2:4]))
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, batch=(3,), generator=0), snr_db=20.0)
        >>> ll.nonlinear.LiftedLink(lifted).design(modes, channel)
        Solution(3 channels, 2×2, 1 use, optimal)
    """

    lifted: Lifted
    by: ModesDesign = field(default_factory=ClosedForm)

    def __post_init__(self) -> None:
        check_instance("lifted", self.lifted, Lifted, "nonlinear.Lifted.of_latents(x)")
        check_instance("by", self.by, ModesDesign, "ClosedForm()")

    def design(self, modes: SemanticModes, channel: Channel) -> Solution[LiftedTransceiver]:
        """Design a link for every channel of the batch.

        Args:
            modes: semantic modes of lifted latents, `semantic_modes(lifted.moments(x, y), goal)`.
            channel: batch of channels (…, u, n_rx, n_tx), or what is known of them.

        Returns:
            The solution of the design, with its statuses, errors, powers and trace.

        Raises:
            ValueError: modes are of other latents, the design gives links of another kind, or refuses modes or channel.
        """
        check_instance("modes", modes, SemanticModes, "semantic_modes(lifted.moments(x, y)) makes them")
        check_channel(channel, modes.strength, coloured=True)
        expected = len(self.lifted.mean) + len(self.lifted.phases)
        if len(modes.mean_x) != expected:
            raise ValueError(f"modes must be of lifted latents of dimension {expected}, got {len(modes.mean_x)}: lifted.moments(x, y)")
        found = self.by.design(modes, channel)
        if not isinstance(found.transceiver, LinearTransceiver | MixtureTransceiver):
            raise ValueError(f"by must give linear links, or those of a MixtureLink, got a {type(found.transceiver).__name__}")
        return replace(found, transceiver=checked(self.lifted, found.transceiver))


@dataclass(frozen=True)
class MixtureLink(Summarised):
    """The precoder of a linear design, with a decoder that averages over classes as their probability given what arrives.

    Attributes:
        decoder: what is known of the classes, in coordinates of the modes that are designed for.
        by: the linear design.

    Raises:
        ValueError: decoder is no MixtureDecoder, or by has no `design`.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> pilots = ll.Pilots(x, x[:, :6].tanh(), (x[:, 0] > 0).long())
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(pilots.x, pilots.y))
        >>> channel = ll.Channel.from_snr(ll.rayleigh(1, 1, batch=(3,), generator=0), snr_db=20.0)
        >>> ll.nonlinear.MixtureLink(ll.nonlinear.MixtureDecoder.of(modes, pilots)).design(modes, channel)
        Solution(3 channels, 1×1, 1 use, mixture)
    """

    decoder: MixtureDecoder
    by: ModesDesign = field(default_factory=ClosedForm)

    def __post_init__(self) -> None:
        check_instance("decoder", self.decoder, MixtureDecoder, "nonlinear.MixtureDecoder.of(modes, pilots)")
        check_instance("by", self.by, ModesDesign, "ClosedForm()")

    def design(self, modes: SemanticModes, channel: Channel) -> Solution[MixtureTransceiver]:
        """Design a link for every channel of the batch.

        Args:
            modes: the semantic modes in whose coordinates the classes are known.
            channel: batch of channels (…, u, n_rx, n_tx), or what is known of them.

        Returns:
            Solution with the powers and the trace of the linear design. Its error is not known.

        Raises:
            ValueError: modes, channel and classes do not fit each other, the design's links are not linear, limit single messages or await
                a channel, or it refuses modes or channel.
        """
        check_instance("modes", modes, SemanticModes, "semantic_modes(moments) makes them")
        check_channel(channel, modes.strength, coloured=True)
        if len(modes.mean_y) != self.decoder.means_y.shape[1]:
            raise ValueError(f"modes must be of latents → {self.decoder.means_y.shape[1]}, as the decoder's are, got {len(modes.mean_y)}")
        if not same_mode(self.decoder.first_mode, modes.analysis[:1].sum(0)):
            raise ValueError("modes must be those in which the decoder knows the classes, got others: MixtureDecoder.of(modes, pilots)")
        found = self.by.design(modes, channel)
        link = MixtureTransceiver.of(self.decoder, found.transceiver)
        status = mark_status(found.status, found.status == found.status, MIXTURE)
        return Solution(link, status, None, found.expected_power, found.trace)

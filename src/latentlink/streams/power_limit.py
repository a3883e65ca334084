"""The base of all power limits: what designs and transmitters ask of one. The limits themselves are in `power`."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.numerics.expectations import made_by
from latentlink.numerics.reprs import Summarised
from latentlink.streams.allocation import Placement
from latentlink.streams.projections import Precoders


@made_by("power.Mean() or power.PerUse()")
class PowerLimit(Summarised):
    """The limit that a power budget sets on a transmitter; the base of all limits.

    Attributes:
        word: name of the limit in study files, on the command line and in saved links.
        is_exact: True where `allocate` gives the optimum within the limit.

    Example:
        >>> import latentlink as ll
        >>> isinstance(ll.power.PerUse(), ll.power.PowerLimit), ll.power.PerUse().is_exact, ll.power.Equal().is_exact
        (True, True, False)
    """

    word: ClassVar[str]
    is_exact: ClassVar[bool] = True

    @property
    def limits_messages(self) -> bool:
        """True where single messages are scaled, so that what is sent is not linear in the latent."""
        return False

    def message_gain(self, energy: Float[Tensor, "*batch n"], budget: Float[Tensor, "*#batch #n"]) -> Float[Tensor, "*batch n"]:
        """Factor (…, n) on the symbols of each message, for its energy and the budget u·P of a message; 1 unless messages are limited."""
        return torch.ones_like(energy)

    def deployed(self) -> "PowerLimit":
        """The limit that a deployed transmitter stores, without the pilots that only its design needs."""
        return self

    def check(self, n_tx: int) -> None:
        """Raise ValueError where the limit does not fit a transmitter of n_tx antennas."""

    def allocate(self, strength: Float[Tensor, "k"], channel: Channel, *, widely_linear: bool = True) -> Placement:
        """Place modes on known channels; an error of the channel counts as white noise of the power that it receives.

        Args:
            strength: b (k,) of the modes, decreasing.
            channel: batch of channels.
            widely_linear: False keeps modes 2i and 2i + 1 together, as complex-linear designs do.

        Returns:
            Precoders and decoders (…) of the modes, with the power of each.

        Raises:
            ValueError: no exact placement is known within the limit.
        """
        raise ValueError(f"power must be a limit with an exact design, got {self!r}: use Admm(power={self!r}) instead")

    def project(self, F: Precoders, power: Float[Tensor, "*batch"], covariance: Tensor | None = None) -> Precoders:
        """Project a precoder to the nearest one within the limit.

        Args:
            F: complex precoder (…, u, n_tx, c) of c inputs.
            power: P (…), mean power per channel use.
            covariance: covariance (c, c) of the inputs, I if it is None; for any other the projection is a scaling.

        Returns:
            A precoder (…, u, n_tx, c) within the limit.

        Raises:
            ValueError: the limit has no projection.
        """
        raise ValueError(f"power must be a limit with a projection, Mean(), PerUse() or PerAntenna(), got {self!r}: use it in ClosedForm")

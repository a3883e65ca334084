"""What a handshake costs in channel uses: pilots that both ends see, of which the receiver answers with numbers or with decisions."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.bounds.capacity import capacity
from latentlink.channels.channel import Channel
from latentlink.numerics.doors import integer, real
from latentlink.numerics.reprs import Summarised, counted, spread
from latentlink.numerics.validation import validate_call


@dataclass(frozen=True, eq=False, repr=False)
class Handshake(Summarised):
    """Channel uses of the answers to pilots, for each channel of a batch `...`.

    Answers that are decisions are counted at capacity, so coding loss comes on top; numbers are sent as they are, two a symbol, with the
    channel's noise on them. Noise on answers costs little; noise on what the transmitter tells would bias the design, so the receiver
    answers.

    Attributes:
        pilots: number of pilots.
        uses: channel uses (…), whole ones.

    Example:
        >>> import torch, latentlink as ll
        >>> channel = ll.Channel.from_snr(ll.rayleigh(8, 8, batch=(10,), generator=0), snr_db=20.0)
        >>> int(ll.bounds.Handshake.of_numbers(420, numbers=64, channel=channel).uses[0])
        1680
        >>> float(ll.bounds.Handshake.of_decisions(420, classes=10, channel=channel).uses.mean()) < 30
        True
    """

    pilots: int
    uses: Float[Tensor, "*batch"]

    def _facts(self) -> dict[str, str]:
        return {
            "pilots": counted(self.pilots, "pilot"),
            "channels": counted(self.uses.numel(), "channel"),
            "uses": f"{spread(self.uses)} channel uses",
        }

    @classmethod
    @validate_call
    def of_numbers(cls, pilots: int, numbers: int, channel: Channel) -> "Handshake":
        """The receiver answers each pilot with so many real numbers, two for each of the min(n_tx, n_rx) symbols of a use.

        Raises:
            ValueError: pilots or numbers is no integer >= 1.
        """
        uses = uses_of_numbers(integer("pilots", pilots), integer("numbers", numbers), min(channel.n_tx, channel.n_rx))
        return cls(int(pilots), torch.full_like(channel.power, uses))

    @classmethod
    @validate_call
    def of_decisions(cls, pilots: int, classes: int, channel: Channel) -> "Handshake":
        """The receiver answers with its decisions, log2(classes) bits each, at the capacity of the channel; inf uses where that is 0.

        Raises:
            ValueError: pilots is no integer >= 1, or classes none >= 2.
        """
        bits = integer("pilots", pilots) * torch.tensor(float(integer("classes", classes, 2)), dtype=torch.float64, device="cpu").log2()
        per_use = capacity(channel) / channel.uses
        return cls(int(pilots), (bits.to(per_use) / per_use).ceil().clamp(min=1))

    def pays_after(self, gain: float, uses: int = 1) -> Float[Tensor, "*batch"]:
        """Messages (…) after which the handshake has paid for itself, a correct decision more being worth what a message costs.

        Args:
            gain: increase of accuracy that the pilots bring, in (0, 1].
            uses: channel uses of a message.

        Raises:
            ValueError: gain is not in (0, 1], or uses is no integer >= 1.
        """
        return self.uses / (real("gain", gain, above=0.0, most=1.0) * integer("uses", uses))


def uses_of_numbers(pilots: int, numbers: int, symbols: int) -> int:
    """Channel uses of `numbers` real numbers for each pilot, two for each of the symbols of a use."""
    return -(-pilots * numbers // (2 * symbols))

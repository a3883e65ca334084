"""Amplifiers that clip what exceeds their limit."""

from dataclasses import dataclass

from jaxtyping import Complex, Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.numerics.division import ratio
from latentlink.numerics.doors import finite, real
from latentlink.numerics.reprs import Summarised


@dataclass(frozen=True, eq=False)
class Amplifier(Summarised):
    """Clipping amplifiers: every symbol of an antenna is clipped to |s| ≤ A, its phase unchanged; the receiver does not know of it.

    Attributes:
        limit: A² (…) in the unit of P, the power that no symbol of an antenna exceeds.

    Raises:
        ValueError: the limit is not finite or negative.

    Example:
        >>> import torch, latentlink as ll
        >>> amplifier = ll.metrics.Amplifier(torch.tensor(1.0))
        >>> amplifier(torch.tensor([0.5j, 2.0 + 0j]).reshape(2, 1, 1)).flatten()
        tensor([0.+0.5000j, 1.+0.0000j])
    """

    limit: Float[Tensor, "*batch"]

    def __post_init__(self) -> None:
        if not (finite("limit", self.limit) >= 0).all():
            raise ValueError(f"limit must not be negative, got {float(self.limit.min()):g}")

    @classmethod
    def above_mean(cls, channel: Channel, limit_db: float) -> "Amplifier":
        """Make an amplifier whose limit lies a number of dB above an antenna's even share P / n_tx of the channel's power.

        Args:
            channel: channels of power P (…).
            limit_db: limit over that share, in dB.

        Raises:
            ValueError: the limit is not from −300 to 300 dB.
        """
        return cls(channel.power / channel.n_tx * 10 ** (real("limit_db", limit_db, least=-300, most=300) / 10))

    def __call__(self, s: Complex[Tensor, "*b n u t"]) -> Complex[Tensor, "*c n u t"]:
        """The symbols (…, n, u, n_tx) that leave the antennas for symbols s (…, n, u, n_tx)."""
        s = finite("s", s)
        most = self.limit.to(s.real.dtype)[..., None, None, None]
        return s * ratio(most, s.abs().square()).sqrt().clamp(max=1).masked_fill(s == 0, 1.0)

"""What is put on the two devices: encode and decode, and what a design returns.

A transceiver may be anything that encodes latents to channel symbols and decodes what is received. Decoders end in ŷ = μy + Ψ ẑ with few
coefficients ẑ, which is all that evaluation needs of a message.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from latentlink.arrays import as_tensor
from latentlink.channels.channel import Channel


class Status(Enum):
    """How a design ended, one per channel; the value is the message, and says what to try."""

    OPTIMAL = "optimal: no pair of its kind does better under these moments and this power"
    NOTHING_TO_SEND = (
        "nothing was sent: the channel or power is zero, no modes, limits or weights are left; look at h, power, modes, pruning"
    )
    ROBUST = "feasible for a channel known up to an error, the best of the precoders tried (trace['candidate']); no optimum is known there"
    STOPPED = "feasible, but the gap to the bound (trace['gap']) is above tolerance: raise max_iterations of the power limit"
    REFITTED = "feasible: the precoder is that of mean power scaled per message, the decoder is refitted to it; no optimum is known"
    CONVERGED = (
        "feasible, residuals below tolerance: a stationary pair, which need not be the optimum; trace['gap'] tells how far it may be"
    )
    UNCONVERGED = "feasible, but residuals were above tolerance when iterations ran out: raise max_iterations, or let rho adapt"
    DIVERGED = "feasible, the best pair before it diverged: raise rho, let it adapt, warm_start; lower learning_rate (Neural)"
    REFITTED_SELECTION = (
        "feasible: the closed form on selected antennas, none of which is better exchanged for another; others may be: try several seeds"
    )
    BASELINE = "feasible: a baseline by construction, nothing was optimised jointly"
    TRAINED = "feasible: trained until validation stopped improving; no optimum is known"
    UNDERTRAINED = "feasible, but validation was still improving when the epochs ran out: raise epochs"
    CODEC = "feasible: the trained codec, which did better than the exact linear design on validation pilots over channels of this kind"
    LINEAR = (
        "feasible: the exact linear design, which the codec did not surely beat on validation pilots over channels of this kind; "
        "for more of the codec train it longer, or with more pilots"
    )

    @property
    def code(self) -> int:
        """Its number in `Solution.status`."""
        return list(Status).index(self)


@runtime_checkable
class Transceiver(Protocol):
    """Anything that can be put on the two devices, for a batch `...` of channels."""

    @property
    def batch(self) -> torch.Size:
        """The leading dimensions `...`."""

    @property
    def mean_y(self) -> Tensor:
        """μy (m,)."""

    @property
    def synthesis(self) -> Tensor:
        """Ψ (m, s)."""

    def encode(self, x: Tensor) -> Tensor:
        """Channel symbols (…, n, u, n_tx) of latents x (…, n, d)."""

    def receive(self, r: Tensor) -> Tensor:
        """Coefficients ẑ (…, n, s) of received symbols r (…, n, u, n_rx)."""

    def decode(self, r: Tensor) -> Tensor:
        """Latents ŷ = μy + Ψ ẑ (…, n, m)."""


@runtime_checkable
class SideInformed(Protocol):
    """A transceiver whose receiver is told something of each message besides the channel, free of error; what that costs is counted."""

    @property
    def side_symbols(self) -> int:
        """Complex symbols per message to add to the compression factor for it, at one real number an index."""

    @property
    def side_bits(self) -> float:
        """What it takes in bits per message, at least."""

    def informed_by(self, x: Tensor) -> Transceiver:
        """The same transceiver, its receiver knowing the side information of these messages x (…, n, d)."""


@runtime_checkable
class Scalable(Protocol):
    """A transceiver whose power may be set without designing it anew."""

    def scaled(self, factor: Tensor) -> Transceiver:
        """The same at powers times a factor (…), known at both ends."""


def informed(transceiver: Transceiver, x: Tensor) -> Transceiver:
    """The transceiver that can decode what is received of messages x (…, n, d): itself, unless it needs side information on them."""
    return transceiver.informed_by(x) if isinstance(transceiver, SideInformed) else transceiver


@dataclass(frozen=True, eq=False)
class Solution:
    """What a design returns.

    Attributes:
        transceiver: feasible, whatever the status.
        status: (…) codes, one per channel; `messages()` spells them out.
        expected_mse: (…) total, unweighted E||y − ŷ||² under the pilots' moments.
        expected_power: (…) mean power per channel use under the pilots' moments; at most the budget, which holds under the design
        covariance.
        trace: further tensors of the design, by name.
    """

    transceiver: Any
    status: Int[Tensor, "*batch"]
    expected_mse: Float[Tensor, "*batch"]
    expected_power: Float[Tensor, "*batch"]
    trace: dict[str, Tensor] = field(default_factory=dict)

    def messages(self) -> list[str]:
        """The distinct status messages of the batch."""
        return [list(Status)[int(code)].value for code in self.status.unique()]


def transmit(
    transceiver: Transceiver, x: Tensor | NDArray[Any], channel: Channel, generator: torch.Generator | None = None
) -> Float[Tensor, "*batch n m"]:
    """ŷ (…, n, m): encode x, send it through the channel with fresh noise, decode.

    Args:
        transceiver: the pair.
        x: latents (n, d) or (…, n, d).
        channel: the channels they really pass, which need not be those of the design.
        generator: source of the noise.

    Raises:
        ValueError: shapes do not fit (see `encode`, `Channel.apply`, `decode`).
    """
    x = as_tensor("x", x)
    return informed(transceiver, x).decode(channel.apply(transceiver.encode(x), generator))

"""The choice among several precoders for a channel that is known up to an error."""

from dataclasses import dataclass
from enum import IntEnum

from jaxtyping import Bool, Float, Int
from torch import Tensor


class Candidate(IntEnum):
    """The precoders that robust designs compare; `trace["candidate"]` holds these numbers, with one meaning in all designs.

    Attributes:
        NAIVE: designed for H̄ in noise σ², as if the estimate were the channel.
        NOISIER: designed for H̄ in the effective noise σ² + τ P of every use.
        BALANCED: NOISIER with modes moved so that uses carry similar powers.
        REWEIGHTED: balanced, with power weighted by the square of the noise that it makes in each use.
        NAIVE_PAIR: the naive precoder with a decoder that also takes the estimate for the channel.
        INFLATED: designed for a square root of E[Hᴴ H] = H̄ᴴ H̄ + n_rx τ I in noise σ².
        FEWER: INFLATED on the n_rx strongest directions only.
    """

    NAIVE = 0
    NOISIER = 1
    BALANCED = 2
    REWEIGHTED = 3
    NAIVE_PAIR = 4
    INFLATED = 5
    FEWER = 6


@dataclass(frozen=True, eq=False)
class Choice:
    """The chosen precoder of each channel.

    Attributes:
        streams: slot (…, s) of each mode.
        stream_power: power (…, s) of each mode.
        precoder: F̃ (…, u, 2 n_tx, 2q).
        candidate: number of the `Candidate` (…).
        mse: expected total unweighted MSE (…).
        trusting: True (…) for channels whose decoder takes the estimate for the true channel; None where all take its error into account.
    """

    streams: Int[Tensor, "*batch s"]
    stream_power: Float[Tensor, "*batch s"]
    precoder: Float[Tensor, "*batch u t2 q2"]
    candidate: Int[Tensor, "*batch"]
    mse: Float[Tensor, "*batch"]
    trusting: Bool[Tensor, "*batch"] | None = None

"""The best accuracy of a receiver that receives at most C bits of what its head would have decided.

A receiver that receives at most C bits of the class that its head would have decided, c, guesses the true one, l, with

    A(C) = max over p(l̂ | c), I(c; l̂) ≤ C, of  P(l̂ = l)  =  min over β > 0 of  F(β) + C / β,
    F(β) = max over q of  1/β Σ_c p(c) log Σ_l̂ q(l̂) e^{β P(l = l̂ | c)}          (Blahut–Arimoto [blahut1972computation]),

C in nats; by the data processing inequality this bounds links of any complexity, also those that code each message alone. At C = ∞ it is
the ceiling of the receiver's own latents. A transmitter that knows more of the true class than the receiver's head is not bound by it.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlink.latents.pilots import as_labels

_SLOPES = 400  # values of β
_STEPS = 400  # Blahut–Arimoto iterations for each β, at most
_CERTAIN = 1e-7  # what F(β) may still grow by, in accuracy, when Blahut–Arimoto stops
_ENTRIES = 2**22  # values held at a time


def accuracy(bits: Float[Tensor, "*batch"], decisions: Int[Tensor, "n"], labels: Int[Tensor, "l"]) -> Float[Tensor, "*batch"]:
    """Best accuracy A(C) (…) of a receiver that hears C bits per message of what its head decides on its own latents.

    Args:
        bits: C ≥ 0, such as `capacity(channel)`; inf gives the ceiling.
        decisions: of the head on the receiver's own latents (n,), such as `head(y).argmax(-1)`.
        labels: true classes (n,).

    Raises:
        ValueError: bits are negative or NaN, or decisions and labels are not class numbers of the same length.
    """
    return AccuracyBound.of(decisions, labels).at(bits)


@dataclass(frozen=True, eq=False)
class AccuracyBound:
    """A(C) for a head and classes, as the least of many lines: what `accuracy` makes once for any number of channels.

    Attributes:
        best: F(β) of each line (b,). slope: 1/β (b,), in accuracy per bit; the last line is the ceiling, flat.
    """

    best: Float[Tensor, "b"]
    slope: Float[Tensor, "b"]

    @classmethod
    def of(cls, decisions: Int[Tensor, "n"], labels: Int[Tensor, "l"]) -> "AccuracyBound":
        """From a head's decisions and the true classes; raises as `accuracy`."""
        if labels.ndim != 1 or len(labels) == 0:
            raise ValueError(f"labels must be class numbers (n,), n from 1, got shape {tuple(labels.shape)}")
        labels = as_labels(labels, len(labels))
        if decisions.shape != labels.shape:
            raise ValueError(f"decisions must have shape {tuple(labels.shape)}, one per label, got {tuple(decisions.shape)}")
        decisions = as_labels(decisions, len(labels)).to(labels.device)
        classes = int(torch.maximum(decisions.max(), labels.max())) + 1
        joint = torch.zeros(classes, classes, dtype=torch.float64, device=labels.device)
        joint.index_put_((decisions, labels), joint.new_ones(()) / len(labels), accumulate=True)
        known = joint.sum(-1) > 0
        p = joint[known].sum(-1)
        reward = joint[known] / p.unsqueeze(-1)  # P(l | c)
        beta = torch.logspace(-3, 4, _SLOPES, dtype=torch.float64, device=labels.device)
        chunks = beta.split(max(1, _ENTRIES // reward.numel()))
        best = torch.cat([*(_informed(p, reward, some) for some in chunks), (p * reward.amax(-1)).sum().unsqueeze(0)])
        return cls(best, torch.cat([1 / beta, beta.new_zeros(1)]) * math.log(2))

    def at(self, bits: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """A(C) (…) at C bits (…); raises as `accuracy`."""
        if not bool((bits >= 0).all()):
            raise ValueError("bits must not be negative or NaN")
        bits = bits.double()
        most = torch.where(bits.isinf(), 0.0, bits).unsqueeze(-1)
        return torch.where(bits.isinf(), self.best[-1], (self.best + self.slope * most).amin(-1))


def _informed(p: Float[Tensor, "c"], reward: Float[Tensor, "c l"], beta: Float[Tensor, "b"]) -> Float[Tensor, "b"]:
    """F(β) (b,), from above: Blahut–Arimoto's value plus the most that it may still grow."""
    weight = beta[:, None, None] * reward
    q = torch.full((len(beta), reward.shape[1]), 1 / reward.shape[1], dtype=p.dtype, device=p.device)
    for _ in range(_STEPS):
        heard = torch.logsumexp(q.log().unsqueeze(1) + weight, -1, keepdim=True)
        grown = (p[:, None] * (weight - heard).exp()).sum(1)
        missing = grown.amax(-1).log().clamp(min=0)
        if bool((missing <= _CERTAIN * beta).all()):
            break
        q = (q * grown).clamp(min=torch.finfo(q.dtype).tiny)
    return ((p * heard.squeeze(-1)).sum(-1) + missing) / beta

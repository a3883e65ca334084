"""The accuracy bound: the best accuracy of a receiver that gets at most C bits about the decision of its head.

With at most C bits about the class c that its head decides on its own latents, the receiver's guess of the true class l has the accuracy

    A(C) = max over p(l̂ | c), I(c; l̂) ≤ C, of  P(l̂ = l)  =  min over β > 0 of  F(β) + C / β,
    F(β) = max over q of  1/β Σ_c p(c) log Σ_l̂ q(l̂) e^{β P(l = l̂ | c)}          (Blahut–Arimoto [blahut1972computation]),

C in nats. By the data processing inequality this bounds links of any complexity, also those that code each message alone. At C = ∞ it is
the accuracy on the receiver's own latents with the best relabelling of the decisions. It does not bound a transmitter that knows more
about the true class than the receiver's head does.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlink.latents.labels import as_labels
from latentlink.numerics.reprs import Summarised
from latentlink.numerics.validation import validate_call

_SLOPES = 400  # number of values of β
_STEPS = 60  # largest number of Blahut–Arimoto steps for each β; a bound is valid after any of them
_FASTER, _FASTEST = 1.5, 1e6  # growth and limit of the power of a step
_LEAST_LOG = -700.0  # of a probability
_CERTAIN = 1e-7  # accuracy that F(β) may still gain when Blahut–Arimoto stops
_ENTRIES = 2**22  # values in memory at a time


@validate_call
def accuracy(bits: Float[Tensor, "*batch"], decisions: Int[Tensor, "n"], labels: Int[Tensor, "l"]) -> Float[Tensor, "*batch"]:
    """Best accuracy A(C) (…) of a receiver that gets C bits per message about the decision of its head on its own latents.

    Args:
        bits: C ≥ 0 (…) in bits per message, such as `capacity(channel)`; inf gives the ceiling.
        decisions: classes (n,) that the head decides on the receiver's own latents, such as `head(y).argmax(-1)`.
        labels: true classes (n,).

    Returns:
        A(C) (…), from that of a guess to that of the head.

    Raises:
        ValueError: bits are negative or NaN, or decisions and labels are not class numbers of the same length.

    Example:
        >>> import torch, latentlink as ll
        >>> decisions = labels = torch.arange(10)  # ten classes, and a head that never errs
        >>> ll.bounds.accuracy(torch.tensor([0.0, 1.0, 2.0, torch.inf]), decisions, labels).round(decimals=2)
        tensor([0.1000, 0.5800, 0.8100, 1.0000], dtype=torch.float64)
    """
    return AccuracyBound.of(decisions, labels).at(bits)


@dataclass(frozen=True, eq=False)
class AccuracyBound(Summarised):
    """The bound A(C) of a head and labels as the least of many lines in C, computed once for any number of channels.

    Attributes:
        best: F(β) (b,) of each line, its value at C = 0; the last line is the ceiling.
        slope: slope 1/β (b,) of each line in accuracy per bit; the last line is flat.

    Example:
        >>> import torch, latentlink as ll
        >>> bound = ll.bounds.AccuracyBound.of(torch.tensor([0, 1, 2, 2]), torch.tensor([0, 1, 2, 1]))
        >>> bound.at(torch.tensor([0.0, torch.inf]))  # a guess, and the head's own accuracy
        tensor([0.5000, 0.7500], dtype=torch.float64)
    """

    best: Float[Tensor, "b"]
    slope: Float[Tensor, "b"]

    @classmethod
    def of(cls, decisions: Int[Tensor, "n"], labels: Int[Tensor, "l"]) -> "AccuracyBound":
        """Compute the bound from a head's decisions and the true classes; it raises the errors of `accuracy`."""
        if labels.ndim != 1 or len(labels) == 0:
            raise ValueError(f"labels must be class numbers (n,), n from 1, got shape {tuple(labels.shape)}")
        labels = as_labels(labels, len(labels))
        if decisions.shape != labels.shape:
            raise ValueError(f"decisions must have shape {tuple(labels.shape)}, one per label, got {tuple(decisions.shape)}")
        decisions = as_labels(decisions, len(labels)).to(labels.device)
        decided, c = decisions.unique(return_inverse=True)  # numbers of classes may be far apart
        true, t = labels.unique(return_inverse=True)
        joint = torch.zeros(len(decided), len(true), dtype=torch.float64, device=labels.device)
        joint.index_put_((c, t), joint.new_ones(()) / len(labels), accumulate=True)
        p = joint.sum(-1)
        reward = joint / p.unsqueeze(-1)  # P(l | c)
        beta = torch.logspace(-3, 4, _SLOPES, dtype=torch.float64, device=labels.device)
        chunks = beta.split(max(1, _ENTRIES // reward.numel()))
        best = torch.cat([*(_blahut_arimoto(p, reward, some) for some in chunks), (p * reward.amax(-1)).sum().unsqueeze(0)])
        return cls(best, torch.cat([1 / beta, beta.new_zeros(1)]) * math.log(2))

    def at(self, bits: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """Best accuracy A(C) (…) at C bits (…); it raises the errors of `accuracy`."""
        if not bool((bits >= 0).all()):
            raise ValueError("bits must not be negative or NaN")
        bits = bits.double()
        most = torch.where(bits.isinf(), 0.0, bits).unsqueeze(-1)
        return torch.where(bits.isinf(), self.best[-1], (self.best + self.slope * most).amin(-1))


def _blahut_arimoto(p: Float[Tensor, "c"], reward: Float[Tensor, "c l"], beta: Float[Tensor, "b"]) -> Float[Tensor, "b"]:
    """Upper bound (b,) on F(β): the least value of Blahut–Arimoto plus the most that it can still gain.

    A step multiplies q by a power of its growth; the power is raised as long as the value rises, and is one again after a fall. Slopes
    whose bound is tight are left out of the next step.
    """
    bound = torch.full_like(beta, torch.inf)
    left = torch.arange(len(beta), device=beta.device)
    log_q = torch.full((len(beta), reward.shape[1]), -math.log(reward.shape[1]), dtype=p.dtype, device=p.device)
    power, before = torch.ones_like(beta), torch.full_like(beta, -torch.inf)
    for _ in range(_STEPS):
        weight = beta[left, None, None] * reward
        log_partition = torch.logsumexp(log_q.unsqueeze(1) + weight, -1, keepdim=True)
        growth = (p[:, None] * (weight - log_partition).exp()).sum(1)
        value = (p * log_partition.squeeze(-1)).sum(-1)
        missing = growth.amax(-1).log().clamp(min=0)
        bound[left] = torch.minimum(bound[left], (value + missing) / beta[left])
        power = torch.where(value < before, 1.0, (power * _FASTER).clamp(max=_FASTEST))
        log_q = (log_q + power.unsqueeze(-1) * growth.log()).log_softmax(-1).clamp(min=_LEAST_LOG)
        open_ = missing > _CERTAIN * beta[left]
        left, log_q, power, before = left[open_], log_q[open_], power[open_], value[open_]
        if not len(left):
            break
    return bound

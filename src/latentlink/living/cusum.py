"""Cumulative sums of deviations [page1954continuous], and after how many messages they pass a threshold.

    s_t = max(0, s_{t−1} + z_t − a),        alarm where s_t > h,

z_t the standardised figure of message t, a the allowance. In one pass over many messages, s_t = C_t − min(0, min_{j ≤ t} C_j) with C_t the
sum of all z − a up to t. For independent normal figures and rare false alarms, a = δ/2 finds a shift of the mean by δ deviations as soon as
any test does, in the worst case [lorden1971procedures].
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32
from torch import Tensor

from latentlink.living.blocks import blocks_of, chunks_of
from latentlink.numerics.seeds import stream_generator

_NUMBERS = 2**23  # that are simulated: with 1,500 walks a mean time is known to 3 %
_WALKS = (64, 2000)  # least and most
_LENGTH = 2.0  # steps of a walk, in mean times between false alarms: 86 % of walks then end by one
_HALVINGS = 40


def cusum(z: Float[Tensor, "n *walks"], allowance: float, start: float = 0.0) -> Float[Tensor, "n *walks"]:
    """s (n, …) of standardised figures z (n, …), from a statistic that it starts at."""
    total = start + (z - allowance).cumsum(0)
    return total - total.cummin(0).values.clamp(max=0)


@dataclass(frozen=True, eq=False)
class Walks:
    """Statistics of many simulated streams.

    Attributes:
        highest: (steps, walks), the largest statistic so far, after each step.
    """

    highest: Float32[Tensor, "steps walks"]

    @classmethod
    def of(cls, series: Float[Tensor, "n"], block: float, allowance: float, false_alarms: float, shift: float = 0.0) -> "Walks":
        """Simulate streams put together of blocks of a standardised series, all shifted by so much; the same ones at each call."""
        steps = math.ceil(_LENGTH / false_alarms)
        walks = min(max(_NUMBERS // steps, _WALKS[0]), _WALKS[1])
        generator = stream_generator(0, "walks of a cumulative sum", device=series.device)
        parts, series = [], series.float() + shift
        for some in chunks_of(walks, steps):
            z = series[blocks_of(len(series), steps, some, block, generator)]
            parts.append(cusum(z, allowance).cummax(0).values)
        return cls(torch.cat(parts, 1))

    def mean_time(self, threshold: float) -> float:
        """Mean number of messages up to an alarm, where walks without one tell the time only; inf if none has one."""
        steps = len(self.highest)
        before = (self.highest <= threshold).sum(0)
        alarms = int((before < steps).sum())
        return float((before + 1).clamp(max=steps).sum()) / alarms if alarms else math.inf

    def threshold_for(self, mean_time: float) -> float:
        """The threshold that is passed once in so many messages."""
        low, high = 0.0, float(self.highest.max())
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.mean_time(middle) < mean_time else (low, middle)
        return high

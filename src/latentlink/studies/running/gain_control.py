"""Gain control: the design whose mean power over the messages really sent is the budget.

Power that was planned on pilots comes out differently on other latents, most where pilots are few. The budget given to the design is
corrected by the measured power, as a transmitter's gain control does it, so that all methods spend the same power. It takes one scalar a
link, and of the test latents x alone.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.links.calibration import TOLERANCE, mean_power
from latentlink.links.solution import Solution
from latentlink.numerics.division import ratio

_CORRECTIONS = 4  # most corrections of the budget


@dataclass(frozen=True, eq=False)
class Controlled:
    """A design at the power budget (…) that it was given, and the seconds that one design took per channel."""

    solution: Solution
    budget: Float[Tensor, "*batch"]
    seconds: float


def design_at_budget(
    design: Callable[[Tensor], Solution], x: Tensor, channel: Channel, controlled: bool = True, tolerance: float = TOLERANCE
) -> Controlled:
    """Design, measure the power, and correct the budget until the power is that of the channel.

    Args:
        design: the design for a budget (…).
        x: the messages (n, d) that are sent.
        channel: the channels, with the power that is to be spent.
        controlled: False leaves the power as it is designed.
        tolerance: deviation from the budget that is left, relative to it.
    """

    def timed(budget: Tensor) -> Controlled:
        clock = time.perf_counter()
        return Controlled(design(budget), budget, (time.perf_counter() - clock) / len(channel.h))

    found = timed(channel.power)
    transceiver = found.solution.transceiver
    if transceiver.has_rates:  # a new design could change its rates
        spent = share_spent(found.solution, x, channel)
        factor = torch.where(spent > 0, ratio(torch.ones_like(spent), spent), 1.0)
        return replace(found, solution=replace(found.solution, transceiver=transceiver.scaled(factor)))
    if not controlled:
        return found
    for _ in range(_CORRECTIONS):
        spent = share_spent(found.solution, x, channel)
        if bool(((spent - 1).abs() <= tolerance).logical_or(spent == 0).all()):
            break
        found = timed(torch.where(spent > 0, ratio(found.budget, spent), found.budget))
    return timed(channel.power) if found.budget is channel.power else found  # again: the first may also have made what cells share


def share_spent(solution: Solution, x: Tensor, channel: Channel) -> Float[Tensor, "*batch"]:
    """The measured power of messages x relative to that of the channel (…)."""
    sent = mean_power(solution.transceiver.to(torch.float32), x, channel)
    return ratio(sent.to(channel.power), channel.power).expand(channel.batch)

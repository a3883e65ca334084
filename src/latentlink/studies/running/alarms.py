"""How soon a watch on received latents tells a change at the transmitter, and how often it alarms while nothing has changed.

The watch is calibrated on messages before the change. Delays are of messages after it, and the time between false alarms of the same
observations before it: neither has calibrated anything. All messages come in one order, drawn from the cell's seed.
"""

import warnings
from typing import Any

import torch
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.links.transceiver import Transceiver
from latentlink.links.transmit import transmit
from latentlink.living.watch import Watch
from latentlink.studies.drift_at import DriftAt
from latentlink.studies.seeding import Draw
from latentlink.studies.shared import ScenarioData


def watched(scenario: ScenarioData, link: Transceiver, channel: Channel, drift: DriftAt, seed: int) -> dict[str, Any]:
    """The columns alarm_delay and alarm_interval, for each channel.

    Raises:
        ValueError: the receiver has no classifier, whose decisions could be watched.
    """
    head, there = scenario.head, scenario.changed
    if head is None or there is None or drift.alarm_every is None:
        raise ValueError("metrics: alarms needs a change of images, and a receiver with a classifier")
    rate = 1 / drift.alarm_every
    noise = Draw.ALARMS.generator(seed, device=channel.h.device)
    messages = (there.known.before, there.measured.before, scenario.test.x)
    calm, before, after = (transmit(link, x, channel, generator=noise) for x in messages)
    delays, intervals = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of too few calibrating messages: how far the interval is off is measured here
        for each in range(len(channel.h)):
            watch = Watch.calibrated(head, calm[each], false_alarms=rate)
            delays.append(watch.delay_for(after[each]))
            intervals.append(watch.delay_for(before[each]))
    return {"alarm_delay": _finite(delays), "alarm_interval": _finite(intervals)}


def _finite(numbers: list[float]) -> Tensor:
    """The numbers, NaN for an alarm that did not come."""
    found = torch.tensor(numbers, dtype=torch.float64, device="cpu")
    return found.masked_fill(found.isinf(), torch.nan)

"""Latents in clouds, whose class a codec can say in few symbols and a linear design cannot; and codecs small enough to train in seconds."""

from functools import cache

import torch

import latentlink as ll
from sharing import made_once

CLASSES = 16


def pilots(n=800, d=12, m=10, seed=0):
    """Two linear views of points around the corners of a simplex."""
    generator, mix = torch.Generator().manual_seed(seed), torch.Generator().manual_seed(99)
    labels = torch.arange(n) % CLASSES
    centres = 3 * torch.randn(CLASSES, 8, generator=mix)
    cause = centres[labels] + torch.randn(n, 8, generator=generator)
    x = cause @ torch.randn(8, d, generator=mix) + 0.1 * torch.randn(n, d, generator=generator) + 2.0
    y = cause @ torch.randn(8, m, generator=mix) + 0.1 * torch.randn(n, m, generator=generator) - 1.0
    return ll.Pilots(x, y, labels)


@cache
def world():
    """Pilots, unseen latents, the receiver's head, and modes for its goal."""
    data = pilots()
    head = ll.fit_head(data.y, data.labels)
    modes = ll.semantic_modes(ll.Moments.from_pairs(data.x, data.y), ll.Goal.fisher(head, data.y, 3.0, 0.01))
    return data, pilots(1200, seed=7), head, modes


def training(**changes):
    settings = {
        "modes": 10, "width": 32, "layers": 2, "max_symbols": 5,
        "draws": ll.channels.ChannelDraws(antennas=(1, 2, 4), uses=(1,)), "rounds": 6,
        "steps": 60, "channels": 8, "messages": 96, "learning_rate": 4e-3, "bank": (2000, 64, 600),
    }  # fmt: skip
    return ll.CodecTraining(**{**settings, **changes})


@made_once
def fitted():
    """A codec trained for the head, once for all tests."""
    data, _, head, modes = world()
    return training().fit(modes, data, ll.objectives.HeadDivergence(head))


def channel(n_rx=2, n_tx=2, uses=1, snr_db=20.0, batch=(), power=1.0, seed=1):
    h = ll.rayleigh(n_rx, n_tx, batch=(*batch, uses), generator=torch.Generator().manual_seed(seed))
    return ll.Channel.from_grid(h, snr_db, power)


def understood(link, radio, seed=3):
    """Accuracy (…) on unseen latents."""
    _, unseen, head, _ = world()
    seen = ll.evaluate(
        link, unseen.x, unseen.y, channel=radio, head=head, labels=unseen.labels, generator=torch.Generator().manual_seed(seed)
    )
    return seen.accuracy.double()

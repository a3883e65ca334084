"""A small pair of devices with clustered latents, and what digital links learn of it; the names are those of the tests that share it."""

from functools import cache

import torch

import latentlink as ll
from oracles import normal, seeded

D, M, CLASSES = 12, 10, 5
ALIGNMENTS = {"transmitter": ll.digital.AtTransmitter(), "receiver": ll.digital.AtReceiver()}


def drawn(seed: int, n: int) -> ll.Pilots:
    """n pairs: classes around centres, linear images of each other, with noise."""
    labels = torch.randint(0, CLASSES, (n,), generator=seeded(seed))
    scale = 0.8 ** torch.arange(D, dtype=torch.float64)
    x = 2 * normal(90, CLASSES, D)[labels] + normal(seed + 1, n, D) * scale + normal(91, D)
    y = x @ normal(92, D, M) + 0.3 * normal(seed + 2, n, M) + normal(93, M)
    return ll.Pilots(x, y, labels)


@cache
def pilots() -> ll.Pilots:
    return drawn(1, 1500)


@cache
def unseen() -> ll.Pilots:
    return drawn(1000, 300)


@cache
def modes() -> ll.SemanticModes:
    return ll.semantic_modes(ll.Moments.from_pairs(pilots().x, pilots().y))


@cache
def code(align: str = "transmitter"):
    return ll.digital.Digital(alignment=ALIGNMENTS[align]).code(modes(), pilots())


def fading(seed: int, n: int, uses: int, snr_db: float, draws: int = 4) -> ll.Channel:
    return ll.Channel.from_snr(ll.rayleigh(n, n, batch=(draws,), generator=seeded(seed)), snr_db).repeated(uses)

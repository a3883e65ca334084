"""Latents of Fashion-MNIST at 64 pixels by four encoders, for the benchmarks of networks and surfaces."""

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

import latentlink as ll

ENCODERS = {"mobilenet": "mobilenet-v2", "lite0": "efficientnet-lite0", "lite1": "efficientnet-lite1", "lite2": "efficientnet-lite2"}


@dataclass
class Latents:
    """12,000 pilots and 4,000 test latents of one encoder, a head on the pilots, and its Fisher goal at temperature 3 without fidelity."""

    pilots: Tensor
    test: Tensor
    labels: Tensor
    head: ll.SoftmaxHead
    goal: ll.Goal


@cache
def latents(name: str) -> Latents:
    """The latents of an encoder by its short name."""
    other = "efficientnet-lite0" if name == "mobilenet" else "mobilenet-v2"
    pair = ll.data.device_pair("fashion-mnist", transmitter=other, receiver=ENCODERS[name])
    head = ll.fit_head(pair.pilots.y, pair.pilots.require_labels())
    goal = ll.Goal.fisher(head, pair.pilots.y, temperature=3.0)
    return Latents(pair.pilots.y.double(), pair.test.y.double(), pair.test.require_labels(), head, goal)


def network(sources: list[str], users: list[str], observations: str = "same") -> ll.networks.NetworkModes:
    """The modes of a network of encoders; with "own" observations the users' images are the same, but count as independent."""
    moments = ll.networks.NetworkMoments.from_pilots(
        [latents(name).pilots for name in sources],
        [latents(name).pilots for name in users],
        observations,  # type: ignore[arg-type]
    )
    return ll.networks.network_modes(moments, [latents(name).goal for name in users])


def pair_modes() -> ll.SemanticModes:
    """The semantic modes of MobileNetV2 → Lite0."""
    a, b = latents("mobilenet"), latents("lite0")
    return ll.semantic_modes(ll.Moments.from_pairs(a.pilots, b.pilots), b.goal)


def drawn(*shapes: tuple[int, int] | tuple[int, int, int], batch: int = 100, seed: int = 0) -> list[Tensor]:
    """Rayleigh channels (batch, u, n_rx, n_tx) of gain 1 in the order given, complex128; (u, n_rx, n_tx) draws u uses that differ."""
    source = torch.Generator().manual_seed(seed)
    found = []
    for shape in shapes:
        uses = shape[:-2]
        h = ll.rayleigh(*shape[-2:], batch=(batch, *uses), generator=source).to(torch.complex128)
        found.append(h if uses else h.unsqueeze(1))
    return found

"""Small networks on synthetic latents, shared by the tests of the room of networks and those of all public names."""

from functools import cache

import torch
from torch import Tensor

import latentlink as ll
from latentlink.networks.design import CONVERGED, Designed, Outcome
from latentlink.networks.exact import exact
from latentlink.networks.problem import Problem
from latentlink.neural.codec.gate import Gate

KINDS = ("broadcast", "private", "sensors", "interference")


@cache
def latents(seed: int = 0, n: int = 400, d: int = 6) -> Tensor:
    """Latents (n, d) of dimensions that depend on each other."""
    source = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, dtype=torch.float64, generator=source) @ torch.randn(d, d, dtype=torch.float64, generator=source)


@cache
def moments(kind: str, users: int = 3) -> "ll.networks.NetworkMoments":
    """The moments of a network of one kind."""
    made = ll.networks.NetworkMoments.from_pilots
    if kind == "sensors":
        x = latents()
        return made([x[:, :4], x[:, 2:]], [x.tanh()])
    if kind == "broadcast":
        return made([latents()], [(latents() @ latents(k + 1)[:6, :4]).tanh() for k in range(users)])
    x = [latents(k) for k in range(users)]
    return made(x, [(each @ latents(k + 1)[:6, :4]).tanh() for k, each in enumerate(x)], "own")


@cache
def modes(kind: str, users: int = 3) -> "ll.networks.NetworkModes":
    """The coordinates of a network of one kind."""
    return ll.networks.network_modes(moments(kind, users))


@cache
def links(
    kind: str, users: int = 3, batch: int = 2, uses: int = 1, snr_db: float = 10.0, n_rx: int = 2, n_tx: int = 2
) -> "ll.networks.Links":
    """Rayleigh links of a network of one kind."""
    receivers = 1 if kind == "sensors" else users
    transmitters = {"sensors": 2, "interference": users}.get(kind, 1)
    source = torch.Generator().manual_seed(0)
    h = [
        [ll.rayleigh(n_rx, n_tx, batch=(batch, uses), generator=source).to(torch.complex128) for _ in range(transmitters)]
        for _ in range(receivers)
    ]
    return ll.networks.Links.from_snr(h, snr_db)


class FirstUser(Designed):
    """A design for the first user of a broadcast alone."""

    def solve(self, problem: Problem) -> Outcome:
        F = exact(problem.B[..., 0, :, :], problem.H[..., 0, :, :], problem.power.sum(-1)).F
        return Outcome(F, torch.full(problem.batch, CONVERGED.code), torch.full(problem.batch, -torch.inf, dtype=torch.float64))


@cache
def solution(kind: str) -> "ll.networks.NetworkSolution":
    """A design of a network of one kind."""
    return FirstUser().design(modes(kind), links(kind))


def received() -> Tensor:
    """What the first receiver of a broadcast receives of five messages."""
    return links("broadcast").apply([solution("broadcast").transmitters[0].encode(latents()[:5])], 0)[0]


@cache
def surface(batch: int = 3, uses: int = 1, elements: int = 5, direct: float = 0.3) -> "ll.surfaces.Surface":
    """A surface beside a direct path."""
    source = torch.Generator().manual_seed(0)
    shapes = ((2, 2, direct), (elements, 2, 1.0), (2, elements, 0.3))
    drawn = [gain**0.5 * ll.rayleigh(r, t, batch=(batch, uses), generator=source).to(torch.complex128) for r, t, gain in shapes]
    return ll.surfaces.Surface(*drawn)


@cache
def codecs(kind: str = "private", users: int = 3, on: bool = True) -> "tuple[ll.Codec, ...]":
    """A codec for each user, trained for a moment, with networks on everywhere, or nowhere."""
    training = ll.CodecTraining(
        modes=6, width=8, layers=1, max_symbols=4, rounds=2, steps=10, channels=4, messages=32, bank=(64, 16, 32),
        draws=ll.channels.ChannelDraws(antennas=(1, 2), uses=(1, 2)),
    )  # fmt: skip
    found = []
    for k in range(users):
        x = latents(k) if kind == "private" else latents()
        y = (x @ latents(k + 1)[:6, :4]).tanh()
        modes = ll.semantic_modes(ll.Moments.from_pairs(x, y), shrinkage=0.0)
        codec = training.fit(modes, ll.Pilots(x.float(), y.float()), ll.objectives.Regression(), progress=None).codec
        found.append(codec.with_gate(Gate(torch.full_like(codec.gate.open, on))))
    return tuple(found)


@cache
def shared() -> "ll.networks.UserCodecsSolution":
    """Codecs of users who want messages of their own."""
    return ll.networks.UserCodecs(codecs(), by=ll.networks.Slnr(), rounds=2).design(modes("private"), links("private"))


def common_pairs() -> "list[ll.Moments]":
    """The moments of one source with each user."""
    return [moments("broadcast").of_user(k) for k in range(3)]

"""All designs that the laws of this folder are held to, and the links that they give: a new one joins by one line.

Latents are small and clustered, channels three 2×2 matrices of two uses each; what has to be trained is trained for a moment only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import torch

import latentlink as ll
from latentlink.baselines.gated import kinds_of
from latentlink.links.shapes import check_channel
from oracles import normal, seeded

D, M, USES, N = 7, 5, 2, 240


@dataclass(frozen=True)
class Design:
    """A design and what it knows.

    Attributes:
        method: makes the object whose `design(known, channel)` is called.
        known: what it takes of the latents.
        batch: of the channels that it takes.
        uncertain: True if the channel is known up to an error only.
        double: False if its links compute in float32, whatever they are asked for.
        unique: False if several precoders are as good, so that a batch may find another one than its members.
        awaits: True if its links cannot receive before they are matched to what the receiver measures.
    """

    method: Callable[[], Any]
    known: Callable[[], Any]
    batch: tuple[int, ...] = (3,)
    uncertain: bool = False
    double: bool = True
    unique: bool = True
    awaits: bool = False


class Served:
    """A gate over designs as a design: what it is made of is what is known of the latents."""

    def design(self, known: ll.baselines.Gated, channel: ll.Channel) -> ll.Solution:
        return known.design(channel)


class Trained:
    """A codec as a design: it was trained before, and is what is known of the latents."""

    def design(self, known: ll.Codec, channel: ll.Channel) -> ll.Solution:
        return known.design(channel)


@cache
def pilots() -> ll.Pilots:
    """Clusters around corners, two linear views of them."""
    labels = (normal(1, N)[:, None] > normal(2, 3).sort().values).sum(-1)
    cause = 2 * normal(3, 4, 4)[labels] + normal(4, N, 4)
    x = cause @ normal(5, 4, D) + 0.3 * normal(6, N, D) + 1.0
    y = cause @ normal(7, 4, M) + 0.3 * normal(8, N, M) - 1.0
    return ll.Pilots(x, y, labels)


@cache
def moments() -> ll.Moments:
    return ll.Moments.from_pairs(pilots().x, pilots().y)


@cache
def modes() -> ll.SemanticModes:
    return ll.semantic_modes(moments())


@cache
def lifted() -> ll.nonlinear.Lifted:
    return ll.nonlinear.Lifted.of_latents(pilots().x, features=12)


@cache
def lifted_modes() -> ll.SemanticModes:
    return ll.semantic_modes(lifted().moments(pilots().x, pilots().y))


@cache
def mixture() -> ll.nonlinear.MixtureDecoder:
    return ll.nonlinear.MixtureDecoder.of(modes(), pilots())


@cache
def lifted_mixture() -> ll.nonlinear.MixtureDecoder:
    return ll.nonlinear.MixtureDecoder.of(lifted_modes(), ll.Pilots(lifted().of(pilots().x), pilots().y, pilots().labels))


@cache
def code() -> ll.digital.LatentCode:
    return ll.digital.Digital().code(modes(), pilots())


@cache
def codec() -> ll.Codec:
    training = ll.CodecTraining(
        modes=5, width=8, layers=1, max_symbols=4, rounds=1, steps=4, channels=4, messages=32, bank=(64, 16, 32),
        draws=ll.channels.ChannelDraws(antennas=(2,), uses=(2,)),
    )  # fmt: skip
    return training.fit(modes(), pilots(), ll.objectives.Regression()).codec


@cache
def gated() -> ll.baselines.Gated:
    """The decision serves the second of the channels of these laws, the linear design the others."""
    designs = {"linear": partial(ll.ClosedForm().design, modes()), "decision": partial(ll.baselines.DecisionLink().design, pilots())}
    serves = torch.zeros(8, 14, dtype=torch.long)
    serves.view(-1)[kinds_of(channel())[1]] = 1
    return ll.baselines.Gated(designs, serves)


def channel(batch: tuple[int, ...] = (3,), uncertain: bool = False) -> ll.Channel:
    """Channels of two uses that differ, of power 1.5."""
    h = ll.rayleigh(2, 2, batch=(*batch, USES), generator=seeded(11))
    made = ll.Channel.from_grid(h, 18.0, 1.5)
    return made.estimated(0.05, generator=seeded(12)) if uncertain else made


def linear(**settings: Any) -> Design:
    return Design(lambda: ll.ClosedForm(**settings), modes)


def admm(**settings: Any) -> Design:
    return Design(lambda: ll.Admm(**settings, max_iterations=20), modes)


class Broadcasting:
    """The link of the first of two users of one transmitter."""

    def design(self, known: "ll.networks.NetworkModes", channel: ll.Channel) -> ll.Solution:
        check_channel(channel)
        links = ll.networks.Links([[channel.h], [channel.h.flip(-2)]], [channel.noise_variance] * 2, [channel.power])
        found = ll.networks.Broadcast(starts=1, polish=20).design(known, links)
        return ll.Solution(found.user(0), found.status, found.expected_mse[..., 0], found.expected_power.sum(-1), found.trace)


class Sensing:
    """The link of a receiver and two sensors, each with one of the antennas and a part of the latent."""

    def design(self, known: "ll.networks.NetworkModes", channel: ll.Channel) -> ll.Solution:
        check_channel(channel)
        table = [[channel.h[..., :1], channel.h[..., 1:]]]
        links = ll.networks.Links(table, channel.noise_variance, [channel.power / 2] * 2)
        found = ll.networks.MultipleAccess(starts=1, polish=20).design(known, links)
        return ll.Solution(found.user(0), found.status, found.expected_mse[..., 0], found.expected_power.sum(-1), found.trace)


class SharingCodecs:
    """The link of the first of two users of one transmitter, each with a codec."""

    def design(self, known: "ll.networks.NetworkModes", channel: ll.Channel) -> ll.Solution:
        check_channel(channel)
        table = [[channel.h], [0.3 * channel.h.flip(-2)]]
        links = ll.networks.Links(table, [channel.noise_variance] * 2, [channel.power], transmitter_of=(0, 0))
        found = ll.networks.UserCodecs([codec()] * 2, by=ll.networks.Slnr()).design(known, links)
        return ll.Solution(found.user(0), found.status[..., 0], found.expected_mse[..., 0], found.user(0).channel.power, found.trace)


def two_messages() -> "ll.networks.NetworkModes":
    """Two users who want messages of their own, of the kind of the codec's."""
    return ll.networks.network_modes(ll.networks.NetworkMoments.from_pilots([pilots().x] * 2, [pilots().y] * 2, "own"))


def listeners() -> "ll.networks.NetworkModes":
    """Two users of one latent."""
    return ll.networks.network_modes(ll.networks.NetworkMoments.from_pilots([pilots().x], [pilots().y, pilots().y.tanh()]))


def two_sensors() -> "ll.networks.NetworkModes":
    """Two sensors that see one scene."""
    x = pilots().x
    return ll.networks.network_modes(ll.networks.NetworkMoments.from_pilots([x[:, :3], x[:, 3:]], [pilots().y]))


def quiet() -> ll.ClosedForm:
    """The exact design beside a primary user."""
    return ll.ClosedForm(leakage=[ll.power.Leakage(ll.rayleigh(1, 2, generator=5).to(torch.complex128), 0.2)])


DESIGNS: dict[str, Design] = {
    "exact": linear(),
    "exact, beside a primary": Design(quiet, modes, unique=False),
    "broadcast": Design(Broadcasting, listeners, unique=False),
    "sensors": Design(Sensing, two_sensors, unique=False),
    "exact, per use": Design(lambda: ll.ClosedForm(power=ll.power.PerUse(max_iterations=100)), modes, unique=False),
    "exact, per message": Design(lambda: ll.ClosedForm(power=ll.power.PerMessage(x=pilots().x, y=pilots().y)), modes),
    "exact, equal": linear(power=ll.power.Equal()),
    "exact, one use at a time": linear(power=ll.power.OneUseAtATime()),
    "robust at both ends": Design(ll.ClosedForm, modes, uncertain=True),
    "perfect": linear(csi=ll.csi.Perfect()),
    "an estimate as the channel": Design(lambda: ll.ClosedForm(csi=ll.csi.Perfect()), modes, uncertain=True),
    "naive at both ends": Design(lambda: ll.ClosedForm(csi=ll.csi.BothEnds(robust=False)), modes, uncertain=True),
    "transmitter": Design(lambda: ll.ClosedForm(csi=ll.csi.Transmitter(draws=512)), modes, uncertain=True, unique=False),
    "receiver only": Design(lambda: ll.ClosedForm(csi=ll.csi.ReceiverOnly()), modes, unique=False, awaits=True),
    "transmitter only": Design(lambda: ll.ClosedForm(csi=ll.csi.TransmitterOnly(draws=4)), modes, uncertain=True),
    "unaware": linear(csi=ll.csi.Unaware()),
    "admm": admm(),
    "admm, per use": admm(power=ll.power.PerUse()),
    "admm, per antenna": admm(power=ll.power.PerAntenna()),
    "admm, active antennas": admm(constraint=ll.ActiveAntennas(1)),
    "admm, sparse": Design(lambda: ll.Admm(constraint=ll.SparsePrecoder(moments(), 9), max_iterations=20), modes),
    "admm, constant modulus": Design(lambda: ll.Admm(constraint=ll.ConstantModulus(moments()), max_iterations=20), modes),
    "first-k": Design(ll.baselines.FirstK, moments),
    "eigen-k": Design(ll.baselines.EigenK, moments),
    "disjoint": Design(ll.baselines.Disjoint, moments),
    "top-k": Design(lambda: ll.baselines.TopK(pilots=pilots()), moments),
    "top-k, aligned before": Design(lambda: ll.baselines.TopK(k=3, align="before", draws=128), moments),
    "decision": Design(ll.baselines.DecisionLink, pilots),
    "decision, averaged": Design(lambda: ll.baselines.DecisionLink(averages=True), pilots),
    "lifted": Design(lambda: ll.nonlinear.LiftedLink(lifted()), lifted_modes),
    "mixture": Design(lambda: ll.nonlinear.MixtureLink(mixture()), modes),
    "mixture, lifted": Design(
        lambda: ll.nonlinear.LiftedLink(lifted(), by=ll.nonlinear.MixtureLink(lifted_mixture())), lifted_modes, uncertain=True
    ),
    "gated": Design(Served, gated),
    "digital": Design(ll.digital.Digital, code),
    "digital, by a genie": Design(lambda: ll.digital.Digital(adaptation=ll.digital.Genie()), code),
    "neural": Design(
        lambda: ll.Neural(hidden_tx=6, hidden_rx=6, epochs=2, batch_size=64, precision="float32"), pilots, batch=(1,), double=False
    ),
    "codec": Design(Trained, codec, double=False),
    "codec of a user": Design(SharingCodecs, two_messages, double=False, unique=False),
}


@cache
def solution(name: str) -> ll.Solution:
    """The solution of a design, made once."""
    design = DESIGNS[name]
    return design.method().design(design.known(), channel(design.batch, design.uncertain))

"""Every power limit: what is sent meets it, its word is its own, and what it does not offer is refused with the remedy."""

import pickle
from typing import get_args

import pytest
import torch

import latentlink as ll
from latentlink.power import NAMES, AllocatedWord, MessageWord, PowerLimit, ProjectedWord, named
from latentlink.streams.allocation import Placement
from oracles import normal, pairs, seeded

X, Y = pairs(5, 300, 6, 5)
MODES = ll.semantic_modes(ll.Moments.from_pairs(X, Y), shrinkage=0.0)
CHANNELS = {
    "one use": ll.Channel.from_snr(ll.rayleigh(2, 3, batch=(4,), generator=seeded(1)), 10.0, 2.0),
    "block": ll.Channel.from_snr(ll.rayleigh(2, 2, batch=(4,), generator=seeded(2)), 10.0).repeated(3),
    "grid": ll.Channel.from_grid(ll.rayleigh(2, 2, batch=(2, 3), generator=seeded(3)), 10.0),
}
every_channel = pytest.mark.parametrize("place", CHANNELS)


def limit_of(word):
    return named(word, x=X, y=Y) if word == "per-message" else named(word)


def met(limit, s, channel):
    """Whether symbols s (…, n, u, n_tx) of the pilots meet a limit, with all of the power spent where modes do not run out."""
    energy, P, u = s.abs().square(), channel.power, channel.uses
    if isinstance(limit, ll.power.PerMessage):
        return torch.allclose(energy.sum((-2, -1)), (u * P).unsqueeze(-1).expand(energy.shape[:-2]))
    if isinstance(limit, ll.power.OneUseAtATime):
        return bool((energy.sum(-1).mean(-2) <= P.unsqueeze(-1) * (1 + 1e-9)).all())
    if isinstance(limit, ll.power.PerUse | ll.power.Equal):
        return torch.allclose(energy.sum(-1).mean(-2), P.unsqueeze(-1).expand(*channel.batch, u))
    return torch.allclose(energy.sum((-2, -1)).mean(-1), u * P)


@every_channel
@pytest.mark.parametrize("word", [word for word in NAMES if word != "per-antenna"])
def test_what_is_sent_meets_the_limit(word, place):
    limit, channel = limit_of(word), CHANNELS[place]
    solution = ll.ClosedForm(power=limit).design(MODES, channel)
    assert met(limit, solution.transceiver.encode(X), channel)
    assert isinstance(limit.allocate(MODES.strength, channel), Placement)
    assert type(solution.transceiver.power_limit) is type(limit)


@pytest.mark.parametrize("word", ["mean", "per-use", "per-antenna"])
@every_channel
def test_projections_meet_the_limit_and_leave_alone_what_meets_it(word, place):
    limit, channel = limit_of(word), CHANNELS[place]
    u, t = channel.uses, channel.n_tx
    F = 3 * torch.complex(normal(4, *channel.batch, u, t, 5), normal(5, *channel.batch, u, t, 5))
    inside = limit.project(F, channel.power)
    row = inside.abs().square().sum(-1)
    bound = 1 + 1e-12
    assert (row.sum((-2, -1)) <= u * channel.power * bound).all()
    if word == "per-use":
        assert (row.sum(-1) <= channel.power.unsqueeze(-1) * bound).all()
    if word == "per-antenna":
        assert (row.sum(-2) <= u * limit.limits_of(channel.power, t) * bound).all()
    torch.testing.assert_close(limit.project(inside, channel.power), inside)
    assert torch.equal(limit.project(0.01 * inside, channel.power), 0.01 * inside)


@pytest.mark.parametrize("word", NAMES)
def test_a_word_names_its_limit(word):
    limit = limit_of(word)
    assert limit.word == word
    assert type(limit) is NAMES[word]
    assert type(limit.deployed()) is type(limit)


@pytest.mark.parametrize(
    ("design", "numbers"),
    [
        (ll.ClosedForm(power=ll.power.PerUse(tolerance=1e-3, max_iterations=7)), {"tolerance": 1e-3, "max_iterations": 7}),
        (ll.Admm(power=ll.power.PerUse(tolerance=1e-3), max_iterations=2), {"tolerance": 1e-3}),
        (ll.Admm(power=ll.power.PerAntenna(limits=[0.1, 0.2]), max_iterations=2), {"limits": [0.1, 0.2]}),
        (ll.Admm(power=ll.power.PerAntenna(limits=0.3), max_iterations=2), {"limits": 0.3}),
        (ll.Admm(power=ll.power.PerAntenna(), max_iterations=2), {"limits": None}),
        (ll.Admm(max_iterations=2), {"peak": None}),
    ],
)
def test_a_link_carries_and_saves_its_limit_with_its_numbers(design, numbers, tmp_path):
    link = design.design(MODES, CHANNELS["grid"]).transceiver
    link.save(tmp_path / "link.safetensors")
    for one in (link, ll.load(tmp_path / "link.safetensors")):
        assert type(one.power_limit) is type(design.power)
        for name, expected in numbers.items():
            found = getattr(one.power_limit, name)
            assert (found.tolist() if isinstance(found, torch.Tensor) else found) == expected


class Halved(ll.power.Mean):
    """A lab's own limit: half of the budget."""

    word = "halved"

    def allocate(self, strength, channel, *, widely_linear=True):
        return super().allocate(strength, channel.with_power(channel.power / 2), widely_linear=widely_linear)


class Wordless(ll.power.PowerLimit):
    """A lab's own limit without a word."""

    def allocate(self, strength, channel, *, widely_linear=True):
        return ll.power.Mean().allocate(strength, channel, widely_linear=widely_linear)


@pytest.mark.parametrize("own", [Halved(), Wordless()])
def test_a_link_with_an_own_limit_is_pickled_but_not_saved(own, tmp_path):
    link = ll.ClosedForm(power=own).design(MODES, CHANNELS["one use"]).transceiver
    with pytest.raises(ValueError, match=r"power_limit must be one of latentlink\.power.*pickle the link"):
        link.save(tmp_path / "link.safetensors")
    assert torch.equal(pickle.loads(pickle.dumps(link)).encode(X), link.encode(X))


def test_the_words_of_each_door_are_those_of_the_limits_that_its_design_serves():
    def words(*serves):
        return tuple(word for word, kind in NAMES.items() if any(getattr(kind, one) is not getattr(PowerLimit, one) for one in serves))

    assert get_args(AllocatedWord) == words("allocate")
    assert get_args(ProjectedWord) == words("project")
    assert get_args(MessageWord) == words("message_gain")


def test_message_gains_bring_messages_to_the_budget_or_below_the_peak():
    energy, budget = torch.tensor([0.0, 0.5, 2.0, 8.0]), torch.tensor([2.0])
    each = named("per-message").message_gain(energy, budget)
    torch.testing.assert_close(each.square() * energy, torch.tensor([0.0, 2.0, 2.0, 2.0]))
    clipped = named("mean", peak=2.0).message_gain(energy, budget)
    torch.testing.assert_close(clipped.square() * energy, torch.tensor([0.0, 0.5, 2.0, 4.0]))
    assert (named("mean").message_gain(energy, budget) == 1).all()


@pytest.mark.parametrize(
    ("call", "remedy"),
    [
        (lambda: named("total"), "mean, per-use"),
        (lambda: ll.power.Mean(peak=0.5), "peak"),
        (lambda: ll.power.PerMessage(x=X), "together"),
        (lambda: ll.power.PerAntenna(limits=[-1.0]), "limits"),
        (lambda: ll.power.PerAntenna(limits=[1.0, 2.0]).check(3), "3 antennas"),
        (lambda: ll.power.Equal().project(torch.ones(1, 2, 2) + 0j, torch.ones(())), "ClosedForm"),
        (lambda: ll.ClosedForm(power=ll.power.PerAntenna()).design(MODES, CHANNELS["grid"]), "Admm"),
        (lambda: ll.ClosedForm(power=ll.power.PerMessage()).design(MODES, CHANNELS["grid"]), "x=x, y=y"),
        (lambda: ll.ClosedForm(power=ll.power.Mean(peak=2.0)).design(MODES, CHANNELS["grid"]), "CodecTraining"),
    ],
)
def test_what_a_limit_does_not_offer_is_refused_with_the_remedy(call, remedy):
    with pytest.raises(ValueError, match=remedy):
        call()

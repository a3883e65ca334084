"""A gate over designs: each kind of channel gets the design that was surely better there, and the link of a channel is that design's."""

from functools import partial

import pytest
import torch

import latentlink as ll
from conformance.registry import channel, gated, solution
from latentlink.baselines.gated import _KINDS, _best, kinds_of
from oracles import normal, seeded


def test_each_channel_has_the_symbols_and_latents_of_the_design_that_serves_it():
    link, x = solution("gated").transceiver, normal(1, 5, 7)
    assert link.serves.tolist() == [0, 1, 0]
    r = channel().apply(link.encode(x), seeded(2))
    for number, serving in enumerate(link.serves):
        own = link.links[serving]
        assert torch.equal(link.encode(x)[number], own.encode(x)[number])
        torch.testing.assert_close(link.decode(r)[number], own.decode(r)[number])


def test_the_means_of_both_designs_may_differ():
    linear, decision = solution("gated").transceiver.links
    moved = ll.LinearTransceiver(**{**vars(linear), "mean_y": linear.mean_y + 3.0})
    link = ll.baselines.GatedTransceiver((decision, moved), torch.tensor([0, 1, 1]))
    r = channel().apply(link.encode(normal(1, 5, 7)), seeded(2))
    torch.testing.assert_close(link.decode(r)[1:], moved.decode(r)[1:])
    torch.testing.assert_close(link.decode(r)[0], decision.decode(r)[0])


def test_only_a_design_that_is_surely_ahead_takes_a_kind():
    kinds = torch.tensor([0] * 40 + [1] * 40 + [2])
    noise = normal(3, 81)
    scores = torch.stack([torch.zeros(81), 0.1 + 0.01 * noise, 0.01 * noise, torch.full((81,), 0.05)], -1).double()
    scores[40:80, 1] = 0.3 * noise[40:80]  # ahead by chance at most
    scores[40:80, 3] = -0.05
    found = _best(scores, kinds, 5.0)
    assert found[:3].tolist() == [1, 0, 0]  # and of the third kind there is one channel alone
    assert not found[3:].any()


def test_chosen_on_held_out_pilots_it_is_the_better_design_on_unseen_ones():
    labels = torch.arange(900) % 6
    cause = 3 * normal(4, 6, 6)[labels] + 0.5 * normal(5, 900, 6)
    every = ll.Pilots(cause @ normal(6, 6, 9) + 0.1 * normal(7, 900, 9), cause @ normal(8, 6, 8), labels)
    known, held, test = every[:500], every[500:700], every[700:]
    head, modes = ll.fit_head(known.y, known.labels), ll.semantic_modes(ll.Moments.from_pairs(known.x, known.y))
    linear, decision = partial(ll.ClosedForm().design, modes), partial(ll.baselines.DecisionLink(head).fitted(known).design, known)
    draws = ll.channels.ChannelDraws(antennas=(1, 4), uses=(1,), snr_db=(0.0, 20.0))
    chosen = ll.baselines.Gated.choose({"linear": linear, "decision": decision}, held, head, draws, channels=60)
    for n in (1, 4):
        radio = ll.Channel.from_snr(ll.rayleigh(n, n, batch=(20,), generator=seeded(9)), snr_db=10.0)
        link = chosen.design(radio).transceiver
        seen = [
            ll.evaluate(one, test.x, test.y, channel=radio, head=head, labels=test.labels, generator=0).accuracy.mean()
            for one in (link, *link.links)
        ]
        assert seen[0] >= max(seen[1:]) - 0.01
    assert 0 < chosen.serves.double().mean() < 1


def test_more_noise_and_less_certainty_are_worse_kinds():
    radio = ll.Channel.from_snr(ll.rayleigh(1, 1, batch=(50,), generator=seeded(1)), snr_db=20.0)
    better, worse = kinds_of(radio), kinds_of(radio.estimated(0.5, generator=seeded(2)))
    assert (better // _KINDS[1] == 0).all()
    assert worse.double().mean() < better.double().mean()


def test_what_is_no_gate_is_refused():
    designs, serves = gated().designs, gated().serves
    for wrong in ({}, [1], {"a": 3}):
        with pytest.raises(ValueError, match="designs must be"):
            ll.baselines.Gated(wrong, serves)
    for wrong in (serves + 2, serves[:3], serves.double()):
        with pytest.raises(ValueError, match="serves must"):
            ll.baselines.Gated(designs, wrong)
    with pytest.raises(ValueError, match="what the design 'none' returns must be"):
        ll.baselines.Gated({"none": lambda channel: None}, 0 * serves).design(channel())
    with pytest.raises(ValueError, match="without side information, got TopKTransceiver of 'top-k'"):
        ll.baselines.Gated({"top-k": lambda channel: solution("top-k")}, 0 * serves).design(channel())

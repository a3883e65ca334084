"""The transmitter that decides: points that are hard to confuse, the receiver's decision, and what is measured of it."""

import math

import pytest
import torch

import latentlink as ll
from latentlink.baselines.constellation import constellation_for
from oracles import normal


def clusters(seed, n=400):
    labels = torch.arange(n) % 4
    cause = 3 * normal(1, 4, 5)[labels] + normal(seed, n, 5)
    return ll.Pilots(cause @ normal(2, 5, 7) + 0.2 * normal(seed + 1, n, 7), cause @ normal(3, 5, 6) + 0.2 * normal(seed + 2, n, 6), labels)


PILOTS, TEST = clusters(10), clusters(20)
HEAD = ll.fit_head(PILOTS.y, PILOTS.labels)


def channel(antennas, snr_db=20.0, batch=(3,), uses=1):
    return ll.Channel.from_grid(ll.rayleigh(antennas, antennas, batch=(*batch, uses), generator=4), snr_db)


def distances(points, radio):
    """Squared distances (…, c, c) at the receiver in units of σ²/u·P."""
    arrived = torch.einsum("...urt,...cut->...cur", radio.h, points).flatten(-2)
    apart = (arrived.unsqueeze(-2) - arrived.unsqueeze(-3)).abs().square().sum(-1)
    return apart + 1e9 * torch.eye(points.shape[-3]).double()


@pytest.mark.parametrize(("classes", "known"), [(2, 4.0), (3, 3.0), (4, 2.0), (7, 1.0)])
def test_points_are_as_far_apart_as_the_best_known_ones(classes, known):
    """In the plane: opposite points, triangle, square (or rhombus) and hexagon with its centre, whose mean energy is 6/7."""
    radio = ll.Channel.from_snr(torch.ones(1, 1).to(torch.complex128), 15.0)
    points = constellation_for(radio, torch.full((classes,), 1 / classes, dtype=torch.float64))
    best = known if classes < 7 else 7 / 6
    assert float(points.abs().square().sum((-2, -1)).mean()) == pytest.approx(1.0, rel=1e-9)
    assert math.sqrt(float(distances(points, radio).min())) > 0.95 * math.sqrt(best)


def test_more_streams_keep_points_further_apart_and_weak_ones_are_left_empty():
    one = torch.diag(torch.tensor([1.0, 1e-6])).to(torch.complex128)[None]
    two = torch.eye(2).to(torch.complex128)[None]
    share = torch.full((10,), 0.1).double()
    weak, strong = (ll.Channel(h, 0.05) for h in (one, two))
    on_one, on_two = constellation_for(weak, share), constellation_for(strong, share)
    assert float(on_one[..., 1].abs().square().mean()) < 1e-3 * float(on_one.abs().square().mean())
    assert distances(on_two, strong).min() > 2 * distances(on_one, weak).min()


def test_a_clean_channel_loses_nothing_of_the_decision():
    link = ll.baselines.DecisionLink(HEAD).design(PILOTS, channel(2, 60.0)).transceiver
    decided = link.decide(TEST.x)
    y_hat = ll.transmit(link, TEST.x, channel(2, 60.0), generator=0)
    torch.testing.assert_close(y_hat, link.means[decided].expand(3, -1, -1))
    assert torch.equal(HEAD(y_hat).argmax(-1), decided.expand(3, -1))
    for c in range(4):
        torch.testing.assert_close(link.means[c], PILOTS.y[link.decide(PILOTS.x) == c].mean(0))


def test_the_classifier_is_the_head_on_aligned_latents_or_its_own():
    link = ll.baselines.DecisionLink(HEAD).design(PILOTS, channel(1)).transceiver
    modes = ll.semantic_modes(ll.Moments.from_pairs(PILOTS.x, PILOTS.y))
    assert (link.decide(TEST.x) == HEAD(modes.align(TEST.x)).argmax(-1)).double().mean() > 0.99
    own = ll.fit_head(PILOTS.x, PILOTS.labels)
    other = ll.baselines.DecisionLink(HEAD, own).design(PILOTS, channel(1)).transceiver
    assert torch.equal(other.decide(TEST.x), own(TEST.x).argmax(-1))


def test_the_receiver_decides_by_the_posterior_and_averages_by_it():
    """By brute force over all decisions, with the shares of the pilots as prior."""
    radio = channel(1, 3.0, batch=())
    link = ll.baselines.DecisionLink(HEAD, averages=True).design(PILOTS[:300], radio).transceiver
    r = radio.apply(link.encode(TEST.x), 1)
    arrived = (link.points[:, 0, 0] * radio.h[0, 0, 0]).unsqueeze(0)
    likelihood = torch.exp(-(r[:, 0] - arrived).abs().square() / radio.noise_variance) * link.probability
    posterior = likelihood / likelihood.sum(-1, keepdim=True)
    torch.testing.assert_close(link.receive(r), posterior, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(link.decode(r), posterior @ link.means, rtol=1e-9, atol=1e-9)
    hard = ll.baselines.DecisionLink(HEAD).design(PILOTS[:300], radio).transceiver
    assert torch.equal(hard.receive(r).argmax(-1), posterior.argmax(-1))
    errors = [(each.decode(r) - TEST.y).square().sum(-1).mean() for each in (link, hard)]
    assert errors[0] < errors[1]


def test_its_power_is_the_budget_and_it_is_evaluated_like_any_link():
    radio = channel(2, 20.0, uses=2)
    solution = ll.baselines.DecisionLink().design(PILOTS, radio)
    torch.testing.assert_close(solution.expected_power, radio.power)
    power = solution.transceiver.encode(PILOTS.x).abs().square().sum(-1).mean((-2, -1))
    torch.testing.assert_close(power, radio.power)
    seen = ll.evaluate(solution, TEST.x, TEST.y, channel=radio, head=HEAD, labels=TEST.labels, generator=0)
    assert (seen.accuracy > 0.9).all()
    silent = ll.baselines.DecisionLink(HEAD).design(PILOTS, ll.Channel(torch.zeros(1, 1, 1).to(torch.complex128), 0.1))
    assert silent.status_names() == ["nothing to send"]


def test_what_cannot_decide_is_refused_by_name():
    with pytest.raises(ValueError, match="head must be one linear layer"):
        ll.baselines.DecisionLink(torch.nn.Sequential(torch.nn.Linear(6, 3), torch.nn.ReLU()))
    with pytest.raises(ValueError, match="classifier must have at least two outputs"):
        ll.baselines.DecisionLink(HEAD, torch.nn.Linear(7, 1).double()).design(PILOTS, channel(1))
    with pytest.raises(ValueError, match="pilots must have labels where no head is given"):
        ll.baselines.DecisionLink().design(ll.Pilots(PILOTS.x, PILOTS.y), channel(1))
    with pytest.raises(ValueError, match="classifier must have as many"):
        ll.baselines.DecisionLink(HEAD, ll.fit_head(PILOTS.x, PILOTS.labels.clamp(max=2))).design(PILOTS, channel(1))

"""What is expected by sampling comes with its standard error, and over many seeds it moves by that much."""

import pytest
import torch

import latentlink as ll

G = torch.Generator().manual_seed(5)
X = torch.randn(300, 6, generator=G, dtype=torch.float64)
Y = X @ torch.randn(6, 5, generator=G, dtype=torch.float64)
MOMENTS = ll.Moments.from_pairs(X, Y)
GOAL = ll.Goal(torch.eye(2, 5, dtype=torch.float64), fidelity=0.1)
SEEDS = 40


def estimate(uses=1, n=3):
    h = ll.rayleigh(3, 3, gain=0.5, batch=(n,), generator=torch.Generator().manual_seed(1))
    return ll.Channel(h, 0.1, 1.0, error_variance=0.5).repeated(uses)


CASES = {
    "white modes": (ll.semantic_modes(MOMENTS, shrinkage=0.0), 1),
    "white modes, two uses": (ll.semantic_modes(MOMENTS, shrinkage=0.0), 2),
    "a goal": (ll.semantic_modes(MOMENTS, GOAL, shrinkage=0.0), 1),
    "complex-linear modes": (ll.semantic_modes(MOMENTS, shrinkage=0.0, widely_linear=False), 1),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_the_spread_over_seeds_of_a_transmitter_with_an_estimate(name):
    modes, uses = CASES[name]
    known = estimate(uses)
    made = [ll.ClosedForm(csi=ll.csi.Transmitter(seed=seed, draws=32)).design(modes, known) for seed in range(SEEDS)]
    spread = torch.stack([each.known_mse for each in made]).std(0)
    told = torch.stack([each.trace["expected_mse_error"] for each in made]).square().mean(0).sqrt()
    assert torch.allclose(told, spread, rtol=0.35), (told, spread)  # the deviation of 40 seeds is itself known to 10 %


def test_it_is_never_too_small_over_several_uses_with_a_goal():
    modes, known = ll.semantic_modes(MOMENTS, GOAL, shrinkage=0.0), estimate(4)
    made = [ll.ClosedForm(csi=ll.csi.Transmitter(seed=seed, draws=32)).design(modes, known) for seed in range(SEEDS)]
    spread = torch.stack([each.known_mse for each in made]).std(0)
    told = torch.stack([each.trace["expected_mse_error"] for each in made]).square().mean(0).sqrt()
    assert (told > 0.7 * spread).all(), (told, spread)


def test_it_is_the_spread_over_seeds_of_top_k():
    channel = ll.Channel.from_snr(ll.rayleigh(2, 2, batch=(3,), generator=0), 10.0)
    designs = [ll.baselines.TopK(draws=400, seed=seed) for seed in range(SEEDS)]
    made = [design.design(MOMENTS, channel) for design in designs]
    link = made[0].transceiver  # of one link, since its design depends on the draws too
    spread = torch.stack([design.expected_mse(link, MOMENTS) for design in designs]).std(0)
    told = torch.stack([each.trace["expected_mse_error"] for each in made]).mean(0)
    assert torch.allclose(told, spread, rtol=0.35), (told, spread)


def test_what_is_exact_has_none():
    modes, known = ll.semantic_modes(MOMENTS, shrinkage=0.0), estimate()
    for case in (ll.csi.BothEnds(), ll.csi.Perfect()):
        assert "expected_mse_error" not in ll.ClosedForm(csi=case).design(modes, known).trace
    case = ll.csi.Transmitter()
    at_reception = case.at_reception(ll.ClosedForm(csi=case).design(modes, known), modes, known.without_error())
    assert "expected_mse_error" not in at_reception.trace  # the error on the true channel is exact

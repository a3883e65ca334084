"""Laws of games of powers on parallel channels."""

import pytest
import torch

import latentlink as ll
import network_cases as cases
from latentlink.networks.power_game import power_answer, power_slope
from oracles import seeded

nw = ll.networks
USES = 5


def _drawn(seed: int, batch: int, cross: float, snr: float = 1.0):
    """Links of three pairs, their gains (b, k, j, i), strengths (k, i) and the noise of a half."""
    source = seeded(seed)
    h = [
        [(1.0 if k == t else cross) * ll.rayleigh(1, 1, batch=(batch, USES), generator=source).to(torch.complex128) for t in range(3)]
        for k in range(3)
    ]
    gains = torch.stack([torch.stack([each.abs().square().flatten(-3) for each in row], -2) for row in h], -3)
    strengths = torch.rand(3, USES, dtype=torch.float64, generator=source).sort(-1, descending=True).values
    return nw.Links(h, 1 / snr, 1.0), gains, strengths, 0.5 / snr


def _costs(p: torch.Tensor, gains: torch.Tensor, noise: float) -> torch.Tensor:
    direct = gains.diagonal(dim1=-3, dim2=-2).mT  # (b, k, i)
    return (noise + torch.einsum("bkji,bji->bki", gains, p) - direct * p) / direct


def test_the_slope_is_that_of_differences():
    _, gains, b, noise = _drawn(0, 40, 0.5)
    c = noise / gains[:, 0, 0]
    power = torch.full((40,), USES / 2, dtype=torch.float64)
    p = power_answer(b[0].expand(40, -1), c, power)
    slope, size = power_slope(p, c), 1e-6
    for i in range(USES):
        step = size * c[:, i : i + 1] * torch.eye(USES, dtype=torch.float64)[i]
        ahead, behind = (power_answer(b[0].expand(40, -1), c + sign * step, power) for sign in (1, -1))
        same = ((ahead > 0) == (p > 0)).all(-1) & ((behind > 0) == (p > 0)).all(-1)
        assert int(same.sum()) > 30
        torch.testing.assert_close(
            (ahead - behind)[same] / (2 * step.sum(-1, keepdim=True))[same], slope[same][..., i], rtol=1e-6, atol=1e-8
        )


def test_powers_are_the_best_of_their_kind():
    _, gains, b, noise = _drawn(1, 30, 0.5)
    c, power = noise / gains[:, 0, 0], torch.full((30,), USES / 2, dtype=torch.float64)
    p = power_answer(b[0].expand(30, -1), c, power)
    least = (b[0].square() / (1 + p / c)).sum(-1)
    for seed in range(20):
        other = torch.rand(30, USES, dtype=torch.float64, generator=seeded(seed))
        other = 0.9 * p + 0.1 * other * (USES / 2) / other.sum(-1, keepdim=True)
        assert bool(((b[0].square() / (1 + other / c)).sum(-1) >= least * (1 - 1e-12)).all())


@pytest.mark.parametrize("simultaneous", [True, False])
def test_below_one_two_starts_and_all_schedules_meet(simultaneous):
    links, gains, b, noise = _drawn(2, 400, 0.12)
    sure = nw.power_game_contraction(links) < 1
    assert 50 < int(sure.sum()) < 400
    gains, power = gains[sure], torch.full((int(sure.sum()),), USES / 2, dtype=torch.float64)
    ends = []
    for seed in range(2):
        p = torch.rand(len(power), 3, USES, dtype=torch.float64, generator=seeded(seed))
        p = p * (USES / 2) / p.sum(-1, keepdim=True)
        for _ in range(300):
            before = p.clone()
            for k in range(3):
                seen = before if simultaneous else p
                p[:, k] = power_answer(b[k].expand(len(power), -1), _costs(seen, gains, noise)[:, k], power)
        ends.append(p)
    torch.testing.assert_close(ends[0], ends[1], rtol=0.0, atol=1e-6)


def test_the_condition_is_of_the_strongest_cross_channel_and_knows_its_edges():
    h = [[torch.full((1, USES, 1, 1), 1.0 if k == t else (0.5, 0.1)[k], dtype=torch.complex128) for t in range(2)] for k in range(2)]
    found = nw.power_game_contraction(nw.Links(h, 10.0, 1.0))  # γ = 0.25, 0.01 and INR = 0.125, 0.005
    torch.testing.assert_close(found, torch.tensor([0.05], dtype=torch.float64))
    assert bool(nw.power_game_contraction(nw.Links(h, 0.0, 1.0)).isinf().all())
    alone = [[each * (k == t) for t, each in enumerate(row)] for k, row in enumerate(h)]
    assert bool((nw.power_game_contraction(nw.Links(alone, 0.0, 1.0)) == 0).all())
    with pytest.raises(ValueError, match="one antenna"):
        nw.power_game_contraction(cases.links("interference"))
    outside = nw.Links(h, 0.1, interference=[torch.eye(2 * USES, dtype=torch.float64), None])
    with pytest.raises(ValueError, match="interference"):
        nw.power_game_contraction(outside)

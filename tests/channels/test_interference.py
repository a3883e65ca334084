"""Interference of a channel: what it is made of, what arrives, and links that are optimal in it."""

import pytest
import torch

import latentlink as ll
from conformance.registry import channel, modes, moments, pilots
from latentlink.channels.interference import blocks_of_groups, of_more_uses
from latentlink.linear.mse import link_mse


def _covariance(size: int, seed: int = 0, batch: tuple[int, ...] = ()) -> torch.Tensor:
    root = torch.randn(*batch, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return 0.1 * root @ root.mT


def _coloured(seed: int = 0, rank: int | None = None) -> ll.Channel:
    clean = channel().to(torch.float64)
    size = 2 * clean.uses * clean.n_rx
    covariance = _covariance(size, seed, clean.batch)
    if rank is not None:
        root = torch.randn(*clean.batch, size, rank, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        covariance = root @ root.mT
    return ll.Channel(clean.h, clean.noise_variance, clean.power, interference=covariance)


def _exact_modes() -> ll.SemanticModes:
    return ll.semantic_modes(moments(), shrinkage=0.0)


def test_white_interference_is_noise():
    clean, modes = channel().to(torch.float64), _exact_modes()
    size = 2 * clean.uses * clean.n_rx
    same = ll.Channel(clean.h, clean.noise_variance + 0.2, clean.power)
    coloured = ll.Channel(clean.h, clean.noise_variance, clean.power, interference=0.1 * torch.eye(size, dtype=torch.float64))
    a, b = ll.ClosedForm().design(modes, same), ll.ClosedForm().design(modes, coloured)
    torch.testing.assert_close(a.expected_mse, b.expected_mse, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(a.trace["stream_power"], b.trace["stream_power"], rtol=1e-8, atol=1e-8)
    assert b.status_names() == ["optimal"]


@pytest.mark.parametrize("rank", [None, 1])
def test_the_design_is_optimal_and_measured_as_expected(rank):
    modes, seen = _exact_modes(), _coloured(rank=rank)
    solution = ll.ClosedForm().design(modes, seen)
    link = solution.transceiver
    source = torch.Generator().manual_seed(1)
    for size in (1e-3, 1e-1, 10.0):
        moved = link.precoder + size * torch.randn(link.precoder.shape, dtype=torch.float64, generator=source)
        budget = (seen.uses * seen.power)[..., None, None, None]
        moved = moved * (budget / moved.square().sum((-3, -2, -1), keepdim=True)).sqrt()
        other = modes.transceiver(seen, link.streams, moved)
        assert bool((link_mse(modes, other) >= solution.expected_mse * (1 - 1e-9)).all())
    x, y = (each.double().repeat(40, 1) for each in (pilots().x, pilots().y))
    measured = ll.evaluate(link, x, y, channel=seen, generator=0)
    torch.testing.assert_close(measured.mse, solution.expected_mse, rtol=0.02, atol=0.0)


def test_what_arrives_has_the_covariance():
    seen = _coloured()
    silence = torch.zeros(*seen.batch, 20000, seen.uses, seen.n_tx, dtype=torch.complex128)
    r = seen.apply(silence, 0)
    stacked = torch.cat([r.real.flatten(-2), r.imag.flatten(-2)], -1)
    found = stacked.mT @ stacked / stacked.shape[-2]
    white = seen.noise_variance[..., None, None] / 2 * torch.eye(found.shape[-1], dtype=found.dtype)
    expected = seen.interference + white
    assert float((found - expected).norm() / expected.norm()) < 0.03


def test_batch_is_its_members_and_links_are_saved(tmp_path):
    modes, seen = _exact_modes(), _coloured()
    whole = ll.ClosedForm().design(modes, seen)
    alone = ll.ClosedForm().design(modes, seen[0])
    torch.testing.assert_close(whole.expected_mse[0], alone.expected_mse, rtol=1e-12, atol=1e-12)
    whole.transceiver.save(tmp_path / "link.safetensors")
    again = ll.load(tmp_path / "link.safetensors", ll.LinearTransceiver)
    assert torch.equal(again.channel.interference, seen.interference)
    assert torch.equal(again.decoder, whole.transceiver.decoder)


def test_uses_are_repeated_and_grouped():
    once = _covariance(4)
    thrice = of_more_uses(once, 1, 3)
    assert torch.equal(blocks_of_groups(thrice, 3), once.expand(3, 4, 4))
    twice = of_more_uses(_covariance(8), 2, 2)
    assert torch.equal(blocks_of_groups(twice, 4)[0], blocks_of_groups(twice, 4)[1])
    assert float(twice.norm() ** 2 / _covariance(8).norm() ** 2) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (torch.eye(3), "interference must be a real covariance"),
        (torch.eye(4, dtype=torch.complex64), "interference must be a real covariance"),
        (-torch.eye(4), "symmetric and positive semidefinite"),
        (torch.ones(4, 4).triu(), "symmetric and positive semidefinite"),
        (torch.full((4, 4), torch.nan), "interference has NaN"),
        (torch.eye(4).expand(7, 4, 4), "broadcast"),
    ],
)
def test_what_is_no_covariance_is_refused(value, says):
    with pytest.raises(ValueError, match=says):
        ll.Channel(ll.rayleigh(2, 2, batch=(3, 1), generator=0), 0.1, interference=value)


def test_designs_that_do_not_serve_it_say_so():
    seen = _coloured()
    for design in (ll.Admm(), ll.ClosedForm(power=ll.power.PerUse()), ll.ClosedForm(csi=ll.csi.Unaware())):
        with pytest.raises(ValueError, match="interference"):
            design.design(modes(), seen)
    with pytest.raises(ValueError, match="interference"):
        ll.bounds.capacity(seen)

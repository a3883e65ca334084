"""Interference of a channel: what it is made of, what arrives, and links that are optimal in it."""

from dataclasses import replace

import pytest
import torch

import latentlink as ll
import latentlink_runtime as lr
from conformance.registry import channel, modes, moments, pilots
from latentlink.channels.interference import blocks_of_groups, of_more_uses
from latentlink.linear.mse import link_mse
from latentlink.streams.whitened import noise_covariance, real_channel, whitened


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


REFUSING = (
    ll.Admm(),
    ll.ClosedForm(power=ll.power.PerUse()),
    ll.ClosedForm(csi=ll.csi.TransmitterOnly()),
    ll.ClosedForm(csi=ll.csi.ReceiverOnly()),
    ll.ClosedForm(csi=ll.csi.Transmitter(draws=2)),  # of an estimate
)


@pytest.mark.parametrize("design", REFUSING, ids=str)
def test_designs_that_do_not_serve_it_say_so(design):
    seen = _coloured().estimated(0.1, generator=0)
    with pytest.raises(ValueError, match=r"channel\.interference must be None .* leave it out"):
        design.design(modes(), seen)


def test_what_is_known_of_the_channel_decides():
    exact, seen, modes = _coloured(), _coloured().estimated(0.1, generator=0), _exact_modes()
    best = ll.ClosedForm().design(modes, exact)
    for case in (ll.csi.Perfect(), ll.csi.BothEnds(robust=False), ll.csi.Transmitter()):
        assert torch.equal(ll.ClosedForm(csi=case).design(modes, exact).expected_mse, best.expected_mse)
    naive, robust = (ll.ClosedForm(csi=case).design(modes, seen) for case in (ll.csi.BothEnds(robust=False), ll.csi.BothEnds()))
    assert naive.status_names() == ["baseline"]
    assert bool((naive.expected_mse > robust.expected_mse).all())
    torch.testing.assert_close(naive.expected_mse, link_mse(modes, naive.transceiver, seen))
    unaware = ll.ClosedForm(csi=ll.csi.Unaware()).design(modes, exact)  # which knows of no interference, and is judged in it
    assert bool((ll.csi.Unaware().at_reception(unaware, modes, truth=exact).expected_mse > best.expected_mse).all())


def test_groups_of_uses_share_what_disturbs_them():
    """A link of one group a use, matched to interference that uses have in common: its noise is what arrives, across groups too."""
    seen = _coloured()
    link = ll.ClosedForm().design(_exact_modes(), channel().to(torch.float64)).transceiver.matched_to(seen)
    assert link.decoder.shape[-3] == seen.uses == 2
    silence = torch.zeros(*seen.batch, 20000, seen.uses, seen.n_tx, dtype=torch.complex128)
    z = link.receive(seen.apply(silence, 0))
    _, noise = link.response()
    assert float((z.mT @ z / z.shape[-2] - noise).norm() / noise.norm()) < 0.03
    _, within = link.group_response()
    torch.testing.assert_close(within.diagonal(dim1=-2, dim2=-1).sum((-2, -1)), noise.diagonal(dim1=-2, dim2=-1).sum(-1))


def test_nothing_is_lost_on_the_way():
    seen = _coloured()
    white, interference = ll.Channel(seen.h, seen.noise_variance, seen.power), seen.interference
    same = (seen.with_power(2.0), seen.without_error(), seen.estimated(0.1, generator=0), seen.flattened(), seen.to(torch.float64))
    assert all(torch.equal(each.interference, interference) for each in same)
    assert torch.equal(seen[1:].interference, interference[1:])
    assert torch.equal(seen[..., 0].interference, interference[0])
    assert seen.coloured
    assert not white.coloured
    assert not seen.unaware().coloured
    assert "interference" in repr(seen)
    assert "interference" not in repr(white)
    s = torch.ones(*seen.batch, 5, seen.uses, seen.n_tx, dtype=torch.complex128)
    none = ll.Channel(seen.h, seen.noise_variance, seen.power, interference=0 * interference)
    assert torch.equal(none.apply(s, 0), white.apply(s, 0))  # the white noise is drawn first, as without interference


@pytest.mark.parametrize("rank", [1, 7])
def test_a_receiver_without_noise_stays_finite(rank):
    seen = replace(_coloured(rank=rank), noise_variance=0.0)
    for precision in (torch.float64, torch.float32):
        solution = ll.ClosedForm().design(_exact_modes().to(precision), seen.to(precision))
        assert bool(solution.expected_mse.isfinite().all())
        assert bool(solution.transceiver.decoder.isfinite().all())


def test_decoders_of_mixtures_count_it():
    clean, plain = channel().to(torch.float64), modes().to(torch.float64)
    eye = torch.eye(2 * clean.uses * clean.n_rx, dtype=torch.float64)
    louder = ll.Channel(clean.h, clean.noise_variance + 0.2, clean.power)
    coloured = ll.Channel(clean.h, clean.noise_variance, clean.power, interference=0.1 * eye)
    decoder = ll.nonlinear.MixtureDecoder.of(plain, pilots())
    link = ll.nonlinear.MixtureLink(decoder).design(plain, louder).transceiver
    torch.testing.assert_close(link.matched_to(coloured).whitening, link.whitening)
    ll.nonlinear.MixtureLink(decoder).design(plain, coloured)


def test_whitening_leaves_noise_of_variance_one():
    seen = _coloured()
    N = noise_covariance([seen])
    H = real_channel(seen)
    torch.testing.assert_close(whitened([seen]).mT @ whitened([seen]), H.mT @ torch.linalg.solve(N, H))
    s = torch.randn(*seen.batch, 3, seen.uses, seen.n_tx, dtype=torch.complex128, generator=torch.Generator().manual_seed(0))
    r = ll.Channel(seen.h).apply(s)
    stacked = [torch.cat([each.real.flatten(-2), each.imag.flatten(-2)], -1) for each in (s, r)]
    torch.testing.assert_close(stacked[0] @ H.mT, stacked[1])


def test_devices_refuse_such_links(tmp_path):
    path = tmp_path / "link.safetensors"
    ll.ClosedForm().design(_exact_modes(), _coloured()[0]).transceiver.save(path)
    with pytest.raises(ValueError, match=r"channel\.interference must not be in the file"):
        lr.load(path)

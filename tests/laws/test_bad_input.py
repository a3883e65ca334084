"""What cannot be meant is refused at the door, naming the argument; what is degenerate is not."""

import numpy as np
import pytest
import torch

import latentlink as ll


def latents(n=60, d=5, seed=0):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, d, dtype=torch.float64, generator=g)
    return x, 0.5 * x[:, 1:] + torch.randn(n, d - 1, dtype=torch.float64, generator=g)


@pytest.fixture(scope="module")
def modes():
    return ll.semantic_modes(ll.Moments.from_pairs(*latents()))


@pytest.fixture(scope="module")
def channel():
    return ll.Channel.from_snr(ll.rayleigh(2, 2, batch=(5,), generator=torch.Generator().manual_seed(1)), 20.0)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: ll.ClosedForm(power=ll.power.PerUse), "power"),
        (lambda: ll.ClosedForm(power=1.0), "power"),
        (lambda: ll.ClosedForm(csi=ll.csi.Transmitter), "csi"),
        (lambda: ll.power.PerUse(max_iterations=0), "max_iterations"),
        (lambda: ll.power.PerUse(tolerance=float("nan")), "tolerance"),
        (lambda: ll.power.PerMessage(x=latents()[0][:5], y=latents()[1][:6]), "x and y"),
        (lambda: ll.Moments.from_pairs(latents()[0] * 1e200, latents()[1]), "x or y is too large"),
        (lambda: ll.Channel.from_snr(ll.rayleigh(2, 2), "loud"), "snr_db"),
        (lambda: ll.Channel.from_snr(ll.rayleigh(2, 2), 20.0, power=0.0), "power"),
        (lambda: ll.baselines.unaligned(latents()[0], -3), "dim"),
        (lambda: ll.rayleigh(2, 2, dtype=torch.float64), "dtype"),
        (lambda: ll.Channel.from_snr(ll.rayleigh(2, 2), torch.tensor(3 + 4j)), "snr_db must be real"),
        (lambda: ll.Moments.from_pairs(np.array([["a"]]), np.ones((1, 1))), "x"),
        (lambda: ll.metrics.accuracy(ll.fit_head(np.eye(3), np.arange(3)), np.ones((2, 3)) * 1j, np.zeros(2, int)), "be real"),
        (lambda: ll.channels.exponential_correlation(0, 0.5), "antennas"),
        (lambda: ll.fit_head(latents()[0], np.arange(60) % 2, max_iterations=0), "max_iterations"),
    ],
)
def test_is_refused_by_name(call, name):
    with pytest.raises((ValueError, TypeError), match=name):
        call()


def test_messages_that_do_not_fit_the_batch_or_are_no_numbers(modes, channel):
    link = ll.ClosedForm().design(modes, channel).transceiver
    x = latents()[0]
    with pytest.raises(ValueError, match="x must have a batch"):
        ll.transmit(link, x.expand(4, -1, -1), channel)
    for bad in (x / 0, np.full((3, 5), np.nan)):
        with pytest.raises(ValueError, match="x has NaN or infinite"):
            link.encode(bad)
    with pytest.raises(ValueError, match="r has NaN or infinite"):
        link.decode(torch.full((5, 3, 1, 2), complex("nan"), dtype=torch.complex128))
    with pytest.raises(ValueError, match="s has NaN or infinite"):
        channel.apply(torch.full((3, 1, 2), complex("inf"), dtype=torch.complex128))
    with pytest.raises(ValueError, match="r must have a batch"):
        link.decode(torch.zeros(2, 4, 1, 2, dtype=torch.complex128))
    assert link.decode(channel.apply(link.encode(x).numpy())).shape == (5, 60, 4)


def test_numpy_is_taken_at_every_door(modes, channel):
    x, y = (z.numpy() for z in latents())
    again = ll.semantic_modes(ll.Moments.from_pairs(x, y))
    torch.testing.assert_close(again.align(x), modes.align(torch.as_tensor(x)))
    h = channel.h[:, 0].numpy()
    loud = ll.Channel.from_snr(h, np.float32(20.0), np.float64(1.0))
    solution = ll.ClosedForm().design(again, loud)
    torch.testing.assert_close(solution.expected_mse, ll.ClosedForm().design(modes, channel).expected_mse)
    s = solution.transceiver.encode(x)
    assert solution.transceiver.decode(s.numpy()).shape == (5, 60, 4)
    with pytest.raises(ValueError, match=r"x must have shape \(..., 5\)"):
        modes.align(y)


def test_a_bound_needs_modes_without_shrinkage(modes, channel):
    assert modes.shrinkage > 0
    with pytest.raises(ValueError, match=r"shrinkage=0\.0"):
        ll.bounds.opta(modes, channel)


def test_a_bound_needs_widely_linear_modes(channel):
    moments = ll.Moments.from_pairs(*latents())
    with pytest.raises(ValueError, match="widely linear"):
        ll.bounds.opta(ll.semantic_modes(moments, shrinkage=0.0, widely_linear=False), channel)
    deterministic = ll.Moments.from_pairs(latents()[0], latents()[0][:, :3])
    assert (ll.bounds.opta(ll.semantic_modes(deterministic, shrinkage=0.0), ll.Channel(channel.h, 0.0)) >= 0).all()


def test_whole_numbers_are_latents_too(modes, channel):
    x, y = ((10 * z).long() for z in latents())
    head = ll.fit_head(y, np.arange(60) % 3)
    link = (
        ll.ClosedForm()
        .design(ll.semantic_modes(ll.Moments.from_pairs(x, y), ll.Goal.logits(torch.nn.Sequential(head), y)), channel)
        .transceiver
    )
    seen = ll.evaluate(link, x, y, channel=ll.Channel(channel.h, 0.0), head=head, labels=np.arange(60) % 3)
    assert ll.metrics.accuracy(head, y, np.arange(60) % 3).overall.value >= 0.3
    assert seen.agreement.shape == (5,)
    assert ll.metrics.agreement(head, y, y).value == 1
    assert ll.Moments.from_pairs(x > 0, y > 0).count == 60


def test_held_out_pilots_cannot_judge_a_decoder_that_is_refitted_later(channel):
    moments = ll.Moments.from_pairs(*latents(), folds=3)
    design = ll.ClosedForm(csi=ll.csi.Transmitter())
    with pytest.raises(ValueError, match="receiver that measures"):
        ll.held_out(moments, channel.estimated(0.1, generator=torch.Generator().manual_seed(0)), design=design)
    assert ll.held_out(moments, channel, design=design).mse.isfinite().all()


@pytest.mark.parametrize("value", [1e6 / 3, 0.1, -7.0, 0.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_latents_that_never_change_say_nothing(value, dtype, channel):
    x, y = torch.full((9000, 4), value, dtype=dtype), torch.randn(9000, 3, generator=torch.Generator().manual_seed(0))
    for pair in ((x, y), (y, x)):
        modes = ll.semantic_modes(ll.Moments.from_pairs(*pair))
        assert len(modes) == 0
        solution = ll.ClosedForm().design(modes, channel)
        assert solution.messages() == [ll.Status.NOTHING_TO_SEND.message]
        assert (solution.transceiver.encode(pair[0][:3]) == 0).all()


def test_moments_can_be_summed():
    x, y = latents()
    parts = [ll.Moments.from_pairs(a, b) for a, b in zip(x.split(13), y.split(13), strict=True)]
    torch.testing.assert_close(sum(parts).cov_yx, ll.Moments.from_pairs(x, y).cov_yx)
    with pytest.raises((ValueError, TypeError), match="moments"):
        3 + parts[0]


def test_per_use_limits_without_noise_reach_their_bound():
    x, y = latents(400)
    modes = ll.semantic_modes(ll.Moments.from_pairs(x, y), shrinkage=0.0)
    grid = ll.rayleigh(2, 2, batch=(3,), generator=torch.Generator().manual_seed(2))
    silent = ll.ClosedForm(power=ll.power.PerUse()).design(modes, ll.Channel.from_grid(grid, float("inf")))
    assert silent.messages() == [ll.Status.OPTIMAL.message]
    torch.testing.assert_close(silent.expected_mse, modes.variance - modes.gram.trace(), rtol=1e-6, atol=0.0)

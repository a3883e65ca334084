import math
from dataclasses import fields

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from latentlink.channels.channel import Channel, is_block_fading
from latentlink.channels.fading import rayleigh
from latentlink.numerics.seeds import stream_generator

VALUES = ("noise_variance", "power", "error_variance")
H = rayleigh(2, 3, batch=(4, 5), generator=torch.Generator().manual_seed(0))  # (4, 5, n_rx, n_tx), or a grid of 5 uses


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def symbols(channel, n, seed=1, batch=None):
    shape = (*(channel.batch if batch is None else batch), n, channel.uses, channel.n_tx)
    return torch.randn(*shape, dtype=channel.h.dtype, generator=seeded(seed))


def assert_same(a, b):
    for field in fields(a):
        torch.testing.assert_close(getattr(a, field.name), getattr(b, field.name))


@given(st.sampled_from([(), (4,), (3, 4)]), st.sampled_from([(), (1,), (4,), (7, 1, 1), (2, 3, 4)]), st.sampled_from([(), (4,), (3, 1)]))
def test_everything_broadcasts_to_one_batch(batch, snr_shape, power_shape):
    h = rayleigh(2, 3, batch=batch, generator=seeded())
    snr_db = torch.linspace(-10, 30, math.prod(snr_shape), dtype=torch.float64).reshape(snr_shape)
    power = torch.linspace(1, 2, math.prod(power_shape), dtype=torch.float64).reshape(power_shape)
    channel = Channel.from_snr(h, snr_db, power)
    expected = torch.broadcast_shapes(batch, snr_shape, power_shape)
    assert channel.batch == expected
    assert channel.h.shape == (*expected, 1, 2, 3)
    assert (channel.uses, channel.n_rx, channel.n_tx) == (1, 2, 3)
    for name in VALUES:
        assert getattr(channel, name).shape == expected
    torch.testing.assert_close(channel.snr_db, snr_db.expand(expected), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(channel.power, power.expand(expected))
    assert channel.error_variance.abs().sum() == 0


def test_numpy_floats_lists_and_tensors_say_the_same():
    expected = Channel.from_snr(H[0], torch.arange(5.0, dtype=torch.float64), 2.0)
    assert_same(Channel.from_snr(H[0].numpy(), [0.0, 1.0, 2.0, 3.0, 4.0], 2.0), expected)
    assert_same(Channel.from_snr(H[0].numpy(), np.arange(5), np.full(1, 2, np.float32)), expected)
    grid = Channel(H[0].unsqueeze(1).numpy(), expected.noise_variance.numpy(), np.full(5, 2.0), error_variance=0.0)
    assert_same(grid, expected)
    single = Channel.from_snr(H[0].to(torch.complex64), 3.0)
    assert {getattr(single, name).dtype for name in VALUES} == {torch.float32}


def test_a_grid_is_one_message_over_uses_that_differ():
    channel = Channel.from_grid(H, 10.0)
    assert channel.batch == (4,)
    assert channel.uses == 5
    assert torch.equal(channel.h, H)
    assert not is_block_fading(channel.h)
    assert_same(Channel.from_snr(H, 10.0), Channel.from_grid(H.unsqueeze(-3), 10.0))
    assert Channel.from_grid(H, math.inf).noise_variance.abs().sum() == 0


@given(st.integers(1, 4), st.integers(1, 4))
def test_repeating_is_block_fading(uses, copies):
    channel = Channel(H[:, :uses], 0.3, 2.0, error_variance=0.1)
    repeated = channel.repeated(copies)
    assert repeated.uses == uses * copies
    assert is_block_fading(repeated.h) == (uses == 1)
    for u in range(uses):
        for copy in range(copies):
            assert torch.equal(repeated.h[:, u * copies + copy], channel.h[:, u])
    for name in VALUES:
        assert torch.equal(getattr(repeated, name), getattr(channel, name))
    assert_same(channel.repeated(1), channel)
    assert_same(channel.repeated(copies).repeated(2), channel.repeated(2 * copies))


def test_messages_pass_through_h_and_nothing_else_without_noise():
    channel = Channel(H, power=2.0)  # (4,) channels of 5 uses
    s = symbols(channel, 6)
    torch.testing.assert_close(channel.apply(s), torch.einsum("burt,bnut->bnur", H, s))
    shared = symbols(channel, 6, batch=())
    for b, r in enumerate(channel.apply(shared)):
        torch.testing.assert_close(r, channel[b].apply(shared))
    narrow = channel.apply(s.to(torch.complex64))
    assert narrow.dtype == torch.complex64
    torch.testing.assert_close(narrow, channel.apply(s).to(torch.complex64))


def test_noise_has_its_variance_half_in_each_real_part():
    n, variances = 20_000, torch.tensor([0.0, 0.5, 3.0], dtype=torch.float64)
    channel = Channel(H[0, :1].unsqueeze(1).expand(3, -1, -1, -1), variances).repeated(2)
    s = symbols(channel, n)
    noise = channel.apply(s, seeded(5)) - torch.einsum("burt,bnut->bnur", channel.h, s)
    stacked = torch.cat([noise.real, noise.imag], -1).flatten(-2)  # (3, n, u · 2 n_rx) real parts, which should be white
    covariance = stacked.mT @ stacked / n
    for measured, variance in zip(covariance, variances / 2, strict=True):
        assert (measured - variance * torch.eye(len(measured))).abs().max() <= 6 * variance * math.sqrt(2 / n) + 1e-12
    assert torch.equal(channel.apply(s, seeded(5)), channel.apply(s, seeded(5)))
    assert stacked.mean(1).abs().max() <= 6 * math.sqrt(1.5 / n)


@pytest.mark.parametrize("gain", [0.5, 2.0])
def test_an_estimate_is_the_posterior(gain):
    n, error_variance = 40_000, 0.3
    h = rayleigh(1, 2, gain, batch=(n,), generator=seeded(2))
    known = Channel.from_snr(h, 10.0).estimated(error_variance, gain, seeded(3))
    error, mean, tau = h.unsqueeze(1) - known.h, known.h, gain * error_variance / (gain + error_variance)
    torch.testing.assert_close(known.error_variance, torch.full((n,), tau, dtype=torch.float64))
    tolerance = 6 / math.sqrt(n)
    assert ((error.abs().square().mean(0) - tau).abs() < tolerance * tau).all()
    assert ((error * mean.conj()).mean(0).abs() < tolerance * math.sqrt(tau * (gain - tau))).all()
    assert ((mean.abs().square().mean(0) - (gain - tau)).abs() < tolerance * (gain - tau)).all()
    torch.testing.assert_close(known.noise_variance, Channel.from_snr(h, 10.0).noise_variance)


def test_repeated_uses_share_one_estimate_and_different_uses_do_not():
    channel = Channel(H, 0.1)
    shared = Channel(H[:, :1], 0.1).repeated(3).estimated(0.2, generator=seeded())
    assert is_block_fading(shared.h)
    assert shared.uses == 3
    known = channel.estimated(0.2, generator=seeded())
    errors = (known.h * 1.2 - H).flatten(-2)  # trust 1 / 1.2
    assert (errors[:, 0] - errors[:, 1]).abs().min() > 0
    assert_same(channel.estimated(0.0), channel)


def test_error_variances_may_be_swept():
    channel = Channel.from_snr(H[0, :3], 10.0)
    known = channel.estimated(torch.tensor([[0.1], [0.2]]), generator=seeded())
    assert known.batch == (2, 3)
    torch.testing.assert_close(known.error_variance[:, 0], torch.tensor([0.1 / 1.1, 0.2 / 1.2], dtype=torch.float64), rtol=1e-6, atol=0)


def test_an_unaware_device_assumes_no_channel_and_no_noise():
    channel = Channel.from_snr(H, 10.0, 3.0).unaware()
    assert channel.batch == (4, 5)
    assert torch.equal(channel.h[1, 2, 0], torch.eye(2, 3, dtype=torch.complex128))
    assert channel.noise_variance.abs().max() == 0
    assert (channel.power == 3).all()


def test_a_batch_is_indexed_as_a_tensor_of_its_shape():
    snr_db = torch.linspace(0, 30, 20, dtype=torch.float64).reshape(4, 5)
    channel = Channel.from_snr(H, snr_db, 2.0).estimated(0.1, generator=seeded())
    mask = snr_db > 17
    for index in (0, (1, 2), slice(1, 3), (slice(None), 1), mask, torch.tensor([2, 0]), None, (..., 2), ..., (0, ...)):
        part = channel[index]
        torch.testing.assert_close(part.snr_db, channel.snr_db[index])
        assert part.h.shape == (*part.batch, 1, 2, 3)
        torch.testing.assert_close(part.h[..., 0, 1, 2], channel.h[..., 0, 1, 2][index])
    with pytest.raises(IndexError):
        channel[4]
    with pytest.raises(IndexError):
        channel[0, 0, 0]


def test_another_budget_leaves_channel_and_noise():
    channel = Channel(H[:, :1], 0.3).with_power([1.0, 2.0, 3.0, 4.0])
    assert channel.power.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert (channel.noise_variance == 0.3).all()
    assert_same(channel.to("cpu"), channel)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Channel(H.real), "h must be complex baseband coefficients, amplitudes with phases, got torch.float64"),
        (lambda: Channel.from_snr(H.real.numpy(), 20.0), "h must be complex"),
        (lambda: Channel.from_snr(H * 1e300, 20.0), "h has entries up to .*, whose squares overflow torch.float64: bring it to mean"),
        (lambda: Channel(torch.full_like(H, 1.5e308)), r"h has entries up to 1\.5e\+308, whose squares overflow torch.float64"),
        (lambda: Channel(H.to(torch.complex64) * 1e30), "h has entries up to .*, whose squares overflow torch.float32"),
        (lambda: Channel(H[0, 0]), r"h must have shape \(..., uses, n_rx, n_tx\), got \(2, 3\)"),
        (lambda: Channel.from_snr(H[0, 0, 0], 20.0), r"h must have shape \(..., n_rx, n_tx\), got \(3,\)"),
        (lambda: Channel.from_grid(H[..., :0], 20.0), "grid must have shape"),
        (lambda: Channel(H * math.nan), "h has NaN or infinite"),
        (lambda: Channel(H, -0.1), "noise_variance must be finite and not negative, got -0.1"),
        (lambda: Channel(H, math.nan), "noise_variance"),
        (lambda: Channel(H, 0.1, math.inf), "power must be finite"),
        (lambda: Channel(H, 0.1, -1.0), "power must be finite and not negative"),
        (lambda: Channel(H, 0.1, 1.0, error_variance=-1.0), "error_variance"),
        (lambda: Channel(H, [0.1, 0.2]), r"batch shapes must broadcast, got h \(4,\), noise_variance \(2,\)"),
        (lambda: Channel.from_snr(H[0], [10.0, 20.0]), "broadcast"),
        (lambda: Channel.from_snr(H[0, 0], [10.0, 20.0], [1.0, 2.0, 3.0]), "broadcast"),
        (lambda: Channel.from_snr(H, math.nan), "snr_db must be finite, or .inf for no noise"),
        (lambda: Channel.from_snr(H, -math.inf), "snr_db"),
        (lambda: Channel.from_snr(H, 20.0, 0.0), "power must be positive for an SNR"),
        (lambda: Channel.from_snr(H, 20.0, -1.0), "power"),
        (lambda: Channel.from_snr(H, 20.0, math.nan), "power"),
        (lambda: Channel(H).repeated(0), "uses must be an integer >= 1, got 0"),
        (lambda: Channel(H).with_power(-1.0), "power"),
        (lambda: Channel(H).estimated(-0.1), "error_variance"),
        (lambda: Channel(H).estimated(0.1, gain=0.0), "gain must be a finite number > 0"),
        (lambda: Channel(H).estimated([0.1, 0.2]), "broadcast"),
        (lambda: Channel(H).apply(torch.ones(7, 5, 2, dtype=torch.complex128)), r"\(uses, n_tx\) = \(5, 3\), got \(7, 5, 2\)"),
        (lambda: Channel(H).apply(torch.ones(7, 4, 3, dtype=torch.complex128)), "s must end"),
        (lambda: Channel(H[:, :1]).apply(torch.ones(1, 3, dtype=torch.complex128)), "s must"),
        (lambda: Channel(H).apply(torch.ones(7, 5, 3, dtype=torch.float64)), "s must be complex"),
    ],
)
def test_what_is_no_channel_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()


class TestWhatIsKnown:
    known = Channel(torch.ones(2, 1, 2, 3, dtype=torch.complex128), 0.3, 2.0, error_variance=[0.0, 0.1])

    def test_effective_noise_is_that_of_a_use_that_carries_the_power(self):
        torch.testing.assert_close(self.known.effective_noise, torch.tensor([0.3, 0.5], dtype=torch.float64))
        assert self.known.uncertain
        assert not self.known.without_error().uncertain
        torch.testing.assert_close(self.known.without_error().effective_noise, self.known.noise_variance)

    def test_a_flat_batch_holds_the_same_channels_in_order(self):
        grid = Channel(
            H[0, :1].expand(2, 3, 1, 2, 3) * torch.arange(6).reshape(2, 3, 1, 1, 1),
            torch.arange(6.0).reshape(2, 3),
            error_variance=[0.1, 0.2, 0.3],
        )
        flat = grid.flattened()
        assert flat.batch == (6,)
        assert torch.equal(flat.h[4], grid.h[1, 1])
        assert torch.equal(flat.error_variance[4], grid.error_variance[1, 1])

    def test_a_seed_stands_for_the_stream_of_what_it_draws(self):
        s = torch.ones(4, 1, 3, dtype=torch.complex128)
        assert torch.equal(self.known.apply(s, 3), self.known.apply(s, stream_generator(3, "noise")))
        estimate = self.known.estimated(0.1, generator=stream_generator(3, "estimation error"))
        assert torch.equal(self.known.estimated(0.1, generator=3).h, estimate.h)
        with pytest.raises(ValueError, match="generator must be"):
            self.known.apply(s, -1)

    def test_is_told_in_one_line_and_in_a_small_table(self):
        assert repr(self.known) == "Channel(2 channels, 2×3, 1 use, SNR 3.468 dB, power 2, error variance 0.05 (0 to 0.1))"
        assert repr(self.known[0]) == "Channel(1 channel, 2×3, 1 use, SNR 3.468 dB, power 2)"
        assert self.known._repr_html_().count("<tr>") == 6

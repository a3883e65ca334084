"""One law for each row of docs/conventions.md."""

import inspect
import math

import pytest
import torch

import latentlink as ll
from latentlink.channels.snr import noise_variance_from_snr
from latentlink.cli.channels import matrices
from latentlink.cli.options import Reading
from latentlink.latents.packing import pack, unpack
from latentlink.latents.whitening import Spectrum
from latentlink.studies.methods.codec import Draws
from latentlink.studies.sections import ChannelAt

N = 40_000


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def toy(seed=0, n=N, d=6, m=5):
    g = generator(seed)
    x = torch.randn(n, d, dtype=torch.float64, generator=g) @ torch.randn(d, d, dtype=torch.float64, generator=g) + 2.0
    y = x @ torch.randn(d, m, dtype=torch.float64, generator=g) + 0.5 * torch.randn(n, m, dtype=torch.float64, generator=g) - 1.0
    return x, y


def test_snr_is_power_of_a_transmit_antenna_over_noise_of_a_receive_antenna():
    channel = ll.Channel.from_snr(ll.rayleigh(3, 4, generator=generator()), snr_db=10.0, power=2.0)
    torch.testing.assert_close(channel.noise_variance, torch.tensor(2.0 / (4 * 10.0), dtype=torch.float64))
    zero_db = noise_variance_from_snr(torch.tensor(0.0), torch.tensor(1.0), 2)
    assert zero_db.item() == 0.5  # 0 dB is 0 dB, not noise-free
    torch.testing.assert_close(channel.snr_db, torch.tensor(10.0, dtype=torch.float64))


def test_noise_has_half_its_variance_per_real_dimension():
    h = torch.zeros(1, 2, 2, dtype=torch.complex128)
    channel = ll.Channel(h, noise_variance=3.0)
    v = channel.apply(torch.zeros(N, 1, 2, dtype=torch.complex128), generator())
    error = 1.5 * math.sqrt(2 / (2 * N)) * 5  # five standard errors of a variance estimate from 2N samples
    assert abs(v.real.square().mean().item() - 1.5) < error
    assert abs(v.imag.square().mean().item() - 1.5) < error
    silent = ll.Channel(h, noise_variance=0.0).apply(torch.zeros(4, 1, 2, dtype=torch.complex128), generator())
    assert (silent == 0).all()


def test_rows_of_x_and_y_are_the_same_observation():
    x, y = toy(n=200)
    order = torch.randperm(200, generator=generator())
    together, apart = ll.Moments.from_pairs(x[order], y[order]), ll.Moments.from_pairs(x, y[order])
    torch.testing.assert_close(together.cov_yx, ll.Moments.from_pairs(x, y).cov_yx)
    assert apart.cov_yx.norm() < 0.5 * together.cov_yx.norm()


def test_signals_are_messages_by_uses_by_antennas_and_batches_come_first():
    x, y = toy(n=200)
    modes = ll.semantic_modes(ll.Moments.from_pairs(x, y))
    channel = ll.Channel.from_snr(ll.rayleigh(3, 2, batch=(4,), generator=generator()), [[0.0], [20.0]]).repeated(5)
    solution = ll.ClosedForm().design(modes, channel)
    s = solution.transceiver.encode(x[:7])
    r = ll.Channel(channel.h, 0.0).apply(s)
    assert (s.shape, r.shape) == ((2, 4, 7, 5, 2), (2, 4, 7, 5, 3))
    torch.testing.assert_close(r[1, 2, 6, 3], channel.h[1, 2, 3] @ s[1, 2, 6, 3])
    assert solution.transceiver.decode(r).shape == (2, 4, 7, 5)
    for value in (channel.noise_variance, channel.power, solution.expected_mse, solution.status):
        assert value.shape == (2, 4)


def test_power_limits_hold_for_each_use_or_each_message():
    x, y = toy(n=2000)
    modes = ll.semantic_modes(ll.Moments.from_pairs(x, y), shrinkage=0.0)
    channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=generator(1)), 15.0, power=0.7).repeated(3)
    per_use = ll.ClosedForm(power=ll.power.PerUse()).design(modes, channel).transceiver.encode(x)
    torch.testing.assert_close(per_use.abs().square().sum(-1).mean(0), torch.full((3,), 0.7, dtype=torch.float64))
    per_message = ll.ClosedForm(power=ll.power.PerMessage(x=x, y=y)).design(modes, channel).transceiver.encode(x)
    torch.testing.assert_close(per_message.abs().square().sum((-2, -1)), torch.full((2000,), 3 * 0.7, dtype=torch.float64))


def test_fading_has_mean_square_gain():
    h = ll.rayleigh(4, 4, gain=0.5, batch=(2000,), generator=generator())
    error = 5 / math.sqrt(h.numel())
    assert abs(h.abs().square().mean().item() / 0.5 - 1) < error
    assert abs(h.real.square().mean().item() / 0.25 - 1) < math.sqrt(2) * error


def test_power_is_a_mean_over_messages_and_uses():
    x, y = toy()
    modes = ll.semantic_modes(ll.Moments.from_pairs(x, y), shrinkage=0.0)
    channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=generator(1)), 15.0, power=0.7).repeated(3)
    s = ll.ClosedForm().design(modes, channel).transceiver.encode(x)
    assert s.shape == (N, 3, 2)
    torch.testing.assert_close(s.abs().square().sum(-1).mean(), torch.tensor(0.7, dtype=torch.float64), rtol=1e-9, atol=0.0)


def test_packing_takes_halves_per_use():
    x = torch.arange(1.0, 9.0, dtype=torch.float64)
    assert pack(x)[0].tolist() == [1 + 5j, 2 + 6j, 3 + 7j, 4 + 8j]
    assert pack(x, uses=2).tolist() == [[1 + 3j, 2 + 4j], [5 + 7j, 6 + 8j]]
    assert pack(x[:3])[0].tolist() == [1 + 3j, 2 + 0j]
    assert torch.equal(unpack(pack(x[:3]), 3), x[:3])


def test_means_cost_no_power_and_come_back():
    x, y = toy()
    moments = ll.Moments.from_pairs(x, y)
    modes = ll.semantic_modes(moments)
    link = ll.ClosedForm().design(modes, ll.Channel(torch.zeros(1, 2, 2, dtype=torch.complex128), 1.0)).transceiver
    assert (link.encode(moments.mean_x.unsqueeze(0)) == 0).all()
    torch.testing.assert_close(link.decode(torch.zeros(1, 1, 2, dtype=torch.complex128))[0], y.mean(0))


def test_covariances_are_centred_and_over_n():
    x, y = toy(n=9)
    moments = ll.Moments.from_pairs(x.float(), y.float())
    assert moments.cov_x.dtype == torch.float64
    expected = torch.cov(torch.cat([x, y], 1).float().double().T, correction=0)
    torch.testing.assert_close(moments.cov_x, expected[:6, :6])
    torch.testing.assert_close(moments.cov_yx, expected[6:, :6])


def test_shrinkage_is_relative_to_the_mean_variance():
    x, y = toy()
    moments = ll.Moments.from_pairs(x, y)
    S = Spectrum.of(moments.cov_x).root_inverse(0.3)
    R = moments.cov_x + 0.3 * moments.cov_x.trace() / 6 * torch.eye(6, dtype=torch.float64)
    torch.testing.assert_close(S @ R @ S.mT, torch.eye(6, dtype=torch.float64))
    scaled = ll.semantic_modes(ll.Moments.from_pairs(100 * x, y), shrinkage=0.3)
    torch.testing.assert_close(scaled.strength, ll.semantic_modes(moments, shrinkage=0.3).strength)


def test_errors_are_totals_and_unweighted():
    x, y = toy()
    moments = ll.Moments.from_pairs(x, y)
    goal = ll.Goal(torch.eye(5, dtype=torch.float64)[:1] * 7)
    deaf = ll.Channel(torch.zeros(1, 2, 2, dtype=torch.complex128), 1.0)
    solution = ll.ClosedForm().design(ll.semantic_modes(moments, goal), deaf)
    torch.testing.assert_close(solution.expected_mse, moments.cov_y.trace())
    mean = y.mean(0).expand_as(y)
    torch.testing.assert_close(ll.metrics.mse(mean, y), moments.cov_y.trace())
    torch.testing.assert_close(ll.metrics.nmse(mean, y), torch.tensor(1.0, dtype=torch.float64))


def test_neighbouring_modes_share_a_symbol_strongest_over_strongest():
    x, y = toy()
    modes = ll.semantic_modes(ll.Moments.from_pairs(x, y), shrinkage=0.0)
    h = torch.diag(torch.tensor([1.0, 3.0], dtype=torch.complex128))  # the second antenna is the better one
    link = ll.ClosedForm().design(modes, ll.Channel.from_snr(h, 30.0)).transceiver
    z = torch.eye(4, dtype=torch.float64)
    s = link.symbols(z)[:, 0]
    assert s[0, 1].real != 0
    assert s[1, 1].imag != 0
    torch.testing.assert_close(s[0].imag, torch.zeros(2, dtype=torch.float64))
    torch.testing.assert_close(s[1].real, torch.zeros(2, dtype=torch.float64))
    assert (s[:2, 0] == 0).all()
    assert (s[2:, 1] == 0).all()


def test_antennas_do_not_disturb_each_others_radio_pilots():
    statistics = ll.csi.ScatteringStatistics(rms_delay_spread_s=100e-9)
    one = ll.channels.ResourceElements((0,), (0,))
    truth = ll.Channel(ll.rayleigh(3, 4, batch=(N // 10, 1), generator=generator()), noise_variance=0.6, power=2.0)
    pilot_power = 3.0
    least = ll.csi.least_squares_estimator(statistics, one, one, pilot_noise=0.6 / pilot_power)
    error = least.known(truth, truth.h, generator(1)).h - truth.h
    torch.testing.assert_close(least.error_variance, torch.tensor([0.2], dtype=torch.float64))
    assert abs(error.abs().square().mean().item() / 0.2 - 1) < 5 / math.sqrt(error.numel())


def test_what_is_unknown_of_a_channel_is_the_mean_over_its_elements():
    statistics = ll.csi.ScatteringStatistics(rms_delay_spread_s=1e-6, doppler_hz=100.0)
    pilots, message = ll.channels.ResourceElements((0,), (0,)), ll.channels.ResourceElements((0, 20), (0, 14))
    truth = ll.Channel(ll.rayleigh(1, 1, batch=(5, 2), generator=generator()))
    estimator = ll.csi.lmmse_estimator(statistics, pilots, message, pilot_noise=0.1)
    known = estimator.known(truth, truth.h[:, :1], generator(1))
    assert estimator.error_variance[1] > 2 * estimator.error_variance[0]
    torch.testing.assert_close(known.error_variance, estimator.error_variance.mean().expand(5))


def test_feedback_takes_two_bits_fewer_for_psi():
    channel = ll.Channel(ll.rayleigh(2, 2, batch=(7, 1), generator=generator()))
    assert ll.csi.feedback_bits(channel, 6) == 6 + 4 + 2 * 6
    assert ll.csi.feedback_bits(channel, 2) == 2 + 1 + 2 * 2
    assert ll.csi.quantise_feedback(channel, 6).h.shape == channel.h.shape


def test_the_gain_is_one_wherever_it_is_left_out():
    """In every public function and class of the namespaces, in study files and on the command line: else results would be 3 dB apart."""
    homes = [ll, *(getattr(ll, name) for name in dir(ll) if inspect.ismodule(getattr(ll, name)))]
    public = {id(thing): thing for home in homes for name in dir(home) if callable(thing := getattr(home, name))}
    ours = [thing for thing in public.values() if not (inspect.isclass(thing) and issubclass(thing, Exception))]
    signatures = {thing.__name__: inspect.signature(thing) for thing in ours if inspect.isfunction(thing) or inspect.isclass(thing)}
    defaults = {name: found.parameters["gain"].default for name, found in signatures.items() if "gain" in found.parameters}
    assert {"rayleigh", "rician", "ChannelDraws", "Model", "ReceiverOnly", "convert_snr", "quantise_feedback"} <= set(defaults)
    assert {value for value in defaults.values() if value is not inspect.Parameter.empty} == {1.0}, defaults
    assert ChannelAt().gain == Draws().gain == 1.0
    drawn = matrices(None, Reading(), 64, 64, None, None)
    assert abs(drawn.abs().square().mean().item() - 1.0) < 0.1


def test_more_antennas_at_one_receive_snr_change_nothing_but_the_array_gain():
    """Unitary channels of mean |h|² = 1: with as many numbers as streams the NMSE is that of one antenna; one number alone is sent over
    all antennas, and is better by the array gain n."""

    def nmse(n, numbers, gain):
        h = n**0.5 * torch.linalg.qr(torch.randn(n, n, dtype=torch.complex128, generator=generator(n)))[0]
        x = torch.linalg.qr(torch.randn(400, numbers, dtype=torch.float64, generator=generator(1)))[0]
        x = x - x.mean(0)
        modes = ll.semantic_modes(ll.Moments.from_pairs(x, x), shrinkage=0.0)
        reference, ours = ll.channels.SnrDefinition.PER_RECEIVE_ANTENNA, ll.channels.SnrDefinition.PER_TRANSMIT_ANTENNA
        snr_db = ll.channels.convert_snr(10.0 - gain, reference, ours, n_tx=n)
        return (ll.ClosedForm().design(modes, ll.Channel.from_snr(h, snr_db)).expected_mse / modes.variance).item()

    for n in (1, 2, 8, 64):
        assert nmse(n, 1, 10 * math.log10(n)) == pytest.approx(nmse(1, 1, 0.0), rel=0.01)
        assert nmse(n, 2 * n, 0.0) == pytest.approx(nmse(1, 2, 0.0), rel=0.01)

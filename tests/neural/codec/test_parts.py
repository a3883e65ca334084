"""The codec's parts, each by its own law: streams and beams, networks, power, gate, augmentation."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import latentlink as ll
from latentlink.neural.codec.cross_fitting import cross_fitted_coordinates
from latentlink.neural.codec.ends import limit_messages, mean_scale
from latentlink.neural.codec.examples import Examples, draw_bank
from latentlink.neural.codec.gate import Gate, kinds_of
from latentlink.neural.codec.loop import simulate
from latentlink.neural.codec.networks import ModulatedMlp
from latentlink.neural.codec.streams import place_streams
from latentlink.neural.seeding import CodecDraw
from neural.codec.clouds import channel, pilots, training, world


def seeded():
    return torch.Generator().manual_seed(0)


STRENGTH = torch.linspace(3, 1, 40, dtype=torch.float64)


@given(st.integers(0, 1000), st.integers(1, 4), st.integers(1, 4), st.integers(1, 2), st.floats(-10, 30))
def test_beams_make_parallel_streams_of_any_channel(seed, n_rx, n_tx, uses, snr_db):
    radio = channel(n_rx, n_tx, uses, snr_db, power=3.0, seed=seed)
    streams, beams = place_streams(STRENGTH, radio, 16)
    t = torch.randn(5, 2 * uses * min(n_rx, n_tx), dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    s = beams.symbols(t)
    torch.testing.assert_close(s.abs().square().sum((-2, -1)), uses * 3.0 * t.square().sum(-1))  # t is in units of the budget
    w = beams.streams(ll.Channel(radio.h, 0.0).apply(s))
    torch.testing.assert_close(w, streams.amplitude[: t.shape[-1]] * t)
    assert (streams.amplitude.diff() <= 1e-9).all()
    assert not streams.amplitude[t.shape[-1] :].any()
    assert float(streams.share.sum()) == pytest.approx(1)


def test_noise_has_unit_variance_in_every_stream():
    radio = channel(3, 2, uses=2, snr_db=4.0, power=2.0)
    streams, beams = place_streams(STRENGTH, radio, 8)
    silence = torch.zeros(20_000, 2, 2, dtype=torch.complex128)
    w = beams.streams(radio.apply(silence, torch.Generator().manual_seed(0)))
    torch.testing.assert_close(w.T.cov(), torch.eye(8, dtype=torch.float64), atol=0.04, rtol=0.0)
    assert streams.amplitude.shape == (8,)


def test_bits_of_one_stream_pair_are_its_capacity():
    radio = channel(1, 1, snr_db=13.0)
    streams, _ = place_streams(STRENGTH, radio, 8)
    torch.testing.assert_close(streams.bits, ll.bounds.capacity(radio))


def test_networks_hear_of_no_channel_above_the_ceiling():
    streams = place_streams(STRENGTH, channel(2, 2, snr_db=torch.tensor([20.0, 60.0]), batch=(2,)), 8)[0]
    ceiling = torch.full((5,), float(streams.amplitude[0, 0]))
    told = streams.features(ceiling)
    ratio = streams.amplitude[1] / streams.amplitude[1, 0]
    assert (told[1, :2] <= told[0, 0] + 1e-6).all()
    torch.testing.assert_close(told[1, :2], (float(ceiling[0]) * ratio[::2][:2]).square().log1p() / 4)
    torch.testing.assert_close(told[0], streams.features()[0])


def test_a_network_adds_nothing_at_first_and_then_what_its_modulation_says():
    torch.manual_seed(0)
    network = ModulatedMlp([3, 5, 4, 2], 6, torch.Generator().manual_seed(0))
    x, c = torch.randn(2, 7, 3), torch.randn(2, 6)
    at = network.modulation(c)
    assert not network(x, at).any()
    assert (at.direct == 1).all()
    for layer in (*network.modulators, network.last, network.out):
        torch.nn.init.normal_(layer.weight)
    at = network.modulation(c)
    expected = x
    for number, layer in enumerate(network.layers):
        scale, shift = network.modulators[number](network.reader(c)).unsqueeze(1).chunk(2, -1)
        expected = torch.nn.functional.gelu((1 + scale) * layer(expected) + shift)
    expected = network.out(expected) + network.last(network.reader(c)).unsqueeze(1)[..., :2]
    torch.testing.assert_close(network(x, at), expected)


@given(st.integers(0, 1000), st.floats(1.0, 4.0))
def test_a_peak_is_kept_and_a_mean_met(seed, peak):
    t = torch.randn(3, 50, 4, generator=torch.Generator().manual_seed(seed))
    rule = ll.power.Mean(peak=peak)
    budget = torch.tensor([1.0, 0.5, 0.0])
    scaled = t * mean_scale(rule, t.square().sum(-1).mean(-1), budget)
    torch.testing.assert_close(scaled.square().sum(-1).mean(-1), budget)
    limited = limit_messages(rule, scaled)
    assert float(limited.square().sum(-1).max()) <= peak * (1 + 1e-5)
    below = scaled.square().sum(-1) <= peak
    torch.testing.assert_close(limited[below], scaled[below])
    torch.testing.assert_close(limit_messages(ll.power.PerMessage(), t).square().sum(-1), torch.ones(3, 50))


def test_the_gate_opens_only_where_the_codec_is_surely_ahead():
    generator = torch.Generator().manual_seed(0)
    radio = ll.Channel.from_snr(ll.rayleigh(1, 1, batch=(4000,), generator=generator), torch.rand(4000, generator=generator) * 40 - 10)
    streams = place_streams(STRENGTH, radio, 32)[0].to(torch.float32)
    noise = 0.2 * torch.randn(4000, generator=generator)
    gate = Gate.choose(streams, torch.where(streams.bits > 3, 0.1, -0.1) + noise, margin=2.0)
    on = gate.of(streams)
    assert on[streams.bits > 4.1].float().mean() > 0.98
    assert not on[streams.bits < 2.9].any()
    assert not Gate.choose(streams, torch.zeros(4000), margin=0.0).open.any()  # no lower is not higher: the exact design stays
    untouched = place_streams(STRENGTH, channel(4, 4), 32)[0]
    assert not gate.of(untouched.to(torch.float32))  # no channel of its kind was seen
    assert kinds_of(streams).max() < gate.open.numel()


@pytest.mark.parametrize(
    "how", [ll.Augmentation(0.0, 0.0, 0.0), ll.Augmentation(0.3, 0.0, 0.0), ll.Augmentation(0.0, 0.8, 0.0), ll.Augmentation(0.1, 0.5, 0.7)]
)
def test_moved_pilots_are_moved_at_both_ends(how):
    data, _, _, modes = world()
    examples = Examples(modes, ll.objectives.Regression(), data[:600], data[600:], None, how)
    batch = examples.batch(200, {draw: draw.generator(0) for draw in CodecDraw})
    exact = data.y.float() - modes.mean_y.float()
    if not (how.moved or how.mixed):
        own = modes.coefficients(data.x).float()[batch.rows]
        assert float((batch.z - own).square().mean() / examples.unit.square().mean()) == pytest.approx(how.noise**2, rel=0.15, abs=1e-9)
    else:  # what z tells of y linearly holds for the moved pairs as it does for the pilots
        left = batch.wanted.loss(batch.z, batch.rows).mean()
        aligned = modes.coefficients(data.x) @ modes.synthesis.mT
        assert float(left) < 4 * float((exact - aligned.float()).square().sum() / exact.square().sum()) + how.noise**2 * len(modes)
    assert len(set(batch.rows.tolist())) == 200


def test_unpaired_latents_count_with_their_alignment():
    data, unseen, _, modes = world()
    examples = Examples(modes, ll.objectives.Regression(), data[:100], data[100:150], unseen.x[:50], ll.Augmentation(0.0, 0.0, 0.0))
    assert len(examples.z) == 150
    torch.testing.assert_close(examples.y[100:], modes.align(unseen.x[:50]).float(), rtol=1e-4, atol=1e-4)


def test_streams_are_nested_by_zeros():
    wide, narrow = (place_streams(STRENGTH, channel(2, 2, seed=3), most)[0] for most in (32, 4))
    torch.testing.assert_close(wide.amplitude[:4], narrow.amplitude)
    torch.testing.assert_close(wide.evened[:4], narrow.evened)
    assert math.isclose(float(wide.bits), float(narrow.bits), rel_tol=1e-6)


def test_the_first_channels_of_a_bank_are_of_all_sizes():
    data, _, _, modes = world()
    settings = training()
    streams = draw_bank(settings.draws, 300, settings.untrained(modes, data), seeded())
    assert set(streams.symbols[:16].tolist()) == {1, 2, 4}


def test_cross_fitted_coordinates_tell_of_y_what_those_of_unseen_latents_do():
    few, unseen = pilots(120, d=40, m=10), pilots(4000, d=40, m=10, seed=5)
    modes = ll.semantic_modes(ll.Moments.from_pairs(few.x, few.y), shrinkage=0.001)

    def left(z, y):
        return float((y.double() - modes.mean_y - z.double() @ modes.synthesis.mT).square().sum(-1).mean())

    own, crossed = left(modes.coefficients(few.x), few.y), left(cross_fitted_coordinates(modes, few, 20, seeded()), few.y)
    truth = left(modes.coefficients(unseen.x), unseen.y)
    assert own < 0.9 * truth
    assert crossed == pytest.approx(truth, rel=0.25)
    one = cross_fitted_coordinates(modes, few, 120, seeded())  # leave one out, by hand
    x, y = few.x[1:].double() - modes.mean_x, few.y[1:].double() - modes.mean_y
    c = y @ modes.synthesis / modes.strength.square()
    R = x.T @ x / 119
    by_hand = (few.x[:1].double() - modes.mean_x) @ torch.linalg.solve(R + 0.001 * R.diagonal().mean() * torch.eye(40), x.T @ c / 119)
    torch.testing.assert_close(one[:1], by_hand)
    with pytest.raises(ValueError, match="folds must be at most the number of pilots, 120, got 121"):
        cross_fitted_coordinates(modes, few, 121, seeded())


def test_with_a_goal_the_regression_of_all_pilots_is_that_of_the_modes():
    data, _, _, modes = world()
    twice = ll.Pilots(torch.cat([data.x] * 2), torch.cat([data.y] * 2), torch.cat([data.labels] * 2))
    crossed = cross_fitted_coordinates(modes, twice, 100, seeded())  # a pilot's double is nearly always in another fold
    strong = modes.strength > 0.05 * modes.strength[0]
    assert strong.sum() >= 4
    torch.testing.assert_close(crossed[: len(data), strong], modes.coefficients(data.x).double()[:, strong], rtol=0.05, atol=0.05)


@pytest.mark.parametrize("power", [ll.power.Mean(), ll.power.PerMessage()])
def test_judging_the_linear_design_alone_is_judging_a_codec_that_is_off(power):
    data, _, _, modes = world()
    codec = training(power=power).untrained(modes, data)
    streams = draw_bank(training().draws, 12, codec, seeded())
    off = torch.zeros(len(streams.amplitude), dtype=torch.bool)
    z = modes.coefficients(data.x[:40]).float()
    alone = simulate(codec, z, streams, torch.Generator().manual_seed(1), active=off)
    beside = simulate(codec, z, streams, torch.Generator().manual_seed(1), active=off | (torch.arange(len(off)) == 0))
    torch.testing.assert_close(alone[1:], beside[1:], rtol=1e-4, atol=1e-5)

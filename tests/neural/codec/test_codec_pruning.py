"""Structured pruning: within its budget, the same function where nothing was worth anything, and fewer microseconds."""

from dataclasses import replace

import pytest
import torch

import latentlink as ll
from latentlink.neural.codec.ends import Ends, precode
from latentlink.neural.codec.networks import frozen_copy
from latentlink.neural.codec.pruning import Cost, cost_of, flops, rank_units, shrink, without
from latentlink.neural.codec.streams import place_streams
from neural.codec.clouds import channel, fitted, training, understood, world


def streams(codec, count=20):
    radio = channel(2, 2, batch=(count,))
    return place_streams(codec.modes.strength, radio, codec.most)[0].to(torch.float32)


@pytest.mark.parametrize("share", [0.8, 0.5, 0.3])
def test_a_budget_of_operations_is_kept(share):
    codec = fitted().codec
    most = int(share * flops(codec))
    small = shrink(cost_of(ll.budget.Flops(most)), codec, streams(codec))
    assert flops(small) <= most
    assert flops(small) > 0.7 * most  # and used
    assert small.inputs[: min(10, codec.most)].tolist() == list(range(10))  # the linear part's modes stay
    off = small.with_gate(type(small.gate)(torch.zeros_like(small.gate.open))).design(channel())
    exact = ll.ClosedForm().design(world()[3], channel())
    x, silent = world()[1].x[:20], ll.Channel(channel().h, 0.0)
    got, expected = ll.transmit(off.transceiver, x, silent), ll.transmit(exact.transceiver, x, silent)
    torch.testing.assert_close(got.double(), expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


def test_units_that_do_nothing_go_first_and_change_nothing():
    codec = fitted().codec
    idle = frozen_copy(codec.encoder)
    with torch.no_grad():
        idle.layers[1].weight[:, ::2] = 0.0  # every other unit of the first hidden layer reaches nothing
    some = streams(codec)
    noise = torch.zeros(len(some.amplitude), len(codec.calibration.z), codec.most)
    layers = rank_units(replace(codec, encoder=idle), some, noise)
    assert (layers.encoder[0].worth[::2] == 0).all()
    assert (layers.encoder[0].worth[1::2] > 0).all()
    assert layers.encoder_in.worth.isinf().all()  # as many modes as the linear design sends
    kept = torch.arange(32) % 2 == 1
    every = [torch.ones(width, dtype=torch.bool) for width in idle.widths]
    smaller = without(idle, [every[0], kept, *every[2:]])
    z = codec.calibration.z
    whole, cut = (precode(net, Ends.of(net, codec.decoder, some), z) for net in (idle, smaller))
    torch.testing.assert_close(whole, cut, rtol=1e-4, atol=1e-5)


def test_a_trained_codec_keeps_its_budget_and_understands():
    data, _, head, modes = world()
    most = 3500
    fit = training(budget=ll.budget.Flops(most)).fit(modes, data, ll.objectives.HeadDivergence(head))
    assert flops(fit.codec) <= most < flops(fitted().codec)
    radio = channel(1, 1, snr_db=25.0, batch=(100,), seed=2)
    exact = ll.ClosedForm().design(modes, radio).transceiver.to(torch.float32)
    assert understood(fit.codec.design(radio).transceiver, radio).mean() > understood(exact, radio).mean() + 0.1


def test_a_budget_of_time_is_met_by_the_largest_link_that_is_fast_enough():
    codec = fitted().codec
    whole = flops(codec) / 100

    def clock(share):  # a machine without noise
        return Cost("microseconds", share * whole, lambda codec: flops(codec) / 100)

    small = shrink(clock(0.6), codec, streams(codec))
    assert 0.45 * whole < flops(small) / 100 <= 0.6 * whole
    assert shrink(clock(2.0), codec, streams(codec)) is codec
    with pytest.raises(ValueError, match=r"microseconds must be at least .* allow more, or train with fewer modes"):
        shrink(clock(0.01), codec, streams(codec))


def test_microseconds_are_measured():
    cost = cost_of(ll.budget.Latency(40.0))
    assert (cost.name, cost.most) == ("microseconds", 40.0)
    assert 1 < cost.measure(fitted().codec) < 1e5


def test_what_cannot_be_met_is_refused():
    with pytest.raises(ValueError, match="flops must be at least"):
        shrink(cost_of(ll.budget.Flops(10)), fitted().codec, streams(fitted().codec))
    with pytest.raises(ValueError, match="a codec leaves out whole units"):
        cost_of(ll.budget.Weights(0.1))
    with pytest.raises(ValueError, match="budget must be"):
        cost_of(600)

"""The power of a codec is predicted as the latents that it was fitted to give it, and those are pilots that training did not see."""

from dataclasses import replace

import pytest
import torch

import latentlink as ll
from latentlink.neural.codec.calibration import measured
from neural.codec.clouds import channel, fitted, training, world
from sharing import made_once


@made_once
def of_many_channels():
    """A codec whose power is fitted to as many channels as usual."""
    data, _, head, modes = world()
    return training(bank=(2000, 64, 4096)).fit(modes, data, ll.objectives.HeadDivergence(head), progress=None).codec


def of_size(n, count=200):
    h = ll.rayleigh(n, n, batch=(count, 1), generator=torch.Generator().manual_seed(50 + n))
    return ll.Channel.from_grid(h, torch.linspace(0.0, 25.0, count))


@pytest.mark.parametrize("n", [1, 2, 4])
def test_the_predicted_scale_is_that_of_the_latents(n):
    codec = of_many_channels()
    assert codec.power is not None
    radio = of_size(n)
    found = codec.design(radio)
    every = found.transceiver.active
    streams = found.transceiver.streams
    on = every & codec.power.covers(streams)
    assert on.double().mean() > 0.9
    predicted = found.transceiver.ends.residual_tx.amax((-2, -1))[on]
    computed = measured(codec, streams[on], torch.ones(int(on.sum()), dtype=torch.bool)).scale.flatten()
    error = (predicted / computed).square() - 1
    assert float(error.square().mean().sqrt()) <= 0.005
    assert float(error.abs().max()) <= 0.015


def test_a_codec_carries_pilots_that_training_did_not_see():
    """They would spend more, and every link would run as much too low: the split and the calibration are one draw."""
    data, _, _, modes = world()
    codec = fitted().codec
    settings = training()
    held = settings._examples(codec, data, ll.objectives.Regression(), None)
    seen = {tuple(row) for row in held.z.tolist()}
    carried = [tuple(row) for row in codec.calibration.z.tolist()]
    assert len(carried) == round(settings.validation * len(data))
    assert not [row for row in carried if row in seen]
    assert codec.calibration.z.shape[1] == len(codec.modes) <= len(modes)


def test_without_a_fit_the_latents_are_asked_and_say_the_same():
    codec = fitted().codec
    radio = channel(2, 2, batch=(40,))
    with_fit, without = codec.design(radio), replace(codec, power=None).design(radio)
    torch.testing.assert_close(with_fit.trace["active"], without.trace["active"])
    a, b = (solution.transceiver.encode(world()[1].x).abs().square().sum((-2, -1)).mean(-1) for solution in (with_fit, without))
    torch.testing.assert_close(a, b, rtol=0.01, atol=0.0)

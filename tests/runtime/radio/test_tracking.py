"""The clock and the phases from frame to frame."""

import numpy as np
import pytest

from latentlink_runtime.radio.front_end import FrontEnd
from latentlink_runtime.radio.receiver import Receiver
from latentlink_runtime.radio.transmitter import Transmitter
from runtime.radio.air import noise
from runtime.radio.loops import loop


def test_the_clocks_posterior_narrows_from_frame_to_frame() -> None:
    air = loop(50, 2, 2, 5, 12, symbols=6, clock=40e-6)
    frames = air.receive()
    spread = [frame.clock.variance**0.5 for frame in frames]
    assert spread[-1] < 0.5 * spread[0]
    assert abs(frames[-1].clock.offset - 40e-6) < 4 * spread[-1]


def test_the_clocks_error_is_what_its_posterior_says() -> None:
    scores = []
    for seed in range(12):
        air = loop(500 + seed, 2, 2, 5, 1, symbols=12, clock=20e-6)
        scores += [(frame.clock.offset - 20e-6) / frame.clock.variance**0.5 for frame in air.receive()]
    assert 0.5 < np.sqrt(np.mean(np.square(scores))) < 1.6


@pytest.mark.parametrize("ppm", [-200, 300])
def test_long_frames_of_bad_clocks_are_tracked_from_the_first_on(ppm: float) -> None:
    air = loop(51, 4, 4, 20, 3, symbols=85, clock=1e-6 * ppm, frequency=-0.01)
    frames = air.receive()
    assert len(frames) == 3
    assert not any(frame.lost.any() for frame in frames)
    assert (np.abs(air.residual(frames[0])) ** 2).mean() < 1.7 * air.variance
    assert np.mean([(np.abs(air.residual(frame)) ** 2).mean() for frame in frames[1:]]) < 1.3 * air.variance


@pytest.mark.parametrize("snr_db", [5, 20])
def test_another_transmitters_clock_is_learnt_within_a_few_frames(snr_db: int) -> None:
    one = loop(53, 2, 2, snr_db, 6, symbols=30, clock=40e-6)
    other = loop(54, 2, 2, snr_db, 6, symbols=30, clock=-40e-6)
    receiver = Receiver(one.frame_format, 2)
    assert abs(one.receive(receiver)[-1].clock_ppm - 40) < 8
    frames = other.receive(receiver)
    assert len(frames) == 6
    assert abs(frames[-1].clock_ppm + 40) < 8
    assert not frames[-1].lost.any()


def test_without_an_offset_no_phase_is_taken_out_that_is_not_there() -> None:
    air = loop(55, 4, 4, 20, 10, symbols=20)
    errors = [(np.abs(air.residual(frame)) ** 2).mean() for frame in air.receive()]
    assert np.mean(errors) < 1.15 * air.variance


def test_slow_phase_noise_is_followed() -> None:
    rng = np.random.default_rng(23)
    air = loop(56, 2, 2, 25, 1, symbols=60)
    stream = air.stream * np.exp(1j * np.cumsum(0.003 * rng.standard_normal(len(air.stream))))[:, None]
    frame = Receiver(air.frame_format, 2).push(stream)[0]
    assert not frame.lost.any()
    assert (np.abs(air.residual(frame)) ** 2).mean() < 4 * air.variance


@pytest.mark.parametrize("back_off_db", [6, 3])
def test_clipping_costs_signal_to_noise_and_makes_no_frame_suspicious(back_off_db: float) -> None:
    rng = np.random.default_rng(24)
    air = loop(91, 4, 4, 20, 6, symbols=8)
    dac, receiver = FrontEnd(None, back_off_db), Receiver(air.frame_format, 4)
    gain = dac.gain(0.25)
    for number, sent in enumerate(air.sent):
        clipped, _ = dac.convert(Transmitter(air.frame_format).frame(number, sent.elements), gain)
        frame = receiver.push(sent.air(clipped / gain, rng, 700))[0]
        assert not frame.suspicious
        assert frame.lost.mean() < 0.2
        assert (np.abs(air.residual(frame)) ** 2).mean() < (1.4 if back_off_db == 6 else 4) * air.variance


def test_a_channel_that_changes_after_the_training_is_suspicious_and_noise_alone_is_not() -> None:
    rng = np.random.default_rng(25)
    air = loop(57, 2, 2, 20, 1, symbols=4)
    assert not air.receive()[0].suspicious
    first = air.sent[0].first + 320 + 160
    stream = air.stream
    stream[first:] = stream[first:] @ (np.eye(2) + noise(rng, (2, 2), 0.03))
    assert Receiver(air.frame_format, 2).push(stream)[0].lost.all()

"""Laws that a receiver keeps and that each of the mutants of `test_mutants` breaks; every one raises AssertionError where it is broken.

Samples are made once and kept, so that a receiver made wrong hears the same air.
"""

from functools import cache

import numpy as np

from latentlink_runtime.radio.frame import FrameFormat, Placement
from latentlink_runtime.radio.received import per_carrier_channels
from latentlink_runtime.radio.receiver import Receiver
from runtime.radio.loops import Loop, loop


@cache
def long_frames() -> Loop:
    """4 × 4, 20 dB, 40 symbols, CFO .004, 100 ppm: the air that shows every fault of tracking."""
    return loop(11, 4, 4, 20, 6, symbols=40, frequency=0.004, clock=100e-6, phase=1.0)


@cache
def short_frames() -> Loop:
    """4 × 4, 10 dB, 4 symbols."""
    return loop(12, 4, 4, 10, 40, frequency=-0.003)


@cache
def three_antennas() -> Loop:
    """3 transmit antennas: the training matrix is complex."""
    return loop(13, 4, 3, 15, 4)


@cache
def longest_taps() -> Loop:
    """13 taps of equal power at 30 dB: no sample of the prefix is to spare."""
    return loop(14, 2, 2, 30, 8, taps=13, decay=1.0)


@cache
def two_uses() -> Loop:
    """Messages of two elements."""
    return loop(15, 2, 2, 15, 3, frame_format=FrameFormat(2, placement=Placement.over_frequency(2, 48)))


def payload(air: Loop, most: float, skipped: int = 0) -> None:
    """All frames come, none of their symbols is lost, and y − Ĥ s is at most `most` times the noise."""
    receiver = Receiver(receiver_format(air), air.n_rx)
    frames = air.receive(receiver)
    assert [frame.header.sequence for frame in frames] == list(range(len(air.sent)))
    assert not any(frame.lost.any() for frame in frames[skipped:])
    errors = [(np.abs(air.residual(frame)) ** 2).mean() for frame in frames[skipped:]]
    assert np.mean(errors) / air.variance < most


def receiver_format(air: Loop) -> FrameFormat:
    """The frame format as the receiver has it."""
    return air.frame_format


def long_payload() -> None:
    """Tracking: after the first frame the clock is known."""
    payload(long_frames(), 1.25, skipped=1)


def short_payload() -> None:
    """Everything but tracking."""
    payload(short_frames(), 1.22)


def three_antennas_payload() -> None:
    """The training matrix and its transpose differ."""
    payload(three_antennas(), 1.25)


def two_uses_payload() -> None:
    """The order of elements."""
    payload(two_uses(), 1.3)


def longest_payload() -> None:
    """Timing."""
    payload(longest_taps(), 1.6)


def noise_variance() -> None:
    """σ̂² is the noise within 5 %."""
    air = short_frames()
    found = [frame.noise_variance for frame in air.receive()]
    assert abs(np.mean(found) / air.variance - 1) < 0.05


def prediction() -> None:
    """|y − Ĥ s|² is σ̂² + τ̂ within 5 %."""
    air = short_frames()
    frames = air.receive()
    errors = [(np.abs(air.residual(frame)) ** 2).mean() for frame in frames]
    expected = [frame.noise_variance + frame.error_variance.mean() for frame in frames]
    assert abs(np.mean(errors) / np.mean(expected) - 1) < 0.05


def decoder_noise() -> None:
    """The noise that the decoder is matched to is |y − Ĥ s|² within 5 %; the NMSE of a loop does not see its share τ̂."""
    air = short_frames()
    frames = air.receive()
    errors = [(np.abs(air.residual(frame)) ** 2).mean() for frame in frames]
    known = [per_carrier_channels(frame).effective_noise.mean() for frame in frames]
    assert abs(np.mean(known) / np.mean(errors) - 1) < 0.05


def channel_error() -> None:
    """|Ĥ − H|² is at most 0.2 σ², and τ̂ within 30 % of it."""
    air = short_frames()
    frames = air.receive()
    assert frames
    errors = np.mean([(np.abs(frame.h - air.truth(frame)) ** 2).mean() for frame in frames])
    assert errors < 0.2 * air.variance
    assert abs(np.mean([frame.error_variance.mean() for frame in frames]) / errors - 1) < 0.3


def clock() -> None:
    """The clock's offset is found within 5 ppm and the CFO within 3·10⁻⁶."""
    frames = long_frames().receive()
    assert abs(np.mean([frame.clock_ppm for frame in frames[1:]]) - 100) < 5
    assert all(abs(frame.frequency - 0.004) < 3e-6 for frame in frames)

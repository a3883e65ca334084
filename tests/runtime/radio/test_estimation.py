"""Synchronisation and estimates against the truth of the air."""

import numpy as np
import pytest

from latentlink_runtime.radio import synchronise
from latentlink_runtime.radio.estimate import delay_basis
from latentlink_runtime.radio.frame import FrameFormat
from latentlink_runtime.radio.numerology import LL_64_16, LL_256_64, Numerology
from latentlink_runtime.radio.receiver import Receiver
from runtime.radio.air import Air, noise
from runtime.radio.loops import loop


@pytest.mark.parametrize(("antennas", "snr_db", "frames"), [(1, 15, 200), (2, 10, 100), (4, 0, 60), (4, 20, 60), (8, 5, 20)])
def test_noise_is_found_without_bias_and_the_estimates_error_is_what_tau_says(antennas: int, snr_db: float, frames: int) -> None:
    air = loop(21, antennas, antennas, snr_db, frames, symbols=1, frequency=0.002)
    received = air.receive()
    assert len(received) >= 0.95 * frames
    assert np.mean([frame.noise_variance for frame in received]) == pytest.approx(air.variance, rel=0.05)
    errors = np.mean([(np.abs(frame.h - air.truth(frame)) ** 2).mean() for frame in received])
    told = np.mean([frame.error_variance.mean() for frame in received])
    assert errors < 0.25 * air.variance
    assert told == pytest.approx(errors, rel=0.35)
    assert np.mean([frame.header_misfit for frame in received]) == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize("taps", [1, 4, 10, 13])
def test_noise_and_error_hold_for_channels_of_any_length_to_the_longest(taps: int) -> None:
    air = loop(22, 3, 3, 25, 30, symbols=1, taps=taps, decay=0.8)
    frames = air.receive()
    assert len(frames) == 30
    assert np.mean([frame.noise_variance for frame in frames]) == pytest.approx(air.variance, rel=0.1 if taps > 10 else 0.06)
    errors = np.mean([(np.abs(frame.h - air.truth(frame)) ** 2).mean() for frame in frames])
    assert errors < 0.4 * air.variance


@pytest.mark.parametrize(("snr_db", "most"), [(0, 2e-5), (20, 3e-6)])
def test_frequency_offset_is_found(snr_db: float, most: float) -> None:
    errors = []
    for seed, frequency in enumerate((-0.028, -0.01, 0.0, 0.013, 0.029)):
        air = loop(30 + seed, 4, 4, snr_db, 12, symbols=4, frequency=frequency)
        errors += [frame.frequency - frequency for frame in air.receive()]
    assert len(errors) == 60
    assert np.sqrt(np.mean(np.square(errors))) < most


@pytest.mark.parametrize("numerology", [LL_64_16, LL_256_64], ids=lambda numerology: numerology.name)
def test_the_window_holds_a_path_of_every_delay(numerology: Numerology) -> None:
    rng = np.random.default_rng(5)
    frame_format = FrameFormat(2, numerology)
    for delay in (*range(0, 24), 37, 150):
        taps = noise(rng, (1, 2, 2), 1.0)
        air = Air(taps, 10**-2.5, delay=delay)
        frames = Receiver(frame_format, 2).push(air(transmit(frame_format), rng))
        assert len(frames) == 1, delay
        body = delay + numerology.stf_length + numerology.cyclic_prefix
        assert body - numerology.cyclic_prefix < frames[0].start <= body - 2, delay
        assert frames[0].noise_variance == pytest.approx(10**-2.5 * numerology.n_used / numerology.n_fft, rel=0.6)


def transmit(frame_format: FrameFormat) -> np.ndarray:
    """A sounding frame."""
    from latentlink_runtime.radio.transmitter import Transmitter

    return Transmitter(frame_format).frame(0)


def test_channels_of_fourteen_to_sixty_taps_need_the_long_numerology() -> None:
    errors = {}
    for numerology in (LL_64_16, LL_256_64):
        air = loop(23, 2, 2, 25, 10, symbols=2, taps=40, decay=0.97, frame_format=FrameFormat(2, numerology))
        frames = air.receive()
        residuals = [(np.abs(air.residual(frame)) ** 2).mean() for frame in frames]
        errors[numerology.name] = (len(frames), np.mean(residuals) / air.variance if residuals else np.inf)
    assert errors["ll-256-64"][0] == 10
    assert errors["ll-256-64"][1] < 1.5
    assert errors["ll-64-16"][1] > 5


@pytest.mark.parametrize("numerology", [LL_64_16, LL_256_64], ids=lambda numerology: numerology.name)
def test_the_basis_of_delays_is_orthonormal_small_and_holds_every_delay_of_the_prefix(numerology: Numerology) -> None:
    Q = delay_basis(numerology)
    assert pytest.approx(np.eye(Q.shape[1]), abs=1e-10) == Q.conj().T @ Q
    assert Q.shape[1] < 0.4 * numerology.n_used
    delays = np.linspace(0, numerology.cyclic_prefix, 60)
    e = np.exp(-2j * np.pi * np.outer(numerology.carriers, delays) / numerology.n_fft)
    outside = (np.abs(e - Q @ (Q.conj().T @ e)) ** 2).mean(0)
    assert outside.max() < 1e-3


def test_a_carrier_has_one_tone_and_the_short_field_many() -> None:
    rng = np.random.default_rng(6)
    n = np.arange(272)
    for frequency in (0.0, 0.01, 0.123, -0.4):
        carrier = np.exp(2j * np.pi * frequency * n)[:, None] * noise(rng, (1, 2), 1.0) + noise(rng, (272, 2), 0.1)
        assert synchronise.tones(carrier, synchronise.frequency_offset(carrier)) < synchronise.FEWEST_TONES
    for delay in (1, 8):  # two equal paths, which make a comb of the tones
        field = np.tile(transmit(FrameFormat(1))[:16], (18, 1))
        both = field[delay : delay + 272] + field[:272]
        assert synchronise.tones(both, 0.0) > synchronise.FEWEST_TONES

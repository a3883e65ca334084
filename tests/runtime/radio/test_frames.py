"""What a frame carries: elements of several uses, precoded pilots, sounding, and the channels for a link."""

import numpy as np
import pytest

from latentlink_runtime.radio.frame import FrameFormat, Placement
from latentlink_runtime.radio.front_end import FrontEnd
from latentlink_runtime.radio.header import UNIT
from latentlink_runtime.radio.numerology import LL_64_16, LL_256_64
from latentlink_runtime.radio.received import per_carrier_channels
from latentlink_runtime.radio.receiver import Receiver
from latentlink_runtime.radio.transmitter import Transmitter
from runtime.radio.air import Air, noise, rayleigh
from runtime.radio.loops import loop

QUIET = 1e-4


@pytest.mark.parametrize(("n_rx", "n_tx"), [(1, 1), (1, 4), (4, 1), (2, 3), (6, 5), (8, 8)])
def test_elements_come_through_for_any_antennas(n_rx: int, n_tx: int) -> None:
    air = loop(61, n_rx, n_tx, 25, 2, symbols=3, frequency=-0.006)
    frames = air.receive()
    assert len(frames) == 2
    for frame in frames:
        assert frame.h.shape == (52, n_rx, n_tx)
        assert (np.abs(air.residual(frame)) ** 2).mean() < 1.7 * air.variance


@pytest.mark.parametrize("uses", [1, 2, 3, 5])
@pytest.mark.parametrize("numerology", [LL_64_16, LL_256_64], ids=lambda numerology: numerology.name)
def test_channels_are_those_that_the_elements_went_through(numerology, uses: int) -> None:  # type: ignore[no-untyped-def]
    frame_format = FrameFormat(2, numerology, Placement.over_frequency(uses, numerology.n_data))
    air = loop(62, 3, 2, 30, 1, symbols=2, frame_format=frame_format)
    frame = air.receive()[0]
    channel = per_carrier_channels(frame, power=1.0)
    assert channel.h.shape == (numerology.n_data // uses, uses, 3, 2)
    assert channel.effective_noise == pytest.approx(frame.noise_variance, rel=0.8)
    messages = len(air.sent[0].elements) // uses
    y = frame.elements.reshape(-1, uses, 3)[:messages]
    s = air.sent[0].elements.reshape(-1, uses, 2)
    h = channel.h[np.arange(messages) % len(channel.h)]
    assert (np.abs(y - np.einsum("murt,mut->mur", h, s)) ** 2).mean() < 1.6 * air.variance


def test_precoded_pilots_tell_the_channel_behind_the_precoder() -> None:
    rng = np.random.default_rng(14)
    for streams in (1, 2, 3):
        frame_format = FrameFormat(4, streams=streams)
        beams = noise(rng, (48, 4, streams), 1 / (4 * streams))
        payload = noise(rng, (64, 4), 0.25)
        samples = Transmitter(frame_format).frame(9, payload, precoder=beams)
        air = Air(rayleigh(rng, 4, 4, 4), QUIET, frequency=0.003)
        frame = Receiver(frame_format, 4).push(air(samples, rng, 600))[0]
        assert frame.header.kind == 2
        assert frame.precoded is not None
        wanted = frame.h[frame.data_index] @ beams
        assert frame.precoded == pytest.approx(wanted, abs=0.1)
        assert (np.abs(frame.precoded - wanted) ** 2).mean() < 2 * QUIET
        assert len(frame.elements) == 64
        residual = frame.elements - np.einsum("eat,et->ea", frame.h[frame.data_index][np.arange(64) % 48], payload)
        assert (np.abs(residual) ** 2).mean() < 2 * QUIET


def test_sounding_frames_have_a_channel_and_no_elements() -> None:
    rng = np.random.default_rng(15)
    frame_format = FrameFormat(4)
    air = Air(rayleigh(rng, 4, 4, 4), QUIET)
    frame = Receiver(frame_format, 4).push(air(Transmitter(frame_format).frame(3, epoch=7), rng, 900))[0]
    assert (frame.header.kind, frame.header.sequence, frame.header.epoch) == (0, 3, 7)
    assert frame.elements.shape == (0, 4)
    assert frame.lost.shape == (0,)
    assert per_carrier_channels(frame).h.shape == (48, 1, 4, 4)


def test_messages_are_padded_to_units_of_sixteen() -> None:
    rng = np.random.default_rng(16)
    frame_format = FrameFormat(1)
    samples = Transmitter(frame_format).frame(0, noise(rng, (17, 1), 1.0))
    frame = Receiver(frame_format, 1).push(Air(np.ones((1, 1, 1), complex), QUIET)(samples, rng, 900))[0]
    assert frame.header.messages == 2 * UNIT
    assert np.abs(frame.elements[17:]).max() < 0.1


def test_frames_are_the_same_twice_and_complex64() -> None:
    rng = np.random.default_rng(17)
    payload = noise(rng, (96, 2), 0.5)
    one, other = (Transmitter(FrameFormat(2), key=b"k").frame(5, payload) for _ in range(2))
    assert one.dtype == np.complex64
    assert np.array_equal(one, other)
    assert not np.array_equal(one, Transmitter(FrameFormat(2), key=b"l").frame(5, payload))


def test_equal_elements_peak_no_higher_than_random_ones() -> None:
    samples = Transmitter(FrameFormat(1)).frame(0, np.ones((48 * 20, 1), complex))[-160 - 80 * 20 : -160]
    assert (np.abs(samples) ** 2).max() < 12


@pytest.mark.parametrize(
    ("payload", "precoder", "message"),
    [
        (np.zeros((4, 3), complex), None, "flatten"),
        (np.zeros((0, 2), complex), None, "1 to"),
        (np.zeros((16 * 256, 2), complex), None, "1 to"),
        (np.full((4, 2), np.inf + 0j), None, "NaN"),
        (np.zeros((4, 2), complex), np.zeros((48, 2, 1), complex), "precoder"),
    ],
)
def test_payloads_that_do_not_fit_are_refused(payload: np.ndarray, precoder: np.ndarray | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Transmitter(FrameFormat(2)).frame(0, payload, precoder=precoder)


@pytest.mark.parametrize(("fields", "message"), [((9,), "n_tx"), ((2, LL_256_64, Placement.over_frequency(1, 48)), "192"), ((0,), "n_tx")])
def test_formats_that_do_not_fit_are_refused(fields: tuple[object, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FrameFormat(*fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(("bits", "error"), [(None, 0.0), (12, 1e-6), (8, 1.2e-4), (4, 0.05)])
def test_a_converter_keeps_samples_but_for_its_bits_and_clips_few_at_ten_decibels(bits: int | None, error: float) -> None:
    rng = np.random.default_rng(18)
    samples = noise(rng, (20_000, 2), 0.3)
    front_end = FrontEnd(bits, back_off_db=10)
    gain = front_end.gain(0.3)
    converted, clipped = front_end.convert(samples, gain)
    assert np.abs(np.stack([converted.real, converted.imag])).max() <= 1
    assert clipped < 40
    kept = np.abs(samples * gain).max(1) < 1
    assert (np.abs(converted - samples * gain) ** 2)[kept].mean() <= error * (np.abs(samples * gain) ** 2).mean()
    assert front_end.convert(samples, 100 * gain)[1] > 39_000


def test_eight_bits_and_six_decibels_of_back_off_cost_little() -> None:
    rng = np.random.default_rng(19)
    air = loop(63, 4, 4, 20, 6, same=True)
    clean = np.mean([(np.abs(air.residual(frame)) ** 2).mean() for frame in air.receive()]) / air.variance
    dac, adc = FrontEnd(8, back_off_db=6), FrontEnd(8, back_off_db=9)
    errors = []
    receiver = Receiver(air.frame_format, 4)
    for sequence, sent in enumerate(air.sent):
        samples = Transmitter(air.frame_format).frame(sequence, sent.elements)
        gain = dac.gain(0.25)
        converted, _ = dac.convert(samples, gain)
        arrived = sent.air(converted / gain, rng, 400)
        digital, _ = adc.convert(arrived, adc.gain(float((np.abs(arrived) ** 2).mean())))
        for frame in receiver.push(digital / adc.gain(float((np.abs(arrived) ** 2).mean()))):
            errors.append((np.abs(air.residual(frame)) ** 2).mean() / air.variance)
    assert len(errors) == 6
    assert np.mean(errors) < clean + 0.35


@pytest.mark.parametrize(("fields", "message"), [({"bits": 0}, "bits"), ({"back_off_db": np.nan}, "back_off")])
def test_converters_out_of_range_are_refused(fields: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FrontEnd(**fields)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="power"):
        FrontEnd().gain(0.0)


def test_the_headers_constellation_is_qpsk_as_noisy_as_the_channel() -> None:
    for snr_db, n_rx in ((10, 1), (25, 4)):
        air = loop(63, n_rx, 2, snr_db, 1, symbols=2, frequency=0.005, clock=30e-6)
        frame = air.receive()[0]
        points = frame.constellation
        assert points.shape == (8, 52)
        nearest = (np.sign(points.real) + 1j * np.sign(points.imag)) / np.sqrt(2)
        energy = (np.abs(frame.h) ** 2).sum((1, 2)) / 2
        error = np.abs(points - nearest) ** 2
        np.testing.assert_allclose(np.median(error * energy) / np.log(2), air.variance, rtol=0.5)

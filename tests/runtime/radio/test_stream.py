"""The stream: chunks, gains, phases, noise, carriers, drops and doubles."""

from dataclasses import replace

import numpy as np
import pytest

from latentlink_runtime.radio.frame import FrameFormat
from latentlink_runtime.radio.numerology import LL_64_16, LL_256_64, Numerology
from latentlink_runtime.radio.received import ReceivedFrame
from latentlink_runtime.radio.receiver import Receiver, State
from latentlink_runtime.radio.transmitter import Transmitter
from runtime.radio.air import Air, noise, rayleigh
from runtime.radio.loops import Loop, loop


def streamed(air: Loop, sizes: list[int]) -> list[ReceivedFrame]:
    """Frames of a stream pushed in chunks of these sizes, over and over."""
    receiver, stream, frames, at, number = Receiver(air.frame_format, air.n_rx), air.stream, [], 0, 0
    while at < len(stream):
        size = sizes[number % len(sizes)]
        frames += receiver.push(stream[at : at + size])
        at, number = at + size, number + 1
    return frames


def identical(one: ReceivedFrame, other: ReceivedFrame) -> bool:
    """Bit for bit."""
    arrays = ("h", "elements", "lost", "chi_square", "error_variance")
    same = all(np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays)
    return same and (one.header, one.frequency, one.clock, one.start) == (other.header, other.frequency, other.clock, other.start)


@pytest.mark.parametrize("sizes", [[100_000], [1], [16], [1000], [7, 0, 333, 16]], ids=str)
def test_any_chunks_give_the_same_frames_to_the_bit(sizes: list[int]) -> None:
    air = loop(41, 2, 2, 15, 3, symbols=6, frequency=0.004, clock=20e-6)
    whole = air.receive()
    frames = streamed(air, sizes)
    assert len(whole) == 3
    assert len(frames) == 3
    assert all(identical(one, other) for one, other in zip(whole, frames, strict=True))


def equalised(frame: ReceivedFrame, air: Loop) -> np.ndarray:
    """LMMSE estimates of the elements, which no gain or phase changes."""
    carriers = frame.data_index[frame.placement.index(frame.header.messages) % air.frame_format.numerology.n_data]
    h = frame.h[carriers]
    disturbance = frame.noise_variance + frame.error_variance[carriers]
    gram = h.conj().swapaxes(1, 2) @ h + (disturbance * air.frame_format.n_tx)[:, None, None] * np.eye(h.shape[2])
    return np.linalg.solve(gram, h.conj().swapaxes(1, 2) @ frame.elements[..., None])[..., 0]


@pytest.mark.parametrize("gain", [1e-6, 0.03, 40.0, 1e6])
def test_any_gain_leaves_what_is_received_unchanged(gain: float) -> None:
    air = loop(42, 4, 4, 15, 2, frequency=0.004)
    louder = replace(air, sent=tuple(replace(sent, samples=gain * sent.samples) for sent in air.sent))
    for one, other in zip(air.receive(), louder.receive(), strict=True):
        assert other.noise_variance == pytest.approx(gain**2 * one.noise_variance, rel=1e-6)
        assert equalised(other, air) == pytest.approx(equalised(one, air), abs=1e-6)
        assert not other.lost.any()


@pytest.mark.parametrize(("phase", "delay"), [(2.0, 0), (0.0, 1), (-1.0, 2), (0.5, 3)])
def test_a_common_phase_or_a_small_delay_leaves_what_is_received_unchanged(phase: float, delay: int) -> None:
    air = loop(43, 4, 4, 60, 1)  # the noise is so small that another window's noise does not count
    turned = np.exp(1j * phase) * np.concatenate([air.stream[:0], np.zeros((delay, 4)), air.stream])
    one, other = air.receive()[0], Receiver(air.frame_format, 4).push(turned)[0]
    assert equalised(other, air) == pytest.approx(equalised(one, air), abs=0.02)
    assert equalised(one, air) == pytest.approx(air.sent[0].elements, abs=0.05)


@pytest.mark.parametrize("n_rx", [1, 4, 8])
def test_no_frame_comes_from_noise_of_any_colour_over_antennas(n_rx: int) -> None:
    rng = np.random.default_rng(7)
    receiver = Receiver(FrameFormat(n_rx), n_rx)
    scale = 10.0 ** -np.arange(n_rx)
    assert not receiver.push(noise(rng, (300_000, n_rx), 1.0) * scale)
    assert receiver.counters["detections"] <= 5
    assert receiver.state is State.SEARCH


def test_silence_and_dead_antennas_do_no_harm() -> None:
    air = loop(44, 2, 2, 20, 2)
    receiver = Receiver(air.frame_format, 3)
    stream = np.column_stack([air.stream, np.zeros(len(air.stream))])
    assert not receiver.push(np.zeros((5000, 3)))
    frames = receiver.push(stream)
    assert len(frames) == 2
    assert np.isfinite(frames[0].elements).all()


def test_a_bare_carrier_is_told_from_a_frame_and_frames_after_it_are_heard() -> None:
    rng = np.random.default_rng(8)
    air = loop(45, 2, 2, 20, 2)
    n = np.arange(60_000)
    carrier = np.exp(2j * np.pi * 0.07 * n)[:, None] * np.array([1.0, 0.5j]) + noise(rng, (60_000, 2), 0.01)
    receiver = Receiver(air.frame_format, 2)
    assert not receiver.push(carrier)
    assert receiver.counters["carriers"] > 0
    assert receiver.counters["carriers"] < 100  # it backs off
    assert not receiver.counters["bad_header"]
    assert not receiver.push(noise(rng, (5000, 2), 0.01))
    assert len(receiver.push(air.stream)) == 2


def test_foreign_keys_and_links_are_counted_and_not_handed_out() -> None:
    air = loop(46, 2, 2, 20, 2, key=b"theirs")
    receiver = Receiver(air.frame_format, 2, key=b"ours")
    assert not air.receive(receiver)
    assert receiver.counters["bad_header"] == 2
    receiver = Receiver(air.frame_format, 2, key=b"theirs", link=b"ours")
    assert not air.receive(receiver)
    assert receiver.counters["foreign"] == 2
    assert len(air.receive(Receiver(air.frame_format, 2, key=b"theirs", link=bytes(4)))) == 2


def test_frames_are_heard_from_mid_stream() -> None:
    air = loop(47, 2, 2, 15, 4, same=True)
    stream = air.stream
    ends = np.cumsum([len(sent.samples) for sent in air.sent])
    rng = np.random.default_rng(9)
    for start in rng.integers(0, ends[2], 20):
        whole = {k for k, end in enumerate(ends) if end - len(air.sent[k].samples) + air.sent[k].first >= start}
        heard = {frame.header.sequence for frame in Receiver(air.frame_format, 2).push(stream[start:])}
        assert whole <= heard


def damaged(air: Loop, rng: np.random.Generator) -> tuple[np.ndarray, int, int, int]:
    """The stream with 1 to 400 samples dropped or doubled somewhere; where, and how many more or fewer it has."""
    stream = air.stream
    at, count = int(rng.integers(2000, len(stream) - 2000)), int(np.exp(rng.uniform(0, np.log(1000))))
    if rng.random() < 0.5:
        return np.concatenate([stream[:at], stream[at + count :]]), at, at + count, -count
    return np.concatenate([stream[:at], stream[at - count :]]), at, at, count


@pytest.mark.parametrize(
    ("antennas", "snr_db"),
    [(1, 20), (2, 10), (4, 20), pytest.param(2, 20, marks=pytest.mark.sweep), pytest.param(4, 10, marks=pytest.mark.sweep)],
)
def test_drops_and_doubles_lose_no_untouched_frame_and_damaged_symbols_are_flagged(antennas: int, snr_db: int) -> None:
    accepted = flagged = 0
    for seed in range(3):
        rng = np.random.default_rng([10, seed])
        air = loop(480 + seed, antennas, antennas, snr_db, 5, symbols=4, frequency=0.004, clock=20e-6)
        whole = {frame.header.sequence for frame in air.receive()}
        ends = np.cumsum([len(sent.samples) for sent in air.sent])
        begin = [int(end) - len(sent.samples) + sent.first for end, sent in zip(ends, air.sent, strict=True)]
        length = 320 + 80 * antennas + 640 + 4 * 80 + 40
        for _ in range(20):
            stream, first, last, _ = damaged(air, rng)
            untouched = {k for k, start in enumerate(begin) if start + length <= first or start >= last}
            frames = {frame.header.sequence: frame for frame in Receiver(air.frame_format, antennas).push(stream)}
            assert untouched & whole <= set(frames)
            for sequence, frame in frames.items():
                error = (np.abs(air.residual(frame)) ** 2).reshape(4, -1).mean(1) / air.variance
                if sequence in untouched:
                    assert not frame.lost.any()
                    assert error.max() < 3
                else:
                    accepted += int(((error > 3) & ~frame.lost).sum())
                    flagged += int(frame.lost.sum())
    assert flagged > 0
    assert accepted <= 0.01 * (accepted + flagged)


@pytest.mark.parametrize("antennas", [1, 2])
@pytest.mark.parametrize("late", [0, 3, 40])
@pytest.mark.parametrize("symbols", [-2, -1, 1, 2])
def test_a_shift_by_symbols_that_pilots_do_not_see_loses_all_that_follows(antennas: int, late: int, symbols: int) -> None:
    air = loop(65, antennas, antennas, 20, 1, symbols=8, tail=600)
    frame = air.receive()[0]
    assert not frame.lost.any()
    at = frame.start + 80 * (antennas + 8 + 3) - 13 + late
    count = 80 * antennas * symbols
    moved = np.concatenate([air.stream[:at], air.stream[at - count :]])
    hit = Receiver(air.frame_format, antennas).push(moved)[0]
    assert hit.lost[4:].all()


@pytest.mark.parametrize("power", [0.01, 0.2, 4.0])
def test_payloads_of_any_power_lose_no_symbol(power: float) -> None:
    rng = np.random.default_rng(69)
    frame_format = FrameFormat(4)
    transmitter, receiver = Transmitter(frame_format), Receiver(frame_format, 4)
    for number in range(12):
        samples = transmitter.frame(number, noise(rng, (16 * 48, 4), power / 4))
        (frame,) = receiver.push(Air(rayleigh(rng, 4, 4, 4, decay=1.0), 0.01)(samples, rng, 500))
        assert not frame.lost.any()


def test_a_frame_that_begins_where_a_cut_one_would_go_on_is_heard() -> None:
    air = loop(68, 2, 2, 20, 2, symbols=40)
    first, second = air.receive()
    at = first.start + 80 * (2 + 8 + 5)
    cut = np.concatenate([air.stream[:at], air.stream[second.start - 320 - 40 :]])
    frames = Receiver(air.frame_format, 2).push(cut)
    assert [frame.header.sequence for frame in frames] == [0, 1]
    assert frames[0].lost[5:].all()
    assert not frames[1].lost.any()


@pytest.mark.parametrize("samples", [-18, -9, -1, 1, 9, 18])
def test_a_shift_that_pilots_hardly_see_loses_all_that_follows_and_nothing_before(samples: int) -> None:
    air = loop(66, 2, 2, 20, 1, symbols=8)
    frame = air.receive()[0]
    at = frame.start + 80 * (2 + 8 + 3) + 30
    hit = Receiver(air.frame_format, 2).push(np.concatenate([air.stream[:at], air.stream[at - samples :]]))[0]
    assert hit.lost.tolist() == 3 * [False] + 5 * [True]


def test_a_burst_on_one_symbol_loses_it_and_leaves_the_others_as_they_are() -> None:
    rng = np.random.default_rng(12)
    air = loop(49, 2, 2, 20, 1, symbols=8)
    frame = air.receive()[0]
    stream = air.stream
    first = frame.start + 80 * (2 + 8 + 3)
    stream[first : first + 60] += noise(rng, (60, 2), 3.0)
    hit = Receiver(air.frame_format, 2).push(stream)[0]
    assert hit.lost[3]
    assert not hit.lost[[0, 1, 5, 6, 7]].any()
    assert (hit.lost_messages.reshape(8, 48) == hit.lost[:, None]).all()
    others = np.arange(8) != 3
    assert hit.elements.reshape(8, 48, 2)[others] == pytest.approx(frame.elements.reshape(8, 48, 2)[others], abs=0.02)


def test_a_sudden_rise_of_noise_is_suspicious() -> None:
    rng = np.random.default_rng(13)
    frame_format = FrameFormat(2)
    taps = rayleigh(rng, 3, 2, 2)
    receiver = Receiver(frame_format, 2)
    samples = Transmitter(frame_format).frame(0, noise(rng, (48, 2), 0.5))
    for _ in range(5):
        assert not receiver.push(Air(taps, 0.001)(samples, rng, 700))[0].suspicious
    frame = receiver.push(Air(taps, 0.02)(samples, rng, 700))[0]
    assert frame.suspicious
    assert frame.lost.all()
    assert frame.counters["suspicious"] == 1


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(5), r"shape \(n, 2\)"),
        (np.zeros((5, 3)), r"shape \(n, 2\)"),
        (np.full((5, 2), np.nan), "NaN"),
        (np.full((5, 2), 1e39), "at most"),
    ],
)
def test_samples_of_another_shape_or_not_finite_are_refused(samples: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Receiver(FrameFormat(2), 2).push(samples)


@pytest.mark.parametrize("numerology", [LL_64_16, LL_256_64], ids=lambda numerology: numerology.name)
@pytest.mark.parametrize("value", [0.0, 1.0, 1e-200])
def test_constant_stretches_in_place_of_lost_samples_are_no_frame_and_make_no_warning(value: float, numerology: Numerology) -> None:
    air = loop(67, 2, 2, 20, 2, symbols=2, frame_format=FrameFormat(2, numerology))
    body = air.sent[0].first + numerology.stf_length
    length = numerology.symbol_length
    for first in (0, body - 40, body, body + 2 * length, body + 2 * length + numerology.header_symbols * length):
        stream = air.stream
        stream[first : first + 2 * length + 64] = value
        frames = {frame.header.sequence: frame for frame in Receiver(air.frame_format, 2).push(stream)}
        assert not frames[1].lost.any()
        assert first == 0 or 0 not in frames or frames[0].lost.any()
    assert not Receiver(air.frame_format, 2).push(np.full((20_000, 2), value))


def test_frames_with_no_more_than_the_gap_between_them_are_all_heard() -> None:
    rng = np.random.default_rng(21)
    frame_format = FrameFormat(3)
    transmitter = Transmitter(frame_format)
    samples = np.concatenate([transmitter.frame(k, noise(rng, (48 * (1 + k % 3), 3), 1 / 3)) for k in range(12)])
    for level in (0.3, 1e-3):
        air = Air(rayleigh(rng, 13, 3, 3, 0.8), level, frequency=0.01, clock=-20e-6, delay=50)
        frames = Receiver(frame_format, 3).push(air(samples, rng, 900))
        assert [frame.header.sequence for frame in frames] == list(range(12))
        assert not any(frame.lost.any() for frame in frames)


def test_a_stream_without_any_noise_is_received() -> None:
    air = loop(64, 2, 2, 400, 3, frequency=0.004)
    frames = air.receive()
    assert len(frames) == 3
    for sent, frame in zip(air.sent, frames, strict=True):
        assert equalised(frame, air) == pytest.approx(sent.elements, abs=0.02)


def test_a_longer_preamble_hears_what_the_short_one_does_not() -> None:
    short = FrameFormat(4)
    long = FrameFormat(4, replace(LL_64_16, name="long", stf_length=640, ltf_repetitions=2, header_repetitions=4))
    heard = [len(loop(52, 4, 4, -8, 12, symbols=2, frame_format=shape, frequency=0.004).receive()) for shape in (short, long)]
    assert heard[1] >= 8
    assert heard[0] < heard[1]


def test_garbage_of_the_right_period_costs_little_and_gives_no_frame() -> None:
    rng = np.random.default_rng(22)
    receiver = Receiver(FrameFormat(2), 2)
    stream = np.tile(noise(rng, (16, 2), 1.0), (6000, 1)) + noise(rng, (96_000, 2), 0.01)
    assert not receiver.push(stream)
    assert sum(receiver.counters[reason] for reason in ("bad_header", "repeated")) < 200


@pytest.mark.parametrize("snr_db", [20, 45])
def test_structured_channels_make_no_frame_suspicious(snr_db: int) -> None:
    """Training that cancels at an antenna in some symbols, or a channel of one far tap, is no damage; nor is what clocks leave."""
    rng, frames, wrong = np.random.default_rng(7), 0, 0
    for n in (2, 3, 4):
        dft = np.exp(2j * np.pi * np.outer(range(n), range(n)) / n)
        far, silent = np.concatenate([np.zeros((8, n, n)), dft[None]]), rayleigh(rng, 3, n, n)
        silent[..., 0] = 0  # an antenna that nobody hears
        transmitter = Transmitter(FrameFormat(n))
        for taps in (np.eye(n)[None], dft[None], far, silent, rayleigh(rng, 12, n, n)):
            for frequency, clock in ((0.0, 0.0), (0.004, 20e-6)):
                sent = [transmitter.frame(number, noise(rng, (480, n), 1 / n)) for number in range(2)]
                air = Air(np.asarray(taps, complex), 10 ** (-snr_db / 10), frequency=frequency, clock=clock)
                came = Receiver(FrameFormat(n), n).push(air(np.concatenate([np.zeros((300, n)), *sent, np.zeros((400, n))]), rng, 500))
                frames += len(came)
                wrong += sum(frame.suspicious or bool(frame.lost.any()) for frame in came)
    assert frames == 60
    assert wrong <= 3

"""Laws of the bounded buffer, the pair in memory, the faults and the addresses."""

import threading

import numpy as np
import pytest

from latentlink_runtime.iq.addresses import AddressError, check_endpoint, check_host
from latentlink_runtime.iq.buffer import SampleBuffer
from latentlink_runtime.iq.fake import ArraySource, Faults, FaultySource
from latentlink_runtime.iq.memory import memory_pair
from latentlink_runtime.iq.protocol import IQTimeoutError, check_samples, check_stream, finite, from_ci16, to_ci16
from runtime.iq.helpers import numbered, read_all


def test_any_chunking_gives_the_same_samples() -> None:
    rng = np.random.default_rng(1)
    whole = numbered(20_000)
    for _ in range(20):
        buffer = SampleBuffer(2, 20_000)
        for part in np.split(whole, np.sort(rng.integers(0, 20_000, 30))):
            buffer.push(part)
        parts = []
        while len(buffer):
            parts.append(buffer.pop(int(rng.integers(1, 3000)), 0).samples)
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_lost_and_dropped_samples_are_counted_and_keep_the_clock() -> None:
    rng = np.random.default_rng(2)
    for _ in range(200):
        budget = int(rng.integers(1, 400))
        buffer, at, lost, seen, zeros = SampleBuffer(1, budget), 0, 0, [], 0
        for _ in range(60):
            if rng.integers(2):
                gap, count = int(rng.integers(0, 2) * rng.integers(50)), int(rng.integers(0, 90))
                buffer.push(numbered(count, 1, at + gap), gap)
                at, lost = at + gap + count, lost + gap
            elif len(buffer):
                block = buffer.pop(int(rng.integers(1, 100)), 0)
                zeros += block.lost
                assert block.first == len(seen)
                seen += block.samples[:, 0].tolist()
            assert len(buffer) <= budget
        buffer.push(numbered(1, 1, at))
        while len(buffer):
            block = buffer.pop(10**6, 0)
            zeros += block.lost
            seen += block.samples[:, 0].tolist()
        assert len(seen) == at + 1 == buffer.clock
        assert zeros == lost + buffer.dropped
        assert all(value == 0 or value == number + 1j for number, value in enumerate(seen))


def test_a_gap_of_any_length_takes_no_memory() -> None:
    buffer = SampleBuffer(1, 10)
    buffer.push(numbered(1, 1), 2**60)
    assert len(buffer.pop(100, 0).samples) == 100
    assert buffer.clock == 100
    assert len(buffer.pop(2**40, 0).samples) == 2**16


def test_ten_times_the_budget_stays_within_the_budget() -> None:
    sink, source = memory_pair(1000.0, 2, budget_s=0.5)
    for start in range(0, 5000, 50):
        sink.write(numbered(50, start=start))
        assert len(source.buffer) <= 500
    samples, _ = read_all(source, 5000)
    assert source.buffer.dropped == 4500
    np.testing.assert_array_equal(samples[4500:], numbered(500, start=4500))
    sink.close()
    with pytest.raises(EOFError):
        source.read(1)


def test_what_is_written_may_change_afterwards() -> None:
    sink, source = memory_pair(1000.0, 2)
    samples = numbered(10)
    sink.write(samples)
    samples[:] = 0
    np.testing.assert_array_equal(source.read(10).samples, numbered(10))


def test_silence_ends_in_a_timeout_and_a_writer_wakes_the_reader() -> None:
    sink, source = memory_pair(1000.0, 2)
    with pytest.raises(IQTimeoutError, match="silent"):
        source.read(1, 0.01)
    threading.Timer(0.05, sink.write, [numbered(3)]).start()
    assert len(source.read(10, 5.0).samples) == 3


def test_faults() -> None:
    whole = numbered(1000)
    source = FaultySource(ArraySource(whole), Faults(drops={100: 7}, doubles={300: 5}))
    samples, _ = read_all(source, 998, 64)
    expected = np.concatenate([whole[:100], whole[107:305], whole[300:305], whole[305:]])
    np.testing.assert_array_equal(np.sort(samples.real, 0), np.sort(expected.real, 0))
    with pytest.raises(EOFError):
        source.read(1)
    source.close()
    rng = np.random.default_rng(1)
    loud = (rng.standard_normal((500, 2)) + 1j * rng.standard_normal((500, 2))).astype(np.complex64)
    clipped, _ = read_all(FaultySource(ArraySource(loud), Faults(clip=0.5, bits=4)), 500, 64)
    assert np.abs(clipped.real).max() <= 0.5
    assert len(np.unique(clipped.real)) == 17


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:5000", "tcp://localhost:*", "tcp://[::1]:1", "ipc:///tmp/a", "inproc://a"])
def test_loopback_needs_no_word(endpoint: str) -> None:
    check_endpoint(endpoint)


@pytest.mark.parametrize("endpoint", ["tcp://*:5000", "tcp://0.0.0.0:5000", "tcp://10.0.0.1:5000", "tcp://example.org:1", "tcp://[::]:1"])
def test_others_have_to_be_meant(endpoint: str) -> None:
    with pytest.raises(AddressError, match="i-know"):
        check_endpoint(endpoint)
    check_endpoint(endpoint, i_know=True)


@pytest.mark.parametrize(
    "endpoint", ["", "tcp://", "tcp://127.0.0.1", "udp://127.0.0.1:1", "tcp://127.0.0.1:x", "tcp://127.0.0.1:70000", "ipc://"]
)
def test_malformed_endpoints(endpoint: str) -> None:
    with pytest.raises(AddressError):
        check_endpoint(endpoint, i_know=True)


@pytest.mark.parametrize("host", ["127.0.0.1.evil.org", "localhost.evil.org", "0", "2130706433", ""])
def test_hosts_that_only_look_like_loopback(host: str) -> None:
    with pytest.raises(AddressError):
        check_host(host)


def test_wrong_arguments() -> None:
    for rate, antennas, budget in [(0, 1, 1), (float("nan"), 1, 1), (1, 0, 1), (1, 65, 1), (1, 1, 0), (1, 1, 61)]:
        with pytest.raises(ValueError, match="must be"):
            check_stream(rate, antennas, budget)
    for samples in (np.ones((3, 2)), np.ones(3, complex), np.ones((3, 3), complex)):
        with pytest.raises(ValueError, match="samples must be"):
            check_samples(samples, 2)
    with pytest.raises(ValueError, match="budget"):
        SampleBuffer(1, 0)
    with pytest.raises(ValueError, match="most"):
        SampleBuffer(1, 1).pop(0, 0)


def test_integers_and_numbers_that_are_none() -> None:
    rng = np.random.default_rng(1)
    samples = (rng.uniform(-1, 1, (50, 2)) + 1j * rng.uniform(-1, 1, (50, 2))).astype(np.complex64)
    parts, clipped = to_ci16(samples)
    assert clipped == 0
    np.testing.assert_allclose(from_ci16(parts), samples, atol=0.75 / 32767)
    assert to_ci16(np.complex64([[2 - 3j]]))[1] == 2
    samples[3, 1] = np.nan
    samples[4, 0] = complex(0, np.inf)
    samples[5, 0] = 1e38
    samples[6, :] = -1e37j
    clean, wrong = finite(samples)
    assert wrong == 5
    assert finite(samples[:3])[1] == finite(samples[:0])[1] == 0
    assert np.isfinite(clean).all()

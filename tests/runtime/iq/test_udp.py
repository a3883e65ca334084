"""Laws of samples by UDP: losses, order, streams, and packets that somebody made up."""

import socket
from typing import Any

import numpy as np
import pytest

from latentlink_runtime.iq.addresses import AddressError
from latentlink_runtime.iq.protocol import IQError, IQTimeoutError
from latentlink_runtime.iq.udp import HEADER, UdpSink, UdpSource, pack_packet, unpack_packet
from runtime.iq.helpers import numbered, read_all

ME, OTHER = ("127.0.0.1", 1), ("127.0.0.1", 2)


def source_of(antennas: int = 2, **given: Any) -> UdpSource:
    return UdpSource("127.0.0.1", 0, 1e6, antennas, **given)


@pytest.mark.parametrize(("form", "error"), [("cf32", 0.0), ("ci16", 1e-4)])
@pytest.mark.parametrize("antennas", [1, 3, 64])
def test_samples_come_through(form: str, error: float, antennas: int) -> None:
    whole = numbered(500, antennas) / 600
    source = source_of(antennas)
    sink = UdpSink(*source.address, 1e6, antennas, form=form)
    for start in range(0, 500, 33):
        sink.write(whole[start : start + 33])
        source._drain(0.0)
    samples, _ = read_all(source, 500)
    np.testing.assert_allclose(samples, whole, atol=error)
    assert not sum(source.counts.values())
    sink.close()
    source.close()
    with pytest.raises(EOFError):
        source.read(1)


def test_a_packet_is_as_specified() -> None:
    packet = pack_packet(numbered(2), 2**40, 7)
    assert HEADER.size == 24
    assert packet[:24].hex() == "4c4c4951" + "01" + "00" + "0002" + "00000007" + "0000010000000000" + "00000002"
    assert packet[24:] == numbered(2).tobytes()
    stream, first, samples = unpack_packet(packet, 2)
    assert (stream, first) == (7, 2**40)
    np.testing.assert_array_equal(samples, numbered(2))
    sink = UdpSink("127.0.0.1", 9, 1e6, 4)
    assert 24 < 24 + sink._count * 32 <= 1424
    sink.close()


def test_losses_are_zeros_and_the_clock_goes_on() -> None:
    rng = np.random.default_rng(1)
    source, whole, kept, late = source_of(), numbered(10_000), np.zeros(10_000, bool), 0
    for start in range(0, 10_000, 50):
        if start in (0, 9950) or rng.random() < 0.7:
            source.take(pack_packet(whole[start : start + 50], start, 7), ME, 0.0)
            kept[start : start + 50] = True
        if rng.random() < 0.2:
            source.take(pack_packet(whole[:50], 0, 7), ME, 0.0)
            late += 1
    samples, blocks = read_all(source, 10_000)
    np.testing.assert_array_equal(samples, np.where(kept[:, None], whole, 0))
    assert sum(block.lost for block in blocks) == source.counts["lost"] == (~kept).sum()
    assert source.counts["late"] == late > 0
    source.close()


def test_a_source_follows_one_stream_until_it_is_silent() -> None:
    source = source_of()
    source.take(pack_packet(numbered(10), 1000, 7), ME, 0.0)
    for stream, sender in ((8, ME), (7, OTHER), (8, OTHER)):
        source.take(pack_packet(-numbered(10), 1010, stream), sender, 0.9)
    assert source.counts["foreign"] == 3
    source.take(pack_packet(numbered(10), 1020, 7), ME, 0.95)
    source.take(pack_packet(-numbered(10), 1030, 8), ME, 1.5)
    source.take(pack_packet(numbered(10), 5, 8), ME, 1.99)
    assert (source.counts["foreign"], source.counts["lost"]) == (4, 10)
    blocks = read_all(source, 40)[1]
    assert blocks[0].first == 0
    assert source.counts["jumps"] == 1
    source.close()


def test_a_packet_of_the_far_future_is_no_loss() -> None:
    source = source_of()
    source.take(pack_packet(numbered(10), 0, 7), ME, 0.0)
    source.take(pack_packet(numbered(10), 2**63, 7), ME, 0.1)
    source.take(pack_packet(numbered(10), 10, 7), ME, 0.2)
    assert source.counts == {"far": 1, "nonfinite": 0, "lost": 0, "jumps": 0}
    source.take(pack_packet(numbered(10), 2**63, 7), ME, 1.3)
    assert source.counts["jumps"] == 1
    assert len(source.buffer) == 30
    source.close()


def test_mutated_packets_are_refused_or_counted() -> None:
    rng = np.random.default_rng(3)
    source = source_of(4, budget_s=0.001)
    packets = [pack_packet(numbered(20, 4), 0, 7, form) for form in ("cf32", "ci16")]
    for number in range(10_000):
        packet = bytearray(packets[number % 2])
        match rng.integers(3):
            case 0:
                packet[rng.integers(24 if rng.integers(2) else len(packet))] = rng.integers(256)
            case 1:
                del packet[rng.integers(len(packet)) :]
            case _:
                packet += rng.bytes(rng.integers(1, 2000))
        before = sum(source.counts.values()) + source.buffer.dropped + len(source.buffer)
        source.take(bytes(packet), ME, 0.01 * number)
        assert sum(source.counts.values()) + source.buffer.dropped + len(source.buffer) > before
        assert len(source.buffer) <= source.buffer.budget
    assert source.counts["malformed"] > 5000
    samples, _ = read_all(source, 100)
    assert np.isfinite(samples).all()
    source.close()


def test_datagrams_of_others_do_no_harm() -> None:
    source = source_of()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        for content in (b"", b"x", bytes(1425), bytes(9000)):
            other.sendto(content, source.address)
    with pytest.raises(IQTimeoutError):
        source.read(1, 0.05)
    assert source.counts["malformed"] == 4
    source.close()


@pytest.mark.parametrize(("place", "value"), [(0, 0), (4, 2), (5, 2), (7, 3), (23, 9)])
def test_a_refusal_says_what_is_wrong(place: int, value: int) -> None:
    packet = bytearray(pack_packet(numbered(2), 0, 7))
    packet[place] = value
    with pytest.raises(IQError, match="a packet must have"):
        unpack_packet(bytes(packet), 2)


def test_nobody_listening_and_wrong_arguments() -> None:
    source = source_of()
    address = source.address
    source.close()
    sink = UdpSink(*address, 1e6, 2)
    for _ in range(3):
        sink.write(numbered(10))
    assert sink.clock == 30
    sink.close()
    for kind in (UdpSource, UdpSink):
        with pytest.raises(AddressError):
            kind("0.0.0.0", 0, 1e6, 2)
    with pytest.raises(ValueError, match="parts"):
        pack_packet(numbered(100), 0, 7)
    with pytest.raises(ValueError, match="form"):
        UdpSink("127.0.0.1", 1, 1e6, 2, form="cs8")

"""Samples by UDP: each packet says which samples it has, so that what is lost is known.

    byte 0   "LLIQ"             magic
         4   version u8         1
         5   format u8          0 = cf32, 1 = ci16, little-endian, ±1 being ±32767
         6   antennas u16
         8   stream u32         chosen at random by each sender
        12   first sample u64
        20   count u32          samples
        24   count × antennas samples, at most 1,400 bytes

The header is big-endian. A source follows one stream, and another only after a second of silence.
"""

import secrets
import socket
import struct
import time
from collections import Counter
from typing import Any

import numpy as np

from latentlink_runtime.iq.addresses import check_host
from latentlink_runtime.iq.buffer import SampleBuffer
from latentlink_runtime.iq.protocol import (
    BUDGET_S,
    TIMEOUT_S,
    Block,
    IQError,
    IQTimeoutError,
    check_most,
    check_samples,
    check_stream,
    finite,
    from_ci16,
    to_ci16,
)

Array = np.ndarray[Any, Any]

HEADER = struct.Struct(">4sBBHIQI")
MAX_PAYLOAD = 1400
FORMATS = ("cf32", "ci16")
_SAMPLE_BYTES = (8, 4)
_SILENCE_S, _MOST_PACKETS = 1.0, 4096
_LATER_S = 10.0  # a packet that claims to be later than this is no loss but a forgery or a jump


def pack_packet(samples: Array, first: int, stream: int, form: str = "cf32") -> bytes:
    """The packet of samples (n, antennas); a ci16 clips what is above ±1."""
    number = FORMATS.index(form)
    if not 0 < (size := samples.size * _SAMPLE_BYTES[number]) <= MAX_PAYLOAD:
        raise ValueError(f"samples must fit {MAX_PAYLOAD} bytes of a packet, got {size}; send them in parts")
    payload = samples.astype("<c8").tobytes() if number == 0 else to_ci16(samples)[0].tobytes()
    return HEADER.pack(b"LLIQ", 1, number, samples.shape[1], stream, first, len(samples)) + payload


def unpack_packet(packet: bytes, antennas: int) -> tuple[int, int, Array]:
    """The stream, the number of the first sample and the samples (n, antennas) of a packet.

    Raises:
        IQError: it is foreign, cut, or of another version, format or number of antennas.
    """
    if not HEADER.size < len(packet) <= HEADER.size + MAX_PAYLOAD:
        raise IQError(f"a packet must have {HEADER.size + 1} to {HEADER.size + MAX_PAYLOAD} bytes, got {len(packet)}")
    magic, version, form, own, stream, first, count = HEADER.unpack_from(packet)
    if magic != b"LLIQ" or version != 1 or form >= len(FORMATS):
        raise IQError(f"a packet must have the magic b'LLIQ', version 1 and format 0 or 1, got {magic!r}, {version} and {form}")
    if own != antennas or len(packet) - HEADER.size != count * antennas * _SAMPLE_BYTES[form]:
        raise IQError(f"a packet must have whole samples of {antennas} antennas, got {count} of {own} in {len(packet) - HEADER.size} bytes")
    if form == 0:
        return stream, first, np.frombuffer(packet, "<c8", offset=HEADER.size).reshape(count, antennas)
    return stream, first, from_ci16(np.frombuffer(packet, "<i2", offset=HEADER.size).reshape(count, antennas, 2))


class UdpSource:
    """A socket that receives packets.

    Attributes:
        rate: samples a second of each antenna.
        antennas: number of antennas.
        buffer: what waits, with its counts.
        counts: packets malformed, foreign, late or far (off), samples lost and nonfinite, streams followed anew (jumps).
        address: host and port.
    """

    def __init__(self, host: str, port: int, rate: float, antennas: int, *, budget_s: float = BUDGET_S, i_know: bool = False) -> None:
        budget = check_stream(rate, antennas, budget_s)
        check_host(host, i_know)
        self.rate, self.antennas = rate, antennas
        self.buffer, self.counts = SampleBuffer(antennas, budget), Counter[str]()
        self._stream: tuple[int, Any] | None = None
        self._next, self._heard = 0, 0.0
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, min(max(budget * antennas * 8, 2**16), 2**24))
        self._socket.bind((host, port))
        self.address: tuple[str, int] = self._socket.getsockname()[:2]

    def read(self, most: int, timeout: float = TIMEOUT_S) -> Block:
        """The next 1 to `most` samples; IQTimeoutError if none come in time, EOFError after `close`."""
        check_most(most)
        if self._socket.fileno() < 0:
            raise EOFError("the source is closed")
        end = time.monotonic() + max(timeout, 0)
        self._drain(0.0)
        while not len(self.buffer) and (left := end - time.monotonic()) > 0:
            self._drain(left)
        return self.buffer.pop(most, 0)

    def close(self) -> None:
        """Close the socket; a second call does nothing."""
        self._socket.close()

    def _drain(self, timeout: float) -> None:
        for number in range(_MOST_PACKETS):
            self._socket.settimeout(timeout if number == 0 else 0.0)
            try:
                packet, sender = self._socket.recvfrom(HEADER.size + MAX_PAYLOAD + 1)
            except (TimeoutError, BlockingIOError):
                return
            self.take(packet, sender, time.monotonic())

    def take(self, packet: bytes, sender: Any, now: float) -> None:
        """Take a packet in, or count why not."""
        try:
            stream, first, samples = unpack_packet(packet, self.antennas)
        except IQError:
            self.counts["malformed"] += 1
            return
        if self._stream != (stream, sender) and not self._follow(stream, sender, first, now):
            self.counts["foreign"] += 1
            return
        gap = first - self._next
        if gap < 0 or gap > _LATER_S * self.rate:
            if not self._follow(stream, sender, first, now):
                self.counts["late" if gap < 0 else "far"] += 1
                return
            gap = 0
        samples, wrong = finite(samples)
        self.counts["nonfinite"] += wrong
        self.counts["lost"] += gap
        self._next, self._heard = first + len(samples), now
        self.buffer.push(samples, gap)

    def _follow(self, stream: int, sender: Any, first: int, now: float) -> bool:
        if self._stream is not None and now - self._heard < _SILENCE_S:
            return False
        self.counts["jumps"] += self._stream is not None
        self._stream, self._next, self._heard = (stream, sender), first, now
        return True


class UdpSink:
    """A socket that sends packets.

    Attributes:
        rate: samples a second of each antenna.
        antennas: number of antennas.
        clock: number of the next sample; set it forth for samples that are not sent.
        dropped: samples that the system did not take.
    """

    def __init__(self, host: str, port: int, rate: float, antennas: int, *, form: str = "cf32", i_know: bool = False) -> None:
        check_stream(rate, antennas)
        check_host(host, i_know)
        if form not in FORMATS:
            raise ValueError(f"form must be one of {', '.join(FORMATS)}, got {form!r}")
        self.rate, self.antennas, self.clock, self.dropped = rate, antennas, 0, 0
        self._form, self._address, self._stream = form, (host, port), secrets.randbits(32)
        self._count = MAX_PAYLOAD // (antennas * _SAMPLE_BYTES[FORMATS.index(form)])
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)

    def write(self, samples: Array, timeout: float = TIMEOUT_S) -> None:
        """Send samples (n, antennas); IQTimeoutError if the system takes none, what is left being dropped and counted."""
        samples = check_samples(samples, self.antennas)
        self._socket.settimeout(max(timeout, 0))
        for start in range(0, len(samples), self._count):
            part = samples[start : start + self._count]
            try:
                self._socket.sendto(pack_packet(part, self.clock, self._stream, self._form), self._address)
            except (TimeoutError, BlockingIOError) as error:
                self.clock += len(samples) - start
                self.dropped += len(samples) - start
                raise IQTimeoutError(f"{len(samples) - start} of {len(samples)} samples were not taken and are dropped") from error
            except ConnectionRefusedError:  # of an earlier packet: nobody listens yet
                self.dropped += len(part)
            self.clock += len(part)

    def close(self) -> None:
        """Close the socket; a second call does nothing."""
        self._socket.close()

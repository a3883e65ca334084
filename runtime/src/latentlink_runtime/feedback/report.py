"""What a receiver tells its transmitter of the channel, as bytes: header, angles of V̂ and amplitudes ĥ of each group of carriers.

    byte 0   "FB"                         magic
         2   version u8                   1
         3   epoch u16                    of the precoder that these bytes make
         5   n_tx, n_rx, q, b  u8 each    antennas, q = min(n_rx, n_tx), bits 1 … 16
         9   groups − 1  u8               groups of neighbouring carriers
        10   gain, σ̂², τ̂  i16 each        in dB/100; the lowest code is zero
        16   CRC-32                       of bytes 0 … 15 and all that follow
        20   φ (b bits each), ψ (b − 2, at least 1), ĥ (b bits) of one group after the other, highest bit first, zeros to the last byte

All numbers are big-endian. There is one encoding of a report: what has other lengths, paddings or numbers is refused.
"""

import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from latentlink_runtime.feedback import codes
from latentlink_runtime.feedback.givens import angle_count

Array = np.ndarray[Any, Any]

VERSION = 1
MAX_ANTENNAS, MAX_BITS, MAX_GROUPS, MAX_BYTES = 16, 16, 256, 2**17
_HEADER = struct.Struct(">2sBHBBBBBhhh")
HEADER_BYTES = _HEADER.size + 4


class FeedbackError(ValueError):
    """The bytes are no whole, unchanged report of a known version; the message says why."""


@dataclass(frozen=True, eq=False)
class Report:
    """Quantised knowledge of a channel in g groups of neighbouring carriers, of q = min(n_rx, n_tx) streams each.

    Attributes:
        epoch: number of the precoder, modulo 2^16.
        n_tx: transmit antennas.
        n_rx: receive antennas.
        bits: of each φ and each amplitude.
        gain_code: E|h|², which places the range of amplitudes, in dB/100.
        noise_code: σ̂² in dB/100.
        error_code: τ̂ in dB/100.
        phi: codes (g, a).
        psi: codes (g, a).
        amplitude: codes (g, q).
    """

    epoch: int
    n_tx: int
    n_rx: int
    bits: int
    gain_code: int
    noise_code: int
    error_code: int
    phi: Array
    psi: Array
    amplitude: Array

    @classmethod
    def measure(
        cls, h: Array, noise_variance: float, error_variance: float = 0.0, *, bits: int = 6, groups: int | None = None, epoch: int = 0
    ) -> "Report":
        """The report of a receiver that estimates H (carriers, n_rx, n_tx) with errors of variance τ̂ in noise σ̂².

        A group's V̂ and ĥ are those of the mean of Hᴴ H over its carriers.

        Args:
            h: the estimate of each carrier, complex.
            noise_variance: σ̂².
            error_variance: τ̂.
            bits: of each φ and each amplitude, 1 to 16.
            groups: groups of neighbouring carriers, at most 256; one a carrier if None.
            epoch: number of the precoder, modulo 2^16.

        Raises:
            ValueError: h is not complex, not finite or has other axes, or a number is out of its range.
        """
        h = np.asarray(h)
        if not np.iscomplexobj(h) or h.ndim != 3 or 0 in h.shape or not np.isfinite(h).all():
            raise ValueError(f"h must be complex and finite of shape (carriers, n_rx, n_tx), got {h.dtype} {h.shape}")
        groups = len(h) if groups is None else groups
        _check_size(h.shape[2], h.shape[1], bits, groups, ValueError)
        if groups > len(h):
            raise ValueError(f"groups must be at most the {len(h)} carriers of h, got {groups}")
        for name, value in (("noise_variance", noise_variance), ("error_variance", error_variance)):
            if not 0 <= value < float("inf"):
                raise ValueError(f"{name} must be finite and not negative, got {value}")
        n_rx, n_tx = h.shape[1:]
        amplitude, V = _modes(h.astype(np.complex128), groups)
        gain_code = codes.power_code(float((np.abs(h.astype(np.complex128)) ** 2).mean()))
        phi, psi = codes.encode_beams(V, bits)
        steps = codes.encode_amplitudes(amplitude, bits, n_rx * n_tx * codes.code_power(gain_code))
        noise, error = codes.power_code(noise_variance), codes.power_code(error_variance)
        return cls(epoch % 2**16, n_tx, n_rx, bits, gain_code, noise, error, phi, psi, steps)

    @classmethod
    def from_bytes(cls, content: bytes) -> "Report":
        """The report of its bytes.

        Raises:
            FeedbackError: they are foreign, cut, longer than the report, changed, or of another version.
        """
        if not HEADER_BYTES <= len(content) <= MAX_BYTES:
            raise FeedbackError(f"feedback must have {HEADER_BYTES} to {MAX_BYTES} bytes, got {len(content)}")
        magic, version, epoch, n_tx, n_rx, q, bits, last, *powers = _HEADER.unpack_from(content)
        if magic != b"FB" or version != VERSION:
            raise FeedbackError(f"feedback must begin with b'FB' and version {VERSION}, got {magic!r} and {version}; update the older end")
        groups = last + 1
        _check_size(n_tx, n_rx, bits, groups, FeedbackError)
        if q != min(n_tx, n_rx):
            raise FeedbackError(f"feedback's q must be min(n_tx, n_rx) = {min(n_tx, n_rx)}, got {q}")
        if len(content) != (size := report_bytes(n_tx, n_rx, bits, groups)):
            raise FeedbackError(f"feedback of {n_tx} × {n_rx} antennas, {bits} bits, {groups} groups has {size} bytes, got {len(content)}")
        body = content[HEADER_BYTES:]
        if _crc(content[: _HEADER.size], body) != content[_HEADER.size : HEADER_BYTES]:
            raise FeedbackError("feedback's CRC-32 does not match, it was changed on its way; wait for the next")
        numbers = _unpack(body, n_tx, q, bits, groups)
        if _pack(numbers, n_tx, q, bits) != body:
            raise FeedbackError("feedback must end with zero bits; the sender packs otherwise")
        a = angle_count(n_tx, q)
        gain, noise, error = powers
        return cls(epoch, n_tx, n_rx, bits, gain, noise, error, numbers[:, :a], numbers[:, a : 2 * a], numbers[:, 2 * a :])

    def to_bytes(self) -> bytes:
        """The bytes of the report."""
        powers = self.gain_code, self.noise_code, self.error_code
        head = _HEADER.pack(b"FB", VERSION, self.epoch, self.n_tx, self.n_rx, self.q, self.bits, self.groups - 1, *powers)
        body = _pack(np.concatenate([self.phi, self.psi, self.amplitude], -1), self.n_tx, self.q, self.bits)
        return head + _crc(head, body) + body

    @property
    def q(self) -> int:
        """Streams of a carrier, min(n_rx, n_tx)."""
        return min(self.n_rx, self.n_tx)

    @property
    def groups(self) -> int:
        """Groups of neighbouring carriers."""
        return len(self.amplitude)

    @property
    def noise_variance(self) -> float:
        """σ̂², as both ends know it."""
        return codes.code_power(self.noise_code)

    @property
    def error_variance(self) -> float:
        """τ̂ and what quantisation adds to it, as both ends know it."""
        quantisation = codes.quantisation_variance(self.n_rx, self.n_tx, self.bits, codes.code_power(self.gain_code))
        return codes.code_power(self.error_code) + quantisation

    def modes(self, dtype: Any = np.float64) -> tuple[Array, Array]:
        """ĥ (g, q) and V̂ (g, n_tx, q) in the order of the report, in the precision of a real dtype."""
        strongest = self.n_rx * self.n_tx * codes.code_power(self.gain_code)
        h = codes.decode_amplitudes(self.amplitude, self.bits, strongest)
        return h.astype(dtype), codes.decode_beams(self.phi, self.psi, self.bits, self.q, self.n_tx, dtype)


def report_bytes(n_tx: int, n_rx: int, bits: int, groups: int) -> int:
    """Bytes of a report of this size."""
    return HEADER_BYTES + -(-groups * int(_widths(n_tx, min(n_tx, n_rx), bits).sum()) // 8)


def group_of(carriers: int, groups: int) -> Array:
    """The group of each carrier: neighbours, as even in number as they can be."""
    return np.arange(carriers) * groups // carriers


def _modes(h: Array, groups: int) -> tuple[Array, Array]:
    """Amplitudes (g, q) and beams (g, n_tx, q) of the mean of Hᴴ H over the carriers of each group."""
    q = min(h.shape[1:])
    member = group_of(len(h), groups)
    stacks = [h[member == group] for group in range(groups)]
    parts = [np.linalg.svd(stack.reshape(-1, h.shape[2]) / len(stack) ** 0.5, full_matrices=False)[1:] for stack in stacks]
    return np.stack([s[:q] for s, _ in parts]), np.stack([Vh[:q].conj().T for _, Vh in parts])


def _check_size(n_tx: int, n_rx: int, bits: int, groups: int, error: type[ValueError]) -> None:
    most = {"n_tx": (n_tx, MAX_ANTENNAS), "n_rx": (n_rx, MAX_ANTENNAS), "bits": (bits, MAX_BITS), "groups": (groups, MAX_GROUPS)}
    for name, (value, limit) in most.items():
        if not 1 <= value <= limit:
            raise error(f"feedback's {name} must be 1 to {limit}, got {value}")


def _widths(n_tx: int, q: int, bits: int) -> Array:
    """Bits of each number of a group."""
    a = angle_count(n_tx, q)
    return np.repeat([bits, codes.psi_bits(bits), bits], [a, a, q])


def _places(n_tx: int, q: int, bits: int) -> tuple[Array, Array]:
    """For every bit of a group: the number that it belongs to, and its place in it, highest first."""
    widths = _widths(n_tx, q, bits)
    number = np.repeat(np.arange(len(widths)), widths)
    return number, widths.cumsum()[number] - 1 - np.arange(len(number))


def _pack(numbers: Array, n_tx: int, q: int, bits: int) -> bytes:
    number, place = _places(n_tx, q, bits)
    return np.packbits((numbers[:, number] >> place & 1).astype(np.uint8).ravel()).tobytes()


def _unpack(body: bytes, n_tx: int, q: int, bits: int, groups: int) -> Array:
    number, place = _places(n_tx, q, bits)
    flags = np.unpackbits(np.frombuffer(body, np.uint8), count=groups * len(number)).reshape(groups, -1).astype(np.int64)
    starts = np.flatnonzero(np.diff(number, prepend=-1))
    return np.add.reduceat(flags << place, starts, axis=1)


def _crc(head: bytes, body: bytes) -> bytes:
    return zlib.crc32(body, zlib.crc32(head)).to_bytes(4, "big")

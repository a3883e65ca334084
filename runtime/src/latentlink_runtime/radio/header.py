"""The header: 16 bytes, whose last four are a keyed tag, and the code that carries them.

    byte 0      version (high nibble) and kind        bytes 6–7     epoch of the precoder
    byte 1      flags                                 bytes 8–10    sequence
    bytes 2–5   link: of the pair file's SHA-256      byte 11       messages, in units of 16
    bytes 12–15 tag = BLAKE2s(bytes 0–11, key = the session's secret)

128 bits and two zeros are 26 blocks of 5 bits. A block is a row of the 16 × 16 Hadamard matrix (4 bits) or its negative (1 bit): 16
biorthogonal chips c. Chip i of the 416 goes to place 59 i mod 416, which sets those of a block on 16 carriers far apart; they are scrambled
and become 208 QPSK symbols. With soft chips x, the most likely block is the largest |Σ_i x_i c_i|: one product with the matrix.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np

from latentlink_runtime.radio.numerology import FRAME_FORMAT, HEADER_SYMBOLS
from latentlink_runtime.radio.waveform import hadamard

Array = np.ndarray[Any, Any]

SOUNDING, MESSAGES, PRECODED = 0, 1, 2  # kinds of frames
UNIT = 16  # messages that byte 11 counts in
MAX_MESSAGES = 255 * UNIT
HEADER_BYTES = 16
_TAG_BYTES = 4
_BLOCKS, _BITS, _CHIPS = 26, 5, 16
_STEP = 59  # coprime to 416
_SINGLES, _PAIRED = 16, 6  # least certain blocks that are read as their second, alone and in pairs


class HeaderError(ValueError):
    """The bytes are no header of this frame format under this key."""


@dataclass(frozen=True)
class Header:
    """What a frame says of itself (see the module).

    Attributes:
        kind: 0 sounding, 1 messages, 2 messages with precoded pilots before them.
        link: the first 4 bytes of the pair file's SHA-256.
        epoch: number of the precoder, 0 … 65,535.
        sequence: number of the frame, 0 … 2²⁴ − 1.
        units: messages in units of 16, 0 … 255.
        flags: a byte for the user.

    Raises:
        ValueError: a field is outside its range.
    """

    kind: int = MESSAGES
    link: bytes = bytes(4)
    epoch: int = 0
    sequence: int = 0
    units: int = 0
    flags: int = 0

    def __post_init__(self) -> None:
        most = {"kind": PRECODED, "epoch": 2**16 - 1, "sequence": 2**24 - 1, "units": 255, "flags": 255}
        for name, largest in most.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 0 <= value <= largest:
                raise ValueError(f"{name} must be an integer from 0 to {largest}, got {value!r}")
        if not isinstance(self.link, bytes) or len(self.link) != 4:
            raise ValueError(f"link must be 4 bytes, the first of the pair file's SHA-256, got {self.link!r}")
        if self.kind == SOUNDING and self.units:
            raise ValueError(f"units must be 0 in a sounding frame, got {self.units}; take kind 1 for messages")

    @property
    def messages(self) -> int:
        """Messages of the frame, the last unit's padding included."""
        return UNIT * int(self.units)

    def pack(self, key: bytes = b"") -> bytes:
        """The 16 bytes under a session's key of at most 32 bytes."""
        body = bytes([FRAME_FORMAT << 4 | self.kind, self.flags]) + self.link
        body += int(self.epoch).to_bytes(2, "big") + int(self.sequence).to_bytes(3, "big") + bytes([self.units])
        return body + _tag(body, key)

    @classmethod
    def unpack(cls, content: bytes, key: bytes = b"") -> "Header":
        """The header of 16 bytes.

        Raises:
            HeaderError: the tag, the version or the kind is wrong.
        """
        if len(content) != HEADER_BYTES or not _has_tag(content, key):
            raise HeaderError("the header's tag is wrong: noise, a damaged frame, or another session's key")
        version, kind = content[0] >> 4, content[0] & 15
        if version != FRAME_FORMAT:
            raise HeaderError(f"the frame format is {version}, expected {FRAME_FORMAT}; update the older end")
        try:
            epoch, sequence = int.from_bytes(content[6:8], "big"), int.from_bytes(content[8:11], "big")
            return cls(kind, content[2:6], epoch, sequence, content[11], content[1])
        except ValueError as error:
            raise HeaderError(str(error)) from error


def encode(content: bytes) -> Array:
    """QPSK symbols (208,) of power 1 of 16 bytes."""
    bits = np.zeros((_BLOCKS, _BITS), np.uint8)
    bits.ravel()[: 8 * HEADER_BYTES] = np.unpackbits(np.frombuffer(content, np.uint8))
    row = bits[:, 1:].astype(int) @ (1 << np.arange(_BITS - 2, -1, -1))
    chips = (hadamard(_CHIPS)[row] * (1 - 2.0 * bits[:, :1])).ravel()
    sent = np.empty(2 * HEADER_SYMBOLS)
    sent[_places()] = chips
    sent *= _scrambling()
    return (sent[0::2] + 1j * sent[1::2]) / np.sqrt(2)


def decode(soft: Array) -> tuple[bytes, Array]:
    """The most likely 16 bytes of soft symbols (…, 208), each weighted by its SNR, over all hypotheses `...`, and their scores (…).

    A hypothesis's score is Σ over blocks of the largest correlation; the bytes are those of the hypothesis with the highest.
    """
    correlation = _correlation(soft)
    score = correlation.max(-1).sum(-1)
    return _packed(correlation.reshape(-1, _BLOCKS, 2 * _CHIPS)[score.argmax()].argmax(-1)).tobytes(), score


def receive(soft: Array, key: bytes = b"") -> tuple[Header, bytes]:
    """The first header with the right tag among the likeliest 32 readings of soft symbols (…, 208), and its bytes.

    After the most likely reading come those with one of the 16 least certain blocks read as its second, then with two of the 6 least
    certain. Noise passes with 32 / 2³².

    Raises:
        HeaderError: none has, or what has is of another version or kind.
    """
    correlation = _correlation(soft)
    best = correlation.reshape(-1, _BLOCKS, 2 * _CHIPS)[correlation.max(-1).sum(-1).argmax()]
    order = np.argsort(best, -1)
    first, second = order[:, -1], order[:, -2]
    blocks = np.arange(_BLOCKS)
    doubtful = np.argsort(best[blocks, first] - best[blocks, second], kind="stable")
    values = np.tile(first, (len(_changes()), 1))
    for reading, change in zip(values, _changes(), strict=True):
        places = doubtful[list(change)]
        reading[places] = second[places]
    readings = [reading.tobytes() for reading in _packed(values)]
    content = next((reading for reading in readings if _has_tag(reading, key)), readings[0])
    return Header.unpack(content, key), content


def signs(label: str, count: int) -> Array:
    """A known sequence of ±1 (count,) from SHAKE-128 of a label, the same on every machine."""
    bits = np.unpackbits(np.frombuffer(hashlib.shake_128(label.encode()).digest(-(-count // 8)), np.uint8))
    return 1 - 2.0 * bits[:count]


def _correlation(soft: Array) -> Array:
    """Correlations (…, blocks, 32) with the 16 rows, then with their negatives."""
    chips = np.empty((*soft.shape[:-1], 2 * HEADER_SYMBOLS))
    chips[..., 0::2], chips[..., 1::2] = soft.real, soft.imag
    chips *= _scrambling()
    rows = chips[..., _places()].reshape(*soft.shape[:-1], _BLOCKS, _CHIPS) @ hadamard(_CHIPS)
    return np.concatenate([rows, -rows], -1)


def _packed(values: Array) -> Array:
    """The 16 bytes (…, 16) of the blocks' values (…, blocks), 0 to 31, most significant bits first."""
    bits = (values[..., None] >> np.arange(_BITS - 1, -1, -1) & 1).astype(np.uint8)
    return np.packbits(bits.reshape(*values.shape[:-1], -1)[..., : 8 * HEADER_BYTES], axis=-1)


@lru_cache(maxsize=1)
def _changes() -> tuple[tuple[int, ...], ...]:
    """Which of the blocks, the least certain first, each reading takes as their second."""
    return ((), *combinations(range(_SINGLES), 1), *combinations(range(_PAIRED), 2))


@lru_cache(maxsize=1)
def _places() -> Array:
    return _STEP * np.arange(2 * HEADER_SYMBOLS) % (2 * HEADER_SYMBOLS)


@lru_cache(maxsize=1)
def _scrambling() -> Array:
    return signs("latentlink header", 2 * HEADER_SYMBOLS)


def _has_tag(content: bytes, key: bytes) -> bool:
    return _tag(content[:-_TAG_BYTES], key) == content[-_TAG_BYTES:]


def _tag(body: bytes, key: bytes) -> bytes:
    return hashlib.blake2s(body, key=key, digest_size=_TAG_BYTES).digest()

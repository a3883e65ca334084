"""The frame: STF, LTF, header and payload, one after the other, and where on the payload's grid each element of each message lies.

    header    antenna t sends QPSK symbol d_k e^{−j2πk (4 + r) t / N} / √n_tx in repetition r, whose symbols are turned by r K / R carriers
    payload   element e of the placement on its data carrier, times a sign known from the sequence number; pilots on theirs

The signs keep equal or ordered latents from adding up to peaks, and cost the receiver nothing. Repetitions with another cyclic shift and on
other carriers meet another fading.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from latentlink_runtime.radio import header as headers
from latentlink_runtime.radio import waveform
from latentlink_runtime.radio.header import PRECODED, Header, signs
from latentlink_runtime.radio.numerology import LL_64_16, Numerology

Array = np.ndarray[Any, Any]

_SHIFT = 4  # samples between neighbouring antennas in the header's first repetition
MAX_ANTENNAS = 8


@dataclass(frozen=True, eq=False)
class Placement:
    """Data elements of messages: a pattern of some messages on some symbols, which repeats.

    Attributes:
        slots: (messages, u) element of each use of each message in the pattern, symbol × data carriers + data carrier.
        data_carriers: data carriers of a symbol.

    Raises:
        ValueError: slots are no integers >= 0 of two dimensions, or one comes twice.
    """

    slots: Array
    data_carriers: int

    def __post_init__(self) -> None:
        slots = np.asarray(self.slots)
        if slots.ndim != 2 or not slots.size or not np.issubdtype(slots.dtype, np.integer) or slots.min() < 0:
            raise ValueError(f"slots must be integers >= 0 of shape (messages, uses), got {slots.dtype} {slots.shape}")
        if len(np.unique(slots)) < slots.size:
            raise ValueError("slots must name every element once, got one twice; two messages would overlap")
        object.__setattr__(self, "slots", slots)

    @classmethod
    def over_frequency(cls, uses: int, data_carriers: int) -> "Placement":
        """Uses of a message spread evenly over the carriers of one symbol; u = 1 is carrier i mod 48 of symbol i div 48."""
        if not 1 <= uses <= data_carriers:
            raise ValueError(f"uses must be from 1 to {data_carriers}, the data carriers of a symbol, got {uses}; give slots of your own")
        each = data_carriers // uses
        return cls(np.arange(each)[:, None] + each * np.arange(uses), data_carriers)

    @classmethod
    def of_elements(cls, subcarriers: Any, symbols: Any, data_carriers: int) -> "Placement":
        """One message on these resource elements and, symbol by symbol and carrier by carrier, copies moved to where none overlap.

        `latentlink.channels.ResourceElements` has the arguments as attributes of the same names; its subcarrier k is data carrier k.

        Args:
            subcarriers: data carrier (u,) of each use of a message.
            symbols: OFDM symbol (u,) of each; only how far they are apart matters.
            data_carriers: of a symbol.

        Raises:
            ValueError: the two are no integers >= 0 of one length, an element comes twice, a subcarrier is no data carrier, or the symbols
                are further apart than the longest frame is.

        Example:
            >>> Placement.of_elements((6, 18, 30, 42), (0, 0, 0, 0), 48).slots[:2].tolist()
            [[0, 12, 24, 36], [1, 13, 25, 37]]
        """
        k, at = (np.asarray(numbers) for numbers in (subcarriers, symbols))
        if k.ndim != 1 or k.shape != at.shape or not k.size or any(n.dtype.kind not in "iu" or n.min() < 0 for n in (k, at)):
            raise ValueError(f"subcarriers and symbols must be integers >= 0 of one length, got {subcarriers!r} and {symbols!r}")
        if k.max() >= data_carriers:
            raise ValueError(f"subcarriers must be below {data_carriers}, the data carriers of a symbol, got {k.max()}; spread over fewer")
        span, longest = int(at.max() - at.min()), headers.MAX_MESSAGES // data_carriers
        if span >= longest:
            raise ValueError(f"symbols must be less than {longest} apart, as the longest frame has them, got {span}; spread over fewer")
        base = (at - at.min()) * data_carriers + k - k.min()
        free = np.ones((2 * span + 1) * data_carriers, bool)
        free[base] = len(np.unique(base)) == len(base)
        slots = []
        for moved in range(span + 1):
            for right in range(data_carriers - int(k.max() - k.min())):
                slot = base + moved * data_carriers + right
                if free[slot].all():
                    free[slot] = False
                    slots.append(slot)
        return cls(np.array(slots if slots else [base]), data_carriers)

    @property
    def uses(self) -> int:
        """u, elements of a message."""
        return int(self.slots.shape[1])

    @property
    def carriers(self) -> Array:
        """Data carrier (messages, u) of each use of each message in the pattern."""
        return self.slots % self.data_carriers

    def index(self, messages: int) -> Array:
        """The element (messages u,) of every use of so many messages, message by message."""
        pattern = np.arange(messages) // len(self.slots)
        period = int(self.slots.max()) // self.data_carriers + 1
        return (self.slots[np.arange(messages) % len(self.slots)] + (pattern * period * self.data_carriers)[:, None]).ravel()

    def symbols(self, messages: int) -> int:
        """Symbols that so many messages take."""
        return int(self.index(messages).max()) // self.data_carriers + 1 if messages else 0


@dataclass(frozen=True, eq=False)
class FrameFormat:
    """What both ends must agree on before the first frame.

    Attributes:
        n_tx: transmit antennas, 1 to 8.
        numerology: carriers and lengths.
        placement: elements of messages; None is one use a message, over frequency.
        streams: q, precoded pilot symbols that go before the payload of a frame of kind 2.

    Raises:
        ValueError: antennas or streams are out of range, or the placement is for another number of data carriers.
    """

    n_tx: int
    numerology: Numerology = LL_64_16
    placement: Placement = field(default=None)  # type: ignore[assignment]
    streams: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.n_tx <= MAX_ANTENNAS:
            raise ValueError(f"n_tx must be from 1 to {MAX_ANTENNAS}, got {self.n_tx}")
        if self.placement is None:
            object.__setattr__(self, "placement", Placement.over_frequency(1, self.numerology.n_data))
        if self.placement.data_carriers != self.numerology.n_data:
            wanted = self.numerology.n_data
            raise ValueError(f"placement must be for {wanted} data carriers, as {self.numerology.name}, got {self.placement.data_carriers}")
        if not 0 <= self.streams <= 2 * self.n_tx:
            raise ValueError(f"streams must be from 0 to {2 * self.n_tx}, twice the antennas, got {self.streams}")

    @property
    def ltf_symbols(self) -> int:
        """OFDM symbols of the long training field."""
        return self.n_tx * self.numerology.ltf_repetitions

    def times(self, first: int, symbols: int) -> Array:
        """Times (symbols,) in samples, after the LTF's middle, of symbols counted from the header's first."""
        return self.numerology.symbol_length * (np.arange(first, first + symbols) + (self.ltf_symbols + 1) / 2)

    @property
    def training_times(self) -> Array:
        """Times of the LTF's symbols."""
        return self.times(-self.ltf_symbols, self.ltf_symbols)

    def precoded_symbols(self, header: Header) -> int:
        """Precoded pilot symbols of a frame."""
        return self.streams if header.kind == PRECODED else 0

    def payload_symbols(self, header: Header) -> int:
        """OFDM symbols after the header, precoded pilots included."""
        return self.precoded_symbols(header) + self.placement.symbols(header.messages)

    def header_beams(self) -> Array:
        """What each antenna sends of a header symbol (symbols, K, n_tx)."""
        numerology = self.numerology
        shift = (_SHIFT + np.arange(numerology.header_repetitions))[:, None, None] * np.arange(self.n_tx)
        beams = np.exp(-2j * np.pi * numerology.carriers[:, None] * shift / numerology.n_fft) / np.sqrt(self.n_tx)
        return np.repeat(beams, numerology.header_symbols // numerology.header_repetitions, axis=0)

    def header_grid(self, content: bytes) -> Array:
        """QPSK symbols (symbols, K) of 16 bytes, repetitions one after the other."""
        once = headers.encode(content).reshape(-1, self.numerology.n_used)
        return np.concatenate([np.roll(once, turn, 1) for turn in self._turns()])

    def header_soft(self, soft: Array) -> Array:
        """Soft symbols (…, 208) summed over the repetitions of (…, symbols, K)."""
        parts = np.split(soft, self.numerology.header_repetitions, -2)
        once: Array = sum(np.roll(part, -turn, -1) for part, turn in zip(parts, self._turns(), strict=True))  # type: ignore[assignment]
        return once.reshape(*once.shape[:-2], -1)

    def _turns(self) -> list[int]:
        repetitions = self.numerology.header_repetitions
        return [r * self.numerology.n_used // repetitions for r in range(repetitions)]


def precoded_pilots(streams: int) -> Array:
    """The streams (symbols, q) of the precoded pilot symbols: orthogonal over symbols, entries of modulus 1."""
    return waveform.training_matrix(streams).T


def build_frame(frame_format: FrameFormat, header: Header, key: bytes, elements: Array, precoder: Array | None = None) -> Array:
    """Samples (n, n_tx) of a header and elements (messages u, n_tx), message by message, with the gap after them."""
    numerology, n_tx = frame_format.numerology, frame_format.n_tx
    head = frame_format.header_grid(header.pack(key))[..., None] * frame_format.header_beams()
    grid = np.zeros((frame_format.payload_symbols(header), numerology.n_used, n_tx), complex)
    grid[:, numerology.pilot_index] = waveform.pilots(numerology, n_tx, len(grid))
    first = frame_format.precoded_symbols(header)
    if first and precoder is not None:
        grid[:first, numerology.data_index] = np.einsum("ktq,lq->lkt", precoder, precoded_pilots(first))
    place_elements(frame_format, header, grid[first:], elements)
    parts = [waveform.stf(numerology, n_tx), waveform.ltf(numerology, n_tx), waveform.modulate(numerology, np.concatenate([head, grid]))]
    return np.concatenate([*parts, np.zeros((numerology.gap, n_tx))])


def place_elements(frame_format: FrameFormat, header: Header, grid: Array, elements: Array) -> None:
    """Set elements (messages u, n_tx) with their signs on the data carriers of a grid (symbols, K, n_tx)."""
    where = frame_format.placement.index(header.messages)
    symbol, carrier = np.divmod(where, frame_format.numerology.n_data)
    grid[symbol, frame_format.numerology.data_index[carrier]] = elements * element_signs(header, len(where))[:, None]


def take_elements(frame_format: FrameFormat, header: Header, grid: Array) -> tuple[Array, Array]:
    """Elements (messages u, antennas) of a received grid (symbols, K, antennas), and the symbol of each."""
    where = frame_format.placement.index(header.messages)
    symbol, carrier = np.divmod(where, frame_format.numerology.n_data)
    return grid[symbol, frame_format.numerology.data_index[carrier]] * element_signs(header, len(where))[:, None], symbol


def element_signs(header: Header, count: int) -> Array:
    """The signs (count,) of a frame's elements, from its sequence number."""
    return signs(f"latentlink payload {header.sequence}", count)

"""Frames through the independent air, with the truth beside what was received."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from latentlink_runtime.radio.frame import FrameFormat
from latentlink_runtime.radio.received import ReceivedFrame
from latentlink_runtime.radio.receiver import Receiver
from latentlink_runtime.radio.transmitter import Transmitter
from runtime.radio.air import Air, noise, rayleigh

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Sent:
    """A frame on the air.

    Attributes:
        elements: s (messages u, n_tx).
        samples: as they arrive (n, n_rx).
        air: that they went through.
        first: number of the frame's first sample in them.
    """

    elements: Array
    samples: Array
    air: Air
    first: int


@dataclass(frozen=True, eq=False)
class Loop:
    """Frames one after the other; the noise of a carrier is `variance`."""

    frame_format: FrameFormat
    n_rx: int
    variance: float
    sent: tuple[Sent, ...]

    @property
    def stream(self) -> Array:
        """All samples."""
        return np.concatenate([sent.samples for sent in self.sent])

    def receive(self, receiver: Receiver | None = None) -> list[ReceivedFrame]:
        """All frames, by a fresh receiver unless one is given."""
        return (receiver or Receiver(self.frame_format, self.n_rx)).push(self.stream)

    def pairs(self, frames: list[ReceivedFrame]) -> list[tuple[Sent, ReceivedFrame]]:
        """Each received frame with what was sent."""
        return [(self.sent[frame.header.sequence], frame) for frame in frames]

    def truth(self, frame: ReceivedFrame) -> Array:
        """H (K, n_rx, n_tx) for the window and the common phase that the receiver took."""
        numerology, sent = self.frame_format.numerology, self.sent[frame.header.sequence]
        before = sum(len(other.samples) for other in self.sent[: frame.header.sequence])
        body = before + sent.first + numerology.stf_length + numerology.cyclic_prefix
        early = np.exp(2j * np.pi * numerology.carriers * (frame.start - body) / numerology.n_fft)
        flat = Air(sent.air.taps, gain=sent.air.gain).response(numerology.carriers, numerology.n_fft)
        H: Array = flat * early[:, None, None]
        turn = np.vdot(H, frame.h)
        return H * turn / abs(turn)

    def residual(self, frame: ReceivedFrame) -> Array:
        """y − Ĥ s (messages u, n_rx), of the elements that were sent."""
        elements = self.sent[frame.header.sequence].elements
        carriers = frame.data_index[self.frame_format.placement.index(frame.header.messages) % self.frame_format.numerology.n_data]
        y: Array = frame.elements - np.einsum("eat,et->ea", frame.h[carriers], elements_padded(elements, len(frame.elements)))
        return y


def elements_padded(elements: Array, count: int) -> Array:
    """With zeros behind them."""
    return np.concatenate([elements, np.zeros((count - len(elements), elements.shape[1]))])


def loop(
    seed: int, n_rx: int, n_tx: int, snr_db: float, frames: int, *, symbols: int = 4, taps: int = 4, decay: float = 0.5,
    frame_format: FrameFormat | None = None, key: bytes = b"", tail: int = 200, same: bool = False, **impairments: float,
) -> Loop:  # fmt: skip
    """Frames of random elements over fresh Rayleigh channels (or one, if `same`); SNR is that of a sample at a receive antenna."""
    rng = np.random.default_rng(seed)
    frame_format = frame_format or FrameFormat(n_tx)
    numerology = frame_format.numerology
    variance = 10 ** (-snr_db / 10)
    transmitter = Transmitter(frame_format, key=key)
    taps_now = rayleigh(rng, taps, n_rx, n_tx, decay)
    sent = []
    for sequence in range(frames):
        count = symbols * numerology.n_data
        elements = noise(rng, (count // frame_format.placement.uses * frame_format.placement.uses, n_tx), 1 / n_tx)
        if not same:
            taps_now = rayleigh(rng, taps, n_rx, n_tx, decay)
        delay = float(rng.integers(200, 400))
        air = Air(taps_now, variance, delay=delay, **impairments)
        samples = air(transmitter.frame(sequence, elements), rng, tail=int(delay) + tail)
        sent.append(Sent(elements, samples, air, int(delay)))
    gain = float(impairments.get("gain", 1.0))
    return Loop(frame_format, n_rx, gain**2 * variance * numerology.n_used / numerology.n_fft, tuple(sent))

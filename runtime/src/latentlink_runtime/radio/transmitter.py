"""The transmitter: samples of sounding frames, of frames of messages, and of those whose pilots are precoded like their messages."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from latentlink_runtime.radio.frame import FrameFormat, build_frame
from latentlink_runtime.radio.header import MAX_MESSAGES, PRECODED, SOUNDING, UNIT, Header

__all__ = ["MAX_MESSAGES", "Transmitter"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Transmitter:
    """Frames of a session.

    Attributes:
        frame_format: what both ends agreed on.
        link: the first 4 bytes of the pair file's SHA-256.
        key: the session's secret, at most 32 bytes; without it the tag only guards against noise.
    """

    frame_format: FrameFormat
    link: bytes = bytes(4)
    key: bytes = b""

    def frame(self, sequence: int, payload: Any = None, *, epoch: int = 0, flags: int = 0, precoder: Any = None) -> Array:
        """Samples (n, n_tx), complex64, of power 1 over all antennas where the payload has it, with the gap after them.

        Args:
            sequence: number of the frame, 0 … 2²⁴ − 1.
            payload: complex elements (messages u, n_tx), message by message, with E Σ|s|² = 1; None sounds the channel.
            epoch: number of the precoder.
            flags: a byte for whoever makes messages of it: `serve.layout` has padding and known messages there.
            precoder: (data carriers, n_tx, q) beams, tr B Bᴴ = 1; given, the frame is of kind 2 with q precoded pilot symbols.

        Raises:
            ValueError: a field is out of range, or the payload or the precoder has another shape or is not finite.
        """
        if payload is None:
            header = Header(SOUNDING, self.link, epoch, sequence, 0, flags)
            return build_frame(self.frame_format, header, self.key, np.zeros((0, self.frame_format.n_tx))).astype(np.complex64)
        elements, messages = self._elements(payload)
        kind = 1 if precoder is None else PRECODED
        header = Header(kind, self.link, epoch, sequence, -(-messages // UNIT), flags)
        padding = header.messages * self.frame_format.placement.uses - len(elements)
        elements = np.concatenate([elements, np.zeros((padding, self.frame_format.n_tx))])
        beams = None if precoder is None else self._precoder(precoder)
        return build_frame(self.frame_format, header, self.key, elements, beams).astype(np.complex64)

    def _elements(self, payload: Any) -> tuple[Array, int]:
        """The payload as an array, and its number of messages."""
        n_tx, uses = self.frame_format.n_tx, self.frame_format.placement.uses
        elements = np.asarray(payload)
        if elements.ndim != 2 or elements.shape[1] != n_tx or len(elements) % uses:
            shape = f"(messages × {uses}, {n_tx})"
            raise ValueError(f"payload must be elements of shape {shape}, got {elements.shape}; flatten messages and uses")
        messages = len(elements) // uses
        if not 1 <= messages <= MAX_MESSAGES:
            raise ValueError(f"payload must have 1 to {MAX_MESSAGES} messages, got {messages}; send several frames, or None to sound")
        if not np.isfinite(elements).all():
            raise ValueError("payload has NaN or infinite entries")
        return elements, messages

    def _precoder(self, precoder: Any) -> Array:
        """The precoder as an array."""
        wanted = (self.frame_format.numerology.n_data, self.frame_format.n_tx, self.frame_format.streams)
        beams = np.asarray(precoder)
        if beams.shape != wanted or 0 in wanted or not np.isfinite(beams).all():
            raise ValueError(f"precoder must be finite beams of shape {wanted}, got {beams.shape}; set streams of the frame format")
        return beams

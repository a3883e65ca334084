"""What a receiver hands out: the messages of a frame, and where the frame lies."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from latentlink_runtime.radio.frame import FrameFormat
from latentlink_runtime.radio.received import ReceivedFrame

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Decoded:
    """The messages of a frame, the known ones left out.

    Attributes:
        sequence: of the frame.
        epoch: of its precoder.
        values: latents (n, m), or a head's outputs (n, classes), in the order of sending.
        lost: True (n,) for those that were damaged.
        frame: as it was received.
        start: number of its first sample, as the source counts, early by some samples where the channel is short.
        count: of its samples.
    """

    sequence: int
    epoch: int
    values: Array
    lost: Array
    frame: ReceivedFrame
    start: int
    count: int


def samples_of(frame: ReceivedFrame, frame_format: FrameFormat) -> tuple[int, int]:
    """Samples of a frame before the LTF's window, and all of them but the gap."""
    numerology = frame_format.numerology
    symbols = frame_format.ltf_symbols + numerology.header_symbols + frame_format.payload_symbols(frame.header)
    before = numerology.stf_length + numerology.cyclic_prefix - numerology.lead
    return before, numerology.stf_length + numerology.symbol_length * symbols

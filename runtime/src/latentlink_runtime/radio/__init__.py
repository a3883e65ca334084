"""Frames between symbols of messages and samples of radios.

Read `numerology`, `waveform`, `header` and `frame`, then `transmitter`; `synchronise`, `estimate`, `header_reception` and `track`; `prefix`
and `damage`; then `received` and `receiver`, which puts them together over a `sample_buffer`; and `front_end`.
"""

from latentlink_runtime.radio.frame import FrameFormat, Placement
from latentlink_runtime.radio.front_end import FrontEnd
from latentlink_runtime.radio.header import Header, HeaderError
from latentlink_runtime.radio.numerology import LL_64_16, LL_256_64, Numerology
from latentlink_runtime.radio.received import ReceivedFrame, per_carrier_channels
from latentlink_runtime.radio.receiver import Receiver, State
from latentlink_runtime.radio.transmitter import Transmitter

__all__ = [
    "LL_64_16",
    "LL_256_64",
    "FrameFormat",
    "FrontEnd",
    "Header",
    "HeaderError",
    "Numerology",
    "Placement",
    "ReceivedFrame",
    "Receiver",
    "State",
    "Transmitter",
    "per_carrier_channels",
]

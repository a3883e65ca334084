"""The header of received carriers: antennas and repetitions by maximum ratio, under seven hypotheses of the frequency that is left."""

from typing import Any

import numpy as np

from latentlink_runtime.radio import header as headers
from latentlink_runtime.radio.estimate import ChannelEstimate
from latentlink_runtime.radio.frame import FrameFormat
from latentlink_runtime.radio.header import Header

Array = np.ndarray[Any, Any]

_HYPOTHESES = np.arange(-3, 4)
_HYPOTHESIS_TURNS = 0.1  # cycles at the header's end between neighbouring hypotheses


def heard_header(frame_format: FrameFormat, estimate: ChannelEstimate, received: Array, times: Array, key: bytes) -> tuple[Header, bytes]:
    """The header of carriers (symbols, K, n_rx) at these times after the LTF's middle, and its bytes.

    Raises:
        HeaderError: no reading has the right tag.
    """
    h = np.einsum("kat,lkt->lka", estimate.h, frame_format.header_beams())
    soft = (h.conj() * received).sum(-1) / estimate.disturbance
    turn = np.exp(-2j * np.pi * _HYPOTHESIS_TURNS * _HYPOTHESES[:, None] * times / times[-1])
    return headers.receive(frame_format.header_soft(soft * turn[..., None]), key)

"""Where messages lie in a frame: message i on element i of the placement's pattern, which repeats; and the messages that both ends know.

    flags, bits 0–3   elements of the last unit that carry no message
    flags, bit 4      the first messages, one of each element of the pattern, are the known ones

The known messages have coefficients ±1 of each mode's deviation. Pilots do not see a receiver that conjugates, reorders, or takes other
carriers or another epoch; the error of the known messages does, on every carrier.
"""

from typing import Any

import numpy as np

from latentlink_runtime.codec.design import CodecDesign
from latentlink_runtime.control.session import Session
from latentlink_runtime.feedback.links import Precoder, link_from_feedback
from latentlink_runtime.feedback.report import Report
from latentlink_runtime.linear.design import LinearDesign
from latentlink_runtime.radio.frame import FrameFormat
from latentlink_runtime.radio.header import UNIT, Header, signs

Array = np.ndarray[Any, Any]
Design = LinearDesign | CodecDesign

SEQUENCES = 2**24
_PADDING, _KNOWN = UNIT - 1, 1 << 4


def by_pattern(values: Array, pattern: int) -> Array:
    """Values (pattern, times, …) of messages (n, …), zeros in place of those that the last round of the pattern lacks."""
    padded = np.zeros((-(-len(values) // pattern) * pattern, *values.shape[1:]), values.dtype)
    padded[: len(values)] = values
    return np.swapaxes(padded.reshape(-1, pattern, *values.shape[1:]), 0, 1)


def in_order(values: Array, count: int) -> Array:
    """The first `count` messages (count, …) of values (pattern, times, …)."""
    ordered = np.swapaxes(values, 0, 1)
    return ordered.reshape(-1, *values.shape[2:])[:count]


def flags_of(messages: int, known: bool) -> int:
    """The flags of a frame of so many messages, the known ones included."""
    return -messages % UNIT | (_KNOWN if known else 0)


def has_known(header: Header) -> bool:
    """True if a frame begins with the known messages."""
    return bool(header.flags & _KNOWN)


def messages_of(header: Header) -> int:
    """The messages of a frame, the known ones included, without its padding; below 0 in a frame that contradicts itself."""
    return header.messages - (header.flags & _PADDING)


def known_coefficients(design: Design, count: int) -> Array:
    """Coefficients z (count, k) of the known messages, whose signs do not depend on k: an end may have fewer modes than the other."""
    modes, spread = (design.modes, np.sqrt(design.covariance)) if isinstance(design, CodecDesign) else (design, 1.0)
    k = len(modes.strength)
    return signs(f"latentlink known messages {count}", count * k).reshape(k, count).T * spread


def known_latents(design: Design, count: int) -> Array:
    """Latents x (count, d) of the known messages, the smallest whose coefficients are z."""
    modes = design.modes if isinstance(design, CodecDesign) else design
    analysis = np.asarray(modes.analysis, np.float64)
    return known_coefficients(design, count) @ np.linalg.pinv(analysis).T + modes.mean_x


def check_session(frame_format: FrameFormat, session: Session) -> bytes:
    """The frame's link, 4 bytes of the pair's SHA-256; ValueError if the session is about another frame than the format."""
    identity = session.identity
    for name, agreed, own in (
        ("n_tx", identity.n_tx, frame_format.n_tx),
        ("numerology", identity.numerology, frame_format.numerology.name),
    ):
        if agreed != own:
            raise ValueError(
                f"frame_format's {name} must be {agreed!r}, as the session's identity says, got {own!r}; make both of one design"
            )
    return bytes.fromhex(identity.pair)[:4]


def probe(design: Design, frame_format: FrameFormat, n_rx: int, bits: int = 6, groups: int | None = None) -> Precoder:
    """The link of a channel of ones, so that what does not fit is told by a ValueError before the first frame."""
    carriers = frame_format.numerology.n_data
    report = Report.measure(np.ones((carriers, n_rx, frame_format.n_tx), complex), 0.1, bits=bits, groups=groups)
    return link_from_feedback(design, report.to_bytes(), carriers, elements=frame_format.placement.carriers)


def is_after(sequence: int, last: int | None) -> bool:
    """True if a frame comes after the last one, modulo 2²⁴."""
    return last is None or 0 < (sequence - last) % SEQUENCES < SEQUENCES // 2

"""The link of a report: the transmitter and the receiver make it of the same bytes, and compare a digest of what they made.

The precoder is B = √(u P) V̂ diag(√q), q by water-filling; the codec's gate is decided on bits a symbol in steps of 10⁻⁶. The receiver takes
what it makes and matches its decoder to the channel that it measures (`link.matched_to`).
"""

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from latentlink_runtime.codec.design import CodecDesign
from latentlink_runtime.codec.link import CodecLink
from latentlink_runtime.codec.streams import place_streams
from latentlink_runtime.feedback.report import FeedbackError, Report
from latentlink_runtime.feedback.streams import modes_of_carriers
from latentlink_runtime.linear.design import LinearDesign
from latentlink_runtime.linear.link import LinearLink

Array = np.ndarray[Any, Any]

DIGEST_BYTES = 8
GRID = 1e-4  # of beams, of a budget of 1: far above what arithmetic moves them by, far below what another beam is


@dataclass(frozen=True, eq=False)
class Precoder:
    """What both ends make of a report.

    Attributes:
        report: the bytes' content.
        link: `LinearLink` or `CodecLink` of each message's carriers, to be matched by a receiver.
        beams: B (…, u n_tx, 2q) in float64: column 2 i for the real and 2 i + 1 for the imaginary part of symbol i, a budget of 1.
        active: (…) True where a codec's networks are on.
        digest: 8 bytes over the rounded beams and the gate, for the acknowledgement.
    """

    report: Report
    link: LinearLink | CodecLink
    beams: Array
    active: Array
    digest: bytes


def link_from_feedback(
    design: LinearDesign | CodecDesign, content: bytes, carriers: int, *, elements: Array | None = None, power: float = 1.0
) -> Precoder:
    """The precoder and the link of each message's carriers.

    Args:
        design: of the pair or the codec, the same at both ends.
        content: bytes of the report.
        carriers: data carriers, over which the groups of the report are spread.
        elements: carriers (…, u) of the u uses of each message; the message of one use of each carrier if None.
        power: P, of a channel use.

    Raises:
        FeedbackError: the bytes are no report.
        ValueError: the carriers do not fit the report, or there are more streams than the codec was trained for.
    """
    report = Report.from_bytes(content)
    modes, channel = modes_of_carriers(report, carriers, elements, power)
    link: LinearLink | CodecLink
    if isinstance(design, CodecDesign):
        streams, beams = place_streams(design.modes.strength, channel, design.most, modes)
        link = design.of_streams(channel, streams, beams)
        active = link.active
    else:
        streams, beams = place_streams(design.strength, channel, 2 * modes.amplitude.shape[-2] * modes.amplitude.shape[-1], modes)
        link, active = replace(design.design(channel, modes), awaits_channel=True), np.zeros(channel.batch, bool)
    unit = beams.transmit / np.sqrt(channel.uses * channel.power)[..., None, None] if power > 0 else beams.transmit
    made = np.repeat(unit, 2, -1) * np.sqrt(streams.share[..., : 2 * unit.shape[-1]])[..., None, :]
    return Precoder(report, link, made, active, beams_digest(made, active))


def check_agreed(report: Report, n_rx: int, n_tx: int, epoch: int) -> None:
    """FeedbackError unless a report is of the antennas that both ends agreed on, and of the epoch that its message names."""
    for name, own, agreed in (("n_rx", report.n_rx, n_rx), ("n_tx", report.n_tx, n_tx), ("epoch", report.epoch, epoch % 2**16)):
        if own != agreed:
            raise FeedbackError(f"feedback's {name} must be {agreed}, as both ends agreed, got {own}; reject it")


def beams_digest(beams: Array, active: Array) -> bytes:
    """8 bytes that two ends with the same beams, up to arithmetic, and the same gate have in common."""
    parts = np.stack([beams.real, beams.imag], -1)
    steps = np.rint(parts / GRID).astype(">i4")
    hasher = hashlib.sha256(repr((beams.shape, active.shape)).encode())
    hasher.update(np.ascontiguousarray(steps).tobytes())
    hasher.update(np.ascontiguousarray(active, np.uint8).tobytes())
    return hasher.digest()[:DIGEST_BYTES]

"""The receiver as an object without sockets, threads or clocks: samples and messages of the control plane in, latents or logits out.

It tells the channel as bytes wherever its session wants it to, keeps the link that both ends make of them for as long as its epoch is
known, and matches that link's decoder on every carrier to what each frame itself tells of the channel: Ĥ, in noise σ̂² + τ̂ P. A frame of an
epoch that is not known is counted, and never decoded.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from latentlink_runtime.codec.design import CodecDesign
from latentlink_runtime.control.receiver import ReceiverSession
from latentlink_runtime.control.wire import Message
from latentlink_runtime.feedback.links import Precoder, link_from_feedback
from latentlink_runtime.feedback.report import Report
from latentlink_runtime.iq.protocol import Block
from latentlink_runtime.radio.frame import FrameFormat
from latentlink_runtime.radio.header import SOUNDING
from latentlink_runtime.radio.received import ReceivedFrame, per_carrier_channels
from latentlink_runtime.radio.receiver import Receiver, State
from latentlink_runtime.serve.decoded import Decoded, samples_of
from latentlink_runtime.serve.layout import (
    SEQUENCES,
    Design,
    by_pattern,
    check_session,
    has_known,
    in_order,
    is_after,
    known_coefficients,
    messages_of,
    probe,
)
from latentlink_runtime.tasks.head import Head

Array = np.ndarray[Any, Any]

COHERENCE_S = 2.0
_WORST_KNOWN = 1.0  # error of the known messages over their energy, which no receiver that is right exceeds


class ReceiverNode:
    """Samples to latents, or to a head's outputs (see the module).

    Attributes:
        session: with the transmitter.
        counts: of frames by what became of them, those missed between others, messages, symbols and samples lost, and known frames.
        points: QPSK symbols of the newest frame's header, for a constellation.
        gauges: noise_variance, error_variance, snr_db, frequency and clock_ppm of the last frame, known_error of the last known messages.

    Args:
        design: of the pair or the codec, the same at both ends.
        frame_format: what both ends agreed on.
        session: with the transmitter.
        head: whose outputs are wanted in place of latents, and compared to labels.
        labels: of a transmitter that sends rows of a file, row (s per_frame + i) mod n as message i of frame s; for the accuracy.
        per_frame: messages of a frame, for the labels.
        latents: True where latents are wanted although there is a head, which is for labels alone.
        bits: of the report.
        groups: of carriers in it; one a data carrier if None.
        coherence_s: seconds for which a report holds; another is sent after half of them.

    Raises:
        ValueError: the session is about another frame, the design, the head or the report does not fit, or labels have no head.
    """

    def __init__(
        self,
        design: Design,
        frame_format: FrameFormat,
        session: ReceiverSession,
        head: Head | None = None,
        labels: Array | None = None,
        *,
        per_frame: int = 768,
        latents: bool = False,
        bits: int = 6,
        groups: int | None = None,
        coherence_s: float = COHERENCE_S,
    ) -> None:
        if labels is not None and head is None:
            raise ValueError("labels must come with a head, whose outputs they are compared to; give the head as well")
        self._link = check_session(frame_format, session)
        link = probe(design, frame_format, session.identity.n_rx, bits, groups).link
        if head is not None:
            link.folded(head)
        self.session, self.counts, self.gauges = session, Counter[str](), dict[str, float]()
        self._design, self._format, self._head = design, frame_format, head
        self._labels, self._per_frame, self._wants_latents = labels, per_frame, latents or head is None
        self._bits, self._groups, self._coherence_s = bits, groups, coherence_s
        self._known = known_coefficients(design, len(frame_format.placement.slots))
        self.points: Array = np.zeros(0, complex)
        self._links: dict[int, tuple[Precoder, Head | None]] = {}
        self._outbox: list[tuple[bytes, Message]] = []
        self._receiver = Receiver(frame_format, session.identity.n_rx)
        self._last: int | None = None
        self._name, self._clock, self._base, self._epoch_at, self._was_lost = "", 0, 0, 0.0, False

    def control(self, received: Iterable[tuple[bytes, Message]], now: float) -> list[tuple[bytes, Message]]:
        """What is to be sent, and to whom, after these messages and at this time."""
        for peer, message in received:
            self._outbox += [(peer, answer) for answer in self.session.received(message, now, peer)]
        peer = self.session.peer
        self._outbox += [(peer, message) for message in self.session.tick(now)]
        outbox, self._outbox = self._outbox, []
        return outbox

    def push(self, block: Block, now: float) -> list[Decoded]:
        """The messages of the frames that end in a block of samples; without a session they are not looked at."""
        if self.session.state == "idle":
            self._clock = block.first + len(block.samples)
            return []
        if self.session.session != self._name or block.first != self._clock:
            self._restart(block.first)
        self._clock = block.first + len(block.samples)
        self.counts["lost_samples"] += block.lost
        was_lost, self._was_lost = self._was_lost, block.lost == len(block.samples)
        if was_lost and self._was_lost and self._receiver.state is State.SEARCH:
            self._base += len(block.samples)
            return []  # nothing is in a gap, which must not cost the time that samples behind it need
        before = Counter(self._receiver.counters)
        frames = self._receiver.push(block.samples)
        decoded = [one for frame in frames if (one := self._received(frame, now)) is not None]
        for reason in ("bad_header", "foreign"):
            self.counts[reason] += self._receiver.counters[reason] - before[reason]
        return decoded

    def metrics(self, now: float) -> dict[str, float]:
        """All counts and gauges by name."""
        age = {"epoch_age": now - self._epoch_at} if self._links else {}
        labelled = self.counts["labelled"]
        accuracy = {"accuracy": self.counts["right"] / labelled} if labelled else {}
        age["linked"] = float(self.session.state == "linked")
        return {**{name: float(count) for name, count in self.counts.items()}, **self.gauges, **age, **accuracy}

    def _restart(self, first: int) -> None:
        """Begin at this sample with another session, or after samples of which nobody knows how many are missing."""
        self._base = first
        if self.session.session != self._name:
            self._name, self._last = self.session.session, None
            self._links.clear()
        else:
            self.counts["jumps"] += 1
        self._receiver = Receiver(self._format, self.session.identity.n_rx, key=self.session.secret, link=self._link)

    def _received(self, frame: ReceivedFrame, now: float) -> Decoded | None:
        header = frame.header
        if not is_after(header.sequence, self._last):
            self.counts["replayed"] += 1
            return None
        if self._last is not None:
            self.counts["missed"] += (header.sequence - self._last - 1) % SEQUENCES
        self._last = header.sequence
        self.counts["symbols"] += len(frame.lost)
        self.counts["lost_symbols"] += int(frame.lost.sum())
        self._gauge(frame)
        if not frame.suspicious and self.session.wants_csi(now):
            self._report(frame, now)
        if header.kind == SOUNDING:
            self.counts["sounding"] += 1
            return None
        epoch = self.session.frame(header.epoch)
        if epoch is None or header.epoch not in self._links:
            self.counts["stale"] += 1
            return None
        if messages_of(header) < max(1, has_known(header) * len(self._known)):
            self.counts["malformed"] += 1
            return None
        self.counts["ok"] += 1
        return self._decoded(frame)

    def _report(self, frame: ReceivedFrame, now: float) -> None:
        """Tell the channel, and keep the link that both ends make of these bytes."""
        number, carriers = self.session.next_epoch(), self._format.numerology.n_data
        error = float(frame.error_variance.mean())
        h = frame.h[frame.data_index]
        report = Report.measure(h, frame.noise_variance, error, bits=self._bits, groups=self._groups, epoch=number)
        content = report.to_bytes()
        precoder = link_from_feedback(self._design, content, carriers, elements=self._format.placement.carriers)
        self._outbox += [
            (self.session.peer, message) for message in self.session.measured(content, precoder.digest, self._coherence_s, now)
        ]
        self._links[number] = precoder, None if self._head is None else precoder.link.folded(self._head)
        self._links = {epoch: link for epoch, link in self._links.items() if epoch in self.session.epochs}
        self._epoch_at = now

    def _decoded(self, frame: ReceivedFrame) -> Decoded:
        precoder, head = self._links[frame.header.epoch]
        link = precoder.link.matched_to(per_carrier_channels(frame))
        symbols = frame.elements.reshape(frame.header.messages, self._format.placement.uses, -1)
        count, first = messages_of(frame.header), 0
        z = in_order(link.receive(by_pattern(symbols, len(self._known))), count)
        if has_known(frame.header):
            first = len(self._known)
            self._compare(z[:first], link.synthesis, frame.lost_messages[:first])
        outputs = None if head is None or (self._wants_latents and self._labels is None) else head(z[first:])
        values: Array = z[first:] @ link.synthesis.T + link.mean_y if self._wants_latents or outputs is None else outputs
        lost = frame.lost_messages[first:count]
        self.counts["messages"] += len(lost)
        self.counts["lost_messages"] += int(lost.sum())
        before, samples = samples_of(frame, self._format)
        if outputs is not None:
            self._judge(outputs, frame.header.sequence, lost)
        return Decoded(frame.header.sequence, frame.header.epoch, values, lost, frame, self._base + frame.start - before, samples)

    def _compare(self, z: Array, synthesis: Array, lost: Array) -> None:
        """The error of the known messages over their energy, within the modes that the link carries."""
        self.counts["known"] += 1
        if lost.all():
            return
        outputs = self._design.outputs if isinstance(self._design, CodecDesign) else slice(z.shape[1])
        wanted = self._known[:, outputs]
        error, energy = (((value[~lost] @ synthesis.T) ** 2).sum() for value in (z - wanted, wanted))
        self.gauges["known_error"] = float(error / energy)
        self.counts["known_faults"] += self.gauges["known_error"] > _WORST_KNOWN

    def _judge(self, outputs: Array, sequence: int, lost: Array) -> None:
        """Count right decisions where labels are known."""
        if self._labels is None:
            return
        rows = (sequence * self._per_frame + np.arange(len(outputs))) % len(self._labels)
        right = outputs.argmax(-1) == self._labels[rows]
        self.counts["labelled"] += int((~lost).sum())
        self.counts["right"] += int((right & ~lost).sum())

    def _gauge(self, frame: ReceivedFrame) -> None:
        self.gauges["noise_variance"], self.gauges["error_variance"] = frame.noise_variance, float(frame.error_variance.mean())
        self.gauges["snr_db"], self.points = frame.snr_db, frame.constellation
        self.gauges["frequency"], self.gauges["clock_ppm"] = frame.frequency, frame.clock_ppm

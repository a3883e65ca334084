"""The transmitter as an object without sockets, threads or clocks: messages of the control plane and latents in, samples out.

It sounds the channel until a report has come, and wherever no latents wait; then it sends frames of messages, precoded by the link of the
epoch that it acknowledged. It hands out a frame once the samples of the one before have had their time, so that nothing piles up behind it.
"""

from collections import Counter, deque
from collections.abc import Iterable
from typing import Any

import numpy as np

from latentlink_runtime.control.transmitter import TransmitterSession
from latentlink_runtime.control.wire import Message
from latentlink_runtime.feedback.links import Precoder, check_agreed, link_from_feedback
from latentlink_runtime.radio.frame import FrameFormat
from latentlink_runtime.radio.transmitter import MAX_MESSAGES, Transmitter
from latentlink_runtime.serve.layout import SEQUENCES, Design, by_pattern, check_session, flags_of, in_order, known_latents, probe

Array = np.ndarray[Any, Any]

KNOWN_EVERY = 50  # frames of messages
_LATE_S = 0.05  # by which samples may be made up for


class TransmitterNode:
    """Latents to samples (see the module).

    Attributes:
        session: with the receiver.
        sequence: number of the next frame.
        counts: frames, sounding frames, messages, dropped messages, known frames and reports that were no use.
        elements: precoded symbols (elements, n_tx) of the newest frame of messages.

    Args:
        design: of the pair or the codec, the same at both ends.
        frame_format: what both ends agreed on.
        session: with the receiver.
        rate: samples a second of each antenna.
        per_frame: messages of a frame at most, the known ones apart.
        queue: messages that wait at most; two frames if None.
        known_every: frames of messages from one with known messages to the next.
        sound_s: seconds between sounding frames.

    Raises:
        ValueError: the session is about another frame, its antennas are too many for the design, or a number is out of its range.
    """

    def __init__(
        self,
        design: Design,
        frame_format: FrameFormat,
        session: TransmitterSession,
        *,
        rate: float,
        per_frame: int = 768,
        queue: int | None = None,
        known_every: int = KNOWN_EVERY,
        sound_s: float = 0.02,
    ) -> None:
        pattern = len(frame_format.placement.slots)
        if not 1 <= per_frame <= MAX_MESSAGES - pattern:
            raise ValueError(f"per_frame must be 1 to {MAX_MESSAGES - pattern}, beside {pattern} known messages, got {per_frame}")
        if not 0 < rate < np.inf or known_every < 1 or sound_s < 0 or (queue is not None and queue < 1):
            raise ValueError(
                f"rate, known_every and queue must be above 0 and sound_s not below, got {rate}, {known_every}, {queue}, {sound_s}"
            )
        self._link = check_session(frame_format, session)
        probe(design, frame_format, session.identity.n_rx)
        self.session, self.sequence, self.counts = session, 0, Counter[str]()
        self._design, self._format, self._rate, self._per_frame = design, frame_format, rate, per_frame
        self._known_every, self._sound_s = known_every, sound_s
        self._queue: deque[tuple[float, Array]] = deque()
        self._most = 2 * per_frame if queue is None else queue
        self._known = known_latents(design, pattern)
        self.elements: Array = np.zeros((0, frame_format.n_tx))
        self._precoder: Precoder | None = None
        self._transmitter = Transmitter(frame_format, self._link)
        self._name, self._due, self._until_known = "", -np.inf, 0

    def __len__(self) -> int:
        """Messages that wait."""
        return len(self._queue)

    def age(self, now: float) -> float:
        """Seconds for which the oldest message has waited."""
        return now - self._queue[0][0] if self._queue else 0.0

    def metrics(self, now: float) -> dict[str, float]:
        """All counts, the queue's length and age, and whether a report is in use."""
        counts = {name: float(count) for name, count in self.counts.items()}
        return {**counts, "queue": float(len(self)), "queue_age": self.age(now), "linked": float(self.session.current is not None)}

    def is_due(self, now: float) -> bool:
        """True if `step` would hand out a frame of messages, if only there were some."""
        return self.session.current is not None and self._precoder is not None and now >= self._due

    def offer(self, latents: Any, now: float) -> int:
        """Let latents (n, d) wait; the oldest beyond the bound are dropped and counted.

        Returns:
            How many were dropped.

        Raises:
            ValueError: they are complex, not finite or of another shape; none of them is taken.
        """
        latents, d = np.asarray(latents), len(self._known[0])
        if latents.ndim != 2 or latents.shape[1] != d or np.iscomplexobj(latents) or not np.isfinite(latents).all():
            raise ValueError(f"latents must be real and finite of shape (n, {d}), got {latents.dtype} {latents.shape}")
        dropped = max(0, len(self._queue) + len(latents) - self._most)
        for _ in range(min(dropped, len(self._queue))):
            self._queue.popleft()
        self._queue.extend((now, latent) for latent in latents[-self._most :].copy())
        self.counts["dropped"] += dropped
        return dropped

    def control(self, messages: Iterable[Message], now: float) -> list[Message]:
        """What is to be sent after these messages and at this time; a report that came is answered."""
        answers = []
        for message in messages:
            answers += self.session.received(message, now)
            if self.session.pending is not None:
                answers += self._informed(now)
        return answers + self.session.tick(now)

    def step(self, now: float) -> Array | None:
        """Samples (n, n_tx) of the next frame; None while there is no session, or the frame before is still on the air."""
        if self.session.state == "hello" or now < self._due:
            return None
        if self.session.session != self._name:
            self._name, self.sequence, self._until_known = self.session.session, 0, 0
            self._transmitter = Transmitter(self._format, self._link, self.session.secret)
        is_sounding = self.session.current is None or self._precoder is None or not self._queue
        samples = self._transmitter.frame(self.sequence) if is_sounding else self._frame()
        self.sequence = (self.sequence + 1) % SEQUENCES
        self.counts["sounding" if is_sounding else "frames"] += 1
        takes = len(samples) / self._rate
        self._due = max(self._due, now - _LATE_S) + (max(takes, self._sound_s) if is_sounding else takes)
        return samples

    def _informed(self, now: float) -> list[Message]:
        """The link of the pending report, or its refusal."""
        csi, identity = self.session.pending, self.session.identity
        assert csi is not None
        carriers, elements = self._format.numerology.n_data, self._format.placement.carriers
        try:
            precoder = link_from_feedback(self._design, csi.feedback, carriers, elements=elements)
            check_agreed(precoder.report, identity.n_rx, identity.n_tx, csi.epoch)
        except ValueError:
            self.counts["rejected"] += 1
            return self.session.rejected(now)
        self._precoder = precoder
        return self.session.applied(precoder.digest, now)

    def _frame(self) -> Array:
        """A frame of the messages that have waited longest."""
        assert self._precoder is not None
        assert self.session.epoch is not None
        latents = np.stack([self._queue.popleft()[1] for _ in range(min(self._per_frame, len(self._queue)))])
        self.counts["messages"] += len(latents)
        is_known = self._until_known == 0
        self._until_known = (self._known_every if is_known else self._until_known) - 1
        if is_known:
            self.counts["known"] += 1
            latents = np.concatenate([self._known, latents])
        symbols = self._precoder.link.encode(by_pattern(latents, len(self._known)))
        self.elements = in_order(symbols, len(latents)).reshape(-1, self._format.n_tx)
        return self._transmitter.frame(self.sequence, self.elements, epoch=self.session.epoch, flags=flags_of(len(latents), is_known))

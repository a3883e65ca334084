"""The receiver: samples in, any number at a time, frames out.

    SEARCH ─ detected ─► PLATEAU ─ place, carrier guard, CFO ─► LTF ─ timing, Ĥ ─► HEADER ─ decoded ─► PAYLOAD ─ tracked ─► SEARCH

Any failure goes back to SEARCH 120 samples after the detection; after four in a row further and further. Within the header the frequency
that is left of the CFO's estimate is one of seven hypotheses, the most likely of which is decoded. Clock, noise and failures are remembered
from frame to frame.
"""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import numpy as np

from latentlink_runtime.radio import synchronise as sync
from latentlink_runtime.radio.estimate import ChannelEstimate, estimate_from_samples
from latentlink_runtime.radio.frame import FrameFormat
from latentlink_runtime.radio.header import Header, HeaderError
from latentlink_runtime.radio.header_reception import heard_header
from latentlink_runtime.radio.numerology import STF_PERIOD
from latentlink_runtime.radio.prefix import Prefixes
from latentlink_runtime.radio.received import Heard, ReceivedFrame, assemble
from latentlink_runtime.radio.sample_buffer import SampleBuffer
from latentlink_runtime.radio.track import Clock
from latentlink_runtime.radio.waveform import demodulate

Array = np.ndarray[Any, Any]

LARGEST = float(np.finfo(np.float32).max)
SKIP = 120  # samples after a detection that came to nothing
_AHEAD = 128  # steps of the search at once: what is behind a frame would be looked at again after each
_FORGIVEN = 4000  # samples after which an earlier failure no longer counts
_PATIENCE = 4  # failures before skips double, up to 16-fold
_MOVED = 0.002  # cycles by which a clock that was not known moved the LTF's outermost carrier, from which on the channel is estimated anew
_NOISE_FRAMES, _NOISE_RATIO = 15, 4.0


class State(Enum):
    """What the receiver waits for."""

    SEARCH = "search"
    PLATEAU = "plateau"
    LTF = "ltf"
    HEADER = "header"
    PAYLOAD = "payload"


@dataclass
class _Candidate:
    """A frame on its way; sample numbers count from the stream's beginning."""

    ltf: int = 0  # expected first sample of the first LTF body, then the window's beginning
    frequency: float = 0.0
    estimate: ChannelEstimate | None = None
    header: Header | None = None
    content: bytes = b""


class Receiver:
    """Receives the frames of one transmitter at n_rx antennas (see the module).

    Args:
        frame_format: what both ends agreed on.
        n_rx: receive antennas.
        key: the session's secret; a frame under another is a bad header.
        link: the first 4 bytes of the pair file's SHA-256, or None for any.
    """

    def __init__(self, frame_format: FrameFormat, n_rx: int, *, key: bytes = b"", link: bytes | None = None) -> None:
        if n_rx < 1:
            raise ValueError(f"n_rx must be at least 1, got {n_rx}")
        self.frame_format, self.n_rx, self.key, self.link = frame_format, n_rx, key, link
        self.clock = Clock()
        self.counters: Counter[str] = Counter()
        self.state = State.SEARCH
        self._buffer = SampleBuffer(n_rx)
        self._at = 0  # where the search goes on
        self._behind = frame_format.numerology.stf_length // STF_PERIOD // 2 + 4  # steps before a detection where the STF may begin
        self._failures = 0
        self._failed_start = self._last_failure = -(10**9)
        self._noise: deque[float] = deque(maxlen=_NOISE_FRAMES)
        self._candidate = _Candidate()
        self._done: list[ReceivedFrame] = []
        self._steps: dict[State, Callable[[], bool]] = {
            State.SEARCH: self._search,
            State.PLATEAU: self._plateau,
            State.LTF: self._ltf,
            State.HEADER: self._header,
            State.PAYLOAD: self._payload,
        }

    def push(self, samples: Array) -> list[ReceivedFrame]:
        """The frames that end in the next samples (n, n_rx) of the stream.

        Raises:
            ValueError: samples have another shape, are not finite, or are larger than complex64 has them.
        """
        samples = np.asarray(samples)
        if samples.ndim != 2 or samples.shape[1] != self.n_rx:
            raise ValueError(f"samples must have shape (n, {self.n_rx}), got {samples.shape}; put antennas last")
        if not np.isfinite(samples).all():
            raise ValueError("samples have NaN or infinite entries; replace lost samples by zeros")
        if max(np.abs(part).max(initial=0.0) for part in (samples.real, samples.imag)) > LARGEST:
            raise ValueError(f"samples must be at most {LARGEST:.2g}, as complex64 has them; scale them to full scale 1")
        if not self._buffer.push(samples):
            return []
        while self._steps[self.state]():
            pass
        self._buffer.forget(self._at - STF_PERIOD * self._behind)
        done, self._done = self._done, []
        return done

    def _search(self) -> bool:
        """Look for the STF, step by step; False where samples are missing."""
        span = sync.detector_span(self.frame_format.numerology)
        stretch = self._buffer.rest(self._at, span)
        if stretch is None:
            return False
        metric = sync.metric(stretch[: span + STF_PERIOD * _AHEAD], self.frame_format.numerology)
        found = np.flatnonzero(metric > sync.threshold(self.n_rx, self.frame_format.numerology))
        self._at += STF_PERIOD * int(found[0] if len(found) else len(metric))
        if len(found):
            self.counters["detections"] += 1
            self.state = State.PLATEAU
        return True

    def _plateau(self) -> bool:
        """Find the STF and its CFO, unless it is a bare carrier or the place that failed before."""
        numerology = self.frame_format.numerology
        first = self._at - STF_PERIOD * min(self._behind, (self._at - self._buffer.first) // STF_PERIOD)
        stretch = self._buffer.take(first, self._at - first + sync.detector_span(numerology) + numerology.stf_length)
        if stretch is None:
            return False
        start = sync.stf_start(stretch, numerology)
        if abs(first + start - self._failed_start) <= STF_PERIOD:
            return self._fail("repeated", self._failed_start)
        periodic = stretch[sync.periodic_stretch(numerology, start, len(stretch))]
        frequency = sync.frequency_offset(periodic)
        if sync.tones(periodic, frequency) < sync.FEWEST_TONES:
            return self._fail("carriers", first + start)
        body = first + start + numerology.stf_length + numerology.cyclic_prefix
        self._candidate = _Candidate(max(body, first + sync.TIMING_REACH), frequency)
        self._failed_start = first + start
        self.state = State.LTF
        return True

    def _ltf(self) -> bool:
        """Find the window's beginning and estimate the channel."""
        candidate, numerology = self._candidate, self.frame_format.numerology
        length = numerology.symbol_length * self.frame_format.ltf_symbols
        first = candidate.ltf - sync.TIMING_REACH
        samples = self._buffer.take(first, length + 2 * sync.TIMING_REACH)
        if samples is None:
            return False
        turned = samples * self._derotation(first, len(samples))
        start = max(sync.timing(turned, self.frame_format), 0)
        candidate.ltf = first + start
        candidate.estimate = estimate_from_samples(turned[start:], self.frame_format, self.frame_format.training_times, self.clock.offset)
        if not float((np.abs(candidate.estimate.h) ** 2).sum()) > 0:
            return self._fail("silent", self._failed_start)
        self.state = State.HEADER
        return True

    def _header(self) -> bool:
        """Decode the header by maximum ratio, under every hypothesis of the frequency."""
        numerology, estimate = self.frame_format.numerology, self._candidate.estimate
        assert estimate is not None
        received = self._symbols(numerology.header_symbols)
        if received is None:
            return False
        times = self.frame_format.times(0, numerology.header_symbols)
        try:
            header, content = heard_header(self.frame_format, estimate, received, times, self.key)
        except HeaderError:
            return self._fail("bad_header", self._failed_start)
        if self.link is not None and header.link != self.link:
            return self._fail("foreign", self._failed_start)
        self._candidate.header, self._candidate.content, self.state = header, content, State.PAYLOAD
        return True

    def _payload(self) -> bool:
        """Track the phases and hand the frame out."""
        candidate, numerology = self._candidate, self.frame_format.numerology
        assert candidate.estimate is not None
        assert candidate.header is not None
        symbols = numerology.header_symbols + self.frame_format.payload_symbols(candidate.header)
        received = self._symbols(symbols + (numerology.gap >= numerology.symbol_length))
        if received is None:
            return False
        heard = Heard(received, self.frame_format.times(0, len(received)), self._prefixes(len(received)))
        frame = assemble(self.frame_format, candidate.header, candidate.content, candidate.estimate, heard, self.clock)
        if abs(frame.clock.offset - self.clock.offset) * self._reach() > _MOVED:
            samples = heard.prefixes.samples[numerology.cyclic_prefix :]
            candidate.estimate = estimate_from_samples(samples, self.frame_format, self.frame_format.training_times, frame.clock.offset)
            frame = assemble(self.frame_format, candidate.header, candidate.content, candidate.estimate, heard, self.clock)
        frame = frame.placed(candidate.ltf, candidate.frequency, self._noise_limit())
        if not frame.suspicious:
            self.clock = self.clock.after(frame.clock)
        self._noise.append(candidate.estimate.noise_variance)
        self.counters.update(frames=1, suspicious=int(frame.suspicious), lost_symbols=int(frame.lost.sum()))
        self._done.append(replace(frame, counters=dict(self.counters)))
        kept = numerology.header_symbols + int(np.flatnonzero(~frame.lost).max(initial=-1)) + 1  # another frame may be in what is lost
        length = numerology.symbol_length * (self.frame_format.ltf_symbols + kept) - numerology.cyclic_prefix
        self._at, self._failures, self.state = candidate.ltf + length, 0, State.SEARCH
        return True

    def _reach(self) -> float:
        """Cycles by which a clock of offset 1 turns the outermost carrier over half of the LTF."""
        numerology = self.frame_format.numerology
        return float(np.abs(numerology.carriers).max() * np.abs(self.frame_format.training_times).max()) / numerology.n_fft

    def _symbols(self, symbols: int) -> Array | None:
        """Carriers (symbols, K, n_rx) from the header's first symbol on, or None where samples are missing."""
        numerology = self.frame_format.numerology
        first = self._candidate.ltf + numerology.symbol_length * self.frame_format.ltf_symbols
        samples = self._buffer.take(first, numerology.symbol_length * symbols - numerology.cyclic_prefix)
        return None if samples is None else demodulate(numerology, samples * self._derotation(first, len(samples)), 0, symbols)

    def _prefixes(self, symbols: int) -> Prefixes:
        """The samples of the LTF and so many symbols, with their prefixes."""
        numerology, estimate = self.frame_format.numerology, self._candidate.estimate
        assert estimate is not None
        assert estimate.late is not None
        training = self.frame_format.ltf_symbols + numerology.header_symbols
        first = self._candidate.ltf - numerology.cyclic_prefix
        samples = self._buffer.take(first, numerology.symbol_length * (self.frame_format.ltf_symbols + symbols))
        assert samples is not None
        noise = estimate.noise_variance * numerology.n_fft / numerology.n_used
        return Prefixes(numerology, samples * self._derotation(first, len(samples)), estimate.late, noise, training)

    def _derotation(self, first: int, count: int) -> Array:
        """What takes the frequency offset out of samples (count, 1), `first` being the number of the first."""
        return np.exp(-2j * np.pi * self._candidate.frequency * (np.arange(count) + (first - self._at)))[:, None]

    def _fail(self, reason: str, start: int) -> bool:
        """Count a failure and go on searching behind it."""
        self.counters[reason] += 1
        if self._at - self._last_failure > _FORGIVEN:
            self._failures = 0
        self._last_failure, self._failed_start, self.state = self._at, start, State.SEARCH
        self._failures += reason != "repeated"
        self._at += SKIP << min(max(self._failures - _PATIENCE, 0), 4)
        return True

    def _noise_limit(self) -> float:
        """σ̂² above which a frame is suspicious: 4 × the running median."""
        return _NOISE_RATIO * float(np.median(self._noise)) if self._noise else np.inf

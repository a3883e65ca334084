"""What the receiver hands out: a frame's elements with their phases taken out, and the channels that a link is matched to.

The elements of a message are y = H s + v, v of variance σ̂² and H = Ĥ up to an error of variance τ̂ an entry. Ĥ belongs to the LTF's middle;
θ turns every later symbol back to it.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from latentlink_runtime.channels.channel import Channel
from latentlink_runtime.radio import damage, track
from latentlink_runtime.radio.estimate import DISTORTION, ChannelEstimate, delay_basis
from latentlink_runtime.radio.frame import FrameFormat, Placement, precoded_pilots, take_elements
from latentlink_runtime.radio.header import Header
from latentlink_runtime.radio.prefix import Prefixes, limit
from latentlink_runtime.radio.track import Clock, Observation
from latentlink_runtime.radio.waveform import pilots

Array = np.ndarray[Any, Any]

_LARGEST_BEND = 0.25  # of the header's channel from Ĥ, over σ̂² + τ̂, beyond τ̂'s share
_LARGEST_RATIO = 3.0  # of the worst header symbol's misfit to the median: samples were missing or doubled within the header
_LARGEST_STEP, _STEP_DEVIATIONS = 0.5, 4.0  # of misfits from a header symbol on, all of which are above all before it
_FEWEST_OF_STEP = 3  # symbols before and after it: distortion may be in one or two
_LEAST_MISFIT = 0.4  # of the header: σ̂² was not noise
_LARGEST_CLOCK = 500e-6  # what no oscillator has, but a shift within the header seems to have
_DEVIATIONS = 6.0  # of the bend, and of the LTF symbols' parts of σ̂²


@dataclass(frozen=True, eq=False)
class Heard:
    """What is left of a frame once its header is known.

    Attributes:
        received: carriers (symbols, K, n_rx) of header, payload, and one symbol more where the gap is as long.
        times: (symbols,) after the LTF's middle, in samples.
        prefixes: of the LTF, the header and the payload.
    """

    received: Array
    times: Array
    prefixes: Prefixes


@dataclass(frozen=True, eq=False)
class ReceivedFrame:
    """A frame.

    Attributes:
        header: what it says of itself.
        h: Ĥ (K, n_rx, n_tx) of the used carriers.
        noise_variance: σ̂² of a carrier at a receive antenna.
        error_variance: τ̂ (K,), of an entry of Ĥ.
        elements: (messages u, n_rx), message by message, phases and signs taken out.
        element_symbol: payload symbol (messages u,) of each element.
        lost: True (symbols,) for payload symbols that are not what was sent; all of them in a suspicious frame.
        chi_square: χ² (symbols,) of the pilots over that of the header where the latter is above 1; 1 where nothing happened.
        constellation: QPSK symbols (header symbols, K) of the header as they came, combined over antennas, those sent being ±1 ± j over √2.
        header_misfit: χ² of the header, each symbol at its best phase; above 1 by the distortion that the training does not show.
        precoded: H B (data carriers, n_rx, q) as the precoded pilots tell it, with errors of variance σ̂² / q; None in other kinds.
        frequency: carrier frequency offset in cycles a sample.
        clock: posterior of the transmitter's clock against ours.
        start: number of the first sample of the LTF's window in the stream.
        suspicious: True where σ̂² is above 4 × the running median, the header had another channel than Ĥ, or one of
            the LTF or header symbols is much worse than the others.
        counters: what the receiver counted so far: detections, frames, and failures by reason.
        placement: of the elements.
        data_index: places of the data carriers among the used ones.
    """

    header: Header
    h: Array
    noise_variance: float
    error_variance: Array
    elements: Array
    element_symbol: Array
    lost: Array
    chi_square: Array
    constellation: Array
    header_misfit: float
    precoded: Array | None
    frequency: float
    clock: Clock
    start: int
    suspicious: bool
    counters: dict[str, int]
    placement: Placement
    data_index: Array

    @property
    def lost_messages(self) -> Array:
        """True (messages,) for those with an element in a lost symbol."""
        return np.any(self.lost[self.element_symbol].reshape(-1, self.placement.uses), axis=1)

    @property
    def clock_ppm(self) -> float:
        """The transmitter's clock against ours in parts per million."""
        return 1e6 * self.clock.offset

    @property
    def snr_db(self) -> float:
        """Mean power of the entries of Ĥ over σ̂² in dB: the SNR of a carrier at a receive antenna, of a transmit power of 1."""
        return 10 * float(np.log10((np.abs(self.h) ** 2).mean() / self.noise_variance))

    def placed(self, start: int, frequency: float, noise_limit: float) -> "ReceivedFrame":
        """The frame with its place in the stream, its whole frequency offset, and the guard on its noise."""
        suspicious = self.suspicious or self.noise_variance > noise_limit
        lost = self.lost | np.full(self.lost.shape, suspicious)
        return replace(self, start=start, frequency=self.frequency + frequency, suspicious=suspicious, lost=lost)


def assemble(
    frame_format: FrameFormat, header: Header, content: bytes, estimate: ChannelEstimate, heard: Heard, clock: Clock
) -> ReceivedFrame:
    """The frame of what was heard."""
    numerology, heads = frame_format.numerology, frame_format.numerology.header_symbols
    known = _observation(frame_format, content, estimate, heard.received, heard.times)
    end = heads + frame_format.payload_symbols(header)
    head, pilot = known.part(slice(None, heads)), known.part(slice(heads, end))
    line, theta, prefix, freedom = _tracked(frame_format, known.part(slice(end)), clock, heard.prefixes)
    payload = pilot.received * np.exp(-1j * theta[heads:])[..., None]
    first = frame_format.precoded_symbols(header)
    elements, symbol = take_elements(frame_format, header, payload[first:])
    best = track.best_phase(head, theta[:heads])
    misfit = float((misfits := track.misfit(head, best)).mean())
    bend = track.bend(head, best, frame_format.header_grid(content), numerology.header_repetitions)
    chi_square = track.misfit(pilot, theta[heads:]) / max(misfit, 1.0)
    lost = _lost(frame_format, heard.prefixes, chi_square, prefix, freedom)
    if len(lost) and damage.ends_elsewhere(known.part(slice(heads, None)), theta[heads:], lost):
        lost = damage.from_first(lost)
    return ReceivedFrame(
        header,
        estimate.h,
        estimate.noise_variance,
        estimate.error_variance,
        elements,
        symbol + first,
        lost,
        chi_square,
        frame_format.header_grid(content) * np.exp(-1j * best) * head.correlation / head.weight,
        misfit,
        _precoded(payload[:first, numerology.data_index]) if first else None,
        line.frequency,
        line.clock,
        0,
        is_bent(frame_format, estimate, bend)
        or is_shifted(misfits, line.clock, prefix[: heard.prefixes.training], freedom, estimate.h.shape[:2]),
        {},
        frame_format.placement,
        numerology.data_index,
    )


def is_shifted(misfits: Array, clock: Clock, prefix: Array, prefix_freedom: float, values: tuple[int, ...]) -> bool:
    """True where samples were missing or doubled within the training, as the χ² of header symbols or of prefixes tell, or the clock."""
    allowed = 1 + max(_LARGEST_STEP, _STEP_DEVIATIONS / np.sqrt(values[0] * values[1]))
    places = range(_FEWEST_OF_STEP, len(misfits) - _FEWEST_OF_STEP + 1)
    steps = any(float(misfits[at:].min()) > allowed * float(misfits[:at].max()) for at in places)
    uneven = float(misfits.max()) > _LARGEST_RATIO * float(np.median(misfits))
    broken = float(prefix.max()) > limit(prefix_freedom)
    return steps or uneven or broken or float(misfits.mean()) < _LEAST_MISFIT or abs(clock.offset) > _LARGEST_CLOCK


def is_bent(frame_format: FrameFormat, estimate: ChannelEstimate, bend: float) -> bool:
    """True where samples were missing or doubled within the training: the header had another channel, or one LTF symbol more noise."""
    each = estimate.h.shape[1] * (frame_format.numerology.n_used - delay_basis(frame_format.numerology).shape[1])
    share = float((estimate.error_variance / estimate.disturbance).mean())
    chance = 0.5 / np.sqrt(frame_format.numerology.n_used * frame_format.numerology.header_repetitions * estimate.h.shape[1])
    distorted = DISTORTION * float((np.abs(estimate.h) ** 2).mean()) / float(estimate.disturbance.mean())
    limit = share + _LARGEST_BEND + _DEVIATIONS * chance + distorted
    return bool(bend > limit or estimate.unevenness > 1 + _DEVIATIONS / np.sqrt(each))


def per_carrier_channels(frame: ReceivedFrame, power: float = 1.0) -> Channel:
    """The channels that links of this frame's messages are matched to: Ĥ in noise σ̂² + τ̂ P.

    Returns:
        A batch of one channel for each message of the placement's pattern, with its u uses; for one use a message, of one for each data
        carrier. Message i of the frame has the channel i mod batch.
    """
    where = frame.data_index[frame.placement.carriers]
    return Channel(frame.h[where], frame.noise_variance, power, error_variance=frame.error_variance[where].mean(-1))


def _observation(frame_format: FrameFormat, content: bytes, estimate: ChannelEstimate, received: Array, times: Array) -> Observation:
    """The header as it was decoded, and the pilots, through Ĥ."""
    numerology, heads = frame_format.numerology, frame_format.numerology.header_symbols
    sent = frame_format.header_grid(content)[..., None] * frame_format.header_beams()
    expected = np.zeros_like(received)
    expected[:heads] = np.einsum("kat,lkt->lka", estimate.h, sent)
    known = pilots(numerology, frame_format.n_tx, len(received) - heads)
    expected[heads:, numerology.pilot_index] = np.einsum("kat,lkt->lka", estimate.h[numerology.pilot_index], known)
    energy = (np.abs(estimate.h) ** 2).sum((1, 2))
    slope = (2 * np.pi * numerology.carriers / numerology.n_fft) ** 2
    delay_variance = estimate.noise_variance / numerology.ltf_repetitions / (2 * float(slope @ energy))
    return Observation(received, expected, times, estimate.disturbance, delay_variance)


def _tracked(frame_format: FrameFormat, known: Observation, clock: Clock, prefixes: Prefixes) -> tuple[track.Line, Array, Array, float]:
    """The line of phases, θ (symbols, K) of all symbols, and χ² of the LTF's and their prefixes.

    Symbols that are lost even at their own best phase have no say.
    """
    numerology, heads = frame_format.numerology, frame_format.numerology.header_symbols
    line = track.fit_line(known, numerology.carriers, numerology.n_fft, clock)
    theta = line.theta(known.times, numerology.carriers, numerology.n_fft)
    fit = track.misfit(known, track.best_phase(known, theta))
    prefix, freedom = prefixes.chi_square(np.concatenate([np.zeros(frame_format.ltf_symbols), -line.clock.offset * known.times]))
    lost = _lost(frame_format, prefixes, fit[heads:] / max(float(fit[:heads].mean()), 1.0), prefix, freedom)
    if lost.any():
        sound = np.concatenate([np.ones(heads, bool), ~lost])
        known = replace(known, expected=known.expected * sound[:, None, None])
        line = track.fit_line(known, numerology.carriers, numerology.n_fft, clock)
        theta = line.theta(known.times, numerology.carriers, numerology.n_fft)
    theta[heads:] += track.remaining_phase(known.part(slice(heads, None)), theta[heads:])[:, None]
    return line, theta, prefix, freedom


def _lost(frame_format: FrameFormat, prefixes: Prefixes, chi_square: Array, prefix: Array, prefix_freedom: float) -> Array:
    """True (symbols,) for payload symbols that are damaged, as far as they tell it themselves."""
    freedom = len(frame_format.numerology.pilots) * prefixes.samples.shape[1]
    return damage.lost_symbols(chi_square, freedom, prefix[prefixes.training :], prefix_freedom)


def _precoded(received: Array) -> Array:
    """H B (data carriers, n_rx, q) of precoded pilot symbols (q, data carriers, n_rx)."""
    return np.einsum("lka,lq->kaq", received, precoded_pilots(len(received)).conj()) / len(received)

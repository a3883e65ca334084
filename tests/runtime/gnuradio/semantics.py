"""A link over an air as devices have it: sounding, feedback, messages; and its error beside that of a simulation.

Latents, labels, pair, codec and head are those of the conformance kit. The simulation has the true channel, the true noise, and the error
of the receiver's estimate: what the radio adds to that is its own fault.
"""

import runpy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import latentlink_runtime as lr
from latentlink_runtime.channels.channel import Channel
from latentlink_runtime.feedback.links import link_from_feedback
from latentlink_runtime.feedback.report import Report
from latentlink_runtime.radio.frame import FrameFormat
from latentlink_runtime.radio.numerology import LL_64_16, Numerology
from latentlink_runtime.radio.received import ReceivedFrame, per_carrier_channels
from latentlink_runtime.radio.receiver import Receiver
from latentlink_runtime.radio.transmitter import Transmitter
from runtime.gnuradio.airs import Through
from runtime.radio.air import Air, noise

Array = np.ndarray[Any, Any]

KIT = Path(__file__).parents[3] / "runtime" / "conformance"
SYMBOLS = 40
SOUNDINGS = 2


@cache
def kit() -> tuple[Array, Array, Array]:
    """x (600, 24), y (600, 18) and labels (600,) of the conformance kit."""
    pilots = runpy.run_path(str(KIT / "make.py"))["pairs"]()
    return pilots.x.numpy(), pilots.y.numpy(), pilots.labels.numpy()


@dataclass(frozen=True, eq=False)
class Figures:
    """Means over frames.

    Attributes:
        nmse: of latents, over the energy around the mean.
        accuracy: of the head.
    """

    nmse: float
    accuracy: float


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of a link.

    Attributes:
        loop: over the air.
        simulation: with the same estimate's error.
        frames: of messages that were received, in order.
        noise_ratio: σ̂² over the noise of a carrier.
        sent: frames of messages that were sent.
    """

    loop: Figures
    simulation: Figures
    frames: list[ReceivedFrame]
    noise_ratio: float
    sent: int


def over(
    through: Through, air: Air, name: str, frames: int, seed: int = 0, *, numerology: Numerology = LL_64_16, symbols: int = SYMBOLS
) -> Outcome:
    """The link of a pair or a codec of the kit, after sounding frames, over an air of these taps and this noise."""
    rng = np.random.default_rng(seed)
    n_rx, n_tx = air.taps.shape[1:]
    frame_format, carriers = FrameFormat(n_tx, numerology), numerology.n_data
    transmitter, receiver = Transmitter(frame_format), Receiver(frame_format, n_rx)
    sounding = receiver.push(through(np.concatenate([transmitter.frame(number) for number in range(SOUNDINGS)])))
    assert len(sounding) == SOUNDINGS
    design, report = lr.load(KIT / f"{name}.safetensors"), reported(sounding[-1])
    link = link_from_feedback(design, report, carriers).link
    which = rng.integers(len(kit()[0]), size=(frames, carriers, symbols))
    payloads = [np.swapaxes(link.encode(kit()[0][chosen]), 0, 1).reshape(-1, n_tx) for chosen in which]
    stream = np.concatenate([transmitter.frame(SOUNDINGS + number, payload) for number, payload in enumerate(payloads)])
    got = receiver.push(through(stream))
    known = [(which[frame.header.sequence - SOUNDINGS], frame) for frame in got]
    variance = air.noise_variance * numerology.n_used / numerology.n_fft
    loop = [figures(link.matched_to(per_carrier_channels(frame)), received(frame), chosen) for chosen, frame in known]
    simulated = [simulation(link, air, frame, chosen, variance, rng, numerology) for chosen, frame in known]
    ratio = float(np.mean([frame.noise_variance for frame in got]) / variance)
    return Outcome(mean(loop), mean(simulated), got, ratio, frames)


def reported(frame: ReceivedFrame, bits: int = 6) -> bytes:
    """The report of a sounding frame, of the data carriers."""
    error = float(frame.error_variance[frame.data_index].mean())
    return Report.measure(frame.h[frame.data_index], frame.noise_variance, error, bits=bits).to_bytes()


def received(frame: ReceivedFrame) -> Array:
    """Elements (carriers, symbols, 1, n_rx)."""
    return np.swapaxes(frame.elements.reshape(-1, len(frame.data_index), 1, frame.elements.shape[1]), 0, 1)


def simulation(
    link: Any, air: Air, frame: ReceivedFrame, chosen: Array, variance: float, rng: np.random.Generator, numerology: Numerology
) -> Figures:
    """The link over the true taps in true noise, known up to an error as large as the frame's estimate has it."""
    H = Air(air.taps).response(numerology.carriers[numerology.data_index], numerology.n_fft)[:, None]
    tau = float(frame.error_variance.mean())
    known = Channel(H + noise(rng, H.shape, tau), variance, error_variance=tau)
    through = np.einsum("curt,cnut->cnur", H, link.encode(kit()[0][chosen]))
    return figures(link.matched_to(known), through + noise(rng, through.shape, variance), chosen)


def figures(link: Any, elements: Array, chosen: Array) -> Figures:
    """Of the latents that a link makes of elements (carriers, symbols, 1, n_rx)."""
    _, y, labels = kit()
    estimate = link.decode(elements)
    head = lr.load(KIT / "head.safetensors")
    error = ((estimate - y[chosen]) ** 2).sum(-1).mean() / ((y - y.mean(0)) ** 2).sum(-1).mean()
    return Figures(float(error), float((head(estimate).argmax(-1) == labels[chosen]).mean()))


def mean(parts: list[Figures]) -> Figures:
    """Over frames."""
    return Figures(float(np.mean([part.nmse for part in parts])), float(np.mean([part.accuracy for part in parts])))

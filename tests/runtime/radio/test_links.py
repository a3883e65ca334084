"""Links over the air: the error of latents is that of a simulation with the true channel, its noise, and the estimate's error."""

import numpy as np
import pytest

from latentlink_runtime.channels.channel import Channel
from latentlink_runtime.linear.design import LinearDesign
from latentlink_runtime.linear.link import LinearLink
from latentlink_runtime.radio.frame import FrameFormat, Placement
from latentlink_runtime.radio.received import ReceivedFrame, per_carrier_channels
from latentlink_runtime.radio.receiver import Receiver
from latentlink_runtime.radio.transmitter import Transmitter
from runtime.radio.air import Air, noise, rayleigh

Array = np.ndarray
D = 24
STRENGTH = 0.85 ** np.arange(D)
SYMBOLS, FRAMES = 40, 8


def pair(rng: np.random.Generator) -> LinearDesign:
    """Semantic modes of white latents."""
    analysis, synthesis = (np.linalg.qr(rng.standard_normal((D, D)))[0] for _ in range(2))
    return LinearDesign(analysis, synthesis * STRENGTH, STRENGTH, rng.standard_normal(D), rng.standard_normal(D))


def wanted(design: LinearDesign, x: Array) -> Array:
    """The latents y (…, D) that a link without noise and with enough uses would give."""
    return (x - design.mean_x) @ design.analysis.T @ design.synthesis.T + design.mean_y


def nmse(estimate: Array, y: Array) -> float:
    """Over the energy around the mean."""
    return float(((estimate - y) ** 2).sum(-1).mean() / (STRENGTH**2).sum())


def latents(design: LinearDesign, rng: np.random.Generator, pattern: int, times: int) -> Array:
    """x (pattern, times, D)."""
    return rng.standard_normal((pattern, times, D)) + design.mean_x


def over_the_air(link: LinearLink, frame_format: FrameFormat, air: Air, xs: list[Array], rng: np.random.Generator) -> list[ReceivedFrame]:
    """Frames of latents (pattern, times, D), message i being of pattern i mod its length."""
    transmitter = Transmitter(frame_format)
    elements = [np.swapaxes(link.encode(x), 0, 1).reshape(-1, frame_format.n_tx) for x in xs]
    samples = np.concatenate([transmitter.frame(number, payload) for number, payload in enumerate(elements)])
    return Receiver(frame_format, air.taps.shape[1]).push(air(samples, rng, 900))


@pytest.mark.parametrize(("antennas", "snr_db", "uses"), [(4, 10, 1), (4, 20, 1), (2, 5, 2)])
def test_the_loops_error_is_the_simulations(antennas: int, snr_db: float, uses: int) -> None:
    rng = np.random.default_rng(70 + antennas)
    frame_format = FrameFormat(antennas, placement=Placement.over_frequency(uses, 48))
    design, numerology = pair(rng), frame_format.numerology
    air = Air(rayleigh(rng, 4, antennas, antennas), 10 ** (-snr_db / 10), frequency=0.01, clock=100e-6, delay=123)
    variance = air.noise_variance * numerology.n_used / numerology.n_fft
    carriers = numerology.carriers[numerology.data_index[frame_format.placement.carriers]]
    H = Air(air.taps).response(carriers.ravel(), numerology.n_fft).reshape(*carriers.shape, antennas, antennas)
    link = design.design(Channel(H, variance))
    xs = [latents(design, rng, len(H), SYMBOLS) for _ in range(FRAMES)]
    frames = over_the_air(link, frame_format, air, xs, rng)
    assert len(frames) == FRAMES
    loop, simulation = [], []
    for x, frame in zip(xs, frames, strict=True):
        y = wanted(design, x)
        assert not frame.lost.any()
        r = np.swapaxes(frame.elements.reshape(SYMBOLS, len(H), uses, antennas), 0, 1)
        loop.append(nmse(link.matched_to(per_carrier_channels(frame)).decode(r), y))
        tau = float(frame.error_variance.mean())
        known = Channel(H + noise(rng, H.shape, tau), variance, error_variance=tau)
        through = np.einsum("curt,cnut->cnur", H, link.encode(x))
        simulation.append(nmse(link.matched_to(known).decode(through + noise(rng, through.shape, variance)), y))
    assert np.mean(loop[1:]) == pytest.approx(np.mean(simulation[1:]), abs=0.005)
    assert np.mean(loop[1:]) < 0.6

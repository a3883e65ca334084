"""Both nodes in one process: memory streams with an air between them, sessions whose messages are frames that take a turn."""

from collections import deque
from pathlib import Path
from typing import Any

import numpy as np

import latentlink_runtime as lr
from latentlink_runtime.channels.channel import Channel
from latentlink_runtime.control.receiver import ReceiverSession
from latentlink_runtime.control.session import Identity
from latentlink_runtime.control.transmitter import TransmitterSession
from latentlink_runtime.control.wire import decode, encode
from latentlink_runtime.feedback.links import link_from_feedback
from latentlink_runtime.iq.memory import memory_pair
from latentlink_runtime.radio.frame import FrameFormat
from latentlink_runtime.serve.air import Air
from latentlink_runtime.serve.decoded import Decoded
from latentlink_runtime.serve.layout import by_pattern, in_order
from latentlink_runtime.serve.receive import ReceiverNode
from latentlink_runtime.serve.transmit import TransmitterNode

Array = np.ndarray[Any, Any]

CONFORMANCE = Path(lr.__file__).parents[2] / "conformance"
IDENTITY = Identity("ab" * 32, "cd" * 32, "ll-64-16", 1, 4, 4)
RATE, PER_FRAME = 1e6, 48 * 10


def conformance(name: str) -> Any:
    return lr.load(CONFORMANCE / f"{name}.safetensors")


def random(seed: int) -> Any:
    """Bytes that are the same every time."""
    return np.random.default_rng(seed).bytes


class Loop:
    """A transmitter, an air and a receiver, and their time; messages take a step to arrive."""

    def __init__(self, design: Any, air: Air, *, coherence_s: float = 10.0, late: int = 0, **given: Any) -> None:
        self.design, self.air, self.now, self.format = design, air, 0.0, FrameFormat(4)
        self.tx = TransmitterNode(design, self.format, TransmitterSession(IDENTITY, random(1)), rate=RATE, per_frame=PER_FRAME, **given)
        self.rx = ReceiverNode(design, self.format, ReceiverSession(IDENTITY, random(2)), coherence_s=coherence_s)
        self.out, self.source = memory_pair(RATE, 4)
        self.sink, self.antennas = memory_pair(RATE, 4)
        self.to_rx: list[tuple[bytes, Any]] = []
        self.to_tx: list[Any] = []
        self.said: list[str] = []
        self.decoded: list[Decoded] = []
        self.sent: dict[int, tuple[Array, bytes]] = {}  # latents and the feedback of each frame
        self.on_the_air: deque[Array] = deque([np.zeros((0, 4), np.complex64)] * late)  # frames that arrive as many frames later
        self.newest: dict[int, int] = {}  # epoch that the receiver told last, as a frame of messages came
        self.feedback: dict[int, bytes] = {}
        self.random = np.random.default_rng(5)

    def coefficients(self, count: int) -> Array:
        modes = getattr(self.design, "modes", self.design)
        spread = np.sqrt(getattr(self.design, "covariance", 1.0))
        return self.random.standard_normal((count, len(modes.strength))) * spread

    def latents(self, z: Array) -> Array:
        modes = getattr(self.design, "modes", self.design)
        return z @ np.linalg.pinv(modes.analysis.astype(float)).T + modes.mean_x

    def talk(self) -> None:
        to_rx = [(b"key", decode(encode(message))) for message in self.tx.control(self.to_tx, self.now)]
        to_tx = [decode(encode(message)) for _, message in self.rx.control(self.to_rx, self.now)]
        self.said += [message.type for message in to_tx] + [message.type for _, message in to_rx]
        self.to_rx, self.to_tx = to_rx, to_tx

    def step(self, seconds: float = 0.002, feeds: bool = True) -> None:
        self.now += seconds
        self.talk()
        if feeds and self.tx.is_due(self.now) and not len(self.tx):
            assert self.tx.session.current is not None
            z = self.coefficients(PER_FRAME)
            self.sent[self.tx.sequence] = z, self.tx.session.current.feedback
            self.tx.offer(self.latents(z), self.now)
        samples = self.tx.step(self.now)
        if samples is None:
            return
        self.on_the_air.append(samples)
        if not len(first := self.on_the_air.popleft()):
            return
        self.out.write(first)
        received = self.air(self.source.read(2**20).samples)
        if len(received):
            self.sink.write(received)
            came = self.rx.push(self.antennas.read(2**20), self.now)
            self.feedback.update({number: epoch.feedback for number, epoch in self.rx.session.epochs.items()})
            self.newest.update({decoded.sequence: next(reversed(self.rx.session.epochs)) for decoded in came})
            self.decoded += came

    def run(self, seconds: float, **given: Any) -> None:
        for _ in range(round(seconds / 0.002)):
            self.step(**given)

    def nmse(self, decoded: Decoded) -> float:
        return self.error(decoded.values, self.sent[decoded.sequence][0])

    def error(self, values: Array, z: Array) -> float:
        modes = getattr(self.design, "modes", self.design)
        y = z @ modes.synthesis.T
        return float(((values - modes.mean_y - y) ** 2).sum() / (y**2).sum())

    def simulated(self, decoded: Decoded) -> float:
        """The error over the true channel and noise, with an estimate as wrong as the receiver's."""
        z, feedback = self.sent[decoded.sequence]
        numerology, elements = self.format.numerology, self.format.placement.carriers
        H = self.air.response(numerology.carriers[numerology.data_index], numerology.n_fft)[elements]
        variance = self.air.noise_variance * numerology.n_used / numerology.n_fft
        tau = float(decoded.frame.error_variance.mean())
        link = link_from_feedback(self.design, feedback, numerology.n_data, elements=elements).link
        known = Channel(H + self.noise(H.shape, tau), variance, error_variance=tau)
        through = np.einsum("curt,cnut->cnur", H, link.encode(by_pattern(self.latents(z), len(H))))
        values = link.matched_to(known).decode(through + self.noise(through.shape, variance))
        return self.error(in_order(values, len(z)), z)

    def noise(self, shape: tuple[int, ...], variance: float) -> Array:
        return np.sqrt(variance / 2) * (self.random.standard_normal((*shape, 2)) @ np.array([1, 1j]))

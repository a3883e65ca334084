"""What the radio costs on one thread, in the nodes that serve it: `python benchmarks/radio.py`.

Frames of 768 messages over 4 × 4 antennas, four taps and noise, made and received in this process: the transmitter's node makes samples of
latents, the receiver's node latents of samples. Medians over frames; synchronisation and estimation are those of `radio.Receiver` alone on
the same samples, in turn with the node. Designs are those of the conformance kit, and a random one of the demo's size (1280 dimensions, 128
modes), whose decoder forms latents.
"""

import os
import time
from pathlib import Path
from typing import Any

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import numpy as np
from rich.console import Console
from rich.table import Table

import latentlink_runtime as lr
from latentlink_runtime.control.receiver import ReceiverSession
from latentlink_runtime.control.session import Identity
from latentlink_runtime.control.transmitter import TransmitterSession
from latentlink_runtime.iq.protocol import Block
from latentlink_runtime.linear.design import LinearDesign
from latentlink_runtime.radio.frame import FrameFormat
from latentlink_runtime.radio.receiver import Receiver
from latentlink_runtime.serve.receive import ReceiverNode
from latentlink_runtime.serve.transmit import TransmitterNode
from record import record

KIT = Path(lr.__file__).parents[2] / "conformance"
ANTENNAS, PER_FRAME, FRAMES, RATE, TAPS = 4, 768, 100, 1e6, 4
IDENTITY = Identity("ab" * 32, "cd" * 32, "ll-64-16", 1, ANTENNAS, ANTENNAS)
Array = np.ndarray[Any, Any]


def complex_normal(rng: np.random.Generator, shape: tuple[int, ...], variance: float) -> Array:
    """Complex Gaussian numbers."""
    both: Array = rng.standard_normal((*shape, 2)) @ np.array([1, 1j])
    return np.sqrt(variance / 2) * both


def random_design(rng: np.random.Generator, dimensions: int = 1280, modes: int = 128) -> LinearDesign:
    """A design of the demo's size."""
    analysis, synthesis = (rng.standard_normal((modes, dimensions), np.float32) / np.sqrt(dimensions) for _ in range(2))
    strength = np.linspace(0.95, 0.1, modes, dtype=np.float32)
    return LinearDesign(analysis, synthesis.T.copy(), strength, np.zeros(dimensions, np.float32), np.zeros(dimensions, np.float32))


class Air:
    """Four taps and noise, the same for all frames."""

    def __init__(self, snr_db: float) -> None:
        self.rng = np.random.default_rng(1)
        self.variance = 10 ** (-snr_db / 10)
        self.taps = complex_normal(self.rng, (TAPS, ANTENNAS, ANTENNAS), 1 / TAPS)

    def __call__(self, samples: Array) -> Array:
        """Samples at the receive antennas."""
        out = complex_normal(self.rng, samples.shape, self.variance)
        for lag, tap in enumerate(self.taps):
            out[lag:] += samples[: len(samples) - lag] @ tap.T
        return out.astype(np.complex64)


class Link:
    """Both nodes with a session between them."""

    def __init__(self, design: Any, air: Air) -> None:
        self.air, self.now, self.first = air, 0.0, 0
        frame_format = FrameFormat(ANTENNAS)
        self.tx = TransmitterNode(design, frame_format, TransmitterSession(IDENTITY), rate=RATE, per_frame=PER_FRAME, known_every=1000)
        self.rx = ReceiverNode(design, frame_format, ReceiverSession(IDENTITY), per_frame=PER_FRAME, coherence_s=100.0)
        self.answers: list[Any] = []

    def talk(self) -> None:
        """Let the messages of the control plane go both ways."""
        sent = [(b"peer", message) for message in self.tx.control(self.answers, self.now)]
        self.answers = [message for _, message in self.rx.control(sent, self.now)]

    def step(self) -> tuple[Array | None, float]:
        """Samples of the next frame as they arrive, and the seconds that the transmitter took."""
        begun = time.perf_counter()
        samples = self.tx.step(self.now)
        seconds = time.perf_counter() - begun
        return None if samples is None else self.air(samples), seconds

    def received(self, samples: Array) -> tuple[int, float]:
        """Messages that the receiver made of samples, and its seconds."""
        block = Block(samples, self.first, 0)
        self.first += len(samples)
        begun = time.perf_counter()
        decoded = self.rx.push(block, self.now)
        return sum(int((~frame.lost).sum()) for frame in decoded), time.perf_counter() - begun

    def connect(self) -> None:
        """Sound the channel until the transmitter has a report of it."""
        for _ in range(200):
            self.now += 0.005
            self.talk()
            samples, _ = self.step()
            if samples is not None:
                self.received(samples)
            if self.tx.is_due(self.now + 1.0) and self.rx.session.state == "linked":
                return
        raise RuntimeError("the link was not up after 200 steps")


def measure(design: Any, snr_db: float) -> dict[str, float]:
    """Medians over frames."""
    link, rng = Link(design, Air(snr_db)), np.random.default_rng(2)
    link.connect()
    d = getattr(design, "modes", design).analysis.shape[-1]
    alone = Receiver(FrameFormat(ANTENNAS), ANTENNAS, key=link.rx.session.secret)
    times: list[tuple[float, float, float]] = []
    messages = 0
    while len(times) < FRAMES:
        link.now += 0.01
        link.talk()
        link.tx.offer(rng.standard_normal((PER_FRAME, d)).astype(np.float32), link.now)
        samples, sending = link.step()
        if samples is None:
            continue
        got, whole = link.received(samples)
        begun = time.perf_counter()
        alone.push(samples)
        times.append((sending, whole, time.perf_counter() - begun))
        messages += got
    sending, whole, radio = np.median(times[2:], axis=0)
    return {
        "rate": PER_FRAME / whole,
        "radio": 1e3 * radio,
        "decoding": 1e6 * (whole - radio) / PER_FRAME,
        "sending": 1e6 * sending / PER_FRAME,
        "received": messages / (FRAMES * PER_FRAME),
    }


def main() -> None:
    """Measure, print and record."""
    designs = {
        "linear, kit": lr.load(KIT / "pair.safetensors"),
        "codec, kit": lr.load(KIT / "codec-mean.safetensors"),
        "linear, 1280 dimensions": random_design(np.random.default_rng(0)),
    }
    table = Table(title=f"frames of {PER_FRAME} messages, {ANTENNAS}×{ANTENNAS} antennas, one thread", title_justify="left")
    for name in ("design", "SNR", "messages a second", "synchronisation and estimation", "decoding", "transmitting", "received"):
        table.add_column(name, justify="left" if name == "design" else "right")
    for name, design in designs.items():
        for snr_db in (10.0, 20.0):
            seen = measure(design, snr_db)
            table.add_row(
                name,
                f"{snr_db:.0f} dB",
                f"{seen['rate']:,.0f}",
                f"{seen['radio']:.1f} ms a frame",
                f"{seen['decoding']:.1f} µs a message",
                f"{seen['sending']:.1f} µs a message",
                f"{100 * seen['received']:.1f} %",
            )
    Console(width=180).print(table)
    record("radio", table, threads=1)


if __name__ == "__main__":
    main()

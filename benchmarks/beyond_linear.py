"""What lifted latents and the decoder of a mixture gain over the linear link: `python benchmarks/beyond_linear.py images images-300 nouns`.

The demo's encoders with 12,000 labelled pairs, all of their latents or so many principal components of each end, or a pair of `unseen.py`;
the goal is the Fisher metric of the head on y at temperature 3. Eight Rayleigh channels at 20 dB, 1×1, 2×2, 4×4 and 8×8, seeded by their
number of antennas, 4,000 test images (2,400 texts). Differences to the linear link are over the same messages, channels and noise; their
standard error is over messages, each one's mean over the channels. All defaults: 1,000 features, whose width is the median distance of
latents. Nothing is chosen here.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

import latentlink as ll
from alignment import SNR_DB, Setting
from record import record
from unseen import LATENTS, SETS, setting

SIZES = (1, 2, 4, 8)
CHANNELS = 8
FEATURES = 1000
LINEAR = "linear"


def designs(at: Setting) -> Iterator[tuple[str, Any, ll.SemanticModes]]:
    """Each design with the modes that it takes, the linear one first."""
    most = 2 * max(SIZES)  # coefficients that a message carries
    plain = ll.semantic_modes(ll.Moments.from_pairs(at.x, at.y), at.goal).truncated(most)
    yield LINEAR, ll.ClosedForm(), plain
    mixture = ll.nonlinear.MixtureDecoder.of(plain, ll.Pilots(at.x, at.y, at.labels))
    yield "mixture decoder", ll.nonlinear.MixtureLink(mixture), plain
    lifted = ll.nonlinear.Lifted.of_latents(at.x, FEATURES)
    modes = ll.semantic_modes(lifted.moments(at.x, at.y), at.goal).truncated(most)
    yield f"{FEATURES:,} features", ll.nonlinear.LiftedLink(lifted), modes
    mixture = ll.nonlinear.MixtureDecoder.of(modes, ll.Pilots(lifted.of(at.x), at.y, at.labels))
    yield "both", ll.nonlinear.LiftedLink(lifted, by=ll.nonlinear.MixtureLink(mixture)), modes
    half = len(at.x) // 2
    tx = ll.alignment.Concepts.from_labels(at.x[:half], at.labels[:half])
    rx = ll.alignment.Concepts.from_labels(at.y[half:], at.labels[half:])
    modes = ll.semantic_modes(ll.Moments.from_concepts(tx, rx, goal=at.goal), at.goal)
    yield "labels, no pair", ll.ClosedForm(), modes
    yield "labels, mixture decoder", ll.nonlinear.MixtureLink(ll.nonlinear.MixtureDecoder.from_concepts(modes, tx, rx)), modes


def measured(at: Setting, design: Any, modes: ll.SemanticModes, antennas: int) -> tuple[Tensor, Tensor, float]:
    """How often each image is told right, its squared error relative to the variance of y (n,), and the power, means over the channels."""
    channel = ll.Channel.from_snr(ll.rayleigh(antennas, antennas, batch=(CHANNELS,), generator=antennas), snr_db=SNR_DB)
    link = design.design(modes, channel).transceiver
    received = channel.apply(link.encode(at.test_x), torch.Generator().manual_seed(0))
    power = float(link.encode(at.test_x).abs().square().sum((-2, -1)).mean())
    variance = (at.test_y - at.test_y.mean(0)).square().sum(1).mean()
    right, error = torch.zeros(len(at.test_x)), torch.zeros(len(at.test_x), dtype=torch.float64)
    for one in range(CHANNELS):
        decoded = link.mean_y + link.receive(received)[one] @ link.synthesis.mT
        right += (at.head(decoded).argmax(-1) == at.test_labels) / CHANNELS
        error += (decoded - at.test_y).square().sum(-1) / variance / CHANNELS
    return right, error, power


def main(name: str, at: Setting) -> None:
    """Measure all designs on a pair of encoders, and print and keep the table."""
    table = Table(
        "design",
        *(f"{size}×{size} {what}" for size in SIZES for what in ("accuracy", "− linear", "NMSE")),
        title=f"Beyond linear, {name}",
    )
    base: dict[int, Tensor] = {}
    for method, design, modes in designs(at):
        start, cells = time.perf_counter(), []
        for size in SIZES:
            right, error, power = measured(at, design, modes, size)
            base.setdefault(size, right)
            gain = right - base[size]
            difference = f"{gain.mean():+.3f} ± {gain.std() / len(gain) ** 0.5:.3f}" if method != LINEAR else ""
            cells += [f"{right.mean():.3f}", difference, f"{error.mean():.3f}"]
            assert power < 1.1, f"{method} radiates {power}"
        table.add_row(method, *cells)
        Console().print(f"{method} in {time.perf_counter() - start:.0f} s: {cells}")
    Console(width=200).print(table)
    record(f"beyond-linear-{name}", table)


if __name__ == "__main__":
    given = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
    torch.set_num_threads(1)
    for wanted in [word for word in sys.argv[1:] if "=" not in word] or ["images"]:
        if wanted in SETS:
            main(wanted, setting(Path(given.get("latents", LATENTS)) / SETS[wanted]))
        else:
            main(wanted, Setting.demo() if wanted == "images" else Setting.demo().in_components(int(wanted.removeprefix("images-"))))

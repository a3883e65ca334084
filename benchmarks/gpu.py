"""A GPU beside the CPU of the same machine: designs, batches of channels, training, and memory, in one run of a few minutes.

Run: python benchmarks/gpu.py [--device cuda] [--small]

`--small` makes everything tiny, and `--device cpu` compares the CPU with itself: both only show that the script runs.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.table import Table

import latentlink as ll
from latentlink import objectives
from record import record

console = Console()


@dataclass(frozen=True)
class Sizes:
    dimension: int = 1280
    pilots: int = 20_000
    channels: int = 100_000
    antennas: int = 4
    width: int = 256
    epochs: int = 2
    steps: int = 40


SMALL = Sizes(dimension=24, pilots=500, channels=200, antennas=2, width=32, epochs=1, steps=2)


def pairs(sizes: Sizes) -> ll.Pilots:
    """Two random linear views of a common cause, with noise."""
    generator = torch.Generator().manual_seed(0)
    cause = torch.randn(sizes.pilots, 64, generator=generator)
    x, y = (
        cause @ torch.randn(64, sizes.dimension, generator=generator) + torch.randn(sizes.pilots, sizes.dimension, generator=generator)
        for _ in range(2)
    )
    return ll.Pilots(x, y, torch.arange(sizes.pilots) % 10)


def timed(device: torch.device, run: Callable[[], torch.Tensor]) -> tuple[float, torch.Tensor]:
    """Seconds of a run, and what it returned."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    result = run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start, result


def tasks(sizes: Sizes, device: torch.device) -> dict[str, Callable[[], torch.Tensor]]:
    """What is timed on a device; each returns numbers that are the same on every device, or nothing."""
    data = pairs(sizes).to(device)
    moments = ll.Moments.from_pairs(data.x, data.y)
    modes = ll.semantic_modes(moments)
    h = ll.rayleigh(sizes.antennas, sizes.antennas, batch=(sizes.channels,), generator=0)
    channel = ll.Channel.from_snr(h.to(torch.complex128).to(device), 20.0)
    count = max(1, sizes.channels // 1000)
    few = channel[:count]
    draws = ll.channels.ChannelDraws(antennas=(sizes.antennas,))

    def trained() -> torch.Tensor:
        ll.Neural(epochs=sizes.epochs, patience=sizes.epochs, precision="float32").design(data, channel[:1])
        return torch.zeros(0)

    def fitted() -> torch.Tensor:
        training = ll.CodecTraining(draws=draws, width=sizes.width, rounds=1, steps=sizes.steps, bank=(64, 16, 16))
        training.fit(modes, data, objectives.Regression())
        return torch.zeros(0)

    return {
        f"moments of {sizes.pilots:,} pairs": lambda: ll.Moments.from_pairs(data.x, data.y).cov_yx,
        "modes": lambda: ll.semantic_modes(moments, shrinkage=0.1).strength,
        f"exact design of {sizes.channels:,} channels": lambda: ll.ClosedForm().design(modes, channel).known_mse,
        f"per-antenna ADMM of {count:,} channels": lambda: ll.Admm(power=ll.power.PerAntenna()).design(modes, few).known_mse,
        f"networks, {sizes.epochs} epochs": trained,
        f"codec, {sizes.steps} steps": fitted,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    sizes = SMALL if options.small else Sizes()
    device = torch.device(options.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    table = Table(title=f"{name} beside the CPU, {torch.get_num_threads()} threads, torch {torch.__version__}", title_justify="left")
    for column in ("task", "CPU s", f"{device} s", "times faster", "largest relative difference", "memory GiB"):
        table.add_column(column, justify="left" if column == "task" else "right")
    for warmed in (torch.device("cpu"), device):  # what is started or compiled for the first time is not timed
        for run in tasks(SMALL, warmed).values():
            run()
    here, there = tasks(sizes, torch.device("cpu")), tasks(sizes, device)
    for task in here:
        seconds, expected = timed(torch.device("cpu"), here[task])
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        faster, found = timed(device, there[task])
        peak = torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else float("nan")
        close = float(((found.cpu() - expected).abs() / expected.abs().amax()).max()) if expected.numel() else float("nan")
        table.add_row(task, f"{seconds:.3g}", f"{faster:.3g}", f"{seconds / faster:.1f}", f"{close:.1e}", f"{peak:.2f}")
        if expected.numel() and "ADMM" not in task and not close < 1e-9:
            raise SystemExit(f"{task}: {device} and the CPU differ by {close:.1e}, expected less than 1e-9")
    console.print(table)
    record("gpu", table)


if __name__ == "__main__":
    main()

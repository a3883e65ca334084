"""Networks of the paper trained together, as one batch, against one after the other: `python benchmarks/together.py`.

Both do the same work; what is compared is the time of all networks for some epochs, on latents of the size of the paper's and on small
ones. Networks for several channels see the same pilots, networks of several seeds their own.
"""

import time

import torch
from rich.console import Console
from rich.table import Table

import latentlink as ll
from latentlink.neural.paper.design import NeuralJob, design_together
from record import record

SIZES = ((420, 1280, 6, 4), (4200, 1280, 6, 1), (12_000, 1280, 4, 1), (1000, 64, 20, 10))  # pilots, dimension, networks, epochs
ROUNDS, ANTENNAS = 3, 8


def latents(count: int, dimension: int, seed: int) -> ll.Pilots:
    """Two linear views of one cause."""
    g = torch.Generator().manual_seed(seed)
    cause = torch.randn(count, 64, generator=g)
    return ll.Pilots(cause @ torch.randn(64, dimension, generator=g), cause @ torch.randn(64, dimension, generator=g))


def seconds(jobs: list[NeuralJob]) -> tuple[float, float]:
    """Seconds one after the other, and together."""
    started = time.perf_counter()
    for job in jobs:
        job.network.design(job.pilots, job.channel, progress=False)
    between = time.perf_counter()
    design_together(jobs)
    return between - started, time.perf_counter() - between


def main() -> None:
    table = Table("networks", "pilots", "one after the other", "together", "gain", title="networks trained together")
    for count, dimension, networks, epochs in SIZES:
        h = ll.rayleigh(ANTENNAS, ANTENNAS, batch=(networks,), generator=0)
        for seeds in (1, networks):
            pilots = [latents(count, dimension, seed) for seed in range(seeds)]
            jobs = [
                NeuralJob(ll.Neural(epochs=epochs, seed=i % seeds), pilots[i % seeds], ll.Channel.from_snr(h[i], 20.0))
                for i in range(networks)
            ]
            rounds = [seconds(jobs) for _ in range(ROUNDS)]
            alone, together = (min(times) for times in zip(*rounds, strict=True))
            what = f"{networks} {'channels, one seed' if seeds == 1 else 'seeds'}, {epochs} epochs"
            table.add_row(what, f"{count:,} of {dimension}", f"{alone:.2f} s", f"{together:.2f} s", f"{alone / together:.2f} ×")
    Console().print(table)
    record("together", table)


if __name__ == "__main__":
    main()

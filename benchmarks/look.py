"""How often a look accuses paired rows, and how often it finds permuted ones: `python benchmarks/look.py [TX RX LABELS] …`.

The pairs are those of the encoders at hand on the images at hand, and of any files that are named, three by three. Rows are drawn anew
each time, of three numbers from twice the effective rank of x to as many as a look takes, in 400 draws that are paired and 100 that are
permuted in each of three ways: all rows, within classes, and one class sorted after the other at one end; of 1,000 rows a fourth of that.
"""

import argparse
import math
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

import latentlink as ll
from latentlink.latents.dependence import measure_dependence
from latentlink.latents.look import End, Look, look, pairing_fault
from record import record

PAIRED, PERMUTED, WORKERS = 400, 100, 2
SMALL = End(dimension=1, effective_rank=1.0, largest_share=0.0, repeats=0, constant=0)  # the rule on pairing looks at none of it
WAYS = ("permuted", "permuted within classes", "sorted by class at one end")


def pairs(files: list[str]) -> Iterator[tuple[str, ll.Pilots]]:
    """The pairs at hand, by name."""
    encoders = ("mobilenet-v2", "efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2")
    for tx, rx in zip(encoders, (*encoders[1:], encoders[0]), strict=True):
        found = ll.data.device_pair("auto", tx, rx, pilots=4000, test=1)
        yield f"{found.transmitter} → {found.receiver}", found.pilots
    for tx, rx, labels in zip(*(iter(files),) * 3, strict=True):
        yield f"{tx} → {rx}", ll.read_pairs(tx, rx, labels)


def accused(pilots: ll.Pilots, n: int, way: str, seed: int) -> bool:
    """True where a look at n rows, paired or permuted in some way, says that they are not paired."""
    torch.set_num_threads(1)
    g = torch.Generator().manual_seed(seed)
    part = pilots[torch.randperm(len(pilots), generator=g)[:n]]
    labels = part.require_labels()
    shuffled = torch.randperm(n, generator=g)
    order = torch.arange(n)
    if way == "permuted":
        order = shuffled
    elif way == "permuted within classes":
        order = torch.empty(n, dtype=torch.long).scatter_(0, labels.argsort(stable=True), shuffled[labels[shuffled].argsort(stable=True)])
    elif way == "sorted by class at one end":
        order = labels.argsort(stable=True)
    y = part.y[order]
    within = measure_dependence(part.x, y, labels, seed) if n >= 16 * len(labels.unique()) else None
    seen = Look(n, SMALL, SMALL, None, measure_dependence(part.x, y, None, seed), within)
    return pairing_fault(seen) is not None


def share(pilots: ll.Pilots, n: int, way: str, draws: int) -> str:
    """How many of so many draws are accused."""
    with ProcessPoolExecutor(WORKERS) as workers:
        found = workers.map(partial(accused, pilots, n, way), range(draws), chunksize=10)
        return f"{sum(track(found, f'{n} rows, {way}', draws, transient=True))} of {draws}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", help="latents of both ends and labels, three by three")
    table = Table("pair", "effective rank of x", "rows", "paired, accused", *(f"{way}, found" for way in WAYS), title="a look at pairing")
    for name, pilots in pairs(parser.parse_args().files):
        rank = look(pilots.x, pilots.y, pilots.labels).transmitter.effective_rank
        for n in sorted({math.ceil(2 * rank), 300, 1000}):
            part = 1 if n < 1000 else 4
            found = [share(pilots, n, way, PERMUTED // part) if way == "permuted" or n >= 300 else "" for way in WAYS]
            table.add_row(name, f"{rank:.0f}", str(n), share(pilots, n, "paired", PAIRED // part), *found)
    Console().print(table)
    record("look", table, threads=1)


if __name__ == "__main__":
    main()

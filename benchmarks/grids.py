"""1,000 CDL-C channels of 8×8 antennas and 48 resource elements: drawing them, and all designs for them, with the memory that it takes.

Run: python benchmarks/grids.py    (two threads; a synthetic pair of latents of 1,280 dimensions)
"""

import resource
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import torch
from rich.console import Console
from rich.table import Table

import latentlink as ll
from record import record

CHANNELS, ANTENNAS, ELEMENTS, DIMENSION = 1000, 8, 48, 1280
T = TypeVar("T")
console = Console()


def peak_gib() -> float:
    """Highest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def timed(name: str, run: Callable[[], T], table: Table) -> tuple[T, float]:
    """The result and its seconds, as a row of the table too."""
    started = time.perf_counter()
    result = run()
    seconds = time.perf_counter() - started
    table.add_row(name, f"{seconds:.2f} s", f"{1e3 * seconds / CHANNELS:.2f} ms", f"{peak_gib():.2f} GiB")
    console.print(name, f"{seconds:.2f} s", highlight=False)
    return result, seconds


def modes() -> ll.SemanticModes:
    generator = torch.Generator().manual_seed(0)
    common = torch.randn(4000, 300, generator=generator) * 0.98 ** torch.arange(300)
    x, y = (common @ torch.randn(300, DIMENSION, generator=generator) + torch.randn(4000, DIMENSION, generator=generator) for _ in range(2))
    return ll.semantic_modes(ll.Moments.from_pairs(x, y))


def main() -> None:
    torch.set_num_threads(2)
    table = Table(title=f"{CHANNELS:,} CDL-C channels, {ANTENNAS}×{ANTENNAS}, {ELEMENTS} resource elements, two threads")
    for column in ("what", "time", "a channel", "peak memory so far"):
        table.add_column(column, justify="left" if column == "what" else "right")
    elements = ll.channels.ResourceElements.over_frequency(ELEMENTS, 624)
    table.add_row("before anything", "", "", f"{peak_gib():.2f} GiB")
    draw = partial(ll.tr38901.generate, "CDL-C", ANTENNAS, ANTENNAS, batch=CHANNELS, elements=elements, cache=False, dtype=torch.complex64)
    h, _ = timed("draw the channels (one thread, import of Sionna included)", draw, table)
    table.add_row("… of which they are themselves", "", "", f"{h.numel() * h.element_size() / 2**30:.2f} GiB")
    known = modes()
    channel = ll.Channel.from_grid(h.to(torch.complex128), snr_db=20.0)
    estimate = channel.estimated(0.01, generator=torch.Generator().manual_seed(1))
    timed("singular values and vectors alone, to compare with", lambda: torch.linalg.svd(channel.h, full_matrices=False), table)
    designs = {
        "exact, pooled": (ll.ClosedForm(), channel),
        "equal power per use": (ll.ClosedForm(power=ll.power.Equal()), channel),
        "one use at a time": (ll.ClosedForm(power=ll.power.OneUseAtATime()), channel),
        "robust, one estimate at both ends": (ll.ClosedForm(), estimate),
        "robust, estimate at the transmitter": (ll.ClosedForm(csi=ll.csi.Transmitter()), estimate),
    }
    total = sum(timed(f"design: {name}", partial(design.design, known, given), table)[1] for name, (design, given) in designs.items())
    table.add_row("all designs together", f"{total:.2f} s", f"{1e3 * total / CHANNELS:.2f} ms", "")
    timed("capacity", partial(ll.bounds.capacity, channel), table)
    console.print(table)
    record("grids", table)


if __name__ == "__main__":
    main()

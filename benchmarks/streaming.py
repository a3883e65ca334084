"""Moments and evaluation of 10⁷ pairs of latents in shards on the disk: rows a second, and memory, which is that of 10⁶ pairs.

Run: python benchmarks/streaming.py    (one thread; 1.3 GB on the disk for a while; each figure is of a process of its own)
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import latentlink as ll
from record import record

ROWS, SHARDS, DIMENSION, FOLDS = 10_000_000, 10, 16, 5
FEW = ROWS // SHARDS
MORE = 100_000_000  # rows of which the time is given by arithmetic
console = Console()


def write_shards(folder: Path) -> None:
    """Pairs of one law: a shard at the transmitter holds the rows of one at the receiver, and one that is cut elsewhere."""
    draw = np.random.default_rng(0)
    mixing = draw.standard_normal((DIMENSION, DIMENSION), dtype=np.float32)
    for number in range(SHARDS):
        x = draw.standard_normal((FEW, DIMENSION), dtype=np.float32) + 3
        y = x @ mixing + draw.standard_normal((FEW, DIMENSION), dtype=np.float32)
        np.save(folder / f"x-{number}.npy", x)
        for part, rows in enumerate(np.split(y, [FEW // 3])):
            np.save(folder / f"y-{number}-{part}.npy", rows)


def peak_mib() -> float:
    """Highest memory of this process so far; what getrusage says would include the process that started it."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024  # type: ignore[index]


def measure(what: str, folder: Path, shards: int) -> None:
    """Print the rows, seconds and MiB of one computation; run as a process of its own."""
    x, y = ([f"{folder}/{name}" for name in sorted(path.name for path in folder.glob(pattern))] for pattern in ("x-*.npy", "y-*.npy"))
    first = ll.data.moments_of_shards(x[:1], y[:2])  # what is imported and allocated once
    channel = ll.Channel.from_snr(ll.rayleigh(4, 4, generator=0), 10.0)
    link = ll.ClosedForm().design(ll.semantic_modes(first), channel)
    before, started, used = peak_mib(), time.perf_counter(), time.process_time()
    sources = x[:shards], y[: 2 * shards]
    if what == "marginal":
        count = ll.data.marginal_of_shards(sources[0]).count
    elif what == "evaluation":
        count = ll.data.evaluate_shards(link, *sources, channel=channel, generator=0).messages
    elif what == "moments":
        count = ll.data.moments_of_shards(*sources).count
    else:
        checkpoint = folder / f"{shards}.safetensors"
        count = ll.data.moments_of_shards(*sources, folds=FOLDS, checkpoint=checkpoint).count
    seconds = {"seconds": time.perf_counter() - started, "used": time.process_time() - used}
    print(json.dumps({"rows": count, **seconds, "start": before, "peak": peak_mib()}))


def main() -> None:
    title = f"latents beyond memory, {DIMENSION} → {DIMENSION} in float32, {SHARDS} and {2 * SHARDS} shards, one thread"
    table = Table(title=title, title_justify="left")
    for name in (
        "what",
        "rows",
        "time",
        "of the processor",
        "rows a second of it",
        "memory at the start",
        "… and at most",
        f"{MORE:.0e} rows, by arithmetic",
    ):
        table.add_column(name, justify="left" if name == "what" else "right")
    with tempfile.TemporaryDirectory() as folder:
        write_shards(Path(folder))
        words = {"moments": "moments", "folds": f"moments of {FOLDS} folds, with a checkpoint", "marginal": "marginal of one end"}
        words["evaluation"] = "evaluation over a channel of 4×4 antennas"
        for what, name in words.items():
            for shards in (1, SHARDS):
                command = [sys.executable, __file__, what, folder, str(shards)]
                seen = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                rate = seen["rows"] / seen["used"]
                table.add_row(
                    name,
                    f"{seen['rows']:.0e}",
                    f"{seen['seconds']:.1f} s",
                    f"{seen['used']:.1f} s",
                    f"{rate:,.0f}",
                    f"{seen['start']:.0f} MiB",
                    f"{seen['peak']:.0f} MiB",
                    f"{MORE / rate / 60:.1f} minutes",
                )
    console.print(table)
    record("streaming", table, threads=1)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()

"""1,000 CDL-C channels of 8×8 antennas and 48 resource elements: drawing them, and all designs for them, with the memory that it takes.

Run: python benchmarks/grids.py    (two threads; a synthetic pair of latents of 1,280 dimensions)
"""

import json
import resource
import time
from collections.abc import Callable
from pathlib import Path

import torch

import latentlink as ll

CHANNELS, ANTENNAS, ELEMENTS, DIMENSION = 1000, 8, 48, 1280
RESULTS = Path("results/bench/grids.json")


def peak_gib() -> float:
    """Highest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def timed(name: str, run: Callable[[], object], into: dict[str, dict[str, float]]) -> object:
    started = time.perf_counter()
    result = run()
    seconds = time.perf_counter() - started
    into[name] = {"seconds": seconds, "peak_gib": peak_gib()}
    print(f"{name:58s} {seconds:7.2f} s   {1e3 * seconds / CHANNELS:7.3f} ms a channel   peak memory {peak_gib():.2f} GiB", flush=True)
    return result


def modes() -> ll.SemanticModes:
    generator = torch.Generator().manual_seed(0)
    common = torch.randn(4000, 300, generator=generator) * 0.98 ** torch.arange(300)
    x, y = (common @ torch.randn(300, DIMENSION, generator=generator) + torch.randn(4000, DIMENSION, generator=generator) for _ in range(2))
    return ll.semantic_modes(ll.Moments.from_pairs(x, y))


def main() -> None:
    torch.set_num_threads(2)
    results: dict[str, dict[str, float]] = {}
    elements = ll.ResourceElements.over_frequency(ELEMENTS, 624)
    base = peak_gib()
    h = timed(
        "draw 1,000 CDL-C grids (one thread, Sionna's import included)",
        lambda: ll.tr38901("CDL-C", ANTENNAS, ANTENNAS, CHANNELS, elements, cache=False, dtype=torch.complex64),
        results,
    )
    print(f"{'':58s} the grids themselves take {h.numel() * 8 / 2**30:.3f} GiB; the process had {base:.2f} GiB before")
    known = modes()
    channel = ll.Channel.from_grid(h.to(torch.complex128), snr_db=20.0)
    estimate = channel.estimated(0.01, generator=torch.Generator().manual_seed(1))
    timed("singular values alone, for comparison", lambda: torch.linalg.svd(channel.h, full_matrices=False), results)
    for name, power in (("pooled", ll.MeanPower()), ("equal power per use", ll.EqualPower()), ("one use at a time", ll.OneUseAtATime())):
        timed(f"exact design, {name}", lambda power=power: ll.ClosedForm(power=power).design(known, channel), results)
    timed("estimate at both ends, robust", lambda: ll.ClosedForm().design(known, estimate), results)
    timed("capacity, OPTA", lambda: (ll.capacity(channel), ll.capacity(channel)), results)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()

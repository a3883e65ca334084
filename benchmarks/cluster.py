"""Cells of half a second on a Dask cluster of this machine, against joblib's threads; and 1,000 cells while workers are killed.

Run: python benchmarks/cluster.py    (two cores)

A cell multiplies matrices on one thread, for about half a second where nothing else runs; it gives the same number everywhere.
"""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

import joblib
import torch
from rich.console import Console
from rich.table import Table

from latentlink.execution import Cluster, connect
from record import record

CORES, CELLS, SECONDS, ROUNDS, SIZE = 2, 24, 0.5, 3, 192
KILLED, MANY = 3, 1000
console = Console()


@dataclass
class Work:
    """So many products of matrices; the result is a number that depends on all of them, and the seconds that it took."""

    products: int

    def __call__(self, seed: int) -> tuple[float, float]:
        torch.set_num_threads(1)
        started = time.perf_counter()
        x = torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) / SIZE**0.5
        y = x
        for _ in range(self.products):
            y = (x @ y).clamp(-1, 1)
        return float(y.sum()), time.perf_counter() - started


def calibrated() -> Work:
    """Work of about half a second on one core that is shared with nobody."""
    Work(20)(0)
    return Work(round(200 * SECONDS / min(Work(200)(0)[1] for _ in range(5))))


def in_threads(work: Work) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = joblib.Parallel(n_jobs=CORES, prefer="threads")(joblib.delayed(work)(seed) for seed in range(CELLS))
    return found


def on(cluster: Cluster, work: Work) -> list[tuple[float, float]]:
    ended = sorted(cluster.run(work, range(CELLS)), key=lambda each: each.number)
    return [each.result() for each in ended]


def timed(run: Callable[[], list[tuple[float, float]]]) -> tuple[float, float, list[float]]:
    """Seconds in all, those of a cell by its own clock, and the results."""
    started = time.perf_counter()
    found = run()
    seconds = time.perf_counter() - started
    return seconds, sum(own for _, own in found) / len(found), [value for value, _ in found]


def compare(table: Table) -> None:
    work = calibrated()
    with connect(2) as two, connect(4) as four:
        ways: dict[str, tuple[int, Callable[[], list[tuple[float, float]]]]] = {
            "joblib, 2 threads": (2, lambda: in_threads(work)),
            "Dask, 2 workers": (2, lambda: on(two, work)),
            "Dask, 4 workers": (4, lambda: on(four, work)),
        }
        for _, run in ways.values():
            run()  # imports, and the function at the workers
        rounds = [{name: timed(run) for name, (_, run) in ways.items()} for _ in range(ROUNDS)]
    reference = rounds[0]["joblib, 2 threads"][2]
    for name, (width, _) in ways.items():
        walls = [each[name][0] for each in rounds]
        ratios = [each[name][0] / each["joblib, 2 threads"][0] - 1 for each in rounds]
        gaps = [each[name][0] * width / CELLS - each[name][1] for each in rounds]  # of a place, between two cells
        equal = all(each[name][2] == reference for each in rounds)
        table.add_row(
            f"{name}: {CELLS} cells of {SECONDS} s",
            f"{median(walls):.2f} s",
            f"{100 * median(ratios):+.1f} % ({100 * min(ratios):+.1f} to {100 * max(ratios):+.1f})",
            f"{1e3 * median(gaps):.0f} ms",
            "yes" if equal else "NO",
        )


def kill_some(pids: Callable[[], Iterable[int]], times: list[float]) -> threading.Thread:
    """Kill a random worker at each of these times."""

    def kill() -> None:
        started = time.perf_counter()
        for moment in times:
            time.sleep(max(0.0, started + moment - time.perf_counter()))
            os.kill(random.choice(sorted(pids())), signal.SIGKILL)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    return thread


def survive(table: Table) -> None:
    """1,000 small cells while workers are killed at random times."""
    random.seed(0)
    work = Work(max(1, calibrated().products // 20))
    expected = [work(seed)[0] for seed in range(MANY)]
    with connect(4) as four:
        list(four.run(work, range(8)))
        length = MANY * SECONDS / 20 / CORES
        thread = kill_some(lambda: four.client.run(os.getpid).values(), sorted(random.uniform(0.1, 0.7) * length for _ in range(KILLED)))
        started = time.perf_counter()
        ended = list(four.run(work, range(MANY)))
        seconds = time.perf_counter() - started
        thread.join()
    whole = len(ended) == len({each.number for each in ended}) == MANY and all(each.result()[0] == expected[each.number] for each in ended)
    table.add_row(
        f"Dask, 4 workers, {KILLED} killed: {MANY} cells of {SECONDS / 20} s", f"{seconds:.2f} s", "", "", "yes" if whole else "NO"
    )


def main() -> None:
    torch.set_num_threads(1)
    table = Table(title="cells on workers of this machine, against threads")
    for column in ("what", "time", "against joblib", "between two cells", "each result once, all bits equal"):
        table.add_column(column, justify="left" if column == "what" else "right")
    compare(table)
    survive(table)
    console.print(table)
    record("cluster", table)


if __name__ == "__main__":
    main()

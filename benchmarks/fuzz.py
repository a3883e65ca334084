"""Changed files: what readers, study files and artifacts make of bytes that are flipped, cut, inserted or taken from another file.

Run: python benchmarks/fuzz.py [--mutations 10000] [--seed 0] [--kinds npy csv …] [--processes 2]

Each mutation is read in a worker process, which is watched: one that dies, or waits for ever, is a finding and is replaced. A mutation has
to end in a finite array of the declared kind or in one of the documented errors, within a second of computing and with less than 100 MB
more memory; an artifact or a result that is taken has to be the one that was saved. Findings are printed with the number of their mutation,
and their files are kept in results/fuzz. An interruption prints what was found so far.
"""

import argparse
import random
import shutil
import signal
import tempfile
import time
import warnings
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import polars as pl
import scipy.io
import torch
from rich.console import Console

import latentlink as ll
from latentlink.storage.artifacts import read
from latentlink.studies.result_files import Results, read_rows

LATEST_S, MEMORY, PART = 1.0, 100 << 20, 10_000  # the arrays are of a kilobyte, and so are twice their declared sizes
DOCUMENTED = (ValueError, TypeError, OSError, ImportError, MemoryError)
KEPT = Path("results/fuzz")  # files of findings
SUFFIXES = {"artifact": "safetensors", "study": "yaml", "channels": "npy", "labels": "npy", "result": "parquet", "chunks": "h5"}
LOADED = ["h5py", "polars", "rich.console", "scipy.io", "torch", "latentlink.studies.result_files"]
console = Console()


class Late(BaseException):
    """A file took longer than a second."""


def originals(folder: Path) -> dict[str, Path]:
    """One small file of every kind."""
    x = np.random.default_rng(0).normal(size=(20, 6))
    made = {kind: folder / f"{kind}.{SUFFIXES.get(kind, kind)}" for kind in ("npy", "npz", "safetensors", "pt", "parquet", "arrow", "csv")}
    np.save(made["npy"], x)
    np.savez(made["npz"], z=x)
    ll.data.write_array(made["safetensors"], torch.tensor(x))
    torch.save({"z": torch.tensor(x)}, made["pt"])
    table = pl.DataFrame({f"f{column}": x[:, column] for column in range(6)})
    table.write_parquet(made["parquet"])
    table.write_ipc(made["arrow"])
    table.write_csv(made["csv"])
    kinds = ("mat", "h5", "chunks", "artifact", "study", "channels", "labels", "result")
    made |= {kind: folder / f"{kind}.{SUFFIXES.get(kind, kind)}" for kind in kinds}
    np.save(made["channels"], x[:, :4].reshape(20, 2, 2) + 1j)
    np.save(made["labels"], np.arange(20) % 3)
    Results(folder).write_table(table)
    Results(folder).all_rows.rename(made["result"])
    scipy.io.savemat(made["mat"], {"z": x})
    with h5py.File(made["h5"], "w") as file:
        file["z"] = x
    with h5py.File(made["chunks"], "w") as file:
        file.create_dataset("group/z", data=x, chunks=(5, 3), compression="gzip")
    ll.semantic_modes(ll.Moments.from_pairs(x, x[:, :4])).save(made["artifact"])
    made["study"].write_text("name: small\nmethods: [{name: closed-form}]\nsnr: {snr_db: [0, 10]}\n", encoding="utf-8")
    return made


def mutated(content: bytes, other: bytes, drawn: random.Random) -> bytes:
    """The bytes with one to four changes."""
    data = bytearray(content)
    for _ in range(drawn.choice((1, 1, 1, 2, 4))):
        place = drawn.randrange(len(data) + 1) if drawn.random() < 0.5 else drawn.randrange(min(len(data), 256) + 1)  # headers
        match drawn.randrange(5):
            case 0 if place < len(data):
                data[place] ^= 1 << drawn.randrange(8)
            case 1:
                del data[place:]
            case 2:
                data[place:place] = drawn.randbytes(drawn.randrange(1, 9))
            case 3:
                data[place : place + drawn.randrange(1, 64)] = other[place : place + drawn.randrange(1, 64)]
            case _:
                data[place : place + 8] = drawn.choice((b"\xff" * 8, b"\x00" * 8, b"9" * 8, b"-1"))
    return bytes(data)


def verdict(kind: str, path: Path, expected: Any) -> str:
    """What is wrong with what comes of a file, `accepted` or `refused`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if kind == "artifact":
                ll.load(path)
                found = read(path)[0]
                same = found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in found)
                return "accepted" if same else "another artifact is taken"
            if kind == "study":
                ll.studies.read_study(path)
                return "accepted"
            if kind == "result":
                return "accepted" if read_rows(path).equals(expected) else "another result is taken"
            if kind == "labels":
                labels = ll.data.read_labels(path)
                return "accepted" if labels.ndim == 1 and not labels.is_floating_point() and labels.numel() else "no labels"
            if kind == "channels":
                channels = ll.read_channels(path)
                return "accepted" if channels.ndim == 4 and channels.isfinite().all() and channels.numel() else "no finite channels"
            values = ll.read_latents(path)
    except DOCUMENTED:
        return "refused"
    except Late:
        return "no end within a second"
    except BaseException as error:
        return f"{type(error).__name__}: {str(error)[:100]}"
    good = values.ndim == 2 and values.is_floating_point() and bool(values.isfinite().all()) and values.numel() > 0
    return "accepted" if good else "no finite matrix"


class Task(NamedTuple):
    """Mutations of a kind from one number to another."""

    kind: str
    seed: int
    first: int
    last: int


def growth() -> int:
    """Bytes by which this process was larger at its peak than it is now; the peak is forgotten."""
    facts = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    Path("/proc/self/clear_refs").write_text("5")
    return 1024 * (int(facts["VmHWM"].split()[0]) - int(facts["VmRSS"].split()[0]))


def keep(path: Path, number: float) -> None:
    """Keep the file of a finding."""
    KEPT.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, KEPT / f"{path.stem}-{number:.0f}{path.suffix}")


def read_many(task: Task, folder: Path, at: Any, answers: Any) -> None:
    """Put the verdicts on the mutations of a task into a pipe, some at a time; `at` holds which one is read, and since when."""

    def late(*_: object) -> None:
        raise Late

    signal.signal(signal.SIGPROF, late)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    found: Counter[str] = Counter()
    made = originals(folder)
    contents = {name: path.read_bytes() for name, path in made.items()}
    expected = {"artifact": lambda: read(made["artifact"])[0], "result": lambda: read_rows(made["result"])}.get(task.kind, dict)()
    path = made[task.kind]
    verdict(task.kind, path, expected)  # imports what it needs
    for number in range(task.first, task.last):
        drawn = random.Random(f"{task.seed} {task.kind} {number}")
        path.write_bytes(mutated(contents[task.kind], contents[drawn.choice(list(contents))], drawn))
        growth()
        at[:] = [number, time.monotonic()]
        signal.setitimer(signal.ITIMER_PROF, LATEST_S)
        word = verdict(task.kind, path, expected)
        signal.setitimer(signal.ITIMER_PROF, 0)
        if (grown := growth()) > MEMORY:
            word = f"{word}, and took {grown >> 20} MB"
        if word not in ("accepted", "refused"):
            keep(path, number)
            word = f"mutation {number}: {word}"
        found[word] += 1
        if number % 100 == 0 or number == task.last - 1:
            answers.send(found)
            found.clear()
    at[1] = 0.0


class Reader:
    """A process that reads the mutations of a task, and is replaced where it dies or does not answer for ten seconds."""

    def __init__(self, task: Task) -> None:
        self.kind, self.last, self.seed = task.kind, task.last, task.seed
        self.found: Counter[str] = Counter()
        self.folder = tempfile.TemporaryDirectory()
        self._start(task)

    def _start(self, task: Task) -> None:
        context = get_context("forkserver")
        context.set_forkserver_preload(LOADED)  # once for all processes, which are replaced often
        self.at = context.Array("d", [task.first, 0.0], lock=False)
        self.answers, there = context.Pipe(duplex=False)
        self.process = context.Process(target=read_many, args=(task, Path(self.folder.name), self.at, there))
        self.process.start()
        there.close()

    def is_done(self) -> bool:
        """Look whether the task has ended; where a mutation killed or stopped the process, another one reads the rest."""
        number, since = self.at
        alive, stuck = self.process.is_alive(), since > 0 and time.monotonic() - since > 10 * LATEST_S
        with suppress(EOFError):
            while self.answers.poll():
                self.found += self.answers.recv()
        if alive and not stuck:
            return False
        self.end()
        if self.process.exitcode == 0:
            return True
        word = "no end, and no interruption" if stuck else f"killed the process ({self.process.exitcode})"
        self.found[f"mutation {number:.0f}: {word}"] += 1
        if since == 0:
            return True  # before its first mutation
        for path in Path(self.folder.name).glob(f"{self.kind}.*"):
            keep(path, number)
        self._start(Task(self.kind, self.seed, int(number) + 1, self.last))
        return False

    def end(self) -> None:
        self.process.kill()
        self.process.join()


def results(kinds: list[str], mutations: int, seed: int, processes: int) -> Iterator[tuple[str, Counter[str]]]:
    """The verdicts of every kind, in parts, as they come."""
    each = -(-mutations // len(kinds))
    tasks = deque(Task(kind, seed, first, min(first + PART, each)) for first in range(0, each, PART) for kind in kinds)
    readers: list[Reader] = []
    try:
        while tasks or readers:
            while tasks and len(readers) < processes:
                readers.append(Reader(tasks.popleft()))
            time.sleep(0.05)
            for reader in [each for each in readers if each.is_done()]:
                readers.remove(reader)
                yield reader.kind, reader.found
    finally:
        for reader in readers:
            reader.end()


def main(mutations: int, seed: int, kinds: list[str] | None, processes: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        every = list(originals(Path(folder)))
    start, counts = time.perf_counter(), {kind: Counter[str]() for kind in kinds or every}
    try:
        for kind, found in results(list(counts), mutations, seed, processes):
            counts[kind].update(found)
    except KeyboardInterrupt:
        console.print("interrupted")
    for kind, found in counts.items():
        wrong = {word: count for word, count in found.items() if word not in ("accepted", "refused")}
        console.print(f"{kind}: {found['refused']:,} refused, {found['accepted']:,} accepted, {sum(wrong.values())} wrong", markup=False)
        for word in list(wrong)[:20]:
            console.print(f"  {word}", markup=False, highlight=False)
    done = sum(count for found in counts.values() for count in found.values())
    console.print(f"{done:,} mutations in {time.perf_counter() - start:.0f} s", markup=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutations", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="*", default=None)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    main(given.mutations, given.seed, given.kinds, given.processes)

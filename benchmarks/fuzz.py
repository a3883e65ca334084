"""Changed files: what readers, study files and artifacts make of bytes that are flipped, cut, inserted or taken from another file.

Run: python benchmarks/fuzz.py [--mutations 10000] [--seed 0] [--kinds npy csv …] [--processes 2]

Each mutation is read in a worker process. It has to end in a finite array of the declared kind or in one of the documented errors, within a
second and in little memory; an artifact that is taken has to be the one that was saved. Findings are printed with the number of their
mutation, which makes it again. An interruption prints what was found so far.
"""

import argparse
import random
import resource
import signal
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import polars as pl
import scipy.io
import torch
from rich.console import Console

import latentlink as ll
from latentlink.storage.artifacts import read

LATEST_S, MEMORY = 1.0, 8 << 30
DOCUMENTED = (ValueError, TypeError, OSError, ImportError, MemoryError)
SUFFIXES = {"artifact": "safetensors", "study": "yaml"}
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
    made |= {kind: folder / f"{kind}.{SUFFIXES.get(kind, kind)}" for kind in ("mat", "h5", "artifact", "study")}
    scipy.io.savemat(made["mat"], {"z": x})
    with h5py.File(made["h5"], "w") as file:
        file["z"] = x
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
            values = ll.read_latents(path)
    except DOCUMENTED:
        return "refused"
    except Late:
        return "no end within a second"
    except BaseException as error:
        return f"{type(error).__name__}: {str(error)[:100]}"
    good = values.ndim == 2 and values.is_floating_point() and bool(values.isfinite().all()) and values.numel() > 0
    return "accepted" if good else "no finite matrix"


def _set_alarms(seconds: float) -> None:
    """Set the alarms for what computes for longer, and for what waits ten times as long."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, 10 * seconds)


def read_many(task: tuple[str, int, int, int]) -> Counter[str]:
    """The verdicts on the mutations of a kind from one number to another."""

    def late(*_: object) -> None:
        raise Late

    kind, seed, first, last = task
    for sign in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(sign, late)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    torch.set_num_threads(1)
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        made = originals(Path(folder))
        contents = {name: path.read_bytes() for name, path in made.items()}
        expected = read(made[kind])[0] if kind == "artifact" else None
        path = made[kind]
        verdict(kind, path, expected)  # imports what it needs
        for number in range(first, last):
            drawn = random.Random(f"{seed} {kind} {number}")
            path.write_bytes(mutated(contents[kind], contents[drawn.choice(list(contents))], drawn))
            _set_alarms(LATEST_S)
            word = verdict(kind, path, expected)
            _set_alarms(0)
            found[word if word in ("accepted", "refused") else f"mutation {number}: {word}"] += 1
    return found


def results(kinds: list[str], mutations: int, seed: int, processes: int) -> Iterator[tuple[str, Counter[str]]]:
    """The verdicts of every kind, in parts, as they come."""
    each = -(-mutations // len(kinds))
    tasks = [(kind, seed, first, min(first + 500, each)) for first in range(0, each, 500) for kind in kinds]
    with get_context("spawn").Pool(processes, maxtasksperchild=20) as pool:
        for task, found in zip(tasks, pool.imap(read_many, tasks), strict=True):
            yield task[0], found


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

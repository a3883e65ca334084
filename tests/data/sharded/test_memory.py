"""Constant memory: four times the rows take no more of it, whoever asks and whichever the format."""

import json
import os
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

FEW, MANY, DIM = 40_000, 160_000, 64
MOST_MIB = 20  # that memory may grow by for each, where the data of each end grow by 29 MiB
SCRIPT = r"""
import json, re, sys
from pathlib import Path
import numpy as np
import latentlink as ll

folder = sys.argv[1]

def peak():
    # in MiB; what getrusage says of a process includes the process that started it
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024

def mapped(rows, name):
    return np.load(f"{folder}/{name}-{rows}.npy", mmap_mode="r")

channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), 10.0)
moments = ll.Moments.from_pairs(mapped(40_000, "x")[:1000], mapped(40_000, "y")[:1000])
LINK = ll.ClosedForm().design(ll.semantic_modes(moments), channel)
SENT = {"channel": channel, "generator": 0, "entries": 2**18}

ASKED = {
    "Moments.from_pairs of mapped arrays": lambda rows: ll.Moments.from_pairs(mapped(rows, "x"), mapped(rows, "y")),
    "its folds": lambda rows: ll.Moments.from_pairs(mapped(rows, "x"), mapped(rows, "y"), folds=3),
    "Marginal.from_latents": lambda rows: ll.data.Marginal.from_latents(mapped(rows, "x")),
    "one large file": lambda rows: ll.data.marginal_of_shards(f"{folder}/x-{rows}.npy"),
    "evaluate_shards": lambda rows: ll.data.evaluate_shards(LINK, f"{folder}/x-{rows}.npy", f"{folder}/y-{rows}.npy", **SENT),
    "evaluate of mapped arrays": lambda rows: ll.evaluate(LINK, mapped(rows, "x"), mapped(rows, "y"), **SENT),
    "Parquet": lambda rows: ll.data.moments_of_shards(f"{folder}/x-{rows}.parquet", f"{folder}/y-{rows}.npy", folds=2),
}
for ask in ASKED.values():
    ask(40_000)
found = {}
for name, ask in ASKED.items():
    before = peak()
    ask(160_000)
    found[name] = peak() - before
print(json.dumps(found))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read as Linux tells it")
def test_memory_does_not_grow_with_the_rows(tmp_path):
    for name in "xy":
        latents = np.random.default_rng(ord(name)).standard_normal((MANY, DIM), dtype=np.float32)
        for rows in (FEW, MANY):
            np.save(tmp_path / f"{name}-{rows}.npy", latents[:rows])
            if name == "x":
                frame = pl.DataFrame({f"f{i}": latents[:rows, i] for i in range(DIM)})
                frame.write_parquet(tmp_path / f"x-{rows}.parquet", row_group_size=10_000)
    surroundings = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}  # what is freed is given back, and does not count again
    result = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path)], env=surroundings, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    grown = json.loads(result.stdout)
    assert max(grown.values()) < MOST_MIB, grown

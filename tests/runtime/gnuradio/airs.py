"""Two airs that keep their channel from call to call: GNU Radio's flow graph in a process of its own, and the NumPy air of other tests."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latentlink_runtime.iq.protocol import IQTimeoutError
from latentlink_runtime.serve.flow_graph import PYTHON, SCRIPT, has_gnuradio
from runtime.radio.air import Air

Array = np.ndarray[Any, Any]
Through = Callable[[Array], Array]

MISSING = "GNU Radio is not installed for /usr/bin/python3, so nothing crosses its flow graph."
RATE = 1e6
PATIENCE_S = 30.0
TAIL = 2000  # samples of silence behind what is sent
KEPT = 64  # samples at most that a resampler keeps to itself


def skip_without_gnuradio() -> None:
    """Skips a test, in one sentence."""
    if not has_gnuradio():
        pytest.skip(MISSING)


def command(air: Air, folder: Path, seed: int = 1) -> list[str]:
    """What starts the flow graph, whose endpoints lie in the folder."""
    taps = np.moveaxis(air.taps, 0, -1)  # by receive antenna, transmit antenna and lag
    (folder / "taps.json").write_text(json.dumps(np.stack([taps.real, taps.imag], -1).tolist()))
    values = {"noise-variance": air.noise_variance, "frequency": air.frequency, "clock-ppm": 1e6 * air.clock, "seed": seed}
    options = [f"--{name}={value}" for name, value in values.items()]
    return [PYTHON, "-I", str(SCRIPT), str(folder / "taps.json"), f"ipc://{folder}/tx", f"ipc://{folder}/rx", *options]


@contextmanager
def of_gnuradio(air: Air, folder: Path) -> Iterator[Through]:
    """Samples (n, n_tx) to samples (about n + TAIL, n_rx) through a fresh flow graph."""
    skip_without_gnuradio()
    with flow_graph(command(air, folder), air, folder) as (process, through):
        assert process.stdout is not None
        assert "is up" in process.stdout.readline()
        yield through


@contextmanager
def flow_graph(words: list[str], air: Air, folder: Path) -> Iterator[tuple[subprocess.Popen[str], Through]]:
    """The process of a command whose endpoints lie in the folder, and what carries samples through it."""
    pytest.importorskip("zmq")
    from latentlink_runtime.iq.zeromq import ZmqSink, ZmqSource

    n_rx, n_tx = air.taps.shape[1:]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        sink = ZmqSink(f"ipc://{folder}/tx", RATE, n_tx, budget_s=60)
        source = ZmqSource(f"ipc://{folder}/rx", RATE, n_rx, budget_s=60)
        try:
            yield process, lambda samples: _carried(sink, source, samples, air.clock)
        finally:
            process.kill()
            sink.close()
            source.close()


def _carried(sink: Any, source: Any, samples: Array, clock: float) -> Array:
    """All that comes out of the flow graph, but for what a resampler keeps or the next call brings."""
    sink.write(np.concatenate([samples, np.zeros((TAIL, samples.shape[1]))]), PATIENCE_S)
    due = len(samples) + TAIL
    if clock:
        due = int(due / (1 + clock)) - KEPT
    pieces: list[Array] = []
    came, end = 0, time.monotonic() + PATIENCE_S
    while came < due:
        try:
            block = source.read(2**16, end - time.monotonic())
        except IQTimeoutError as error:
            raise AssertionError(f"only {came} of {due} samples came through within {PATIENCE_S:g} s") from error
        assert not block.lost
        pieces.append(block.samples)
        came += len(block.samples)
    return np.concatenate(pieces)


@contextmanager
def of_numpy(air: Air, folder: Path) -> Iterator[Through]:
    """The same by the NumPy air."""
    del folder
    rng = np.random.default_rng(1)
    yield lambda samples: air(samples, rng, TAIL)


def is_running(pid: int) -> bool:
    """False for a process that is gone, or that only waits for its exit status to be read."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (OSError, IndexError):
        return False


def kill(pid: int) -> None:
    """End a process that may have ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, 9)

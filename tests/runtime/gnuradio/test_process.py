"""The flow graph as a process: it ends with what started it, and refuses what it cannot be."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from runtime.gnuradio import airs
from runtime.radio.air import Air

PARENT = """
import json, subprocess, sys, time
child = subprocess.Popen(json.loads(sys.argv[1]), stdout=subprocess.PIPE, text=True)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def needs_gnuradio() -> None:
    """Skips what cannot run."""
    airs.skip_without_gnuradio()


def test_killing_what_started_it_ends_the_flow_graph(tmp_path: Path) -> None:
    command = json.dumps(airs.command(Air(np.ones((1, 1, 1), complex)), tmp_path))
    with subprocess.Popen([sys.executable, "-c", PARENT, command], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert airs.is_running(child)
        parent.kill()
    end = time.monotonic() + 5
    while airs.is_running(child) and time.monotonic() < end:
        time.sleep(0.01)
    ended = not airs.is_running(child)
    airs.kill(child)
    assert ended


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({3: "[[[[1, 0]]], [[[1, 0]], [[1, 0]]]]"}, "each antenna having all of them"),
        ({4: "tcp://0.0.0.0:5555"}, "plain for all to read"),
        ({-1: "--seed=0"}, "at least 1"),
    ],
)
def test_what_it_cannot_be_is_refused_by_name(change: dict[int, str], message: str, tmp_path: Path) -> None:
    command = airs.command(Air(np.ones((1, 1, 1), complex)), tmp_path)
    for place, value in change.items():
        if place == 3:
            Path(command[place]).write_text(value)
        else:
            command[place] = value
    done = subprocess.run(command, capture_output=True, text=True, timeout=airs.PATIENCE_S)
    assert done.returncode
    assert message in done.stderr

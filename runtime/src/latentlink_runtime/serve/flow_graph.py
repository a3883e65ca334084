"""GNU Radio's flow graph as the air: the program `gnuradio/air.py`, which the system's Python runs as a process of its own."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from latentlink_runtime.serve.air import Air

SCRIPT = Path(__file__).with_name("gnuradio") / "air.py"
PYTHON = "/usr/bin/python3"  # GNU Radio comes with the system, and not with a virtual environment
_POLL_S, _PATIENCE_S = 0.05, 30.0


@cache
def has_gnuradio() -> bool:
    """True where the system's Python has GNU Radio with its blocks for ZeroMQ."""
    try:
        found = subprocess.run([PYTHON, "-I", "-c", "import gnuradio.zeromq"], capture_output=True, timeout=_PATIENCE_S)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return found.returncode == 0


def flow_graph_command(air: Air, source: str, to: str, seed: int, taps: Path) -> list[str]:
    """What starts the flow graph of an air, and writes its taps to a file.

    Args:
        air: whose taps, noise, frequency and clock it has.
        source: endpoint that the transmitter binds.
        to: endpoint that is bound for the receiver.
        seed: of the noise.
        taps: file to be written.

    Raises:
        ValueError: the air has a delay, which the flow graph has not.
    """
    if air.delay:
        raise ValueError(f"the flow graph of GNU Radio has no delay, got {air.delay}: leave --delay out")
    by_antenna = np.moveaxis(air.taps, 0, -1)  # by receive antenna, transmit antenna and lag
    taps.write_text(json.dumps(np.stack([by_antenna.real, by_antenna.imag], -1).tolist()), encoding="utf-8")
    values = {"noise-variance": air.noise_variance, "frequency": air.frequency, "clock-ppm": 1e6 * air.clock, "seed": seed + 1}
    return [PYTHON, "-I", str(SCRIPT), str(taps), source, to, *(f"--{name}={value}" for name, value in values.items())]


def run_flow_graph(air: Air, source: str, to: str, seed: int, stop: Callable[[], bool]) -> None:
    """Let the flow graph carry samples, as a process that ends with this one, until `stop`.

    Raises:
        ValueError: the air has a delay.
        OSError: the system's Python is missing, or the flow graph ended by itself; it says why on stderr.
    """
    with tempfile.TemporaryDirectory(prefix="latentlink-air-") as folder:
        command = flow_graph_command(air, source, to, seed, Path(folder) / "taps.json")
        with subprocess.Popen(command, stdout=sys.stderr) as process:
            try:
                while not stop():
                    time.sleep(_POLL_S)
                    if process.poll() is not None:
                        raise OSError(f"GNU Radio's flow graph ended with status {process.returncode}: is it installed for {PYTHON}?")
            finally:
                process.kill()

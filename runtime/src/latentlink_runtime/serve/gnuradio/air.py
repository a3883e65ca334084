#!/usr/bin/python3
"""An air between transmit and receive antennas as a GNU Radio flow graph, which shares no line of code with latentlink.

    PULL ─ antennas ─ Σ over transmit antennas of FIR filters ─ resampler (clock) ─ rotator (CFO) ─ + noise ─ PUSH

Samples come from, and go to, ZeroMQ as vectors of complex64, one number an antenna: the transmitter binds the endpoint that this reads
from, and the receiver connects to the endpoint that this binds. Run it by the system's Python, which has GNU Radio; see README.md.
"""

import argparse
import ctypes
import json
import math
import os
import signal
from pathlib import Path
from typing import Any


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies: an orphan on an old endpoint would serve later runs with an old channel."""
    parent = os.getppid()
    set_death_signal = 1
    if ctypes.CDLL(None, use_errno=True).prctl(set_death_signal, signal.SIGKILL, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    die_with_parent()  # before the import, which takes most of the time until it is up

from gnuradio import analog, blocks, filter, gr, zeromq  # type: ignore[import-not-found]  # noqa: E402

_POLL_MS = 10  # of the sockets
_ARMS = 32  # of the resampler's filter bank

Taps = list[list[list[complex]]]  # by receive antenna, transmit antenna and lag in samples


def flow_graph(taps: Taps, options: argparse.Namespace) -> Any:
    """The flow graph of these taps, with endpoints and numbers as the command line has them."""
    graph, item, n_rx, n_tx = gr.top_block("air"), gr.sizeof_gr_complex, len(taps), len(taps[0])
    antennas, together = blocks.vector_to_streams(item, n_tx), blocks.streams_to_vector(item, n_rx)
    throttle = [blocks.throttle(item * n_tx, options.rate)] if options.rate else []
    graph.connect(zeromq.pull_source(item, n_tx, options.source, _POLL_MS), *throttle, antennas)
    for number, row in enumerate(taps):
        received = blocks.add_cc()
        for transmit, pair in enumerate(row):
            graph.connect((antennas, transmit), filter.fir_filter_ccc(1, pair), (received, transmit))
        graph.connect(received, *impairments(graph, options, number), (together, number))
    graph.connect(together, zeromq.push_sink(item, n_rx, options.sink, _POLL_MS))
    return graph


def impairments(graph: Any, options: argparse.Namespace, number: int) -> list[Any]:
    """Blocks, one after the other, behind the taps of a receive antenna."""
    chain = []
    if options.clock_ppm:
        chain.append(filter.pfb_arb_resampler_ccf(1 / (1 + 1e-6 * options.clock_ppm), interpolator(), _ARMS))
    if options.frequency:
        chain.append(blocks.rotator_cc(2 * math.pi * options.frequency))
    if options.noise_variance:
        noisy = blocks.add_cc()
        graph.connect(analog.noise_source_c(analog.GR_GAUSSIAN, options.noise_variance**0.5, options.seed + number), (noisy, 1))
        chain.append(noisy)
    return chain


def interpolator() -> Any:
    """Taps that pass carriers up to 0.41 cycles a sample evenly; mmse_resampler_cc, of 8 taps, is made for half the band."""
    return filter.firdes.low_pass_2(_ARMS, _ARMS, 0.5, 0.18, 80)


def read_taps(path: Path) -> Taps:
    """Taps of a JSON file: [re, im] by receive antenna, transmit antenna and lag; ValueError unless all rows have as many antennas."""
    taps = [[[complex(*tap) for tap in pair] for pair in row] for row in json.loads(path.read_text(encoding="utf-8"))]
    if not taps or not taps[0] or len({len(row) for row in taps}) > 1 or not all(pair for row in taps for pair in row):
        raise ValueError(f"{path}: taps must be [re, im] by receive antenna, transmit antenna and lag, each antenna having all of them")
    return taps


def endpoint(value: str) -> str:
    """An endpoint that only this machine reaches."""
    if not value.startswith(("ipc://", "tcp://127.0.0.1:")):
        raise argparse.ArgumentTypeError(f"must be ipc://PATH or tcp://127.0.0.1:PORT, got {value}: samples are plain for all to read")
    return value


def seed(value: str) -> int:
    """A seed of the noise; GNU Radio would take the time for 0."""
    if int(value) < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return int(value)


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="An air between antennas: taps, clock offset, CFO and noise.")
    parser.add_argument("taps", type=Path, help="JSON file of [re, im] by receive antenna, transmit antenna and lag")
    parser.add_argument("source", type=endpoint, help="endpoint of the transmitter, which binds it: ipc://PATH or tcp://127.0.0.1:PORT")
    parser.add_argument("sink", type=endpoint, help="endpoint that is bound for the receiver")
    parser.add_argument("--noise-variance", type=float, default=0.0, help="of a sample at a receive antenna")
    parser.add_argument("--frequency", type=float, default=0.0, help="carrier frequency offset in cycles a sample")
    parser.add_argument("--clock-ppm", type=float, default=0.0, help="how much faster the transmitter's clock is")
    parser.add_argument("--seed", type=seed, default=1, help="of the noise; receive antenna i takes seed + i")
    parser.add_argument("--rate", type=float, default=0.0, help="samples a second of an antenna, at most; unlimited if 0")
    return parser.parse_args()


def main() -> None:
    """Run until killed."""
    options = arguments()
    taps = read_taps(options.taps)
    graph = flow_graph(taps, options)
    graph.start()
    print(f"The air is up: {len(taps[0])} transmit and {len(taps)} receive antennas.", flush=True)
    graph.wait()


if __name__ == "__main__":
    main()

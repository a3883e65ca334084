"""Seconds a message takes in NumPy and in ONNX Runtime, on one thread, with a codec of the demo's size and random weights.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/onnx_messages.py

Both encode and decode the same messages in turn, so that what else the machine does falls on both.
"""

import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from latentlink.deploy.onnx import Constants, receiver, transmitter
from latentlink_runtime.channels.channel import Channel
from latentlink_runtime.codec.ends import Ends
from latentlink_runtime.codec.link import CodecLink
from latentlink_runtime.codec.network import Network
from latentlink_runtime.codec.streams import place_streams
from latentlink_runtime.linear.limit import Limit
from latentlink_runtime.onnx_link import RECEIVER, TRANSMITTER, Graphs

D, MODES, MOST, HIDDEN, FEATURES, READER = 1280, 128, 32, (256, 256), 64, 128


def network(generator, inputs, outputs):
    """A network of random weights."""

    def layer(size, of):
        return (generator.normal(size=(size, of)) / of**0.5).astype(np.float32), np.zeros(size, np.float32)

    layers = tuple(layer(size, of) for size, of in zip(HIDDEN, (inputs, *HIDDEN), strict=False))
    reader = layer(READER, FEATURES), layer(READER, READER)
    modulators = tuple(layer(2 * size, READER) for size in HIDDEN)
    return Network(layers, layer(outputs, HIDDEN[-1]), reader, modulators, layer(outputs + 1, READER))


def codec_link(n):
    """A link on an n × n channel."""
    generator = np.random.default_rng(0)
    channel = Channel((generator.normal(size=(1, n, n)) + 1j * generator.normal(size=(1, n, n))) / 2**0.5, 0.1)
    strength = np.linspace(1, 0.2, MODES)
    streams, beams = place_streams(strength, channel.astype(np.float64), MOST)
    encoder, decoder = network(generator, MODES, MOST), network(generator, MOST, MODES)
    ceiling, active = np.full(MOST // 2 + 1, 1e3), np.ones((), bool)
    beams = type(beams)(beams.transmit.astype(np.complex64), beams.receive.astype(np.complex64), 1)
    streams = streams.astype(np.float32)
    ends = Ends.of(encoder, decoder, streams, active, ceiling).first(2 * beams.transmit.shape[-1])
    analysis = (generator.normal(size=(MODES, D)) / D**0.5).astype(np.float32)
    synthesis, mean = np.ascontiguousarray(analysis.T), np.zeros(D, np.float32)
    energy = streams.share
    return CodecLink(
        analysis,
        synthesis,
        mean,
        mean,
        beams,
        streams,
        energy,
        channel.astype(np.float32),
        encoder,
        decoder,
        ends,
        Limit(),
        ceiling,
        active,
    )


def on_graphs(link, folder):
    """The same link on ONNX Runtime, and the sizes of its files."""
    rest = {name: getattr(link, name) for name in ("analysis", "synthesis", "mean_x", "mean_y", "encoder", "decoder", "limit")}
    own = {"latentlink.format": "1", "latentlink.codec": "benchmark"}
    sizes = []
    for name, make in ((TRANSMITTER, transmitter), (RECEIVER, receiver)):
        sizes.append((folder / name).write_bytes(make(Constants(**rest)).model(own, "latentlink").SerializeToString()))
    begin = time.perf_counter()
    graphs = Graphs.read(folder, "benchmark")
    return graphs.link(link), sizes, time.perf_counter() - begin


def main():
    """Print a table."""
    link = codec_link(4)
    with tempfile.TemporaryDirectory() as folder:
        onnx, sizes, seconds = on_graphs(link, Path(folder))
    print(f"transmitter.onnx {sizes[0]:,} bytes, receiver.onnx {sizes[1]:,} bytes, both read in {1e3 * seconds:.0f} ms")
    generator = np.random.default_rng(1)
    for messages, rounds in ((1, 2000), (16, 400), (256, 60)):
        x = generator.normal(size=(messages, D)).astype(np.float32)
        r = link.encode(x)
        calls = {
            "encode": (lambda at, x=x: at.encode(x)),
            "receive": (lambda at, r=r: at.receive(r)),
            "decode": (lambda at, r=r: at.decode(r)),
        }
        for name, call in calls.items():
            times: dict[str, list[float]] = {"NumPy": [], "ONNX": []}
            for _ in range(rounds):
                for which, at in (("NumPy", link), ("ONNX", onnx)):
                    begin = time.perf_counter()
                    call(at)
                    times[which].append(1e6 * (time.perf_counter() - begin) / messages)
            error = np.abs(call(link) - call(onnx)).max() / np.abs(call(link)).max()
            text = ", ".join(f"{which} p10 {np.percentile(t, 10):.1f} p50 {np.median(t):.1f} µs" for which, t in times.items())
            print(f"{messages} messages, {name}: {text}, difference {error:.1e}")


if __name__ == "__main__":
    main()

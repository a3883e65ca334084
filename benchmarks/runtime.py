"""What a link costs on a device, by PyTorch and by the runtime on NumPy and on ONNX Runtime, in one run: `python benchmarks/runtime.py`.

Sizes are the demo's (d = m = 1280, 4×4 antennas, 128 modes, hidden layers of 256), weights and latents random, the networks on and their
power by its fit. One thread; medians. Blocks of 20 calls take turns, so that all meet the same neighbours and each has what it computed
last in its caches, as a device has that sends one message after the other; "caches cold" is one call at a time in turn. The start is a
process that imports, loads the codec, designs and encodes once. A second table tells what files for devices save.
"""

import os
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

import latentlink as ll
import latentlink_runtime as lr
from latentlink.deploy.device import export_device
from latentlink.deploy.onnx import export_onnx
from latentlink.neural.codec.calibration import measured
from latentlink.neural.codec.examples import draw_bank
from latentlink.neural.codec.gate import Gate
from latentlink.neural.codec.power_fit import PowerFit
from latentlink_runtime.onnx_link import load_onnx
from record import record

DIM, PILOTS, CLASSES, ANTENNAS, SNR_DB = 1280, 1500, 10, 4, 20.0
ROUNDS, BLOCK, MANY = 20, 20, 256
COLUMNS = ("one thread", "PyTorch", "NumPy", "ONNX Runtime", "PyTorch / NumPy", "PyTorch / ONNX")
START = """
import sys, time
began = time.perf_counter()
import numpy as np
{imports}
link = {load}.design({channel})
link = getattr(link, "transceiver", link)
link.encode(np.zeros((1, 1280), np.float32))
seconds = time.perf_counter() - began
(peak,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(seconds, int(peak.split()[1]) / 1024)
"""
TORCH = {
    "imports": "import torch, latentlink as ll\ntorch.set_num_threads(1)",
    "load": "ll.load(sys.argv[1])",
    "channel": "ll.Channel(torch.eye(4, dtype=torch.complex128)[None], 0.01)",
}
NUMPY = {
    "imports": "import latentlink_runtime as lr",
    "load": "lr.load(sys.argv[1])",
    "channel": "lr.Channel(np.eye(4, dtype=complex)[None], 0.01)",
}
ONNX = {
    **NUMPY,
    "imports": "import latentlink_runtime as lr\nfrom latentlink_runtime.onnx_link import load_onnx",
    "load": "load_onnx(sys.argv[1], sys.argv[2])",
}


def pair(seed=0):
    """Modes and pilots of two random linear views."""
    generator = torch.Generator().manual_seed(seed)
    cause = torch.randn(PILOTS, 200, generator=generator)
    x, y = (cause @ torch.randn(200, DIM, generator=generator) + torch.randn(PILOTS, DIM, generator=generator) for _ in range(2))
    return ll.semantic_modes(ll.Moments.from_pairs(x, y), shrinkage=0.1), ll.Pilots(x, y)


def take_turns(calls, block=BLOCK, rounds=ROUNDS):
    """Median microseconds of each of several calls, of which blocks of so many take turns."""
    seconds: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for times, call in zip(seconds, calls, strict=True):
            for _ in range(block):
                begun = time.perf_counter()
                call()
                times.append(time.perf_counter() - begun)
    return [1e6 * float(np.median(times)) for times in seconds]


def row(what, values, digits=0):
    """A row of the table, and the ratios, of what PyTorch, NumPy and perhaps ONNX Runtime take."""
    theirs, ours, onnx = (*values, None)[:3]
    ratios = [f"{theirs / ours:.1f}", "–" if onnx is None else f"{theirs / onnx:.1f}"]
    return [what, *("–" if value is None else f"{value:.{digits}f}" for value in (theirs, ours, onnx)), *ratios]


def start(words, *arguments):
    """Seconds and MB of a process that imports, loads, designs and encodes once: the fastest of three."""
    command = [sys.executable, "-c", START.format(**words), *map(str, arguments)]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() for _ in range(3)]
    return min((float(seconds), float(megabytes)) for seconds, megabytes in runs)


def codec_of(modes, pilots):
    """A codec that was hardly trained, on for every channel, with the fit of its power."""
    training = ll.CodecTraining(rounds=1, steps=2, bank=(64, 16, 400), margin=0.0)
    codec = training.fit(modes, pilots, ll.objectives.Regression(), progress=None).codec.with_gate(Gate.always())
    bank = draw_bank(training.draws, 1000, codec, torch.Generator().manual_seed(1))
    with torch.no_grad():
        found = measured(codec, bank, torch.ones(len(bank.amplitude), dtype=torch.bool))
    log_energy = -2 * found.scale.flatten().log()
    return replace(codec, power=PowerFit.of(codec.encoder, bank, codec.ceiling, log_energy, found.gained, found.energy))


def made(folder):
    """Files of the pair, a linear link, a codec's link, the codec and a head, the graphs, the channel of both links, and messages."""
    modes, pilots = pair()
    channel = ll.Channel.from_snr(ll.rayleigh(ANTENNAS, ANTENNAS, generator=0), SNR_DB)
    codec = codec_of(modes, pilots)
    saved: dict[str, Any] = {
        "pair": modes,
        "linear": ll.ClosedForm().design(modes, channel).transceiver.to(torch.float32),
        "codec": codec.design(channel).transceiver,
        "design": codec,
        "head": ll.fit_head(pilots.y, torch.arange(PILOTS) % CLASSES, max_iterations=5),
    }
    for name, content in saved.items():
        content.save(folder / f"{name}.safetensors")
    for name in ("codec", "design"):
        export_onnx(folder / f"{name}.safetensors", folder / f"{name}.onnx", folder / "head.safetensors")
    return channel, pilots.x[:MANY].numpy()


def messages(kind, ends, x):
    """Rows of encoding and decoding by PyTorch, NumPy and, if there is a third end, ONNX Runtime."""
    for what in ("encode", "decode"):
        for count, block, note in ((1, BLOCK, "one message"), (1, 1, "one message, caches cold"), (MANY, 2, f"of {MANY} messages")):
            given = x[:count] if what == "encode" else ends[1].encode(x[:count])
            times = take_turns([partial(getattr(end, what), given) for end in ends], block, ROUNDS * BLOCK if block == 1 else ROUNDS)
            yield row(f"{kind}: {what}, {note} (µs)", [us / count for us in times], int(count > 1))


def decisions(folder, ends, x):
    """The row of a receiver that only decides: latents and a head by PyTorch, the folded head by the others."""
    theirs, numpy, onnx = ends
    head, folded = ll.load(folder / "head.safetensors").float(), numpy.folded(lr.load(folder / "head.safetensors"))
    r = numpy.encode(x[:1])
    calls = [lambda: head(theirs.decode(r)), lambda: folded(numpy.receive(r)), partial(onnx.outputs, r)]
    return row("codec: decide, one message (µs)", take_turns(calls))


def files(folder):
    """The table of files for devices."""
    table = Table("file", "full (MB)", "for devices (MB)", "full, read (ms)", "for devices, read (ms)", title="what files for devices save")
    for what, name, settings in (("codec", "design", {}), ("pair", "pair", {}), ("pair, 16 symbols", "pair", {"max_symbols": 16})):
        full = folder / f"{name}.safetensors"
        paths = full, export_device(full, folder / "device.safetensors", **settings)
        times = take_turns([partial(lr.load, path) for path in paths], 3, 5)
        sizes = [f"{path.stat().st_size / 1e6:.1f}" for path in paths]
        table.add_row(what, *sizes, *(f"{us / 1e3:.1f}" for us in times))
    return table


def main():
    torch.set_num_threads(1)
    table = Table(*COLUMNS, title="a link on a device, by PyTorch, by NumPy and by ONNX Runtime")
    with TemporaryDirectory() as name:
        folder = Path(name)
        channel, x = made(folder)
        linear, codec, design = (folder / f"{kind}.safetensors" for kind in ("linear", "codec", "design"))
        ends = ll.load(codec), lr.load(codec), load_onnx(codec, folder / "codec.onnx")
        assert bool(ends[1].active), "the networks are off: this would measure the linear link"
        for cells in (*messages("linear", (ll.load(linear), lr.load(linear)), x), *messages("codec", ends, x), decisions(folder, ends, x)):
            table.add_row(*cells)
        known = lr.Channel(channel.h.resolve_conj().numpy(), channel.noise_variance.numpy())
        designs: Any = (ll.load(design), channel), (lr.load(design), known)
        for what, change in (("", {}), (", its power from latents", {"power": None})):
            calls = [partial(replace(each, **change).design, at) for each, at in designs]
            table.add_row(*row(f"codec: design, one channel{what} (µs)", take_turns(calls, 5)))
        (a, large), (b, small), (c, more) = start(TORCH, design), start(NUMPY, design), start(ONNX, design, folder / "design.onnx")
        saved = files(folder)
    table.add_row(*row("start to the first message (s)", [a, b, c], 2))
    table.add_row(*row("memory at most (MB)", [large, small, more]))
    for name, found in (("runtime", table), ("device-files", saved)):
        Console(width=120).print(found)
        record(name, found, threads=1)


if __name__ == "__main__":
    main()

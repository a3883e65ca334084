"""What a link costs on a device, by PyTorch and by the runtime's NumPy, in one run: `python benchmarks/runtime.py`.

Sizes are the demo's (d = m = 1280, 4×4 antennas, 128 modes, hidden layers of 256), weights and latents random. One thread; medians of calls
that take turns, so that both meet the same neighbours. The start is a process that imports, loads the codec, designs and encodes once.
"""

import os
import subprocess
import sys
import time
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
from record import record

DIM, PILOTS, ANTENNAS, SNR_DB, CALLS = 1280, 1500, 4, 20.0, 300
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


def pair(seed=0):
    """Modes and pilots of two random linear views."""
    generator = torch.Generator().manual_seed(seed)
    cause = torch.randn(PILOTS, 200, generator=generator)
    x, y = (cause @ torch.randn(200, DIM, generator=generator) + torch.randn(PILOTS, DIM, generator=generator) for _ in range(2))
    return ll.semantic_modes(ll.Moments.from_pairs(x, y), shrinkage=0.1), ll.Pilots(x, y)


def take_turns(*calls):
    """Median microseconds of each of several calls, one after the other in each round."""
    seconds = np.zeros((CALLS, len(calls)))
    for times in seconds:
        for number, call in enumerate(calls):
            begun = time.perf_counter()
            call()
            times[number] = time.perf_counter() - begun
    return 1e6 * np.median(seconds, 0)


def start(words, file):
    """Seconds and MB of a process that imports, loads, designs and encodes once: the fastest of three."""
    command = [sys.executable, "-c", START.format(**words), str(file)]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() for _ in range(3)]
    return min((float(seconds), float(megabytes)) for seconds, megabytes in runs)


def made(folder):
    """Files of a linear link, a codec's link and the codec, and the channel of both links."""
    modes, pilots = pair()
    channel = ll.Channel.from_snr(ll.rayleigh(ANTENNAS, ANTENNAS, generator=0), SNR_DB)
    training = ll.CodecTraining(rounds=1, steps=2, bank=(64, 16, 400), margin=0.0)
    codec = training.fit(modes, pilots, ll.objectives.Regression(), progress=None).codec
    saved: dict[str, Any] = {
        "linear": ll.ClosedForm().design(modes, channel).transceiver.to(torch.float32),
        "codec": codec.design(channel).transceiver,
        "design": codec,
    }
    for name, content in saved.items():
        content.save(folder / f"{name}.safetensors")
    return channel, pilots.x[:1].numpy()


def main():
    torch.set_num_threads(1)
    table = Table("one thread", "PyTorch", "NumPy", "PyTorch / NumPy", title="a link on a device, by PyTorch and by NumPy")
    with TemporaryDirectory() as name:
        folder = Path(name)
        channel, x = made(folder)
        known = lr.Channel(channel.h.resolve_conj().numpy(), channel.noise_variance.numpy())
        for kind in ("linear", "codec"):
            theirs, ours = ll.load(folder / f"{kind}.safetensors"), lr.load(folder / f"{kind}.safetensors")
            s = ours.encode(x)
            for what, given in (("encode", x), ("decode", s)):
                a, b = take_turns(partial(getattr(theirs, what), given), partial(getattr(ours, what), given))
                table.add_row(f"{kind}: {what}, one message (µs)", f"{a:.0f}", f"{b:.0f}", f"{a / b:.1f}")
        theirs, ours = ll.load(folder / "design.safetensors"), lr.load(folder / "design.safetensors")
        a, b = take_turns(partial(theirs.design, channel), partial(ours.design, known))
        table.add_row("codec: design, one channel (µs)", f"{a:.0f}", f"{b:.0f}", f"{a / b:.1f}")
        (slow, large), (fast, small) = (start(words, folder / "design.safetensors") for words in (TORCH, NUMPY))
    table.add_row("start to the first message (s)", f"{slow:.2f}", f"{fast:.2f}", f"{slow / fast:.1f}")
    table.add_row("memory at most (MB)", f"{large:.0f}", f"{small:.0f}", f"{large / small:.1f}")
    Console().print(table)
    record("runtime", table, threads=1)


if __name__ == "__main__":
    main()

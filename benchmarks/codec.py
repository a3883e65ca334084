"""What a codec costs to run, beside the exact linear link, in one run: `python benchmarks/codec.py`.

Sizes are the demo's (d = m = 1280, 8×8 antennas, 128 modes, hidden layers of 256). Weights and latents are random: what they are makes no
difference to the time. One thread; medians of many calls. The codec's design per channel is measured over batches of channels, the linear
one beside it. `int8` stands for the same networks with dynamically quantised weights (torch.ao), which are not part of the library.
"""

import copy
import time
import warnings
from dataclasses import replace
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import nn

import latentlink as ll
from latentlink.evaluation.latency import latency
from latentlink.neural.codec.examples import draw_bank
from latentlink.neural.codec.pruning import cost_of, shrink
from latentlink.numerics.threads import one_thread
from record import record

DIM, PILOTS, ANTENNAS, SNR_DB, CHANNELS = 1280, 3000, 8, 20.0, 200
BUDGETS = (900_000, 600_000, 400_000)


def pair(seed=0):
    """Modes and pilots of two random linear views."""
    generator = torch.Generator().manual_seed(seed)
    cause = torch.randn(PILOTS, 200, generator=generator)
    x = cause @ torch.randn(200, DIM, generator=generator) + torch.randn(PILOTS, DIM, generator=generator)
    y = cause @ torch.randn(200, DIM, generator=generator) + torch.randn(PILOTS, DIM, generator=generator)
    pilots = ll.Pilots(x, y, torch.arange(PILOTS) % 10)
    return ll.semantic_modes(ll.Moments.from_pairs(x, y), shrinkage=0.1), pilots


def quantised(network):
    """The network with int8 weights, its activations quantised as they come."""
    other = copy.deepcopy(network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other.layers = torch.ao.quantization.quantize_dynamic(other.layers, {nn.Linear}, dtype=torch.qint8)
        other.out = torch.ao.quantization.quantize_dynamic(nn.Sequential(other.out), {nn.Linear}, dtype=torch.qint8)[0]
    return other


def design_us(design, radio):
    """Microseconds a channel, after a first call."""
    with one_thread():
        design(radio)
        start = time.perf_counter()
        design(radio)
    return 1e6 * (time.perf_counter() - start) / len(radio.h)


class Int8:
    """A codec's link whose networks are quantised: only what the clock calls."""

    def __init__(self, link):
        self.link, self.widest = link, max(*link.encoder.widths, *link.decoder.widths)
        self.quantised = replace(link, encoder=quantised(link.encoder), decoder=quantised(link.decoder))
        object.__setattr__(self.quantised, "_chunk", lambda: 4096)
        self.encode, self.decode = self.quantised.encode, self.quantised.decode


def main():
    modes, pilots = pair()
    settings = ll.CodecTraining(draws=ll.channels.ChannelDraws(gain=0.5))
    codec = settings.untrained(modes, pilots)
    h = ll.rayleigh(ANTENNAS, ANTENNAS, gain=0.5, batch=(CHANNELS,), generator=1)
    radio = ll.Channel.from_snr(h, SNR_DB)
    links: dict[str, Any] = {
        "exact linear": ll.ClosedForm().design(modes, radio[0]).transceiver.to(torch.float32),
        "codec": codec.design(radio[0]).transceiver,
    }
    for budget in BUDGETS:
        small = shrink(cost_of(ll.budget.Flops(budget)), codec, draw_bank(settings.draws, 64, codec, torch.Generator().manual_seed(0)))
        links[f"codec within {budget:.1e} operations"] = small.design(radio[0]).transceiver
    links["codec, int8"] = Int8(links["codec"])
    table = Table(title=f"latentlink, codec, one thread, d = m = {DIM}, {ANTENNAS}×{ANTENNAS}, torch {torch.__version__}")
    for name in ("link", "operations", "encode µs", "decode µs", "encode µs, of 256", "decode µs, of 256"):
        table.add_column(name)
    for name, link in links.items():
        one, many = (latency(link, pilots.x, radio[0], batch=batch, repeats=repeats) for batch, repeats in ((1, 300), (256, 30)))
        count = link.link.flops.total if isinstance(link, Int8) else link.flops.total
        times = [f"{value:.4g}" for value in (one.encode_us, one.decode_us, many.encode_us, many.decode_us)]
        table.add_row(name, f"{count:.3g}", *times)
    Console().print(table)
    record("codec", table, threads=1)
    designs = Table(title=f"design of {CHANNELS} channels {ANTENNAS}×{ANTENNAS}, one thread")
    for name in ("design", "µs a channel", "times the exact linear design"):
        designs.add_column(name)
    exact, ours = design_us(lambda radio: ll.ClosedForm().design(modes, radio), radio), design_us(codec.design, radio)
    designs.add_row("exact linear", f"{exact:.0f}", "1")
    designs.add_row("codec (power over its calibration latents)", f"{ours:.0f}", f"{ours / exact:.0f}")
    Console().print(designs)
    record("codec-design", designs, threads=1)


if __name__ == "__main__":
    main()

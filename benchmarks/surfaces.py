"""Surfaces on Fashion-MNIST: `python benchmarks/surfaces.py [PART] …` with parts from `PARTS`.

MobileNetV2 → Lite0 with the goal of `fashion.py`, 4×4 antennas, SNR per transmit antenna. J is the weighted error above what no channel
could avoid, as a share of the weighted variance; accuracy is that of 4,000 test images over the first 40 draws. Tables go to
results/bench/surfaces-*.json. One thread.
"""

import sys
import time
from collections.abc import Mapping

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

import latentlink as ll
from fashion import drawn, latents, pair_modes
from latentlink.surfaces.objectives import minus_capacity, semantic_error
from record import record

console = Console(width=160)
Design = ll.surfaces.SurfaceDesign
Phased = ll.surfaces.Surface | ll.surfaces.StackedSurface
COLUMNS = ("SNR dB", "phases", "J", "bound", "capacity, bit", "ms a channel", "accuracy", "points over capacity")
FAIR = {"greatest gain": Design(objective="gain"), "greatest capacity": Design(objective="capacity"), "least semantic error": Design()}
BITS = {f"semantic, {bits} bit": Design(bits=bits, starts=1) for bits in (3, 2, 1)}


def beside_a_blocked_path(elements: int, batch: int = 100) -> ll.surfaces.Surface:
    """Row d of the floors: a direct path of gain 0.1 and element paths of gain 1e-3, drawn in this order."""
    direct, reflected, incident = drawn((4, 4), (4, elements), (elements, 4), batch=batch)
    return ll.surfaces.Surface(0.1**0.5 * direct, incident, 1e-3**0.5 * reflected)


def row(modes: ll.SemanticModes, channel: ll.Channel) -> tuple[str, str, Tensor]:
    """J, the capacity and the accuracies in % of the closed form over channels."""
    of, some = latents("lite0"), channel[:40]
    J = semantic_error(modes, channel.noise_variance, channel.power)(channel.h)[0] / modes.weighted_variance
    bits = -minus_capacity(channel.noise_variance, channel.power)(channel.h)[0]
    link = ll.ClosedForm().design(modes, some)
    e = ll.evaluate(link, latents("mobilenet").test, of.test, channel=some, head=of.head, labels=of.labels, generator=0)
    assert e.accuracy is not None
    return f"{float(J.mean()):.4f}", f"{float(bits.mean()):.2f}", 100 * torch.as_tensor(e.accuracy)


def fill(table: Table, surface: Phased, snr_db: float, designs: Mapping[str, ll.surfaces.SurfaceDesign]) -> None:
    """A row for each design; bounds are those of the semantic error, and points over capacity have their standard error over draws."""
    modes, right = pair_modes(), {}
    for name, design in designs.items():
        begun = time.perf_counter()
        found = design.design(modes, surface, snr_db)
        cost = 1e3 * (time.perf_counter() - begun) / found.phases.shape[0]
        semantic = design.objective == "semantic"
        bound = f"{float((found.trace['bound'] / modes.weighted_variance).mean()):.4f}" if semantic else ""
        J, bits, accuracy = row(modes, found.channel)
        right[name] = accuracy
        more = accuracy - right.get(name.replace("least semantic error", "greatest capacity"), accuracy)
        over = f"{float(more.mean()):.1f} ± {float(more.std() / len(more) ** 0.5):.1f}" if "least" in name else ""
        table.add_row(f"{snr_db:g}", name, J, bound, bits, f"{cost:.1f}", f"{float(accuracy.mean()):.1f}", over)


def kept(table: Table, name: str) -> None:
    """Print a table and keep it."""
    console.print(table)
    record(f"surfaces-{name}", table, threads=1)


def objectives() -> None:
    """64 elements beside a blocked path."""
    modes, surface = pair_modes(), beside_a_blocked_path(64)
    table = Table(*COLUMNS, title="A surface of 64 elements, 4×4, direct gain 0.1, 100 draws")
    random = 6.2832 * torch.rand(100, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for snr_db in (-10.0, 0.0, 10.0):
        given = {"no surface": ll.Channel.from_grid(surface.direct, snr_db), "random": surface.channel(random, snr_db)}
        for name, channel in given.items():
            J, bits, accuracy = row(modes, channel)
            table.add_row(f"{snr_db:g}", name, J, "", bits, "", f"{float(accuracy.mean()):.1f}")
        fill(table, surface, snr_db, {**FAIR, **BITS})
    kept(table, "objectives")


def starts() -> None:
    """What a comparison of one start of each objective would have said: from the greatest gain only."""
    table = Table(*COLUMNS, title="One start of each objective, 64 and 256 elements, 4×4, direct gain 0.1, 100 draws")
    once = {f"{objective}, one start": Design(objective=objective, starts=1) for objective in ("capacity", "semantic")}  # type: ignore[arg-type]
    for elements, snr_db in ((64, -10.0), (64, 0.0), (64, 10.0), (256, 0.0)):
        designs = once if elements == 64 else {**once, **FAIR}
        fill(table, beside_a_blocked_path(elements), snr_db, {f"{elements} elements, {name}": each for name, each in designs.items()})
    kept(table, "starts")


def speed() -> None:
    """Time of 80 steps towards the greatest gain and 80 for the semantic error, in a batch and alone."""
    modes, table = pair_modes(), Table("elements", "channels", "ms a channel", title="One start, 80 steps, 4×4, 10 dB")
    for elements in (64, 256, 1024):
        for batch in (1, 16):
            surface, design = beside_a_blocked_path(elements, batch), Design(starts=1, steps=80)
            costs = []
            for _ in range(3):
                begun = time.perf_counter()
                design.design(modes, surface, 10.0)
                costs.append(1e3 * (time.perf_counter() - begun) / batch)
            table.add_row(f"{elements}", f"{batch}", f"{sorted(costs)[1]:.1f}")
    kept(table, "speed")


def diffraction(distance: float, receiving: Tensor, sending: Tensor) -> Tensor:
    """Rayleigh and Sommerfeld's propagation between elements of two parallel planes; places (n, 2) and distance in wavelengths.

    A cosχ / r · (1 / 2πr − j) e^{j2πr} between elements of an area A of 1/4 of a squared wavelength [an2023stacked].
    """
    apart = receiving[:, None, :] - sending[None, :, :]
    r = (apart.square().sum(-1) + distance**2).sqrt()
    return 0.25 * distance / r**2 * torch.polar(torch.ones_like(r), 2 * torch.pi * r) * (1 / (2 * torch.pi * r) - 1j)


def square(side: int) -> Tensor:
    """Places (side², 2) of elements half a wavelength apart, about the origin."""
    line = (torch.arange(side, dtype=torch.float64) - (side - 1) / 2) / 2
    return torch.cartesian_prod(line, line)


def stacks() -> None:
    """Layers of 8×8 elements in front of four antennas, five wavelengths deep in all; the last layer to the receiver is Rayleigh."""
    table = Table(*COLUMNS, title="Layers of 64 elements at the transmitter, 4×4, 100 draws")
    (out,) = drawn((4, 64))
    for layers in (1, 2, 4):
        gap = 5.0 / layers
        first = diffraction(gap, square(8), square(2)).expand(100, 1, -1, -1)
        between = [diffraction(gap, square(8), square(8)).expand(100, 1, -1, -1)] * (layers - 1)
        stack = ll.surfaces.StackedSurface([first, *between, out])
        for snr_db in (0.0, 10.0):
            modes, flat = pair_modes(), stack.channel(torch.zeros(stack.elements), snr_db)
            J, bits, accuracy = row(modes, flat)
            table.add_row(f"{snr_db:g}", f"{layers} × 64, equal phases", J, "", bits, "", f"{float(accuracy.mean()):.1f}")
            fill(table, stack, snr_db, {f"{layers} × 64, {name}": each for name, each in FAIR.items()})
    kept(table, "stacks")


PARTS = {part.__name__: part for part in (objectives, starts, speed, stacks)}

if __name__ == "__main__":
    torch.set_num_threads(1)
    for wanted in sys.argv[1:] or PARTS:
        PARTS[wanted]()

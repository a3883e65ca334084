"""One cell, from its settings to its rows: design, send all test latents, see what was understood.

Everything drawn comes from the cell's own seed: channels by (seed, antennas) alone, so that methods and SNRs meet the same ones, and noise
by the seed, so that they meet the same noise up to its scale. The result depends on nothing but the cell.
"""

import json
import platform
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import polars as pl
import torch
from torch import Tensor

from latentlink.arrays import ratio
from latentlink.channels.channel import Channel
from latentlink.channels.fading import exponential_correlation, kronecker, rayleigh, rician
from latentlink.channels.snr import SnrDefinition, convert_snr
from latentlink.limits import capacity, opta, unaligned
from latentlink.linear.closed_form import ClosedForm
from latentlink.neural.codec.link import CodecTransceiver
from latentlink.neural.transceiver import NeuralTransceiver
from latentlink.studies.digital_method import blocks
from latentlink.studies.method import Run
from latentlink.studies.methods import ReferenceMethod
from latentlink.studies.rows import frame
from latentlink.studies.sections import ChannelAt, Snr
from latentlink.studies.shared import Known, Once, World
from latentlink.studies.spec import Cell
from latentlink.tasks.complexity import latency
from latentlink.tasks.evaluation import evaluate
from latentlink.tasks.metrics import accuracy, agreement, mse, nmse
from latentlink.transceiver import SideInformed, Solution, Transceiver

_PACKAGES = ("latentlink", "torch", "numpy", "polars", "pydantic")
_CORRECTIONS, _POWER_TOLERANCE = 4, 2e-3  # of the gain control
_BATCH = 256  # messages at a time in the batched latency
CLOCKED = 73 * _BATCH  # messages that take as long as the clock of a network: both forms to choose from, and then the faster one


def channel_of(at: ChannelAt, snr: Snr, seed: int, device: torch.device) -> Channel:
    """The channels (draws,) of a cell, drawn from its seed on the CPU so that they are the same on every device."""
    n_rx, n_tx = at.shape
    generator = torch.Generator().manual_seed(1_000_003 * seed + 1009 * n_rx + n_tx)
    if at.model == "rician":
        h = rician(n_rx, n_tx, at.k_factor, at.gain, (at.draws,), generator)
    elif at.model == "kronecker":
        receive, transmit = exponential_correlation(n_rx, at.correlation), exponential_correlation(n_tx, at.correlation)
        h = kronecker(receive, transmit, at.gain, (at.draws,), generator)
    else:
        h = rayleigh(n_rx, n_tx, at.gain, (at.draws,), generator)
    snr_db = snr.snr_db
    if snr.snr_reference == "receive":
        snr_db = convert_snr(snr_db, SnrDefinition.PER_RECEIVE_ANTENNA, SnrDefinition.PER_TRANSMIT_ANTENNA, n_tx, at.gain)
    return Channel.from_snr(h.to(device), snr_db).repeated(at.uses)


@dataclass(frozen=True, eq=False)
class Measured:
    """Rows of a cell, one for each channel, and the link of the first, for the clock."""

    rows: pl.DataFrame
    link: Transceiver | None
    channel: Channel


def measured(cell: Cell, world: World, run: Run) -> Measured:
    """Run a cell."""
    started, clock = datetime.now(UTC), time.perf_counter()
    channel = channel_of(cell.channel, cell.snr, cell.seed, run.device)
    link, columns = None, _settings(cell, world, channel)
    known = world.known(cell.pilots, cell.seed)
    if isinstance(cell.method, ReferenceMethod):
        columns |= _reference(cell.method, world, known)
    elif cell.method.family == "neural" and len(channel.h) > 1:
        parts = [_link(cell, world, known, channel[i : i + 1], _numbered(run, i)) for i in range(len(channel.h))]
        link = parts[0][0]
        columns |= {name: _stacked([part[1][name] for part in parts]) for name in parts[0][1]}
    else:
        link, results = _link(cell, world, known, channel, run)
        columns |= results
        if isinstance(link, CodecTransceiver) and len(channel.h) > 1:
            link = cell.method.design(known, channel[:1], run).transceiver  # the clock's: one channel's
    columns |= {"pilots": len(known.pilots), "started": started.isoformat(timespec="seconds"), "wall_s": time.perf_counter() - clock}
    return Measured(frame(columns, len(channel.h), cell.metrics), link, channel[: link.batch.numel()] if link is not None else channel)


def _numbered(run: Run, number: int) -> Run:
    return replace(run, checkpoint=run.checkpoint and run.checkpoint.with_stem(f"{run.checkpoint.stem}-{number}"))


def _stacked(values: list[Any]) -> Any:
    return torch.cat(values) if isinstance(values[0], Tensor) else values[0]


def _link(cell: Cell, world: World, known: Known, channel: Channel, run: Run) -> tuple[Transceiver, dict[str, Any]]:
    """The designed link in the precision of a deployed one, and what was measured of it."""
    aware = cell.channel.knowledge == "aware"
    solution, budget, design_s = _at_budget(cell, world, known, channel if aware else channel.unaware(), run)
    link = solution.transceiver.to(torch.float32)
    generator = torch.Generator(device=channel.h.device).manual_seed(cell.seed)
    seen = evaluate(link, world.test.x, world.test.y, channel, world.head, world.test.labels, generator)
    assert seen.accuracy is not None  # there are labels
    side = link.side_symbols if isinstance(link, SideInformed) else 0
    return link, {
        "compression": (channel.uses * channel.n_tx + side) / -(-world.test.x.shape[1] // 2),
        "accuracy": seen.accuracy, "agreement": seen.agreement, "mse": seen.mse, "nmse": seen.nmse,
        "power": seen.power, "peak_power": seen.peak_power, "antenna_power": seen.antenna_power, "budget": budget.power,
        "expected_mse": cell.method.expected_mse(known, solution) if aware and "mse" in cell.metrics else None,
        "status": "; ".join(solution.messages()), "gap": solution.trace.get("gap"), "design_s": design_s,
        **_limits(cell, world, channel), **_cost(cell, link), **blocks(link, world.test.x, channel, cell.seed),
    }  # fmt: skip


def _at_budget(cell: Cell, world: World, known: Known, channel: Channel, run: Run) -> tuple[Solution, Channel, float]:
    """The design whose mean power over the messages really sent is the budget, as a transmitter's gain control makes it.

    Power that was planned on pilots comes out otherwise on other latents, most where pilots are few. The budget given to the design is
    corrected by what was measured, so that all methods spend the same; it takes one scalar a link, and of the test latents x alone.
    """

    def timed_design() -> tuple[Solution, float]:
        clock = time.perf_counter()
        return cell.method.design(known, budget, run), time.perf_counter() - clock

    budget = channel
    solution, seconds = timed_design()
    if not cell.method.gain_controlled:
        return solution, budget, seconds / len(channel.h)
    for _ in range(_CORRECTIONS):
        sent = solution.transceiver.to(torch.float32).encode(world.test.x).abs().square().sum((-2, -1)).mean(-1) / channel.uses
        spent = ratio(sent.to(channel.power), channel.power).expand(channel.batch)
        if bool(((spent - 1).abs() <= _POWER_TOLERANCE).logical_or(spent == 0).all()):
            break
        budget = budget.with_power(torch.where(spent > 0, ratio(budget.power, spent), budget.power))
        solution, seconds = timed_design()
    if budget is channel:
        solution, seconds = timed_design()  # once more: the first one may also have made what cells share
    return solution, budget, seconds / len(channel.h)


def _limits(cell: Cell, world: World, channel: Channel) -> dict[str, Any]:
    """Of these test latents: least error of any linear link (the exact design by their own moments), Gaussian OPTA, accuracy bound."""
    if "limits" not in cell.metrics:
        return {}
    bound = opta(world.test_modes, channel)
    exact = ClosedForm().design(world.test_modes, channel).expected_mse
    most = world.accuracy_bound.at(capacity(channel))
    return {"exact_mse": exact, "opta": bound, "opta_nmse": bound / world.test_modes.variance, "accuracy_bound": most}


def _cost(cell: Cell, link: Transceiver) -> dict[str, Any]:
    """Operations of the link, of the compacted one where a silent precoder leaves hidden units without use, as the clock runs it."""
    if "flops" not in cell.metrics:
        return {}
    counted = link.compacted() if isinstance(link, NeuralTransceiver) and link.precoder.silent else link
    flops = counted.flops  # type: ignore[attr-defined]
    return {
        "flops_encode": flops.encode,
        "flops_decode": flops.decode,
        "flops": flops.total,
        "density": getattr(link, "density", None),
        "pruning": getattr(cell.method, "threshold", None),
    }


def _reference(method: ReferenceMethod, world: World, known: Known) -> dict[str, Any]:
    """A ceiling or the floor: what the head makes of latents that passed no channel."""
    x, y = world.test.x, world.test.y
    latents = {
        "own": lambda: y,
        "aligned": lambda: known.modes().align(x),
        "unaligned": lambda: unaligned(x, y.shape[1]),
    }[method.kind]()
    return {
        "accuracy": accuracy(world.head, latents, world.test.labels).overall.value,
        "agreement": agreement(world.head, latents, y).value,
        "mse": mse(latents, y),
        "nmse": nmse(latents, y),
    }


def timed(result: Measured, world: World, clocks: Once, alone: Callable[[], AbstractContextManager[None]]) -> pl.DataFrame:
    """The rows with the latency of the link, measured on one thread while nothing else runs (`alone`).

    Links that do the same operations on the same shapes take the same time, whatever their numbers: they are measured once a run.
    Networks are measured one by one, each in the form that is fastest for its zeros.
    """
    link, channel = result.link, result.channel
    if link is None:
        return result.rows

    def measure() -> dict[str, float | str]:
        with alone():
            return _clock(link, world, channel)

    if isinstance(link, NeuralTransceiver):
        clock = measure()
    else:
        shape = (type(link), link.flops, channel.n_tx, channel.n_rx, channel.uses, len(channel.h), world)  # type: ignore[attr-defined]
        clock = clocks.get(shape, measure)
    return result.rows.with_columns(**{name: pl.lit(value) for name, value in clock.items()})


def _clock(link: Transceiver, world: World, channel: Channel) -> dict[str, float | str]:
    """Latencies, one message at a time and many."""
    x, clock = world.test.x, dict[str, float | str]()
    for size, suffix in ((1, "us"), (min(_BATCH, len(x)), "batch_us")):
        if isinstance(link, NeuralTransceiver):
            link = link.fastest(x, size)
            clock[f"form_{suffix}"] = f"{link.precoder.form}, {link.decoder.form}"
        measured = latency(link, x, channel, size)
        clock |= {f"encode_{suffix}": measured.encode_us, f"decode_{suffix}": measured.decode_us}
    return clock


def _settings(cell: Cell, world: World, channel: Channel) -> dict[str, Any]:
    method, n_rx_tx = cell.method, cell.channel.shape
    return {
        "cell": cell.id, "method": method.title, "family": method.family,
        "parameters": method.model_dump_json(exclude={"label"}),
        "dataset": world.dataset, "transmitter": world.transmitter, "receiver": world.receiver,
        "d": world.test.x.shape[1], "m": world.test.y.shape[1],
        "folder": cell.data.folder,
        "train": cell.data.train,
        "image_size_px": cell.encoders.image_size_px if cell.data.encoded else None,
        "k_factor": cell.channel.k_factor if cell.channel.model == "rician" else None,
        "correlation": cell.channel.correlation if cell.channel.model == "kronecker" else None,
        "pilots_per_class": cell.pilots.per_class, "selection": cell.pilots.method, "grouping": cell.pilots.grouping,
        "channel_model": cell.channel.model, "gain": cell.channel.gain, "n_tx": n_rx_tx[1], "n_rx": n_rx_tx[0], "uses": cell.channel.uses,
        "knowledge": cell.channel.knowledge, "snr_db": cell.snr.snr_db, "snr_reference": cell.snr.snr_reference,
        "noise_variance": channel.noise_variance, "seed": cell.seed, "messages": len(world.test),
        "versions": json.dumps({"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}),
    }  # fmt: skip

"""One cell, from its settings to its rows: design, send all test latents, see what was understood.

Everything drawn comes from the cell's own seed: channels (see `studies/channels.py`), so that methods and SNRs meet the same ones, and
noise, so that they meet the same noise up to its scale. The result depends on nothing but the cell.
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
from jaxtyping import Float
from torch import Tensor

from latentlink.baselines.unaligned import unaligned
from latentlink.bounds.capacity import capacity
from latentlink.bounds.finite_length import separation
from latentlink.bounds.opta import opta
from latentlink.channels.channel import Channel
from latentlink.evaluation.evaluate import evaluate
from latentlink.evaluation.latency import latency
from latentlink.evaluation.papr import Amplifier, peaks
from latentlink.linear.closed_form import ClosedForm
from latentlink.links.solution import Solution
from latentlink.links.transceiver import Transceiver
from latentlink.numerics.division import ratio
from latentlink.studies.channels import facts
from latentlink.studies.methods.linear import ReferenceMethod
from latentlink.studies.methods.method import Run
from latentlink.studies.rows import frame
from latentlink.studies.running.situation import Situation, csi_facts, situation
from latentlink.studies.shared import Known, Once, World
from latentlink.studies.spec.study import Cell
from latentlink.tasks.metrics import accuracy, agreement, mse, nmse

_PACKAGES = ("latentlink", "torch", "numpy", "polars", "pydantic")
_CORRECTIONS, _POWER_TOLERANCE = 4, 2e-3  # of the gain control
_ENTRIES, _SYMBOLS = 2**24, 10_000  # symbols held at a time; of an antenna, to tell its peaks at 10⁻³
_BLOCKS = 512  # messages to measure lost blocks on, at most
_BATCH = 256  # messages at a time in the batched latency
CLOCKED = 73 * _BATCH  # messages that take as long as the clock of a network: both forms to choose from, and then the faster one


@dataclass(frozen=True, eq=False)
class Measured:
    """Rows of a cell, one for each channel, and the link of the first, for the clock."""

    rows: pl.DataFrame
    link: Transceiver | None
    channel: Channel


def measured(cell: Cell, world: World, run: Run) -> Measured:
    """Run a cell."""
    started, clock = datetime.now(UTC), time.perf_counter()
    there = situation(cell, run.device)
    channel = there.truth
    link, columns = None, _settings(cell, world, there)
    known = world.known(cell.pilots, cell.seed)
    if isinstance(cell.method, ReferenceMethod):
        columns |= _reference(cell.method, world, known)
    elif cell.method.family == "neural" and len(channel.h) > 1:
        parts = [_link(cell, world, known, there[i : i + 1], _numbered(run, i)) for i in range(len(channel.h))]
        link = parts[0][0]
        columns |= {name: _stacked([part[1][name] for part in parts]) for name in parts[0][1]}
    else:
        link, results = _link(cell, world, known, there, run)
        columns |= results
    columns |= {"pilots": len(known.pilots), "started": started.isoformat(timespec="seconds"), "wall_s": time.perf_counter() - clock}
    return Measured(frame(columns, len(channel.h), cell.metrics), link, channel[: link.batch.numel()] if link is not None else channel)


def _numbered(run: Run, number: int) -> Run:
    return replace(run, checkpoint=run.checkpoint and run.checkpoint.with_stem(f"{run.checkpoint.stem}-{number}"))


def _stacked(values: list[Any]) -> Any:
    return torch.cat(values) if isinstance(values[0], Tensor) else values[0]


def _link(cell: Cell, world: World, known: Known, there: Situation, run: Run) -> tuple[Transceiver, dict[str, Any]]:
    """The designed link in the precision of a deployed one, and what was measured of it."""
    channel, aware = there.truth, cell.channel.knowledge == "aware"
    solution, budget, design_s = _at_budget(cell, world, known, there, run)
    link: Transceiver = solution.transceiver.to(torch.float32)
    limit_db = cell.channel.clipping_db
    amplifier = None if limit_db is None else Amplifier.above_mean(channel, limit_db)
    generator = torch.Generator(device=channel.h.device).manual_seed(cell.seed)
    test = world.test
    seen = evaluate(link, test.x, test.y, channel=channel, head=world.head, labels=test.labels, generator=generator, amplifier=amplifier)
    assert seen.accuracy is not None  # there are labels
    return link, {
        "compression": (channel.uses * channel.n_tx + link.side_symbols) / -(-world.test.x.shape[1] // 2),
        "accuracy": seen.accuracy, "agreement": seen.agreement, "mse": seen.mse, "nmse": seen.nmse,
        "power": seen.power, "peak_power": seen.peak_power, "antenna_power": seen.antenna_power, "budget": budget,
        "expected_mse": cell.method.expected_mse(known, solution) if aware and "mse" in cell.metrics else None,
        "status": "; ".join(solution.messages()), "gap": solution.trace.get("gap"), "design_s": design_s,
        **_limits(cell, world, channel, seen.mse), **_cost(cell, link), **_peaks(cell, world, link, amplifier),
        **_measured_by(link, world.test.x, channel, cell.seed, amplifier),
    }  # fmt: skip


def _at_budget(cell: Cell, world: World, known: Known, there: Situation, run: Run) -> tuple[Solution, Tensor, float]:
    """The design whose mean power over the messages really sent is the budget, as a transmitter's gain control makes it.

    Power that was planned on pilots comes out otherwise on other latents, most where pilots are few. The budget given to the design is
    corrected by what was measured, so that all methods spend the same; it takes one scalar a link, and of the test latents x alone.
    """

    def timed_design() -> tuple[Solution, float]:
        clock = time.perf_counter()
        return there.design(known, budget, run), time.perf_counter() - clock

    def share_spent() -> Tensor:
        sent = _mean_power(solution.transceiver.to(torch.float32), world.test.x, channel)
        return ratio(sent.to(channel.power), channel.power).expand(channel.batch)

    channel = there.truth
    budget = channel.power
    solution, seconds = timed_design()
    if solution.transceiver.scalable:  # rates stay as they were designed
        spent = share_spent()
        factor = torch.where(spent > 0, ratio(torch.ones_like(spent), spent), 1.0)
        return replace(solution, transceiver=solution.transceiver.scaled(factor)), budget, seconds / len(channel.h)
    if not cell.method.gain_controlled:
        return solution, budget, seconds / len(channel.h)
    for _ in range(_CORRECTIONS):
        spent = share_spent()
        if bool(((spent - 1).abs() <= _POWER_TOLERANCE).logical_or(spent == 0).all()):
            break
        budget = torch.where(spent > 0, ratio(budget, spent), budget)
        solution, seconds = timed_design()
    if budget is channel.power:
        solution, seconds = timed_design()  # once more: the first one may also have made what cells share
    return solution, budget, seconds / len(channel.h)


def _mean_power(link: Transceiver, x: Tensor, channel: Channel) -> Float[Tensor, "*batch"]:
    """Power per channel use (…) over messages x, some of them at a time."""
    rows = max(1, _ENTRIES // (channel.batch.numel() * channel.uses * channel.n_tx))
    energy = torch.stack([link.encode(some).abs().square().sum((-3, -2, -1)) for some in x.split(rows)])
    return energy.sum(0) / (len(x) * channel.uses)


def _measured_by(link: Transceiver, x: Tensor, channel: Channel, seed: int, amplifier: Amplifier | None) -> dict[str, Tensor]:
    """What the link measures of itself, such as the share of lost blocks."""
    generator = torch.Generator(device=channel.h.device).manual_seed(seed + 2**33)  # not the evaluation's noise

    def send(s: Tensor) -> Tensor:
        return channel.apply(s if amplifier is None else amplifier(s), generator)

    return link.measured(x[:_BLOCKS], send)


def _limits(cell: Cell, world: World, channel: Channel, measured_mse: Tensor) -> dict[str, Any]:
    """Of the latents' moments: least error of any linear link (the exact design by these moments), Gaussian OPTA and the distance to it,
    a separate digital link of finite length, accuracy bound."""
    if "limits" not in cell.metrics:
        return {}
    modes, bits = world.limit_modes, capacity(channel)
    exact_design = ClosedForm().design(modes, channel)
    assert exact_design.expected_mse is not None
    limits = {
        "exact": exact_design.expected_mse,
        "opta": opta(modes, channel),
        "separation": separation(modes, channel),
    }
    shares = {name: limit / modes.variance for name, limit in limits.items()}  # of the variance, which another sample has a little of
    exact, bound, separate = (share * world.test_variance for share in shares.values())
    return {
        "capacity": bits, "accuracy_bound": world.accuracy_bound.at(bits), "exact_mse": exact, "opta": bound, "separation": separate,
        "opta_nmse": shares["opta"], "separation_nmse": shares["separation"], "opta_db": 10 * (measured_mse / bound).log10(),
    }  # fmt: skip


def _peaks(cell: Cell, world: World, link: Transceiver, amplifier: Amplifier | None) -> dict[str, Any]:
    """Peak-to-average power of each antenna, of the waveform where messages fill the subcarriers of OFDM; nothing where memory holds too
    few symbols to tell."""
    if "papr" not in cell.metrics:
        return {}
    uses, needed = cell.channel.uses, max(_SYMBOLS, cell.ofdm.subcarriers if cell.channel.standard else 0)
    if link.batch.numel() * needed * cell.channel.shape[1] > 4 * _ENTRIES:
        return {}
    x = torch.cat([world.test.x, world.candidates.x])[: -(-needed // uses)]  # those of training too: peaks need many
    if uses * len(x) < needed:
        return {}
    seen = peaks(link, x, subcarriers=cell.ofdm.subcarriers if cell.channel.standard else None, amplifier=amplifier)
    return {"papr_db": seen.papr_db, "antenna_papr_db": seen.antenna_papr_db}


def _cost(cell: Cell, link: Transceiver) -> dict[str, Any]:
    """Operations of the link, of the compacted one where a silent precoder leaves hidden units without use, as the clock runs it."""
    if "flops" not in cell.metrics:
        return {}
    flops = link.for_counting().flops
    if flops is None:
        return {}
    return {
        "flops_encode": flops.encode,
        "flops_decode": flops.decode,
        "flops": flops.total,
        "density": link.density,
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
        "accuracy": accuracy(world.head, latents, world.test.require_labels()).overall.value,
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

    if link.clock_key is None:
        clock = measure()
    else:
        clock = clocks.get((link.clock_key, channel.n_tx, channel.n_rx, channel.uses, len(channel.h), world), measure)
    return result.rows.with_columns(**{name: pl.lit(value) for name, value in clock.items()})


def _clock(link: Transceiver, world: World, channel: Channel) -> dict[str, float | str]:
    """Latencies, one message at a time and many."""
    x, clock = world.test.x, dict[str, float | str]()
    for size, suffix in ((1, "us"), (min(_BATCH, len(x)), "batch_us")):
        timed = link.for_clock(x, size)
        if timed.form is not None:
            clock[f"form_{suffix}"] = timed.form
        measured = latency(timed, x, channel[: timed.batch.numel()], batch=size)
        clock |= {f"encode_{suffix}": measured.encode_us, f"decode_{suffix}": measured.decode_us}
    return clock


def _settings(cell: Cell, world: World, there: Situation) -> dict[str, Any]:
    method = cell.method
    return {
        "cell": cell.id, "method": method.title, "family": method.family,
        "parameters": method.model_dump_json(exclude={"label"}),
        "dataset": world.dataset, "transmitter": world.transmitter, "receiver": world.receiver,
        "d": world.test.x.shape[1], "m": world.test.y.shape[1],
        "folder": cell.data.folder,
        "train": cell.data.train,
        "image_size_px": cell.encoders.image_size_px if cell.data.encoded else None,
        "pilots_per_class": cell.pilots.per_class, "selection": cell.pilots.method, "grouping": cell.pilots.grouping,
        **facts(cell.channel, cell.ofdm),
        "knowledge": cell.channel.knowledge, "snr_db": cell.snr.snr_db, "snr_reference": cell.snr.snr_reference,
        "noise_variance": there.truth.noise_variance, **csi_facts(there), "seed": cell.seed, "messages": len(world.test),
        "versions": json.dumps({"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}),
    }  # fmt: skip

"""One cell, from its settings to its rows: design, send all test latents, and measure the receiver's accuracy and errors.

Everything is drawn from the cell's own seed (see `studies/seeding.py`): methods and SNRs meet the same channels, and the same noise up to
its scale. The result depends on nothing but the cell, except for the latencies, which are measured on one thread while nothing else runs.
"""

import json
import math
import platform
import time
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from typing import Any

import polars as pl
import torch
from torch import Tensor

from latentlink.bounds.capacity import capacity
from latentlink.bounds.finite_length import separation
from latentlink.bounds.opta import opta
from latentlink.channels.channel import Channel
from latentlink.evaluation.amplifier import Amplifier
from latentlink.evaluation.clusters import clustering
from latentlink.evaluation.evaluate import evaluate
from latentlink.evaluation.latency import latency
from latentlink.evaluation.measurement import ENTRIES
from latentlink.evaluation.papr import peaks
from latentlink.evaluation.ranks import Ranks
from latentlink.evaluation.readings import Outputs
from latentlink.latents.dependence import evidence
from latentlink.linear.design import ClosedForm
from latentlink.links.calibration import TOLERANCE
from latentlink.links.status import Status
from latentlink.links.transceiver import Transceiver
from latentlink.studies.methods.method import Run, Situation
from latentlink.studies.rows import frame
from latentlink.studies.running.alarms import watched
from latentlink.studies.running.gain_control import design_at_budget
from latentlink.studies.running.measure_network import measure_network
from latentlink.studies.running.situation import describe_situation, draw_situation
from latentlink.studies.seeding import Draw
from latentlink.studies.shared import ScenarioData
from latentlink.studies.spec.cell import Cell
from latentlink.studies.thread_safe_cache import ThreadSafeCache
from latentlink.tasks.heads import apply_head
from latentlink.tasks.metrics import accuracy, agreement, mse, nmse

_PACKAGES = ("latentlink", "torch", "numpy", "polars", "pydantic")
_SYMBOLS = 10_000  # of an antenna, from which its peaks are known at 10⁻³
_BLOCKS = 512  # most messages on which lost blocks are measured
_BATCH = 256  # messages at a time in the batched latency
TIMED_MESSAGES = 73 * _BATCH  # that take as long as timing a network: its dense and its sparse form are tried, then the faster one timed
_CLUSTERS = 10  # where no classes tell their number
_MOST_SYMBOLS = 2**26  # held at a time, for peaks


@dataclass(frozen=True, eq=False)
class Measured:
    """The result of a cell.

    Attributes:
        rows: one for each channel.
        link: the link to time; None for references. Where the links of all channels take the same time it is that of the first.
        channel: for which the link was designed.
        clock: of links that take the same time, where another of them has been timed and this one is left out; else None.
    """

    rows: pl.DataFrame
    link: Transceiver | None = None
    channel: Channel | None = None
    clock: Hashable | None = None


def measure(cell: Cell, scenario: ScenarioData, run: Run, power_tolerance: float = TOLERANCE) -> Measured:
    """Run a cell; `power_tolerance` is that of `design_at_budget`."""
    started, clock = datetime.now(UTC), time.perf_counter()
    known = scenario.known_after(cell.pilots, cell.seed, cell.drift)
    dependence = known.shared("dependence", lambda: evidence(known.moments) if known.count else math.inf)
    columns = _identify(cell, scenario) | {"pilots": known.count, "dependence": dependence if math.isfinite(dependence) else None}
    columns["started"] = started.isoformat(timespec="seconds")
    latents = cell.method.latents(known, scenario.test)
    if latents is not None:
        columns |= _score_latents(cell, latents, scenario)
        return Measured(frame(columns | {"wall_s": time.perf_counter() - clock}, 1, cell.metrics))
    if cell.network.present:
        columns |= measure_network(cell, scenario, run)
        return Measured(frame(columns | {"wall_s": time.perf_counter() - clock}, cell.channel.draws, cell.metrics))
    there = draw_situation(cell, run.device)
    parts = [_measure_link(cell, scenario, power_tolerance, *part) for part in designed_apart(cell, there, run)]
    link, results = parts[0]
    if len(parts) > 1:
        columns_of = {name: [part[name] for _, part in parts] for name in results}
        results = {name: torch.cat(found) if isinstance(found[0], Tensor) else found[0] for name, found in columns_of.items()}
    results["status"] = [Status.of(code).name for code in results["status"].tolist()]
    columns |= describe_situation(cell, there) | results | {"wall_s": time.perf_counter() - clock}
    return Measured(frame(columns, len(there.truth.h), cell.metrics), link, there.truth[: link.batch.numel()])


def designed_apart(cell: Cell, there: Situation, run: Run) -> list[tuple[Situation, Run]]:
    """The channels of a cell that are designed for together, with the run of each: all of them, or one at a time."""
    count = len(there.truth.h)
    if not cell.method.one_channel_at_a_time or count == 1:
        return [(there, run)]
    return [(there[i : i + 1], run.for_channel(i)) for i in range(count)]


def _measure_link(
    cell: Cell, scenario: ScenarioData, power_tolerance: float, there: Situation, run: Run
) -> tuple[Transceiver, dict[str, Any]]:
    """The designed link in the precision of a deployed one, and the columns of what was measured."""
    method, channel, test = cell.method, there.truth, scenario.test
    known = scenario.known_after(cell.pilots, cell.seed, cell.drift)
    controlled = design_at_budget(
        lambda budget: method.design_for(known, there.with_power(budget), run), test.x, channel, method.gain_controlled, power_tolerance
    )
    solution = controlled.solution
    link: Transceiver = solution.transceiver.to(torch.float32)
    limit_db = cell.channel.clipping_db
    amplifier = None if limit_db is None else Amplifier.above_mean(channel, limit_db)
    noise = Draw.NOISE.generator(cell.seed, device=channel.h.device)
    task = _describe_task(cell, scenario)
    seen = evaluate(link, test.x, test.y, channel=channel, generator=noise, amplifier=amplifier, **task)
    own_noise = Draw.BLOCKS.generator(cell.seed, device=channel.h.device)

    def send(s: Tensor) -> Tensor:
        return channel.apply(s if amplifier is None else amplifier(s), own_noise)

    return link, {
        "compression": (channel.uses * channel.n_tx + link.side_symbols) / -(-test.x.shape[1] // 2),
        **seen.figures(),
        "antenna_power": seen.antenna_power,
        "budget": controlled.budget,
        "expected_mse": method.expected_mse(known, solution) if "mse" in cell.metrics and cell.csi.known != "unaware" else None,
        "status": solution.status.expand(channel.batch),
        "gap": solution.trace.get("gap"),
        "design_s": controlled.seconds,
        **(_find_limits(scenario, channel, seen.mse) if "limits" in cell.metrics else {}),
        **(_count_operations(cell, link) if "flops" in cell.metrics else {}),
        **(watched(scenario, link, channel, cell.drift, cell.seed) if "alarms" in cell.metrics else {}),
        **(_measure_peaks(cell, scenario, link, amplifier) if "papr" in cell.metrics else {}),
        **link.measured(test.x[:_BLOCKS], send),
    }


def _describe_task(cell: Cell, scenario: ScenarioData) -> dict[str, Any]:
    """The receiver's head with what it is measured by, and the latents that are searched or the clusters, where these are asked for."""
    test = scenario.test
    gallery = test.y if "recall" in cell.metrics else None
    clusters = _count_clusters(scenario) if "clustering" in cell.metrics else None
    return {"head": scenario.head, "labels": test.labels, "targets": test.targets, "gallery": gallery, "clusters": clusters}


def _count_clusters(scenario: ScenarioData) -> int:
    """Return the number of classes, or ten without labels; no more than messages."""
    labels = scenario.test.labels
    return min(_CLUSTERS if labels is None else len(labels.unique()), len(scenario.test))


def _find_limits(scenario: ScenarioData, channel: Channel, measured_mse: Tensor) -> dict[str, Any]:
    """Limits by the latents' moments: the least error of linear links, Gaussian OPTA, separation at finite length, accuracy by capacity."""
    modes, bits = scenario.limit_modes, capacity(channel)
    # shares of the variance, which differs a little between two samples
    optimum = ClosedForm().design(modes, channel).expected_mse
    assert optimum is not None
    bound = opta(modes, channel) / modes.variance
    separate = separation(modes, channel) / modes.variance
    y = scenario.test.y.double()
    variance = (y - y.mean(0)).square().sum(-1).mean()
    return {
        "capacity": bits,
        "accuracy_bound": None if scenario.test.labels is None else scenario.accuracy_bound.at(bits),
        "exact_mse": optimum / modes.variance * variance,
        "opta": bound * variance,
        "opta_nmse": bound,
        "opta_db": 10 * (measured_mse / (bound * variance)).log10(),
        "separation": separate * variance,
        "separation_nmse": separate,
    }


def _measure_peaks(cell: Cell, scenario: ScenarioData, link: Transceiver, amplifier: Amplifier | None) -> dict[str, Any]:
    """Peak-to-average power of each antenna, of the waveform on OFDM; nothing where symbols are too few to know, or too many to hold."""
    subcarriers = cell.ofdm.subcarriers if cell.channel.standard else None
    uses, needed = cell.channel.uses, max(_SYMBOLS, subcarriers or 0)
    x = torch.cat([scenario.test.x, scenario.candidates.x])[: -(-needed // uses)]  # peaks need many messages
    if link.batch.numel() * needed * cell.channel.shape[1] > _MOST_SYMBOLS or uses * len(x) < needed:
        return {}
    seen = peaks(link, x, subcarriers=subcarriers, amplifier=amplifier)
    return {"papr_db": seen.papr_db, "antenna_papr_db": seen.antenna_papr_db}


def _count_operations(cell: Cell, link: Transceiver) -> dict[str, Any]:
    """Operations of the link; empty where they are not counted."""
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


def _score_latents(cell: Cell, latents: Tensor, scenario: ScenarioData) -> dict[str, Any]:
    """Scores of latents that passed no channel, as the head reads them and as a search finds them."""
    test, head, m = scenario.test, scenario.head, latents.shape[1]
    found: dict[str, Any] = {"mse": mse(latents, test.y), "nmse": nmse(latents, test.y)}
    found["cosine"] = torch.cosine_similarity(latents, test.y.to(latents), dim=-1).mean()
    if head is not None and test.labels is not None:
        found["accuracy"] = accuracy(head, latents, test.labels).overall.value
        found["agreement"] = agreement(head, latents, test.y).value
    if head is not None and test.targets is not None:
        outputs = Outputs(head, partial(apply_head, head))
        outputs.add(latents, test.y, test.targets)
        found |= outputs.figures(len(test), latents).means()
    if "recall" in cell.metrics:
        ranks = Ranks(test.y, torch.eye(m, device=latents.device), latents.new_zeros(m), ENTRIES)
        ranks.add(torch.arange(len(test), device=latents.device), latents)
        found |= ranks.figures(len(test), latents).means()
    if "clustering" in cell.metrics:
        found |= clustering(latents, test.y, _count_clusters(scenario)).means()
    return found


def _identify(cell: Cell, scenario: ScenarioData) -> dict[str, Any]:
    """The columns that identify the cell and its latents."""
    method, labels = cell.method, scenario.test.labels
    return {
        "cell": cell.id,
        "method": method.title,
        "family": method.family,
        "parameters": method.model_dump_json(exclude={"label", *method.silent}),
        "dataset": scenario.dataset,
        "transmitter": scenario.transmitter,
        "receiver": scenario.receiver,
        "d": scenario.test.x.shape[1],
        "m": scenario.test.y.shape[1],
        "folder": cell.data.folder and str(cell.data.folder),
        "train": cell.data.train,
        "image_size_px": cell.encoders.image_size_px if cell.data.pictured else None,
        **cell.pilots.columns,
        **cell.drift.columns,
        "seed": cell.seed,
        "messages": len(scenario.test),
        "largest_class": None if labels is None else float(labels.bincount().max()) / len(labels),
        "versions": json.dumps({"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}),
    }


def clock_of(measured: Measured) -> Hashable | None:
    """What the latencies of a link depend on; None where they are its own, or there is no link.

    Links of equal `clock_key` take the same time on channels of the same shape, whatever their numbers.
    """
    link, channel = measured.link, measured.channel
    if link is None or channel is None or link.clock_key is None:
        return measured.clock
    return link.clock_key, channel.n_tx, channel.n_rx, channel.uses, len(channel.h)


def add_latencies(
    measured: Measured, scenario: ScenarioData, cache: ThreadSafeCache, alone: Callable[[], AbstractContextManager[None]]
) -> pl.DataFrame:
    """The rows of a cell with the latency of its link, measured in the context `alone`, in which nothing else runs.

    Links of one clock are timed once a run, and the times are stored in `cache` by (clock, scenario).
    """

    def time_alone() -> dict[str, float | str]:
        assert measured.link is not None
        assert measured.channel is not None
        with alone():
            return _time(measured.link, scenario, measured.channel)

    clock = clock_of(measured)
    if clock is None and measured.link is None:
        return measured.rows
    times = time_alone() if clock is None else cache.get((clock, scenario), time_alone)
    return measured.rows.with_columns(**{name: pl.lit(value) for name, value in times.items()})


def _time(link: Transceiver, scenario: ScenarioData, channel: Channel) -> dict[str, float | str]:
    """Latencies of one message at a time, and of many."""
    x = scenario.test.x
    times: dict[str, float | str] = {}
    for size, suffix in ((1, "us"), (min(_BATCH, len(x)), "batch_us")):
        timed = link.for_clock(x, size)
        if timed.form is not None:
            times[f"form_{suffix}"] = timed.form
        measured = latency(timed, x, channel[: timed.batch.numel()], batch=size)
        times[f"encode_{suffix}"] = measured.encode_us
        times[f"decode_{suffix}"] = measured.decode_us
    return times

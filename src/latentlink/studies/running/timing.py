"""Latencies of links, measured on one thread while nothing else runs."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import polars as pl

from latentlink.channels.channel import Channel
from latentlink.evaluation.latency import latency
from latentlink.links.transceiver import Transceiver
from latentlink.studies.running.measure import Measured
from latentlink.studies.shared import ScenarioData, ThreadSafeCache

_BATCH = 256  # messages at a time in the batched latency
TIMED_MESSAGES = 73 * _BATCH  # that take as long as timing a network: its dense and its sparse form are tried, then the faster one timed


def add_latencies(
    measured: Measured, scenario: ScenarioData, cache: ThreadSafeCache, alone: Callable[[], AbstractContextManager[None]]
) -> pl.DataFrame:
    """The rows of a cell with the latency of its link.

    Links of equal `clock_key` take the same time on channels of the same shape, whatever their numbers: they are timed once a run.

    Args:
        measured: of a cell.
        scenario: whose test latents are sent.
        cache: of latencies in this run.
        alone: context in which nothing else runs.
    """
    link, channel = measured.link, measured.channel
    if link is None or channel is None:
        return measured.rows

    def time_alone() -> dict[str, float | str]:
        with alone():
            return _time(link, scenario, channel)

    if link.clock_key is None:
        times = time_alone()
    else:
        times = cache.get((link.clock_key, channel.n_tx, channel.n_rx, channel.uses, len(channel.h), scenario), time_alone)
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

"""Latents that are larger than memory, as commands need them.

`fit` takes the moments of all pilots, and a sample to look at, to fit a head and to judge by; `evaluate` sends messages block by block.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from rich.progress import MofNCompleteColumn, TextColumn
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.cli.console import facts, print_table, progress, read_pilots, told_warnings
from latentlink.cli.measured import list_figures, list_power
from latentlink.cli.options import Reading
from latentlink.cli.provenance import data_records, file_name
from latentlink.data.readers.hub import is_on_hub
from latentlink.data.readers.opening import SUFFIXES
from latentlink.data.readers.sources import locate
from latentlink.data.readers.targets import read_targets
from latentlink.data.sharded.evaluation import evaluate_shards
from latentlink.data.sharded.paired_rows import PairedRows, pair_rows
from latentlink.data.sharded.sample import draw_sample, labels_of
from latentlink.data.sharded.second_order import moments_of_pairs
from latentlink.evaluation.figures import Evaluation
from latentlink.latents.folds import fold_numbers
from latentlink.latents.moments import Moments
from latentlink.latents.pilots import Pilots
from latentlink.links.transceiver import Transceiver
from latentlink.numerics.parts import change_tensors
from latentlink.numerics.progress import CountProgress
from latentlink.numerics.seeds import stream_generator
from latentlink.storage.provenance import DataRecord, digest_of
from latentlink.tasks.heads import LinearHead

FOLDS = 5  # of which one judges the design that is made from the others
_SHARE = 0.25  # of this machine's memory, from which files are read block by block
_ENTRIES = 2**26  # numbers in a sample
_MOST = 100_000  # pairs in a sample


@dataclass(frozen=True)
class ReadPilots:
    """Pilots that a command was given: all in memory, or their moments and a sample.

    Attributes:
        pilots: all of them, or the sample.
        records: of all of them, for the provenance.
        moments: of all of them, with folds, where they are not in memory; else None.
        rows: the numbers of the sample's rows.
    """

    pilots: Pilots
    records: tuple[DataRecord, ...]
    moments: Moments | None = None
    rows: Tensor | None = None

    def to(self, device: torch.device) -> "ReadPilots":
        """The same on a device."""
        moments = None if self.moments is None else change_tensors(self.moments, lambda value: value.to(device))
        return replace(self, pilots=self.pilots.to(device), moments=moments)

    def facts(self) -> dict[str, str]:
        """What is told of pilots that are not in memory."""
        if self.moments is None:
            return {}
        return {"pairs in all": f"{self.moments.count}, of which {len(self.pilots)} are looked at below"}

    def with_targets(self, file: str) -> "ReadPilots":
        """The same with the targets of a regression, of which there have to be as many as there are pairs.

        Raises:
            ValueError: there are others.
        """
        values = read_targets(file)
        pilots, count = self.pilots, len(self.pilots) if self.moments is None else self.moments.count
        if len(values) != count:
            raise ValueError(f"--targets {file}: got {len(values)}, expected {count}, one for each pair")
        wanted = (values if self.rows is None else values[self.rows]).to(pilots.y)
        told = (*self.records, DataRecord.of("targets of the pilots", file_name(file), values))
        return replace(self, pilots=Pilots(pilots.x, pilots.y, pilots.labels, names=pilots.names, targets=wanted), records=told)

    def split(self, share: int) -> tuple[Tensor, Moments | None, Tensor]:
        """The numbers of the pilots of a design, the moments of all that belong to them, and the numbers of those held out to judge it."""
        device = self.pilots.y.device
        if self.moments is None or self.rows is None:
            order = torch.randperm(len(self.pilots), generator=stream_generator(0, "held out"), device="cpu").to(device)
            unseen, seen = order.tensor_split([len(self.pilots) // share])
            return seen, None, unseen
        count, folds = self.moments.count, len(self.moments.folds)
        held_out = torch.tensor([int(fold_numbers(row, row + 1, count, folds)) == 0 for row in self.rows.tolist()], device="cpu")
        unseen, seen = (mask.nonzero().squeeze(-1).to(device) for mask in (held_out, ~held_out))
        return seen, self.moments.training_folds()[0][0], unseen


def is_beyond_memory(*sources: str) -> bool:
    """True where files are so large that they are read block by block."""
    if any(map(is_on_hub, sources)) or not hasattr(os, "sysconf"):
        return False
    size = sum(file.stat().st_size for source in sources for file in locate(source, None, SUFFIXES).files)
    return size > _SHARE * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def read_or_stream(
    transmitter: str, receiver: str, labels: str | None, reading: Reading, checkpoint: Path, stream: bool | None
) -> ReadPilots:
    """Read pilots, or, where they are larger than memory or `stream` says so, compute their moments and draw a sample.

    Args:
        transmitter: latents, as for `latentlink fit`.
        receiver: likewise.
        labels: likewise.
        reading: how they are read.
        checkpoint: where the moments are stored.
        stream: whether to read block by block; None decides by the size of the files.
    """
    if not (is_beyond_memory(transmitter, receiver) if stream is None else stream):
        pilots = read_pilots(transmitter, receiver, labels, reading)
        return ReadPilots(pilots, data_records(pilots, transmitter, receiver, labels))
    pairs = open_pairs(transmitter, receiver, reading)
    with row_bar("moments") as shown:
        moments = moments_of_pairs(pairs, min(FOLDS, len(pairs)), checkpoint, shown)
    found = labels_of(pairs, labels, None)
    width = len(moments.mean_x) + len(moments.mean_y)
    with row_bar("a sample of the pairs") as shown:
        sample = draw_sample(pairs, found, min(_MOST, max(1, _ENTRIES // width)), 0, shown)
    digests = (*sample.digests, *(() if found is None else (digest_of(found.numbers),)))
    records = zip(data_records(sample.pilots, transmitter, receiver, labels), digests, strict=True)
    whole = tuple(replace(record, shape=(len(pairs), *record.shape[1:]), sha256=digest) for record, digest in records)
    return ReadPilots(sample.pilots, whole, moments, sample.rows)


def refuse_what_needs_all(retrieval: bool, calibrate: bool) -> None:
    """Refuse what `latentlink evaluate` computes only of latents in memory."""
    if retrieval or calibrate:
        name = "--retrieval" if retrieval else "--calibrate"
        raise ValueError(f"{name} takes all latents in memory: give fewer of them, or --no-stream where they fit")


def measure_stream(
    link: Transceiver,
    sources: tuple[str, str, str | None, str | None],
    reading: Reading,
    checkpoint: Path | None,
    *,
    channel: Channel,
    head: LinearHead | None,
    generator: int,
) -> Evaluation:
    """Measure a link on latents that are read block by block, and print the figures.

    Args:
        link: the transceiver.
        sources: latents of both ends, labels and targets.
        reading: how they are read.
        checkpoint: where sums are stored, if anywhere.
        channel: the channels passed.
        head: the receiver's.
        generator: seed of the noise.
    """
    tx, rx, labels, targets = sources
    with told_warnings(), row_bar("evaluation") as shown:
        seen = evaluate_shards(
            link,
            tx,
            rx,
            labels,
            channel=channel,
            head=head,
            targets=targets,
            generator=generator,
            on=reading.on,
            columns=reading.columns or None,
            pool=reading.pool,
            checkpoint=checkpoint,
            progress=shown,
        )
    if seen.accuracy is not None:
        shares = {"all": seen.accuracy} | {
            name if isinstance(name, str) else f"class {name}": share for name, share in seen.per_class.items()
        }
        print_table("accuracy", ("", "link"), [(name, f"{float(share.mean()):.4f}") for name, share in shares.items()])
    messages = f"{seen.messages} over {channel.batch.numel()} channel(s)"
    facts("link", [("messages", messages), *list_figures(seen), *list_power(seen, channel)])
    return seen


def open_pairs(transmitter: str, receiver: str, reading: Reading) -> PairedRows:
    """Pairs that are counted and not read yet, with a line for every warning of their reader."""
    with told_warnings():
        return pair_rows(transmitter, receiver, on=reading.on, columns=reading.columns or None, pool=reading.pool)


@contextmanager
def row_bar(what: str) -> Iterator[CountProgress]:
    """A bar on stderr that counts rows: pass what this yields as `progress`."""
    with progress(MofNCompleteColumn(), TextColumn("rows")) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)

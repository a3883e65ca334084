"""A link measured on messages that are larger than memory: the figures of `evaluate`, of a block of rows at a time."""

import os
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from latentlink.channels.channel import Channel
from latentlink.data.readers.content import FileContentError
from latentlink.data.readers.opening import Source
from latentlink.data.readers.pooling import Pooling
from latentlink.data.readers.targets import read_targets
from latentlink.data.sharded.checkpoint import Checkpoint, digest_of_block, digest_of_blocks
from latentlink.data.sharded.paired_rows import PairedRows, pair_rows
from latentlink.data.sharded.sample import labels_of
from latentlink.data.sharded.second_order import checkpoint_of
from latentlink.evaluation.amplifier import Amplifier
from latentlink.evaluation.evaluate import check_sizes
from latentlink.evaluation.figures import Evaluation
from latentlink.evaluation.measurement import ENTRIES, Measurement
from latentlink.evaluation.readings import Task, task_of
from latentlink.evaluation.storing import pack_sums, unpack_sums
from latentlink.latents.labels import AnyLabels, Labels, as_targets, number_words
from latentlink.links.own import AnyLink, as_transceiver
from latentlink.numerics import doors
from latentlink.numerics.doors import AnyArray
from latentlink.numerics.identity import identity_of
from latentlink.numerics.progress import CountProgress, on_terminal
from latentlink.numerics.validation import validate_call
from latentlink.tasks.heads import SoftmaxHead, apply_head, decisions
from latentlink.tasks.numbering import find_wrong_numbers

_NUMBERED = 100_000  # messages by which wrong numbers of labels are found


@torch.no_grad()
@validate_call
def evaluate_shards(
    transceiver: AnyLink,
    tx: Source,
    rx: Source,
    labels: Source | AnyLabels | None = None,
    *,
    channel: Channel,
    head: nn.Module | None = None,
    targets: Source | AnyArray | None = None,
    task: Task | None = None,
    generator: int | torch.Generator | None = None,
    amplifier: Amplifier | None = None,
    entries: int = ENTRIES,
    on: str | None = None,
    columns: str | Sequence[str] | None = None,
    pool: Pooling | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: CountProgress | None = None,
) -> Evaluation:
    """Measure a link on messages that may be larger than memory, of which a block of rows at a time is read.

    The figures are those of `evaluate` on all of them, to rounding, with the same noise, however the files are cut. A search in a gallery
    of all latents is left to `evaluate`.

    Args:
        transceiver: as for `evaluate`.
        tx: latents at the transmitter, as for `moments_of_shards`.
        rx: latents at the receiver, likewise.
        labels: as for `evaluate`, or read as for `read_pairs`; without it those of the tables, if any. They are held in memory, 8 bytes
            a row.
        channel: as for `evaluate`.
        head: likewise.
        targets: as for `evaluate`, or read as for `data.readers.targets.read_targets`; held in memory.
        task: as for `evaluate`.
        generator: likewise; with a checkpoint it has to be a seed.
        amplifier: as for `evaluate`.
        entries: likewise.
        on: as for `moments_of_shards`.
        columns: likewise.
        pool: likewise.
        checkpoint: likewise; in the end it holds the sums, so that the same call returns at once.
        progress: as for `moments_of_shards`.

    Raises:
        FileNotFoundError: a file is absent.
        ValueError: as for `moments_of_shards` and `evaluate`.

    Warns:
        UserWarning: as for `evaluate`; observations that only one end has.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> for name, latents in (("tx.npy", x), ("rx.npy", y)):
        ...     ll.data.write_array(name, latents)
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0)
        >>> solution = ll.ClosedForm().design(ll.semantic_modes(ll.Moments.from_pairs(x, y)), channel)
        >>> seen = ll.data.evaluate_shards(solution, "tx.npy", "rx.npy", channel=channel, generator=0)
        >>> seen.messages, round(float(seen.power), 1)
        (500, 1.0)
    """
    pairs = pair_rows(tx, rx, on=on, columns=columns, pool=pool)
    link = as_transceiver(transceiver, channel, pairs.rx.dimension)
    check_sizes(link, channel, pairs.rx.dimension)
    numbers = _number(pairs, labels, head, task, targets is not None)
    task = task_of(head, numbers is not None, targets is not None, task)
    wanted = None if targets is None else _as_targets(targets, pairs)
    if checkpoint is not None and (generator is None or isinstance(generator, torch.Generator)):
        raise ValueError(f"generator must be a seed where there is a checkpoint, got {generator!r}")
    noise = doors.as_generator(generator, "noise", channel.h.device)
    measurement = Measurement(
        link, channel, head=head, task=task, amplifier=amplifier, noise=noise, entries=doors.integer("entries", entries)
    )
    stored = None
    if checkpoint is not None:
        work = identity_of(link, channel, head, task, amplifier, entries, generator, numbers, wanted)
        stored = checkpoint_of(checkpoint, "evaluation", pairs, {"link, channel, head, labels and noise": work})
    shown = on_terminal("evaluation") if progress is None else progress
    return _measure(measurement, pairs, numbers, wanted, stored, shown)


def _measure(
    measurement: Measurement,
    pairs: PairedRows,
    labels: Labels | None,
    targets: Float[Tensor, "n q"] | None,
    checkpoint: Checkpoint | None,
    progress: CountProgress,
) -> Evaluation:
    """Send all pairs that are not counted yet."""
    together, total, device = measurement.messages_at_a_time(pairs.tx.dimension), len(pairs), measurement.error.device
    size = max(1, len(next(iter(pairs.blocks()))) // together) * together
    rows_read = "" if checkpoint is None else _take_up(measurement, checkpoint, pairs, size)
    numbering = None if labels is None or measurement.decisions is None else _Numbering(measurement.decisions.head, labels, total)
    packed = pack_sums(measurement)
    try:
        for start in range(measurement.count, total, size):
            rows = slice(start, min(start + size, total))
            latents = pairs.read(range(rows.start, rows.stop))
            x, y = (end.to(device) for end in latents)
            measurement.add(x, y, None if labels is None else labels.numbers[rows], None if targets is None else targets[rows])
            if numbering is not None:
                numbering.add(y, start)
            if checkpoint is not None:
                packed, rows_read = pack_sums(measurement), digest_of_blocks([digest_of_block(latents)], rows_read)
                if checkpoint.is_due():
                    checkpoint.write(*packed, rows_read)
            progress(rows.stop, total)
    except BaseException:
        if checkpoint is not None and packed[1]["count"]:
            checkpoint.write(*packed, rows_read)
        raise
    if checkpoint is not None:
        checkpoint.write(*packed, rows_read, finished=True)
    if numbering is not None:
        numbering.warn()
    return measurement.evaluation()


def _take_up(measurement: Measurement, checkpoint: Checkpoint, pairs: PairedRows, size: int) -> str:
    """Go on from the checkpoint, if any, whose blocks are of `size` rows, and return the digest of the rows that it counted."""
    stored = checkpoint.read()
    if stored is None:
        return ""
    try:
        unpack_sums(measurement, stored.tensors, stored.facts)
    except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise checkpoint.refused(f"{checkpoint.path}: not what a checkpoint is made of ({error!r})") from error
    done = measurement.count
    again = (range(start, min(start + size, done)) for start in range(0, done, size))
    checkpoint.check_rows(stored, lambda: digest_of_blocks(digest_of_block(pairs.read(rows)) for rows in again))
    return str(stored.facts.get("rows_read", ""))


class _Numbering:
    """The check of labels for another numbering than the head's, on messages that are taken evenly from all."""

    def __init__(self, head: nn.Module, labels: Labels, total: int) -> None:
        self.head, self.labels, self.every = head, labels, -(-total // _NUMBERED)
        self.decided: list[Tensor] = []
        self.rows: list[Tensor] = []

    def add(self, y: Float[Tensor, "k m"], start: int) -> None:
        """Take some of consecutive messages, of which the first is the `start`th."""
        rows = torch.arange(-start % self.every, len(y), self.every, device="cpu")
        if len(rows):
            self.decided.append(decisions(self.head, y[rows]))
            self.rows.append(start + rows)
            self.outputs = apply_head(self.head, y[:1]).shape[-1]

    def warn(self) -> None:
        """Warn of what was found."""
        if not self.rows:
            return
        numbers = self.labels.numbers[torch.cat(self.rows)]
        for sentence in find_wrong_numbers(torch.cat(self.decided), numbers, self.outputs, self.labels.names):
            warnings.warn(sentence, UserWarning, stacklevel=4)


def _number(
    pairs: PairedRows, labels: Source | AnyLabels | None, head: nn.Module | None, task: Task | None, targeted: bool
) -> Labels | None:
    """The labels of all pairs, numbered as the head's classes are; those of tables only where the head is a classifier."""
    classifier = isinstance(head, SoftmaxHead) or task == "classification"
    if labels is None and (targeted or not classifier):
        return None
    found = labels_of(pairs, labels, None)
    known = getattr(head, "classes", None)
    if found is None or found.names is None or known is None:
        return found
    exchanged = number_words(np.array(found.names), known)
    return Labels(exchanged.numbers[found.numbers], exchanged.names)


def _as_targets(targets: Any, pairs: PairedRows) -> Float[Tensor, "n q"]:
    if isinstance(targets, list | tuple) and not all(isinstance(value, str | os.PathLike) for value in targets):
        targets = np.asarray(targets)
    given = isinstance(targets, Tensor | np.ndarray)
    found = as_targets(targets, len(targets)).double().cpu() if given else read_targets(targets)
    if pairs.kept is not None and len(found) == len(pairs.tx):
        return torch.from_numpy(found.numpy()[pairs.kept[0]])
    if len(found) != len(pairs):
        raise FileContentError(f"targets: got {len(found)}, expected {len(pairs.tx)}, one for each row of {pairs.tx.origin}")
    return found

"""A link measured on unseen latents, over many channels: of the latent itself, and of the task of a head or of a search."""

import warnings

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from latentlink.channels.channel import Channel
from latentlink.evaluation.amplifier import Amplifier
from latentlink.evaluation.figures import Evaluation
from latentlink.evaluation.measurement import ENTRIES, Measurement
from latentlink.evaluation.readings import Task, task_of
from latentlink.latents.labels import AnyLabels, as_targets, labels_for
from latentlink.latents.rows import CHUNK, LatentChunks, as_latents, paired_chunks
from latentlink.links.own import AnyLink, OwnTransceiver, as_transceiver
from latentlink.links.shapes import broadcast_batch
from latentlink.links.transceiver import Transceiver
from latentlink.numerics import doors
from latentlink.numerics.doors import AnyArray
from latentlink.numerics.validation import validate_call
from latentlink.tasks.heads import apply_head, decisions
from latentlink.tasks.numbering import find_wrong_numbers

_MIXED = (
    "what encode sends of a message depends on the messages beside it, or on chance: power and errors are those of batches of another size "
    "then; networks with BatchNorm or Dropout need .eval(), and power is scaled by a constant"
)


@validate_call
@torch.no_grad()
def evaluate(
    transceiver: AnyLink,
    x: AnyArray,
    y: AnyArray,
    *,
    channel: Channel,
    head: nn.Module | None = None,
    labels: AnyLabels | None = None,
    targets: AnyArray | None = None,
    task: Task | None = None,
    gallery: AnyArray | None = None,
    clusters: int | None = None,
    generator: int | torch.Generator | None = None,
    amplifier: Amplifier | None = None,
    entries: int = ENTRIES,
) -> Evaluation:
    """Send every message over every channel and measure what the receiver gets: its errors, and what a head or a search makes of it.

    Errors, cosine similarity and power are always measured. A head is measured by what is given beside it: labels make it a classifier
    (accuracy, agreement), targets a regression (R², errors). Without either a `SoftmaxHead` is a classifier, and any other head is measured
    by the error of its outputs, since those may be logits or not; `task="classification"` says that they are.

    Args:
        transceiver: designed for the batch of `channel`, or for one channel: a transceiver, a `Solution`, or any object with `encode` and
            `decode`.
        x: unseen latents (n, d) of the transmitter.
        y: the receiver's latents (n, m) of the same observations.
        channel: the channels really passed.
        head: the receiver's head, a torch module from latents (n, m) to logits or real outputs (n, q).
        labels: true classes (n,) of a classifier: numbers, or names that the head's `classes` number.
        targets: true values (n, q) or (n,) of a regression.
        task: "classification" or "regression", where neither labels nor targets tell.
        gallery: latents (g, m) among which each ŷ is searched for by cosine; row i belongs to message i, further rows are distractors.
            The receiver's own latents are gallery=y.
        clusters: number of clusters that decoded latents and y are grouped into, to be compared (`metrics.clustering`; needs the extra
            `eval`); the coefficients of all messages are then kept in memory.
        generator: a seed or the source of the noise.
        amplifier: the transmitter's amplifier, where it is not ideal; power is measured behind it.
        entries: numbers in the largest intermediate tensor, which bound the memory that this takes.

    Returns:
        Figures (…) of each channel, means over the n messages.

    Raises:
        ValueError: shapes do not fit, there are labels or targets but no head, or both of them, or fewer messages than clusters.

    Warns:
        UserWarning: an own transceiver sends a message differently beside others; labels are outside of the head, or numbered differently
            than in its training.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> labels = (y[:, 0] > 0).long()
        >>> head, modes = ll.fit_head(y, labels), ll.semantic_modes(ll.Moments.from_pairs(x, y))
        >>> channel = ll.Channel.from_snr(ll.rayleigh(4, 4, batch=(10,), generator=0), snr_db=20.0)
        >>> solution = ll.ClosedForm().design(modes, channel)
        >>> seen = ll.evaluate(solution, x, y, channel=channel, head=head, labels=labels, generator=0)
        >>> seen.accuracy.shape, round(float(seen.power.mean()), 1)
        (torch.Size([10]), 1.0)
    """
    messages, wanted = paired_chunks(x, y)
    link = as_transceiver(transceiver, channel, wanted.dimension)
    check_sizes(link, channel, wanted.dimension)
    task = task_of(head, labels is not None, targets is not None, task)
    numbers = None if labels is None or head is None else _number(labels, head, wanted)
    measurement = Measurement(
        link,
        channel,
        head=head,
        task=task,
        gallery=None if gallery is None else _as_gallery(gallery, wanted),
        clusters=None if clusters is None else doors.integer("clusters", clusters, 1, wanted.count),
        amplifier=amplifier,
        noise=doors.as_generator(generator, "noise", channel.h.device),
        entries=doors.integer("entries", entries),
    )
    values = None if targets is None else as_targets(targets, wanted.count)
    together = measurement.messages_at_a_time(messages.dimension)
    for start in range(0, messages.count, together):
        rows = slice(start, start + together)
        part = None if numbers is None else numbers[rows]
        measurement.add(messages[rows], wanted[rows], part, None if values is None else values[rows])
        messages.release()
        wanted.release()
    if isinstance(link, OwnTransceiver) and link.mixes_messages(messages[:CHUNK]):
        warnings.warn(_MIXED, UserWarning, stacklevel=2)
    return measurement.evaluation()


def check_sizes(link: Transceiver, channel: Channel, dimension: int) -> None:
    """Refuse latents at the receiver of another dimension, and channels of another batch, than a link's."""
    if dimension != len(link.mean_y):
        raise ValueError(f"y must have shape (n, {len(link.mean_y)}), got (n, {dimension})")
    if broadcast_batch("channel", channel.batch, link.batch) != channel.batch:
        raise ValueError(f"channel must have the batch of the transceiver, {tuple(link.batch)}, or more, got {tuple(channel.batch)}")


def _number(labels: AnyLabels, head: nn.Module, wanted: LatentChunks) -> Int[Tensor, "n"]:
    """Class numbers by the head's names, with a warning where they do not look like those of its training."""
    numbers, names = labels_for(labels, wanted.count, getattr(head, "classes", None))
    decided = []
    for start in range(0, wanted.count, CHUNK):
        decided.append(decisions(head, wanted[start : start + CHUNK]))
        wanted.release()
    for sentence in find_wrong_numbers(torch.cat(decided), numbers, apply_head(head, wanted[:1]).shape[-1], names):
        warnings.warn(sentence, UserWarning, stacklevel=3)
    return numbers


def _as_gallery(gallery: AnyArray, wanted: LatentChunks) -> Float[Tensor, "g m"]:
    found = as_latents("gallery", gallery)
    if found.shape[1] != wanted.dimension or len(found) < wanted.count:
        raise ValueError(
            f"gallery must have shape (g, {wanted.dimension}), g >= {wanted.count}, row i for message i, got {tuple(found.shape)}"
        )
    return found

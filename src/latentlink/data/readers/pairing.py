"""Pairing: the rows of two tables that belong to the same observation, joined on its id; arrays are paired by their order.

SEMASIA's tables hold `id`, `label` or `fine_label`, `model_name` and `embedding`; two of them, in several shards each and in any order of
rows, become pilots in one call.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from latentlink.data.readers.columns import LABELS, role_of
from latentlink.data.readers.content import Array, FileContentError
from latentlink.data.readers.ids import are_words, ids_of, join_columns, join_ids, warn_of_order
from latentlink.data.readers.labels import FoundLabels, number_found, read_or_take_labels
from latentlink.data.readers.latents import join_shards, latent_shards, latents_of_table
from latentlink.data.readers.opening import Source, check_source, open_source
from latentlink.data.readers.pooling import Pooling
from latentlink.latents.labels import AnyLabels, Labels
from latentlink.latents.pilots import Pilots
from latentlink.numerics.validation import validate_call

ID = "id"


class Side(NamedTuple):
    """What one end's files hold.

    Attributes:
        origin: the first file, or what the frame is.
        latents: (n, d).
        ids: the observation of each row (n,), or None where the files name none.
        labels: the classes of the rows, or None.
    """

    origin: str
    latents: Array
    ids: Array | None
    labels: FoundLabels | None


@validate_call
def read_pairs(
    tx: Source,
    rx: Source,
    labels: Source | AnyLabels | None = None,
    *,
    on: str | None = None,
    columns: str | Sequence[str] | None = None,
    pool: Pooling | None = None,
    names: Sequence[str] | None = None,
) -> Pilots:
    """Read the latents of both ends, paired row by row, with their labels where these are known.

    Args:
        tx: latents at the transmitter: whatever `read_latents` reads.
        rx: latents at the receiver, likewise.
        labels: whatever `read_labels` reads, or an array or a list of labels; without them, the column label (or fine_label, target,
            class) of the tables, if any.
        on: the column of both tables that names the observation, on which rows are joined. Without it rows are joined on `id` where both
            tables have that column, and are otherwise paired by their order.
        columns: as for `read_latents`, for both ends.
        pool: as for `read_latents`, for both ends.
        names: names of the classes in the order of their numbers, as in training.

    Returns:
        Pilots of the observations that both ends have, in the transmitter's order.

    Raises:
        FileNotFoundError: a file is absent.
        ValueError: as for `read_latents` and `read_labels`; different numbers of rows and no id to join them on, an id that comes twice at
            one end, no common id, or two ends whose labels differ.

    Warns:
        UserWarning: observations that only one end has, which are left out; ids at one end alone, which do not ascend.

    Example:
        >>> import polars as pl, latentlink as ll
        >>> pl.DataFrame({"id": [1, 2, 3], "f0": [0.1, 0.2, 0.3], "label": ["cat", "dog", "cat"]}).write_parquet("vit.parquet")
        >>> pl.DataFrame({"id": [3, 1, 2], "f0": [3.0, 1.0, 2.0]}).write_parquet("resnet.parquet")
        >>> pilots = ll.read_pairs("vit.parquet", "resnet.parquet")
        >>> pilots.names, pilots.y.flatten().tolist()  # joined on id
        (('cat', 'dog'), [1.0, 2.0, 3.0])
    """
    wanted = ID if on is None else on
    check_source("tx", tx)
    check_source("rx", rx)
    transmitter = _side(tx, wanted, columns, pool)
    receiver = _side(rx, wanted, columns, pool)
    for end in (transmitter, receiver):
        if on is not None and end.ids is None:
            raise FileContentError(f"{end.origin}: has no column {on!r} to join rows on")
    given = None if labels is None else read_or_take_labels(labels, names)
    if transmitter.ids is not None and receiver.ids is not None:
        left, right = join_ids((transmitter.origin, transmitter.ids), (receiver.origin, receiver.ids), wanted)
    else:
        check_counts((transmitter.origin, len(transmitter.latents)), (receiver.origin, len(receiver.latents)))
        for end, other in ((transmitter, receiver), (receiver, transmitter)):
            if end.ids is not None and not (end.ids[1:] > end.ids[:-1]).all():
                warn_of_order(end.origin, other.origin, wanted)
        left = right = np.arange(len(transmitter.latents))
    x, y = (torch.from_numpy(_taken(end.latents, rows)) for end, rows in ((transmitter, left), (receiver, right)))
    ends = (transmitter, receiver)
    if given is not None:
        found: Labels | None = given_labels(given, [(end.origin, len(end.latents)) for end in ends], (left, right))
    else:
        both = zip(ends, (left, right), strict=True)
        found = found_labels([end.labels._replace(labels=end.labels.labels[rows]) for end, rows in both if end.labels is not None], names)
    return Pilots(x, y) if found is None else Pilots(x, y, found.numbers, names=found.names)


def _taken(latents: Array, rows: Array) -> Array:
    """Rows of an array; all of them in order are the array itself."""
    same = len(rows) == len(latents) and bool((rows == np.arange(len(rows))).all())
    return np.require(latents if same else latents[rows], requirements=["C", "W"])


def _side(source: Source, on: str, columns: str | Sequence[str] | None, pool: Pooling | None) -> Side:
    opened = open_source(source)
    held = opened.tables
    identity, label = role_of(held, [on]), role_of(held, LABELS)
    roles = [name for name in (identity, label) if name is not None]
    if held:
        shards = [(table.origin, latents_of_table(table.without(roles), opened.key, columns, pool)) for table in held]
    else:
        shards = list(latent_shards(source, columns=columns, pool=pool))
    ids = None if identity is None else join_columns(opened.origin, [ids_of(table, identity) for table in held])
    if label is None:
        return Side(opened.origin, join_shards(shards), ids, None)
    labels = join_columns(opened.origin, [table.column(label) for table in held])
    return Side(opened.origin, join_shards(shards), ids, FoundLabels(opened.origin, labels, held[0].classes.get(label)))


def check_counts(transmitter: tuple[str, int], receiver: tuple[str, int]) -> None:
    """Refuse ends of different numbers of rows, which are given with where they come from."""
    if transmitter[1] != receiver[1]:
        raise FileContentError(
            f"{transmitter[0]} has {transmitter[1]} rows and {receiver[0]} {receiver[1]}, and there is no id in both to join them on: "
            "was a batch lost at one end? Name a column of ids by on="
        )


def given_labels(labels: Labels, ends: Sequence[tuple[str, int]], kept: Sequence[Any]) -> Labels:
    """Labels of a file of their own, which must be as many as the rows of one end before they are joined.

    Args:
        labels: of all rows of one end.
        ends: where the rows of the transmitter and of the receiver come from, for messages, and how many they are.
        kept: the rows of each end that are paired.
    """
    for rows, (_, count) in zip(kept, ends, strict=True):
        if len(labels.numbers) == count:
            return labels._replace(numbers=torch.from_numpy(labels.numbers.numpy()[rows]))
    raise FileContentError(f"labels: got {len(labels.numbers)}, expected {ends[0][1]}, one for each row of {ends[0][0]}")


def found_labels(found: Sequence[FoundLabels], names: Sequence[str] | None) -> Labels | None:
    """The labels of pairs that the tables of one or both ends hold, which must agree; None where there are none."""
    if not found:
        return None
    check_agreement(found)
    return number_found(next((each for each in found if each.classes is not None), found[0]), names)


def check_agreement(found: Sequence[FoundLabels]) -> None:
    """Refuse labels of the same rows that differ between two ends; raises FileContentError."""
    if len(found) < 2:
        return
    one, other = found
    words = are_words(one.labels) or are_words(other.labels) or None not in (one.classes, other.classes)
    left, right = (each.words() if words else each.labels for each in found)
    rows = int((left != right).sum())
    if rows:
        ends = f"{one.origin} and {other.origin}"
        raise FileContentError(f"{ends} hold different labels in {rows} of {len(left)} rows: the rows are not paired")

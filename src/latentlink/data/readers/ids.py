"""Ids: what names the observation of each row, compared without rounding, and the rows of two ends that have the same ones."""

import decimal
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from latentlink.data.readers.content import Array, FileContentError
from latentlink.data.readers.tables import Table

_EXACT = 2**53  # floats from here on have lost the last digit of an integer


def ids_of(table: Table, name: str) -> Array:
    """The ids of a table (n,): integers in int64, those that are too large for it as Python's, or words.

    Raises:
        FileContentError: ids are missing, have fractions or have lost digits, or are neither numbers nor words.
    """
    kind = table.schema[name]
    if kind.is_nested():
        raise FileContentError(f"{table.origin}: column {name} is {kind}, and on must name a column of one number or one word a row")
    if not kind.is_numeric():
        return table.column(name)
    if kind.is_float():
        return _whole(table.origin, name, table.column(name))
    values = table.read([name]).to_series()
    if values.null_count():
        table.column(name)  # which refuses them
    if kind.is_integer() and (not len(values) or (values.min() >= -(2**63) and values.max() < 2**63)):
        return np.asarray(values.to_numpy()).astype(np.int64) if "128" not in str(kind) else np.array(values.to_list(), np.int64)
    return _objects([_integer(table.origin, name, value) for value in values.to_list()])


def _integer(origin: str, name: str, value: int | decimal.Decimal) -> int:
    if value != int(value):
        raise FileContentError(f"{origin}: column {name} holds {value}, expected ids that are integers or words")
    return int(value)


def _whole(origin: str, name: str, values: Array) -> Array:
    wrong = ~np.isfinite(values) | (values != np.trunc(values)) | (np.abs(values) >= (_EXACT if values.itemsize == 8 else 2**24))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise FileContentError(
            f"{origin}: column {name} holds {values[row]} in row {row}, and ids that are floats are exact only as integers that the type "
            "holds without rounding: store them as integers or words"
        )
    return values.astype(np.int64)


def _objects(values: Sequence[Any]) -> Array:
    array = np.empty(len(values), object)
    array[:] = values
    return array


def warn_of_order(held: str, lacking: str, on: str) -> None:
    """Tell that rows are paired by their order although one end names them in another; both ends are given by where they come from."""
    warnings.warn(
        f"{held} names its rows by {on}, which does not ascend, and {lacking} has no {on}: rows are paired by their order. Give both ends "
        f"the column {on}, such as by polars.DataFrame({{{on!r}: ids, 'embedding': latents}}), or look(x, y) at the pairs",
        UserWarning,
        stacklevel=3,
    )


def join_columns(origin: str, parts: Sequence[Array]) -> Array:
    """Join a column of several shards, numbers or words.

    Raises:
        FileContentError: some shards hold numbers and some words.
    """
    held = [part for part in parts if len(part)] or list(parts[:1])
    if len({are_words(part) for part in held}) > 1:
        raise FileContentError(f"{origin} …: shards hold numbers and words in one column, expected one of them: write all shards alike")
    if any(part.dtype.kind == "O" for part in held):
        return _objects([value for part in held for value in part.tolist()])
    return held[0] if len(held) == 1 else np.concatenate(held)


def are_words(values: Array) -> bool:
    """Tell whether an array holds words."""
    return values.dtype.kind in "US" or (values.dtype.kind == "O" and len(values) > 0 and isinstance(values[0], str))


def check_comparable(ends: Sequence[tuple[str, Array]], on: str) -> None:
    """Refuse ids that are numbers at one end and words at the other; raises FileContentError."""
    (one, left), (other, right) = ends
    if len(left) and len(right) and are_words(left) != are_words(right):
        shown = [
            f"{origin} holds {'words' if are_words(ids) else 'numbers'} such as {ids[0]!s}" for origin, ids in ((one, left), (other, right))
        ]
        raise FileContentError(f"{on} cannot be compared: {' and '.join(shown)}; store both as integers or both as words")


def check_once(origin: str, ids: Array, on: str) -> None:
    """Refuse ids that come twice; raises FileContentError."""
    values, counts = np.unique(ids, return_counts=True)
    if len(counts) and counts.max() > 1:
        raise FileContentError(
            f"{origin}: {on} {values[counts.argmax()]} comes {counts.max()} times ({int((counts > 1).sum())} ids are repeated); "
            "does the table hold several models or splits? keep the rows of one"
        )


def join_ids(transmitter: tuple[str, Array], receiver: tuple[str, Array], on: str) -> tuple[Array, Array]:
    """Find the rows of both ends that belong together, in the transmitter's order; the others are left out and told.

    Args:
        transmitter: where its rows come from, for messages, and the id of each.
        receiver: likewise.
        on: the name of the ids.

    Raises:
        FileContentError: an id comes twice at one end, there is no common one, or numbers stand against words.
    """
    ends = [transmitter, receiver]
    check_comparable(ends, on)
    for origin, ids in ends:
        check_once(origin, ids, on)
    common, left, right = np.intersect1d(ends[0][1], ends[1][1], assume_unique=True, return_indices=True)
    if not len(common):
        raise FileContentError(f"{transmitter[0]} and {receiver[0]} have no {on} in common")
    missing = [
        f"{origin} lacks {len(other) - len(common)} of the other end's observations"
        for (origin, _), (_, other) in (ends, ends[::-1])
        if len(other) > len(common)
    ]
    if missing:
        warnings.warn(f"{' and '.join(missing)}; {len(common)} pairs are left", UserWarning, stacklevel=3)
    order = np.argsort(left, kind="stable")
    return left[order], right[order]

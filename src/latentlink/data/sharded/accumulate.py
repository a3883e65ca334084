"""What is known of rows, computed block by block and merged in their order.

Neither the files that the rows are distributed over nor processes nor interruptions change the result.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

from torch import Tensor

from latentlink.data.sharded.checkpoint import Checkpoint, Stored, digest_of_block, digest_of_blocks
from latentlink.execution.executor import Executor, in_order
from latentlink.latents.merging import Mergeable, merge_parts
from latentlink.numerics.progress import CountProgress
from latentlink.storage.artifacts import Artifact


@runtime_checkable
class Known(Mergeable, Artifact, Protocol):
    """The protocol of what is known of rows: it is merged by `a + b`, saved, and made again by `from_tensors`."""

    @classmethod
    def from_tensors(cls: "type[K]", tensors: dict[str, Tensor], manifest: dict[str, Any]) -> "K":
        """The object of a saved file."""


K = TypeVar("K", bound=Known)
T = TypeVar("T")
Read = Callable[[range], tuple[Tensor, ...]]
_AHEAD = 8  # blocks for each place of an executor


def accumulate(
    kind: type[K],
    read: Read,
    known: Callable[..., Sequence[K | None]],
    blocks: Callable[[int], Iterable[range]],
    count: int,
    finish: Callable[[Sequence[K | None]], K],
    *,
    checkpoint: Checkpoint | None,
    progress: CountProgress,
    executor: Executor | None = None,
) -> K:
    """Merge what is known of each block, in order.

    Args:
        kind: the class of what is known.
        read: reads some rows, of one end or of both.
        known: computes what is known of rows, given as a range and what was read of them, one for each fold, or None for a fold without
            any; it and `read` may be sent to other processes.
        blocks: yields the blocks of rows from a row on.
        count: number of rows.
        finish: makes the result of what is known of all folds.
        checkpoint: that is taken up, and written; None for none.
        progress: called with (rows done, rows in all) after each block.
        executor: computes several blocks at a time; None computes one after another here.

    Raises:
        CheckpointError: the checkpoint cannot be taken up.
        OSError: a cluster that computes the blocks is lost; what was merged is in the checkpoint.
    """
    begun = _Begun[K](0, (), "") if checkpoint is None else _take_up(kind, checkpoint, read, blocks, count)
    if isinstance(begun, kind):
        return begun
    assert isinstance(begun, _Begun)
    state = begun  # changed at once, so that an interruption finds all of the same block
    ranges = list(blocks(begun.done))
    of_block = partial(_of_block, read, known, checkpoint is not None)
    try:
        for rows, (found, digest) in zip(ranges, _each(of_block, ranges, executor), strict=True):
            merged = merge_parts(state.parts, found) if state.parts else found
            state = _Begun(rows.stop, merged, digest_of_blocks([digest], state.rows_read))
            progress(rows.stop, count)
            if checkpoint is not None and checkpoint.is_due():
                checkpoint.write(*_packed(state), state.rows_read)
    except BaseException:
        if checkpoint is not None and state.done > begun.done:
            checkpoint.write(*_packed(state), state.rows_read)
        raise
    result = finish(state.parts)
    if checkpoint is not None:
        checkpoint.write(*result.to_tensors(), state.rows_read, finished=True)
    return result


class _Begun(NamedTuple, Generic[K]):
    """How far the work is.

    Attributes:
        done: number of rows.
        parts: what is known of them, for each fold; () of none.
        rows_read: their digest, where there is a checkpoint.
    """

    done: int
    parts: Sequence[K | None]
    rows_read: str


def _of_block(read: Read, known: Callable[..., Sequence[K | None]], digested: bool, rows: range) -> tuple[Sequence[K | None], str]:
    """What is known of a block, and its digest where it is wanted; a function of its arguments alone."""
    latents = read(rows)
    return known(rows, *latents), digest_of_block(latents) if digested else ""


def _take_up(kind: type[K], checkpoint: Checkpoint, read: Read, blocks: Callable[[int], Iterable[range]], count: int) -> "K | _Begun[K]":
    """What the checkpoint holds: the result where the work was done, or how far it is."""
    stored = checkpoint.read()
    if stored is None:
        return _Begun(0, (), "")
    try:
        found = kind.from_tensors(stored.tensors, stored.facts) if stored.finished else _unpacked(kind, stored, count)
    except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise checkpoint.refused(f"{checkpoint.path}: not what a checkpoint is made of ({error!r})") from error
    done = found.done if isinstance(found, _Begun) else count
    checkpoint.check_rows(stored, lambda: digest_of_blocks(digest_of_block(read(rows)) for rows in blocks(0) if rows.stop <= done))
    if stored.touched and not isinstance(found, _Begun):
        checkpoint.write(*found.to_tensors(), stored.facts["rows_read"], finished=True)  # with the times of now
    return found


def _each(of_block: Callable[[range], T], ranges: Sequence[range], executor: Executor | None) -> Iterator[T]:
    """What is known of each block, in order; an executor gets a few for each of its places at a time, so that none pile up."""
    if executor is None:
        yield from map(of_block, ranges)
        return
    at_once = _AHEAD * executor.width
    for first in range(0, len(ranges), at_once):
        yield from in_order(executor.run(of_block, ranges[first : first + at_once]))


def _packed(state: _Begun[K]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and facts of what is known so far."""
    saved = {number: part.to_tensors() for number, part in enumerate(state.parts) if part is not None}
    tensors = {f"{number}.{name}": value for number, (values, _) in saved.items() for name, value in values.items()}
    return tensors, {"done": state.done, "parts": [saved[number][1] if number in saved else None for number in range(len(state.parts))]}


def _unpacked(kind: type[K], stored: Stored, count: int) -> _Begun[K]:
    """The rows that are done, and what is known of them; a ValueError where they do not fit."""
    parts: list[K | None] = []
    for number, facts in enumerate(stored.facts["parts"]):
        own = {name.partition(".")[2]: value for name, value in stored.tensors.items() if name.partition(".")[0] == str(number)}
        parts.append(None if facts is None else kind.from_tensors(own, facts))
    done = stored.facts["done"]
    rows = sum(facts["count"] for facts in stored.facts["parts"] if facts is not None)
    if not isinstance(done, int) or not 0 < done <= count or done != rows:
        raise ValueError(f"{done} rows are done, {rows} are known, and there are {count}")
    return _Begun(done, parts, str(stored.facts.get("rows_read", "")))

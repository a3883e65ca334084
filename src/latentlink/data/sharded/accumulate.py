"""What is known of rows, computed block by block and merged in their order.

Neither the files that the rows are distributed over nor processes nor interruptions change the result.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

from torch import Tensor

from latentlink.data.sharded.checkpoint import Checkpoint, Stored
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
_AHEAD = 8  # blocks for each place of an executor


def accumulate(
    kind: type[K],
    of_block: Callable[[range], Sequence[K | None]],
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
        of_block: computes what is known of some rows, one for each fold, or None for a fold without any; it may be sent to other processes.
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
    stored = None if checkpoint is None else checkpoint.read()
    done: int = 0
    parts: Sequence[K | None] = ()
    if checkpoint is not None and stored is not None:
        try:
            if stored.finished:
                return kind.from_tensors(stored.tensors, stored.facts)
            done, parts = _unpacked(kind, stored, count)
        except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise checkpoint.refused(f"{checkpoint.path}: not what a checkpoint is made of ({error!r})") from error
    state = (done, parts)  # changed at once, so that an interruption finds both of the same block
    ranges = list(blocks(done))
    try:
        for rows, found in zip(ranges, _each(of_block, ranges, executor), strict=True):
            state = (rows.stop, merge_parts(state[1], found) if state[1] else found)
            progress(rows.stop, count)
            if checkpoint is not None and checkpoint.is_due():
                checkpoint.write(*_packed(*state))
    except BaseException:
        if checkpoint is not None and state[0] > done:
            checkpoint.write(*_packed(*state))
        raise
    result = finish(state[1])
    if checkpoint is not None:
        checkpoint.write(*result.to_tensors(), finished=True)
    return result


def _each(of_block: Callable[[range], T], ranges: Sequence[range], executor: Executor | None) -> Iterator[T]:
    """What is known of each block, in order; an executor gets a few for each of its places at a time, so that none pile up."""
    if executor is None:
        yield from map(of_block, ranges)
        return
    at_once = _AHEAD * executor.width
    for first in range(0, len(ranges), at_once):
        yield from in_order(executor.run(of_block, ranges[first : first + at_once]))


def _packed(done: int, parts: Sequence[K | None]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and facts of what is known so far."""
    saved = {number: part.to_tensors() for number, part in enumerate(parts) if part is not None}
    tensors = {f"{number}.{name}": value for number, (values, _) in saved.items() for name, value in values.items()}
    return tensors, {"done": done, "parts": [saved[number][1] if number in saved else None for number in range(len(parts))]}


def _unpacked(kind: type[K], stored: Stored, count: int) -> tuple[int, list[K | None]]:
    """The rows that are done, and what is known of them; a ValueError where they do not fit."""
    parts: list[K | None] = []
    for number, facts in enumerate(stored.facts["parts"]):
        own = {name.partition(".")[2]: value for name, value in stored.tensors.items() if name.partition(".")[0] == str(number)}
        parts.append(None if facts is None else kind.from_tensors(own, facts))
    done = stored.facts["done"]
    rows = sum(facts["count"] for facts in stored.facts["parts"] if facts is not None)
    if not isinstance(done, int) or not 0 < done <= count or done != rows:
        raise ValueError(f"{done} rows are done, {rows} are known, and there are {count}")
    return done, parts

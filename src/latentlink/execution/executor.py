"""An executor: a function on many items, several at a time, wherever they are computed.

Results come as they end. What is computed does not depend on the executor: a function gets one item and no knowledge of the others.
"""

from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, runtime_checkable

Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class Ended(Generic[Value]):
    """An item that ended.

    Attributes:
        number: of the item in the sequence.
        value: what the function returned; None where it raised.
        error: what the function raised, or why no worker could finish it; None where there is a value.

    Example:
        >>> from latentlink.execution import Threads
        >>> ended = list(Threads(2).run(abs, [-1, 2, "three"]))
        >>> sorted(item.number for item in ended if item.error is None)
        [0, 1]
    """

    number: int
    value: Value | None = None
    error: Exception | None = None

    def result(self) -> Value:
        """The value; raises the error where there is one."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]  # None may be a value


@runtime_checkable
class Executor(Protocol):
    """Computes a function on many items, several at a time.

    Example:
        >>> from latentlink.execution import Executor, Threads
        >>> isinstance(Threads(2), Executor), Threads(2).width
        (True, 2)
    """

    @property
    def width(self) -> int:
        """The number of items that are computed at a time."""
        ...

    def run(
        self, function: Callable[[Item], Value], items: Sequence[Item], group: Callable[[Item], Hashable] | None = None
    ) -> Generator[Ended[Value], None, None]:
        """Compute a function on every item, and yield each item once, as it ends.

        At most `width` items are under way, also where what is yielded is taken slowly. Closing the iterator, as an exception in its loop
        does, gives up the items that are left.

        Args:
            function: of one item. On a cluster it is pickled and sent to each worker once, so it may be an object that holds data; what
                it keeps from one item to the next stays in the worker's process.
            items: what it is called with.
            group: key of an item. Items with equal keys share something: they are computed by the same thread or worker where possible.

        Raises:
            OSError: the cluster is lost; what was yielded before is whole.
        """
        ...


def in_order(ended: Iterator[Ended[Value]]) -> Iterator[Value]:
    """Yield values in the order of their items, each as soon as those before it are there; raises the first error that is met.

    Example:
        >>> from latentlink.execution import Threads, in_order
        >>> list(in_order(Threads(2).run(abs, [-1, 2, -3])))
        [1, 2, 3]
    """
    early: dict[int, Value] = {}
    wanted = 0
    for each in ended:
        early[each.number] = each.result()
        while wanted in early:
            yield early.pop(wanted)
            wanted += 1

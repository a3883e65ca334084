"""Threads of this process: the numerics release the interpreter, and what a function holds is shared in memory."""

from collections.abc import Callable, Collection, Generator, Hashable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from latentlink.execution.agenda import Agenda
from latentlink.execution.executor import Ended, Item, Value
from latentlink.numerics.doors import integer

_HEARD_S = 0.1  # within which an interruption is heard


def first_done(futures: Collection[Future[Value]]) -> set[Future[Value]]:
    """Wait until at least one of futures is done, and return those that are.

    Ctrl-C is heard meanwhile. Polars lets system calls that a signal interrupts go on, among them a wait without an end.
    """
    while not (done := wait(futures, _HEARD_S, FIRST_COMPLETED).done):
        pass
    return done


@dataclass(frozen=True)
class Threads:
    """An executor that computes in threads of this process; one thread is the caller's own.

    Attributes:
        width: items at a time.

    Raises:
        ValueError: `width` is below one.

    Example:
        >>> from latentlink.execution import Threads
        >>> sorted(ended.result() for ended in Threads(2).run(abs, [-1, 2, -3]))
        [1, 2, 3]
    """

    width: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", integer("width", self.width))

    def run(
        self, function: Callable[[Item], Value], items: Sequence[Item], group: Callable[[Item], Hashable] | None = None
    ) -> Generator[Ended[Value], None, None]:
        """Compute a function on every item (see `Executor.run`); items under way end in their threads when the iterator is closed."""
        agenda = Agenda(None if group is None else group(item) for item in items)
        if self.width == 1:
            while (number := agenda.next_for(0)) is not None:
                yield _attempt(function, items[number], number)
            return
        pool, under_way = ThreadPoolExecutor(self.width), dict[Future[Ended[Value]], int]()

        def begin(lane: int) -> None:
            if (number := agenda.next_for(lane)) is not None:
                under_way[pool.submit(_attempt, function, items[number], number)] = lane

        try:
            for lane in range(self.width):
                begin(lane)
            while under_way:
                for future in first_done(under_way):
                    begin(under_way.pop(future))
                    yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _attempt(function: Callable[[Item], Value], item: Item, number: int) -> Ended[Value]:
    try:
        return Ended(number, function(item))
    except Exception as error:
        return Ended(number, error=error)

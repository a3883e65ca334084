"""A Dask cluster as an executor: functions are sent to each worker once, and items one by one.

The client decides which worker computes which item, by the same agenda as threads, and gives each place of a worker one item at a time: a
worker that dies takes one item with it, and Dask computes this item elsewhere. An item in whose company several workers died is not tried
again (`distributed.scheduler.allowed-failures`), and ends with an error of its own. Workers may come and go at any time. A worker gets a
function before its first item, after it was compared that it has the same versions as the client.
"""

import logging
import queue
import threading
import time
import uuid
from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Generic

from latentlink.execution import at_worker
from latentlink.execution.agenda import Agenda
from latentlink.execution.executor import Ended, Item, Value
from latentlink.numerics.extras import import_extra

LOG = logging.getLogger(__name__)
_PART = 2**25  # bytes of a function that are sent at a time
_PAUSE_S = 0.01  # between two looks at who works
_LOOK_S = 1.0  # seconds between two looks at who is there
_GREETED = 16  # workers that get a function at a time

Lane = tuple[str, int]  # a worker's address, and the number of one of its threads


class ClusterLost(ConnectionError):  # noqa: N818 (named for what happened)
    """The scheduler does not answer any more; what was computed before is kept.

    Example:
        >>> import latentlink as ll
        >>> from latentlink.execution import ClusterLost
        >>> try:  # doctest: +SKIP
        ...     rows = ll.studies.run("mine.yaml", cluster="tcp://host:8786")
        ... except ClusterLost:
        ...     rows = ll.studies.results("mine.yaml")  # what was computed before
    """


class Cluster:
    """An executor whose items are computed by the workers of a Dask cluster.

    Args:
        client: a `distributed.Client`.
        address: of its scheduler, for messages.
        patience_s: seconds within which the scheduler must answer.

    Example:
        >>> from latentlink.execution import connect
        >>> with connect(4) as workers:  # doctest: +SKIP
        ...     print(workers.width)
        4
    """

    def __init__(self, client: Any, address: str, patience_s: float) -> None:
        self.client, self.address, self.patience_s, self.is_lost = client, address, patience_s, False

        self._under_way: dict[Any, Any] = {}  # futures of the run that is under way
        self._here: dict[str, bool] = {}  # workers, and whether they are on this machine

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Context in which no worker of this machine computes, for clocks; call it in the loop over a run, which pauses then."""
        while any(not future.done() for future in self._under_way) and any(self._is_here(list(self.places()))):
            time.sleep(_PAUSE_S)
        yield

    def _is_here(self, addresses: Sequence[str]) -> list[bool]:
        unknown = [address for address in addresses if address not in self._here]
        if unknown:
            found = self.client.run(at_worker.machine, workers=unknown, on_error="ignore")
            self._here |= {address: machine == at_worker.machine() for address, machine in found.items()}
        return [self._here.get(address, False) for address in addresses]

    def __repr__(self) -> str:
        return f"Cluster({self.address})"

    @property
    def width(self) -> int:
        """Threads of all workers that are there now, at least one."""
        return max(1, sum(self.places().values()))

    def places(self) -> dict[str, int]:
        """The number of threads of each worker.

        Raises:
            ClusterLost: the scheduler does not answer.
        """
        if self.client.status != "running":
            raise self.lost()
        try:
            return dict(self.client.sync(self.client.scheduler.ncores, callback_timeout=self.patience_s))
        except (OSError, RuntimeError, import_extra("distributed", "cluster").TimeoutError) as error:
            raise self.lost() from error

    def lost(self) -> ClusterLost:
        """The error of a scheduler that does not answer."""
        self.is_lost = True
        return ClusterLost(f"the Dask scheduler at {self.address} does not answer any more")

    def differences(self, addresses: Sequence[str]) -> dict[str, str]:
        """What keeps workers from computing the same as this process: a sentence for each of them that does not fit.

        Raises:
            OSError: a worker is gone.
        """
        here, told = at_worker.describe(), {}
        for address, there in self.client.run(at_worker.describe, workers=list(addresses), on_error="return").items():
            if isinstance(there, OSError):
                raise there
            if isinstance(there, Exception):
                told[address] = f"the worker at {address} cannot be used: {type(there).__name__}: {there}"
            elif different := [f"{name} {there.get(name)} instead of {here[name]}" for name in here if there.get(name) != here[name]]:
                told[address] = f"the worker at {address} has {', '.join(different)}: install the same there as here"
        return told

    def run(
        self, function: Callable[[Item], Value], items: Sequence[Item], group: Callable[[Item], Hashable] | None = None
    ) -> Generator[Ended[Value], None, None]:
        """Compute a function on every item (see `Executor.run`), in the processes of the workers.

        Raises:
            ClusterLost: the scheduler does not answer any more.
            ValueError: no worker that is there can be used.
        """
        running = _Run(self, function, items, group)
        self._under_way = running.under_way
        return running.ended()


class _Run(Generic[Item, Value]):
    """One function on its way over the items."""

    def __init__(
        self, cluster: Cluster, function: Callable[[Item], Value], items: Sequence[Item], group: Callable[[Item], Hashable] | None
    ) -> None:
        pickled = import_extra("distributed.protocol.pickle", "cluster").dumps
        self.cluster, self.client, self.token = cluster, cluster.client, uuid.uuid4().hex
        self.items, self.pickled = items, pickled
        self.agenda = Agenda(None if group is None else group(item) for item in items)
        self.function: bytes = pickled(function)
        self.free: list[Lane] = []
        self.under_way: dict[Any, tuple[int, Lane]] = {}  # by future
        self.there: dict[str, int] = {}  # workers that have the function, with their threads
        self.greeted: set[str] = set()  # workers that are being sent it
        self.refused: dict[str, str] = {}  # workers that cannot be used, with the reason
        self.news: queue.SimpleQueue[Callable[[], Ended[Value] | None]] = queue.SimpleQueue()
        self.greeters = threading.Semaphore(_GREETED)
        self.looked = self.told = 0.0
        self.is_closed = False

    def ended(self) -> Generator[Ended[Value], None, None]:
        left = len(self.items)
        try:
            while left:
                self._look()
                self._fill()
                with suppress(queue.Empty):
                    ended = self.news.get(timeout=_LOOK_S)()
                    if ended is not None:
                        left -= 1
                        self._fill()
                        yield ended
        finally:
            self._close()

    def _look(self) -> None:
        """See who has come and who is gone, once in a while."""
        if self.client.status != "running":
            raise self.cluster.lost()
        if time.monotonic() < self.looked + _LOOK_S:
            return
        self.looked = time.monotonic()
        places = self.cluster.places()
        for address in set(self.there) - set(places):
            self._dismiss(address)
        for address in places.keys() - self.there.keys() - self.greeted - self.refused.keys():
            self.greeted.add(address)
            threading.Thread(target=self._greet, args=(address, places[address]), daemon=True).start()
        if self.there or self.greeted:
            return
        if places:
            raise ValueError(f"no worker at {self.cluster.address} can be used: {next(iter(self.refused.values()))}")
        if not self.told:
            LOG.warning("no worker is at %s: waiting for one (dask worker %s)", self.cluster.address, self.cluster.address)
            self.told = self.looked

    def _greet(self, address: str, places: int) -> None:
        """Compare a worker's versions, and send it the function; in a thread of its own."""
        reason: str | None = None
        try:
            with self.greeters:
                reason = self.cluster.differences([address]).get(address)
                if reason is None and not self.is_closed:
                    self._send(address)
        except at_worker.NotLoaded as error:
            reason = str(error)
        except Exception as error:  # it is gone, or the client closes
            LOG.debug("worker %s did not get what to compute: %s", address, error)
            places = 0
        self.news.put(lambda: self._admit(address, places, reason))

    def _send(self, address: str) -> None:
        for start in range(0, len(self.function), _PART):
            self.client.run(at_worker.receive, self.token, self.function[start : start + _PART], workers=[address])
        self.client.run(at_worker.unpack, self.token, workers=[address])

    def _admit(self, address: str, places: int, reason: str | None) -> None:
        self.greeted.discard(address)
        if reason is not None:
            self.refused[address] = reason
            LOG.warning("%s", reason)
        elif places:
            self.there[address] = places
            self.free += [(address, number) for number in range(places)]
            self.told = 0.0

    def _dismiss(self, address: str) -> None:
        """Forget a worker; what it computed is computed elsewhere."""
        for number in range(self.there.pop(address, 0)):
            self.agenda.close((address, number))
        self.free = [lane for lane in self.free if lane[0] != address]

    def _fill(self) -> None:
        """Give every free place its next item."""
        while self.free and (number := self.agenda.next_for(self.free[-1])) is not None:
            lane = self.free.pop()
            future = self.client.submit(
                at_worker.call, self.token, self.pickled(self.items[number]), key=f"latentlink-{self.token}-{number}-{uuid.uuid4().hex}",
                workers=[lane[0]], allow_other_workers=True, pure=False,
            )  # fmt: skip
            self.under_way[future] = (number, lane)
            future.add_done_callback(lambda future: self.news.put(lambda: self._take(future)))

    def _take(self, future: Any) -> Ended[Value] | None:
        """What became of an item; None where it has to be computed again."""
        number, lane = self.under_way.pop(future)
        if lane[0] in self.there and lane not in self.free:
            self.free.append(lane)
        if future.status == "cancelled":
            raise self.cluster.lost()
        try:
            return Ended(number, self._result_of(future))
        except at_worker.NotReceived:
            self._dismiss(lane[0])  # or the worker that took its place, which has been greeted meanwhile
            self.agenda.put_back(number)
            return None
        except ClusterLost:
            raise
        except Exception as error:
            distributed = import_extra("distributed", "cluster")
            if isinstance(error, distributed.KilledWorker):
                reason = f"{error.allowed_failures + 1} workers died while they computed this, the last one at {error.last_worker.address}"
                return Ended(number, error=RuntimeError(f"{reason}; was there enough memory?"))
            return Ended(number, error=error)

    def _result_of(self, future: Any) -> Value:
        """Fetch what a worker returned; a scheduler that is silent meanwhile is lost."""
        while True:
            try:
                value: Value = future.result(timeout=self.cluster.patience_s)
                return value
            except Exception as error:
                if future.status == "error":  # the function itself raised it, or no worker could finish it
                    raise
                if future.status == "cancelled":
                    raise self.cluster.lost() from error
                self.cluster.places()

    def _close(self) -> None:
        """Give up what is under way, and free the function at the workers; a scheduler that is gone is not waited for."""
        self.is_closed = True
        if self.cluster.is_lost or self.client.status != "running":
            return
        quickly = {"callback_timeout": self.cluster.patience_s}
        with suppress(Exception):
            self.client.sync(self.client._cancel, list(self.under_way), force=True, **quickly)
            there = list(self.there.keys() & self.cluster.places().keys())  # a worker that died would not answer
            self.client.sync(self.client._run, at_worker.forget, self.token, workers=there, on_error="ignore", **quickly)

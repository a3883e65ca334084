"""The agenda: which item is computed next.

Items of one group share what is costly to make, so a lane (a thread, or a place at a worker) stays with its group, then takes a group that
no lane works on. Where there is none it helps with the group of which most is left, so that no lane is idle at the end.
"""

from collections import deque
from collections.abc import Hashable, Iterable


class Agenda:
    """The numbers of items that are still to be computed.

    Args:
        groups: the group of each item, in the order of the items.
    """

    def __init__(self, groups: Iterable[Hashable]) -> None:
        self._left: dict[Hashable, deque[int]] = {}
        self._groups = list(groups)
        self._at: dict[Hashable, Hashable] = {}  # the group of each lane
        for number, group in enumerate(self._groups):
            self._left.setdefault(group, deque()).append(number)

    def next_for(self, lane: Hashable) -> int | None:
        """Take the next item for a lane; None where nothing is left."""
        if not self._left:
            return None
        group = self._at.get(lane)
        if lane not in self._at or group not in self._left:
            taken = {self._at[other] for other in self._at if other != lane}
            free = [each for each in self._left if each not in taken]
            group = self._at[lane] = free[0] if free else max(self._left, key=lambda each: len(self._left[each]))
        number = self._left[group].popleft()
        if not self._left[group]:
            del self._left[group]
        return number

    def put_back(self, number: int) -> None:
        """Return an item that has to be computed again; it is the next of its group."""
        self._left.setdefault(self._groups[number], deque()).appendleft(number)

    def close(self, lane: Hashable) -> None:
        """Forget a lane that is gone."""
        self._at.pop(lane, None)

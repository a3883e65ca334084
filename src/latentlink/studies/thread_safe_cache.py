"""Values that are made when they are first asked for, under a lock each: none is made twice, whichever thread asks first."""

import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class ThreadSafeCache:
    """Values by key, each made once, whichever thread asks first."""

    def __init__(self) -> None:
        self._values: dict[Hashable, Any] = {}
        self._locks: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of a key, made by `make` if it is not there yet."""
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._values:
                self._values[key] = make()
            value: T = self._values[key]
            return value

    def peek(self, key: Hashable) -> Any:
        """The value of a key, or None."""
        with self._lock:
            return self._values.get(key)

    def items(self) -> list[tuple[Any, Any]]:
        """All keys and values."""
        with self._lock:
            return list(self._values.items())

    def drop(self, key: Hashable) -> None:
        """Forget a value, and free its memory."""
        with self._lock:
            self._values.pop(key, None)
